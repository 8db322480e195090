//! What the journal counts, for whoever wants to know while it runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use schemas::batch::{Counts, TABLES};

/// Counters and gauges; all of them may be read at any time.
#[derive(Debug, Default)]
pub struct Meters {
    /// Rows on disk in the journal, by table in the order of [`schemas::batch::TABLE_NAMES`].
    pub journalled: Rows,
    /// Rows in the lake; those that an earlier run left in the journal count, too.
    pub published: Rows,
    /// Rows given up because the disk took none and memory for them was full.
    pub dropped: Rows,
    /// Rows of certificates left out as repeats.
    pub repeats: AtomicU64,
    /// Segments that are not yet published, the one that is written apart.
    pub segments: AtomicU64,
    /// Segments put aside because they cannot be read.
    pub set_aside: AtomicU64,
    /// Bytes of segments that could not be read and were left out.
    pub damaged_bytes: AtomicU64,
    /// Bytes of all segments.
    pub journal_bytes: AtomicU64,
    /// Bytes of rows that are not yet on disk.
    pub held_bytes: AtomicU64,
    /// Rows that are not yet on disk.
    pub held_rows: AtomicU64,
    /// Files published.
    pub files: AtomicU64,
    /// Their bytes.
    pub bytes: AtomicU64,
    /// Time that was waited for the disk to take the journal.
    pub journal_nanoseconds: AtomicU64,
    /// Time that went into files of the lake.
    pub publish_nanoseconds: AtomicU64,
    /// Why the journal cannot be written now; none where it can.
    pub(crate) journal_failure: Failure,
    /// Why segments cannot be published now; none where they can.
    pub(crate) publish_failure: Failure,
}

/// A counter a table.
#[derive(Debug, Default)]
pub struct Rows([AtomicU64; TABLES]);

/// What goes wrong now.
#[derive(Debug, Default)]
pub(crate) struct Failure(Mutex<Option<String>>);

impl Meters {
    /// Why the disk fails now, if it does.
    pub fn failure(&self) -> Option<String> {
        self.journal_failure.get().or_else(|| self.publish_failure.get())
    }
}

impl Rows {
    /// As they are now.
    pub fn get(&self) -> Counts {
        std::array::from_fn(|table| self.0.get(table).map_or(0, |rows| rows.load(Ordering::Relaxed)))
    }

    /// Of all tables.
    pub fn total(&self) -> u64 {
        self.get().iter().sum()
    }

    pub(crate) fn add(&self, counts: &Counts) {
        for (rows, count) in self.0.iter().zip(counts) {
            rows.fetch_add(*count, Ordering::Relaxed);
        }
    }
}

impl Failure {
    pub(crate) fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes a failure; true where there was none before.
    pub(crate) fn begin(&self, reason: &str) -> bool {
        let before = self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(reason.to_owned());
        before.is_none()
    }

    /// Notes that all is well; true where it was not.
    pub(crate) fn end(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }
}

/// Rows of several.
pub(crate) fn sum(counts: impl Iterator<Item = Counts>) -> Counts {
    let mut sum = Counts::default();
    for counts in counts {
        sum.iter_mut().zip(counts).for_each(|(sum, rows)| *sum += rows);
    }
    sum
}

/// Adds a time to a counter of nanoseconds.
pub(crate) fn add_time(counter: &AtomicU64, time: Duration) {
    counter.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
}
