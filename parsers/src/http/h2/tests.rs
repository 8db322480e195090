//! Connections, and the rows that come of them.

use httlib_hpack::Encoder;
use proptest::prelude::*;
use schemas::flows::EndReason;
use serde_json::Value;

use super::frame::kind;
use super::{Http2, MAX_STREAMS};
use crate::http::Http1;
use crate::http::conversation::Flow;
use crate::http::recognition::HTTP2_PREFACE as PREFACE;
use crate::protocol::Direction::{ToOriginator, ToResponder};

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// An end of a connection, that encodes.
#[derive(Default)]
struct End(Encoder<'static>);

impl End {
    fn block(&mut self, fields: &[(&str, &str)]) -> Vec<u8> {
        let mut block = Vec::new();
        for (name, value) in fields {
            let field = (name.as_bytes().to_vec(), value.as_bytes().to_vec(), 0x17);
            self.0.encode(field, &mut block).unwrap();
        }
        block
    }

    fn head(&mut self, stream: u32, flags: u8, fields: &[(&str, &str)]) -> Vec<u8> {
        frame(kind::HEADERS, flags | END_HEADERS, stream, &self.block(fields))
    }

    fn get(&mut self, stream: u32, path: &str) -> Vec<u8> {
        let fields =
            [(":method", "GET"), (":scheme", "http"), (":authority", "www.example.com:81"), (":path", path)];
        self.head(stream, END_STREAM, &fields)
    }

    fn answer(&mut self, stream: u32, body: &str) -> Vec<u8> {
        let head = self.head(stream, 0, &[(":status", "200"), ("content-type", "text/plain")]);
        [head, frame(kind::DATA, END_STREAM, stream, body.as_bytes())].concat()
    }
}

fn settings() -> Vec<u8> {
    frame(kind::SETTINGS, 0, 0, b"\0\x03\0\0\0\x64")
}

/// What a client and a server begin with.
fn client_start() -> Vec<u8> {
    [PREFACE, &settings()].concat()
}

fn data(flags: u8, stream: u32, bytes: &[u8]) -> Vec<u8> {
    frame(kind::DATA, flags, stream, bytes)
}

/// A connection on which both have said their SETTINGS.
fn connection() -> Flow {
    let mut flow = Flow { has_handshake: true, ..Flow::of(&Http2) };
    flow.send(ToResponder, &client_start());
    flow.send(ToOriginator, &settings());
    flow
}

/// The rows of both tables.
fn end(flow: &mut Flow) -> (Vec<Value>, Vec<Value>) {
    let rows = flow.end(EndReason::Closed);
    assert!(flow.session.held() < 1 << 16);
    rows
}

/// Method, target, status and bytes of the response of each row.
fn short(rows: &[Value]) -> Vec<(&str, u64, u64)> {
    rows.iter()
        .map(|row| {
            (
                row["request"]["uri"].as_str().unwrap_or("-"),
                row["response"]["status_code"].as_u64().unwrap_or(0),
                row["response"]["body_bytes"].as_u64().unwrap_or(0),
            )
        })
        .collect()
}

#[test]
fn pairs_requests_and_responses_of_streams_that_are_mixed() {
    let (mut client, mut server, mut flow) = (End::default(), End::default(), connection());
    let post = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/in?a=b"),
        (":authority", "www.example.com:81"),
        ("content-type", "text/plain"),
        ("content-length", "10"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
        ("authorization", "Basic dXNlcjpzZWNyZXQ="),
        ("user-agent", "test"),
    ];
    flow.send(ToResponder, &client.head(1, 0, &post));
    flow.send(ToResponder, &client.get(3, "/a.txt"));
    flow.send(ToResponder, &data(PADDED, 1, b"\x03hello\0\0\0"));
    flow.send(ToOriginator, &server.answer(3, "three"));
    flow.send(ToOriginator, &server.head(1, 0, &[(":status", "103"), ("link", "x")]));
    flow.send(ToResponder, &data(0, 1, b"12345"));
    flow.send(ToResponder, &client.head(1, END_STREAM, &[("x-end", "yes")]));
    flow.send(ToOriginator, &server.head(1, END_STREAM, &[(":status", "204"), ("server", "s")]));
    let (rows, files) = end(&mut flow);
    assert_eq!(short(&rows), [("/a.txt", 200, 5), ("/in?a=b", 204, 0)]);
    let row = &rows[1];
    assert_eq!((&row["transaction"], &rows[0]["transaction"]), (&1.into(), &2.into()));
    let request = &row["request"];
    assert_eq!((&request["method"], &request["version"]), (&"POST".into(), &"2".into()));
    assert_eq!((&request["host"], &request["port"]), (&"www.example.com".into(), &81.into()));
    assert_eq!(request["user_agent"], "test");
    assert_eq!(request["headers"]["COOKIE"], "a=1; b=2");
    assert_eq!(request["headers"]["AUTHORIZATION"], "Basic <masked>");
    assert_eq!(request["headers"]["X-END"], "yes");
    assert_eq!(request["headers"][":PATH"], Value::Null);
    assert_eq!(request["header_names"][0], "content-type");
    assert_eq!((&request["body_bytes"], &request["mime_type"]), (&10.into(), &"text/plain".into()));
    assert_eq!((&row["username"], &row["password"]), (&"user".into(), &Value::Null));
    assert_eq!(row["registered_domain"], "example.com");
    assert_eq!(row["informational"], serde_json::json!([103]));
    assert_eq!((&row["response"]["version"], &row["response"]["reason"]), (&"2".into(), &Value::Null));
    assert_eq!(files.len(), 2);
    assert_eq!((&files[0]["filename"], &files[0]["complete"]), (&"a.txt".into(), &true.into()));
    assert_eq!((&files[1]["is_request"], &files[1]["total_bytes"]), (&true.into(), &10.into()));
    assert_eq!(files[1]["file_id"], request["file_id"]);
    assert_eq!(flow.odd(), []);
}

#[test]
fn a_promise_is_a_request_and_its_stream_the_answer() {
    let (mut client, mut server, mut flow) = (End::default(), End::default(), connection());
    flow.send(ToResponder, &client.get(1, "/"));
    let promised =
        server.block(&[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/style")]);
    let promise = [&[0, 0, 0, 2], &promised[..]].concat();
    flow.send(ToOriginator, &frame(kind::PUSH_PROMISE, END_HEADERS, 1, &promise));
    flow.send(ToOriginator, &[server.answer(1, "page"), server.answer(2, "a style")].concat());
    let (rows, _) = end(&mut flow);
    assert_eq!(short(&rows), [("/", 200, 4), ("/style", 200, 7)]);
    assert_eq!(flow.odd(), []);
}

#[test]
fn a_stream_that_is_reset_ends_and_what_was_on_its_way_is_no_other() {
    let (mut client, mut server, mut flow) = (End::default(), End::default(), connection());
    flow.send(ToResponder, &client.get(1, "/1"));
    flow.send(ToOriginator, &[server.head(1, 0, &[(":status", "200")]), data(0, 1, b"half")].concat());
    flow.send(ToResponder, &[client.get(3, "/3"), frame(kind::RST_STREAM, 0, 1, &[0, 0, 0, 8])].concat());
    assert_eq!(flow.records.http.rows.len(), 1);
    flow.send(ToResponder, &frame(kind::RST_STREAM, 0, 3, &[0, 0, 0, 8]));
    flow.send(ToOriginator, &[data(END_STREAM, 1, b" more"), server.answer(3, "late")].concat());
    let (rows, files) = end(&mut flow);
    assert_eq!(short(&rows), [("/1", 200, 4), ("/3", 0, 0)]);
    assert_eq!((&files[0]["complete"], files.len()), (&false.into(), 1));
    assert_eq!(flow.odd(), []);
}

#[test]
fn tunnels_are_told_and_what_is_in_them_is_no_file() {
    let (mut client, mut server, mut flow) = (End::default(), End::default(), connection());
    flow.send(ToResponder, &client.head(1, 0, &[(":method", "CONNECT"), (":authority", "a.test:22")]));
    let extended = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "http"),
        (":path", "/chat"),
        (":authority", "b.test"),
    ];
    flow.send(ToResponder, &client.head(3, 0, &extended));
    for stream in [1, 3] {
        flow.send(ToOriginator, &server.head(stream, 0, &[(":status", "200")]));
        flow.send(ToResponder, &data(END_STREAM, stream, b"SSH-2.0"));
        flow.send(ToOriginator, &data(END_STREAM, stream, b"SSH-2.0-x"));
    }
    let (rows, files) = end(&mut flow);
    assert_eq!(short(&rows), [("a.test:22", 200, 9), ("/chat", 200, 9)]);
    assert_eq!((&rows[0]["request"]["host"], &rows[0]["request"]["port"]), (&"a.test".into(), &22.into()));
    assert_eq!((&rows[0]["upgraded_to"], &rows[1]["upgraded_to"]), (&"connect".into(), &"websocket".into()));
    assert!(files.is_empty());
    assert_eq!(flow.odd(), []);
}

#[test]
fn parts_of_one_file_on_streams_that_are_mixed_are_one_file() {
    let (mut client, mut server, mut flow) = (End::default(), End::default(), connection());
    let part = |range| [(":status", "206"), ("etag", "\"1\""), ("content-range", range)];
    flow.send(ToResponder, &[client.get(1, "/f"), client.get(3, "/f")].concat());
    flow.send(ToOriginator, &server.head(1, 0, &part("bytes 0-5/11")));
    flow.send(ToOriginator, &server.head(3, 0, &part("bytes 6-10/11")));
    for (flags, stream, bytes) in
        [(0, 3, "wor"), (0, 1, "hel"), (END_STREAM, 3, "ld"), (END_STREAM, 1, "lo ")]
    {
        flow.send(ToOriginator, &data(flags, stream, bytes.as_bytes()));
    }
    let (rows, files) = end(&mut flow);
    assert_eq!(files.len(), 1);
    assert_eq!((&files[0]["complete"], &files[0]["seen_bytes"]), (&true.into(), &11.into()));
    let sha256 = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9";
    assert_eq!(files[0]["hash"]["sha256"], sha256);
    assert!(rows.iter().all(|row| row["response"]["file_id"] == files[0]["file_id"]));
}

/// A request for a tunnel to a host.
const TUNNEL: [(&str, &str); 2] = [(":method", "CONNECT"), (":authority", "a.test:80")];

#[test]
fn what_a_tunnel_carries_has_its_rows() {
    let request = b"POST /in HTTP/1.1\r\nHost: b.test\r\nContent-Length: 2\r\n\r\nhi";
    let response = b"HTTP/1.1 200 OK\r\n\r\nto the end";
    for (size, is_early) in [(1, false), (7, false), (1000, false), (7, true)] {
        let (mut client, mut server, mut flow) = (End::default(), End::default(), connection());
        flow.send(ToResponder, &client.head(1, 0, &TUNNEL));
        let answer = server.head(1, 0, &[(":status", "200")]);
        if !is_early {
            flow.send(ToOriginator, &answer);
        }
        for piece in request.chunks(size) {
            flow.send(ToResponder, &data(0, 1, piece));
        }
        if is_early {
            flow.send(ToOriginator, &answer);
        }
        for piece in response.chunks(size) {
            flow.send(ToOriginator, &data(0, 1, piece));
        }
        flow.send(ToResponder, &[data(END_STREAM, 1, b""), client.get(3, "/next")].concat());
        flow.send(ToOriginator, &[data(END_STREAM, 1, b""), server.answer(3, "next")].concat());
        let (rows, files) = end(&mut flow);
        assert_eq!(short(&rows), [("/in", 200, 10), ("a.test:80", 200, 29), ("/next", 200, 4)]);
        let numbers: Vec<_> = rows.iter().map(|row| row["transaction"].as_u64().unwrap()).collect();
        assert_eq!(numbers, [2, 1, 3]);
        // The stream has ended, and with it the body to its end.
        assert_eq!(files.iter().map(|file| file["complete"] == true).collect::<Vec<_>>(), [true; 3]);
        let mut ids: Vec<_> = files.iter().map(|file| file["file_id"].as_str().unwrap()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 3);
    }
}

#[test]
fn what_a_tunnel_carries_ends_with_what_is_lost_or_refused() {
    let (mut client, mut server, mut flow) = (End::default(), End::default(), connection());
    flow.send(ToResponder, &client.head(1, 0, &TUNNEL));
    flow.send(ToResponder, &data(0, 1, b"GET /refused HTTP/1.1\r\n\r\n"));
    flow.send(ToOriginator, &server.head(1, END_STREAM, &[(":status", "403")]));
    flow.send(ToResponder, &client.head(3, 0, &TUNNEL));
    flow.send(ToOriginator, &server.head(3, 0, &[(":status", "200")]));
    flow.send(ToResponder, &data(0, 3, b"GET / HTTP/1.1\r\n\r\n"));
    flow.send(ToOriginator, &data(0, 3, b"HTTP/1.1 200 OK\r\n\r\nsome"));
    flow.send(ToResponder, &frame(kind::RST_STREAM, 0, 3, &[0; 4]));
    let (rows, files) = end(&mut flow);
    assert_eq!(short(&rows), [("/", 200, 4), ("a.test:80", 200, 23), ("a.test:80", 403, 0)]);
    assert_eq!((files.len(), &files[0]["complete"]), (1, &false.into()));
}

#[test]
fn tunnels_within_tunnels_are_bounded() {
    let mut inside = b"GET / HTTP/1.1\r\n\r\n".to_vec();
    for depth in 1..=40 {
        let mut flow = connection();
        let open = End::default().head(1, 0, &TUNNEL);
        let frames: Vec<u8> = inside.chunks(16_000).flat_map(|part| data(0, 1, part)).collect();
        flow.send(ToResponder, &[&open[..], &frames].concat());
        let (rows, _) = end(&mut flow);
        // Each is one row, as far as they are looked into.
        assert_eq!(rows.len(), (depth + 1).min(5));
        inside = [client_start(), open, frames].concat();
    }
}

#[test]
fn an_upgrade_is_one_row_with_the_answer_of_the_first_stream() {
    for body_first in [true, false] {
        let mut flow = Flow::of(&Http1);
        let request =
            b"POST /in HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
                        HTTP2-Settings: AAMAAABk\r\nContent-Length: 4\r\n\r\n";
        let switch = b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
        let (mut client, mut server) = (End::default(), End::default());
        flow.send(ToResponder, request);
        let answer = [&switch[..], &settings(), &server.answer(1, "hello")].concat();
        if body_first {
            flow.send(ToResponder, b"body");
            flow.send(ToOriginator, &answer);
        } else {
            flow.send(ToOriginator, &answer);
            flow.send(ToResponder, b"body");
        }
        flow.send(ToResponder, &[client_start(), client.get(3, "/next")].concat());
        flow.send(ToOriginator, &server.answer(3, "next"));
        let (rows, files) = end(&mut flow);
        assert_eq!(short(&rows), [("/in", 200, 5), ("/next", 200, 4)]);
        assert_eq!((&rows[0]["transaction"], &rows[1]["transaction"]), (&1.into(), &2.into()));
        assert_eq!(
            (&rows[0]["request"]["version"], &rows[0]["response"]["version"]),
            (&"1.1".into(), &"2".into())
        );
        assert_eq!((&rows[0]["upgraded_to"], &rows[0]["informational"][0]), (&"h2c".into(), &101.into()));
        assert_eq!(rows[0]["request"]["body_bytes"], 4);
        assert_eq!(files.len(), 3);
        assert_eq!(flow.odd(), []);
    }
}

#[test]
fn what_is_odd_about_the_switch_is_told_once() {
    let mut flow = Flow::of(&Http1);
    flow.send(
        ToResponder,
        b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n",
    );
    flow.send(ToOriginator, b"HTTP/1.1 101 Switching\nConnection: Upgrade\nUpgrade: h2c\n\n");
    let entries: Vec<_> = flow.anomalies.entries().iter().map(|entry| entry.occurrences).collect();
    assert_eq!((flow.odd(), entries), (vec![("http_odd", "line ends with LF alone")], vec![1]));
}

#[test]
fn roles_follow_who_sends_the_preface() {
    for has_handshake in [true, false] {
        let (mut client, mut server) = (End::default(), End::default());
        let mut flow = Flow { has_handshake, ..Flow::of(&Http2) };
        flow.send(ToOriginator, &[client_start(), client.get(1, "/")].concat());
        // The flow is turned where there was no handshake.
        let back = if has_handshake { ToResponder } else { ToOriginator };
        flow.send(back, &[settings(), server.answer(1, "hello")].concat());
        assert_eq!(short(&end(&mut flow).0), [("/", 200, 5)]);
        assert_eq!(flow.flipped, !has_handshake);
    }
}

#[test]
fn responses_alone_are_rows() {
    let (mut server, mut flow) = (End::default(), Flow::of(&Http2));
    flow.send(ToOriginator, &[settings(), server.answer(1, "one"), server.answer(5, "five")].concat());
    flow.send(ToOriginator, &server.answer(3, "three"));
    // Behind the end of its stream it is no other response.
    flow.send(ToOriginator, &server.answer(3, "again"));
    assert_eq!(short(&end(&mut flow).0), [("-", 200, 3), ("-", 200, 4), ("-", 200, 5)]);
}

#[test]
fn lost_bytes_of_a_body_are_counted_in_it_and_nothing_else_is_lost() {
    let (mut client, mut server, mut flow) = (End::default(), End::default(), connection());
    flow.send(ToResponder, &[client.get(1, "/1"), client.get(3, "/3")].concat());
    let one = [server.head(1, 0, &[(":status", "200")]), data(END_STREAM, 1, &[b'x'; 100])].concat();
    flow.send(ToOriginator, &one[..one.len() - 60]);
    flow.gap(ToOriginator, 60);
    flow.send(ToOriginator, &server.answer(3, "three"));
    let (rows, files) = end(&mut flow);
    assert_eq!(short(&rows), [("/1", 200, 100), ("/3", 200, 5)]);
    assert_eq!((&files[0]["missing_bytes"], &files[0]["complete"]), (&60.into(), &false.into()));
    assert_eq!(files[1]["complete"], true);
    assert_eq!(flow.odd(), []);
}

#[test]
fn lost_headers_cost_what_refers_to_them() {
    let (mut client, mut server, mut flow) = (End::default(), End::default(), connection());
    let one = client.get(1, "/a/long/path/that/is/lost");
    flow.send(ToResponder, &one[..one.len() - 20]);
    flow.gap(ToResponder, 20);
    // The next frame is known to be one, though none is behind it.
    flow.send(ToResponder, &client.get(3, "/new"));
    for stream in [1, 3] {
        flow.send(ToOriginator, &server.answer(stream, "x"));
    }
    let (rows, _) = end(&mut flow);
    assert_eq!(short(&rows), [("", 200, 1), ("/new", 200, 1)]);
    assert_eq!((&rows[1]["request"]["method"], &rows[1]["request"]["host"]), (&"GET".into(), &Value::Null));
}

#[test]
fn frames_are_found_again_behind_lost_bytes() {
    let (mut client, mut server, mut flow) = (End::default(), End::default(), connection());
    for stream in [1, 3, 5, 7] {
        flow.send(ToResponder, &client.get(stream, &format!("/{stream}")));
    }
    let answers = [1, 3, 5, 7].map(|stream| server.answer(stream, &"body ".repeat(10)));
    flow.send(ToOriginator, &answers[0][..30]);
    let lost = answers[0].len() - 30 + 20;
    flow.gap(ToOriginator, lost);
    flow.send(ToOriginator, &[&answers[1][20..], &answers[2], &answers[3]].concat());
    let (rows, files) = end(&mut flow);
    assert_eq!(short(&rows), [("/1", 200, 50), ("/5", 200, 50), ("/7", 200, 50), ("/3", 0, 0)]);
    assert_eq!(files.iter().filter(|file| file["complete"] == true).count(), 2);
    assert_eq!(flow.odd()[0].0, "http_malformed");
}

#[test]
fn streams_that_never_end_are_bounded_and_none_is_lost() {
    let (mut client, mut flow) = (End::default(), connection());
    let count = MAX_STREAMS + 50;
    for place in 0..count {
        flow.send(ToResponder, &client.get(2 * place as u32 + 1, "/"));
    }
    assert_eq!(flow.records.http.rows.len(), 50);
    assert_eq!(flow.odd(), [("http_pending_shed", "")]);
    assert_eq!(end(&mut flow).0.len(), count);
}

#[test]
fn a_flood_of_continuations_is_told_and_held_within_bounds() {
    let (mut client, mut flow) = (End::default(), connection());
    let block = client.block(&[(":method", "GET"), (":scheme", "http"), (":path", "/flood")]);
    flow.send(ToResponder, &frame(kind::HEADERS, END_STREAM, 1, &block));
    for _ in 0..1000 {
        // Fields without name and value, which are not kept in the table.
        flow.send(ToResponder, &frame(kind::CONTINUATION, 0, 1, &[0; 15_000]));
        assert!(flow.with(|session, _| session.held()) < 1 << 20);
    }
    flow.send(ToResponder, &frame(kind::CONTINUATION, END_HEADERS, 1, &[]));
    flow.send(ToResponder, &client.get(3, "/next"));
    let (rows, _) = end(&mut flow);
    assert_eq!(short(&rows), [("/flood", 0, 0), ("/next", 0, 0)]);
    assert_eq!(flow.odd()[0], ("http_malformed", "header block longer than 256 KiB"));
}

#[test]
fn what_breaks_the_rules_is_told_and_the_rest_is_read() {
    let post = |length| {
        [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/"),
            (":authority", "a"),
            ("content-length", length),
        ]
    };
    type Part = fn(&mut End) -> Vec<u8>;
    let cases: [(Part, &str, &str); 9] = [
        (|_| frame(kind::DATA, 0, 0, b"x"), "http_malformed", "frame on a stream that its type cannot be on"),
        (|_| frame(kind::PING, 0, 0, b"x"), "http_malformed", "frame of a length that its type cannot have"),
        (|_| data(PADDED, 1, b"\x09abc"), "http_malformed", "padding longer than its frame"),
        (|_| data(0, 9, b"abc"), "http_malformed", "DATA on a stream that is not open"),
        (|_| frame(kind::HEADERS, END_HEADERS, 1, b"\xff"), "http_malformed", "integer that is cut short"),
        (|_| frame(kind::CONTINUATION, END_HEADERS, 1, b""), "http_malformed", "CONTINUATION of nothing"),
        (|client| client.get(2, "/odd"), "http_odd", "stream opened out of order"),
        (
            |_| frame(kind::HEADERS, END_HEADERS, 1, b"\x3f\xe1\xff\x03"),
            "http_odd",
            "table of header blocks larger than announced",
        ),
        (
            |_| frame(kind::PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\x02"),
            "http_malformed",
            "promise of a client",
        ),
    ];
    for (part, name, detail) in cases {
        let (mut client, mut flow) = (End::default(), connection());
        flow.send(ToResponder, &part(&mut client));
        // Where frames have to be found again there have to be two.
        flow.send(ToResponder, &[settings(), client.get(11, "/read"), settings()].concat());
        let odd = flow.odd().iter().map(|(name, detail)| (*name, (*detail).to_owned())).collect::<Vec<_>>();
        assert!(odd.contains(&(name, detail.to_owned())), "{detail}: {odd:?}");
        assert!(short(&end(&mut flow).0).contains(&("/read", 0, 0)), "{detail}");
    }
    let (mut client, mut flow) = (End::default(), connection());
    flow.send(ToResponder, &[client.head(1, 0, &post("5")), data(END_STREAM, 1, b"1234")].concat());
    assert_eq!(flow.odd(), [("http_ambiguous", "Content-Length differs from the frames")]);
}

/// Two directions of a connection with a bit of everything.
fn conversation() -> [Vec<u8>; 2] {
    let (mut client, mut server) = (End::default(), End::default());
    let block =
        client.block(&[(":method", "POST"), (":scheme", "http"), (":path", "/in"), (":authority", "a")]);
    let (front, back) = block.split_at(3);
    let asked = [
        client_start(),
        frame(kind::HEADERS, 0, 1, front),
        frame(kind::CONTINUATION, END_HEADERS, 1, back),
        client.get(3, "/a"),
        data(PADDED, 1, b"\x02hello\0\0"),
        frame(kind::SETTINGS, 1, 0, b""),
        frame(0x7f, 0xff, 99, b"nobody knows"),
        client.get(5, "/b"),
        data(END_STREAM, 1, b""),
        frame(kind::RST_STREAM, 0, 5, &[0; 4]),
        frame(kind::PING, 0, 0, &[0; 8]),
    ];
    let answered = [
        settings(),
        server.answer(3, "three"),
        server.head(1, 0, &[(":status", "100")]),
        server.head(1, 0, &[(":status", "200"), ("content-encoding", "deflate")]),
        data(0, 1, b"not "),
        frame(kind::WINDOW_UPDATE, 0, 0, &[0; 4]),
        data(PADDED, 1, b"\x01deflated\0"),
        server.head(1, END_STREAM, &[("grpc-status", "0")]),
        frame(kind::GOAWAY, 0, 0, &[0; 8]),
    ];
    [asked.concat(), answered.concat()]
}

/// Shows both directions in pieces.
fn rows_of(pieces: impl IntoIterator<Item = (usize, usize)>) -> (Vec<Value>, Vec<Value>, Vec<String>) {
    let whole = conversation();
    let mut left = [&whole[0][..], &whole[1][..]];
    let mut flow = Flow::of(&Http2);
    for (side, length) in pieces.into_iter().chain([(0, usize::MAX), (1, usize::MAX)]) {
        let (now, later) = left[side].split_at(length.min(left[side].len()));
        left[side] = later;
        flow.send([ToResponder, ToOriginator][side], now);
    }
    let (mut rows, mut files) = end(&mut flow);
    rows.sort_by_key(|row| row["transaction"].as_u64());
    files.sort_by_key(|file| file["file_id"].to_string());
    let mut odd: Vec<_> = flow.odd().iter().map(|odd| format!("{odd:?}")).collect();
    odd.sort();
    (rows, files, odd)
}

#[test]
fn a_bit_of_everything_gives_its_rows() {
    let (rows, files, odd) = rows_of([]);
    assert_eq!(short(&rows), [("/in", 200, 12), ("/a", 200, 5), ("/b", 0, 0)]);
    assert_eq!((files.len(), odd.len()), (3, 1));
    assert_eq!(rows[0]["response"]["headers"]["GRPC-STATUS"], "0");
}

proptest! {
    #[test]
    fn rows_do_not_depend_on_where_the_bytes_are_cut(lengths in prop::collection::vec(0usize..30, 0..60)) {
        // All of the requests first, so that what is paired does not depend on it.
        let asked = lengths.iter().map(|length| (0, *length));
        let answered = lengths.iter().map(|length| (1, *length));
        prop_assert_eq!(rows_of(asked.chain([(0, usize::MAX)]).chain(answered)), rows_of([]));
    }

    #[test]
    fn any_frames_and_gaps_are_survived(
        parts in prop::collection::vec((any::<bool>(), 0u8..12, any::<u8>(), 0u32..12, prop::collection::vec(any::<u8>(), 0..60), 0usize..40), 0..60),
    ) {
        let mut flow = connection();
        for (to_responder, kind, flags, stream, payload, lost) in parts {
            let direction = if to_responder { ToResponder } else { ToOriginator };
            flow.send(direction, &frame(kind, flags, stream, &payload));
            if lost > 30 {
                flow.gap(direction, lost - 30);
            }
        }
        end(&mut flow);
    }
}
