//! HTTP/2: frames, halves of frames and anything else, in both directions, with bytes that are lost; cut anywhere.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use parsers::context::{Anomalies, Context};
use parsers::http::Http1;
use parsers::http::h2::Http2;
use parsers::protocol::{Direction, Progress, Protocol, Session};
use parsers::services::Services;
use parsers::settings::Settings;
use schemas::batch::Records;
use schemas::envelope::Envelope;
use schemas::flows::EndReason;

#[derive(Arbitrary, Debug)]
struct Case {
    handshake: bool,
    closed: bool,
    start: Start,
    parts: Vec<Part>,
    cuts: Vec<u8>,
}

#[derive(Arbitrary, Debug)]
enum Start {
    Preface,
    Server,
    Upgrade,
    Turned,
}

#[derive(Arbitrary, Debug)]
struct Part {
    to_originator: bool,
    tokens: Vec<Token>,
    lost: Option<u16>,
}

#[derive(Arbitrary, Debug)]
enum Token {
    Head { stream: u8, flags: u8, fields: Vec<Field> },
    Data { stream: u8, flags: u8, length: u8, byte: u8 },
    Frame { kind: u8, flags: u8, stream: u8, payload: Vec<u8> },
    Bytes(Vec<u8>),
}

#[derive(Arbitrary, Debug)]
enum Field {
    Indexed(u8),
    Known(u8),
    Literal(u8, u8, u8),
    Raw(Vec<u8>),
}

const KNOWN: [(&[u8], &[u8]); 16] = [
    (b":method", b"CONNECT"),
    (b":method", b"HEAD"),
    (b":path", b"/some/file.exe"),
    (b":authority", b"user:secret@a.test:81"),
    (b":status", b"103"),
    (b":status", b"206"),
    (b":protocol", b"websocket"),
    (b"content-length", b"5"),
    (b"content-encoding", b"gzip"),
    (b"content-encoding", b"zstd"),
    (b"content-type", b"multipart/form-data; boundary=XX"),
    (b"content-disposition", b"attachment; filename=a.exe"),
    (b"content-range", b"bytes 1-9/100"),
    (b"authorization", b"Basic YTpi"),
    (b"transfer-encoding", b"chunked"),
    (b"te", b"gzip"),
];

impl Field {
    fn write(&self, out: &mut Vec<u8>) {
        let literal = |out: &mut Vec<u8>, first: u8, name: &[u8], value: &[u8]| {
            out.push(first);
            for text in [name, value] {
                out.push(text.len() as u8 & 0x7f);
                out.extend_from_slice(text);
            }
        };
        match self {
            Self::Indexed(index) => out.push(0x80 | index),
            Self::Known(at) => {
                let (name, value) = KNOWN[usize::from(*at) % KNOWN.len()];
                literal(out, 0x40, name, value);
            }
            Self::Literal(first, name, value) => {
                literal(
                    out,
                    first & 0x40,
                    &vec![b'n'; usize::from(name % 100)],
                    &vec![b'v'; usize::from(value % 100)],
                );
            }
            Self::Raw(bytes) => out.extend_from_slice(bytes),
        }
    }
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u8, payload: &[u8]) {
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags, 0, 0, 0, stream % 16]);
    out.extend_from_slice(payload);
}

impl Token {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Head { stream, flags, fields } => {
                let mut block = Vec::new();
                fields.iter().for_each(|field| field.write(&mut block));
                frame(out, 1, flags & 0x2d, *stream, &block);
            }
            Self::Data { stream, flags, length, byte } => {
                frame(out, 0, flags & 9, *stream, &vec![*byte; usize::from(*length)]);
            }
            Self::Frame { kind, flags, stream, payload } => frame(out, kind % 12, *flags, *stream, payload),
            Self::Bytes(bytes) => out.extend_from_slice(bytes),
        }
    }
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64";
const UPGRADE: &[u8] =
    b"POST / HTTP/1.1\r\nContent-Length: 2\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n";
const SWITCH: &[u8] = b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n";

/// Rows of both tables, and what was odd.
fn run(case: &Case, cuts: &[u8]) -> (String, usize) {
    let settings = Settings::default();
    let upgrades = matches!(case.start, Start::Upgrade);
    let mut session: Box<dyn Session> = if upgrades { Http1.session() } else { Http2.session() };
    let mut envelope = Envelope { protocol: 6, dst_port: 80, ..Envelope::default() };
    let (mut records, mut anomalies, mut services) =
        (Records::default(), Anomalies::default(), Services::default());
    let mut cx = Context {
        has_handshake: case.handshake,
        ..Context::new(&mut envelope, &mut records, &mut anomalies, &mut services, &settings)
    };
    let mut cuts = cuts.iter().cycle();
    let mut pending: [Vec<u8>; 2] = Default::default();
    let start: &[(Direction, Vec<u8>)] = &match case.start {
        Start::Preface => vec![
            (Direction::ToResponder, [PREFACE, SETTINGS].concat()),
            (Direction::ToOriginator, SETTINGS.to_vec()),
        ],
        Start::Server => vec![(Direction::ToOriginator, SETTINGS.to_vec())],
        Start::Upgrade => vec![
            (Direction::ToResponder, UPGRADE.to_vec()),
            (Direction::ToOriginator, [SWITCH, SETTINGS].concat()),
            (Direction::ToResponder, [b"ab", PREFACE, SETTINGS].concat()),
        ],
        Start::Turned => vec![(Direction::ToOriginator, [PREFACE, SETTINGS].concat())],
    };
    let parts = case.parts.iter().map(|part| {
        let direction = if part.to_originator { Direction::ToOriginator } else { Direction::ToResponder };
        let mut bytes = Vec::new();
        part.tokens.iter().for_each(|token| token.write(&mut bytes));
        (direction, bytes, part.lost.unwrap_or_default())
    });
    let start = start.iter().map(|(direction, bytes)| (*direction, bytes.clone(), 0));
    for (direction, bytes, lost) in start.chain(parts) {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let length = cuts.next().map_or(usize::MAX, |cut| usize::from(*cut) + 1).min(rest.len());
            let waiting = &mut pending[direction.index()];
            waiting.extend_from_slice(&rest[..length]);
            rest = &rest[length..];
            for round in 0.. {
                // Each round takes something, or is the last.
                assert!(round <= waiting.len() + 1);
                match session.data(cx.turned(direction), waiting, &mut cx) {
                    Ok(Progress::Took(0) | Progress::Need(_)) => break,
                    Ok(Progress::Took(taken)) => drop(waiting.drain(..taken)),
                    Ok(Progress::Done | Progress::Handover) | Err(_) => unreachable!("HTTP/2 goes on"),
                }
                if waiting.is_empty() {
                    break;
                }
            }
        }
        if lost > 0 {
            pending[direction.index()].clear();
            assert!(session.gap(cx.turned(direction), lost.into(), &mut cx).is_ok());
        }
        assert!(session.held() < 64 << 20);
    }
    cx.end = case.closed.then_some(EndReason::Closed);
    session.close(&mut cx);
    for row in &records.file.rows {
        assert!(!row.record.complete || row.record.missing_bytes == 0);
    }
    let names = schemas::column::Names::default();
    let rows = schemas::json::debug_json(&schemas::table::HTTP, &records.http, &names)
        + &schemas::json::debug_json(&schemas::table::FILE, &records.file, &names);
    (rows, anomalies.entries().len())
}

fuzz_target!(|case: Case| {
    let whole = run(&case, &[]);
    // Where bytes are lost it matters what waited for more.
    if case.parts.iter().all(|part| part.lost.unwrap_or_default() == 0) {
        assert_eq!(run(&case, &case.cuts), whole);
    } else {
        run(&case, &case.cuts);
    }
});
