//! How signals come into the lake once and only once, whenever the runner is killed.
//!
//! ```text
//!  stage     the rows as Parquet files that nobody sees
//!  commit    one file, written at once, that says what is to be done: from here on the signals are raised
//!  publish   the staged files get their names in the table
//!  write     identifiers go to those that were raised, signals to the outboxes of those who want to be told
//!  end       the commit goes
//! ```
//!
//! A run that finds a commit carries it out: each of its steps may be done twice. Without one what is staged goes, and rules
//! are run over the same files again.

use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use schemas::batch::Batch;
use schemas::column::Names;
use schemas::lake::{EXCHANGE, INPUTS_KEY, WORKSHOP, make_file, make_folders, sync_folder, sync_published};
use schemas::pending::Pending;
use schemas::row_group::{RowGroup, TableFile};
use schemas::table::SIGNAL;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::outbox;
use super::raised::{self, Raised};
use super::signal::Signal;
use super::state::{STAGED, State, parent, reached};

/// Signals that are raised together.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Commit {
    /// Its number: each is greater than those before.
    number: u64,
    pub(super) signals: Vec<Signal>,
    raised: Vec<Raised>,
    /// Names of the staged files, and those that they are to have, below the lake.
    files: Vec<(String, PathBuf)>,
    /// Outboxes that the signals go to.
    outboxes: Vec<String>,
}

/// Raises signals.
pub(super) fn raise(
    state: &State,
    signals: Vec<(Signal, Raised)>,
    outboxes: &[String],
) -> Result<Vec<Signal>> {
    if signals.is_empty() {
        return Ok(Vec::new());
    }
    let (signals, raised): (Vec<_>, Vec<_>) = signals.into_iter().unzip();
    let files = stage(state, &signals)?;
    reached("staged");
    let number: u64 = state.read(NUMBER)?.unwrap_or_default();
    let commit = Commit { number: number + 1, signals, raised, files, outboxes: outboxes.to_vec() };
    // Before the commit: no number comes twice.
    state.write(NUMBER, &commit.number)?;
    reached("numbered");
    state.write(COMMIT, &commit)?;
    reached("committed");
    carry_out(state, &commit)?;
    Ok(commit.signals)
}

/// Carries out what an earlier run committed and did not come to do; gives its signals.
pub(super) fn redo(state: &State) -> Result<Vec<Signal>> {
    let commit: Option<Commit> = state.read(COMMIT)?;
    if let Some(commit) = &commit {
        carry_out(state, commit)?;
    }
    // What was staged for nothing.
    for name in state.names(STAGED)? {
        state.remove(&format!("{STAGED}/{name}"))?;
    }
    Ok(commit.map(|commit| commit.signals).unwrap_or_default())
}

fn carry_out(state: &State, commit: &Commit) -> Result<()> {
    for (staged, target) in &commit.files {
        publish(state, staged, target)?;
        reached("published");
    }
    raised::write_down(state, &commit.raised)?;
    reached("written");
    for outbox in &commit.outboxes {
        outbox::put(state, outbox, commit.number, &commit.signals)?;
        reached("posted");
    }
    state.remove(COMMIT)?;
    reached("ended");
    Ok(())
}

/// Writes rows into files that nobody sees.
fn stage(state: &State, signals: &[Signal]) -> Result<Vec<(String, PathBuf)>> {
    let mut hash = Sha256::new();
    let mut batch = Batch::default();
    let mut in_order: Vec<&Signal> = signals.iter().collect();
    in_order.sort_by(|a, b| (a.ts, &a.signal_id).cmp(&(b.ts, &b.signal_id)));
    for signal in in_order {
        hash.update(&signal.signal_id);
        signal.push(&mut batch);
    }
    let hash: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let mut pending = Pending::new(&SIGNAL);
    let mut groups = pending.add([batch]);
    groups.extend(pending.finish());
    let mut files = Vec::new();
    for (ordinal, group) in groups.iter().enumerate() {
        let name = format!("{PREFIX}-{hash}-{ordinal:05}.parquet");
        let staged = format!("{STAGED}/{name}.tmp");
        let path = state.path(&staged);
        write(&path, group, &hash).with_context(|| format!("writing {}", path.display()))?;
        let month = group.month;
        let folder = Path::new(SIGNAL.table().name).join(format!("year={}", month.year));
        files.push((staged, folder.join(format!("month={}", month.month)).join(name)));
    }
    sync_folder(&state.path(STAGED)).context("writing signals")?;
    Ok(files)
}

fn write(path: &Path, group: &RowGroup, hash: &str) -> Result<()> {
    let out = BufWriter::new(make_file(path)?);
    let mut file = TableFile::new(group.table, out, PREFIX, env!("CARGO_PKG_VERSION"))?;
    let columns = group.encode(0..group.columns(), &Names::default())?;
    file.append(group, columns)?;
    file.note(INPUTS_KEY, hash);
    let file = file.finish()?.into_inner().map_err(|error| error.into_error())?;
    Ok(file.sync_all()?)
}

/// Gives a staged file its name, unless an earlier run has done so.
fn publish(state: &State, staged: &str, target: &Path) -> Result<()> {
    let (from, to) = (state.path(staged), state.lake().join(target));
    let publishing = || format!("publishing {}", to.display());
    let mut tries = 0;
    loop {
        // While a month is joined its folder is exchanged with a new one: that waits for who holds this lock. Without the
        // right to it, what is put into the old folder is moved into the new one.
        let lock = File::open(state.lake().join(WORKSHOP).join(EXCHANGE))
            .ok()
            .filter(|lock| lock.lock_shared().is_ok());
        let renamed = make_folders(parent(&to)).and_then(|()| fs::rename(&from, &to));
        drop(lock);
        match renamed {
            Ok(()) => return sync_published(parent(&to)).with_context(publishing),
            Err(error) if error.kind() == ErrorKind::NotFound && !from.exists() => return Ok(()),
            // The folder was exchanged, or was empty and removed.
            Err(error) if error.kind() == ErrorKind::NotFound && tries < TRIES => tries += 1,
            Err(error) => return Err(anyhow!(error).context(publishing())),
        }
        std::thread::sleep(PAUSE);
    }
}

/// First letters of the names of files with signals, and the sensor that their metadata names.
const PREFIX: &str = "signal";

const COMMIT: &str = "commit";
const NUMBER: &str = "number";

const TRIES: usize = 20;
const PAUSE: Duration = Duration::from_millis(50);
