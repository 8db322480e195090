//! Certificates: real ones that were spoiled element by element, so that most stay readable, in chains. What was remembered
//! changes no row; a certificate with nothing wrong about it is one for another reader, too, and says the same to both; and
//! a handshake that shows the chain gives the same rows wherever it is cut.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use parsers::context::{Anomalies, Context};
use parsers::der::Reader;
use parsers::protocol::Direction;
use parsers::services::Services;
use parsers::settings::Settings;
use parsers::stream::Stream;
use parsers::x509::{Certificate, Certificates, STATUSES};
use schemas::batch::Records;
use schemas::column::Names;
use schemas::envelope::Envelope;
use schemas::flows::EndReason;
use serde_json::Value;
use spanlake_fuzz::rows;
use x509_parser::prelude::{FromDer, X509Certificate};

macro_rules! certificates {
    ($($name:ident)*) => {
        const REAL: &[&[u8]] =
            &[$(include_bytes!(concat!("../../parsers/src/x509/tests/", stringify!($name), ".der"))),*];
    };
}

certificates! {
    authority below bound common_name critical dates dsa ec_brainpoolp256r1 ec_explicit ec_p384 ec_p521 ec_secp256k1 ed25519
    ed448 expired for_clients forged impostor intermediate leaf long names negative out_of_bound root rsa_md5 rsa_pss rsa_sha1
    sha1 too_deep under_leaf version1 zero
}

#[derive(Arbitrary, Debug)]
struct Case {
    chain: Vec<Spoiled>,
    name: Vec<u8>,
    cuts: Vec<u8>,
    encode: bool,
}

/// A real certificate and what is done to it.
#[derive(Arbitrary, Debug)]
struct Spoiled {
    of: u8,
    changes: Vec<(u16, Change)>,
    /// In the end, without care for lengths.
    bytes: Vec<(u16, u8)>,
    cut: Option<u16>,
}

/// What is done to an element; the lengths of those around it are mended.
#[derive(Arbitrary, Debug)]
enum Change {
    Remove,
    Twice,
    Tag(u8),
    Content(Vec<u8>),
    Byte(u16, u8),
    /// Takes the place of another element of this or another certificate.
    Other(u8, u16),
    /// Its length is written in so many bytes.
    Long(u8),
}

/// An element, and those in it.
#[derive(Clone, Debug)]
struct Node {
    tag: u8,
    content: Vec<u8>,
    inner: Vec<Node>,
    times: usize,
    length_bytes: u8,
}

impl Node {
    /// All elements of these bytes; none where they are something else.
    fn all(bytes: &[u8]) -> Vec<Self> {
        let mut reader = Reader::new(bytes);
        let mut nodes = Vec::new();
        while let Some(element) = reader.element() {
            let is_constructed = element.tag & 0x20 != 0;
            // Extensions and keys are DER within strings of bytes.
            let inner = match element.tag {
                0x04 => Self::all(element.content),
                _ if is_constructed => Self::all(element.content),
                _ => Vec::new(),
            };
            let content = element.content.to_vec();
            nodes.push(Self { tag: element.tag, content, inner, times: 1, length_bytes: 0 });
        }
        if reader.is_empty() { nodes } else { Vec::new() }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut content = Vec::new();
        self.inner.iter().for_each(|inner| inner.write(&mut content));
        if self.inner.is_empty() {
            content.clone_from(&self.content);
        }
        for _ in 0..self.times {
            out.push(self.tag);
            let length = (content.len() as u32).to_be_bytes();
            let zeros = length.iter().take_while(|&&byte| byte == 0).count();
            let least = if content.len() < 0x80 { 0 } else { 4 - zeros };
            match least.max(usize::from(self.length_bytes)) {
                0 => out.push(content.len() as u8),
                bytes => {
                    out.push(0x80 | bytes as u8);
                    out.extend(&length[4 - bytes..]);
                }
            }
            out.extend(&content);
        }
    }

    fn count(&self) -> usize {
        1 + self.inner.iter().map(Self::count).sum::<usize>()
    }

    /// The element with this number, counted from the outside in.
    fn at(&mut self, number: &mut usize) -> Option<&mut Self> {
        if *number == 0 {
            return Some(self);
        }
        *number -= 1;
        self.inner.iter_mut().find_map(|inner| inner.at(number))
    }

    fn get(&mut self, number: u16) -> &mut Self {
        let mut number = usize::from(number) % self.count();
        self.at(&mut number).expect("there are so many")
    }
}

impl Spoiled {
    fn tree(of: u8) -> Node {
        Node::all(REAL[usize::from(of) % REAL.len()]).remove(0)
    }

    fn write(&self) -> Vec<u8> {
        let mut tree = Self::tree(self.of);
        for (place, change) in self.changes.iter().take(6) {
            if tree.count() > 2000 {
                break;
            }
            let node = tree.get(*place);
            match change {
                Change::Remove => node.times = 0,
                Change::Twice => node.times = 2,
                Change::Tag(tag) => node.tag = *tag,
                Change::Content(content) => (node.content, node.inner) = (content.clone(), Vec::new()),
                Change::Byte(at, byte) => {
                    let length = node.content.len().max(1);
                    node.inner.clear();
                    if let Some(place) = node.content.get_mut(usize::from(*at) % length) {
                        *place = *byte;
                    }
                }
                Change::Other(of, place) => {
                    let other = Self::tree(*of).get(*place).clone();
                    *node = other;
                }
                Change::Long(bytes) => node.length_bytes = bytes % 5,
            }
        }
        let mut bytes = Vec::new();
        tree.write(&mut bytes);
        for (at, byte) in self.bytes.iter().take(4) {
            let length = bytes.len().max(1);
            if let Some(place) = bytes.get_mut(usize::from(*at) % length) {
                *place = *byte;
            }
        }
        if let Some(cut) = self.cut {
            bytes.truncate(usize::from(cut));
        }
        bytes
    }
}

/// What another reader says of a certificate that nothing is wrong with.
fn compare(bytes: &[u8], own: &Certificate) {
    let Ok((rest, other)) = X509Certificate::from_der(bytes) else { return };
    assert!(rest.is_empty());
    let micros = |time: x509_parser::time::ASN1Time| time.timestamp() * 1_000_000;
    assert_eq!(own.version.map(u32::from), Some(other.version().0 + 1));
    assert_eq!(own.not_before, Some(micros(other.validity().not_before)));
    assert_eq!(own.not_after, Some(micros(other.validity().not_after)));
    let serial: String = other.raw_serial().iter().map(|byte| format!("{byte:02X}")).collect();
    let digits = |serial: &str| serial.trim_start_matches('0').to_owned();
    assert_eq!(own.serial.as_deref().map(digits), Some(digits(&serial)));
    // It gives none, too, where it cannot read them.
    if let Ok(Some(constraints)) = other.basic_constraints() {
        assert_eq!(own.is_ca, Some(constraints.value.ca));
    }
}

/// Bytes behind their length in so many bytes.
fn vector<const N: usize>(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes()[4 - N..], bytes].concat()
}

/// What the two sides of TLS 1.2 say up to the server's certificates.
fn handshake(name: &[u8], chain: &[Vec<u8>]) -> [(Direction, Vec<u8>); 2] {
    let name = [&[0][..], &vector::<2>(name)].concat();
    let extension = [&[0, 0][..], &vector::<2>(&vector::<2>(&name))].concat();
    let client =
        [&[3, 3][..], &[7; 32], &[0, 0, 2, 0xc0, 0x2f, 1, 0], &vector::<2>(&extension)].concat();
    let server = [&[3, 3][..], &[9; 32], &[0, 0xc0, 0x2f, 0]].concat();
    let list: Vec<u8> = chain.iter().flat_map(|der| vector::<3>(der)).collect();
    let message = |kind: u8, body: &[u8]| [&[kind][..], &vector::<3>(body)].concat();
    let records = |messages: &[u8]| -> Vec<u8> {
        messages.chunks(1 << 14).flat_map(|part| [&[22, 3, 3][..], &vector::<2>(part)].concat()).collect()
    };
    let answer = [message(2, &server), message(11, &vector::<3>(&list)), message(14, &[])].concat();
    [
        (Direction::ToResponder, records(&message(1, &client))),
        (Direction::ToOriginator, records(&answer)),
    ]
}

/// Rows and anomalies of a handshake, cut into segments.
fn follow(
    said: &[(Direction, Vec<u8>)],
    cuts: &[u8],
    certificates: Option<&mut Certificates>,
    encode: bool,
) -> (String, Vec<(&'static str, String)>) {
    let settings = Settings::default();
    let mut envelope = Envelope { protocol: 6, dst_port: 443, has_endpoints: true, ..Envelope::default() };
    let (mut records, mut anomalies, mut services) =
        (Records::default(), Anomalies::default(), Services::default());
    let mut cx = Context::new(&mut envelope, &mut records, &mut anomalies, &mut services, &settings);
    (cx.has_handshake, cx.certificates) = (true, certificates);
    let mut stream = Stream::default();
    let mut cuts = cuts.iter().cycle();
    for (direction, bytes) in said {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            // Long ones need not be cut into thousands.
            let length = cuts.next().map_or(usize::MAX, |cut| 16 * usize::from(*cut) + 1).min(rest.len());
            let (piece, more) = rest.split_at(length);
            stream.data(*direction, piece, &mut cx);
            rest = more;
        }
    }
    cx.end = Some(EndReason::Closed);
    stream.close(&mut cx);
    let names = Names::default();
    let text = schemas::json::debug_json(&schemas::table::TLS, &records.tls, &names)
        + &schemas::json::debug_json(&schemas::table::X509, &records.x509, &names);
    let odd = anomalies.entries().iter().map(|entry| (entry.name.name(), entry.detail.to_string())).collect();
    rows::check(records, encode);
    (text, odd)
}

fuzz_target!(|case: Case| {
    let chain: Vec<Vec<u8>> = case.chain.iter().take(20).map(Spoiled::write).collect();
    let said = handshake(case.name.get(..200).unwrap_or(&case.name), &chain);
    let (whole, odd) = follow(&said, &[], None, case.encode);
    let mut certificates = Certificates::default();
    // In clock time all anomalies are of the same packet: how it is cut changes nothing of them either.
    for _ in 0..2 {
        assert_eq!(follow(&said, &case.cuts, Some(&mut certificates), false), (whole.clone(), odd.clone()));
    }
    for row in whole.lines() {
        let row: Value = serde_json::from_str(row).expect("a row is JSON");
        if let Some(status) = row["validation_status"].as_str() {
            assert!(STATUSES.iter().any(|(known, _)| *known == status), "{status}");
        }
    }
    let is_of_certificates = |name: &str| name.starts_with("x509");
    for bytes in &chain {
        let own = Certificate::read(bytes);
        assert_eq!(own, Certificate::read(bytes));
        if !odd.iter().any(|(name, _)| is_of_certificates(name)) {
            compare(bytes, &own);
        }
    }
});
