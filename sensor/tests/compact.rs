//! Compaction as its user meets it, and killed at any moment.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its own files has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sensor::output::read;
use tempfile::TempDir;

/// A lake that sensors of these names have written, each a file a table and month of each capture.
fn lake(sensors: &[&str]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    for sensor in sensors {
        replay(&lake, sensor, &[]);
    }
    (folder, lake)
}

fn replay(lake: &Path, sensor: &str, options: &[&str]) -> Output {
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pcaps/dns");
    let arguments =
        ["replay", captures.to_str().unwrap(), "--lake", lake.to_str().unwrap(), "--sensor", sensor];
    spanlake(&[&arguments, options].concat())
}

fn compact(lake: &Path, options: &[&str]) -> Output {
    spanlake(&[&["compact", "--lake", lake.to_str().unwrap(), "--after", "1ms"], options].concat())
}

fn spanlake(arguments: &[&str]) -> Output {
    program(arguments).output().unwrap()
}

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spanlake"));
    command.args(arguments).stdin(Stdio::null()).env_remove("SPANLAKE_LOG");
    command
}

/// Rows of tables.
type Rows = BTreeMap<String, Vec<Vec<Option<String>>>>;

/// Every row of every table, in no order.
fn rows(lake: &Path) -> Rows {
    let mut rows = BTreeMap::new();
    for table in read::tables(lake).unwrap() {
        let mut of_table = read::newest(lake, &table, usize::MAX, None, None).unwrap().rows;
        of_table.sort();
        rows.insert(table, of_table);
    }
    rows
}

/// The files in partitions, hidden ones too.
fn files(lake: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for table in read::tables(lake).unwrap() {
        for year in fs::read_dir(lake.join(table)).unwrap() {
            for month in fs::read_dir(year.unwrap().path()).unwrap() {
                files.extend(fs::read_dir(month.unwrap().path()).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
    }
    files.sort();
    files
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn files_are_joined_and_what_was_done_is_said() {
    let (_folder, lake) = lake(&["one", "two"]);
    let (before, many) = (rows(&lake), files(&lake).len());
    let planned = compact(&lake, &["--dry-run"]);
    assert!(text(&planned.stdout).contains("files would be joined to 1"), "{planned:?}");
    assert_eq!(files(&lake).len(), many);
    let young = spanlake(&["compact", "--lake", lake.to_str().unwrap()]);
    assert!(text(&young.stdout).contains("months that were written to not long ago: "), "{young:?}");
    let done = compact(&lake, &["--format", "json"]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let json: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert!(json["joined"].as_array().unwrap().iter().all(|joined| joined["joined_files"] == 1), "{json}");
    assert!(files(&lake).len() < many / 2);
    assert_eq!(rows(&lake), before);
    let again = compact(&lake, &[]);
    assert_eq!((text(&again.stdout).as_str(), again.status.code()), ("nothing to join\n", Some(0)));
}

#[test]
fn captures_whose_rows_were_joined_are_not_replayed_twice_unasked() {
    let (_folder, lake) = lake(&["one", "two"]);
    compact(&lake, &[]);
    let before = rows(&lake);
    let refused = replay(&lake, "one", &[]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(text(&refused.stderr).contains("--if-exists append"), "{refused:?}");
    assert_eq!(rows(&lake), before);
    assert_eq!(replay(&lake, "one", &["--if-exists", "append"]).status.code(), Some(0));
    assert!(rows(&lake)["dns"].len() > before["dns"].len());
    assert_eq!(replay(&lake, "three", &[]).status.code(), Some(0));
}

#[test]
fn a_damaged_file_is_named_and_the_run_ends_with_3() {
    let (_folder, lake) = lake(&["one", "two"]);
    let damaged = files(&lake).into_iter().find(|path| path.starts_with(lake.join("dns"))).unwrap();
    let bytes = fs::read(&damaged).unwrap();
    fs::write(&damaged, &bytes[..bytes.len() / 2]).unwrap();
    for quiet in [false, true] {
        let ended = compact(&lake, if quiet { &["--quiet"] } else { &[] });
        assert_eq!(ended.status.code(), Some(3), "{ended:?}");
        let said = if quiet { &ended.stderr } else { &ended.stdout };
        assert!(text(said).contains(damaged.to_str().unwrap()), "{ended:?}");
    }
    assert!(damaged.exists());
}

#[test]
fn a_lake_that_is_not_there_is_no_lake_to_join() {
    let folder = tempfile::tempdir().unwrap();
    let ended = compact(&folder.path().join("none"), &[]);
    assert_eq!(ended.status.code(), Some(1));
    assert!(text(&ended.stderr).starts_with("spanlake: no lake at "), "{ended:?}");
}

#[test]
fn whenever_it_is_killed_every_row_is_there_once() {
    let (folder, whole) = lake(&["one", "two", "three"]);
    let before = rows(&whole);
    // How long a run takes here and now; kills are spread over it.
    let timed = copy(&whole, &folder.path().join("timed"));
    let started = Instant::now();
    assert_eq!(compact(&timed, &[]).status.code(), Some(0));
    let takes = started.elapsed();
    // Two at a time, which takes each a little longer.
    let killed = thread::scope(|scope| {
        let halves = [0, 1].map(|half| {
            let (whole, before, folder) = (&whole, &before, folder.path());
            scope.spawn(move || {
                let rounds = (0..40_u32).filter(|round| round / 2 % 2 == half);
                rounds
                    .filter(|round| is_killed_and_whole(*round, takes * *round / 30, whole, before, folder))
                    .count()
            })
        });
        halves.map(|half| half.join().unwrap()).iter().sum::<usize>()
    });
    assert!(killed > 10, "{killed} of 40 were killed in time");
}

/// Whether a run was killed after so long; every row is there once, then and after the next run.
fn is_killed_and_whole(round: u32, after: Duration, whole: &Path, before: &Rows, folder: &Path) -> bool {
    let lake = copy(whole, &folder.join(format!("lake-{round}")));
    let arguments = ["compact", "--lake", lake.to_str().unwrap(), "--after", "1ms"];
    let mut child = program(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    thread::sleep(after);
    child.kill().unwrap();
    let killed = child.wait().unwrap().signal().is_some();
    assert_eq!(rows(&lake), *before, "round {round}");
    // A sensor that starts sets it right, and so does the next compaction.
    if round.is_multiple_of(2) {
        assert_eq!(replay(&lake, "four", &[]).status.code(), Some(0));
    }
    let ended = compact(&lake, &[]);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    if !round.is_multiple_of(2) {
        assert_eq!(rows(&lake), *before, "round {round}");
    } else {
        assert_eq!(rows(&lake)["dns"].len(), before["dns"].len() / 3 * 4, "round {round}");
    }
    for file in files(&lake) {
        assert!(!file.file_name().unwrap().to_str().unwrap().starts_with('.'), "{}", file.display());
    }
    let mut left: Vec<_> =
        fs::read_dir(lake.join(".compact")).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["exchange", "lock"]);
    fs::remove_dir_all(&lake).unwrap();
    killed
}

/// A copy of a lake.
fn copy(from: &Path, to: &Path) -> PathBuf {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
    to.to_path_buf()
}
