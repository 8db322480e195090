//! QUIC: a real handshake, then packets with short headers, whose bytes nobody can tell from encrypted ones.

use super::{Replay, Step};
use crate::clip::Clip;
use crate::frame::{Ends, Frame, Side};
use crate::handshake;
use crate::random::Random;

/// Payload of a full datagram, as browsers and servers send them.
const FULL: u64 = 1_252;

/// Datagrams until the receiver acknowledges.
const UNTIL_ACK: u8 = 3;

/// Time between two datagrams that are sent together.
const BACK_TO_BACK: u64 = 11_000;

/// Time until the acknowledgement of what was sent passes by.
const ROUND_TRIP: u64 = 250_000;

/// Bytes of the headers below QUIC.
const HEADERS: u64 = 42;

/// Longest connection ID (RFC 9000 section 17.2).
const LONGEST_ID: usize = 20;

/// A connection ID.
#[derive(Clone, Copy, Debug, Default)]
struct Id {
    bytes: [u8; LONGEST_ID],
    length: usize,
}

impl Id {
    fn of(bytes: &[u8]) -> Self {
        let mut id = Self { bytes: [0; LONGEST_ID], length: bytes.len().min(LONGEST_ID) };
        id.bytes.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        id
    }
}

/// A connection.
#[derive(Clone, Debug)]
pub struct Quic<'a> {
    handshake: Replay<'a>,
    ends: Ends,
    /// What packets to the client and to the server carry.
    ids: [Id; 2],
    random: Random,
    left: u64,
    unacknowledged: u8,
    burst: u64,
    id: u16,
}

impl<'a> Quic<'a> {
    /// A handshake, and `size` bytes from the server after it.
    #[must_use]
    pub fn new(clip: &Clip, handshake: Replay<'a>, size: u64, mut random: Random) -> Self {
        let ids = handshake::connection_ids(clip).unwrap_or_default().map(Id::of);
        let (ends, id) = (*handshake.ends(), random.bits() as u16);
        Self { handshake, ends, ids, random, left: size, unacknowledged: 0, burst: 0, id }
    }

    /// The next packet.
    pub fn next(&mut self, frame: &mut Frame) -> Step {
        if !self.handshake.is_over() {
            return match self.handshake.next(frame) {
                Step::End => Step::After(ROUND_TRIP),
                step => step,
            };
        }
        if self.unacknowledged == UNTIL_ACK || self.left == 0 {
            let length = self.random.within(31, 41);
            self.short(frame, Side::Client, length);
            self.unacknowledged = 0;
            return if self.left == 0 {
                Step::End
            } else {
                Step::Paced(std::mem::take(&mut self.burst) + HEADERS + length)
            };
        }
        let length = self.left.clamp(40, FULL);
        self.left = self.left.saturating_sub(length);
        self.short(frame, Side::Server, length);
        self.burst += HEADERS + length;
        self.unacknowledged += 1;
        let is_last = self.unacknowledged == UNTIL_ACK || self.left == 0;
        frame.may_be_lost = true;
        frame.overtaken_after = if is_last { 0 } else { BACK_TO_BACK + 2_000 };
        Step::After(if is_last { ROUND_TRIP } else { BACK_TO_BACK })
    }

    /// A packet with a short header (RFC 9000 section 17.3.1).
    fn short(&mut self, frame: &mut Frame, from: Side, length: u64) {
        self.id = self.id.wrapping_add(1);
        frame.begin_udp(&self.ends, from, self.id, length as usize);
        let packet = frame.payload();
        self.random.fill(packet);
        packet[0] = 0x40 | (packet[0] & 0x3f);
        let id = from.other().of(self.ids);
        packet[1..=id.length].copy_from_slice(&id.bytes[..id.length]);
        frame.seal();
    }
}
