//! Golden rows: what each capture of `pcaps/` gives, row by row, as it is read back from the lake.
//!
//! Every family has one file, `pcaps/<family>/rows.jsonl`: for each capture a line of what was counted, then a line a
//! row. Left out are nulls, what a row has in common with its flow (that it has is checked), and the middle of long
//! lists. `UPDATE_GOLDEN=1` writes the files anew; read the diff, it is what users see.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot read its own files has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use schemas::anomaly::AnomalyName;
use sensor::config::{Config, IfExists, Limits, Replay};
use sensor::counters::Report;
use sensor::output::read;
use sensor::progress::Progress;
use sensor::show;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// Tables in the order in which their rows stand behind the counts.
const TABLES: [&str; 10] =
    ["flows", "flows_open", "dns", "http", "tls", "x509", "kerberos", "ftp", "file", "anomaly"];

/// Families of captures; each has a folder and golden rows.
const FAMILIES: [&str; 13] = [
    "capture",
    "checksum",
    "dns",
    "flows",
    "fragments",
    "ftp",
    "http",
    "hunts",
    "kerberos",
    "link",
    "quic",
    "socks",
    "tls",
];

/// The same in every row, or told by `capture`.
const LEFT_OUT: [&str; 2] = ["sensor", "source"];

/// What a row of an event has in common with the row of its flow.
const OF_THE_FLOW: [&str; 6] = ["community_id", "src_ip", "src_port", "dst_ip", "dst_port", "transport"];

/// A list longer than this keeps its first entries and a hash of all.
const LONG_LIST: usize = 8;

/// Anomalies that golden rows do not show, each with the reason.
const WITHOUT_CAPTURE: [(AnomalyName, &str); 8] = [
    (AnomalyName::HttpPendingShed, "a hundred requests without a response; shown by a test of the session"),
    (AnomalyName::FragmentShed, "32 MiB of fragments; shown with a smaller bound"),
    (AnomalyName::FilePartsShed, "512 KiB of parts of files; shown with a smaller bound"),
    (AnomalyName::QuicMalformed, "no program sends such packets; shown by a test of the session"),
    (AnomalyName::QuicShed, "hundreds of keys in one flow; shown by a test of the session"),
    (AnomalyName::FtpShed, "a hundred commands without replies; shown by a test of load"),
    (AnomalyName::TransfersShed, "a thousand data connections that nobody makes; shown by a test of them"),
    (AnomalyName::StreamShed, "512 MiB of streams; shown with a smaller bound"),
];

type Row = Map<String, Value>;

fn pcaps() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../pcaps")
}

fn golden_file(family: &str) -> PathBuf {
    pcaps().join(family).join("rows.jsonl")
}

/// The captures of a family by name.
fn captures(family: &str) -> Vec<PathBuf> {
    let mut captures: Vec<PathBuf> = fs::read_dir(pcaps().join(family))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| !["jsonl", "sha256", "tsv"].iter().any(|&other| extension == other))
        })
        .collect();
    captures.sort();
    captures
}

fn name_of(capture: &Path) -> String {
    capture.file_name().unwrap().to_string_lossy().into_owned()
}

/// What was counted while a capture was read.
fn counts(report: &Report) -> Row {
    let Value::Object(row) = json!({
        "packets": report.packets,
        "bytes": report.bytes,
        "undecodable": report.undecodable.values().sum::<u64>(),
        "bad_checksums": report.bad_checksums,
        "duplicates": report.duplicates,
        "fragments": report.fragments,
        "damaged": report.damaged.iter().map(|damage| damage.what.clone()).collect::<Vec<_>>(),
    }) else {
        unreachable!("an object was written")
    };
    row
}

/// Leaves out nulls, also those inside, and all but the first entries of long lists.
fn shortened(value: Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name, shortened(value)))
                .filter(|(_, value)| value.as_object().is_none_or(|inner| !inner.is_empty()))
                .collect(),
        ),
        Value::Array(mut items) => {
            let hash = Sha256::digest(Value::Array(items.clone()).to_string());
            if items.len() > LONG_LIST {
                let hash: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
                let more = items.split_off(LONG_LIST / 2).len();
                items.push(format!("and {more} more, SHA-256 of all {hash}").into());
            }
            Value::Array(items.into_iter().map(shortened).collect())
        }
        other => other,
    }
}

/// The rows of a table, oldest first.
fn rows_of(lake: &Path, table: &str) -> Vec<Row> {
    let rows = read::newest(lake, table, 1_000_000, None, None).unwrap();
    let text = show::json(&rows, schemas::table::table(table));
    let mut rows: Vec<Row> = text
        .lines()
        .map(|line| match shortened(serde_json::from_str(line).unwrap()) {
            Value::Object(row) => row,
            other => panic!("{other} is no row"),
        })
        .collect();
    rows.reverse();
    rows
}

/// All golden rows of a capture, made anew.
fn replay(capture: &Path, limits: Limits) -> Vec<Row> {
    let lake = tempfile::tempdir().unwrap();
    let replay = Replay {
        captures: vec![capture.to_owned()],
        lake: lake.path().into(),
        if_exists: IfExists::Replace,
        continuous: false,
        config: Config { sensor: "test".into(), workers: 2, limits, ..Config::default() },
    };
    let name = name_of(capture);
    let begin = |table: &str| {
        let mut row = Row::new();
        row.insert("capture".into(), name.clone().into());
        row.insert("table".into(), table.into());
        row
    };
    let mut all = Vec::new();
    let mut first = begin("counts");
    match sensor::replay::run(&replay, &Progress::default()) {
        Ok(report) => first.extend(counts(&report)),
        Err(error) => {
            let error = format!("{error:#}").replace(&capture.display().to_string(), &name);
            first.insert("error".into(), error.into());
        }
    }
    all.push(first);
    let mut flows = BTreeMap::new();
    for table in TABLES {
        for mut row in rows_of(lake.path(), table) {
            assert_eq!(row["source"], name.as_str());
            row.retain(|column, _| !LEFT_OUT.contains(&column.as_str()));
            let of_the_flow: Row = OF_THE_FLOW
                .iter()
                .filter_map(|column| Some(((*column).to_owned(), row.get(*column)?.clone())))
                .collect();
            if table == "flows" {
                flows.insert(row["uid"].to_string(), of_the_flow);
            } else if let Some(uid) = row.get("uid") {
                let flow = flows.get(&uid.to_string());
                assert_eq!(Some(&of_the_flow), flow, "{name}: a row of {table} and its flow");
                row.retain(|column, _| !OF_THE_FLOW.contains(&column.as_str()));
            }
            let mut line = begin(table);
            line.extend(row);
            all.push(line);
        }
    }
    all
}

fn golden(family: &str) -> Vec<Row> {
    let path = golden_file(family);
    let text = fs::read_to_string(&path).unwrap_or_default();
    text.lines()
        .map(|line| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{}: {error}: {line}", path.display()))
        })
        .collect()
}

/// What tells rows of a capture apart from each other, where they have it.
fn key(row: &Row) -> String {
    ["table", "uid", "name", "packet", "id", "sequence"]
        .iter()
        .filter_map(|column| row.get(*column))
        .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        .collect::<Vec<_>>()
        .join(" ")
}

/// The differences of two sets of rows of one capture, a line for each row or field.
fn differences(expected: &[Row], got: &[Row]) -> String {
    let mut left: Vec<&Row> = expected.iter().filter(|row| !got.contains(row)).collect();
    let mut out = String::new();
    for row in got.iter().filter(|row| !expected.contains(row)) {
        let Some(at) = left.iter().position(|old| key(old) == key(row)) else {
            writeln!(out, "  + {}", Value::Object(row.clone())).unwrap();
            continue;
        };
        let old = left.remove(at);
        let columns: BTreeSet<&String> = old.keys().chain(row.keys()).collect();
        for column in columns {
            if old.get(column) != row.get(column) {
                let shown =
                    |row: &Row| row.get(column).map_or_else(|| "null".to_owned(), ToString::to_string);
                writeln!(out, "  {}: {column} is {}, golden is {}", key(row), shown(row), shown(old))
                    .unwrap();
            }
        }
    }
    for old in left {
        writeln!(out, "  - {}", Value::Object(old.clone())).unwrap();
    }
    if out.is_empty() && expected != got {
        out.push_str("  the rows are the same, in another order\n");
    }
    out
}

fn by_capture(rows: Vec<Row>) -> BTreeMap<String, Vec<Row>> {
    let mut captures = BTreeMap::<String, Vec<Row>>::new();
    for row in rows {
        captures.entry(row["capture"].as_str().unwrap().to_owned()).or_default().push(row);
    }
    captures
}

/// Compares a family with its golden rows, or writes them.
fn family_gives_its_golden_rows(family: &str) {
    let got: Vec<Row> =
        captures(family).iter().flat_map(|capture| replay(capture, Limits::default())).collect();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let lines: String = got.iter().map(|row| format!("{}\n", Value::Object(row.clone()))).collect();
        fs::write(golden_file(family), lines).unwrap();
        return;
    }
    let (mut golden, got) = (by_capture(golden(family)), by_capture(got));
    let mut complaint = String::new();
    for (capture, rows) in &got {
        let expected = golden.remove(capture).unwrap_or_default();
        if *rows != expected {
            write!(complaint, "pcaps/{family}/{capture}:\n{}", differences(&expected, rows)).unwrap();
        }
    }
    for capture in golden.keys() {
        writeln!(complaint, "pcaps/{family}/{capture}: there are golden rows, and no capture").unwrap();
    }
    assert!(
        complaint.is_empty(),
        "\n{complaint}UPDATE_GOLDEN=1 writes what is right now into the golden rows."
    );
}

#[test]
fn captures_of_every_kind_of_file_give_their_golden_rows() {
    family_gives_its_golden_rows("capture");
}

#[test]
fn captures_of_checksums_give_their_golden_rows() {
    family_gives_its_golden_rows("checksum");
}

#[test]
fn captures_of_dns_give_their_golden_rows() {
    family_gives_its_golden_rows("dns");
}

#[test]
fn captures_of_flows_give_their_golden_rows() {
    family_gives_its_golden_rows("flows");
}

#[test]
fn captures_of_fragments_give_their_golden_rows() {
    family_gives_its_golden_rows("fragments");
}

#[test]
fn captures_of_ftp_give_their_golden_rows() {
    family_gives_its_golden_rows("ftp");
}

#[test]
fn captures_of_http_give_their_golden_rows() {
    family_gives_its_golden_rows("http");
}

#[test]
fn captures_of_kerberos_give_their_golden_rows() {
    family_gives_its_golden_rows("kerberos");
}

#[test]
fn captures_of_links_and_tunnels_give_their_golden_rows() {
    family_gives_its_golden_rows("link");
}

#[test]
fn captures_of_quic_give_their_golden_rows() {
    family_gives_its_golden_rows("quic");
}

#[test]
fn captures_of_tls_give_their_golden_rows() {
    family_gives_its_golden_rows("tls");
}

#[test]
fn captures_of_hunts_give_their_golden_rows() {
    family_gives_its_golden_rows("hunts");
}

#[test]
fn captures_of_socks_give_their_golden_rows() {
    family_gives_its_golden_rows("socks");
}

#[test]
fn every_folder_of_captures_is_a_family_with_golden_rows() {
    let mut folders: Vec<String> = fs::read_dir(pcaps())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir() && !path.ends_with("make"))
        .map(|path| name_of(&path))
        .collect();
    folders.sort();
    assert_eq!(folders, FAMILIES);
}

#[test]
fn every_anomaly_is_shown_by_a_capture() {
    let shown: BTreeSet<String> = FAMILIES
        .iter()
        .flat_map(|family| golden(family))
        .filter(|row| row["table"] == "anomaly")
        .map(|row| row["name"].as_str().unwrap().to_owned())
        .collect();
    let excepted: BTreeMap<&str, &str> =
        WITHOUT_CAPTURE.iter().map(|(anomaly, reason)| (anomaly.name(), *reason)).collect();
    let mut complaint = String::new();
    for name in AnomalyName::ALL.iter().map(|anomaly| anomaly.name()) {
        match (shown.contains(name), excepted.get(name)) {
            (false, None) => writeln!(complaint, "no capture of pcaps/ shows {name}").unwrap(),
            (true, Some(reason)) => {
                writeln!(complaint, "a capture shows {name}, which was excepted: {reason}").unwrap();
            }
            _ => {}
        }
    }
    assert!(complaint.is_empty(), "\n{complaint}");
}

#[test]
fn what_bounds_of_memory_drop_is_an_anomaly() {
    let anomalies = |capture: &str, limits| -> BTreeSet<String> {
        replay(&pcaps().join(capture), limits)
            .iter()
            .filter(|row| row["table"] == "anomaly")
            .map(|row| row["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let limits = Limits { fragment_bytes: 64 << 10, ..Limits::default() };
    assert!(anomalies("fragments/never_complete.pcap", limits).contains("fragment_shed"));
    let limits = Limits { stream_bytes: 1 << 20, ..Limits::default() };
    assert!(anomalies("dns/large_queries.pcap.gz", limits).contains("stream_shed"));
    let limits = Limits { stream_bytes: 16 << 20, ..Limits::default() };
    assert!(anomalies("http/ranges_at_once.pcap", limits).contains("file_parts_shed"));
}
