//! Datagrams of applications that nobody knows, and questions for the time.

use super::Step;
use crate::endpoints::Endpoints;
use crate::frame::{Ends, Frame, Side};
use crate::random::Random;

/// Port of NTP.
const NTP: u16 = 123;

/// A conversation.
#[derive(Clone, Debug)]
pub struct Noise {
    ends: Ends,
    random: Random,
    left: u64,
    /// Whether it is one of NTP: a question and an answer.
    is_ntp: bool,
    from: Side,
}

impl Noise {
    /// Another one.
    pub fn new(endpoints: &mut Endpoints) -> Self {
        let mut random = Random::new(endpoints.seed());
        let is_ntp = random.happens(500_000);
        let port = if is_ntp { NTP } else { random.within(10_000, 60_000) as u16 };
        let ends = endpoints.ends(u64::from(port), 40, port);
        let left = if is_ntp { 2 } else { random.heavy_tailed(1, 200) };
        Self { ends, random, left, is_ntp, from: Side::Client }
    }

    /// The next datagram.
    pub fn next(&mut self, frame: &mut Frame) -> Step {
        let length = if self.is_ntp { 48 } else { self.random.within(16, 900) };
        frame.begin_udp(&self.ends, self.from, self.random.bits() as u16, length as usize);
        let payload = frame.payload();
        self.random.fill(payload);
        if self.is_ntp {
            // Version 4; client and server, stratum 2, a poll of 2⁶ s, 2⁻²³ s precise (RFC 5905 section 7.3).
            payload[..4].copy_from_slice(&[self.from.of([0x23, 0x24]), self.from.of([0, 2]), 6, 0xe9]);
            self.from = self.from.other();
        } else {
            payload[0] = 0x80 | (payload[0] & 0x0f);
            self.from = if self.random.happens(400_000) { self.from.other() } else { self.from };
        }
        frame.seal();
        self.left -= 1;
        if self.left == 0 { Step::End } else { Step::After(self.random.within(300_000, 30_000_000)) }
    }
}
