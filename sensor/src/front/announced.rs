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
                if awaited.shards.contains(&place.shard) {
                    continue;
                }
                if awaited.shards.len() < MAX_SHARDS {
                    awaited.shards.push(place.shard);
                } else {
                    seen.shed = true;
                }
            }
        }
    }
}

/// What follows from a segment besides its shard.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Others that are to hear of it.
    pub(super) sightings: Vec<Sighting>,
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

#[cfg(test)]
mod tests {
    use parsers::packet::{Decoded, LinkType, decode};

    use super::*;
    use crate::dispatch::{Dispatch, REPLAY_SEED};

    const SECOND: Nanoseconds = 1_000_000_000;
    const SYN: u8 = flags::SYN;
    const ACK: u8 = flags::ACK;

    /// Hosts whose pairs lie in different shards.
    const CLIENT: u8 = 1;
    const SERVER: u8 = 2;
    const OTHER: u8 = 3;

    struct Run {
        dispatch: Dispatch,
        announced: Announced,
        now: Nanoseconds,
    }

    impl Run {
        fn new() -> Self {
            Self {
                dispatch: Dispatch::new(REPLAY_SEED, false),
                announced: Announced::new(300 * SECOND),
                now: 0,
            }
        }

        /// Takes in a segment between hosts and ports: the shard it goes to, and the sightings.
        fn segment(
            &mut self,
            (src, src_port): (u8, u16),
            (dst, dst_port): (u8, u16),
            flags: u8,
            payload: &[u8],
        ) -> (u8, Vec<Sighting>) {
            let mut bytes = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, src, 10, 0, 0, dst];
            for port in [src_port, dst_port] {
                bytes.extend_from_slice(&port.to_be_bytes());
            }
            bytes.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 0, 0, 0, 0, 0, 0]);
            bytes.extend_from_slice(payload);
            bytes[3] = bytes.len() as u8;
            let mut decoded = Decoded::default();
            decode(LinkType::RAW, &bytes, bytes.len() as u32, &mut decoded);
            let layer = decoded.layers()[0];
            let mut place = self.dispatch.place(&layer, None);
            let seen = self.announced.segment(&layer, layer.payload(&bytes), &mut place, self.now);
            (place.shard, seen.sightings.to_vec())
        }

        /// The shard of a pair of hosts.
        fn shard(&mut self, one: u8, other: u8) -> u8 {
            self.segment((one, 1), (other, 1), ACK, b"").0
        }
    }

    #[test]
    fn what_is_made_between_other_hosts_goes_where_it_was_announced() {
        let mut run = Run::new();
        let (control, natural) = (run.shard(CLIENT, SERVER), run.shard(CLIENT, OTHER));
        assert_ne!(control, natural, "a test that could not fail");
        run.segment((SERVER, 21), (CLIENT, 40_000), ACK, b"227 Passive (10,0,0,3,19,137)\r\n");
        assert_eq!(run.segment((CLIENT, 40_001), (OTHER, 5002), SYN, b"").0, natural);
        assert_eq!(run.segment((CLIENT, 40_001), (OTHER, 5001), SYN, b""), (control, vec![]));
        assert_eq!(run.segment((OTHER, 5001), (CLIENT, 40_001), SYN | ACK, b"").0, control);
        assert_eq!(run.segment((OTHER, 5001), (CLIENT, 40_001), ACK, b"content").0, control);
        // One announcement is one connection.
        assert_eq!(run.segment((CLIENT, 40_002), (OTHER, 5001), SYN, b"").0, natural);
    }

    #[test]
    fn a_flow_that_lives_already_is_left_where_it_is() {
        let mut run = Run::new();
        let natural = run.shard(CLIENT, OTHER);
        run.segment((CLIENT, 40_000), (SERVER, 21), ACK, b"PORT 10,0,0,3,0,80\r\n");
        assert_eq!(run.segment((CLIENT, 40_001), (OTHER, 80), ACK, b"GET /").0, natural);
    }

    #[test]
    fn both_control_connections_of_a_transfer_between_servers_hear_of_it() {
        let mut run = Run::new();
        let (first, second) = (run.shard(CLIENT, SERVER), run.shard(CLIENT, OTHER));
        run.segment((SERVER, 21), (CLIENT, 40_000), ACK, b"227 Passive (10,0,0,2,19,137)\r\n");
        run.segment((CLIENT, 40_001), (OTHER, 21), ACK, b"PORT 10,0,0,2,19,137\r\n");
        let (shard, sightings) = run.segment((OTHER, 20), (SERVER, 5001), SYN, b"");
        assert_eq!(shard, first);
        let shards: Vec<_> = sightings.iter().map(|sighting| sighting.shard).collect();
        assert_eq!(shards, [second]);
        assert_eq!(sightings[0].listener.port, 5001);
        assert_ne!(sightings[0].uid, 0);
    }

    #[test]
    fn between_the_hosts_that_announced_it_nothing_is_changed() {
        let mut run = Run::new();
        let natural = run.shard(CLIENT, SERVER);
        run.segment((SERVER, 21), (CLIENT, 40_000), ACK, b"229 Extended Passive Mode (|||5001|)\r\n");
        assert_eq!(run.segment((CLIENT, 40_001), (SERVER, 5001), SYN, b""), (natural, vec![]));
        assert!(run.announced.bound.is_empty() && run.announced.awaited.is_empty());
    }

    #[test]
    fn what_nobody_makes_is_forgotten_and_so_is_what_is_over() {
        let mut run = Run::new();
        let (control, natural) = (run.shard(CLIENT, SERVER), run.shard(CLIENT, OTHER));
        let line = b"227 Passive (10,0,0,3,19,137)\r\n";
        run.segment((SERVER, 21), (CLIENT, 40_000), ACK, line);
        run.announced.expire(59 * SECOND);
        assert_eq!(run.segment((CLIENT, 40_001), (OTHER, 5001), SYN, b"").0, control);
        run.announced.expire(299 * SECOND);
        assert_eq!(run.segment((CLIENT, 40_001), (OTHER, 5001), ACK, b"").0, control);
        run.announced.expire(300 * SECOND);
        assert_eq!(run.segment((CLIENT, 40_001), (OTHER, 5001), ACK, b"").0, natural);
        run.segment((SERVER, 21), (CLIENT, 40_000), ACK, line);
        run.announced.expire(60 * SECOND);
        assert_eq!(run.segment((CLIENT, 40_001), (OTHER, 5001), SYN, b"").0, natural);
    }

    #[test]
    fn a_million_announcements_take_bounded_memory() {
        let mut run = Run::new();
        for at in 0..100_000 {
            let line = format!("PORT 10,0,{},{},{},{}\r\n", at >> 16, at >> 8 & 255, at & 255, 1);
            run.segment((CLIENT, 40_000), (SERVER, 21), ACK, line.as_bytes());
        }
        assert_eq!(run.announced.awaited.len(), MAX_AWAITED);
    }
}
