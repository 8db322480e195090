//! A fingerprint by which a second copy of a packet is known.

use xxhash_rust::xxh3::xxh3_64;

use super::Layer;
use super::bytes::array_at;

/// Payload bytes looked at from either end.
const SAMPLE: usize = 32;

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
    // The words with the fields that change; the rest of the header follows behind them.
    let (first, second, rest) = if layer.ipv6 {
        (word(bytes, ip) & HOP_LIMIT_MASK, 0, ip + 8)
    } else {
        (word(bytes, ip), word(bytes, ip + 8) & TTL_AND_CHECKSUM_MASK, ip + 16)
    };
    let mut hash = fold(first ^ MIX[3], second ^ MIX[0]);
    // Where the two samples overlap, bytes count twice, which does no harm.
    if head < end
        && let Some(tail) = end.checked_sub(SAMPLE).and_then(|tail| array_at::<SAMPLE>(bytes, tail))
    {
        let (words, _) = tail.as_chunks::<8>();
        if let [a, b, c, d] = *words {
            let [a, b, c, d] = [a, b, c, d].map(u64::from_le_bytes);
            hash ^= fold(a ^ MIX[0], b ^ MIX[1]).wrapping_add(fold(c ^ MIX[2], d ^ MIX[3]));
        }
    }
    hash ^ xxh3_64(bytes.get(rest..head).unwrap_or_default())
}

/// Multiplies to 128 bits and joins the halves, so that every bit of the product counts.
#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ (product >> 64) as u64
}

/// Odd numbers without a pattern: digits of the golden ratio, pi, e and the square root of two. Fixed, so that a replay finds
/// the same duplicates every time.
const MIX: [u64; 4] =
    [0x9e37_79b9_7f4a_7c15, 0x243f_6a88_85a3_08d3, 0xb7e1_5162_8aed_2a6b, 0x6a09_e667_f3bc_c909];

/// IPv6: the hop limit is the last of the first eight bytes.
const HOP_LIMIT_MASK: u64 = 0x00ff_ffff_ffff_ffff;
/// IPv4: of the second eight bytes, the time to live is the first, the checksum the third and fourth.
const TTL_AND_CHECKSUM_MASK: u64 = 0xffff_ffff_0000_ff00;

/// Eight bytes as a number.
#[inline(always)]
fn word(bytes: &[u8], offset: usize) -> u64 {
    array_at(bytes, offset).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
