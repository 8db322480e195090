//! Captures cut anywhere and spoiled anywhere: a replay ends, says what was wrong, and keeps what came before.
//!
//! By default over `pcaps/`. `SPANLAKE_CAPTURES=DIR` names another folder, `SPANLAKE_ROUNDS=N` does it N times, each
//! time at other places: `SPANLAKE_CAPTURES=~/captures SPANLAKE_ROUNDS=10 cargo test --release --test hostile`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot read its own files has failed")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use sensor::capture::{self, Frame};
use sensor::config::{Config, IfExists, Replay};
use sensor::counters::Report;
use sensor::output::read;
use sensor::progress::Progress;

/// No single capture takes longer; far more than any needs, for machines that are busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// Numbers that are the same on every run.
struct Random(u64);

impl Random {
    /// For a capture and a round.
    fn of(name: &str, round: u64) -> Self {
        let seed =
            name.bytes().fold(round, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self(seed | 1)
    }

    /// Less than `limit`, which is not 0 (xorshift64*).
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) as usize % limit
    }
}

/// A folder for one capture at a time, and the lakes made of it.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    /// In memory where the system has a folder for that: a lake waits for its disk, and here are hundreds.
    fn new() -> Self {
        let in_memory = tempfile::tempdir_in("/dev/shm");
        Self { folder: in_memory.or_else(|_| tempfile::tempdir()).unwrap() }
    }

    fn replay(&self, capture: &[u8], lake: &str) -> Option<Report> {
        let path = self.folder.path().join("capture");
        fs::write(&path, capture).unwrap();
        let lake = self.lake(lake);
        let _ = fs::remove_dir_all(&lake);
        fs::create_dir(&lake).unwrap();
        let config = Config { sensor: "test".into(), workers: 2, ..Config::default() };
        let captures = vec![path.clone()];
        let replay = Replay { captures, lake, if_exists: IfExists::Replace, continuous: false, config };
        match sensor::replay::run(&replay, &Progress::default()) {
            Ok(report) => Some(report),
            // Only what is no capture any more may be refused.
            Err(error) => match capture::open(&path, &capture::Pool::default(), None) {
                Ok(_) => panic!("a capture that can be opened was refused: {error:#}"),
                Err(_) => None,
            },
        }
    }

    fn lake(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The rows of a table as text, without what tells captures apart.
    fn rows(&self, lake: &str, table: &str) -> Vec<String> {
        let read::Table { columns, rows } =
            read::newest(&self.lake(lake), table, 1_000_000, None, None).unwrap();
        let kept: Vec<usize> = (0..columns.len()).filter(|&at| columns[at] != "source").collect();
        let mut rows: Vec<String> =
            rows.iter().map(|row| kept.iter().map(|&at| format!("{:?} ", row[at])).collect()).collect();
        rows.retain(|row| !row.contains("capture_damaged"));
        rows.sort();
        rows
    }
}

/// The frames written anew, as a capture that nothing is wrong with.
fn rewritten(frames: &[(Frame, Vec<u8>)]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut block = |kind: u32, body: &[u8]| {
        let length = (body.len() as u32 + 12).to_le_bytes();
        file.extend(kind.to_le_bytes());
        file.extend(length);
        file.extend(body);
        file.extend(length);
    };
    let mut links: Vec<u16> = Vec::new();
    block(0x0a0d_0d0a, &[0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
    for (frame, bytes) in frames {
        let interface = links.iter().position(|link| *link == frame.link.0).unwrap_or_else(|| {
            let [low, high] = frame.link.0.to_le_bytes();
            block(1, &[low, high, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0]);
            links.push(frame.link.0);
            links.len() - 1
        });
        let ts = frame.ts.cast_unsigned();
        let mut body = Vec::new();
        for field in [interface as u32, (ts >> 32) as u32, ts as u32, frame.captured, frame.wire] {
            body.extend(field.to_le_bytes());
        }
        body.extend(bytes);
        body.resize(body.len().next_multiple_of(4), 0);
        block(6, &body);
    }
    file
}

/// What is wrong with a capture, in the order in which it is tried.
fn variants(whole: &[u8], random: &mut Random) -> Vec<(&'static str, Vec<u8>)> {
    let cut = whole[..random.below(whole.len() + 1)].to_vec();
    let mut spoiled = whole.to_vec();
    for _ in 0..1 + random.below(8) {
        let at = random.below(spoiled.len());
        spoiled[at] = random.below(256) as u8;
    }
    // Lengths and counts are where most harm is done: these are the bits that make them large.
    let mut flipped = whole.to_vec();
    for _ in 0..1 + whole.len() / 200 {
        let at = random.below(flipped.len());
        flipped[at] ^= 1 << random.below(8);
    }
    flipped.truncate(flipped.len() - random.below(flipped.len()));
    let harmed = if random.below(2) == 0 { ("spoiled", spoiled) } else { ("flipped and cut", flipped) };
    vec![("cut", cut), harmed]
}

/// Replays a spoiled capture; checks that no frame's rows differ from those of the same frames in a sound capture.
fn endure(scene: &Scene, whole: &[(Frame, Vec<u8>)], what: &str, bytes: &[u8]) {
    let Some(report) = scene.replay(bytes, "lake") else { return };
    // The exit code is 3 where there is damage, else 0.
    let (frames, damage) = capture::read_all(std::io::Cursor::new(bytes.to_vec())).unwrap();
    // Who reads larger blocks may also meet what is wrong behind the place where reading ends.
    assert!(report.damaged.len() >= damage.len() && report.damaged.is_empty() == damage.is_empty());
    assert_eq!(report.packets, frames.len() as u64);
    if what != "cut" {
        return;
    }
    let plainly = |(frame, bytes): &(Frame, Vec<u8>)| (Frame { offset: 0, ..*frame }, bytes.clone());
    assert!(frames.len() <= whole.len());
    assert!(frames.iter().zip(whole).all(|(cut, whole)| plainly(cut) == plainly(whole)));
    scene.replay(&rewritten(&frames), "sound").unwrap();
    for table in ["flows", "flows_open", "dns", "http", "tls", "ftp", "file", "anomaly"] {
        assert_eq!(scene.rows("lake", table), scene.rows("sound", table), "{table}");
    }
}

#[test]
fn a_damaged_capture_gives_the_rows_of_what_is_left_and_harms_nothing() {
    let chosen = std::env::var_os("SPANLAKE_CAPTURES").map(PathBuf::from);
    let folder = chosen.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../pcaps"));
    let rounds = std::env::var("SPANLAKE_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap());
    let captures = capture::expand(&[folder]).unwrap();
    assert!(!captures.is_empty());
    let cases: Vec<(&PathBuf, u64)> =
        captures.iter().flat_map(|path| (0..rounds).map(move |round| (path, round))).collect();
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        // More threads than cores: each replay has its own, which wait for one another.
        for thread in 0..4 {
            let (tell, cases, next, failed) = (tell.clone(), &cases, &next, &failed);
            scope.spawn(move || {
                let scene = Scene::new();
                while let Some((path, round)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    tell.send((thread, path.display().to_string())).unwrap();
                    failed.lock().unwrap().extend(failures(&scene, path, *round));
                }
            });
        }
        drop(tell);
        let mut last = BTreeMap::new();
        loop {
            match told.recv_timeout(PATIENCE) {
                Ok((thread, path)) => last.insert(thread, path),
                // Not a panic, which would wait for what has no end.
                Err(RecvTimeoutError::Timeout) => {
                    eprintln!("no end of one of these: {:?}", last.values());
                    std::process::abort();
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
}

/// Replays a capture spoiled in several ways; says which it did not endure.
fn failures(scene: &Scene, path: &Path, round: u64) -> Vec<String> {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let whole = fs::read(path).unwrap();
    if whole.is_empty() {
        return Vec::new();
    }
    let frames = capture::read_all(File::open(path).unwrap()).map_or(Vec::new(), |(frames, _)| frames);
    let mut failed = Vec::new();
    for (what, bytes) in variants(&whole, &mut Random::of(&name, round)) {
        if catch_unwind(AssertUnwindSafe(|| endure(scene, &frames, what, &bytes))).is_err() {
            let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("hostile-{round}-{name}"));
            fs::write(&kept, &bytes).unwrap();
            failed.push(format!("{what}, round {round}: {}, kept as {}", path.display(), kept.display()));
        }
    }
    failed
}

#[test]
fn times_as_late_as_can_be_said_are_survived() {
    let scene = Scene::new();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pcaps/flows/http.pcap");
    let (frames, _) = capture::read_all(File::open(path).unwrap()).unwrap();
    let (first, last) = (frames[0].0.ts, frames[frames.len() - 1].0.ts);
    // The last packet comes at the last nanosecond there is; and all at once then.
    let moved = |by: &dyn Fn(i64) -> i64| {
        let moved = frames.iter().map(|(frame, bytes)| (Frame { ts: by(frame.ts), ..*frame }, bytes.clone()));
        scene.replay(&rewritten(&moved.collect::<Vec<_>>()), "lake").unwrap()
    };
    let expected = moved(&|ts| ts - first);
    for late in [moved(&|ts| i64::MAX - (last - ts)), moved(&|_| i64::MAX)] {
        // No time is left for a time-out, so a flow may be over between two of its packets.
        assert!(late.flows >= expected.flows && late.packets == expected.packets);
        assert_eq!(late.rows.get("flows"), Some(&late.flows));
    }
}
