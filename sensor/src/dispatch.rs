//! Which flow, shard and worker a packet belongs to: pure functions of its headers and the seed of the run.
//!
//! The shard comes from the pair of hosts, not from the ports, so that fragments, FTP's data connections and all flows of
//! two hosts meet in one place.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use parsers::packet::{Layer, Transport, icmp};

use crate::flow::table::SHARDS;

/// The seed of every replay: the same capture gives the same shards, hashes and evictions.
pub const REPLAY_SEED: u64 = 0x5370_616e_6c61_6b65;

/// Marks the key of an ICMP message that is never answered by another type: each direction is a flow of its own.
const ONE_WAY: u64 = 1 << 63;

/// Where a packet goes. With the packet's endpoints, `context`, `dst_port` and `vlan` are the key of its flow.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Hash of the key: of the unordered endpoints, the transport, and the innermost network identifier.
    pub hash: u64,
    /// Innermost VNI or GRE key with its kind, 0 for none; for ICMP with the mark of messages that have no answer.
    pub context: u64,
    /// Port of the receiver; for ICMP what stands for it.
    pub dst_port: u16,
    /// VLAN id where it belongs to the key; else 0.
    pub vlan: u16,
    /// Shard of the host pair.
    pub shard: u8,
    /// Whether the sender is the smaller of the two endpoints.
    pub from_low: bool,
}

impl Place {
    /// Of no packet.
    pub(crate) const EMPTY: Self =
        Self { hash: 0, context: 0, dst_port: 0, vlan: 0, shard: 0, from_low: false };
}

/// Computes places with the seed of a run.
#[derive(Clone, Debug)]
pub struct Dispatch {
    state: FixedState,
    vlan_in_key: bool,
}

impl Dispatch {
    /// With the seed of a run, and VLAN ids in keys or not.
    pub fn new(seed: u64, vlan_in_key: bool) -> Self {
        Self { state: FixedState::with_seed(seed), vlan_in_key }
    }

    /// The place of a packet.
    #[inline]
    pub fn place(&self, layer: &Layer, vlan: Option<u16>) -> Place {
        let (mut context, dst_port) = match layer.transport {
            Transport::Icmp | Transport::Icmpv6 => icmp_ports(layer),
            _ => (layer.context, layer.dst_port),
        };
        // As numbers, which are compared at once, they have the order of their bytes.
        let (src, dst) = (u128::from_be_bytes(layer.src), u128::from_be_bytes(layer.dst));
        let from_low = src < dst || src == dst && layer.src_port <= dst_port;
        let (low, high) = if from_low { (layer.src_port, dst_port) } else { (dst_port, layer.src_port) };
        if context & ONE_WAY != 0 && !from_low {
            context |= 1 << 62;
        }
        let vlan = if self.vlan_in_key { vlan.unwrap_or(0) } else { 0 };
        let mut hasher = self.state.build_hasher();
        for host in if src <= dst { [src, dst] } else { [dst, src] } {
            let host = host.swap_bytes();
            hasher.write_u64(host as u64);
            hasher.write_u64((host >> 64) as u64);
        }
        let shard = (hasher.finish() >> 56) as u8;
        let ports = u64::from(low) << 48 | u64::from(high) << 32;
        hasher.write_u64(ports | u64::from(vlan) << 16 | u64::from(layer.protocol) << 8 | 1);
        hasher.write_u64(context);
        Place { hash: hasher.finish(), context, dst_port, vlan, shard, from_low }
    }

    /// A hash of one address.
    #[inline]
    pub fn host(&self, address: &[u8; 16]) -> u64 {
        let address = u128::from_le_bytes(*address);
        let mut hasher = self.state.build_hasher();
        hasher.write_u64(address as u64);
        hasher.write_u64((address >> 64) as u64);
        hasher.finish()
    }
}

/// The worker of a shard.
#[inline]
pub fn worker_of(shard: u8, workers: usize) -> usize {
    const { assert!(SHARDS == 256, "a shard is a byte") };
    usize::from(shard) % workers.max(1)
}

/// What stands for the responder's port of an ICMP message: the type that answers it, else its code.
pub fn icmp_ports(layer: &Layer) -> (u64, u16) {
    match icmp::counterpart(layer.ipv6, layer.src_port as u8) {
        Some(answer) => (layer.context, u16::from(answer)),
        None => (layer.context | ONE_WAY, layer.dst_port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parsers::packet::{Decoded, LinkType, decode};

    /// A raw IPv4 UDP packet between two hosts.
    fn packet(src: u8, src_port: u16, dst: u8, dst_port: u16) -> Layer {
        let mut bytes = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, src, 10, 0, 0, dst];
        bytes.extend_from_slice(&src_port.to_be_bytes());
        bytes.extend_from_slice(&dst_port.to_be_bytes());
        bytes.extend_from_slice(&[0, 8, 0, 0]);
        let mut decoded = Decoded::default();
        decode(LinkType::RAW, &bytes, 28, &mut decoded);
        decoded.layers()[0]
    }

    #[test]
    fn both_directions_are_one_flow() {
        let dispatch = Dispatch::new(REPLAY_SEED, false);
        let there = dispatch.place(&packet(1, 1000, 2, 53), None);
        let back = dispatch.place(&packet(2, 53, 1, 1000), None);
        assert_eq!((there.hash, there.shard), (back.hash, back.shard));
        assert_ne!(there.from_low, back.from_low);
    }

    #[test]
    fn all_flows_of_two_hosts_share_a_shard_and_not_a_hash() {
        let dispatch = Dispatch::new(REPLAY_SEED, false);
        let one = dispatch.place(&packet(1, 1000, 2, 53), None);
        let other = dispatch.place(&packet(2, 999, 1, 21), None);
        assert_eq!(one.shard, other.shard);
        assert_ne!(one.hash, other.hash);
    }

    #[test]
    fn vlan_belongs_to_the_key_only_where_asked_for() {
        let layer = packet(1, 1000, 2, 53);
        let without = Dispatch::new(REPLAY_SEED, false);
        assert_eq!(without.place(&layer, Some(7)).hash, without.place(&layer, None).hash);
        let with = Dispatch::new(REPLAY_SEED, true);
        assert_ne!(with.place(&layer, Some(7)).hash, with.place(&layer, None).hash);
    }
}
