//! Fragments and extension headers.

use super::*;

#[test]
fn fragments_stop_the_reading_and_a_datagram_made_whole_is_read_on() {
    let whole = ipv4_with(47, 0, &[], &[&[0, 0, 8, 0], &inner()[..]].concat());
    let payload = &whole[20..];
    let (first, second) = payload.split_at(24);
    let mut table = fragments::Fragments::default();
    let mut decoded = Decoded::default();
    for (position, part) in [(0x2000, first), (3, second)] {
        let frame = ethernet(0x8100, &[&[0, 5, 8, 0], &ipv4_with(47, position, &[], part)[..]].concat());
        decode(LinkType::ETHERNET, &frame, frame.len() as u32, &mut decoded);
        let layer = decoded.layers()[0];
        assert_eq!((decoded.layers().len(), layer.src_port), (1, 0));
        assert_eq!(layer.payload(&frame), part);
        if let fragments::Outcome::Complete(datagram) = table.insert(&layer, &frame, 0, 1).outcome {
            resume(&mut decoded, &datagram);
            assert_eq!(describe(&decoded), format!("{OUTER_GRE} gre {INNER}"));
            assert_eq!(decoded.layers()[0].ip_length as usize, whole.len());
            assert_eq!(decoded.layers()[1].payload(&datagram.bytes), b"hello");
            assert_eq!(decoded.link.vlan(), Some(5));
            return;
        }
    }
    panic!("not made whole");
}

#[test]
fn ipv6_fragments_are_made_whole_with_the_extension_headers_behind() {
    let payload = [&[17, 0, 1, 4, 0, 0, 0, 0], &udp(1000, 53, b"hello")[..]].concat();
    let (first, second) = payload.split_at(16);
    let mut table = fragments::Fragments::default();
    let mut decoded = Decoded::default();
    for (position, part) in [(1, first), (16, second)] {
        let header = [60, 0, 0, position, 0, 0, 0, 9];
        let frame = ethernet(0x86dd, &ipv6(44, &[&header, part].concat()));
        decode(LinkType::ETHERNET, &frame, frame.len() as u32, &mut decoded);
        let layer = *decoded.innermost().unwrap();
        if let fragments::Outcome::Complete(datagram) = table.insert(&layer, &frame, 0, 1).outcome {
            resume(&mut decoded, &datagram);
            assert_eq!(describe(&decoded), INNER_6);
            assert_eq!(decoded.layers()[0].ip_length as usize, 40 + payload.len());
            return;
        }
    }
    panic!("not made whole");
}

#[test]
fn what_is_behind_too_many_extension_headers_is_payload() {
    let headers = [60, 0, 1, 4, 0, 0, 0, 0].repeat(20);
    let frame = ethernet(0x86dd, &ipv6(60, &headers));
    let (decoded, _) = decode_ethernet(&frame);
    check_invariants(&frame, &decoded);
    let layer = decoded.layers()[0];
    assert!(layer.truncated_header && decoded.problem.is_some());
    assert_eq!((layer.protocol, layer.transport_offset as usize), (60, 14 + 40 + 16 * 8));
    assert_eq!(layer.payload(&frame), &headers[16 * 8..]);
}

#[test]
fn an_extension_header_that_ends_beyond_its_datagram_leaves_no_payload() {
    let part = [17, 200, 1, 4, 0, 0, 0, 0];
    let header = [60, 0, 0, 1, 0, 0, 0, 9];
    let frame = [ethernet(0x86dd, &ipv6(44, &[header, part].concat())), vec![0; 20]].concat();
    let mut decoded = Decoded::default();
    decode(LinkType::ETHERNET, &frame, frame.len() as u32, &mut decoded);
    assert_eq!(decoded.layers()[0].payload(&frame), part);
    resume_first_fragment(&frame, &mut decoded);
    check_invariants(&frame, &decoded);
    let layer = decoded.layers()[0];
    assert_eq!((layer.truncated_header, layer.payload_length, layer.payload(&frame)), (true, 0, &[][..]));
}

#[test]
fn a_fragment_header_behind_authentication_in_a_fragment_is_payload() {
    let authentication = [44, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1];
    let inner = [17, 0, 0, 1, 0, 0, 0, 7, 1, 2, 3, 4];
    let frame =
        ethernet(0x86dd, &ipv6(44, &[&[51, 0, 0, 1, 0, 0, 0, 9], &authentication[..], &inner].concat()));
    let mut decoded = Decoded::default();
    decode(LinkType::ETHERNET, &frame, frame.len() as u32, &mut decoded);
    resume_first_fragment(&frame, &mut decoded);
    check_invariants(&frame, &decoded);
    assert_eq!(decoded.layers()[0].payload(&frame), inner);
}

#[test]
fn any_number_of_authentication_headers_fits_on_the_stack() {
    let header = |next: u8| [next, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1];
    for packet in [ipv4(51, &header(51).repeat(5_400)), ipv6(51, &header(51).repeat(5_400))] {
        let decoded = std::thread::Builder::new().stack_size(256 << 10).spawn(move || {
            let mut decoded = Decoded::default();
            decode(LinkType::RAW, &packet, packet.len() as u32, &mut decoded);
            check_invariants(&packet, &decoded);
            decoded
        });
        let decoded = decoded.unwrap().join().unwrap();
        assert_eq!(decoded.layers().len(), 1);
        assert!(decoded.problem.is_some());
    }
}

#[test]
fn a_first_fragment_that_is_cut_still_has_ports() {
    let frame = ethernet(0x0800, &ipv4_with(17, 0x2000, &[], &udp(1000, 53, &[0; 64])));
    let mut decoded = Decoded::default();
    decode(LinkType::ETHERNET, &frame[..50], frame.len() as u32, &mut decoded);
    resume_first_fragment(&frame[..50], &mut decoded);
    let layer = decoded.layers()[0];
    assert_eq!((layer.src_port, layer.dst_port), (1000, 53));
    assert!(layer.fragment.is_some());
}
