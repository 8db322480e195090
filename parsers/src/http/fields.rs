//! Values of headers, as far as rows and files need them (RFC 9110 and where each item says).
//!
//! Nothing here fails: what a value does not say is `None`, and what it says badly is read as browsers read it.

use std::borrow::Cow;
use std::net::Ipv6Addr;
use std::ops::Range;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use memchr::{memchr, memchr2, memmem, memrchr, memrchr2};
use percent_encoding::percent_decode;

use super::head::{decimal, trim};

/// Headers that show a proxy, as Zeek has them.
pub const PROXY_HEADERS: [&str; 7] = [
    "FORWARDED",
    "X-FORWARDED-FOR",
    "X-FORWARDED-FROM",
    "CLIENT-IP",
    "VIA",
    "XROXY-CONNECTION",
    "PROXY-CONNECTION",
];

/// Most pieces of a file name that came in several (RFC 2231, 3).
const MAX_CONTINUATIONS: usize = 32;

/// Padding is often forgotten, and what is left of it is nobody's secret.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Whether a header of this name shows a proxy.
pub fn is_proxy_header(name: &[u8]) -> bool {
    PROXY_HEADERS.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name))
}

/// The elements of a list (RFC 9110, 5.6.1), trimmed, without empty ones: of Connection, Upgrade, Content-Encoding,
/// Transfer-Encoding.
pub fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(trim).filter(|token| !token.is_empty())
}

/// `name=value` behind semicolons (RFC 9110, 5.6.6); values in quotes come without them.
#[derive(Clone, Debug)]
pub struct Parameters<'a>(&'a [u8]);

impl<'a> Parameters<'a> {
    /// Of the rest of a value: from the first semicolon on.
    pub fn new(rest: &'a [u8]) -> Self {
        Self(rest)
    }

    /// The value of the first parameter of this name, in any case.
    pub fn value(&self, name: &[u8]) -> Option<Cow<'a, [u8]>> {
        self.clone().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl<'a> Iterator for Parameters<'a> {
    type Item = (&'a [u8], Cow<'a, [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            while let [b';' | b' ' | b'\t' | b',', rest @ ..] = self.0 {
                self.0 = rest;
            }
            if self.0.is_empty() {
                return None;
            }
            let end = self.0.iter().position(|byte| matches!(byte, b'=' | b';')).unwrap_or(self.0.len());
            let (name, rest) = split(self.0, end);
            let Some(rest) = rest.strip_prefix(b"=") else {
                // A word without a value says nothing.
                self.0 = rest;
                continue;
            };
            let rest = trim_start(rest);
            let (value, rest) = if rest.starts_with(b"\"") {
                quoted(rest)
            } else {
                let (value, rest) = split(rest, memchr(b';', rest).unwrap_or(rest.len()));
                (Cow::Borrowed(trim(value)), rest)
            };
            self.0 = rest;
            return Some((trim(name), value));
        }
    }
}

/// A media type (RFC 9110, 8.3).
#[derive(Clone, Debug)]
pub struct ContentType<'a> {
    /// Type and subtype, lower-cased: `text/html`.
    pub essence: Cow<'a, [u8]>,
    /// What follows.
    pub parameters: Parameters<'a>,
}

impl<'a> ContentType<'a> {
    /// The boundary of a `multipart/*`.
    pub fn boundary(&self) -> Option<Cow<'a, [u8]>> {
        self.essence.starts_with(b"multipart/").then(|| self.parameters.value(b"boundary"))?
    }
}

/// Of a value of Content-Type; `None` where it does not name a type and a subtype.
pub fn content_type(value: &[u8]) -> Option<ContentType<'_>> {
    let (essence, rest) = split(value, memchr2(b';', b',', value).unwrap_or(value.len()));
    let essence = trim(essence);
    let slash = memchr(b'/', essence)?;
    if slash == 0 || slash + 1 == essence.len() || essence.iter().any(u8::is_ascii_whitespace) {
        return None;
    }
    let essence = if essence.iter().any(u8::is_ascii_uppercase) {
        Cow::Owned(essence.to_ascii_lowercase())
    } else {
        Cow::Borrowed(essence)
    };
    Some(ContentType { essence, parameters: Parameters::new(rest) })
}

/// The name of the file of a Content-Disposition (RFC 6266, RFC 7578): of `filename*` if it can be read, else of
/// `filename`, else of its continuations (RFC 2231). Only the last component of a path; UTF-8 where the charset is
/// told, else the bytes as sent.
pub fn file_name(value: &[u8]) -> Option<Vec<u8>> {
    // Some send the parameters alone.
    let start = match (memchr(b';', value), memchr(b'=', value)) {
        (Some(semicolon), Some(equals)) if semicolon < equals => semicolon,
        (_, Some(_)) => 0,
        _ => return None,
    };
    let parameters = Parameters::new(split(value, start).1);
    parameters
        .value(b"filename*")
        .and_then(|value| extended(&value))
        .or_else(|| parameters.value(b"filename").map(|value| encoded_words(&value)))
        .or_else(|| continued(&parameters))
        .and_then(|name| last_component(&name).map(<[u8]>::to_vec))
}

/// The name of a file beside its type (RFC 2045, 5.1, as it was before): `name*` or `name` of a Content-Type.
pub fn name_beside_type(value: &[u8]) -> Option<Vec<u8>> {
    let parameters = content_type(value)?.parameters;
    parameters
        .value(b"name*")
        .and_then(|value| extended(&value))
        .or_else(|| parameters.value(b"name").map(|value| encoded_words(&value)))
        .and_then(|name| last_component(&name).map(<[u8]>::to_vec))
}

/// The name of a file by the target of a request: the last segment of its path, decoded, without the query.
pub fn file_name_of_target(target: &[u8]) -> Option<Cow<'_, [u8]>> {
    let scheme = if target.starts_with(b"/") { None } else { memmem::find(target, b"://") };
    let path = match scheme {
        Some(scheme) => {
            let (_, rest) = split(target, scheme + 3);
            let (_, path) = split(rest, rest.iter().position(|byte| b"/?#".contains(byte))?);
            path
        }
        None => target,
    };
    let (path, _) = split(path, memchr2(b'?', b'#', path).unwrap_or(path.len()));
    let segment = path.get(memrchr(b'/', path)? + 1..)?;
    match percent_decode(segment).into() {
        Cow::Borrowed(name) => last_component(name).map(Cow::Borrowed),
        Cow::Owned(name) => last_component(&name).map(|name| name.to_vec().into()),
    }
}

/// A part of an entity (RFC 9110, 14.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange<'a> {
    /// `bytes`.
    pub unit: &'a [u8],
    /// First and last byte; `None` for `*`.
    pub range: Option<(u64, u64)>,
    /// Length of the whole; `None` for `*`.
    pub total: Option<u64>,
}

/// Of a value of Content-Range: `bytes 0-99/1000`; `None` where it cannot be true.
pub fn content_range(value: &[u8]) -> Option<ContentRange<'_>> {
    let value = trim(value);
    let (unit, rest) = split(value, value.iter().position(|byte| matches!(byte, b' ' | b'\t' | b'='))?);
    let (range, total) = split_once(rest.get(1..)?, b'/')?;
    let total = match trim(total) {
        b"*" => None,
        digits => Some(decimal(digits)?),
    };
    let range = match trim(range) {
        b"*" => None,
        range => {
            let (first, last) = split_once(range, b'-')?;
            let (first, last) = (decimal(trim(first))?, decimal(trim(last))?);
            (first <= last && total.is_none_or(|total| last < total)).then_some(())?;
            Some((first, last))
        }
    };
    Some(ContentRange { unit, range, total })
}

/// Who asks (RFC 9110, 11.6.2).
#[derive(Clone, PartialEq, Eq)]
pub struct Authorization<'a> {
    /// As sent: `Basic`, `Bearer`, `Negotiate`.
    pub scheme: &'a [u8],
    /// Of Basic (RFC 7617) and Digest (RFC 7616).
    pub username: Option<Vec<u8>>,
    /// Of Basic.
    pub password: Option<Vec<u8>>,
}

impl std::fmt::Debug for Authorization<'_> {
    /// Without the password: a log is no place for it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authorization")
            .field("scheme", &self.scheme.escape_ascii().to_string())
            .field("username", &self.username.as_ref().map(|name| name.escape_ascii().to_string()))
            .finish_non_exhaustive()
    }
}

/// Of a value of Authorization or Proxy-Authorization; `None` where it is empty.
pub fn authorization(value: &[u8]) -> Option<Authorization<'_>> {
    let value = trim(value);
    let (scheme, rest) = split(value, memchr2(b' ', b'\t', value).unwrap_or(value.len()));
    if scheme.is_empty() {
        return None;
    }
    let mut authorization = Authorization { scheme, username: None, password: None };
    if scheme.eq_ignore_ascii_case(b"Basic") {
        let token = trim(rest);
        if !token.is_empty()
            && let Ok(mut credentials) = BASE64.decode(token)
        {
            if let Some(colon) = memchr(b':', &credentials) {
                authorization.password = credentials.get(colon + 1..).map(<[u8]>::to_vec);
                credentials.truncate(colon);
            }
            authorization.username = Some(credentials);
        }
    } else if scheme.eq_ignore_ascii_case(b"Digest") {
        authorization.username = digest_username(rest);
    }
    Some(authorization)
}

/// The token of Negotiate (RFC 4559, 4) in a value of Authorization or WWW-Authenticate, or of the same for proxies, still
/// in base64; `None` where there is none. Java and old versions of Windows say `Kerberos` too.
pub fn negotiate_token(value: &[u8]) -> Option<&[u8]> {
    tokens(value).find_map(|challenge| {
        let (scheme, token) = split(challenge, memchr2(b' ', b'\t', challenge)?);
        let is_scheme =
            [&b"Negotiate"[..], b"Kerberos"].iter().any(|known| known.eq_ignore_ascii_case(scheme));
        Some(trim(token)).filter(|token| is_scheme && !token.is_empty())
    })
}

/// What such a token holds.
pub fn decode_token(token: &[u8]) -> Option<Vec<u8>> {
    BASE64.decode(token).ok()
}

/// Where a server is, by name or address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// Before an `@`.
    pub userinfo: Option<&'a [u8]>,
    /// As sent; an IPv6 address without its brackets.
    pub host: &'a [u8],
    /// `None` where there is none, or what stands there is none.
    pub port: Option<u16>,
}

/// Of a value of Host, or of an authority (RFC 3986, 3.2); `None` where there is no host.
pub fn authority(value: &[u8]) -> Option<Authority<'_>> {
    let value = trim(value);
    let (userinfo, value) = match memrchr(b'@', value) {
        Some(at) => (value.get(..at), value.get(at + 1..)?),
        None => (None, value),
    };
    let (host, port) = if let Some(literal) = value.strip_prefix(b"[") {
        let (host, rest) = split_once(literal, b']')?;
        (host, rest.strip_prefix(b":"))
    } else {
        match memrchr(b':', value) {
            // An address without the brackets that are due.
            Some(_) if is_ipv6(value) => (value, None),
            Some(colon) => (value.get(..colon)?, value.get(colon + 1..)),
            None => (value, None),
        }
    };
    let port = port.and_then(decimal).and_then(|port| port.try_into().ok());
    (!host.is_empty()).then_some(Authority { userinfo, host, port })
}

/// The authority of a target: of an absolute URI, or of CONNECT (RFC 9112, 3.2.2 and 3.2.3); `None` of a path.
pub fn authority_of_target<'a>(method: &[u8], target: &'a [u8]) -> Option<Authority<'a>> {
    if method == b"CONNECT" {
        return authority(target.strip_prefix(b"//").unwrap_or(target));
    }
    authority(target.get(authority_range(target)?)?)
}

/// Where in a URI its userinfo stands, without the `@`: what there is to mask.
pub fn userinfo_range(uri: &[u8]) -> Option<Range<usize>> {
    let range = authority_range(uri)?;
    let at = memrchr(b'@', uri.get(range.clone())?)?;
    Some(range.start..range.start + at)
}

/// Where in an absolute URI its authority stands.
fn authority_range(uri: &[u8]) -> Option<Range<usize>> {
    let is_scheme = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    let scheme = uri.iter().position(|byte| !is_scheme(byte)).filter(|&scheme| scheme > 0)?;
    let rest = uri.get(scheme..)?.strip_prefix(b"://")?;
    let start = scheme + 3;
    let length = rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len());
    Some(start..start + length)
}

fn is_ipv6(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

/// Parameters of Digest stand behind commas, not semicolons.
fn digest_username(mut rest: &[u8]) -> Option<Vec<u8>> {
    loop {
        while let [b',' | b' ' | b'\t', more @ ..] = rest {
            rest = more;
        }
        let (name, value) = split_once(rest, b'=')?;
        let value = trim_start(value);
        let (value, more) = if value.starts_with(b"\"") {
            quoted(value)
        } else {
            let (value, more) = split(value, memchr(b',', value).unwrap_or(value.len()));
            (Cow::Borrowed(trim(value)), more)
        };
        let name = trim(name);
        if name.eq_ignore_ascii_case(b"username") {
            return Some(value.into_owned());
        }
        if name.eq_ignore_ascii_case(b"username*") {
            return extended(&value);
        }
        rest = more;
    }
}

/// What stands in quotes at the front, and what follows. A backslash escapes a quote or a backslash only: in anything
/// else it is the separator of a path, which browsers have sent as it is.
fn quoted(bytes: &[u8]) -> (Cow<'_, [u8]>, &[u8]) {
    let inside = bytes.strip_prefix(b"\"").unwrap_or(bytes);
    let mut value = Cow::Borrowed([].as_slice());
    let mut rest = inside;
    loop {
        let special = memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
        let (plain, behind) = split(rest, special);
        append(&mut value, plain);
        match behind {
            [b'\\', escaped @ (b'"' | b'\\'), more @ ..] => {
                append(&mut value, std::slice::from_ref(escaped));
                rest = more;
            }
            [b'\\', more @ ..] => {
                append(&mut value, b"\\");
                rest = more;
            }
            [_, more @ ..] => return (value, more),
            [] => return (value, &[]),
        }
    }
}

fn append<'a>(value: &mut Cow<'a, [u8]>, more: &'a [u8]) {
    if value.is_empty() {
        *value = Cow::Borrowed(more);
    } else if !more.is_empty() {
        value.to_mut().extend_from_slice(more);
    }
}

/// `charset'language'value`, percent-encoded (RFC 8187, 3.2).
fn extended(value: &[u8]) -> Option<Vec<u8>> {
    let (charset, rest) = split_once(value, b'\'')?;
    let (_, text) = split_once(rest, b'\'')?;
    Some(in_utf8(charset, percent_decode(text).collect()))
}

/// Text as UTF-8 where the charset is one that RFC 8187 and its forerunner name; else its bytes.
fn in_utf8(charset: &[u8], bytes: Vec<u8>) -> Vec<u8> {
    if charset.eq_ignore_ascii_case(b"ISO-8859-1") {
        bytes.into_iter().map(char::from).collect::<String>().into_bytes()
    } else {
        bytes
    }
}

/// A name in pieces: `filename*0`, `filename*1*`, … (RFC 2231, 3 and 4.1), in any order, up to the first that is missing.
fn continued(parameters: &Parameters<'_>) -> Option<Vec<u8>> {
    let mut pieces = [const { None }; MAX_CONTINUATIONS];
    for (name, value) in parameters.clone() {
        let Some((start, number)) = name.split_at_checked(b"filename*".len()) else { continue };
        let (number, encoded) = match number.strip_suffix(b"*") {
            Some(number) => (number, true),
            None => (number, false),
        };
        if start.eq_ignore_ascii_case(b"filename*")
            && let Some(piece) =
                decimal(number).and_then(|number| pieces.get_mut(usize::try_from(number).ok()?))
        {
            piece.get_or_insert((value, encoded));
        }
    }
    let mut pieces = pieces.into_iter().map_while(|piece| piece);
    let (first, encoded) = pieces.next()?;
    let (charset, first) = match split_once(&first, b'\'').filter(|_| encoded) {
        Some((charset, rest)) => (charset, split_once(rest, b'\'')?.1),
        None => ([].as_slice(), &*first),
    };
    let decoded = |value: &[u8], encoded| match encoded {
        true => percent_decode(value).collect(),
        false => value.to_vec(),
    };
    let mut name: Vec<u8> = decoded(first, encoded);
    for (value, encoded) in pieces {
        name.extend_from_slice(&decoded(&value, encoded));
    }
    Some(in_utf8(charset, name))
}

/// Decodes `=?charset?B?…?=` and `=?charset?Q?…?=` (RFC 2047), which are not allowed there, and which browsers read.
fn encoded_words(value: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(value.len());
    let mut rest = value;
    let mut behind_word = false;
    while let Some(start) = memmem::find(rest, b"=?") {
        let (before, candidate) = split(rest, start);
        let Some((word, more)) = encoded_word(candidate) else {
            let (plain, more) = split(rest, start + 2);
            text.extend_from_slice(plain);
            rest = more;
            behind_word = false;
            continue;
        };
        // White space between two words is none of the text.
        if !(behind_word && trim(before).is_empty()) {
            text.extend_from_slice(before);
        }
        text.extend_from_slice(&word);
        rest = more;
        behind_word = true;
    }
    text.extend_from_slice(rest);
    text
}

/// The text of the encoded word at the front, and what follows.
fn encoded_word(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    /// An encoded word is not longer (RFC 2047, 2); some are.
    const MAX: usize = 1024;
    let bounded = bytes.get(..MAX).unwrap_or(bytes);
    let (charset, rest) = split_once(bounded.strip_prefix(b"=?")?, b'?')?;
    let (encoding, rest) = split_once(rest, b'?')?;
    let length = memmem::find(rest, b"?=")?;
    let (text, _) = split(rest, length);
    let decoded = match encoding {
        b"B" | b"b" => BASE64.decode(text).ok()?,
        b"Q" | b"q" => {
            // The same as percent-encoding but for the signs.
            let percent: Vec<u8> = text
                .iter()
                .flat_map(|byte| match byte {
                    b'=' => b"%".as_slice(),
                    b'%' => b"%25",
                    b'_' => b" ",
                    byte => std::slice::from_ref(byte),
                })
                .copied()
                .collect();
            percent_decode(&percent).collect()
        }
        _ => return None,
    };
    let end = bounded.len() - rest.len() + length + 2;
    Some((in_utf8(charset, decoded), bytes.get(end..)?))
}

/// What stands behind the last separator of a path of any system; `None` where that is no name of a file.
fn last_component(name: &[u8]) -> Option<&[u8]> {
    let start = memrchr2(b'/', b'\\', name).map_or(0, |separator| separator + 1);
    let name = name.get(start..)?.trim_ascii();
    (!matches!(name, b"" | b"." | b"..")).then_some(name)
}

fn trim_start(bytes: &[u8]) -> &[u8] {
    let space = bytes.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    bytes.get(space..).unwrap_or_default()
}

fn split(bytes: &[u8], at: usize) -> (&[u8], &[u8]) {
    bytes.split_at_checked(at).unwrap_or((bytes, &[]))
}

fn split_once(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let (before, behind) = split(bytes, memchr(separator, bytes)?);
    Some((before, behind.get(1..)?))
}

#[cfg(test)]
mod tests;
