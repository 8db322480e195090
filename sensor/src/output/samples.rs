//! Rows for tests, and lakes made of them.

use std::path::Path;
use std::thread;

use schemas::anomaly::{Anomaly, AnomalyName};
use schemas::dns::Dns;
use schemas::envelope::Envelope;
use schemas::flows::Flow;

use super::*;

pub(crate) const DAY: i64 = 86_400_000_000_000;
/// 2026-11-24.
pub(crate) const NOVEMBER: i64 = 20_781 * DAY;
pub(crate) const HASH: &str = "0123456789abcdef";

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Flow,
    Dns,
    Anomaly,
}

/// A row to be written; its number makes its flow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) kind: Kind,
    pub(crate) ts: i64,
    pub(crate) number: u64,
}

pub(crate) fn flow(number: u64, ts: i64) -> Sample {
    Sample { kind: Kind::Flow, ts, number }
}

pub(crate) fn uid(number: u64) -> u128 {
    u128::from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 32 | u128::from(number)
}

pub(crate) fn uid_text(number: u64) -> String {
    let mut text = Vec::new();
    schemas::identifier::write_uid(uid(number), &mut text);
    String::from_utf8(text).unwrap()
}

pub(crate) fn push(records: &mut Records, sample: &Sample) {
    let mut src = [0; 16];
    src[12..].copy_from_slice(&(0x0a00_0000 | sample.number as u32).to_be_bytes());
    let envelope = Envelope {
        ts: sample.ts,
        uid: uid(sample.number),
        src,
        dst: [0; 16],
        has_endpoints: true,
        src_local: true,
        src_port: sample.number as u16,
        dst_port: 53,
        protocol: 17,
        packet: sample.number + 1,
        ..Envelope::default()
    };
    match sample.kind {
        Kind::Flow => records.flows.push(envelope, |arena| Flow {
            end_ts: sample.ts,
            service: arena.plain("dns"),
            bytes: [sample.number as i64, 0],
            ..Flow::default()
        }),
        Kind::Dns => records.dns.push(envelope, |arena| {
            let names = ["a\"b", "c"].map(|name| arena.plain(name));
            let answers = names.map(|name| schemas::arena::ResourceRecord {
                name,
                record_type: 1,
                ttl: 60,
                data: name,
            });
            Dns {
                query: arena.plain(&format!("host{}.example", sample.number)),
                answers: arena.resource_records(&answers),
                ..Dns::default()
            }
        }),
        Kind::Anomaly => records.anomaly.push(envelope, |_| Anomaly {
            name: AnomalyName::ALL[sample.number as usize % AnomalyName::ALL.len()],
            occurrences: 1,
            ..Anomaly::default()
        }),
    }
}

pub(crate) fn config(lake: &Path) -> Config {
    Config {
        lake: lake.to_path_buf(),
        names: Names { sensor: "edge".into(), sources: vec!["x.pcap".into()] },
        input_hash: HASH.into(),
        if_exists: IfExists::Replace,
        bounds: Bounds::default(),
        certificate_interval: None,
    }
}

/// Sends each epoch's rows, spread over the contributors.
pub(crate) fn send(rows: Sender<Epoch>, contributors: usize, epochs: &[Vec<Sample>]) {
    thread::scope(|scope| {
        for contributor in 0..contributors {
            let rows = rows.clone();
            scope.spawn(move || {
                for (number, epoch) in (0..).zip(epochs) {
                    let mut records = Records::default();
                    epoch
                        .iter()
                        .filter(|sample| sample.number as usize % contributors == contributor)
                        .for_each(|sample| push(&mut records, sample));
                    if rows.send(Epoch { number, contributor, records }).is_err() {
                        return;
                    }
                }
            });
        }
        drop(rows);
    });
}

pub(crate) fn write_as(
    config: Config,
    contributors: usize,
    encoders: usize,
    epochs: &[Vec<Sample>],
) -> Result<Summary> {
    let (rows, lake) = Lake::start(config, contributors, encoders)?;
    send(rows, contributors, epochs);
    lake.finish()
}
