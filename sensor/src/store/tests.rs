//! Stores in folders of their own: what is kept, what is not, what is left on disk.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Command;
use std::thread;
use std::time::{Duration, SystemTime};

use parsers::extract::Store as _;
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::*;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn files(types: &[&str], file_bytes: u64, bytes: u64) -> Files {
    Files {
        extract_types: types.iter().map(|&kind| kind.to_owned()).collect(),
        extract_file_bytes: file_bytes,
        extract_bytes: bytes,
        ..Files::default()
    }
}

/// A store with room for all.
fn store(folder: &TempDir) -> Store {
    Store::at(folder.path(), &Files::default(), MEMORY).unwrap()
}

/// A store with room for so many bytes.
fn small(folder: &TempDir, bytes: u64) -> Store {
    Store::at(folder.path(), &files(&[], 1 << 30, bytes), MEMORY).unwrap()
}

fn sha256(content: &[u8]) -> [u8; 32] {
    Sha256::digest(content).into()
}

fn put(store: &Store, content: &[u8]) -> Option<String> {
    let mut sink = store.begin(None, None)?;
    content.chunks(1448).for_each(|piece| sink.write(piece));
    sink.finish(&sha256(content))
}

/// Content of so many bytes that is that of no other number.
fn content(number: u8, length: usize) -> Vec<u8> {
    (0..length).map(|at| (at.wrapping_mul(31) >> 3) as u8 ^ number).collect()
}

/// All files below a folder but locks, by path.
fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(folder: &Path, top: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, top, found);
            } else if !path.ends_with("lock") && !path.ends_with(".lock") {
                let name = path.strip_prefix(top).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(folder, folder, &mut found);
    found
}

fn age(path: &Path, seconds: u64) {
    let time = SystemTime::now() - Duration::from_secs(seconds);
    fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn a_content_lies_under_its_hash_once_however_often_it_comes() {
    let folder = folder();
    let store = store(&folder);
    for length in [1, 4096, 100_000, 256 * 1024, 256 * 1024 + 1, 1_000_000] {
        let content = content(1, length);
        let path = put(&store, &content).unwrap();
        let hex: String = sha256(&content).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(path, format!("sha256/{}/{hex}", &hex[..2]));
        assert!(fs::read(folder.path().join(&path)).unwrap() == content, "{length}");
        assert_eq!(put(&store, &content), Some(path));
    }
    let extracted = store.extracted();
    assert_eq!((extracted.stored, extracted.present, extracted.failed), (6, 6, 0));
    assert_eq!(extracted.bytes, 1 + 4096 + 100_000 + 256 * 1024 + 256 * 1024 + 1 + 1_000_000);
    assert_eq!(tree(folder.path()).len(), 6, "files on their way are left");
}

#[test]
fn files_and_folders_are_for_their_owner_alone_and_nothing_can_be_executed() {
    let folder = folder();
    let top = folder.path().join("not yet/there");
    let store = Store::at(&top, &Files::default(), MEMORY).unwrap();
    let path = top.join(put(&store, b"MZ").unwrap());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&path), 0o600);
    let folders = [path.parent().unwrap(), &top.join("sha256"), &top.join("partial"), &top];
    assert_eq!(folders.map(mode), [0o700; 4]);
    let mut sink = store.begin(None, None).unwrap();
    sink.write(&content(1, 300_000));
    assert_eq!(mode(&top.join("partial/0/1")), 0o600);
}

#[test]
fn what_is_not_finished_leaves_nothing() {
    let folder = folder();
    let store = store(&folder);
    for length in [10, 1_000_000] {
        let mut sink = store.begin(None, None).unwrap();
        sink.write(&content(1, length));
        drop(sink);
    }
    assert_eq!(store.extracted(), Extracted { folder: folder.path().to_owned(), ..Extracted::default() });
    assert!(tree(folder.path()).is_empty());
    assert_eq!((store.0.lock().partial, store.0.memory.load(Ordering::Relaxed)), (0, 0));
}

#[test]
fn a_small_content_that_is_there_touches_no_disk() {
    let folder = folder();
    let store = store(&folder);
    put(&store, &content(1, 200_000)).unwrap();
    assert_eq!(store.0.partials.load(Ordering::Relaxed), 1);
    put(&store, &content(1, 200_000)).unwrap();
    assert_eq!(store.0.partials.load(Ordering::Relaxed), 1);
}

#[test]
fn types_are_wanted_by_name_by_family_or_all() {
    let cases: [(&[&str], Option<&str>, bool); 9] = [
        (&[], None, true),
        (&[], Some("a/b"), true),
        (&["all"], None, true),
        (&["image/png", "all"], Some("a/b"), true),
        (&["image/*"], Some("image/png"), true),
        (&["image/*"], Some("imagery/png"), false),
        (&["image/*"], None, false),
        (&["image/png"], Some("image/png"), true),
        (&["image/png"], Some("image/png2"), false),
    ];
    for (types, mime_type, wanted) in cases {
        let types: Vec<String> = types.iter().map(|&kind| kind.to_owned()).collect();
        assert_eq!(is_wanted(&types, mime_type), wanted, "{types:?} {mime_type:?}");
    }
}

#[test]
fn a_file_over_its_bound_is_not_kept_whether_its_length_was_said_or_not() {
    let folder = folder();
    let store = Store::at(folder.path(), &files(&[], 300_000, 1 << 30), MEMORY).unwrap();
    assert!(put(&store, &content(1, 300_000)).is_some());
    assert!(put(&store, &content(1, 300_001)).is_none());
    assert!(store.begin(None, Some(300_001)).is_none());
    assert!(store.begin(None, Some(300_000)).is_some());
    assert_eq!(store.extracted().too_large, 2);
    assert_eq!(tree(folder.path()).len(), 1);
}

#[test]
fn a_file_larger_than_the_whole_store_is_not_kept_and_nothing_goes_for_it() {
    let folder = folder();
    let store = small(&folder, 500_000);
    put(&store, &content(1, 10)).unwrap();
    assert!(put(&store, &content(1, 500_001)).is_none());
    assert_eq!((store.extracted().too_large, store.extracted().evicted), (1, 0));
    assert!(put(&store, &content(2, 499_000)).is_some(), "nearly the whole store");
    assert_eq!(store.extracted().evicted, 1);
}

#[test]
fn the_oldest_go_when_there_is_no_room_and_what_is_seen_again_is_young() {
    let folder = folder();
    let store = small(&folder, 100 * 4096);
    let paths: Vec<_> = (0..100).map(|number| put(&store, &content(number, 4096)).unwrap()).collect();
    for (path, seconds) in paths.iter().zip((0..100).rev()) {
        age(&folder.path().join(path), 1000 + seconds);
    }
    assert!(put(&store, &content(0, 4096)).is_some());
    assert_eq!(store.extracted().evicted, 0);
    let new = put(&store, &content(100, 4096)).unwrap();
    let left = tree(folder.path());
    let evicted: Vec<_> = (0..100).filter(|at| !left.contains_key(&paths[*at])).collect();
    // A tenth of the bound, and room for the new one.
    assert_eq!(evicted, (1..=11).collect::<Vec<_>>());
    assert!(left.contains_key(&new));
    assert_eq!(store.extracted().evicted, 11);
}

#[test]
fn what_lies_in_a_store_counts_when_it_is_opened_again() {
    let folder = folder();
    for number in 0..10 {
        put(&small(&folder, 5 * 4096), &content(number, 4096)).unwrap();
    }
    let left = tree(folder.path());
    assert!((1..=5).contains(&left.len()), "{} files", left.len());
}

#[test]
fn what_is_none_of_ours_is_left_alone() {
    let folder = folder();
    let store = small(&folder, 2 * 4096);
    fs::create_dir_all(folder.path().join("sha256/00")).unwrap();
    fs::write(folder.path().join("sha256/00/notes"), "mine").unwrap();
    fs::write(folder.path().join("notes"), content(1, 100_000)).unwrap();
    for number in 0..10 {
        put(&store, &content(number, 4096)).unwrap();
    }
    let left = tree(folder.path());
    assert_eq!(left.get("sha256/00/notes").map(Vec::as_slice), Some(&b"mine"[..]));
    assert!(left.contains_key("notes"));
    assert!(left.len() <= 4);
}

#[test]
fn files_on_their_way_count_and_those_without_room_are_told() {
    let folder = folder();
    let store = small(&folder, 1 << 20);
    let old = put(&store, &content(1, 500_000)).unwrap();
    let mut first = store.begin(None, None).unwrap();
    content(2, 900_000).chunks(1448).for_each(|piece| first.write(piece));
    assert!(!folder.path().join(old).exists());
    let mut second = store.begin(None, None).unwrap();
    content(3, 900_000).chunks(1448).for_each(|piece| second.write(piece));
    assert_eq!(second.finish(&sha256(&content(3, 900_000))), None);
    assert!(first.finish(&sha256(&content(2, 900_000))).is_some());
    assert_eq!((store.extracted().shed, store.extracted().failed), (1, 0));
    assert_eq!(tree(folder.path()).len(), 1);
}

#[test]
fn without_memory_files_go_to_disk_and_are_kept_all_the_same() {
    let folder = folder();
    let store = Store::at(folder.path(), &Files::default(), 10_000).unwrap();
    let mut sinks: Vec<_> = (0..20).map(|_| store.begin(None, None).unwrap()).collect();
    for at in 0..10 {
        for (number, sink) in (0..).zip(&mut sinks) {
            sink.write(&content(number, 10_000)[at * 1000..][..1000]);
            assert!(store.0.memory.load(Ordering::Relaxed) <= 10_000);
        }
    }
    for (number, sink) in (0..).zip(sinks) {
        let path = sink.finish(&sha256(&content(number, 10_000))).unwrap();
        assert!(fs::read(folder.path().join(path)).unwrap() == content(number, 10_000));
    }
    assert_eq!(store.0.memory.load(Ordering::Relaxed), 0);
}

#[test]
fn links_inside_of_a_store_are_not_followed() {
    let (inside, outside) = (folder(), folder());
    let content = content(1, 1000);
    let path = Name::new(&sha256(&content)).path();
    let link = inside.path().join(&path);
    let open = || Store::at(inside.path(), &Files::default(), MEMORY);

    // In place of a content: the link is replaced, not what it points to.
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    let target = outside.path().join("target");
    fs::write(&target, &content).unwrap();
    symlink(&target, &link).unwrap();
    let before = fs::metadata(&target).unwrap().mtime_nsec();
    assert_eq!(put(&open().unwrap(), &content).as_deref(), Some(path.as_str()));
    assert!(fs::symlink_metadata(&link).unwrap().is_file());
    assert_eq!(fs::metadata(&target).unwrap().mtime_nsec(), before);

    // In place of a folder of contents: nothing is written, and it is told.
    fs::remove_dir_all(link.parent().unwrap()).unwrap();
    symlink(outside.path(), link.parent().unwrap()).unwrap();
    let store = open().unwrap();
    assert_eq!(put(&store, &content), None);
    assert_eq!(store.extracted().failed, 1);
    drop(store);

    // In place of the folder of a run, of one as another run may have left it too.
    symlink(outside.path(), inside.path().join("partial/0")).unwrap();
    drop(open().unwrap());
    fs::remove_dir_all(inside.path().join("sha256")).unwrap();
    symlink(outside.path(), inside.path().join("sha256")).unwrap();
    assert!(open().is_err());
    assert_eq!(tree(outside.path()).len(), 1);
    assert!(fs::read(&target).unwrap() == content);
}

#[test]
fn what_a_killed_run_left_is_removed_and_what_a_living_one_has_is_not() {
    let folder = folder();
    let living = store(&folder);
    let mut sink = living.begin(None, None).unwrap();
    sink.write(&content(1, 300_000));
    let killed = folder.path().join("partial/1");
    fs::create_dir(&killed).unwrap();
    fs::write(killed.join("lock"), "").unwrap();
    fs::write(killed.join("0"), content(2, 300_000)).unwrap();
    let other = store(&folder);
    assert!(!killed.join("0").exists());
    assert!(put(&other, &content(3, 300_000)).is_some());
    sink.write(&content(1, 600_000)[300_000..]);
    assert!(sink.finish(&sha256(&content(1, 600_000))).is_some());
    drop((living, other));
    assert_eq!(fs::read_dir(folder.path().join("partial")).unwrap().count(), 0);
}

#[test]
fn runs_that_share_a_store_keep_to_its_bound_together() {
    let folder = folder();
    let bound = 64 * 4096;
    let stores = [small(&folder, bound), small(&folder, bound)];
    for number in 0..200 {
        put(&stores[usize::from(number) % 2], &content(number, 4096)).unwrap();
        let used = tree(folder.path()).len() as u64 * 4096;
        assert!(used <= bound + 2 * bound / SHARE, "{used}");
    }
}

#[test]
fn a_content_of_another_size_under_its_name_is_replaced() {
    let folder = folder();
    let path = put(&store(&folder), &content(1, 5000)).unwrap();
    // As it may be after a machine lost its power.
    fs::write(folder.path().join(&path), "").unwrap();
    put(&store(&folder), &content(1, 5000)).unwrap();
    assert!(fs::read(folder.path().join(&path)).unwrap() == content(1, 5000));
}

#[test]
fn workers_that_finish_the_same_content_at_once_count_it_once() {
    let folder = folder();
    let store = store(&folder);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for number in 0..50 {
                    assert!(put(&store, &content(number, 2000)).is_some());
                }
            });
        }
    });
    let extracted = store.extracted();
    assert_eq!((extracted.stored, extracted.present, extracted.failed), (50, 7 * 50, 0));
    assert_eq!(store.0.lock().contents, 50 * 4096);
    assert_eq!(store.0.lock().partial, 0);
    assert_eq!(tree(folder.path()).len(), 50);
}

#[test]
fn a_folder_that_cannot_be_a_store_is_named() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = format!("{:#}", Store::at(&path, &Files::default(), MEMORY).unwrap_err());
        assert!(error.contains(&path.display().to_string()) && error.contains("--extract"), "{error}");
    }
}

#[test]
fn a_store_that_fails_is_told_and_others_are_kept_when_it_works_again() {
    let folder = folder();
    let store = store(&folder);
    let runs = folder.path().join("partial/0");
    fs::rename(&runs, folder.path().join("away")).unwrap();
    fs::remove_file(folder.path().join("away/lock")).unwrap();
    fs::remove_dir(folder.path().join("away")).unwrap();
    assert_eq!(put(&store, b"x"), None);
    let extracted = store.extracted();
    assert_eq!((extracted.stored, extracted.failed), (0, 1));
    assert!(extracted.failure.unwrap().contains("No such file"));
    assert_eq!(store.0.lock().partial, 0);
}

#[test]
#[ignore = "needs root"]
fn a_disk_that_fills_up_costs_the_files_that_did_not_fit() {
    let parent = folder();
    let mount = ["-t", "tmpfs", "-o", "size=1m", "tmpfs"];
    assert!(Command::new("mount").args(mount).arg(parent.path()).status().unwrap().success());
    let store = store(&parent);
    let kept: Vec<_> = (0..20).map(|number| put(&store, &content(number, 100_000))).collect();
    let large = put(&store, &content(1, 2_000_000));
    let (extracted, left) = (store.extracted(), tree(parent.path()));
    drop(store);
    assert!(Command::new("umount").arg(parent.path()).status().unwrap().success());
    assert_eq!(large, None);
    let whole = kept.iter().flatten().count();
    assert!(whole > 5 && kept[..whole].iter().all(Option::is_some), "{kept:?}");
    assert_eq!((extracted.stored, extracted.failed), (whole as u64, 21 - whole as u64));
    assert!(extracted.failure.unwrap().contains("No space left"));
    for (number, path) in (0..).zip(kept.iter().flatten()) {
        assert!(left[path] == content(number, 100_000));
    }
    assert_eq!(left.len(), whole, "files on their way are left");
}

type OnItsWay = Option<Box<dyn parsers::extract::Sink>>;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn however_files_are_mixed_the_store_has_those_that_were_whole(
        steps in proptest::collection::vec((0usize..6, 1usize..90_000, any::<u8>()), 1..60),
        memory in 0usize..400_000,
    ) {
        let folder = folder();
        let store = Store::at(folder.path(), &files(&[], 400_000, 1 << 30), memory).unwrap();
        let mut open: [(OnItsWay, Vec<u8>); 6] = Default::default();
        let mut expected = BTreeMap::new();
        for (place, length, what) in steps {
            let (sink, written) = &mut open[place];
            match what {
                0..200 => {
                    let more = content(what, length);
                    sink.get_or_insert_with(|| store.begin(None, None).unwrap()).write(&more);
                    written.extend(more);
                }
                200..220 => {
                    sink.take();
                    written.clear();
                }
                _ => {
                    let written = std::mem::take(written);
                    let path = sink.take().and_then(|sink| sink.finish(&sha256(&written)));
                    prop_assert_eq!(path.is_some(), (1..=400_000).contains(&written.len()));
                    path.map(|path| expected.insert(path, written));
                }
            }
        }
        drop(open);
        prop_assert!(tree(folder.path()) == expected);
        prop_assert_eq!(store.0.memory.load(Ordering::Relaxed), 0);
        prop_assert_eq!(store.0.lock().partial, 0);
        prop_assert_eq!(store.0.lock().contents, store.0.contents.used().unwrap());
    }
}
