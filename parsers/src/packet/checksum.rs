//! Checksums of IP and of the transports (RFC 1071; CRC-32C for SCTP, RFC 9260 appendix A).

use super::bytes::{array_at, u16_at};
use super::tunnel::allows_zero_checksum;
use super::{Layer, Transport};

/// What a checksum says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// It is right.
    Good,
    /// It is wrong.
    Bad,
    /// It is what a host leaves for its network card to finish: the sum of the pseudo-header alone, with or without the
    /// length, or 0 where 0 is not allowed. The packet was captured on the host that sent it.
    Partial,
    /// Nothing can be said: the packet is a fragment, is cut, or has no checksum.
    Unverifiable,
}

/// Checks the header of an IPv4 packet. `bytes` is what the layer was decoded from. IPv6 has no such checksum.
#[inline]
pub fn ip(bytes: &[u8], layer: &Layer) -> Checksum {
    if layer.ipv6 {
        return Checksum::Unverifiable;
    }
    let header = bytes.get(layer.ip_offset as usize..).unwrap_or_default();
    let Some(fixed) = header.first_chunk::<20>() else { return Checksum::Unverifiable };
    let sum = match usize::from(fixed[0] & 0x0f) * 4 {
        0..20 => return Checksum::Unverifiable,
        20 => sum_of_few(fixed),
        length => match header.get(..length) {
            Some(header) => sum_of_few(header),
            None => return Checksum::Unverifiable,
        },
    };
    if fold(sum) == 0xffff {
        Checksum::Good
    } else if u16_at(fixed, 10) == Some(0) {
        Checksum::Partial
    } else {
        Checksum::Bad
    }
}

/// Checks the transport checksum. `bytes` is what the layer was decoded from.
#[inline]
pub fn transport(bytes: &[u8], layer: &Layer) -> Checksum {
    if layer.fragment.is_some() || layer.source_routed || !layer.is_complete() {
        return Checksum::Unverifiable;
    }
    let start = layer.transport_offset as usize;
    let end = layer.payload_offset as usize + layer.payload_captured as usize;
    let Some(segment) = bytes.get(start..end) else { return Checksum::Unverifiable };
    match layer.transport {
        Transport::Tcp => internet(segment, layer, true),
        Transport::Udp if layer.checksum == 0 => {
            // Over IPv6 only tunnels may do without (RFC 6935).
            if !layer.ipv6 || allows_zero_checksum(layer.dst_port) {
                Checksum::Unverifiable
            } else {
                Checksum::Bad
            }
        }
        Transport::Udp | Transport::Icmpv6 => internet(segment, layer, true),
        Transport::Icmp => internet(segment, layer, false),
        Transport::Sctp => sctp(segment),
        Transport::Other => Checksum::Unverifiable,
    }
}

/// The Internet checksum over a segment, with the pseudo-header (RFC 9293 section 3.1, RFC 8200 section 8.1) if it has one.
#[inline]
fn internet(segment: &[u8], layer: &Layer, pseudo: bool) -> Checksum {
    let pseudo_header = if pseudo { addresses(layer) + protocol_and(segment.len(), layer) } else { 0 };
    if fold(sum(segment) + pseudo_header) == 0xffff {
        return Checksum::Good;
    }
    not_good(segment, layer, pseudo)
}

/// Of a checksum that is not right: is it what a sender leaves for its card to finish?
#[cold]
fn not_good(segment: &[u8], layer: &Layer, pseudo: bool) -> Checksum {
    let field = layer.checksum.to_be();
    let whole = |length: usize| fold(addresses(layer) + protocol_and(length, layer));
    let partial = pseudo && (field == whole(segment.len()) || field == whole(0))
        || field == 0 && layer.transport == Transport::Tcp;
    if partial { Checksum::Partial } else { Checksum::Bad }
}

/// The sum of both addresses in the machine's order; sums may be turned round (RFC 1071 section 2 B). IPv4 addresses stand
/// behind zeros, which add nothing.
#[inline]
fn addresses(layer: &Layer) -> u64 {
    sum_of_few(&layer.src) + sum_of_few(&layer.dst)
}

/// The sum of the protocol and of the length of a segment, in the machine's order. A frame is far shorter than 32 bits can say.
#[inline]
fn protocol_and(length: usize, layer: &Layer) -> u64 {
    u64::from(u32::from(layer.protocol).wrapping_add(length as u32).to_be())
}

/// Sums up bytes as 16-bit words in the machine's order, not yet folded. Pairs of words are added at once, each lane by
/// itself, so that the compiler can use wide registers; 2^31 of them fit, eight gigabytes. What is left is added without: to begin with wide
/// registers and to end costs more than a short segment does.
#[inline]
fn sum(bytes: &[u8]) -> u64 {
    const LANES: usize = 8;
    let mut lanes = [0_u64; LANES];
    let (blocks, rest) = bytes.as_chunks::<{ LANES * 4 }>();
    if blocks.is_empty() {
        return sum_of_few(rest);
    }
    for block in blocks {
        let (words, _) = block.as_chunks::<4>();
        for (lane, word) in lanes.iter_mut().zip(words) {
            *lane += u64::from(u32::from_ne_bytes(*word));
        }
    }
    lanes.iter().sum::<u64>() + sum_of_few(rest)
}

/// The same for a few bytes.
#[inline(always)]
fn sum_of_few(bytes: &[u8]) -> u64 {
    let mut sum = 0;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let word = u64::from_ne_bytes(*word);
        sum += (word & 0xffff_ffff) + (word >> 32);
    }
    let (words, rest) = rest.as_chunks::<4>();
    if let [word] = words {
        sum += u64::from(u32::from_ne_bytes(*word));
    }
    let last = match *rest {
        [a] => [a, 0, 0, 0],
        [a, b] => [a, b, 0, 0],
        [a, b, c] => [a, b, c, 0],
        _ => [0; 4],
    };
    sum + u64::from(u32::from_ne_bytes(last))
}

/// Folds a sum into 16 bits with its carries.
#[inline]
fn fold(sum: u64) -> u16 {
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    sum as u16
}

/// SCTP's checksum: over the packet with the field zero; little-endian.
fn sctp(packet: &[u8]) -> Checksum {
    let Some(found) = array_at::<4>(packet, 8).map(|field| u32::from_le_bytes(*field)) else {
        return Checksum::Unverifiable;
    };
    let mut crc = crc32c(!0, packet.get(..8).unwrap_or_default());
    crc = crc32c(crc, &[0; 4]);
    crc = !crc32c(crc, packet.get(12..).unwrap_or_default());
    match found {
        found if found == crc => Checksum::Good,
        // Left to the card, or agreed to be absent (RFC 9653).
        0 => Checksum::Partial,
        _ => Checksum::Bad,
    }
}

/// CRC-32C of eight bytes at a time by table look-up.
fn crc32c(mut crc: u32, bytes: &[u8]) -> u32 {
    let table = |number: usize, index: u8| {
        TABLES.get(number).and_then(|table| table.get(usize::from(index))).copied().unwrap_or(0)
    };
    let (blocks, rest) = bytes.as_chunks::<8>();
    for [a, b, c, d, e, f, g, h] in blocks {
        let [w, x, y, z] = (crc ^ u32::from_le_bytes([*a, *b, *c, *d])).to_le_bytes();
        crc = table(7, w)
            ^ table(6, x)
            ^ table(5, y)
            ^ table(4, z)
            ^ table(3, *e)
            ^ table(2, *f)
            ^ table(1, *g)
            ^ table(0, *h);
    }
    for byte in rest {
        crc = table(0, crc as u8 ^ byte) ^ (crc >> 8);
    }
    crc
}

/// `TABLES[n][b]` is the CRC of byte `b` followed by `n` zero bytes.
static TABLES: [[u32; 256]; 8] = tables();

#[expect(
    clippy::indexing_slicing,
    reason = "computed at compile time, where an index that is wrong does not compile"
)]
const fn tables() -> [[u32; 256]; 8] {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut number = 1;
    while number < 8 {
        let mut byte = 0;
        while byte < 256 {
            let crc: u32 = tables[number - 1][byte];
            tables[number][byte] = crc >> 8 ^ tables[0][(crc & 0xff) as usize];
            byte += 1;
        }
        number += 1;
    }
    tables
}

#[cfg(test)]
mod tests;
