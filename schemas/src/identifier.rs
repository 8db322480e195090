//! Text forms of what rows hold in binary: flow identifiers, Community IDs, addresses.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::envelope::AddressBytes;

/// The bits of a uid that its text form shows; the rest is not part of the identifier.
pub const UID_BITS: u128 = (1 << 106) - 1;

/// In the order of ASCII, so that uids sort alike as numbers and as text.
const BASE62: [u8; 62] = *b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// In the order of RFC 4648, section 4.
const BASE64: [u8; 64] = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Appends the text form of a uid: `C` and 18 base-62 digits, two halves of 53 bits with nine digits each, most
/// significant first.
pub fn write_uid(uid: u128, out: &mut Vec<u8>) {
    let mut text = *b"C000000000000000000";
    let (_, digits) = text.split_at_mut(1);
    let halves = [(uid >> 53) as u64 & ((1 << 53) - 1), uid as u64 & ((1 << 53) - 1)];
    for (digits, mut half) in digits.chunks_exact_mut(9).zip(halves) {
        for digit in digits.iter_mut().rev() {
            *digit = BASE62.get((half % 62) as usize).copied().unwrap_or(b'0');
            half /= 62;
        }
    }
    out.extend_from_slice(&text);
}

/// Appends a Community ID v1: `1:` and the SHA-1 in base64.
pub fn write_community_id(hash: &[u8; 20], out: &mut Vec<u8>) {
    let mut text = *b"1:000000000000000000000000000=";
    let (_, digits) = text.split_at_mut(2);
    let mut digits = digits.chunks_exact_mut(4);
    for bytes in hash.chunks(3) {
        let word =
            bytes.iter().zip([16, 8, 0]).fold(0u32, |word, (&byte, shift)| word | u32::from(byte) << shift);
        if let Some(digits) = digits.next() {
            // The last of two bytes' digits is the padding, which stands there already.
            for (digit, shift) in digits.iter_mut().zip([18, 12, 6, 0]).take(bytes.len() + 1) {
                *digit = BASE64.get((word >> shift & 63) as usize).copied().unwrap_or(b'A');
            }
        }
    }
    out.extend_from_slice(&text);
}

/// Appends an address in canonical text form (RFC 5952).
pub fn write_address(address: &AddressBytes, ipv6: bool, out: &mut Vec<u8>) {
    use std::io::Write;
    if ipv6 {
        // Writing into a vector does not fail.
        let _ = write!(out, "{}", Ipv6Addr::from(*address));
        return;
    }
    let [.., a, b, c, d] = *address;
    for (octet, end) in Ipv4Addr::new(a, b, c, d).octets().into_iter().zip([".", ".", ".", ""]) {
        if octet >= 100 {
            out.push(b'0' + octet / 100);
        }
        if octet >= 10 {
            out.push(b'0' + octet / 10 % 10);
        }
        out.push(b'0' + octet % 10);
        out.extend_from_slice(end.as_bytes());
    }
}

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
}
