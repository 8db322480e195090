//! What waits to be told to somebody outside: an outbox for each receiver. A signal leaves it when it was delivered, so that
//! each is delivered at least once; once more, only where the runner was killed between the delivery and its note.

use std::fs;
use std::io::ErrorKind;

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};

use super::signal::Signal;
use super::state::{OUTBOX, State};

/// What waits.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Waiting {
    /// Number of the last commit whose signals were put here.
    commit: u64,
    /// Number of the first signal here, of all that ever were.
    first: u64,
    signals: Vec<Signal>,
    /// Signals that were given up since there were too many.
    given_up: u64,
}

/// The signals that wait for one receiver.
#[derive(Debug)]
pub(super) struct Outbox<'a> {
    state: &'a State,
    name: &'a str,
    waiting: Waiting,
    /// Number of the next to deliver.
    next: u64,
}

/// Puts the signals of a commit into an outbox, unless they were put there before.
pub(super) fn put(state: &State, name: &str, commit: u64, signals: &[Signal]) -> Result<()> {
    let outbox = Outbox::open(state, name)?;
    let next = outbox.next;
    let mut waiting = outbox.waiting;
    if waiting.commit >= commit {
        return Ok(());
    }
    let delivered = usize::try_from(next - waiting.first).unwrap_or(usize::MAX).min(waiting.signals.len());
    waiting.signals.drain(..delivered);
    waiting.first = next;
    waiting.signals.extend_from_slice(signals);
    let surplus = waiting.signals.len().saturating_sub(MOST);
    waiting.signals.drain(..surplus);
    waiting.first += surplus as u64;
    waiting.given_up += surplus as u64;
    waiting.commit = commit;
    state.write(&file(name), &waiting)
}

impl<'a> Outbox<'a> {
    pub(super) fn open(state: &'a State, name: &'a str) -> Result<Self> {
        let waiting: Waiting = state.read(&file(name))?.unwrap_or_default();
        let path = state.path(&note(name));
        let noted = match fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::NotFound => 0,
            Err(error) => return Err(anyhow!(error).context(format!("reading {}", path.display()))),
        };
        let next = waiting.first.max(noted);
        Ok(Self { state, name, waiting, next })
    }

    /// The next signal to deliver.
    pub(super) fn next(&self) -> Option<&Signal> {
        let place = usize::try_from(self.next.checked_sub(self.waiting.first)?).ok()?;
        self.waiting.signals.get(place)
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.signals.len().saturating_sub((self.next - self.waiting.first) as usize)
    }

    /// How many were given up.
    pub(super) fn given_up(&self) -> u64 {
        self.waiting.given_up
    }

    /// The next was delivered, or cannot be.
    pub(super) fn pass(&mut self) {
        self.next += 1;
    }

    /// Writes down how far it has come. Not synced: after the power has failed some are delivered once more.
    pub(super) fn note(&self) -> Result<()> {
        let path = self.state.path(&note(self.name));
        let temporary = path.with_extension("tmp");
        fs::write(&temporary, self.next.to_string())
            .and_then(|()| fs::rename(&temporary, &path))
            .with_context(|| format!("writing {}", path.display()))
    }
}

fn file(name: &str) -> String {
    format!("{OUTBOX}/{name}")
}

fn note(name: &str) -> String {
    format!("{OUTBOX}/{name}-delivered")
}

/// Signals that an outbox holds; of more the oldest go (and stay in the table).
const MOST: usize = 100_000;
