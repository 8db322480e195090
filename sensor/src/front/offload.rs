//! Wrong checksums: broken packets, or a host that leaves them to its network card?
//!
//! A capture taken on a host shows what it sends before the card has filled in the checksums. Such a host sends wrong
//! ones only; a line that breaks packets leaves most of them right.

use schemas::envelope::{AddressBytes, Nanoseconds};

/// Hosts remembered. A host that lost its place is judged anew, by default as one that offloads.
const PLACES: usize = 1 << 12;

/// The judgement looks back over this much packet time, and half of the counts are forgotten each time it has passed.
const WINDOW: Nanoseconds = 10_000_000_000;

/// What a host sent lately.
#[derive(Clone, Copy, Debug, Default)]
struct Host {
    address: AddressBytes,
    good: u32,
    bad: u32,
    halved: Nanoseconds,
}

/// Judges wrong checksums by the host that sent them.
#[derive(Debug)]
pub(super) struct Offload {
    hosts: Vec<Host>,
}

impl Default for Offload {
    fn default() -> Self {
        Self { hosts: vec![Host::default(); PLACES] }
    }
}

impl Offload {
    /// Takes note of a right checksum. `hash` is one of the address.
    #[inline]
    pub(super) fn good(&mut self, address: AddressBytes, hash: u64, ts: Nanoseconds) {
        if let Some(host) = self.host(address, hash, ts) {
            host.good = host.good.saturating_add(1);
        }
    }

    /// Takes note of a wrong checksum, and says whether the packet is one of a host that offloads: it has sent no right
    /// one lately, or far fewer than wrong ones.
    pub(super) fn bad(&mut self, address: AddressBytes, hash: u64, ts: Nanoseconds) -> bool {
        let Some(host) = self.host(address, hash, ts) else { return false };
        host.bad = host.bad.saturating_add(1);
        host.good.saturating_mul(4) < host.bad
    }

    #[inline]
    fn host(&mut self, address: AddressBytes, hash: u64, ts: Nanoseconds) -> Option<&mut Host> {
        let host = self.hosts.get_mut(hash as usize % PLACES)?;
        if host.address != address {
            *host = Host { address, halved: ts, ..Host::default() };
        } else if ts.saturating_sub(host.halved) > WINDOW {
            host.good /= 2;
            host.bad /= 2;
            host.halved = ts;
        }
        Some(host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: AddressBytes = [1; 16];

    #[test]
    fn a_host_that_sends_only_wrong_ones_offloads_from_its_first_packet_on() {
        let mut offload = Offload::default();
        for packet in 0..100 {
            assert!(offload.bad(HOST, 9, packet));
        }
    }

    #[test]
    fn a_broken_packet_among_good_ones_is_broken() {
        let mut offload = Offload::default();
        offload.good(HOST, 9, 0);
        assert!(!offload.bad(HOST, 9, 1));
        for packet in 2..100 {
            offload.good(HOST, 9, packet);
        }
        assert!(!offload.bad(HOST, 9, 100));
    }

    #[test]
    fn a_host_that_begins_to_offload_is_believed_after_a_while() {
        let mut offload = Offload::default();
        for packet in 0..8 {
            offload.good(HOST, 9, packet);
        }
        let judged: Vec<bool> = (8..60).map(|packet| offload.bad(HOST, 9, packet)).collect();
        assert!(!judged[0]);
        assert!(judged[51]);
    }
}
