//! One file on its way into the store: in memory as long as it is small, else on disk.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::contents::Name;
use super::{Inner, Problem};

/// Most bytes of a file that wait in memory: a content of that size or less that is there already touches no disk, and
/// a larger one goes to disk in pieces of it.
const BUFFER: usize = 256 * 1024;

/// A file on its way. No file stays open between two calls, so there are never more open ones than workers.
#[derive(Debug)]
pub(super) struct Sink {
    store: Arc<Inner>,
    buffer: Vec<u8>,
    /// Of the store's memory.
    held: usize,
    size: u64,
    /// Bytes on disk.
    spilled: u64,
    /// Name of the file that has them.
    partial: Option<String>,
    is_given_up: bool,
}

impl Sink {
    pub(super) fn new(store: Arc<Inner>) -> Self {
        Self { store, buffer: Vec::new(), held: 0, size: 0, spilled: 0, partial: None, is_given_up: false }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        let after = self.buffer.len() + bytes.len();
        if self.has_room(after) {
            self.buffer.extend_from_slice(bytes);
            return Ok(());
        }
        self.spill(bytes)
    }

    /// Whether so many bytes may be in memory.
    fn has_room(&mut self, bytes: usize) -> bool {
        if bytes > BUFFER {
            return false;
        }
        if bytes > self.held {
            let wanted = bytes.next_power_of_two().clamp(4096, BUFFER);
            if !self.store.take_memory(wanted - self.held) {
                return false;
            }
            self.held = wanted;
            self.buffer.reserve_exact(wanted - self.buffer.len());
        }
        true
    }

    /// Puts what is in memory on disk, and these bytes behind it.
    fn spill(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        let more = (self.buffer.len() + bytes.len()) as u64;
        self.store.begin_partial(more)?;
        self.spilled += more;
        let folder = self.store.run.folder();
        let mut file = match &self.partial {
            Some(name) => folder.append(name)?,
            None => {
                let number = self.store.partials.fetch_add(1, Ordering::Relaxed);
                let name = self.partial.insert(number.to_string());
                folder.create(name)?
            }
        };
        file.write_all(&self.buffer)?;
        file.write_all(bytes)?;
        self.buffer.clear();
        Ok(())
    }

    fn place(&mut self, sha256: &[u8; 32]) -> Result<String, Problem> {
        let name = Name::new(sha256);
        let store = Arc::clone(&self.store);
        if store.has(&name, self.size)? {
            return Ok(name.path());
        }
        if !self.buffer.is_empty() {
            self.spill(&[])?;
        }
        let partial = self.partial.as_deref().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        if store.publish(partial, &name, self.size)? {
            self.partial = None;
            self.spilled = 0;
        }
        Ok(name.path())
    }

    /// Nothing more is taken, and what was is forgotten.
    fn give_up(&mut self) {
        self.is_given_up = true;
        if let Some(partial) = self.partial.take() {
            // What cannot be removed goes with the run, or when the next one begins.
            let _ = self.store.run.folder().remove(&partial);
        }
        self.store.end_partial(std::mem::take(&mut self.spilled));
        self.buffer = Vec::new();
        self.store.release_memory(std::mem::take(&mut self.held));
    }
}

impl parsers::extract::Sink for Sink {
    fn write(&mut self, bytes: &[u8]) {
        if self.is_given_up {
            return;
        }
        self.size += bytes.len() as u64;
        let taken = if self.size > self.store.limit { Err(Problem::TooLarge) } else { self.take(bytes) };
        if let Err(problem) = taken {
            self.store.tell(&problem);
            self.give_up();
        }
    }

    fn finish(mut self: Box<Self>, sha256: &[u8; 32]) -> Option<String> {
        if self.is_given_up {
            return None;
        }
        let placed = self.place(sha256);
        placed.inspect_err(|problem| self.store.tell(problem)).ok()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.give_up();
    }
}
