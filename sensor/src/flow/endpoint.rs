//! One side of a TCP flow: its state, and its sequence numbers in a space that does not wrap.

use super::reassembly::{Reassembler, Situation};

/// A jump of sequence numbers in a SYN or RST that is not believed (Zeek's limit).
pub(super) const TOO_LARGE_JUMP: i32 = 1_048_576;

/// What was seen of one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Nothing, or nothing that counts.
    #[default]
    Inactive,
    /// SYN.
    SynSent,
    /// SYN+ACK, by the originator.
    SynAckSent,
    /// Traffic without a SYN.
    Partial,
    /// The handshake.
    Established,
    /// FIN.
    Closed,
    /// RST.
    Reset,
}

/// One side.
#[derive(Debug, Default)]
pub struct Endpoint {
    pub(super) reassembler: Reassembler,
    /// One past the FIN, relative to the start; 0 as long as none was seen.
    pub(super) fin: Option<FinPosition>,
    /// Sequence number of the SYN, or one before the first byte seen.
    start: u32,
    /// One past the highest sequence number seen.
    last: u32,
    /// The highest acknowledgement by the other side.
    acknowledged: u32,
    last_wraps: u16,
    acknowledged_wraps: u16,
    /// Relative positions of the last SYN, FIN and RST, for the history; 0 before there was one.
    pub(super) history_syn: u32,
    pub(super) history_fin: u32,
    pub(super) history_reset: u32,
    pub(super) gaps: u32,
    pub(super) retransmissions: u32,
    pub(super) zero_windows: u32,
    /// Right edge of the widest window this side has offered.
    pub(super) window_edge: u32,
    /// The newest time stamp (RFC 7323) that the other side would compare with.
    pub(super) timestamp: u32,
    pub(super) state: State,
    pub(super) previous: State,
    pub(super) window_scale: u8,
    /// The highest hop limit of its packets.
    pub(super) hop_limit: u8,
    /// TCP flags seen, as the bits of the header.
    pub(super) flags: u8,
    /// The close was taken note of; it waits for pending data.
    pub(super) did_close: bool,
    pub(super) did_end: bool,
    pub(super) has_window: bool,
    pub(super) has_timestamp: bool,
}

/// A relative position that is never 0.
pub(super) type FinPosition = std::num::NonZeroU64;

/// The signed distance from `b` to `a` (RFC 9293, 3.4).
pub(super) fn distance(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b).cast_signed()
}

fn full(sequence: u32, wraps: u16) -> u64 {
    (u64::from(wraps) << 32) | u64::from(sequence)
}

impl Endpoint {
    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// Sequence number of the SYN, or one before the first byte seen.
    pub(super) fn start(&self) -> u32 {
        self.start
    }

    pub(super) fn last(&self) -> u32 {
        self.last
    }

    pub(super) fn acknowledged(&self) -> u32 {
        self.acknowledged
    }

    /// Begins the sequence space, at the SYN `start` or as if there had been one.
    pub(super) fn init(&mut self, start: u32, last: u32) {
        self.start = start;
        self.acknowledged = start;
        self.last = last;
        // A SYN with the highest of all sequence numbers: what follows is already past the wrap.
        if last < start && distance(last, start) > 0 {
            self.last_wraps = 1;
        }
    }

    /// Moves the end forward.
    pub(super) fn update_last(&mut self, last: u32) {
        if last < self.last {
            self.last_wraps = self.last_wraps.saturating_add(1);
        }
        self.last = last;
    }

    /// Moves the acknowledgement forward.
    pub(super) fn update_acknowledged(&mut self, acknowledged: u32) {
        if acknowledged < self.acknowledged {
            self.acknowledged_wraps = self.acknowledged_wraps.saturating_add(1);
        }
        self.acknowledged = acknowledged;
    }

    /// The relative position of the sequence number `sequence` of a segment of this side; `None` before its start.
    pub(super) fn position(&self, sequence: u32) -> Position {
        self.relative(sequence, self.last, self.last_wraps)
    }

    /// The relative position of an acknowledgement by the other side.
    pub(super) fn acknowledged_position(&self, acknowledgement: u32) -> Position {
        self.relative(acknowledgement, self.acknowledged, self.acknowledged_wraps)
    }

    fn relative(&self, sequence: u32, reference: u32, wraps: u16) -> Position {
        let delta = distance(sequence, reference);
        let wraps = if delta < 0 && sequence > reference {
            wraps.saturating_sub(1)
        } else if delta > 0 && sequence < reference {
            wraps.saturating_add(1)
        } else {
            wraps
        };
        if wraps == 0 {
            let delta = distance(sequence, self.start);
            return Position { relative: i64::from(delta).cast_unsigned(), underflow: delta < 0 };
        }
        Position { relative: full(sequence, wraps).wrapping_sub(u64::from(self.start)), underflow: false }
    }

    /// Nothing was acknowledged, a SYN apart.
    pub(super) fn nothing_acknowledged(&self) -> bool {
        let acknowledged = full(self.acknowledged, self.acknowledged_wraps);
        let start = u64::from(self.start);
        acknowledged == start || acknowledged == start + 1
    }

    /// Payload bytes by sequence numbers: the higher of what was seen and what was acknowledged, less SYN and FIN.
    /// Counts bytes that were not seen, and is what the headers say, even where they are absurd.
    pub(super) fn size(&self, peer: State) -> u64 {
        // An old half-open connection was found and aborted: its numbers do not belong to this one.
        if self.previous == State::SynSent
            && self.state == State::Reset
            && peer == State::Inactive
            && !self.nothing_acknowledged()
        {
            return 0;
        }
        let end = full(self.last, self.last_wraps).max(full(self.acknowledged, self.acknowledged_wraps));
        let size = end.wrapping_sub(u64::from(self.start)).saturating_sub(1);
        if self.fin.is_some() { size.saturating_sub(1) } else { size }
    }

    /// Takes note of a window of so many bytes from an acknowledgement on, if it reaches farther than all before.
    pub(super) fn note_edge(&mut self, acknowledgement: u32, window: u32) {
        let edge = acknowledgement.wrapping_add(window);
        if !self.has_window || distance(edge, self.window_edge) > 0 {
            self.window_edge = edge;
            self.has_window = true;
        }
    }

    /// Bytes up to the last sequence number are still waited for, or what the other side sent is not acknowledged:
    /// the close of this side is not complete.
    pub(super) fn data_pending(&self, peer: &Self) -> bool {
        if self.reassembler.gave_up() {
            return false;
        }
        let delivered = u64::from(self.start).saturating_add(self.reassembler.delivered());
        let last = full(self.last, self.last_wraps);
        if last < delivered {
            return false;
        }
        if last - delivered > 1 {
            return true;
        }
        self.state != State::Reset && peer.reassembler.has_unacknowledged()
    }

    /// Established, or closed from there.
    pub(super) fn is_clean(&self) -> bool {
        self.state == State::Established
            || (self.state == State::Closed && self.previous == State::Established)
    }

    /// What the reassembly has to know.
    pub(super) fn situation(&self, peer: &Self, midstream: bool) -> Situation {
        let nothing_acknowledged = self.nothing_acknowledged();
        Situation {
            nothing_acknowledged,
            sent: if nothing_acknowledged { self.size(peer.state) } else { 0 },
            counts_gaps: self.is_clean() && peer.is_clean(),
            midstream,
        }
    }
}

/// A relative position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// Relative to the start; wraps below it.
    pub(super) relative: u64,
    /// It lies before the start.
    pub(super) underflow: bool,
}
