//! Streams that carry others: SOCKS, CONNECT of HTTP/1 and HTTP/2, upgrades, and what may be inside, in any pieces.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use parsers::context::{Anomalies, Context};
use parsers::protocol::Direction;
use parsers::services::Services;
use parsers::settings::Settings;
use parsers::stream::Stream;
use schemas::batch::Records;
use schemas::envelope::Envelope;
use schemas::flows::EndReason;
use spanlake_fuzz::rows;

#[derive(Arbitrary, Debug)]
struct Case {
    handshake: bool,
    on_port_of_socks: bool,
    closed: bool,
    parts: Vec<Part>,
}

#[derive(Arbitrary, Debug)]
struct Part {
    to_originator: bool,
    tokens: Vec<Token>,
    piece: u8,
    lost: Option<u16>,
}

#[derive(Arbitrary, Debug)]
enum Token {
    Known(u8),
    /// A frame of HTTP/2 with DATA of these.
    Data(u8, Vec<u8>),
    Bytes(Vec<u8>),
}

const KNOWN: [&[u8]; 26] = [
    b"\x05\x01\0",
    b"\x05\x02\0\x02",
    b"\x05\0",
    b"\x05\x02",
    b"\x01\x01a\x01b",
    b"\x01\0",
    b"\x05\x01\0\x03\x06a.test\0\x50",
    b"\x05\x02\0\x01\x0a\x01\x01\x02\0\x50",
    b"\x05\0\0\x01\0\0\0\0\0\0",
    b"\x04\x01\0\x50\x0a\x01\x01\x02\0",
    b"\x04\x01\0\x50\0\0\0\x01\0a.test\0",
    b"\0\x5a\0\0\0\0\0\0",
    b"CONNECT a.test:80 HTTP/1.1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
    b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    b"\0\0\0\x04\0\0\0\0\0",
    // HEADERS of stream 1: CONNECT to `a`, status 200.
    b"\0\0\x0c\x01\x04\0\0\0\x01\x02\x07CONNECT\x01\x01a",
    b"\0\0\x01\x01\x04\0\0\0\x01\x88",
    b"POST / HTTP/1.1\r\nContent-Type: message/rfc822\r\nContent-Length: 200\r\n\r\n",
    b"Content-Type: multipart/mixed; boundary=XX\r\n\r\n--XX\r\n",
    b"Content-Transfer-Encoding: base64\r\n\r\naGVs\r\nbG8=\r\n--XX\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=3D=\r\n=x \r\n--XX--\r\n",
];

impl Token {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Known(at) => out.extend_from_slice(KNOWN[usize::from(*at) % KNOWN.len()]),
            Self::Data(at, bytes) => {
                let mut inside = bytes.clone();
                Self::Known(*at).write(&mut inside);
                let length = (inside.len() as u32).to_be_bytes();
                out.extend_from_slice(&length[1..]);
                out.extend_from_slice(b"\0\0\0\0\0\x01");
                out.extend(inside);
            }
            Self::Bytes(bytes) => out.extend_from_slice(bytes),
        }
    }
}

fuzz_target!(|case: Case| {
    let settings = Settings::default();
    let dst_port = if case.on_port_of_socks { 1080 } else { 9050 };
    let mut envelope = Envelope { protocol: 6, src_port: 40_000, dst_port, uid: 1, ..Envelope::default() };
    let (mut records, mut anomalies, mut services) =
        (Records::default(), Anomalies::default(), Services::default());
    let mut cx = Context {
        has_handshake: case.handshake,
        ..Context::new(&mut envelope, &mut records, &mut anomalies, &mut services, &settings)
    };
    let mut stream = Stream::default();
    for part in &case.parts {
        let direction = if part.to_originator { Direction::ToOriginator } else { Direction::ToResponder };
        let mut bytes = Vec::new();
        part.tokens.iter().for_each(|token| token.write(&mut bytes));
        for piece in bytes.chunks(usize::from(part.piece).max(1)) {
            stream.data(direction, piece, &mut cx);
        }
        if let Some(lost) = part.lost.filter(|lost| *lost > 0) {
            stream.gap(direction, lost.into(), &mut cx);
        }
        assert!(stream.held() < 64 << 20);
        assert_eq!(cx.tunnels, 0);
        assert_eq!(cx.has_handshake, case.handshake);
    }
    cx.end = case.closed.then_some(EndReason::Closed);
    stream.close(&mut cx);
    assert!(stream.is_over());
    for row in &records.file.rows {
        assert!(!row.record.complete || row.record.missing_bytes == 0);
    }
    // No two exchanges and no two files of a flow are taken for one another.
    let mut numbers: Vec<u32> = records.http.rows.iter().map(|row| row.record.transaction).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), records.http.rows.len());
    let mut files: Vec<u128> = records.file.rows.iter().map(|row| row.record.file_id).collect();
    files.sort_unstable();
    files.dedup();
    assert_eq!(files.len(), records.file.rows.len());
    rows::check(records, false);
});
