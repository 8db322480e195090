//! Wrong checksums: broken packets, or a host that leaves them to its network card?
//!
//! A capture taken on a host shows what it sends before the card has filled in the checksums. Such a host sends wrong
//! ones only; a line that breaks packets leaves most of them right.

use schemas::envelope::Nanoseconds;
use schemas::prefetch::prefetch;

/// Hosts remembered. A host that lost its place is judged anew, by default as one that offloads.
const PLACES: usize = 1 << 12;

/// The judgement looks back over this much packet time, and half of the counts are forgotten each time it has passed.
const WINDOW: u32 = 10;

/// What a host sent lately. Small, for all of them stay in the cache beside the packets that come by.
#[derive(Clone, Copy, Debug, Default)]
struct Host {
    /// Hash of its address without the lowest bits, which its place says.
    known: u32,
    good: u16,
    bad: u16,
    /// When the counts were last halved, in seconds.
    halved: u32,
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
    /// Asks for what is known of a host.
    #[inline]
    pub(super) fn prefetch(&self, host: u64) {
        if let Some(host) = self.hosts.get(host as usize % PLACES) {
            prefetch(host);
        }
    }

    /// Takes note of a right checksum of the host whose address has this hash.
    #[inline]
    pub(super) fn good(&mut self, host: u64, ts: Nanoseconds) {
        if let Some(host) = self.host(host, ts) {
            host.good = host.good.saturating_add(1);
        }
    }

    /// Takes note of a wrong checksum, and says whether the packet is one of a host that offloads: it has sent no right
    /// one lately, or far fewer than wrong ones.
    pub(super) fn bad(&mut self, host: u64, ts: Nanoseconds) -> bool {
        let Some(host) = self.host(host, ts) else { return false };
        host.bad = host.bad.saturating_add(1);
        u32::from(host.good) * 4 < u32::from(host.bad)
    }

    #[inline]
    fn host(&mut self, hash: u64, ts: Nanoseconds) -> Option<&mut Host> {
        let host = self.hosts.get_mut(hash as usize % PLACES)?;
        let (known, now) = ((hash >> 32) as u32, (ts / 1_000_000_000) as u32);
        if host.known != known {
            *host = Host { known, halved: now, ..Host::default() };
        } else if now.saturating_sub(host.halved) > WINDOW {
            host.good /= 2;
            host.bad /= 2;
            host.halved = now;
        }
        Some(host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_sends_only_wrong_ones_offloads_from_its_first_packet_on() {
        let mut offload = Offload::default();
        for packet in 0..100 {
            assert!(offload.bad(9 << 40, packet));
        }
    }

    #[test]
    fn a_broken_packet_among_good_ones_is_broken() {
        let mut offload = Offload::default();
        offload.good(9 << 40, 0);
        assert!(!offload.bad(9 << 40, 1));
        for packet in 2..100 {
            offload.good(9 << 40, packet);
        }
        assert!(!offload.bad(9 << 40, 100));
    }

    #[test]
    fn a_host_that_begins_to_offload_is_believed_after_a_while() {
        let mut offload = Offload::default();
        for packet in 0..8 {
            offload.good(9 << 40, packet);
        }
        let judged: Vec<bool> = (8..60).map(|packet| offload.bad(9 << 40, packet)).collect();
        assert!(!judged[0]);
        assert!(judged[51]);
    }
}
