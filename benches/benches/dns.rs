//! DNS messages: found in their bytes, and their rows filled.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use parsers::context::{Anomalies, Context};
use parsers::dns::{OverUdp, wire};
use parsers::protocol::{Direction, Protocol};
use parsers::services::Services;
use parsers::settings::Settings;
use schemas::batch::Records;
use schemas::envelope::Envelope;

fn messages(criterion: &mut Criterion) {
    let messages = benches::dns_messages(&benches::frames(&benches::captures("dns")));
    let mut group = criterion.benchmark_group("dns");
    group.throughput(Throughput::Elements(messages.len() as u64));
    group.bench_function("parse", |bencher| {
        bencher.iter(|| {
            for message in &messages {
                black_box(wire::parse(message));
            }
        });
    });

    let mut rows = 0;
    fill(&messages, &mut Records::default(), |records| rows += records.dns.rows.len());
    group.throughput(Throughput::Elements(rows as u64));
    group.bench_function("rows", |bencher| {
        let mut records = Records::default();
        bencher.iter(|| fill(&messages, &mut records, |records| drop(black_box(records.take()))));
    });
    group.finish();
}

/// One flow for all messages.
fn fill(messages: &[Vec<u8>], records: &mut Records, mut filled: impl FnMut(&mut Records)) {
    let mut session = OverUdp.session();
    let mut envelope = Envelope { protocol: 17, dst_port: 53, ..Envelope::default() };
    let (mut anomalies, mut services) = (Anomalies::default(), Services::default());
    let settings = Settings::default();
    let mut cx = Context::new(&mut envelope, records, &mut anomalies, &mut services, &settings);
    for message in messages {
        let is_response = message.get(2).is_some_and(|flags| flags & 0x80 != 0);
        let direction = if is_response { Direction::ToOriginator } else { Direction::ToResponder };
        // What a broken message says is for tests.
        let _ = session.data(direction, message, &mut cx);
    }
    session.close(&mut cx);
    filled(records);
}

criterion_group!(benchmarks, messages);
criterion_main!(benchmarks);
