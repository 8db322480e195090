//! Identifiers of flows: Community ID and uid, computed from endpoints, transport and time.

use schemas::envelope::{AddressBytes, Envelope, Nanoseconds};
use sha1::{Digest, Sha1};
use xxhash_rust::xxh3::xxh3_128;

use crate::packet::icmp;

/// A Community ID that has not been computed. No flow has it: it would take a SHA-1 of 160 zero bits.
pub const NOT_COMPUTED: [u8; 20] = [0; 20];

/// Fills in `community_id` where `uid` has been set and the identifier has not been computed yet.
#[inline]
pub fn complete(envelope: &mut Envelope) {
    if envelope.uid != 0 && envelope.community_id == NOT_COMPUTED {
        envelope.community_id = community_id(envelope);
    }
}

/// Community ID version 1 with seed 0: the SHA-1 whose base64, behind `1:`, is the text form.
pub fn community_id(envelope: &Envelope) -> [u8; 20] {
    const TCP: u8 = 6;
    const UDP: u8 = 17;
    const SCTP: u8 = 132;
    const ICMP: u8 = 1;
    const ICMPV6: u8 = 58;
    let (mut ports, one_way) = match envelope.protocol {
        TCP | UDP | SCTP => (Some((envelope.src_port, envelope.dst_port)), false),
        ICMP | ICMPV6 => {
            let answer = u8::try_from(envelope.src_port)
                .ok()
                .and_then(|kind| icmp::counterpart(envelope.protocol == ICMPV6, kind));
            // Messages that have no answer keep their code and their direction.
            let second = answer.map_or(envelope.dst_port, u16::from);
            (Some((envelope.src_port, second)), answer.is_none())
        }
        _ => (None, false),
    };
    let (mut first, mut second) = (address(envelope, &envelope.src), address(envelope, &envelope.dst));
    let backwards = match first.cmp(second) {
        std::cmp::Ordering::Equal => ports.is_some_and(|(source, destination)| source > destination),
        order => order.is_gt(),
    };
    if backwards && !one_way {
        (first, second) = (second, first);
        ports = ports.map(|(source, destination)| (destination, source));
    }
    let mut hash = Sha1::new();
    hash.update([0, 0]);
    hash.update(first);
    hash.update(second);
    hash.update([envelope.protocol, 0]);
    if let Some((source, destination)) = ports {
        hash.update(source.to_be_bytes());
        hash.update(destination.to_be_bytes());
    }
    hash.finalize().into()
}

/// The bytes of an address as they stand in a packet.
fn address<'a>(envelope: &Envelope, bytes: &'a AddressBytes) -> &'a [u8] {
    let start = if envelope.ipv6 { 0 } else { 12 };
    bytes.get(start..).unwrap_or_default()
}

/// What tells a flow from all others.
#[derive(Clone, Copy, Debug)]
pub struct FlowKey {
    /// Originator.
    pub src: AddressBytes,
    /// Responder.
    pub dst: AddressBytes,
    /// Originator's port, or ICMP type.
    pub src_port: u16,
    /// Responder's port, or what stands in for it.
    pub dst_port: u16,
    /// IP protocol.
    pub protocol: u8,
    /// Whether the addresses are IPv6.
    pub ipv6: bool,
    /// Network that the addresses belong to ([`crate::packet::Layer::context`]).
    pub context: u64,
}

/// The identifier of a flow that began at `first`. `tie_break` tells flows with the same key apart that began in the same
/// nanosecond (a port used again, a capture in microseconds). Never 0.
pub fn uid(key: &FlowKey, first: Nanoseconds, tie_break: u32) -> u128 {
    /// Keeps these hashes apart from those of other things.
    const DOMAIN: &[u8; 8] = b"flow-uid";
    let mut bytes = [0; 72];
    let fields: [&[u8]; 10] = [
        DOMAIN,
        &key.src,
        &key.dst,
        &key.src_port.to_le_bytes(),
        &key.dst_port.to_le_bytes(),
        &[key.protocol, u8::from(key.ipv6)],
        &key.context.to_le_bytes(),
        &first.to_le_bytes(),
        &tie_break.to_le_bytes(),
        &[0; 6],
    ];
    for (place, byte) in bytes.iter_mut().zip(fields.iter().copied().flatten()) {
        *place = *byte;
    }
    xxh3_128(&bytes).max(1)
}

/// Appends the text form of a uid: `C` and 18 digits of base 62. It holds 106 of the 128 bits, the upper 53 of each half:
/// with 10^12 flows in a lake, two have the same text with a chance of less than one in a hundred million.
pub fn write_uid(uid: u128, text: &mut Vec<u8>) {
    const DIGITS: usize = 9;
    const BITS_LEFT_OUT: u32 = 64 - 53;
    let mut buffer = [b'C'; 1 + 2 * DIGITS];
    let halves = [(uid >> 64) as u64 >> BITS_LEFT_OUT, uid as u64 >> BITS_LEFT_OUT];
    let (_, digits) = buffer.split_at_mut(1);
    for (mut half, digits) in halves.into_iter().zip(digits.chunks_exact_mut(DIGITS)) {
        for digit in digits.iter_mut().rev() {
            let value = (half % 62) as u8;
            half /= 62;
            *digit = match value {
                0..=9 => b'0' + value,
                10..=35 => b'A' + (value - 10),
                _ => b'a' + (value - 36),
            };
        }
    }
    text.extend_from_slice(&buffer);
}

#[cfg(test)]
mod tests;
