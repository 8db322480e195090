//! The head of a message: its first line and its headers (RFC 9112, 2 to 5).
//!
//! Well-formed heads are read by `httparse`; what it refuses is read line by line, and what is odd is noted. Nothing of a
//! head is dropped in silence.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use memchr::{memchr, memchr_iter, memrchr2};

use super::oddities::Oddities;
use super::recognition::is_known_method;

/// Most headers that are kept of one head; those behind are counted.
pub const MAX_HEADERS: usize = 1000;

/// Headers that `httparse` has room for: more are rare, and read line by line.
const SLOTS: usize = 128;

/// The first line and the headers of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead<'a> {
    /// As sent: methods are case-sensitive.
    pub method: &'a [u8],
    /// As sent, in any of its four forms (RFC 9112, 3.2).
    pub target: &'a [u8],
    /// As sent, without `HTTP/`: `1.1`; `0.9` where there was none.
    pub version: &'a [u8],
    /// The host and port that it goes to, where they do not stand in the target or in a header (RFC 9113, 8.3.1).
    pub authority: Option<&'a [u8]>,
    /// The headers, in order.
    pub headers: Headers<'a>,
    /// What is odd about the head.
    pub oddities: Oddities,
}

/// The first line and the headers of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead<'a> {
    /// As sent, without `HTTP/`: `1.1`; `ICY` of a server that says that instead.
    pub version: &'a [u8],
    /// 0 to 65535: other than three digits have been seen.
    pub status: u16,
    /// The reason phrase, trimmed; empty where there is none.
    pub reason: &'a [u8],
    /// The headers, in order.
    pub headers: Headers<'a>,
    /// What is odd about the head.
    pub oddities: Oddities,
}

/// One header, or one trailer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// As sent, without white space around it; of a line without a colon, the line.
    pub name: &'a [u8],
    /// Without white space around it, and with one space for each fold.
    pub value: Cow<'a, [u8]>,
}

/// Headers in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers<'a> {
    list: Vec<Header<'a>>,
    left_out: usize,
    marks: Marks,
}

/// What is known of the names of headers without a look at each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// A bit for each name, which others may have too: most of what is asked for is not there, and need not be looked for.
    bits: u64,
    /// One of them is there twice.
    repeats: bool,
}

impl<'a> Headers<'a> {
    /// All of them, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Header<'a>> {
        self.list.iter()
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The value of the first header of this name, in any case.
    pub fn value(&self, name: &[u8]) -> Option<&[u8]> {
        self.values(name).next()
    }

    /// The values of all headers of this name, in any case.
    pub fn values(&self, name: &[u8]) -> impl Iterator<Item = &[u8]> {
        let list = if self.marks.bits & mark(name) == 0 { &[] } else { self.list.as_slice() };
        list.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| &*header.value)
    }

    /// As [`Headers::value`], without the rest.
    pub(super) fn into_value(self, name: &[u8]) -> Option<Cow<'a, [u8]>> {
        self.list.into_iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
    }

    /// Whether two have the same name, in any case.
    pub(super) fn repeat(&self) -> bool {
        self.marks.repeats
    }

    /// Whether there may be one with one of these names.
    #[inline(always)]
    pub(super) fn may_have(&self, names: &[&str]) -> bool {
        self.marks.bits & names.iter().fold(0, |bits, name| bits | mark(name.as_bytes())) != 0
    }

    /// As they were before.
    pub(super) fn restored(list: Vec<Header<'a>>, marks: Marks) -> Self {
        Self { list, left_out: 0, marks }
    }

    pub(super) fn marks(&self) -> Marks {
        self.marks
    }

    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { list: Vec::with_capacity(capacity), ..Self::default() }
    }

    /// How many there were no room for.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    pub(super) fn push(&mut self, name: &'a [u8], value: &'a [u8]) {
        self.add(Header { name, value: Cow::Borrowed(value) });
    }

    fn add(&mut self, header: Header<'a>) {
        if self.list.len() < MAX_HEADERS {
            self.marks.add(header.name, &self.list);
            self.list.push(header);
        } else {
            self.left_out += 1;
        }
    }

    /// Puts others behind them, as far as there is room.
    pub(super) fn append(&mut self, others: Self) {
        self.left_out += others.left_out;
        for header in others.list {
            self.add(header);
        }
    }

    fn fold(&mut self, line: &[u8]) {
        if line.is_empty() || self.left_out > 0 {
            return;
        }
        if let Some(last) = self.list.last_mut() {
            let value = last.value.to_mut();
            if !value.is_empty() {
                value.push(b' ');
            }
            value.extend_from_slice(line);
        }
    }
}

impl Marks {
    #[inline(always)]
    fn add(&mut self, name: &[u8], before: &[Header<'_>]) {
        let mark = mark(name);
        if self.bits & mark != 0 && !self.repeats {
            self.repeats = before.iter().any(|header| header.name.eq_ignore_ascii_case(name));
        }
        self.bits |= mark;
    }
}

/// One bit of 64, by the length of a name and its first and last letters, in any case.
#[inline(always)]
fn mark(name: &[u8]) -> u64 {
    let letter = |byte: Option<&u8>| u32::from(byte.copied().unwrap_or_default() | 0x20);
    let mixed = name.len() as u32 * 5 + letter(name.first()) * 7 + letter(name.last()) * 11;
    1 << (mixed % 64)
}

impl<'s, 'a> IntoIterator for &'s Headers<'a> {
    type Item = &'s Header<'a>;
    type IntoIter = std::slice::Iter<'s, Header<'a>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// How many bytes of empty lines there are before a message (RFC 9112, 2.2): they are to be dropped.
pub fn empty_lines(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
}

/// Where the head at the front of `bytes` ends, behind its empty line; lines end with CRLF or LF. [`empty_lines`] before
/// it are to be dropped first: they would be taken for the end.
///
/// `from`: 0 for a new head, else as the last call left it for the same bytes with more behind them; so a head that
/// comes byte by byte is looked at once.
pub fn end_of_head(bytes: &[u8], from: &mut usize) -> Option<usize> {
    let start = *from;
    for feed in memchr_iter(b'\n', bytes.get(start..).unwrap_or_default()) {
        let behind = start + feed + 1;
        match bytes.get(behind..).unwrap_or_default() {
            [b'\n', ..] => return Some(behind + 1),
            [b'\r', b'\n', ..] => return Some(behind + 2),
            [] | [b'\r'] => {
                *from = behind - 1;
                return None;
            }
            _ => {}
        }
    }
    *from = start.max(bytes.len());
    None
}

/// Longest request of HTTP/0.9. It is looked for again with every segment of a head.
const MAX_SIMPLE: usize = 2048;

/// Where a request of HTTP/0.9 at the front of `bytes` ends: `GET`, a target, and the end of the line, within 2 KiB.
/// `None` as long as the line is not whole, and for any other line.
pub fn end_of_simple_request(bytes: &[u8]) -> Option<usize> {
    let end = memchr(b'\n', bytes.get(..MAX_SIMPLE).unwrap_or(bytes))?;
    let (line, _) = line_end(bytes.get(..end)?);
    // Nearly all.
    if line.ends_with(b" HTTP/1.1") {
        return None;
    }
    let target = line.strip_prefix(b"GET ")?.trim_ascii();
    let plain = |byte: &u8| byte.is_ascii_graphic() || *byte >= 0x80;
    (!target.is_empty() && target.iter().all(plain) && !starts_with_version(target)).then_some(end + 1)
}

/// Reads the head of a request, which is whole (see [`end_of_head`] and [`end_of_simple_request`]). `None` where the
/// first line is not one of a request.
pub fn request(bytes: &[u8]) -> Option<RequestHead<'_>> {
    let mut slots = [const { MaybeUninit::<httparse::Header<'_>>::uninit() }; SLOTS];
    let mut parsed = httparse::Request::new(&mut []);
    if let Ok(httparse::Status::Complete(end)) = parsed.parse_with_uninit_headers(bytes, &mut slots)
        && let (Some(method), Some(target), Some(version)) = (parsed.method, parsed.path, parsed.version)
    {
        let mut oddities = Oddities::NONE;
        oddities.note(!target.is_ascii(), Oddities::NON_ASCII_TARGET);
        oddities.note(has_bare_lf(bytes, end), Oddities::BARE_LF);
        return Some(RequestHead {
            method: method.as_bytes(),
            target: target.as_bytes(),
            version: minor_version(version),
            authority: None,
            headers: copied(parsed.headers),
            oddities,
        });
    }
    tolerant_request(bytes)
}

/// Reads the head of a response, which is whole (see [`end_of_head`]). `None` where the first line is not one of a
/// response.
pub fn response(bytes: &[u8]) -> Option<ResponseHead<'_>> {
    let mut slots = [const { MaybeUninit::<httparse::Header<'_>>::uninit() }; SLOTS];
    let mut parsed = httparse::Response::new(&mut []);
    let outcome =
        httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut parsed, bytes, &mut slots);
    if let Ok(httparse::Status::Complete(end)) = outcome
        && let (Some(version), Some(status)) = (parsed.version, parsed.code)
    {
        let mut oddities = Oddities::NONE;
        oddities.note(status < 100, Oddities::ODD_STATUS);
        oddities.note(has_bare_lf(bytes, end), Oddities::BARE_LF);
        let reason = match parsed.reason {
            Some(reason) if !reason.is_empty() => reason.as_bytes(),
            // There may be one all the same: httparse gives none that is not ASCII.
            _ => {
                let line = bytes.get(empty_lines(bytes)..).unwrap_or_default();
                let line = line.get("HTTP/1.1 200".len()..).unwrap_or_default();
                line.split(|byte| *byte == b'\n').next().unwrap_or_default()
            }
        };
        return Some(ResponseHead {
            version: minor_version(version),
            status,
            reason: trim(strip_cr(reason)),
            headers: copied(parsed.headers),
            oddities,
        });
    }
    tolerant_response(bytes)
}

/// Reads a block of headers without a first line: trailers, or the head of a part of a multipart body. Ends with the
/// first empty line, or with the block.
pub fn header_block(bytes: &[u8]) -> (Headers<'_>, Oddities) {
    let mut oddities = Oddities::NONE;
    let headers = tolerant_headers(Lines(bytes), &mut oddities);
    (headers, oddities)
}

fn minor_version(minor: u8) -> &'static [u8] {
    if minor == 0 { b"1.0" } else { b"1.1" }
}

fn copied<'a>(parsed: &[httparse::Header<'a>]) -> Headers<'a> {
    // As many as there are slots, for which there is room.
    let list: Vec<_> = parsed
        .iter()
        .map(|header| Header { name: header.name.as_bytes(), value: Cow::Borrowed(header.value) })
        .collect();
    let mut marks = Marks::default();
    for (at, header) in list.iter().enumerate() {
        marks.add(header.name, list.get(..at).unwrap_or_default());
    }
    Headers { list, left_out: 0, marks }
}

/// Whether a line of the head that ends at `end` ends with LF alone.
fn has_bare_lf(bytes: &[u8], end: usize) -> bool {
    let bytes = bytes.get(empty_lines(bytes)..end).unwrap_or_default();
    // Without a way out in its midst it takes many bytes at a time.
    let pairs = bytes.iter().zip(bytes.get(1..).unwrap_or_default());
    pairs.fold(false, |found, (&before, &byte)| found | (byte == b'\n') & (before != b'\r'))
}

fn tolerant_request(bytes: &[u8]) -> Option<RequestHead<'_>> {
    let mut oddities = Oddities::NONE;
    let mut lines = Lines(bytes.get(empty_lines(bytes)..)?);
    let (line, bare) = lines.next()?;
    oddities.note(bare, Oddities::BARE_LF);
    let trimmed = trim(line);
    oddities.note(trimmed.len() != line.len(), Oddities::EXTRA_SPACE);
    let (method, rest) = split_at_space(trimmed);
    if method.is_empty() || !method.iter().all(|byte| is_token(*byte)) {
        return None;
    }
    let last = memrchr2(b' ', b'\t', rest).map_or(0, |space| space + 1);
    let (before, word) = rest.split_at_checked(last)?;
    let (target, version) = if starts_with_version(word) {
        let version = word.get("HTTP/".len()..)?;
        oddities.note(!matches!(version, b"1.0" | b"1.1"), Oddities::ODD_VERSION);
        (before, version)
    } else if is_known_method(method) {
        oddities |= Oddities::NO_VERSION;
        (rest, b"0.9".as_slice())
    } else {
        return None;
    };
    // One space stands on each side of a target; a target may be at the end of the line.
    let trimmed = trim(target);
    let spaces = target.len() - trimmed.len();
    let due = if target.len() == rest.len() { 1 } else { 2 };
    oddities.note(spaces > due || rest.contains(&b'\t'), Oddities::EXTRA_SPACE);
    let target = trimmed;
    oddities.note(target.is_empty(), Oddities::NO_TARGET);
    oddities.note(target.iter().any(|byte| matches!(byte, b' ' | b'\t')), Oddities::SPACE_IN_TARGET);
    oddities.note(has_control(target), Oddities::BAD_CHARACTER);
    oddities.note(!target.is_ascii(), Oddities::NON_ASCII_TARGET);
    let headers = tolerant_headers(lines, &mut oddities);
    Some(RequestHead { method, target, version, authority: None, headers, oddities })
}

fn tolerant_response(bytes: &[u8]) -> Option<ResponseHead<'_>> {
    let mut oddities = Oddities::NONE;
    let mut lines = Lines(bytes.get(empty_lines(bytes)..)?);
    let (line, bare) = lines.next()?;
    oddities.note(bare, Oddities::BARE_LF);
    let (word, rest) = split_at_space(line);
    let version = match word {
        b"ICY" => word,
        _ if starts_with_version(word) => word.get("HTTP/".len()..)?,
        _ => return None,
    };
    oddities.note(!matches!(version, b"1.0" | b"1.1"), Oddities::ODD_VERSION);
    let trimmed = trim(rest);
    oddities.note(!matches!(rest.strip_prefix(b" "), Some([b'0'..=b'9', ..])), Oddities::EXTRA_SPACE);
    let digits = trimmed.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, reason) = trimmed.split_at_checked(digits)?;
    let status = u16::try_from(decimal(digits)?).ok()?;
    oddities
        .note(digits.len() != 3 || status < 100 || !matches!(reason, [] | [b' ', ..]), Oddities::ODD_STATUS);
    oddities.note(has_control(reason), Oddities::BAD_CHARACTER);
    let headers = tolerant_headers(lines, &mut oddities);
    Some(ResponseHead { version, status, reason: trim(reason), headers, oddities })
}

fn tolerant_headers<'a>(lines: Lines<'a>, oddities: &mut Oddities) -> Headers<'a> {
    let mut headers = Headers::with_capacity(16);
    for (line, bare) in lines {
        oddities.note(bare, Oddities::BARE_LF);
        if line.is_empty() {
            break;
        }
        if let [b' ' | b'\t', ..] = line {
            *oddities |= Oddities::FOLDED;
            if !headers.is_empty() {
                let more = trim(line);
                oddities.note(has_control(more), Oddities::BAD_CHARACTER);
                headers.fold(more);
                continue;
            }
        }
        let (name, value) = match memchr(b':', line).and_then(|colon| line.split_at_checked(colon)) {
            Some((name, value)) => (name, value.strip_prefix(b":").unwrap_or(value)),
            None => {
                *oddities |= Oddities::NO_COLON;
                (line, [].as_slice())
            }
        };
        oddities.note(matches!(name, [.., b' ' | b'\t']), Oddities::SPACE_BEFORE_COLON);
        let (name, value) = (trim(name), trim(value));
        oddities.note(name.is_empty(), Oddities::NO_NAME);
        oddities
            .note(!name.iter().all(|byte| is_token(*byte)) || has_control(value), Oddities::BAD_CHARACTER);
        headers.push(name, value);
    }
    oddities.note(headers.left_out > 0, Oddities::TOO_MANY_HEADERS);
    headers
}

/// Lines without their ends, each with whether it ended with LF alone.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = (&'a [u8], bool);

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let Some((line, behind)) = memchr(b'\n', self.0).and_then(|feed| self.0.split_at_checked(feed))
        else {
            return Some((strip_cr(std::mem::take(&mut self.0)), false));
        };
        self.0 = behind.strip_prefix(b"\n").unwrap_or(behind);
        Some(line_end(line))
    }
}

/// A line that ended with LF, without a CR at its end; and whether there was none.
fn line_end(line: &[u8]) -> (&[u8], bool) {
    match line.strip_suffix(b"\r") {
        Some(line) => (line, false),
        None => (line, true),
    }
}

fn strip_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Splits before the first space or tab.
fn split_at_space(line: &[u8]) -> (&[u8], &[u8]) {
    let space = line.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
    line.split_at_checked(space).unwrap_or((line, &[]))
}

/// Without spaces and tabs at both ends.
pub(super) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Whether it begins with `HTTP/`, in any case.
pub(super) fn starts_with_version(bytes: &[u8]) -> bool {
    bytes.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"HTTP/"))
}

/// A number in digits alone; `None` where there is none, or where it does not fit.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

/// Whether it is part of a token (RFC 9110, 5.6.2).
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn has_control(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t')
}

#[cfg(test)]
mod tests;
