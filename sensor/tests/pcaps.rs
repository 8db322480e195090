//! The project's own captures, replayed whole: the same bytes for any number of workers, also where caps are hit, and the
//! same rows however a capture was cut into files.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its own files has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

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

fn lakes_are_equal(limits: Limits) -> u64 {
    let mut first: Option<BTreeMap<PathBuf, Vec<u8>>> = None;
    let mut evicted = 0;
    for workers in [1, 2, 5] {
        let lake = tempfile::tempdir().unwrap();
        let config = Config { sensor: "test".into(), workers, limits, ..Config::default() };
        let report = replay(
            &[pcaps("dns"), pcaps("flows"), pcaps("fragments"), pcaps("link")],
            lake.path(),
            false,
            config,
        );
        evicted = report.flows_evicted;
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
    evicted
}

#[test]
fn the_bytes_of_the_lake_do_not_depend_on_the_number_of_workers() {
    assert_eq!(lakes_are_equal(Limits::default()), 0);
}

#[test]
fn nor_do_they_where_flows_are_evicted_and_memory_is_short() {
    let limits = Limits { flows: 256, stream_bytes: 1 << 10, fragment_bytes: 16 << 10 };
    assert!(lakes_are_equal(limits) > 0, "no cap was hit");
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

#[test]
fn a_capture_cut_into_files_gives_the_rows_of_the_whole() {
    let scratch = tempfile::tempdir().unwrap();
    let whole = fs::read(pcaps("dns/recursive.pcap")).unwrap();
    // Where the records of a little-endian pcap begin.
    let mut starts = vec![24];
    while let Some(header) = whole.get(*starts.last().unwrap()..).and_then(|rest| rest.get(..16)) {
        let length = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
        starts.push(starts.last().unwrap() + 16 + length);
    }
    let packets = starts.len() - 1;
    let cuts = [0, packets / 3, 2 * packets / 3, packets];
    let mut parts = Vec::new();
    for (number, cut) in cuts.windows(2).enumerate() {
        let path = scratch.path().join(format!("part{number}.pcap"));
        fs::write(&path, [&whole[..24], &whole[starts[cut[0]]..starts[cut[1]]]].concat()).unwrap();
        parts.push(path);
    }
    // The order in which they are named does not matter.
    parts.rotate_left(1);
    let (one, three) = (scratch.path().join("one"), scratch.path().join("three"));
    let config = Config { sensor: "test".into(), workers: 2, ..Config::default() };
    replay(&[pcaps("dns/recursive.pcap")], &one, false, config.clone());
    replay(&parts, &three, true, config);
    for table in ["flows", "dns"] {
        assert!(!rows(&one, table).is_empty());
        assert_eq!(rows(&one, table), rows(&three, table), "{table}");
    }
}
