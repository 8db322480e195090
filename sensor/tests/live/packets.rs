//! Captures that tests write: floods, and recordings with tags put in.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

/// Of a pcap with nanoseconds, little-endian.
const MAGIC: u32 = 0xa1b2_3c4d;

/// Writes frames a microsecond apart.
pub(crate) fn write(path: &Path, frames: impl Iterator<Item = Vec<u8>>) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    file.write_all(&header()).unwrap();
    for (number, frame) in (0_u32..).zip(frames) {
        let time = [number / 1_000_000, number % 1_000_000 * 1000];
        let lengths = [frame.len() as u32; 2];
        for word in time.into_iter().chain(lengths) {
            file.write_all(&word.to_le_bytes()).unwrap();
        }
        file.write_all(&frame).unwrap();
    }
    file.flush().unwrap();
}

fn header() -> Vec<u8> {
    [MAGIC, 2 | 4 << 16, 0, 0, 262_144, 1].map(u32::to_le_bytes).concat()
}

/// Copies a recording of tcpdump with a tag behind the addresses of each frame.
pub(crate) fn tag(recorded: &Path, tagged: &Path, tag: [u8; 4]) {
    let recorded = fs::read(recorded).unwrap();
    let word = |at: usize| u32::from_le_bytes(recorded[at..at + 4].try_into().unwrap());
    assert_eq!(word(0), MAGIC);
    let mut out = header();
    let mut at = 24;
    while at < recorded.len() {
        let length = word(at + 8) as usize;
        let frame = &recorded[at + 16..at + 16 + length];
        out.extend(&recorded[at..at + 8]);
        out.extend([length as u32 + 4; 2].map(u32::to_le_bytes).concat());
        out.extend([&frame[..12], &tag, &frame[12..]].concat());
        at += 16 + length;
    }
    fs::write(tagged, out).unwrap();
}

/// An address of many.
pub(crate) fn address(number: u32) -> [u8; 4] {
    (0x0b00_0000 + number).to_be_bytes()
}

const TARGET: [u8; 4] = [10, 77, 0, 9];

/// An IPv4 packet in Ethernet; the third argument is what stands where fragments say which they are.
fn ip(protocol: u8, [src, dst]: [[u8; 4]; 2], [id, fragment]: [u16; 2], payload: &[u8]) -> Vec<u8> {
    let mut header = vec![0x45, 0];
    header.extend((20 + payload.len() as u16).to_be_bytes());
    header.extend(id.to_be_bytes());
    header.extend(fragment.to_be_bytes());
    header.extend([64, protocol, 0, 0]);
    header.extend(src);
    header.extend(dst);
    let sum = checksum(&header, 0);
    header[10..12].copy_from_slice(&sum);
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    frame.extend(header);
    frame.extend(payload);
    frame
}

fn checksum(bytes: &[u8], start: u32) -> [u8; 2] {
    let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let mut sum = words.fold(start, |sum, word| sum + word);
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

fn tcp(ends: [[u8; 4]; 2], ports: [u16; 2], numbers: [u32; 2], flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut segment = ports.map(u16::to_be_bytes).concat();
    segment.extend(numbers.map(u32::to_be_bytes).concat());
    segment.extend([0x50, flags, 0x20, 0, 0, 0, 0, 0]);
    segment.extend(payload);
    let pseudo = [ends.concat(), vec![0, 6], (segment.len() as u16).to_be_bytes().to_vec()].concat();
    let partial = pseudo.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let sum = checksum(&segment, partial);
    segment[16..18].copy_from_slice(&sum);
    ip(6, ends, [0, 0x4000], &segment)
}

/// The first packets of connections from so many addresses.
pub(crate) fn syn_flood(count: u32) -> impl Iterator<Item = Vec<u8>> {
    (0..count).map(|number| tcp([address(number), TARGET], [1024, 80], [number, 0], 2, b""))
}

/// A datagram each of so many flows.
pub(crate) fn flow_flood(count: u32) -> impl Iterator<Item = Vec<u8>> {
    (0..count).map(|number| {
        let port = 1024 + (number % 50_000) as u16;
        let mut datagram = [port, 9999, 8 + 32, 0].map(u16::to_be_bytes).concat();
        datagram.extend([7; 32]);
        ip(17, [address(number / 16), TARGET], [0, 0x4000], &datagram)
    })
}

/// First fragments of so many datagrams that have no others.
pub(crate) fn fragment_flood(count: u32) -> impl Iterator<Item = Vec<u8>> {
    const MORE: u16 = 0x2000;
    (0..count).map(|number| {
        let mut datagram = [1024, 9999, 4000, 0_u16].map(u16::to_be_bytes).concat();
        datagram.extend([7; 504]);
        ip(17, [address(number / 4), TARGET], [number as u16, MORE], &datagram)
    })
}

/// Connections that are established, and ask half a question.
pub(crate) fn half_open_requests(count: u32) -> impl Iterator<Item = Vec<u8>> {
    (0..count).flat_map(|number| {
        let (there, back) = ([address(number), TARGET], [TARGET, address(number)]);
        let half = b"POST /form HTTP/1.1\r\nHost: www.example.test\r\nContent-Length: 100000\r\nCookie: a=";
        [
            tcp(there, [1024, 80], [100, 0], 2, b""),
            tcp(back, [80, 1024], [900, 101], 0x12, b""),
            tcp(there, [1024, 80], [101, 901], 0x10, b""),
            tcp(there, [1024, 80], [101, 901], 0x18, half),
        ]
    })
}
