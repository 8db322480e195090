//! `spanlake bench`: from its arguments to its figures.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::arguments::{Bench, SummaryFormat};
use super::commands::print;
use super::{Ending, Usage, check};
use crate::bench::{self, Plan, Stage};
use crate::config::Replay;

/// Measures, and prints what was measured.
pub(super) fn run(typed: Bench) -> Result<Ending> {
    let format = typed.format.unwrap_or_default();
    let lake = Scratch::beside(typed.lake.as_deref())?;
    let (mut replay, inputs) = check::bench(&typed.captures, typed.sensing, lake.0.clone())?;
    let numbers = typed.workers.unwrap_or_else(|| vec![replay.config.workers]);
    let mut workers: Vec<usize> = Vec::new();
    for number in &numbers {
        if !workers.contains(number) {
            workers.push(*number);
        }
    }
    if typed.hold_cores {
        let (most, cores) = (workers.iter().max().copied().unwrap_or_default(), bench::cores());
        if most > cores {
            return Err(Usage(format!("--hold-cores: {most} workers are more than the {cores} cores")).into());
        }
    }
    if let Some(stage) = typed.only {
        // What a measurement is told stands behind what was typed.
        replay.config.workers = numbers.last().copied().unwrap_or(replay.config.workers);
        if typed.hold_cores {
            // No other thread has begun yet.
            bench::hold_to_cores(replay.config.workers).context("--hold-cores")?;
        }
        return only(stage, &replay, inputs.refused, format);
    }
    let measurements = bench::run(&Plan {
        captures: replay.captures,
        workers,
        hold_cores: typed.hold_cores,
        runs: typed.runs.unwrap_or(RUNS),
        against: typed.against.unwrap_or_default(),
        arguments: std::env::args_os().skip(1).collect(),
    })?;
    match format {
        SummaryFormat::Text => print(&bench::text(&measurements))?,
        SummaryFormat::Json => print(&format!("{}\n", bench::json(&measurements)))?,
    }
    Ok(if measurements.damaged.is_empty() { Ending::Done } else { Ending::Damaged })
}

/// Measures one stage.
fn only(
    stage: Stage,
    replay: &Replay,
    refused: Vec<crate::counters::Damage>,
    format: SummaryFormat,
) -> Result<Ending> {
    let (measured, mut damaged) = bench::measure(stage, replay)?;
    damaged.extend(refused);
    let (text, json) = bench::only(stage, replay.config.workers, &measured, &damaged);
    match format {
        SummaryFormat::Text => print(&text)?,
        SummaryFormat::Json => print(&format!("{json}\n"))?,
    }
    Ok(if damaged.is_empty() { Ending::Done } else { Ending::Damaged })
}

/// A lake that is removed again.
struct Scratch(PathBuf);

impl Scratch {
    /// One on the disk that a lake is on or would be on; where none is named, in the folder for temporary files.
    fn beside(lake: Option<&Path>) -> Result<Self> {
        let name = format!(".spanlake-bench-{}", std::process::id());
        let folder = match lake.map(Path::parent) {
            None => std::env::temp_dir(),
            Some(Some(parent)) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            Some(_) => PathBuf::from("."),
        };
        if !folder.is_dir() {
            bail!("no folder {} to write a lake in", folder.display());
        }
        Ok(Self(folder.join(name)))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It may never have been made, and what stays is known by its name.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The least of which a median means something.
const RUNS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lake_is_written_beside_the_one_that_is_named_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::beside(Some(&folder.path().join("lake"))).unwrap();
        assert_eq!(scratch.0.parent(), Some(folder.path()));
        fs::create_dir(&scratch.0).unwrap();
        drop(scratch);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let relative = Scratch::beside(Some(Path::new("lake"))).unwrap();
        assert_eq!(relative.0.parent(), Some(Path::new(".")));
        assert!(Scratch::beside(Some(Path::new("/no/such/lake"))).is_err());
    }
}
