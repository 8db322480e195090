//! A fingerprint by which a second copy of a packet is known.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::Layer;
use super::bytes::array_at;

/// Payload bytes looked at from either end.
const SAMPLE: usize = 32;

/// Fixed, so that a replay finds the same duplicates every time.
const SEED: u64 = 0x5350_414e_4c41_4b45;

/// A fingerprint over a packet from its IP header on, hop limit and IPv4 header checksum apart, which a router changes.
/// `bytes` is what the layer was decoded from.
///
/// All headers go in whole, and with them identification, lengths, sequence numbers and the transport checksum, which
/// sums up the payload. Of the payload itself the first and last 32 bytes suffice: two packets of one flow that agree in
/// all that, within the millisecond in which copies arrive, and yet differ in between do not occur in practice.
#[inline]
pub fn fingerprint(bytes: &[u8], layer: &Layer) -> u64 {
    let ip = layer.ip_offset as usize;
    let end = (layer.payload_offset as usize + layer.payload_captured as usize).min(bytes.len());
    let head = end.min(layer.payload_offset as usize + SAMPLE);
    let tail = end.saturating_sub(SAMPLE).max(head);
    // The words with the fields that change; the rest of the header follows behind them.
    let (first, second, rest) = if layer.ipv6 {
        (word(bytes, ip) & HOP_LIMIT_MASK, 0, ip + 8)
    } else {
        (word(bytes, ip), word(bytes, ip + 8) & TTL_AND_CHECKSUM_MASK, ip + 16)
    };
    let seed = SEED ^ first ^ second.rotate_left(17).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let headers = xxh3_64_with_seed(bytes.get(rest..head).unwrap_or_default(), seed);
    if tail < end { xxh3_64_with_seed(bytes.get(tail..end).unwrap_or_default(), headers) } else { headers }
}

/// IPv6: the hop limit is the last of the first eight bytes.
const HOP_LIMIT_MASK: u64 = 0x00ff_ffff_ffff_ffff;
/// IPv4: of the second eight bytes, the time to live is the first, the checksum the third and fourth.
const TTL_AND_CHECKSUM_MASK: u64 = 0xffff_ffff_0000_ff00;

/// Eight bytes as a number.
#[inline(always)]
fn word(bytes: &[u8], offset: usize) -> u64 {
    array_at(bytes, offset).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
