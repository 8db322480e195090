//! A kind of traffic in a mix: what it has sent, and what it should have. Its share is kept by when sessions begin and,
//! for bulk, by sharing a bandwidth among the flows that there are.

use crate::mix::Kind;
use crate::random::Random;

const SECOND: u128 = 1_000_000_000;

/// One, in the fixed point of factors.
const ONE: u128 = 1 << 10;

/// A kind in a mix.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Which.
    pub kind: Kind,
    /// Bytes a second that it should have.
    rate: u64,
    /// Bulk flows that there should be side by side.
    wanted: u64,
    /// Sessions under way.
    pub active: u64,
    /// Sessions that began.
    pub sessions: u64,
    /// Flows of these.
    pub flows: u64,
    /// Packets sent.
    pub packets: u64,
    /// Bytes of these.
    pub bytes: u64,
}

impl Lane {
    /// One that should have `rate` bytes a second, with `wanted` flows side by side if it is bulk.
    #[must_use]
    pub const fn new(kind: Kind, rate: u64, wanted: u64) -> Self {
        Self { kind, rate, wanted, active: 0, sessions: 0, flows: 0, packets: 0, bytes: 0 }
    }

    /// Counts a packet.
    pub const fn sent(&mut self, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
    }

    /// Whether there are as many bulk flows as there may be: a quarter more than there should be.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.kind.is_paced() && self.active >= self.wanted * 5 / 4
    }

    /// Time until the next session begins.
    pub fn until_next(&self, now: u64, random: &mut Random) -> u64 {
        let sessions = u128::from(self.sessions);
        // Until there is a mean, a guess.
        let mean = (u128::from(self.bytes) + 16 * guess(self.kind)) / (sessions + 16);
        let gap = mean * SECOND / u128::from(self.rate.max(1));
        let gap = if self.kind.is_paced() {
            match self.active {
                few if few < self.wanted / 2 => gap / 8,
                some if some < self.wanted => gap / 2,
                _ => gap,
            }
        } else {
            let ahead = self.ahead(now);
            gap * ahead * ahead / (ONE * ONE)
        };
        random.exponential(u64::try_from(gap).unwrap_or(u64::MAX)).max(1)
    }

    /// Time that a flow has to wait after it sent so many bytes.
    pub fn pause(&self, now: u64, bytes: u64, random: &mut Random) -> u64 {
        let share =
            u128::from(bytes) * SECOND * u128::from(self.active.max(1)) / u128::from(self.rate.max(1));
        let pause = u64::try_from(share * self.ahead(now) / ONE).unwrap_or(u64::MAX / 2);
        pause / 2 + random.below(pause.max(1))
    }

    /// How much more than it should have it has sent, between a quarter and four times.
    fn ahead(&self, now: u64) -> u128 {
        // A twentieth of a second more or less is nothing.
        let slack = u128::from(self.rate) / 20 + guess(self.kind);
        let due = u128::from(now) * u128::from(self.rate) / SECOND;
        ((u128::from(self.bytes) + slack) * ONE / (due + slack)).clamp(ONE / 4, 4 * ONE)
    }
}

/// Bytes that a session of a kind may have.
const fn guess(kind: Kind) -> u128 {
    match kind {
        Kind::Tls | Kind::Quic => 60_000,
        Kind::Http | Kind::Ftp => 20_000,
        Kind::Handshakes => 4_000,
        Kind::Kerberos | Kind::Other => 2_500,
        Kind::Dns => 260,
        Kind::Scan => 60,
    }
}
