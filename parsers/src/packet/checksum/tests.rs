//! Checksums, against a plain implementation and known answers.

use proptest::prelude::*;

use super::*;
use crate::packet::tests::{
    TCP_SYN, decode_ethernet, ethernet, ipv4, ipv4_with, ipv6, sctp_packet, tcp, udp,
};

/// The checksum as RFC 1071 defines it, a word at a time.
fn naive(bytes: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

proptest! {
    #[test]
    fn sums_are_those_of_the_definition(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(fold(sum(&bytes)).to_be() % 0xffff, naive(&bytes) % 0xffff);
    }

    #[test]
    fn the_pseudo_header_has_all_32_bits_of_the_length(length in 0_u32..1 << 24, protocol in any::<u8>()) {
        let written = [length.to_be_bytes(), [0, 0, 0, protocol]].concat();
        let summed = fold(protocol_and(length as usize, &Layer { protocol, ..Layer::EMPTY }));
        prop_assert_eq!(summed.to_be() % 0xffff, naive(&written) % 0xffff);
    }
}

#[test]
fn knows_a_good_ipv4_header_from_a_bad_one_with_options_and_without() {
    for options in [&[][..], &[1; 4], &[1; 40]] {
        let mut frame = ethernet(0x0800, &ipv4_with(17, 0, options, &udp(1, 2, b"odd")));
        let (decoded, _) = decode_ethernet(&frame);
        let layer = decoded.layers()[0];
        let header = 14 + 20 + options.len();
        assert_eq!(ip(&frame, &layer), Checksum::Good);
        assert_eq!(ip(&frame[..header - 1], &layer), Checksum::Unverifiable, "cut");
        // The last byte of the header, and one that is always there.
        for at in [header - 1, 14 + 8] {
            frame[at] ^= 0x10;
            assert_eq!(ip(&frame, &layer), Checksum::Bad, "byte {at} with {} of options", options.len());
            frame[at] ^= 0x10;
        }
        frame[14 + 10..14 + 12].fill(0);
        assert_eq!(ip(&frame, &layer), Checksum::Partial);
    }
}

#[test]
fn knows_a_good_checksum_from_a_bad_one_in_every_transport() {
    for packet in [
        ipv4(6, &tcp(1, 2, TCP_SYN, b"payload")),
        ipv4(17, &udp(1, 2, b"odd")),
        ipv6(6, &tcp(1, 2, TCP_SYN, b"payload")),
        ipv6(17, &udp(1, 2, b"odd")),
        ipv6(58, &[128, 0, 0, 0, 0, 1, 0, 1, 9]),
        ipv4(1, &[8, 0, 0, 0, 0, 1, 0, 1, 9]),
        ipv4(132, &sctp_packet(b"chunk")),
    ] {
        let mut frame = ethernet(if packet[0] >> 4 == 4 { 0x0800 } else { 0x86dd }, &packet);
        let (decoded, _) = decode_ethernet(&frame);
        let layer = decoded.layers()[0];
        assert_eq!(transport(&frame, &layer), Checksum::Good, "{layer:?}");
        if !layer.ipv6 {
            assert_eq!(ip(&frame, &layer), Checksum::Good);
        }
        *frame.last_mut().unwrap() ^= 0x10;
        assert_eq!(transport(&frame, &layer), Checksum::Bad, "{layer:?}");
    }
}

#[test]
fn knows_what_is_left_to_the_card() {
    let mut frame = ethernet(0x0800, &ipv4(6, &tcp(1, 2, TCP_SYN, b"payload")));
    let checksum = 14 + 20 + 16;
    let addresses = naive(&frame[14 + 12..14 + 20]);
    let with_length = naive(&[addresses.to_be_bytes(), 6_u16.to_be_bytes(), 27_u16.to_be_bytes()].concat());
    let without = naive(&[addresses.to_be_bytes(), 6_u16.to_be_bytes()].concat());
    for value in [with_length, without, 0] {
        frame[checksum..checksum + 2].copy_from_slice(&value.to_be_bytes());
        let (decoded, _) = decode_ethernet(&frame);
        assert_eq!(transport(&frame, &decoded.layers()[0]), Checksum::Partial, "{value:04x}");
    }
}

#[test]
fn says_nothing_of_a_packet_that_is_cut_or_has_no_checksum() {
    let frame = ethernet(0x0800, &ipv4(6, &tcp(1, 2, TCP_SYN, b"payload")));
    let (decoded, _) = decode_ethernet(&frame);
    let cut = Layer { payload_captured: 3, ..decoded.layers()[0] };
    assert_eq!(transport(&frame, &cut), Checksum::Unverifiable);
    let mut frame = ethernet(0x0800, &ipv4(17, &udp(1, 2, b"odd")));
    frame[14 + 20 + 6..14 + 20 + 8].fill(0);
    let (decoded, _) = decode_ethernet(&frame);
    assert_eq!(transport(&frame, &decoded.layers()[0]), Checksum::Unverifiable);
}

#[test]
fn says_nothing_of_the_header_of_a_datagram_made_whole() {
    use crate::packet::fragments::{Fragments, Outcome};
    use crate::packet::{LinkType, decode, resume};

    // A source port whose first byte looks like an IPv4 header of 44 bytes.
    let whole = ipv4(6, &tcp(0x9b5e, 80, TCP_SYN, &[7; 100]));
    let mut fragments = Fragments::default();
    let mut decoded = crate::packet::Decoded::default();
    let (header, payload) = whole.split_at(20);
    for (offset, part) in [(0, &payload[..64]), (64, &payload[64..])] {
        let mut packet = [header, part].concat();
        let length = packet.len() as u16;
        packet[2..4].copy_from_slice(&length.to_be_bytes());
        let more = if offset == 0 { 0x2000 } else { 0 };
        packet[6..8].copy_from_slice(&(more | (offset / 8_u16)).to_be_bytes());
        let frame = ethernet(0x0800, &packet);
        decode(LinkType::ETHERNET, &frame, frame.len() as u32, &mut decoded);
        if let Outcome::Complete(datagram) = fragments.insert(&decoded.layers()[0], &frame, 0, 1).outcome {
            resume(&mut decoded, &datagram);
            let layer = decoded.layers()[0];
            assert_eq!(ip(&datagram.bytes, &layer), Checksum::Unverifiable);
            assert_eq!(transport(&datagram.bytes, &layer), Checksum::Good);
            return;
        }
    }
    panic!("the datagram was not made whole");
}

#[test]
fn a_udp_checksum_of_zero_is_wrong_in_ipv6_but_for_tunnels() {
    for (port, expected) in [(53, Checksum::Bad), (4789, Checksum::Unverifiable)] {
        let mut frame = ethernet(0x86dd, &ipv6(17, &udp(1, port, b"odd")));
        frame[14 + 40 + 6..14 + 40 + 8].fill(0);
        let (decoded, _) = decode_ethernet(&frame);
        assert_eq!(transport(&frame, &decoded.layers()[0]), expected);
    }
}

#[test]
fn crc_is_that_of_the_known_answers() {
    // RFC 3720 appendix B.4.
    assert_eq!(!crc32c(!0, &[0; 32]), 0x8a91_36aa);
    assert_eq!(!crc32c(!0, &[0xff; 32]), 0x62a8_ab43);
    assert_eq!(!crc32c(!0, b"123456789"), 0xe306_9283);
}
