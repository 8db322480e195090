//! Whole journals: rows in, files of the lake out, whatever happens in between.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use schemas::batch::Records;
use schemas::envelope::Envelope;
use schemas::flows::Flow;
use schemas::x509::X509;

use super::disk::Real;
use super::disk::faulty::Faulty;
use super::segment::{Frame, Segment, Writer};
use super::*;
use crate::capture::{self, Pool};
use crate::inline::Inline;
use crate::output::{self, Bounds, Epoch, IfExists, Lake, read};

const DAY: i64 = 86_400_000_000_000;
/// 2026-11-24.
const NOVEMBER: i64 = 20_781 * DAY;
const DECEMBER: i64 = NOVEMBER + 10 * DAY;
const SOON: Duration = Duration::from_secs(60);

/// Rows of flows whose `src_bytes` are these numbers.
fn flows(numbers: std::ops::Range<i64>, ts: i64) -> Records {
    let mut records = Records::default();
    for number in numbers {
        let uid = u128::from(number.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 32 | 7;
        let envelope = Envelope { ts: ts + number, uid, has_endpoints: true, ..Envelope::default() };
        records.flows.push(envelope, |arena| Flow {
            bytes: [number, 0],
            service: arena.plain("dns"),
            ..Flow::default()
        });
    }
    records
}

/// The numbers of all rows in the lake, sorted.
fn numbers(lake: &Path) -> Vec<i64> {
    if !lake.join("flows").exists() {
        return Vec::new();
    }
    let columns = ["src_bytes".to_owned()];
    let table = read::newest(lake, "flows", usize::MAX, Some(&columns), None).unwrap();
    let mut numbers: Vec<i64> =
        table.rows.iter().map(|row| row[0].as_deref().unwrap().parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

fn names() -> Names {
    Names { sensor: "edge".into(), sources: vec!["eth0".into()] }
}

fn config(lake: &Path) -> Config {
    Config { sync_every: Duration::from_millis(5), ..Config::new(lake.to_path_buf(), names()) }
}

/// All files of a folder and those below, with what is in them; locks apart.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(below) = folders.pop() {
        for entry in fs::read_dir(below).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("lock") {
                files.insert(path.strip_prefix(folder).unwrap().to_path_buf(), fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// Writes a segment as a sensor that was killed would have left it.
fn leave(lake: &Path, epochs: &[Records]) -> PathBuf {
    let folder = folder_of(lake, "edge");
    output::folder::make_folders(&folder).unwrap();
    let mut writer = Writer::create(&folder, &names(), &Real).unwrap();
    for rows in epochs {
        let mut frames = Vec::new();
        rows.pack(1 << 20, 0, |piece| frames.push(Frame::new(&piece, 0)));
        writer.append(&mut frames, &Real).unwrap();
    }
    writer.path().to_path_buf()
}

/// Starts a keeper and ends it.
fn run(lake: &Path) -> Summary {
    let (rows, keeper) = Keeper::start(config(lake)).unwrap();
    drop(rows);
    keeper.finish(SOON).unwrap()
}

fn wait_until(mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + SOON;
    while !is_so() {
        assert!(Instant::now() < end, "it never came to be");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// What waits in the journal.
fn segments(lake: &Path) -> usize {
    files(&folder_of(lake, "edge")).len()
}

#[test]
fn what_comes_is_published_at_the_end() {
    let lake = tempfile::tempdir().unwrap();
    let (rows, keeper) = Keeper::start(config(lake.path())).unwrap();
    for start in (0..1000).step_by(100) {
        rows.send(flows(start..start + 100, NOVEMBER)).unwrap();
    }
    drop(rows);
    let summary = keeper.finish(SOON).unwrap();
    assert_eq!((summary.journalled[0], summary.published[0], summary.files), (1000, 1000, 1));
    assert_eq!((summary.lost, summary.segments), (0, 0));
    assert_eq!(numbers(lake.path()), (0..1000).collect::<Vec<_>>());
    assert!(unpublished(lake.path()).unwrap().is_empty());
    assert_eq!(segments(lake.path()), 0);
}

#[test]
fn the_lake_has_the_same_bytes_as_without_a_journal() {
    let mut epochs = Vec::new();
    for family in ["dns", "http", "tls", "ftp", "kerberos", "flows"] {
        let mut engine = Inline::new(&crate::config::Config::default());
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pcaps").join(family);
        let mut captures: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        captures.sort();
        for path in captures {
            if let Ok(mut capture) = capture::open(&path, &Pool::default(), None) {
                engine.read(&mut *capture, |rows| epochs.push(rows));
            }
        }
        engine.finish(|rows| epochs.push(rows));
    }
    let (kept, direct) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let segment = leave(kept.path(), &epochs);
    let input_hash = Segment::open(&segment).unwrap().header().input_hash();
    let summary = run(kept.path());
    let lake = output::Config {
        lake: direct.path().to_path_buf(),
        names: names(),
        input_hash,
        if_exists: IfExists::Replace,
        bounds: Bounds::default(),
        certificate_interval: None,
    };
    let (rows, lake) = Lake::start(lake, 1, 1).unwrap();
    let filled = epochs.into_iter().filter(|records| records.newest().is_some());
    for (number, records) in (0..).zip(filled) {
        rows.send(Epoch { number, contributor: 0, records }).unwrap();
    }
    drop(rows);
    let expected = lake.finish().unwrap();
    assert_eq!((summary.files, summary.bytes), (expected.files, expected.bytes));
    assert_eq!(expected.rows.len(), schemas::batch::TABLES, "{:?}", expected.rows);
    assert!(files(kept.path()) == files(direct.path()));
}

#[test]
fn wherever_a_run_ended_the_next_one_publishes_each_row_once() {
    let epochs = [flows(0..400, NOVEMBER), flows(400..500, DECEMBER), {
        let mut rows = flows(500..501, DECEMBER);
        rows.x509.push(Envelope { ts: NOVEMBER, ..Envelope::default() }, |_| X509::default());
        rows
    }];
    let whole = tempfile::tempdir().unwrap();
    let segment = leave(whole.path(), &epochs);
    let bytes = fs::read(&segment).unwrap();
    run(whole.path());
    let published = files(whole.path());
    assert_eq!(published.len(), 3);
    let paths: Vec<_> = published.keys().collect();
    let place = segment.strip_prefix(whole.path()).unwrap();
    let put = |lake: &Path, path: &Path, bytes: &[u8]| {
        let path = lake.join(path);
        output::folder::make_folders(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    // Any of the files may have been published, or half-written, when it ended; the segment may be there or not.
    for state in 0..3_usize.pow(paths.len() as u32) {
        let lake = tempfile::tempdir().unwrap();
        put(lake.path(), place, &bytes);
        for (at, path) in paths.iter().enumerate() {
            let hidden = path.with_file_name(format!(".{}.tmp", path.file_name().unwrap().to_str().unwrap()));
            match state / 3_usize.pow(at as u32) % 3 {
                0 => {}
                1 => put(lake.path(), path, &published[*path]),
                _ => put(lake.path(), &hidden, &published[*path][..100]),
            }
        }
        let summary = run(lake.path());
        assert_eq!((summary.published[0], summary.segments), (501, 0), "{state}");
        assert!(files(lake.path()) == published, "{state}: {:?}", files(lake.path()).keys());
        // The segment has gone, but that never reached the disk.
        put(lake.path(), place, &bytes);
        run(lake.path());
        assert!(files(lake.path()) == published, "{state}");
    }
}

#[test]
fn segments_that_were_left_are_published_beside_what_comes() {
    let lake = tempfile::tempdir().unwrap();
    for number in 0..5 {
        leave(lake.path(), &[flows(number * 10..number * 10 + 10, NOVEMBER)]);
    }
    // The making of this one was not finished.
    fs::write(folder_of(lake.path(), "edge").join("00000000000000000001-0.segment"), "").unwrap();
    let (rows, keeper) = Keeper::start(config(lake.path())).unwrap();
    rows.send(flows(50..60, NOVEMBER)).unwrap();
    wait_until(|| keeper.meters().published.total() == 50);
    drop(rows);
    let summary = keeper.finish(SOON).unwrap();
    assert_eq!((summary.journalled[0], summary.published[0], summary.segments), (10, 60, 0));
    assert_eq!(numbers(lake.path()), (0..60).collect::<Vec<_>>());
    assert_eq!(segments(lake.path()), 0);
}

#[test]
fn a_segment_ends_by_time() {
    let lake = tempfile::tempdir().unwrap();
    let config = Config { rotate_every: Duration::from_millis(20), ..config(lake.path()) };
    let (rows, keeper) = Keeper::start(config).unwrap();
    rows.send(flows(0..10, NOVEMBER)).unwrap();
    wait_until(|| numbers(lake.path()).len() == 10);
    rows.send(flows(10..20, NOVEMBER)).unwrap();
    wait_until(|| numbers(lake.path()).len() == 20);
    let meters = keeper.meters();
    wait_until(|| meters.journal_bytes.load(Relaxed) == 0 && meters.segments.load(Relaxed) == 0);
    assert_eq!((meters.files.load(Relaxed), meters.held_rows.load(Relaxed)), (2, 0));
    drop(rows);
    assert_eq!(keeper.finish(SOON).unwrap().files, 2);
}

#[test]
fn a_segment_ends_by_bytes_of_the_lake() {
    let lake = tempfile::tempdir().unwrap();
    let config = Config { rotate_bytes: 20_000, ..config(lake.path()) };
    let (rows, keeper) = Keeper::start(config).unwrap();
    let mut sent = 0;
    while keeper.meters().files.load(Relaxed) < 3 {
        rows.send(flows(sent..sent + 10, NOVEMBER)).unwrap();
        sent += 10;
        std::thread::sleep(Duration::from_millis(1));
        assert!(sent < 1_000_000);
    }
    drop(rows);
    keeper.finish(SOON).unwrap();
    assert!(sent > 100, "{sent}");
    assert_eq!(numbers(lake.path()), (0..sent).collect::<Vec<_>>());
}

#[test]
fn a_segment_ends_with_the_month_of_its_packets() {
    let lake = tempfile::tempdir().unwrap();
    let (rows, keeper) = Keeper::start(config(lake.path())).unwrap();
    let meters = keeper.meters().clone();
    rows.send(flows(0..10, NOVEMBER)).unwrap();
    wait_until(|| meters.journalled.total() == 10);
    rows.send(flows(10..20, DECEMBER)).unwrap();
    wait_until(|| numbers(lake.path()).len() == 10);
    // A flow that began in the month before does not end the one of the next.
    rows.send(flows(20..30, NOVEMBER)).unwrap();
    wait_until(|| meters.journalled.total() == 30);
    rows.send(flows(30..40, DECEMBER)).unwrap();
    wait_until(|| meters.journalled.total() == 40);
    assert_eq!(meters.files.load(Relaxed), 1);
    drop(rows);
    assert_eq!(keeper.finish(SOON).unwrap().files, 3);
    assert_eq!(numbers(lake.path()), (0..40).collect::<Vec<_>>());
}

#[test]
fn a_row_from_the_future_does_not_hide_the_months_that_come() {
    let lake = tempfile::tempdir().unwrap();
    let config = Config { rotate_bytes: 200_000, ..config(lake.path()) };
    let (rows, keeper) = Keeper::start(config).unwrap();
    let meters = keeper.meters().clone();
    rows.send(flows(0..10, DECEMBER + 3650 * DAY)).unwrap();
    wait_until(|| meters.journalled.total() == 10);
    // So many that the segment ends by its bytes, or never does.
    let mut sent = 10;
    while meters.files.load(Relaxed) == 0 {
        rows.send(flows(sent..sent + 100, NOVEMBER)).unwrap();
        sent += 100;
        wait_until(|| meters.journalled.total() == sent as u64);
        std::thread::sleep(Duration::from_millis(1));
        assert!(sent < 1_000_000);
    }
    rows.send(flows(sent..sent + 10, NOVEMBER)).unwrap();
    wait_until(|| meters.journalled.total() == sent as u64 + 10);
    let files = meters.files.load(Relaxed);
    rows.send(flows(sent + 10..sent + 20, DECEMBER)).unwrap();
    wait_until(|| meters.files.load(Relaxed) > files);
    drop(rows);
    keeper.finish(SOON).unwrap();
    assert_eq!(numbers(lake.path()), (0..sent + 20).collect::<Vec<_>>());
}

#[test]
fn a_full_disk_holds_rows_up_and_none_is_lost_or_doubled() {
    let lake = tempfile::tempdir().unwrap();
    let disk = Arc::new(Faulty::default());
    let (rows, keeper) = Keeper::on(config(lake.path()), disk.clone()).unwrap();
    let meters = keeper.meters().clone();
    rows.send(flows(0..100, NOVEMBER)).unwrap();
    wait_until(|| meters.journalled.total() == 100);
    for (round, room) in [0, 1, 50, 500, 3000].into_iter().enumerate() {
        let first = 100 + 1000 * round as i64;
        disk.has_room(room);
        let fails = disk.fails_to_sync.load(Relaxed);
        assert!(!fails);
        for start in (first..first + 1000).step_by(100) {
            rows.send(flows(start..start + 100, NOVEMBER)).unwrap();
        }
        wait_until(|| meters.failure().is_some() && meters.held_rows.load(Relaxed) > 0);
        assert!(meters.failure().unwrap().contains("No space left on device"));
        disk.has_room(u64::MAX);
        wait_until(|| meters.journalled.total() == first as u64 + 1000);
        wait_until(|| meters.failure().is_none() && meters.held_rows.load(Relaxed) == 0);
    }
    drop(rows);
    let summary = keeper.finish(SOON).unwrap();
    assert_eq!((summary.published[0], summary.dropped[0], summary.lost), (5100, 0, 0));
    assert_eq!(numbers(lake.path()), (0..5100).collect::<Vec<_>>());
}

#[test]
fn a_disk_that_fails_in_any_way_doubles_nothing() {
    let lake = tempfile::tempdir().unwrap();
    let disk = Arc::new(Faulty::default());
    let config = Config { rotate_every: Duration::from_millis(1), ..config(lake.path()) };
    let (rows, keeper) = Keeper::on(config, disk.clone()).unwrap();
    for (round, start) in (0..2000).step_by(10).enumerate() {
        disk.fails_to_sync.store(round % 3 == 1, Relaxed);
        disk.fails_to_truncate.store(round % 4 < 2, Relaxed);
        disk.has_room(if round % 5 == 0 { round as u64 * 7 } else { u64::MAX });
        rows.send(flows(start..start + 10, NOVEMBER)).unwrap();
        std::thread::sleep(Duration::from_millis(4));
    }
    disk.fails_to_sync.store(false, Relaxed);
    disk.fails_to_truncate.store(false, Relaxed);
    disk.has_room(u64::MAX);
    drop(rows);
    let summary = keeper.finish(SOON).unwrap();
    assert_eq!((summary.published[0], summary.dropped[0], summary.lost), (2000, 0, 0));
    assert!(summary.files > 5, "{}", summary.files);
    assert_eq!(numbers(lake.path()), (0..2000).collect::<Vec<_>>());
}

#[test]
fn what_memory_does_not_hold_is_dropped_from_the_oldest_and_counted() {
    let lake = tempfile::tempdir().unwrap();
    let disk = Arc::new(Faulty::default());
    let hold_bytes = 100_000;
    let (rows, keeper) = Keeper::on(Config { hold_bytes, ..config(lake.path()) }, disk.clone()).unwrap();
    let meters = keeper.meters().clone();
    disk.has_room(10);
    for start in (0..10_000).step_by(100) {
        rows.send(flows(start..start + 100, NOVEMBER)).unwrap();
        assert!(meters.held_bytes.load(Relaxed) <= hold_bytes as u64);
    }
    wait_until(|| rows.is_empty() && meters.held_rows.load(Relaxed) + meters.dropped.total() == 10_000);
    assert!(meters.dropped.total() > 1000 && meters.held_rows.load(Relaxed) > 1000);
    disk.has_room(u64::MAX);
    drop(rows);
    let summary = keeper.finish(SOON).unwrap();
    assert_eq!(summary.dropped[0] + summary.published[0], 10_000);
    let first = summary.dropped[0] as i64;
    let kept = numbers(lake.path());
    assert_eq!(kept.len() as i64, 10_000 - first);
    assert!(kept[kept.len() / 2] > 5_000, "the oldest were kept");
    // Those that were just being written when memory ran out are kept, too; what came until they were is what gave way.
    assert!(kept.windows(2).filter(|pair| pair[1] != pair[0] + 1).count() <= 2);
}

#[test]
fn a_publication_that_fails_is_tried_again() {
    let lake = tempfile::tempdir().unwrap();
    // Where the table's folder should be.
    fs::write(lake.path().join("flows"), "").unwrap();
    let config = Config { rotate_every: Duration::from_millis(10), ..config(lake.path()) };
    let (rows, keeper) = Keeper::start(config).unwrap();
    let meters = keeper.meters().clone();
    rows.send(flows(0..10, NOVEMBER)).unwrap();
    wait_until(|| meters.failure().is_some_and(|reason| reason.contains("flows")));
    rows.send(flows(10..20, NOVEMBER)).unwrap();
    wait_until(|| meters.journalled.total() == 20);
    fs::remove_file(lake.path().join("flows")).unwrap();
    wait_until(|| meters.published.total() == 20);
    assert_eq!(meters.failure(), None);
    drop(rows);
    keeper.finish(SOON).unwrap();
    assert_eq!(numbers(lake.path()), (0..20).collect::<Vec<_>>());
}

#[test]
fn what_could_not_be_published_in_time_stays_and_is_published_once() {
    let lake = tempfile::tempdir().unwrap();
    let (rows, keeper) = Keeper::start(config(lake.path())).unwrap();
    rows.send(flows(0..1000, NOVEMBER)).unwrap();
    wait_until(|| keeper.meters().journalled.total() == 1000);
    fs::write(lake.path().join("flows"), "").unwrap();
    drop(rows);
    let summary = keeper.finish(Duration::from_millis(100)).unwrap();
    assert_eq!((summary.journalled[0], summary.published[0], summary.segments), (1000, 0, 1));
    assert_eq!(unpublished(lake.path()).unwrap().len(), 1);
    fs::remove_file(lake.path().join("flows")).unwrap();
    assert_eq!(run(lake.path()).published[0], 1000);
    assert_eq!(numbers(lake.path()), (0..1000).collect::<Vec<_>>());
}

#[test]
fn rows_that_the_disk_took_not_to_the_end_are_told() {
    let lake = tempfile::tempdir().unwrap();
    let disk = Arc::new(Faulty::default());
    let (rows, keeper) = Keeper::on(config(lake.path()), disk.clone()).unwrap();
    rows.send(flows(0..10, NOVEMBER)).unwrap();
    wait_until(|| keeper.meters().journalled.total() == 10);
    disk.has_room(30);
    disk.fails_to_truncate.store(true, Relaxed);
    rows.send(flows(10..30, NOVEMBER)).unwrap();
    drop(rows);
    let summary = keeper.finish(Duration::from_millis(300)).unwrap();
    assert_eq!((summary.journalled[0], summary.lost, summary.segments), (10, 20, 1));
    assert_eq!(run(lake.path()).published[0], 10);
    assert_eq!(numbers(lake.path()), (0..10).collect::<Vec<_>>());
}

#[test]
fn two_sensors_of_one_name_are_kept_apart() {
    let lake = tempfile::tempdir().unwrap();
    let (rows, keeper) = Keeper::start(config(lake.path())).unwrap();
    let error = Keeper::start(config(lake.path())).unwrap_err().to_string();
    assert!(error.starts_with("another sensor of this name writes into this lake"), "{error}");
    let names = Names { sensor: "édge".into(), ..names() };
    let (other_rows, other) = Keeper::start(Config { names, ..config(lake.path()) }).unwrap();
    rows.send(flows(0..10, NOVEMBER)).unwrap();
    other_rows.send(flows(10..20, NOVEMBER)).unwrap();
    drop((rows, other_rows));
    assert_eq!(keeper.finish(SOON).unwrap().published[0], 10);
    assert_eq!(other.finish(SOON).unwrap().published[0], 10);
    assert_eq!(numbers(lake.path()), (0..20).collect::<Vec<_>>());
    assert_ne!(folder_of(lake.path(), "é"), folder_of(lake.path(), "_"));
    assert_ne!(folder_of(lake.path(), "é"), folder_of(lake.path(), "è"));
}

#[test]
fn a_segment_that_cannot_be_read_is_put_aside_until_it_can() {
    let lake = tempfile::tempdir().unwrap();
    let other = leave(lake.path(), &[flows(0..10, NOVEMBER)]);
    leave(lake.path(), &[flows(10..20, NOVEMBER)]);
    let bytes = fs::read(&other).unwrap();
    let mut of_later = bytes.clone();
    of_later[8] += 1;
    fs::write(&other, &of_later).unwrap();
    let hash = Segment::open(&other).unwrap_err().to_string();
    assert!(hash.contains("another version"), "{hash}");
    let (rows, keeper) = Keeper::start(config(lake.path())).unwrap();
    drop(rows);
    let meters = keeper.meters().clone();
    let summary = keeper.finish(SOON).unwrap();
    assert_eq!((summary.published[0], summary.segments, meters.set_aside.load(Relaxed)), (10, 0, 1));
    let aside = other.parent().unwrap().join("aside").join(other.file_name().unwrap());
    assert_eq!(fs::read(&aside).unwrap(), of_later);
    assert_eq!(unpublished(lake.path()).unwrap().len(), 1);
    // Left alone by a version that does not know it, taken up by one that does.
    assert_eq!(run(lake.path()).published[0], 0);
    fs::write(&aside, bytes).unwrap();
    assert_eq!(run(lake.path()).published[0], 10);
    assert!(!aside.exists());
    assert_eq!(numbers(lake.path()), (0..20).collect::<Vec<_>>());
}

#[test]
fn of_a_damaged_segment_the_rest_is_published() {
    let lake = tempfile::tempdir().unwrap();
    let path =
        leave(lake.path(), &[flows(0..10, NOVEMBER), flows(10..20, NOVEMBER), flows(20..30, NOVEMBER)]);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (rows, keeper) = Keeper::start(config(lake.path())).unwrap();
    drop(rows);
    let meters = keeper.meters().clone();
    keeper.finish(SOON).unwrap();
    assert!(meters.damaged_bytes.load(Relaxed) > 100);
    assert_eq!(numbers(lake.path()), (0..10).chain(20..30).collect::<Vec<_>>());
}

#[test]
fn repeats_of_certificates_are_left_out_across_segments() {
    let lake = tempfile::tempdir().unwrap();
    let interval = 3600 * 1_000_000_000;
    let config = Config {
        certificate_interval: Some(interval),
        rotate_every: Duration::from_millis(1),
        ..config(lake.path())
    };
    let (rows, keeper) = Keeper::start(config).unwrap();
    let meters = keeper.meters().clone();
    for (round, hours) in [0, 0, 1, 1, 3].into_iter().enumerate() {
        let mut records = flows(round as i64..round as i64 + 1, NOVEMBER);
        let ts = NOVEMBER + hours * interval.cast_signed();
        records.x509.push(Envelope { ts, ..Envelope::default() }, |arena| X509 {
            fingerprint: arena.plain(&"ab".repeat(32)),
            ..X509::default()
        });
        rows.send(records).unwrap();
        wait_until(|| numbers(lake.path()).len() == round + 1);
    }
    drop(rows);
    keeper.finish(SOON).unwrap();
    assert_eq!(meters.repeats.load(Relaxed), 2);
    assert_eq!(read::newest(lake.path(), "x509", 10, None, None).unwrap().rows.len(), 3);
}

#[test]
fn a_segment_that_somebody_removes_does_not_end_the_journal() {
    let lake = tempfile::tempdir().unwrap();
    let (rows, keeper) = Keeper::start(config(lake.path())).unwrap();
    let meters = keeper.meters().clone();
    rows.send(flows(0..10, NOVEMBER)).unwrap();
    wait_until(|| meters.journalled.total() == 10);
    fs::remove_dir_all(lake.path().join(".journal")).unwrap();
    rows.send(flows(10..20, NOVEMBER)).unwrap();
    drop(rows);
    let summary = keeper.finish(SOON).unwrap();
    assert_eq!((summary.published[0], summary.lost), (10, 0));
    assert_eq!(numbers(lake.path()), (10..20).collect::<Vec<_>>());
}

#[test]
fn what_rows_name_is_on_disk_before_they_are_published() {
    let lake = tempfile::tempdir().unwrap();
    leave(lake.path(), &[flows(0..10, NOVEMBER)]);
    let (seen, path) = (Arc::new(std::sync::Mutex::new(Vec::new())), lake.path().to_path_buf());
    let before = seen.clone();
    let before_publish: Option<Arc<dyn Fn() + Send + Sync>> =
        Some(Arc::new(move || before.lock().unwrap().push(numbers(&path).len())));
    let (rows, keeper) = Keeper::start(Config { before_publish, ..config(lake.path()) }).unwrap();
    drop(rows);
    keeper.finish(SOON).unwrap();
    assert_eq!(*seen.lock().unwrap(), [0]);
}

#[test]
fn rows_of_many_batches_are_synced_together() {
    let lake = tempfile::tempdir().unwrap();
    let disk = Arc::new(Faulty::default());
    let config = Config { sync_every: Duration::from_millis(300), ..config(lake.path()) };
    let (rows, keeper) = Keeper::on(config, disk.clone()).unwrap();
    for start in 0..200 {
        rows.send(flows(start..start + 1, NOVEMBER)).unwrap();
    }
    drop(rows);
    assert_eq!(keeper.finish(SOON).unwrap().published[0], 200);
    // One for the new segment; the rest as fast as they came.
    let syncs = disk.syncs.load(Relaxed);
    assert!((2..20).contains(&syncs), "{syncs}");
}

#[test]
fn files_and_folders_are_for_the_owner_and_the_group() {
    use std::os::unix::fs::PermissionsExt;
    let lake = tempfile::tempdir().unwrap();
    let segment = leave(lake.path(), &[flows(0..10, NOVEMBER)]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&segment), 0o640);
    assert_eq!(mode(segment.parent().unwrap()), 0o750);
    assert_eq!(mode(&lake.path().join(".journal")), 0o750);
}

#[test]
fn a_thread_that_breaks_is_noticed_by_those_who_send() {
    let lake = tempfile::tempdir().unwrap();
    let before_publish: Option<Arc<dyn Fn() + Send + Sync>> = Some(Arc::new(|| panic!("on purpose")));
    let config = Config { rotate_every: Duration::from_millis(5), before_publish, ..config(lake.path()) };
    let (rows, keeper) = Keeper::start(config).unwrap();
    let mut sent = 0;
    while rows.send(flows(sent..sent + 10, NOVEMBER)).is_ok() {
        sent += 10;
        std::thread::sleep(Duration::from_millis(1));
        assert!(sent < 1_000_000);
    }
    drop(rows);
    let meters = keeper.meters().clone();
    let error = keeper.finish(SOON).unwrap_err().to_string();
    assert!(error.contains("journal-publisher"), "{error}");
    assert!(meters.journalled.total() > 0);
    assert_eq!(run(lake.path()).published[0], meters.journalled.total());
}

#[test]
fn a_segment_that_cannot_be_written_any_more_is_published() {
    let lake = tempfile::tempdir().unwrap();
    let disk = Arc::new(Faulty::default());
    let config = Config { rotate_every: Duration::from_millis(200), ..config(lake.path()) };
    let (rows, keeper) = Keeper::on(config, disk.clone()).unwrap();
    rows.send(flows(0..10, NOVEMBER)).unwrap();
    wait_until(|| keeper.meters().journalled.total() == 10);
    disk.has_room(5);
    rows.send(flows(10..20, NOVEMBER)).unwrap();
    wait_until(|| keeper.meters().published.total() == 10);
    assert_eq!(keeper.meters().held_rows.load(Relaxed), 10);
    disk.has_room(u64::MAX);
    drop(rows);
    assert_eq!(keeper.finish(SOON).unwrap().published[0], 20);
    assert_eq!(numbers(lake.path()), (0..20).collect::<Vec<_>>());
}

#[test]
fn where_there_is_room_for_a_part_that_part_is_safe() {
    let meters = Arc::new(Meters::default());
    let held = held::Held::new(1 << 30, meters.clone());
    // Bytes that do not compress.
    let mut random = 1_u64;
    let mut noise = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 56) as u8
    };
    for _ in 0..10 {
        let bytes = std::iter::repeat_with(&mut noise).take(4 << 20).collect();
        held.push(Frame::new(&schemas::packed::Piece { bytes, ..Default::default() }, 0)).unwrap();
    }
    let taken = held.take(Instant::now(), true);
    assert_eq!((taken.frames.len(), taken.has_more, taken.is_closed), (4, true, false));
    held.put_back(taken.frames);
    for count in [4, 4, 2] {
        let taken = held.take(Instant::now(), true);
        assert_eq!((taken.frames.len(), taken.has_more), (count, count == 4));
        held.written(&taken.frames);
    }
    assert_eq!(meters.held_bytes.load(Relaxed), 0);
}
