//! HTTP sessions without flows and Parquet: requests a second, and bytes of bodies beside their bare SHA-256; and what it
//! costs to look for the parts of a body.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use parsers::context::{Anomalies, Context};
use parsers::http::Http1;
use parsers::http::multipart::{Boundary, Ending, Next, Scanner, Sink};
use parsers::protocol::{Direction, Progress, Protocol};
use parsers::services::Services;
use parsers::settings::Settings;
use schemas::batch::Records;
use schemas::envelope::Envelope;
use schemas::flows::EndReason;
use sha2::{Digest, Sha256};

/// Exchanges of a connection that is kept alive.
const EXCHANGES: u32 = 20;

/// Bytes of a segment.
const SEGMENT: usize = 1448;

/// Segments of one flow, as a browser and a server have them: small requests, responses of a few hundred bytes.
fn keep_alive() -> Vec<(Direction, Vec<u8>)> {
    let mut segments = Vec::new();
    for number in 0..EXCHANGES {
        let request = format!(
            "GET /api/v2/items/{number}?page={number} HTTP/1.1\r\nHost: shop.example.com\r\n\
             User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
             Accept: application/json\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: identity\r\n\
             Referer: http://shop.example.com/items\r\nConnection: keep-alive\r\n\r\n"
        );
        let body =
            format!("{{\"id\":{number},\"name\":\"item {number}\",\"tags\":[\"a\",\"b\"]}}\n").repeat(4);
        let response = format!(
            "HTTP/1.1 200 OK\r\nServer: nginx/1.28.0\r\nDate: Tue, 24 Nov 2026 04:20:52 GMT\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: keep-alive\r\n\
             Cache-Control: no-store\r\n\r\n{body}",
            body.len()
        );
        segments.push((Direction::ToResponder, request.into_bytes()));
        segments.push((Direction::ToOriginator, response.into_bytes()));
    }
    segments
}

/// Bytes of a body.
const BYTES: usize = 8 << 20;

/// What is compressed looks like this.
fn noise(bytes: usize) -> Vec<u8> {
    (0..bytes as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

/// Lines of base64.
fn lines(bytes: usize) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letters: Vec<u8> = noise(bytes).iter().map(|byte| LETTERS[usize::from(byte % 64)]).collect();
    letters.chunks(76).flat_map(|line| [line, b"\r\n"].concat()).take(bytes).collect()
}

/// A form with a field and a file.
fn form(file: &[u8]) -> Vec<u8> {
    let parts = [
        &b"--XyZ\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--XyZ\r\n"[..],
        b"Content-Disposition: form-data; name=\"f\"; filename=\"f.bin\"\r\n\r\n",
        file,
        b"\r\n--XyZ--\r\n",
    ];
    parts.concat()
}

/// Lines of quoted-printable text, of which every other letter is encoded.
fn quoted(bytes: usize) -> Vec<u8> {
    let letters = noise(bytes / 4).into_iter().flat_map(|byte| format!("={byte:02X}x").into_bytes());
    letters.collect::<Vec<_>>().chunks(72).flat_map(|line| [line, b"=\r\n"].concat()).take(bytes).collect()
}

/// A mail with an attachment in this encoding.
fn mail(encoding: &str, attachment: &[u8]) -> Vec<u8> {
    let parts = [
        &b"From: a@a.test\r\nTo: b@b.test\r\nContent-Type: multipart/mixed; boundary=\"XyZ\"\r\n\r\n"[..],
        b"--XyZ\r\nContent-Type: text/plain\r\n\r\nIt is attached.\r\n--XyZ\r\nContent-Transfer-Encoding: ",
        encoding.as_bytes(),
        b"\r\nContent-Disposition: attachment; filename=\"f.bin\"\r\n\r\n",
        attachment,
        b"\r\n--XyZ--\r\n",
    ];
    parts.concat()
}

/// Segments of one upload.
fn upload(kind: &str, body: &[u8]) -> Vec<(Direction, Vec<u8>)> {
    let head = format!(
        "POST /up HTTP/1.1\r\nHost: a.test\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let segments = body.chunks(SEGMENT).map(|segment| (Direction::ToResponder, segment.to_vec()));
    std::iter::once((Direction::ToResponder, head.into_bytes())).chain(segments).collect()
}

/// Segments of one download.
fn download(bytes: usize) -> Vec<(Direction, Vec<u8>)> {
    let body = noise(bytes);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n").into_bytes();
    let mut segments = vec![
        (Direction::ToResponder, b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n".to_vec()),
        (Direction::ToOriginator, head),
    ];
    segments.extend(body.chunks(SEGMENT).map(|segment| (Direction::ToOriginator, segment.to_vec())));
    segments
}

/// One flow.
fn follow(segments: &[(Direction, Vec<u8>)], records: &mut Records, settings: &Settings) {
    let mut session = Http1.session();
    let mut envelope = Envelope { protocol: 6, dst_port: 80, has_endpoints: true, ..Envelope::default() };
    let (mut anomalies, mut services) = (Anomalies::default(), Services::default());
    let mut cx = Context::new(&mut envelope, records, &mut anomalies, &mut services, settings);
    cx.has_handshake = true;
    for (direction, segment) in segments {
        let progress = session.data(*direction, segment, &mut cx);
        assert_eq!(progress, Ok(Progress::Took(segment.len())), "the segments are whole messages");
    }
    cx.end = Some(EndReason::Closed);
    session.close(&mut cx);
}

fn requests(criterion: &mut Criterion) {
    let (segments, settings) = (keep_alive(), Settings::default());
    let mut group = criterion.benchmark_group("http");
    group.throughput(Throughput::Elements(EXCHANGES.into()));
    group.bench_function("exchanges", |bencher| {
        let mut records = Records::default();
        let mut flows = 0;
        bencher.iter(|| {
            follow(&segments, &mut records, &settings);
            flows += 1;
            if flows % 128 == 0 {
                drop(black_box(records.take()));
            }
        });
    });
    group.finish();
}

fn bodies(criterion: &mut Criterion) {
    let (segments, settings) = (download(BYTES), Settings::default());
    let mut group = criterion.benchmark_group("body");
    group.throughput(Throughput::Bytes(BYTES as u64));
    group.bench_function("sha256", |bencher| {
        bencher.iter(|| {
            let mut hash = Sha256::new();
            segments.iter().skip(2).for_each(|(_, segment)| hash.update(segment));
            black_box(hash.finalize())
        });
    });
    group.bench_function("session", |bencher| {
        bencher.iter(|| {
            let mut records = Records::default();
            follow(&segments, &mut records, &settings);
            black_box(records.file.rows.len())
        });
    });
    let form = upload("multipart/form-data; boundary=XyZ", &form(&noise(BYTES)));
    let base64 = upload("message/rfc822", &mail("base64", &lines(BYTES)));
    let quoted = upload("message/rfc822", &mail("quoted-printable", &quoted(BYTES)));
    for (name, segments, files) in [("form", form, 2), ("base64", base64, 3), ("quoted", quoted, 3)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut records = Records::default();
                follow(&segments, &mut records, &settings);
                assert_eq!(records.file.rows.len(), files, "all parts are files");
            });
        });
    }
    group.finish();
}

/// Counts.
#[derive(Default)]
struct Count {
    parts: usize,
    bytes: usize,
}

impl Sink for Count {
    fn part(&mut self) {
        self.parts += 1;
    }

    fn begin(&mut self, _headers: &[u8], _cut: bool) -> Next {
        Next::Content
    }

    fn data(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
    }

    fn raw(&mut self, _layers: usize, bytes: &[u8]) {
        black_box(bytes);
    }

    fn end_content(&mut self, _end: Ending) {}

    fn end_layer(&mut self, _end: Ending) {}
}

/// The search alone: through bytes where little looks like a delimiter, through lines, and where each line looks like one.
fn parts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parts");
    group.throughput(Throughput::Bytes(BYTES as u64));
    let hyphens: Vec<u8> =
        lines(BYTES).chunks(78).flat_map(|line| [&b"--"[..], line].concat()).take(BYTES).collect();
    for (name, file) in [("noise", noise(BYTES)), ("lines", lines(BYTES)), ("hyphens", hyphens)] {
        let body = form(&file);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let boundary = Boundary::new(b"XyZ").expect("it is short");
                let (mut scanner, mut count) = (Scanner::parts(boundary), Count::default());
                body.chunks(SEGMENT).for_each(|segment| scanner.feed(segment, &mut count));
                scanner.finish(&mut count);
                assert_eq!((count.parts, count.bytes), (2, 1 + BYTES), "nothing of the file is a delimiter");
            });
        });
    }
    group.finish();
}

criterion_group!(benchmarks, requests, bodies, parts);
criterion_main!(benchmarks);
