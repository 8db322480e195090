//! Retention beside a live sensor: a thread that looks about once a minute.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

use super::shared::Shared;
use crate::clock;
use crate::retention::{self, Cache, Count, Removed};
use crate::store::Store;

/// The thread.
#[derive(Debug)]
pub(super) struct Retained {
    thread: JoinHandle<()>,
    /// Dropped when it is to end.
    stop: Sender<()>,
    removed: Arc<Mutex<Removed>>,
}

/// How often it looks, where files of the lake come no faster.
const INTERVAL: Duration = Duration::from_secs(60);

/// How long it may take to come to its end: a disk may be slow, and rows are still to be published.
const PATIENCE: Duration = Duration::from_secs(1);

impl Retained {
    /// `every`: how often new files come.
    pub(super) fn start(
        lake: PathBuf,
        store: Option<Store>,
        shared: Arc<Shared>,
        every: Duration,
    ) -> Result<Self> {
        let removed = Arc::new(Mutex::new(Removed::default()));
        let (stop, stopped) = bounded(0);
        let sum = Arc::clone(&removed);
        let run = move || {
            let mut cache = Cache::default();
            loop {
                let (_, config) = shared.settings();
                match retention::run(&lake, store.as_ref(), &config.retention, clock::wall(), &mut cache) {
                    Ok(removed) => {
                        tell(&removed);
                        add(&mut sum.lock().unwrap_or_else(PoisonError::into_inner), removed);
                    }
                    Err(error) => tracing::warn!("retention: {error:#}"),
                }
                if stopped.recv_timeout(every.min(INTERVAL)) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        let thread =
            thread::Builder::new().name("retention".to_owned()).spawn(run).context("starting a thread")?;
        Ok(Self { thread, stop, removed })
    }

    /// What went so far: files and bytes.
    pub(super) fn so_far(&self) -> (u64, u64) {
        let removed = self.removed.lock().unwrap_or_else(PoisonError::into_inner);
        let all = removed.files.values().chain([&removed.contents]);
        all.fold((0, 0), |(files, bytes), count| (files + count.files, bytes + count.bytes))
    }

    /// Ends it. What went, where anything did.
    pub(super) fn finish(self) -> Option<Removed> {
        drop(self.stop);
        let until = Instant::now() + PATIENCE;
        while !self.thread.is_finished() && Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
        // It only looks and removes: the next start goes on where it was. Where it broke, that was told.
        if self.thread.is_finished() {
            let _ = self.thread.join();
        } else {
            tracing::warn!("retention was not done when the sensor ended");
        }
        let removed = self.removed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (!removed.is_empty()).then_some(removed)
    }
}

fn tell(removed: &Removed) {
    let files: u64 = removed.files.values().map(|count| count.files).sum();
    let bytes: u64 = removed.files.values().map(|count| count.bytes).sum();
    if files + removed.contents.files > 0 {
        tracing::info!(files, bytes, contents = removed.contents.files, "retention removed the oldest");
    }
    if let Some(failure) = &removed.failure {
        tracing::warn!("retention: {} could not be removed: {failure}", removed.failed);
    }
    if removed.beyond > 0 {
        tracing::warn!(
            "retention: {} bytes are beyond --keep-bytes, and nothing else may be removed",
            removed.beyond
        );
    }
}

/// Adds what one look removed; what is left is what the last one saw.
fn add(sum: &mut Removed, more: Removed) {
    let add = |sum: &mut Count, more: Count| {
        sum.files += more.files;
        sum.bytes += more.bytes;
    };
    for (table, count) in more.files {
        add(sum.files.entry(table).or_default(), count);
    }
    add(&mut sum.contents, more.contents);
    sum.failed += more.failed;
    *sum = Removed {
        files: std::mem::take(&mut sum.files),
        contents: sum.contents,
        failed: sum.failed,
        failure: more.failure.or(sum.failure.take()),
        ..more
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_disk_does_not_hold_up_the_end() {
        let (release, held) = bounded::<()>(0);
        let thread = thread::spawn(move || {
            let _ = held.recv();
        });
        let (stop, _stopped) = bounded(0);
        let (ends, ended) = bounded(1);
        let retained = Retained { thread, stop, removed: Arc::default() };
        thread::spawn(move || ends.send(retained.finish()));
        assert!(matches!(ended.recv_timeout(PATIENCE * 5), Ok(None)));
        drop(release);
    }
}
