//! How long rows take to become compressed bytes, and how many: `cargo run --release --example encode [columns]`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a measurement may fail that way")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::Instant;

use schemas::arena::{ResourceRecord, Text};
use schemas::batch::{Batch, Records};
use schemas::column::Names;
use schemas::dns::{Dns, Edns};
use schemas::envelope::Envelope;
use schemas::flows::{ConnState, EndReason, Flow};
use schemas::pending::{GROUP_ROWS, Merger};
use schemas::row_group::{RowGroup, TableFile};

use common::Random;

/// Rows an epoch: what 2^16 packets leave on a campus.
const EPOCH: usize = 12_000;

fn main() {
    let per_column = std::env::args().nth(1).is_some();
    let names = Names { sensor: "campus-1".to_owned(), sources: vec!["2026-11-01.pcap".to_owned()] };
    let tables = std::env::var("TABLES").unwrap_or_else(|_| "flows dns".to_owned());
    for table in tables.split_whitespace() {
        let mut random = Random(7);
        let mut merger = Merger::default();
        let mut groups = Vec::new();
        let mut merging = 0;
        for epoch in 0..5 * GROUP_ROWS / EPOCH {
            let workers = [0, 1].map(|_| records(table, &mut random, epoch as i64));
            let start = Instant::now();
            groups.extend(merger.add(workers));
            merging += start.elapsed().as_nanos();
        }
        let rows: usize = groups.iter().map(|group| group.rows).sum();
        let mut best = f64::MAX;
        let mut size = 0;
        for _ in 0..5 {
            let start = Instant::now();
            size = groups.iter().map(|group| write(group, &names)).sum();
            best = best.min(start.elapsed().as_nanos() as f64 / rows as f64);
        }
        println!(
            "{table}: {rows} rows, merge and sort {:.0} ns a row, encode and splice {best:.0} ns a row, {:.1} bytes a row",
            merging as f64 / rows as f64,
            size as f64 / rows as f64
        );
        arrow_writer(&groups[1], &names);
        if per_column {
            columns(&groups[1], &names);
        }
    }
}

fn write(group: &RowGroup, names: &Names) -> usize {
    let mut file = TableFile::new(group.table, Vec::new(), "campus-1", "0.1.0").unwrap();
    file.append(group, group.encode(0..group.columns(), names).unwrap()).unwrap();
    let bytes = file.finish().unwrap();
    if let Ok(folder) = std::env::var("LAKE") {
        std::fs::write(format!("{folder}/{}-{}.parquet", group.table.name, group.ts.0), &bytes).unwrap();
    }
    bytes.len()
}

/// The same rows through the writer of the `parquet` crate, for comparison: arrays are ready, only writing counts.
fn arrow_writer(group: &RowGroup, names: &Names) {
    use parquet::arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder};
    use parquet::basic::{Compression, ZstdLevel};
    use parquet::file::properties::WriterProperties;
    let mut file = TableFile::new(group.table, Vec::new(), "campus-1", "0.1.0").unwrap();
    file.append(group, group.encode(0..group.columns(), names).unwrap()).unwrap();
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(file.finish().unwrap())).unwrap();
    let batch = reader.with_batch_size(GROUP_ROWS).build().unwrap().next().unwrap().unwrap();
    let mut best = f64::MAX;
    let mut size = 0;
    for _ in 0..3 {
        let start = Instant::now();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).unwrap()))
            .build();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        size = writer.into_inner().unwrap().len();
        best = best.min(start.elapsed().as_nanos() as f64 / group.rows as f64);
    }
    println!("  ArrowWriter {best:.0} ns a row, {:.1} bytes a row", size as f64 / group.rows as f64);
}

/// Each column alone, less what reading the rows takes.
fn columns(group: &RowGroup, names: &Names) {
    let timed = |columns: std::ops::Range<usize>| {
        let mut best = f64::MAX;
        let mut size = 0;
        for _ in 0..5 {
            let start = Instant::now();
            size = group
                .encode(columns.clone(), names)
                .unwrap()
                .iter()
                .map(|column| column.size())
                .sum::<usize>();
            best = best.min(start.elapsed().as_nanos() as f64 / group.rows as f64);
        }
        (best, size as f64 / group.rows as f64)
    };
    let (reading, _) = timed(0..0);
    println!("  reading rows {reading:6.1} ns");
    for column in 0..group.columns() {
        let (time, size) = timed(column..column + 1);
        let path = group.table.descriptor().column(column).path().string();
        println!("  {path:40} {:6.1} ns {size:6.2} bytes", time - reading);
    }
}

fn records(table: &str, random: &mut Random, epoch: i64) -> Records {
    let mut records = Records::default();
    for row in 0..EPOCH / 2 {
        let ts = 1_793_000_000_000_000_000
            + (epoch * EPOCH as i64 + 2 * row as i64) * 40_000
            // Flows end long after they began, answers come soon.
            + random.below(if table == "dns" { 60_000_000 } else { 3_000_000_000 }) as i64;
        let envelope = envelope(random, ts / 1000 * 1000, table == "dns");
        if table == "dns" {
            dns(&mut records.dns, random, envelope);
        } else {
            flow(&mut records.flows, random, envelope);
        }
    }
    records
}

/// Small numbers more often than large ones.
fn skewed(random: &mut Random, end: u64) -> u64 {
    let of_end = random.below(1 << 20) as f64 / f64::from(1 << 20);
    (of_end * of_end * of_end * end as f64) as u64
}

fn envelope(random: &mut Random, ts: i64, dns: bool) -> Envelope {
    let mut src = [0; 16];
    let mut dst = [0; 16];
    let host = skewed(random, 20_000) as u32;
    src[12..].copy_from_slice(&(0x0a14_0000 + host).to_be_bytes());
    let server = if dns {
        random.pick(&[0x0a00_0035, 0x0a00_0135])
    } else {
        (skewed(random, 60_000) as u32).wrapping_mul(2_654_435_761)
    };
    dst[12..].copy_from_slice(&server.to_be_bytes());
    let ipv6 = random.chance(8);
    if ipv6 {
        src[..4].copy_from_slice(&[0x20, 1, 6, 0x7c]);
        dst[..4].copy_from_slice(&[0x2a, 0, 0x14, 0x50]);
    }
    let tcp = !dns && random.chance(60);
    Envelope {
        ts,
        uid: u128::from(random.next()) << 64 | u128::from(random.next()),
        community_id: random.bytes(),
        src,
        dst,
        ipv6,
        src_local: true,
        dst_local: dns,
        has_endpoints: true,
        src_port: 32_768 + random.below(28_000) as u16,
        dst_port: if dns { 53 } else { random.pick(&[443, 443, 443, 80, 53, 53, 123, 22, 8080, 3389]) },
        protocol: if tcp { 6 } else { 17 },
        source: 0,
        packet: (ts - 1_793_000_000_000_000_000) as u64 / 7000 + random.below(20),
    }
}

fn flow(batch: &mut Batch<Flow>, random: &mut Random, envelope: Envelope) {
    let single = random.chance(55);
    let tcp = envelope.protocol == 6;
    let duration = if single { 0 } else { skewed(random, 60_000_000) as i64 * 1000 };
    let bytes = if single {
        [random.below(2) as i64 * 40, 0]
    } else {
        [skewed(random, 20_000) as i64, skewed(random, 200_000) as i64]
    };
    let packets = if single { [1, 0] } else { [2 + bytes[0] / 700, 2 + bytes[1] / 1300] };
    batch.push(envelope, |arena| Flow {
        duration,
        end_ts: envelope.ts + duration,
        service: match envelope.dst_port {
            443 if !single && tcp => arena.plain("tls"),
            443 if !single => arena.plain("quic"),
            80 if !single => arena.plain("http"),
            53 => arena.plain("dns"),
            _ => Text::NULL,
        },
        conn_state: if single {
            ConnState::S0
        } else {
            random.pick(&[ConnState::SF, ConnState::SF, ConnState::S1, ConnState::RSTO])
        },
        history: if single && tcp {
            arena.plain("S")
        } else if single {
            arena.plain("D")
        } else if tcp {
            arena.plain(random.pick(&[
                "ShADadFf",
                "ShADadfF",
                "ShADad",
                "ShADadR",
                "ShADadTFf",
                "ShADadfFr",
                "ShAadDFf",
            ]))
        } else {
            arena.plain("Dd")
        },
        bytes,
        packets,
        ip_bytes: [bytes[0] + 40 * packets[0], bytes[1] + 40 * packets[1]],
        missed_bytes: 0,
        flags: if single { [2, 0] } else { random.pick(&[[0x1b, 0x1b], [0x1b, 0x13], [0x1f, 0x1b]]) },
        mac: [Some([0, 0x1b, 0x21, 3, 0, random.below(4) as u8]), Some([0, 0x1b, 0x21, 3, 1, 1])],
        vlan: None,
        inner_vlan: None,
        tunnels: arena.texts(&[]),
        handshake_rtt: (tcp && !single).then(|| skewed(random, 200_000) as i64 * 1000),
        icmp: None,
        duplicate_packets: 0,
        sequence: None,
        end_reason: Some(if single { EndReason::Timeout } else { EndReason::Closed }),
    });
}

fn dns(batch: &mut Batch<Dns>, random: &mut Random, envelope: Envelope) {
    let domain = skewed(random, 12_000);
    let tld = ["com", "com", "com", "net", "org", "de", "co.uk", "io"][(domain % 8) as usize];
    let registered = format!("site{domain}.{tld}");
    let name = match random.below(4) {
        0 => registered.clone(),
        1 => format!("www.{registered}"),
        2 => format!("cdn{}.{registered}", random.below(10)),
        _ => format!("api.{registered}"),
    };
    let qtype = random.pick(&[1, 1, 1, 28, 28, 65, 12]);
    let answered = random.chance(97);
    let answers = if qtype == 65 || !answered { 0 } else { 1 + random.below(3) };
    batch.push(envelope, |arena| {
        let query = arena.plain(&name);
        let records: Vec<ResourceRecord> = (0..answers)
            .map(|_| ResourceRecord {
                name: arena.plain(&name),
                record_type: qtype,
                ttl: random.pick(&[60, 300, 3600, 20, 5]),
                data: arena.plain(&format!(
                    "{}.{}.{}.{}",
                    domain % 200 + 1,
                    domain / 200 % 250,
                    domain % 61,
                    random.below(4)
                )),
            })
            .collect();
        Dns {
            id: random.next() as u16,
            opcode: 0,
            query,
            qtype: Some(qtype),
            qclass: Some(1),
            question_count: 1,
            rcode: answered.then(|| random.pick(&[0, 0, 0, 0, 0, 3])),
            authoritative: answered.then_some(false),
            truncated: answered.then_some(false),
            recursion_available: answered.then_some(true),
            authentic_data: answered.then_some(false),
            recursion_desired: Some(true),
            checking_disabled: Some(false),
            rejected: answered.then_some(false),
            answers: arena.resource_records(&records),
            authorities: arena.resource_records(&[]),
            additionals: arena.resource_records(&[]),
            rtt: answered.then(|| skewed(random, 80_000) as i64 * 1000),
            query_bytes: Some(name.len() as u32 + 18),
            response_bytes: answered.then(|| name.len() as u32 + 18 + 16 * answers as u32),
            edns: random.chance(60).then_some(Edns { udp_size: 1232, ..Edns::default() }),
            registered_domain: arena.plain(&registered),
            tld: arena.plain(tld),
        }
    });
}
