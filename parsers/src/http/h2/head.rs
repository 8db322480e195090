//! Fields of HTTP/2 as the heads that HTTP/1 has (RFC 9113, 8.2 and 8.3), and what is odd about them.

use super::fields::{Fields, is_pseudo};
use crate::http::fields::tokens;
use crate::http::head::{Headers, RequestHead, ResponseHead, decimal, is_token};
use crate::http::oddities::Oddities;

/// The version of all messages here.
pub const VERSION: &[u8] = b"2";

/// The head of a request.
pub fn request(fields: &Fields) -> RequestHead<'_> {
    let (headers, mut oddities) =
        headers(fields, &[b":method", b":scheme", b":authority", b":path", b":protocol"]);
    let method = fields.value(b":method").unwrap_or_default();
    let authority = fields.value(b":authority");
    let is_plain_connect = method == b"CONNECT" && fields.value(b":protocol").is_none();
    let path = fields.value(b":path");
    // A tunnel is asked for by its end alone (RFC 9113, 8.5).
    let target = path.or(authority.filter(|_| is_plain_connect)).unwrap_or_default();
    let is_missing =
        method.is_empty() || !is_plain_connect && (path.is_none() || fields.value(b":scheme").is_none());
    oddities.note(is_missing, Oddities::BAD_PSEUDO);
    oddities.note(!is_missing && target.is_empty(), Oddities::NO_TARGET);
    oddities.note(!method.iter().all(|byte| is_token(*byte)), Oddities::BAD_CHARACTER);
    oddities.note(!target.is_ascii(), Oddities::NON_ASCII_TARGET);
    oddities.note(target.iter().any(|byte| matches!(byte, b' ' | b'\t')), Oddities::SPACE_IN_TARGET);
    let differs = |host: &[u8]| authority.is_some_and(|authority| !authority.eq_ignore_ascii_case(host));
    oddities.note(headers.values(b"Host").any(differs), Oddities::DIFFERING_HOSTS);
    RequestHead { method, target, version: VERSION, authority, headers, oddities }
}

/// The head of a response; the status is 0 where there is none.
pub fn response(fields: &Fields) -> ResponseHead<'_> {
    let (headers, mut oddities) = headers(fields, &[b":status"]);
    let digits = fields.value(b":status");
    let status = digits.and_then(decimal).and_then(|status| u16::try_from(status).ok()).unwrap_or_default();
    oddities.note(digits.is_none(), Oddities::BAD_PSEUDO);
    oddities.note(
        digits.is_some_and(|digits| digits.len() != 3) || (1..100).contains(&status),
        Oddities::ODD_STATUS,
    );
    ResponseHead { version: VERSION, status, reason: b"", headers, oddities }
}

/// What is odd about trailers: they have no pseudo-header fields (RFC 9113, 8.1).
pub fn trailer_oddities(fields: &Fields) -> Oddities {
    headers(fields, &[]).1
}

/// The regular fields, and what is odd about all.
fn headers<'a>(fields: &'a Fields, known: &[&[u8]]) -> (Headers<'a>, Oddities) {
    let mut headers = Headers::default();
    let mut oddities = Oddities::NONE;
    let mut seen = 0u32;
    for (name, value) in fields.iter() {
        let is_clean = |byte: &u8| !matches!(byte, b'\0' | b'\r' | b'\n');
        oddities.note(!value.iter().all(is_clean), Oddities::BAD_CHARACTER);
        if is_pseudo(name) {
            let place = known.iter().position(|known| *known == name);
            let bit = place.map_or(0, |place| 1 << place);
            // Each once, and before all others.
            oddities.note(bit == 0 || seen & bit != 0 || !headers.is_empty(), Oddities::BAD_PSEUDO);
            seen |= bit;
            continue;
        }
        oddities.note(name.is_empty(), Oddities::NO_NAME);
        oddities.note(!name.iter().all(|byte| is_token(*byte)), Oddities::BAD_CHARACTER);
        oddities.note(name.iter().any(u8::is_ascii_uppercase), Oddities::UPPER_CASE);
        oddities.note(name.eq_ignore_ascii_case(b"transfer-encoding"), Oddities::CODING_IN_2);
        oddities.note(is_of_connection(name, value), Oddities::OF_CONNECTION);
        headers.push(name, value);
    }
    let has_too_many = fields.left_out() > 0 || headers.left_out() > 0;
    oddities.note(has_too_many, Oddities::TOO_MANY_HEADERS);
    (headers, oddities)
}

/// Whether a field is about the connection, which HTTP/2 has frames for (RFC 9113, 8.2.2).
fn is_of_connection(name: &[u8], value: &[u8]) -> bool {
    const NAMES: [&[u8]; 5] =
        [b"connection", b"proxy-connection", b"keep-alive", b"upgrade", b"http2-settings"];
    NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
        || name.eq_ignore_ascii_case(b"te")
            && tokens(value).any(|token| !token.eq_ignore_ascii_case(b"trailers"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(of: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        of.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
        fields
    }

    #[test]
    fn tells_what_breaks_the_rules() {
        let good = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")];
        for (more, oddities) in [
            (&[][..], Oddities::NONE),
            (&[("te", "trailers"), ("host", "A")], Oddities::NONE),
            (&[("te", "gzip")], Oddities::OF_CONNECTION),
            (&[("connection", "close")], Oddities::OF_CONNECTION),
            (&[("transfer-encoding", "chunked")], Oddities::CODING_IN_2),
            (&[("Accept", "x")], Oddities::UPPER_CASE),
            (&[("a", "b\r\nc: d")], Oddities::BAD_CHARACTER),
            (&[("a b", "")], Oddities::BAD_CHARACTER),
            (&[("", "x")], Oddities::NO_NAME),
            (&[(":path", "/2")], Oddities::BAD_PSEUDO),
            (&[(":status", "200")], Oddities::BAD_PSEUDO),
            (&[("a", "b"), (":protocol", "x")], Oddities::BAD_PSEUDO),
            (&[("host", "b")], Oddities::DIFFERING_HOSTS),
        ] {
            assert_eq!(request(&fields(&[&good, more].concat())).oddities, oddities, "{more:?}");
        }
        assert_eq!(request(&fields(&good[1..])).oddities, Oddities::BAD_PSEUDO);
        assert_eq!(response(&fields(&[])).oddities, Oddities::BAD_PSEUDO);
        assert_eq!(response(&fields(&[(":status", "0200")])).oddities, Oddities::ODD_STATUS);
        assert_eq!(trailer_oddities(&fields(&[(":status", "200")])), Oddities::BAD_PSEUDO);
    }

    #[test]
    fn the_target_of_a_tunnel_is_its_end() {
        let tunnel = fields(&[(":method", "CONNECT"), (":authority", "a.test:22")]);
        assert_eq!(request(&tunnel).target, b"a.test:22");
        assert_eq!(request(&tunnel).oddities, Oddities::NONE);
        let extended =
            [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/chat")];
        assert_eq!(request(&fields(&extended)).target, b"/chat");
    }
}
