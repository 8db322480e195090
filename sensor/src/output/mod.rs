//! The lake: rows of all workers in, whole Parquet files out.
//!
//! ```text
//!  workers ─► collector ─────► encoders ─────► writer ─────────► publishers
//!             epochs in order   one column of   row groups in    sync, rename
//!             merge, cut        one row group   the order of
//!             row groups        at a time       cutting
//! ```
//!
//! The bytes of the lake depend on the rows alone: not on how many workers and encoders there are, nor on time of
//! day or machine. Memory depends on `collector::IN_FLIGHT` and on the number of workers, not on the size of a capture.

mod collector;
mod encoders;
pub(crate) mod exchange;
mod file;
pub(crate) mod folder;
pub(crate) mod footer;
pub(crate) mod partition;
mod publisher;
pub mod read;
mod render;
pub(crate) mod tree;
pub(crate) mod unwritten;
mod writer;

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, anyhow, bail};
use crossbeam_channel::{Sender, bounded, unbounded};
use schemas::batch::Records;
use schemas::column::Names;
use schemas::envelope::Nanoseconds;
use schemas::pending::{GROUP_ROWS, Merger};
use schemas::repeats::Repeats;

use collector::Collector;
use folder::{Found, Lock};
use partition::Input;
use publisher::Publisher;
use writer::{Settings, Writer, Written};

/// What one contributor (a worker, or the reader) saw of one epoch. Every contributor sends one for every epoch, in
/// order, also when it has no rows.
#[derive(Debug)]
pub struct Epoch {
    /// Number of the epoch, from 0.
    pub number: u64,
    /// Number of the contributor, from 0.
    pub contributor: usize,
    /// Its rows.
    pub records: Records,
}

/// What happens to files that an earlier run wrote from the same input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IfExists {
    /// They go when the new ones are published, which is at the end of the run and all at once.
    #[default]
    Replace,
    /// The run fails before anything is written.
    Refuse,
    /// They stay, and the new ones are numbered from where they end.
    Append,
    /// There are none, and nobody looks for them: a lake may hold a million files.
    Never,
}

/// When a file is full, and how many may be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Rows in a file.
    pub rows: u64,
    /// Bytes in a file; a single row group that is larger makes a file of its own.
    pub bytes: u64,
    /// Time from the oldest to the newest row of a file, by the packets' clock; `None` in a replay.
    pub age: Option<Nanoseconds>,
    /// Files open at a time; more than that and the least recently used is published.
    pub open_files: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { rows: 8 * GROUP_ROWS as u64, bytes: 128 << 20, age: None, open_files: 64 }
    }
}

/// What a lake is, and what is written into it.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder; made where it is missing.
    pub lake: PathBuf,
    /// The sensor and the sources whose rows come.
    pub names: Names,
    /// Hash of the sensor's name and the capture's content: 16 hex digits.
    pub input_hash: String,
    /// What to do about files of an earlier run.
    pub if_exists: IfExists,
    /// Limits of files.
    pub bounds: Bounds,
    /// A certificate has a row again when its last one is so many nanoseconds ago; none: each time.
    pub certificate_interval: Option<u64>,
}

/// What a finished run wrote.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Rows by table; tables without rows are not named.
    pub rows: BTreeMap<&'static str, u64>,
    /// Files published.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Rows left out as repeats of certificates.
    pub repeats: u64,
    /// Time that the writer spent on files: what a faster disk could save at most.
    pub write_seconds: f64,
}

/// A lake that is being written.
#[must_use = "the lake is whole only when it has been finished"]
#[derive(Debug)]
pub struct Lake {
    collector: JoinHandle<Result<u64>>,
    encoders: Vec<JoinHandle<()>>,
    writer: JoinHandle<Result<Written>>,
    /// Tells the writer that the end of the rows is the end of the input, too.
    confirm: Sender<()>,
    /// Held until everything is done.
    _lock: Lock,
}

impl Lake {
    /// Prepares the lake and starts its threads. The rows of an epoch are written when all of `contributors` have
    /// sent it; `encoders` threads turn rows into Parquet.
    ///
    /// When something fails, sending fails, and [`Lake::finish`] says what it was.
    pub fn start(config: Config, contributors: usize, encoders: usize) -> Result<(Sender<Epoch>, Self)> {
        let Config { lake, names, input_hash, if_exists, bounds, certificate_interval } = config;
        let input = Input::new(&names.sensor, &input_hash)?;
        folder::make_lake(&lake)?;
        let lock = Lock::take(&lake, &input)?;
        exchange::recover(&lake)?;
        let Found { published, leftovers } = match if_exists {
            IfExists::Never => Found::default(),
            // Files that are joined between the two would be found by neither, and their rows written once more.
            _ => exchange::between(&lake, || {
                if if_exists != IfExists::Append {
                    exchange::refuse_joined(&lake, &input)?;
                }
                folder::find(&lake, &input)
            })?,
        };
        if if_exists == IfExists::Refuse
            && let Some(first) = published.first()
        {
            bail!("the lake already holds {} (files of this input: {})", first.display(), published.len());
        }
        for path in leftovers {
            fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
            if let Some(folder) = path.parent() {
                folder::prune(folder, &lake);
            }
        }
        let (replaced, taken) = match if_exists {
            IfExists::Append => (Vec::new(), first_free(&published, &input)),
            IfExists::Replace | IfExists::Refuse | IfExists::Never => (published, BTreeMap::new()),
        };

        let (epochs, received) = bounded(contributors.max(1));
        let (event, events) = unbounded();
        let (task, tasks) = unbounded();
        let (returned, room) = unbounded();
        let (confirm, confirmed) = bounded(1);
        let names = Arc::new(names);
        // One task an encoder: every task reads all rows of its row group, and what columns cost evens out over row groups.
        let pieces = encoders.max(1);
        let encoders = encoders::start(encoders, encoders::encode, &names, &tasks, &event)?;
        let publisher = Publisher::start(lake.clone(), input.clone(), replaced)?;
        let settings = Settings { lake, input, names, bounds, taken };
        let writer = thread::Builder::new()
            .name("writer".into())
            .spawn(move || Writer::new(settings, publisher, returned).run(&events, &confirmed))
            .context("starting the writer thread")?;
        let merger = Merger::default().without(certificate_interval.map(Repeats::new));
        let collector = Collector::new(merger, contributors, pieces, task, event, room).start(received)?;
        Ok((epochs, Self { collector, encoders, writer, confirm, _lock: lock }))
    }

    /// Waits until all senders are gone and all files are published, or until something has failed.
    pub fn finish(self) -> Result<Summary> {
        // A writer that has failed does not listen; its error comes below.
        let _ = self.confirm.send(());
        let (repeats, Written { files, rows, busy }) = self.join()?;
        Ok(Summary {
            rows,
            repeats,
            files: files.len() as u64,
            bytes: files.iter().map(|file| file.bytes).sum(),
            write_seconds: busy.as_secs_f64(),
        })
    }

    /// Ends without publishing what is not yet published, because the input failed: files of an earlier run are
    /// not replaced by a part. Waits until all senders are gone.
    pub fn abandon(self) {
        let Self { collector, encoders, writer, confirm, _lock } = self;
        drop(confirm);
        let _ = (join(collector), join(writer));
        encoders.into_iter().for_each(join);
    }

    fn join(self) -> Result<(u64, Written)> {
        let collected = join(self.collector);
        let written = join(self.writer);
        self.encoders.into_iter().for_each(join);
        // Where the collector has an error of its own, the writer only says that the rows ended.
        collected
            .and_then(|repeats| Ok((repeats, written?)))
            .map_err(|error| anyhow!("{error:#}; what had been published is whole"))
    }
}

/// Waits for a thread; a panic there is one here.
fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Whether a lake holds rows of an input (of this hash, by this sensor) that were joined with those of others, so that
/// they cannot be replaced.
///
/// # Errors
/// The lake cannot be looked through.
pub fn is_joined(lake: &Path, sensor: &str, input_hash: &str) -> Result<bool> {
    Ok(exchange::joined(lake, &Input::new(sensor, input_hash)?)?.is_some())
}

/// The first number in each folder that no file of this input has.
fn first_free(published: &[PathBuf], input: &Input) -> BTreeMap<PathBuf, u32> {
    let mut free = BTreeMap::new();
    for path in published {
        let ordinal = path.file_name().and_then(|name| input.ordinal(name.to_str()?));
        if let (Some(folder), Some(ordinal)) = (path.parent(), ordinal) {
            let first = free.entry(folder.to_path_buf()).or_default();
            *first = ordinal.saturating_add(1).max(*first);
        }
    }
    free
}
