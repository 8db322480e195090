//! HTTP sessions without flows and Parquet: requests a second, and bytes of bodies beside their bare SHA-256.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use parsers::context::{Anomalies, Context};
use parsers::http::Http1;
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

/// Segments of one download.
fn download(bytes: usize) -> Vec<(Direction, Vec<u8>)> {
    let body: Vec<u8> =
        (0..bytes as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
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
    const BYTES: usize = 8 << 20;
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
    group.finish();
}

criterion_group!(benchmarks, requests, bodies);
criterion_main!(benchmarks);
