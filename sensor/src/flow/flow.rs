//! One flow: who, since when, how much, in which state; and its row.

use parsers::context::{Anomalies, Context};
use parsers::identity;
use parsers::packet::{Layer, Link, Transport};
use parsers::protocol::{Direction, Session};
use parsers::services::Services;
use schemas::arena::{List, Text};
use schemas::batch::{Batch, Records};
use schemas::envelope::{Envelope, Nanoseconds};
use schemas::flows::{ConnState, EndReason, Flow as Record};

use super::conn_state;
use super::history::{Event, History};
use super::stream::Stream;
use super::tcp::{Segment, Tcp, Timeouts};
use crate::work::{Item, Origin};

/// How long flows may be silent.
#[derive(Clone, Copy, Debug)]
pub struct FlowTimeouts {
    /// TCP.
    pub tcp: Timeouts,
    /// UDP, and protocols without a time-out of their own.
    pub udp: Nanoseconds,
    /// ICMP.
    pub icmp: Nanoseconds,
}

/// A flow.
#[derive(Debug)]
pub struct Flow {
    /// Endpoints by role, identifiers, first packet.
    pub envelope: Envelope,
    /// Whether the originator is the smaller end of the key.
    pub originator_is_low: bool,
    /// Bucket of the wheel whose entry counts.
    pub bucket: u16,
    /// How many flows with this key began at the very same time before this one.
    pub tie_break: u32,
    /// Time of the last packet that counts.
    pub last: Nanoseconds,
    /// Packets by direction.
    pub packets: [u64; 2],
    /// Bytes by IP length, by direction.
    pub ip_bytes: [u64; 2],
    /// Payload bytes by direction; TCP counts by sequence numbers instead.
    pub payload_bytes: [u64; 2],
    /// Letters.
    pub history: History,
    /// How many bad checksums each side has sent.
    pub bad_checksums: [u32; 2],
    /// Second copies.
    pub duplicates: u32,
    /// Rows in `flows_open` so far.
    pub intervals: u32,
    /// What it speaks.
    pub services: Services,
    /// What was odd.
    pub anomalies: Anomalies,
    /// What its transport needs.
    pub state: TransportState,
    /// Hardware addresses of originator and responder, and tags.
    pub link: Link,
    /// A tag was seen in this direction; and a packet without.
    pub tagged: [bool; 2],
    /// See `tagged`.
    pub untagged: [bool; 2],
    /// Encapsulations, for the row; nearly all flows have none.
    pub tunnels: Option<Box<[parsers::packet::Tunnel]>>,
    /// Type and code of the first ICMP message.
    pub icmp: Option<(u8, u8)>,
}

/// What a flow's transport needs to remember.
#[derive(Debug)]
pub enum TransportState {
    /// TCP, and what reads its stream.
    Tcp(Box<TcpFlow>),
    /// Datagrams, and what reads them.
    Datagrams(Datagrams),
    /// Counted only.
    Other,
}

/// TCP and the reading of its stream.
#[derive(Debug)]
pub struct TcpFlow {
    /// Sequence numbers and states.
    pub tcp: Tcp,
    /// Who reads.
    pub stream: Stream,
    /// Whether bytes are still delivered, not only counted.
    pub content: bool,
}

/// Who reads the datagrams of a flow.
#[derive(Default)]
pub struct Datagrams {
    /// The session, once a first message was accepted.
    pub session: Option<Box<dyn Session>>,
    /// Datagrams that no protocol recognised.
    pub unrecognised: u8,
}

impl std::fmt::Debug for Datagrams {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Datagrams").field("session", &self.session.is_some()).finish_non_exhaustive()
    }
}

impl Flow {
    /// A flow that begins with this packet; `flipped` says that its sender is the responder.
    pub fn new(item: &Item, origin: &Origin, flipped: bool, tie_break: u32) -> Self {
        let layer = &item.layer;
        let key = &item.place.key;
        let uid = identity::uid(
            &identity::FlowKey {
                src: key.low,
                dst: key.high,
                src_port: key.low_port,
                dst_port: key.high_port,
                protocol: key.protocol,
                ipv6: key.ipv6,
                context: key.context,
            },
            item.ts,
            tie_break,
        );
        let (src_port, dst_port) = ports(layer);
        let envelope = Envelope {
            ts: item.ts,
            uid,
            src: layer.src,
            dst: layer.dst,
            ipv6: layer.ipv6,
            has_endpoints: true,
            src_port,
            dst_port,
            protocol: layer.protocol,
            source: item.source,
            packet: item.number,
            ..Envelope::default()
        };
        let state = match layer.transport {
            Transport::Tcp => TransportState::Tcp(Box::new(TcpFlow {
                tcp: Tcp::new(item.ts),
                stream: Stream::default(),
                content: true,
            })),
            Transport::Udp => TransportState::Datagrams(Datagrams::default()),
            _ => TransportState::Other,
        };
        let mut flow = Self {
            envelope,
            originator_is_low: item.place.from_low,
            bucket: 0,
            tie_break,
            last: item.ts,
            packets: [0; 2],
            ip_bytes: [0; 2],
            payload_bytes: [0; 2],
            history: History::default(),
            bad_checksums: [0; 2],
            duplicates: 0,
            intervals: 0,
            services: Services::default(),
            anomalies: Anomalies::default(),
            state,
            link: origin.link,
            tagged: [false; 2],
            untagged: [false; 2],
            tunnels: (!origin.tunnels.is_empty()).then(|| origin.tunnels.as_slice().into()),
            icmp: layer.icmp(),
        };
        if flipped {
            flow.turn();
            flow.history.flip();
        }
        flow
    }

    /// Which way a packet goes.
    #[inline]
    pub fn direction(&self, item: &Item) -> Direction {
        if item.place.from_low == self.originator_is_low {
            Direction::ToResponder
        } else {
            Direction::ToOriginator
        }
    }

    /// Originator and responder change places, with all that was counted.
    pub fn flip(&mut self) {
        match &mut self.state {
            TransportState::Tcp(flow) => flow.tcp.flip(&mut self.history),
            _ => self.history.flip(),
        }
        self.roles_were_swapped();
    }

    /// As [`Flow::flip`], where the transport has turned its own state already.
    pub fn roles_were_swapped(&mut self) {
        self.turn();

        self.packets.swap(0, 1);
        self.ip_bytes.swap(0, 1);
        self.payload_bytes.swap(0, 1);
        self.bad_checksums.swap(0, 1);
        self.tagged.swap(0, 1);
        self.untagged.swap(0, 1);
    }

    /// Only the endpoints change places: for a flow of which nothing was counted yet.
    fn turn(&mut self) {
        std::mem::swap(&mut self.envelope.src, &mut self.envelope.dst);
        std::mem::swap(&mut self.envelope.src_port, &mut self.envelope.dst_port);
        std::mem::swap(&mut self.envelope.src_local, &mut self.envelope.dst_local);
        std::mem::swap(&mut self.link.src_mac, &mut self.link.dst_mac);
        self.originator_is_low = !self.originator_is_low;
        // Identifiers do not depend on the roles.
    }

    /// Counts a packet.
    #[inline]
    pub fn count(&mut self, direction: Direction, layer: &Layer) {
        let index = direction.index();
        self.packets[index] += 1;
        self.ip_bytes[index] += u64::from(layer.ip_length);
    }

    /// Notes the tags of a packet: a span port may tag one direction only.
    #[inline]
    pub fn note_link(&mut self, direction: Direction, link: &Link) {
        let index = direction.index();
        if link.vlan.is_some() {
            self.tagged[index] = true;
            if self.link.vlan.is_none() {
                (self.link.vlan, self.link.inner_vlan) = (link.vlan, link.inner_vlan);
            }
        } else {
            self.untagged[index] = true;
        }
    }

    /// Whether one direction is tagged and the other is not.
    pub fn is_tagged_on_one_side(&self) -> bool {
        let only = |flags: [bool; 2], index: usize| flags[index] && !flags[1 - index];
        (0..2).any(|index| only(self.tagged, index) && only(self.untagged, 1 - index))
    }

    /// Counts a packet with a wrong checksum.
    pub fn bad_checksum(&mut self, direction: Direction) {
        let count = &mut self.bad_checksums[direction.index()];
        self.history.scaled(direction, Event::Checksum, count);
    }

    /// Calls a session, or whatever else needs the way out to the rows.
    pub fn with_context<T>(
        &mut self,
        records: &mut Records,
        now: Nanoseconds,
        packet: u64,
        call: impl FnOnce(&mut TransportState, &mut Context<'_>) -> T,
    ) -> T {
        let mut cx = Context {
            now,
            packet,
            records,
            flow: &mut self.envelope,
            anomalies: &mut self.anomalies,
            services: &mut self.services,
            flip: false,
        };
        let result = call(&mut self.state, &mut cx);
        if cx.flip {
            self.flip();
        }
        result
    }

    /// When the flow is over, if nothing more comes.
    pub fn deadline(&self, timeouts: &FlowTimeouts) -> Nanoseconds {
        let idle = match &self.state {
            TransportState::Tcp(flow) => {
                return flow.tcp.deadline(&timeouts.tcp);
            }
            TransportState::Other if matches!(self.envelope.protocol, 1 | 58) => timeouts.icmp,
            // SCTP has associations that live on like TCP's.
            TransportState::Other if self.envelope.protocol == 132 => timeouts.tcp.idle,
            _ => timeouts.udp,
        };
        self.last.saturating_add(idle)
    }

    /// Whether a packet at `ts` finds the flow over: why.
    #[inline]
    pub fn is_over(
        &self,
        ts: Nanoseconds,
        timeouts: &FlowTimeouts,
        segment: Option<&Segment<'_>>,
    ) -> Option<EndReason> {
        if self.deadline(timeouts) <= ts {
            return Some(self.ended().unwrap_or(EndReason::Timeout));
        }
        match (&self.state, segment) {
            (TransportState::Tcp(flow), Some(segment)) if flow.tcp.is_reuse(segment) => {
                Some(self.ended().unwrap_or(EndReason::Closed))
            }
            _ => None,
        }
    }

    /// How the flow ended, if its ends ended it.
    pub fn ended(&self) -> Option<EndReason> {
        let TransportState::Tcp(flow) = &self.state else { return None };
        match (flow.tcp.is_closed(), flow.tcp.is_reset()) {
            (true, true) => Some(EndReason::Reset),
            (true, false) => Some(EndReason::Closed),
            _ => None,
        }
    }

    /// What is lost with the flow: flows that are over matter least, those with a session most.
    pub fn importance(&self) -> u8 {
        match &self.state {
            TransportState::Tcp(flow) if flow.tcp.is_closed() => 0,
            _ if self.packets[1] == 0 => 1,
            TransportState::Other => 2,
            TransportState::Datagrams(datagrams) if datagrams.session.is_none() => 3,
            TransportState::Datagrams(_) => 4,
            TransportState::Tcp(flow) if flow.stream.is_over() => 5,
            TransportState::Tcp(_) => 6,
        }
    }

    /// When the next row in `flows_open` is due.
    pub fn next_interval(&self, interval: Nanoseconds) -> Nanoseconds {
        self.envelope.ts.saturating_add(interval.saturating_mul(i64::from(self.intervals) + 1))
    }

    /// Writes the row in `flows_open` that is due at `now`; an interval in which nothing was looked at has none.
    pub fn show_open(&mut self, records: &mut Records, now: Nanoseconds, interval: Nanoseconds) {
        if self.next_interval(interval) > now {
            return;
        }
        let sequence = i32::try_from(self.intervals).unwrap_or(i32::MAX);
        self.emit(&mut records.flows_open, Some(sequence), None);
        let passed = now.saturating_sub(self.envelope.ts) / interval.max(1);
        self.intervals = u32::try_from(passed).unwrap_or(u32::MAX);
    }

    /// The state by Zeek's rule.
    pub fn conn_state(&self) -> ConnState {
        match (&self.state, self.envelope.protocol) {
            (TransportState::Tcp(flow), _) => {
                conn_state::tcp(flow.tcp.states(), flow.tcp.bytes(), self.history.as_str())
            }
            (TransportState::Datagrams(_), _) => conn_state::udp([self.packets[0] > 0, self.packets[1] > 0]),
            (TransportState::Other, _) => conn_state::other(),
        }
    }

    /// Writes the row.
    pub fn emit(&mut self, batch: &mut Batch<Record>, sequence: Option<i32>, end_reason: Option<EndReason>) {
        identity::complete(&mut self.envelope);
        let (bytes, missed_bytes, flags, handshake_rtt) = match &self.state {
            TransportState::Tcp(flow) => {
                (flow.tcp.bytes(), flow.tcp.missed_bytes(), flow.tcp.flags(), flow.tcp.handshake_rtt())
            }
            _ => (self.payload_bytes, 0, [0; 2], None),
        };
        let conn_state = self.conn_state();
        batch.push(self.envelope, |arena| {
            let history = match self.history.as_str() {
                "" if self.envelope.protocol != 6 && self.envelope.protocol != 17 => Text::NULL,
                letters => arena.plain(letters),
            };
            let service = if self.services.is_empty() {
                Text::NULL
            } else {
                arena.text_with(|out| self.services.write(out))
            };
            let tunnels = match &self.tunnels {
                None => List::EMPTY,
                Some(tunnels) => {
                    let texts: Vec<Text> =
                        tunnels.iter().map(|tunnel| arena.text_with(|out| tunnel.write(out))).collect();
                    arena.texts(&texts)
                }
            };
            Record {
                duration: (self.last - self.envelope.ts).max(0),
                end_ts: self.last,
                service,
                conn_state,
                history,
                bytes: bytes.map(u64::cast_signed),
                packets: self.packets.map(u64::cast_signed),
                ip_bytes: self.ip_bytes.map(u64::cast_signed),
                missed_bytes: missed_bytes.cast_signed(),
                flags,
                mac: [self.link.src_mac, self.link.dst_mac],
                vlan: self.link.vlan,
                inner_vlan: self.link.inner_vlan,
                tunnels,
                handshake_rtt,
                icmp: self.icmp,
                duplicate_packets: i64::from(self.duplicates),
                sequence,
                end_reason,
            }
        });
    }
}

/// The ports of a flow as its first packet shows them; for ICMP the message type, and the type that answers it or the
/// code.
fn ports(layer: &Layer) -> (u16, u16) {
    match layer.transport {
        Transport::Icmp | Transport::Icmpv6 => (layer.src_port, crate::dispatch::icmp_ports(layer).1),
        _ => (layer.src_port, layer.dst_port),
    }
}
