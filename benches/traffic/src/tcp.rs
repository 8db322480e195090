//! The two ends of a TCP connection as its packets show them: numbers, time stamps, identifications.

use crate::clip::Clip;
use crate::frame::{Address, Ends, Frame, Side, TcpHead, flag};
use crate::random::Random;

/// Nanoseconds of a tick of the clock of time stamps.
pub const TICK: u64 = 1_000_000;

/// A connection.
#[derive(Clone, Debug)]
pub struct Tcp {
    ends: Ends,
    /// Next sequence numbers of client and server.
    next: [u32; 2],
    /// What each side's clock shows at time 0; none without time stamps.
    clocks: Option<[u32; 2]>,
    /// The last stamp of each side.
    stamps: [u32; 2],
    windows: [u16; 2],
    ids: [u16; 2],
}

impl Tcp {
    /// A connection that has yet to be made.
    pub fn new(ends: Ends, random: &mut Random) -> Self {
        let (next, clocks, ids) = (random.bits(), random.bits(), random.bits());
        let halves = |bits: u64| [bits as u32, (bits >> 32) as u32];
        Self {
            ends,
            next: halves(next),
            clocks: Some(halves(clocks)),
            stamps: [0; 2],
            windows: [502, 509],
            ids: halves(ids).map(|id| id as u16),
        }
    }

    /// Goes on where a session ended that has been sent, at `now`, with the sequence numbers, stamps and
    /// identifications of each side moved.
    #[must_use]
    pub fn after(clip: &Clip, ends: Ends, now: u64, shift: impl Fn(Side) -> Shift) -> Self {
        let shifts = [shift(Side::Client), shift(Side::Server)];
        let tail = &clip.tail;
        let ticks = (now / TICK) as u32;
        let stamps = [0, 1].map(|i| tail.stamps.unwrap_or_default()[i].wrapping_add(shifts[i].stamp));
        Self {
            ends,
            next: [0, 1].map(|i| tail.next[i].wrapping_add(shifts[i].seq)),
            clocks: tail.stamps.map(|_| stamps.map(|stamp| stamp.wrapping_sub(ticks))),
            stamps,
            windows: tail.windows,
            ids: [0, 1].map(|i| tail.ids[i].wrapping_add(shifts[i].id)),
        }
    }

    /// Payload of a full segment.
    #[must_use]
    pub const fn largest(&self) -> usize {
        let headers = if matches!(self.ends.hosts[0], Address::V6(_)) { 60 } else { 40 };
        1500 - headers - if self.clocks.is_some() { 12 } else { 0 }
    }

    /// Begins the next segment of a side, with a payload of `length` bytes to be filled in; then it is to be sealed.
    pub fn begin(&mut self, frame: &mut Frame, now: u64, from: Side, flags: u8, length: usize) {
        let (own, other) = (from as usize, from.other() as usize);
        let is_syn = flags & flag::SYN != 0;
        let mut options = [0; 20];
        let mut end = 0;
        if is_syn {
            let mss = 1500 - if self.ends.hosts[0].is_v6() { 60 } else { 40_u16 };
            let [high, low] = mss.to_be_bytes();
            options[..6].copy_from_slice(&[2, 4, high, low, 4, 2]);
            end = 6;
        } else if self.clocks.is_some() {
            options[..2].fill(1);
            end = 2;
        }
        if let Some(clocks) = self.clocks {
            self.stamps[own] = clocks[own].wrapping_add((now / TICK) as u32);
            let echo = if flags & flag::ACK == 0 { 0 } else { self.stamps[other] };
            options[end..end + 2].copy_from_slice(&[8, 10]);
            options[end + 2..end + 6].copy_from_slice(&self.stamps[own].to_be_bytes());
            options[end + 6..end + 10].copy_from_slice(&echo.to_be_bytes());
            end += 10;
        }
        if is_syn {
            options[end..end + 4].copy_from_slice(&[1, 3, 3, 7]);
            end += 4;
        }
        self.ids[own] = self.ids[own].wrapping_add(1);
        let head = TcpHead {
            seq: self.next[own],
            ack: if flags & flag::ACK == 0 { 0 } else { self.next[other] },
            flags,
            window: if is_syn { 64_240 } else { self.windows[own] },
            options: &options[..end],
        };
        frame.begin_tcp(&self.ends, from, self.ids[own], &head, length);
        let counted = u32::from(is_syn) + u32::from(flags & flag::FIN);
        self.next[own] = self.next[own].wrapping_add(length as u32 + counted);
    }

    /// A segment without payload.
    pub fn empty(&mut self, frame: &mut Frame, now: u64, from: Side, flags: u8) {
        self.begin(frame, now, from, flags, 0);
        frame.seal();
    }
}

/// How far the numbers of one side are moved from those that were captured.
#[derive(Clone, Copy, Debug)]
pub struct Shift {
    /// Sequence numbers.
    pub seq: u32,
    /// Time stamps.
    pub stamp: u32,
    /// Identifications of IPv4.
    pub id: u16,
}
