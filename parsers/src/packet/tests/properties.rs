//! What holds for any bytes.

use super::*;

#[test]
fn a_fingerprint_ignores_what_routers_change_and_nothing_else() {
    for packet in [ipv4(17, &udp(1, 2, &[7; 100])), ipv6(17, &udp(1, 2, &[7; 100]))] {
        let ether_type = if packet[0] >> 4 == 4 { 0x0800 } else { 0x86dd };
        let of = |packet: &[u8]| {
            let frame = ethernet(ether_type, packet);
            let (decoded, _) = decode_ethernet(&frame);
            // Half of it tells packets apart: whoever remembers many keeps no more.
            decoded.layers().first().map(|layer| fingerprint(&frame, layer) >> 32)
        };
        let original = of(&packet);
        let hop_fields = if ether_type == 0x0800 { vec![8, 10, 11] } else { vec![7] };
        let payload = packet.len() - 100;
        for at in 0..packet.len() {
            let mut changed = packet.clone();
            changed[at] ^= 1;
            let ignored = hop_fields.contains(&at) || (payload + 32..payload + 68).contains(&at);
            assert_eq!(of(&changed) == original, ignored, "byte {at}");
        }
    }
}

#[test]
fn agrees_with_another_decoder_on_plain_packets() {
    for (link, frame, _) in frames() {
        let Ok(theirs) = etherparse::SlicedPacket::from_ethernet(&frame) else { continue };
        let (decoded, _) = decode_as(link, &frame);
        let (1, Some(ours), Some(transport)) = (link, decoded.layers().first(), theirs.transport) else {
            continue;
        };
        match transport {
            etherparse::TransportSlice::Tcp(tcp) => {
                assert_eq!((ours.src_port, ours.dst_port), (tcp.source_port(), tcp.destination_port()));
                assert_eq!(ours.payload(&frame), tcp.payload());
            }
            etherparse::TransportSlice::Udp(udp) => {
                assert_eq!((ours.src_port, ours.dst_port), (udp.source_port(), udp.destination_port()));
                assert_eq!(ours.payload(&frame), udp.payload());
            }
            _ => {}
        }
    }
}

proptest! {
    #[test]
    fn random_bytes_are_survived(
        link in 0_usize..32,
        frame in prop::collection::vec(any::<u8>(), 0..200),
        wire in 0_u32..300,
    ) {
        const LINKS: [u16; 32] = [
            0, 1, 6, 9, 10, 12, 14, 50, 51, 100, 101, 104, 105, 107, 108, 113,
            117, 119, 127, 163, 166, 192, 204, 228, 229, 239, 276, 147, 1, 1, 1, 1,
        ];
        let mut decoded = Decoded::default();
        decode(LinkType(LINKS[link]), &frame, wire, &mut decoded);
        check_invariants(&frame, &decoded);
        resume_first_fragment(&frame, &mut decoded);
    }

    #[test]
    fn changed_frames_are_survived(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        length in any::<prop::sample::Index>(),
    ) {
        let frames = frames();
        let (link, frame, _) = which.get(&frames);
        let mut frame = frame.clone();
        for (at, value) in changes {
            let at = at.index(frame.len());
            frame[at] = value;
        }
        let length = length.index(frame.len() + 1);
        let mut decoded = Decoded::default();
        decode(LinkType(*link), &frame[..length], frame.len() as u32, &mut decoded);
        check_invariants(&frame[..length], &decoded);
        resume_first_fragment(&frame[..length], &mut decoded);
        let mut table = fragments::Fragments::default();
        if let Some(layer) = decoded.layers().last().copied().filter(|layer| layer.fragment.is_some())
            && let fragments::Outcome::Complete(datagram) = table.insert(&layer, &frame[..length], 0, 1).outcome
        {
            resume(&mut decoded, &datagram);
            check_invariants(&datagram.bytes, &decoded);
        }
    }
}

#[test]
fn a_layer_is_small() {
    assert!(size_of::<Layer>() <= 120, "{}", size_of::<Layer>());
}

#[test]
fn icmp_answers_pair_up() {
    for ipv6 in [false, true] {
        for kind in 0..=255 {
            if let Some(answer) = icmp::counterpart(ipv6, kind) {
                assert_eq!(icmp::counterpart(ipv6, answer), Some(kind));
            }
        }
    }
}
