//! What a head says for rows and files: the host, who asks, how the body is coded, which part of what it is.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;

use super::NAME;
use super::fields::{self, Authority};
use super::framing;
use super::head::{Header, Headers, RequestHead, ResponseHead};
use crate::content::coding::{self, CodingProblem, Codings};
use crate::files::Start;

/// What stands in place of a secret.
const MASKED: &[u8] = b"<masked>";

/// What a request says about the file in its response.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked<'a> {
    pub(super) method: &'a [u8],
    pub(super) target: &'a [u8],
    /// Where it goes, where that stands beside the target.
    pub(super) authority: Option<&'a [u8]>,
    /// Its Host header.
    pub(super) host: Option<Cow<'a, [u8]>>,
}

impl<'a> Asked<'a> {
    /// By its head.
    pub(super) fn new(head: RequestHead<'a>) -> Self {
        let RequestHead { method, target, authority, headers, .. } = head;
        Self { method, target, authority, host: headers.into_value(b"Host") }
    }
}

/// Where the request goes: by its target, else by what stands beside it, else by its Host header.
pub(super) fn authority<'a>(head: &'a RequestHead<'_>) -> Option<Authority<'a>> {
    authority_of(head.method, head.target, head.authority, || head.headers.value(b"Host"))
}

fn authority_of<'a>(
    method: &[u8],
    target: &'a [u8],
    beside: Option<&'a [u8]>,
    host: impl FnOnce() -> Option<&'a [u8]>,
) -> Option<Authority<'a>> {
    fields::authority_of_target(method, target)
        .or_else(|| fields::authority(beside?))
        .or_else(|| fields::authority(host()?))
}

/// The target as it may be shown: without the password, and the user, of an absolute URI.
pub(super) fn shown_target<'a>(target: &'a [u8], passwords: bool) -> Cow<'a, [u8]> {
    match fields::userinfo_range(target).filter(|_| !passwords) {
        Some(userinfo) => {
            let (before, after) = (target.get(..userinfo.start), target.get(userinfo.end..));
            [before.unwrap_or_default(), MASKED, after.unwrap_or_default()].concat().into()
        }
        None => Cow::Borrowed(target),
    }
}

/// Headers with credentials.
const SECRETS: [&str; 2] = ["Authorization", "Proxy-Authorization"];

/// Whether there may be credentials among the headers that may not be shown.
pub(super) fn hides_some(headers: &Headers<'_>, passwords: bool) -> bool {
    !passwords && headers.may_have(&SECRETS)
}

/// The value of a header as it may be shown: of credentials only the scheme, if `hides` those.
pub(super) fn shown_value<'a>(header: &'a Header<'_>, hides: bool) -> Cow<'a, [u8]> {
    let is_secret = || SECRETS.iter().any(|secret| secret.as_bytes().eq_ignore_ascii_case(header.name));
    if hides && is_secret() { masked(&header.value).into() } else { Cow::Borrowed(&header.value) }
}

/// Credentials without their secret.
fn masked(credentials: &[u8]) -> Vec<u8> {
    let scheme = credentials.split(|byte| byte.is_ascii_whitespace()).next().unwrap_or_default();
    match scheme.len() {
        // Without a scheme all of it may be the secret.
        length if length == credentials.len() && length > 0 => MASKED.to_vec(),
        length if length == credentials.len() => Vec::new(),
        _ => [scheme, b" ", MASKED].concat(),
    }
}

/// What is between the values of a repeated header.
pub(super) fn separator(name: &[u8]) -> &'static [u8] {
    let is_cookie = name.eq_ignore_ascii_case(b"Cookie") || name.eq_ignore_ascii_case(b"Set-Cookie");
    if is_cookie { b"; " } else { b", " }
}

/// The codings of a body in the order in which they were applied: those of the content, then those of the transfer.
pub(super) fn codings(headers: &Headers<'_>) -> Result<Codings, CodingProblem> {
    let content = headers.values(b"Content-Encoding").flat_map(fields::tokens);
    coding::parse(content.chain(framing::transfer_codings(headers)))
}

/// Notes which part of an entity a body with these headers is.
pub(super) fn note_part(headers: &Headers<'_>, start: &mut Start<'_>) {
    let said = headers.value(b"Content-Range").and_then(fields::content_range);
    let (range, total) = said.map_or((None, None), |said| (said.range, said.total));
    // All of it in one part is the whole.
    start.is_part = match (range, total) {
        (Some((0, last)), Some(total)) => last.checked_add(1) != Some(total),
        _ => true,
    };
    start.range_start = range.map(|(first, _)| first).filter(|_| start.is_part);
    let counts_bytes = said.is_some_and(|said| said.unit.eq_ignore_ascii_case(b"bytes"));
    start.range_end =
        range.and_then(|(_, last)| last.checked_add(1)).filter(|_| start.is_part && counts_bytes);
    start.total = total;
}

/// The name of the file that the body is, as its sender says.
pub(super) fn file_name(headers: &Headers<'_>) -> Option<Vec<u8>> {
    fields::file_name(headers.value(b"Content-Disposition")?)
}

/// The same of a part of a multipart body: mail programs name files beside their type as well.
pub(super) fn part_name(headers: &Headers<'_>) -> Option<Vec<u8>> {
    file_name(headers).or_else(|| fields::name_beside_type(headers.value(b"Content-Type")?))
}

/// The client's SETTINGS in a request that asks for HTTP/2 (RFC 7540, 3.2.1).
pub(super) fn http2_settings(head: &RequestHead<'_>) -> Option<Vec<u8>> {
    BASE64URL.decode(head.headers.value(b"HTTP2-Settings")?).ok()
}

/// What the connection becomes with a response to a request of `method`; none where it stays HTTP.
pub(super) fn upgraded_to(method: Option<&[u8]>, head: &ResponseHead<'_>) -> Option<Vec<u8>> {
    if method == Some(b"CONNECT") && matches!(head.status, 200..=299) {
        return Some(b"connect".to_vec());
    }
    if head.status != 101 {
        return None;
    }
    let protocol = fields::tokens(head.headers.value(b"Upgrade")?).next()?;
    Some(protocol.to_ascii_lowercase())
}

/// What is known by its head of the file in a request.
pub(super) fn start_of_request<'a>(head: &'a RequestHead<'_>) -> Start<'a> {
    Start {
        protocol: NAME,
        is_request: true,
        // An upload is not named by where it goes to.
        filename: file_name(&head.headers).map(Into::into),
        host: authority(head).map(|authority| authority.host),
        uri: Some(head.target),
        ..Start::default()
    }
}

/// What is known by the heads of its exchange of the file in a response.
pub(super) fn start_of_response<'a>(
    request: Option<&'a Asked<'_>>,
    response: &'a ResponseHead<'_>,
) -> Start<'a> {
    let authority = request.and_then(|request| {
        authority_of(request.method, request.target, request.authority, || request.host.as_deref())
    });
    let given = file_name(&response.headers).map(Into::into);
    let mut start = Start {
        protocol: NAME,
        filename: given.or_else(|| fields::file_name_of_target(request?.target)),
        host: authority.map(|authority| authority.host),
        uri: request.map(|request| request.target),
        ..Start::default()
    };
    if response.status == 206 {
        note_part(&response.headers, &mut start);
    }
    // What other methods get from a URI is not what is there.
    if request.is_some_and(|request| request.method == b"GET") {
        start.validator = validator(response);
    }
    start
}

/// What tells the version of an entity that this is, or is a part of, from others (RFC 9110, 8.8); none where no part of it
/// can follow.
fn validator<'a>(response: &'a ResponseHead<'_>) -> Option<&'a [u8]> {
    let headers = &response.headers;
    let modified = || headers.value(b"Last-Modified");
    match response.status {
        206 => headers.value(b"ETag").or_else(modified),
        200 => {
            let has_ranges = || headers.value(b"Accept-Ranges").is_some_and(|unit| unit == b"bytes");
            headers.value(b"ETag").or_else(|| modified().filter(|_| has_ranges()))
        }
        _ => None,
    }
    .filter(|validator| !validator.is_empty())
}
