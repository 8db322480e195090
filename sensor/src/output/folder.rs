//! The lake as a tree of folders: making them, locking an input, finding what earlier runs left, tidying up.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use super::partition::Input;

pub(crate) use schemas::lake::{make_file, make_folders, sync_folder, sync_published};

/// Makes sure that the lake is a folder.
pub(crate) fn make_lake(lake: &Path) -> Result<()> {
    match fs::metadata(lake) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => bail!("the lake {} is not a folder", lake.display()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            make_folders(lake).with_context(|| format!("making the lake {}", lake.display()))
        }
        Err(error) => Err(anyhow!(error).context(format!("opening the lake {}", lake.display()))),
    }
}

/// Removes the folders from `folder` up to the lake that have become empty.
pub(crate) fn prune(folder: &Path, lake: &Path) {
    let mut folder = folder;
    // Only an empty folder can be removed this way; the first that is not ends the walk.
    while folder != lake && folder.starts_with(lake) && fs::remove_dir(folder).is_ok() {
        let Some(parent) = folder.parent() else { return };
        folder = parent;
    }
}

/// The right to write one input into one lake, held until dropped (or until the process ends, however it ends).
#[derive(Debug)]
pub(crate) struct Lock {
    /// The lock belongs to the open file.
    _file: File,
    path: PathBuf,
}

impl Lock {
    /// Fails where another run writes the same input into this lake, and where the lake cannot be written at all.
    pub(crate) fn take(lake: &Path, input: &Input) -> Result<Self> {
        let path = lake.join(input.lock_name());
        loop {
            let file =
                make_file(&path).with_context(|| format!("the lake {} cannot be written", lake.display()))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    bail!("another run is writing the same input into the lake {}", lake.display())
                }
                // A file system without locks: runs of one input must then be kept apart by who starts them.
                Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {}
                Err(TryLockError::Error(error)) => {
                    return Err(anyhow!(error).context(format!("locking {}", path.display())));
                }
            }
            // The run before may have removed the name between our opening and our locking.
            let locked = file.metadata().with_context(|| format!("locking {}", path.display()))?;
            if fs::metadata(&path)
                .is_ok_and(|named| named.ino() == locked.ino() && named.dev() == locked.dev())
            {
                return Ok(Self { _file: file, path });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A name that stays costs nothing: the next run takes it over.
        let _ = fs::remove_file(&self.path);
    }
}

/// What earlier runs of an input left in a lake.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Published files, in the order of their paths.
    pub(crate) published: Vec<PathBuf>,
    /// Unfinished files of runs that were killed.
    pub(crate) leftovers: Vec<PathBuf>,
}

/// Looks through every partition of every table, those of other programs too.
pub(crate) fn find(lake: &Path, input: &Input) -> Result<Found> {
    let mut found = Found::default();
    for table in folders(lake, |name| !name.starts_with('.'))? {
        for year in folders(&table, |name| name.starts_with("year="))? {
            for month in folders(&year, |name| name.starts_with("month="))? {
                for (path, name) in entries(&month)? {
                    if input.ordinal(&name).is_some() {
                        found.published.push(path);
                    } else if input.is_leftover(&name) {
                        found.leftovers.push(path);
                    }
                }
            }
        }
    }
    found.published.sort_unstable();
    Ok(found)
}

/// The folders in `folder` whose names are `wanted`, in the order of their names.
pub(crate) fn folders(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>> {
    let mut folders = entries(folder)?;
    folders.retain(|(path, name)| wanted(name) && path.is_dir());
    Ok(folders.into_iter().map(|(path, _)| path).collect())
}

/// Everything in a folder, with its name, in the order of the names; a folder that has just gone is empty.
pub(crate) fn entries(folder: &Path) -> Result<Vec<(PathBuf, String)>> {
    let reading = || format!("reading the folder {}", folder.display());
    let listing = match fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(anyhow!(error).context(reading())),
    };
    let mut entries = Vec::new();
    for entry in listing {
        let entry = entry.with_context(reading)?;
        // Names that are not UTF-8 are none of ours.
        if let Ok(name) = entry.file_name().into_string() {
            entries.push((entry.path(), name));
        }
    }
    entries.sort_unstable();
    Ok(entries)
}

/// How often something is tried again because a folder vanished.
pub(crate) const TRIES: usize = 16;
