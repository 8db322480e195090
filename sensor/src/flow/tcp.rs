//! The life of a TCP flow: the states of both sides, byte counts by sequence numbers, history, gaps, time-outs.
//!
//! The rules are Zeek's, in the order in which Zeek applies them to a segment, because `conn_state`, `history` and the
//! byte counts follow from that order. What a segment does wrong is reported as an anomaly and changes no count.
//!
//! The caller, before [`Tcp::segment`]: ends the flow if [`Tcp::deadline`] is reached or [`Tcp::is_reuse`] says that
//! the segment begins another flow.

use parsers::protocol::Direction;
use schemas::anomaly::AnomalyName;
use schemas::envelope::Nanoseconds;
use schemas::flows::ConnState;

use super::budget::Budget;
use super::conn_state;
use super::endpoint::{Endpoint, FinPosition, State, TOO_LARGE_JUMP, distance};
use super::history::{Event, History};
use super::reassembly::{Delivered, Report};
use super::roles;
pub use super::segment::{Oddities, Segment, flags};

/// Times after which a flow is over.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// An attempt without an answer, after its first SYN.
    pub attempt: Nanoseconds,
    /// After the close or reset.
    pub closed: Nanoseconds,
    /// Without a packet.
    pub idle: Nanoseconds,
    /// Without a packet, for protocols that people type into.
    pub interactive: Nanoseconds,
}

const SECOND: Nanoseconds = 1_000_000_000;

impl Default for Timeouts {
    fn default() -> Self {
        Self { attempt: 5 * SECOND, closed: 5 * SECOND, idle: 300 * SECOND, interactive: 3_600 * SECOND }
    }
}

/// What became of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The segment moves the end of the flow (`duration`); trailing ones after both sides closed do not.
    pub counts_time: bool,
    /// Originator and responder changed places with this segment: the caller swaps endpoints and all its counters
    /// by direction. The segment itself is the originator's, seen afterwards.
    pub flipped: bool,
    /// With this segment the flow closed: it ends [`Timeouts::closed`] after it, whatever follows.
    pub closed: bool,
    /// What was odd.
    pub oddities: Oddities,
}

/// Which event the deadline counts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mark {
    /// The start of the flow; nothing that counts was seen yet.
    #[default]
    Start,
    /// The first SYN.
    Attempt,
    /// A RST after the own FIN, with the other side still open.
    Reset,
    /// The close of both sides, or a RST.
    Closed,
}

/// The state of a TCP flow.
#[derive(Debug, Default)]
pub struct Tcp {
    endpoints: [Endpoint; 2],
    /// End of the flow: the last packet that counts for the duration.
    last: Nanoseconds,
    /// What the deadline counts from, as `mark_kind` says.
    mark: Nanoseconds,
    /// Time of the SYN, and once it is answered the time between.
    handshake: Nanoseconds,
    missed: u64,
    mark_kind: Mark,
    /// A packet of the originator, of the responder was seen.
    seen: [bool; 2],
    midstream: bool,
    close_deferred: bool,
    /// It is not settled yet how it ended.
    active: bool,
    has_syn: bool,
    has_handshake: bool,
    interactive: bool,
}

impl Tcp {
    /// A flow whose first packet came at `ts`.
    pub fn new(ts: Nanoseconds) -> Self {
        Self { last: ts, mark: ts, active: true, ..Self::default() }
    }

    /// The states of originator and responder.
    pub fn states(&self) -> [State; 2] {
        [self.endpoints[0].state, self.endpoints[1].state]
    }

    /// Payload bytes of originator and responder, by sequence numbers: bytes that were lost count, and so do those of
    /// absurd jumps.
    pub fn bytes(&self) -> [u64; 2] {
        let [originator, responder] = &self.endpoints;
        [originator.size(responder.state), responder.size(originator.state)]
    }

    /// Bytes in content gaps.
    pub fn missed_bytes(&self) -> u64 {
        self.missed
    }

    /// `conn_state`, once the flow is over; `history` are its letters.
    pub fn conn_state(&self, history: &str) -> ConnState {
        conn_state::tcp(self.states(), self.bytes(), history)
    }

    /// TCP flags seen by direction, as the bits of the header.
    pub fn flags(&self) -> [u8; 2] {
        [self.endpoints[0].flags, self.endpoints[1].flags]
    }

    /// Whether the flow began with a SYN that was seen.
    pub fn has_handshake(&self) -> bool {
        self.has_syn && !self.midstream
    }

    /// Nanoseconds between the last SYN and the first SYN+ACK.
    pub fn handshake_rtt(&self) -> Option<Nanoseconds> {
        self.has_handshake.then_some(self.handshake)
    }

    /// Time of the last packet that counts for the duration. Follows the packets, also where time goes back.
    pub fn last(&self) -> Nanoseconds {
        self.last
    }

    /// Whether the flow closed (or was reset); it lives on for [`Timeouts::closed`] only.
    pub fn is_closed(&self) -> bool {
        self.mark_kind == Mark::Closed
    }

    /// Whether a side has sent a RST.
    pub fn is_reset(&self) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.state == State::Reset)
    }

    /// The flow may be idle for long: it was recognised as SSH or FTP.
    pub fn set_interactive(&mut self) {
        self.interactive = true;
    }

    /// The flow is over once packet time reaches this.
    pub fn deadline(&self, timeouts: &Timeouts) -> Nanoseconds {
        let idle = if self.interactive { timeouts.interactive } else { timeouts.idle };
        let idle = self.last.saturating_add(idle);
        let attempt = matches!(self.endpoints[0].state, State::SynSent | State::SynAckSent)
            && self.endpoints[1].state == State::Inactive;
        let marked = match self.mark_kind {
            Mark::Start if self.states() == [State::Inactive; 2] => timeouts.attempt,
            Mark::Attempt if attempt => timeouts.attempt,
            Mark::Reset | Mark::Closed => timeouts.closed,
            Mark::Start | Mark::Attempt => return idle,
        };
        idle.min(self.mark.saturating_add(marked))
    }

    /// Whether this segment begins another flow between the same ports.
    pub fn is_reuse(&self, segment: &Segment<'_>) -> bool {
        if !segment.has(flags::SYN) {
            return false;
        }
        let [originator, responder] = &self.endpoints;
        let mut endpoint = originator;
        if segment.has(flags::ACK) {
            if originator.state != State::Inactive {
                return false;
            }
            endpoint = responder;
        }
        if originator.did_close || responder.did_close {
            return true;
        }
        let reversed = !segment.has(flags::ACK)
            && endpoint.state == State::SynAckSent
            && responder.state == State::Inactive
            && segment.sequence == responder.start();
        segment.sequence != endpoint.start() && !reversed
    }

    /// Whether the bytes of a direction are wanted. Without them the reassembly keeps ranges only, and the sink of
    /// [`Tcp::segment`] is not called for the direction.
    pub fn set_content(&mut self, direction: Direction, content: bool, budget: &mut Budget) {
        self.endpoint_mut(direction).reassembler.set_content(content, budget);
    }

    /// The flow is over: bytes that still wait above holes are delivered, with the gaps, which count no more.
    pub fn finish(&mut self, budget: &mut Budget, sink: &mut impl FnMut(Direction, Delivered<'_>)) {
        for direction in [Direction::ToResponder, Direction::ToOriginator] {
            self.endpoint_mut(direction).reassembler.finish(budget, &mut |out| sink(direction, out));
        }
    }

    /// Frees what is buffered.
    pub fn discard(&mut self, budget: &mut Budget) {
        for endpoint in &mut self.endpoints {
            endpoint.reassembler.discard(budget);
        }
    }

    /// Takes a segment.
    pub fn segment(
        &mut self,
        direction: Direction,
        segment: &Segment<'_>,
        ports: Ports,
        history: &mut History,
        budget: &mut Budget,
        sink: &mut impl FnMut(Direction, Delivered<'_>),
    ) -> Outcome {
        let mut direction = direction;
        let mut outcome = Outcome::default();
        if self.turns(direction, segment) {
            self.turn(history);
            outcome.flipped = true;
            direction = direction.reverse();
        }
        self.note_midstream(direction, segment);
        self.begin(direction, segment);
        self.endpoint_mut(direction).flags |= segment.flags;

        let end = segment.sequence.wrapping_add(segment.sequence_length());
        let position = self.endpoint(direction).position(segment.sequence);
        self.look_for_oddities(direction, segment, position.underflow, &mut outcome.oddities);
        self.write_history(direction, segment, position.relative, history);
        self.note_window(direction, segment, history);

        outcome.counts_time = !(self.endpoints[0].did_close && self.endpoints[1].did_close);
        if outcome.counts_time {
            self.last = segment.ts;
        }
        if segment.has(flags::FIN) {
            let fin = position.relative.wrapping_add(u64::from(segment.sequence_length()));
            self.endpoint_mut(direction).fin = FinPosition::new(fin).or(FinPosition::new(1));
        }
        let acknowledged = self.note_acknowledgement(direction, segment);
        self.note_end(direction, segment, end, history);

        let transition = self.advance(direction, segment, history, &mut outcome);
        if transition.flipped {
            outcome.flipped = true;
            direction = direction.reverse();
        }
        if segment.has(flags::ACK) {
            let report = self.deliver_acknowledged(direction.reverse(), acknowledged, budget, sink);
            self.take_report(direction.reverse(), report, history, &mut outcome.oddities);
        }
        self.see(direction);
        if segment.payload_length > 0 && !segment.has(flags::RST) && !position.underflow {
            let at = position.relative.wrapping_add(u64::from(segment.has(flags::SYN)));
            let report = self.deliver_payload(direction, segment, at, budget, sink);
            self.take_report(direction, report, history, &mut outcome.oddities);
        }
        self.check_end(direction);
        if transition.close {
            self.close(direction);
        }
        if transition.established && !self.interactive {
            self.interactive = self.is_interactive(ports);
        }
        outcome.closed = self.is_closed();
        outcome
    }

    fn endpoint(&self, direction: Direction) -> &Endpoint {
        let [originator, responder] = &self.endpoints;
        match direction {
            Direction::ToResponder => originator,
            Direction::ToOriginator => responder,
        }
    }

    fn endpoint_mut(&mut self, direction: Direction) -> &mut Endpoint {
        let [originator, responder] = &mut self.endpoints;
        match direction {
            Direction::ToResponder => originator,
            Direction::ToOriginator => responder,
        }
    }

    fn both_mut(&mut self, direction: Direction) -> (&mut Endpoint, &mut Endpoint) {
        let [originator, responder] = &mut self.endpoints;
        match direction {
            Direction::ToResponder => (originator, responder),
            Direction::ToOriginator => (responder, originator),
        }
    }

    /// The first segment of each side says whether the start of the flow was seen.
    fn note_midstream(&mut self, direction: Direction, segment: &Segment<'_>) {
        match direction {
            Direction::ToResponder if self.seen[0] => {}
            Direction::ToOriginator if self.seen[1] => {}
            Direction::ToResponder => self.midstream = !segment.has(flags::SYN) || segment.has(flags::ACK),
            Direction::ToOriginator => self.midstream |= !segment.has(flags::SYN),
        }
    }

    /// Sequence numbers begin with the first segment, and again with a SYN that came too late or differs.
    fn begin(&mut self, direction: Direction, segment: &Segment<'_>) {
        let syn = segment.has(flags::SYN);
        let end = segment.sequence.wrapping_add(segment.sequence_length());
        let endpoint = self.endpoint_mut(direction);
        match endpoint.state {
            State::Inactive if syn => endpoint.init(segment.sequence, end),
            // As if a SYN had been before it, to keep the numbering the same.
            State::Inactive => endpoint.init(segment.sequence.wrapping_sub(1), segment.sequence),
            State::SynSent | State::SynAckSent if syn && segment.sequence != endpoint.start() => {
                endpoint.init(segment.sequence, end);
            }
            State::Established | State::Partial if syn => endpoint.init(segment.sequence, end),
            // The RST that came first may have been forged.
            State::Reset if syn && endpoint.previous == State::Inactive => {
                endpoint.init(segment.sequence, end);
            }
            _ => {}
        }
    }

    fn write_history(
        &mut self,
        direction: Direction,
        segment: &Segment<'_>,
        relative: u64,
        history: &mut History,
    ) {
        let (syn, fin, rst) = (segment.has(flags::SYN), segment.has(flags::FIN), segment.has(flags::RST));
        if fin && rst {
            history.once(direction, Event::Inconsistent);
            return;
        }
        if syn && (fin || rst) {
            history.once(direction, Event::MultiFlag);
            return;
        }
        // Only equality matters, so the low half is enough.
        let low = (relative & u64::from(u32::MAX)) as u32;
        let endpoint = self.endpoint_mut(direction);
        let (event, slot, at) = if syn {
            let event = if segment.has(flags::ACK) { Event::SynAck } else { Event::Syn };
            (event, &mut endpoint.history_syn, low)
        } else if fin {
            (Event::Fin, &mut endpoint.history_fin, low.wrapping_add(segment.payload_length))
        } else if rst {
            (Event::Reset, &mut endpoint.history_reset, low)
        } else {
            if segment.payload_length > 0 {
                history.once(direction, Event::Data);
            } else if segment.has(flags::ACK) {
                history.once(direction, Event::Ack);
            }
            return;
        };
        if !history.once(direction, event) && at != *slot {
            history.add(direction, event);
        }
        *slot = at;
    }

    fn note_window(&mut self, direction: Direction, segment: &Segment<'_>, history: &mut History) {
        let (endpoint, peer) = self.both_mut(direction);
        let reset = segment.has(flags::RST);
        if segment.window == 0 && !reset && peer.state != State::Closed && endpoint.state != State::Reset {
            history.scaled(direction, Event::ZeroWindow, &mut endpoint.zero_windows);
        }
        if segment.has(flags::SYN) {
            match segment.window_scale {
                Some(scale) => endpoint.window_scale = scale.min(14),
                None => {
                    endpoint.window_scale = 0;
                    if segment.has(flags::ACK) {
                        peer.window_scale = 0;
                    }
                }
            }
        }
        if segment.has(flags::ACK) && !reset {
            // The window of a SYN is not scaled (RFC 7323, 2.2).
            let scale = if segment.has(flags::SYN) { 0 } else { endpoint.window_scale };
            endpoint.note_edge(segment.acknowledgement, u32::from(segment.window) << scale);
        }
    }

    /// The relative position that the segment acknowledges; 0 where it makes no sense.
    fn note_acknowledgement(&mut self, direction: Direction, segment: &Segment<'_>) -> u64 {
        if !segment.has(flags::ACK) {
            return 0;
        }
        let acknowledgement = segment.acknowledgement;
        let (_, peer) = self.both_mut(direction);
        if peer.state == State::Inactive {
            // Number the other side as if it had sent a SYN.
            let start = acknowledgement.wrapping_sub(1);
            peer.init(start, start);
            return 1;
        }
        let position = peer.acknowledged_position(acknowledgement);
        if position.underflow {
            return 0;
        }
        if !segment.has(flags::RST) {
            let delta = distance(acknowledgement, peer.acknowledged());
            let broken = acknowledgement == 0 && delta > TOO_LARGE_JUMP;
            if delta > 0 && !broken {
                peer.update_acknowledged(acknowledgement);
            }
        }
        position.relative
    }

    fn note_end(&mut self, direction: Direction, segment: &Segment<'_>, end: u32, history: &mut History) {
        let endpoint = self.endpoint_mut(direction);
        let delta = distance(end, endpoint.last());
        let control = segment.has(flags::SYN) || segment.has(flags::RST);
        if control && delta.unsigned_abs() > TOO_LARGE_JUMP.unsigned_abs() {
            // Not believed.
        } else if segment.has(flags::FIN) && endpoint.last() == endpoint.start().wrapping_add(1) {
            // More than 2 GB of which only the SYN and the FIN were seen.
            endpoint.update_last(end);
        } else if endpoint.state == State::Reset {
            // No number after a RST is believed.
        } else if delta > 0 {
            endpoint.update_last(end);
        } else if segment.payload_length > 0 {
            history.scaled(direction, Event::Retransmission, &mut endpoint.retransmissions);
        }
    }

    fn deliver_acknowledged(
        &mut self,
        direction: Direction,
        position: u64,
        budget: &mut Budget,
        sink: &mut impl FnMut(Direction, Delivered<'_>),
    ) -> Report {
        let midstream = self.midstream;
        let (endpoint, peer) = self.both_mut(direction);
        let position = match endpoint.fin {
            Some(fin) if position >= fin.get() => fin.get() - 1,
            _ => position,
        };
        let situation = endpoint.situation(peer, midstream);
        let before = endpoint.reassembler.trimmed();
        let report =
            endpoint.reassembler.acknowledged(position, situation, budget, &mut |out| sink(direction, out));
        if endpoint.reassembler.trimmed() != before {
            self.check_end(direction);
        }
        report
    }

    fn deliver_payload(
        &mut self,
        direction: Direction,
        segment: &Segment<'_>,
        position: u64,
        budget: &mut Budget,
        sink: &mut impl FnMut(Direction, Delivered<'_>),
    ) -> Report {
        let midstream = self.midstream;
        let (endpoint, peer) = self.both_mut(direction);
        let situation = endpoint.situation(peer, midstream);
        let length = segment.payload_length;
        let captured = usize::try_from(length).unwrap_or(usize::MAX).min(segment.payload.len());
        let payload = segment.payload.get(..captured).unwrap_or_default();
        endpoint
            .reassembler
            .data(position, length, payload, situation, budget, &mut |out| sink(direction, out))
    }

    fn take_report(
        &mut self,
        direction: Direction,
        report: Report,
        history: &mut History,
        oddities: &mut Oddities,
    ) {
        let endpoint = self.endpoint_mut(direction);
        for _ in 0..report.gaps {
            history.scaled(direction, Event::Gap, &mut endpoint.gaps);
        }
        self.missed = self.missed.saturating_add(report.missed);
        oddities.note_if(report.gaps > 0, AnomalyName::TcpAckUnseen);
        oddities.note_if(report.conflict, AnomalyName::TcpOverlapConflict);
        oddities.note_if(report.shed, AnomalyName::StreamShed);
    }

    /// Both sides change places.
    pub fn flip(&mut self, history: &mut History) {
        self.swap();
        history.flip();
    }

    /// A segment of this direction was seen.
    fn see(&mut self, direction: Direction) {
        match direction {
            Direction::ToResponder => self.seen[0] = true,
            Direction::ToOriginator => self.seen[1] = true,
        }
    }

    fn swap(&mut self) {
        self.endpoints.swap(0, 1);
        self.seen.swap(0, 1);
        self.midstream = false;
    }

    fn is_interactive(&self, ports: Ports) -> bool {
        let mut port = ports.responder;
        let likely = |port| roles::likely_server_port(parsers::protocol::Transport::Tcp, port);
        if self.endpoints[0].state == State::Inactive && !likely(port) && likely(ports.originator) {
            port = ports.originator;
        }
        roles::is_interactive_port(port)
    }
}

/// The ports of both sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// Of the originator.
    pub originator: u16,
    /// Of the responder.
    pub responder: u16,
}

#[path = "tcp_states.rs"]
mod states;

#[path = "tcp_oddities.rs"]
mod oddities;

#[path = "tcp_ordinary.rs"]
mod ordinary;

#[cfg(test)]
#[path = "tcp_tests.rs"]
mod tests;
