//! Connections that are announced on another one. A flow is followed where its pair of hosts is; one that is made between
//! other hosts than those that announced it (NAT, transfers between two servers) is sent to the shard of these, so that both
//! meet. Decided here, in the order of packets, from what the first bytes of segments say.

use std::collections::BTreeMap;
use std::hash::BuildHasherDefault;

use hashbrown::HashMap;
use parsers::identity::{self, Origin};
use parsers::packet::Layer;
use parsers::transfers::{Listener, named};
use schemas::envelope::{Envelope, Nanoseconds};
use smallvec::SmallVec;

use crate::dispatch::Place;
use crate::flow::segment::flags;

/// A connection is made within a minute, or not at all.
const AWAITED: Nanoseconds = 60 * 1_000_000_000;

/// Most listeners that are waited for.
const MAX_AWAITED: usize = 1 << 14;

/// Most connections that are followed in another shard than that of their hosts.
const MAX_BOUND: usize = 1 << 16;

/// Most shards that one listener is announced in: two, where two servers are told of one another.
const MAX_SHARDS: usize = 4;

/// What is announced and what came of it.
#[derive(Debug)]
pub(super) struct Announced {
    awaited: BTreeMap<Listener, Awaited>,
    /// By the hash of the flow's key. That is a good one already.
    bound: HashMap<u64, Bound, BuildHasherDefault<AsItIs>>,
    /// A flow that was silent for so long is over.
    idle: Nanoseconds,
}

#[derive(Debug)]
struct Awaited {
    /// The same connection under the other address that it may be made to.
    other: Listener,
    /// Where it was announced.
    shards: SmallVec<[u8; MAX_SHARDS]>,
    since: Nanoseconds,
}

#[derive(Clone, Copy, Debug)]
struct Bound {
    shard: u8,
    last: Nanoseconds,
}

/// A connection was made that others wait for than those who get its packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The shard in which it was announced.
    pub shard: u8,
    /// Under which address.
    pub listener: Listener,
    /// The flow.
    pub uid: u128,
}

impl Announced {
    /// `idle`: how long a flow of TCP may be silent.
    pub(super) fn new(idle: Nanoseconds) -> Self {
        Self { awaited: BTreeMap::new(), bound: HashMap::default(), idle }
    }

    /// Takes in a TCP segment that is to be read, and settles its shard. Returns others that are to hear of it.
    #[inline]
    pub(super) fn segment(
        &mut self,
        layer: &Layer,
        payload: &[u8],
        place: &mut Place,
        ts: Nanoseconds,
    ) -> Seen {
        if !self.bound.is_empty()
            && let Some(bound) = self.bound.get_mut(&place.hash)
        {
            bound.last = ts;
            place.shard = bound.shard;
        }
        let mut seen = Seen::default();
        if !self.awaited.is_empty() && layer.flags & (flags::SYN | flags::ACK) == flags::SYN {
            self.begins(layer, place, ts, &mut seen);
        }
        if named::may_begin(payload) {
            self.announce(layer, payload, place, ts, &mut seen);
        }
        seen
    }

    /// Lets go of what is over.
    pub(super) fn expire(&mut self, now: Nanoseconds) {
        if !self.awaited.is_empty() {
            self.awaited.retain(|_, awaited| now.saturating_sub(awaited.since) < AWAITED);
        }
        if !self.bound.is_empty() {
            self.bound.retain(|_, bound| now.saturating_sub(bound.last) < self.idle);
        }
    }

    #[cold]
    fn begins(&mut self, layer: &Layer, place: &mut Place, ts: Nanoseconds, seen: &mut Seen) {
        let listener = Listener { network: place.context, address: layer.dst, port: layer.dst_port };
        let Some(awaited) = self.awaited.remove(&listener) else { return };
        self.awaited.remove(&awaited.other);
        let natural = place.shard;
        if !awaited.shards.contains(&natural) {
            if self.bound.len() >= MAX_BOUND {
                seen.shed = true;
            } else if let Some(&shard) = awaited.shards.first() {
                place.shard = shard;
                self.bound.insert(place.hash, Bound { shard, last: ts });
            }
        }
        if awaited.shards.iter().all(|shard| *shard == place.shard) {
            return;
        }
        let envelope = Envelope {
            ts,
            src: layer.src,
            dst: layer.dst,
            src_port: layer.src_port,
            dst_port: layer.dst_port,
            protocol: layer.protocol,
            ipv6: layer.ipv6,
            ..Envelope::default()
        };
        let origin = Origin { context: place.context, tie_break: 0, responder_is_low: !place.from_low };
        let uid = identity::uid(&envelope, &origin);
        let others = awaited.shards.iter().filter(|shard| **shard != place.shard);
        seen.sightings = others.map(|&shard| Sighting { shard, listener, uid }).collect();
    }

    #[cold]
    fn announce(&mut self, layer: &Layer, payload: &[u8], place: &Place, ts: Nanoseconds, seen: &mut Seen) {
        for named in named::within(payload) {
            // Either way the sender of the line is the one that listens.
            let address = named.address.map_or(layer.src, |(address, _)| address);
            let listener = Listener { network: place.context, address, port: named.port };
            let own = Listener { address: layer.src, ..listener };
            for (listener, other) in [(listener, own), (own, listener)] {
                if self.awaited.len() >= MAX_AWAITED && !self.awaited.contains_key(&listener) {
                    seen.shed = true;
                    continue;
                }
                let awaited = self.awaited.entry(listener).or_insert_with(|| Awaited {
                    other,
                    shards: SmallVec::new(),
                    since: ts,
                });
                (awaited.other, awaited.since) = (other, ts);
                if !awaited.shards.contains(&place.shard) && awaited.shards.len() < MAX_SHARDS {
                    awaited.shards.push(place.shard);
                }
            }
        }
    }
}

/// What follows from a segment besides its shard.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Others that are to hear of it.
    pub(super) sightings: SmallVec<[Sighting; MAX_SHARDS]>,
    /// There was no room to remember something.
    pub(super) shed: bool,
}

/// Leaves a hash as it is.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl std::hash::Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0 << 8 | u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}
