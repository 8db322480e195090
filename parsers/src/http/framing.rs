//! How the body of a message is delimited (RFC 9112, 6.3).

use super::fields::tokens;
use super::head::{Headers, RequestHead, ResponseHead, decimal, trim};
use super::oddities::Oddities;

/// What delimits a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// There is none.
    None,
    /// So many bytes; 0 where a length says so.
    Length(u64),
    /// Chunks (RFC 9112, 7.1).
    Chunked,
    /// Whatever comes until the connection ends.
    UntilClose,
}

/// The body of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    /// What delimits the body.
    pub body: Body,
    /// What is odd about the headers that say so.
    pub oddities: Oddities,
}

/// What delimits the body of a request.
pub fn of_request(head: &RequestHead<'_>) -> Framing {
    let lengths = Lengths::read(&head.headers, head.version);
    let body = match (lengths.coding, lengths.length) {
        (Some(Coding::Chunked), _) => Body::Chunked,
        // A server refuses it and closes (RFC 9112, 6.3, rule 4); what follows is no request.
        (Some(Coding::Other), _) => Body::UntilClose,
        (None, Some(length)) => Body::Length(length),
        (None, None) => Body::None,
    };
    Framing { body, oddities: lengths.oddities }
}

/// What delimits the body of a response to a request of `method` (`None` where the request was not seen).
pub fn of_response(head: &ResponseHead<'_>, method: Option<&[u8]>) -> Framing {
    let lengths = Lengths::read(&head.headers, head.version);
    let connected = method == Some(b"CONNECT") && matches!(head.status, 200..=299);
    let bodiless = method == Some(b"HEAD") || matches!(head.status, 100..=199 | 204 | 304);
    let body = match (lengths.coding, lengths.length) {
        _ if connected || bodiless => Body::None,
        (Some(Coding::Chunked), _) => Body::Chunked,
        (Some(Coding::Other), _) => Body::UntilClose,
        (None, Some(length)) => Body::Length(length),
        (None, None) => Body::UntilClose,
    };
    Framing { body, oddities: lengths.oddities }
}

/// The transfer codings of a body apart from `chunked` and `identity`, in the order in which they were applied
/// (RFC 9112, 6.1): `gzip` of `gzip, chunked`.
pub fn transfer_codings<'h>(headers: &'h Headers<'_>) -> impl Iterator<Item = &'h [u8]> {
    headers.values(b"Transfer-Encoding").flat_map(tokens).map(without_parameters).filter(|coding| {
        !coding.eq_ignore_ascii_case(b"chunked") && !coding.eq_ignore_ascii_case(b"identity")
    })
}

/// What the last transfer coding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Chunked,
    Other,
}

/// What the headers say about the length of a body.
struct Lengths {
    length: Option<u64>,
    coding: Option<Coding>,
    oddities: Oddities,
}

impl Lengths {
    fn read(headers: &Headers<'_>, version: &[u8]) -> Self {
        let mut this = Self { length: None, coding: None, oddities: Oddities::NONE };
        let mut has_length = false;
        for value in headers.values(b"Content-Length") {
            has_length = true;
            this.add_length(value);
        }
        let mut has_coding = false;
        for value in headers.values(b"Transfer-Encoding") {
            has_coding = true;
            this.add_codings(value);
        }
        this.oddities.note(has_length && has_coding, Oddities::LENGTH_AND_CODING);
        if has_coding && is_before_1_1(version) {
            // There were none then: browsers and servers go by the length, or read until the end (RFC 9112, 6.1).
            this.oddities |= Oddities::CODING_BEFORE_1_1;
            this.coding = None;
        }
        this
    }

    /// Repeated lengths, in one header or several, are fine where they agree; else the first counts.
    fn add_length(&mut self, value: &[u8]) {
        for length in value.split(|byte| *byte == b',') {
            match (decimal(trim(length)), self.length) {
                (None, _) => self.oddities |= Oddities::BAD_LENGTH,
                (Some(length), None) => self.length = Some(length),
                (Some(length), Some(first)) => {
                    self.oddities.note(length != first, Oddities::DIFFERING_LENGTHS);
                }
            }
        }
    }

    fn add_codings(&mut self, value: &[u8]) {
        let mut any = false;
        for coding in tokens(value).map(without_parameters) {
            any = true;
            let is = |names: &[&[u8]]| names.iter().any(|name| coding.eq_ignore_ascii_case(name));
            if is(&[b"identity"]) {
                continue;
            }
            self.oddities.note(self.coding == Some(Coding::Chunked), Oddities::CHUNKED_NOT_LAST);
            if is(&[b"chunked"]) {
                self.coding = Some(Coding::Chunked);
                continue;
            }
            self.coding = Some(Coding::Other);
            self.oddities.note(
                !is(&[b"gzip", b"x-gzip", b"deflate", b"compress", b"x-compress", b"br", b"zstd"]),
                Oddities::UNKNOWN_TRANSFER_CODING,
            );
        }
        self.oddities.note(!any, Oddities::UNKNOWN_TRANSFER_CODING);
    }
}

fn without_parameters(coding: &[u8]) -> &[u8] {
    trim(coding.split(|byte| *byte == b';').next().unwrap_or_default())
}

fn is_before_1_1(version: &[u8]) -> bool {
    matches!(version, b"1.0" | [b'0', b'.', ..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::head::{request, response};

    fn request_framing(version: &str, lines: &str) -> Framing {
        let bytes = format!("POST / HTTP/{version}\r\n{lines}\r\n");
        of_request(&request(bytes.as_bytes()).unwrap())
    }

    fn response_framing(line: &str, lines: &str, method: Option<&[u8]>) -> Framing {
        let bytes = format!("{line}\r\n{lines}\r\n");
        of_response(&response(bytes.as_bytes()).unwrap(), method)
    }

    #[test]
    fn a_request_has_the_body_its_headers_announce() {
        for (lines, body, oddities) in [
            ("", Body::None, Oddities::NONE),
            ("Content-Length: 0\r\n", Body::Length(0), Oddities::NONE),
            ("content-length: 12\r\n", Body::Length(12), Oddities::NONE),
            ("Content-Length: 18446744073709551615\r\n", Body::Length(u64::MAX), Oddities::NONE),
            ("Content-Length: 18446744073709551616\r\n", Body::None, Oddities::BAD_LENGTH),
            ("Content-Length: +5\r\n", Body::None, Oddities::BAD_LENGTH),
            ("Content-Length: 0x5\r\n", Body::None, Oddities::BAD_LENGTH),
            ("Content-Length:\r\n", Body::None, Oddities::BAD_LENGTH),
            ("Content-Length: 5, 5\r\n", Body::Length(5), Oddities::NONE),
            ("Content-Length: 5\r\nContent-Length: 5\r\n", Body::Length(5), Oddities::NONE),
            ("Content-Length: 5\r\nContent-Length: 6\r\n", Body::Length(5), Oddities::DIFFERING_LENGTHS),
            ("Content-Length: 5, 6\r\n", Body::Length(5), Oddities::DIFFERING_LENGTHS),
            ("Transfer-Encoding: Chunked\r\n", Body::Chunked, Oddities::NONE),
            ("Transfer-Encoding: gzip, chunked\r\n", Body::Chunked, Oddities::NONE),
            ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", Body::Chunked, Oddities::NONE),
            (
                "Transfer-Encoding: identity\r\nContent-Length: 3\r\n",
                Body::Length(3),
                Oddities::LENGTH_AND_CODING,
            ),
            (
                "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
                Body::Chunked,
                Oddities::LENGTH_AND_CODING,
            ),
            ("Transfer-Encoding: chunked, chunked\r\n", Body::Chunked, Oddities::CHUNKED_NOT_LAST),
            ("Transfer-Encoding: chunked, gzip\r\n", Body::UntilClose, Oddities::CHUNKED_NOT_LAST),
            ("Transfer-Encoding: gzip\r\n", Body::UntilClose, Oddities::NONE),
            ("Transfer-Encoding: xchunked\r\n", Body::UntilClose, Oddities::UNKNOWN_TRANSFER_CODING),
            ("Transfer-Encoding:\r\n", Body::None, Oddities::UNKNOWN_TRANSFER_CODING),
        ] {
            let framing = request_framing("1.1", lines);
            assert_eq!((framing.body, framing.oddities), (body, oddities), "{lines}");
        }
    }

    #[test]
    fn a_transfer_coding_before_1_1_does_not_count() {
        let lines = "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n";
        let framing = request_framing("1.0", lines);
        assert_eq!(framing.body, Body::Length(3));
        assert!(framing.oddities.contains(Oddities::CODING_BEFORE_1_1));
        assert_eq!(
            response_framing("HTTP/1.0 200 OK", "Transfer-Encoding: chunked\r\n", None).body,
            Body::UntilClose
        );
    }

    #[test]
    fn a_response_has_the_body_that_method_status_and_headers_allow() {
        let length = "Content-Length: 5\r\n";
        for (line, lines, method, body) in [
            ("HTTP/1.1 200 OK", length, Some(&b"GET"[..]), Body::Length(5)),
            ("HTTP/1.1 200 OK", length, None, Body::Length(5)),
            ("HTTP/1.1 200 OK", length, Some(b"HEAD"), Body::None),
            ("HTTP/1.1 200 OK", "Transfer-Encoding: chunked\r\n", Some(b"HEAD"), Body::None),
            ("HTTP/1.1 200 OK", length, Some(b"CONNECT"), Body::None),
            ("HTTP/1.1 407 No", length, Some(b"CONNECT"), Body::Length(5)),
            ("HTTP/1.1 100 Continue", length, None, Body::None),
            ("HTTP/1.1 204 No Content", length, None, Body::None),
            ("HTTP/1.1 304 Not Modified", length, None, Body::None),
            ("HTTP/1.1 200 OK", "", None, Body::UntilClose),
            ("HTTP/1.1 200 OK", "Transfer-Encoding: gzip\r\n", None, Body::UntilClose),
            ("ICY 200 OK", "", None, Body::UntilClose),
        ] {
            assert_eq!(response_framing(line, lines, method).body, body, "{line} {lines}");
        }
    }

    #[test]
    fn transfer_codings_beside_chunked_are_told() {
        let bytes =
            b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip;q=1, identity\r\nTransfer-Encoding: chunked\r\n\r\n";
        let head = request(bytes).unwrap();
        assert_eq!(transfer_codings(&head.headers).collect::<Vec<_>>(), [b"gzip"]);
    }
}
