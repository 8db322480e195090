//! The folder of a run for files on their way, and what becomes of it when the run is killed.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};

use crate::folder::Folder;

/// The folder in the store that holds those of all runs.
const PARTIAL: &str = "partial";

/// In the folder of each run: locked as long as the run lives.
const LOCK: &str = "lock";

/// In the store: locked while a run begins, so that none takes the folder of another that is just being made.
const GATE: &str = ".lock";

/// A run that writes into a store; others may do so at the same time.
#[derive(Debug)]
pub(super) struct Run {
    all: Folder,
    name: String,
    folder: Folder,
    /// The lock belongs to the open file.
    _lock: File,
}

impl Run {
    /// Begins a run, and removes what those left that were killed.
    pub(super) fn begin(store: &Folder) -> io::Result<Self> {
        let gate = store.lock_file(GATE)?;
        let has_locks = match gate.lock() {
            Ok(()) => true,
            // A file system without locks: nothing tells which runs live, so nothing of theirs is touched.
            Err(error) if error.kind() == ErrorKind::Unsupported => false,
            Err(error) => return Err(error),
        };
        let all = store.make(PARTIAL)?;
        let mut names = Vec::new();
        all.names(|name| {
            names.push(name.to_owned());
            Ok(())
        })?;
        if has_locks {
            // What cannot be removed costs room only, and is no reason not to begin.
            names.retain(|name| !remove_if_over(&all, name).unwrap_or(false));
        }
        let free = (0_u64..).map(|number| number.to_string()).find(|name| !names.contains(name));
        let name = free.unwrap_or_default();
        let folder = all.make(&name)?;
        let lock = folder.lock_file(LOCK)?;
        if has_locks {
            lock.lock()?;
        }
        Ok(Self { all, name, folder, _lock: lock })
    }

    /// Where its files on their way are.
    pub(super) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Bytes of the files on their way of other runs; none where there are no other runs.
    pub(super) fn of_others(&self) -> io::Result<Option<u64>> {
        let mut bytes = None;
        self.all.names(|name| {
            if name != self.name
                && let Some(other) = self.all.folder(name)?
            {
                let sum = bytes.get_or_insert(0);
                other.names(|file| {
                    *sum += other.look(file)?.map_or(0, |entry| entry.size);
                    Ok(())
                })?;
            }
            Ok(())
        })?;
        Ok(bytes)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // The next run removes what stays.
        let _ = self.folder.remove(LOCK);
        let _ = self.all.remove_folder(&self.name);
    }
}

/// Removes the folder of a run that does not live any more; says whether it did.
fn remove_if_over(all: &Folder, name: &str) -> io::Result<bool> {
    // What is no folder is none of ours.
    let Some(folder) = all.folder(name)? else { return Ok(false) };
    let lock = folder.lock_file(LOCK)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(false),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let mut files = Vec::new();
    folder.names(|file| {
        files.push(file.to_owned());
        Ok(())
    })?;
    for file in files {
        folder.remove(&file)?;
    }
    all.remove_folder(name)?;
    Ok(true)
}
