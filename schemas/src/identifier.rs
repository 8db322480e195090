//! Text forms of what rows hold in binary: flow identifiers, Community IDs, addresses.

use crate::envelope::AddressBytes;

/// The bits of a uid that its text form shows; the rest is not part of the identifier.
pub const UID_BITS: u128 = (1 << 106) - 1;

/// In the order of ASCII, so that uids sort alike as numbers and as text.
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// In the order of RFC 4648, section 4.
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Two digits at a time: half the divisions and look-ups.
static PAIRS62: [[u8; 2]; 62 * 62] = pairs(BASE62);
static PAIRS64: [[u8; 2]; 64 * 64] = pairs(BASE64);

#[expect(clippy::indexing_slicing, reason = "evaluated when compiled, where a wrong index is an error")]
const fn pairs<const N: usize, const PAIRS: usize>(digits: &[u8; N]) -> [[u8; 2]; PAIRS] {
    let mut pairs = [[0; 2]; PAIRS];
    let mut pair = 0;
    while pair < PAIRS {
        pairs[pair] = [digits[pair / N], digits[pair % N]];
        pair += 1;
    }
    pairs
}

/// Appends the text form of a uid: `C` and 18 base-62 digits, two halves of 53 bits with nine digits each, most
/// significant first.
pub fn write_uid(uid: u128, out: &mut Vec<u8>) {
    write_base62(b'C', uid, out);
}

/// Appends the text form of a file's identifier: like that of a uid, with an `F` in front.
pub fn write_file_id(id: u128, out: &mut Vec<u8>) {
    write_base62(b'F', id, out);
}

fn write_base62(kind: u8, uid: u128, out: &mut Vec<u8>) {
    let mut text = [kind; 19];
    let (_, digits) = text.split_at_mut(1);
    let halves = [(uid >> 53) as u64 & ((1 << 53) - 1), uid as u64 & ((1 << 53) - 1)];
    for (digits, half) in digits.chunks_exact_mut(9).zip(halves) {
        let mut rest = half;
        for pair in digits.rchunks_mut(2) {
            let [tens, ones] = PAIRS62.get((rest % 3844) as usize).copied().unwrap_or_default();
            match pair {
                [first, second] => [*first, *second] = [tens, ones],
                // The most significant digit stands alone.
                [first] => *first = ones,
                _ => {}
            }
            rest /= 3844;
        }
    }
    out.extend_from_slice(&text);
}

/// Appends a Community ID v1: `1:` and the SHA-1 in base64.
pub fn write_community_id(hash: &[u8; 20], out: &mut Vec<u8>) {
    let mut text = *b"1:AAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let (_, digits) = text.split_at_mut(2);
    for (digits, bytes) in digits.chunks_exact_mut(4).zip(hash.chunks(3)) {
        let word = match *bytes {
            [a, b, c] => u32::from_be_bytes([0, a, b, c]),
            [a, b] => u32::from_be_bytes([0, a, b, 0]),
            _ => 0,
        };
        for (pair, shift) in digits.chunks_exact_mut(2).zip([12, 0]) {
            pair.copy_from_slice(PAIRS64.get((word >> shift & 4095) as usize).unwrap_or(b"AA"));
        }
    }
    // Of the last group two bytes are there, and the padding stands for the third.
    if let Some(last) = text.last_mut() {
        *last = b'=';
    }
    out.extend_from_slice(&text);
}

/// Appends an address in canonical text form (RFC 5952).
pub fn write_address(address: &AddressBytes, ipv6: bool, out: &mut Vec<u8>) {
    match *address {
        _ if ipv6 => write_ipv6(address, out),
        [.., a, b, c, d] => write_ipv4([a, b, c, d], out),
    }
}

/// Appends an IPv4 address as a dotted quad.
pub fn write_ipv4(octets: [u8; 4], out: &mut Vec<u8>) {
    let mut text = [0; 19];
    let mut end = 0;
    for octet in octets {
        // Four bytes whatever the length: the next octet writes over what was too much.
        let (digits, length) = OCTETS.get(usize::from(octet)).copied().unwrap_or_default();
        if let Some(place) = text.get_mut(end..end + 4) {
            place.copy_from_slice(&digits);
        }
        end += usize::from(length);
    }
    out.extend_from_slice(text.get(..end - 1).unwrap_or_default());
}

/// Appends an IPv6 address (RFC 5952): lower case, no leading zeroes, the first longest run of two groups of zeroes or more
/// as `::`, and an IPv4-mapped address with a dotted quad at its end.
pub fn write_ipv6(address: &[u8; 16], out: &mut Vec<u8>) {
    if let [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d] = *address {
        out.extend_from_slice(b"::ffff:");
        return write_ipv4([a, b, c, d], out);
    }
    let (groups, _) = address.as_chunks::<2>();
    let (mut best, mut best_length) = (groups.len(), 1);
    let mut length = 0;
    for (at, group) in groups.iter().enumerate() {
        length = if *group == [0, 0] { length + 1 } else { 0 };
        if length > best_length {
            (best, best_length) = (at + 1 - length, length);
        }
    }
    let mut text = [0; 48];
    let mut end = 0;
    let mut put = |bytes: [u8; 4], length: usize| {
        // Four bytes whatever the length: what comes next writes over the rest.
        if let Some(place) = text.get_mut(end..end + 4) {
            place.copy_from_slice(&bytes);
        }
        end += length;
    };
    for (at, group) in groups.iter().enumerate() {
        if at == best {
            put(*b"::::", 2);
        } else if at < best || at >= best + best_length {
            if at > 0 && at != best + best_length {
                put(*b"::::", 1);
            }
            let [[a, b], [c, d]] = group.map(|byte| HEX.get(usize::from(byte)).copied().unwrap_or_default());
            let leading = u16::from_be_bytes(*group).max(1).leading_zeros() / 4;
            let digits = u32::from_be_bytes([a, b, c, d]) << (8 * leading);
            put(digits.to_be_bytes(), 4 - leading as usize);
        }
    }
    out.extend_from_slice(text.get(..end).unwrap_or_default());
}

/// Every byte in two hexadecimal digits.
static HEX: [[u8; 2]; 256] = pairs(b"0123456789abcdef");

/// Every octet in decimal with a dot behind it, and how long that is.
#[expect(clippy::indexing_slicing, reason = "evaluated when compiled, where a wrong index is an error")]
static OCTETS: [([u8; 4], u8); 256] = {
    let mut octets = [([0; 4], 0); 256];
    let mut octet = 0;
    while octet < 256 {
        let digits = [b'0' + (octet / 100) as u8, b'0' + (octet / 10 % 10) as u8, b'0' + (octet % 10) as u8];
        octets[octet] = match octet {
            0..10 => ([digits[2], b'.', 0, 0], 2),
            10..100 => ([digits[1], digits[2], b'.', 0], 3),
            _ => ([digits[0], digits[1], digits[2], b'.'], 4),
        };
        octet += 1;
    }
    octets
};

/// Appends a hardware address: `00:1b:44:11:3a:b7`.
pub fn write_mac(mac: &[u8; 6], out: &mut Vec<u8>) {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let mut text = *b"00:00:00:00:00:00";
    for (digits, &byte) in text.chunks_mut(3).zip(mac) {
        for (digit, nibble) in digits.iter_mut().zip([byte >> 4, byte & 15]) {
            *digit = DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
        }
    }
    out.extend_from_slice(&text);
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn uids_sort_alike_as_numbers_and_as_text() {
        let uids = [0, 1, 61, 62, (1 << 53) - 1, 1 << 53, UID_BITS - 1, UID_BITS];
        let texts: Vec<_> = uids.iter().map(|&uid| text(|out| write_uid(uid, out))).collect();
        assert!(texts.is_sorted());
        assert_eq!(texts[0], "C000000000000000000");
        assert_eq!(texts[3], "C000000000000000010");
        assert_eq!(texts[5], "C000000001000000000");
        assert!(texts.iter().all(|text| text.len() == 19));
    }

    #[test]
    fn every_octet_is_written_in_decimal() {
        for octet in 0..=255 {
            let mut address = [0; 16];
            address[12..].copy_from_slice(&[octet, 255 - octet, octet, octet]);
            let expected = format!("{octet}.{}.{octet}.{octet}", 255 - octet);
            assert_eq!(text(|out| write_address(&address, false, out)), expected);
        }
    }

    #[test]
    fn community_ids_are_base64_with_padding() {
        assert_eq!(text(|out| write_community_id(&[0; 20], out)), "1:AAAAAAAAAAAAAAAAAAAAAAAAAAA=");
        assert_eq!(text(|out| write_community_id(&[0xff; 20], out)), "1://////////////////////////8=");
        let hash = *b"Many hands make ligh";
        assert_eq!(text(|out| write_community_id(&hash, out)), "1:TWFueSBoYW5kcyBtYWtlIGxpZ2g=");
    }

    #[test]
    fn addresses_are_canonical() {
        let mut v4 = [0; 16];
        v4[12..].copy_from_slice(&[10, 0, 205, 99]);
        assert_eq!(text(|out| write_address(&v4, false, out)), "10.0.205.99");
        assert_eq!(text(|out| write_address(&Ipv6Addr::LOCALHOST.octets(), true, out)), "::1");
        let v6: Ipv6Addr = "2001:db8:0:0:1::f".parse().unwrap();
        assert_eq!(text(|out| write_address(&v6.octets(), true, out)), "2001:db8::1:0:0:f");
        assert_eq!(text(|out| write_mac(&[0, 0x1b, 0x44, 0x11, 0x3a, 0xb7], out)), "00:1b:44:11:3a:b7");
    }
    proptest::proptest! {
        #[test]
        fn ipv6_is_as_the_standard_library_writes_it(groups: [u16; 8], zero: u8, one: u8) {
            let mut groups = groups;
            for (at, group) in groups.iter_mut().enumerate() {
                if zero >> at & 1 == 1 {
                    *group = 0;
                } else if one >> at & 1 == 1 {
                    *group &= 0xff;
                }
            }
            let address = Ipv6Addr::from(groups);
            proptest::prop_assert_eq!(text(|out| write_ipv6(&address.octets(), out)), address.to_string());
        }
    }

    #[test]
    fn ipv6_keeps_known_forms() {
        for known in
            ["::", "::1", "1::", "2001:db8::1:0:0:1", "1:0:2:3:4:5:6:7", "::ffff:192.0.2.1", "fe80::1"]
        {
            let address: Ipv6Addr = known.parse().unwrap();
            assert_eq!(text(|out| write_ipv6(&address.octets(), out)), known);
        }
    }
}
