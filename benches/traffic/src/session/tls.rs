//! TLS: a real handshake, then records of application data.

use super::transfer::{Close, Content, Transfer};
use super::{Replay, Step};
use crate::frame::{Frame, Side};
use crate::random::Random;
use crate::tcp::Tcp;

/// Bytes of the header of a record (RFC 8446 section 5.1).
const HEADER: u64 = 5;

/// Content type of application data.
const APPLICATION_DATA: u8 = 23;

/// Bytes of a full record: 2¹⁴ and what encryption adds in TLS 1.3.
const FULL: u64 = HEADER + 16_384 + 17;

/// Bytes of the smallest record that is made.
const LEAST: u64 = 40;

/// Time that a server takes to answer.
const THINKING: u64 = 2_000_000;

/// A connection.
#[derive(Clone, Debug)]
pub struct Tls<'a> {
    handshake: Replay<'a>,
    records: Records,
    phase: Phase,
    /// Bytes of the client's request and of what comes back.
    sizes: [u64; 2],
}

#[derive(Clone, Debug)]
enum Phase {
    Handshake,
    Request(Tcp, Transfer),
    Bulk(Tcp, Transfer),
    Close(Tcp, Close),
}

impl<'a> Tls<'a> {
    /// A handshake, and `size` bytes after it: most often from the server.
    #[must_use]
    pub fn new(handshake: Replay<'a>, size: u64, mut random: Random) -> Self {
        let request = whole(random.within(120, 900));
        let sizes = if random.happens(120_000) { [whole(size), request] } else { [request, whole(size)] };
        Self {
            handshake,
            records: Records { random, record: 0, made: 0, left: 0 },
            phase: Phase::Handshake,
            sizes,
        }
    }

    /// The next packet.
    pub fn next(&mut self, now: u64, frame: &mut Frame) -> Step {
        let [request, answer] = self.sizes;
        match &mut self.phase {
            Phase::Handshake => match self.handshake.next(frame) {
                Step::End => {
                    self.records.left = request;
                    self.phase =
                        Phase::Request(self.handshake.tcp(now), Transfer::new(Side::Client, request));
                    Step::After(THINKING)
                }
                step => step,
            },
            Phase::Request(tcp, transfer) => {
                let step = transfer.next(tcp, &mut self.records, now, frame);
                if transfer.is_over() {
                    self.records.left = answer;
                    self.phase = Phase::Bulk(tcp.clone(), Transfer::new(Side::Server, answer));
                }
                step
            }
            Phase::Bulk(tcp, transfer) => {
                let step = transfer.next(tcp, &mut self.records, now, frame);
                if transfer.is_over() {
                    self.phase = Phase::Close(tcp.clone(), Close::default());
                }
                step
            }
            Phase::Close(tcp, close) => close.next(tcp, now, frame),
        }
    }
}

/// A size that records fill.
const fn whole(size: u64) -> u64 {
    let last = size % FULL;
    if last < LEAST { size - last + LEAST } else { size }
}

/// Records of application data that nobody can tell from encrypted ones.
#[derive(Clone, Debug)]
struct Records {
    random: Random,
    /// Bytes of the record, its header too, and how many of them have been made.
    record: u64,
    made: u64,
    /// Bytes that are left of all.
    left: u64,
}

impl Content for Records {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.random.fill(bytes);
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.made == self.record {
                self.record = self.left.clamp(LEAST, FULL);
                self.made = 0;
            }
            let [high, low] = ((self.record - HEADER) as u16).to_be_bytes();
            let header = [APPLICATION_DATA, 3, 3, high, low];
            // A header that does not fit into the rest of the segment goes on in the next.
            let of_header = header.iter().skip(self.made as usize);
            rest.iter_mut().zip(of_header).for_each(|(byte, of_header)| *byte = *of_header);
            let taken = (self.record - self.made).min(rest.len() as u64);
            self.made += taken;
            self.left = self.left.saturating_sub(taken);
            rest = &mut rest[taken as usize..];
        }
    }
}
