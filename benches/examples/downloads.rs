//! Writes a capture of HTTP downloads: so many bytes of bodies in so many flows at once, the same ones every time.
//!
//! ```sh
//! cargo run --release -p spanlake-benches --example downloads -- --flows 1000 --bytes 1G downloads.pcap
//! ```

use std::fs::File;
use std::io::{self, BufWriter, Write};

use etherparse::PacketBuilder;

/// Bytes of a segment of a download.
const SEGMENT: usize = 1448;

/// Segments of one flow before it is the next one's turn.
const BURST: usize = 16;

/// Time between two packets.
const STEP: u64 = 1_000;

fn main() -> io::Result<()> {
    let (mut flows, mut bytes, mut path) = (1_u32, 1_u64 << 30, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--flows" => flows = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(0),
            "--bytes" => bytes = arguments.next().and_then(|text| size(&text)).unwrap_or(0),
            _ => path = Some(argument),
        }
    }
    let (Some(path), 1..=60_000) = (path, flows) else {
        return Err(io::Error::other("downloads [--flows 1 to 60000] [--bytes 1G] OUT.pcap"));
    };
    let mut capture = Capture::begin(BufWriter::with_capacity(1 << 20, File::create(path)?))?;
    let mut downloads: Vec<Download> =
        (0..flows).map(|number| Download::new(number, bytes / u64::from(flows))).collect();
    for download in &mut downloads {
        download.begin(&mut capture)?;
    }
    while !downloads.is_empty() {
        for download in &mut downloads {
            download.burst(&mut capture)?;
        }
        downloads.retain(|download| download.left > 0);
    }
    capture.out.flush()
}

/// `1048576`, `64M`, `1G`.
fn size(text: &str) -> Option<u64> {
    let number = text.trim_end_matches(['K', 'M', 'G']);
    let shift = match text.get(number.len()..)? {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// A pcap file that is written, with microseconds.
struct Capture<W> {
    out: W,
    micros: u64,
    frame: Vec<u8>,
}

impl<W: Write> Capture<W> {
    fn begin(mut out: W) -> io::Result<Self> {
        out.write_all(&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0])?;
        Ok(Self { out, micros: 1_700_000_000_000_000, frame: Vec::new() })
    }

    fn write(&mut self) -> io::Result<()> {
        self.micros += STEP / 1_000;
        let length = self.frame.len() as u32;
        for number in [(self.micros / 1_000_000) as u32, (self.micros % 1_000_000) as u32, length, length] {
            self.out.write_all(&number.to_le_bytes())?;
        }
        self.out.write_all(&self.frame)
    }
}

/// One download.
struct Download {
    number: u32,
    /// Next sequence numbers of client and server.
    next: [u32; 2],
    left: u64,
    random: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flags {
    Syn,
    Data,
    Fin,
}

impl Download {
    fn new(number: u32, bytes: u64) -> Self {
        Self { number, next: [number, number ^ 0x5555_5555], left: bytes, random: u64::from(number) + 1 }
    }

    fn begin(&mut self, capture: &mut Capture<impl Write>) -> io::Result<()> {
        self.send(capture, false, Flags::Syn, &[])?;
        self.send(capture, true, Flags::Syn, &[])?;
        self.send(capture, false, Flags::Data, &[])?;
        let request = format!("GET /{} HTTP/1.1\r\nHost: downloads.test\r\n\r\n", self.number);
        self.send(capture, false, Flags::Data, request.as_bytes())?;
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
            self.left
        );
        self.send(capture, true, Flags::Data, head.as_bytes())
    }

    /// Some segments, with an acknowledgement for every two; behind the last one the end.
    fn burst(&mut self, capture: &mut Capture<impl Write>) -> io::Result<()> {
        let mut body = [0; SEGMENT];
        for segment in 0..BURST {
            let length = (self.left as usize).min(SEGMENT);
            let (body, _) = body.split_at_mut(length);
            for piece in body.chunks_mut(8) {
                let bytes = self.random().to_le_bytes();
                piece.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
            }
            self.send(capture, true, Flags::Data, body)?;
            self.left -= length as u64;
            if segment % 2 == 1 {
                self.send(capture, false, Flags::Data, &[])?;
            }
            if self.left == 0 {
                self.send(capture, true, Flags::Fin, &[])?;
                self.send(capture, false, Flags::Fin, &[])?;
                return self.send(capture, true, Flags::Data, &[]);
            }
        }
        Ok(())
    }

    fn send(
        &mut self,
        capture: &mut Capture<impl Write>,
        from_server: bool,
        flags: Flags,
        payload: &[u8],
    ) -> io::Result<()> {
        let [_, _, high, low] = self.number.to_be_bytes();
        let (client, server) = ([10, 1, high, low], [198, 51, 100, low]);
        let (port, [ours, theirs]) = (1024 + self.number as u16, self.next);
        let (from, to, ports, sequence, acknowledged) = if from_server {
            (server, client, (80, port), theirs, ours)
        } else {
            (client, server, (port, 80), ours, theirs)
        };
        let mut packet = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
            .ipv4(from, to, 64)
            .tcp(ports.0, ports.1, sequence, 65_000);
        if flags == Flags::Syn {
            packet = packet.syn();
        }
        if flags == Flags::Fin {
            packet = packet.fin();
        }
        if flags != Flags::Syn || from_server {
            packet = packet.ack(acknowledged);
        }
        capture.frame.clear();
        packet.write(&mut capture.frame, payload).map_err(io::Error::other)?;
        let counted = payload.len() as u32 + u32::from(flags != Flags::Data);
        if let Some(next) = self.next.get_mut(usize::from(from_server)) {
            *next = next.wrapping_add(counted);
        }
        capture.write()
    }

    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ self.random >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}
