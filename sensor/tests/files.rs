//! Files of `pcaps/http/`: the hashes in the lake are those of the files that the servers and clients really had.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot read its own files has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sensor::config::{Config, IfExists, Replay};
use sensor::progress::Progress;

/// Captures with traffic that not everyone reads alike, or fields of forms beside files: more may be found than is listed.
const AT_LEAST: [&str; 10] = [
    "multipart.pcap",
    "odd_requests.pcap.gz",
    "odd_requests_nginx.pcap.gz",
    "odd_replies.pcap.gz",
    "smuggling.pcap",
    "junk.pcap",
    "chunked_odd.pcap.gz",
    "codings_odd.pcap",
    "multipart_odd.pcap",
    "range_odd.pcap",
];

type Digests = BTreeMap<String, usize>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../pcaps/http")
}

/// By capture: how often each content was carried whole.
fn truth() -> BTreeMap<String, Digests> {
    let mut truth: BTreeMap<String, Digests> = BTreeMap::new();
    for line in fs::read_to_string(folder().join("files.sha256")).unwrap().lines() {
        let [digest, _, capture, _] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        *truth.entry(capture.to_owned()).or_default().entry(digest.to_owned()).or_default() += 1;
    }
    truth
}

/// The lake of a capture.
fn lake_of(capture: &str) -> tempfile::TempDir {
    let lake = tempfile::tempdir().unwrap();
    let replay = Replay {
        captures: vec![folder().join(capture)],
        lake: lake.path().to_path_buf(),
        if_exists: IfExists::Replace,
        continuous: false,
        config: Config { workers: 2, ..Config::default() },
    };
    sensor::replay::run(&replay, &Progress::default()).unwrap();
    lake
}

/// All values of a column.
fn column(lake: &Path, table: &str, name: &str) -> Vec<Option<String>> {
    let columns = [name.to_owned()];
    let rows = sensor::output::read::newest(lake, table, usize::MAX, Some(&columns), None).unwrap().rows;
    rows.into_iter().flatten().collect()
}

/// Of the files of a capture those that were hashed.
fn hashed(capture: &str) -> Digests {
    let lake = lake_of(capture);
    let mut digests = Digests::new();
    for digest in column(lake.path(), "file", "hash.sha256").into_iter().flatten() {
        *digests.entry(digest).or_default() += 1;
    }
    digests
}

#[test]
fn statistics_count_the_files_and_their_bytes() {
    let lake = lake_of("three_files.pcap");
    let sum = |table: &str, name: &str| -> u64 {
        column(lake.path(), table, name).iter().flatten().map(|value| value.parse::<u64>().unwrap()).sum()
    };
    let hashed = column(lake.path(), "file", "hash.sha256").iter().flatten().count();
    assert!(hashed > 0);
    assert_eq!(sum("sensor_stats", "files_hashed"), hashed as u64);
    assert_eq!(sum("sensor_stats", "file_bytes"), sum("file", "seen_bytes"));
}

#[test]
fn hashes_are_those_of_what_was_served() {
    let mut wrong = Vec::new();
    for (capture, truth) in truth() {
        let found = hashed(&capture);
        let missing: Vec<_> = truth
            .iter()
            .filter(|(digest, count)| found.get(*digest).is_none_or(|found| found < *count))
            .collect();
        if !missing.is_empty() {
            wrong.push(format!("{capture}: not found: {missing:?}"));
        }
        if found != truth && !AT_LEAST.contains(&capture.as_str()) {
            let more: Vec<_> = found.iter().filter(|(digest, _)| !truth.contains_key(*digest)).collect();
            wrong.push(format!("{capture}: found besides: {more:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
