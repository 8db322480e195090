//! What looks like HTTP/1: by content alone, on any port, and behind bytes that were lost or cannot be read.

use memchr::{memchr, memchr_iter, memmem, memrchr};

use super::head::{end_of_simple_request, is_token, starts_with_version};
use crate::protocol::Verdict;

/// Longest first line that is waited for.
pub const MAX_LINE: usize = 64 * 1024;

/// Methods of requests: those of IANA's registry but for `PRI`, which opens HTTP/2, and others in wide use.
const METHODS: [&[u8]; 62] = [
    b"ACL",
    b"BAN",
    b"BASELINE-CONTROL",
    b"BCOPY",
    b"BDELETE",
    b"BIND",
    b"BITS_POST",
    b"BMOVE",
    b"BPROPFIND",
    b"BPROPPATCH",
    b"CCM_POST",
    b"CHECKIN",
    b"CHECKOUT",
    b"CONNECT",
    b"COPY",
    b"DEBUG",
    b"DELETE",
    b"GET",
    b"HEAD",
    b"LABEL",
    b"LINK",
    b"LOCK",
    b"M-SEARCH",
    b"MERGE",
    b"MKACTIVITY",
    b"MKCALENDAR",
    b"MKCOL",
    b"MKREDIRECTREF",
    b"MKWORKSPACE",
    b"MOVE",
    b"NOTIFY",
    b"OPTIONS",
    b"ORDERPATCH",
    b"PATCH",
    b"POLL",
    b"POST",
    b"PROPFIND",
    b"PROPPATCH",
    b"PURGE",
    b"PUT",
    b"QUERY",
    b"REBIND",
    b"REFRESH",
    b"REPORT",
    b"RPC_IN_DATA",
    b"RPC_OUT_DATA",
    b"SEARCH",
    b"SMS_POST",
    b"SOURCE",
    b"SUBSCRIBE",
    b"TRACE",
    b"TRACK",
    b"UNBIND",
    b"UNCHECKOUT",
    b"UNLINK",
    b"UNLOCK",
    b"UNSUBSCRIBE",
    b"UPDATE",
    b"UPDATEREDIRECTREF",
    b"VERSION-CONTROL",
    b"VIEW",
    b"X-MS-ENUMATTS",
];

/// The longest of them.
const LONGEST_METHOD: usize = 17;

/// Longest method that is not known.
const MAX_METHOD: usize = 32;

/// How HTTP/2 opens with prior knowledge (RFC 9113, 3.4): no request.
pub const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Where the next head begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Here.
    At(usize),
    /// Not among so many bytes from the front, which may be dropped; what is behind them is too little to say.
    NotBefore(usize),
}

/// Whether it is one of the methods that are known.
pub fn is_known_method(method: &[u8]) -> bool {
    method.len() <= LONGEST_METHOD && METHODS.contains(&method)
}

/// Whether bytes begin with a request: a known method, a target, and the version of HTTP at the end of the line.
/// [`Verdict::NeedMore`] while they may become one.
pub fn looks_like_request(bytes: &[u8]) -> Verdict {
    let bytes = behind_an_empty_line(bytes);
    match method_at_front(bytes) {
        Verdict::Yes => {}
        other => return other,
    }
    let Some((line, whole)) = first_line(bytes) else { return Verdict::No };
    if line.iter().any(|byte| is_foreign(*byte)) {
        return Verdict::No;
    }
    match (whole, ends_with_version(line)) {
        (true, true) => Verdict::Yes,
        (true, false) => Verdict::No,
        (false, _) => Verdict::NeedMore,
    }
}

/// The same for a port on which HTTP is expected: any method will do, any byte in the target, and a request of HTTP/0.9.
pub fn may_be_request(bytes: &[u8]) -> Verdict {
    let bytes = behind_an_empty_line(bytes);
    let front = bytes.get(..=MAX_METHOD).unwrap_or(bytes);
    let method = front.iter().take_while(|byte| is_token(**byte)).count();
    match front.get(method) {
        None if method <= MAX_METHOD => return Verdict::NeedMore,
        Some(b' ') if method > 0 => {}
        _ => return Verdict::No,
    }
    match first_line(bytes) {
        None => Verdict::No,
        Some((_, false)) => Verdict::NeedMore,
        Some((line, true)) if ends_with_version(line) || end_of_simple_request(bytes).is_some() => {
            Verdict::Yes
        }
        Some((_, true)) => Verdict::No,
    }
}

/// Whether bytes begin with a response: `HTTP/`, a version, and a status (or `ICY` and a status, as servers of audio
/// streams say). [`Verdict::NeedMore`] while they may become one.
pub fn looks_like_response(bytes: &[u8]) -> Verdict {
    let bytes = behind_an_empty_line(bytes);
    for (shape, digits) in [(b"HTTP/9.9 ".as_slice(), 3..=4), (b"ICY ", 3..=3)] {
        let fits = |(byte, due): (&u8, &u8)| byte == due || *due == b'9' && byte.is_ascii_digit();
        if !bytes.iter().zip(shape).all(fits) {
            continue;
        }
        let Some(status) = bytes.get(shape.len()..) else { return Verdict::NeedMore };
        let seen = status.iter().take(*digits.end()).take_while(|byte| byte.is_ascii_digit()).count();
        return match status.get(seen) {
            None => Verdict::NeedMore,
            Some(b' ' | b'\r' | b'\n') if digits.contains(&seen) => Verdict::Yes,
            Some(_) => Verdict::No,
        };
    }
    Verdict::No
}

/// Where the next request begins: at the start of a line, or right behind a body that was lost. Linear in `bytes`.
pub fn next_request(bytes: &[u8]) -> Next {
    let mut start = 0;
    for feed in memchr_iter(b'\n', bytes) {
        let line = bytes.get(start..feed).unwrap_or_default();
        if let Some(within) = request_within(line) {
            return Next::At(start + within);
        }
        start = feed + 1;
    }
    // The last line is not whole: it is kept from the first place where a request may begin. None begins before a
    // control character, or so far back that its line is too long.
    let line = bytes.get(start..).unwrap_or_default();
    let (text, cr) = match line.split_last() {
        Some((b'\r', text)) => (text, 1),
        _ => (line, 0),
    };
    let clean = text.iter().rposition(|byte| is_foreign(*byte)).map_or(0, |control| control + 1);
    let near = line.len().saturating_sub(MAX_LINE - 1).max(clean);
    let may = |place: &usize| {
        let candidate = text.get(*place..).unwrap_or_default();
        match method_at_front(candidate) {
            Verdict::Yes => true,
            Verdict::NeedMore => cr == 0,
            Verdict::No => false,
        }
    };
    Next::NotBefore(start + (near..text.len()).find(may).unwrap_or(line.len()))
}

/// Where the next response begins, be it within a line. Linear in `bytes`.
pub fn next_response(bytes: &[u8]) -> Next {
    for place in memmem::find_iter(bytes, b"HTTP/") {
        match looks_like_response(bytes.get(place..).unwrap_or_default()) {
            Verdict::Yes => return Next::At(place),
            Verdict::NeedMore => return Next::NotBefore(place),
            Verdict::No => {}
        }
    }
    // Less than `HTTP/` may be there.
    let tail = bytes.len().saturating_sub(b"HTTP".len());
    let may = |place: &usize| b"HTTP/".starts_with(bytes.get(*place..).unwrap_or_default());
    Next::NotBefore((tail..bytes.len()).find(may).unwrap_or(bytes.len()))
}

/// The first line without its end, as far as it is there; and whether it is whole. `None` where it is too long.
fn first_line(bytes: &[u8]) -> Option<(&[u8], bool)> {
    let line = bytes.get(..MAX_LINE).unwrap_or(bytes);
    let (line, whole) = match memchr(b'\n', line) {
        Some(feed) => (line.get(..feed)?, true),
        None if bytes.len() < MAX_LINE => (line, false),
        None => return None,
    };
    // A CR at the end may be the first half of an end of the line.
    Some((line.strip_suffix(b"\r").unwrap_or(line), whole))
}

/// Where in a whole line a request begins that reaches to its end.
fn request_within(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if !ends_with_version(line) {
        return None;
    }
    let clean = line.iter().rposition(|byte| is_foreign(*byte)).map_or(0, |control| control + 1);
    let near = line.len().saturating_sub(MAX_LINE - 2).max(clean);
    let begins = |place: &usize| {
        let candidate = line.get(*place..).unwrap_or_default();
        method_at_front(candidate) == Verdict::Yes && ends_with_version(candidate)
    };
    // What fills the line is a request whatever its target holds; behind a lost body the last is the likely one.
    if begins(&near) { Some(near) } else { (near..line.len()).rfind(begins) }
}

/// Whether a known method and a space begin `bytes`.
fn method_at_front(bytes: &[u8]) -> Verdict {
    if bytes.first().is_some_and(|byte| !byte.is_ascii_uppercase()) {
        return Verdict::No;
    }
    let front = bytes.get(..=LONGEST_METHOD).unwrap_or(bytes);
    let known = match memchr(b' ', front) {
        Some(space) => is_known_method(front.get(..space).unwrap_or_default()),
        None if front.len() <= LONGEST_METHOD && METHODS.iter().any(|method| method.starts_with(front)) => {
            return Verdict::NeedMore;
        }
        None => false,
    };
    if known { Verdict::Yes } else { Verdict::No }
}

/// Whether a line ends with a target, a space, and `HTTP/1.1` or a version like it.
fn ends_with_version(line: &[u8]) -> bool {
    let Some(space) = memrchr(b' ', line) else { return false };
    let (before, version) = line.split_at_checked(space).unwrap_or_default();
    let version = version.strip_prefix(b" ").unwrap_or(version);
    let Some(numbers) = version.get(5..) else { return false };
    starts_with_version(version)
        && matches!(numbers, [b'0'..=b'9', b'.', b'0'..=b'9'])
        && before.contains(&b' ')
        && before.last() != Some(&b' ')
}

/// Nothing like it is in a first line.
fn is_foreign(byte: u8) -> bool {
    byte.is_ascii_control() && byte != b'\t'
}

/// Some send an empty line behind a body, before the next message. CR alone may be half of one.
fn behind_an_empty_line(bytes: &[u8]) -> &[u8] {
    match bytes {
        [b'\r'] => &[],
        [b'\r', b'\n', rest @ ..] | [b'\n', rest @ ..] => rest,
        _ => bytes,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_method_is_longer_than_the_longest_and_none_stands_there_twice() {
        assert_eq!(METHODS.iter().map(|method| method.len()).max(), Some(LONGEST_METHOD));
        let mut sorted = METHODS.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), METHODS.len());
    }

    #[test]
    fn recognises_requests_of_known_methods() {
        for line in [
            b"GET / HTTP/1.1\r\n".as_slice(),
            b"GET / HTTP/1.0\n",
            b"M-SEARCH * HTTP/1.1\r\nHost: a\r\n",
            b"CONNECT example.com:443 HTTP/1.1\r\n",
            b"RPC_IN_DATA /rpc/rpcproxy.dll?a:593 HTTP/1.1\r\n",
            b"GET /a b c HTTP/1.1\r\n",
            b"GET /\xff HTTP/1.1\r\n",
            b"\r\nPOST /x HTTP/1.1\r\n",
        ] {
            assert_eq!(looks_like_request(line), Verdict::Yes, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn takes_no_neighbour_for_a_request() {
        for line in [
            b"OPTIONS sip:a@b SIP/2.0\r\n".as_slice(),
            b"NOTIFY sip:a@b SIP/2.0\r\n",
            b"OPTIONS rtsp://a/b RTSP/1.0\r\n",
            b"OPTIONS icap://a/b ICAP/1.0\r\n",
            b"NOTIFY #channel :hello\r\n",
            b"GET /simple\r\n",
            b"GET HTTP/1.1\r\n",
            b"get / HTTP/1.1\r\n",
            b"FOO / HTTP/1.1\r\n",
            b"GET /\0 HTTP/1.1\r\n",
            b"GET / HTTP/1.x\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\x16\x03\x01\x02\x00",
        ] {
            assert_eq!(looks_like_request(line), Verdict::No, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn where_requests_are_expected_odd_ones_are_taken_too() {
        for (line, verdict) in [
            (b"FOO / HTTP/1.1\r\n".as_slice(), Verdict::Yes),
            (b"get /\0 HTTP/1.1\r\n", Verdict::Yes),
            (b"GET /simple\r\n", Verdict::Yes),
            (b"FOO", Verdict::NeedMore),
            (b"FOO /", Verdict::NeedMore),
            (b"FOO /simple\r\n", Verdict::No),
            (b"OPTIONS sip:a@b SIP/2.0\r\n", Verdict::No),
            (b" / HTTP/1.1\r\n", Verdict::No),
            (b"\x16\x03\x01\x02\x00", Verdict::No),
            (&[b'A'; MAX_METHOD + 1], Verdict::No),
        ] {
            assert_eq!(may_be_request(line), verdict, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn recognises_responses_and_no_neighbours() {
        for (line, verdict) in [
            (b"HTTP/1.1 200 OK\r\n".as_slice(), Verdict::Yes),
            (b"HTTP/1.0 404\r\n", Verdict::Yes),
            (b"HTTP/2.0 200 ", Verdict::Yes),
            (b"HTTP/1.1 2000 OK", Verdict::Yes),
            (b"\r\nHTTP/1.1 200 ", Verdict::Yes),
            (b"ICY 200 OK\r\n", Verdict::Yes),
            (b"HTTP/1.1 20", Verdict::NeedMore),
            (b"HTTP/1.1 200", Verdict::NeedMore),
            (b"HTTP/1", Verdict::NeedMore),
            (b"I", Verdict::NeedMore),
            (b"", Verdict::NeedMore),
            (b"\r", Verdict::NeedMore),
            (b"HTTP/1.1 20 OK", Verdict::No),
            (b"HTTP/1.1 20000 OK", Verdict::No),
            (b"HTTP/11 200 OK", Verdict::No),
            (b"RTSP/1.0 200 OK", Verdict::No),
            (b"SIP/2.0 200 OK", Verdict::No),
            (b"ICAP/1.0 200 OK", Verdict::No),
        ] {
            assert_eq!(looks_like_response(line), verdict, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn no_more_than_a_long_line_is_waited_for() {
        let mut line = b"GET /".to_vec();
        line.resize(MAX_LINE - 1, b'a');
        assert_eq!(looks_like_request(&line), Verdict::NeedMore);
        line.push(b'a');
        assert_eq!(looks_like_request(&line), Verdict::No);
        line.extend_from_slice(b" HTTP/1.1\r\n");
        assert_eq!(looks_like_request(&line), Verdict::No);
    }

    #[test]
    fn the_next_request_is_found_behind_junk() {
        for (bytes, next) in [
            (b"GET / HTTP/1.1\r\n".as_slice(), Next::At(0)),
            (b"junk\nGET / HTTP/1.1\r\n", Next::At(5)),
            (b"\0\x01junkGET /a HTTP/1.1\r\n", Next::At(6)),
            (b"GET /\0POST /a HTTP/1.1\r\n", Next::At(6)),
            (b"x=GET y&POST /a HTTP/1.1\r\n", Next::At(8)),
            (b"junk GET /a", Next::NotBefore(5)),
            (b"junk\r\nGET /a HTTP/1.1\r", Next::NotBefore(6)),
            (b"junk P", Next::NotBefore(5)),
            (b"junk P\r", Next::NotBefore(7)),
            (b"junk\r\n", Next::NotBefore(6)),
            (b"", Next::NotBefore(0)),
        ] {
            assert_eq!(next_request(bytes), next, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn the_next_response_is_found_behind_junk() {
        for (bytes, next) in [
            (b"HTTP/1.1 200 OK\r\n".as_slice(), Next::At(0)),
            (b"</html>HTTP/1.1 200 OK\r\n", Next::At(7)),
            (b"HTTP/1.1 is HTTP/1.0 304 \r\n", Next::At(12)),
            (b"junk HTTP/1.1 2", Next::NotBefore(5)),
            (b"junk HT", Next::NotBefore(5)),
            (b"junk HTTX", Next::NotBefore(9)),
        ] {
            assert_eq!(next_response(bytes), next, "{}", bytes.escape_ascii());
        }
    }

    /// Bytes of which some are the words that matter.
    fn text() -> impl Strategy<Value = Vec<u8>> {
        let words = [
            b"GET ".as_slice(),
            b"POST",
            b"/a b",
            b" HTTP/1.1",
            b"HTTP/1.1 200 OK",
            b"\r\n",
            b"\n",
            b"\r",
            b"\0",
            b"H",
            b"ICY 200",
        ];
        let word = prop_oneof![
            4 => prop::sample::select(words.to_vec()).prop_map(<[u8]>::to_vec),
            1 => prop::collection::vec(any::<u8>(), 0..4),
        ];
        prop::collection::vec(word, 0..8).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn a_verdict_is_not_taken_back_when_more_comes(bytes in text(), cut in 0..40usize) {
            let front = bytes.get(..cut).unwrap_or(&bytes);
            for look in [looks_like_request, may_be_request, looks_like_response] {
                match look(front) {
                    Verdict::NeedMore => {}
                    verdict => prop_assert_eq!(look(&bytes), verdict),
                }
            }
        }

        #[test]
        fn what_is_dropped_holds_no_head(bytes in text(), cut in 0..40usize) {
            let front = bytes.get(..cut).unwrap_or(&bytes);
            for next in [next_request, next_response] {
                match (next(front), next(&bytes)) {
                    (Next::At(place), whole) => prop_assert_eq!(whole, Next::At(place)),
                    (Next::NotBefore(dropped), Next::At(place)) => {
                        prop_assert!(dropped <= place);
                        prop_assert_eq!(next(&bytes[dropped..]), Next::At(place - dropped));
                    }
                    (Next::NotBefore(dropped), Next::NotBefore(kept)) => prop_assert!(dropped <= kept),
                }
            }
        }
    }
}
