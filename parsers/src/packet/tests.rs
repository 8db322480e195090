//! Frames made by hand for each encapsulation; cuts at every byte; random bytes.

use proptest::prelude::*;
use schemas::anomaly::AnomalyName;

use super::*;

pub(super) const TCP_SYN: u8 = 0x02;

/// The Internet checksum of a packet that has zero in its place.
fn internet_checksum(bytes: &[u8]) -> [u8; 2] {
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

/// Fills in a transport checksum with the pseudo-header `pseudo` before it.
fn with_checksum(pseudo: &[u8], protocol: u8, mut segment: Vec<u8>) -> Vec<u8> {
    let at = match protocol {
        6 => 16,
        17 => 6,
        1 | 58 => 2,
        _ => return segment,
    };
    if segment.len() < at + 2 {
        return segment;
    }
    let mut bytes = segment.clone();
    if protocol != 1 {
        let length = (segment.len() as u32).to_be_bytes();
        // Even before odd lengths of the segment, so that words stay in step.
        bytes = [pseudo, &length, &[0, 0, 0, protocol], &segment].concat();
    }
    segment[at..at + 2].copy_from_slice(&internet_checksum(&bytes));
    segment
}

pub(super) fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1], &ether_type.to_be_bytes()[..], payload].concat()
}

pub(super) fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4_with(protocol, 0x4000, &[], payload)
}

/// With the field of flags and fragment offset, and options.
fn ipv4_with(protocol: u8, position: u16, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let (src, dst) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    let payload = with_checksum(&[src, dst].concat(), protocol, payload.to_vec());
    let length = (20 + options.len() + payload.len()) as u16;
    let mut header = vec![0x45 + (options.len() / 4) as u8, 0];
    header.extend(length.to_be_bytes());
    header.extend([0, 7]);
    header.extend(position.to_be_bytes());
    header.extend([64, protocol, 0, 0]);
    header.extend(src);
    header.extend(dst);
    header.extend(options);
    let checksum = internet_checksum(&header);
    header[10..12].copy_from_slice(&checksum);
    [header, payload].concat()
}

pub(super) fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    ipv6_between([1; 16], [2; 16], next, payload)
}

fn ipv6_between(src: [u8; 16], dst: [u8; 16], next: u8, payload: &[u8]) -> Vec<u8> {
    let payload = with_checksum(&[src, dst].concat(), next, payload.to_vec());
    let length = (payload.len() as u16).to_be_bytes();
    [&[0x60, 0, 0, 0], &length[..], &[next, 64], &src, &dst, &payload].concat()
}

pub(super) fn tcp(src_port: u16, dst_port: u16, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut segment = [src_port.to_be_bytes(), dst_port.to_be_bytes()].concat();
    segment.extend([0, 0, 0, 1, 0, 0, 0, 2, 0x50, flags, 1, 0, 0, 0, 0, 0]);
    segment.extend(payload);
    segment
}

pub(super) fn udp(src_port: u16, dst_port: u16, payload: &[u8]) -> Vec<u8> {
    let mut datagram = [src_port.to_be_bytes(), dst_port.to_be_bytes()].concat();
    datagram.extend((8 + payload.len() as u16).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    datagram
}

pub(super) fn sctp_packet(payload: &[u8]) -> Vec<u8> {
    let mut packet = [&[0, 7, 0, 8, 0, 0, 0, 9, 0, 0, 0, 0], payload].concat();
    let mut crc = !0_u32;
    for byte in &packet {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    packet[8..12].copy_from_slice(&(!crc).to_le_bytes());
    packet
}

fn decode_as(link: u16, frame: &[u8]) -> (Decoded, String) {
    let mut decoded = Decoded::default();
    decode(LinkType(link), frame, frame.len() as u32, &mut decoded);
    let text = describe(&decoded);
    (decoded, text)
}

pub(super) fn decode_ethernet(frame: &[u8]) -> (Decoded, String) {
    decode_as(1, frame)
}

/// Tunnels and layers in one line.
fn describe(decoded: &Decoded) -> String {
    let mut words = Vec::new();
    let mut done = 0;
    for layer in decoded.layers() {
        words.extend(tunnels(&decoded.tunnels()[done..usize::from(layer.tunnels)]));
        done = usize::from(layer.tunnels);
        let address = |address: &[u8; 16]| {
            if layer.ipv6 {
                std::net::Ipv6Addr::from(*address).to_string()
            } else {
                std::net::Ipv4Addr::from(*address.last_chunk::<4>().unwrap()).to_string()
            }
        };
        words.push(format!(
            "{}:{}>{}:{}/{}",
            address(&layer.src),
            layer.src_port,
            address(&layer.dst),
            layer.dst_port,
            layer.protocol
        ));
    }
    words.extend(tunnels(&decoded.tunnels()[done..]));
    words.join(" ")
}

fn tunnels(tunnels: &[Tunnel]) -> Vec<String> {
    let write = |tunnel: &Tunnel| {
        let mut text = Vec::new();
        tunnel.write(&mut text);
        String::from_utf8(text).unwrap()
    };
    tunnels.iter().map(write).collect()
}

/// The packet inside most encapsulations here.
fn inner() -> Vec<u8> {
    ipv4_with(6, 0, &[], &tcp(1000, 80, TCP_SYN, b"hello"))
}

fn inner_6() -> Vec<u8> {
    ipv6(17, &udp(1000, 53, b"hello"))
}

const INNER: &str = "10.0.0.1:1000>10.0.0.2:80/6";
const INNER_6: &str = "101:101:101:101:101:101:101:101:1000>202:202:202:202:202:202:202:202:53/17";

/// In a UDP datagram between the outer hosts.
fn in_udp(src_port: u16, dst_port: u16, header: &[u8], payload: &[u8]) -> Vec<u8> {
    ethernet(0x0800, &ipv4(17, &udp(src_port, dst_port, &[header, payload].concat())))
}

fn in_gre(header: &[u8], payload: &[u8]) -> Vec<u8> {
    ethernet(0x0800, &ipv4(47, &[header, payload].concat()))
}

const OUTER_GRE: &str = "10.0.0.1:0>10.0.0.2:0/47";

/// Every encapsulation: link type, frame, what it holds.
fn frames() -> Vec<(u16, Vec<u8>, String)> {
    let inner = &inner();
    let inner_6 = &inner_6();
    let frame = &ethernet(0x0800, inner);
    let ether =
        |ether_type: u16, header: &[u8], payload: &[u8]| ethernet(ether_type, &[header, payload].concat());
    let snap = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
    let wireless = |first: u8, flags: u8, extra: &[u8]| {
        [&[first, flags, 0, 0], &[1; 6][..], &[2; 6], &[3; 6], &[0, 0], extra, &snap, inner].concat()
    };
    let one = |text: &str| text.to_owned();
    let udp_outer = |src: u16, dst: u16| format!("10.0.0.1:{src}>10.0.0.2:{dst}/17");
    let gtp_length = (inner.len() as u16).to_be_bytes();
    let gtp_length_8 = (inner.len() as u16 + 8).to_be_bytes();
    let teredo =
        ipv6_between([0x20, 1, 0, 0, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5], [2; 16], 17, &udp(1000, 53, b"x"));
    let teredo_text = "2001:0:505:505:505:505:505:505:1000>202:202:202:202:202:202:202:202:53/17";
    let length_3 = |bytes: &[u8]| (bytes.len() as u16).to_be_bytes();
    let destination_options = [17, 0, 1, 4, 0, 0, 0, 0];
    let datagram = udp(1000, 53, b"hello");
    let in_six = |next: u8, header: &[u8]| ether(0x86dd, &[], &ipv6(next, &[header, &datagram].concat()));
    let nflog = {
        let attribute = [&(inner.len() as u16 + 4).to_le_bytes()[..], &9_u16.to_le_bytes()].concat();
        [&[2, 0, 0, 0, 8, 0, 1, 0, 0, 8, 0, 0], &attribute[..], inner].concat()
    };
    let aggregate = {
        let part = |payload: &[u8]| {
            let mut part = [&[4; 12], &length_3(&[&snap, payload].concat())[..], &snap, payload].concat();
            part.resize(14 + (part.len() - 14).next_multiple_of(4), 0);
            part
        };
        [&[0x88, 1, 0, 0], &[1; 6][..], &[2; 6], &[3; 6], &[0, 0], &[0x80, 0], &part(inner), &part(inner)]
            .concat()
    };
    vec![
        (1, frame.clone(), one(INNER)),
        (1, ethernet(0x86dd, inner_6), one(INNER_6)),
        (1, ether(0x8100, &[0, 5, 8, 0], inner), one(INNER)),
        (1, ether(0x88a8, &[0, 5, 0x81, 0, 0, 6, 8, 0], inner), one(INNER)),
        (1, ether(0x88e7, &[0, 1, 2, 3], frame), format!("802.1ah:66051 {INNER}")),
        (1, ether(0x8847, &[0, 1, 0, 9, 0, 1, 0x11, 9], inner), format!("mpls:16 mpls:17 {INNER}")),
        (1, ether(0x8847, &[0, 1, 0x11, 9], inner_6), format!("mpls:17 {INNER_6}")),
        (1, ether(0x8847, &[0, 1, 0x11, 9, 0, 0, 0, 0], frame), format!("mpls:17 {INNER}")),
        (1, ether(0x8847, &[0, 1, 0x11, 9], frame), format!("mpls:17 {INNER}")),
        (1, ether(0x8864, &[0x11, 0, 0, 9, 0, 47, 0, 0x21], inner), format!("pppoe:9 {INNER}")),
        (1, ether(53, &snap, inner), one(INNER)),
        (1, ether(0x8926, &[0, 0, 0, 0, 8, 0], inner), format!("vn-tag {INNER}")),
        (1, ether(0x893f, &[0, 0, 0, 0, 0, 0, 8, 0], inner), format!("e-tag {INNER}")),
        (1, ether(0x8903, &[0, 0], frame), format!("fabricpath {INNER}")),
        (1, ether(0x8909, &[1, 1, 0, 1, 0, 2, 8, 0], inner), one(INNER)),
        (1, ether(0x88e5, &[0, 0, 0, 0, 0, 1, 8, 0], &[inner, &[0; 16][..]].concat()), one(INNER)),
        (1, ether(0x894f, &[0, 2, 1, 1, 0, 0, 7, 1], inner), format!("nsh:7 {INNER}")),
        (1, ether(0x894f, &[0, 2, 1, 3, 0, 0, 7, 1], frame), format!("nsh:7 {INNER}")),
        (1, ethernet(0x0800, &ipv4_with(6, 0, &[1; 4], &tcp(1000, 80, TCP_SYN, b""))), one(INNER)),
        (1, ethernet(0x0800, &ipv4(4, inner)), format!("10.0.0.1:0>10.0.0.2:0/4 ipip {INNER}")),
        (1, ethernet(0x0800, &ipv4(41, inner_6)), format!("10.0.0.1:0>10.0.0.2:0/41 6in4 {INNER_6}")),
        (
            1,
            ethernet(0x0800, &ipv4(97, &[&[0x30, 0], &frame[..]].concat())),
            format!("10.0.0.1:0>10.0.0.2:0/97 etherip {INNER}"),
        ),
        (
            1,
            ethernet(0x0800, &ipv4(137, &[&[0, 1, 0x11, 9], &inner[..]].concat())),
            format!("10.0.0.1:0>10.0.0.2:0/137 mpls:17 {INNER}"),
        ),
        (
            1,
            ethernet(0x0800, &ipv4(51, &[&[6, 4], &[0; 22][..], &tcp(1000, 80, 2, b"")].concat())),
            one(INNER),
        ),
        (1, in_gre(&[0, 0, 8, 0], inner), format!("{OUTER_GRE} gre {INNER}")),
        (
            1,
            in_gre(&[0xb0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 42, 0, 0, 0, 1], inner),
            format!("{OUTER_GRE} gre:42 {INNER}"),
        ),
        (
            1,
            in_gre(&[0x40, 0, 8, 0, 0, 0, 0, 0, 0, 2, 0, 4, 1, 2, 3, 4, 0, 0, 0, 0], inner),
            format!("{OUTER_GRE} gre {INNER}"),
        ),
        (1, in_gre(&[0x20, 0, 0x65, 0x58, 0, 0x10, 5, 1], frame), format!("{OUTER_GRE} nvgre:4101 {INNER}")),
        (1, in_gre(&[0x20, 0, 0x65, 0x58, 0, 0, 5, 1], frame), format!("{OUTER_GRE} gre:1281 {INNER}")),
        (1, in_gre(&[0, 0, 0x88, 0xbe], frame), format!("{OUTER_GRE} erspan1 {INNER}")),
        (
            1,
            in_gre(&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0, 5, 0, 0, 0, 0], frame),
            format!("{OUTER_GRE} erspan2:5 {INNER}"),
        ),
        (
            1,
            in_gre(&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0], frame),
            format!("{OUTER_GRE} erspan3:5 {INNER}"),
        ),
        (
            1,
            in_gre(
                &[
                    0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0, 0, 5, 0, 0, 0, 0, 0, 0, 8, 1, 0, 0, 0, 0, 0, 0,
                    0, 0,
                ],
                inner,
            ),
            format!("{OUTER_GRE} erspan3:5 {INNER}"),
        ),
        (
            1,
            in_gre(&[0x30, 1, 0x88, 0x0b, 0, 47, 0, 9, 0, 0, 0, 1, 0, 0x21], inner),
            format!("{OUTER_GRE} pptp:9 {INNER}"),
        ),
        (1, in_gre(&[0, 0, 0x88, 0x3e, 0, 0, 0, 0], inner), format!("{OUTER_GRE} wccp {INNER}")),
        (1, in_gre(&[0, 0, 0x90, 0], &wireless(8, 0, &[])), format!("{OUTER_GRE} gre {INNER}")),
        (
            1,
            in_udp(5, 4789, &[8, 0, 0, 0, 0, 0, 42, 0], frame),
            format!("{} vxlan:42 {INNER}", udp_outer(5, 4789)),
        ),
        (
            1,
            in_udp(5, 4790, &[12, 0, 0, 1, 0, 0, 42, 0], inner),
            format!("{} vxlan-gpe:42 {INNER}", udp_outer(5, 4790)),
        ),
        (
            1,
            in_udp(5, 6081, &[1, 0, 0x65, 0x58, 0, 0, 42, 0, 0, 0, 0, 0], frame),
            format!("{} geneve:42 {INNER}", udp_outer(5, 6081)),
        ),
        (
            1,
            in_udp(5, 2152, &[&[0x30, 255], &gtp_length[..], &[0, 0, 0, 7]].concat(), inner),
            format!("{} gtp:7 {INNER}", udp_outer(5, 2152)),
        ),
        (
            1,
            in_udp(
                2152,
                5,
                &[&[0x34, 255], &gtp_length_8[..], &[0, 0, 0, 7, 0, 0, 0, 0x85, 1, 0, 0, 0]].concat(),
                inner,
            ),
            format!("{} gtp:7 {INNER}", udp_outer(2152, 5)),
        ),
        (1, in_udp(5, 6, &[], &teredo), format!("{} teredo {teredo_text}", udp_outer(5, 6))),
        (
            1,
            in_udp(3544, 6, &[0, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 1, 2, 3, 4, 5, 6], inner_6),
            format!("{} teredo {INNER_6}", udp_outer(3544, 6)),
        ),
        (
            1,
            in_udp(5, 5072, &[&[0x41, 0x52, 0x11, 41][..], &[0; 40]].concat(), inner_6),
            format!("{} ayiya {INNER_6}", udp_outer(5, 5072)),
        ),
        (1, in_six(60, &destination_options), one(INNER_6)),
        (1, in_six(0, &[60, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0]), one(INNER_6)),
        (1, in_six(44, &[17, 0, 0, 0, 0, 0, 0, 9]), one(INNER_6)),
        (1, in_six(51, &[&[17, 4], &[0; 22][..]].concat()), one(INNER_6)),
        (0, [&[2, 0, 0, 0], &inner[..]].concat(), one(INNER)),
        (0, [&[0, 0, 0, 30], &inner_6[..]].concat(), one(INNER_6)),
        (108, [&[0, 0, 0, 2], &inner[..]].concat(), one(INNER)),
        (12, inner.clone(), one(INNER)),
        (14, inner_6.clone(), one(INNER_6)),
        (101, inner_6.clone(), one(INNER_6)),
        (228, inner.clone(), one(INNER)),
        (229, inner_6.clone(), one(INNER_6)),
        (9, [&[0, 0x21], &inner[..]].concat(), one(INNER)),
        (9, [&[0xff, 3, 0, 0x57], &inner_6[..]].concat(), one(INNER_6)),
        (50, [&[0xff, 3, 0x21], &inner[..]].concat(), one(INNER)),
        (50, [&[0x0f, 0, 8, 0], &inner[..]].concat(), one(INNER)),
        (51, [&[0x11, 0, 0, 9, 0, 47, 0, 0x21], &inner[..]].concat(), format!("pppoe:9 {INNER}")),
        (105, wireless(8, 1, &[]), one(INNER)),
        (105, wireless(0x88, 3, &[[5; 6], [0; 6]].concat()[..8]), one(INNER)),
        (105, aggregate, format!("{INNER} {INNER}")),
        (
            127,
            [&[0, 0, 9, 0, 2, 0, 0, 0, 0x30], &wireless(0x88, 0, &[0; 4])[..], &[0; 4]].concat(),
            one(INNER),
        ),
        (119, [&[0x44, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0], &wireless(8, 0, &[])[..]].concat(), one(INNER)),
        (163, [&[0x80, 0x21, 0x10, 1, 0, 0, 0, 8], &wireless(8, 0, &[])[..]].concat(), one(INNER)),
        (107, [&[0x18, 0x41, 3, 0xcc], &inner[..]].concat(), one(INNER)),
        (107, [&[0x18, 0x41, 8, 0], &inner[..]].concat(), one(INNER)),
        (107, [&[0x18, 0x41, 3, 0, 0x80, 0, 0, 0, 8, 0], &inner[..]].concat(), one(INNER)),
        (113, [&[0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 8, 0], &inner[..]].concat(), one(INNER)),
        (
            276,
            [&[8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0], &inner[..]].concat(),
            one(INNER),
        ),
        (239, nflog, one(INNER)),
        (104, [&[0x0f, 0, 8, 0], &inner[..]].concat(), one(INNER)),
        (192, [&[0, 0, 8, 0, 105, 0, 0, 0], &wireless(8, 0, &[])[..]].concat(), one(INNER)),
    ]
}

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
    let link = Link {
        src_mac: Some([2, 0, 0, 0, 0, 1]),
        dst_mac: Some([2, 0, 0, 0, 0, 2]),
        vlan: Some(5),
        inner_vlan: Some(6),
    };
    assert_eq!(decoded.link, link);
    let contexts: Vec<_> = decoded.layers().iter().map(|layer| layer.context as u32).collect();
    assert_eq!(contexts, [0, 42]);
    let (decoded, _) = decode_ethernet(&ethernet(0x8100, &[&[0, 0, 8, 0], &inner()[..]].concat()));
    assert_eq!(decoded.link.vlan, None, "a priority tag is no VLAN");
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

#[test]
fn padding_behind_the_ip_length_is_no_payload() {
    let mut frame = ethernet(0x0800, &ipv4(6, &tcp(1, 2, 0x10, b"")));
    frame.resize(60, 0);
    let layer = decode_ethernet(&frame).0.layers()[0];
    assert_eq!((layer.payload_length, layer.payload_captured, layer.ip_length), (0, 0, 40));
}

#[test]
fn a_total_length_of_zero_means_all_that_is_there() {
    let mut frame = ethernet(0x0800, &ipv4(6, &tcp(1, 2, 0x10, &[0; 100])));
    frame[16..18].fill(0);
    let (decoded, _) = decode_ethernet(&frame);
    assert_eq!(decoded.problem, None);
    assert_eq!(decoded.layers()[0].payload_length, 100);
    let mut frame = ethernet(0x86dd, &ipv6(6, &tcp(1, 2, 0x10, &[0; 100])));
    frame[18..20].fill(0);
    assert_eq!(decode_ethernet(&frame).0.layers()[0].payload_length, 100);
}

#[test]
fn reads_jumbograms() {
    let option = [17, 0, 0xc2, 4, 0, 0, 0, 8 + 8 + 70];
    let mut frame = ethernet(0x86dd, &ipv6(0, &[&option, &udp(1, 2, &[0; 70])[..]].concat()));
    frame[18..20].fill(0);
    let layer = decode_ethernet(&frame).0.layers()[0];
    assert_eq!((layer.ip_length, layer.payload_length, layer.src_port), (40 + 8 + 8 + 70, 70, 1));
}

#[test]
fn headers_that_contradict_themselves_are_problems() {
    let good = ethernet(0x0800, &ipv4(6, &tcp(1, 2, 0x10, b"payload")));
    let changed = |at: usize, value: u8| {
        let mut frame = good.clone();
        frame[at] = value;
        decode_ethernet(&frame).0.problem.map(|problem| problem.name)
    };
    assert_eq!(changed(14, 0x65), Some(AnomalyName::IpMalformed));
    assert_eq!(changed(14, 0x44), Some(AnomalyName::IpMalformed));
    assert_eq!(changed(17, 10), Some(AnomalyName::IpMalformed));
    assert_eq!(changed(16, 9), Some(AnomalyName::IpTruncated));
    assert_eq!(changed(17, 30), Some(AnomalyName::TransportTruncated));
    assert_eq!(changed(14 + 20 + 12, 0x40), Some(AnomalyName::TransportMalformed));
    assert_eq!(changed(14 + 20 + 12, 0xf0), Some(AnomalyName::TransportMalformed));
    let mut frame = ethernet(0x0800, &ipv4(17, &udp(1, 2, b"payload")));
    frame[14 + 20 + 5] = 200;
    let (decoded, _) = decode_ethernet(&frame);
    assert_eq!(decoded.problem.map(|problem| problem.name), Some(AnomalyName::TransportMalformed));
    assert_eq!((decoded.layers()[0].payload_length, decoded.layers()[0].payload_captured), (192, 7));
}

#[test]
fn nesting_is_bounded() {
    let mut packet = inner();
    for _ in 0..20 {
        packet = ipv4(4, &packet);
    }
    let (decoded, _) = decode_ethernet(&ethernet(0x0800, &packet));
    assert_eq!(decoded.layers().len(), MAX_LAYERS);
    assert_eq!(decoded.problem.map(|problem| problem.name), Some(AnomalyName::TunnelTooDeep));
    let labels = [0, 1, 0, 9].repeat(40);
    let (decoded, _) = decode_ethernet(&ethernet(0x8847, &labels));
    assert_eq!(decoded.problem.map(|problem| problem.name), Some(AnomalyName::TunnelTooDeep));
    let options = [60, 0, 1, 4, 0, 0, 0, 0].repeat(40);
    let (decoded, _) = decode_ethernet(&ethernet(0x86dd, &ipv6(60, &options)));
    assert_eq!(decoded.problem.map(|problem| problem.name), Some(AnomalyName::IpMalformed));
}

#[test]
fn a_routing_header_gives_the_final_destination_and_a_home_address_the_source() {
    let route = [&[17, 4, 0, 2, 0, 0, 0, 0], &[7; 16][..], &[8; 16]].concat();
    let frame = ethernet(0x86dd, &ipv6(43, &[&route[..], &udp(1, 2, b"")].concat()));
    assert_eq!(decode_ethernet(&frame).0.layers()[0].dst, [8; 16]);
    let home = [&[17, 2, 1, 2, 0, 0, 201, 16], &[7; 16][..]].concat();
    let frame = ethernet(0x86dd, &ipv6(60, &[&home[..], &udp(1, 2, b"")].concat()));
    assert_eq!(decode_ethernet(&frame).0.layers()[0].src, [7; 16]);
}

#[test]
fn keeps_the_tcp_options_that_reassembly_needs() {
    let mut segment = tcp(1, 2, TCP_SYN, &[2, 4, 5, 0xb4, 3, 3, 7, 8, 10, 0, 0, 0, 5, 0, 0, 0, 6, 1, 1, 0]);
    segment[12] = 0xa0;
    let layer = decode_ethernet(&ethernet(0x0800, &ipv4(6, &segment))).0.layers()[0];
    assert_eq!((layer.window_scale, layer.timestamps, layer.payload_length), (Some(7), Some((5, 6)), 0));
    let mut segment = tcp(1, 2, 0x10, &[1, 1, 8, 10, 0, 0, 0, 5, 0, 0, 0, 6, 99]);
    segment[12] = 0x80;
    let layer = decode_ethernet(&ethernet(0x0800, &ipv4(6, &segment))).0.layers()[0];
    assert_eq!((layer.timestamps, layer.payload_length), (Some((5, 6)), 1));
}

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
            assert_eq!(decoded.link.vlan, Some(5));
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

#[test]
fn a_fingerprint_ignores_what_routers_change_and_nothing_else() {
    for packet in [ipv4(17, &udp(1, 2, &[7; 100])), ipv6(17, &udp(1, 2, &[7; 100]))] {
        let ether_type = if packet[0] >> 4 == 4 { 0x0800 } else { 0x86dd };
        let of = |packet: &[u8]| {
            let frame = ethernet(ether_type, packet);
            let (decoded, _) = decode_ethernet(&frame);
            decoded.layers().first().map(|layer| fingerprint(&frame, layer))
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

/// What must hold of any result.
fn check_invariants(frame: &[u8], decoded: &Decoded) {
    for layer in decoded.layers() {
        assert!(layer.payload_captured <= layer.payload_length);
        assert!(layer.ip_offset <= layer.transport_offset && layer.transport_offset <= layer.payload_offset);
        assert_eq!(layer.payload(frame).len(), layer.payload_captured as usize);
        assert!(usize::from(layer.tunnels) <= decoded.tunnels().len());
        fingerprint(frame, layer);
        checksum::ip(frame, layer);
        checksum::transport(frame, layer);
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
