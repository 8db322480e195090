//! The thread that writes the journal: about once a second what has come goes to disk, and segments end.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use schemas::month::Month;
use tracing::{info, warn};

use super::held::Held;
use super::keeper::{Shared, Stop};
use super::meters::{add_time, sum};
use super::segment::{Frame, Writer};
use crate::output::folder::make_folders;

/// Writes what is held.
pub(crate) struct JournalWriter {
    shared: Arc<Shared>,
    held: Arc<Held>,
    /// Segments that have ended.
    ended: Sender<PathBuf>,
    segment: Option<Open>,
    /// The latest month that any row of the segment was of.
    month: Option<Month>,
    /// Rows dropped when the disk began to fail.
    dropped_before: u64,
    /// Nobody publishes any more.
    is_alone: bool,
}

/// The segment that is written.
struct Open {
    writer: Writer,
    since: Instant,
}

impl JournalWriter {
    pub(crate) fn new(shared: Arc<Shared>, held: Arc<Held>, ended: Sender<PathBuf>) -> Self {
        Self { shared, held, ended, segment: None, month: None, dropped_before: 0, is_alone: false }
    }

    /// Writes until nothing more comes, or until the time to stop is over.
    pub(crate) fn run(mut self) {
        if !self.write_all() && self.segment.is_some() {
            // It is published at the next start.
            self.shared.meters.segments.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Says whether all was written.
    fn write_all(&mut self) -> bool {
        let every = self.shared.config.sync_every;
        let mut due = Instant::now() + every;
        let mut is_well = true;
        loop {
            let taken = self.held.take(due, is_well);
            is_well = self.write(taken.frames);
            if is_well && taken.has_more {
                due = Instant::now();
            } else if taken.is_closed {
                if is_well && self.end_segment() {
                    return !self.is_alone;
                }
                if !self.shared.stop.wait(RETRY_AT_END) {
                    return false;
                }
            } else {
                // From the end of a slow write, so that the disk is not asked without a break.
                due = Instant::now() + every;
            }
            // Also where it cannot be written any more: when it is published there is room again.
            if self.is_due() && self.end_segment() && self.is_alone {
                // What is there is written; more is refused, so that everybody notices.
                self.held.leave();
                self.held.close();
            }
        }
    }

    /// Appends frames to the segment; puts them back where that fails.
    fn write(&mut self, mut frames: Vec<Frame>) -> bool {
        let Some(newest) = frames.iter().map(|frame| frame.newest).max() else { return true };
        let started = Instant::now();
        let result = self.append(&mut frames, Month::of(newest));
        let meters = &self.shared.meters;
        add_time(&meters.journal_nanoseconds, started.elapsed());
        match result {
            Ok(()) => {
                meters.journalled.add(&sum(frames.iter().map(|frame| frame.rows)));
                self.held.written(&frames);
                if meters.journal_failure.end() {
                    let dropped = meters.dropped.total() - self.dropped_before;
                    info!(dropped, "the journal is written again");
                }
                true
            }
            Err(error) => {
                self.held.put_back(frames);
                if meters.journal_failure.begin(&format!("writing the journal: {error}")) {
                    self.dropped_before = meters.dropped.total();
                    let folder = self.shared.folder.display();
                    warn!(%error, "the journal in {folder} cannot be written; rows are held in memory");
                }
                false
            }
        }
    }

    fn append(&mut self, frames: &mut [Frame], month: Month) -> io::Result<()> {
        let shared = self.shared.clone();
        let Shared { config, folder, disk, meters, .. } = &*shared;
        // The files of a month are complete soon after its end.
        let is_later = self.month.is_some_and(|before| month > before);
        if is_later && !self.end_segment() {
            return Err(io::Error::other("the segment of the month before cannot be ended"));
        }
        self.month = self.month.max(Some(month));
        if let Some(open) = &self.segment
            && !open.writer.is_there()
        {
            warn!("{} was removed while it was written", open.writer.path().display());
            meters.journal_bytes.fetch_sub(open.writer.length(), Ordering::Relaxed);
            self.segment = None;
        }
        let open = match &mut self.segment {
            Some(open) => open,
            none => {
                // Somebody may have tidied up.
                make_folders(folder)?;
                let writer = Writer::create(folder, &config.names, &**disk)?;
                meters.journal_bytes.fetch_add(writer.length(), Ordering::Relaxed);
                none.insert(Open { writer, since: Instant::now() })
            }
        };
        let before = open.writer.length();
        open.writer.append(frames, &**disk)?;
        meters.journal_bytes.fetch_add(open.writer.length() - before, Ordering::Relaxed);
        Ok(())
    }

    /// Whether the segment is old or large enough.
    fn is_due(&self) -> bool {
        let config = &self.shared.config;
        self.segment.as_ref().is_some_and(|open| {
            open.since.elapsed() >= config.rotate_every
                || self.shared.ratio.estimate(open.writer.length()) >= config.rotate_bytes
        })
    }

    /// Hands the segment on; false where it cannot be ended.
    fn end_segment(&mut self) -> bool {
        let Some(open) = &mut self.segment else { return true };
        if open.writer.mend(&*self.shared.disk).is_err() {
            return false;
        }
        self.shared.meters.segments.fetch_add(1, Ordering::Relaxed);
        let sent = self.ended.send(open.writer.path().to_path_buf());
        self.is_alone |= sent.is_err();
        (self.segment, self.month) = (None, None);
        true
    }
}

impl Drop for JournalWriter {
    fn drop(&mut self) {
        self.held.leave();
    }
}

impl Stop {
    /// Waits a little; false where the time to stop is over.
    fn wait(&self, time: Duration) -> bool {
        match self.left() {
            Some(left) if left <= time => false,
            _ => {
                std::thread::sleep(time);
                true
            }
        }
    }
}

/// How often the disk is asked again when all that is left to do is to write.
const RETRY_AT_END: Duration = Duration::from_millis(200);
