//! Fragments of IP datagrams made whole.

use schemas::envelope::Nanoseconds;

use super::Layer;

/// A datagram put together from its fragments.
#[derive(Clone, Debug)]
pub struct Datagram {
    /// The payload of the IP header (of IPv6, of the fragment header).
    pub bytes: Vec<u8>,
    /// The first fragment.
    pub layer: Layer,
    /// What the payload begins with.
    pub protocol: u8,
    /// Length of the whole packet, as if it had not been fragmented.
    pub ip_length: u32,
    /// Time of the first fragment that came.
    pub ts: Nanoseconds,
    /// Number of that fragment's packet.
    pub packet: u64,
    /// How many fragments it came in.
    pub fragments: u32,
}
