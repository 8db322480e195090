//! One flow: who, since when, how much, in which state.

mod attempt;
mod row;
mod state;

pub use state::{Identification, TcpFlow, TransportState};

use parsers::context::{Anomalies, Context};
use parsers::entities::Entities;
use parsers::identity;
use parsers::packet::{Layer, Link, Transport};
use parsers::protocol::Direction;
use parsers::services::Services;
use parsers::settings::Settings;
use parsers::transfers::Transfers;
use parsers::x509::Certificates;
use schemas::batch::Records;
use schemas::envelope::{AddressBytes, Envelope, Nanoseconds};
use schemas::flows::EndReason;
use schemas::prefetch::prefetch;

use attempt::Attempt;

use super::budget::Budget;
use super::history::{Event, History};
use super::tcp::{Segment, Tcp, Timeouts};
use crate::local::LocalNetworks;
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

/// A flow. There are millions of them, so what few of them need is in `Rare`.
#[derive(Debug)]
pub struct Flow {
    /// Who.
    pub endpoints: Endpoints,
    /// Time of the first packet.
    pub ts: Nanoseconds,
    /// Its number in the capture.
    pub packet: u64,
    /// Index of its source.
    pub source: u16,
    /// Whether the originator is the smaller end of the key.
    pub originator_is_low: bool,
    /// Bucket of the wheel whose entry counts.
    pub bucket: u16,
    /// Time of the last packet that counts.
    pub last: Nanoseconds,
    /// Packets by direction, modulo 2^32.
    packets: [u32; 2],
    /// Bytes by IP length, by direction.
    pub ip_bytes: [u64; 2],
    /// Payload bytes by direction; TCP counts by sequence numbers instead.
    pub payload_bytes: [u64; 2],
    /// Letters.
    pub history: History,
    /// What it speaks.
    pub services: Services,
    /// What was odd.
    pub anomalies: Anomalies,
    /// What its transport needs.
    pub state: TransportState,
    /// How far it is known what reads the datagrams.
    pub identification: Identification,
    /// Hardware addresses of originator and responder, and tags.
    pub link: Link,
    /// In which directions packets with a tag were seen, and in which without.
    tags: Tags,
    /// Shard that it was put in.
    pub shard: u8,
    /// Type and code of the first ICMP message.
    pub icmp: Option<(u8, u8)>,
    /// What few flows need.
    rare: Option<Box<Rare>>,
}

/// Who a flow is between, by role.
#[derive(Clone, Copy, Debug)]
pub struct Endpoints {
    /// Originator.
    pub src: AddressBytes,
    /// Responder.
    pub dst: AddressBytes,
    /// Originator's port, or ICMP type.
    pub src_port: u16,
    /// Responder's port, or what stands in for it.
    pub dst_port: u16,
    /// IP protocol number.
    pub protocol: u8,
    /// Whether both addresses are IPv6.
    pub ipv6: bool,
    /// Whether the originator is in the local networks.
    pub src_local: bool,
    /// Whether the responder is.
    pub dst_local: bool,
}

/// What few flows need.
#[derive(Debug, Default)]
struct Rare {
    /// How often the packet counts have passed 2^32.
    packets_carried: [u32; 2],
    /// Innermost network identifier of the key, 0 for none; and its VLAN.
    network: (u64, u16),
    /// How many flows with this key began at the very same time before this one.
    tie_break: u32,
    /// How many bad checksums each side has sent.
    bad_checksums: [u32; 2],
    /// Second copies.
    duplicates: u32,
    /// Rows in `flows_open` so far.
    intervals: u32,
    /// Encapsulations, for the row.
    tunnels: Box<[parsers::packet::Tunnel]>,
}

/// What the flows of a shard, or of a worker, have in common.
pub struct Shared<'a> {
    /// Parts of files that wait for the others.
    pub entities: Option<&'a mut Entities>,
    /// Data connections and those that announce them.
    pub transfers: Option<&'a mut Transfers>,
    /// Certificates that were read already.
    pub certificates: &'a mut Certificates,
}

/// Directions in which packets with a tag were seen, a bit each, and above them those in which packets without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tags(u8);

impl Tags {
    #[inline]
    fn add(&mut self, direction: Direction, tagged: bool) {
        self.0 |= 1 << (direction.index() + if tagged { 0 } else { 2 });
    }

    fn swapped(self) -> Self {
        Self(self.0 >> 1 & 0b0101 | self.0 << 1 & 0b1010)
    }

    /// Whether all packets of one direction had a tag and all of the other had none.
    fn are_on_one_side(self) -> bool {
        matches!(self.0, 0b1001 | 0b0110)
    }
}

impl Flow {
    /// A flow that begins with this packet; `flipped` says that its sender is the responder.
    pub fn new(item: &Item, origin: &Origin, local: &LocalNetworks, flipped: bool, tie_break: u32) -> Self {
        let layer = &item.layer;
        let endpoints = Endpoints {
            src: layer.src,
            dst: layer.dst,
            src_port: layer.src_port,
            dst_port: item.place.dst_port,
            protocol: layer.protocol,
            ipv6: layer.ipv6,
            src_local: local.contains(&layer.src, layer.ipv6),
            dst_local: local.contains(&layer.dst, layer.ipv6),
        };
        let state = match layer.transport {
            Transport::Tcp => match Attempt::new(item) {
                Some(attempt) if !flipped => TransportState::Attempt(attempt),
                _ => TransportState::Tcp(Box::new(TcpFlow::new(Tcp::new(item.ts)))),
            },
            Transport::Udp => TransportState::Datagrams(None),
            _ => TransportState::Other,
        };
        let mut flow = Self {
            endpoints,
            ts: item.ts,
            packet: item.number,
            source: item.source,
            originator_is_low: item.place.from_low,
            bucket: 0,
            last: item.ts,
            packets: [0; 2],
            ip_bytes: [0; 2],
            payload_bytes: [0; 2],
            history: History::default(),
            services: Services::default(),
            anomalies: Anomalies::default(),
            state,
            identification: Identification::default(),
            link: origin.link,
            tags: Tags::default(),
            shard: item.place.shard,
            icmp: layer.icmp(),
            rare: None,
        };
        let network = (item.place.context, item.place.vlan);
        if network != (0, 0) || tie_break > 0 || !origin.tunnels.is_empty() {
            let tunnels = origin.tunnels.as_slice().into();
            flow.rare = Some(Box::new(Rare { network, tie_break, tunnels, ..Rare::default() }));
        }
        if flipped {
            flow.turn();
            flow.history.flip();
        }
        flow
    }

    /// Whether a packet belongs to this flow, time-outs apart.
    #[inline]
    pub fn takes(&self, item: &Item) -> bool {
        let Endpoints { src, dst, src_port, dst_port, protocol, ipv6, .. } = &self.endpoints;
        let Item { layer, place, .. } = item;
        let (originator, responder) = ((src, *src_port), (dst, *dst_port));
        let (sender, receiver) = match self.direction(item) {
            Direction::ToResponder => (originator, responder),
            Direction::ToOriginator => (responder, originator),
        };
        (sender, receiver) == ((&layer.src, layer.src_port), (&layer.dst, place.dst_port))
            && (*protocol, *ipv6) == (layer.protocol, layer.ipv6)
            && self.rare.as_ref().map_or((0, 0), |rare| rare.network) == (place.context, place.vlan)
    }

    /// Asks for what it points at and a packet of it reads.
    #[inline]
    pub fn prefetch_state(&self) {
        match &self.state {
            TransportState::Tcp(tcp) => prefetch(&**tcp),
            TransportState::Datagrams(Some(session)) => prefetch(&**session),
            TransportState::Attempt(_) | TransportState::Datagrams(None) | TransportState::Other => {}
        }
    }

    /// The tie break of the next flow with this key, should it begin at `ts`: how many began then already.
    pub fn ties_at(&self, ts: Nanoseconds) -> u32 {
        let ties = self.rare.as_ref().map_or(0, |rare| rare.tie_break);
        if self.ts == ts { ties + 1 } else { 0 }
    }

    /// Counts the second copy of a packet.
    pub fn duplicate(&mut self) {
        let rare = self.rare.get_or_insert_default();
        rare.duplicates = rare.duplicates.saturating_add(1);
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
            TransportState::Tcp(flow) => {
                flow.tcp.flip(&mut self.history);
                if let Some(stream) = &mut flow.stream {
                    stream.flip();
                }
            }
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
        if let Some(rare) = &mut self.rare {
            rare.bad_checksums.swap(0, 1);
            rare.packets_carried.swap(0, 1);
        }
        self.tags = self.tags.swapped();
    }

    /// Only the endpoints change places: for a flow of which nothing was counted yet.
    fn turn(&mut self) {
        let Endpoints { src, dst, src_port, dst_port, src_local, dst_local, .. } = &mut self.endpoints;
        std::mem::swap(src, dst);
        std::mem::swap(src_port, dst_port);
        std::mem::swap(src_local, dst_local);
        self.link = self.link.turned();
        self.originator_is_low = !self.originator_is_low;
        // Identifiers do not depend on the roles.
    }

    /// Counts a packet.
    #[inline]
    pub fn count(&mut self, direction: Direction, layer: &Layer) {
        let index = direction.index();
        self.packets[index] = self.packets[index].wrapping_add(1);
        if self.packets[index] == 0 {
            self.rare.get_or_insert_default().packets_carried[index] += 1;
        }
        self.ip_bytes[index] += u64::from(layer.ip_length);
    }

    /// Packets by direction.
    pub fn packets(&self) -> [u64; 2] {
        let carried = self.rare.as_ref().map_or([0; 2], |rare| rare.packets_carried);
        [0, 1].map(|index| u64::from(carried[index]) << 32 | u64::from(self.packets[index]))
    }

    /// Who and when; the identifiers are left to whoever writes a row ([`identity::complete`]).
    pub fn envelope(&self) -> Envelope {
        let Endpoints { src, dst, src_port, dst_port, protocol, ipv6, src_local, dst_local } = self.endpoints;
        Envelope {
            ts: self.ts,
            uid: 0,
            community_id: [0; 20],
            src,
            dst,
            ipv6,
            src_local,
            dst_local,
            has_endpoints: true,
            src_port,
            dst_port,
            protocol,
            source: self.source,
            packet: self.packet,
        }
    }

    /// Where in the input it began: orders flows in the same way whatever else a table holds.
    pub fn beginning(&self) -> (Nanoseconds, u16, u64) {
        (self.ts, self.source, self.packet)
    }

    /// What its identifiers follow from besides its envelope.
    pub fn origin(&self) -> identity::Origin {
        let rare = self.rare.as_deref();
        identity::Origin {
            context: rare.map_or(0, |rare| rare.network.0),
            tie_break: rare.map_or(0, |rare| rare.tie_break),
            responder_is_low: !self.originator_is_low,
        }
    }

    /// Notes what a packet came through.
    #[inline]
    pub fn note_origin(&mut self, direction: Direction, origin: &Origin) {
        self.note_link(direction, &origin.link);
        if !origin.tunnels.is_empty() {
            self.note_tunnels(&origin.tunnels);
        }
    }

    /// Takes note of the first tunnels: the flow may have been seen outside of them before.
    fn note_tunnels(&mut self, tunnels: &[parsers::packet::Tunnel]) {
        let rare = self.rare.get_or_insert_default();
        if rare.tunnels.is_empty() {
            rare.tunnels = tunnels.into();
        }
    }

    /// Notes the tags of a packet: a span port may tag one direction only.
    #[inline]
    fn note_link(&mut self, direction: Direction, link: &Link) {
        self.tags.add(direction, link.vlan().is_some());
        if link.vlan().is_some() && self.link.vlan().is_none() {
            self.link = self.link.with_vlans_of(link);
        }
    }

    /// Whether one direction is tagged and the other is not.
    pub fn is_tagged_on_one_side(&self) -> bool {
        self.tags.are_on_one_side()
    }

    /// Counts a packet with a wrong checksum.
    pub fn bad_checksum(&mut self, direction: Direction) {
        let count = &mut self.rare.get_or_insert_default().bad_checksums[direction.index()];
        self.history.scaled(direction, Event::Checksum, count);
    }

    /// Takes a segment of TCP that nothing comes of, see [`Tcp::ordinary`].
    #[inline]
    pub fn takes_ordinary(
        &mut self,
        direction: Direction,
        segment: &Segment<'_>,
        budget: &mut Budget,
    ) -> bool {
        let TransportState::Tcp(flow) = &mut self.state else { return false };
        let TcpFlow { tcp, stream, content, given_up } = &mut **flow;
        // Who still reads looks at each segment with payload, and stops reading with the first one that is not for it.
        let is_read =
            *content && (segment.payload_length > 0 || stream.as_ref().is_some_and(|s| s.is_over()));
        !is_read && !*given_up && tcp.ordinary(direction, segment, &mut self.history, budget)
    }

    /// Whether a session reads, or may come to read.
    pub fn has_session(&self) -> bool {
        match &self.state {
            TransportState::Tcp(flow) => flow.stream.is_some(),
            TransportState::Datagrams(session) => session.is_some(),
            _ => false,
        }
    }

    /// Calls a session, or what else needs the way out to the rows. `envelope` is the flow's, before and after.
    pub fn with_context<T>(
        &mut self,
        envelope: &mut Envelope,
        records: &mut Records,
        settings: &Settings,
        shared: Shared<'_>,
        (now, packet): (Nanoseconds, u64),
        call: impl FnOnce(&mut TransportState, &mut Context<'_>) -> T,
    ) -> T {
        let origin = self.origin();
        let mut cx = Context {
            now,
            packet,
            origin,
            entities: shared.entities,
            transfers: shared.transfers,
            certificates: Some(shared.certificates),
            ..Context::new(envelope, records, &mut self.anomalies, &mut self.services, settings)
        };
        let result = call(&mut self.state, &mut cx);
        if cx.flip {
            let (uid, community_id) = (cx.flow.uid, cx.flow.community_id);
            self.flip();
            // Neither identifier depends on the roles.
            *envelope = Envelope { uid, community_id, ..self.envelope() };
        }
        result
    }

    /// When the flow is over, if nothing more comes.
    pub fn deadline(&self, timeouts: &FlowTimeouts) -> Nanoseconds {
        let idle = match &self.state {
            TransportState::Attempt(_) => return Attempt::deadline(self.ts, &timeouts.tcp),
            TransportState::Tcp(flow) => return flow.tcp.deadline(&timeouts.tcp),
            TransportState::Other if matches!(self.endpoints.protocol, 1 | 58) => timeouts.icmp,
            // SCTP has associations that live on like TCP's.
            TransportState::Other if self.endpoints.protocol == 132 => timeouts.tcp.idle,
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
            // Once in 2^32 packets a counter has come round to 0: no harm.
            _ if self.packets[1] == 0 => 1,
            TransportState::Other | TransportState::Attempt(_) => 2,
            TransportState::Datagrams(None) => 3,
            TransportState::Datagrams(_) => 4,
            TransportState::Tcp(flow) if !flow.content => 5,
            TransportState::Tcp(_) => 6,
        }
    }

    /// Whether it is over, or was never answered.
    pub fn is_dispensable(&self) -> bool {
        self.importance() <= 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_in_the_table_takes_three_lines_of_the_cache() {
        assert_eq!(
            size_of::<Option<Flow>>(),
            3 * 64,
            "each line more is one more to wait for with every packet"
        );
    }

    #[test]
    fn counts_more_packets_than_its_counters_hold() {
        let frame =
            [0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 9, 0, 53, 0, 8, 0, 0];
        let mut decoded = parsers::packet::Decoded::default();
        parsers::packet::decode(parsers::packet::LinkType::RAW, &frame, 28, &mut decoded);
        let layer = decoded.layers()[0];
        let item = Item {
            layer,
            place: crate::dispatch::Dispatch::new(1, false).place(&layer, None),
            ts: 0,
            now: 0,
            number: 1,
            offset: 0,
            length: 28,
            origin: 0,
            source: 0,
            marks: crate::work::Marks::default(),
        };
        let origin = Origin { link: Link::default(), tunnels: smallvec::SmallVec::new() };
        let mut flow = Flow::new(&item, &origin, &LocalNetworks::new(&[]), false, 0);
        flow.packets = [u32::MAX, 7];
        flow.count(Direction::ToResponder, &layer);
        flow.count(Direction::ToResponder, &layer);
        assert_eq!(flow.packets(), [(1 << 32) + 1, 7]);
        flow.flip();
        assert_eq!(flow.packets(), [7, (1 << 32) + 1]);
    }

    #[test]
    fn stays_small() {
        assert!(size_of::<Flow>() <= 200, "{}", size_of::<Flow>());
        assert!(size_of::<TcpFlow>() <= 320, "{}", size_of::<TcpFlow>());
    }
}
