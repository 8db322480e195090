//! The front end: each frame is decoded once, judged, made whole from fragments, and sent to the worker of its flow.
//!
//! In a replay it runs in the reader's thread; what it decides (duplicates, checksums, fragments, ticks) then depends on
//! the order of packets alone, never on the number of workers.

mod announced;
mod duplicates;
mod offload;

use std::collections::BTreeMap;
use std::sync::Arc;

use parsers::context::Anomalies;
use parsers::packet::checksum::{self, Checksum};
use parsers::packet::fragments::{Fragments, Incomplete, Limits, Outcome};
use parsers::packet::{self, Decoded, Layer, LinkType, Problem, Transport, fingerprint};
use schemas::anomaly::AnomalyName;
use schemas::envelope::Nanoseconds;

use crate::capture::{Block, Frame};
use crate::clock::Clock;
use crate::config::{Checksums, Config, nanoseconds};
use crate::dispatch::{Dispatch, worker_of};
use crate::work::{FinalSlice, Item, ItemPool, Marks, Work};
use announced::Announced;
pub use announced::Sighting;
use duplicates::Duplicates;
use offload::Offload;

/// What the front end counts.
#[derive(Clone, Debug, Default)]
pub struct FrontCounters {
    /// Frames.
    pub packets: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
    /// Earliest and latest time stamp.
    pub span: Option<(Nanoseconds, Nanoseconds)>,
    /// Frames of which no flow could be made, by what stopped the decoder.
    pub undecodable: BTreeMap<&'static str, u64>,
    /// Frames that hold no IP packet and nothing wrong (ARP and the like).
    pub not_ip: u64,
    /// Frames of a link type that is not decoded.
    pub unknown_link_types: BTreeMap<u16, u64>,
    /// Packets with a wrong checksum, those of senders that offload left out.
    pub bad_checksums: u64,
    /// Second copies.
    pub duplicates: u64,
    /// IP fragments.
    pub fragments: u64,
    /// Bytes of fragments given up for want of room.
    pub fragments_shed: u64,
}

/// Lists of packets kept for each worker: about as many as wait for it.
const SPARE_LISTS: usize = 8;

/// From frames to work.
pub struct Front {
    dispatch: Dispatch,
    checksums: Checksums,
    keep_duplicates: bool,
    decoded: Decoded,
    fragments: Fragments,
    duplicates: Duplicates,
    offload: Offload,
    announced: Announced,
    clock: Clock,
    outbox: Vec<Work>,
    items: ItemPool,
    /// What was wrong with frames that belong to no flow.
    pub stray: Anomalies,
    /// What was counted.
    pub counters: FrontCounters,
}

/// Where a packet's bytes lie.
#[derive(Clone, Copy)]
struct Whereabouts {
    ts: Nanoseconds,
    number: u64,
    source: u16,
    offset: u32,
    length: u32,
    marks: Marks,
}

impl Front {
    /// For a run with this configuration and seed.
    pub fn new(config: &Config, seed: u64) -> Self {
        let limits = Limits { bytes: config.limits.fragment_bytes as usize, ..Limits::default() };
        Self {
            dispatch: Dispatch::new(seed, config.vlan_in_key),
            checksums: config.checksums,
            keep_duplicates: config.keep_duplicates,
            decoded: Decoded::default(),
            fragments: Fragments::new(limits),
            duplicates: Duplicates::default(),
            offload: Offload::default(),
            announced: Announced::new(nanoseconds(config.timeouts.tcp + config.timeouts.tcp_closed)),
            clock: Clock::default(),
            outbox: (0..config.workers.max(1)).map(|_| Work::default()).collect(),
            items: ItemPool::new(SPARE_LISTS * config.workers.max(1)),
            stray: Anomalies::default(),
            counters: FrontCounters::default(),
        }
    }

    /// The clock.
    pub fn now(&self) -> Nanoseconds {
        self.clock.now()
    }

    /// Begins a batch of frames that lie in `block`.
    pub fn begin(&mut self, block: &Arc<Block>) {
        for work in &mut self.outbox {
            work.block = Arc::clone(block);
        }
    }

    /// Ends the batch: hands out each worker's part. With `ends_epoch` every worker gets one.
    pub fn end(&mut self, ends_epoch: bool, mut hand_out: impl FnMut(usize, Work) -> bool) -> bool {
        let now = self.clock.now();
        for (worker, work) in self.outbox.iter_mut().enumerate() {
            work.now = now;
            work.span = self.counters.span.unwrap_or_default();
            work.ends_epoch = ends_epoch;
            if work.is_empty() {
                work.block = Arc::default();
                continue;
            }
            let done = std::mem::replace(work, Work { items: self.items.take(), ..Work::default() });
            if !hand_out(worker, done) {
                return false;
            }
        }
        true
    }

    /// After [`Front::finish`], tells all workers to end a slice of the flows that are left.
    pub fn end_slice(&mut self, slice: FinalSlice, hand_out: impl FnMut(usize, Work) -> bool) -> bool {
        for work in &mut self.outbox {
            work.ends_slice = Some(slice);
        }
        self.end(true, hand_out)
    }

    /// Takes in one frame of the block given to [`Front::begin`].
    #[inline]
    pub fn frame(&mut self, block: &[u8], frame: &Frame, source: u16) {
        let start = frame.offset as usize;
        let bytes = block.get(start..start + frame.captured as usize).unwrap_or_default();
        self.counters.packets += 1;
        self.counters.bytes += u64::from(frame.wire.max(frame.captured));
        let (first, last) = self.counters.span.unwrap_or((frame.ts, frame.ts));
        self.counters.span = Some((first.min(frame.ts), last.max(frame.ts)));
        let steps_back = self.clock.steps_back();
        if let Some(now) = self.clock.advance(frame.ts) {
            self.tick(now);
        }
        if self.clock.steps_back() > steps_back {
            self.stray.note(AnomalyName::TimeWentBack, None, "", frame.ts, frame.number);
        }
        packet::decode(frame.link, bytes, frame.wire, &mut self.decoded);
        let mut place = Whereabouts {
            ts: frame.ts,
            number: frame.number,
            source,
            offset: frame.offset,
            length: frame.captured,
            marks: Marks::default(),
        };
        let Some(outermost) = self.decoded.layers().first() else {
            self.no_packet(frame.link, place);
            return;
        };
        if !self.keep_duplicates && self.duplicates.seen(fingerprint(bytes, outermost), frame.ts) {
            self.counters.duplicates += 1;
            place.marks.set(Marks::DUPLICATE);
        }
        self.packets(bytes, 0, place);
    }

    /// Time has passed without a packet, up to `now`.
    pub fn pass(&mut self, now: Nanoseconds) {
        if let Some(now) = self.clock.pass(now) {
            self.tick(now);
        }
    }

    /// Takes over what may change while it runs.
    pub fn reconfigure(&mut self, config: &Config) {
        self.checksums = config.checksums;
        self.keep_duplicates = config.keep_duplicates;
    }

    /// Ends the run: what still waited for fragments is given up.
    pub fn finish(&mut self) {
        self.fragments.finish();
        self.give_up_fragments();
    }

    fn tick(&mut self, now: Nanoseconds) {
        for work in &mut self.outbox {
            work.ticks.push((work.items.len() as u32, now));
        }
        self.fragments.expire(now);
        self.give_up_fragments();
        self.announced.expire(now);
    }

    /// Sends on the packets that were decoded, from layer `first` on.
    #[inline]
    fn packets(&mut self, bytes: &[u8], first: usize, place: Whereabouts) {
        let count = self.decoded.layers().len();
        for at in first..count {
            let Some(&layer) = self.decoded.layers().get(at) else { return };
            if layer.fragment.is_some() {
                self.fragment(bytes, layer, at, place);
                return;
            }
            self.packet(bytes, layer, place, at + 1 == count);
        }
    }

    /// Sends on one packet.
    #[inline]
    fn packet(&mut self, bytes: &[u8], layer: Layer, mut place: Whereabouts, innermost: bool) {
        let has_ports = layer.src_port != 0 || layer.dst_port != 0;
        if layer.truncated_header && layer.transport != Transport::Other && !has_ports {
            self.undecodable(AnomalyName::TransportTruncated, place);
            return;
        }
        let duplicate = place.marks.has(Marks::DUPLICATE);
        if !duplicate && self.checksums != Checksums::Ignore {
            let header = checksum::ip(bytes, &layer);
            if self.is_broken(header, bytes, &layer, place) {
                place.marks.set(Marks::BAD_CHECKSUM);
                if header == Checksum::Bad {
                    place.marks.set(Marks::BAD_IP_HEADER);
                }
                self.counters.bad_checksums += 1;
            }
        }
        if !innermost {
            place.marks.set(Marks::OUTER);
        }
        let mut to = self.dispatch.place(&layer, self.decoded.link.vlan);
        let workers = self.outbox.len();
        if layer.transport == Transport::Tcp && innermost && !place.marks.has(Marks::BAD_CHECKSUM) {
            let seen = self.announced.segment(&layer, layer.payload(bytes), &mut to, place.ts);
            for sighting in seen.sightings {
                if let Some(work) = self.outbox.get_mut(worker_of(sighting.shard, workers)) {
                    work.sightings.push((work.items.len() as u32, sighting));
                }
            }
            if seen.shed {
                self.stray.note(AnomalyName::TransfersShed, None, "", place.ts, place.number);
            }
        }
        let Some(work) = self.outbox.get_mut(worker_of(to.shard, workers)) else { return };
        let origin = work.origin(&self.decoded, &layer);
        if innermost && let Some(problem) = self.decoded.problem {
            work.problems.push((work.items.len() as u32, problem));
        }
        work.items.push(Item {
            layer,
            place: to,
            ts: place.ts,
            now: self.clock.judging(place.ts),
            number: place.number,
            offset: place.offset,
            length: place.length,
            origin,
            source: place.source,
            marks: place.marks,
        });
    }

    /// Whether a checksum, that of the IP header or the transport's, is wrong that the sender did not leave to its card.
    #[inline]
    fn is_broken(&mut self, header: Checksum, bytes: &[u8], layer: &Layer, place: Whereabouts) -> bool {
        let transport = checksum::transport(bytes, layer);
        let auto = self.checksums == Checksums::Auto;
        if header != Checksum::Bad && transport == Checksum::Good {
            if auto {
                self.offload.good(self.dispatch.host(&layer.src), place.ts);
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
        !self.offload.bad(self.dispatch.host(&layer.src), place.ts)
    }

    /// Takes in a fragment; if it completes its datagram, reads on in that.
    #[cold]
    fn fragment(&mut self, bytes: &[u8], layer: Layer, at: usize, place: Whereabouts) {
        self.counters.fragments += 1;
        if place.marks.has(Marks::DUPLICATE) {
            return;
        }
        let now = self.clock.now();
        let inserted = self.fragments.insert_at(&layer, bytes, place.ts, now, place.number);
        let mut problems = [None; 2];
        let detail = "fragments of one datagram";
        if inserted.overlap {
            problems[0] = Some(Problem { name: AnomalyName::FragmentOverlap, what: detail });
        }
        if inserted.conflict {
            problems[1] = Some(Problem { name: AnomalyName::FragmentConflict, what: detail });
        }
        self.give_up_fragments();
        match inserted.outcome {
            Outcome::Held => {}
            Outcome::Rejected(problem) => problems[0] = Some(problem),
            Outcome::Cut => {
                // It can never be made whole: what its first fragment shows is a packet of its flow.
                packet::resume_first_fragment(bytes, &mut self.decoded);
                if let Some(&read) = self.decoded.layers().get(at)
                    && !read.truncated_header
                    && read.fragment.is_some_and(|fragment| fragment.offset == 0)
                {
                    let whole = Layer { fragment: None, ..read };
                    self.packet(bytes, whole, place, true);
                }
            }
            Outcome::Complete(datagram) => {
                packet::resume(&mut self.decoded, &datagram);
                self.decoded.problem = self.decoded.problem.or(problems[1]).or(problems[0]);
                self.whole(&datagram.bytes, (datagram.ts, datagram.packet), at, place);
                self.fragments.recycle(datagram);
                return;
            }
        }
        for problem in problems.into_iter().flatten() {
            self.stray.note(problem.name, None, problem.what, place.ts, place.number);
        }
    }

    /// Sends on the packets of a datagram that was made whole, layer `from` and those in it. `begun` are time and number
    /// of its first fragment.
    fn whole(&mut self, bytes: &[u8], begun: (Nanoseconds, u64), from: usize, mut place: Whereabouts) {
        let workers = self.outbox.len();
        let layers: Vec<Layer> = self.decoded.layers().get(from..).unwrap_or_default().to_vec();
        let count = layers.len();
        for (at, layer) in layers.into_iter().enumerate() {
            if layer.fragment.is_some() {
                self.fragment(bytes, layer, from + at, place);
                return;
            }
            let to = self.dispatch.place(&layer, self.decoded.link.vlan);
            let Some(work) = self.outbox.get_mut(worker_of(to.shard, workers)) else { return };
            place.offset = work.datagrams.len() as u32;
            place.length = bytes.len() as u32;
            work.firsts.push((place.offset, begun.0, begun.1));
            work.datagrams.extend_from_slice(bytes);
            place.marks.set(Marks::DATAGRAM);
            self.packet(bytes, layer, place, at + 1 == count);
        }
    }

    fn give_up_fragments(&mut self) {
        while let Some(Incomplete { layer, ts, packet, fragments, shed }) = self.fragments.next_incomplete() {
            let name = if shed { AnomalyName::FragmentShed } else { AnomalyName::FragmentIncomplete };
            self.counters.fragments_shed += if shed { u64::from(layer.payload_captured) } else { 0 };
            self.stray.note(name, None, &format!("{fragments} fragments had come"), ts, packet);
        }
    }

    /// A frame without an IP packet.
    #[cold]
    fn no_packet(&mut self, link: LinkType, place: Whereabouts) {
        if let Some(problem) = self.decoded.problem {
            if problem.name == AnomalyName::UnknownLinkType {
                *self.counters.unknown_link_types.entry(link.0).or_default() += 1;
            }
            *self.counters.undecodable.entry(problem.what).or_default() += 1;
            self.stray.note(problem.name, None, problem.what, place.ts, place.number);
        } else if self.decoded.cut {
            *self.counters.undecodable.entry("cut by the snap length").or_default() += 1;
        } else {
            self.counters.not_ip += 1;
        }
    }

    #[cold]
    fn undecodable(&mut self, name: AnomalyName, place: Whereabouts) {
        let what = self.decoded.problem.map_or("cut by the snap length", |problem| problem.what);
        let name = self.decoded.problem.map_or(name, |problem| problem.name);
        *self.counters.undecodable.entry(what).or_default() += 1;
        if self.decoded.problem.is_some() {
            self.stray.note(name, None, what, place.ts, place.number);
        }
    }
}
