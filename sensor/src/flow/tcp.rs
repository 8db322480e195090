//! TCP as a bystander sees it: the states of both sides, what each has sent, and what became of it.
//!
//! States, byte counts, gaps and letters follow Zeek's rules, whose results hunters know. What Zeek does not report and
//! a host would not take (see [`Outcome::anomalies`]) is told and changes no count.

use parsers::packet::Layer;
use parsers::protocol::Direction;
use schemas::anomaly::AnomalyName;
use schemas::envelope::Nanoseconds;

use super::budget::Budget;
use super::endpoint::{Endpoint, State, TOO_LARGE_JUMP, distance};
use super::history::{Event, History};
use super::reassembly::{Delivered, Report};

/// Flags of the TCP header (RFC 9293 section 3.1).
pub mod flags {
    /// No more data from the sender.
    pub const FIN: u8 = 1;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 2;
    /// Reset.
    pub const RST: u8 = 4;
    /// The acknowledgement counts.
    pub const ACK: u8 = 16;
    /// The urgent pointer counts.
    pub const URG: u8 = 32;
}

use flags::{ACK, FIN, RST, SYN, URG};

/// Zeek grants services on which people type an hour of silence.
const LONG_IDLE: Nanoseconds = 3_600_000_000_000;

/// Those services: FTP, SSH, telnet, rlogin.
const LONG_IDLE_PORTS: [u16; 4] = [21, 22, 23, 513];

/// What a segment's headers say.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// When it was captured.
    pub ts: Nanoseconds,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Payload bytes by the IP length.
    pub length: u32,
    /// Time stamp option.
    pub timestamps: Option<(u32, u32)>,
    /// Window as in the header.
    pub window: u16,
    /// Urgent pointer.
    pub urgent: u16,
    /// Window scale option.
    pub window_scale: Option<u8>,
    /// Flags.
    pub flags: u8,
    /// TTL or hop limit.
    pub hop_limit: u8,
    /// Whether the header could be read to its end.
    pub is_valid: bool,
}

impl Segment {
    /// Of a decoded packet.
    #[inline]
    pub fn new(layer: &Layer, ts: Nanoseconds) -> Self {
        Self {
            ts,
            seq: layer.seq,
            ack: layer.ack,
            length: layer.payload_length,
            timestamps: layer.timestamps,
            window: layer.window,
            urgent: layer.urgent,
            window_scale: layer.window_scale,
            flags: layer.flags,
            hop_limit: layer.hop_limit,
            is_valid: !layer.truncated_header,
        }
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Sequence numbers that the segment takes up; data on a RST is not part of the stream.
    fn sequence_length(&self) -> u32 {
        let data = if self.has(RST) { 0 } else { self.length };
        data.wrapping_add(u32::from(self.has(SYN))).wrapping_add(u32::from(self.has(FIN)))
    }
}

/// When a silent TCP flow is over.
#[derive(Clone, Copy, Debug)]
pub struct TcpTimeouts {
    /// Established, or caught in mid-stream.
    pub idle: Nanoseconds,
    /// Never answered.
    pub attempt: Nanoseconds,
    /// Closed by both sides, or reset.
    pub closed: Nanoseconds,
}

/// What followed from a segment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// The packet counts for the duration: not both sides had closed.
    pub counts_time: bool,
    /// SYN and SYN+ACK had been swapped: the roles are turned.
    pub flipped: bool,
    /// The flow may now be over sooner than before.
    pub deadline_came_nearer: bool,
    /// Content gaps that became known.
    pub gaps: u32,
    /// Bytes in them.
    pub missed: u64,
    anomalies: u64,
}

impl Outcome {
    fn note(&mut self, name: AnomalyName) {
        self.anomalies |= 1 << (name as u8);
    }

    fn take(&mut self, report: Report) {
        self.gaps += report.gaps;
        self.missed += report.missed;
        if report.conflict {
            self.note(AnomalyName::TcpOverlapConflict);
        }
        if report.shed {
            self.note(AnomalyName::StreamShed);
        }
    }

    /// What was odd.
    pub fn anomalies(self) -> impl Iterator<Item = AnomalyName> {
        const { assert!(AnomalyName::ALL.len() <= 64, "anomalies fit into a word") };
        AnomalyName::ALL.iter().copied().filter(move |name| self.anomalies >> (*name as u8) & 1 != 0)
    }
}

/// Both sides of a TCP flow. Index 0 is the originator.
#[derive(Debug, Default)]
pub struct Tcp {
    sides: [Endpoint; 2],
    missed_bytes: u64,
    /// Time of the SYN of a handshake that goes on.
    first_syn: Option<Nanoseconds>,
    handshake_rtt: Option<Nanoseconds>,
    /// When the flow was over.
    closed_at: Option<Nanoseconds>,
    /// One side has closed.
    half_closed: bool,
    /// The start of the flow was not seen.
    midstream: bool,
    /// First packets seen of each side.
    seen: [bool; 2],
    close_deferred: bool,
    long_idle: bool,
    without_content: bool,
}

impl Tcp {
    /// States of originator and responder.
    pub fn states(&self) -> [State; 2] {
        self.sides.each_ref().map(Endpoint::state)
    }

    /// Payload bytes of each side by sequence numbers.
    pub fn bytes(&self) -> [u64; 2] {
        let [originator, responder] = &self.sides;
        [originator.size(responder.state), responder.size(originator.state)]
    }

    /// Bytes in content gaps.
    pub fn missed_bytes(&self) -> u64 {
        self.missed_bytes
    }

    /// TCP flags seen of each side.
    pub fn flags(&self) -> [u8; 2] {
        self.sides.each_ref().map(|side| side.flags)
    }

    /// From SYN to SYN+ACK.
    pub fn handshake_rtt(&self) -> Option<Nanoseconds> {
        self.handshake_rtt
    }

    /// Whether stream bytes are still delivered.
    pub fn wants_content(&self) -> bool {
        !self.without_content
    }

    /// Delivers bytes, or only counts them.
    pub fn set_content(&mut self, content: bool, budget: &mut Budget) {
        self.without_content = !content;
        for side in &mut self.sides {
            side.reassembler.set_content(content, budget);
        }
    }

    /// Whether the flow closed: both sides, or by a reset.
    pub fn is_closed(&self) -> bool {
        self.closed_at.is_some()
    }

    /// Whether a side reset.
    pub fn is_reset(&self) -> bool {
        self.states().contains(&State::Reset)
    }

    /// When the flow is over, if nothing more comes. `last` is the time of its last packet, `ports` those of the
    /// originator and the responder.
    pub fn deadline(&self, first: Nanoseconds, last: Nanoseconds, ports: (u16, u16), timeouts: &TcpTimeouts) -> Nanoseconds {
        if let Some(closed) = self.closed_at {
            return closed.saturating_add(timeouts.closed);
        }
        let [originator, responder] = self.states();
        if originator.is_handshake() && responder == State::Inactive {
            return self.first_syn.unwrap_or(first).saturating_add(timeouts.attempt);
        }
        if self.half_closed && self.is_reset() {
            return last.saturating_add(timeouts.closed);
        }
        let types = LONG_IDLE_PORTS.contains(&ports.1) && responder == State::Established;
        let idle = if types || self.long_idle { timeouts.idle.max(LONG_IDLE) } else { timeouts.idle };
        last.saturating_add(idle)
    }

    /// Whether a segment begins a new flow with the same endpoints.
    pub fn is_reuse(&self, segment: &Segment) -> bool {
        if !segment.is_valid || !segment.has(SYN) {
            return false;
        }
        let [originator, responder] = &self.sides;
        let mut side = originator;
        if segment.has(ACK) {
            if originator.state != State::Inactive {
                return false;
            }
            side = responder;
        }
        if originator.did_close || responder.did_close {
            return true;
        }
        if segment.seq == side.start() {
            return false;
        }
        let is_swapped = !segment.has(ACK)
            && originator.state == State::SynAckSent
            && responder.state == State::Inactive
            && segment.seq == responder.start();
        !is_swapped
    }

    /// Takes in a segment. `bytes` is its payload as far as it was captured; what comes in order goes to `sink`.
    pub fn segment(
        &mut self,
        mut direction: Direction,
        segment: &Segment,
        bytes: &[u8],
        history: &mut History,
        budget: &mut Budget,
        sink: &mut impl FnMut(Direction, Delivered<'_>),
    ) -> Outcome {
        let mut outcome = Outcome::default();
        self.note_partial(direction, segment);
        let end = segment.seq.wrapping_add(segment.sequence_length());
        let [side, peer] = self.sides_of(direction);
        side.flags |= segment.flags;
        side.begin(segment, end);
        let position = side.position(segment.seq);
        note_history(side, segment, position.relative, direction, history);
        side.offer_window(peer, segment, direction, history);
        outcome.counts_time = !(side.did_close && peer.did_close);
        report_oddities(side, peer, segment, position.relative, &mut outcome);
        if segment.has(FIN) {
            side.fin = std::num::NonZeroU64::new(position.relative.wrapping_add(u64::from(segment.sequence_length())));
        }
        let mut acknowledged = 0;
        if segment.has(ACK) {
            if peer.state == State::Inactive {
                acknowledged = 1;
                peer.init(segment.ack.wrapping_sub(1), segment.ack.wrapping_sub(1));
            } else {
                let position = peer.acknowledged_position(segment.ack);
                if !position.underflow {
                    acknowledged = position.relative;
                    if !segment.has(RST) {
                        peer.take_acknowledgement(segment.ack);
                    }
                }
            }
        }
        side.advance(segment, end, direction, history);
        let (closes, flipped) = self.change_state(direction, segment, &mut outcome);
        if flipped {
            direction = direction.reverse();
        }
        let midstream = self.midstream;
        if segment.has(ACK) {
            let [side, peer] = self.sides_of(direction);
            let situation = peer.situation(side, midstream);
            let report =
                peer.reassembler.acknowledged(acknowledged, situation, budget, &mut |part| sink(direction.reverse(), part));
            self.take_report(direction.reverse(), report, history, &mut outcome);
            self.check_end(direction.reverse(), segment.ts, &mut outcome);
        }
        self.seen[direction.index()] = true;
        if segment.length > 0 && !segment.has(RST) && !position.underflow {
            let start = position.relative + u64::from(segment.has(SYN));
            let [side, peer] = self.sides_of(direction);
            let situation = side.situation(peer, midstream);
            let report =
                side.reassembler.data(start, segment.length, bytes, situation, budget, &mut |part| sink(direction, part));
            self.take_report(direction, report, history, &mut outcome);
        }
        self.check_end(direction, segment.ts, &mut outcome);
        if closes {
            self.close(direction, segment.ts, &mut outcome);
        }
        outcome
    }

    /// The flow is over: what still waits for a hole to be filled is delivered.
    pub fn finish(&mut self, budget: &mut Budget, sink: &mut impl FnMut(Direction, Delivered<'_>)) {
        for direction in [Direction::ToResponder, Direction::ToOriginator] {
            let [side, _] = self.sides_of(direction);
            side.reassembler.finish(budget, &mut |part| sink(direction, part));
            side.reassembler.discard(budget);
        }
    }

    /// Originator and responder change places.
    pub fn flip(&mut self) {
        self.sides.swap(0, 1);
        self.seen.swap(0, 1);
        self.midstream = false;
    }

    /// The sender's side and the other.
    #[inline]
    fn sides_of(&mut self, direction: Direction) -> [&mut Endpoint; 2] {
        let [originator, responder] = &mut self.sides;
        match direction {
            Direction::ToResponder => [originator, responder],
            Direction::ToOriginator => [responder, originator],
        }
    }

    fn note_partial(&mut self, direction: Direction, segment: &Segment) {
        match direction {
            Direction::ToResponder if !self.seen[0] => self.midstream = !segment.has(SYN) || segment.has(ACK),
            Direction::ToOriginator if !self.seen[1] && !self.midstream => self.midstream = !segment.has(SYN),
            _ => {}
        }
    }

    fn take_report(&mut self, direction: Direction, report: Report, history: &mut History, outcome: &mut Outcome) {
        outcome.take(report);
        self.missed_bytes = self.missed_bytes.saturating_add(report.missed);
        let [side, _] = self.sides_of(direction);
        for _ in 0..report.gaps {
            history.scaled(direction, Event::Gap, &mut side.gaps);
        }
        if report.gaps > 0 {
            outcome.note(AnomalyName::TcpAckUnseen);
        }
    }

    /// Moves the sender's state on. Says whether the sender closed, and whether the roles were turned.
    fn change_state(&mut self, direction: Direction, segment: &Segment, outcome: &mut Outcome) -> (bool, bool) {
        let from_originator = direction == Direction::ToResponder;
        let state = self.sides[direction.index()].state;
        match state {
            State::Inactive => self.change_inactive(direction, segment, outcome),
            State::SynSent | State::SynAckSent => {
                let [side, _] = self.sides_of(direction);
                if segment.has(FIN) {
                    side.set_state(State::Closed);
                }
                if segment.has(RST) {
                    side.set_state(State::Reset);
                }
                (segment.has(FIN) || segment.has(RST), false)
            }
            State::Established | State::Partial => {
                let [side, peer] = self.sides_of(direction);
                if segment.has(SYN) && state == State::Partial && peer.state == State::Inactive && !segment.has(ACK) {
                    side.set_state(State::SynSent);
                    if from_originator {
                        self.first_syn = Some(segment.ts);
                    }
                }
                let [side, peer] = self.sides_of(direction);
                if segment.has(FIN) && !segment.has(RST) {
                    side.set_state(State::Closed);
                    if peer.state == State::Reset && peer.previous == State::Closed {
                        // FIN, then RST by the peer, and now a FIN: an ordinary end after all.
                        peer.set_state(State::Closed);
                    }
                }
                if segment.has(RST) {
                    side.set_state(State::Reset);
                }
                (segment.has(FIN) || segment.has(RST), false)
            }
            State::Closed => {
                let closed = self.closed_at.is_none();
                let [side, peer] = self.sides_of(direction);
                if !segment.has(RST) || peer.state == State::Closed {
                    return (false, false);
                }
                side.set_state(State::Reset);
                let closes = !side.did_close;
                if closed {
                    self.half_closed = true;
                    outcome.deadline_came_nearer = true;
                }
                (closes, false)
            }
            State::Reset => (false, false),
        }
    }

    fn change_inactive(&mut self, direction: Direction, segment: &Segment, outcome: &mut Outcome) -> (bool, bool) {
        let from_originator = direction == Direction::ToResponder;
        let originator_state = self.sides[0].state;
        let mut flipped = false;
        let mut closes = false;
        if segment.has(SYN) {
            if from_originator {
                let state = if segment.has(ACK) { State::SynAckSent } else { State::SynSent };
                if state == State::SynAckSent {
                    outcome.note(AnomalyName::TcpOriginatorSynAck);
                }
                self.sides[0].set_state(state);
                self.first_syn = Some(segment.ts);
            } else {
                if originator_state == State::SynAckSent && !segment.has(ACK) && segment.seq == self.sides[1].start() {
                    flipped = true;
                    outcome.flipped = true;
                    self.sides[0].set_state(State::Established);
                    self.flip();
                    self.seen[0] = true;
                } else if originator_state == State::SynSent {
                    self.sides[0].set_state(State::Established);
                }
                if segment.has(ACK)
                    && let Some(syn) = self.first_syn
                {
                    self.handshake_rtt = Some(segment.ts.saturating_sub(syn).max(0));
                }
                let sender = if flipped { 0 } else { 1 };
                self.sides[sender].set_state(State::Established);
            }
        }
        let direction = if flipped { direction.reverse() } else { direction };
        let [side, peer] = self.sides_of(direction);
        if segment.has(FIN) {
            side.set_state(State::Closed);
            closes = true;
        }
        if segment.has(RST) {
            side.set_state(State::Reset);
            closes = true;
        }
        if side.state == State::Inactive {
            let eccentric = !from_originator && segment.length == 0 && originator_state == State::SynSent;
            if eccentric {
                // Some acknowledge a SYN before they answer it.
            } else if segment.has(ACK) && peer.state == State::Established {
                side.set_state(State::Established);
                self.midstream = false;
                self.seen[direction.index()] = true;
            } else {
                side.set_state(State::Partial);
            }
        }
        (closes, flipped)
    }

    /// The last data of a side has come: a close that waited for it is complete.
    fn check_end(&mut self, direction: Direction, ts: Nanoseconds, outcome: &mut Outcome) {
        let [side, peer] = self.sides_of(direction);
        let over = matches!(side.state, State::Closed | State::Reset);
        if !over || side.did_end || side.data_pending(peer) {
            return;
        }
        side.did_end = true;
        if self.close_deferred {
            self.close(direction, ts, outcome);
            self.close_deferred = false;
        }
    }

    /// A side has closed.
    fn close(&mut self, direction: Direction, ts: Nanoseconds, outcome: &mut Outcome) {
        let [side, peer] = self.sides_of(direction);
        if side.data_pending(peer) {
            self.close_deferred = true;
            return;
        }
        if side.did_close {
            self.close_deferred = false;
            return;
        }
        side.did_close = true;
        let complete = side.state == State::Reset || peer.did_close || peer.state == State::Inactive;
        self.close_deferred = false;
        if complete {
            self.closed_at = Some(ts);
        } else {
            self.half_closed = true;
        }
        outcome.deadline_came_nearer = true;
    }
}

impl Endpoint {
    /// Begins or moves the sequence space by the first segments of a side.
    fn begin(&mut self, segment: &Segment, end: u32) {
        let syn = segment.has(SYN);
        match self.state {
            State::Inactive if syn => self.init(segment.seq, end),
            // As if a SYN had been seen just before, so that positions mean the same.
            State::Inactive => self.init(segment.seq.wrapping_sub(1), segment.seq),
            State::SynSent | State::SynAckSent if syn && segment.seq != self.start() => self.init(segment.seq, end),
            State::Established | State::Partial if syn => self.init(segment.seq, end),
            State::Reset if syn && self.previous == State::Inactive => self.init(segment.seq, end),
            _ => {}
        }
    }

    fn set_state(&mut self, state: State) {
        if state != self.state {
            self.previous = self.state;
            self.state = state;
        }
    }

    /// An acknowledgement by the other side.
    fn take_acknowledgement(&mut self, acknowledgement: u32) {
        let delta = distance(acknowledgement, self.acknowledged());
        let broken = acknowledgement == 0 && delta > TOO_LARGE_JUMP;
        if !broken && delta > 0 {
            self.update_acknowledged(acknowledgement);
        }
    }

    /// Moves the end forward, or notes a retransmission.
    fn advance(&mut self, segment: &Segment, end: u32, direction: Direction, history: &mut History) {
        let delta = distance(end, self.last());
        let jumps = !(-TOO_LARGE_JUMP..=TOO_LARGE_JUMP).contains(&delta);
        if (segment.has(SYN) || segment.has(RST)) && jumps {
            return;
        }
        if segment.has(FIN) && self.last() == self.start().wrapping_add(1) {
            self.update_last(end);
        } else if self.state == State::Reset {
            // Its numbers are not trusted any more.
        } else if delta > 0 {
            self.update_last(end);
        } else if segment.length > 0 {
            history.scaled(direction, Event::Retransmission, &mut self.retransmissions);
        }
    }

    /// Notes a zero window, and how far the other side may send.
    fn offer_window(&mut self, peer: &mut Self, segment: &Segment, direction: Direction, history: &mut History) {
        if segment.has(SYN) {
            self.window_scale = segment.window_scale.map_or(0, |scale| scale.min(14));
            if segment.has(ACK) && segment.window_scale.is_none() {
                peer.window_scale = 0;
            }
        }
        let scale = if segment.has(SYN) { 0 } else { self.window_scale };
        let window = u32::from(segment.window) << scale;
        if window == 0 && !segment.has(RST) && peer.state != State::Closed && self.state != State::Reset {
            history.scaled(direction, Event::ZeroWindow, &mut self.zero_windows);
        }
        if segment.has(ACK) && !segment.has(RST) {
            let edge = segment.ack.wrapping_add(window);
            if !self.has_window || distance(edge, self.window_edge) > 0 {
                self.window_edge = edge;
                self.has_window = true;
            }
        }
    }
}

/// Writes the letter of a segment.
fn note_history(side: &mut Endpoint, segment: &Segment, position: u64, direction: Direction, history: &mut History) {
    let again = |history: &mut History, event: Event, last: &mut u32, at: u64| {
        // Positions are compared by their low half: a flow does not repeat a flag 4 GiB later.
        let at = at as u32;
        if !history.once(direction, event) && at != *last {
            history.add(direction, event);
        }
        *last = at;
    };
    match (segment.has(SYN), segment.has(FIN), segment.has(RST)) {
        (true, true, _) | (true, _, true) | (_, true, true) => {
            let event = if segment.has(FIN) && segment.has(RST) { Event::Inconsistent } else { Event::MultiFlag };
            history.once(direction, event);
        }
        (true, ..) => {
            let event = if segment.has(ACK) { Event::SynAck } else { Event::Syn };
            again(history, event, &mut side.history_syn, position);
        }
        (_, true, _) => {
            let end = position.wrapping_add(u64::from(segment.length));
            again(history, Event::Fin, &mut side.history_fin, end);
        }
        (.., true) => again(history, Event::Reset, &mut side.history_reset, position),
        _ if segment.length > 0 => {
            history.once(direction, Event::Data);
        }
        _ if segment.has(ACK) => {
            history.once(direction, Event::Ack);
        }
        _ => {}
    }
}

/// What a host would not take, or an observer should know. Zeek's counts do not change by it.
fn report_oddities(side: &mut Endpoint, peer: &Endpoint, segment: &Segment, position: u64, outcome: &mut Outcome) {
    let syn = segment.has(SYN);
    if syn && (segment.has(FIN) || segment.has(RST)) {
        outcome.note(AnomalyName::TcpSynWithFlags);
    }
    if segment.has(FIN) && segment.has(RST) {
        outcome.note(AnomalyName::TcpFinWithReset);
    }
    if syn && segment.length > 0 {
        outcome.note(AnomalyName::TcpDataOnSyn);
    }
    if segment.has(URG) && segment.urgent > 0 && segment.length > 0 {
        outcome.note(AnomalyName::TcpUrgent);
    }
    let established = side.state == State::Established && peer.state == State::Established;
    if established && peer.has_window {
        let end = segment.seq.wrapping_add(segment.sequence_length());
        let beyond = distance(segment.seq, peer.window_edge) > 0;
        let before = distance(end, side.acknowledged()) < 0;
        if segment.has(RST) && (beyond || before) {
            outcome.note(AnomalyName::TcpResetOutOfWindow);
        }
        if segment.has(FIN) && !segment.has(RST) && beyond {
            outcome.note(AnomalyName::TcpFinOutOfWindow);
        }
        if segment.length > 0 && distance(segment.seq, side.last()).unsigned_abs() > TOO_LARGE_JUMP.unsigned_abs() && beyond {
            outcome.note(AnomalyName::TcpSequenceJump);
        }
    }
    if let Some((value, _)) = segment.timestamps
        && !segment.has(RST)
    {
        let older = side.has_timestamp && distance(value, side.timestamp) < 0;
        if older && segment.length > 0 {
            outcome.note(AnomalyName::TcpPaws);
        }
        // As a receiver does: only what fills the next place in order moves the stamp (RFC 7323 section 4.3).
        if !older && (syn || position <= side.reassembler.delivered()) {
            (side.timestamp, side.has_timestamp) = (value, true);
        }
    }
    // A packet that dies behind the sensor has a far lower hop limit than those that arrive.
    if side.hop_limit > 0 && segment.length > 0 && segment.hop_limit < side.hop_limit / 2 {
        outcome.note(AnomalyName::TcpLowHopLimit);
    }
    side.hop_limit = side.hop_limit.max(segment.hop_limit);
}
