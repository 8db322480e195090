//! Whole runs of the lake: rows of several contributors in, files read back.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::samples::*;
use super::*;
use parquet::file::reader::{FileReader, SerializedFileReader};

fn write(lake: &Path, epochs: &[Vec<Sample>]) -> Summary {
    write_as(config(lake), 2, 2, epochs).unwrap()
}

/// Everything below a folder but folders, by path.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(folder: &Path, root: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, files);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(folder, folder, &mut found);
    found
}

fn names(lake: &Path) -> Vec<String> {
    files(lake).into_keys().collect()
}

fn count(file: &Path) -> i64 {
    let reader = SerializedFileReader::new(File::open(file).unwrap()).unwrap();
    reader.metadata().file_metadata().num_rows()
}

fn folder(lake: &Path, partition: &str) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(lake.join(partition)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Rows of all tables over three months and several epochs, out of order in time.
fn mixed() -> Vec<Vec<Sample>> {
    (0..6u64)
        .map(|epoch| {
            (0..500u64)
                .map(|row| {
                    let number = epoch * 500 + row;
                    let kind = [Kind::Flow, Kind::Dns, Kind::Flow, Kind::Anomaly][row as usize % 4];
                    let ts = NOVEMBER + (row % 3) as i64 * 31 * DAY + ((number * 7919) % 1000) as i64 * 1_000;
                    Sample { kind, ts, number }
                })
                .collect()
        })
        .collect()
}

/// So many rows of one table and month that row groups become full.
fn many(rows: u64) -> Vec<Vec<Sample>> {
    let samples: Vec<_> = (0..rows)
        .map(|number| Sample { kind: Kind::Anomaly, ts: NOVEMBER + (number ^ 5) as i64 * 1_000_000, number })
        .collect();
    samples.chunks(40_000).map(<[Sample]>::to_vec).collect()
}

#[test]
fn files_are_equal_byte_for_byte_however_many_workers_and_encoders() {
    let mut epochs = mixed();
    epochs.extend(many(150_000));
    let expected = tempfile::tempdir().unwrap();
    let summary = write_as(config(expected.path()), 1, 1, &epochs).unwrap();
    let expected = files(expected.path());
    assert_eq!(summary.files, expected.len() as u64);
    assert_eq!(summary.bytes, expected.values().map(|bytes| bytes.len() as u64).sum::<u64>());
    assert_eq!(summary.rows.values().sum::<u64>(), 6 * 500 + 150_000);
    for (contributors, encoders) in [(2, 2), (5, 3)] {
        let lake = tempfile::tempdir().unwrap();
        write_as(config(lake.path()), contributors, encoders, &epochs).unwrap();
        assert!(files(lake.path()) == expected, "{contributors} contributors, {encoders} encoders");
    }
}

#[test]
fn rows_lie_in_the_month_of_their_time_and_tables_without_rows_have_no_folder() {
    let lake = tempfile::tempdir().unwrap();
    let summary =
        write(lake.path(), &[vec![flow(1, NOVEMBER), flow(2, NOVEMBER + 8 * DAY), flow(3, 251 * DAY)]]);
    assert_eq!(summary.rows, BTreeMap::from([("flows", 3)]));
    let name = "edge-0123456789abcdef-00000.parquet";
    let expected: Vec<_> = ["year=1970/month=9", "year=2026/month=11", "year=2026/month=12"]
        .iter()
        .map(|month| format!("flows/{month}/{name}"))
        .collect();
    assert_eq!(names(lake.path()), expected);
}

#[test]
fn files_and_folders_are_for_owner_and_group() {
    let parent = tempfile::tempdir().unwrap();
    let lake = parent.path().join("deep/lake");
    write(&lake, &[vec![flow(1, NOVEMBER)]]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for path in ["", "flows", "flows/year=2026", "flows/year=2026/month=11"] {
        assert_eq!(mode(&lake.join(path)), 0o750, "{path}");
    }
    assert_eq!(mode(&lake.join(&names(&lake)[0])), 0o640);
}

#[test]
fn a_full_file_is_followed_by_another() {
    let lake = tempfile::tempdir().unwrap();
    let bounds = Bounds { rows: GROUP_ROWS as u64 + 1, ..Bounds::default() };
    write_as(Config { bounds, ..config(lake.path()) }, 2, 2, &many(2 * GROUP_ROWS as u64 + 1000)).unwrap();
    let counts: Vec<_> =
        folder(lake.path(), "anomaly/year=2026/month=11").iter().map(|file| count(file)).collect();
    assert_eq!(counts.iter().sum::<i64>(), 2 * GROUP_ROWS as i64 + 1000);
    // A row group is never split, so where files end depends on where those do.
    assert!(counts.len() == 3 && counts.iter().all(|&rows| rows <= GROUP_ROWS as i64), "{counts:?}");

    for bounds in [Bounds { bytes: 1, ..Bounds::default() }, Bounds { age: Some(1), ..Bounds::default() }] {
        let lake = tempfile::tempdir().unwrap();
        write_as(Config { bounds, ..config(lake.path()) }, 2, 2, &many(GROUP_ROWS as u64 + 1)).unwrap();
        assert_eq!(folder(lake.path(), "anomaly/year=2026/month=11").len(), 2, "{bounds:?}");
    }
}

#[test]
fn time_stamps_from_everywhere_do_not_open_more_files_than_allowed() {
    let lake = tempfile::tempdir().unwrap();
    let epochs: Vec<Vec<_>> = (0..3u64)
        .map(|epoch| {
            (0..200)
                .map(|row| flow(epoch * 200 + row, (row as i64 - 100) * 400 * DAY + epoch as i64 * DAY))
                .collect()
        })
        .collect();
    let bounds = Bounds { open_files: 2, ..Bounds::default() };
    let summary = write_as(Config { bounds, ..config(lake.path()) }, 3, 2, &epochs).unwrap();
    assert_eq!(summary.rows["flows"], 600);
    let table = read::newest(lake.path(), "flows", usize::MAX, Some(&["uid".into()]), None).unwrap();
    assert_eq!(table.rows.len(), 600);
}

#[test]
fn the_same_input_again_replaces_its_files_and_no_others() {
    let lake = tempfile::tempdir().unwrap();
    let other = Config { input_hash: "ffffffffffffffff".into(), ..config(lake.path()) };
    write_as(other, 1, 1, &[vec![flow(9, NOVEMBER)]]).unwrap();
    let others = files(lake.path());
    let dns = Sample { kind: Kind::Dns, ts: NOVEMBER, number: 1 };
    write(lake.path(), &[vec![flow(1, NOVEMBER), flow(2, NOVEMBER + 31 * DAY), dns]]);
    assert_eq!(names(lake.path()).len(), 4);

    // Neither the table `dns` nor a row in December this time.
    write(lake.path(), &[vec![flow(1, NOVEMBER)]]);
    let mut left = files(lake.path());
    assert!(left.remove("flows/year=2026/month=11/edge-0123456789abcdef-00000.parquet").is_some());
    assert!(left == others);
    assert!(!lake.path().join("dns").exists(), "an emptied folder is left");
}

#[test]
fn the_same_input_again_is_refused_before_anything_is_written() {
    let lake = tempfile::tempdir().unwrap();
    write(lake.path(), &[vec![flow(1, NOVEMBER)]]);
    let before = files(lake.path());
    let refuse = Config { if_exists: IfExists::Refuse, ..config(lake.path()) };
    let error = Lake::start(refuse, 1, 1).unwrap_err().to_string();
    assert!(error.contains("already holds") && error.contains("-00000.parquet"), "{error}");
    assert!(files(lake.path()) == before);

    let other = Config { if_exists: IfExists::Refuse, input_hash: "0".repeat(16), ..config(lake.path()) };
    write_as(other, 1, 1, &[vec![flow(1, NOVEMBER)]]).unwrap();
}

#[test]
fn the_same_input_again_can_be_added_beside_itself() {
    let lake = tempfile::tempdir().unwrap();
    for runs in 1..=3 {
        let append = Config { if_exists: IfExists::Append, ..config(lake.path()) };
        write_as(append, 1, 1, &[vec![flow(1, NOVEMBER)]]).unwrap();
        assert_eq!(folder(lake.path(), "flows/year=2026/month=11").len(), runs);
    }
}

#[test]
fn an_input_that_fails_leaves_the_files_of_the_run_before() {
    let lake = tempfile::tempdir().unwrap();
    write(lake.path(), &[vec![flow(1, NOVEMBER)]]);
    let before = files(lake.path());
    let bounds = Bounds { rows: 1, ..Bounds::default() };
    let (rows, run) = Lake::start(Config { bounds, ..config(lake.path()) }, 2, 1).unwrap();
    send(rows, 2, &many(GROUP_ROWS as u64 + 10));
    run.abandon();
    assert!(files(lake.path()) == before, "{:?}", names(lake.path()));
    assert!(!lake.path().join("anomaly").exists(), "an empty folder is left");
}

#[test]
fn a_contributor_that_falls_silent_is_an_error() {
    let lake = tempfile::tempdir().unwrap();
    let (rows, run) = Lake::start(config(lake.path()), 2, 1).unwrap();
    let mut records = Records::default();
    push(&mut records, &flow(1, NOVEMBER));
    rows.send(Epoch { number: 0, contributor: 0, records }).unwrap();
    drop(rows);
    let error = run.finish().unwrap_err().to_string();
    assert!(error.contains("epoch 0"), "{error}");
    assert_eq!(names(lake.path()), [""; 0]);
}

#[test]
fn what_a_killed_run_left_is_removed_by_the_next_of_the_same_input() {
    let lake = tempfile::tempdir().unwrap();
    let month = lake.path().join("dns/year=2020/month=1");
    fs::create_dir_all(&month).unwrap();
    let own = month.join(".edge-0123456789abcdef-00007.parquet.tmp");
    let other = month.join(".edge-ffffffffffffffff-00007.parquet.tmp");
    fs::write(&own, "half").unwrap();
    fs::write(&other, "half").unwrap();
    write(lake.path(), &[vec![flow(1, NOVEMBER)]]);
    assert!(!own.exists());
    assert!(other.exists(), "another run may be writing it");
}

#[test]
fn two_runs_of_one_input_exclude_each_other_and_those_of_two_do_not() {
    let lake = tempfile::tempdir().unwrap();
    let (rows, run) = Lake::start(config(lake.path()), 1, 1).unwrap();
    let error = Lake::start(config(lake.path()), 1, 1).unwrap_err().to_string();
    assert!(error.contains("another run"), "{error}");
    let other = Config { input_hash: "0".repeat(16), ..config(lake.path()) };
    write_as(other, 1, 1, &[vec![flow(1, NOVEMBER)]]).unwrap();
    send(rows, 1, &[vec![flow(1, NOVEMBER)]]);
    run.finish().unwrap();
    assert_eq!(folder(lake.path(), "flows/year=2026/month=11").len(), 2);
    assert_eq!(names(lake.path()).len(), 2, "a lock is left");
}

#[test]
fn a_lake_that_is_no_folder_is_named() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("lake");
    fs::write(&file, "").unwrap();
    let error = Lake::start(config(&file), 1, 1).unwrap_err();
    assert!(format!("{error:#}").ends_with("lake is not a folder"), "{error:#}");
    let below = file.join("below");
    let error = Lake::start(config(&below), 1, 1).unwrap_err();
    assert!(format!("{error:#}").contains("Not a directory"), "{error:#}");
}

#[test]
fn a_reader_sees_only_whole_files_while_they_are_written() {
    let lake = tempfile::tempdir().unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut seen, mut looks) = (0, 0);
            while !done.load(Ordering::Relaxed) || looks == 0 {
                looks += 1;
                let published = folder::find(lake.path(), &Input::new("edge", HASH).unwrap()).unwrap();
                seen = published.published.iter().map(|file| count(file)).sum::<i64>().max(seen);
            }
            seen
        });
        let epochs: Vec<Vec<_>> = (0..100u64)
            .map(|epoch| (0..100).map(|row| flow(epoch * 100 + row, epoch as i64 * 40 * DAY)).collect())
            .collect();
        let bounds = Bounds { open_files: 1, ..Bounds::default() };
        write_as(Config { bounds, ..config(lake.path()) }, 2, 2, &epochs).unwrap();
        done.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() <= 10_000);
    });
}

#[test]
fn a_disk_that_fills_up_is_an_error_that_names_the_folder_and_leaves_whole_files() {
    let parent = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
        .arg(parent.path())
        .output()
        .is_ok_and(|output| output.status.success());
    if !mounted {
        eprintln!("SKIPPED: a small file system cannot be mounted (not root)");
        return;
    }
    let lake = parent.path().join("lake");
    let bounds = Bounds { open_files: 1, ..Bounds::default() };
    let epochs: Vec<Vec<_>> = (0..60u64)
        .map(|epoch| (0..2_000).map(|row| flow(epoch * 2_000 + row, epoch as i64 * 40 * DAY)).collect())
        .collect();
    let result = write_as(Config { bounds, ..config(&lake) }, 2, 2, &epochs);
    let (names, rows) = (names(&lake), read::newest(&lake, "flows", usize::MAX, Some(&["ts".into()]), None));
    let unmounted = Command::new("umount").arg(parent.path()).status().unwrap();
    assert!(unmounted.success());
    let error = result.unwrap_err().to_string();
    assert!(
        error.contains("lake/flows/year=") && error.contains("No space left on device (os error 28)"),
        "{error}"
    );
    assert!(error.ends_with("; what had been published is whole"), "{error}");
    assert!(!names.is_empty() && names.iter().all(|name| name.ends_with(".parquet")), "{names:?}");
    assert!(rows.unwrap().rows.len() >= 2_000);
}

#[test]
fn the_newest_rows_come_first_and_no_more_than_asked_for() {
    let lake = tempfile::tempdir().unwrap();
    write(lake.path(), &mixed());
    let columns = ["ts", "src_ip.address", "src_port"].map(String::from);
    let table = read::newest(lake.path(), "flows", 5, Some(&columns), None).unwrap();
    assert_eq!(table.columns, columns);
    assert_eq!(table.rows.len(), 5);
    let all = read::newest(lake.path(), "flows", usize::MAX, Some(&columns), None).unwrap();
    assert_eq!(all.rows.len(), 1500);
    assert_eq!(all.rows[..5], table.rows);
    assert!(all.rows.is_sorted_by(|a, b| a[0] >= b[0]));
    assert_eq!(table.rows[0][0].as_deref(), Some("2027-01-25T00:00:00.000996Z"));
    assert!(read::newest(lake.path(), "flows", 0, None, None).unwrap().rows.is_empty());
}

#[test]
fn rows_of_one_flow_are_found_by_its_uid() {
    let lake = tempfile::tempdir().unwrap();
    write(lake.path(), &mixed());
    write_as(
        Config { input_hash: "0".repeat(16), ..config(lake.path()) },
        1,
        1,
        &[(0..10_000).map(|number| flow(100_000 + number, NOVEMBER - 400 * DAY)).collect()],
    )
    .unwrap();
    let uid = uid_text(105_000);
    let table = read::newest(lake.path(), "flows", 10, None, Some(&uid)).unwrap();
    assert_eq!(table.rows.len(), 1);
    let at = |name: &str| table.columns.iter().position(|column| column == name).unwrap();
    assert_eq!(table.rows[0][at("uid")].as_deref(), Some(uid.as_str()));
    assert_eq!(table.rows[0][at("src_bytes")].as_deref(), Some("105000"));
    assert!(read::newest(lake.path(), "flows", 10, None, Some("C")).unwrap().rows.is_empty());
}

#[test]
fn structs_are_dotted_columns_and_lists_are_json() {
    let lake = tempfile::tempdir().unwrap();
    write(lake.path(), &[vec![Sample { kind: Kind::Dns, ts: NOVEMBER, number: 7 }]]);
    let columns = ["src_ip", "query", "answers", "rcode", "edns"].map(String::from);
    let table = read::newest(lake.path(), "dns", 1, Some(&columns), None).unwrap();
    let row: BTreeMap<_, _> =
        table.columns.iter().map(String::as_str).zip(table.rows[0].iter().map(Option::as_deref)).collect();
    assert_eq!(row["src_ip.address"], Some("10.0.0.7"));
    assert_eq!(row["src_ip.is_local"], Some("true"));
    assert_eq!(row["src_ip.country"], None);
    assert_eq!(row["query"], Some("host7.example"));
    let answers: serde_json::Value = serde_json::from_str(row["answers"].unwrap()).unwrap();
    assert_eq!(answers[0]["name"], "a\"b");
    assert_eq!(answers[1], serde_json::json!({"name": "c", "type": "A", "ttl": 60, "data": "c"}));
    assert_eq!(row["rcode"], None);
    assert_eq!(row["edns.udp_size"], None);
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest() {
    let lake = tempfile::tempdir().unwrap();
    write(lake.path(), &[vec![flow(1, NOVEMBER)]]);
    let error = |table: &str, column: &str| {
        let columns = [column.to_owned()];
        format!("{:#}", read::newest(lake.path(), table, 1, Some(&columns), None).unwrap_err())
    };
    assert!(error("flow", "ts").ends_with("the nearest name is \"flows\""), "{}", error("flow", "ts"));
    assert!(error("flows", "src_prot").ends_with("the nearest name is \"src_port\""));
    assert!(read::newest(lake.path(), "dns", 1, None, None).unwrap().rows.is_empty());
    let missing = read::newest(&lake.path().join("x"), "flows", 1, None, None).unwrap_err().to_string();
    assert!(missing.starts_with("there is no lake"), "{missing}");
}
