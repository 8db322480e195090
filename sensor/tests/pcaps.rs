//! The project's own captures, replayed whole: the same bytes for any number of workers, also where caps are hit, and the
//! same rows however a capture was cut into files.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its own files has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemas::anomaly::AnomalyName;
use sensor::config::{Config, IfExists, Limits, Replay};
use sensor::output::read;
use sensor::progress::Progress;

fn pcaps(under: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../pcaps").join(under)
}

fn replay(captures: &[PathBuf], lake: &Path, continuous: bool, config: Config) -> sensor::counters::Report {
    let captures = sensor::capture::expand(captures).unwrap();
    let replay = Replay { captures, lake: lake.into(), if_exists: IfExists::Replace, continuous, config };
    sensor::replay::run(&replay, &Progress::default()).unwrap()
}

/// Every file of a lake but those about the sensor itself.
fn files(lake: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![lake.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("sensor_stats") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "parquet") {
                let name = path.strip_prefix(lake).unwrap().to_path_buf();
                all.insert(name, fs::read(path).unwrap());
            }
        }
    }
    all
}

/// Replays captures with several numbers of workers; says what was counted.
fn lakes_are_equal(limits: Limits) -> sensor::counters::Report {
    let mut first: Option<BTreeMap<PathBuf, Vec<u8>>> = None;
    let mut counted = sensor::counters::Report::default();
    for workers in [1, 2, 5] {
        let lake = tempfile::tempdir().unwrap();
        let config = Config { sensor: "test".into(), workers, limits, ..Config::default() };
        let report = replay(
            &[pcaps("dns"), pcaps("flows"), pcaps("fragments"), pcaps("http"), pcaps("link")],
            lake.path(),
            false,
            config,
        );
        counted = report;
        let files = files(lake.path());
        assert!(files.len() > 100, "only {} files", files.len());
        match &first {
            None => first = Some(files),
            Some(first) => {
                let differing: Vec<_> =
                    first.iter().filter(|(name, bytes)| files.get(*name) != Some(bytes)).collect();
                assert!(
                    differing.is_empty() && first.len() == files.len(),
                    "{workers} workers: {} differ",
                    differing.len()
                );
            }
        }
    }
    counted
}

#[test]
fn the_bytes_of_the_lake_do_not_depend_on_the_number_of_workers() {
    assert_eq!(lakes_are_equal(Limits::default()).flows_evicted, 0);
}

#[test]
fn nor_do_they_where_flows_are_evicted_and_memory_is_short() {
    let limits = Limits { flows: 256, stream_bytes: 1 << 10, fragment_bytes: 16 << 10 };
    assert!(lakes_are_equal(limits).flows_evicted > 0, "no cap was hit");
}

#[test]
fn nor_do_they_where_some_parts_of_files_are_joined_and_others_given_up() {
    let report = lakes_are_equal(Limits { stream_bytes: 16 << 20, ..Limits::default() });
    assert!(report.anomalies.contains_key(&AnomalyName::FilePartsShed));
    assert!(report.shed_bytes > 0);
}

/// The rows of a table as text, without what tells the capture they came from.
fn rows(lake: &Path, table: &str) -> Vec<String> {
    let read::Table { columns, rows } = read::newest(lake, table, 100_000, None, None).unwrap();
    let kept: Vec<usize> =
        (0..columns.len()).filter(|&at| !matches!(columns[at].as_str(), "source" | "packet")).collect();
    let mut rows: Vec<String> =
        rows.iter().map(|row| kept.iter().map(|&at| format!("{:?} ", row[at])).collect()).collect();
    rows.sort();
    rows
}

/// Every capture of a family in the one format that is cut here: pcap in little-endian order.
fn plain_captures(family: &str) -> Vec<PathBuf> {
    let mut captures: Vec<PathBuf> = fs::read_dir(pcaps(family))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "pcap"))
        .collect();
    captures.sort();
    captures
}

/// Cuts a little-endian pcap into three of as many packets each; the later ones come first.
fn cut_in_three(capture: &Path, folder: &Path) -> Vec<PathBuf> {
    let whole = fs::read(capture).unwrap();
    // Where its records begin.
    let mut starts = vec![24];
    while let Some(header) = whole.get(*starts.last().unwrap()..).and_then(|rest| rest.get(..16)) {
        let length = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
        starts.push(starts.last().unwrap() + 16 + length);
    }
    let packets = starts.len() - 1;
    let cuts = [0, packets / 3, 2 * packets / 3, packets];
    let mut parts = Vec::new();
    for (number, cut) in cuts.windows(2).enumerate().filter(|(_, cut)| cut[0] < cut[1]) {
        let path = folder.join(format!("part{number}.pcap"));
        fs::write(&path, [&whole[..24], &whole[starts[cut[0]]..starts[cut[1]]]].concat()).unwrap();
        parts.push(path);
    }
    parts.reverse();
    parts
}

#[test]
fn captures_cut_into_files_give_the_rows_of_the_whole() {
    let config = Config { sensor: "test".into(), workers: 2, ..Config::default() };
    let mut compared = 0;
    for family in ["checksum", "dns", "flows", "fragments", "http", "link"] {
        for capture in plain_captures(family) {
            let scratch = tempfile::tempdir().unwrap();
            let parts = cut_in_three(&capture, scratch.path());
            let (one, three) = (scratch.path().join("one"), scratch.path().join("three"));
            replay(std::slice::from_ref(&capture), &one, false, config.clone());
            replay(&parts, &three, true, config.clone());
            for table in ["flows", "flows_open", "dns", "http", "tls", "file", "anomaly"] {
                let whole = rows(&one, table);
                assert_eq!(whole, rows(&three, table), "{table} of {}", capture.display());
                compared += whole.len();
            }
        }
    }
    assert!(compared > 1500, "only {compared} rows");
}

/// The rows of a table as objects, oldest first.
fn objects(lake: &Path, table: &str) -> Vec<serde_json::Value> {
    let rows = read::newest(lake, table, 100_000, None, None).unwrap();
    let text = sensor::show::json(&rows, schemas::table::table(table));
    text.lines().rev().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn flows_that_live_on_are_shown_at_each_interval_with_the_counts_so_far() {
    let scratch = tempfile::tempdir().unwrap();
    let (with, without) = (scratch.path().join("with"), scratch.path().join("without"));
    let captures = [pcaps("flows/half_a_minute.pcap")];
    let config = Config { sensor: "test".into(), workers: 2, ..Config::default() };
    replay(&captures, &without, false, config.clone());
    let interval = Duration::from_secs(10);
    replay(&captures, &with, false, Config { flow_interval: interval, ..config });
    assert_eq!(rows(&with, "flows"), rows(&without, "flows"), "what is shown meanwhile changes no flow");
    assert!(rows(&without, "flows_open").is_empty(), "no flow lives for an hour");

    let open = objects(&with, "flows_open");
    let flows = objects(&with, "flows");
    assert_eq!(flows.len(), 3, "a connection, datagrams, pings");
    for flow in &flows {
        let shown: Vec<_> = open.iter().filter(|row| row["uid"] == flow["uid"]).collect();
        let lived = flow["duration"].as_f64().unwrap();
        assert_eq!(shown.len(), (lived / 10.0) as usize, "{flow}");
        let mut before = 0;
        for (number, row) in shown.iter().enumerate() {
            assert_eq!(row["sequence"], number, "{row}");
            assert!(row["end_reason"].is_null(), "{row}");
            assert!(flow.get("sequence").is_none_or(serde_json::Value::is_null), "{flow}");
            for same in ["ts", "community_id", "src_ip", "dst_port", "packet", "handshake_rtt", "ip_protocol"]
            {
                assert_eq!(row[same], flow[same], "{same} of {row}");
            }
            let packets = row["src_packets"].as_i64().unwrap();
            assert!(packets > before, "counts go on: {row}");
            assert!(packets <= flow["src_packets"].as_i64().unwrap(), "and end where the flow does: {row}");
            assert!(row["duration"].as_f64().unwrap() <= 10.0 * (number + 1) as f64, "{row}");
            before = packets;
        }
    }
}
