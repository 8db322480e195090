//! Bulk data over TCP: two segments, then an acknowledgement, as receivers send them.

use super::Step;
use crate::frame::{Frame, Side, flag};
use crate::tcp::Tcp;

/// Time between two segments that are sent together, at a gigabit a second.
const BACK_TO_BACK: u64 = 12_000;

/// Time until the receiver's acknowledgement passes by.
const UNTIL_ACK: u64 = 180_000;

/// Bytes of the headers of a segment.
const HEADERS: u64 = 66;

/// What is transferred.
pub trait Content {
    /// Makes the next bytes.
    fn fill(&mut self, bytes: &mut [u8]);
}

/// Data that go one way.
#[derive(Clone, Debug)]
pub struct Transfer {
    from: Side,
    left: u64,
    /// Segments since the last acknowledgement, and their bytes.
    unacknowledged: u8,
    burst: u64,
}

impl Transfer {
    /// Sends `length` bytes.
    #[must_use]
    pub const fn new(from: Side, length: u64) -> Self {
        Self { from, left: length, unacknowledged: 0, burst: 0 }
    }

    /// Whether there is nothing left to send or to acknowledge.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.left == 0 && self.unacknowledged == 0
    }

    /// The next segment of data, or the acknowledgement of those before.
    pub fn next(&mut self, tcp: &mut Tcp, content: &mut impl Content, now: u64, frame: &mut Frame) -> Step {
        if self.unacknowledged == 2 || self.left == 0 {
            tcp.empty(frame, now, self.from.other(), flag::ACK);
            self.unacknowledged = 0;
            return Step::Paced(std::mem::take(&mut self.burst) + HEADERS);
        }
        let length = self.left.min(tcp.largest() as u64);
        self.left -= length;
        let push = if self.left == 0 { flag::PSH } else { 0 };
        tcp.begin(frame, now, self.from, flag::ACK | push, length as usize);
        content.fill(frame.payload());
        frame.seal();
        self.burst += length + HEADERS;
        self.unacknowledged += 1;
        let is_last = self.unacknowledged == 2 || self.left == 0;
        frame.overtaken_after = if is_last { 0 } else { BACK_TO_BACK + 2_000 };
        Step::After(if is_last { UNTIL_ACK } else { BACK_TO_BACK })
    }
}

/// The end of a connection, by its client.
#[derive(Clone, Copy, Debug, Default)]
pub struct Close(u8);

impl Close {
    /// The next segment of it.
    pub fn next(&mut self, tcp: &mut Tcp, now: u64, frame: &mut Frame) -> Step {
        let (from, flags) = match self.0 {
            0 => (Side::Client, flag::FIN | flag::ACK),
            1 => (Side::Server, flag::FIN | flag::ACK),
            _ => (Side::Client, flag::ACK),
        };
        self.0 += 1;
        tcp.empty(frame, now, from, flags);
        if self.0 > 2 { Step::End } else { Step::After(UNTIL_ACK) }
    }
}
