//! Conversations, and the rows that come of them.

use proptest::prelude::*;
use schemas::flows::EndReason;

use super::Http1;
use super::conversation::Flow;
use crate::protocol::Direction;
use crate::protocol::Direction::{ToOriginator, ToResponder};

/// The rows of a conversation.
fn talk(parts: &[(Direction, &[u8])]) -> (Vec<serde_json::Value>, Vec<serde_json::Value>) {
    let mut flow = Flow::of(&Http1);
    parts.iter().for_each(|(direction, bytes)| flow.send(*direction, bytes));
    flow.end(EndReason::Closed)
}

#[test]
fn pairs_a_request_with_its_response() {
    let (rows, files) = talk(&[
        (
            ToResponder,
            b"GET /a/report.pdf?x=1 HTTP/1.1\r\nHost: www.example.com:8080\r\nUser-Agent: test\r\n\
              Cookie: a=1\r\nX-Forwarded-For: 192.0.2.1\r\ncookie: b=2\r\n\r\n",
        ),
        (ToOriginator, b"HTTP/1.1 200 Fine\r\nContent-Length: 5\r\nContent-Type: text/html\r\n\r\nhello"),
    ]);
    let row = &rows[0];
    assert_eq!(rows.len(), 1);
    assert_eq!(row["transaction"], 1);
    assert_eq!(row["request"]["host"], "www.example.com");
    assert_eq!(row["request"]["port"], 8080);
    assert_eq!(row["request"]["headers"]["COOKIE"], "a=1; b=2");
    assert_eq!(row["request"]["header_names"].as_array().unwrap().len(), 5);
    assert_eq!(row["request"]["body_bytes"], 0);
    assert_eq!(row["proxied"][0], "X-FORWARDED-FOR -> 192.0.2.1");
    assert_eq!(row["registered_domain"], "example.com");
    assert_eq!((&row["response"]["status_code"], &row["response"]["reason"]), (&200.into(), &"Fine".into()));
    assert_eq!(row["response"]["body_bytes"], 5);
    assert_eq!(row["response"]["mime_type"], "text/plain");
    let file = &files[0];
    assert_eq!(file["file_id"], row["response"]["file_id"]);
    assert_eq!(file["filename"], "report.pdf");
    assert_eq!(file["complete"], true);
    assert_eq!(file["hash"]["sha256"], "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
}

#[test]
fn bodies_end_where_the_rules_say() {
    for (request, response, bytes) in [
        (&b"HEAD / HTTP/1.1\r\n\r\n"[..], &b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"[..], 0),
        (b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", 0),
        (b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", 0),
        (
            b"GET / HTTP/1.1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nA: b\r\n\r\n",
            5,
        ),
    ] {
        let (rows, _) = talk(&[
            (ToResponder, request),
            (ToOriginator, response),
            (ToResponder, b"GET /next HTTP/1.1\r\n\r\n"),
            (ToOriginator, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
        ]);
        assert_eq!(rows.len(), 2, "{rows:#?}");
        assert_eq!(rows[0]["response"]["body_bytes"], bytes);
        assert_eq!(rows[1]["response"]["status_code"], 404);
    }
}

#[test]
fn a_body_to_the_end_of_the_connection_is_whole_only_where_the_ends_closed_it() {
    for (end, closed, timed_out) in [
        (EndReason::Closed, true, false),
        (EndReason::Timeout, false, true),
        (EndReason::Evicted, false, false),
    ] {
        let mut flow = Flow::of(&Http1);
        flow.send(ToResponder, b"GET / HTTP/1.0\r\n\r\n");
        flow.send(ToOriginator, b"HTTP/1.0 200 OK\r\n\r\nall there is");
        let (rows, files) = flow.end(end);
        assert_eq!(rows[0]["response"]["body_bytes"], 12);
        assert_eq!((&files[0]["complete"], files[0].get("hash").is_some()), (&closed.into(), closed));
        assert_eq!(files[0]["timed_out"], timed_out);
    }
}

#[test]
fn pipelined_requests_get_their_responses_in_order_and_1xx_are_kept() {
    let (rows, _) = talk(&[
        (ToResponder, b"POST /1 HTTP/1.1\r\nContent-Length: 2\r\n\r\nhiGET /2 HTTP/1.1\r\n\r\n"),
        (ToOriginator, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"),
        (ToOriginator, b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"),
    ]);
    let shown: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row["request"]["uri"].clone(),
                row["response"]["status_code"].clone(),
                row["informational"].clone(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("/1".into(), 201.into(), serde_json::json!([100])),
            ("/2".into(), 202.into(), serde_json::json!([103]))
        ]
    );
    assert_eq!(rows[0]["request"]["body_bytes"], 2);
}

#[test]
fn passwords_are_masked_unless_they_are_asked_for() {
    let request =
        b"GET http://user:secret@example.com/ HTTP/1.1\r\nAuthorization: Basic dXNlcjpzZWNyZXQ=\r\n\
                    Proxy-Authorization: Bearer dG9rZW4=\r\n\r\n";
    for passwords in [false, true] {
        let mut flow = Flow::of(&Http1);
        flow.settings.passwords = passwords;
        flow.send(ToResponder, request);
        let (rows, _) = flow.end(EndReason::Closed);
        let text = rows[0].to_string();
        assert_eq!(rows[0]["username"], "user");
        assert_eq!(text.contains("secret"), passwords, "{text}");
        assert_eq!(text.contains("dXNlcjpzZWNyZXQ="), passwords);
        assert_eq!(text.contains("dG9rZW4="), passwords);
        if !passwords {
            assert_eq!(rows[0]["request"]["uri"], "http://<masked>@example.com/");
            assert_eq!(rows[0]["request"]["headers"]["AUTHORIZATION"], "Basic <masked>");
        }
    }
}

#[test]
fn what_is_lost_costs_only_itself() {
    let mut flow = Flow::of(&Http1);
    flow.send(ToResponder, b"GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\n\r\n");
    flow.send(ToOriginator, b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab");
    flow.gap(ToOriginator, 5);
    flow.send(ToOriginator, b"cdeHTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab");
    flow.gap(ToOriginator, 50);
    flow.send(ToOriginator, b"rest of something\r\nHTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    let (rows, files) = flow.end(EndReason::Closed);
    let statuses: Vec<_> = rows.iter().map(|row| row["response"]["status_code"].clone()).collect();
    assert_eq!(statuses, [200, 200, 503]);
    assert_eq!(rows[0]["response"]["body_bytes"], 10);
    assert_eq!(rows[0]["response"]["decoded_bytes"], 10);
    assert_eq!((&files[0]["missing_bytes"], &files[0]["complete"]), (&5.into(), &false.into()));
    assert_eq!(files[1]["seen_bytes"], 2);
}

#[test]
fn a_head_without_its_end_says_what_was_there() {
    let (request, response) = (
        b"POST /1 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\nUser-Ag",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nServ",
    );
    for is_lost in [false, true] {
        let mut flow = Flow::of(&Http1);
        flow.send(ToResponder, request);
        flow.send(ToOriginator, response);
        if is_lost {
            flow.gap(ToResponder, 5);
            flow.gap(ToOriginator, 5);
            flow.send(ToResponder, b"GET /2 HTTP/1.1\r\n\r\n");
            flow.send(ToOriginator, b"HTTP/1.1 204 No Content\r\n\r\n");
        }
        let (rows, _) = flow.end(EndReason::Closed);
        assert_eq!(rows.len(), 1 + usize::from(is_lost), "{rows:#?}");
        assert_eq!(rows[0]["request"]["uri"], "/1");
        assert_eq!(rows[0]["request"]["header_names"], serde_json::json!(["Host", "Content-Length"]));
        assert_eq!(rows[0]["request"]["body_bytes"], 0);
        assert_eq!(rows[0]["response"]["status_code"], 101);
        // It is not known what the rest said.
        assert_eq!(
            (&rows[0]["upgraded_to"], &rows[0]["response_time"]),
            (&serde_json::Value::Null, &serde_json::Value::Null)
        );
        if is_lost {
            assert_eq!(
                (&rows[1]["request"]["uri"], &rows[1]["response"]["status_code"]),
                (&"/2".into(), &204.into())
            );
            assert_eq!(flow.odd(), []);
        } else {
            assert_eq!(flow.odd(), [("http_malformed", "head that does not end")]);
        }
    }
}

#[test]
fn a_first_line_without_its_end_is_no_head() {
    let mut flow = Flow::of(&Http1);
    flow.send(ToResponder, b"GET /1 HTTP/1.1\r\n\r\nGET /2 HTT");
    let (rows, _) = flow.end(EndReason::Timeout);
    assert_eq!((rows.len(), flow.odd()), (1, vec![]));
}

#[test]
fn trailers_stand_behind_the_headers_and_say_nothing_about_the_message() {
    let chunks = b"3\r\nabc\r\n0\r\nX-Check: 1\r\nHost: b.test\r\nContent-Disposition: x; filename=b\r\n\r\n";
    let head = b"POST / HTTP/1.1\r\nHost: a.test\r\nX-Check: 0\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nno colon\r\nA: b\r\n\r\n";
    for size in [1, 7, 1000] {
        let mut flow = Flow::of(&Http1);
        let request = [&head[..], chunks].concat();
        request.chunks(size).for_each(|piece| flow.send(ToResponder, piece));
        answer.chunks(size).for_each(|piece| flow.send(ToOriginator, piece));
        let (rows, files) = flow.end(EndReason::Closed);
        let request = &rows[0]["request"];
        assert_eq!(request["headers"]["X-CHECK"], "0, 1");
        assert_eq!(request["header_names"].as_array().unwrap().len(), 6);
        assert_eq!((&request["host"], request.get("filename")), (&"a.test".into(), None));
        assert_eq!(files[0].get("filename"), None);
        assert_eq!(rows[0]["response"]["headers"]["A"], "b");
        assert!(flow.odd().iter().any(|(_, detail)| detail.contains("colon")), "{:?}", flow.odd());
    }
}

#[test]
fn junk_between_messages_is_passed_over() {
    let mut flow = Flow::of(&Http1);
    flow.send(ToResponder, b"GET /1 HTTP/1.1\r\n\r\n\x01\x02 junk\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
    let (rows, _) = flow.end(EndReason::Closed);
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1]["request"]["uri"], "/2");
    assert!(flow.odd().iter().any(|(name, _)| *name == "http_malformed"));
}

#[test]
fn a_response_without_a_request_has_a_row_and_turns_a_flow_seen_from_its_middle_on() {
    let mut flow = Flow::of(&Http1);
    flow.send(ToResponder, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert!(flow.flipped);
    flow.send(ToResponder, b"GET /2 HTTP/1.1\r\n\r\n");
    let (rows, _) = flow.end(EndReason::Closed);
    assert_eq!(rows.len(), 2);
    // Written before the flow turns its ends: who answers is the responder all the same.
    let envelope = flow.records.http.rows[0].envelope;
    assert_eq!((envelope.src_port, envelope.dst_port), (80, 1024));
    assert!(rows[0].get("request").is_none());
    assert_eq!(rows[0]["response"]["body_bytes"], 2);
    assert_eq!(rows[1]["request"]["uri"], "/2");
}

#[test]
fn hands_over_behind_connect_and_upgrade() {
    for (request, response, to) in [
        (&b"CONNECT example.com:443 HTTP/1.1\r\n\r\n"[..], &b"HTTP/1.1 201 Fine\r\n\r\n\x16"[..], "connect"),
        (
            b"GET /chat HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n\r\n\x81",
            "websocket",
        ),
    ] {
        let mut flow = Flow::of(&Http1);
        flow.send(ToResponder, request);
        flow.send(ToOriginator, response);
        assert!(flow.handed_over);
        assert_eq!(flow.pending[1].len(), 1);
        let (rows, _) = flow.end(EndReason::Closed);
        assert_eq!(rows[0]["upgraded_to"], to);
    }
}

#[test]
fn a_simple_request_is_answered_without_a_head() {
    let (rows, files) = talk(&[(ToResponder, b"GET /old\r\n"), (ToOriginator, b"<html>plain</html>")]);
    assert_eq!(rows[0]["request"]["version"], "0.9");
    assert_eq!(rows[0]["response"]["body_bytes"], 18);
    assert!(rows[0]["response"].get("status_code").is_none());
    assert_eq!(files[0]["mime_type"], "text/html");
}

#[test]
fn codings_are_taken_off_and_wrong_labels_do_no_harm() {
    let gzip: &[u8] = &[
        0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 7, 0, 0x86, 0xa6, 0x10, 0x36, 5, 0,
        0, 0,
    ];
    let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", gzip.len());
    let (rows, files) =
        talk(&[(ToResponder, b"GET / HTTP/1.1\r\n\r\n"), (ToOriginator, &[head.as_bytes(), gzip].concat())]);
    assert_eq!(rows[0]["response"]["body_bytes"], gzip.len());
    assert_eq!(rows[0]["response"]["decoded_bytes"], 5);
    assert_eq!(
        files[0]["hash"]["sha256"],
        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    );

    let mut flow = Flow::of(&Http1);
    flow.send(ToResponder, b"GET / HTTP/1.1\r\n\r\n");
    flow.send(ToOriginator, b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello");
    let (rows, files) = flow.end(EndReason::Closed);
    assert_eq!(rows[0]["response"]["decoded_bytes"], 5);
    assert_eq!(files[0]["complete"], true);
    assert_eq!(flow.odd()[0].0, "http_coding");
}

#[test]
fn what_is_coded_in_an_unknown_way_is_the_file_that_a_browser_would_save() {
    let mut flow = Flow::of(&Http1);
    flow.send(ToResponder, b"GET / HTTP/1.1\r\n\r\n");
    flow.send(ToOriginator, b"HTTP/1.1 200 OK\r\nContent-Encoding: UTF-8\r\nContent-Length: 5\r\n\r\nhello");
    let (rows, files) = flow.end(EndReason::Closed);
    assert_eq!(rows[0]["response"]["decoded_bytes"], 5);
    assert_eq!(
        files[0]["hash"]["sha256"],
        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    );
    assert_eq!(flow.odd()[0].0, "http_coding");
}

const MULTIPART: &[u8] = b"POST /up HTTP/1.1\r\nHost: a.test\r\nContent-Type: multipart/form-data; boundary=XX\r\n\
    Content-Length: 166\r\n\r\n--XX\r\nContent-Disposition: form-data; name=\"a\"; filename=\"../one.txt\"\r\n\r\n\
    first\r\n--XX\r\nContent-Disposition: form-data; name=\"b\"; filename=\"two.txt\"\r\n\r\nsecond\r\n--XX--\r\n";

#[test]
fn parts_of_a_multipart_body_are_files() {
    let (rows, files) = talk(&[(ToResponder, MULTIPART), (ToOriginator, b"HTTP/1.1 204 No Content\r\n\r\n")]);
    let names: Vec<_> = files.iter().map(|file| file["filename"].clone()).collect();
    assert_eq!(names, ["one.txt", "two.txt"]);
    for file in &files {
        assert_eq!(file["parent_file_id"], rows[0]["request"]["file_id"]);
        assert_eq!((&file["complete"], &file["is_request"]), (&true.into(), &true.into()));
    }
    assert_ne!(files[0]["file_id"], files[1]["file_id"]);
}

#[test]
fn parts_within_parts_are_files_as_deep_as_is_looked() {
    let nested = |depth: usize| {
        let mut body = b"inside".to_vec();
        let mut kind = String::from("text/plain");
        for level in 0..depth {
            let around = format!("--b{level}x\r\nContent-Type: {kind}\r\n\r\n");
            body = [around.as_bytes(), &body, format!("\r\n--b{level}x--").as_bytes()].concat();
            kind = format!("multipart/mixed; boundary=b{level}x");
        }
        let head =
            format!("POST / HTTP/1.1\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
        talk(&[(ToResponder, &[head.as_bytes(), &body].concat())]).1
    };
    for depth in [1, 2, 17, 256] {
        let files = nested(depth);
        assert_eq!(files.len(), 1);
        assert_eq!((&files[0]["seen_bytes"], &files[0]["complete"]), (&6.into(), &true.into()), "{depth}");
    }
    assert!(nested(257)[0]["seen_bytes"].as_u64() > Some(6));
}

/// What an upload of this many parts with this content gives: how many files, and what was odd.
fn parts(count: usize, content: &[u8], coding: &str) -> (usize, Vec<&'static str>) {
    let part = [b"--XX\r\n\r\n", content, b"\r\n"].concat();
    let plain = part.repeat(count);
    let body = match coding {
        "" => plain,
        _ => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut encoder, &plain).unwrap();
            encoder.finish().unwrap()
        }
    };
    let mut flow = Flow::of(&Http1);
    let head = format!(
        "POST / HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=XX\r\n{coding}Content-Length: {}\r\n\r\n",
        body.len()
    );
    flow.send(ToResponder, head.as_bytes());
    body.chunks(1460).for_each(|segment| flow.send(ToResponder, segment));
    let files = flow.end(EndReason::Closed).1.len();
    (files, flow.odd().iter().map(|odd| odd.0).collect())
}

#[test]
fn parts_of_a_body_are_bounded_unless_they_are_as_long_as_what_was_sent() {
    let most = super::content::MAX_PARTS as usize;
    assert_eq!(parts(most, b"x", ""), (most, vec![]));
    assert_eq!(parts(100_000, b"", ""), (0, vec!["http_bomb"]));
    let (files, odd) = parts(100_000, b"x", "Content-Encoding: gzip\r\n");
    assert_eq!((files, odd), (most, vec!["http_bomb"]));
    let (files, odd) = parts(20_000, b"x", "");
    assert_eq!((files, odd), (most + most / super::content::BYTES_OF_PART, vec!["http_bomb"]));
    // A camera.
    let picture = vec![b'x'; super::content::BYTES_OF_PART];
    assert_eq!(parts(20_000, &picture, ""), (20_000, vec![]));
    let (files, odd) = parts(20_000, &picture, "Content-Encoding: gzip\r\n");
    assert_eq!((files, odd), (most, vec!["http_bomb"]));
}

#[test]
fn a_head_that_is_too_long_is_none_wherever_it_is_cut() {
    let long = [b"GET /".as_slice(), &vec![b'a'; super::MAX_HEAD], b" HTTP/1.1\r\n\r\n"].concat();
    let just = [b"GET / HTTP/1.1\r\nA: ".as_slice(), &vec![b'a'; super::MAX_HEAD - 23], b"\r\n\r\n"].concat();
    assert_eq!(just.len(), super::MAX_HEAD);
    for (head, rows) in [(long, 1), (just, 2)] {
        for size in [1000, 65_536, usize::MAX] {
            let mut flow = Flow::of(&Http1);
            let both = [&head, &b"GET /after HTTP/1.1\r\n\r\n"[..]].concat();
            both.chunks(size).for_each(|segment| flow.send(ToResponder, segment));
            let written = flow.end(EndReason::Closed).0;
            assert_eq!(written.len(), rows, "{size}");
            assert_eq!(written[rows - 1]["request"]["uri"], "/after");
            let odd = if rows == 1 { "http_malformed" } else { "value_cut" };
            assert_eq!(flow.odd()[0].0, odd);
        }
    }
}

#[test]
fn informational_responses_without_an_end_are_bounded_and_told() {
    let mut flow = Flow::of(&Http1);
    flow.send(ToResponder, b"GET / HTTP/1.1\r\n\r\n");
    for _ in 0..10_000 {
        flow.send(ToOriginator, b"HTTP/1.1 102 Processing\r\n\r\n");
    }
    assert!(flow.session.held() < 2000);
    assert_eq!(flow.odd(), [("value_cut", "informational responses")]);
    assert_eq!(flow.end(EndReason::Closed).0[0]["informational"].as_array().unwrap().len(), 32);
}

#[test]
fn a_part_is_never_hashed_as_if_it_were_the_whole() {
    for (range, is_whole, start) in [
        ("Content-Range: bytes 5-9/20\r\n", false, Some(5)),
        ("Content-Range: bytes 0-4/20\r\n", false, Some(0)),
        ("Content-Range: bytes 0-4/*\r\n", false, Some(0)),
        ("Content-Range: lines 5\r\n", false, None),
        ("", false, None),
        ("Content-Range: bytes 0-4/5\r\n", true, None),
    ] {
        let response = format!("HTTP/1.1 206 Partial Content\r\n{range}Content-Length: 5\r\n\r\nhello");
        let (_, files) =
            talk(&[(ToResponder, b"GET /part HTTP/1.1\r\n\r\n"), (ToOriginator, response.as_bytes())]);
        assert_eq!(files[0]["complete"], is_whole, "{range}");
        assert_eq!(files[0].get("range_start"), start.map(serde_json::Value::from).as_ref(), "{range}");
    }
}

#[test]
fn responses_behind_an_upload_that_does_not_end_are_bounded() {
    let mut flow = Flow::of(&Http1);
    flow.send(ToResponder, b"POST /up HTTP/1.1\r\nContent-Length: 999999\r\n\r\nbeginning");
    for _ in 0..super::MAX_PENDING + 5 {
        flow.send(ToOriginator, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
    assert!(flow.records.http.rows.len() >= 5);
    assert_eq!(flow.odd()[0].0, "http_pending_shed");
    assert!(flow.session.held() < 100 * 1024);
}

#[test]
fn waiting_requests_are_bounded() {
    let mut flow = Flow::of(&Http1);
    for _ in 0..super::MAX_PENDING + 5 {
        flow.send(ToResponder, b"GET / HTTP/1.1\r\n\r\n");
    }
    assert_eq!(flow.records.http.rows.len(), 5);
    assert_eq!(flow.odd()[0].0, "http_pending_shed");
}

/// A conversation with all that can be cut.
fn conversation() -> Vec<(Direction, Vec<u8>)> {
    vec![
        (ToResponder, MULTIPART.to_vec()),
        (
            ToOriginator,
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(),
        ),
        (ToOriginator, b"5;x\r\nhello\r\n06\r\n world\r\n0\r\nTrailer: yes\r\n\r\n".to_vec()),
        (
            ToResponder,
            b"\r\nGET /b HTTP/1.1\r\nHost: a\r\n folded\r\nbad line\r\n\r\njunk\nGET /c HTTP/1.1\n\n"
                .to_vec(),
        ),
        (
            ToOriginator,
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnone".to_vec(),
        ),
        (
            ToOriginator,
            b"rubbish HTTP/1.1 404 \xe4\r\nContent-Length: 3\r\n\r\nabcHTTP/1.0 200\r\n\r\nto the end"
                .to_vec(),
        ),
    ]
}

proptest! {
    #[test]
    fn cuts_change_no_row(cuts in proptest::collection::vec(1..40usize, 1..60)) {
        let whole: Vec<_> = conversation();
        let parts: Vec<(Direction, &[u8])> = whole.iter().map(|(way, bytes)| (*way, bytes.as_slice())).collect();
        let expected = talk(&parts);
        let mut lengths = cuts.iter().copied().cycle();
        let mut pieces: Vec<(Direction, &[u8])> = Vec::new();
        for (direction, bytes) in &whole {
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let (now, later) = rest.split_at(lengths.next().unwrap().min(rest.len()));
                pieces.push((*direction, now));
                rest = later;
            }
        }
        let rows = talk(&pieces);
        prop_assert_eq!(&rows.0, &expected.0);
        prop_assert_eq!(&rows.1, &expected.1);
    }

    #[test]
    fn takes_any_bytes(parts in proptest::collection::vec((any::<bool>(), "(GET / HTTP/1.1\r\n|HTTP/1.1 200 OK\r\n|Content-Length: 9\r\n|Transfer-Encoding: chunked\r\n|\r\n|[a-f0-9]{0,4}|5\r\n|.{0,8}){0,6}", 0..4usize), 0..12)) {
        let mut flow = Flow::of(&Http1);
        for (ours, bytes, missing) in parts {
            let direction = if ours { ToResponder } else { ToOriginator };
            flow.send(direction, bytes.as_bytes());
            if missing > 1 {
                flow.gap(direction, missing);
            }
        }
        flow.end(EndReason::Closed);
    }
}

/// A mail with a text, a forwarded mail and an attachment.
const MAIL: &[u8] = b"Received: from a by b; Thu\r\nSubject: x\r\nContent-Type: multipart/mixed;\r\n boundary=\"AA\"\r\n\r\n\
    --AA\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nh=C3=A4t\r\n\
    --AA\r\nContent-Type: message/rfc822\r\n\r\nFrom: b@b.test\r\nContent-Transfer-Encoding: base64\r\n\
    Content-Type: image/gif; name=\"a/b.gif\"\r\n\r\nR0lGODlh\r\n\
    --AA\r\nContent-Disposition: attachment; filename=c.bin\r\nContent-Transfer-Encoding: Base64\r\n\r\naGVs\r\nbG8\r\n--AA--\r\n";

/// The rows of an upload of this type in pieces.
fn upload(
    kind: &str,
    body: &[u8],
    size: usize,
) -> (Vec<serde_json::Value>, Vec<serde_json::Value>, Vec<String>) {
    let head = format!(
        "POST /up HTTP/1.1\r\nHost: a.test\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut flow = Flow::of(&Http1);
    [head.as_bytes(), body].concat().chunks(size).for_each(|piece| flow.send(ToResponder, piece));
    let (rows, files) = flow.end(EndReason::Closed);
    (rows, files, flow.odd().iter().map(|(name, detail)| format!("{name}: {detail}")).collect())
}

#[test]
fn a_mail_is_a_file_and_so_is_each_of_its_parts_decoded() {
    for size in [1, 7, 100_000] {
        let (rows, files, odd) = upload("Message/RFC822; charset=x", MAIL, size);
        assert_eq!(odd, [""; 0]);
        // Innermost first, as they end.
        let of = |name: &str| files.iter().map(|file| file[name].clone()).collect::<Vec<_>>();
        let forwarded = MAIL.windows(14).position(|part| part == b"From: b@b.test").unwrap();
        let forwarded = MAIL[forwarded..].windows(6).position(|part| part == b"\r\n--AA").unwrap() as u64;
        assert_eq!(of("seen_bytes"), [4, 6, forwarded, 5, MAIL.len() as u64]);
        assert_eq!(of("complete"), [true; 5]);
        let name = |file: &serde_json::Value| file.get("filename").cloned();
        assert_eq!(
            files.iter().map(name).collect::<Vec<_>>(),
            [None, Some("b.gif".into()), None, Some("c.bin".into()), None]
        );
        let [text, picture, inner, attachment, mail] = &files[..] else { panic!("{files:#?}") };
        assert_eq!(rows[0]["request"]["file_id"], mail["file_id"]);
        assert_eq!(mail.get("parent_file_id"), None);
        for part in [text, inner, attachment] {
            assert_eq!(part["parent_file_id"], mail["file_id"]);
        }
        assert_eq!(picture["parent_file_id"], inner["file_id"]);
        assert_eq!(mail["mime_type"], "message/rfc822");
        assert_eq!(
            attachment["hash"]["sha256"],
            "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
        );
        assert_eq!(files.iter().filter(|file| file["uri"] == "/up" && file["host"] == "a.test").count(), 5);
    }
}

#[test]
fn a_part_in_an_encoding_that_it_is_not_in_is_told() {
    let body = b"--AA\r\nContent-Disposition: form-data; name=a; filename=a\r\n\
        Content-Transfer-Encoding: base64\r\n\r\naGVs*bG8=\r\n--AA--\r\n";
    let (_, files, odd) = upload("multipart/form-data; boundary=AA", body, 5);
    assert_eq!((&files[0]["seen_bytes"], &files[0]["complete"]), (&5.into(), &true.into()));
    assert_eq!(odd, ["http_coding: part that is not of its transfer encoding"]);
}

#[test]
fn mails_within_mails_are_taken_apart_and_the_outer_ones_are_files() {
    for (mails, told) in [(4, 0), (100, 0), (255, 0), (256, 1), (500, 1)] {
        let body =
            [&b"Content-Type: message/rfc822\n\n".repeat(mails)[..], b"Subject: last\n\ntext"].concat();
        let (_, files, odd) = upload("message/rfc822", &body, 1000);
        // Four mails, and what is in the last of all, which is the text unless it is too deep.
        assert_eq!((files.len(), odd.len()), (5, told), "{odd:?}");
        assert!(files.iter().all(|file| file["complete"] == true));
        assert_eq!(files[0]["seen_bytes"] == 4, told == 0);
    }
}

#[test]
fn an_encoding_within_others_is_not_looked_behind_for_ever() {
    let mut body = b"Subject: last\r\n\r\ntext".to_vec();
    for _ in 0..8 {
        let head = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n";
        let encoded: Vec<u8> = body.iter().flat_map(|byte| format!("={byte:02X}").into_bytes()).collect();
        body =
            if body.len() < 100_000 { [&head[..], &encoded].concat() } else { [&head[..], &body].concat() };
    }
    let (_, files, odd) = upload("message/rfc822", &body, 1000);
    assert_eq!(odd, ["http_bomb: parts within too many others"]);
    assert!(files.len() <= 6, "{files:#?}");
}

#[test]
fn a_mail_with_a_gap_or_without_a_body_has_its_row() {
    let (_, files, _) = upload("message/rfc822", b"Subject: x\r\n", 3);
    assert_eq!(files.len(), 1);
    assert_eq!(files[0]["complete"], true);
    let mut flow = Flow::of(&Http1);
    flow.send(
        ToResponder,
        b"POST / HTTP/1.1\r\nContent-Type: message/rfc822\r\nContent-Length: 30\r\n\r\nSubject",
    );
    flow.gap(ToResponder, 10);
    flow.send(ToResponder, b"x\r\n\r\nthe text.");
    let (_, files) = flow.end(EndReason::Closed);
    let shown: Vec<_> = files.iter().map(|file| (&file["missing_bytes"], &file["complete"])).collect();
    assert_eq!(shown, [(&10.into(), &false.into()); 2]);
}

#[test]
fn the_headers_of_a_mail_are_bounded_and_that_is_told_once() {
    let body = [&b"X: ".repeat(30_000)[..], b"\r\n\r\ntext"].concat();
    for size in [100, 100_000] {
        let (_, files, odd) = upload("message/rfc822", &body, size);
        assert_eq!(files.len(), 2);
        assert_eq!(odd, ["http_odd: headers of a mail longer than 64 KiB"]);
    }
}

#[test]
fn parts_that_are_open_when_nothing_more_comes_are_timed_out_and_those_before_are_whole() {
    let form = b"--AA\r\nContent-Disposition: form-data; name=a; filename=a\r\n\r\nwhole\r\n\
        --AA\r\nContent-Disposition: form-data; name=b; filename=b\r\n\r\nha";
    let encoded = b"--AA\r\nContent-Transfer-Encoding: base64\r\n\r\naGVs";
    let picture = MAIL.windows(4).position(|part| part == b"R0lG").unwrap();
    for (kind, body, whole, open) in [
        ("multipart/form-data; boundary=AA", &form[..], 1, 1),
        ("multipart/form-data; boundary=AA", encoded, 0, 1),
        // The picture, the mail that it is in, and the one that this is in.
        ("message/rfc822", &MAIL[..picture + 4], 1, 3),
        // No part is open: its headers are not whole.
        ("message/rfc822", &MAIL[..picture - 3], 1, 2),
    ] {
        for (end, timed_out) in
            [(EndReason::Timeout, true), (EndReason::Closed, false), (EndReason::Reset, false)]
        {
            let mut flow = Flow::of(&Http1);
            let head = format!("POST /up HTTP/1.1\r\nContent-Type: {kind}\r\nContent-Length: 100000\r\n\r\n");
            flow.send(ToResponder, &[head.as_bytes(), body].concat());
            let (_, files) = flow.end(end);
            let shown = |complete: bool, timed_out: bool| {
                files
                    .iter()
                    .filter(|file| file["complete"] == complete && file["timed_out"] == timed_out)
                    .count()
            };
            assert_eq!((shown(true, false), shown(false, timed_out)), (whole, open), "{end:?} {files:#?}");
            assert_eq!(files.len(), whole + open);
        }
    }
}
