//! QUIC: datagrams of packets that are sealed like real ones, with a handshake cut into CRYPTO frames, other frames and any
//! bytes between them; Retries, versions and connections that change. The pieces of a hello in any order and in any number
//! of datagrams give the same row.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use parsers::context::{Anomalies, Context};
use parsers::protocol::{Direction, Progress, Protocol, Session};
use parsers::quic::Quic;
use parsers::services::Services;
use parsers::settings::Settings;
use schemas::batch::Records;
use schemas::column::Names;
use schemas::envelope::Envelope;
use sealing::{Initial, SALT_DRAFT_29, crypto};
use serde_json::Value;

#[allow(dead_code, unreachable_pub)]
#[path = "../../parsers/src/quic/sealing.rs"]
mod sealing;

#[derive(Arbitrary, Debug)]
struct Case {
    datagrams: Vec<Datagram>,
    name: Vec<u8>,
    cuts: Vec<u8>,
    order: Vec<u8>,
    coalesce: Vec<bool>,
    version: u8,
}

#[derive(Arbitrary, Debug)]
struct Datagram {
    to_originator: bool,
    packets: Vec<Packet>,
}

#[derive(Arbitrary, Debug)]
enum Packet {
    Initial { from_client: bool, id: u8, to: u8, version: u8, token: u8, number: u16, bits: u8, frames: Vec<Frame> },
    Long { kind: u8, id: u8, length: u8 },
    Retry { id: u8 },
    Negotiation(Vec<u32>),
    Short(u8, u8),
    Bytes(Vec<u8>),
}

#[derive(Arbitrary, Debug)]
enum Frame {
    Hello { random: u8, begin: u8, length: u8 },
    Answer { begin: u8, length: u8 },
    Crypto(u32, Vec<u8>),
    Close(u8),
    Padding(u8),
    Bytes(Vec<u8>),
}

const IDS: [&[u8]; 5] = [b"the first", b"the second", b"server", b"", &[9; 20]];

fn id(number: u8) -> &'static [u8] {
    IDS[usize::from(number) % IDS.len()]
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&(u32::from(kind) << 24 | body.len() as u32).to_be_bytes()[..], body].concat()
}

/// A client's hello that asks for a name.
fn client_hello(random: u8, name: &[u8]) -> Vec<u8> {
    let length = name.len() as u16;
    let sni = [&[0, 0][..], &(length + 5).to_be_bytes(), &(length + 3).to_be_bytes(), &[0], &length.to_be_bytes(), name];
    let extensions = [&sni.concat()[..], &[0, 43, 0, 3, 2, 3, 4]].concat();
    let head = [&[3, 3][..], &[random; 32], &[0, 0, 2, 0x13, 0x01, 1, 0]].concat();
    message(1, &[&head[..], &(extensions.len() as u16).to_be_bytes(), &extensions].concat())
}

fn server_hello() -> Vec<u8> {
    let body = [&[3, 3][..], &[9; 32], &[0, 0x13, 0x01, 0, 0, 14, 0, 43, 0, 2, 3, 4, 0, 51, 0, 4, 0, 29, 0, 0]];
    message(2, &body.concat())
}

fn of_version(packet: Initial<'static>, version: u8) -> Initial<'static> {
    match version % 3 {
        0 => packet,
        1 => packet.in_version_2(),
        _ => Initial { version: 0xff00_001d, salt: SALT_DRAFT_29, ..packet },
    }
}

/// Bytes of a message from a place on.
fn part(bytes: &[u8], begin: u8, length: u8) -> Vec<u8> {
    let begin = usize::from(begin).min(bytes.len());
    let end = (begin + usize::from(length)).min(bytes.len());
    crypto(begin as u32, &bytes[begin..end])
}

impl Frame {
    fn write(&self) -> Vec<u8> {
        match self {
            Self::Hello { random, begin, length } => {
                part(&client_hello(random % 2, b"www.example.test"), *begin, *length)
            }
            Self::Answer { begin, length } => part(&server_hello(), *begin, *length),
            Self::Crypto(offset, bytes) => {
                crypto(offset % (1 << 18), bytes.get(..1000).unwrap_or(bytes))
            }
            Self::Close(alert) => vec![0x1c, 0x41, *alert, 0x06, 0],
            Self::Padding(length) => vec![0; usize::from(*length)],
            Self::Bytes(bytes) => bytes.clone(),
        }
    }
}

impl Packet {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Initial { from_client, id: of, to, version, token, number, bits, frames } => {
                const TOKENS: [&[u8]; 3] = [b"", b"one", b"two"];
                let packet =
                    if *from_client { Initial::of_client(id(*of)) } else { Initial::of_server(id(*of)) };
                let destination = if to % 8 == 0 { id(to / 8) } else { packet.destination };
                let token = if *from_client { TOKENS[usize::from(token % 3)] } else { b"" };
                let packet = Initial {
                    destination,
                    token,
                    number: (*number).into(),
                    other_bits: if bits % 8 == 0 { 0x0c } else { 0 },
                    ..packet
                };
                let frames: Vec<u8> = frames.iter().take(40).flat_map(Frame::write).collect();
                out.extend(of_version(packet, *version).seal(frames.get(..3000).unwrap_or(&frames)));
            }
            Self::Long { kind, id: of, length } => {
                let id = id(*of);
                out.extend([0xc0 | kind << 4, 0, 0, 0, 1, id.len() as u8]);
                out.extend(id);
                out.extend([0, *length & 0x3f]);
                out.extend(vec![0x33; usize::from(length & 0x3f)]);
            }
            Self::Retry { id: of } => {
                let id = id(*of);
                out.extend(b"\xf0\0\0\0\x01\x06client");
                out.push(id.len() as u8);
                out.extend(id);
                out.extend(b"one0123456789abcdef");
            }
            Self::Negotiation(versions) => {
                out.extend(b"\x80\0\0\0\0\x06client\x09the first");
                versions.iter().for_each(|version| out.extend(version.to_be_bytes()));
            }
            Self::Short(first, of) => {
                out.push(first & 0x7f);
                out.extend(id(*of));
                out.extend([0x5a; 40]);
            }
            Self::Bytes(bytes) => out.extend(bytes),
        }
    }
}

/// A flow with its session, and what came of it.
struct Flow {
    session: Box<dyn Session>,
    envelope: Envelope,
    records: Records,
    anomalies: Anomalies,
    services: Services,
    is_flipped: bool,
    is_over: bool,
}

impl Flow {
    fn new() -> Self {
        Self {
            session: Quic.session(),
            envelope: Envelope { protocol: 17, src_port: 1024, dst_port: 443, ..Envelope::default() },
            records: Records::default(),
            anomalies: Anomalies::default(),
            services: Services::default(),
            is_flipped: false,
            is_over: false,
        }
    }

    fn with(&mut self, act: impl FnOnce(&mut dyn Session, &mut Context<'_>)) {
        let settings = Settings::default();
        let Self { session, envelope, records, anomalies, services, .. } = self;
        let mut cx = Context::new(envelope, records, anomalies, services, &settings);
        act(&mut **session, &mut cx);
        self.is_flipped ^= cx.flip;
    }

    fn show(&mut self, direction: Direction, datagram: &[u8]) {
        if self.is_over {
            return;
        }
        let _ = Quic.probe(direction, datagram, true);
        let direction = if self.is_flipped { direction.reverse() } else { direction };
        let mut is_over = false;
        self.with(|session, cx| is_over = session.data(direction, datagram, cx) == Ok(Progress::Done));
        assert!(self.session.held() < 512 << 10, "{}", self.session.held());
        if is_over {
            self.close();
        }
    }

    fn close(&mut self) {
        if !std::mem::replace(&mut self.is_over, true) {
            self.with(|session, cx| session.close(cx));
        }
    }

    fn rows(&self) -> Vec<Value> {
        let text = schemas::json::debug_json(&schemas::table::TLS, &self.records.tls, &Names::default());
        text.lines().map(|line| serde_json::from_str(line).expect("a row is JSON")).collect()
    }
}

/// Any packets: at most as many rows as keys, and all of them can be written.
fn anything(case: &Case) {
    let mut flow = Flow::new();
    for datagram in case.datagrams.iter().take(64) {
        let direction = if datagram.to_originator { Direction::ToOriginator } else { Direction::ToResponder };
        let mut bytes = Vec::new();
        datagram.packets.iter().take(16).for_each(|packet| packet.write(&mut bytes));
        flow.show(direction, &bytes);
    }
    flow.close();
    assert!(flow.rows().len() <= 16);
    assert!(flow.services.is_empty() || flow.services.has("tls"));
    spanlake_fuzz::rows::check(flow.records, true);
}

/// A hello in pieces, in any order, in one datagram or many: the same row.
fn pieces(case: &Case) {
    let name: Vec<u8> = case.name.iter().take(300).map(|byte| b'a' + byte % 26).collect();
    let hello = client_hello(7, &name);
    let mut places: Vec<usize> =
        case.cuts.iter().take(40).map(|cut| 2 * usize::from(*cut) % hello.len()).collect();
    places.extend([0, hello.len()]);
    places.sort_unstable();
    places.dedup();
    let mut pieces: Vec<(usize, usize)> = places.windows(2).map(|pair| (pair[0], pair[1])).collect();
    for (at, other) in case.order.iter().take(80).enumerate() {
        let (at, other) = (at % pieces.len(), usize::from(*other) % pieces.len());
        pieces.swap(at, other);
    }
    let client = |number: usize| {
        let packet = Initial { number: number as u32, ..Initial::of_client(b"the first") };
        of_version(packet, case.version)
    };
    let mut flow = Flow::new();
    let mut datagram = Vec::new();
    let mut coalesce = case.coalesce.iter().cycle();
    for (number, (begin, end)) in pieces.iter().enumerate() {
        datagram.extend(client(number).seal(&crypto(*begin as u32, &hello[*begin..*end])));
        if coalesce.next() != Some(&true) {
            flow.show(Direction::ToResponder, &std::mem::take(&mut datagram));
        }
    }
    flow.show(Direction::ToResponder, &datagram);
    flow.close();
    let mut whole = Flow::new();
    whole.show(Direction::ToResponder, &client(0).seal(&crypto(0, &hello)));
    whole.close();
    assert_eq!(flow.rows(), whole.rows());
    assert_eq!(whole.rows()[0]["server_name"].as_str().map(str::len), Some(name.len()));
    assert!(flow.anomalies.entries().is_empty());
}

fuzz_target!(|case: Case| {
    anything(&case);
    pieces(&case);
});
