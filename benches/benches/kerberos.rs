//! Kerberos: requests and replies made into rows.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use parsers::context::{Anomalies, Context};
use parsers::kerberos::{OverTcp, OverUdp, wire};
use parsers::protocol::{Direction, Progress, Protocol};
use parsers::services::Services;
use parsers::settings::Settings;
use schemas::batch::Records;
use schemas::envelope::Envelope;

/// Exchanges of one round.
const EXCHANGES: usize = 1000;

fn exchanges(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("kerberos");
    let kinds = [("as", 10, 300), ("tgs", 12, 1200)];
    for (name, kind, ticket) in kinds {
        let (asked, issued) = (request(kind, ticket), reply(kind + 1, ticket));
        group.throughput(Throughput::Elements(2));
        group.bench_function(BenchmarkId::new("read", name), |bencher| {
            bencher
                .iter(|| (black_box(wire::read(&asked).is_some()), black_box(wire::read(&issued).is_some())));
        });
        group.throughput(Throughput::Elements(EXCHANGES as u64));
        let mut records = Records::default();
        // As most clients do: a flow for each exchange.
        group.bench_function(BenchmarkId::new("flows", name), |bencher| {
            bencher.iter(|| {
                for _ in 0..EXCHANGES {
                    fill(
                        &OverUdp,
                        &[(Direction::ToResponder, &asked), (Direction::ToOriginator, &issued)],
                        &mut records,
                    );
                }
                drop(black_box(records.take()));
            });
        });
        let both = [(Direction::ToResponder, record(&asked)), (Direction::ToOriginator, record(&issued))];
        let all: Vec<(Direction, &[u8])> = both.iter().map(|(of, bytes)| (*of, &bytes[..])).collect();
        group.bench_function(BenchmarkId::new("connection", name), |bencher| {
            bencher.iter(|| {
                fill(&OverTcp, &all.repeat(EXCHANGES), &mut records);
                drop(black_box(records.take()));
            });
        });
    }
    group.finish();
}

/// One flow.
fn fill(protocol: &dyn Protocol, pieces: &[(Direction, &[u8])], records: &mut Records) {
    let mut session = protocol.session();
    let mut envelope = Envelope { protocol: 17, dst_port: 88, ..Envelope::default() };
    let (mut anomalies, mut services) = (Anomalies::default(), Services::default());
    let settings = Settings::default();
    let mut cx = Context::new(&mut envelope, records, &mut anomalies, &mut services, &settings);
    for (direction, bytes) in pieces {
        assert_eq!(session.data(*direction, bytes, &mut cx), Ok(Progress::Took(bytes.len())));
    }
    session.close(&mut cx);
    assert!(anomalies.entries().is_empty());
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u16).to_be_bytes();
    let length: &[u8] = match content.len() {
        0..0x80 => &length[1..],
        0x80..0x100 => &[0x81, length[1]],
        _ => &[0x82, length[0], length[1]],
    };
    [&[tag], length, content].concat()
}

fn seq(parts: &[Vec<u8>]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

fn field(number: u8, content: &[u8]) -> Vec<u8> {
    element(0xa0 | number, content)
}

fn int(value: u8) -> Vec<u8> {
    element(2, &[value])
}

fn string(text: &str) -> Vec<u8> {
    element(0x1b, text.as_bytes())
}

fn principal(parts: &[&str]) -> Vec<u8> {
    let parts: Vec<Vec<u8>> = parts.iter().map(|part| string(part)).collect();
    seq(&[field(0, &int(1)), field(1, &seq(&parts))])
}

fn encrypted(length: usize) -> Vec<u8> {
    seq(&[field(0, &int(18)), field(1, &int(2)), field(2, &element(4, &vec![0x5a; length]))])
}

fn ticket(length: usize) -> Vec<u8> {
    let service = principal(&["krbtgt", "EXAMPLE.COM"]);
    let fields = [
        field(0, &int(5)),
        field(1, &string("EXAMPLE.COM")),
        field(2, &service),
        field(3, &encrypted(length)),
    ];
    element(0x61, &seq(&fields))
}

/// AS-REQ with an encrypted time, or TGS-REQ with a ticket.
fn request(kind: u8, length: usize) -> Vec<u8> {
    let shown = match kind {
        10 => seq(&[field(1, &int(2)), field(2, &element(4, &encrypted(60)))]),
        _ => {
            let fields = [
                field(0, &int(5)),
                field(1, &int(14)),
                field(2, &element(3, &[0; 5])),
                field(3, &ticket(length)),
                field(4, &encrypted(200)),
            ];
            seq(&[field(1, &int(1)), field(2, &element(4, &element(0x6e, &seq(&fields))))])
        }
    };
    let client = if kind == 10 { field(1, &principal(&["alice"])) } else { Vec::new() };
    let body = seq(&[
        field(0, &element(3, &[0, 0x40, 0x81, 0, 0x10])),
        client,
        field(2, &string("EXAMPLE.COM")),
        field(3, &principal(&["cifs", "server.example.com"])),
        field(5, &element(0x18, b"20370913024805Z")),
        field(7, &element(2, &[0x12, 0x34, 0x56, 0x78])),
        field(8, &seq(&[18, 17, 23, 24].map(int))),
    ]);
    element(
        0x60 | kind,
        &seq(&[field(1, &int(5)), field(2, &int(kind)), field(3, &seq(&[shown])), field(4, &body)]),
    )
}

fn reply(kind: u8, length: usize) -> Vec<u8> {
    let fields = [
        field(0, &int(5)),
        field(1, &int(kind)),
        field(3, &string("EXAMPLE.COM")),
        field(4, &principal(&["alice"])),
        field(5, &ticket(length)),
        field(6, &encrypted(250)),
    ];
    element(0x60 | kind, &seq(&fields))
}

/// A message behind its length.
fn record(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u32).to_be_bytes()[..], message].concat()
}

criterion_group!(benchmarks, exchanges);
criterion_main!(benchmarks);
