//! Parts of one file in conversations, and the rows that come of them.

use schemas::flows::EndReason;
use serde_json::Value;

use super::Http1;
use super::conversation::Flow;
use crate::protocol::Direction::{ToOriginator, ToResponder};

const SHA256_OF_HELLO_WORLD: &str = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9";

/// The rows of `http` and `file` when these responses follow requests with this line.
fn fetch(request: &str, responses: &[&str]) -> (Vec<Value>, Vec<Value>) {
    let mut flow = Flow::of(&Http1);
    for response in responses {
        flow.send(ToResponder, format!("{request} HTTP/1.1\r\nHost: a.test\r\n\r\n").as_bytes());
        flow.send(ToOriginator, response.as_bytes());
    }
    flow.end(EndReason::Closed)
}

/// A response with a part of `hello world` and this header.
fn part(begin: usize, end: usize, header: &str) -> String {
    let content = &"hello world"[begin..end];
    format!(
        "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {begin}-{}/11\r\n{header}\r\n\r\n{content}",
        end - begin,
        end - 1
    )
}

#[test]
fn parts_are_one_file_which_each_response_names() {
    for header in ["ETag: \"1\"", "ETag: W/\"1\"", "Last-Modified: Tue, 24 Nov 2026 14:34:43 GMT"] {
        let (rows, files) = fetch("GET /f", &[&part(6, 11, header), &part(0, 6, header)]);
        assert_eq!(files.len(), 1, "{header}");
        assert_eq!(files[0]["hash"]["sha256"], SHA256_OF_HELLO_WORLD);
        assert_eq!(files[0]["uids"].as_array().unwrap().len(), 1);
        for row in rows {
            assert_eq!(row["response"]["file_id"], files[0]["file_id"]);
        }
    }
}

#[test]
fn parts_of_what_may_be_something_else_are_not_joined() {
    let etag = "ETag: \"1\"";
    let coded = "ETag: \"1\"\r\nContent-Encoding: gzip";
    let other_unit = part(0, 6, etag).replace("bytes ", "lines ");
    let other_length = part(0, 6, etag).replace("bytes 0-5/11", "bytes 0-4/11");
    for (request, first, second) in [
        ("GET /f", part(0, 6, ""), part(6, 11, "")),
        ("GET /f", part(0, 6, etag), part(6, 11, "ETag: \"2\"")),
        ("GET /f", part(0, 6, coded), part(6, 11, coded)),
        ("POST /f", part(0, 6, etag), part(6, 11, etag)),
        ("GET /f", other_unit, part(6, 11, etag)),
        ("GET /f", other_length, part(6, 11, etag)),
    ] {
        let (_, files) = fetch(request, &[&first, &second]);
        assert_eq!(files.len(), 2, "{first} {second}");
        assert!(files.iter().all(|file| file["complete"] == false));
    }
}

#[test]
fn all_of_it_in_one_part_is_a_file_at_once() {
    let (rows, files) = fetch("GET /f", &[&part(0, 11, "ETag: \"1\"")]);
    assert_eq!(files[0]["hash"]["sha256"], SHA256_OF_HELLO_WORLD);
    assert_eq!(rows[0]["response"]["file_id"], files[0]["file_id"]);
}

#[test]
fn parts_of_one_multipart_body_are_one_file_below_it() {
    let body = "--E\r\nContent-Range: bytes 0-5/11\r\n\r\nhello \r\n--E\r\nContent-Range: bytes 6-10/11\r\n\r\nworld\r\n--E--\r\n";
    let head = |etag: &str| {
        format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\n{etag}Content-Type: multipart/byteranges; boundary=E\r\n\r\n{body}",
            body.len()
        )
    };
    let (rows, files) = fetch("GET /f", &[&head("ETag: \"1\"\r\n")]);
    assert_eq!(files.len(), 1, "{files:#?}");
    assert_eq!(files[0]["hash"]["sha256"], SHA256_OF_HELLO_WORLD);
    assert_eq!(files[0]["parent_file_id"], rows[0]["response"]["file_id"]);

    let (rows, files) = fetch("GET /f", &[&head("")]);
    assert_eq!(files.len(), 2, "nothing says which version they are of");
    assert!(files.iter().all(|file| file["parent_file_id"] == rows[0]["response"]["file_id"]));
}
