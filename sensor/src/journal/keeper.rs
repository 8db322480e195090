//! The keeper of the journal: takes rows, and looks after the threads that write and publish them.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use schemas::batch::{Counts, Records};
use schemas::packed::Piece;
use schemas::repeats::Repeats;
use tracing::{error, info};

use super::disk::{Disk, Real};
use super::held::Held;
use super::meters::Meters;
use super::publisher::{ASIDE, Publisher};
use super::segment::{EXTENSION, Frame, Segment};
use super::writer::JournalWriter;
use super::{Config, folder_of};
use crate::output::folder::{entries, make_file, make_folders, make_lake};

/// A journal that is kept.
#[must_use = "rows are safe when the journal has been finished"]
#[derive(Debug)]
pub struct Keeper {
    shared: Arc<Shared>,
    threads: [Running; 3],
    /// The lock belongs to the open file.
    _lock: File,
}

/// What all threads of a keeper know.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) meters: Arc<Meters>,
    /// Where the segments lie.
    pub(crate) folder: PathBuf,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) stop: Stop,
    pub(crate) ratio: Ratio,
}

/// When all has to end; not set while the journal is kept.
#[derive(Debug, Default)]
pub(crate) struct Stop(OnceLock<Instant>);

/// Bytes of Parquet that a byte of the journal becomes, learned from the segments before.
#[derive(Debug)]
pub(crate) struct Ratio(AtomicU64);

/// A thread, and how it says that it has ended.
#[derive(Debug)]
struct Running {
    thread: JoinHandle<()>,
    ended: Receiver<()>,
}

/// What became of the rows of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows that reached the journal, by table.
    pub journalled: Counts,
    /// Rows that reached the lake, by table; those that earlier runs left in the journal are among them.
    pub published: Counts,
    /// Rows given up because the disk took none and memory for them was full.
    pub dropped: Counts,
    /// Rows of certificates left out as repeats.
    pub repeats: u64,
    /// Files published.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Rows lost at the end, because the disk took none.
    pub lost: u64,
    /// Segments that stay in the journal until the next start.
    pub segments: u64,
}

impl Keeper {
    /// Opens the journal and starts its threads: rows go into the sender that this gives back. What earlier runs left in
    /// the journal is published beside what comes. When something in here breaks, sending fails, and
    /// [`Keeper::finish`] says what it was.
    ///
    /// # Errors
    /// The journal cannot be made or read, or another sensor of this name uses it.
    pub fn start(config: Config) -> Result<(Sender<Records>, Self)> {
        Self::on(config, Arc::new(Real))
    }

    /// As [`Keeper::start`], on some disk.
    pub(crate) fn on(config: Config, disk: Arc<dyn Disk>) -> Result<(Sender<Records>, Self)> {
        make_lake(&config.lake)?;
        let folder = folder_of(&config.lake, &config.names.sensor);
        let opening = || format!("opening the journal {}", folder.display());
        make_folders(&folder).with_context(opening)?;
        let lock = lock(&folder)?;
        let meters = config.meters.clone();
        let leftovers = leftovers(&folder, &meters)?;
        if !leftovers.is_empty() {
            info!(segments = leftovers.len(), "an earlier run left rows in {}", folder.display());
        }
        let held = Arc::new(Held::new(config.hold_bytes, meters.clone()));
        let repeats = config.certificate_interval.map(Repeats::new);
        let shared =
            Arc::new(Shared { config, meters, folder, disk, stop: Stop::default(), ratio: Ratio::default() });
        let (rows, received) = bounded(QUEUE);
        let (ended, segments) = unbounded();
        let intake = Intake { shared: shared.clone(), held: held.clone(), repeats };
        let writer = JournalWriter::new(shared.clone(), held, ended);
        let publisher = Publisher::new(shared.clone(), leftovers, segments);
        let threads = [
            Running::start("journal", move || intake.run(&received))?,
            Running::start("journal-writer", move || writer.run())?,
            Running::start("journal-publisher", move || publisher.run())?,
        ];
        Ok((rows, Self { shared, threads, _lock: lock }))
    }

    /// What is counted.
    pub fn meters(&self) -> &Arc<Meters> {
        &self.shared.meters
    }

    /// Ends the journal: all senders must be gone. Writes and publishes what is there, and says what that was. What could
    /// not be published `within` the time stays in the journal for the next start.
    ///
    /// # Errors
    /// A thread of the journal broke.
    pub fn finish(self, within: Duration) -> Result<Summary> {
        let end = self.shared.stop.begin(within);
        let mut broken = None;
        for Running { thread, ended } in self.threads {
            // It sends nothing: that it has ended is seen by the channel's end.
            let is_late = ended.recv_deadline(end + GRACE).is_err_and(|error| error.is_timeout());
            if is_late {
                // The disk hangs. The process may end: what is on disk is whole.
                error!("{} does not end in time", thread.thread().name().unwrap_or_default());
            } else {
                let name = thread.thread().name().unwrap_or_default().to_owned();
                broken = thread.join().err().map(|_| name).or(broken);
            }
        }
        let meters = &self.shared.meters;
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let summary = Summary {
            journalled: meters.journalled.get(),
            published: meters.published.get(),
            dropped: meters.dropped.get(),
            repeats: load(&meters.repeats),
            files: load(&meters.files),
            bytes: load(&meters.bytes),
            lost: load(&meters.held_rows),
            segments: load(&meters.segments),
        };
        if summary.lost > 0 {
            let reason = meters.failure().unwrap_or_default();
            error!(rows = summary.lost, "rows are lost, because the disk took none to the end: {reason}");
        }
        if summary.segments > 0 {
            info!(
                segments = summary.segments,
                "rows stay in {} and are published at the next start",
                self.shared.folder.display()
            );
        }
        match broken {
            Some(thread) => bail!("the thread {thread} broke; what it had to do stays in the journal"),
            None => Ok(summary),
        }
    }
}

/// The thread that takes rows from the workers, and makes frames of them: it never waits for the disk.
struct Intake {
    shared: Arc<Shared>,
    held: Arc<Held>,
    repeats: Option<Repeats>,
}

impl Intake {
    fn run(mut self, rows: &Receiver<Records>) {
        for mut records in rows {
            if let Some(repeats) = &mut self.repeats {
                repeats.leave_out_of(&mut records);
                self.shared.meters.repeats.store(repeats.left_out(), Ordering::Relaxed);
            }
            if !self.take(&records) {
                break;
            }
        }
        self.held.close();
    }

    /// False where nobody writes any more.
    fn take(&self, records: &Records) -> bool {
        let Some(newest) = records.newest() else { return true };
        let mut is_wanted = true;
        records.pack(FRAME_BYTES, 0, |piece: Piece| match self.held.push(Frame::new(&piece, newest)) {
            Some(dropped) => self.shared.meters.dropped.add(&dropped),
            None => is_wanted = false,
        });
        is_wanted
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        self.held.close();
    }
}

impl Running {
    fn start(name: &str, run: impl FnOnce() + Send + 'static) -> Result<Self> {
        let (alive, ended) = bounded(0);
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                // Dropped at the end, however it comes.
                let _alive = alive;
                run();
            })
            .with_context(|| format!("starting the thread {name}"))?;
        Ok(Self { thread, ended })
    }
}

impl Stop {
    fn begin(&self, within: Duration) -> Instant {
        *self.0.get_or_init(|| Instant::now() + within)
    }

    /// Time that is left; none while nothing has to end.
    pub(crate) fn left(&self) -> Option<Duration> {
        self.0.get().map(|end| end.saturating_duration_since(Instant::now()))
    }

    /// Whether no time is left.
    pub(crate) fn is_over(&self) -> bool {
        self.left().is_some_and(|left| left.is_zero())
    }
}

impl Default for Ratio {
    fn default() -> Self {
        Self(AtomicU64::new(0.5_f64.to_bits()))
    }
}

impl Ratio {
    fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }

    /// Bytes of Parquet that so many bytes of the journal become.
    pub(crate) fn estimate(&self, journal: u64) -> u64 {
        (journal as f64 * self.get()) as u64
    }

    /// What a segment became.
    pub(crate) fn note(&self, journal: u64, parquet: u64) {
        // Small files are mostly footers.
        if journal >= TELLING {
            let ratio = (parquet as f64 / journal as f64).clamp(0.1, 2.0);
            self.0.store(((self.get() + ratio) / 2.0).to_bits(), Ordering::Relaxed);
        }
    }
}

/// Keeps two sensors of one name apart; held until the file is closed.
fn lock(folder: &Path) -> Result<File> {
    let path = folder.join("lock");
    let locking = || format!("locking {}", path.display());
    let file = make_file(&path).with_context(locking)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another sensor of this name writes into this lake; its journal is {}", folder.display())
        }
        // A file system without locks: sensors must then be kept apart by who starts them.
        Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => Ok(file),
        Err(TryLockError::Error(error)) => Err(anyhow!(error).context(locking())),
    }
}

/// Segments of earlier runs, the oldest first; also those that another version put aside, for this one may know them.
fn leftovers(folder: &Path, meters: &Meters) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let aside = folder.join(ASIDE);
    for (path, name) in entries(folder)?.into_iter().chain(entries(&aside)?) {
        if !name.ends_with(EXTENSION) || path.starts_with(&aside) && Segment::open(&path).is_err() {
            continue;
        }
        let length = fs::metadata(&path).map_or(0, |metadata| metadata.len());
        meters.journal_bytes.fetch_add(length, Ordering::Relaxed);
        found.push(path);
    }
    found.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    meters.segments.fetch_add(found.len() as u64, Ordering::Relaxed);
    Ok(found)
}

/// Batches of rows that wait to be packed: enough for a worker not to wait for another.
const QUEUE: usize = 16;

/// Bytes at which packed rows are cut into frames.
const FRAME_BYTES: usize = 4 << 20;

/// Bytes of a segment that say something about the next one.
const TELLING: u64 = 1 << 20;

/// How much longer a thread is waited for that should have ended.
const GRACE: Duration = Duration::from_secs(1);
