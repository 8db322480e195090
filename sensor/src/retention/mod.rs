//! Retention: what is too old, or too much, goes from the lake and from the store, whole files at a time.
//!
//! By days all tables are alike. By bytes the oldest goes first, and `flows` last. What a journal holds counts and stays;
//! hidden and unfinished files, files that are not the sensor's, and folders beside the tables are left alone.

mod count;
mod remove;
mod scan;
#[cfg(test)]
mod tests;

use std::path::Path;

use anyhow::{Context, Result};
use schemas::envelope::Nanoseconds;

use crate::config::Retention;
use crate::folder::Folder;
use crate::store::Store;

pub use count::{Count, Removed};
pub use scan::Cache;

use remove::Run;
use scan::Lake;

/// Removes what `keep` does not allow at the time `now`, by the clock on the wall. `cache` remembers what files say of
/// themselves from one run to the next.
///
/// A file that cannot be removed is counted, and the others go on.
///
/// # Errors
/// The lake or the store cannot be looked through.
pub fn run(
    lake: &Path,
    store: Option<&Store>,
    keep: &Retention,
    now: Nanoseconds,
    cache: &mut Cache,
) -> Result<Removed> {
    if *keep == Retention::default() {
        return Ok(Removed::default());
    }
    let looking = || format!("looking through the lake {}", lake.display());
    let folder = Folder::open(lake).with_context(looking)?;
    let mut scanned = Lake::scan(&folder, cache).with_context(looking)?;
    let mut run = Run::new(&folder, lake, store, now);
    if let Some(days) = keep.days {
        run.by_age(&mut scanned, cache, i64::from(days))?;
    }
    if let Some(bytes) = keep.bytes {
        run.by_bytes(&mut scanned, cache, bytes)?;
    }
    Ok(run.finish(&scanned))
}
