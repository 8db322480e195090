//! The store: files that were carried whole, each content once, under its SHA-256.
//!
//! ```text
//!  DIR/sha256/ab/abcd…   a content: 64 hex digits, 0600
//!  DIR/partial/0/17      a file on its way, in the folder of its run
//! ```
//!
//! No name from the wire is ever part of a path, and no link inside of DIR is followed. The oldest contents go when there
//! is no room, by when they were last seen. What the column `extracted` says does not depend on time or on the number
//! of workers: it says that a content was put there, and it may be gone later. (An exception is told: files on their way
//! that need more than the whole store together.)

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};

use crate::config::Files;
use crate::folder::Folder;

mod contents;
mod run;
mod sink;
#[cfg(test)]
mod tests;

use contents::{BLOCK, Contents, Name};
pub(crate) use contents::{Content, charge};
use run::Run;

/// Memory of all files that wait for their end. Past it they go to disk earlier; it changes no row.
const MEMORY: usize = 64 << 20;

/// Of the store's bound: where other runs write into it too, what they added is looked for after so much of our own.
const SHARE: u64 = 8;

/// A store that is written.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    top: Folder,
    contents: Contents,
    run: Run,
    /// Types that are wanted; empty: all.
    types: Vec<String>,
    /// Bytes of the largest file that is kept; alone it has room.
    limit: u64,
    /// Bytes of the whole store.
    bound: u64,
    memory_bound: usize,
    memory: AtomicUsize,
    /// Numbers of files on their way.
    partials: AtomicU64,
    used: Mutex<Used>,
    counters: Counters,
    failure: Mutex<Option<String>>,
}

/// What is on disk.
#[derive(Debug, Default)]
struct Used {
    contents: u64,
    /// Files of this run on their way.
    partial: u64,
    /// Those of other runs, when they were last looked at.
    others: u64,
    /// What this run has added since then.
    added: u64,
    /// Contents were added since they were last put on disk for sure.
    is_dirty: bool,
}

#[derive(Debug, Default)]
struct Counters {
    stored: AtomicU64,
    bytes: AtomicU64,
    present: AtomicU64,
    evicted: AtomicU64,
    too_large: AtomicU64,
    shed: AtomicU64,
    failed: AtomicU64,
}

/// What a run put into its store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extracted {
    /// Folder of the store.
    pub folder: PathBuf,
    /// Contents that were new.
    pub stored: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files whose content was there already.
    pub present: u64,
    /// Contents that went to make room.
    pub evicted: u64,
    /// Files that were not kept because one may not be that large.
    pub too_large: u64,
    /// Files that were not kept because all that were on their way needed more than the whole store.
    pub shed: u64,
    /// Files that should have been kept and could not be.
    pub failed: u64,
    /// Why the first of these.
    pub failure: Option<String>,
}

/// Why a file is not kept.
#[derive(Debug)]
enum Problem {
    TooLarge,
    NoRoom,
    Failed(io::Error),
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl Store {
    /// Opens the store that `files` asks for; none where it asks for none.
    ///
    /// # Errors
    /// The folder cannot be made, read or written.
    pub fn open(files: &Files) -> Result<Option<Self>> {
        files.extract.as_deref().map(|path| Self::at(path, files, MEMORY)).transpose()
    }

    fn at(path: &Path, files: &Files, memory_bound: usize) -> Result<Self> {
        let open = || -> io::Result<Self> {
            let top = Folder::named(path)?;
            let contents = Contents::open(&top)?;
            let run = Run::begin(&top)?;
            let used = Used {
                contents: contents.used()?,
                others: run.of_others()?.unwrap_or_default(),
                ..Used::default()
            };
            Ok(Self(Arc::new(Inner {
                path: path.to_owned(),
                top,
                contents,
                run,
                types: files.extract_types.clone(),
                limit: files.extract_file_bytes.min(files.extract_bytes / BLOCK * BLOCK),
                bound: files.extract_bytes,
                memory_bound,
                memory: AtomicUsize::new(0),
                partials: AtomicU64::new(0),
                used: Mutex::new(used),
                counters: Counters::default(),
                failure: Mutex::new(None),
            })))
        };
        open().with_context(|| {
            format!("cannot write the store {}; choose another folder with --extract", path.display())
        })
    }

    /// As sessions want it.
    pub fn shared(&self) -> Arc<dyn parsers::extract::Store> {
        Arc::new(self.clone())
    }

    /// Puts what was stored on disk for sure, before rows say that it is there.
    pub fn sync(&self) {
        let inner = &self.0;
        let is_dirty = std::mem::take(&mut inner.lock().is_dirty);
        if is_dirty && let Err(error) = inner.top.sync() {
            inner.tell(&error.into());
        }
    }

    /// What all contents take, and the oldest of them, oldest first: all, or as many as are remembered at a time.
    pub(crate) fn oldest(&self) -> io::Result<(u64, Vec<Content>)> {
        self.0.contents.oldest()
    }

    /// Removes a content that is no longer wanted.
    pub(crate) fn remove(&self, content: &Content) -> io::Result<()> {
        self.0.contents.remove(content)?;
        let mut used = self.0.lock();
        used.contents = used.contents.saturating_sub(content.charge());
        Ok(())
    }

    /// What was done so far.
    pub fn extracted(&self) -> Extracted {
        let Inner { path, counters, failure, .. } = &*self.0;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Extracted {
            folder: path.clone(),
            stored: count(&counters.stored),
            bytes: count(&counters.bytes),
            present: count(&counters.present),
            evicted: count(&counters.evicted),
            too_large: count(&counters.too_large),
            shed: count(&counters.shed),
            failed: count(&counters.failed),
            failure: failure.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

impl parsers::extract::Store for Store {
    fn begin(&self, mime_type: Option<&str>, total: Option<u64>) -> Option<Box<dyn parsers::extract::Sink>> {
        let inner = &self.0;
        if !is_wanted(&inner.types, mime_type) {
            return None;
        }
        if total.is_some_and(|total| total > inner.limit) {
            inner.tell(&Problem::TooLarge);
            return None;
        }
        Some(Box::new(sink::Sink::new(Arc::clone(inner))))
    }
}

/// Whether a type is among those wanted: itself, its family (`image/*`), or all.
fn is_wanted(types: &[String], mime_type: Option<&str>) -> bool {
    types.is_empty()
        || types.iter().any(|wanted| match (wanted.strip_suffix('*'), mime_type) {
            (_, None) => wanted == Files::ALL_TYPES,
            (Some(family), Some(is)) => is.starts_with(family),
            (None, Some(is)) => wanted == is || wanted == Files::ALL_TYPES,
        })
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts why a file is not kept; the first failure is told at once.
    fn tell(&self, problem: &Problem) {
        let counter = match problem {
            Problem::TooLarge => &self.counters.too_large,
            Problem::NoRoom => &self.counters.shed,
            Problem::Failed(_) => &self.counters.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if let Problem::Failed(error) = problem {
            let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            if failure.is_none() {
                tracing::warn!("a file could not be put into the store {}: {error}", self.path.display());
                *failure = Some(error.to_string());
            }
        }
    }

    /// Takes so much memory, if there is.
    fn take_memory(&self, bytes: usize) -> bool {
        let before = self.memory.fetch_add(bytes, Ordering::Relaxed);
        let fits = before.saturating_add(bytes) <= self.memory_bound;
        if !fits {
            self.release_memory(bytes);
        }
        fits
    }

    fn release_memory(&self, bytes: usize) {
        self.memory.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Makes room for bytes of a file on its way.
    fn begin_partial(&self, bytes: u64) -> Result<(), Problem> {
        let mut used = self.lock();
        self.make_room(&mut used, bytes)?;
        used.partial += bytes;
        Ok(())
    }

    /// Bytes of a file on its way are on disk no more.
    fn end_partial(&self, bytes: u64) {
        let mut used = self.lock();
        used.partial = used.partial.saturating_sub(bytes);
    }

    /// Whether a content is there already; counted.
    fn has(&self, name: &Name, size: u64) -> Result<bool, Problem> {
        let has = self.contents.has(name, size)?;
        self.counters.present.fetch_add(u64::from(has), Ordering::Relaxed);
        Ok(has)
    }

    /// Makes a content of a finished file; false where another worker was quicker, and the file is left.
    fn publish(&self, partial: &str, name: &Name, size: u64) -> Result<bool, Problem> {
        let mut used = self.lock();
        if self.has(name, size)? {
            return Ok(false);
        }
        let more = charge(size);
        // The file itself is among what is used, but for its last block.
        self.make_room(&mut used, more - size)?;
        self.contents.add(self.run.folder(), partial, name)?;
        used.partial = used.partial.saturating_sub(size);
        used.contents += more;
        used.added += more;
        used.is_dirty = true;
        self.counters.stored.fetch_add(1, Ordering::Relaxed);
        self.counters.bytes.fetch_add(size, Ordering::Relaxed);
        Ok(true)
    }

    /// Lets the oldest contents go where `bytes` more are not within the bound.
    fn make_room(&self, used: &mut Used, bytes: u64) -> Result<(), Problem> {
        if used.added >= self.bound / SHARE {
            used.added = 0;
            if let Some(others) = self.run.of_others()? {
                used.others = others;
                used.contents = self.contents.used()?;
            }
        }
        if used.sum(bytes) <= self.bound {
            return Ok(());
        }
        used.others = self.run.of_others()?.unwrap_or_default();
        // A tenth more goes than has to, or the next file would have all contents looked at again.
        let most = (self.bound - self.bound / 10).saturating_sub(used.partial + used.others + bytes);
        loop {
            let before = self.counters.evicted.load(Ordering::Relaxed);
            used.contents = self.contents.shrink(most, &mut |_| {
                self.counters.evicted.fetch_add(1, Ordering::Relaxed);
            })?;
            if used.contents <= most || before == self.counters.evicted.load(Ordering::Relaxed) {
                break;
            }
        }
        if used.sum(bytes) <= self.bound { Ok(()) } else { Err(Problem::NoRoom) }
    }
}

impl Used {
    /// Bytes on disk with so many more.
    fn sum(&self, more: u64) -> u64 {
        self.contents.saturating_add(self.partial).saturating_add(self.others).saturating_add(more)
    }
}
