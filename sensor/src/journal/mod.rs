//! The journal of a live sensor: rows are safe within about a second, and become files of the lake later.
//!
//! ```text
//!  workers ─► intake ──────► writer ─────────────► publisher
//!             packs rows,    appends and syncs     reads segments that have ended,
//!             holds them     once a second,        writes the lake, removes them
//!             in memory      ends segments
//! ```
//!
//! Files of the lake are made of segments only, so there is one way for a row, and a crash at any point, a full disk, or a
//! publication that failed have none of their own: a segment that is still there is published (again) later. Its files
//! have the same names each time, so no row is in the lake twice.

pub mod disk;
mod held;
mod keeper;
mod meters;
mod publisher;
pub mod segment;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use schemas::column::Names;
use sha2::{Digest, Sha256};

pub use keeper::{Keeper, Summary};
pub use meters::{Meters, Rows};

use crate::output::folder::{entries, folders};
use crate::output::partition::in_file_name;

/// What a journal is, and what becomes of it.
#[derive(Clone)]
pub struct Config {
    /// The lake; made where it is missing.
    pub lake: PathBuf,
    /// The sensor and the sources whose rows come.
    pub names: Names,
    /// A segment ends when it is so old.
    pub rotate_every: Duration,
    /// A segment ends when it will be about so many bytes of the lake.
    pub rotate_bytes: u64,
    /// Rows are on disk after so long.
    pub sync_every: Duration,
    /// Memory for rows while the disk takes none; past it the oldest are given up.
    pub hold_bytes: usize,
    /// A certificate has a row again when its last one is so many nanoseconds ago; none: each time.
    pub certificate_interval: Option<u64>,
    /// Threads that turn rows into files of the lake.
    pub encoders: usize,
    /// Where it is counted.
    pub meters: Arc<Meters>,
    /// Called before a segment is published: what its rows name must be on disk then.
    pub before_publish: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config").field("lake", &self.lake).field("names", &self.names).finish_non_exhaustive()
    }
}

impl Config {
    /// The usual bounds.
    pub fn new(lake: PathBuf, names: Names) -> Self {
        Self {
            lake,
            names,
            rotate_every: Duration::from_secs(300),
            rotate_bytes: 128 << 20,
            sync_every: Duration::from_secs(1),
            hold_bytes: 256 << 20,
            certificate_interval: None,
            encoders: 1,
            meters: Arc::default(),
            before_publish: None,
        }
    }
}

/// Folder of a sensor's journal. Hidden, so that readers' patterns do not match it.
pub fn folder_of(lake: &Path, sensor: &str) -> PathBuf {
    let mut name = in_file_name(sensor);
    if name != sensor {
        // Names that become alike are told apart.
        let hash = Sha256::digest(sensor);
        name.push('-');
        name.extend(hash.iter().take(4).map(|byte| format!("{byte:02x}")));
    }
    lake.join(JOURNAL).join(name)
}

/// Hashes of inputs that are in the journal of some sensor of this lake: files of the lake with such a hash may be
/// replaced or removed at any time, and must not be joined with others. Ask after listing such files: those of segments
/// that end later are not among them.
///
/// # Errors
/// A folder cannot be read.
pub fn unpublished(lake: &Path) -> Result<BTreeSet<String>> {
    let mut hashes = BTreeSet::new();
    for folder in folders(&lake.join(JOURNAL), |_| true)? {
        let aside = folder.join(publisher::ASIDE);
        // In the order in which a segment is put aside, so that none slips by.
        for folder in [folder, aside] {
            for (_, name) in entries(&folder)? {
                let hash = name.strip_suffix(segment::EXTENSION).and_then(|name| name.split_once('-'));
                hashes.extend(hash.map(|(_, hash)| hash.to_owned()));
            }
        }
    }
    Ok(hashes)
}

/// Folder of all journals of a lake.
const JOURNAL: &str = ".journal";
