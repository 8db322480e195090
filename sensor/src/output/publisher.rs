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
use super::folder::{prune, sync_folder};
use super::partition::Input;

/// The writer's side of the publishers.
pub(crate) struct Publisher {
    /// Dropped when no more files come.
    finished: Option<Sender<FinishedFile>>,
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
        let (finished, files) = bounded::<FinishedFile>(THREADS);
        let (outcome, outcomes) = unbounded();
        let hold = !replaced.is_empty();
        let threads = (0..THREADS)
            .map(|number| {
                let (files, outcome) = (files.clone(), outcome.clone());
                thread::Builder::new()
                    .name(format!("publisher-{number}"))
                    .spawn(move || {
                        for file in files {
                            if outcome.send(complete(file, hold)).is_err() {
                                return;
                            }
                        }
                    })
                    .context("starting a publisher thread")
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            finished: Some(finished),
            outcomes,
            threads,
            lake,
            input,
            replaced,
            held: Vec::new(),
            published: Vec::new(),
        })
    }

    /// Hands over a file; fails as soon as an earlier one failed.
    pub(crate) fn publish(&mut self, file: FinishedFile) -> Result<()> {
        let sent = self.finished.as_ref().map(|finished| finished.send(file));
        if !matches!(sent, Some(Ok(()))) {
            bail!("the publishers have ended");
        }
        while let Ok(outcome) = self.outcomes.try_recv() {
            self.note(outcome?);
        }
        Ok(())
    }

    /// Waits for all files, replaces those of earlier runs, and says what has been published.
    pub(crate) fn finish(mut self) -> Result<Vec<PublishedFile>> {
        self.finished = None;
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
            // A folder that has become empty is gone.
            match sync_folder(&folder) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(anyhow!(error).context(writing(&folder)));
                }
                _ => {}
            }
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
        self.finished = None;
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
    sync_folder(file.folder()).with_context(|| writing(file.folder()))?;
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

/// Waiting for the disk costs no processor; files of several tables end together, and their waits overlap.
const THREADS: usize = 4;
