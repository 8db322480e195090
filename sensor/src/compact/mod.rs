//! Compaction: joins the small files of partitions that have been quiet, while readers read and sensors write.
//!
//! ```text
//!  choose            small files of one partition, by what their footers say
//!  merge             their row groups, each sorted, into one stream in the order of (`ts`, `uid`)
//!  write             row groups of up to a million rows into files of the new folder
//!  output::exchange  the new folder in the place of the old one, at once
//! ```
//!
//! A partition is joined in rounds of a few gigabytes, so no more room than that is needed beside it. Memory is bounded by
//! [`Bounds::memory`] and by the row group that is written, not by the number of files.

mod choose;
mod fit;
mod merge;
mod report;
mod runs;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow, bail};
use schemas::envelope::Nanoseconds;
use sha2::{Digest, Sha256};

use crate::counters::Damage;
use crate::folder::{Folder, Owner};
use crate::output::exchange::{Exchanged, Plan, Point, Workshop, is_mark, reached};
use crate::output::tree::{self, Item, Place};

pub use report::{Joined, Report, json, text};

use choose::{Choice, Chosen};
use runs::Runs;
use write::Writer;

/// What is asked of a compaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compact {
    /// The lake.
    pub lake: PathBuf,
    /// Partitions that nothing was written to for so long are joined.
    pub quiet: Duration,
    /// Only says what would be joined.
    pub dry_run: bool,
    /// Limits of files and of memory.
    pub bounds: Bounds,
}

/// When files and row groups are full, and what may be held in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes in a file. One of half as many is left as it is.
    pub file_bytes: u64,
    /// Bytes that are joined at a time.
    pub round_bytes: u64,
    /// Rows in a row group.
    pub group_rows: usize,
    /// Bytes in a row group.
    pub group_bytes: u64,
    /// Bytes of row groups that are read at the same time.
    pub memory: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            file_bytes: 512 << 20,
            round_bytes: 4 << 30,
            group_rows: 1 << 20,
            group_bytes: 128 << 20,
            memory: 128 << 20,
        }
    }
}

/// The hashes of the inputs that a journal of the lake still holds, asked once files have been found: what they were
/// written from may be written again.
pub type Journal<'a> = &'a dyn Fn(&Path) -> Result<BTreeSet<String>>;

/// Joins what can be joined at the time `now`, by the clock on the wall. A partition that cannot be is told in the report,
/// and the others go on.
///
/// # Errors
/// The lake cannot be looked through, or somebody else is joining its files.
pub fn run(compact: &Compact, now: Nanoseconds, journal: Journal<'_>) -> Result<Report> {
    let mut report = Report { dry_run: compact.dry_run, ..Report::default() };
    let looking = || format!("looking through the lake {}", compact.lake.display());
    let workshop = if compact.dry_run {
        None
    } else {
        let Some(workshop) = Workshop::take(&compact.lake)? else {
            bail!("another run is joining files of the lake {}", compact.lake.display());
        };
        workshop.settle()?;
        Some(workshop)
    };
    let lake = Folder::open(&compact.lake).with_context(looking)?;
    for place in tree::places(&lake).with_context(looking)? {
        let partition = Partition { compact, lake: &lake, place: &place, now, journal };
        if let Err(problem) = partition.join(workshop.as_ref(), &mut report) {
            let path = compact.lake.join(place.path());
            report.note(&path, problem);
            // Nothing of the attempt stays.
            if let Some(workshop) = &workshop {
                workshop.settle()?;
            }
        }
    }
    Ok(report)
}

/// Why a partition is not joined.
#[derive(Debug)]
enum Problem {
    /// A file cannot be read.
    Damaged(String, Error),
    /// Its rows are not in the order that it says.
    Unsorted,
    /// A file has gone, or another has come in its place.
    Overtaken,
    /// It cannot be done.
    Failed(Error),
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Problem {
    /// What is wrong with a file that is read.
    fn of_file(name: &str, error: impl Into<Error>) -> Self {
        let error = error.into();
        let is_missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        if error.downcast_ref::<io::Error>().is_some_and(is_missing) {
            return Self::Overtaken;
        }
        Self::Damaged(name.to_owned(), error)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(name, error) => write!(f, "{name}: {error:#}"),
            Self::Unsorted => f.write_str("rows are not in the order that the file says"),
            Self::Overtaken => f.write_str("changed meanwhile"),
            Self::Failed(error) => write!(f, "{error:#}"),
        }
    }
}

/// A partition whose files may be joined.
struct Partition<'a> {
    compact: &'a Compact,
    lake: &'a Folder,
    place: &'a Place,
    now: Nanoseconds,
    journal: Journal<'a>,
}

impl Partition<'_> {
    /// Joins files, a round at a time, until there is at most one small one.
    fn join(&self, workshop: Option<&Workshop>, report: &mut Report) -> Result<(), Problem> {
        let path = self.compact.lake.join(self.place.path());
        // After a round it is this run that has written last.
        let mut quiet = self.compact.quiet;
        let mut ours = BTreeSet::new();
        loop {
            let Some(folder) = self.place.open(self.lake)? else { return Ok(()) };
            let choice = choose::choose(&folder, self, quiet)?;
            let chosen = match choice {
                Choice::Nothing => return Ok(()),
                Choice::Busy => {
                    report.busy += 1;
                    return Ok(());
                }
                Choice::Chosen(chosen) => chosen,
            };
            report.held += chosen.held;
            report.newer += chosen.newer;
            if chosen.sources.len() < 2 {
                return Ok(());
            }
            let Some(workshop) = workshop else {
                report.add(Joined::planned(path, &chosen, self.compact.bounds));
                return Ok(());
            };
            let Some(written) = self.round(workshop, &folder, &chosen)? else {
                return Err(Problem::Overtaken);
            };
            report.add(Joined::round(path.clone(), &chosen, &written, &ours));
            ours.extend(written.into_iter().map(|file| file.name));
            (report.held, report.newer) = (report.held - chosen.held, report.newer - chosen.newer);
            quiet = Duration::ZERO;
        }
    }

    /// Joins the chosen files; none where the partition changed meanwhile.
    fn round(
        &self,
        workshop: &Workshop,
        old: &Folder,
        chosen: &Chosen,
    ) -> Result<Option<Vec<write::File>>, Problem> {
        let nature = old.nature()?;
        let plan = Plan {
            token: token(old, chosen)?,
            place: self.place.clone(),
            replaced: chosen.sources.iter().map(|source| source.item.clone()).collect(),
        };
        let new = workshop.begin(&plan, &nature).context("making a folder for the joined files")?;
        let mut runs = Runs::of(chosen);
        let mut written = self.write(&plan, old, &new, chosen, &mut runs, nature.owner);
        if matches!(written, Err(Problem::Unsorted)) {
            // What a file says of its order may be wrong; its rows are right all the same.
            for name in new.all_names()?.iter().filter(|name| !is_mark(name)) {
                new.remove(&**name)?;
            }
            runs = Runs::of(chosen).unsorted();
            written = self.write(&plan, old, &new, chosen, &mut runs, nature.owner);
        }
        let written = match written {
            // What was read may have been half of one file and half of another.
            Err(_) if !plan.is_still_in(old)? => return Ok(None),
            written => written?,
        };
        new.sync_names()?;
        reached(Point::Written);
        let names: Vec<(String, String)> =
            written.iter().map(|file| (file.hidden.clone(), file.name.clone())).collect();
        match workshop.exchange(&plan, old, &new, &names)? {
            Exchanged::Overtaken => Ok(None),
            Exchanged::Done => Ok(Some(written)),
        }
    }

    /// Writes the rows of the chosen files into the new folder.
    fn write(
        &self,
        plan: &Plan,
        old: &Folder,
        new: &Folder,
        chosen: &Chosen,
        runs: &mut Runs,
        owner: Owner,
    ) -> Result<Vec<write::File>, Problem> {
        let bounds = self.compact.bounds;
        runs.fit_memory(chosen, old, new, bounds.memory)?;
        let mut writer = Writer::new(new, chosen, &plan.token, bounds, owner);
        let mut merge = runs.merge(chosen, old, new)?;
        while let Some(batch) = merge.next(writer.room())? {
            writer.write(&batch, merge.sources())?;
        }
        drop(merge);
        let written = writer.finish()?;
        runs.remove_spilled(new)?;
        let rows: u64 = written.iter().map(|file| file.rows).sum();
        if rows != chosen.rows() {
            return Err(Problem::Failed(anyhow!("{rows} rows of {} were joined", chosen.rows())));
        }
        Ok(written)
    }
}

/// What tells joined files from all others of their partition: a hash of what is in the folder and of what is joined.
fn token(folder: &Folder, chosen: &Chosen) -> Result<String, Problem> {
    let mut hash = Sha256::new();
    for name in folder.all_names()? {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name.as_encoded_bytes());
    }
    for Item { name, size, .. } in chosen.sources.iter().map(|source| &source.item) {
        hash.update(name);
        hash.update(size.to_le_bytes());
    }
    Ok(hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

impl Report {
    /// Tells why a partition was not joined.
    fn note(&mut self, path: &Path, problem: Problem) {
        match problem {
            Problem::Overtaken => self.busy += 1,
            Problem::Damaged(name, error) => {
                let path = path.join(name).display().to_string();
                self.damaged.push(Damage { path, what: format!("{error:#}") });
            }
            problem => {
                self.failed.push(Damage { path: path.display().to_string(), what: problem.to_string() })
            }
        }
    }
}
