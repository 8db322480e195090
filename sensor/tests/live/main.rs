//! Live capture as its users have it: `spanlake capture` in a network namespace of its own, on a port that mirrors what
//! real clients and servers say to each other in two others.
//!
//! Needs root and the programs of `servers.rs`; `.ci/run` installs them. What is made here is named after this process
//! and goes away with it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail that way")]

mod crash;
mod disk;
mod floods;
mod load;
mod net;
mod packets;
mod process;
mod protocols;
mod retention;
mod rows;
mod servers;
mod signals;
mod split;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// These measure memory, loss and time: one at a time.
static TURN: Mutex<()> = Mutex::new(());

/// Waits for this test's turn; `None` where it cannot run by who runs it. Without a program that it needs it fails.
fn turn(programs: &[&str]) -> Option<MutexGuard<'static, ()>> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: needs root");
        return None;
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let folders: Vec<&str> = path.split(':').chain(["/usr/local/sbin", "/usr/sbin", "/sbin"]).collect();
    let missing: Vec<&&str> = programs
        .iter()
        .chain(&["ip", "tc", "ss", "ethtool", "sysctl", "tcpdump", "tcpbridge"])
        .filter(|program| !folders.iter().any(|folder| Path::new(folder).join(program).exists()))
        .collect();
    assert!(missing.is_empty(), "these programs are missing, .ci/run names their packages: {missing:?}");
    Some(TURN.lock().unwrap_or_else(PoisonError::into_inner))
}
