//! The journal of a process that is killed, and beside others.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail that way")]

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use schemas::batch::Records;
use schemas::column::Names;
use schemas::dns::Dns;
use schemas::envelope::Envelope;
use schemas::flows::Flow;
use sensor::config::{self, IfExists, Replay};
use sensor::journal::{self, Keeper, Summary};
use sensor::output::read;
use sensor::pipeline;
use sensor::progress::Progress;

/// 2026-11-30 23:00.
const END_OF_NOVEMBER: i64 = 20_787_i64 * 86_400_000_000_000 + 82_800_000_000_000;
const SECOND: i64 = 1_000_000_000;
const SOON: Duration = Duration::from_secs(60);

/// Names the lake that a child of this program writes.
const LAKE: &str = "SPANLAKE_TEST_LAKE";
/// The number of its first row.
const FIRST: &str = "SPANLAKE_TEST_FIRST";
/// How many rows it writes; without that it does not stop.
const ROWS: &str = "SPANLAKE_TEST_ROWS";

/// Rows of two tables with these numbers; times go from one month into the next.
fn rows(numbers: std::ops::Range<i64>) -> Records {
    let mut records = Records::default();
    for number in numbers {
        let uid = u128::from(number.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 32 | 7;
        let ts = END_OF_NOVEMBER + number * SECOND;
        let envelope = Envelope { ts, uid, has_endpoints: true, ..Envelope::default() };
        records.flows.push(envelope, |_| Flow { bytes: [number, 0], ..Flow::default() });
        records
            .dns
            .push(envelope, |arena| Dns { query: arena.plain(&format!("{number:010}")), ..Dns::default() });
    }
    records
}

/// The numbers of the rows of a table, sorted.
fn numbers(lake: &Path, table: &str, column: &str) -> Vec<i64> {
    if !lake.join(table).exists() {
        return Vec::new();
    }
    let table = read::newest(lake, table, usize::MAX, Some(&[column.to_owned()]), None).unwrap();
    let mut numbers: Vec<i64> =
        table.rows.iter().map(|row| row[0].as_deref().unwrap().parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

fn config(lake: &Path) -> journal::Config {
    let names = Names { sensor: "edge".into(), sources: vec!["eth0".into()] };
    journal::Config {
        sync_every: Duration::from_millis(5),
        rotate_every: Duration::from_millis(25),
        ..journal::Config::new(lake.to_path_buf(), names)
    }
}

fn finish(lake: &Path) -> Summary {
    let (rows, keeper) = Keeper::start(config(lake)).unwrap();
    drop(rows);
    keeper.finish(SOON).unwrap()
}

/// Every file of the lake is whole and none is hidden.
fn assert_whole(lake: &Path) {
    let mut folders = vec![lake.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                folders.push(path);
            } else if name != "lock" && !name.ends_with("lock") {
                assert!(name.ends_with(".parquet") && !name.starts_with('.'), "{}", path.display());
                let bytes = fs::read(&path).unwrap();
                assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"), "{}", path.display());
            }
        }
    }
}

/// This program, as the sensor that `child` is.
fn sensor(lake: &Path, first: i64) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture", "--test-threads=1"]);
    command.env(LAKE, lake).env(FIRST, first.to_string()).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// No test by itself: the process that the others kill. Says how many of its rows are in the journal.
#[test]
fn child() {
    let Some(lake) = std::env::var_os(LAKE).map(PathBuf::from) else { return };
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<i64>().unwrap());
    let first = number(FIRST).unwrap();
    let end = number(ROWS).map_or(i64::MAX, |rows| first + rows);
    let (sender, keeper) = Keeper::start(config(&lake)).unwrap();
    let mut out = std::io::stdout();
    let mut next = first;
    while next < end {
        sender.send(rows(next..next + 20)).unwrap();
        next += 20;
        // Both tables have as many, and all of a batch are on disk together.
        let journalled = first + keeper.meters().journalled.get()[0].cast_signed();
        writeln!(out, "journalled {journalled} sent {next}").unwrap();
        out.flush().unwrap();
        thread::sleep(Duration::from_millis(1));
    }
    drop(sender);
    let summary = keeper.finish(SOON).unwrap();
    assert_eq!(summary.segments, 0);
}

#[test]
fn after_a_kill_at_any_moment_each_row_that_was_journalled_is_there_once() {
    let lake = tempfile::tempdir().unwrap();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let (mut first, mut expected) = (0, Vec::new());
    let mut unpublished = 0;
    for kill in 0..25 {
        let mut child = sensor(lake.path(), first).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let wait = Duration::from_millis(random >> 56);
        let (mut journalled, mut sent) = (first, first);
        let mut begun = None;
        for line in lines.map_while(Result::ok) {
            // The harness says something, too.
            let Some((_, numbers)) = line.split_once("journalled ") else { continue };
            let (before, now) = numbers.split_once(" sent ").unwrap();
            (journalled, sent) = (before.parse().unwrap(), now.parse().unwrap());
            if begun.get_or_insert_with(Instant::now).elapsed() >= wait {
                // What is said until it is dead counts, too.
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(sent > first, "kill {kill}");
        unpublished += journal::unpublished(lake.path()).unwrap().len();
        // Half of the time the next one finds it.
        if kill % 2 == 0 {
            finish(lake.path());
        }
        expected.push((first, journalled, sent));
        first = sent + 1000;
    }
    finish(lake.path());
    assert_whole(lake.path());
    let published = numbers(lake.path(), "flows", "src_bytes");
    assert_eq!(published, numbers(lake.path(), "dns", "query"));
    for (first, journalled, sent) in expected {
        let of_run: Vec<i64> = published
            .iter()
            .copied()
            .filter(|number| (first..first + 1000.max(sent - first)).contains(number))
            .collect();
        let end = first + of_run.len() as i64;
        assert_eq!(of_run, (first..end).collect::<Vec<_>>(), "rows from {first} on");
        assert!((journalled..=sent).contains(&end), "{end} is not in {journalled}..={sent}");
    }
    assert!(unpublished > 10, "only {unpublished} segments were ever left");
    assert!(journal::unpublished(lake.path()).unwrap().is_empty());
}

#[test]
fn a_replay_into_the_same_lake_works_while_the_journal_is_kept() {
    let lake = tempfile::tempdir().unwrap();
    let (sender, keeper) = Keeper::start(config(lake.path())).unwrap();
    let is_over = AtomicBool::new(false);
    let sent = thread::scope(|scope| {
        let sending = scope.spawn(|| {
            let mut sent = 0;
            while !is_over.load(Ordering::Relaxed) {
                sender.send(rows(sent..sent + 10)).unwrap();
                sent += 10;
                thread::sleep(Duration::from_millis(1));
            }
            sent
        });
        let replay = |name: &str| Replay {
            captures: vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../pcaps/dns").join(name)],
            lake: lake.path().to_path_buf(),
            if_exists: IfExists::Replace,
            continuous: false,
            config: config::Config { sensor: "edge".into(), workers: 2, ..config::Config::default() },
        };
        let capture = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../pcaps/dns"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".pcap"))
            .min()
            .unwrap();
        let once = pipeline::run(&replay(&capture), &Progress::default()).unwrap();
        for _ in 0..5 {
            assert_eq!(pipeline::run(&replay(&capture), &Progress::default()).unwrap().rows, once.rows);
        }
        is_over.store(true, Ordering::Relaxed);
        let sent = sending.join().unwrap();
        (sent, once.rows["flows"])
    });
    drop(sender);
    let summary = keeper.finish(SOON).unwrap();
    assert_eq!(summary.published[0], sent.0.cast_unsigned());
    let flows = numbers(lake.path(), "flows", "src_bytes").len() as u64;
    assert_eq!(flows, sent.0.cast_unsigned() + sent.1);
    assert_whole(lake.path());
}

/// What `strace` saw: calls that succeeded, with the files that they were for.
#[derive(Debug)]
enum Call {
    Write(PathBuf),
    Sync(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    /// A segment, or a folder.
    Make(PathBuf),
    /// The journal counted rows: the child said so.
    Said(i64),
}

#[test]
fn files_and_folders_are_synced_before_they_count() {
    let lake = tempfile::tempdir().unwrap();
    let log = lake.path().join("strace.log");
    if !Command::new("strace").args(["-o", "/dev/null", "true"]).status().is_ok_and(|status| status.success())
    {
        eprintln!("SKIPPED: there is no strace, or it may not trace");
        return;
    }
    let place = lake.path().join("lake");
    let child = sensor(&place, 0);
    let mut traced = Command::new("strace");
    traced
        .args(["-f", "-y", "-qq", "-s", "64", "-e", "signal=none"])
        .args(["-e", "trace=openat,mkdir,mkdirat,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat"])
        .arg("-o")
        .arg(&log)
        .arg(child.get_program())
        .args(child.get_args())
        .env(LAKE, &place)
        .env(FIRST, "0")
        .env(ROWS, "10000")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    assert!(traced.status().unwrap().success());
    let calls = calls(&fs::read_to_string(log).unwrap());
    let count = |wanted: &dyn Fn(&Call) -> bool| calls.iter().filter(|call| wanted(call)).count();
    let renames = count(&|call| matches!(call, Call::Rename(..)));
    let removed = count(&|call| matches!(call, Call::Remove(path) if is_segment(path)));
    assert!(renames >= 4 && removed >= 2, "{renames} renames, {removed} segments");
    let folder = |path: &Path| path.parent().unwrap().to_path_buf();
    // Written and not synced since: files, and folders with new names.
    let mut unsynced = BTreeSet::new();
    let (mut said, mut syncs, mut syncs_before) = (0, 0, 0);
    for call in calls {
        match call {
            Call::Make(path) => {
                unsynced.insert(folder(&path));
            }
            Call::Write(path) => {
                unsynced.insert(path);
            }
            Call::Sync(path) => {
                // Rows count as soon as the name of their segment is on disk, too.
                syncs += u32::from(is_segment(&path) && !unsynced.contains(&folder(&path)));
                unsynced.remove(&path);
            }
            Call::Rename(from, to) => {
                assert!(!unsynced.contains(&from), "{} was renamed unsynced", from.display());
                unsynced.insert(folder(&to));
            }
            Call::Remove(path) if is_segment(&path) => {
                let of_lake =
                    |path: &&PathBuf| path.starts_with(&place) && !path.starts_with(place.join(".journal"));
                let open: Vec<_> = unsynced.iter().filter(of_lake).filter(|path| !is_hidden(path)).collect();
                assert!(open.is_empty(), "a segment went before {open:?} was synced");
            }
            Call::Remove(_) => {}
            Call::Said(rows) => {
                if rows > said {
                    assert!(syncs > syncs_before, "{rows} rows counted before they were synced");
                    (said, syncs_before) = (rows, syncs);
                }
            }
        }
    }
    assert!(said > 500, "{said}");
}

fn is_segment(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "segment")
}

/// A file that is not shown yet, or a lock.
fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// Reads the log of `strace -f -y`; a call that another thread interrupts is in two lines, and counts when it ends.
fn calls(log: &str) -> Vec<Call> {
    let mut begun = HashMap::new();
    let mut calls = Vec::new();
    for line in log.lines() {
        let (thread, rest) = line.split_once(' ').unwrap();
        let rest = rest.trim_start();
        if let Some(start) = rest.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, start.to_owned());
            continue;
        }
        let whole = match rest.split_once(" resumed>") {
            Some((_, end)) => format!("{}{end}", begun.remove(thread).unwrap()),
            None => rest.to_owned(),
        };
        calls.extend(call(&whole));
    }
    calls
}

fn call(line: &str) -> Option<Call> {
    let (name, rest) = line.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(") ")?;
    let result = result.trim_start().strip_prefix("= ")?;
    if result.starts_with('-') {
        return None;
    }
    let quoted: Vec<PathBuf> = arguments.split('"').skip(1).step_by(2).map(PathBuf::from).collect();
    // `3</path/of/it>`
    let descriptor = || {
        let (_, path) = arguments.split_once('<')?;
        Some(PathBuf::from(path.split_once('>')?.0))
    };
    match name {
        "openat" if arguments.contains("O_CREAT") => {
            quoted.first().filter(|path| is_segment(path)).cloned().map(Call::Make)
        }
        "mkdir" | "mkdirat" => quoted.first().cloned().map(Call::Make),
        "write" if arguments.contains("journalled ") => {
            let number = arguments.split_once("journalled ")?.1.split(' ').next()?;
            Some(Call::Said(number.parse().ok()?))
        }
        "write" | "pwrite64" => Some(Call::Write(descriptor()?)),
        "fsync" | "fdatasync" => Some(Call::Sync(descriptor()?)),
        "rename" | "renameat" | "renameat2" => {
            Some(Call::Rename(quoted.first()?.clone(), quoted.get(1)?.clone()))
        }
        "unlink" | "unlinkat" => Some(Call::Remove(quoted.first()?.clone())),
        _ => None,
    }
}

#[test]
#[ignore = "needs root"]
fn a_file_system_that_fills_up_and_is_freed_again_loses_nothing() {
    let mount = Mount::tmpfs("6m");
    let lake = mount.0.path().join("lake");
    let (sender, keeper) = Keeper::start(config(&lake)).unwrap();
    let meters = keeper.meters().clone();
    let mut sent = 0;
    let mut send = |count: i64| {
        for _ in 0..count {
            sender.send(rows(sent..sent + 100)).unwrap();
            sent += 100;
            thread::sleep(Duration::from_millis(2));
        }
        sent
    };
    let wait_until = |is_so: &dyn Fn() -> bool| {
        let end = Instant::now() + SOON;
        while !is_so() {
            assert!(Instant::now() < end, "it never came to be");
            thread::sleep(Duration::from_millis(5));
        }
    };
    let before = send(20);
    wait_until(&|| meters.published.total() == 2 * before.cast_unsigned());
    // Somebody else fills the disk to the last byte, at once and again while it is written.
    let ballast = mount.0.path().join("ballast");
    for round in 0..3 {
        fill(&ballast);
        let held = send(30);
        wait_until(&|| meters.failure().is_some());
        thread::sleep(Duration::from_millis(100 * round));
        fs::remove_file(&ballast).unwrap();
        wait_until(&|| meters.journalled.total() == 2 * held.cast_unsigned());
    }
    let all = send(20);
    drop(sender);
    let summary = keeper.finish(SOON).unwrap();
    assert_eq!((summary.lost, summary.segments), (0, 0));
    assert_eq!(summary.dropped.iter().sum::<u64>(), 0);
    assert_eq!(numbers(&lake, "flows", "src_bytes"), (0..all).collect::<Vec<_>>());
    assert_eq!(numbers(&lake, "dns", "query"), (0..all).collect::<Vec<_>>());
    assert_whole(&lake);
}

/// Writes until there is no room.
fn fill(path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    for size in [65_536, 4096, 1] {
        while file.write_all(&vec![1; size]).is_ok() {}
    }
    assert!(file.metadata().unwrap().size() > 0);
}

/// A file system of its own, for as long as this lives.
struct Mount(tempfile::TempDir);

impl Mount {
    fn tmpfs(size: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={size}");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder.path());
        assert!(mount.status().unwrap().success());
        Self(folder)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}
