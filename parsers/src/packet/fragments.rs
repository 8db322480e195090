//! Fragments of IP datagrams made whole (RFC 791 section 3.2, RFC 8200 section 4.5).
//!
//! The table is bounded in bytes, datagrams and fragments; when it is full the oldest datagram goes. A fragment costs a
//! search in an ordered map of datagrams and one in a sorted list of at most [`Limits::fragments`] ranges, whatever is
//! sent. Of bytes that come twice the first copy counts, as in Zeek; also in IPv6, where RFC 5722 asks hosts to drop the
//! datagram: the sensor shows it, and says that fragments overlapped.
//!
//! ```text
//! bytes    |  third  |   first    | second |      as they came, first copies only
//! pieces   (0, first) (1480, second) (2960, third) …     by place in the datagram, never overlapping
//! ```

use std::collections::{BTreeMap, VecDeque};

use schemas::anomaly::AnomalyName::FragmentMalformed;
use schemas::envelope::{AddressBytes, Nanoseconds};

use super::{Fragment, Layer, Problem};

/// Caps of a table.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Payload bytes held, with an estimate of what keeping them costs.
    pub bytes: usize,
    /// Datagrams held.
    pub datagrams: usize,
    /// Ranges of one datagram.
    pub fragments: usize,
    /// How long after its first fragment a datagram is given up.
    pub timeout: Nanoseconds,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: MAX_BYTES, datagrams: MAX_DATAGRAMS, fragments: MAX_FRAGMENTS, timeout: TIMEOUT }
    }
}

/// What Suricata grants its defragmentation by default.
pub const MAX_BYTES: usize = 32 << 20;

/// A second of a busy DNS server whose answers all come in two fragments, one of them lost.
pub const MAX_DATAGRAMS: usize = 16_384;

/// 64 KiB in the smallest fragments that IPv4 asks links to carry (68 bytes) are 1,366; no link of today is below 576.
pub const MAX_FRAGMENTS: usize = 1_024;

/// Linux waits 30 s for IPv4, RFC 8200 asks for 60 s: with the shorter one a sensor would miss what a host still takes.
pub const TIMEOUT: Nanoseconds = 60_000_000_000;

/// A datagram put together from its fragments.
#[derive(Clone, Debug)]
pub struct Datagram {
    /// The payload of the IP header (of IPv6, what follows the fragment header).
    pub bytes: Vec<u8>,
    /// The fragment with offset 0.
    pub layer: Layer,
    /// What the payload begins with.
    pub protocol: u8,
    /// Length of the whole packet, as if it had not been fragmented.
    pub ip_length: u32,
    /// Time of the fragment that came first.
    pub ts: Nanoseconds,
    /// Number of that fragment's packet.
    pub packet: u64,
    /// How many fragments it came in.
    pub fragments: u32,
}

/// A datagram that was given up.
#[derive(Clone, Copy, Debug)]
pub struct Incomplete {
    /// The fragment that came first.
    pub layer: Layer,
    /// Its time.
    pub ts: Nanoseconds,
    /// Its packet's number.
    pub packet: u64,
    /// How many fragments had come.
    pub fragments: u32,
    /// Whether it had to go because the table was full, not because its time was over.
    pub shed: bool,
}

/// What became of a fragment.
#[derive(Debug)]
pub enum Outcome {
    /// It waits for others.
    Held,
    /// It was the last that was missing.
    Complete(Datagram),
    /// It cannot be a fragment of any datagram, or not of this one; it was not taken.
    Rejected(Problem),
    /// It is not all there, so that its datagram cannot be made whole; it was not taken.
    Cut,
}

/// What became of a fragment, and whether it met others.
#[derive(Debug)]
pub struct Inserted {
    /// What became of it.
    pub outcome: Outcome,
    /// Some of its bytes had come before.
    pub overlap: bool,
    /// Some of those were different.
    pub conflict: bool,
}

/// Sums over the life of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Fragments shown.
    pub fragments: u64,
    /// Datagrams made whole.
    pub completed: u64,
    /// Datagrams given up as their time was over.
    pub timed_out: u64,
    /// Datagrams given up as the table was full.
    pub shed: u64,
    /// Fragments not taken as malformed.
    pub rejected: u64,
    /// Fragments not taken as not all there.
    pub cut: u64,
}

/// The fragments that wait for others.
#[derive(Debug)]
pub struct Fragments {
    limits: Limits,
    datagrams: BTreeMap<Key, Pending>,
    /// Keys by age.
    ages: BTreeMap<u64, Key>,
    next_age: u64,
    /// Held by `datagrams`, in bytes, by the measure of [`Limits::bytes`].
    held: usize,
    incomplete: VecDeque<Incomplete>,
    /// Buffers to be used again.
    spare: Vec<Vec<u8>>,
    counters: Counters,
}

impl Default for Fragments {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Fragments {
    /// An empty table.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            datagrams: BTreeMap::new(),
            ages: BTreeMap::new(),
            next_age: 0,
            held: 0,
            incomplete: VecDeque::new(),
            spare: Vec::new(),
            counters: Counters::default(),
        }
    }

    /// Takes a fragment. `layer` has [`Layer::fragment`] set and was decoded from `frame`; `now` is the packet's time.
    pub fn insert(&mut self, layer: &Layer, frame: &[u8], now: Nanoseconds, packet: u64) -> Inserted {
        self.insert_at(layer, frame, now, now, packet)
    }

    /// As [`Fragments::insert`], for a packet whose time `ts` need not be that of the clock `now`: time-outs go by the
    /// clock, so that a broken time stamp does not give up every datagram.
    pub fn insert_at(
        &mut self,
        layer: &Layer,
        frame: &[u8],
        ts: Nanoseconds,
        now: Nanoseconds,
        packet: u64,
    ) -> Inserted {
        self.expire(now);
        self.counters.fragments += 1;
        let alone = |outcome| Inserted { outcome, overlap: false, conflict: false };
        let Some(fragment) = layer.fragment else {
            return alone(self.reject("not a fragment"));
        };
        if layer.payload_captured != layer.payload_length {
            self.counters.cut += 1;
            return alone(Outcome::Cut);
        }
        let bytes = layer.payload(frame);
        let end = u32::from(fragment.offset) + bytes.len() as u32;
        if bytes.is_empty() {
            return alone(self.reject("fragment without payload"));
        }
        if fragment.more && !bytes.len().is_multiple_of(8) {
            return alone(self.reject("fragment length"));
        }
        if end + header_length(layer) > MAX_LENGTH {
            return alone(self.reject("fragment beyond the longest datagram"));
        }
        let key = Key::new(layer, fragment);
        if !self.datagrams.contains_key(&key) {
            self.start(key, layer, [ts, now], packet);
        }
        let Some(pending) = self.datagrams.get_mut(&key) else { return alone(Outcome::Held) };
        let before = pending.cost();
        let added = pending.add(layer, fragment, bytes, end, self.limits.fragments);
        let complete = pending.is_complete();
        self.held = self.held + pending.cost() - before;
        match added {
            Err(what) => alone(self.reject(what)),
            Ok(Overlap { overlap, conflict }) => {
                let outcome = if complete { self.complete(key) } else { Outcome::Held };
                while self.held > self.limits.bytes && self.shed_oldest() {}
                Inserted { outcome, overlap, conflict }
            }
        }
    }

    /// Gives up what has waited too long. [`Fragments::insert`] does so by itself.
    pub fn expire(&mut self, now: Nanoseconds) {
        while let Some((&age, &key)) = self.ages.first_key_value() {
            // The clock may have been set back since.
            let over =
                |pending: &Pending| !(0..=self.limits.timeout).contains(&now.saturating_sub(pending.since));
            if self.datagrams.get(&key).is_some_and(|pending| !over(pending)) {
                return;
            }
            self.ages.remove(&age);
            self.counters.timed_out += 1;
            self.give_up(key, false);
        }
    }

    /// Gives up everything: the capture is over.
    pub fn finish(&mut self) {
        self.expire(Nanoseconds::MAX);
    }

    /// A datagram that was given up since the last call. To be called until there is none after each
    /// [`Fragments::insert`], [`Fragments::expire`] and [`Fragments::finish`]; at most [`MAX_INCOMPLETE`] are kept.
    pub fn next_incomplete(&mut self) -> Option<Incomplete> {
        self.incomplete.pop_front()
    }

    /// Takes back the buffer of a datagram that is dealt with.
    pub fn recycle(&mut self, datagram: Datagram) {
        self.keep(datagram.bytes);
    }

    /// Sums so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Datagrams that wait for fragments.
    pub fn len(&self) -> usize {
        self.datagrams.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    /// Bytes held, by the measure of [`Limits::bytes`].
    pub fn held(&self) -> usize {
        self.held
    }

    /// Counts a fragment that is not taken.
    fn reject(&mut self, what: &'static str) -> Outcome {
        self.counters.rejected += 1;
        Outcome::Rejected(Problem { name: FragmentMalformed, what })
    }

    /// Makes room for a datagram and its entry.
    fn start(&mut self, key: Key, layer: &Layer, [ts, since]: [Nanoseconds; 2], packet: u64) {
        while self.datagrams.len() >= self.limits.datagrams && self.shed_oldest() {}
        let pending = Pending {
            first: *layer,
            ts,
            packet,
            since,
            age: self.next_age,
            total: None,
            bytes: self.spare.pop().unwrap_or_default(),
            pieces: Vec::new(),
            fragments: 0,
            head: None,
        };
        self.ages.insert(self.next_age, key);
        self.next_age += 1;
        self.held += pending.cost();
        self.datagrams.insert(key, pending);
    }

    /// Takes a complete datagram out.
    fn complete(&mut self, key: Key) -> Outcome {
        let Some(pending) = self.datagrams.remove(&key) else { return Outcome::Held };
        self.ages.remove(&pending.age);
        self.held -= pending.cost();
        self.counters.completed += 1;
        let mut bytes = self.spare.pop().unwrap_or_default();
        for piece in &pending.pieces {
            bytes.extend_from_slice(piece.of(&pending.bytes));
        }
        let layer = pending.head.unwrap_or(pending.first);
        let datagram = Datagram {
            ip_length: header_length(&layer) + bytes.len() as u32,
            bytes,
            protocol: layer.protocol,
            layer,
            ts: pending.ts,
            packet: pending.packet,
            fragments: pending.fragments,
        };
        self.keep(pending.bytes);
        Outcome::Complete(datagram)
    }

    /// Gives up the oldest datagram; false if there is none.
    fn shed_oldest(&mut self) -> bool {
        let Some((_, key)) = self.ages.pop_first() else { return false };
        self.counters.shed += 1;
        self.give_up(key, true);
        true
    }

    /// Drops a datagram whose age is already forgotten.
    fn give_up(&mut self, key: Key, shed: bool) {
        let Some(pending) = self.datagrams.remove(&key) else { return };
        self.held -= pending.cost();
        if self.incomplete.len() >= MAX_INCOMPLETE {
            self.incomplete.pop_front();
        }
        self.incomplete.push_back(Incomplete {
            layer: pending.first,
            ts: pending.ts,
            packet: pending.packet,
            fragments: pending.fragments,
            shed,
        });
        self.keep(pending.bytes);
    }

    /// Keeps a buffer for later.
    fn keep(&mut self, mut bytes: Vec<u8>) {
        if self.spare.len() < MAX_SPARE && bytes.capacity() > 0 {
            bytes.clear();
            self.spare.push(bytes);
        }
    }
}

/// What fragments of one datagram have in common. The protocol belongs to it in IPv4 only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    id: u32,
    protocol: Option<u8>,
    context: u64,
    src: AddressBytes,
    dst: AddressBytes,
}

impl Key {
    fn new(layer: &Layer, fragment: Fragment) -> Self {
        Self {
            id: fragment.id,
            protocol: (!layer.ipv6).then_some(layer.protocol),
            context: layer.context,
            src: layer.src,
            dst: layer.dst,
        }
    }
}

/// A datagram that is not whole yet.
#[derive(Debug)]
struct Pending {
    /// The fragment that came first, its time and number.
    first: Layer,
    ts: Nanoseconds,
    packet: u64,
    /// The clock at that time.
    since: Nanoseconds,
    /// Its place in the order of ages.
    age: u64,
    /// Length, once the last fragment is there.
    total: Option<u32>,
    bytes: Vec<u8>,
    pieces: Vec<Piece>,
    fragments: u32,
    /// The fragment with offset 0.
    head: Option<Layer>,
}

/// A range of a datagram, and where its bytes are kept.
#[derive(Clone, Copy, Debug)]
struct Piece {
    start: u32,
    end: u32,
    at: u32,
}

impl Piece {
    /// Its bytes.
    fn of(self, bytes: &[u8]) -> &[u8] {
        let at = self.at as usize;
        bytes.get(at..at + (self.end - self.start) as usize).unwrap_or_default()
    }
}

/// How a fragment met those before it.
struct Overlap {
    overlap: bool,
    conflict: bool,
}

impl Pending {
    /// What it costs to keep, by the measure of [`Limits::bytes`].
    fn cost(&self) -> usize {
        PER_DATAGRAM + self.bytes.len() + self.pieces.len() * size_of::<Piece>()
    }

    /// Whether there is neither a hole nor an end missing.
    fn is_complete(&self) -> bool {
        // Pieces do not overlap and none goes beyond the total.
        self.head.is_some() && self.total.is_some_and(|total| self.bytes.len() == total as usize)
    }

    /// Takes what is new of a fragment that ends at `end`; `limit` is how many ranges there may be.
    fn add(
        &mut self,
        layer: &Layer,
        fragment: Fragment,
        new: &[u8],
        end: u32,
        limit: usize,
    ) -> Result<Overlap, &'static str> {
        let last = self.pieces.last().map_or(0, |piece| piece.end);
        match self.total {
            Some(total) if end > total || (!fragment.more && end != total) => {
                return Err("fragment beyond the last one");
            }
            None if !fragment.more && end < last => return Err("last fragment before another"),
            _ => {}
        }
        let start = u32::from(fragment.offset);
        let from = self.pieces.partition_point(|piece| piece.end <= start);
        let to =
            from + self.pieces.get(from..).map_or(0, |rest| rest.partition_point(|piece| piece.start < end));
        let met = self.pieces.get(from..to).unwrap_or_default();
        // A fragment that meets n pieces may fill a hole before, between and behind them.
        if self.pieces.len() + met.len() + 1 > limit {
            return Err("too many fragments");
        }
        let mut result = Overlap { overlap: false, conflict: false };
        let part =
            |from: u32, to: u32| new.get((from - start) as usize..(to - start) as usize).unwrap_or_default();
        let mut merged = Vec::with_capacity(met.len() + 1);
        let mut cursor = start;
        let mut at = self.bytes.len() as u32;
        for &piece in met {
            if cursor < piece.start {
                merged.push(Piece { start: cursor, end: piece.start, at });
                at += piece.start - cursor;
            }
            let (from, to) = (piece.start.max(start), piece.end.min(end));
            let old = piece.of(&self.bytes);
            let old = old.get((from - piece.start) as usize..(to - piece.start) as usize);
            result.overlap = true;
            result.conflict |= old != Some(part(from, to));
            merged.push(piece);
            cursor = cursor.max(piece.end);
        }
        if cursor < end {
            merged.push(Piece { start: cursor, end, at });
        }
        let kept = self.bytes.len() as u32;
        for piece in merged.iter().filter(|piece| piece.at >= kept) {
            self.bytes.extend_from_slice(part(piece.start, piece.end));
        }
        self.pieces.splice(from..to, merged);
        self.fragments += 1;
        if !fragment.more {
            self.total = Some(end);
        }
        if fragment.offset == 0 && self.head.is_none() {
            self.head = Some(*layer);
        }
        Ok(result)
    }
}

/// Length of the header that the whole datagram would have: without IPv6's fragment header.
fn header_length(layer: &Layer) -> u32 {
    let length = layer.payload_offset.saturating_sub(layer.ip_offset);
    if layer.ipv6 { length.saturating_sub(8) } else { length }
}

/// No datagram is longer.
const MAX_LENGTH: u32 = 65_535;

/// Entry, key and nodes of the maps.
const PER_DATAGRAM: usize = 640;

/// Datagrams given up that are kept for the caller to ask for.
pub const MAX_INCOMPLETE: usize = 4_096;

/// Buffers kept to be used again.
const MAX_SPARE: usize = 32;

#[cfg(test)]
mod tests;
