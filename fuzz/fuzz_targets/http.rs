//! HTTP: messages, halves of messages and anything else, in both directions, with bytes that are lost; cut anywhere.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use parsers::context::{Anomalies, Context};
use parsers::entities::Entities;
use parsers::http::Http1;
use parsers::protocol::{Direction, Progress, Protocol, Verdict};
use parsers::services::Services;
use parsers::settings::Settings;
use schemas::batch::Records;
use schemas::envelope::Envelope;
use schemas::flows::EndReason;

#[derive(Arbitrary, Debug)]
struct Case {
    handshake: bool,
    closed: bool,
    passwords: bool,
    parts: Vec<Part>,
    cuts: Vec<u8>,
}

#[derive(Arbitrary, Debug)]
struct Part {
    to_originator: bool,
    tokens: Vec<Token>,
    lost: Option<u16>,
}

#[derive(Arbitrary, Debug)]
enum Token {
    Known(u8),
    Length(u16),
    Chunk(u8),
    Bytes(Vec<u8>),
    Zeros(u16),
}

const KNOWN: [&[u8]; 29] = [
    b"GET / HTTP/1.1\r\n",
    b"POST http://a:b@c.test/x?y HTTP/1.1\r\n",
    b"HEAD / HTTP/1.0\r\n",
    b"GET /old\r\n",
    b"CONNECT a.test:443 HTTP/1.1\r\n",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 1-9/100\r\n",
    b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Content-Encoding: deflate, br\r\n",
    b"Content-Encoding: zstd\r\n",
    b" folded\r\n",
    b"no colon\r\n",
    b"Content-Type: multipart/form-data; boundary=XX\r\n",
    b"--XX\r\n",
    b"--XX--\r\n",
    b"GET /f HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HTTP/1.1 206 Part\r\nETag: 1\r\nContent-Length: 4\r\nContent-Range: bytes 0-3/8\r\n\r\n0123",
    b"HTTP/1.1 206 Part\r\nETag: 1\r\nTransfer-Encoding: chunked\r\nContent-Range: bytes 4-7/8\r\n\r\n",
    b"HTTP/1.1 206 Part\r\nETag: 1\r\nContent-Length: 3\r\nContent-Range: bytes 3-5/8\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nETag: 1\r\nContent-Length: 8\r\n\r\n",
    b"Content-Disposition: form-data; filename*=UTF-8''%e2%82%ac\r\n",
    b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xcb\x48\xcd\xc9\xc9\x07\0\x86\xa6\x10\x36\x05\0\0\0",
    b"0\r\n\r\n",
];

impl Token {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Known(at) => out.extend_from_slice(KNOWN[usize::from(*at) % KNOWN.len()]),
            Self::Length(length) => out.extend(format!("Content-Length: {length}\r\n").bytes()),
            Self::Chunk(length) => {
                out.extend(format!("{length:x}\r\n").bytes());
                out.resize(out.len() + usize::from(*length), b'c');
                out.extend(b"\r\n");
            }
            Self::Bytes(bytes) => out.extend_from_slice(bytes),
            Self::Zeros(length) => out.resize(out.len() + usize::from(*length), 0),
        }
    }
}

/// Rows of both tables, and what was odd.
fn run(case: &Case, cuts: &[u8]) -> (String, String) {
    let settings = Settings { passwords: case.passwords, ..Settings::default() };
    let mut session = Http1.session();
    let mut envelope = Envelope { protocol: 6, dst_port: 80, ..Envelope::default() };
    let (mut records, mut anomalies, mut services) =
        (Records::default(), Anomalies::default(), Services::default());
    let mut entities = Entities::new(1 << 14);
    let mut cx = Context {
        has_handshake: case.handshake,
        entities: Some(&mut entities),
        ..Context::new(&mut envelope, &mut records, &mut anomalies, &mut services, &settings)
    };
    let mut cuts = cuts.iter().cycle();
    let mut pending: [Vec<u8>; 2] = Default::default();
    // A stream shows nothing before it knows what it is.
    let mut is_known = false;
    // Behind a handover the bytes are another protocol's.
    let mut is_over = false;
    for part in &case.parts {
        let direction = if part.to_originator { Direction::ToOriginator } else { Direction::ToResponder };
        let mut bytes = Vec::new();
        part.tokens.iter().for_each(|token| token.write(&mut bytes));
        let mut rest = &bytes[..];
        while !rest.is_empty() && !is_over {
            let length = cuts.next().map_or(usize::MAX, |cut| usize::from(*cut) + 1).min(rest.len());
            let waiting = &mut pending[direction.index()];
            waiting.extend_from_slice(&rest[..length]);
            rest = &rest[length..];
            is_known = is_known || Http1.probe(direction, waiting, true) != Verdict::NeedMore;
            if !is_known {
                continue;
            }
            for round in 0.. {
                // Each round takes something, or is the last.
                assert!(round <= waiting.len() + 1);
                match session.data(cx.turned(direction), waiting, &mut cx) {
                    Ok(Progress::Took(0) | Progress::Need(_)) => break,
                    Ok(Progress::Took(taken)) => drop(waiting.drain(..taken)),
                    Ok(Progress::Done | Progress::Handover) | Err(_) => {
                        is_over = true;
                        break;
                    }
                }
                if waiting.is_empty() {
                    break;
                }
            }
        }
        if let Some(lost) = part.lost.filter(|lost| *lost > 0 && !is_over) {
            pending[direction.index()].clear();
            is_over = session.gap(cx.turned(direction), lost.into(), &mut cx).is_err();
        }
        assert!(session.held() < 64 << 20);
    }
    cx.end = case.closed.then_some(EndReason::Closed);
    session.close(&mut cx);
    assert!(entities.held() <= 1 << 14);
    entities.close(&mut records);
    assert_eq!(entities.held(), 0);
    for row in &records.file.rows {
        assert!(!row.record.complete || row.record.missing_bytes == 0);
    }
    let names = schemas::column::Names::default();
    let rows = schemas::json::debug_json(&schemas::table::HTTP, &records.http, &names)
        + &schemas::json::debug_json(&schemas::table::FILE, &records.file, &names);
    let odd = anomalies.entries().iter().map(|entry| (entry.name, &entry.detail, entry.occurrences));
    (rows, format!("{:?}", odd.collect::<Vec<_>>()))
}

fuzz_target!(|case: Case| {
    let whole = run(&case, &[]);
    let pieces = run(&case, &case.cuts);
    // Where bytes are lost it matters what waited for more.
    if case.parts.iter().all(|part| part.lost.unwrap_or_default() == 0) {
        assert_eq!(pieces, whole);
    }
});
