//! Captures out of the fuzzer's bytes.

use std::io::{self, Read, Write};

/// A reader that gives few bytes at a time.
pub struct Trickle {
    bytes: io::Cursor<Vec<u8>>,
    piece: usize,
}

impl Trickle {
    /// At most `piece` bytes a call.
    pub fn new(bytes: Vec<u8>, piece: usize) -> Self {
        Self { bytes: io::Cursor::new(bytes), piece: piece.max(1) }
    }
}

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(self.piece);
        self.bytes.read(&mut buffer[..length])
    }
}

/// `plain` compressed; as it is for any kind beyond the known ones.
pub fn compressed(plain: &[u8], kind: u8) -> Vec<u8> {
    match kind {
        1 => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        2 => zstd::encode_all(plain, 1).unwrap(),
        3 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        _ => plain.to_vec(),
    }
}

/// A pcapng in nanoseconds, to which packets are added: unlike a pcap it can say any time.
pub struct Pcapng {
    /// The file.
    pub bytes: Vec<u8>,
}

impl Pcapng {
    /// Of a link type.
    pub fn new(link: u16) -> Self {
        let mut file = Self { bytes: Vec::new() };
        file.block(
            0x0a0d_0d0a,
            &[0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255],
        );
        let [low, high] = link.to_le_bytes();
        // Interface: no snap length, and if_tsresol says nanoseconds.
        file.block(1, &[low, high, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
        file
    }

    /// Adds a packet; `ts` is in nanoseconds since 1970.
    pub fn add(&mut self, ts: u64, frame: &[u8], wire: usize) {
        let mut body = Vec::new();
        for field in [0, (ts >> 32) as u32, ts as u32, frame.len() as u32, wire.max(frame.len()) as u32] {
            body.extend(field.to_le_bytes());
        }
        body.extend(frame);
        body.resize(body.len().next_multiple_of(4), 0);
        self.block(6, &body);
    }

    fn block(&mut self, kind: u32, body: &[u8]) {
        let length = (body.len() as u32 + 12).to_le_bytes();
        self.bytes.extend(kind.to_le_bytes());
        self.bytes.extend(length);
        self.bytes.extend(body);
        self.bytes.extend(length);
    }
}
