//! However a network cuts streams of TCP into segments, orders and repeats them: the rows of protocols are those of
//! the capture itself.
//!
//! Every capture of `pcaps/http`, `pcaps/kerberos` and `pcaps/tls` is rewritten and replayed: in single bytes, cut at random, in random order, with
//! segments that come again and overlap. What is left alone: the order of segments of both directions, as who was asked
//! first is a fact of its own; the first segment of a direction whose SYN was not seen, as nothing says what came before
//! it; segments of which the capture holds only the front. `SPANLAKE_SEED=N` goes on from another seed,
//! `SPANLAKE_ROUNDS=N` takes N seeds.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its own files has failed")]

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::fs::{self, File};
use std::io::Cursor;
use std::path::{Path, PathBuf};

use schemas::column::Names;
use schemas::json::debug_json;
use schemas::table::{ANOMALY, FILE, FTP, HTTP, KERBEROS, TLS, X509};
use sensor::capture::{self, Frame, Pool};
use sensor::config::{Checksums, Config};
use sensor::inline::Inline;
use serde_json::{Map, Value};

/// Bytes within which segments change places: fewer than are held above a hole where nothing was acknowledged, as in a
/// capture of one direction.
const WINDOW: usize = 8 << 10;

/// Most segments made of a capture: when they are used up, the rest of it is cut less finely.
const MOST_SEGMENTS: usize = 100_000;

const SYN: u8 = 2;
const FIN: u8 = 1;
const RST: u8 = 4;
const URG: u8 = 32;

/// Numbers that are the same on every run.
struct Random(u64);

impl Random {
    /// Less than `limit`, which is not 0 (xorshift64*).
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) as usize % limit
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

/// What is done to the segments of a capture.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    SingleBytes,
    Cut,
    CutAndShuffled,
    CutShuffledAndRepeated,
}

/// Where the headers of a frame with TCP begin and end, and what they say.
#[derive(Clone, Copy)]
struct Layout {
    ip: usize,
    tcp: usize,
    payload: usize,
    /// Behind which there is only padding.
    end: usize,
    flags: u8,
    sequence: u32,
}

/// Of frames of Ethernet; others, and what is no TCP or is not whole, are left as they are.
fn layout(frame: &Frame, bytes: &[u8]) -> Option<Layout> {
    let ip = 14;
    let short = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
    if frame.link.0 != 1 || frame.captured != frame.wire {
        return None;
    }
    let (tcp, end) = match short(12)? {
        0x0800 if bytes.get(ip + 9) == Some(&6) && short(ip + 6)? & 0x3fff == 0 => {
            (ip + 4 * usize::from(bytes[ip] & 15), ip + usize::from(short(ip + 2)?))
        }
        0x86dd if bytes.get(ip + 6) == Some(&6) => (ip + 40, ip + 40 + usize::from(short(ip + 4)?)),
        _ => return None,
    };
    let payload = tcp + 4 * usize::from(bytes.get(tcp + 12)? >> 4);
    let sequence = u32::from_be_bytes(*bytes.get(tcp + 4..)?.first_chunk()?);
    (payload <= end && end <= bytes.len()).then(|| Layout {
        ip,
        tcp,
        payload,
        end,
        flags: bytes[tcp + 13],
        sequence,
    })
}

/// A frame with other flags, and with the bytes of its payload from `from` to `to`.
fn piece(bytes: &[u8], layout: &Layout, from: usize, to: usize, flags: u8) -> Vec<u8> {
    let mut frame = bytes[..layout.payload].to_vec();
    frame.extend_from_slice(&bytes[layout.payload + from..layout.payload + to]);
    let length = frame.len() - layout.ip;
    if frame[layout.ip] >> 4 == 4 {
        frame[layout.ip + 2..layout.ip + 4].copy_from_slice(&(length as u16).to_be_bytes());
    } else {
        frame[layout.ip + 4..layout.ip + 6].copy_from_slice(&(length as u16 - 40).to_be_bytes());
    }
    let syn = u32::from(from > 0 && layout.flags & SYN != 0);
    let sequence = layout.sequence.wrapping_add(from as u32).wrapping_add(syn);
    frame[layout.tcp + 4..layout.tcp + 8].copy_from_slice(&sequence.to_be_bytes());
    frame[layout.tcp + 13] = flags;
    frame
}

/// Segments of one direction of a flow, with nothing of the other between them.
#[derive(Default)]
struct Run {
    source: Vec<u8>,
    length: usize,
    times: Vec<Frame>,
    pieces: Vec<Vec<u8>>,
}

/// A capture as it is written anew.
struct Rewriter<'r> {
    change: Change,
    random: &'r mut Random,
    out: Vec<(Frame, Vec<u8>)>,
    /// By both ends of a flow.
    runs: HashMap<Vec<u8>, Run>,
    /// Directions whose beginning was seen.
    begun: HashMap<Vec<u8>, bool>,
}

impl Rewriter<'_> {
    fn frame(&mut self, frame: Frame, bytes: &[u8]) {
        let Some(layout) = layout(&frame, bytes) else {
            // Whatever it is, it stays where it stood.
            let flows: Vec<_> = self.runs.keys().cloned().collect();
            flows.iter().for_each(|flow| self.end_run(flow));
            self.out.push((frame, bytes.to_vec()));
            return;
        };
        let addresses = if bytes[layout.ip] >> 4 == 4 { 12..20 } else { 8..40 };
        let addresses = &bytes[layout.ip + addresses.start..layout.ip + addresses.end];
        let ports = &bytes[layout.tcp..layout.tcp + 4];
        let (half, pair) = (addresses.len() / 2, ports.len() / 2);
        let source = [&addresses[..half], &ports[..pair]].concat();
        let target = [&addresses[half..], &ports[pair..]].concat();
        let flow =
            if source < target { [&source[..], &target].concat() } else { [&target[..], &source].concat() };
        if layout.flags & SYN != 0 {
            self.begun.insert(source.clone(), true);
        }
        let has_syn = *self.begun.entry(source.clone()).or_insert(false);
        let length = layout.end - layout.payload;
        if length == 0 || layout.flags & (SYN | RST | URG) != 0 {
            self.end_run(&flow);
            self.out.push((frame, bytes.to_vec()));
            return;
        }
        if self.runs.get(&flow).is_some_and(|run| run.source != source) {
            self.end_run(&flow);
        }
        let mut cuts = self.cuts(length);
        cuts.push(length);
        let has_fin = layout.flags & FIN != 0;
        let mut from = 0;
        let run = self.runs.entry(flow.clone()).or_default();
        run.source = source;
        run.length += length;
        let is_full = run.length >= WINDOW;
        for to in cuts {
            run.times.push(frame);
            run.pieces.push(piece(bytes, &layout, from, to, layout.flags & !FIN));
            if self.change == Change::CutShuffledAndRepeated && self.random.below(4) == 0 {
                let back = from - self.random.below(from.min(40) + 1);
                let ahead = to + self.random.below((length - to).min(40) + 1);
                run.times.push(frame);
                run.pieces.push(piece(bytes, &layout, back, ahead, layout.flags & !FIN));
            }
            from = to;
        }
        let is_shuffled = matches!(self.change, Change::CutAndShuffled | Change::CutShuffledAndRepeated);
        if has_fin || !has_syn || !is_shuffled || is_full {
            self.end_run(&flow);
        }
        if has_fin {
            self.out.push((frame, piece(bytes, &layout, length, length, layout.flags)));
        }
    }

    /// Where a segment is cut.
    fn cuts(&mut self, length: usize) -> Vec<usize> {
        let held: usize = self.runs.values().map(|run| run.pieces.len()).sum();
        let is_fine = self.out.len() + held + length < MOST_SEGMENTS;
        if self.change == Change::SingleBytes && is_fine {
            return (1..length).collect();
        }
        let number = if is_fine { length.min(1 + self.random.below(12)) } else { 1 };
        let mut cuts: Vec<usize> = (0..number).map(|_| 1 + self.random.below(length)).collect();
        cuts.sort_unstable();
        cuts.dedup();
        cuts.retain(|cut| *cut < length);
        cuts
    }

    fn end_run(&mut self, flow: &[u8]) {
        let Some(mut run) = self.runs.remove(flow) else { return };
        let has_syn = self.begun.get(&run.source).copied().unwrap_or_default();
        let is_shuffled = matches!(self.change, Change::CutAndShuffled | Change::CutShuffledAndRepeated);
        if has_syn && is_shuffled {
            self.random.shuffle(&mut run.pieces);
        }
        self.out.extend(run.times.into_iter().zip(run.pieces));
    }
}

fn rewritten(frames: &[(Frame, Vec<u8>)], change: Change, random: &mut Random) -> Vec<(Frame, Vec<u8>)> {
    let mut rewriter =
        Rewriter { change, random, out: Vec::new(), runs: HashMap::new(), begun: HashMap::new() };
    for (frame, bytes) in frames {
        rewriter.frame(*frame, bytes);
    }
    let flows: Vec<_> = rewriter.runs.keys().cloned().collect();
    flows.iter().for_each(|flow| rewriter.end_run(flow));
    // What waited for the end of its run stands behind frames of other flows that are later than it.
    rewriter.out.sort_by_key(|(frame, _)| frame.number);
    rewriter.out
}

/// As a pcap of nanoseconds; lengths are those of the bytes.
fn written(frames: &[(Frame, Vec<u8>)]) -> Vec<u8> {
    let link = frames.first().map_or(1, |(frame, _)| u32::from(frame.link.0));
    let mut file = vec![0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0];
    file.extend(link.to_le_bytes());
    for (frame, bytes) in frames {
        assert_eq!(u32::from(frame.link.0), link, "a capture of two kinds of links");
        let (seconds, rest) = (frame.ts / 1_000_000_000, frame.ts % 1_000_000_000);
        let wire = if frame.captured == frame.wire { bytes.len() as u32 } else { frame.wire };
        for field in [seconds as u32, rest as u32, bytes.len() as u32, wire] {
            file.extend(field.to_le_bytes());
        }
        file.extend(bytes);
    }
    file
}

/// The rows of protocols, and what was odd about these, as lines; `times` says whether with all times.
fn rows(capture: Vec<u8>, times: bool) -> Vec<String> {
    let config = Config { checksums: Checksums::Ignore, keep_duplicates: true, ..Config::default() };
    let pool = Pool::new(64 << 10, 4 << 20);
    let mut source = capture::of_stream(Cursor::new(capture), &pool, None).unwrap();
    let mut engine = Inline::new(&config);
    let names = Names::default();
    let mut lines = Vec::new();
    let mut keep = |records: schemas::batch::Records| {
        for (table, text) in [
            ("http", debug_json(&HTTP, &records.http, &names)),
            ("kerberos", debug_json(&KERBEROS, &records.kerberos, &names)),
            ("file", debug_json(&FILE, &records.file, &names)),
            ("tls", debug_json(&TLS, &records.tls, &names)),
            ("ftp", debug_json(&FTP, &records.ftp, &names)),
            ("x509", debug_json(&X509, &records.x509, &names)),
            ("anomaly", debug_json(&ANOMALY, &records.anomaly, &names)),
        ] {
            for line in text.lines() {
                let mut row: Map<String, Value> = serde_json::from_str(line).unwrap();
                let is_of_protocol = |name: &str| {
                    ["http", "kerberos", "tls", "ftp", "x509"].iter().any(|of| name.starts_with(of))
                };
                if table == "anomaly" && !row["name"].as_str().is_some_and(is_of_protocol) {
                    continue;
                }
                row.remove("packet");
                if !times {
                    row.remove("ts");
                    row.remove("response_time");
                    row.remove("rtt");
                }
                lines.push(format!("{table} {}", Value::Object(row)));
            }
        }
    };
    engine.read(&mut *source, &mut keep);
    engine.finish(&mut keep);
    lines.sort();
    lines
}

/// What differs, a line each.
fn differences(expected: &[String], got: &[String]) -> String {
    let mut counts = BTreeMap::<&String, i32>::new();
    expected.iter().for_each(|line| *counts.entry(line).or_default() += 1);
    got.iter().for_each(|line| *counts.entry(line).or_default() -= 1);
    let mut out = String::new();
    for (line, count) in counts.into_iter().filter(|(_, count)| *count != 0) {
        writeln!(out, "  {} {line}", if count > 0 { "-" } else { "+" }).unwrap();
    }
    out
}

fn captures() -> Vec<PathBuf> {
    let pcaps = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pcaps");
    let mut captures: Vec<PathBuf> = ["http", "kerberos", "tls"]
        .iter()
        .flat_map(|folder| fs::read_dir(pcaps.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "pcap" || end == "gz"))
        .collect();
    captures.sort();
    captures
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |value| value.parse().unwrap())
}

/// Compares every capture with itself, changed.
fn changed_captures_give_the_same_rows(change: Change) {
    let first = number("SPANLAKE_SEED", 1);
    let (mut compared, mut complaint) = (0, String::new());
    for path in captures() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let (frames, _) = capture::read_all(File::open(&path).unwrap()).unwrap();
        let is_in_order = matches!(change, Change::SingleBytes | Change::Cut);
        let expected = rows(written(&frames), is_in_order);
        for seed in first..first + number("SPANLAKE_ROUNDS", 1) {
            let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
            let frames = rewritten(&frames, change, &mut random);
            let got = rows(written(&frames), is_in_order);
            compared += got.len();
            if got != expected {
                writeln!(complaint, "{name}, seed {seed}:\n{}", differences(&expected, &got)).unwrap();
            }
        }
    }
    assert!(compared > 1000, "only {compared} rows");
    assert!(complaint.is_empty(), "{change:?}: {complaint}");
}

#[test]
fn streams_in_single_bytes_give_the_same_rows() {
    changed_captures_give_the_same_rows(Change::SingleBytes);
}

#[test]
fn streams_cut_anywhere_give_the_same_rows() {
    changed_captures_give_the_same_rows(Change::Cut);
}

#[test]
fn segments_in_any_order_give_the_same_rows() {
    changed_captures_give_the_same_rows(Change::CutAndShuffled);
}

#[test]
fn segments_that_come_again_and_overlap_give_the_same_rows() {
    changed_captures_give_the_same_rows(Change::CutShuffledAndRepeated);
}
