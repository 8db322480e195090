//! Behaviour of the readers: hand-built captures of every kind, whole, cut at every byte, damaged at random.

mod inputs;
mod pcap;
mod pcapng;
mod streams;

use std::{
    fs,
    io::{self, Cursor, Write},
    path::Path,
};

use parsers::link_type::LinkType;
use proptest::prelude::*;

use super::*;

fn all(file: &[u8]) -> Contents {
    read_all(Cursor::new(file.to_vec())).unwrap()
}

fn texts(frames: &[(Frame, Vec<u8>)]) -> Vec<String> {
    frames.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned()).collect()
}

trait Prefix {
    fn starts_with_frames(&self, frames: &[(Frame, Vec<u8>)]) -> bool;
}

impl Prefix for Vec<(Frame, Vec<u8>)> {
    /// Offsets aside, which depend on where blocks begin.
    fn starts_with_frames(&self, frames: &[(Frame, Vec<u8>)]) -> bool {
        let plain = |(frame, bytes): &(Frame, Vec<u8>)| (Frame { offset: 0, ..*frame }, bytes.clone());
        frames.len() <= self.len() && self.iter().zip(frames).all(|(a, b)| plain(a) == plain(b))
    }
}

/// A small file of each kind, of four packets each.
fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let packets: [&[u8]; 4] = [b"a", b"bcdefghij", b"", b"klmnop"];
    let mut files = Vec::new();
    for (name, big, magic) in [
        ("pcap", false, 0xa1b2_c3d4),
        ("pcap big", true, 0xa1b2_c3d4),
        ("pcap nano", false, 0xa1b2_3c4d),
        ("pcap nano big", true, 0xa1b2_3c4d),
    ] {
        let mut file = pcap_header(big, magic, 4, 65535, 1);
        for packet in packets {
            pcap_record(&mut file, big, 1, 2, 99, packet);
        }
        files.push((name, file));
    }
    for (name, big) in [("pcapng", false), ("pcapng big", true)] {
        let mut file = Vec::new();
        section(&mut file, big);
        interface(&mut file, big, 1, 0, &[(2, b"eth0"), (9, &[9])]);
        for packet in packets {
            enhanced(&mut file, big, 0, 7, packet);
        }
        files.push((name, file));
    }
    let mut mixed = Vec::new();
    for big in [true, false] {
        section(&mut mixed, big);
        interface(&mut mixed, big, 1, 0, &[]);
        block(&mut mixed, big, 5, b"statistics..");
        for packet in &packets[..2] {
            enhanced(&mut mixed, big, 0, 7, packet);
        }
    }
    files.push(("pcapng mixed", mixed));
    files
}

/// A file in each compression.
fn compressed(file: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut legacy = vec![0x02, 0x21, 0x4c, 0x18];
    for part in file.chunks(8 << 20) {
        let part = lz4_flex::block::compress(part);
        legacy.extend((part.len() as u32).to_le_bytes());
        legacy.extend(part);
    }
    vec![
        ("gzip", gzip(file)),
        ("zstd", zstd::encode_all(file, 3).unwrap()),
        ("lz4", lz4(file)),
        ("lz4 legacy", legacy),
        ("xz", xz(file, 16)),
    ]
}

fn gzip(file: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(file).unwrap();
    gzip.finish().unwrap()
}

fn lz4(file: &[u8]) -> Vec<u8> {
    let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
    lz4.write_all(file).unwrap();
    lz4.finish().unwrap()
}

/// An xz stream of one block whose LZMA2 chunks are not compressed, as there is no encoder at hand; the dictionary's
/// size is in the format's encoding.
fn xz(file: &[u8], dictionary: u8) -> Vec<u8> {
    let with_checksum = |bytes: &[u8]| {
        let mut checksum = flate2::Crc::new();
        checksum.update(bytes);
        [bytes, &checksum.sum().to_le_bytes()].concat()
    };
    let variable_length = |mut number: usize| {
        let mut bytes = Vec::new();
        while number > 0x7f {
            bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
        bytes
    };
    let flags = [0, 1];
    let mut stream = [b"\xfd7zXZ\0", &with_checksum(&flags)[..]].concat();
    let header = with_checksum(&[2, 0, 0x21, 1, dictionary, 0, 0, 0]);
    let mut chunks = Vec::new();
    for (number, chunk) in file.chunks(1 << 16).enumerate() {
        chunks.push(if number == 0 { 1 } else { 2 });
        chunks.extend(((chunk.len() - 1) as u16).to_be_bytes());
        chunks.extend(chunk);
    }
    chunks.push(0);
    let unpadded = header.len() + chunks.len() + 4;
    chunks.resize(chunks.len().next_multiple_of(4), 0);
    stream.extend([header, chunks].concat());
    stream.extend(&with_checksum(file)[file.len()..]);
    let mut index = [vec![0, 1], variable_length(unpadded), variable_length(file.len())].concat();
    index.resize(index.len().next_multiple_of(4), 0);
    let index = with_checksum(&index);
    let mut footer = (index.len() as u32 / 4 - 1).to_le_bytes().to_vec();
    footer.extend(flags);
    stream.extend(&index);
    stream.extend(&with_checksum(&footer)[footer.len()..]);
    stream.extend(footer);
    stream.extend(b"YZ");
    stream
}

fn number(big: bool, number: u32) -> [u8; 4] {
    if big { number.to_be_bytes() } else { number.to_le_bytes() }
}

fn short(big: bool, number: u16) -> [u8; 2] {
    if big { number.to_be_bytes() } else { number.to_le_bytes() }
}

fn pcap_header(big: bool, magic: u32, minor: u16, snap_length: u32, link: u32) -> Vec<u8> {
    let mut file = number(big, magic).to_vec();
    file.extend([short(big, 2), short(big, minor)].concat());
    file.extend([0, 0, snap_length, link].map(|field| number(big, field)).concat());
    file
}

fn pcap_record(file: &mut Vec<u8>, big: bool, seconds: u32, fraction: u32, wire: u32, bytes: &[u8]) {
    file.extend([seconds, fraction, bytes.len() as u32, wire].map(|field| number(big, field)).concat());
    file.extend(bytes);
}

fn block(file: &mut Vec<u8>, big: bool, kind: u32, body: &[u8]) {
    let padded = body.len().next_multiple_of(4);
    let total = number(big, (12 + padded) as u32);
    file.extend([number(big, kind), total].concat());
    file.extend(body);
    file.extend(vec![0; padded - body.len()]);
    file.extend(total);
}

fn section(file: &mut Vec<u8>, big: bool) {
    let body = [&number(big, 0x1a2b_3c4d)[..], &short(big, 1), &[0; 2], &[0xff; 8]].concat();
    block(file, big, 0x0a0d_0d0a, &body);
}

fn interface(file: &mut Vec<u8>, big: bool, link: u16, snap_length: u32, options: &[(u16, &[u8])]) {
    let mut body = [&short(big, link)[..], &[0; 2], &number(big, snap_length)].concat();
    for (code, value) in options {
        body.extend([short(big, *code), short(big, value.len() as u16)].concat());
        body.extend(*value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    block(file, big, 1, &body);
}

fn enhanced(file: &mut Vec<u8>, big: bool, interface: u32, ticks: u64, bytes: &[u8]) {
    let length = bytes.len() as u32;
    let fields = [interface, (ticks >> 32) as u32, ticks as u32, length, length];
    block(file, big, 6, &[&fields.map(|field| number(big, field)).concat()[..], bytes].concat());
}

fn snoop(datalink: u32) -> Vec<u8> {
    let mut file = b"snoop\0\0\0".to_vec();
    file.extend([2, datalink].map(u32::to_be_bytes).concat());
    for (bytes, seconds) in [(&b"abc"[..], 10_u32), (b"defgh", 11)] {
        let padded = bytes.len().next_multiple_of(4);
        let fields = [99, bytes.len() as u32, (24 + padded) as u32, 0, seconds, 22];
        file.extend(fields.map(u32::to_be_bytes).concat());
        file.extend(bytes);
        file.extend(vec![0; padded - bytes.len()]);
    }
    file
}
