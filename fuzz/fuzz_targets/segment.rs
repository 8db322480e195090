//! Segments of a journal: rows that were never packed, and files that are damaged anywhere.
#![no_main]

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use schemas::batch::{Counts, Records};
use schemas::column::Names;
use schemas::packed::Piece;
use sensor::journal::disk::Real;
use sensor::journal::segment::{Frame, Segment, Writer};
use spanlake_fuzz::Input;

/// In memory: nothing is waited for.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = PathBuf::from(format!("/dev/shm/spanlake-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
});

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let (place, damage, cut) = (u64::from(input.short()), input.short(), u64::from(input.short()));
    let piece = input.rest;
    let read = unpack(piece);

    let names = Names { sensor: "fuzz".to_owned(), sources: vec![String::new()] };
    let mut writer = Writer::create(&FOLDER, &names, &Real).unwrap();
    let start = writer.length();
    let hostile = || Frame::new(&Piece { bytes: piece.to_vec(), rows: Counts::default() }, 0);
    writer.append(&mut [hostile()], &Real).unwrap();
    writer.append(&mut [hostile(), hostile()], &Real).unwrap();
    let rows_of = |segment: &Segment| {
        let (mut frames, mut rows) = (segment.frames(), 0);
        while let Some(records) = frames.next_epoch(1 << 20).unwrap() {
            rows += records.counts().iter().sum::<u64>();
        }
        assert!(frames.damage().bytes <= segment.len());
        rows
    };
    let whole = rows_of(&Segment::open(writer.path()).unwrap());
    assert_eq!(whole, 3 * read.unwrap_or_default());

    let file = OpenOptions::new().write(true).open(writer.path()).unwrap();
    let place = place % writer.length();
    file.write_all_at(&damage.to_le_bytes(), place).unwrap();
    file.set_len(writer.length().saturating_sub(cut % 256)).unwrap();
    match Segment::open(writer.path()) {
        Ok(segment) => assert!(rows_of(&segment) <= whole),
        Err(refusal) => assert!(place < start || cut % 256 > writer.length() - start, "{refusal}"),
    }
    fs::remove_file(writer.path()).unwrap();
});

/// How many rows there are; what was read is packed as it was read.
fn unpack(piece: &[u8]) -> Option<u64> {
    let mut rows = Records::default();
    let Ok(counts) = rows.unpack(piece) else {
        assert_eq!(rows.counts(), Counts::default());
        return None;
    };
    assert_eq!(rows.counts(), counts);
    assert!(rows.held() <= 64 * piece.len() + 4096);
    let mut packed = Vec::new();
    rows.pack(usize::MAX, 0, |piece| packed.push(piece));
    let mut again = Records::default();
    for piece in &packed {
        again.unpack(&piece.bytes).unwrap();
    }
    let mut packed_again = Vec::new();
    again.pack(usize::MAX, 0, |piece| packed_again.push(piece));
    assert_eq!(packed, packed_again);
    Some(counts.iter().sum())
}
