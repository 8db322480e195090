//! What the journal asks of the disk when it writes: a seam, so that tests have disks that are full or fail.

use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// A disk.
pub trait Disk: Debug + Send + Sync {
    /// Writes all of `bytes` at a place of the file.
    fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        file.write_all_at(bytes, at)
    }

    /// Waits until the content of the file is on disk.
    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    /// Cuts the file, and waits until that is on disk.
    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        file.set_len(length)?;
        file.sync_all()
    }
}

/// The disk as it is.
#[derive(Debug)]
pub struct Real;

impl Disk for Real {}

#[cfg(test)]
pub(crate) mod faulty;
