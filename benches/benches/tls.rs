//! TLS without flows and Parquet: handshakes a second, with certificates that were seen before and with new ones.

use std::hint::black_box;

use benches::{captures, conversations, frames};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use parsers::context::{Anomalies, Context};
use parsers::protocol::Direction;
use parsers::services::Services;
use parsers::settings::Settings;
use parsers::stream::Stream;
use parsers::x509::Certificates;
use schemas::batch::Records;
use schemas::envelope::Envelope;
use schemas::flows::EndReason;

/// Shows a stream the segments of a handshake.
fn follow(
    segments: &[(Direction, Vec<u8>)],
    records: &mut Records,
    certificates: &mut Certificates,
    settings: &Settings,
) {
    let mut stream = Stream::default();
    let mut envelope = Envelope { protocol: 6, dst_port: 443, has_endpoints: true, ..Envelope::default() };
    let (mut anomalies, mut services) = (Anomalies::default(), Services::default());
    let mut cx = Context::new(&mut envelope, records, &mut anomalies, &mut services, settings);
    (cx.has_handshake, cx.certificates) = (true, Some(certificates));
    for (direction, segment) in segments {
        stream.data(*direction, segment, &mut cx);
    }
    cx.end = Some(EndReason::Closed);
    stream.close(&mut cx);
}

/// Handshakes in which certificates are seen.
fn handshakes(criterion: &mut Criterion) {
    let (all, settings) = (conversations(&frames(&captures("tls"))), Settings::default());
    let mut certificates = Certificates::default();
    let shows_certificates = |segments: &Vec<(Direction, Vec<u8>)>, certificates: &mut Certificates| {
        let mut records = Records::default();
        follow(segments, &mut records, certificates, &settings);
        records.tls.rows.len() == 1 && records.tls.rows.iter().all(|row| !row.record.cert_chain.is_empty())
    };
    let shown: Vec<_> =
        all.iter().filter(|segments| shows_certificates(segments, &mut certificates)).collect();
    let mut group = criterion.benchmark_group("tls");
    group.throughput(Throughput::Elements(shown.len() as u64));
    group.bench_function("handshakes with known certificates", |bencher| {
        bencher.iter(|| {
            let mut records = Records::default();
            shown.iter().for_each(|segments| follow(segments, &mut records, &mut certificates, &settings));
            black_box(records.tls.rows.len())
        });
    });
    group.bench_function("handshakes with new certificates", |bencher| {
        bencher.iter(|| {
            let (mut records, mut certificates) = (Records::default(), Certificates::default());
            shown.iter().for_each(|segments| follow(segments, &mut records, &mut certificates, &settings));
            black_box(records.tls.rows.len())
        });
    });
    group.finish();
}

criterion_group!(benchmarks, handshakes);
criterion_main!(benchmarks);
