//! `x509`: one row for each certificate that was seen, in the chain of a server or of a client.

use crate::arena::{Arena, List, Text};
use crate::column::{Column, Value};
use crate::envelope::{self, Microseconds, Row};
use crate::packed::packed;
use crate::table::Record;

/// The record of the table `x509`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct X509 {
    /// SHA-256 in hex.
    pub fingerprint: Text,
    /// SHA-1 in hex.
    pub sha1: Text,
    /// MD5 in hex.
    pub md5: Text,
    /// 1, 2 or 3.
    pub version: Option<i32>,
    /// Serial number in hex.
    pub serial: Text,
    /// Who it is for, as RFC 4514 writes names.
    pub subject: Text,
    /// Who issued it.
    pub issuer: Text,
    /// Common name of the subject.
    pub subject_cn: Text,
    /// Common name of the issuer.
    pub issuer_cn: Text,
    /// Begin of its validity.
    pub not_before: Option<Microseconds>,
    /// End of its validity.
    pub not_after: Option<Microseconds>,
    /// Algorithm of its public key.
    pub key_algorithm: Text,
    /// Kind of its public key.
    pub key_type: Option<&'static str>,
    /// Length of its public key.
    pub key_bits: Option<i32>,
    /// Public exponent of an RSA key.
    pub exponent: Text,
    /// Named curve of an EC key.
    pub curve: Text,
    /// Algorithm of the signature.
    pub signature_algorithm: Text,
    /// Alternative names of the subject: null without that extension.
    pub san_dns: List,
    /// See `san_dns`.
    pub san_email: List,
    /// See `san_dns`.
    pub san_uri: List,
    /// See `san_dns`.
    pub san_ip: List,
    /// basicConstraints: it may issue certificates.
    pub is_ca: Option<bool>,
    /// basicConstraints: how many more that may issue stand below it.
    pub path_length: Option<i32>,
    /// Names of the bits of keyUsage.
    pub key_usage: List,
    /// Purposes of extKeyUsage.
    pub extended_key_usage: List,
    /// Subject and issuer are the same, and its own key verifies the signature.
    pub self_signed: Option<bool>,
    /// It is the first of its chain.
    pub host_cert: bool,
    /// A client showed it.
    pub client_cert: bool,
    /// Place in its chain, from 0.
    pub chain_position: i32,
}

impl X509 {
    fn texts_mut(&mut self) -> [&mut Text; 12] {
        [
            &mut self.fingerprint,
            &mut self.sha1,
            &mut self.md5,
            &mut self.serial,
            &mut self.subject,
            &mut self.issuer,
            &mut self.subject_cn,
            &mut self.issuer_cn,
            &mut self.key_algorithm,
            &mut self.exponent,
            &mut self.curve,
            &mut self.signature_algorithm,
        ]
    }

    fn lists_mut(&mut self) -> [&mut List; 6] {
        [
            &mut self.san_dns,
            &mut self.san_email,
            &mut self.san_uri,
            &mut self.san_ip,
            &mut self.key_usage,
            &mut self.extended_key_usage,
        ]
    }
}

packed!(X509 {
    fingerprint,
    sha1,
    md5,
    version,
    serial,
    subject,
    issuer,
    subject_cn,
    issuer_cn,
    not_before,
    not_after,
    key_algorithm,
    key_type,
    key_bits,
    exponent,
    curve,
    signature_algorithm,
    san_dns as texts,
    san_email as texts,
    san_uri as texts,
    san_ip as texts,
    is_ca,
    path_length,
    key_usage as texts,
    extended_key_usage as texts,
    self_signed,
    host_cert,
    client_cert,
    chain_position,
});

impl Record for X509 {
    fn relocate(&mut self, from: &Arena, to: &mut Arena) {
        for text in self.texts_mut() {
            *text = to.copy_text(*text, from);
        }
        for list in self.lists_mut() {
            *list = to.copy_texts(*list, from);
        }
    }

    fn held(&self, arena: &Arena) -> usize {
        let mut record = *self;
        record.texts_mut().iter().map(|text| text.len()).sum::<usize>()
            + record.lists_mut().iter().map(|list| arena.held_by_texts(**list)).sum::<usize>()
    }
}

type X509Row = Row<X509>;

/// The columns of `x509`.
pub(crate) fn columns() -> Vec<Column<X509Row>> {
    let mut columns = envelope::columns();
    columns.extend(identity());
    columns.extend(key());
    columns.extend(extensions());
    columns.extend(place());
    columns
}

fn identity() -> Vec<Column<X509Row>> {
    vec![
        Column::new(
            "fingerprint",
            Value::text(|row: &X509Row| row.record.fingerprint),
            "SHA-256 of the certificate as it was sent, in hex; what `tls.cert_chain` holds.",
        )
        .required()
        .bloom(),
        Column::new("sha1", Value::text(|row: &X509Row| row.record.sha1), "SHA-1 of the same, in hex.")
            .required()
            .bloom(),
        Column::new("md5", Value::text(|row: &X509Row| row.record.md5), "MD5 of the same, in hex.")
            .required()
            .bloom(),
        Column::new(
            "version",
            Value::int32(|row: &X509Row| row.record.version),
            "1, 2 or 3, as people count: 3 is written as 2.",
        ),
        Column::new(
            "serial",
            Value::text(|row: &X509Row| row.record.serial),
            "Serial number in upper-case hex, two digits a byte; `-` in front of a negative one.",
        )
        .bloom(),
        Column::new(
            "subject",
            Value::text(|row: &X509Row| row.record.subject),
            "Who it is for, as RFC 4514 writes names: `CN=a.example,O=Example,C=DE`.",
        ),
        Column::new(
            "issuer",
            Value::text(|row: &X509Row| row.record.issuer),
            "Who issued it, written like `subject`.",
        ),
        Column::new(
            "subject_cn",
            Value::text(|row: &X509Row| row.record.subject_cn),
            "Common name of the subject, of several the most specific one; not escaped as in `subject`.",
        ),
        Column::new(
            "issuer_cn",
            Value::text(|row: &X509Row| row.record.issuer_cn),
            "Common name of the issuer, like `subject_cn`.",
        ),
        Column::new(
            "not_before",
            Value::microseconds(|row: &X509Row| row.record.not_before),
            "Begin of its validity; null where it is no date.",
        ),
        Column::new(
            "not_after",
            Value::microseconds(|row: &X509Row| row.record.not_after),
            "End of its validity; the end of the year 9999 says that there is none. Null where it is no date.",
        ),
    ]
}

fn key() -> Vec<Column<X509Row>> {
    vec![
        Column::new(
            "key_algorithm",
            Value::text(|row: &X509Row| row.record.key_algorithm),
            "Algorithm of the public key by OpenSSL's name (`rsaEncryption`, `id-ecPublicKey`), else its identifier.",
        ),
        Column::new(
            "key_type",
            Value::word(|row: &X509Row| row.record.key_type),
            "`rsa`, `ecdsa`, `dsa`, `dh`, `ed25519`, `ed448`, `x25519`, `x448`; null of others.",
        ),
        Column::new(
            "key_bits",
            Value::int32(|row: &X509Row| row.record.key_bits),
            "Length of the public key: of the modulus (rsa), of the prime (dsa, dh), of the curve's order.",
        ),
        Column::new(
            "exponent",
            Value::text(|row: &X509Row| row.record.exponent),
            "Public exponent of an RSA key in decimal digits, else null.",
        ),
        Column::new(
            "curve",
            Value::text(|row: &X509Row| row.record.curve),
            "Curve of an EC key by OpenSSL's name (`prime256v1`, `secp384r1`), else its identifier.",
        ),
        Column::new(
            "signature_algorithm",
            Value::text(|row: &X509Row| row.record.signature_algorithm),
            "Algorithm of the signature by OpenSSL's name (`sha256WithRSAEncryption`), else its identifier.",
        ),
    ]
}

fn extensions() -> Vec<Column<X509Row>> {
    vec![
        Column::texts(
            "san_dns",
            |row: &X509Row| row.record.san_dns,
            "DNS names among the alternative names of the subject; these lists are null without that extension.",
        ),
        Column::texts("san_email", |row: &X509Row| row.record.san_email, "Mail addresses among them."),
        Column::texts("san_uri", |row: &X509Row| row.record.san_uri, "URIs among them."),
        Column::texts(
            "san_ip",
            |row: &X509Row| row.record.san_ip,
            "IP addresses among them, in canonical text form.",
        ),
        Column::new(
            "is_ca",
            Value::bool(|row: &X509Row| row.record.is_ca),
            "It may issue certificates (basicConstraints); null without that extension.",
        ),
        Column::new(
            "path_length",
            Value::int32(|row: &X509Row| row.record.path_length),
            "How many certificates that may issue others may stand between it and a leaf; null where that is not limited.",
        ),
        Column::texts(
            "key_usage",
            |row: &X509Row| row.record.key_usage,
            "What the key may be used for (`digitalSignature`, `keyCertSign`, …, RFC 5280, 4.2.1.3); null without that \
             extension.",
        ),
        Column::texts(
            "extended_key_usage",
            |row: &X509Row| row.record.extended_key_usage,
            "Purposes of the key (`serverAuth`, `clientAuth`, …), others by their identifier; null without that extension.",
        ),
    ]
}

fn place() -> Vec<Column<X509Row>> {
    vec![
        Column::new(
            "self_signed",
            Value::bool(|row: &X509Row| row.record.self_signed),
            "Subject and issuer are the same, and its own key verifies its signature; null where they are the same and that \
             cannot be said.",
        ),
        Column::new(
            "host_cert",
            Value::bool(|row: &X509Row| Some(row.record.host_cert)),
            "It is the first of its chain: that of the server or client itself.",
        )
        .required(),
        Column::new(
            "client_cert",
            Value::bool(|row: &X509Row| Some(row.record.client_cert)),
            "The client showed it.",
        )
        .required(),
        Column::new(
            "chain_position",
            Value::int32(|row: &X509Row| Some(row.record.chain_position)),
            "Place in the chain as it was sent, from 0.",
        )
        .required(),
    ]
}
