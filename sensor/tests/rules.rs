//! Rules about flows that show only when packets, front end and workers come together: each test writes a small capture
//! of raw IP packets and reads the rows it gives.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its own files has failed")]

use std::fs;

use sensor::config::{Checksums, Config, IfExists, Replay};
use sensor::output::read;
use sensor::progress::Progress;

const CLIENT: [u8; 4] = [10, 1, 1, 1];
const SERVER: [u8; 4] = [10, 1, 1, 2];
const SYN: u8 = 2;
const ACK: u8 = 16;

/// An IPv4 packet; `fragment` are the bits of flags and offset.
fn ip(protocol: u8, src: [u8; 4], dst: [u8; 4], fragment: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend((20 + payload.len() as u16).to_be_bytes());
    packet.extend([0, 7]);
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, protocol, 0, 0]);
    packet.extend(src);
    packet.extend(dst);
    packet.extend(payload);
    packet
}

fn udp(ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::new();
    datagram.extend(ports.0.to_be_bytes());
    datagram.extend(ports.1.to_be_bytes());
    datagram.extend((8 + payload.len() as u16).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    datagram
}

/// A segment whose header says `offset` times four bytes.
fn tcp(ports: (u16, u16), numbers: (u32, u32), flags: u8, offset: u8, payload: &[u8]) -> Vec<u8> {
    let mut segment = Vec::new();
    segment.extend(ports.0.to_be_bytes());
    segment.extend(ports.1.to_be_bytes());
    segment.extend(numbers.0.to_be_bytes());
    segment.extend(numbers.1.to_be_bytes());
    segment.extend([offset << 4, flags, 0x20, 0, 0, 0, 0, 0]);
    segment.extend(payload);
    segment
}

/// The rows of `table` that packets at these milliseconds give: the values of `columns`, oldest first.
fn rows(packets: &[(u32, Vec<u8>)], table: &str, columns: &[&str]) -> Vec<Vec<String>> {
    let scratch = tempfile::tempdir().unwrap();
    let mut capture =
        vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 101, 0, 0, 0];
    for (at, packet) in packets {
        capture.extend((1_700_000_000 + at / 1000).to_le_bytes());
        capture.extend((at % 1000 * 1000).to_le_bytes());
        capture.extend((packet.len() as u32).to_le_bytes());
        capture.extend((packet.len() as u32).to_le_bytes());
        capture.extend(packet);
    }
    let path = scratch.path().join("a.pcap");
    fs::write(&path, capture).unwrap();
    let lake = scratch.path().join("lake");
    fs::create_dir(&lake).unwrap();
    let config =
        Config { sensor: "test".into(), workers: 2, checksums: Checksums::Ignore, ..Config::default() };
    let captures = sensor::capture::expand(&[path]).unwrap();
    let replay =
        Replay { captures, lake: lake.clone(), if_exists: IfExists::Replace, continuous: false, config };
    sensor::replay::run(&replay, &Progress::default()).unwrap();
    let columns: Vec<String> = columns.iter().map(ToString::to_string).collect();
    let mut rows = read::newest(&lake, table, 100, Some(&columns), None).unwrap().rows;
    rows.reverse();
    rows.into_iter().map(|row| row.into_iter().map(|value| value.unwrap_or("-".into())).collect()).collect()
}

/// A DNS message with the identifier 5 about `a.test`.
fn dns(response: bool) -> Vec<u8> {
    dns_with(5, response)
}

/// A DNS message about `a.test`.
fn dns_with(id: u8, response: bool) -> Vec<u8> {
    let bits = if response { 0x80 } else { 0 };
    [&[0, id, 1 | bits, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], b"\x01a\x04test\0\0\x01\0\x01"].concat()
}

#[test]
fn a_datagram_in_fragments_is_there_when_the_last_one_is() {
    let answer = udp((53, 4000), &dns(true));
    let (front, rest) = answer.split_at(16);
    let packets = [
        (0, ip(17, CLIENT, SERVER, 0, &udp((4000, 53), &dns(false)))),
        (20, ip(17, SERVER, CLIENT, 2, rest)),
        (50, ip(17, SERVER, CLIENT, 0x2000, front)),
    ];
    assert_eq!(rows(&packets, "dns", &["rtt", "packet"]), [["0.05", "1"]]);
    assert_eq!(rows(&packets, "flows", &["duration", "packet"]), [["0.05", "1"]]);
}

#[test]
fn a_flow_that_begins_with_a_datagram_in_fragments_begins_with_the_first_of_them() {
    let query = udp((4000, 53), &dns(false));
    let (front, rest) = query.split_at(16);
    let packets = [
        (10, ip(17, CLIENT, SERVER, 0x2000, front)),
        (30, ip(17, CLIENT, SERVER, 2, rest)),
        (50, ip(17, SERVER, CLIENT, 0, &udp((53, 4000), &dns(true)))),
    ];
    assert_eq!(rows(&packets, "flows", &["duration", "packet"]), [["0.04", "1"]]);
    assert_eq!(rows(&packets, "dns", &["rtt", "packet"]), [["0.02", "2"]]);
}

#[test]
fn a_header_that_cannot_be_right_does_not_begin_another_flow() {
    let (there, back) = ((4000, 80), (80, 4000));
    let packets = [
        (0, ip(6, CLIENT, SERVER, 0, &tcp(there, (100, 0), SYN, 5, b""))),
        (1, ip(6, SERVER, CLIENT, 0, &tcp(back, (900, 101), SYN | ACK, 5, b""))),
        (2, ip(6, CLIENT, SERVER, 0, &tcp(there, (101, 901), ACK, 5, b"abc"))),
        (3, ip(6, CLIENT, SERVER, 0, &tcp(there, (555, 0), SYN, 2, b""))),
        (4, ip(6, SERVER, CLIENT, 0, &tcp(back, (901, 104), ACK, 5, b"def"))),
    ];
    assert_eq!(rows(&packets, "flows", &["history", "src_packets", "dst_packets"]), [["ShDd", "2", "2"]]);
}

#[test]
fn ssh_on_any_port_may_be_silent_for_longer_than_other_protocols() {
    let flow = |greeting: &[u8]| {
        let packets = [
            (0, ip(6, CLIENT, SERVER, 0, &tcp((4000, 2200), (100, 0), SYN, 5, b""))),
            (1, ip(6, SERVER, CLIENT, 0, &tcp((2200, 4000), (900, 101), SYN | ACK, 5, b""))),
            (2, ip(6, SERVER, CLIENT, 0, &tcp((2200, 4000), (901, 101), ACK, 5, greeting))),
            (600_000, ip(6, CLIENT, SERVER, 0, &tcp((4000, 2200), (101, 901), ACK, 5, b"x"))),
        ];
        rows(&packets, "flows", &["service"]).concat()
    };
    assert_eq!(flow(b"SSH-2.0-OpenSSH_9.6\r\n"), ["ssh"]);
    assert_eq!(flow(b"hello there\r\n"), ["-", "-"]);
}

#[test]
fn a_flow_that_begins_with_a_netbios_answer_is_its_receivers() {
    let message = |bits: u8| {
        [&[0, 1, bits, 0, 0, 0, 0, 1, 0, 0, 0, 0, 32][..], &[b'C'; 32], &[0, 0, 32, 0, 1, 0, 0, 0, 0, 0, 0]]
            .concat()
    };
    for (bits, originator) in [(0x85, "10.1.1.2"), (0x05, "10.1.1.1")] {
        let packets = [(0, ip(17, CLIENT, SERVER, 0, &udp((137, 137), &message(bits))))];
        let row = rows(&packets, "flows", &["src_ip.address", "service"]);
        assert_eq!(row, [[originator, "netbios-ns"]]);
    }
}

#[test]
fn a_flow_stays_whole_where_the_clock_of_the_capture_is_set_back() {
    let (there, back) = ((4000, 80), (80, 4000));
    let packets = [
        (3_500_000, ip(6, CLIENT, SERVER, 0, &tcp(there, (100, 0), SYN, 5, b""))),
        (3_500_010, ip(6, SERVER, CLIENT, 0, &tcp(back, (900, 101), SYN | ACK, 5, b""))),
        (10, ip(6, CLIENT, SERVER, 0, &tcp(there, (101, 901), ACK, 5, b"abc"))),
        (20, ip(6, SERVER, CLIENT, 0, &tcp(back, (901, 104), ACK, 5, b"def"))),
        (30, ip(17, CLIENT, SERVER, 0, &udp((4000, 53), &dns(false)))),
        (40, ip(17, SERVER, CLIENT, 0, &udp((53, 4000), &dns(true)))),
    ];
    assert_eq!(rows(&packets, "flows", &["history"]), [["Dd"], ["ShDd"]]);
    assert_eq!(rows(&packets, "dns", &["rtt"]), [["0.01"]]);
}

#[test]
fn a_flow_that_goes_through_a_tunnel_in_part_shows_the_tunnel() {
    let packet = |number: u32| ip(6, CLIENT, SERVER, 0, &tcp((4000, 80), (number, 1), ACK, 5, b"a"));
    let tunnelled =
        |inner: &[u8]| ip(47, [192, 0, 2, 1], [192, 0, 2, 2], 0, &[&[0, 0, 8, 0][..], inner].concat());
    let packets = [(0, packet(100)), (1, tunnelled(&packet(101))), (2, packet(102))];
    let shown = rows(&packets, "flows", &["transport", "src_packets", "tunnels"]);
    assert_eq!(shown, [["tcp", "3", r#"["gre"]"#], ["47", "1", "[]"]]);
}

#[test]
fn a_query_on_a_flow_that_lives_on_is_not_answered_after_minutes() {
    let mut packets = vec![(0, ip(17, CLIENT, SERVER, 0, &udp((4000, 53), &dns(false))))];
    for n in 1..=8 {
        packets
            .push((n * 20_000, ip(17, CLIENT, SERVER, 0, &udp((4000, 53), &dns_with(100 + n as u8, false)))));
    }
    packets.push((170_000, ip(17, SERVER, CLIENT, 0, &udp((53, 4000), &dns(true)))));
    let of_interest = |row: &Vec<String>| row[0] == "5";
    let rows: Vec<_> =
        rows(&packets, "dns", &["id", "rcode", "rtt", "packet"]).into_iter().filter(of_interest).collect();
    assert_eq!(rows, [["5", "-", "-", "1"], ["5", "NOERROR", "-", "10"]]);
}

#[test]
fn roles_are_not_turned_by_a_response_after_an_exchange_is_complete() {
    let packets = [
        (0, ip(17, CLIENT, SERVER, 0, &udp((4000, 53), &dns(false)))),
        (10, ip(17, SERVER, CLIENT, 0, &udp((53, 4000), &dns(true)))),
        (20, ip(17, CLIENT, SERVER, 0, &udp((4000, 53), &dns_with(6, true)))),
    ];
    let shown = rows(&packets, "flows", &["src_ip.address", "history", "src_packets"]);
    assert_eq!(shown, [["10.1.1.1", "Dd", "2"]]);
}
