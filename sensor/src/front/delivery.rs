//! From a packet that was decoded to the work of the worker that has its flow: its checksums judged, its flow, shard and
//! worker found.

use parsers::context::Anomalies;
use parsers::packet::checksum::{self, Checksum};
use parsers::packet::{Decoded, Layer, LinkType, Transport};
use schemas::anomaly::AnomalyName;
use schemas::envelope::Nanoseconds;

use super::FrontCounters;
use super::announced::Announced;
use super::offload::Offload;
use crate::capture::Frame;
use crate::clock::Clock;
use crate::config::{Checksums, Config, nanoseconds};
use crate::dispatch::{Dispatch, Place, worker_of};
use crate::flow::table::SHARDS;
use crate::work::{Item, Marks, Work};

/// Where a packet's bytes lie.
#[derive(Clone, Copy)]
pub(super) struct Whereabouts {
    pub(super) ts: Nanoseconds,
    pub(super) number: u64,
    pub(super) source: u16,
    pub(super) offset: u32,
    pub(super) length: u32,
    pub(super) marks: Marks,
}

/// What each packet goes through once its headers are known.
pub(super) struct Delivery {
    dispatch: Dispatch,
    /// The worker of each shard.
    workers: [u16; SHARDS],
    pub(super) checksums: Checksums,
    offload: Offload,
    announced: Announced,
    pub(super) clock: Clock,
    /// What each worker gets next.
    pub(super) outbox: Vec<Work>,
    pub(super) stray: Anomalies,
    pub(super) counters: FrontCounters,
}

impl Delivery {
    /// For a run with this configuration and seed.
    pub(super) fn new(config: &Config, seed: u64) -> Self {
        let workers = config.workers.max(1);
        Self {
            dispatch: Dispatch::new(seed, config.vlan_in_key),
            workers: std::array::from_fn(|shard| worker_of(shard as u8, workers) as u16),
            checksums: config.checksums,
            offload: Offload::default(),
            announced: Announced::new(nanoseconds(config.timeouts.tcp + config.timeouts.tcp_closed)),
            clock: Clock::default(),
            outbox: (0..workers).map(|_| Work::default()).collect(),
            stray: Anomalies::default(),
            counters: FrontCounters::default(),
        }
    }

    /// Counts a frame and goes on to its time; says the time when a tick is due before it.
    #[inline]
    pub(super) fn begins(&mut self, frame: &Frame) -> Option<Nanoseconds> {
        self.counters.packets += 1;
        self.counters.bytes += u64::from(frame.wire.max(frame.captured));
        let (first, last) = self.counters.span.unwrap_or((frame.ts, frame.ts));
        self.counters.span = Some((first.min(frame.ts), last.max(frame.ts)));
        let steps_back = self.clock.steps_back();
        let tick = self.clock.advance(frame.ts);
        if self.clock.steps_back() > steps_back {
            self.stray.note(AnomalyName::TimeWentBack, None, "", frame.ts, frame.number);
        }
        tick
    }

    /// Tells every worker that time has passed.
    pub(super) fn tick(&mut self, now: Nanoseconds) {
        for work in &mut self.outbox {
            work.ticks.push((work.items.len() as u32, now));
        }
        self.announced.expire(now);
    }

    /// Sends on one packet, whose bytes are where `at` says.
    #[inline]
    pub(super) fn packet(
        &mut self,
        bytes: &[u8],
        decoded: &Decoded,
        layer: &Layer,
        mut at: Whereabouts,
        innermost: bool,
    ) {
        if let Some(place) = self.judge(bytes, decoded, layer, &mut at, innermost) {
            self.hand_over(decoded, layer, place, at, innermost);
        }
    }

    /// Sends on one packet of a datagram that was made whole, and its bytes with it. `begun` are time and number of its
    /// first fragment.
    pub(super) fn datagram(
        &mut self,
        bytes: &[u8],
        begun: (Nanoseconds, u64),
        decoded: &Decoded,
        layer: &Layer,
        mut at: Whereabouts,
        innermost: bool,
    ) {
        let Some(place) = self.judge(bytes, decoded, layer, &mut at, innermost) else { return };
        let Some(work) = self.work_of(place.shard) else { return };
        at.offset = work.datagrams.len() as u32;
        at.length = bytes.len() as u32;
        at.marks.set(Marks::DATAGRAM);
        work.firsts.push((at.offset, begun.0, begun.1));
        work.datagrams.extend_from_slice(bytes);
        self.hand_over(decoded, layer, place, at, innermost);
    }

    #[inline]
    fn work_of(&mut self, shard: u8) -> Option<&mut Work> {
        let worker = self.workers.get(usize::from(shard))?;
        self.outbox.get_mut(usize::from(*worker))
    }

    /// Judges a packet's checksums, and finds its flow and shard; none where it has no flow.
    #[inline]
    fn judge(
        &mut self,
        bytes: &[u8],
        decoded: &Decoded,
        layer: &Layer,
        at: &mut Whereabouts,
        innermost: bool,
    ) -> Option<Place> {
        if layer.truncated_header
            && layer.transport != Transport::Other
            && layer.src_port == 0
            && layer.dst_port == 0
        {
            self.undecodable(decoded, AnomalyName::TransportTruncated, *at);
            return None;
        }
        if !at.marks.has(Marks::DUPLICATE) && self.checksums != Checksums::Ignore {
            let header = checksum::ip(bytes, layer);
            if self.is_broken(header, bytes, layer, at.ts) {
                at.marks.set(Marks::BAD_CHECKSUM);
                if header == Checksum::Bad {
                    at.marks.set(Marks::BAD_IP_HEADER);
                }
                self.counters.bad_checksums += 1;
            }
        }
        let mut place = self.dispatch.place(layer, decoded.link.vlan());
        if !innermost {
            at.marks.set(Marks::OUTER);
        } else if layer.transport == Transport::Tcp && !at.marks.has(Marks::BAD_CHECKSUM) {
            self.announced_segment(layer, layer.payload(bytes), &mut place, *at);
        }
        Some(place)
    }

    /// Sees whether a TCP segment announces a connection, or makes one that was announced.
    #[inline]
    fn announced_segment(&mut self, layer: &Layer, payload: &[u8], place: &mut Place, at: Whereabouts) {
        let seen = self.announced.segment(layer, payload, place, at.ts);
        for sighting in seen.sightings {
            if let Some(work) = self.work_of(sighting.shard) {
                work.sightings.push((work.items.len() as u32, sighting));
            }
        }
        if seen.shed {
            self.stray.note(AnomalyName::TransfersShed, None, "", at.ts, at.number);
        }
    }

    /// Adds a packet to the work of its worker.
    #[inline]
    fn hand_over(
        &mut self,
        decoded: &Decoded,
        layer: &Layer,
        place: Place,
        at: Whereabouts,
        innermost: bool,
    ) {
        let now = self.clock.judging(at.ts);
        let Some(work) = self.work_of(place.shard) else { return };
        let origin = work.origin(decoded, layer);
        if innermost && let Some(problem) = decoded.problem {
            work.problems.push((work.items.len() as u32, problem));
        }
        *work.items.add() = Item {
            layer: *layer,
            place,
            ts: at.ts,
            now,
            number: at.number,
            offset: at.offset,
            length: at.length,
            origin,
            source: at.source,
            marks: at.marks,
        };
    }

    /// Whether a checksum, that of the IP header or the transport's, is wrong that the sender did not leave to its card.
    #[inline]
    fn is_broken(&mut self, header: Checksum, bytes: &[u8], layer: &Layer, ts: Nanoseconds) -> bool {
        let host = self.dispatch.host(&layer.src);
        // What is known of it is there by the time the sum is.
        self.offload.prefetch(host);
        let transport = checksum::transport(bytes, layer);
        let auto = self.checksums == Checksums::Auto;
        if header != Checksum::Bad && transport == Checksum::Good {
            if auto {
                self.offload.good(host, ts);
            }
            return false;
        }
        if header != Checksum::Bad && transport == Checksum::Unverifiable {
            return false;
        }
        if !auto {
            return true;
        }
        if header != Checksum::Bad && transport == Checksum::Partial {
            return false;
        }
        !self.offload.bad(host, ts)
    }

    /// A frame without an IP packet.
    #[cold]
    pub(super) fn no_packet(&mut self, decoded: &Decoded, link: LinkType, at: Whereabouts) {
        if let Some(problem) = decoded.problem {
            if problem.name == AnomalyName::UnknownLinkType {
                *self.counters.unknown_link_types.entry(link.0).or_default() += 1;
            }
            *self.counters.undecodable.entry(problem.what).or_default() += 1;
            self.stray.note(problem.name, None, problem.what, at.ts, at.number);
        } else if decoded.cut {
            *self.counters.undecodable.entry("cut by the snap length").or_default() += 1;
        } else {
            self.counters.not_ip += 1;
        }
    }

    #[cold]
    fn undecodable(&mut self, decoded: &Decoded, name: AnomalyName, at: Whereabouts) {
        let what = decoded.problem.map_or("cut by the snap length", |problem| problem.what);
        let name = decoded.problem.map_or(name, |problem| problem.name);
        *self.counters.undecodable.entry(what).or_default() += 1;
        if decoded.problem.is_some() {
            self.stray.note(name, None, what, at.ts, at.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use parsers::packet::decode;

    use super::*;
    use crate::flow::segment::flags;

    /// A segment between ports of hosts of 10.0.0.0/24.
    fn segment(from: (u8, u16), to: (u8, u16), flags: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, from.0, 10, 0, 0, to.0];
        bytes.extend([from.1, to.1].map(u16::to_be_bytes).as_flattened());
        bytes.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 0, 0, 0, 0, 0, 0]);
        bytes.extend_from_slice(payload);
        bytes[3] = bytes.len() as u8;
        bytes
    }

    #[test]
    fn a_datagram_in_fragments_goes_with_its_bytes_where_its_connection_was_announced() {
        let workers = SHARDS;
        let mut delivery = Delivery::new(&Config { workers, ..Config::default() }, 7);
        let at = Whereabouts { ts: 0, number: 1, source: 0, offset: 0, length: 0, marks: Marks::default() };
        let mut decoded = Decoded::default();
        let mut read = |bytes: &[u8]| {
            decode(LinkType::RAW, bytes, bytes.len() as u32, &mut decoded);
            (decoded.clone(), decoded.layers()[0])
        };
        let line = b"227 Passive (10,0,0,3,19,137)\r\n";
        for bytes in [
            segment((2, 21), (1, 40_000), flags::ACK, line),
            segment((1, 40_001), (3, 5001), flags::SYN, b""),
        ] {
            let (decoded, layer) = read(&bytes);
            delivery.packet(&bytes, &decoded, &layer, at, true);
        }
        let bytes = segment((3, 5001), (1, 40_001), flags::ACK, b"what was in fragments");
        let (decoded, layer) = read(&bytes);
        delivery.datagram(&bytes, (0, 1), &decoded, &layer, at, true);
        let busy: Vec<_> = delivery.outbox.iter().filter(|work| !work.items.is_empty()).collect();
        let [work] = busy[..] else { panic!("{} workers have one flow's packets", busy.len()) };
        let payloads: Vec<_> = work.items.iter().map(|item| item.layer.payload(work.bytes(item))).collect();
        assert_eq!(payloads.last(), Some(&&b"what was in fragments"[..]));
    }
}
