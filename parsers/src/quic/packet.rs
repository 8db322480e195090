//! Headers of packets (RFC 8999; RFC 9000, 17), as far as they can be read without a key.

use super::length;
use super::version::{LongType, Version};
use crate::tls::reader::Reader;

/// Longest connection id of the versions that are known (RFC 9000, 17.2); others may have 255 bytes.
pub(super) const MAX_ID: usize = 20;

/// Least bytes of a packet with a short header: its first byte, and what protection of the header takes a sample of
/// (RFC 9001, 5.4.2).
const SHORTEST: usize = 21;

/// The bit that is set in all packets (RFC 9000, 17.2), but where both ends have agreed otherwise (RFC 9287).
const FIXED_BIT: u8 = 0x40;

/// A packet of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// With a long header, of a version that is known.
    Long(Long<'a>),
    /// 1-RTT: all of it, as it has no length.
    Short(Short<'a>),
    /// Version negotiation (RFC 9000, 17.2.1): the server does not speak the client's version.
    Negotiation {
        /// Those that it speaks, four bytes each.
        versions: &'a [u8],
    },
    /// Of another version: where it ends is not known.
    OtherVersion,
}

/// A packet with a short header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short<'a> {
    bytes: &'a [u8],
}

impl<'a> Short<'a> {
    /// Whether the bit is set that tells QUIC from other protocols on the same ports.
    pub fn has_fixed_bit(self) -> bool {
        self.bytes.first().is_some_and(|first| first & FIXED_BIT != 0)
    }

    /// The connection id of who is to get it, and what follows: how long it is only its owner knows.
    pub fn destination_and_rest(self) -> &'a [u8] {
        self.bytes.get(1..).unwrap_or_default()
    }
}

/// A packet with a long header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Long<'a> {
    /// Version.
    pub version: Version,
    /// What it is.
    pub kind: LongType,
    /// Connection id of who is to get it.
    pub destination: &'a [u8],
    /// Connection id of who sends it.
    pub source: &'a [u8],
    /// Its token (RFC 9000, 8.1), which only Initial packets have; empty where there is none.
    pub token: &'a [u8],
    /// All of it.
    pub bytes: &'a [u8],
    /// Where its number begins, which is protected.
    pub number_at: usize,
    /// Not all of it is there.
    pub is_cut: bool,
}

/// Takes the first packet of a datagram, and gives what follows it. None where there is no packet.
pub fn take(datagram: &[u8]) -> Option<(Packet<'_>, &[u8])> {
    let mut reader = Reader::new(datagram);
    let first = reader.byte()?;
    if first & 0x80 == 0 {
        // The fixed bit may be cleared where both ends agreed on that (RFC 9287); zeros are padding.
        let is_packet = datagram.get(..SHORTEST).is_some_and(|front| front.iter().any(|&byte| byte != 0));
        return is_packet.then_some((Packet::Short(Short { bytes: datagram }), &[]));
    }
    let version = reader.array().map(u32::from_be_bytes)?;
    let destination = reader.vector_8()?;
    let source = reader.vector_8()?;
    if version == 0 {
        return Some((Packet::Negotiation { versions: reader.rest() }, &[]));
    }
    let Some(version) = Version::known(version) else { return Some((Packet::OtherVersion, &[])) };
    if destination.len() > MAX_ID || source.len() > MAX_ID {
        return None;
    }
    let kind = version.long_type(first);
    let mut packet = Long {
        version,
        kind,
        destination,
        source,
        token: &[],
        bytes: datagram,
        number_at: datagram.len(),
        is_cut: false,
    };
    if kind == LongType::Retry {
        return Some((Packet::Long(packet), &[]));
    }
    if kind == LongType::Initial {
        let token = length(&mut reader)?;
        packet.token = reader.bytes(token)?;
    }
    let behind = length(&mut reader)?;
    packet.number_at = datagram.len() - reader.rest().len();
    packet.is_cut = behind > reader.rest().len();
    let (bytes, rest) =
        datagram.split_at_checked(packet.number_at.saturating_add(behind)).unwrap_or((datagram, &[]));
    packet.bytes = bytes;
    Some((Packet::Long(packet), rest))
}

/// Whether a datagram begins with an Initial packet of a version that is known.
pub(super) fn begins_with_initial(datagram: &[u8]) -> bool {
    let is_fixed = datagram.first().is_some_and(|first| first & FIXED_BIT != 0);
    is_fixed
        && matches!(take(datagram), Some((Packet::Long(packet), _))
            if packet.kind == LongType::Initial && packet.bytes.len() >= packet.number_at + SHORTEST - 1)
}

/// Whether a datagram is a server's version negotiation, with a version among its own that is known.
pub(crate) fn is_negotiation(datagram: &[u8]) -> bool {
    let Some((Packet::Negotiation { versions }, _)) = take(datagram) else { return false };
    let (versions, rest) = versions.as_chunks::<4>();
    rest.is_empty() && versions.iter().any(|version| Version::known(u32::from_be_bytes(*version)).is_some())
}

/// The number of a packet, of which the lower `bits` were sent (RFC 9000, A.3). `largest`: of those before.
pub(super) fn full_number(largest: Option<u64>, sent: u64, bits: u32) -> u64 {
    let expected = largest.map_or(0, |largest| largest.saturating_add(1));
    let window = 1 << bits;
    let candidate = expected & !(window - 1) | sent;
    if candidate.saturating_add(window / 2) <= expected && candidate < (1 << 62) - window {
        candidate + window
    } else if candidate > expected.saturating_add(window / 2) && candidate >= window {
        candidate - window
    } else {
        candidate
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An Initial packet of version 1 with 30 bytes behind its length.
    fn initial(destination: usize, source: usize, token: usize) -> Vec<u8> {
        let mut bytes = vec![0xc0, 0, 0, 0, 1, destination as u8];
        bytes.extend(vec![0xdd; destination]);
        bytes.push(source as u8);
        bytes.extend(vec![0x55; source]);
        bytes.push(token as u8);
        bytes.extend(vec![0x77; token]);
        bytes.push(30);
        bytes.extend(0..30);
        bytes
    }

    fn long(bytes: &[u8]) -> (Long<'_>, &[u8]) {
        match take(bytes) {
            Some((Packet::Long(packet), rest)) => (packet, rest),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn coalesced_packets_are_taken_one_by_one() {
        let mut datagram = [initial(8, 5, 3), initial(0, 20, 0)].concat();
        datagram.extend([0x40; 30]);
        let (first, rest) = long(&datagram);
        assert_eq!((first.destination.len(), first.source.len(), first.token.len()), (8, 5, 3));
        assert_eq!(first.bytes.len() - first.number_at, 30);
        let (second, rest) = long(rest);
        assert_eq!((second.destination.len(), second.source.len(), second.token.len()), (0, 20, 0));
        assert_eq!(take(rest), Some((Packet::Short(Short { bytes: &[0x40; 30] }), &[][..])));
    }

    #[test]
    fn ids_of_other_versions_may_be_long_and_those_of_known_ones_not() {
        let mut bytes = initial(255, 255, 0);
        assert_eq!(take(&bytes), None);
        bytes[4] = 9;
        assert_eq!(take(&bytes), Some((Packet::OtherVersion, &[][..])));
        assert_eq!(take(&initial(21, 0, 0)), None);
        assert_eq!(take(&bytes[..300]), None);
    }

    #[test]
    fn zeros_behind_the_last_packet_are_none() {
        assert_eq!(take(&[0; 100]), None);
        assert_eq!(take(&[0x40; SHORTEST - 1]), None);
    }

    #[test]
    fn a_packet_that_a_snap_length_cut_is_known_as_such() {
        let bytes = initial(8, 8, 0);
        let (packet, rest) = long(&bytes[..bytes.len() - 1]);
        assert!(packet.is_cut && rest.is_empty());
        assert!(begins_with_initial(&bytes[..bytes.len() - 1]));
    }

    #[test]
    fn only_an_initial_packet_that_could_be_read_is_looked_into() {
        let mut bytes = initial(8, 8, 0);
        assert!(begins_with_initial(&bytes));
        for (at, value) in [(0, 0x80), (0, 0xe0), (0, 0x40), (4, 3), (5, 21)] {
            let before = std::mem::replace(&mut bytes[at], value);
            assert!(!begins_with_initial(&bytes), "{value:x} at {at}");
            bytes[at] = before;
        }
        // In version 2 the types have other numbers.
        bytes[1..5].copy_from_slice(&0x6b33_43cf_u32.to_be_bytes());
        assert!(!begins_with_initial(&bytes));
        bytes[0] = 0xd0;
        assert!(begins_with_initial(&bytes));
    }

    #[test]
    fn a_negotiation_names_a_version_that_is_known() {
        assert!(is_negotiation(b"\x80\0\0\0\0\x08aaaaaaaa\x01b\x1a\x2a\x3a\x4a\0\0\0\x01"));
        assert!(!is_negotiation(b"\x80\0\0\0\0\x08aaaaaaaa\x01b\x1a\x2a\x3a\x4a\0\0\0\x09"));
        assert!(!is_negotiation(b"\x80\0\0\0\0\x08aaaaaaaa\x01b\x1a\x2a\x3a\x4a\0\0\0\x01\0"));
    }

    #[test]
    fn numbers_are_completed_from_those_before() {
        // RFC 9000, A.3.
        assert_eq!(full_number(Some(0xa82f_30ea), 0x9b32, 16), 0xa82f_9b32);
        assert_eq!(full_number(None, 7, 8), 7);
        assert_eq!(full_number(Some(255), 0, 8), 256);
        assert_eq!(full_number(Some(256), 255, 8), 255);
        assert_eq!(full_number(Some(u64::MAX), 1, 32), !0xffff_ffff | 1);
    }

    proptest! {
        #[test]
        fn any_bytes_are_packets_or_not(bytes in prop::collection::vec(any::<u8>(), 0..200), begins in any::<bool>()) {
            let mut datagram = bytes;
            if begins && datagram.len() > 5 {
                datagram[0] |= 0xc0;
                datagram[1..5].copy_from_slice(&[0, 0, 0, 1]);
            }
            let mut rest = &datagram[..];
            while let Some((packet, behind)) = take(rest) {
                prop_assert!(behind.len() < rest.len());
                if let Packet::Long(packet) = packet {
                    prop_assert!(packet.number_at <= packet.bytes.len());
                    prop_assert_eq!(packet.bytes.len() + behind.len(), rest.len());
                }
                rest = behind;
            }
        }

        #[test]
        fn a_number_keeps_the_bits_that_were_sent(largest in prop::option::of(0..1_u64 << 62), sent: u32, bytes in 1..5_u32) {
            let bits = 8 * bytes;
            let sent = u64::from(sent) & ((1 << bits) - 1);
            prop_assert_eq!(full_number(largest, sent, bits) & ((1 << bits) - 1), sent);
        }
    }
}
