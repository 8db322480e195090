//! What happens to packets on their way to the sensor: some come again, some later than the next, some not at all.

use crate::frame::Frame;
use crate::random::{Random, mixed};

/// In a million data segments: those that are sent again.
const RETRANSMITTED: u64 = 3_000;

/// Those that the next one overtakes.
const REORDERED: u64 = 5_000;

/// Those that the sensor does not see, though the receiver does.
const LOST: u64 = 1_000;

/// Of those segments that are known to have one behind them, so many in a million are tried for [`REORDERED`].
const TRIED: u64 = 50_000;

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It comes.
    Comes,
    /// It comes so much later.
    Late(u64),
    /// It comes, and so much later again.
    Again(u64),
    /// It does not come.
    Lost,
}

/// Decides, and counts.
#[derive(Clone, Debug)]
pub struct Impairments {
    random: Random,
    /// Packets that carry data of TCP or, in bulk, of QUIC.
    pub data: u64,
    /// TCP segments among them.
    pub segments: u64,
    /// TCP segments that came again.
    pub retransmitted: u64,
    /// Packets that came behind the next.
    pub reordered: u64,
    /// Packets that did not come.
    pub lost: u64,
}

impl Impairments {
    /// Those of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        let random = Random::new(mixed(seed ^ 0x1055));
        Self { random, data: 0, segments: 0, retransmitted: 0, reordered: 0, lost: 0 }
    }

    /// What becomes of a packet.
    pub const fn fate(&mut self, frame: &Frame) -> Fate {
        if !frame.may_be_lost {
            return Fate::Comes;
        }
        self.data += 1;
        self.segments += frame.is_data as u64;
        if self.random.happens(LOST) {
            self.lost += 1;
            Fate::Lost
        } else if frame.is_data && self.random.happens(RETRANSMITTED) {
            self.retransmitted += 1;
            Fate::Again(self.random.within(4_000_000, 30_000_000))
        } else if frame.overtaken_after > 0
            && self.reordered * 1_000_000 < self.data * REORDERED
            && self.random.happens(TRIED)
        {
            self.reordered += 1;
            Fate::Late(frame.overtaken_after)
        } else {
            Fate::Comes
        }
    }

    /// An identification for a packet that is sent again.
    pub const fn id(&mut self) -> u16 {
        self.random.bits() as u16
    }
}
