//! TLS: records, messages, halves of them and anything else, in both directions, with bytes that are lost; cut anywhere.
//! Also after the words of a protocol in which TLS begins, and as datagrams.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use parsers::context::{Anomalies, Context};
use parsers::protocol::{Direction, Protocol};
use parsers::services::Services;
use parsers::settings::Settings;
use parsers::stream::Stream;
use parsers::tls::Dtls;
use schemas::batch::Records;
use schemas::column::Names;
use schemas::envelope::Envelope;
use schemas::flows::EndReason;

#[derive(Arbitrary, Debug)]
struct Case {
    handshake: bool,
    before: Before,
    parts: Vec<Part>,
    cuts: Vec<u8>,
}

#[derive(Arbitrary, Debug)]
enum Before {
    Nothing,
    Mail,
    Database,
}

#[derive(Arbitrary, Debug)]
struct Part {
    to_originator: bool,
    tokens: Vec<Token>,
    lost: Option<u16>,
}

#[derive(Arbitrary, Debug)]
enum Token {
    Record { content: u8, minor: u8, messages: Vec<Message> },
    Encrypted { content: u8, length: u8 },
    ChangeCipher,
    Alert(u8, u8),
    Datagram { epoch: u8, sequence: u8, from: u8, message: Message },
    Bytes(Vec<u8>),
}

#[derive(Arbitrary, Debug)]
enum Message {
    ClientHello { version: u16, session: u8, suites: Vec<u16>, extensions: Vec<(u8, Vec<u8>)> },
    ServerHello { version: u16, session: u8, retries: bool, suite: u16, extensions: Vec<(u8, Vec<u8>)> },
    Certificate(Vec<Vec<u8>>),
    Other { kind: u8, body: Vec<u8> },
}

/// Bytes behind their length in so many bytes.
fn vector<const N: usize>(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes()[4 - N..], bytes].concat()
}

fn block(extensions: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let all: Vec<u8> = extensions
        .iter()
        .flat_map(|(kind, data)| [&u16::from(*kind).to_be_bytes()[..], &vector::<2>(data)].concat())
        .collect();
    vector::<2>(&all)
}

const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
    0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

impl Message {
    fn kind_and_body(&self, is_datagram: bool) -> (u8, Vec<u8>) {
        match self {
            Self::ClientHello { version, session, suites, extensions } => {
                let suites: Vec<u8> = suites.iter().flat_map(|suite| suite.to_be_bytes()).collect();
                let cookie: &[u8] = if is_datagram { &[0] } else { &[] };
                let session = vector::<1>(&vec![*session; usize::from(session % 33)]);
                let body = [
                    &version.to_be_bytes()[..],
                    &[7; 32],
                    &session,
                    cookie,
                    &vector::<2>(&suites),
                    &[1, 0],
                    &block(extensions),
                ];
                (1, body.concat())
            }
            Self::ServerHello { version, session, retries, suite, extensions } => {
                let session = vector::<1>(&vec![*session; usize::from(session % 33)]);
                let random = if *retries { RETRY } else { [9; 32] };
                let body =
                    [&version.to_be_bytes()[..], &random, &session, &suite.to_be_bytes(), &[0], &block(extensions)];
                (2, body.concat())
            }
            Self::Certificate(all) => {
                let list: Vec<u8> = all.iter().flat_map(|der| vector::<3>(der)).collect();
                (11, vector::<3>(&list))
            }
            Self::Other { kind, body } => (*kind, body.clone()),
        }
    }
}

impl Token {
    fn write(&self, out: &mut Vec<u8>) {
        let mut record = |content: u8, minor: u8, body: &[u8]| {
            out.extend_from_slice(&[content, 3, minor]);
            out.extend(vector::<2>(body));
        };
        match self {
            Self::Record { content, minor, messages } => {
                let messages: Vec<u8> = messages
                    .iter()
                    .flat_map(|message| {
                        let (kind, body) = message.kind_and_body(false);
                        [&[kind][..], &vector::<3>(&body)].concat()
                    })
                    .collect();
                let content = if *content < 200 { 22 } else { 20 + content % 6 };
                record(content, minor % 5, &messages);
            }
            Self::Encrypted { content, length } => record(21 + content % 3, 3, &vec![0x5a; usize::from(*length)]),
            Self::ChangeCipher => record(20, 3, &[1]),
            Self::Alert(level, description) => record(21, 3, &[*level, *description]),
            Self::Datagram { epoch, sequence, from, message } => {
                let (kind, body) = message.kind_and_body(true);
                let from = usize::from(*from).min(body.len());
                let fragment = [
                    &[kind][..],
                    &(body.len() as u32).to_be_bytes()[1..],
                    &[0, sequence % 8],
                    &(from as u32).to_be_bytes()[1..],
                    &vector::<3>(&body[from..]),
                ];
                out.extend_from_slice(&[22, 0xfe, 0xfd, 0, epoch % 2, 0, 0, 0, 0, 0, 0]);
                out.extend(vector::<2>(&fragment.concat()));
            }
            Self::Bytes(bytes) => out.extend_from_slice(bytes),
        }
    }
}

/// Rows and what was odd of a stream.
fn stream(case: &Case, cuts: &[u8]) -> (String, usize) {
    let settings = Settings::default();
    let mut stream = Stream::default();
    let mut envelope = Envelope { protocol: 6, dst_port: 443, ..Envelope::default() };
    let (mut records, mut anomalies, mut services) = (Records::default(), Anomalies::default(), Services::default());
    let mut cuts = cuts.iter().cycle();
    let before: &[(Direction, &[u8])] = match case.before {
        Before::Nothing => &[],
        Before::Mail => &[(Direction::ToOriginator, b"220 a ESMTP\r\n"), (Direction::ToResponder, b"STARTTLS\r\n")],
        Before::Database => &[(Direction::ToOriginator, b"\x05\0\0\0\x0a8.0\0."), (Direction::ToResponder, b"\x01\0\0\x01.")],
    };
    let before = before.iter().map(|(direction, bytes)| (*direction, bytes.to_vec(), 0));
    let parts = case.parts.iter().map(|part| {
        let direction = if part.to_originator { Direction::ToOriginator } else { Direction::ToResponder };
        let mut bytes = Vec::new();
        part.tokens.iter().for_each(|token| token.write(&mut bytes));
        (direction, bytes, part.lost.unwrap_or_default())
    });
    let mut is_turned = false;
    for (direction, bytes, lost) in before.chain(parts) {
        let mut rest = &bytes[..];
        loop {
            let length = cuts.next().map_or(usize::MAX, |cut| usize::from(*cut) + 1).min(rest.len());
            let (piece, more) = rest.split_at(length);
            rest = more;
            let mut cx = Context {
                has_handshake: case.handshake,
                ..Context::new(&mut envelope, &mut records, &mut anomalies, &mut services, &settings)
            };
            let direction = if is_turned { direction.reverse() } else { direction };
            stream.data(direction, piece, &mut cx);
            if rest.is_empty() && lost > 0 {
                stream.gap(cx.turned(direction), lost.into(), &mut cx);
            }
            if cx.flip {
                stream.flip();
                is_turned = !is_turned;
            }
            assert!(stream.held() < 2 << 20);
            if rest.is_empty() {
                break;
            }
        }
    }
    let mut cx = Context::new(&mut envelope, &mut records, &mut anomalies, &mut services, &settings);
    cx.end = Some(EndReason::Closed);
    stream.close(&mut cx);
    (rows(&records), anomalies.entries().len())
}

fn rows(records: &Records) -> String {
    schemas::json::debug_json(&schemas::table::TLS, &records.tls, &Names::default())
}

/// A part a datagram.
fn datagrams(case: &Case) {
    let settings = Settings::default();
    let mut session = Dtls.session();
    let mut envelope = Envelope { protocol: 17, dst_port: 443, ..Envelope::default() };
    let (mut records, mut anomalies, mut services) = (Records::default(), Anomalies::default(), Services::default());
    let mut cx = Context::new(&mut envelope, &mut records, &mut anomalies, &mut services, &settings);
    for part in &case.parts {
        let direction = if part.to_originator { Direction::ToOriginator } else { Direction::ToResponder };
        let mut bytes = Vec::new();
        part.tokens.iter().for_each(|token| token.write(&mut bytes));
        let _ = session.data(direction, &bytes, &mut cx);
        assert!(session.held() < 1 << 20);
    }
    session.close(&mut cx);
    assert!(records.tls.rows.len() <= 1);
    rows(&records);
}

fuzz_target!(|case: Case| {
    let whole = stream(&case, &[]);
    // Where bytes are lost it matters what waited for more.
    if case.parts.iter().all(|part| part.lost.unwrap_or_default() == 0) {
        assert_eq!(stream(&case, &case.cuts), whole);
    } else {
        stream(&case, &case.cuts);
    }
    datagrams(&case);
});
