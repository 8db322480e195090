//! From the bytes of a certificate to its parts (RFC 5280, 4.1), nothing of which is understood yet.
//!
//! Reading goes on as long as there is something that can be meant: what is missing is missing, and named.

use schemas::anomaly::AnomalyName;
use smallvec::SmallVec;

use crate::der::{Element, Reader, tag};

/// Most extensions that are looked at.
pub(super) const MAX_EXTENSIONS: usize = 100;

/// What is wrong with a certificate, and how: it cannot be read, or it breaks a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) name: AnomalyName,
    pub(super) detail: &'static str,
}

/// What is wrong with a certificate, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Problems(SmallVec<[Problem; 1]>);

impl Problems {
    /// It cannot be read.
    pub(super) fn malformed(&mut self, detail: &'static str) {
        self.note(AnomalyName::X509Malformed, detail);
    }

    /// It breaks a rule.
    pub(super) fn odd(&mut self, detail: &'static str) {
        self.note(AnomalyName::X509Odd, detail);
    }

    fn note(&mut self, name: AnomalyName, detail: &'static str) {
        let problem = Problem { name, detail };
        if !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    /// In the order that they were found in.
    pub(super) fn iter(&self) -> impl Iterator<Item = Problem> {
        self.0.iter().copied()
    }

    /// Bytes of memory that they hold beside themselves.
    pub(super) fn held(&self) -> usize {
        if self.0.spilled() { self.0.capacity() * size_of::<Problem>() } else { 0 }
    }
}

/// The parts of a certificate.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts<'a> {
    /// What is signed, tag and length too.
    pub(super) signed: Option<&'a [u8]>,
    /// INTEGER; none where it is left out, which says 1.
    pub(super) version: Option<&'a [u8]>,
    pub(super) serial: Option<&'a [u8]>,
    /// Content of the issuer's name.
    pub(super) issuer: Option<&'a [u8]>,
    pub(super) not_before: Option<Element<'a>>,
    pub(super) not_after: Option<Element<'a>>,
    /// Content of the subject's name.
    pub(super) subject: Option<&'a [u8]>,
    /// Content of SubjectPublicKeyInfo.
    pub(super) key: Option<&'a [u8]>,
    pub(super) extensions: SmallVec<[Extension<'a>; 16]>,
    /// Whether the field of extensions is there.
    pub(super) has_extensions: bool,
    /// Content of AlgorithmIdentifier, as it stands within what is signed.
    pub(super) signed_algorithm: Option<&'a [u8]>,
    /// Content of AlgorithmIdentifier, as it stands beside the signature.
    pub(super) signature_algorithm: Option<&'a [u8]>,
    pub(super) signature: Option<&'a [u8]>,
}

/// An extension.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extension<'a> {
    pub(super) identifier: &'a [u8],
    pub(super) value: &'a [u8],
}

/// Takes a certificate apart.
pub(super) fn read<'a>(der: &'a [u8], problems: &mut Problems) -> Parts<'a> {
    let mut parts = Parts::default();
    let mut outer = Reader::new(der);
    let Some(certificate) = outer.front(tag::SEQUENCE) else {
        problems.malformed("not a SEQUENCE");
        return parts;
    };
    if !outer.is_empty() {
        problems.odd("bytes behind the certificate");
    }
    if certificate.is_cut {
        problems.malformed("cut short");
    }
    let mut certificate = Reader::new(certificate.content);
    let Some(signed) = certificate.front(tag::SEQUENCE) else {
        problems.malformed("TBSCertificate");
        return parts;
    };
    let mut fields = Reader::new(signed.content);
    if let Err(field) = to_be_signed(&mut fields, &mut parts, problems) {
        problems.malformed(field);
    }
    if !signed.is_cut {
        parts.signed = Some(signed.whole);
        if let Err(field) = signature(&mut certificate, &mut parts) {
            problems.malformed(field);
        }
    }
    let of_key =
        parts.key.and_then(|key| Reader::new(key).next_if(tag::SEQUENCE)).map(|algorithm| algorithm.content);
    let algorithms = [parts.signed_algorithm, parts.signature_algorithm, of_key];
    if !algorithms.into_iter().flatten().all(is_algorithm) {
        problems.malformed("AlgorithmIdentifier");
    }
    if outer.is_ber() || certificate.is_ber() || fields.is_ber() {
        problems.odd("a length that is longer than it need be");
    }
    parts
}

/// Whether this is the content of an AlgorithmIdentifier: an identifier, and at most one parameter.
fn is_algorithm(content: &[u8]) -> bool {
    let mut reader = Reader::new(content);
    let has_identifier = reader.next_if(tag::OBJECT_IDENTIFIER).is_some();
    has_identifier && (reader.is_empty() || reader.element().is_some() && reader.is_empty())
}

/// The fields of TBSCertificate in their order; says which one cannot be read.
fn to_be_signed<'a>(
    fields: &mut Reader<'a>,
    parts: &mut Parts<'a>,
    problems: &mut Problems,
) -> Result<(), &'static str> {
    const VERSION: u8 = 0xa0;
    const ISSUER_IDENTIFIER: u8 = 0x81;
    const SUBJECT_IDENTIFIER: u8 = 0x82;
    const EXTENSIONS: u8 = 0xa3;
    if let Some(version) = fields.next_if(VERSION) {
        parts.version = version.reader().next_if(tag::INTEGER).map(|version| version.content);
        parts.version.ok_or("version")?;
    }
    let mut next = |tag, field| fields.next_if(tag).ok_or(field);
    parts.serial = Some(next(tag::INTEGER, "serialNumber")?.content);
    parts.signed_algorithm = Some(next(tag::SEQUENCE, "signature")?.content);
    parts.issuer = Some(next(tag::SEQUENCE, "issuer")?.content);
    let mut validity = next(tag::SEQUENCE, "validity")?.reader();
    parts.not_before = validity.element();
    parts.not_after = validity.element();
    parts.subject = Some(next(tag::SEQUENCE, "subject")?.content);
    parts.key = Some(next(tag::SEQUENCE, "subjectPublicKeyInfo")?.content);
    for identifier in [ISSUER_IDENTIFIER, SUBJECT_IDENTIFIER] {
        // Nobody uses them any more, whichever way they are encoded.
        if fields.next_if(identifier).or_else(|| fields.next_if(identifier | 0x20)).is_some() {
            problems.odd("a unique identifier");
        }
    }
    if let Some(extensions) = fields.next_if(EXTENSIONS) {
        parts.has_extensions = true;
        let list = extensions.reader().next_if(tag::SEQUENCE).ok_or("extensions")?;
        read_extensions(list.reader(), parts, problems)?;
    }
    if fields.is_empty() { Ok(()) } else { Err("TBSCertificate") }
}

fn read_extensions<'a>(
    mut list: Reader<'a>,
    parts: &mut Parts<'a>,
    problems: &mut Problems,
) -> Result<(), &'static str> {
    while !list.is_empty() {
        let mut extension = list.next_if(tag::SEQUENCE).ok_or("extensions")?.reader();
        let identifier = extension.next_if(tag::OBJECT_IDENTIFIER);
        extension.next_if(tag::BOOLEAN);
        let value = extension.next_if(tag::OCTET_STRING);
        let (Some(identifier), Some(value)) = (identifier, value) else {
            // Those behind it are whole.
            problems.malformed("extensions");
            continue;
        };
        if parts.extensions.iter().any(|other| other.identifier == identifier.content) {
            problems.odd("an extension twice");
            continue;
        }
        if parts.extensions.len() >= MAX_EXTENSIONS {
            problems.odd("more than 100 extensions");
            return Ok(());
        }
        parts.extensions.push(Extension { identifier: identifier.content, value: value.content });
    }
    Ok(())
}

/// What follows behind TBSCertificate.
fn signature<'a>(certificate: &mut Reader<'a>, parts: &mut Parts<'a>) -> Result<(), &'static str> {
    parts.signature_algorithm = Some(certificate.next_if(tag::SEQUENCE).ok_or("signatureAlgorithm")?.content);
    let signature = certificate.next_if(tag::BIT_STRING).and_then(|signature| signature.bits());
    let (signature, _) = signature.filter(|(_, unused)| *unused == 0).ok_or("signatureValue")?;
    parts.signature = Some(signature);
    if certificate.is_empty() { Ok(()) } else { Err("bytes behind the signature") }
}
