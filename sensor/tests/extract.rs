//! Extraction over `pcaps/http/`: what rows say is in the store, and what is in the store is what was sent.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its own files has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use sensor::config::{Config, Files, Hash, IfExists, Replay};
use sensor::counters::Report;
use sensor::output::read;
use sensor::progress::Progress;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

fn captures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pcaps/http");
    let mut captures: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    captures.retain(|path| path.to_string_lossy().contains(".pcap"));
    captures.sort();
    captures
}

fn capture(name: &str) -> Vec<PathBuf> {
    vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../pcaps/http").join(name)]
}

fn files(store: &Path) -> Files {
    Files { extract: Some(store.to_owned()), ..Files::default() }
}

fn replay(captures: Vec<PathBuf>, lake: &Path, workers: usize, files: Files) -> Report {
    let replay = Replay {
        captures,
        lake: lake.to_owned(),
        if_exists: IfExists::Replace,
        continuous: false,
        config: Config { workers, files, ..Config::default() },
    };
    sensor::replay::run(&replay, &Progress::default()).unwrap()
}

/// Replays into a lake and a store that go away together: rows of `file`, what is in the store, what was counted.
fn extract(
    captures: Vec<PathBuf>,
    workers: usize,
    change: impl FnOnce(&mut Files),
) -> (Vec<Row>, Stored, Report) {
    let (lake, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut files = files(store.path());
    change(&mut files);
    let report = replay(captures, lake.path(), workers, files);
    (rows(lake.path()), stored(store.path()), report)
}

type Stored = BTreeMap<String, Vec<u8>>;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    file_id: String,
    extracted: Option<String>,
    sha256: Option<String>,
    mime_type: Option<String>,
    seen_bytes: usize,
    complete: bool,
}

fn rows(lake: &Path) -> Vec<Row> {
    let columns =
        ["file_id", "extracted", "hash.sha256", "mime_type", "seen_bytes", "complete"].map(String::from);
    let table = read::newest(lake, "file", usize::MAX, Some(&columns), None).unwrap();
    let row = |row: Vec<Option<String>>| -> Row {
        let [file_id, extracted, sha256, mime_type, seen_bytes, complete] = row.try_into().unwrap();
        Row {
            file_id: file_id.unwrap(),
            extracted,
            sha256,
            mime_type,
            seen_bytes: seen_bytes.unwrap().parse().unwrap(),
            complete: complete.unwrap() == "true",
        }
    };
    let mut rows: Vec<Row> = table.rows.into_iter().map(row).collect();
    rows.sort();
    rows
}

/// All files of a store by path, locks apart.
fn stored(store: &Path) -> Stored {
    fn walk(folder: &Path, top: &Path, found: &mut Stored) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, top, found);
            } else if !path.ends_with(".lock") {
                let name = path.strip_prefix(top).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    let mut found = Stored::new();
    walk(store, store, &mut found);
    found
}

fn hex(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_whole_file_is_in_the_store_under_its_hash_and_nothing_else_is() {
    let (rows, stored, report) = extract(captures(), 2, |_| {});
    assert!(rows.iter().filter(|row| row.extracted.is_some()).count() > 100);
    for row in &rows {
        assert_eq!(row.extracted.is_some(), row.complete, "{row:?}");
        let Some(path) = &row.extracted else { continue };
        let content = &stored[path];
        assert_eq!((content.len(), Some(hex(content))), (row.seen_bytes, row.sha256.clone()), "{row:?}");
        assert_eq!(*path, format!("sha256/{}/{}", &hex(content)[..2], hex(content)));
    }
    let named: BTreeSet<&String> = rows.iter().filter_map(|row| row.extracted.as_ref()).collect();
    assert_eq!(named, stored.keys().collect());
    let extracted = report.extracted.unwrap();
    assert_eq!(extracted.stored, stored.len() as u64);
    assert_eq!(extracted.bytes, stored.values().map(|content| content.len() as u64).sum::<u64>());
    let whole = rows.iter().filter(|row| row.complete).count() as u64;
    assert_eq!((extracted.present, extracted.failed), (whole - extracted.stored, 0));
}

#[test]
fn rows_and_store_are_the_same_for_any_number_of_workers() {
    let expected = extract(captures(), 1, |_| {});
    for workers in [2, 5] {
        let (rows, stored, report) = extract(captures(), workers, |_| {});
        assert!(rows == expected.0);
        assert!(stored == expected.1);
        let counts = |report: &Report| {
            report.extracted.as_ref().map(|extracted| (extracted.stored, extracted.bytes, extracted.present))
        };
        assert_eq!(counts(&report), counts(&expected.2));
    }
}

#[test]
fn extraction_changes_no_row_but_for_its_column() {
    let lake = tempfile::tempdir().unwrap();
    let report = replay(captures(), lake.path(), 2, Files::default());
    assert_eq!(report.extracted, None);
    let (with, _, _) = extract(captures(), 2, |_| {});
    let mut without: Vec<Row> = with.into_iter().map(|row| Row { extracted: None, ..row }).collect();
    without.sort();
    assert!(rows(lake.path()) == without);
}

#[test]
fn a_second_replay_puts_nothing_into_the_store() {
    let (lake, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = replay(captures(), lake.path(), 2, files(store.path()));
    let (rows_before, before) = (rows(lake.path()), stored(store.path()));
    let second = replay(captures(), lake.path(), 2, files(store.path())).extracted.unwrap();
    assert_eq!((second.stored, second.bytes, second.evicted), (0, 0, 0));
    let first = first.extracted.unwrap();
    assert_eq!(second.present, first.stored + first.present);
    assert!(stored(store.path()) == before);
    assert!(rows(lake.path()) == rows_before);
}

#[test]
fn only_types_that_are_wanted_are_extracted_by_what_content_shows() {
    let types = ["application/x-dosexec", "image/*"];
    let (rows, stored, _) =
        extract(captures(), 2, |files| files.extract_types = types.map(String::from).to_vec());
    let wanted = |mime: &str| mime == "application/x-dosexec" || mime.starts_with("image/");
    for row in &rows {
        let is_wanted = row.complete && row.mime_type.as_deref().is_some_and(wanted);
        assert_eq!(row.extracted.is_some(), is_wanted, "{row:?}");
    }
    assert!(stored.values().any(|content| content.starts_with(b"MZ")));
    assert!(stored.values().any(|content| content.starts_with(b"\x89PNG")));
}

#[test]
fn files_are_stored_under_their_hash_where_rows_go_without() {
    let (rows, stored, _) = extract(capture("three_files.pcap"), 2, |files| files.hashes = vec![Hash::Md5]);
    assert!(rows.iter().any(|row| row.extracted.is_some()));
    assert!(rows.iter().all(|row| row.sha256.is_none()));
    for (path, content) in stored {
        assert!(path.ends_with(&hex(&content)));
    }
}

#[test]
fn a_file_over_its_bound_is_null_and_counted() {
    let (all, _, _) = extract(captures(), 2, |_| {});
    let (rows, stored, report) = extract(captures(), 2, |files| files.extract_file_bytes = 1000);
    let mut expected: Vec<Row> = all
        .into_iter()
        .map(|row| Row { extracted: row.extracted.clone().filter(|_| row.seen_bytes <= 1000), ..row })
        .collect();
    expected.sort();
    assert!(rows == expected);
    assert!(stored.values().all(|content| content.len() <= 1000));
    let large = rows.iter().filter(|row| row.complete && row.seen_bytes > 1000).count() as u64;
    assert!(large > 0 && report.extracted.unwrap().too_large >= large);
}

#[test]
fn a_full_store_lets_the_oldest_go_and_rows_do_not_change() {
    let bound = 1 << 20;
    let mut expected: Option<Vec<Row>> = None;
    for workers in [1, 2, 5] {
        let (rows, stored, report) = extract(captures(), workers, |files| {
            files.extract_bytes = bound;
            files.extract_file_bytes = 100_000;
        });
        let used: u64 = stored.values().map(|content| content.len() as u64).sum();
        assert!(used <= bound, "{used}");
        assert!(report.extracted.unwrap().evicted > 0);
        assert!(rows == *expected.get_or_insert_with(|| rows.clone()));
    }
}

#[test]
fn names_from_the_wire_are_no_paths() {
    // Among them are `../../../etc/passwd` and `C:\\dir\\back.txt`, as names and as targets of requests.
    let inside = tempfile::tempdir().unwrap();
    let store = inside.path().join("a/b/store");
    let lake = tempfile::tempdir().unwrap();
    replay(captures(), lake.path(), 2, files(&store));
    let uris = read::newest(lake.path(), "file", usize::MAX, Some(&["uri".to_owned()]), None).unwrap().rows;
    assert!(
        uris.into_iter().flatten().flatten().any(|uri| uri.contains("/../")),
        "no capture has such a target"
    );
    assert!(!stored(&store).is_empty());
    for path in stored(inside.path()).keys() {
        let hash = path.strip_prefix("a/b/store/sha256/").unwrap().get(3..).unwrap();
        assert!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{path}");
    }
}

/// The program with these options over a capture: exit code, standard output and standard error.
fn program(folder: &TempDir, options: &[&str]) -> (Option<i32>, String, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_spanlake"))
        .arg("replay")
        .args(capture("three_files.pcap"))
        .arg("--lake")
        .arg(folder.path().join("lake"))
        .args(options)
        .env_remove("SPANLAKE_LOG")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_summary_says_where_files_are() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store").display().to_string();
    let (code, summary, error) = program(&folder, &["--extract", &store]);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    assert!(summary.contains(&format!("extracted to {store}\n  files ")), "{summary}");
    let (_, summary, _) = program(&folder, &["--extract", &store, "--format", "json"]);
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    assert_eq!((&summary["extracted"]["files"], &summary["extracted"]["failed"]), (&0.into(), &0.into()));
    assert_eq!(summary["extracted"]["folder"], store);
    let (_, summary, _) = program(&folder, &["--format", "json"]);
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&summary).unwrap()["extracted"],
        serde_json::Value::Null
    );
}

#[test]
fn a_folder_that_cannot_be_a_store_ends_the_run_before_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for store in [file.clone(), file.join("below")] {
        let store = store.display().to_string();
        let (code, summary, error) = program(&folder, &["--extract", &store]);
        assert_eq!((code, summary.as_str()), (Some(1), ""));
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.contains(&store) && error.contains("--extract"), "{error}");
    }
    assert!(!folder.path().join("lake/flows").exists());
}

#[test]
fn a_store_and_a_lake_of_which_one_is_within_the_other_are_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let below = |path: &str| folder.path().join(path).display().to_string();
    std::os::unix::fs::symlink(folder.path(), folder.path().join("link")).unwrap();
    for (store, how) in [
        (below("lake"), "is the lake"),
        (below("lake/"), "is the lake"),
        (below("other/../lake"), "is the lake"),
        (below("link/lake"), "is the lake"),
        (below("lake/files"), "lies within the lake"),
        (below("link/lake/a/b"), "lies within the lake"),
        (below("."), "holds the lake"),
        (below("link"), "holds the lake"),
        ("/".to_owned(), "holds the lake"),
    ] {
        let (code, summary, error) = program(&folder, &["--extract", &store]);
        assert_eq!((code, summary.as_str()), (Some(2), ""), "{store}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(error.contains(&format!("--extract {store} {how}")), "{error}");
        assert!(!folder.path().join("lake").exists(), "{store}");
    }
    let config = folder.path().join("sensor.toml");
    fs::write(&config, format!("extract = {:?}\n", below("lake/files"))).unwrap();
    let (code, ..) = program(&folder, &["--config", &config.display().to_string()]);
    assert_eq!(code, Some(2), "the same from a file");
    for store in ["lake2", "lak", "new/lake"] {
        let (code, _, error) = program(&folder, &["--extract", &below(store)]);
        assert_eq!(code, Some(0), "{error}");
    }
}

#[test]
fn a_store_that_fails_ends_with_1_and_the_lake_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    fs::create_dir_all(store.join("sha256")).unwrap();
    for prefix in 0..=255 {
        // A file where a folder has to be.
        fs::write(store.join(format!("sha256/{prefix:02x}")), "").unwrap();
    }
    let (code, summary, error) = program(&folder, &["--extract", &store.display().to_string()]);
    assert_eq!(code, Some(1), "{error}");
    assert!(summary.contains("files not kept: the store failed"), "{summary}");
    let last = error.lines().last().unwrap();
    assert!(last.starts_with("spanlake: ") && last.contains(&store.display().to_string()), "{error}");
    assert_eq!(error.lines().count(), 2, "{error}");
    let rows = rows(&folder.path().join("lake"));
    assert!(rows.iter().any(|row| row.complete) && rows.iter().all(|row| row.extracted.is_none()));
}
