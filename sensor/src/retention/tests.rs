//! Lakes of a few files: what goes, in which order, and what stays whatever is asked.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, SystemTime};

use parsers::extract::Store as _;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::*;
use crate::config::Files;
use crate::output::samples::{DAY, Kind, NOVEMBER, Sample, config, write_as};

/// A lake and what is asked of it.
struct Scene {
    folder: TempDir,
    lake: PathBuf,
    cache: Cache,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lake = folder.path().join("lake");
        fs::create_dir(&lake).unwrap();
        Self { folder, lake, cache: Cache::default() }
    }

    /// A file of one row for each kind and day from 2026-11-24 on; days may be before it.
    fn with(self, rows: &[(Kind, i64)]) -> Self {
        for (number, &(kind, day)) in (0..).zip(rows) {
            let sample = Sample { kind, ts: NOVEMBER + day * DAY, number };
            let hash = format!("{number:016x}");
            write_as(crate::output::Config { input_hash: hash, ..config(&self.lake) }, 1, 1, &[vec![sample]])
                .unwrap();
        }
        self
    }

    fn keep(&mut self, days: Option<u32>, bytes: Option<u64>) -> Removed {
        run(&self.lake, None, &Retention { days, bytes }, NOVEMBER, &mut self.cache).unwrap()
    }

    /// The table and the number of each file that is left.
    fn left(&self) -> Vec<(String, u64)> {
        let mut left = Vec::new();
        for path in paths(&self.lake) {
            let table = path.strip_prefix(&self.lake).unwrap().iter().next().unwrap();
            if let Some(rest) = path.file_name().unwrap().to_str().unwrap().strip_prefix("edge-") {
                left.push((
                    table.to_str().unwrap().to_owned(),
                    u64::from_str_radix(&rest[..16], 16).unwrap(),
                ));
            }
        }
        left.sort();
        left
    }

    fn bytes(&self) -> u64 {
        paths(&self.lake).iter().map(|path| charge_of(path)).sum()
    }
}

fn charge_of(path: &Path) -> u64 {
    crate::store::charge(fs::metadata(path).unwrap().len())
}

/// All files below a folder.
fn paths(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_symlink() || !path.is_dir() { found.push(path) } else { found.extend(paths(&path)) }
    }
    found
}

fn left(rows: &[(&str, u64)]) -> Vec<(String, u64)> {
    rows.iter().map(|(table, number)| ((*table).to_owned(), *number)).collect()
}

#[test]
fn nothing_goes_where_nothing_is_asked() {
    let mut scene = Scene::new().with(&[(Kind::Flow, -4000)]);
    assert_eq!(scene.keep(None, None), Removed::default());
    assert_eq!(scene.left(), left(&[("flows", 0)]));
}

#[test]
fn files_whose_newest_row_is_older_go_from_all_tables_with_their_folders() {
    let rows =
        [(Kind::Flow, -31), (Kind::Dns, -31), (Kind::Flow, -29), (Kind::Anomaly, -400), (Kind::Dns, 3)];
    let mut scene = Scene::new().with(&rows);
    let removed = scene.keep(Some(30), None);
    assert_eq!(scene.left(), left(&[("dns", 4), ("flows", 2)]));
    let tables: Vec<_> = removed.files.iter().map(|(table, count)| (table.as_str(), count.files)).collect();
    assert_eq!(tables, [("anomaly", 1), ("dns", 1), ("flows", 1)]);
    assert!(removed.files["flows"].bytes > 1000);
    assert!(!scene.lake.join("anomaly").exists());
    assert!(!scene.lake.join("dns/year=2026/month=10").exists());
    assert!(scene.lake.join("dns/year=2026/month=11").exists());
}

#[test]
fn a_file_stays_as_long_as_one_of_its_rows_is_young_enough() {
    let scene = Scene::new();
    let rows = [-60, -20].map(|day| Sample { kind: Kind::Dns, ts: NOVEMBER + day * DAY, number: 1 });
    let november = [-23, -3].map(|day| Sample { kind: Kind::Flow, ts: NOVEMBER + day * DAY, number: 1 });
    write_as(config(&scene.lake), 1, 1, &[rows.to_vec(), november.to_vec()]).unwrap();
    let mut scene = scene;
    scene.keep(Some(21), None);
    // The month of the older row of dns has a file of its own.
    assert!(!scene.lake.join("dns/year=2026/month=9").exists());
    assert!(scene.lake.join("dns/year=2026/month=11").exists());
    scene.keep(Some(4), None);
    assert_eq!(paths(&scene.lake).len(), 1);
    scene.keep(Some(2), None);
    assert_eq!(paths(&scene.lake).len(), 0);
}

#[test]
fn by_bytes_the_oldest_goes_first_and_flows_last() {
    let rows = [
        (Kind::Flow, -40),
        (Kind::Dns, -30),
        (Kind::Anomaly, -35),
        (Kind::Dns, -20),
        (Kind::Anomaly, -25),
        (Kind::Flow, -39),
    ];
    let mut scene = Scene::new().with(&rows);
    let mut order = Vec::new();
    let mut before = scene.left();
    loop {
        let removed = scene.keep(None, Some(scene.bytes() - 1));
        let after = scene.left();
        let gone: Vec<_> =
            before.iter().filter(|file| !after.contains(file)).map(|(_, number)| *number).collect();
        if gone.is_empty() {
            assert!(removed.beyond > 0);
            break;
        }
        assert_eq!((gone.len(), removed.beyond), (1, 0));
        order.extend(gone);
        before = after;
    }
    assert_eq!(order, [2, 1, 4, 3, 0]);
    // The newest file of flows stays, whatever the bound is.
    assert_eq!(scene.left(), left(&[("flows", 5)]));
}

#[test]
fn flows_reach_back_four_times_as_far_and_no_further() {
    let rows = [(Kind::Flow, -41), (Kind::Flow, -39), (Kind::Dns, -10), (Kind::Flow, 0)];
    let mut scene = Scene::new().with(&rows);
    let all = scene.bytes();
    scene.keep(None, Some(all - 1));
    assert_eq!(scene.left(), left(&[("dns", 2), ("flows", 1), ("flows", 3)]));
    scene.keep(None, Some(scene.bytes() - 1));
    assert_eq!(scene.left(), left(&[("flows", 1), ("flows", 3)]));
}

#[test]
fn a_bound_that_holds_removes_nothing() {
    let mut scene = Scene::new().with(&[(Kind::Flow, -40), (Kind::Dns, -3)]);
    let removed = scene.keep(None, Some(scene.bytes()));
    assert_eq!((removed.left, removed.beyond), (scene.bytes(), 0));
    assert_eq!(scene.left().len(), 2);
    assert!(removed.is_empty());
}

#[test]
fn the_journal_counts_and_stays() {
    let mut scene = Scene::new().with(&[(Kind::Flow, -3), (Kind::Dns, -2), (Kind::Dns, -1)]);
    let published = scene.bytes();
    let journal = scene.lake.join(".journal/0");
    fs::create_dir_all(&journal).unwrap();
    fs::write(journal.join("segment"), vec![0; 100_000]).unwrap();
    let removed = scene.keep(None, Some(published + 100_000));
    assert_eq!((removed.left, removed.is_empty()), (published + 100_000, true));
    scene.keep(None, Some(published + 99_999));
    assert_eq!(scene.left(), left(&[("dns", 2), ("flows", 0)]));
    // It is not older than everything else, but nothing else may go.
    let removed = scene.keep(Some(1), Some(50_000));
    assert_eq!((scene.left(), removed.beyond), (vec![], 50_000));
    assert!(journal.join("segment").exists());
}

#[test]
fn what_is_not_of_the_sensor_stays_and_is_not_followed() {
    let mut scene = Scene::new().with(&[(Kind::Dns, -100), (Kind::Flow, -100)]);
    let month = scene.lake.join("dns/year=2026/month=8");
    let ours = paths(&month).remove(0);
    let beside = scene.folder.path().join("beside");
    fs::create_dir_all(beside.join("year=2026/month=8")).unwrap();
    let kept = [
        month.join(".edge-00000000000000aa-00000.parquet.tmp"),
        month.join(".hidden.parquet"),
        month.join("_x.parquet"),
        month.join("notes.txt"),
        month.join("copy.parquet.bak"),
        beside.join("year=2026/month=8/outside.parquet"),
        scene.lake.join("reports/dns.parquet"),
        scene.lake.join("mine/year=2026/month=8/x.parquet"),
        scene.lake.join("dns/year=2026/month=8/deeper/x.parquet"),
    ];
    for path in &kept {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // A file of the table, but where it is no file of the lake.
        fs::copy(&ours, path).unwrap();
    }
    // No file of ours at all.
    let foreign = month.join("foreign.parquet");
    fs::write(&foreign, "PAR1").unwrap();
    symlink(&beside, scene.lake.join("linked")).unwrap();
    symlink(kept[5].clone(), month.join("link.parquet")).unwrap();
    let removed = scene.keep(Some(30), Some(1));
    for path in kept.iter().chain([&foreign, &month.join("link.parquet")]) {
        assert!(path.exists(), "{}", path.display());
    }
    assert_eq!(scene.left(), []);
    assert_eq!((removed.unreadable, removed.failed), (1, 0));
    assert!(removed.unreadable_first.unwrap().starts_with("dns/year=2026/month=8/foreign.parquet: "));
}

#[test]
fn files_are_asked_once() {
    let mut scene =
        Scene::new().with(&[(Kind::Dns, -100), (Kind::Dns, -1), (Kind::Flow, -2), (Kind::Flow, -70)]);
    scene.keep(Some(120), None);
    // Months that are young enough as a whole need not be asked.
    assert_eq!(scene.cache.len(), 0);
    scene.keep(Some(101), None);
    assert_eq!(scene.cache.len(), 1);
    // Who has answered is not asked again: damage of the same size and time is not seen.
    let path = paths(&scene.lake.join("dns/year=2026/month=8")).remove(0);
    let (length, modified) =
        (fs::metadata(&path).unwrap().len(), fs::metadata(&path).unwrap().modified().unwrap());
    let damage = |time: SystemTime| {
        fs::write(&path, vec![0; length as usize]).unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    };
    damage(modified);
    assert_eq!(scene.keep(Some(101), None).unreadable, 0);
    damage(modified + Duration::from_secs(1));
    assert_eq!(scene.keep(Some(101), None).unreadable, 1);
    // What has gone is forgotten.
    fs::remove_file(&path).unwrap();
    scene.keep(Some(60), None);
    assert_eq!((scene.cache.len(), scene.left().len()), (1, 2));
    scene.keep(Some(60), None);
    assert_eq!(scene.cache.len(), 0);
}

#[test]
fn a_file_that_another_has_come_in_place_of_stays() {
    let mut scene = Scene::new().with(&[(Kind::Dns, -100)]);
    let path = paths(&scene.lake).remove(0);
    let folder = Folder::open(&scene.lake).unwrap();
    let mut lake = Lake::scan(&folder, &mut scene.cache).unwrap();
    lake.partitions[0].ask(&folder, &mut scene.cache, &mut Removed::default()).unwrap();
    fs::write(&path, "another").unwrap();
    let mut run = Run::new(&folder, &scene.lake, None, NOVEMBER);
    run.by_age(&mut lake, &mut scene.cache, 30).unwrap();
    assert_eq!(run.finish(&lake), Removed::default());
    assert_eq!(fs::read(&path).unwrap(), b"another");
}

/// A store with contents of these sizes that were last seen so many days ago.
fn store(folder: &Path, contents: &[(usize, i64)]) -> Store {
    let files = Files { extract: Some(folder.to_owned()), ..Files::default() };
    let store = Store::open(&files).unwrap().unwrap();
    for (number, &(length, days)) in (0..).zip(contents) {
        let content = vec![number; length];
        let sha256 = Sha256::digest(&content);
        let mut sink = store.begin(None, None).unwrap();
        sink.write(&content);
        sink.finish(&sha256.into()).unwrap();
        let name: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        let path = folder.join("sha256").join(&name[..2]).join(&name);
        let seen = SystemTime::UNIX_EPOCH + Duration::from_nanos((NOVEMBER - days * DAY) as u64);
        File::options().write(true).open(path).unwrap().set_modified(seen).unwrap();
    }
    store
}

fn sizes(store: &Path) -> Vec<u64> {
    let mut sizes: Vec<u64> =
        paths(&store.join("sha256")).iter().map(|path| fs::metadata(path).unwrap().len()).collect();
    sizes.sort();
    sizes
}

#[test]
fn contents_that_were_not_seen_for_as_many_days_go() {
    let mut scene = Scene::new().with(&[(Kind::Flow, -3)]);
    let folder = scene.folder.path().join("files");
    let store = store(&folder, &[(100, 40), (200, 2), (300, 10), (400, 11)]);
    let keep = Retention { days: Some(10), bytes: None };
    let removed = run(&scene.lake, Some(&store), &keep, NOVEMBER, &mut scene.cache).unwrap();
    assert_eq!(removed.contents, Count { files: 2, bytes: 500 });
    assert_eq!(sizes(&folder), [200, 300]);
}

#[test]
fn by_bytes_contents_go_in_the_order_of_age_with_the_files() {
    let mut scene = Scene::new().with(&[(Kind::Dns, -20), (Kind::Dns, -5), (Kind::Flow, -21)]);
    let folder = scene.folder.path().join("files");
    let store = store(&folder, &[(50_000, 30), (60_000, 10), (70_000, 2)]);
    let all = scene.bytes() + 13 * 4096 + 15 * 4096 + 18 * 4096;
    let mut keep = |bytes: u64| {
        let keep = Retention { days: None, bytes: Some(bytes) };
        let removed = run(&scene.lake, Some(&store), &keep, NOVEMBER, &mut scene.cache).unwrap();
        assert_eq!(removed.beyond, 0);
        (sizes(&folder), scene.left().iter().map(|(_, number)| *number).collect::<Vec<_>>(), removed.left)
    };
    assert_eq!(keep(all), (vec![50_000, 60_000, 70_000], vec![0, 1, 2], all));
    assert_eq!(keep(all - 1), (vec![60_000, 70_000], vec![0, 1, 2], all - 13 * 4096));
    let (contents, files, left) = keep(all - 13 * 4096 - 1);
    assert_eq!((contents, files), (vec![60_000, 70_000], vec![1, 2]));
    let (contents, files, _) = keep(left - 1);
    assert_eq!((contents, files), (vec![70_000], vec![1, 2]));
    let (contents, files, _) = keep(left - 15 * 4096 - 1);
    assert_eq!((contents, files), (vec![70_000], vec![2]));
}

#[test]
fn a_file_that_cannot_be_removed_is_told_and_the_others_go() {
    let mut scene = Scene::new().with(&[(Kind::Dns, -100), (Kind::Flow, -100), (Kind::Anomaly, -90)]);
    let stuck = scene.lake.join("dns/year=2026/month=8");
    fs::set_permissions(&stuck, Permissions::from_mode(0o500)).unwrap();
    // Root is not held up by permissions; then nothing is told here.
    let is_root = fs::write(stuck.join("probe"), "").is_ok();
    let removed = scene.keep(Some(30), None);
    fs::set_permissions(&stuck, Permissions::from_mode(0o700)).unwrap();
    if !is_root {
        assert_eq!(removed.failed, 1);
        assert!(removed.failure.unwrap().contains("dns/year=2026/month=8/edge-"));
        assert_eq!(scene.left(), left(&[("dns", 0)]));
    }
}

#[test]
fn folders_that_vanish_under_a_writer_cost_it_nothing() {
    let mut scene = Scene::new();
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for round in 0..60 {
                let sample = Sample { kind: Kind::Dns, ts: NOVEMBER - 100 * DAY, number: round };
                write_as(config(&scene.lake), 1, 1, &[vec![sample]]).unwrap();
            }
        });
        let mut cache = Cache::default();
        while !writer.is_finished() {
            let keep = Retention { days: Some(1), bytes: None };
            run(&scene.lake, None, &keep, NOVEMBER, &mut cache).unwrap();
        }
    });
    scene.keep(Some(1), None);
    assert_eq!(scene.left(), []);
}
