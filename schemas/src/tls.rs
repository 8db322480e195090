//! `tls`: one row for each handshake, over TCP, DTLS or QUIC.

use crate::arena::{Arena, List, Text};
use crate::column::{Column, Layout, Value};
use crate::envelope::{self, Microseconds, Row};
use crate::packed::packed;
use crate::table::Record;
use crate::tls_names::{write_alert, write_named_group, write_version};

/// The record of the table `tls`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tls {
    /// Negotiated.
    pub version: Option<u16>,
    /// That the client's hello carries in front (`legacy_version`).
    pub client_version: Option<u16>,
    /// Names of the versions that the client offers in `supported_versions`.
    pub client_versions: List,
    /// Name of the suite that the server chose.
    pub cipher: Text,
    /// Names of those that the client offers.
    pub client_ciphers: List,
    /// Named group of the key exchange.
    pub curve: Option<u16>,
    /// Names of those that the client offers.
    pub client_curves: List,
    /// Name that the client asks for, lower-cased.
    pub server_name: Text,
    /// Application protocol that the server chose.
    pub alpn: Text,
    /// Those that the client offers.
    pub client_alpn: List,
    /// An earlier session goes on.
    pub resumed: bool,
    /// The handshake came to its end.
    pub established: bool,
    /// Description of the last alert in clear.
    pub last_alert: Option<u16>,
    /// Fingerprint of the client's hello.
    pub ja3: Text,
    /// Fingerprint of the server's hello.
    pub ja3s: Text,
    /// Fingerprint of the client's hello.
    pub ja4: Text,
    /// The client's hello holds another one, encrypted; none where there was no hello.
    pub ech: Option<bool>,
    /// Of the server's certificate.
    pub subject: Text,
    /// Of the server's certificate.
    pub issuer: Text,
    /// Of the server's certificate.
    pub serial: Text,
    /// Certificates are encrypted in this version; none where it is not known.
    pub certificate_hidden: Option<bool>,
    /// Of the server's certificate.
    pub not_before: Option<Microseconds>,
    /// Of the server's certificate.
    pub not_after: Option<Microseconds>,
    /// Names in the server's certificate.
    pub san_dns: List,
    /// The server's certificate is signed with its own key.
    pub self_signed: Option<bool>,
    /// The name asked for is one of the server's certificate.
    pub sni_matches_cert: Option<bool>,
    /// What came of validating the server's chain.
    pub validation_status: Option<&'static str>,
    /// Fingerprints of the server's certificates, the leaf first.
    pub cert_chain: List,
    /// Fingerprints of the client's certificates.
    pub client_cert_chain: List,
    /// Of the client's certificate.
    pub client_subject: Text,
    /// Of the client's certificate.
    pub client_issuer: Text,
    /// Messages by their letters.
    pub handshake: Text,
    /// Version of QUIC; null elsewhere.
    pub quic_version: Text,
}

impl Tls {
    fn texts(&mut self) -> [&mut Text; 13] {
        [
            &mut self.cipher,
            &mut self.server_name,
            &mut self.alpn,
            &mut self.ja3,
            &mut self.ja3s,
            &mut self.ja4,
            &mut self.subject,
            &mut self.issuer,
            &mut self.serial,
            &mut self.client_subject,
            &mut self.client_issuer,
            &mut self.handshake,
            &mut self.quic_version,
        ]
    }

    fn lists(&mut self) -> [&mut List; 7] {
        [
            &mut self.client_versions,
            &mut self.client_ciphers,
            &mut self.client_curves,
            &mut self.client_alpn,
            &mut self.san_dns,
            &mut self.cert_chain,
            &mut self.client_cert_chain,
        ]
    }
}

packed!(Tls {
    version,
    client_version,
    client_versions as texts,
    cipher,
    client_ciphers as texts,
    curve,
    client_curves as texts,
    server_name,
    alpn,
    client_alpn as texts,
    resumed,
    established,
    last_alert,
    ja3,
    ja3s,
    ja4,
    ech,
    subject,
    issuer,
    serial,
    certificate_hidden,
    not_before,
    not_after,
    san_dns as texts,
    self_signed,
    sni_matches_cert,
    validation_status,
    cert_chain as texts,
    client_cert_chain as texts,
    client_subject,
    client_issuer,
    handshake,
    quic_version,
});

impl Record for Tls {
    fn relocate(&mut self, from: &Arena, to: &mut Arena) {
        for text in self.texts() {
            *text = to.copy_text(*text, from);
        }
        for list in self.lists() {
            *list = to.copy_texts(*list, from);
        }
    }

    fn held(&self, arena: &Arena) -> usize {
        let mut record = *self;
        record.texts().iter().map(|text| text.len()).sum::<usize>()
            + record.lists().iter().map(|list| arena.held_by_texts(**list)).sum::<usize>()
    }
}

type TlsRow = Row<Tls>;

/// The columns of `tls`.
pub(crate) fn columns() -> Vec<Column<TlsRow>> {
    let mut columns = envelope::columns();
    columns.extend(negotiation());
    columns.extend(certificates());
    columns.extend([
        Column::new(
            "handshake",
            Value::text(|row: &TlsRow| row.record.handshake),
            "The messages in clear, a letter each, upper-case from the client, as in Zeek's `ssl_history`: `C` and `S` \
             hellos, `J` hello retry request, `V` hello verify request, `X` certificate, `K` and `G` key exchanges, `R` \
             certificate request, `N` hello done, `Y` certificate verify, `U` certificate status, `T` session ticket, `I` \
             change cipher spec, `F` finished, `L` alert, `H` hello request, `^` a client that is the responder.",
        )
        .required(),
        Column::new(
            "quic_version",
            Value::text(|row: &TlsRow| row.record.quic_version),
            "Version of QUIC (`1`, `2`, `draft-29`); null elsewhere.",
        ),
    ]);
    columns
}

/// What was offered and chosen.
fn negotiation() -> [Column<TlsRow>; 18] {
    [
        Column::new(
            "version",
            Value::symbol(|row: &TlsRow| row.record.version, write_version),
            "Negotiated version: `TLSv1.3`, `TLSv1.2`, `SSLv3`, `SSLv2`, `DTLSv1.2`, …; null without an answer of the server.",
        ),
        Column::new(
            "client_version",
            Value::symbol(|row: &TlsRow| row.record.client_version, write_version),
            "Version in front of the client's hello; null without one. A client of TLS 1.3 writes `TLSv1.2` here.",
        ),
        Column::texts(
            "client_versions",
            |row: &TlsRow| row.record.client_versions,
            "Versions that the client offers by name, in its order, without GREASE; null without that extension.",
        ),
        Column::new(
            "cipher",
            Value::text(|row: &TlsRow| row.record.cipher),
            "Cipher suite that the server chose, as IANA names it, else `unknown-4660`.",
        ),
        Column::texts(
            "client_ciphers",
            |row: &TlsRow| row.record.client_ciphers,
            "Cipher suites that the client offers, in its order, without GREASE.",
        ),
        Column::new(
            "curve",
            Value::symbol(|row: &TlsRow| row.record.curve, write_named_group),
            "Named group of the key exchange, as IANA names it (`x25519`, `X25519MLKEM768`).",
        ),
        Column::texts(
            "client_curves",
            |row: &TlsRow| row.record.client_curves,
            "Named groups that the client offers, in its order, without GREASE; null without that extension.",
        ),
        Column::new(
            "server_name",
            Value::text(|row: &TlsRow| row.record.server_name),
            "Name that the client asks for (SNI), lower-cased.",
        )
        .bloom(),
        Column::new(
            "alpn",
            Value::text(|row: &TlsRow| row.record.alpn),
            "Application protocol that the server chose; encrypted in TLS 1.3.",
        ),
        Column::texts(
            "client_alpn",
            |row: &TlsRow| row.record.client_alpn,
            "Application protocols that the client offers, in its order; null without that extension.",
        ),
        Column::new(
            "resumed",
            Value::bool(|row: &TlsRow| Some(row.record.resumed)),
            "An earlier session goes on: by session id, ticket or pre-shared key that the server accepted.",
        )
        .required(),
        Column::new(
            "established",
            Value::bool(|row: &TlsRow| Some(row.record.established)),
            "Both sides' Finished were seen, or in TLS 1.3 encrypted data from both after the hellos.",
        )
        .required(),
        Column::new(
            "last_alert",
            Value::symbol(|row: &TlsRow| row.record.last_alert, write_alert),
            "Last alert in clear: `handshake failure`, `unknown ca`, and others.",
        ),
        Column::new(
            "ja3",
            Value::text(|row: &TlsRow| row.record.ja3),
            "JA3 fingerprint of the client's hello (MD5, hex).",
        )
        .bloom(),
        Column::new(
            "ja3s",
            Value::text(|row: &TlsRow| row.record.ja3s),
            "JA3S fingerprint of the server's hello (MD5, hex).",
        )
        .bloom(),
        Column::new(
            "ja4",
            Value::text(|row: &TlsRow| row.record.ja4),
            "JA4 fingerprint of the client's hello.",
        )
        .bloom(),
        Column::new(
            "ech",
            Value::bool(|row: &TlsRow| row.record.ech),
            "The client sent Encrypted Client Hello (GREASE looks the same); null without a hello.",
        ),
        Column::new(
            "certificate_hidden",
            Value::bool(|row: &TlsRow| row.record.certificate_hidden),
            "The version encrypts certificates (TLS 1.3): their columns are null; null without an answer of the server.",
        ),
    ]
}

/// What was shown.
fn certificates() -> [Column<TlsRow>; 13] {
    [
        Column::new(
            "subject",
            Value::text(|row: &TlsRow| row.record.subject),
            "Subject of the server's certificate (RFC 4514); null where the handshake hides it or resumes.",
        ),
        Column::new(
            "issuer",
            Value::text(|row: &TlsRow| row.record.issuer),
            "Issuer of the server's certificate (RFC 4514).",
        ),
        Column::new(
            "serial",
            Value::text(|row: &TlsRow| row.record.serial),
            "Serial number of the server's certificate, in hex.",
        ),
        Column::new(
            "not_before",
            Value::microseconds(|row: &TlsRow| row.record.not_before),
            "Begin of the validity of the server's certificate.",
        )
        .layout(Layout::Any),
        Column::new(
            "not_after",
            Value::microseconds(|row: &TlsRow| row.record.not_after),
            "End of the validity of the server's certificate.",
        )
        .layout(Layout::Any),
        Column::texts(
            "san_dns",
            |row: &TlsRow| row.record.san_dns,
            "Names of the server's certificate (subjectAltName).",
        ),
        Column::new(
            "self_signed",
            Value::bool(|row: &TlsRow| row.record.self_signed),
            "The server's certificate is signed with its own key, which was verified.",
        ),
        Column::new(
            "sni_matches_cert",
            Value::bool(|row: &TlsRow| row.record.sni_matches_cert),
            "The name asked for is one of the server's certificate; null without either.",
        ),
        Column::new(
            "validation_status",
            Value::word(|row: &TlsRow| row.record.validation_status),
            "What came of validating the server's chain at the time of the packet, against the web's roots and the \
             user's own: `ok`, `expired`, `not yet valid`, `self-signed`, `unknown issuer`, `bad signature`, and others (`docs/lake.md`).",
        ),
        Column::texts(
            "cert_chain",
            |row: &TlsRow| row.record.cert_chain,
            "SHA-256 of the server's certificates as sent, the leaf first: `x509.fingerprint`.",
        ),
        Column::texts(
            "client_cert_chain",
            |row: &TlsRow| row.record.client_cert_chain,
            "SHA-256 of the client's certificates.",
        ),
        Column::new(
            "client_subject",
            Value::text(|row: &TlsRow| row.record.client_subject),
            "Subject of the client's certificate.",
        ),
        Column::new(
            "client_issuer",
            Value::text(|row: &TlsRow| row.record.client_issuer),
            "Issuer of the client's certificate.",
        ),
    ]
}
