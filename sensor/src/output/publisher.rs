//! The publishers: threads that wait for the disk in place of the writer, then let readers see the file.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, anyhow, bail};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::exchange;
use super::file::{FinishedFile, PublishedFile, SyncedFile, writing};
use super::folder::{make_folders, prune, sync_published};
use super::partition::Input;

/// The writer's side of the publishers.
pub(crate) struct Publisher {
    /// Dropped when nothing more comes.
    jobs: Option<Sender<Job>>,
    outcomes: Receiver<Result<Outcome>>,
    threads: Vec<JoinHandle<()>>,
    lake: PathBuf,
    input: Input,
    /// Published files of earlier runs of the same input, which this run replaces.
    replaced: Vec<PathBuf>,
    /// Files that wait until the run is over.
    held: Vec<SyncedFile>,
    published: Vec<PublishedFile>,
}

/// What a publisher does.
enum Job {
    /// Makes a folder that will be needed; the sender is dropped when it is there, or cannot be.
    Prepare(PathBuf, Sender<()>),
    Complete(FinishedFile),
}

/// A folder that is being made while its rows are still with the encoders: making one waits for the disk several times.
/// On drop it goes again where nothing was put into it.
pub(crate) struct Prepared {
    done: Receiver<()>,
    folder: PathBuf,
    lake: PathBuf,
}

impl Prepared {
    /// Waits until the folder is there, or cannot be made: whoever puts a file into it makes it then, or says why not.
    pub(crate) fn wait(&self) {
        // Nothing is ever sent: what comes is that nobody could.
        let _ = self.done.recv();
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        self.wait();
        prune(&self.folder, &self.lake);
    }
}

/// What became of a finished file.
enum Outcome {
    Held(SyncedFile),
    Published(PublishedFile),
}

impl Publisher {
    /// Without files to replace, each file is shown as soon as it is complete; else all at the end and at once, so
    /// that a run that fails leaves the lake as it was, and no reader finds rows of both runs for longer than it
    /// takes to rename.
    pub(crate) fn start(lake: PathBuf, input: Input, replaced: Vec<PathBuf>) -> Result<Self> {
        let (job, jobs) = bounded::<Job>(THREADS);
        let (outcome, outcomes) = unbounded();
        let hold = !replaced.is_empty();
        let threads = (0..THREADS)
            .map(|number| {
                let (jobs, outcome) = (jobs.clone(), outcome.clone());
                thread::Builder::new()
                    .name(format!("publisher-{number}"))
                    .spawn(move || {
                        for job in jobs {
                            match job {
                                // Not made: the writer tries again, and says why.
                                Job::Prepare(folder, _done) => drop(make_folders(&folder)),
                                Job::Complete(file) => {
                                    if outcome.send(complete(file, hold)).is_err() {
                                        return;
                                    }
                                }
                            }
                        }
                    })
                    .context("starting a publisher thread")
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            jobs: Some(job),
            outcomes,
            threads,
            lake,
            input,
            replaced,
            held: Vec::new(),
            published: Vec::new(),
        })
    }

    /// Has a folder made.
    pub(crate) fn prepare(&self, folder: PathBuf) -> Result<Prepared> {
        let (making, done) = bounded(0);
        self.give(Job::Prepare(folder.clone(), making))?;
        Ok(Prepared { done, folder, lake: self.lake.clone() })
    }

    fn give(&self, job: Job) -> Result<()> {
        match self.jobs.as_ref().map(|jobs| jobs.send(job)) {
            Some(Ok(())) => Ok(()),
            _ => bail!("the publishers have ended"),
        }
    }

    /// Hands over a file; fails as soon as an earlier one failed.
    pub(crate) fn publish(&mut self, file: FinishedFile) -> Result<()> {
        self.give(Job::Complete(file))?;
        while let Ok(outcome) = self.outcomes.try_recv() {
            self.note(outcome?);
        }
        Ok(())
    }

    /// Waits for all files, replaces those of earlier runs, and says what has been published.
    pub(crate) fn finish(mut self) -> Result<Vec<PublishedFile>> {
        self.jobs = None;
        while let Ok(outcome) = self.outcomes.recv() {
            self.note(outcome?);
        }
        for thread in self.threads.drain(..) {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
        let mut changed = BTreeSet::new();
        self.replace(&mut changed)?;
        for folder in changed {
            sync_published(&folder).with_context(|| writing(&folder))?;
        }
        self.published.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(std::mem::take(&mut self.published))
    }

    /// Shows the files that wait, in place of those of earlier runs, unless somebody has joined these with others since
    /// the run began.
    fn replace(&mut self, changed: &mut BTreeSet<PathBuf>) -> Result<()> {
        if self.held.is_empty() && self.replaced.is_empty() {
            return Ok(());
        }
        let mut held = std::mem::take(&mut self.held);
        let Self { lake, input, replaced, published, .. } = self;
        exchange::beside(lake, || {
            exchange::refuse_joined(lake, input)?;
            held.iter_mut().try_for_each(SyncedFile::rename)?;
            let kept = held.iter().map(SyncedFile::target).chain(published.iter().map(|file| &*file.path));
            remove_others(replaced, &kept.collect(), lake, changed)
        })?;
        for file in held {
            let file = file.published();
            changed.insert(file.folder().to_path_buf());
            published.push(file);
        }
        Ok(())
    }

    fn note(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Held(file) => self.held.push(file),
            Outcome::Published(file) => self.published.push(file),
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        // After an error: files that were complete are still shown, and no hidden file outlives the run.
        self.jobs = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn complete(file: FinishedFile, hold: bool) -> Result<Outcome> {
    let file = file.sync()?;
    if hold {
        return Ok(Outcome::Held(file));
    }
    let file = file.publish()?;
    sync_published(file.folder()).with_context(|| writing(file.folder()))?;
    Ok(Outcome::Published(file))
}

/// Removes what an earlier run wrote and this one did not write anew.
fn remove_others(
    replaced: &[PathBuf],
    kept: &BTreeSet<&Path>,
    lake: &Path,
    changed: &mut BTreeSet<PathBuf>,
) -> Result<()> {
    for path in replaced.iter().filter(|path| !kept.contains(path.as_path())) {
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(anyhow!(error).context(format!("removing {}", path.display())));
            }
            _ => {}
        }
        if let Some(folder) = path.parent() {
            changed.insert(folder.to_path_buf());
            prune(folder, lake);
        }
    }
    Ok(())
}

/// Waiting for the disk costs no processor; files of all tables end together, and what waits at the same time, most file
/// systems write at once.
const THREADS: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prepared_folder_into_which_nothing_came_goes_again() {
        let lake = tempfile::tempdir().unwrap();
        let input = Input::new("edge", "0123456789abcdef").unwrap();
        let publisher = Publisher::start(lake.path().to_path_buf(), input, Vec::new()).unwrap();
        let months =
            ["dns/year=2026/month=11", "flows/year=2026/month=11"].map(|month| lake.path().join(month));
        let prepared = months.clone().map(|month| publisher.prepare(month).unwrap());
        prepared.iter().for_each(Prepared::wait);
        assert!(months.iter().all(|month| month.is_dir()));
        fs::write(months[1].join("file"), "").unwrap();
        drop(prepared);
        assert!(!lake.path().join("dns").exists());
        assert!(months[1].is_dir());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_not_waited_for() {
        let lake = tempfile::tempdir().unwrap();
        let input = Input::new("edge", "0123456789abcdef").unwrap();
        fs::write(lake.path().join("dns"), "no folder").unwrap();
        let publisher = Publisher::start(lake.path().to_path_buf(), input, Vec::new()).unwrap();
        publisher.prepare(lake.path().join("dns/year=2026")).unwrap().wait();
        assert!(lake.path().join("dns").is_file());
    }
}
