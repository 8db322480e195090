//! Each encapsulation, whole and cut.

use super::*;

#[test]
fn every_encapsulation_is_read_to_the_inner_flow() {
    for (link, frame, expected) in frames() {
        let (decoded, text) = decode_as(link, &frame);
        assert_eq!(text, expected, "link type {link}, {:02x?}", &frame[..frame.len().min(60)]);
        assert_eq!(decoded.problem, None, "{expected}");
        assert!(!decoded.cut, "{expected}");
        let last = decoded.innermost().unwrap();
        assert!(last.is_complete(), "{expected}");
    }
}

#[test]
fn a_link_type_has_a_name_if_and_only_if_it_is_decoded() {
    let mut decoded = Decoded::default();
    for number in 0..=1024 {
        let link = LinkType(number);
        decode(link, &[0; 64], 64, &mut decoded);
        let unknown = decoded.problem.is_some_and(|problem| problem.name == AnomalyName::UnknownLinkType);
        assert_eq!(unknown, link.known_name().is_none(), "{link}");
    }
}

#[test]
fn a_frame_cut_at_any_byte_shows_the_first_layers_without_a_problem() {
    for (link, frame, expected) in frames() {
        let (whole, _) = decode_as(link, &frame);
        let mut decoded = Decoded::default();
        for length in 0..frame.len() {
            decode(LinkType(link), &frame[..length], frame.len() as u32, &mut decoded);
            assert_eq!(decoded.problem, None, "{expected} cut at {length}");
            assert!(decoded.layers().len() <= whole.layers().len());
            for (cut, whole) in decoded.layers().iter().zip(whole.layers()) {
                assert_eq!(
                    (cut.src, cut.ip_length),
                    (whole.src, whole.ip_length),
                    "{expected} cut at {length}"
                );
                assert!(cut.payload_captured <= whole.payload_captured);
                if !cut.truncated_header {
                    assert_eq!(cut.payload_length, whole.payload_length, "{expected} cut at {length}");
                    assert_eq!(cut.src_port, whole.src_port, "{expected} cut at {length}");
                }
            }
        }
    }
}

#[test]
fn a_frame_that_ends_early_though_nothing_was_cut_has_a_problem_or_the_same_layers() {
    for (link, frame, expected) in frames() {
        for length in 1..frame.len() {
            let (decoded, text) = decode_as(link, &frame[..length]);
            assert!(!decoded.cut || decoded.problem.is_some(), "{expected} at {length}");
            // Tunnels in UDP are recognised only where lengths agree; that is no problem.
            assert!(
                decoded.problem.is_some() || text != expected || frame[length..].len() <= 20,
                "{expected} at {length}"
            );
        }
    }
}

#[test]
fn keeps_addresses_and_tags_of_the_outermost_frame() {
    let inside = ethernet(0x8100, &[&[0, 99, 8, 0], &inner()[..]].concat());
    let outer = ipv4(17, &udp(5, 4789, &[&[8, 0, 0, 0, 0, 0, 42, 0], &inside[..]].concat()));
    let frame = ethernet(0x88a8, &[&[0x20, 5, 0x81, 0, 0, 6, 8, 0], &outer[..]].concat());
    let (decoded, text) = decode_ethernet(&frame);
    assert!(text.contains("vxlan:42"));
    let link = decoded.link;
    assert_eq!((link.src_mac(), link.dst_mac()), (Some([2, 0, 0, 0, 0, 1]), Some([2, 0, 0, 0, 0, 2])));
    assert_eq!((link.vlan(), link.inner_vlan()), (Some(5), Some(6)));
    let contexts: Vec<_> = decoded.layers().iter().map(|layer| layer.context as u32).collect();
    assert_eq!(contexts, [0, 42]);
    let (decoded, _) = decode_ethernet(&ethernet(0x8100, &[&[0, 0, 8, 0], &inner()[..]].concat()));
    assert_eq!(decoded.link.vlan(), None, "a priority tag is no VLAN");
}

#[test]
fn other_traffic_on_the_ports_of_tunnels_is_left_alone() {
    let query = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, b'w', b'w', b'w', 0, 0, 1, 0, 1];
    for port in [4789, 8472, 4790, 6081, 2152, 3544, 5072] {
        for (src, dst) in [(port, 53), (53, port), (port, port)] {
            let (decoded, _) = decode_ethernet(&in_udp(src, dst, &[], &query));
            assert_eq!((decoded.layers().len(), decoded.tunnels().len()), (1, 0), "{src} to {dst}");
            assert_eq!(decoded.problem, None);
        }
    }
    // The length of GTP does not fit.
    let (decoded, _) = decode_ethernet(&in_udp(5, 2152, &[0x30, 255, 0, 9, 0, 0, 0, 7], &inner()));
    assert_eq!(decoded.tunnels(), []);
}
