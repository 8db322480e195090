//! The state machine: what a segment does to the states of its sender and of the other side, and when a flow is closed.

use parsers::protocol::Direction;
use schemas::anomaly::AnomalyName;

use super::super::endpoint::{Endpoint, State};
use super::super::history::History;
use super::{Mark, Outcome, Segment, Tcp, flags};

/// What follows from a change of states.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Transition {
    /// The sender closed or reset the flow.
    pub(super) close: bool,
    /// The handshake was answered.
    pub(super) established: bool,
}

fn enter(endpoint: &mut Endpoint, state: State) {
    if endpoint.state != state {
        endpoint.previous = endpoint.state;
        endpoint.state = state;
    }
}

impl Tcp {
    /// Changes the states. `direction` is the sender's, before a flip.
    pub(super) fn advance(
        &mut self,
        direction: Direction,
        segment: &Segment<'_>,
        history: &mut History,
        outcome: &mut Outcome,
    ) -> Transition {
        match self.endpoint(direction).state {
            State::Inactive => self.from_inactive(direction, segment, history, outcome),
            State::SynSent | State::SynAckSent => self.from_syn(direction, segment),
            State::Established | State::Partial => self.from_established(direction, segment),
            State::Closed => self.from_closed(direction, segment),
            State::Reset => Transition::default(),
        }
    }

    fn from_inactive(
        &mut self,
        direction: Direction,
        segment: &Segment<'_>,
        history: &mut History,
        outcome: &mut Outcome,
    ) -> Transition {
        let mut transition = Transition::default();
        let mut direction = direction;
        let ack = segment.has(flags::ACK);
        if segment.has(flags::SYN) {
            if direction == Direction::ToResponder {
                outcome.oddities.note_if(ack, AnomalyName::TcpOriginatorSynAck);
                enter(self.endpoint_mut(direction), if ack { State::SynAckSent } else { State::SynSent });
                self.mark = segment.ts;
                self.mark_kind = Mark::Attempt;
                self.note_handshake(segment, false);
            } else {
                let (endpoint, peer) = self.both_mut(direction);
                if !ack && peer.state == State::SynAckSent && segment.sequence == endpoint.start() {
                    // The capture has the SYN after its SYN+ACK: this side is the originator.
                    self.flip(history);
                    outcome.flipped = true;
                    direction = direction.reverse();
                    let (_, peer) = self.both_mut(direction);
                    enter(peer, State::Established);
                    self.seen[0] = true;
                }
                self.note_handshake(segment, ack);
                let (endpoint, peer) = self.both_mut(direction);
                if peer.state == State::SynSent {
                    enter(peer, State::Established);
                }
                enter(endpoint, State::Established);
                transition.established = peer.state != State::Partial;
            }
        }
        if segment.has(flags::FIN) {
            enter(self.endpoint_mut(direction), State::Closed);
            transition.close = true;
        }
        if segment.has(flags::RST) {
            enter(self.endpoint_mut(direction), State::Reset);
            transition.close = true;
        }
        let originator = self.endpoints[0].state;
        let (endpoint, peer) = self.both_mut(direction);
        if endpoint.state != State::Inactive {
            return transition;
        }
        let only_acknowledges = direction == Direction::ToOriginator && segment.payload_length == 0;
        if only_acknowledges && originator == State::SynSent {
            // Some acknowledge the SYN before they answer it; that is no midstream flow.
        } else if ack && peer.state == State::Established {
            // The SYN was missed, the answer seen.
            enter(endpoint, State::Established);
            self.midstream = false;
            self.seen[direction.index()] = true;
        } else {
            enter(endpoint, State::Partial);
        }
        transition
    }

    fn from_syn(&mut self, direction: Direction, segment: &Segment<'_>) -> Transition {
        let mut transition = Transition::default();
        if segment.has(flags::SYN) && direction == Direction::ToResponder {
            self.note_handshake(segment, false);
        }
        if segment.has(flags::FIN) {
            enter(self.endpoint_mut(direction), State::Closed);
            transition.close = true;
        }
        if segment.has(flags::RST) {
            enter(self.endpoint_mut(direction), State::Reset);
            self.active = false;
            transition.close = true;
        }
        transition
    }

    fn from_established(&mut self, direction: Direction, segment: &Segment<'_>) -> Transition {
        let mut transition = Transition::default();
        let (endpoint, peer) = self.both_mut(direction);
        if segment.has(flags::SYN)
            && !segment.has(flags::ACK)
            && endpoint.state == State::Partial
            && peer.state == State::Inactive
        {
            enter(endpoint, State::SynSent);
        }
        let reset = segment.has(flags::RST);
        if segment.has(flags::FIN) && !reset {
            enter(endpoint, State::Closed);
            if peer.state == State::Reset && peer.previous == State::Closed {
                // It sent a FIN, then a RST: after all the flow ended as it should.
                enter(peer, State::Closed);
            }
            transition.close = true;
        }
        if reset {
            enter(endpoint, State::Reset);
            transition.close = true;
            if peer.state != State::Reset || peer.previous != State::Established {
                self.active = false;
            }
        }
        transition
    }

    fn from_closed(&mut self, direction: Direction, segment: &Segment<'_>) -> Transition {
        let mut transition = Transition::default();
        let (endpoint, peer) = self.both_mut(direction);
        if segment.has(flags::RST) && peer.state != State::Closed {
            enter(endpoint, State::Reset);
            transition.close = !endpoint.did_close;
            if self.active && self.mark_kind != Mark::Closed && self.mark_kind != Mark::Reset {
                self.mark = segment.ts;
                self.mark_kind = Mark::Reset;
            }
        }
        transition
    }

    /// The round trip of the handshake, from the last SYN to the first answer.
    fn note_handshake(&mut self, segment: &Segment<'_>, answer: bool) {
        if self.has_handshake {
            return;
        }
        if !segment.has(flags::ACK) {
            self.handshake = segment.ts;
            self.has_syn = true;
        } else if answer && self.has_syn {
            self.handshake = segment.ts.saturating_sub(self.handshake);
            self.has_handshake = true;
        }
    }

    /// Once all that a side has sent was delivered, a close that waited for it is complete.
    pub(super) fn check_end(&mut self, direction: Direction) {
        let (endpoint, peer) = self.both_mut(direction);
        let ending = endpoint.fin.is_some() || matches!(endpoint.state, State::Closed | State::Reset);
        if endpoint.did_end || !ending || endpoint.data_pending(peer) {
            return;
        }
        endpoint.did_end = true;
        if self.close_deferred {
            self.close(direction);
            self.close_deferred = false;
        }
    }

    /// A side has closed or reset the flow.
    pub(super) fn close(&mut self, direction: Direction) {
        let last = self.last;
        let (endpoint, peer) = self.both_mut(direction);
        if endpoint.data_pending(peer) {
            self.close_deferred = true;
            return;
        }
        let did_close = endpoint.did_close;
        endpoint.did_close = true;
        let complete = endpoint.state == State::Reset || peer.did_close || peer.state == State::Inactive;
        self.close_deferred = false;
        if !did_close && complete {
            self.mark = last;
            self.mark_kind = Mark::Closed;
        }
    }
}
