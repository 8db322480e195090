//! The signals that were raised, by month of their windows: what keeps the same from coming twice. A line each, all of one
//! length, so that one that was cut short by a crash is known; the commit that it was of is carried out again.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;

use anyhow::{Context, Result, anyhow};
use schemas::lake::sync_folder;
use serde::{Deserialize, Serialize};

use super::span::month_of;
use super::state::{RAISED, State, parent};

/// What is remembered of a signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Raised {
    /// Its identifier, in 32 hex digits.
    pub(super) id: String,
    /// A hash of rule and key, in 16 hex digits.
    pub(super) group: String,
    /// The begin of its window.
    pub(super) window: i64,
}

/// What was raised, as far as it has been asked for.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    months: BTreeSet<(i32, u8)>,
    ids: HashSet<String>,
    windows: HashMap<String, BTreeSet<i64>>,
}

impl Raised {
    fn line(&self) -> String {
        format!("{} {} {:+021}\n", self.id, self.group, self.window)
    }

    fn read(line: &str) -> Option<Self> {
        let parts: Vec<&str> = line.split(' ').collect();
        match parts.as_slice() {
            [id, group, window] if line.len() == LINE => {
                Some(Self { id: (*id).to_owned(), group: (*group).to_owned(), window: window.parse().ok()? })
            }
            _ => None,
        }
    }
}

impl Ledger {
    /// Whether a signal was raised.
    pub(super) fn has(&mut self, state: &State, raised: &Raised) -> Result<bool> {
        self.load(state, raised.window)?;
        Ok(self.ids.contains(&raised.id))
    }

    /// Whether one of the same rule and key was raised for a window that begins less than `within` before or after.
    pub(super) fn has_near(&mut self, state: &State, raised: &Raised, within: i64) -> Result<bool> {
        let (from, to) = (raised.window.saturating_sub(within), raised.window.saturating_add(within));
        // Months are no longer than this.
        let mut ts = from;
        while ts < to {
            self.load(state, ts)?;
            ts = ts.saturating_add(DAYS_28);
        }
        self.load(state, to)?;
        let windows = self.windows.get(&raised.group);
        Ok(windows.is_some_and(|windows| windows.range(from + 1..to).next().is_some()))
    }

    /// Takes note of a signal that is to be raised.
    pub(super) fn add(&mut self, raised: &Raised) {
        self.ids.insert(raised.id.clone());
        self.windows.entry(raised.group.clone()).or_default().insert(raised.window);
    }

    fn load(&mut self, state: &State, ts: i64) -> Result<()> {
        let month = month_of(ts);
        if !self.months.insert(month) {
            return Ok(());
        }
        let path = state.path(&name(month));
        let text = match fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(anyhow!(error).context(format!("reading {}", path.display()))),
        };
        text.lines().filter_map(Raised::read).for_each(|raised| self.add(&raised));
        Ok(())
    }
}

/// Writes down what was raised. Doing so twice does no harm.
pub(super) fn write_down(state: &State, raised: &[Raised]) -> Result<()> {
    let mut months: BTreeMap<(i32, u8), String> = BTreeMap::new();
    for raised in raised {
        // What was cut short before ends here.
        let text = months.entry(month_of(raised.window)).or_insert_with(|| "\n".to_owned());
        text.push_str(&raised.line());
    }
    for (month, text) in months {
        let path = state.path(&name(month));
        let write = || {
            let mut file = OpenOptions::new().append(true).create(true).mode(0o640).open(&path)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            sync_folder(parent(&path))
        };
        write().with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// Forgets months for which `is_needed` says false.
pub(super) fn forget(state: &State, is_needed: impl Fn(i32, u8) -> bool) -> Result<()> {
    for month in state.names(RAISED)? {
        let number =
            month.split_once('_').and_then(|(year, month)| Some((year.parse().ok()?, month.parse().ok()?)));
        if number.is_some_and(|(year, month)| !is_needed(year, month)) {
            state.remove(&format!("{RAISED}/{month}"))?;
        }
    }
    Ok(())
}

fn name((year, month): (i32, u8)) -> String {
    format!("{RAISED}/{year}_{month:02}")
}

/// Bytes of a line without its end.
const LINE: usize = 32 + 1 + 16 + 1 + 21;

const DAYS_28: i64 = 28 * super::rule::DAY;
