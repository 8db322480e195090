//! What a certificate says, in the forms that rows want.

use md5::Md5;
use schemas::envelope::Microseconds;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::der;

use super::date;
use super::extensions::{self, AlternativeNames, Extensions};
use super::key::{self, PublicKey};
use super::name::{self, Name, push_hex};
use super::signature;
use super::texts::Texts;
use super::wire::{self, Parts, Problems};

/// Longest serial number that RFC 5280 allows (4.1.2.2), in bytes.
const MAX_SERIAL: usize = 20;

/// A certificate, read once. What could not be read is none; lists of an extension are none without it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-256 of the bytes as they were sent.
    pub fingerprint: [u8; 32],
    /// SHA-1 of the same.
    pub sha1: [u8; 20],
    /// MD5 of the same.
    pub md5: [u8; 16],
    /// 1, 2 or 3.
    pub version: Option<u8>,
    /// Upper-case hex, `-` in front of a negative one.
    pub serial: Option<Box<str>>,
    /// RFC 4514 text.
    pub subject: Option<Box<str>>,
    /// RFC 4514 text.
    pub issuer: Option<Box<str>>,
    /// Common names of the subject, the least specific one first; not escaped.
    pub subject_common_names: Texts,
    /// The most specific common name of the issuer; not escaped.
    pub issuer_cn: Option<Box<[u8]>>,
    /// Begin of its validity.
    pub not_before: Option<Microseconds>,
    /// End of its validity.
    pub not_after: Option<Microseconds>,
    /// Algorithm of its public key.
    pub key_algorithm: Option<Box<str>>,
    /// Kind of its public key: `rsa`, `ecdsa`, ….
    pub key_type: Option<&'static str>,
    /// Length of its public key.
    pub key_bits: Option<i32>,
    /// Public exponent of an RSA key, in decimal digits.
    pub exponent: Option<Box<str>>,
    /// Curve of an EC key.
    pub curve: Option<Box<str>>,
    /// Algorithm of its signature.
    pub signature_algorithm: Option<Box<str>>,
    /// DNS names among the alternative names of the subject.
    pub san_dns: Option<Texts>,
    /// Mail addresses among them.
    pub san_email: Option<Texts>,
    /// URIs among them.
    pub san_uri: Option<Texts>,
    /// IP addresses among them, as text.
    pub san_ip: Option<Texts>,
    /// It may issue certificates.
    pub is_ca: Option<bool>,
    /// How many that may issue others may stand between it and a leaf.
    pub path_length: Option<i32>,
    /// Names of the bits of keyUsage.
    pub key_usage: Option<Texts>,
    /// Purposes of extKeyUsage.
    pub extended_key_usage: Option<Texts>,
    /// Subject and issuer are the same and its own key verifies its signature; none where they are the same and that
    /// cannot be said.
    pub self_signed: Option<bool>,
    /// What is wrong with it.
    pub(super) problems: Problems,
}

impl Certificate {
    /// Reads a DER certificate.
    pub fn read(bytes: &[u8]) -> Self {
        Self::with_fingerprint(bytes, Sha256::digest(bytes).into())
    }

    /// Reads one whose SHA-256 is known.
    pub(super) fn with_fingerprint(bytes: &[u8], fingerprint: [u8; 32]) -> Self {
        let mut problems = Problems::default();
        let parts = wire::read(bytes, &mut problems);
        let mut read = Self {
            fingerprint,
            sha1: Sha1::digest(bytes).into(),
            md5: Md5::digest(bytes).into(),
            version: version(&parts, &mut problems),
            serial: parts.serial.and_then(|serial| serial_text(serial, &mut problems)),
            self_signed: is_self_signed(&parts),
            ..Self::default()
        };
        read.names(&parts, &mut problems);
        read.validity(&parts, &mut problems);
        read.algorithms(&parts, &mut problems);
        read.extensions(extensions::read(&parts.extensions, &mut problems));
        read.problems = problems;
        read
    }

    fn names(&mut self, parts: &Parts<'_>, problems: &mut Problems) {
        let read = |content: Option<&[u8]>, field, problems: &mut Problems| {
            let name = name::read(content?);
            match &name {
                None => problems.malformed(field),
                Some(name) if name.is_odd => problems.odd("a name with bytes that are no text"),
                Some(_) => {}
            }
            name
        };
        if let Some(Name { text, common_names, .. }) = read(parts.subject, "subject", problems) {
            self.subject = Some(text.into());
            common_names.iter().for_each(|name| self.subject_common_names.push(name));
        }
        if let Some(Name { text, mut common_names, .. }) = read(parts.issuer, "issuer", problems) {
            self.issuer = Some(text.into());
            self.issuer_cn = common_names.pop();
        }
    }

    fn validity(&mut self, parts: &Parts<'_>, problems: &mut Problems) {
        if parts.subject.is_none() && parts.not_before.is_none() {
            // Reading ended before it, which was told.
            return;
        }
        let dates =
            [(parts.not_before, "notBefore"), (parts.not_after, "notAfter")].map(|(element, field)| {
                let date = element.as_ref().and_then(date::read);
                match &date {
                    None => problems.malformed(field),
                    Some(date) if !date.is_strict => problems.odd("a date in a form that is not allowed"),
                    Some(_) => {}
                }
                date.map(|date| date.microseconds)
            });
        [self.not_before, self.not_after] = dates;
        if let [Some(from), Some(to)] = dates
            && from > to
        {
            problems.odd("it ends before it begins");
        }
    }

    fn algorithms(&mut self, parts: &Parts<'_>, problems: &mut Problems) {
        let algorithm = parts.signature_algorithm.or(parts.signed_algorithm).map(key::algorithm);
        match algorithm {
            Some(Some((dotted, _))) => self.signature_algorithm = Some(key::name(&dotted)),
            Some(None) => problems.malformed("signatureAlgorithm"),
            None => {}
        }
        if let (Some(signed), Some(beside)) = (parts.signed_algorithm, parts.signature_algorithm)
            && signed != beside
        {
            problems.odd("two algorithms of the signature");
        }
        let Some(content) = parts.key else { return };
        let facts = PublicKey::read(content).map(|key| key.facts()).unwrap_or_default();
        if !facts.is_whole {
            problems.malformed("subjectPublicKeyInfo");
        }
        self.key_algorithm = facts.algorithm;
        self.key_type = facts.kind;
        self.key_bits = facts.bits;
        self.exponent = facts.exponent;
        self.curve = facts.curve;
    }

    fn extensions(&mut self, read: Extensions) {
        if let Some(AlternativeNames { dns, email, uri, ip }) = read.names {
            self.san_dns = Some(dns);
            self.san_email = Some(email);
            self.san_uri = Some(uri);
            self.san_ip = Some(ip);
        }
        if let Some(constraints) = read.constraints {
            self.is_ca = Some(constraints.is_ca);
            self.path_length = constraints.path_length;
        }
        self.key_usage = read.key_usage;
        self.extended_key_usage = read.purposes;
    }

    /// The most specific common name of the subject.
    pub fn subject_cn(&self) -> Option<&[u8]> {
        self.subject_common_names.iter().last()
    }

    /// Bytes of memory that it holds.
    pub(super) fn held(&self) -> usize {
        let texts = [
            &self.serial,
            &self.subject,
            &self.issuer,
            &self.key_algorithm,
            &self.exponent,
            &self.curve,
            &self.signature_algorithm,
        ];
        let lists = [
            &self.san_dns,
            &self.san_email,
            &self.san_uri,
            &self.san_ip,
            &self.key_usage,
            &self.extended_key_usage,
        ];
        size_of::<Self>()
            + texts.iter().map(|text| text.as_ref().map_or(0, |text| text.len())).sum::<usize>()
            + lists.iter().map(|list| list.as_ref().map_or(0, Texts::held)).sum::<usize>()
            + self.issuer_cn.as_ref().map_or(0, |name| name.len())
            + self.subject_common_names.held()
            + self.problems.held()
    }
}

fn version(parts: &Parts<'_>, problems: &mut Problems) -> Option<u8> {
    // Where it is left out it is 1; where reading ended before the next field it is not known.
    let version = match parts.version {
        Some(content) => der::small(content).and_then(|version| u8::try_from(version).ok()?.checked_add(1)),
        None => parts.serial.map(|_| 1),
    };
    let version = version.filter(|version| (1..=3).contains(version));
    if version.is_none() && parts.version.is_some() {
        problems.odd("a version that there is not");
    }
    if parts.has_extensions && version.is_some_and(|version| version < 3) {
        problems.odd("extensions before version 3");
    }
    version
}

fn serial_text(content: &[u8], problems: &mut Problems) -> Option<Box<str>> {
    let Some((magnitude, is_negative)) = der::integer(content) else {
        problems.malformed("serialNumber");
        return None;
    };
    if magnitude.len() > MAX_SERIAL {
        problems.odd("a serial number of more than 20 bytes");
    }
    let mut text = String::with_capacity(2 * magnitude.len() + 2);
    if is_negative {
        problems.odd("a negative serial number");
        text.push('-');
        negated(magnitude).iter().for_each(|&byte| push_hex(byte, &mut text));
    } else if magnitude.is_empty() {
        problems.odd("the serial number 0");
        text.push_str("00");
    } else {
        magnitude.iter().for_each(|&byte| push_hex(byte, &mut text));
    }
    Some(text.into())
}

/// The magnitude of a negative number in two's complement, without zeros in front.
fn negated(content: &[u8]) -> Vec<u8> {
    let mut carry = true;
    let mut magnitude: Vec<u8> = content
        .iter()
        .rev()
        .map(|&byte| {
            let (negated, carries) = (!byte).overflowing_add(u8::from(carry));
            carry = carries;
            negated
        })
        .collect();
    while magnitude.len() > 1 && magnitude.last() == Some(&0) {
        magnitude.pop();
    }
    magnitude.reverse();
    magnitude
}

fn is_self_signed(parts: &Parts<'_>) -> Option<bool> {
    if parts.subject? != parts.issuer? {
        return Some(false);
    }
    let key = PublicKey::read(parts.key?)?;
    signature::verify(&key, parts.signature_algorithm?, parts.signed?, parts.signature?)
}
