//! A row of `tls` from a handshake.

use schemas::anomaly::AnomalyName;
use schemas::arena::{Arena, List, Text};
use schemas::text;
use schemas::tls::Tls;
use schemas::tls_names::{is_grease, ssl2_cipher, write_cipher_suite, write_named_group, write_version};
use smallvec::SmallVec;

use super::NAME;
use super::fingerprint::{Carrier, ja3, ja3s, ja4};
use super::handshake::{Handshake, Hello};
use super::hello::{ClientHello, ServerHello};
use crate::context::Context;
use crate::x509::Chain;

/// Texts of a list: most have less.
type Names = SmallVec<[Text; 64]>;

/// Writes the row of a handshake.
pub(crate) fn emit(handshake: &Handshake, cx: &mut Context<'_>) {
    let Some((ts, packet)) = handshake.first() else { return };
    let envelope = cx.envelope(ts, packet);
    cx.records.tls.push(envelope, |arena| record(handshake, arena));
    if cx.records.tls.arena.take_cut() > 0 {
        cx.anomaly(AnomalyName::ValueCut, Some(NAME), "name or list");
    }
}

fn record(handshake: &Handshake, arena: &mut Arena) -> Tls {
    let letters = String::from_utf8_lossy(&handshake.letters);
    let mut row = Tls {
        version: handshake.version,
        cipher: cipher(handshake, arena),
        curve: handshake.curve,
        resumed: handshake.resumed,
        established: handshake.established,
        last_alert: handshake.last_alert.map(u16::from),
        certificate_hidden: handshake.version.map(|_| handshake.is_1_3()),
        handshake: arena.plain(&letters),
        quic_version: handshake.quic_version.as_deref().map_or(Text::NULL, |version| arena.plain(version)),
        ..Tls::default()
    };
    if let Some(hello) = handshake.client_hello.as_ref().and_then(Hello::read) {
        client(&hello, handshake.carrier, &mut row, arena);
    }
    let hello = handshake.server_hello.as_deref().and_then(|body| ServerHello::parse(body).ok());
    if let Some(hello) = hello {
        let chosen = hello.extensions.application_protocols().and_then(|mut names| names.next());
        row.alpn = chosen.map_or(Text::NULL, |name| arena.text(name));
        row.ja3s = arena.text_with(|out| text::hex(&ja3s(&hello), out));
    }
    let [server, client] = &handshake.chains;
    if let Some(chain) = server {
        shown(chain, &mut row, arena);
    }
    if let Some(chain) = client {
        row.client_cert_chain = fingerprints(chain, arena);
        if let Some(leaf) = chain.certificates.first() {
            row.client_subject =
                leaf.subject.as_deref().map_or(Text::NULL, |name| arena.text(name.as_bytes()));
            row.client_issuer = leaf.issuer.as_deref().map_or(Text::NULL, |name| arena.text(name.as_bytes()));
        }
    }
    row
}

/// What the server chose.
fn cipher(handshake: &Handshake, arena: &mut Arena) -> Text {
    match (handshake.cipher_suite, handshake.ssl2_cipher) {
        (Some(suite), _) => arena.text_with(|out| write_cipher_suite(suite, out)),
        (None, Some(cipher)) => match ssl2_cipher(cipher) {
            Some(name) => arena.plain(name),
            None => arena.plain(&format!("unknown-{cipher}")),
        },
        (None, None) => Text::NULL,
    }
}

/// What the client offers.
fn client(hello: &ClientHello<'_>, carrier: Carrier, row: &mut Tls, arena: &mut Arena) {
    let extensions = hello.extensions();
    row.client_version = Some(hello.version);
    row.client_versions = names(extensions.offered_versions(), VERSIONS, write_version, arena);
    row.client_ciphers = if hello.is_ssl2 {
        ciphers_of_ssl2(hello, arena)
    } else {
        names(Some(hello.suites()), CIPHER_SUITES, write_cipher_suite, arena)
    };
    row.client_curves = names(extensions.groups(), NAMED_GROUPS, write_named_group, arena);
    row.server_name =
        extensions.server_name().map_or(Text::NULL, |name| arena.text(&name.to_ascii_lowercase()));
    row.client_alpn = extensions.application_protocols().map_or(List::NULL, |protocols| {
        let protocols: Names = protocols.map(|name| arena.text(name)).collect();
        arena.texts(&protocols)
    });
    row.ech = Some(extensions.has_encrypted_client_hello());
    row.ja3 = arena.text_with(|out| text::hex(&ja3(hello), out));
    row.ja4 = arena.text(ja4(hello, carrier).as_bytes());
}

/// Registries whose numbers stand for names, in front of a number of 16 bits.
const VERSIONS: u32 = 1 << 16;
const CIPHER_SUITES: u32 = 2 << 16;
const NAMED_GROUPS: u32 = 3 << 16;

/// Numbers of a registry by name, without GREASE.
fn names(
    numbers: Option<impl Iterator<Item = u16>>,
    registry: u32,
    write: fn(u16, &mut Vec<u8>),
    arena: &mut Arena,
) -> List {
    let Some(numbers) = numbers else { return List::NULL };
    let names: Names = numbers
        .filter(|number| !is_grease(*number))
        .map(|number| arena.named(registry | u32::from(number), |out| write(number, out)))
        .collect();
    arena.texts(&names)
}

/// The ciphers of a hello of SSL 2.0, those of its own and those of newer versions.
fn ciphers_of_ssl2(hello: &ClientHello<'_>, arena: &mut Arena) -> List {
    let names: Names = hello
        .cipher_suites
        .as_chunks::<3>()
        .0
        .iter()
        .map(|[kind, high, low]| {
            let suite = u16::from_be_bytes([*high, *low]);
            match ssl2_cipher(u32::from_be_bytes([0, *kind, *high, *low])) {
                Some(name) if *kind > 0 => arena.plain(name),
                None if *kind > 0 => {
                    arena.plain(&format!("unknown-{}", u32::from_be_bytes([0, *kind, *high, *low])))
                }
                _ => arena.text_with(|out| write_cipher_suite(suite, out)),
            }
        })
        .collect();
    arena.texts(&names)
}

/// What the server's certificates say.
fn shown(chain: &Chain, row: &mut Tls, arena: &mut Arena) {
    row.cert_chain = fingerprints(chain, arena);
    row.validation_status = chain.validation_status;
    row.sni_matches_cert = chain.sni_matches_cert;
    let Some(leaf) = chain.certificates.first() else { return };
    row.subject = leaf.subject.as_deref().map_or(Text::NULL, |name| arena.text(name.as_bytes()));
    row.issuer = leaf.issuer.as_deref().map_or(Text::NULL, |name| arena.text(name.as_bytes()));
    row.serial = leaf.serial.as_deref().map_or(Text::NULL, |serial| arena.plain(serial));
    row.not_before = leaf.not_before;
    row.not_after = leaf.not_after;
    row.self_signed = leaf.self_signed;
    row.san_dns = leaf.san_dns.as_ref().map_or(List::NULL, |all| {
        let all: Names = all.iter().map(|name| arena.text(name)).collect();
        arena.texts(&all)
    });
}

fn fingerprints(chain: &Chain, arena: &mut Arena) -> List {
    let all: Names = chain
        .certificates
        .iter()
        .map(|certificate| arena.text_with(|out| text::hex(&certificate.fingerprint, out)))
        .collect();
    arena.texts(&all)
}
