//! What somebody sends who wants the sensor to run out of memory: it stays within its bounds, goes on with what follows,
//! and says what it left out. All is made while it is read; nothing is stored.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its own files has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::iter;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sensor::capture::{self, Pool};
use sensor::config::{Checksums, Config, Limits};
use sensor::inline::Inline;

const MIB: u64 = 1 << 20;

/// Memory is measured of the whole process, so one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Resident bytes of this process but for those of files, as its code is; nothing where the system does not say.
fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let mut pages = text.split(' ').skip(1).map(|pages| pages.parse::<u64>().unwrap());
    let (all, of_files) = (pages.next().unwrap_or(0), pages.next().unwrap_or(0));
    all.saturating_sub(of_files) * 4096
}

/// Packets as a capture that is made while it is read.
struct Made<I> {
    packets: I,
    waiting: Vec<u8>,
    count: u64,
    /// The most memory so far.
    peak: Arc<AtomicU64>,
}

impl<I: Iterator<Item = Vec<u8>>> Read for Made<I> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.waiting.len() < out.len() {
            let Some(packet) = self.packets.next() else { break };
            if self.count.is_multiple_of(4096) {
                self.peak.fetch_max(resident(), Ordering::Relaxed);
            }
            self.count += 1;
            let length = (packet.len() as u32).to_le_bytes();
            // A microsecond each.
            for field in [1_700_000_000 + self.count / 1_000_000, self.count % 1_000_000] {
                self.waiting.extend((field as u32).to_le_bytes());
            }
            self.waiting.extend([length, length].concat());
            self.waiting.extend(packet);
        }
        let length = out.len().min(self.waiting.len());
        out[..length].copy_from_slice(&self.waiting[..length]);
        self.waiting.drain(..length);
        Ok(length)
    }
}

/// What came of packets.
#[derive(Debug, Default)]
struct Outcome {
    rows: BTreeMap<&'static str, usize>,
    /// How often, by name.
    odd: BTreeMap<&'static str, i64>,
    shed_bytes: u64,
    evicted: u64,
    /// Bytes of memory beyond those before.
    grown: u64,
}

fn replay(limits: Limits, packets: impl Iterator<Item = Vec<u8>> + Send + 'static) -> Outcome {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let before = resident();
    let peak = Arc::new(AtomicU64::new(0));
    let header = [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 101, 0, 0, 0];
    let made = Made { packets, waiting: header.to_vec(), count: 0, peak: Arc::clone(&peak) };
    let mut source = capture::of_stream(made, &Pool::default(), None).unwrap();
    let mut engine = Inline::new(&Config { limits, checksums: Checksums::Ignore, ..Config::default() });
    let mut outcome = Outcome::default();
    let mut count = |records: schemas::batch::Records| {
        *outcome.rows.entry("http").or_default() += records.http.rows.len();
        *outcome.rows.entry("ftp").or_default() += records.ftp.rows.len();
        *outcome.rows.entry("file").or_default() += records.file.rows.len();
        for row in &records.anomaly.rows {
            *outcome.odd.entry(row.record.name.name()).or_default() += row.record.occurrences;
        }
        peak.fetch_max(resident(), Ordering::Relaxed);
    };
    engine.read(&mut *source, &mut count);
    engine.finish(&mut count);
    assert!(source.damage().is_empty());
    let counters = engine.worker.counters();
    let (shed_bytes, evicted) = (counters.shed_bytes, counters.evicted);
    Outcome { shed_bytes, evicted, grown: peak.load(Ordering::Relaxed).saturating_sub(before), ..outcome }
}

/// A TCP connection between two hosts.
struct Talk {
    client: u32,
    port: u16,
    /// What each side sends next.
    next: [u32; 2],
}

const SYN: u8 = 2;
const ACK: u8 = 16;
const ASKS: usize = 0;
const ANSWERS: usize = 1;

impl Talk {
    /// One of very many.
    fn number(number: u32) -> Self {
        Self { client: 0x0a00_0001 + number, port: 1024, next: [100, 900] }
    }

    fn packet(&mut self, side: usize, flags: u8, payload: &[u8]) -> Vec<u8> {
        let server = 0x0afe_0001_u32.to_be_bytes();
        let client = self.client.to_be_bytes();
        let (ends, ports) = match side {
            ASKS => ([client, server], [self.port, 80]),
            _ => ([server, client], [80, self.port]),
        };
        let length = (40 + payload.len()) as u16;
        let mut packet = vec![0x45, 0];
        packet.extend(length.to_be_bytes());
        packet.extend([0, 0, 0, 0, 64, 6, 0, 0]);
        packet.extend(ends.concat());
        packet.extend(ports.map(u16::to_be_bytes).concat());
        packet.extend(self.next[side].to_be_bytes());
        packet.extend(self.next[1 - side].to_be_bytes());
        packet.extend([0x50, flags, 0x20, 0, 0, 0, 0, 0]);
        packet.extend(payload);
        self.next[side] = self.next[side].wrapping_add(payload.len() as u32 + u32::from(flags & SYN != 0));
        packet
    }

    fn handshake(&mut self) -> [Vec<u8>; 3] {
        [self.packet(ASKS, SYN, b""), self.packet(ANSWERS, SYN | ACK, b""), self.packet(ASKS, ACK, b"")]
    }
}

/// The packets of a connection in which this is said, with acknowledgements now and then.
fn spoken(
    says: impl Iterator<Item = (usize, Vec<u8>)> + Send + 'static,
) -> impl Iterator<Item = Vec<u8>> + Send {
    let mut talk = Talk::number(0);
    let start = talk.handshake();
    let packets = says.enumerate().flat_map(move |(number, (side, bytes))| {
        let mut packets: Vec<Vec<u8>> =
            bytes.chunks(1400).map(|segment| talk.packet(side, ACK, segment)).collect();
        if number % 4 == 0 {
            packets.push(talk.packet(1 - side, ACK, b""));
        }
        packets
    });
    start.into_iter().chain(packets)
}

/// A beginning, then the same so often.
fn endless(
    beginning: Vec<(usize, Vec<u8>)>,
    side: usize,
    again: &[u8],
    times: usize,
) -> impl Iterator<Item = (usize, Vec<u8>)> + Send + 'static {
    let again = again.to_vec();
    beginning.into_iter().chain(iter::repeat_with(move || (side, again.clone())).take(times))
}

fn said(side: usize, text: &[u8]) -> (usize, Vec<u8>) {
    (side, text.to_vec())
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

#[test]
fn heads_framings_and_messages_without_an_end_are_bounded_and_told() {
    let chunked =
        || vec![said(ASKS, GET), said(ANSWERS, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")];
    let with = |mut beginning: Vec<(usize, Vec<u8>)>, more: &[u8]| {
        beginning.push(said(ANSWERS, more));
        beginning
    };
    let kib = [b'a'; 1024];
    let lines = b"Name: value\r\n".repeat(80);
    for (what, says, odd) in [
        ("lines", endless(vec![said(ASKS, b"GET / HTTP/1.1\r\n")], ASKS, &lines, 4000), "http_malformed"),
        ("line", endless(vec![said(ASKS, b"GET / HTTP/1.1\r\nA: ")], ASKS, &kib, 4000), "http_malformed"),
        ("target", endless(vec![said(ASKS, b"GET /")], ASKS, &kib, 4000), "-"),
        ("size", endless(with(chunked(), b"1;"), ANSWERS, &kib, 4000), "http_malformed"),
        ("trailers", endless(with(chunked(), b"0\r\n"), ANSWERS, &lines, 4000), "http_malformed"),
        ("digits", endless(with(chunked(), b"0"), ANSWERS, &[b'0'; 1024], 4000), "http_malformed"),
        (
            "informational",
            endless(vec![said(ASKS, GET)], ANSWERS, b"HTTP/1.1 102 Processing\r\n\r\n", 40_000),
            "value_cut",
        ),
        ("requests", endless(vec![], ASKS, &GET.repeat(40), 2000), "http_pending_shed"),
        ("chunks", endless(chunked(), ANSWERS, &b"1\r\nx\r\n".repeat(200), 2000), "-"),
    ] {
        let outcome = replay(Limits::default(), spoken(says));
        assert!(outcome.grown < 64 * MIB, "{what}: {outcome:?}");
        assert!(odd == "-" || outcome.odd.contains_key(odd), "{what}: {outcome:?}");
        let rows = match what {
            "requests" => 80_000,
            "lines" | "line" | "target" => 0,
            _ => 1,
        };
        assert_eq!(outcome.rows["http"], rows, "{what}: {outcome:?}");
    }
}

#[test]
fn lines_commands_and_announcements_of_ftp_without_an_end_are_bounded_and_told() {
    let greeted = |more: &[(usize, &[u8])]| {
        let mut says = vec![said(ANSWERS, b"220 FTP ready\r\n")];
        says.extend(more.iter().map(|(side, text)| said(*side, text)));
        says
    };
    let kib = [b'a'; 1024];
    let ports: Vec<u8> =
        (0..40).flat_map(|port| format!("PORT 10,0,0,1,{port},1\r\n").into_bytes()).collect();
    let passive = b"227 (10,254,0,1,9,9)\r\n226 done\r\n";
    for (what, says, odd, rows) in [
        ("line", endless(greeted(&[(ASKS, b"RETR ")]), ASKS, &kib, 4000), "ftp_malformed", 2),
        ("reply", endless(greeted(&[(ANSWERS, b"211-")]), ANSWERS, &kib, 4000), "ftp_malformed", 2),
        (
            "lines",
            endless(greeted(&[(ANSWERS, b"211-x\r\n")]), ANSWERS, &b" x\r\n".repeat(200), 4000),
            "value_cut",
            2,
        ),
        (
            "marks",
            endless(greeted(&[(ASKS, b"RETR x\r\n")]), ANSWERS, &b"110 x\r\n".repeat(40), 4000),
            "value_cut",
            2,
        ),
        ("commands", endless(greeted(&[]), ASKS, &b"NOOP\r\n".repeat(40), 2000), "ftp_shed", 80_001),
        ("junk", endless(greeted(&[]), ASKS, &b"\x01\x02\n".repeat(400), 2000), "ftp_shed", 101),
        ("ports", endless(greeted(&[]), ASKS, &ports, 500), "ftp_shed", 20_001),
        ("passive", endless(greeted(&[]), ANSWERS, passive, 10_000), "-", 20_001),
    ] {
        let outcome = replay(Limits::default(), spoken(says));
        assert!(outcome.grown < 64 * MIB, "{what}: {outcome:?}");
        assert!(odd == "-" || outcome.odd.contains_key(odd), "{what}: {outcome:?}");
        assert_eq!(outcome.rows["ftp"], rows, "{what}: {outcome:?}");
    }
}

/// An HTTP/2 frame.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

#[test]
fn streams_and_header_blocks_of_http_2_without_an_end_are_bounded_and_told() {
    const STREAMS: u32 = 60_000;
    // GET, /, http.
    let head = b"\x82\x84\x86";
    let start = || vec![said(ASKS, PREFACE), said(ANSWERS, b"\0\0\0\x04\0\0\0\0\0")];
    let mut flood = start();
    flood.push(said(ASKS, &frame(1, 0, 1, head)));
    let outcome =
        replay(Limits::default(), spoken(endless(flood, ASKS, &frame(9, 0, 1, &[0x82; 1000]), 8000)));
    assert!(outcome.grown < 64 * MIB && outcome.odd["http_malformed"] > 0, "{outcome:?}");
    let streams = |each: fn(u32) -> Vec<u8>| {
        let says = (0..STREAMS).map(move |number| (ASKS, each(2 * number + 1)));
        replay(Limits::default(), spoken(start().into_iter().chain(says)))
    };
    let opened = streams(|stream| frame(1, 4, stream, b"\x82\x84\x86"));
    assert!(opened.grown < 64 * MIB && opened.odd.contains_key("http_pending_shed"), "{opened:?}");
    assert_eq!(opened.rows["http"], STREAMS as usize);
    let reset =
        streams(|stream| [frame(1, 4, stream, b"\x82\x84\x86"), frame(3, 0, stream, &[0, 0, 0, 8])].concat());
    assert!(reset.grown < 64 * MIB, "{reset:?}");
    assert_eq!((reset.rows["http"], reset.odd.len()), (STREAMS as usize, 0), "{reset:?}");
}

/// An upload of this type and coding.
fn upload(kind: &str, coding: &str, body: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let head = format!(
        "POST /up HTTP/1.1\r\nContent-Type: {kind}\r\n{coding}Content-Length: {}\r\n\r\n",
        body.len()
    );
    let segments = body.chunks(1400).map(|segment| said(ASKS, segment));
    iter::once(said(ASKS, head.as_bytes())).chain(segments).collect()
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// 64 MiB of zeros as br.
const BROTLI: &[u8] = b"\xcf\xff\xff\x7f\x00\x24\x00\xe2\xb1\x40\x72\xef\xff\xf9\xff\xff\x0f\x80\x04\x40\x1c\x16\x80\xee\
    \xfd\x3f\xff\xff\xff\x01\x90\x00\x88\xc3\x02\xd0\xbd\xff\xe7\xff\xff\x3f\x00\x12\x00\x71\x58\x00\xba\xf7\xff\x03";

#[test]
fn bodies_that_unfold_without_an_end_are_cut_and_told() {
    let zeros = vec![0; 40 << 20];
    let once = gzip(&zeros);
    let zstd = zstd::bulk::compress(&zeros, 1).unwrap();
    for (coding, body) in [
        ("gzip", once.clone()),
        ("gzip, gzip", gzip(&once)),
        ("zstd", zstd.clone()),
        ("zstd, gzip", gzip(&zstd)),
        ("br", BROTLI.to_vec()),
        ("br, gzip", gzip(BROTLI)),
    ] {
        let says = upload("text/plain", &format!("Content-Encoding: {coding}\r\n"), &body);
        let outcome = replay(Limits::default(), spoken(says.into_iter()));
        assert!(outcome.grown < 96 * MIB, "{coding}: {outcome:?}");
        assert!(outcome.odd.contains_key("http_bomb"), "{coding}: {outcome:?}");
        assert_eq!((outcome.rows["http"], outcome.rows["file"]), (1, 1), "{coding}: {outcome:?}");
    }
}

#[test]
fn parts_without_an_end_are_bounded_and_told() {
    let kind = "multipart/form-data; boundary=XX";
    for content in [&b""[..], b"x"] {
        let plain = [b"--XX\r\n\r\n", content, b"\r\n"].concat().repeat(1_000_000);
        let coded = gzip(&plain);
        for (coding, body) in [("", plain), ("Content-Encoding: gzip\r\n", coded)] {
            let says = upload(kind, coding, &body);
            let outcome = replay(Limits::default(), spoken(says.into_iter()));
            assert!(outcome.grown < 64 * MIB, "{coding}: {outcome:?}");
            assert!(outcome.odd.contains_key("http_bomb") && outcome.rows["file"] < 10_000, "{outcome:?}");
        }
    }
    let (mut body, mut kind) = (b"inside".to_vec(), String::from("text/plain"));
    for level in 0..1000 {
        let around = format!("--b{level}x\r\nContent-Type: {kind}\r\n\r\n");
        body = [around.as_bytes(), &body, format!("\r\n--b{level}x--").as_bytes()].concat();
        kind = format!("multipart/mixed; boundary=b{level}x");
    }
    let outcome = replay(Limits::default(), spoken(upload(&kind, "", &body).into_iter()));
    assert!(outcome.grown < 64 * MIB && outcome.odd.contains_key("http_bomb"), "{outcome:?}");
}

#[test]
fn a_million_flows_with_half_a_request_each_stay_within_their_memory() {
    const FLOWS: u32 = 1_000_000;
    const KEPT: u64 = 25_600;
    let limits = Limits { flows: KEPT as usize, stream_bytes: 4 * MIB, ..Limits::default() };
    let half = [b"POST / HTTP/1.1\r\nCookie: ".as_slice(), &[b'a'; 1200]].concat();
    let packets = (0..FLOWS).flat_map(move |number| {
        let mut talk = Talk::number(number);
        let [syn, syn_ack, _] = talk.handshake();
        [syn, syn_ack, talk.packet(ASKS, ACK, &half)]
    });
    let outcome = replay(limits, packets);
    assert_eq!(outcome.evicted, u64::from(FLOWS) - KEPT, "{outcome:?}");
    assert!(outcome.shed_bytes > 0 && outcome.odd.contains_key("stream_shed"), "{outcome:?}");
    assert!(outcome.grown < 4 * MIB + KEPT * 1024 + 24 * MIB, "{outcome:?}");
}

#[test]
fn a_million_open_ranges_stay_within_their_memory() {
    const FLOWS: u32 = 1_000_000;
    const KEPT: u64 = 25_600;
    let limits = Limits { flows: KEPT as usize, stream_bytes: 8 * MIB, ..Limits::default() };
    let packets = (0..FLOWS).flat_map(move |number| {
        let mut talk = Talk::number(number);
        let [syn, syn_ack, ack] = talk.handshake();
        let ask = talk.packet(ASKS, ACK, b"GET /big HTTP/1.1\r\nHost: a.test\r\nRange: bytes=1000-\r\n\r\n");
        // Behind what was not seen, so that it waits; and most of it is still to come.
        let answer = [
            &b"HTTP/1.1 206 Partial Content\r\nETag: \"1\"\r\nContent-Length: 999000\r\n"[..],
            b"Content-Range: bytes 1000-999999/1000000\r\n\r\n",
            &[b'a'; 700],
        ];
        [syn, syn_ack, ack, ask, talk.packet(ANSWERS, ACK, &answer.concat())]
    });
    let outcome = replay(limits, packets);
    assert_eq!(outcome.evicted, u64::from(FLOWS) - KEPT, "{outcome:?}");
    assert!(outcome.rows["file"] > 0 && outcome.shed_bytes > 0, "{outcome:?}");
    // What waits, sessions and open bodies are within the memory of streams, and the rest of them are given up. A flow itself
    // takes some 900 bytes, of which what is odd about it is a third.
    assert!(outcome.grown < 8 * MIB + KEPT * 1024 + 24 * MIB, "{outcome:?}");
}
