//! IP and transport headers.

use super::*;

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
