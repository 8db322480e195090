//! Segments as they should be, torn, damaged and foreign.
#![expect(
    clippy::single_range_in_vec_init,
    reason = "frames are named by the ranges of their numbers, and some have one"
)]

use std::fs;
use std::sync::atomic::Ordering::Relaxed;

use proptest::prelude::*;
use schemas::anomaly::Anomaly;
use schemas::envelope::Envelope;

use super::*;
use crate::journal::disk::Real;
use crate::journal::disk::faulty::Faulty;

fn names() -> Names {
    Names { sensor: "edge \"ü\"".into(), sources: vec!["eth0".into(), String::new(), "eth1".into()] }
}

/// A frame of rows whose `occurrences` are these numbers.
fn frame(numbers: std::ops::Range<i64>) -> Frame {
    let mut rows = Records::default();
    for number in numbers {
        rows.anomaly.push(Envelope { ts: number, ..Envelope::default() }, |arena| Anomaly {
            detail: arena.plain(&format!("detail {}", number * 7919)),
            occurrences: number,
            ..Anomaly::default()
        });
    }
    let mut frames = Vec::new();
    rows.pack(usize::MAX, 0, |piece| frames.push(Frame::new(&piece, rows.newest().unwrap())));
    frames.remove(0)
}

/// A segment of these epochs, and where each of them ends.
fn write(folder: &Path, epochs: &[&[std::ops::Range<i64>]]) -> (PathBuf, Vec<u64>) {
    let mut writer = Writer::create(folder, &names(), &Real).unwrap();
    let mut ends = vec![writer.length()];
    for epoch in epochs {
        let mut frames: Vec<Frame> = epoch.iter().cloned().map(frame).collect();
        writer.append(&mut frames, &Real).unwrap();
        ends.push(writer.length());
    }
    (writer.path().to_path_buf(), ends)
}

/// The numbers of all rows by epoch, and what was damaged.
fn read(path: &Path) -> Result<(Vec<Vec<i64>>, Damage), Refusal> {
    let segment = Segment::open(path)?;
    assert_eq!(segment.header().names, names());
    let mut frames = segment.frames();
    let mut epochs = Vec::new();
    while let Some(rows) = frames.next_epoch(usize::MAX)? {
        epochs.push(rows.anomaly.rows.iter().map(|row| row.record.occurrences).collect());
    }
    epochs.retain(|rows: &Vec<i64>| !rows.is_empty());
    Ok((epochs, frames.damage()))
}

#[test]
fn what_is_appended_comes_back_by_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = write(folder.path(), &[&[0..3], &[3..4, 4..200], &[200..203]]);
    let (epochs, damage) = read(&path).unwrap();
    assert_eq!(epochs, [(0..3).collect::<Vec<_>>(), (3..200).collect(), (200..203).collect()]);
    assert_eq!(damage, Damage::default());
    let name = path.file_name().unwrap().to_str().unwrap();
    let hash = Segment::open(&path).unwrap().header().input_hash();
    assert!(name.ends_with(&format!("-{hash}.segment")) && hash.len() == 16, "{name}");
}

#[test]
fn an_epoch_of_many_rows_is_read_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = write(folder.path(), &[&[0..100, 100..200, 200..300], &[300..301]]);
    let segment = Segment::open(&path).unwrap();
    let mut frames = segment.frames();
    let mut parts = Vec::new();
    while let Some(rows) = frames.next_epoch(1000).unwrap() {
        parts.push(rows.anomaly.rows.len());
    }
    assert_eq!(parts, [100, 100, 100, 1]);
}

#[test]
fn of_a_torn_segment_all_whole_frames_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let (path, ends) = write(folder.path(), &[&[0..2], &[2..3], &[3..6]]);
    let bytes = fs::read(&path).unwrap();
    let torn = folder.path().join("torn");
    for length in 0..bytes.len() {
        for zeros in [0, 100] {
            fs::write(&torn, [&bytes[..length], &vec![0; zeros]].concat()).unwrap();
            let end = ends.iter().rposition(|&end| end <= length as u64);
            let Some(whole) = end else {
                // Nothing was ever in it, but only of an empty one is that known.
                let refusal = read(&torn).unwrap_err();
                assert_eq!(matches!(refusal, Refusal::Unfinished), length == 0, "{length} {refusal}");
                assert!(!matches!(refusal, Refusal::Disk(_)), "{length} {refusal}");
                continue;
            };
            let (epochs, damage) = read(&torn).unwrap();
            let expected: Vec<Vec<i64>> =
                [0..2, 2..3, 3..6].map(|numbers| numbers.collect())[..whole].to_vec();
            assert_eq!(epochs, expected, "{length}");
            assert_eq!(damage.bytes, (length + zeros) as u64 - ends[whole], "{length}");
        }
    }
}

#[test]
fn a_frame_with_any_damage_costs_itself_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (path, ends) = write(folder.path(), &[&[0..2], &[2..4], &[4..6]]);
    let bytes = fs::read(&path).unwrap();
    for place in ends[1]..ends[2] {
        for damage in [1, 0x80] {
            let mut bytes = bytes.clone();
            bytes[place as usize] ^= damage;
            fs::write(&path, &bytes).unwrap();
            let (epochs, found) = read(&path).unwrap();
            assert_eq!(epochs.concat(), [0, 1, 4, 5], "{place}");
            assert_eq!(found.bytes, ends[2] - ends[1], "{place}");
        }
    }
}

#[test]
fn a_frame_of_another_segment_or_place_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let (other, other_ends) = write(folder.path(), &[&[50..60]]);
    let (path, ends) = write(folder.path(), &[&[0..2], &[2..4]]);
    let bytes = fs::read(&path).unwrap();
    for foreign in
        [&fs::read(&other).unwrap()[other_ends[0] as usize..], &bytes[ends[0] as usize..ends[1] as usize]]
    {
        fs::write(&path, [&bytes, foreign].concat()).unwrap();
        let (epochs, damage) = read(&path).unwrap();
        assert_eq!(epochs, [[0, 1], [2, 3]]);
        assert_eq!(damage.bytes, foreign.len() as u64);
    }
    // Also where it would lie in its own.
    let (start, foreign) = (ends[0] as usize, fs::read(other).unwrap());
    assert_eq!(ends[0], other_ends[0]);
    fs::write(&path, [&bytes[..start], &foreign[start..]].concat()).unwrap();
    let (epochs, damage) = read(&path).unwrap();
    assert_eq!((epochs.len(), damage), (0, Damage { bytes: (foreign.len() - start) as u64, rows: 0 }));
}

#[test]
fn a_segment_of_another_version_is_told_from_a_damaged_one() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = write(folder.path(), &[&[0..2]]);
    let bytes = fs::read(&path).unwrap();
    let changed = |place: usize, checksum: bool| {
        let mut bytes = bytes.clone();
        bytes[place] ^= 1;
        if checksum {
            let size = u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
            let sum = xxh3_64(&bytes[FIXED..FIXED + size]).to_le_bytes();
            bytes[16..24].copy_from_slice(&sum);
        }
        fs::write(&path, bytes).unwrap();
        read(&path).unwrap_err()
    };
    assert!(matches!(changed(0, false), Refusal::Damaged), "magic");
    assert!(matches!(changed(8, false), Refusal::OtherVersion), "version");
    assert!(matches!(changed(13, false), Refusal::Damaged), "length");
    assert!(matches!(changed(FIXED, false), Refusal::Damaged), "checksum");
    assert!(matches!(changed(FIXED, true), Refusal::OtherVersion), "shape");
}

#[test]
fn a_write_that_fails_anywhere_leaves_no_row_and_no_row_twice() {
    let folder = tempfile::tempdir().unwrap();
    let frames = || [frame(2..4), frame(4..5)];
    let size: usize = frames().iter().map(Frame::length).sum();
    for room in 0..size {
        let disk = Faulty::default();
        let mut writer = Writer::create(folder.path(), &names(), &disk).unwrap();
        writer.append(&mut [frame(0..2)], &disk).unwrap();
        disk.has_room(room as u64);
        let error = writer.append(&mut frames(), &disk).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(28));
        if room % 2 == 0 {
            // Cut off before the segment is left for another one.
            writer.mend(&disk).unwrap();
            assert_eq!(read(writer.path()).unwrap(), (vec![vec![0, 1]], Damage::default()), "{room}");
        }
        disk.has_room(u64::MAX);
        writer.append(&mut frames(), &disk).unwrap();
        assert_eq!(
            read(writer.path()).unwrap(),
            (vec![vec![0, 1], vec![2, 3, 4]], Damage::default()),
            "{room}"
        );
        fs::remove_file(writer.path()).unwrap();
    }
}

#[test]
fn what_could_not_be_synced_is_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Faulty::default();
    let mut writer = Writer::create(folder.path(), &names(), &disk).unwrap();
    let empty = writer.length();
    disk.fails_to_sync.store(true, Relaxed);
    writer.append(&mut [frame(0..2)], &disk).unwrap_err();
    assert_eq!(writer.length(), empty);
    disk.fails_to_truncate.store(true, Relaxed);
    // As long as it cannot be cut off it may be there, so nothing may be put elsewhere.
    writer.mend(&disk).unwrap_err();
    writer.append(&mut [frame(0..2)], &disk).unwrap_err();
    disk.fails_to_sync.store(false, Relaxed);
    disk.fails_to_truncate.store(false, Relaxed);
    writer.append(&mut [frame(0..3)], &disk).unwrap();
    assert_eq!(read(writer.path()).unwrap().0, [[0, 1, 2]]);
}

#[test]
fn a_segment_that_cannot_be_made_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Faulty::default();
    for room in [0, 20] {
        disk.has_room(room as u64);
        Writer::create(folder.path(), &names(), &disk).unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

proptest! {
    #[test]
    fn damage_adds_no_rows(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        more in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (path, ends) = write(folder.path(), &[&[0..5, 5..9], &[9..30]]);
        let mut bytes = fs::read(&path).unwrap();
        let start = ends[0] as usize;
        for (place, byte) in damage {
            let place = start + place.index(bytes.len() - start);
            bytes[place] = byte;
        }
        bytes.truncate(start + cut.index(bytes.len() - start));
        bytes.extend(more);
        fs::write(&path, &bytes).unwrap();
        let (epochs, _) = read(&path).unwrap();
        let numbers = epochs.concat();
        prop_assert!(numbers.is_sorted_by(|a, b| a < b) && numbers.iter().all(|number| (0..30).contains(number)));
    }
}
