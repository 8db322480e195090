//! The thread that makes files of the lake of ended segments, one after the other; what fails is tried again.

use std::collections::VecDeque;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use schemas::batch::{Counts, TABLE_NAMES};
use tracing::{error, info, warn};

use super::keeper::Shared;
use super::meters::add_time;
use super::segment::{Damage, Refusal, Segment};
use crate::output::folder::{make_folders, sync_folder};
use crate::output::{self, Bounds, Epoch, IfExists, Lake};

/// Publishes segments.
pub(crate) struct Publisher {
    shared: Arc<Shared>,
    ended: Receiver<PathBuf>,
    waiting: VecDeque<Job>,
    /// How long to wait after the last failure, and since when.
    pause: Option<(Duration, Instant)>,
    is_over: bool,
}

/// What is to be done with a segment.
struct Job {
    path: PathBuf,
    state: State,
}

/// How far a segment has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing of it is in the lake.
    New,
    /// An earlier try, maybe of an earlier run, may have published parts of it.
    Tried,
    /// All its rows are in the lake, and it only has to go.
    Published,
}

/// How a segment ended.
enum Outcome {
    Published {
        rows: u64,
        files: u64,
    },
    /// There was nothing to publish.
    Gone,
    /// There is no time left.
    Stopped,
}

impl Publisher {
    /// `leftovers` are segments of earlier runs.
    pub(crate) fn new(shared: Arc<Shared>, leftovers: Vec<PathBuf>, ended: Receiver<PathBuf>) -> Self {
        let waiting = leftovers.into_iter().map(|path| Job { path, state: State::Tried }).collect();
        Self { shared, ended, waiting, pause: None, is_over: false }
    }

    /// Publishes until no more segments come, or the time to stop is over.
    pub(crate) fn run(mut self) {
        while !self.shared.stop.is_over() && self.next() {
            let Some(job) = self.waiting.pop_front() else { continue };
            self.work(job);
        }
    }

    /// Waits until there is something to do; false at the end.
    fn next(&mut self) -> bool {
        loop {
            let wait = match (&self.pause, self.waiting.is_empty()) {
                (_, true) => None,
                (None, false) => Some(Duration::ZERO),
                (Some((pause, since)), false) => {
                    // At the end there is no time for long pauses.
                    let is_ending = self.shared.stop.left().is_some();
                    let pause = if is_ending { FIRST_PAUSE.min(*pause) } else { *pause };
                    Some(pause.saturating_sub(since.elapsed()))
                }
            };
            match wait {
                None if self.is_over => return false,
                None => match self.ended.recv() {
                    Ok(path) => self.take(path),
                    Err(_) => return false,
                },
                Some(wait) if wait.is_zero() => {
                    while let Ok(path) = self.ended.try_recv() {
                        self.take(path);
                    }
                    return true;
                }
                Some(wait) => {
                    // Short, so that the end is noticed.
                    let wait = wait.min(NOTICE);
                    if self.is_over {
                        std::thread::sleep(wait);
                    } else {
                        match self.ended.recv_timeout(wait) {
                            Ok(path) => self.take(path),
                            Err(RecvTimeoutError::Timeout) => {}
                            Err(RecvTimeoutError::Disconnected) => self.is_over = true,
                        }
                    }
                    if self.shared.stop.is_over() {
                        return false;
                    }
                }
            }
        }
    }

    fn take(&mut self, path: PathBuf) {
        self.waiting.push_back(Job { path, state: State::New });
    }

    fn work(&mut self, mut job: Job) {
        let started = Instant::now();
        let result = self.publish(&mut job);
        let meters = &self.shared.meters;
        add_time(&meters.publish_nanoseconds, started.elapsed());
        match result {
            Ok(Outcome::Stopped) => {}
            Ok(outcome) => {
                meters.segments.fetch_sub(1, Ordering::Relaxed);
                self.pause = None;
                if meters.publish_failure.end() {
                    info!("segments of the journal are published again");
                }
                if let Outcome::Published { rows, files } = outcome {
                    info!(rows, files, "published {}, which had stayed in the journal", job.path.display());
                }
            }
            Err(error) => {
                let pause = self.pause.map_or(FIRST_PAUSE, |(pause, _)| (2 * pause).min(LONGEST_PAUSE));
                self.pause = Some((pause, Instant::now()));
                if meters.publish_failure.begin(&format!("publishing a segment of the journal: {error:#}")) {
                    warn!("{} is not published and stays: {error:#}", job.path.display());
                }
                // Behind the others, so that none holds them up for ever.
                if job.state == State::New {
                    job.state = State::Tried;
                }
                self.waiting.push_back(job);
            }
        }
    }

    fn publish(&self, job: &mut Job) -> Result<Outcome> {
        let path = &job.path;
        if job.state == State::Published {
            return self.remove(path).map(|()| Outcome::Gone);
        }
        let meters = &self.shared.meters;
        let segment = match Segment::open(path) {
            Ok(segment) => segment,
            Err(Refusal::Disk(error)) if error.kind() == ErrorKind::NotFound => {
                warn!("{} was removed before it was published", path.display());
                return Ok(Outcome::Gone);
            }
            Err(Refusal::Disk(error)) => {
                return Err(anyhow!(error).context(format!("reading {}", path.display())));
            }
            Err(Refusal::Unfinished) => return self.remove(path).map(|()| Outcome::Gone),
            Err(refusal) => return self.put_aside(path, &refusal).map(|()| Outcome::Gone),
        };
        if let Some(before) = &self.shared.config.before_publish {
            before();
        }
        let Some((written, damage)) = self.convert(&segment, job.state)? else {
            return Ok(Outcome::Stopped);
        };
        if damage.bytes > 0 {
            meters.damaged_bytes.fetch_add(damage.bytes, Ordering::Relaxed);
            warn!(
                bytes = damage.bytes,
                rows = damage.rows,
                "{} was damaged; what could be read of it is published",
                path.display()
            );
        }
        let mut counts = Counts::default();
        for (count, table) in counts.iter_mut().zip(TABLE_NAMES) {
            *count = written.rows.get(table).copied().unwrap_or_default();
        }
        meters.published.add(&counts);
        meters.files.fetch_add(written.files, Ordering::Relaxed);
        meters.bytes.fetch_add(written.bytes, Ordering::Relaxed);
        self.shared.ratio.note(segment.length(), written.bytes);
        let outcome = match std::mem::replace(&mut job.state, State::Published) {
            State::New => Outcome::Gone,
            _ => Outcome::Published { rows: counts.iter().sum(), files: written.files },
        };
        self.remove(path).map(|()| outcome)
    }

    /// Makes files of a segment: those of the same names that an earlier try left are replaced, all at once. None where
    /// there is no time left.
    fn convert(&self, segment: &Segment, state: State) -> Result<Option<(output::Summary, Damage)>> {
        let config = &self.shared.config;
        let header = segment.header();
        let lake = output::Config {
            lake: config.lake.clone(),
            names: header.names.clone(),
            input_hash: header.input_hash(),
            if_exists: if state == State::New { IfExists::Never } else { IfExists::Replace },
            bounds: Bounds::default(),
            certificate_interval: None,
        };
        let (rows, lake) = Lake::start(lake, 1, config.encoders)?;
        let mut frames = segment.frames();
        let mut number = 0;
        loop {
            if self.shared.stop.is_over() {
                drop(rows);
                lake.abandon();
                return Ok(None);
            }
            let records = match frames.next_epoch(EPOCH_BYTES) {
                Ok(Some(records)) => records,
                Ok(None) => break,
                Err(error) => {
                    drop(rows);
                    lake.abandon();
                    return Err(anyhow!(error).context(format!("reading {}", segment.path().display())));
                }
            };
            // A lake that has failed says below why.
            if rows.send(Epoch { number, contributor: 0, records }).is_err() {
                break;
            }
            number += 1;
        }
        drop(rows);
        Ok(Some((lake.finish()?, frames.damage())))
    }

    /// Removes a segment whose rows are in the lake for sure.
    fn remove(&self, path: &Path) -> Result<()> {
        let removing = || format!("removing {}", path.display());
        let length = fs::metadata(path).map_or(0, |metadata| metadata.len());
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(anyhow!(error).context(removing()));
            }
            _ => {}
        }
        self.forget(length);
        // Whether it was put aside or not.
        sync_folder(path.parent().unwrap_or(&self.shared.folder)).with_context(removing)
    }

    /// Moves a segment that cannot be read out of the way.
    fn put_aside(&self, path: &Path, refusal: &Refusal) -> Result<()> {
        let aside = self.shared.folder.join(ASIDE);
        let target = aside.join(path.file_name().context("a segment has a name")?);
        let moving = || format!("moving {} to {}", path.display(), target.display());
        let length = fs::metadata(path).map_or(0, |metadata| metadata.len());
        make_folders(&aside).with_context(moving)?;
        fs::rename(path, &target).with_context(moving)?;
        sync_folder(&aside).with_context(moving)?;
        self.shared.meters.set_aside.fetch_add(1, Ordering::Relaxed);
        self.forget(length);
        error!("a segment of the journal cannot be read: {refusal}; it was moved to {}", target.display());
        Ok(())
    }

    fn forget(&self, length: u64) {
        let bytes = &self.shared.meters.journal_bytes;
        let _ = bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |bytes| Some(bytes.saturating_sub(length)));
    }
}

/// Folder of segments that cannot be read.
pub(crate) const ASIDE: &str = "aside";

/// Bytes of rows that are given to the lake at once, if a second brings more.
const EPOCH_BYTES: usize = 16 << 20;

/// How long to wait after a failure, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How soon the end is noticed while waiting.
const NOTICE: Duration = Duration::from_millis(100);
