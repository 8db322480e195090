//! The front end: each frame is decoded once, judged, made whole from fragments, and sent to the worker of its flow.
//!
//! In a replay it runs in the reader's thread; what it decides (duplicates, checksums, fragments, ticks) then depends on
//! the order of packets alone, never on the number of workers.

mod announced;
mod delivery;
mod duplicates;
mod offload;

use std::collections::BTreeMap;
use std::sync::Arc;

use parsers::context::Anomalies;
use parsers::packet::fragments::{Fragments, Incomplete, Limits, Outcome};
use parsers::packet::{self, Decoded, Layer, Problem, fingerprint};
use schemas::anomaly::AnomalyName;
use schemas::envelope::Nanoseconds;

use crate::capture::{Block, Frame};
use crate::config::Config;
use crate::work::{FinalSlice, ItemPool, Marks, Work};
pub use announced::Sighting;
use delivery::{Delivery, Whereabouts};
use duplicates::Duplicates;

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
    keep_duplicates: bool,
    decoded: Decoded,
    fragments: Fragments,
    duplicates: Duplicates,
    items: ItemPool,
    delivery: Delivery,
}

impl Front {
    /// For a run with this configuration and seed.
    pub fn new(config: &Config, seed: u64) -> Self {
        let limits = Limits { bytes: config.limits.fragment_bytes as usize, ..Limits::default() };
        Self {
            keep_duplicates: config.keep_duplicates,
            decoded: Decoded::default(),
            fragments: Fragments::new(limits),
            duplicates: Duplicates::default(),
            items: ItemPool::new(SPARE_LISTS * config.workers.max(1)),
            delivery: Delivery::new(config, seed),
        }
    }

    /// The clock.
    pub fn now(&self) -> Nanoseconds {
        self.delivery.clock.now()
    }

    /// What was counted.
    pub fn counters(&self) -> &FrontCounters {
        &self.delivery.counters
    }

    /// What was wrong with frames that belong to no flow.
    pub fn stray(&self) -> &Anomalies {
        &self.delivery.stray
    }

    /// The same, for whoever adds to it or takes it.
    pub fn stray_mut(&mut self) -> &mut Anomalies {
        &mut self.delivery.stray
    }

    /// Begins a batch of frames that lie in `block`.
    pub fn begin(&mut self, block: &Arc<Block>) {
        for work in &mut self.delivery.outbox {
            work.block = Arc::clone(block);
        }
    }

    /// Ends the batch: hands out each worker's part. With `ends_epoch` every worker gets one.
    pub fn end(&mut self, ends_epoch: bool, mut hand_out: impl FnMut(usize, Work) -> bool) -> bool {
        let Delivery { clock, counters, outbox, .. } = &mut self.delivery;
        let (now, span) = (clock.now(), counters.span.unwrap_or_default());
        for (worker, work) in outbox.iter_mut().enumerate() {
            work.now = now;
            work.span = span;
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
        for work in &mut self.delivery.outbox {
            work.ends_slice = Some(slice);
        }
        self.end(true, hand_out)
    }

    /// Takes in one frame of the block given to [`Front::begin`].
    #[inline]
    pub fn frame(&mut self, block: &[u8], frame: &Frame, source: u16) {
        let start = frame.offset as usize;
        let bytes = block.get(start..start + frame.captured as usize).unwrap_or_default();
        if let Some(now) = self.delivery.begins(frame) {
            self.tick(now);
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
            self.delivery.no_packet(&self.decoded, frame.link, place);
            return;
        };
        if !self.keep_duplicates && self.duplicates.seen(fingerprint(bytes, outermost), frame.ts) {
            self.delivery.counters.duplicates += 1;
            place.marks.set(Marks::DUPLICATE);
        }
        self.packets(bytes, place);
    }

    /// Time has passed without a packet, up to `now`.
    pub fn pass(&mut self, now: Nanoseconds) {
        if let Some(now) = self.delivery.clock.pass(now) {
            self.tick(now);
        }
    }

    /// Takes over what may change while it runs.
    pub fn reconfigure(&mut self, config: &Config) {
        self.delivery.checksums = config.checksums;
        self.keep_duplicates = config.keep_duplicates;
    }

    /// Ends the run: what still waited for fragments is given up.
    pub fn finish(&mut self) {
        self.fragments.finish();
        self.give_up_fragments();
    }

    fn tick(&mut self, now: Nanoseconds) {
        self.delivery.tick(now);
        self.fragments.expire(now);
        self.give_up_fragments();
    }

    /// Sends on the packets that were decoded.
    #[inline]
    fn packets(&mut self, bytes: &[u8], place: Whereabouts) {
        let Self { decoded, delivery, .. } = self;
        let layers = decoded.layers();
        for (at, layer) in layers.iter().enumerate() {
            if layer.fragment.is_some() {
                let layer = *layer;
                self.fragment(bytes, layer, at, place);
                return;
            }
            delivery.packet(bytes, decoded, layer, place, at + 1 == layers.len());
        }
    }

    /// Takes in a fragment; if it completes its datagram, reads on in that.
    #[cold]
    fn fragment(&mut self, bytes: &[u8], layer: Layer, at: usize, place: Whereabouts) {
        self.delivery.counters.fragments += 1;
        if place.marks.has(Marks::DUPLICATE) {
            return;
        }
        let now = self.delivery.clock.now();
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
                    self.delivery.packet(bytes, &self.decoded, &whole, place, true);
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
            self.delivery.stray.note(problem.name, None, problem.what, place.ts, place.number);
        }
    }

    /// Sends on the packets of a datagram that was made whole, layer `from` and those in it. `begun` are time and number
    /// of its first fragment.
    fn whole(&mut self, bytes: &[u8], begun: (Nanoseconds, u64), from: usize, place: Whereabouts) {
        let layers: Vec<Layer> = self.decoded.layers().get(from..).unwrap_or_default().to_vec();
        let count = layers.len();
        for (at, layer) in layers.into_iter().enumerate() {
            if layer.fragment.is_some() {
                self.fragment(bytes, layer, from + at, place);
                return;
            }
            self.delivery.datagram(bytes, begun, &self.decoded, &layer, place, at + 1 == count);
        }
    }

    fn give_up_fragments(&mut self) {
        while let Some(Incomplete { layer, ts, packet, fragments, shed }) = self.fragments.next_incomplete() {
            let name = if shed { AnomalyName::FragmentShed } else { AnomalyName::FragmentIncomplete };
            self.delivery.counters.fragments_shed += if shed { u64::from(layer.payload_captured) } else { 0 };
            self.delivery.stray.note(name, None, &format!("{fragments} fragments had come"), ts, packet);
        }
    }
}
