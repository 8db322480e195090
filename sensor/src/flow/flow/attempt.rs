//! A lone SYN: most flows of a scan never see more, so until a second packet comes they have no [`TcpFlow`].

use schemas::envelope::Nanoseconds;
use schemas::flows::ConnState;

use super::{Flow, TcpFlow, TransportState};
use crate::flow::budget::Budget;
use crate::flow::segment::{Segment, flags};
use crate::flow::tcp::{Ports, Tcp, Timeouts};
use crate::work::{Item, Marks};
use parsers::protocol::Direction;

/// What of a SYN a TCP flow needs to begin with it later.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    sequence: u32,
    /// Of the time stamps option, where there is one.
    timestamp: u32,
    has_timestamp: bool,
    flags: u8,
    window_scale: Option<u8>,
    hop_limit: u8,
}

/// Flags of a SYN that are no other's concern: those of ECN (RFC 3168, 6.1.1).
const BESIDE: u8 = flags::ECE | flags::CWR;

impl Attempt {
    /// Of a flow's first packet, if that is a SYN like others: nothing in it, nothing wrong with it.
    pub(super) fn new(item: &Item) -> Option<Self> {
        let layer = &item.layer;
        let is_plain = layer.flags & !BESIDE == flags::SYN
            && layer.payload_length == 0
            // Noted in the history, as the handshake of a peer that takes nothing.
            && layer.window != 0
            && !layer.truncated_header
            && item.marks == Marks::default();
        is_plain.then(|| Self {
            sequence: layer.seq,
            timestamp: layer.timestamps.map_or(0, |(value, _)| value),
            has_timestamp: layer.timestamps.is_some(),
            flags: layer.flags,
            window_scale: layer.window_scale,
            hop_limit: layer.hop_limit,
        })
    }

    /// The flow is over once packet time reaches this, as [`Tcp::deadline`] has it; the SYN came at `ts`.
    pub(super) fn deadline(ts: Nanoseconds, timeouts: &Timeouts) -> Nanoseconds {
        ts.saturating_add(timeouts.attempt).min(ts.saturating_add(timeouts.idle))
    }

    /// How the flow is told of as long as nothing else comes.
    pub(super) const CONN_STATE: ConnState = ConnState::S0;
    pub(super) const HISTORY: &str = "S";

    /// The flags of the SYN, as the bits of the header.
    pub(super) fn flags(self) -> u8 {
        self.flags
    }

    /// The SYN, which came at `ts`.
    fn segment(self, ts: Nanoseconds) -> Segment<'static> {
        Segment {
            ts,
            sequence: self.sequence,
            acknowledgement: 0,
            flags: self.flags,
            // Any but 0: nothing else is read of the window of a SYN.
            window: u16::MAX,
            urgent: 0,
            window_scale: self.window_scale,
            timestamps: self.has_timestamp.then_some((self.timestamp, 0)),
            hop_limit: self.hop_limit,
            payload_length: 0,
            payload: &[],
        }
    }
}

impl Flow {
    /// Whether it is a lone SYN that was not looked at yet.
    #[inline]
    pub fn is_attempt(&self) -> bool {
        matches!(self.state, TransportState::Attempt(_))
    }

    /// Makes a TCP flow of a lone SYN, because another packet came. Others stay as they are.
    #[inline]
    pub fn look_at_attempt(&mut self) {
        if let TransportState::Attempt(attempt) = self.state {
            self.begin_with(attempt);
        }
    }

    fn begin_with(&mut self, attempt: Attempt) {
        let mut tcp = Tcp::new(self.ts);
        let ports = Ports { originator: self.endpoints.src_port, responder: self.endpoints.dst_port };
        // There is nothing to put in order yet.
        let mut nothing = Budget::default();
        let syn = attempt.segment(self.ts);
        let outcome =
            tcp.segment(Direction::ToResponder, &syn, ports, &mut self.history, &mut nothing, &mut |_, _| {});
        debug_assert!(
            outcome.counts_time && !outcome.flipped && !outcome.closed && outcome.oddities.is_empty()
        );
        self.state = TransportState::Tcp(Box::new(TcpFlow::new(tcp)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::history::History;
    use crate::local::LocalNetworks;
    use crate::work::Origin;
    use parsers::packet::{Decoded, Link, LinkType, decode};
    use schemas::batch::Batch;
    use schemas::flows::EndReason;

    /// A packet of IPv4 and TCP from port 40000 to 80.
    fn packet(flags: u8, window: u16, options: &[u8], payload: &[u8]) -> Item {
        let header_length = 20 + options.len();
        let length = (20 + header_length + payload.len()) as u8;
        let mut frame = vec![0x45, 0, 0, length, 0, 0, 0, 0, 63, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        frame.extend([
            0x9c,
            0x40,
            0,
            80,
            0xff,
            0xff,
            0xff,
            0xff,
            0,
            0,
            0,
            9,
            (header_length as u8) << 2,
            flags,
        ]);
        frame.extend(window.to_be_bytes());
        frame.extend([0, 0, 0, 0]);
        frame.extend(options);
        frame.extend(payload);
        let mut decoded = Decoded::default();
        decode(LinkType::RAW, &frame, frame.len() as u32, &mut decoded);
        let layer = decoded.layers()[0];
        Item {
            layer,
            place: crate::dispatch::Dispatch::new(1, false).place(&layer, None),
            ts: 7_000,
            now: 7_000,
            number: 1,
            offset: 0,
            length: frame.len() as u32,
            origin: 0,
            source: 0,
            marks: Marks::default(),
        }
    }

    #[test]
    fn a_flow_that_begins_later_is_as_if_it_had_begun_at_once() {
        let timestamps = [8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 1];
        let scale = [3, 3, 20, 1];
        for flags in [flags::SYN, flags::SYN | flags::ECE | flags::CWR] {
            for options in [&[][..], &timestamps, &scale] {
                let item = packet(flags, 1024, options, b"");
                let attempt = Attempt::new(&item).expect("a plain SYN");
                let ports = Ports { originator: 40_000, responder: 80 };
                let begin = |segment: &Segment<'_>| {
                    let (mut tcp, mut history) = (Tcp::new(item.ts), History::default());
                    let mut budget = Budget::new(0);
                    tcp.segment(
                        Direction::ToResponder,
                        segment,
                        ports,
                        &mut history,
                        &mut budget,
                        &mut |_, _| {},
                    );
                    (format!("{tcp:?}"), history.as_str().to_owned(), tcp)
                };
                let (at_once, later) =
                    (begin(&Segment::new(&item.layer, item.ts, b"")), begin(&attempt.segment(item.ts)));
                assert_eq!((&at_once.0, &at_once.1), (&later.0, &later.1));
                for timeouts in [Timeouts::default(), Timeouts { idle: 2, ..Timeouts::default() }] {
                    assert_eq!(Attempt::deadline(item.ts, &timeouts), at_once.2.deadline(&timeouts));
                }
            }
        }
    }

    #[test]
    fn its_row_is_that_of_a_flow_that_began_at_once() {
        for flags in [flags::SYN, flags::SYN | flags::ECE | flags::CWR] {
            let item = packet(flags, 1024, &[3, 3, 20, 1], b"");
            let [attempt, at_once] = [false, true].map(|at_once| {
                let origin = Origin { link: Link::default(), tunnels: smallvec::SmallVec::new() };
                let mut flow = Flow::new(&item, &origin, &LocalNetworks::new(&[]), false, 0);
                flow.count(Direction::ToResponder, &item.layer);
                assert!(flow.is_attempt());
                if at_once {
                    flow.look_at_attempt();
                }
                let mut batch = Batch::default();
                flow.emit(&mut flow.envelope(), &mut batch, None, Some(EndReason::Timeout));
                format!("{batch:?}")
            });
            assert_eq!(attempt, at_once);
        }
    }

    #[test]
    fn what_is_not_a_plain_syn_begins_at_once() {
        assert!(Attempt::new(&packet(flags::SYN, 0, &[], b"")).is_none());
        assert!(Attempt::new(&packet(flags::SYN, 1, &[], b"x")).is_none());
        assert!(Attempt::new(&packet(flags::SYN | flags::ACK, 1, &[], b"")).is_none());
        assert!(Attempt::new(&packet(flags::ACK, 1, &[], b"")).is_none());
        for mark in [Marks::BAD_CHECKSUM, Marks::OUTER, Marks::DATAGRAM] {
            let mut marks = Marks::default();
            marks.set(mark);
            assert!(Attempt::new(&Item { marks, ..packet(flags::SYN, 1, &[], b"") }).is_none());
        }
    }
}
