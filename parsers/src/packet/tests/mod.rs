//! Frames made by hand for each encapsulation; cuts at every byte; random bytes.

mod datagrams;
mod encapsulations;
mod headers;
mod properties;

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
pub(super) fn ipv4_with(protocol: u8, position: u16, options: &[u8], payload: &[u8]) -> Vec<u8> {
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
