//! TLS and QUIC without flows and Parquet: handshakes a second, with certificates that were seen before and with new ones;
//! certificates a second, those among them whose signatures are dear; packets of QUIC that nobody can open.

use std::hint::black_box;

use benches::{captures, conversations, frames};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use parsers::context::{Anomalies, Context};
use parsers::packet::Transport;
use parsers::protocol::{Direction, Progress, Protocol};
use parsers::quic::Quic;
use parsers::services::Services;
use parsers::settings::Settings;
use parsers::stream::Stream;
use parsers::x509::{Certificate, Certificates};
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
    let frames = frames(&captures("tls"));
    let (all, settings) = (conversations(&frames, Transport::Tcp), Settings::default());
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

/// Shows a session of QUIC the datagrams of a flow.
fn follow_quic(datagrams: &[(Direction, Vec<u8>)], records: &mut Records, settings: &Settings) {
    let mut session = Quic.session();
    let mut envelope = Envelope { protocol: 17, dst_port: 443, has_endpoints: true, ..Envelope::default() };
    let (mut anomalies, mut services) = (Anomalies::default(), Services::default());
    let mut cx = Context::new(&mut envelope, records, &mut anomalies, &mut services, settings);
    for (direction, datagram) in datagrams {
        if session.data(*direction, datagram, &mut cx) == Ok(Progress::Done) {
            break;
        }
    }
    session.close(&mut cx);
}

/// Handshakes of QUIC, and first packets that could be of one, each on a flow of its own.
fn initials(criterion: &mut Criterion) {
    let (all, settings) = (conversations(&frames(&captures("quic")), Transport::Udp), Settings::default());
    let is_read = |datagrams: &&Vec<(Direction, Vec<u8>)>| {
        let mut records = Records::default();
        follow_quic(datagrams, &mut records, &settings);
        !records.tls.rows.is_empty()
    };
    let read: Vec<_> = all.iter().filter(is_read).collect();
    let fake: Vec<_> = read
        .iter()
        .filter_map(|datagrams| {
            let (direction, mut datagram) = datagrams.first()?.clone();
            *datagram.last_mut()? ^= 1;
            Some(vec![(direction, datagram)])
        })
        .collect();
    let mut group = criterion.benchmark_group("quic");
    group.throughput(Throughput::Elements(read.len() as u64));
    group.bench_function("handshakes", |bencher| {
        bencher.iter(|| {
            let mut records = Records::default();
            read.iter().for_each(|datagrams| follow_quic(datagrams, &mut records, &settings));
            black_box(records.tls.rows.len())
        });
    });
    group.throughput(Throughput::Elements(fake.len() as u64));
    group.bench_function("packets that cannot be opened", |bencher| {
        bencher.iter(|| {
            let mut records = Records::default();
            fake.iter().for_each(|datagrams| follow_quic(datagrams, &mut records, &settings));
            black_box(records.tls.rows.len())
        });
    });
    group.finish();
}

/// DER of an element with a length of two bytes.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, 0x82][..], &u16::try_from(content.len()).unwrap_or_default().to_be_bytes(), content].concat()
}

/// A positive INTEGER of so many bits, all of them set.
fn number(bits: usize) -> Vec<u8> {
    element(2, &[&[0][..], &vec![0xff; bits / 8]].concat())
}

/// A certificate whose issuer is its subject, with a key and a signature that does not fit it.
fn certificate(algorithm: &[u8], key_algorithm: &[u8], key: &[u8], signature: &[u8]) -> Vec<u8> {
    let bits = |bytes: &[u8]| element(3, &[&[0][..], bytes].concat());
    let name = element(0x30, &element(0x31, &element(0x30, b"\x06\x03\x55\x04\x03\x0c\x01a")));
    let validity = element(0x30, b"\x17\x0d250101000000Z\x17\x0d350101000000Z");
    let key = element(0x30, &[&element(0x30, key_algorithm)[..], &bits(key)].concat());
    let algorithm = element(0x30, algorithm);
    let signed = [&b"\x02\x01\x01"[..], &algorithm, &name, &validity, &name, &key].concat();
    element(0x30, &[&element(0x30, &signed)[..], &algorithm, &bits(signature)].concat())
}

/// Certificates of servers, and those that cost most.
fn certificates(criterion: &mut Criterion) {
    const RSA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
    const MD5: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04\x05\x00";
    const SHA256: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00";
    const DSA: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x38\x04\x01";
    const DSA_SHA1: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x38\x04\x03";
    let rsa = |algorithm: &[u8], bits: usize, exponent: &[u8]| {
        let key = element(0x30, &[number(bits), element(2, exponent)].concat());
        certificate(algorithm, RSA, &key, &vec![0x11; bits / 8])
    };
    let dsa = |prime: usize, order: usize| {
        let generator = element(2, &vec![0x11; prime / 8]);
        let parameters = element(0x30, &[&number(prime)[..], &number(order), &generator].concat());
        let signature = element(0x30, &[element(2, &vec![0x11; order / 8]), element(2, &[2])].concat());
        certificate(DSA_SHA1, &[DSA, &parameters].concat(), &generator, &signature)
    };
    let mut group = criterion.benchmark_group("certificate");
    group.throughput(Throughput::Elements(1));
    for (name, der) in [
        ("RSA 2048", rsa(SHA256, 2048, &[1, 0, 1])),
        ("RSA 4096", rsa(SHA256, 4096, &[1, 0, 1])),
        ("RSA 8192, exponent of 33 bits", rsa(SHA256, 8192, &[1, 0, 0, 0, 1])),
        ("RSA 8200, not verified", rsa(SHA256, 8200, &[1, 0, 1])),
        ("RSA 2048 with MD5", rsa(MD5, 2048, &[1, 0, 1])),
        ("RSA 4096 with MD5", rsa(MD5, 4096, &[1, 0, 1])),
        ("DSA 1024/160", dsa(1024, 160)),
        ("DSA 2048/256", dsa(2048, 256)),
    ] {
        group.bench_function(name, |bencher| bencher.iter(|| black_box(Certificate::read(&der))));
    }
    group.finish();
}

criterion_group!(benchmarks, handshakes, initials, certificates);
criterion_main!(benchmarks);
