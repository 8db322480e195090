//! A row of `kerberos` from a request, an answer, or both.

use schemas::anomaly::AnomalyName;
use schemas::arena::{Arena, List, Text};
use schemas::envelope::Nanoseconds;
use schemas::kerberos::{Kerberos, RequestType};
use schemas::kerberos_names::{write_encryption_type, write_error, write_padata_type};
use schemas::text::{self, MAX_LIST};
use smallvec::SmallVec;

use super::wire::{ApRequest, Encrypted, Error, Message, Principal, Reply, Request, Ticket};
use super::{NAME, error_text};
use crate::context::Context;

/// Texts of a list: most have less.
type Names = SmallVec<[Text; 16]>;

/// A request.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) message: Message<'a>,
    /// Time and number of its first packet.
    pub(crate) first: (Nanoseconds, u64),
    /// When all of it was there.
    pub(crate) end: Nanoseconds,
    /// Of the certificate that it is signed with.
    pub(crate) cert_subject: Option<&'a str>,
}

/// An answer.
#[derive(Clone, Copy)]
pub(crate) struct Answer<'a> {
    pub(crate) message: Message<'a>,
    /// Time and number of its first packet.
    pub(crate) first: (Nanoseconds, u64),
    /// Of the certificate that it is signed with.
    pub(crate) cert_subject: Option<&'a str>,
    /// It answers a change of a password (RFC 3244).
    pub(crate) is_of_change: bool,
}

/// Writes the row of an exchange, or of a message that stands alone.
pub(super) fn emit(asked: Option<&Asked<'_>>, answer: Option<&Answer<'_>>, cx: &mut Context<'_>) {
    let Some(first) = asked.map(|asked| asked.first).or(answer.map(|answer| answer.first)) else { return };
    push(first, cx, |arena| record(asked, answer, arena));
}

/// Writes the row of an AP exchange that another protocol carries. `success` is what that protocol says where there is no
/// answer of Kerberos, which would know better.
pub(crate) fn emit_carried(
    asked: &Asked<'_>,
    answer: Option<&Answer<'_>>,
    success: Option<bool>,
    rtt: Option<Nanoseconds>,
    cx: &mut Context<'_>,
) {
    push(asked.first, cx, |arena| {
        let row = record(Some(asked), answer, arena);
        Kerberos { success: row.success.or(success), rtt, ..row }
    });
}

fn push((ts, packet): (Nanoseconds, u64), cx: &mut Context<'_>, record: impl FnOnce(&mut Arena) -> Kerberos) {
    let envelope = cx.envelope(ts, packet);
    cx.records.kerberos.push(envelope, record);
    if cx.records.kerberos.arena.take_cut() > 0 {
        cx.anomaly(AnomalyName::ValueCut, Some(NAME), "name, text or list");
    }
}

fn record(asked: Option<&Asked<'_>>, answer: Option<&Answer<'_>>, arena: &mut Arena) -> Kerberos {
    let mut row = Kerberos::default();
    // What was issued says most, what was asked for comes before what an error repeats.
    if let Some(Answer { message, cert_subject, .. }) = answer {
        match message {
            Message::Reply(reply) => {
                issued(reply, &mut row, arena);
                if asks_anonymously(asked) && reply.client.is_anonymous() {
                    row.client = Text::NULL;
                }
            }
            Message::ApReply(reply) => {
                row.request_type = Some(RequestType::Ap);
                row.success = Some(true);
                row.reply_cipher = etype(reply.encrypted, arena);
            }
            Message::Error(error) => {
                row.success = Some(false);
                // Who does not want to be known is named by the server all the same, where it may.
                if asks_anonymously(asked) && !error.client.is_anonymous() {
                    row.client = client(&error.client, error.client_realm, arena);
                    row.realm = string(error.realm, arena);
                }
            }
            _ => {}
        }
        row.server_cert_subject = cert_subject.map_or(Text::NULL, |name| arena.text(name.as_bytes()));
    }
    if let Some(Asked { message, cert_subject, .. }) = asked {
        match message {
            Message::Request(request) => wanted(request, &mut row, arena),
            Message::ApRequest(request) => shown(request, &mut row, arena),
            _ => {}
        }
        row.client_cert_subject = cert_subject.map_or(Text::NULL, |name| arena.text(name.as_bytes()));
    }
    if let Some(Answer { message: Message::Error(error), is_of_change, .. }) = answer {
        failed(error, *is_of_change, &mut row, arena);
    }
    if let (Some(asked), Some(answer)) = (asked, answer) {
        // Unknown where the clock of the capture went back in between.
        row.rtt = answer.first.0.checked_sub(asked.end).filter(|&rtt| rtt >= 0);
    }
    row
}

/// Whether the client says that it is not to be known (RFC 6112, 3), as within FAST.
fn asks_anonymously(asked: Option<&Asked<'_>>) -> bool {
    let Some(Asked { message: Message::Request(request), .. }) = asked else { return false };
    request.client.is_anonymous()
}

/// What a reply says.
fn issued(reply: &Reply<'_>, row: &mut Kerberos, arena: &mut Arena) {
    row.request_type = Some(reply.kind);
    row.success = Some(true);
    row.client = client(&reply.client, reply.client_realm, arena);
    row.service = name(&reply.ticket.service, arena);
    row.realm = string(reply.ticket.realm, arena);
    row.reply_cipher = etype(reply.encrypted, arena);
    of_ticket(&reply.ticket, row, arena);
}

/// What a request to a KDC says.
fn wanted(request: &Request<'_>, row: &mut Kerberos, arena: &mut Arena) {
    row.request_type = Some(request.kind);
    if row.realm.is_null() {
        row.realm = string(request.realm, arena);
    }
    // Of a TGS request the ticket says who the client is, and only the KDC can read that.
    let is_named = request.kind == RequestType::As && !request.client.is_anonymous();
    if row.client.is_null() || is_named {
        let client = client(&request.client, request.realm, arena);
        row.client = if client.is_null() { row.client } else { client };
    }
    if row.service.is_null() {
        row.service = name(&request.service, arena);
    }
    let padata: Names = request
        .padata
        .iter()
        .take(MAX_LIST + 1)
        .map(|(kind, _)| arena.text_with(|out| write_padata_type(kind, out)))
        .collect();
    // Of a list that the capture cut nobody knows what it lacks.
    let is_known = !request.padata.is_cut() && (request.has_body || !padata.is_empty());
    row.preauth = if is_known { arena.texts(&padata) } else { List::NULL };
    row.options = request.options;
    row.client_ciphers = request.etypes().map_or(List::NULL, |etypes| {
        let names: Names = etypes
            .take(MAX_LIST + 1)
            .map(|etype| arena.text_with(|out| write_encryption_type(etype, out)))
            .collect();
        arena.texts(&names)
    });
    row.client_addresses = request.addresses().map_or(List::NULL, |addresses| {
        let texts: Names = addresses
            .take(MAX_LIST + 1)
            .map(|(kind, bytes)| arena.text_with(|out| write_address(kind, bytes, out)))
            .collect();
        arena.texts(&texts)
    });
    row.requested_from = request.from;
    row.requested_till = request.till;
    row.requested_renew_till = request.renew_till;
    if let Some(ticket) = request.ticket() {
        row.ticket_realm = string(ticket.realm, arena);
        row.ticket_service = name(&ticket.service, arena);
    }
}

/// What an AP request says; who the client is can only the service read.
fn shown(request: &ApRequest<'_>, row: &mut Kerberos, arena: &mut Arena) {
    row.request_type = Some(RequestType::Ap);
    row.ticket_realm = string(request.ticket.realm, arena);
    row.ticket_service = name(&request.ticket.service, arena);
    (row.realm, row.service) = (row.ticket_realm, row.ticket_service);
    of_ticket(&request.ticket, row, arena);
}

/// What an error says.
fn failed(error: &Error<'_>, is_of_change: bool, row: &mut Kerberos, arena: &mut Arena) {
    row.error_code = error.code;
    row.error = error.code.map_or(Text::NULL, |code| arena.text_with(|out| write_error(code, out)));
    row.error_text = string(error.text, arena);
    if row.error_text.is_empty()
        && let Some(data) = error.data
    {
        let write = if is_of_change { error_text::of_change } else { error_text::of_error };
        let text = arena.text_with(|out| write(data, out));
        row.error_text = if text.is_empty() { row.error_text } else { text };
    }
    // Some servers have a placeholder there, so what was asked for comes first.
    if row.realm.is_null() {
        row.realm = string(error.realm, arena);
    }
    if row.client.is_null() {
        row.client = client(&error.client, error.client_realm, arena);
    }
    if row.service.is_null() {
        row.service = name(&error.service, arena);
    }
}

fn of_ticket(ticket: &Ticket<'_>, row: &mut Kerberos, arena: &mut Arena) {
    row.cipher = etype(ticket.encrypted, arena);
    row.ticket_kvno = ticket.encrypted.kvno;
}

fn etype(encrypted: Encrypted, arena: &mut Arena) -> Text {
    encrypted.etype.map_or(Text::NULL, |etype| arena.text_with(|out| write_encryption_type(etype, out)))
}

fn string(bytes: Option<&[u8]>, arena: &mut Arena) -> Text {
    bytes.map_or(Text::NULL, |bytes| arena.text(bytes))
}

/// The parts of a name, with slashes between them as everybody writes it; null where there is none.
fn name(principal: &Principal<'_>, arena: &mut Arena) -> Text {
    if principal.is_empty() {
        return Text::NULL;
    }
    arena.text_with(|out| write_name(principal, out))
}

/// Name and realm; null without a name.
fn client(principal: &Principal<'_>, realm: Option<&[u8]>, arena: &mut Arena) -> Text {
    if principal.is_empty() {
        return Text::NULL;
    }
    arena.text_with(|out| {
        write_name(principal, out);
        if let Some(realm) = realm {
            out.push(b'/');
            text::escape(realm, out);
        }
    })
}

fn write_name(principal: &Principal<'_>, out: &mut Vec<u8>) {
    for (place, part) in principal.parts().enumerate() {
        if place > 0 {
            out.push(b'/');
        }
        text::escape(part, out);
    }
}

/// An address as text (RFC 4120, 7.5.3).
fn write_address(kind: i32, bytes: &[u8], out: &mut Vec<u8>) {
    use std::io::Write;
    use std::net::{Ipv4Addr, Ipv6Addr};
    const IPV4: i32 = 2;
    const NETBIOS: i32 = 20;
    const IPV6: i32 = 24;
    // Writing into memory does not fail.
    let _ = match (kind, <[u8; 4]>::try_from(bytes), <[u8; 16]>::try_from(bytes)) {
        (IPV4, Ok(address), _) => write!(out, "{}", Ipv4Addr::from(address)),
        (IPV6, _, Ok(address)) => write!(out, "{}", Ipv6Addr::from(address)),
        (NETBIOS, ..) => {
            text::escape(bytes.trim_ascii_end(), out);
            Ok(())
        }
        _ => {
            let written = write!(out, "type-{kind}:");
            text::hex(bytes, out);
            written
        }
    };
}
