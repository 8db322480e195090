//! A row of `http` from an exchange.

use std::borrow::Cow;

use schemas::anomaly::AnomalyName;
use schemas::arena::{Arena, List, Text};
use schemas::http::{Http, Message as Part, Request, Response};
use smallvec::SmallVec;

use super::exchange::{Exchange, Head, Message};
use super::head::{Header, Headers, RequestHead};
use super::texts::Texts;
use super::{NAME, facts, fields, head, negotiate};
use crate::context::Context;
use crate::names;

/// Writes the row of an exchange.
pub(super) fn emit(exchange: &Exchange, cx: &mut Context<'_>) {
    let (ts, packet) = exchange.first;
    let envelope = cx.envelope(ts, packet);
    let passwords = cx.settings.passwords;
    let mut negotiates = false;
    cx.records.http.push(envelope, |arena| record(exchange, passwords, &mut negotiates, arena));
    if cx.records.http.arena.take_cut() > 0 {
        cx.anomaly(AnomalyName::ValueCut, Some(NAME), "header or list of headers");
    }
    if negotiates {
        negotiate::emit(exchange, cx);
    }
}

/// The row; `negotiates` is set where the request logs in by Negotiate.
fn record(exchange: &Exchange, passwords: bool, negotiates: &mut bool, arena: &mut Arena) -> Http {
    let mut row = Http { transaction: exchange.transaction, ..Http::default() };
    let codes: SmallVec<[i32; 4]> = exchange.informational.iter().map(|&code| code.into()).collect();
    row.informational = arena.numbers(&codes);
    if let Some(message) = &exchange.request
        && let Some(read) = message.head.request()
    {
        let texts = Texts::new(&message.head, read.oddities, arena);
        row.request = Some(request(&read, &texts, message, passwords, &mut row, arena));
        *negotiates = negotiate::asks(&read.headers);
    }
    if let Some(message) = &exchange.response
        && matches!(&message.head, Head::Lines(lines) if lines.bytes().is_empty())
    {
        row.response = Some(Response {
            status_code: None,
            reason: Text::NULL,
            version: arena.plain("0.9"),
            message: part(&Headers::default(), &Texts::apart(), message, false, passwords, arena),
        });
    } else if let Some(message) = &exchange.response
        && let Some(read) = message.head.response()
    {
        let is_1 = matches!(message.head, Head::Lines(_));
        let texts = Texts::new(&message.head, read.oddities, arena);
        row.response = Some(Response {
            status_code: Some(read.status).filter(|&status| is_1 || status > 0),
            reason: if is_1 { texts.text(read.reason, arena) } else { Text::NULL },
            version: arena.text(read.version),
            message: part(&read.headers, &texts, message, false, passwords, arena),
        });
    }
    row.upgraded_to = exchange.upgraded_to.as_deref().map_or(Text::NULL, |name| arena.text(name));
    row.response_time = exchange
        .response_begin
        .zip(exchange.request_end)
        .and_then(|(begin, end)| begin.checked_sub(end))
        .filter(|&time| time >= 0);
    row
}

/// The request, and what the row says of it elsewhere.
fn request(
    read: &RequestHead<'_>,
    texts: &Texts<'_>,
    message: &Message,
    passwords: bool,
    row: &mut Http,
    arena: &mut Arena,
) -> Request {
    let authority = facts::authority(read);
    let host = authority.map_or(Text::NULL, |authority| match authority.host {
        host if host.iter().any(u8::is_ascii_uppercase) => arena.lower_case(host),
        host => texts.text(host, arena),
    });
    if let Some(parts) = arena.bytes_of(host).and_then(names::registered) {
        row.tld = host.skip(parts.suffix);
        row.registered_domain = parts.domain.map_or(Text::NULL, |domain| host.skip(domain));
    }
    if let Some(who) = read.headers.value(b"Authorization").and_then(fields::authorization) {
        row.username = who.username.map_or(Text::NULL, |name| arena.text(&name));
        row.password =
            who.password.filter(|_| passwords).map_or(Text::NULL, |password| arena.text(&password));
    }
    let may_be_proxied = read.headers.may_have(&fields::PROXY_HEADERS);
    let proxied: SmallVec<[Text; 4]> = read
        .headers
        .iter()
        .filter(|header| may_be_proxied && fields::is_proxy_header(header.name))
        .map(|header| {
            let mut text = header.name.to_ascii_uppercase();
            text.extend_from_slice(b" -> ");
            text.extend_from_slice(&header.value);
            arena.text(&text)
        })
        .collect();
    row.proxied = if proxied.is_empty() { List::NULL } else { arena.texts(&proxied) };
    let value = |name: &[u8], arena: &mut Arena| {
        read.headers.value(name).map_or(Text::NULL, |value| texts.text(value, arena))
    };
    Request {
        method: texts.text(read.method, arena),
        uri: texts.text(&facts::shown_target(read.target, passwords), arena),
        version: arena.text(read.version),
        host,
        port: authority.and_then(|authority| authority.port),
        user_agent: value(b"user-agent", arena),
        referrer: value(b"referer", arena),
        message: part(&read.headers, texts, message, true, passwords, arena),
    }
}

/// Headers and body.
fn part<'m>(
    headers: &Headers<'m>,
    texts: &Texts<'_>,
    message: &'m Message,
    is_request: bool,
    passwords: bool,
    arena: &mut Arena,
) -> Part {
    // They say nothing about the message, so only what is shown as sent has them.
    let mut shown = Cow::Borrowed(headers);
    if !message.trailers.is_empty() {
        shown.to_mut().append(head::header_block(&message.trailers).0);
    }
    let header_names = if is_request {
        let names: SmallVec<[Text; 32]> = shown.iter().map(|header| texts.text(header.name, arena)).collect();
        arena.texts(&names)
    } else {
        List::NULL
    };
    let filename = facts::file_name(headers);
    Part {
        headers: map(&shown, texts, passwords, arena),
        header_names,
        body_bytes: message.body_bytes,
        decoded_bytes: message.decoded_bytes,
        mime_type: message.file.mime_type.map_or(Text::NULL, |name| arena.plain(name)),
        filename: filename.map_or(Text::NULL, |name| arena.text(&name)),
        file_id: message.file.id,
    }
}

/// The headers by upper-case name, those that are repeated joined, in the order of their first occurrence.
fn map(headers: &Headers<'_>, texts: &Texts<'_>, passwords: bool, arena: &mut Arena) -> List {
    let mut pairs: SmallVec<[(Text, Text); 32]> = SmallVec::new();
    let hides = facts::hides_some(headers, passwords);
    for (at, header) in headers.iter().enumerate() {
        let mut value = facts::shown_value(header, hides);
        if headers.repeat() {
            let is_same = |other: &&Header<'_>| other.name.eq_ignore_ascii_case(header.name);
            if headers.iter().take(at).any(|other| is_same(&other)) {
                continue;
            }
            for other in headers.iter().skip(at + 1).filter(is_same) {
                let value = value.to_mut();
                value.extend_from_slice(facts::separator(header.name));
                value.extend_from_slice(&facts::shown_value(other, hides));
            }
        }
        pairs.push((texts.upper_case(header.name, arena), texts.text(&value, arena)));
    }
    arena.map(&pairs)
}
