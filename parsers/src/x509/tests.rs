//! Certificates in, facts, rows and answers out. `pcaps/make/x509/certificates.sh` makes the certificates.

use std::sync::Arc;

use proptest::prelude::*;
use schemas::arena::{List, Text};
use schemas::batch::Records;
use schemas::envelope::{Envelope, Microseconds};
use schemas::x509::X509;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::*;
use crate::context::Anomalies;
use crate::der::{Reader, tag};
use crate::services::Services;
use crate::settings::Settings;

mod chains;

macro_rules! certificates {
    ($($name:ident)*) => {
        /// All of them, by name.
        const ALL: &[(&str, &[u8])] = &[$((stringify!($name), include_bytes!(concat!("tests/", stringify!($name), ".der")))),*];
    };
}

certificates! {
    authority below bound common_name critical dates dsa ec_brainpoolp256r1 ec_explicit ec_p384 ec_p521 ec_secp256k1 ed25519
    ed448 expired for_clients forged impostor intermediate leaf long names negative out_of_bound root rsa_md5 rsa_pss rsa_sha1
    sha1 too_deep under_leaf version1 zero
}

fn der(name: &str) -> &'static [u8] {
    ALL.iter().find(|(other, _)| *other == name).unwrap().1
}

fn read(name: &str) -> Certificate {
    Certificate::read(der(name))
}

fn texts(texts: &Option<Texts>) -> Vec<&str> {
    texts.as_ref().unwrap().iter().map(|text| std::str::from_utf8(text).unwrap()).collect()
}

/// What is wrong with a certificate.
fn problems(bytes: &[u8]) -> Vec<(AnomalyName, &'static str)> {
    Certificate::read(bytes).problems.iter().map(|problem| (problem.name, problem.detail)).collect()
}

/// 2025-01-01.
const NOW: i64 = 1_735_689_600 * 1_000_000_000;

const YEAR: i64 = 365 * 86_400 * 1_000_000_000;

/// A flow on which chains are shown.
struct Flow {
    now: i64,
    settings: Settings,
    certificates: Option<Certificates>,
    records: Records,
    anomalies: Anomalies,
}

impl Flow {
    /// That trusts the web's roots alone.
    fn new() -> Self {
        Self {
            now: NOW,
            settings: Settings::default(),
            certificates: Some(Certificates::default()),
            records: Records::default(),
            anomalies: Anomalies::default(),
        }
    }

    /// That trusts these, too.
    fn trusting(roots: &[&str]) -> Self {
        let mut flow = Self::new();
        for root in roots {
            flow.settings.roots = Arc::new(Roots::clone(&flow.settings.roots).with(der(root)).unwrap());
        }
        flow
    }

    fn shows(&mut self, chain: &[&[u8]], holder: Holder, server_name: Option<&[u8]>) -> Chain {
        let mut envelope = Envelope::default();
        let mut services = Services::default();
        let mut cx = Context {
            now: self.now,
            packet: 7,
            certificates: self.certificates.as_mut(),
            ..Context::new(
                &mut envelope,
                &mut self.records,
                &mut self.anomalies,
                &mut services,
                &self.settings,
            )
        };
        observe(chain, holder, server_name, &mut cx)
    }

    /// The answer for a server's chain.
    fn answer(&mut self, chain: &[&str]) -> &'static str {
        let chain: Vec<&[u8]> = chain.iter().map(|name| der(name)).collect();
        let answer = self.shows(&chain, Holder::Server, None).validation_status.unwrap();
        assert!(STATUSES.iter().any(|(status, _)| *status == answer), "{answer}");
        answer
    }

    fn row(&self, at: usize) -> X509 {
        self.records.x509.rows[at].record
    }

    fn text(&self, text: Text) -> &str {
        self.records.x509.arena.bytes_of(text).map_or("-", |bytes| std::str::from_utf8(bytes).unwrap())
    }

    fn list(&self, list: List) -> Vec<&str> {
        let texts = self.records.x509.arena.texts_of(list).unwrap_or_default();
        texts.iter().map(|text| self.text(*text)).collect()
    }

    fn odd(&self) -> Vec<(AnomalyName, &str)> {
        self.anomalies.entries().iter().map(|entry| (entry.name, &*entry.detail)).collect()
    }
}

#[test]
fn a_certificate_says_what_openssl_says() {
    let leaf = read("leaf");
    assert_eq!(leaf.version, Some(3));
    assert_eq!(leaf.subject.as_deref(), Some("CN=www.example.test,O=Example,C=DE"));
    assert_eq!(leaf.issuer.as_deref(), Some("CN=Example Intermediate,O=Example,C=DE"));
    assert_eq!(leaf.subject_cn(), Some(&b"www.example.test"[..]));
    assert_eq!(leaf.issuer_cn.as_deref(), Some(&b"Example Intermediate"[..]));
    assert_eq!(leaf.not_before, Some(1_577_836_800_000_000));
    assert_eq!(leaf.not_after, Some(2_208_988_800_000_000));
    assert_eq!(leaf.key_algorithm.as_deref(), Some("id-ecPublicKey"));
    assert_eq!((leaf.key_type, leaf.key_bits), (Some("ecdsa"), Some(256)));
    assert_eq!((leaf.exponent, leaf.curve.as_deref()), (None, Some("prime256v1")));
    assert_eq!(leaf.signature_algorithm.as_deref(), Some("ecdsa-with-SHA256"));
    assert_eq!(texts(&leaf.san_dns), ["www.example.test", "*.example.test"]);
    assert_eq!(texts(&leaf.san_ip), ["192.0.2.1", "2001:db8::1"]);
    assert_eq!(texts(&leaf.san_email), ["a@example.test"]);
    assert_eq!(texts(&leaf.san_uri), ["https://example.test/"]);
    assert_eq!((leaf.is_ca, leaf.path_length), (Some(false), None));
    assert_eq!(texts(&leaf.key_usage), ["digitalSignature", "keyEncipherment"]);
    assert_eq!(texts(&leaf.extended_key_usage), ["serverAuth", "clientAuth"]);
    assert_eq!(leaf.self_signed, Some(false));
    assert_eq!(problems(der("leaf")), []);

    let intermediate = read("intermediate");
    assert_eq!((intermediate.is_ca, intermediate.path_length), (Some(true), Some(0)));
    assert_eq!(texts(&intermediate.key_usage), ["keyCertSign", "cRLSign"]);
    assert_eq!((intermediate.san_dns, intermediate.extended_key_usage), (None, None));
    let root = read("root");
    assert_eq!((root.key_type, root.key_bits), (Some("rsa"), Some(2048)));
    assert_eq!((root.exponent.as_deref(), root.curve), (Some("65537"), None));
}

#[test]
fn names_are_written_as_rfc_4514_has_them() {
    let names = read("names");
    assert_eq!(
        names.subject.as_deref(),
        Some(
            "CN=second,CN=first,jurisdictionC=DE,businessCategory=Private Organization,emailAddress=a@example.test,\
             OU=\\#1\\ ,O=Grün\\, \\\"Söhne\\\" \\+ Co. \\<x\\>\\; \\\\,DC=example+UID=a,C=DE"
        )
    );
    assert_eq!(names.subject_cn(), Some(&b"second"[..]));
    assert_eq!(names.subject_common_names.len(), 2);
}

#[test]
fn dates_that_nanoseconds_do_not_reach_are_what_they_are() {
    let dates = read("dates");
    assert_eq!(dates.not_before, Some(-662_688_000_000_000));
    assert_eq!(dates.not_after, Some(253_402_300_799_000_000));
    assert_eq!(problems(der("dates")), []);
}

#[test]
fn serial_numbers_and_versions_that_are_rare_are_read_and_told() {
    let number = |name| read(name).serial.unwrap_or_default().into_string();
    assert_eq!(number("negative"), "-12D687");
    assert_eq!(problems(der("negative")), [(AnomalyName::X509Odd, "a negative serial number")]);
    assert_eq!(number("zero"), "00");
    assert_eq!(problems(der("zero")), [(AnomalyName::X509Odd, "the serial number 0")]);
    assert_eq!(number("long"), "0102030405060708090A0B0C0D0E0F101112131415161718");
    assert_eq!(problems(der("long")), [(AnomalyName::X509Odd, "a serial number of more than 20 bytes")]);
    assert_eq!(number("version1"), "FF");
    assert_eq!(read("version1").version, Some(1));
    assert_eq!(problems(der("version1")), []);
    assert_eq!((read("version1").is_ca, read("version1").key_usage), (None, None));
}

#[test]
fn keys_of_all_kinds_are_known_and_verify_their_own_signatures() {
    for (name, kind, bits, curve, self_signed) in [
        ("rsa_md5", "rsa", 512, None, Some(true)),
        ("rsa_sha1", "rsa", 1024, None, Some(true)),
        ("root", "rsa", 2048, None, Some(true)),
        ("rsa_pss", "rsa", 2048, None, Some(true)),
        ("version1", "ecdsa", 256, Some("prime256v1"), Some(true)),
        ("ec_p384", "ecdsa", 384, Some("secp384r1"), Some(true)),
        ("ec_p521", "ecdsa", 521, Some("secp521r1"), Some(true)),
        ("ec_secp256k1", "ecdsa", 256, Some("secp256k1"), Some(true)),
        ("ec_brainpoolp256r1", "ecdsa", 256, Some("brainpoolP256r1"), None),
        ("ec_explicit", "ecdsa", 256, None, None),
        ("ed25519", "ed25519", 256, None, Some(true)),
        ("ed448", "ed448", 456, None, None),
        ("dsa", "dsa", 1024, None, Some(true)),
    ] {
        let certificate = read(name);
        assert_eq!(certificate.key_type, Some(kind), "{name}");
        assert_eq!(certificate.key_bits, Some(bits), "{name}");
        assert_eq!(certificate.curve.as_deref(), curve, "{name}");
        assert_eq!(certificate.self_signed, self_signed, "{name}");
        assert_eq!(problems(der(name)), [], "{name}");
        if self_signed.is_some() {
            // The last byte of the signature.
            let mut forged = der(name).to_vec();
            *forged.last_mut().unwrap() ^= 1;
            assert_eq!(Certificate::read(&forged).self_signed, Some(false), "{name}");
            // The serial number, which is signed.
            let mut forged = der(name).to_vec();
            let at = forged.windows(2).position(|pair| pair == [tag::INTEGER, 20]).unwrap_or(12);
            forged[at + 2] ^= 1;
            assert_eq!(Certificate::read(&forged).self_signed, Some(false), "{name}");
        }
    }
    assert_eq!(read("rsa_sha1").exponent.as_deref(), Some("3"));
    assert_eq!(read("rsa_md5").signature_algorithm.as_deref(), Some("md5WithRSAEncryption"));
    assert_eq!(read("rsa_pss").signature_algorithm.as_deref(), Some("rsassaPss"));
    assert_eq!(read("ed448").key_algorithm.as_deref(), Some("ED448"));
    assert_eq!(read("dsa").signature_algorithm.as_deref(), Some("dsaWithSHA1"));
}

#[test]
fn another_reader_of_certificates_says_the_same() {
    for (name, bytes) in ALL {
        let (rest, other) = X509Certificate::from_der(bytes).unwrap();
        assert!(rest.is_empty());
        let own = Certificate::read(bytes);
        let micros = |time: x509_parser::time::ASN1Time| time.timestamp() * 1_000_000;
        assert_eq!(own.version.map(u32::from), Some(other.version().0 + 1), "{name}");
        assert_eq!(own.not_before, Some(micros(other.validity().not_before)), "{name}");
        assert_eq!(own.not_after, Some(micros(other.validity().not_after)), "{name}");
        let common_name = other.subject().iter_common_name().last().map(|name| name.as_slice());
        assert_eq!(own.subject_cn(), common_name, "{name}");
        let constraints = other.basic_constraints().unwrap().map(|extension| extension.value);
        assert_eq!(own.is_ca, constraints.map(|constraints| constraints.ca), "{name}");
        let path_length = constraints.and_then(|constraints| constraints.path_len_constraint);
        assert_eq!(own.path_length.map(i32::cast_unsigned), path_length, "{name}");
        let usages = other.key_usage().unwrap().map(|extension| extension.value.flags.count_ones() as usize);
        assert_eq!(own.key_usage.map(|usages| usages.len()), usages, "{name}");
        let names = other.subject_alternative_name().unwrap().map(|extension| &extension.value.general_names);
        let count = |texts: &Option<Texts>| texts.as_ref().map_or(0, Texts::len);
        let own_names: usize =
            [&own.san_dns, &own.san_email, &own.san_uri, &own.san_ip].map(count).iter().sum();
        assert_eq!(names.map_or(0, |names| names.len()), own_names, "{name}");
    }
}

#[test]
fn bytes_that_are_no_certificate_are_malformed() {
    let mut flow = Flow::new();
    assert_eq!(flow.shows(&[b"none"], Holder::Server, None).validation_status, Some("malformed"));
    assert_eq!(flow.shows(&[b""], Holder::Server, None).validation_status, Some("malformed"));
    assert_eq!(flow.shows(&[], Holder::Server, None).validation_status, None);
    assert_eq!(flow.shows(&[der("leaf")], Holder::Client, Some(b"a")).validation_status, None);
}

#[test]
fn every_certificate_of_a_chain_has_a_row() {
    let mut flow = Flow::new();
    let chain = flow.shows(&[der("leaf"), der("intermediate"), der("root")], Holder::Server, None);
    assert_eq!(chain.certificates.len(), 3);
    flow.shows(&[der("for_clients"), der("intermediate")], Holder::Client, None);
    let places: Vec<(bool, bool, i32)> = flow
        .records
        .x509
        .rows
        .iter()
        .map(|row| (row.record.host_cert, row.record.client_cert, row.record.chain_position))
        .collect();
    assert_eq!(
        places,
        [(true, false, 0), (false, false, 1), (false, false, 2), (true, true, 0), (false, true, 1)]
    );
    let envelope = flow.records.x509.rows[1].envelope;
    assert_eq!((envelope.ts, envelope.packet), (NOW, 7));

    let leaf = flow.row(0);
    let fingerprint: String =
        chain.certificates[0].fingerprint.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(flow.text(leaf.fingerprint), fingerprint);
    assert_eq!((flow.text(leaf.sha1).len(), flow.text(leaf.md5).len()), (40, 32));
    assert_eq!(flow.text(leaf.subject), "CN=www.example.test,O=Example,C=DE");
    assert_eq!(flow.text(leaf.issuer_cn), "Example Intermediate");
    assert_eq!(flow.list(leaf.san_dns), ["www.example.test", "*.example.test"]);
    assert_eq!(flow.list(leaf.extended_key_usage), ["serverAuth", "clientAuth"]);
    assert_eq!(leaf.not_after, Some(2_208_988_800_000_000 as Microseconds));
    assert!(flow.row(1).san_dns.is_null() && flow.row(1).extended_key_usage.is_null());
    assert_eq!((flow.row(2).self_signed, flow.text(flow.row(2).exponent)), (Some(true), "65537"));
    assert_eq!(flow.odd(), []);
}

#[test]
fn a_certificate_that_was_seen_before_has_the_same_row_and_the_same_anomalies() {
    let mut with = Flow::trusting(&["root"]);
    let mut without = Flow::trusting(&["root"]);
    without.certificates = None;
    let chain = [der("negative"), der("intermediate"), b"none", der("leaf")];
    for flow in [&mut with, &mut without] {
        for _ in 0..3 {
            flow.shows(&chain, Holder::Server, Some(b"a"));
        }
    }
    let names = schemas::column::Names::default();
    let rows = |flow: &Flow| schemas::json::debug_json(&schemas::table::X509, &flow.records.x509, &names);
    assert_eq!(rows(&with), rows(&without));
    assert_eq!(rows(&with).lines().count(), 12);
    assert_eq!(with.odd(), without.odd());
    assert!(with.anomalies.entries().iter().all(|entry| entry.occurrences == 3));
}

#[test]
fn a_chain_without_end_is_cut_and_told() {
    let mut flow = Flow::new();
    let chain = vec![der("leaf"); MAX_CHAIN + 1];
    assert_eq!(flow.shows(&chain, Holder::Server, None).certificates.len(), MAX_CHAIN);
    assert_eq!(flow.records.x509.rows.len(), MAX_CHAIN);
    assert_eq!(flow.odd(), [(AnomalyName::X509Odd, "a chain of more than 64 certificates")]);
}

/// Replaces the only occurrence of `from` by as many bytes.
fn patched(name: &str, from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = der(name).to_vec();
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}

#[test]
fn what_is_broken_is_left_out_and_the_rest_is_read() {
    let broken = patched("leaf", b"200101000000Z", b"201301000000Z");
    assert_eq!(problems(&broken), [(AnomalyName::X509Malformed, "notBefore")]);
    let read = Certificate::read(&broken);
    assert_eq!((read.not_before, read.not_after), (None, Some(2_208_988_800_000_000)));
    assert_eq!(texts(&read.san_dns).len(), 2);

    // A serial number of no bytes; the bytes of it stand where the algorithm should.
    let serial = [tag::INTEGER, 20];
    let broken = patched("leaf", &serial, &[tag::INTEGER, 0]);
    assert_eq!(problems(&broken)[0], (AnomalyName::X509Malformed, "signature"));

    // keyUsage, basicConstraints, subjectAltName and extKeyUsage.
    for (extension, detail) in
        [(15, "keyUsage"), (19, "basicConstraints"), (17, "subjectAltName"), (37, "extKeyUsage")]
    {
        let mut broken = der("leaf").to_vec();
        let at = broken.windows(5).position(|window| window == [6, 3, 0x55, 29, extension]).unwrap() + 5;
        let value = broken[at..].iter().position(|byte| *byte == tag::OCTET_STRING).unwrap() + at + 2;
        broken[value] = 0;
        assert_eq!(problems(&broken), [(AnomalyName::X509Malformed, detail)]);
        let read = Certificate::read(&broken);
        assert_eq!(read.key_usage.is_none(), extension == 15);
        assert_eq!(read.is_ca.is_none(), extension == 19);
        assert_eq!(read.san_dns.is_none(), extension == 17);
        assert_eq!(read.extended_key_usage.is_none(), extension == 37);
    }

    let odd = patched("leaf", b"www.example.test0", b"www.ex\0mple.test0");
    assert_eq!(problems(&odd), [(AnomalyName::X509Odd, "a name with bytes that are no text")]);
    let odd = patched("leaf", b"\x82\x10www", b"\x82\x10w\0w");
    assert_eq!(problems(&odd), [(AnomalyName::X509Odd, "a name in subjectAltName that is no text")]);
    let odd = patched("leaf", &[6, 3, 0x55, 29, 37], &[6, 3, 0x55, 29, 19]);
    assert_eq!(problems(&odd), [(AnomalyName::X509Odd, "an extension twice")]);
    let odd = patched("leaf", &[0xa0, 3, 2, 1, 2], &[0xa0, 3, 2, 1, 7]);
    assert_eq!(problems(&odd), [(AnomalyName::X509Odd, "a version that there is not")]);
    let odd = patched("leaf", &[0xa0, 3, 2, 1, 2], &[0xa0, 3, 2, 1, 1]);
    assert_eq!(problems(&odd), [(AnomalyName::X509Odd, "extensions before version 3")]);
    assert_eq!(Certificate::read(&odd).version, Some(2));
    let odd = patched("leaf", b"400101000000Z", b"190101000000Z");
    assert_eq!(problems(&odd), [(AnomalyName::X509Odd, "it ends before it begins")]);
    let odd = patched("leaf", b"400101000000Z", b"4001010000+00");
    assert_eq!(problems(&odd)[0].0, AnomalyName::X509Malformed);

    let odd = [der("leaf"), b"more"].concat();
    assert_eq!(problems(&odd), [(AnomalyName::X509Odd, "bytes behind the certificate")]);
    assert_eq!(Certificate::read(&odd).subject, self::read("leaf").subject);
    assert_ne!(Certificate::read(&odd).fingerprint, self::read("leaf").fingerprint);
}

#[test]
fn two_algorithms_of_one_signature_are_odd() {
    let bytes = der("leaf");
    let outer =
        bytes.windows(8).rposition(|window| window == [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]).unwrap();
    let mut odd = bytes.to_vec();
    odd[outer + 7] = 3;
    assert_eq!(problems(&odd), [(AnomalyName::X509Odd, "two algorithms of the signature")]);
    assert_eq!(Certificate::read(&odd).signature_algorithm.as_deref(), Some("ecdsa-with-SHA384"));
}

#[test]
fn lengths_that_are_longer_than_they_need_be_are_odd() {
    // Of the outermost sequence, whose length has two bytes.
    let bytes = der("leaf");
    let odd = [&[0x30, 0x83, 0, bytes[2], bytes[3]], &bytes[4..]].concat();
    assert_eq!(problems(&odd), [(AnomalyName::X509Odd, "a length that is longer than it need be")]);
}

#[test]
fn what_is_there_of_a_certificate_that_was_cut_is_read() {
    for (name, bytes) in ALL {
        let whole = Certificate::read(bytes);
        for length in 0..bytes.len() {
            let read = Certificate::read(&bytes[..length]);
            let is_told = read.problems.iter().any(|problem| problem.name == AnomalyName::X509Malformed);
            assert!(is_told, "{name} cut at {length}");
            assert!(read.subject.is_none() || read.subject == whole.subject);
            assert!(read.self_signed != Some(true));
        }
        let read = Certificate::read(&bytes[..bytes.len() - 10]);
        assert_eq!((read.subject, read.san_dns), (whole.subject, whole.san_dns), "{name}");
    }
}

#[test]
fn names_and_lists_that_are_too_long_are_cut_and_told() {
    let element = |tag: u8, content: &[u8]| {
        let length = u32::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x84], &length[..], content].concat()
    };
    let names = element(tag::SEQUENCE, &element(0x82, b"a.example").repeat(1001));
    let extension =
        [element(tag::OBJECT_IDENTIFIER, &[0x55, 29, 17]), element(tag::OCTET_STRING, &names)].concat();
    let extensions = element(0xa3, &element(tag::SEQUENCE, &element(tag::SEQUENCE, &extension)));
    let leaf = Reader::new(der("leaf")).element().unwrap();
    let mut fields = leaf.reader().element().unwrap().reader();
    let mut signed: Vec<u8> = (0..7).flat_map(|_| fields.element().unwrap().whole).copied().collect();
    signed.extend(extensions);
    let bytes = element(tag::SEQUENCE, &element(tag::SEQUENCE, &signed));
    assert_eq!(Certificate::read(&bytes).san_dns.unwrap().len(), 1001);
    let mut flow = Flow::new();
    flow.shows(&[&bytes], Holder::Server, None);
    assert_eq!(flow.list(flow.row(0).san_dns).len(), 1000);
    assert!(flow.odd().contains(&(AnomalyName::ValueCut, "name or list of names")));
}

#[test]
fn what_a_worker_remembers_is_bounded() {
    let mut certificates = Certificates::default();
    for number in 0..3 * MAX_CERTIFICATES as u32 {
        certificates.read(&number.to_be_bytes());
    }
    assert!(certificates.len() <= MAX_CERTIFICATES, "{}", certificates.len());
    assert!(certificates.len() >= MAX_CERTIFICATES / 2);
    let mut large = [der("leaf"), &[0; 4]].concat();
    let text = [b"a".as_slice(), &[b'.'; 60_000]].concat();
    for number in 0..2000_u32 {
        large.truncate(der("leaf").len());
        large.extend(number.to_be_bytes());
        large.extend(&text);
        certificates.read(&large);
    }
    assert!(certificates.held() <= MAX_BYTES, "{}", certificates.held());
}

#[test]
fn certificates_that_are_used_stay_remembered() {
    let mut certificates = Certificates::default();
    let used = certificates.read(der("leaf"));
    for number in 0..4 * MAX_CERTIFICATES as u32 {
        certificates.read(&number.to_be_bytes());
        if number % 1000 == 0 {
            assert!(Arc::ptr_eq(&used, &certificates.read(der("leaf"))));
        }
    }
}

/// A certificate that was spoiled in some places.
fn spoiled() -> impl Strategy<Value = Vec<u8>> {
    let spoil = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 0..6);
    (prop::sample::select(ALL), spoil).prop_map(|((_, bytes), spoil)| {
        let mut bytes = bytes.to_vec();
        for (index, value, how) in spoil {
            let at = index.index(bytes.len());
            match how {
                0 => bytes[at] = value,
                1 => bytes.insert(at, value),
                _ if bytes.len() > 1 => drop(bytes.remove(at)),
                _ => {}
            }
        }
        bytes
    })
}

proptest! {
    #[test]
    fn any_bytes_have_a_row(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut flow = Flow::new();
        flow.shows(&[&bytes], Holder::Server, Some(&bytes));
        prop_assert_eq!(flow.text(flow.row(0).fingerprint).len(), 64);
    }

    #[test]
    fn spoiled_certificates_have_a_row_and_an_answer(leaf in spoiled(), issuer in spoiled(), name in "[a-z*.]{0,20}") {
        let mut flow = Flow::trusting(&["root"]);
        let chain: [&[u8]; 3] = [&leaf, &issuer, der("intermediate")];
        let first = flow.shows(&chain, Holder::Server, Some(name.as_bytes()));
        prop_assert!(first.validation_status.is_some());
        // What was remembered, and what was not, say the same.
        let second = flow.shows(&chain, Holder::Server, Some(name.as_bytes()));
        flow.certificates = None;
        let third = flow.shows(&chain, Holder::Server, Some(name.as_bytes()));
        prop_assert_eq!(first.validation_status, second.validation_status);
        prop_assert_eq!(first.validation_status, third.validation_status);
        prop_assert_eq!(&first.certificates, &third.certificates);
        if flow.odd().is_empty() {
            // One that nothing is wrong with is one for others, too.
            let (rest, _) = X509Certificate::from_der(&leaf).unwrap();
            prop_assert!(rest.is_empty());
        }
    }
}
