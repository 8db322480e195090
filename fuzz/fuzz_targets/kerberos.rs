//! Kerberos of both ends of a flow: records of a stream, cut anywhere, and datagrams.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use parsers::context::{Anomalies, Context};
use parsers::kerberos::{MAX_PENDING, MAX_PENDING_BYTES, OverUdp, spnego};
use parsers::protocol::{Direction, Protocol};
use parsers::services::Services;
use parsers::settings::Settings;
use parsers::stream::Stream;
use schemas::batch::Records;
use schemas::column::Names;
use schemas::envelope::Envelope;

#[derive(Arbitrary, Debug)]
struct Case {
    handshake: bool,
    on_its_port: bool,
    parts: Vec<Part>,
    cuts: Vec<u8>,
}

#[derive(Arbitrary, Debug)]
struct Part {
    to_originator: bool,
    message: Message,
    /// A byte that is another one.
    damage: Option<(u16, u8)>,
    /// The length in front of the record is another one by so much.
    off: Option<i8>,
    /// In a change of password.
    change: bool,
    lost: Option<u16>,
}

#[derive(Arbitrary, Debug)]
enum Message {
    Request { is_tgs: bool, nonce: i8, client: Name, service: Name, padata: Vec<(u8, Value)>, etypes: Vec<i8>, till: u8 },
    Reply { is_tgs: bool, client: Name, service: Name, padata: Vec<(u8, Value)> },
    ApRequest(Name),
    ApReply,
    Error { code: i16, service: Name, text: Option<String>, data: Option<Value> },
    Elements(u8, Vec<(u8, Vec<u8>)>),
    Bytes(Vec<u8>),
}

#[derive(Arbitrary, Debug)]
enum Value {
    Bytes(Vec<u8>),
    ApRequest(Name),
    Padata(Vec<(u8, Vec<u8>)>),
    Status([u8; 12]),
    SignedData(Vec<Vec<u8>>),
}

#[derive(Arbitrary, Debug)]
struct Name(Vec<u8>);

impl Name {
    fn principal(&self) -> Vec<u8> {
        let parts: Vec<u8> = self.0.split(|byte| *byte == b'/').flat_map(|part| element(0x1b, part)).collect();
        seq(&[field(0, &int(1)), field(1, &element(0x30, &parts))])
    }
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u32).to_be_bytes();
    let length: &[u8] = match content.len() {
        0..0x80 => &length[3..],
        0x80..0x100 => &[0x81, length[3]],
        _ => &[0x83, length[1], length[2], length[3]],
    };
    [&[tag], length, content].concat()
}

fn seq(parts: &[Vec<u8>]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

fn field(number: u8, content: &[u8]) -> Vec<u8> {
    element(0xa0 | number, content)
}

fn int(value: i16) -> Vec<u8> {
    element(2, &value.to_be_bytes())
}

fn encrypted() -> Vec<u8> {
    seq(&[field(0, &int(18)), field(1, &int(2)), field(2, &element(4, &[0x5a; 16]))])
}

fn ticket(service: &Name) -> Vec<u8> {
    let fields =
        [field(0, &int(5)), field(1, &element(0x1b, b"A.TEST")), field(2, &service.principal()), field(3, &encrypted())];
    element(0x61, &seq(&fields))
}

fn padatas<'a>(all: impl Iterator<Item = (u8, Vec<u8>)> + 'a) -> Vec<u8> {
    let all: Vec<Vec<u8>> =
        all.map(|(kind, value)| seq(&[field(1, &int(kind.into())), field(2, &element(4, &value))])).collect();
    seq(&all)
}

impl Value {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            Self::ApRequest(service) => Message::ApRequest(Name(service.0.clone())).bytes(),
            Self::Padata(all) => padatas(all.iter().cloned()),
            Self::Status(status) => seq(&[field(1, &element(2, &[3])), field(2, &element(4, status))]),
            Self::SignedData(certificates) => {
                let certificates: Vec<u8> = certificates.iter().flat_map(|content| element(0x30, content)).collect();
                let kind = element(6, b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02");
                let signed = seq(&[int(3), element(0x31, &[]), seq(&[]), element(0xa0, &certificates), element(0x31, &[])]);
                seq(&[element(0x80, &seq(&[kind, field(0, &signed)]))])
            }
        }
    }
}

impl Message {
    fn bytes(&self) -> Vec<u8> {
        // Version and type are a byte each, or the strict look at other ports says no.
        let head = |first: u8, kind: u8| [field(first, &element(2, &[5])), field(first + 1, &element(2, &[kind]))].concat();
        match self {
            Self::Request { is_tgs, nonce, client, service, padata, etypes, till } => {
                let kind = if *is_tgs { 12 } else { 10 };
                let etypes: Vec<u8> = etypes.iter().flat_map(|etype| int((*etype).into())).collect();
                let body = seq(&[
                    field(0, &element(3, &[0, 0x40, 0x81, 0, 0x10])),
                    field(1, &client.principal()),
                    field(2, &element(0x1b, b"A.TEST")),
                    field(3, &service.principal()),
                    field(5, &element(0x18, format!("20{:02}0101000000Z", till % 100).as_bytes())),
                    field(7, &int((*nonce).into())),
                    field(8, &element(0x30, &etypes)),
                ]);
                let padata = field(3, &padatas(padata.iter().map(|(kind, value)| (kind % 32, value.bytes()))));
                element(0x60 | kind, &seq(&[head(1, kind), padata, field(4, &body)]))
            }
            Self::Reply { is_tgs, client, service, padata } => {
                let kind = if *is_tgs { 13 } else { 11 };
                let padata = field(2, &padatas(padata.iter().map(|(kind, value)| (kind % 32, value.bytes()))));
                let fields = [
                    head(0, kind),
                    padata,
                    field(3, &element(0x1b, b"A.TEST")),
                    field(4, &client.principal()),
                    field(5, &ticket(service)),
                    field(6, &encrypted()),
                ];
                element(0x60 | kind, &seq(&fields))
            }
            Self::ApRequest(service) => {
                let options = field(2, &element(3, &[0, 0x20, 0, 0, 0]));
                element(0x6e, &seq(&[head(0, 14), options, field(3, &ticket(service)), field(4, &encrypted())]))
            }
            Self::ApReply => element(0x6f, &seq(&[head(0, 15), field(2, &encrypted())])),
            Self::Error { code, service, text, data } => {
                let text = text.as_ref().map(|text| field(11, &element(0x1b, text.as_bytes())));
                let data = data.as_ref().map(|data| field(12, &element(4, &data.bytes())));
                let fields = [
                    head(0, 30),
                    field(6, &int(*code)),
                    field(9, &element(0x1b, b"A.TEST")),
                    field(10, &service.principal()),
                    text.unwrap_or_default(),
                    data.unwrap_or_default(),
                ];
                element(0x7e, &seq(&fields))
            }
            Self::Elements(kind, all) => {
                let all: Vec<Vec<u8>> = all.iter().map(|(number, content)| field(number % 13, content)).collect();
                element(0x6a + kind % 6, &seq(&all))
            }
            Self::Bytes(bytes) => bytes.clone(),
        }
    }
}

impl Part {
    fn direction(&self) -> Direction {
        if self.to_originator { Direction::ToOriginator } else { Direction::ToResponder }
    }

    /// What a datagram or a record holds.
    fn content(&self) -> Vec<u8> {
        let mut bytes = self.message.bytes();
        if self.change {
            let length = ((bytes.len() + 8) as u16).to_be_bytes();
            let inner = (bytes.len() as u16).to_be_bytes();
            bytes = [&length[..], &[0, 1], &inner, &bytes, &[0x75, 0]].concat();
        }
        if let Some((place, byte)) = self.damage
            && let Some(damaged) = bytes.get_mut(usize::from(place))
        {
            *damaged = byte;
        }
        bytes
    }

    fn record(&self) -> Vec<u8> {
        let content = self.content();
        let length = (content.len() as u32).wrapping_add_signed(self.off.unwrap_or_default().into());
        [&length.to_be_bytes()[..], &content].concat()
    }
}

/// Rows and what was odd of a stream.
fn stream(case: &Case, cuts: &[u8]) -> (String, Vec<(&'static str, i64)>) {
    let settings = Settings::default();
    let mut stream = Stream::default();
    let port = if case.on_its_port { 88 } else { 4444 };
    let mut envelope = Envelope { protocol: 6, src_port: 1024, dst_port: port, ..Envelope::default() };
    let (mut records, mut anomalies, mut services) = (Records::default(), Anomalies::default(), Services::default());
    let mut cuts = cuts.iter().cycle();
    let mut is_turned = false;
    for part in &case.parts {
        let bytes = part.record();
        let mut rest = &bytes[..];
        loop {
            let length = cuts.next().map_or(usize::MAX, |cut| usize::from(*cut) + 1).min(rest.len());
            let (piece, more) = rest.split_at(length);
            rest = more;
            let mut cx = Context {
                has_handshake: case.handshake,
                ..Context::new(&mut envelope, &mut records, &mut anomalies, &mut services, &settings)
            };
            let direction = if is_turned { part.direction().reverse() } else { part.direction() };
            stream.data(direction, piece, &mut cx);
            if let Some(lost) = part.lost.filter(|lost| rest.is_empty() && *lost > 0) {
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
    stream.close(&mut cx);
    let odd = anomalies.entries().iter().map(|entry| (entry.name.name(), entry.occurrences)).collect();
    (rows(&records), odd)
}

fn rows(records: &Records) -> String {
    let names = Names::default();
    schemas::json::debug_json(&schemas::table::KERBEROS, &records.kerberos, &names)
        + &schemas::json::debug_json(&schemas::table::X509, &records.x509, &names)
}

/// A part a datagram.
fn datagrams(case: &Case) {
    let settings = Settings::default();
    let mut session = OverUdp.session();
    let mut envelope = Envelope { protocol: 17, src_port: 1024, dst_port: 88, ..Envelope::default() };
    let (mut records, mut anomalies, mut services) = (Records::default(), Anomalies::default(), Services::default());
    for part in &case.parts {
        let mut cx = Context::new(&mut envelope, &mut records, &mut anomalies, &mut services, &settings);
        let content = part.content();
        let _ = session.data(part.direction(), &content, &mut cx);
        assert!(session.held() <= MAX_PENDING_BYTES + content.len() + MAX_PENDING * 256);
        spnego::read(&content);
    }
    let mut cx = Context::new(&mut envelope, &mut records, &mut anomalies, &mut services, &settings);
    session.close(&mut cx);
    assert!(session.is_idle() || session.held() == 0);
    assert!(records.kerberos.rows.len() <= case.parts.len());
    rows(&records);
}

fuzz_target!(|case: Case| {
    let whole = stream(&case, &[]);
    let cut = stream(&case, &case.cuts);
    // Where bytes are lost it matters what waited for more.
    if case.parts.iter().all(|part| part.lost.unwrap_or_default() == 0) {
        assert_eq!(cut, whole);
    }
    datagrams(&case);
});
