//! What the sensor makes of made traffic: the rows of each protocol, and anomalies only where packets were lost or late.

#![expect(clippy::unwrap_used, reason = "a test that cannot make traffic has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use sensor::config::{Config, IfExists, Replay};
use sensor::counters;
use sensor::progress::Progress;
use sensor::{output, show};
use serde_json::Value;
use traffic::generator::{Generator, Order};
use traffic::library::Library;
use traffic::mix::Mix;
use traffic::pcap::START;
use traffic::report::Report;

/// What loss leads to.
const OF_LOSS: [&str; 2] = ["tcp_ack_unseen", "tcp_gap"];

/// Repetitions in captured sessions may have time stamps that are a tick off: when their clocks ticked is not known.
const OF_REPETITION: &str = "tcp_paws";

struct Made {
    report: Report,
    read: counters::Report,
    lake: tempfile::TempDir,
}

impl Made {
    fn new(mix: &str, bytes: u64) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pcaps");
        let library = Library::read(&folder).unwrap();
        let order = Order {
            mix: Mix::named(mix).unwrap(),
            bytes,
            seed: 3,
            rate: 500_000_000,
            flows: 200,
            start: START,
            nanoseconds: true,
        };
        let lake = tempfile::tempdir().unwrap();
        let capture = lake.path().join("made.pcap");
        let file = BufWriter::new(File::create(&capture).unwrap());
        let report = Generator::new(&library, order).write(file).unwrap();
        let replay = Replay {
            captures: vec![capture],
            lake: lake.path().join("lake"),
            if_exists: IfExists::Replace,
            continuous: false,
            config: Config { workers: 1, ..Config::default() },
        };
        std::fs::create_dir(&replay.lake).unwrap();
        let read = sensor::replay::run(&replay, &Progress::default()).unwrap();
        Self { report, read, lake }
    }

    fn rows(&self, table: &str) -> Vec<Value> {
        let rows =
            output::read::newest(&self.lake.path().join("lake"), table, 10_000_000, None, None).unwrap();
        let text = show::json(&rows, schemas::table::table(table));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn anomalies(&self) -> BTreeMap<String, usize> {
        let mut anomalies = BTreeMap::new();
        for row in self.rows("anomaly") {
            *anomalies.entry(row["name"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        anomalies
    }
}

#[test]
fn a_campus_gives_the_rows_of_each_protocol() {
    let made = Made::new("campus", 60_000_000);
    assert_eq!(made.read.bad_checksums, 0);
    let flows = made.rows("flows");
    let count = |table: &str| made.rows(table).len() as u64;
    let made_flows = made.report.total(|lane| lane.flows);
    assert!((flows.len() as u64).abs_diff(made_flows) * 50 < made_flows, "{} of {made_flows}", flows.len());
    for table in ["tls", "x509", "http", "file", "dns", "kerberos", "ftp"] {
        assert!(count(table) > 50, "{} rows of {table}", count(table));
    }
    let service =
        |service: &str| flows.iter().filter(|flow| flow["service"].to_string().contains(service)).count();
    for name in ["tls", "quic", "http", "dns", "kerberos", "ftp", "ftp-data"] {
        assert!(service(name) > 20, "{} flows of {name}", service(name));
    }
}

#[test]
fn files_come_over_http_and_over_ftp() {
    let made = Made::new("campus", 40_000_000);
    let files = made.rows("file");
    for source in ["http", "ftp"] {
        let of = files.iter().filter(|file| file["protocol"].to_string().contains(source)).count();
        assert!(of > 10, "{of} files of {source}");
    }
}

#[test]
fn anomalies_come_of_mishaps_alone() {
    for (mix, bytes) in
        [("campus", 40_000_000), ("http", 10_000_000), ("bulk", 20_000_000), ("handshakes", 5_000_000)]
    {
        let made = Made::new(mix, bytes);
        let anomalies = made.anomalies();
        let rows = made.rows("anomaly");
        let is_of_loss = |row: &&Value| OF_LOSS.contains(&row["name"].as_str().unwrap());
        let lossy: BTreeSet<String> =
            rows.iter().filter(is_of_loss).map(|row| row["uid"].to_string()).collect();
        let is_under_way = |row: &&Value| row["end_reason"] == "shutdown";
        let flows = made.rows("flows");
        let cut: BTreeSet<String> =
            flows.iter().filter(is_under_way).map(|row| row["uid"].to_string()).collect();
        // A message is malformed only where a part of its connection was lost, or comes after the end of the capture.
        let is_explained = |row: &Value| {
            let name = row["name"].as_str().unwrap();
            let uid = row["uid"].to_string();
            name == OF_REPETITION || lossy.contains(&uid) || cut.contains(&uid)
        };
        let others: Vec<&Value> = rows.iter().filter(|row| !is_explained(row)).collect();
        assert!(others.is_empty(), "{mix}: {others:?}");
        let explained: usize = anomalies.values().sum();
        let lost = made.report.impairments.lost as usize;
        assert!(explained <= 2 * lost + 2, "{mix}: {anomalies:?} of {lost} lost");
    }
}

#[test]
fn scans_and_questions_have_no_anomalies() {
    for mix in ["small", "dns", "scan"] {
        let made = Made::new(mix, 3_000_000);
        assert_eq!(made.anomalies(), BTreeMap::new(), "{mix}");
        assert_eq!(made.read.bad_checksums, 0, "{mix}");
    }
}
