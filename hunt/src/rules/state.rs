//! What the runner remembers, in `LAKE/signal/.hunt`: a folder that readers of the table do not look into. Who runs rules
//! needs the right to write `LAKE/signal`, and to read the rest of the lake.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use schemas::lake::{self, FILE_MODE, make_file, make_folders, sync_folder};
use schemas::table::SIGNAL;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The folder, to which no other runner has access as long as this lives (or the process, however it ends).
#[derive(Debug)]
pub(super) struct State {
    lake: PathBuf,
    folder: PathBuf,
    /// The lock belongs to the open file.
    _lock: File,
}

impl State {
    /// Takes the folder, making it where it is missing.
    pub(super) fn take(lake: &Path) -> Result<Self> {
        let folder = lake.join(SIGNAL.table().name).join(FOLDER);
        make_folders(&folder).with_context(|| {
            format!(
                "making {} (rules need the right to write {})",
                folder.display(),
                parent(&folder).display()
            )
        })?;
        let path = folder.join(LOCK);
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(&path)
            .with_context(|| format!("opening {}", path.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only for the message.
                let _ = lock.read_to_string(&mut holder);
                let holder = Some(holder.trim()).filter(|holder| !holder.is_empty());
                let holder = holder.map(|holder| format!(" (process {holder})")).unwrap_or_default();
                bail!(
                    "another run of rules is at work in the lake {}{holder}: one at a time",
                    lake.display()
                );
            }
            // A file system without locks: runs must then be kept apart by who starts them.
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => {
                return Err(anyhow!(error).context(format!("locking {}", path.display())));
            }
        }
        lock.set_len(0)
            .and_then(|()| writeln!(lock, "{}", std::process::id()))
            .with_context(|| format!("writing {}", path.display()))?;
        for part in [SEEN, RAISED, STAGED, OUTBOX] {
            make_folders(&folder.join(part)).with_context(|| format!("making {}", folder.display()))?;
        }
        Ok(Self { lake: lake.to_path_buf(), folder, _lock: lock })
    }

    /// The lake.
    pub(super) fn lake(&self) -> &Path {
        &self.lake
    }

    /// Where something is remembered.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Names in one of the folders.
    pub(super) fn names(&self, folder: &str) -> Result<Vec<String>> {
        let path = self.path(folder);
        let reading = || format!("reading {}", path.display());
        let mut names = Vec::new();
        for entry in fs::read_dir(&path).with_context(reading)? {
            names.extend(entry.with_context(reading)?.file_name().into_string());
        }
        Ok(names)
    }

    /// What is remembered under a name; none where there is nothing.
    pub(super) fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let path = self.path(name);
        let reading = || format!("reading {}", path.display());
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).with_context(reading)?)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(anyhow!(error).context(reading())),
        }
    }

    /// The same of what costs no more than work when it is forgotten: none where it is not whole, too.
    pub(super) fn read_whole<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        self.read(name).ok().flatten()
    }

    /// Remembers something under a name, in the place of what was there: at once, and for good when it returns.
    pub(super) fn write<T: Serialize>(&self, name: &str, what: &T) -> Result<()> {
        let path = self.path(name);
        let bytes = serde_json::to_vec(what)?;
        let write = || {
            let temporary = path.with_extension("tmp");
            let mut file = make_file(&temporary)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            sync_folder(parent(&path))
        };
        write().with_context(|| format!("writing {}", path.display()))
    }

    /// Forgets what was remembered under a name.
    pub(super) fn remove(&self, name: &str) -> Result<()> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(anyhow!(error).context(format!("removing {}", path.display())))
            }
            _ => sync_folder(parent(&path)).with_context(|| format!("removing {}", path.display())),
        }
    }
}

/// The folder above.
pub(super) fn parent(path: &Path) -> &Path {
    lake::parent(path).unwrap_or(path)
}

/// Ends the process as a kill would, where a test asks for it: in builds for tests only.
pub(super) fn reached(step: &str) {
    #[cfg(debug_assertions)]
    if std::env::var_os("SPANLAKE_HUNT_DIE_AT").is_some_and(|at| at == step) {
        std::process::abort();
    }
    #[cfg(not(debug_assertions))]
    let _ = step;
}

const FOLDER: &str = ".hunt";
const LOCK: &str = "lock";
/// What is known of the files of each month of each table.
pub(super) const SEEN: &str = "seen";
/// Identifiers of signals, by month.
pub(super) const RAISED: &str = "raised";
/// Files that are to become part of the lake.
pub(super) const STAGED: &str = "staged";
/// What waits for each receiver.
pub(super) const OUTBOX: &str = "outbox";
