//! A disk that fills up and is freed again.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::load::Load;
use super::net::{Wire, succeeds};
use super::process::{Recorder, Sensor, replay};
use super::rows::{assert_same, assert_whole};
use super::servers::{NAMED, NGINX, Named, Nginx};
use super::turn;

/// A file system of its own, for as long as this lives.
struct Mount(tempfile::TempDir);

impl Mount {
    fn tmpfs(size: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={size}");
        succeeds(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder.path()));
        Self(folder)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

/// Writes until there is no room.
fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    for size in [65_536, 4096, 1] {
        while file.write_all(&vec![1; size]).is_ok() {}
    }
}

#[test]
#[ignore = "needs root"]
fn a_disk_of_50_mib_that_fills_up_and_is_freed_costs_no_row() {
    let Some(_turn) = turn(&[NAMED, NGINX].concat()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let mount = Mount::tmpfs("50m");
    let (live, ballast) = (mount.0.path().join("lake"), mount.0.path().join("ballast"));
    let replayed = folder.path().join("replayed");
    let wire = Wire::mirrored();
    let _servers = (Named::start(&wire, folder.path()), Nginx::start(&wire, folder.path()));
    let recorder = Recorder::start(&wire, "mon0", &folder.path().join("recorded.pcap"));
    let mut sensor = Sensor::start(&wire, "mon0", &live, &["--workers", "2", "--rotate-every", "2s"]);
    let load = Load::start(&wire, "full", Duration::from_millis(4));
    thread::sleep(Duration::from_secs(3));
    for _ in 0..2 {
        let told = sensor.process.said().matches("No space left").count();
        fill(&ballast);
        super::process::wait_until("the log tells that the disk is full", || {
            (sensor.process.said().matches("No space left").count() > told).then_some(())
        });
        thread::sleep(Duration::from_secs(4));
        assert!(sensor.process.is_running());
        fs::remove_file(&ballast).unwrap();
        thread::sleep(Duration::from_secs(5));
    }
    let done = load.stop();
    let recorded = recorder.stop();
    eprintln!("{}", sensor.process.said());
    sensor.stop();
    // Of two hosts a replay follows fewer flows at a time.
    replay(&recorded, &replayed, &["--max-flows", "4194304"]);
    assert!(done.dns.len() > 500 && done.http.len() > 500);
    let counts = assert_same(&live, &replayed);
    assert!(counts["dns"] >= done.dns.len() && counts["http"] >= done.http.len());
    assert_whole(&live);
}
