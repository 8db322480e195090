//! Heads as they should be and as they should not.

use proptest::prelude::*;

use super::*;

fn pairs<'a>(headers: &'a Headers<'_>) -> Vec<(&'a [u8], &'a [u8])> {
    headers.iter().map(|header| (header.name, &*header.value)).collect()
}

#[test]
fn reads_a_request() {
    let head = request(b"GET /a?b=c HTTP/1.1\r\nHost: example.com\r\nAccept:*/* \r\nX:\r\n\r\n").unwrap();
    assert_eq!((head.method, head.target, head.version), (&b"GET"[..], &b"/a?b=c"[..], &b"1.1"[..]));
    assert_eq!(pairs(&head.headers), [(&b"Host"[..], &b"example.com"[..]), (b"Accept", b"*/*"), (b"X", b"")]);
    assert!(head.oddities.is_empty(), "{:?}", head.oddities);
    assert_eq!(head.headers.value(b"hOST"), Some(&b"example.com"[..]));
}

#[test]
fn reads_a_response() {
    let head = response(b"HTTP/1.0 404 Not Found\r\nServer: a\r\n\r\n").unwrap();
    assert_eq!((head.version, head.status, head.reason), (&b"1.0"[..], 404, &b"Not Found"[..]));
    assert!(head.oddities.is_empty());
    assert_eq!(response(b"HTTP/1.1 200\r\n\r\n").unwrap().reason, b"");
    assert_eq!(response(b"HTTP/1.1 200 \r\n\r\n").unwrap().reason, b"");
}

#[test]
fn keeps_a_reason_that_is_not_ascii() {
    assert_eq!(response(b"HTTP/1.1 200 \xc9t\xe9 \r\n\r\n").unwrap().reason, b"\xc9t\xe9");
}

#[test]
fn reads_odd_request_lines_and_says_what_is_odd() {
    for (line, target, version, oddity) in [
        (&b"GET /a b HTTP/1.1"[..], &b"/a b"[..], &b"1.1"[..], Oddities::SPACE_IN_TARGET),
        (b"GET /\xff HTTP/1.1", b"/\xff", b"1.1", Oddities::NON_ASCII_TARGET),
        ("GET /é HTTP/1.1".as_bytes(), "/é".as_bytes(), b"1.1", Oddities::NON_ASCII_TARGET),
        (b"GET /\0a HTTP/1.1", b"/\0a", b"1.1", Oddities::BAD_CHARACTER),
        (b"GET / HTTP/1.2", b"/", b"1.2", Oddities::ODD_VERSION),
        (b"GET / HTTP/2.0", b"/", b"2.0", Oddities::ODD_VERSION),
        (b"GET / HTTP/0.9", b"/", b"0.9", Oddities::ODD_VERSION),
        (b"GET / http/11", b"/", b"11", Oddities::ODD_VERSION),
        (b"GET  /  HTTP/1.1", b"/", b"1.1", Oddities::EXTRA_SPACE),
        (b"GET\t/ HTTP/1.1", b"/", b"1.1", Oddities::EXTRA_SPACE),
        (b" GET / HTTP/1.1", b"/", b"1.1", Oddities::EXTRA_SPACE),
        (b"GET / HTTP/1.1 ", b"/", b"1.1", Oddities::EXTRA_SPACE),
        (b"GET HTTP/1.1", b"", b"1.1", Oddities::NO_TARGET),
        (b"GET /a", b"/a", b"0.9", Oddities::NO_VERSION),
    ] {
        let bytes = [line, b"\r\nHost: a\r\n\r\n"].concat();
        let head = request(&bytes).unwrap();
        assert_eq!((head.method, head.target, head.version), (&b"GET"[..], target, version));
        assert_eq!(head.oddities, oddity, "{}", line.escape_ascii());
        assert_eq!(pairs(&head.headers), [(&b"Host"[..], &b"a"[..])]);
    }
}

#[test]
fn reads_odd_status_lines_and_says_what_is_odd() {
    for (line, version, status, reason, oddity) in [
        (&b"ICY 200 OK"[..], &b"ICY"[..], 200, &b"OK"[..], Oddities::ODD_VERSION),
        (b"HTTP/2.0 200 OK", b"2.0", 200, b"OK", Oddities::ODD_VERSION),
        (b"HTTP/1.1 2000 OK", b"1.1", 2000, b"OK", Oddities::ODD_STATUS),
        (b"HTTP/1.1 20 OK", b"1.1", 20, b"OK", Oddities::ODD_STATUS),
        (b"HTTP/1.1 000 OK", b"1.1", 0, b"OK", Oddities::ODD_STATUS),
        (b"HTTP/1.1 200OK", b"1.1", 200, b"OK", Oddities::ODD_STATUS),
        (b"HTTP/1.1  200 OK", b"1.1", 200, b"OK", Oddities::EXTRA_SPACE),
        (b"HTTP/1.1 200 O\x01K", b"1.1", 200, b"O\x01K", Oddities::BAD_CHARACTER),
    ] {
        let bytes = [line, b"\r\nA: b\r\n\r\n"].concat();
        let head = response(&bytes).unwrap();
        assert_eq!((head.version, head.status, head.reason), (version, status, reason));
        assert_eq!(head.oddities, oddity, "{}", line.escape_ascii());
        assert_eq!(pairs(&head.headers), [(&b"A"[..], &b"b"[..])]);
    }
}

#[test]
fn refuses_what_is_no_first_line() {
    for line in [&b""[..], b"\r\n", b"\r\n\r\n", b"\0\x01 / HTTP/1.1\r\n\r\n", b"FOO bar\r\n\r\n", b"GE"] {
        assert_eq!(request(line), None, "{}", line.escape_ascii());
    }
    for line in [&b""[..], b"RTSP/1.0 200 OK\r\n\r\n", b"HTTP/1.1\r\n\r\n", b"HTTP/1.1 x\r\n\r\n"] {
        assert_eq!(response(line), None, "{}", line.escape_ascii());
    }
    assert_eq!(response(b"HTTP/1.1 99999 x\r\n\r\n"), None);
}

#[test]
fn reads_odd_headers_and_says_what_is_odd() {
    for (lines, name, value, oddity) in [
        (&b"A: b\r\n  c\r\n\td \r\n"[..], &b"A"[..], &b"b c d"[..], Oddities::FOLDED),
        (b"A:\r\n b\r\n", b"A", b"b", Oddities::FOLDED),
        (b"A: b\r\n \r\n", b"A", b"b", Oddities::FOLDED),
        (b" A: b\r\n", b"A", b"b", Oddities::FOLDED),
        (b"A : b\r\n", b"A", b"b", Oddities::SPACE_BEFORE_COLON),
        (b"A\t: b\r\n", b"A", b"b", Oddities::SPACE_BEFORE_COLON),
        (b"nothing\r\n", b"nothing", b"", Oddities::NO_COLON),
        (b": b\r\n", b"", b"b", Oddities::NO_NAME),
        (b"A: b\n", b"A", b"b", Oddities::BARE_LF),
        (b"A: b\0c\r\n", b"A", b"b\0c", Oddities::BAD_CHARACTER),
        (b"A: b\rc\r\n", b"A", b"b\rc", Oddities::BAD_CHARACTER),
        (b"A\"B: c\r\n", b"A\"B", b"c", Oddities::BAD_CHARACTER),
        (b"A: \xe9\r\n", b"A", b"\xe9", Oddities::NONE),
    ] {
        let bytes = [b"GET / HTTP/1.1\r\n", lines, b"\r\n"].concat();
        let head = request(&bytes).unwrap();
        assert_eq!(pairs(&head.headers), [(name, value)], "{}", lines.escape_ascii());
        assert_eq!(head.oddities, oddity, "{}", lines.escape_ascii());
        let bytes = [b"HTTP/1.1 200 OK\r\n", lines, b"\r\n"].concat();
        let head = response(&bytes).unwrap();
        assert_eq!(pairs(&head.headers), [(name, value)], "{}", lines.escape_ascii());
        assert_eq!(head.oddities, oddity, "{}", lines.escape_ascii());
    }
}

#[test]
fn keeps_many_headers_and_counts_those_left_out() {
    for (count, kept) in [(SLOTS, SLOTS), (SLOTS + 1, SLOTS + 1), (MAX_HEADERS + 5, MAX_HEADERS)] {
        let mut bytes = b"GET / HTTP/1.1\r\n".to_vec();
        for number in 0..count {
            bytes.extend_from_slice(format!("X-{number}: {number}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        let head = request(&bytes).unwrap();
        assert_eq!((head.headers.len(), head.headers.left_out), (kept, count - kept));
        assert_eq!(head.oddities.contains(Oddities::TOO_MANY_HEADERS), count > kept);
        let last = format!("X-{}", kept - 1);
        assert_eq!(head.headers.iter().last().unwrap().name, last.as_bytes());
    }
}

#[test]
fn a_fold_of_a_header_left_out_does_not_go_to_the_last_one_kept() {
    let mut bytes = b"A: b\r\n".repeat(MAX_HEADERS + 1);
    bytes.extend_from_slice(b" c\r\n\r\n");
    let (headers, _) = header_block(&bytes);
    assert_eq!(&*headers.iter().last().unwrap().value, b"b");
}

#[test]
fn a_block_of_headers_ends_with_an_empty_line_or_with_itself() {
    for bytes in [&b"A: b\r\nC: d"[..], b"A: b\r\nC: d\r\n", b"A: b\r\nC: d\r\n\r\nE: f\r\n"] {
        let (headers, oddities) = header_block(bytes);
        assert_eq!(pairs(&headers), [(&b"A"[..], &b"b"[..]), (b"C", b"d")]);
        assert!(oddities.is_empty());
    }
    assert!(header_block(b"").0.is_empty());
}

#[test]
fn finds_the_end_of_a_head_whatever_ends_its_lines() {
    for (bytes, end) in [
        (&b"GET /\r\nA: b\r\n\r\nbody"[..], Some(15)),
        (b"GET /\nA: b\n\nbody", Some(12)),
        (b"GET /\r\nA: b\n\r\nbody", Some(14)),
        (b"GET /\nA: b\r\n\nbody", Some(13)),
        (b"GET /\r\nA: b\r\n\r", None),
        (b"GET /\r\nA: b\r\n", None),
        (b"GET /\r\n\r\r\n", None),
        (b"", None),
    ] {
        assert_eq!(end_of_head(bytes, &mut 0), end, "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_head_byte_by_byte_is_looked_at_once() {
    let head = b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n";
    let mut from = 0;
    for length in 0..head.len() {
        assert_eq!(end_of_head(&head[..length], &mut from), None);
        assert!(length - from <= 2, "{from} of {length}");
    }
    assert_eq!(end_of_head(head, &mut from), Some(head.len()));
}

#[test]
fn repeated_headers_are_one_list() {
    let head = request(b"GET / HTTP/1.1\r\nA: b\r\nC: d\r\na: e\r\n\r\n").unwrap();
    assert_eq!(head.headers.values(b"A").collect::<Vec<_>>(), [b"b", b"e"]);
    assert_eq!(head.headers.values(b"X").count(), 0);
}

#[test]
fn what_is_around_a_head_is_no_oddity_of_it() {
    for bytes in [&b"\nGET / HTTP/1.1\r\n\r\n"[..], b"GET / HTTP/1.1\r\n\r\n\n"] {
        assert!(request(bytes).unwrap().oddities.is_empty());
        assert_eq!(request(bytes), tolerant_request(bytes));
    }
}

#[test]
fn knows_a_simple_request() {
    assert_eq!(end_of_simple_request(b"GET /a\r\nmore"), Some(8));
    assert_eq!(end_of_simple_request(b"GET /a\n"), Some(7));
    assert_eq!(end_of_simple_request(b"GET /HTTP/1.1\r\n"), Some(15));
    for line in [&b"GET /a"[..], b"GET /a HTTP/1.1\r\n", b"GET \r\n", b"GET HTTP/1.1\r\n", b"PUT /a\r\n"] {
        assert_eq!(end_of_simple_request(line), None, "{}", line.escape_ascii());
    }
    let head = request(b"GET /a\r\n").unwrap();
    assert_eq!((head.target, head.version), (&b"/a"[..], &b"0.9"[..]));
}

#[test]
fn a_simple_request_is_looked_for_in_the_first_bytes_alone() {
    let line = |length: usize| [b"GET /".as_slice(), &vec![b'a'; length - 6], b"\n"].concat();
    assert_eq!(end_of_simple_request(&line(2048)), Some(2048));
    assert_eq!(end_of_simple_request(&line(2049)), None);
}

#[test]
fn empty_lines_before_a_message_are_no_part_of_it() {
    assert_eq!(empty_lines(b"\r\n\r\n\nGET"), 5);
    assert_eq!(request(b"\r\n\r\nGET / HTTP/1.1\r\n\r\n").unwrap().method, b"GET");
    assert_eq!(response(b"\r\nHTTP/1.1 200 \xe9\r\n\r\n").unwrap().reason, b"\xe9");
}

fn token() -> impl Strategy<Value = String> {
    "[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}"
}

fn headers() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let value = "([!-~][ -~]{0,30})?".prop_map(|value| value.trim().as_bytes().to_vec());
    let odd = prop::collection::vec(0x80..=0xffu8, 1..10);
    prop::collection::vec((token(), prop_oneof![value, odd]), 0..20)
}

fn written(first: &str, headers: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = format!("{first}\r\n").into_bytes();
    for (name, value) in headers {
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

fn anything() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        &b"GET "[..],
        b"/a",
        b" ",
        b"HTTP/1.1",
        b"HTTP/1.1 200 OK",
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b":",
        b"Host: a",
        b"\t",
        b"\xff",
    ];
    let word = prop_oneof![
        4 => prop::sample::select(words.to_vec()).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(word, 0..20).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn both_readers_agree_with_httparse_on_well_formed_requests(
        method in token(), target in "[!-~]{1,40}", minor in 0..2, headers in headers(),
    ) {
        let bytes = written(&format!("{method} {target} HTTP/1.{minor}"), &headers);
        let mut slots = [httparse::EMPTY_HEADER; 32];
        let mut oracle = httparse::Request::new(&mut slots);
        prop_assert_eq!(oracle.parse(&bytes), Ok(httparse::Status::Complete(bytes.len())));
        let head = tolerant_request(&bytes).unwrap();
        prop_assert_eq!(head.method, method.as_bytes());
        prop_assert_eq!(Some(head.target), oracle.path.map(str::as_bytes));
        let expected: Vec<_> = oracle.headers.iter().map(|header| (header.name.as_bytes(), header.value)).collect();
        prop_assert_eq!(pairs(&head.headers), expected);
        prop_assert!(head.oddities.is_empty());
        prop_assert_eq!(request(&bytes), Some(head));
        prop_assert_eq!(end_of_head(&bytes, &mut 0), Some(bytes.len()));
    }

    #[test]
    fn both_readers_agree_on_well_formed_responses(
        status in 100..1000u16, reason in "([!-~][ -~]{0,20})?", minor in 0..2, headers in headers(),
    ) {
        let bytes = written(&format!("HTTP/1.{minor} {status} {reason}"), &headers);
        let head = tolerant_response(&bytes).unwrap();
        prop_assert_eq!(head.status, status);
        prop_assert_eq!(head.reason, reason.trim().as_bytes());
        prop_assert!(head.oddities.is_empty());
        prop_assert_eq!(response(&bytes), Some(head));
    }

    #[test]
    fn where_httparse_reads_anything_both_readers_agree(bytes in anything()) {
        let mut slots = [httparse::EMPTY_HEADER; 64];
        if let Ok(httparse::Status::Complete(end)) = httparse::Request::new(&mut slots).parse(&bytes) {
            prop_assert_eq!(request(&bytes), tolerant_request(&bytes));
            let start = empty_lines(&bytes);
            prop_assert_eq!(end_of_head(&bytes[start..], &mut 0), Some(end - start));
        }
        let mut slots = [httparse::EMPTY_HEADER; 64];
        if let Ok(httparse::Status::Complete(_)) = httparse::Response::new(&mut slots).parse(&bytes) {
            prop_assert_eq!(response(&bytes), tolerant_response(&bytes));
        }
    }

    #[test]
    fn no_bytes_panic(bytes in anything()) {
        let _ = (request(&bytes), response(&bytes), header_block(&bytes), end_of_simple_request(&bytes));
    }

    #[test]
    fn the_end_of_a_head_is_the_same_in_pieces(bytes in anything()) {
        let whole = end_of_head(&bytes, &mut 0);
        let mut from = 0;
        let end = (0..=bytes.len()).find_map(|length| end_of_head(&bytes[..length], &mut from));
        prop_assert_eq!(end, whole);
    }
}

fn cased() -> impl Strategy<Value = String> {
    "[Hh][Oo]st|[Vv]ia|Accept(-[a-z]{1,3})?|X-[a-c]{0,2}|[a-cA-C]{1,3}"
}

proptest! {
    #[test]
    fn headers_are_found_by_their_names_in_any_case(
        names in prop::collection::vec(cased(), 0..20), asked in prop::collection::vec(cased(), 1..5),
    ) {
        let lines: String = names.iter().enumerate().map(|(at, name)| format!("{name}: {at}\r\n")).collect();
        let (front, back) = names.split_at(names.len() / 2);
        let behind: String =
            back.iter().enumerate().map(|(at, name)| format!("{name}: {}\r\n", front.len() + at)).collect();
        let before: String = lines.split_inclusive('\n').take(front.len()).collect();
        let mut joined = header_block(before.as_bytes()).0;
        joined.append(header_block(behind.as_bytes()).0);
        let bytes = format!("GET / HTTP/1.1\r\n{lines}\r\n");
        let is_same = |name: &str, other: &str| name.eq_ignore_ascii_case(other);
        let repeat =
            names.iter().enumerate().any(|(at, name)| names[..at].iter().any(|other| is_same(name, other)));
        for headers in [request(bytes.as_bytes()).unwrap().headers, header_block(lines.as_bytes()).0, joined] {
            for asked in &asked {
                let places = (0..names.len()).filter(|&at| is_same(&names[at], asked));
                let expected: Vec<_> = places.map(|at| at.to_string()).collect();
                let values = headers.values(asked.as_bytes());
                let found: Vec<_> = values.map(|value| String::from_utf8_lossy(value)).collect();
                prop_assert_eq!(&found, &expected);
                prop_assert!(headers.may_have(&["Nothing", asked]) || expected.is_empty());
                let first = headers.clone().into_value(asked.as_bytes());
                prop_assert_eq!(first.as_deref(), headers.value(asked.as_bytes()));
            }
            prop_assert_eq!(headers.repeat(), repeat);
        }
    }
}
