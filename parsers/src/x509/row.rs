//! A row of `x509` from a certificate.

use schemas::anomaly::AnomalyName;
use schemas::arena::{Arena, List, Text};
use schemas::text;
use schemas::x509::X509;
use smallvec::SmallVec;

use super::certificate::Certificate;
use super::texts::Texts;
use super::{Holder, NAME};
use crate::context::Context;

/// Writes the row of a certificate at `position` of its chain.
pub(super) fn emit(certificate: &Certificate, position: usize, holder: Holder, cx: &mut Context<'_>) {
    let envelope = cx.envelope(cx.now, cx.packet);
    cx.records.x509.push(envelope, |arena| record(certificate, position, holder, arena));
    if cx.records.x509.arena.take_cut() > 0 {
        cx.anomaly(AnomalyName::ValueCut, Some(NAME), "name or list of names");
    }
}

fn record(certificate: &Certificate, position: usize, holder: Holder, arena: &mut Arena) -> X509 {
    let known =
        |text: Option<&str>, arena: &mut Arena| text.map_or(Text::NULL, |text| arena.text(text.as_bytes()));
    let bytes = |text: Option<&[u8]>, arena: &mut Arena| text.map_or(Text::NULL, |text| arena.text(text));
    X509 {
        fingerprint: arena.text_with(|out| text::hex(&certificate.fingerprint, out)),
        sha1: arena.text_with(|out| text::hex(&certificate.sha1, out)),
        md5: arena.text_with(|out| text::hex(&certificate.md5, out)),
        version: certificate.version.map(i32::from),
        serial: known(certificate.serial.as_deref(), arena),
        subject: known(certificate.subject.as_deref(), arena),
        issuer: known(certificate.issuer.as_deref(), arena),
        subject_cn: bytes(certificate.subject_cn(), arena),
        issuer_cn: bytes(certificate.issuer_cn.as_deref(), arena),
        not_before: certificate.not_before,
        not_after: certificate.not_after,
        key_algorithm: known(certificate.key_algorithm.as_deref(), arena),
        key_type: certificate.key_type,
        key_bits: certificate.key_bits,
        exponent: known(certificate.exponent.as_deref(), arena),
        curve: known(certificate.curve.as_deref(), arena),
        signature_algorithm: known(certificate.signature_algorithm.as_deref(), arena),
        san_dns: list(certificate.san_dns.as_ref(), arena),
        san_email: list(certificate.san_email.as_ref(), arena),
        san_uri: list(certificate.san_uri.as_ref(), arena),
        san_ip: list(certificate.san_ip.as_ref(), arena),
        is_ca: certificate.is_ca,
        path_length: certificate.path_length,
        key_usage: list(certificate.key_usage.as_ref(), arena),
        extended_key_usage: list(certificate.extended_key_usage.as_ref(), arena),
        self_signed: certificate.self_signed,
        host_cert: position == 0,
        client_cert: holder == Holder::Client,
        chain_position: i32::try_from(position).unwrap_or(i32::MAX),
    }
}

fn list(texts: Option<&Texts>, arena: &mut Arena) -> List {
    let Some(texts) = texts else { return List::NULL };
    // One more than fits, so that the arena sees and counts the cut.
    let texts: SmallVec<[Text; 16]> =
        texts.iter().take(text::MAX_LIST + 1).map(|text| arena.text(text)).collect();
    arena.texts(&texts)
}
