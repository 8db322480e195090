//! A head of HTTP/1 that is kept until its row is written: its bytes, and where in them everything is. It is asked three
//! times what it says, and need not be read as often.

use std::borrow::Cow;
use std::ops::Range;

use super::facts::Asked;
use super::head::{self, Header, Headers, Marks, RequestHead, ResponseHead};
use super::oddities::Oddities;

/// A head as it was sent. That of an answer to a simple request has no bytes.
#[derive(Debug, Default)]
pub(super) struct KeptHead {
    bytes: Box<[u8]>,
    /// None where something is not in the bytes as it was read, as a folded value is not: that is read again.
    places: Option<Places>,
}

#[derive(Debug)]
struct Places {
    first_line: FirstLine,
    version: &'static [u8],
    /// Names and values.
    headers: Box<[(Place, Place)]>,
    marks: Marks,
    oddities: Oddities,
}

#[derive(Debug)]
enum FirstLine {
    Request { method: Place, target: Place },
    Response { status: u16, reason: Place },
}

/// A part of a head: no head is longer than [`MAX_HEAD`](super::MAX_HEAD).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    start: u32,
    length: u32,
}

impl KeptHead {
    /// That of a request, from which `read` was read.
    pub(super) fn of_request(bytes: &[u8], read: &RequestHead<'_>) -> Self {
        let places = || {
            let method = Place::find(read.method, bytes)?;
            let first_line = FirstLine::Request { method, target: Place::find(read.target, bytes)? };
            Places::find(first_line, read.version, &read.headers, read.oddities, bytes)
        };
        Self { bytes: bytes.into(), places: places() }
    }

    /// That of a response, from which `read` was read.
    pub(super) fn of_response(bytes: &[u8], read: &ResponseHead<'_>) -> Self {
        let places = || {
            let reason = Place::find(read.reason, bytes)?;
            let first_line = FirstLine::Response { status: read.status, reason };
            Places::find(first_line, read.version, &read.headers, read.oddities, bytes)
        };
        Self { bytes: bytes.into(), places: places() }
    }

    /// As it was sent.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes of memory that it holds beside itself.
    pub(super) fn held(&self) -> usize {
        self.bytes.len() + self.places.as_ref().map_or(0, |places| size_of_val(&*places.headers))
    }

    /// What it says as that of a request.
    pub(super) fn request(&self) -> Option<RequestHead<'_>> {
        let Some(places) = &self.places else { return head::request(&self.bytes) };
        let FirstLine::Request { method, target } = places.first_line else { return None };
        Some(RequestHead {
            method: method.of(&self.bytes),
            target: target.of(&self.bytes),
            version: places.version,
            authority: None,
            headers: places.headers(&self.bytes),
            oddities: places.oddities,
        })
    }

    /// What it says about the file in the response.
    pub(super) fn asked(&self) -> Option<Asked<'_>> {
        let Some(places) = &self.places else { return head::request(&self.bytes).map(Asked::new) };
        let FirstLine::Request { method, target } = places.first_line else { return None };
        let is_host = |name: &Place| name.of(&self.bytes).eq_ignore_ascii_case(b"Host");
        let host = places.headers.iter().find(|(name, _)| is_host(name));
        Some(Asked {
            method: method.of(&self.bytes),
            target: target.of(&self.bytes),
            authority: None,
            host: host.map(|(_, value)| Cow::Borrowed(value.of(&self.bytes))),
        })
    }

    /// What it says as that of a response.
    pub(super) fn response(&self) -> Option<ResponseHead<'_>> {
        let Some(places) = &self.places else { return head::response(&self.bytes) };
        let FirstLine::Response { status, reason } = places.first_line else { return None };
        Some(ResponseHead {
            version: places.version,
            status,
            reason: reason.of(&self.bytes),
            headers: places.headers(&self.bytes),
            oddities: places.oddities,
        })
    }
}

impl Places {
    fn find(
        first_line: FirstLine,
        version: &[u8],
        headers: &Headers<'_>,
        oddities: Oddities,
        bytes: &[u8],
    ) -> Option<Self> {
        let version = match version {
            b"1.1" => b"1.1",
            b"1.0" => b"1.0",
            _ => return None,
        };
        if headers.left_out() > 0 {
            return None;
        }
        let mut places = Vec::with_capacity(headers.len());
        for header in headers {
            places.push((Place::find(header.name, bytes)?, Place::find(&header.value, bytes)?));
        }
        let marks = headers.marks();
        Some(Self { first_line, version, headers: places.into_boxed_slice(), marks, oddities })
    }

    fn headers<'a>(&self, bytes: &'a [u8]) -> Headers<'a> {
        let header =
            |(name, value): &(Place, Place)| Header { name: name.of(bytes), value: value.of(bytes).into() };
        Headers::restored(self.headers.iter().map(header).collect(), self.marks)
    }
}

impl Place {
    /// Where `part` is in `bytes`; none where it lies elsewhere.
    pub(super) fn find(part: &[u8], bytes: &[u8]) -> Option<Self> {
        if part.is_empty() {
            return Some(Self::default());
        }
        let start = part.as_ptr().addr().checked_sub(bytes.as_ptr().addr())?;
        let room = bytes.len().checked_sub(start)?;
        if part.len() > room {
            return None;
        }
        Some(Self { start: start.try_into().ok()?, length: part.len().try_into().ok()? })
    }

    pub(super) fn range(self) -> Range<usize> {
        let start = self.start as usize;
        start..start + self.length as usize
    }

    fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.range()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(bytes: &[u8]) -> KeptHead {
        KeptHead::of_request(bytes, &head::request(bytes).unwrap())
    }

    fn response(bytes: &[u8]) -> KeptHead {
        KeptHead::of_response(bytes, &head::response(bytes).unwrap())
    }

    #[test]
    fn a_usual_head_is_not_read_again() {
        assert!(request(b"GET /a HTTP/1.1\r\nHost: a\r\nAccept:\r\n\r\n").places.is_some());
        assert!(response(b"HTTP/1.0 200 OK\r\nServer: a\r\n\r\n").places.is_some());
    }

    #[test]
    fn what_a_head_says_in_other_words_is_read_again() {
        for lines in ["GET /a\r\n", "GET /a HTTP/1.2\r\n\r\n", "GET /a HTTP/1.1\r\nA: b\r\n c\r\n\r\n"] {
            let kept = request(lines.as_bytes());
            assert!(kept.places.is_none(), "{lines}");
            assert_eq!(kept.request(), head::request(lines.as_bytes()));
        }
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(head::MAX_HEADERS + 1));
        assert_eq!(request(many.as_bytes()).request().unwrap().headers.left_out(), 1);
    }

    #[test]
    fn a_request_is_no_response() {
        assert_eq!(request(b"GET / HTTP/1.1\r\n\r\n").response(), None);
        assert_eq!(response(b"HTTP/1.1 200 OK\r\n\r\n").request(), None);
    }

    #[test]
    fn holds_its_bytes_and_places() {
        let bytes = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_eq!(request(bytes).held(), bytes.len() + 16);
    }

    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            8 => "([A-Za-z-]{1,12}|Host|hOST): ?[ -~]{0,20}",
            1 => " [a-z]{0,3}",
            1 => "[a-z :\t\u{e4}\u{1}]{0,6}",
        ]
    }

    proptest! {
        #[test]
        fn says_what_was_read(
            first in "(GET|PUT) [/a-z?=]{0,9} HTTP/1\\.[0-2]|HTTP/1\\.[0-2] [0-9]{1,3}( [a-z ]{0,5})?|(GET )?[a-z/ ]{0,9}",
            lines in prop::collection::vec(line(), 0..12),
            end in "\r?\n",
        ) {
            let text = format!("{first}{end}{}{end}", lines.iter().map(|line| format!("{line}{end}")).collect::<String>());
            let bytes = text.as_bytes();
            if let Some(read) = head::request(bytes) {
                let kept = KeptHead::of_request(bytes, &read);
                prop_assert_eq!(kept.asked(), Some(Asked::new(read.clone())));
                prop_assert_eq!(kept.request(), Some(read));
                prop_assert_eq!(kept.bytes(), bytes);
            }
            if let Some(read) = head::response(bytes) {
                let kept = KeptHead::of_response(bytes, &read);
                prop_assert_eq!(kept.response(), Some(read));
            }
        }
    }
}
