//! A lake that is kept within its bound while it is written.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::load::Load;
use super::net::Wire;
use super::process::{Sensor, wait_until};
use super::rows::{assert_whole, rows};
use super::servers::{NAMED, NGINX, Named, Nginx};
use super::turn;

const BOUND: u64 = 400 << 10;

/// Bytes on disk of all files that are shown to readers.
fn bytes(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let is_hidden = |entry: &fs::DirEntry| entry.file_name().as_encoded_bytes().starts_with(b".");
    let shown = entries.map(Result::unwrap).filter(|entry| !is_hidden(entry));
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes(&entry.path()),
        Ok(metadata) => metadata.len().next_multiple_of(4096),
        // It went between.
        Err(_) => 0,
    };
    shown.map(size).sum()
}

#[test]
#[ignore = "needs root"]
fn a_lake_stays_within_its_bound_while_it_is_written() {
    let Some(_turn) = turn(&[NAMED, NGINX].concat()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let live = folder.path().join("lake");
    let wire = Wire::mirrored();
    let _servers = (Named::start(&wire, folder.path()), Nginx::start(&wire, folder.path()));
    let bound = BOUND.to_string();
    let options = ["--workers", "2", "--rotate-every", "1s", "--keep-bytes", &bound];
    let sensor = Sensor::start(&wire, "mon0", &live, &options);
    let load = Load::start(&wire, "kept", Duration::from_millis(4));
    wait_until("files go", || {
        (sensor.metric(&wire.sensor, "spanlake_removed_files_total") >= 12.0).then_some(())
    });
    let mut most = 0;
    for _ in 0..30 {
        thread::sleep(Duration::from_millis(100));
        most = most.max(bytes(&live));
    }
    let done = load.stop();
    thread::sleep(Duration::from_secs(1));
    let removed = sensor.metric(&wire.sensor, "spanlake_removed_bytes_total");
    let summary = sensor.stop();
    // What came since it last looked is a rotation or two of it.
    assert!(most > BOUND / 2 && most < BOUND * 2, "{most} bytes at most");
    assert!(removed > 0.0 && !summary["removed"].is_null(), "{removed}: {summary}");
    assert_eq!(summary["lost"]["rows"], 0, "{summary}");
    assert_whole(&live);
    // The newest are there, each once, and the oldest are not.
    let kept: Vec<String> =
        rows(&live, "dns").into_iter().map(|mut row| row.remove("query").unwrap()).collect();
    assert!(kept.len() < done.dns.len(), "{} of {}", kept.len(), done.dns.len());
    let newest = &done.dns[done.dns.len() - 50..];
    assert!(newest.iter().all(|name| kept.iter().filter(|kept| *kept == name).count() == 1));
    assert!(!kept.contains(&done.dns[0]));
    let went = |table: &str| summary["removed"]["tables"][table]["files"].as_u64().unwrap_or(0);
    assert!(went("dns") > went("flows") && went("http") > went("flows"), "flows go last: {summary}");
}
