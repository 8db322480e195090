//! A disk for tests, which fails as it is told to.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::{Disk, Real};

/// The disk.
#[derive(Debug)]
pub(crate) struct Faulty {
    /// Bytes that can be written before it is full.
    room: AtomicU64,
    pub(crate) fails_to_sync: AtomicBool,
    pub(crate) fails_to_truncate: AtomicBool,
    /// How often it was waited for.
    pub(crate) syncs: AtomicU64,
}

impl Default for Faulty {
    fn default() -> Self {
        Self {
            room: AtomicU64::new(u64::MAX),
            fails_to_sync: AtomicBool::default(),
            fails_to_truncate: AtomicBool::default(),
            syncs: AtomicU64::default(),
        }
    }
}

impl Faulty {
    /// So many bytes can be written.
    pub(crate) fn has_room(&self, room: u64) {
        self.room.store(room, Relaxed);
    }
}

impl Disk for Faulty {
    fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        let room = self.room.load(Relaxed);
        let written = room.min(bytes.len() as u64);
        if room < u64::MAX {
            self.room.store(room - written, Relaxed);
        }
        Real.write(file, &bytes[..written as usize], at)?;
        if written < bytes.len() as u64 { Err(io::Error::from_raw_os_error(28)) } else { Ok(()) }
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.syncs.fetch_add(1, Relaxed);
        if self.fails_to_sync.load(Relaxed) { Err(io::Error::from_raw_os_error(5)) } else { Real.sync(file) }
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        if self.fails_to_truncate.load(Relaxed) {
            return Err(io::Error::from_raw_os_error(30));
        }
        Real.truncate(file, length)
    }
}
