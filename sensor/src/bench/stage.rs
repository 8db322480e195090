//! The stages, each of which does what those before it do and its own on top, and how each is run.

use std::thread;

use anyhow::{Context, Result};
use crossbeam_channel::{Receiver, bounded};
use schemas::column::Names;

use crate::capture::{FrameBatch, Pool};
use crate::config::{Config, Replay};
use crate::counters::Report;
use crate::output::Epoch;
use crate::output::unwritten::{Depth, Unwritten};
use crate::pipeline::{self, Input};
use crate::progress::Progress;
use crate::worker::Reach;

/// How far packets are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The file is read, header after header.
    Walk,
    /// The front end: packets are decoded, checked, made whole and handed out.
    Decode,
    /// The flow table, and TCP put in order; nobody reads what flows carry.
    Flows,
    /// Protocols are recognised and read; rows are not made.
    Sessions,
    /// Rows are made, and thrown away.
    Rows,
    /// Rows are sorted and cut into row groups, and these taken apart into columns.
    Columns,
    /// Columns are encoded as Parquet, and thrown away.
    Encode,
    /// A lake is written: the whole.
    Disk,
}

impl Stage {
    /// In the order in which they build on each other.
    pub const ALL: [Self; 8] = [
        Self::Walk,
        Self::Decode,
        Self::Flows,
        Self::Sessions,
        Self::Rows,
        Self::Columns,
        Self::Encode,
        Self::Disk,
    ];

    /// As it is called on the command line and in the output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Walk => "walk",
            Self::Decode => "decode",
            Self::Flows => "flows",
            Self::Sessions => "sessions",
            Self::Rows => "rows",
            Self::Columns => "columns",
            Self::Encode => "encode",
            Self::Disk => "disk",
        }
    }

    /// The stage of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }

    /// Runs it once over the captures, one after the other. [`Report::rows`] has what came out of it.
    ///
    /// # Errors
    /// A capture cannot be opened, or the lake cannot be written.
    pub(super) fn run(self, replay: &Replay) -> Result<Report> {
        match self {
            Self::Walk => walk(replay),
            Self::Decode => follow(replay, Reach::Nothing),
            Self::Flows => follow(replay, Reach::Flows),
            Self::Sessions => follow(replay, Reach::Sessions),
            Self::Rows => follow(replay, Reach::Rows),
            Self::Columns => collect(replay, Depth::Columns),
            Self::Encode => collect(replay, Depth::Encoded),
            Self::Disk => pipeline::run(replay, &Progress::default()),
        }
    }
}

/// Reads captures and does nothing with them.
fn walk(replay: &Replay) -> Result<Report> {
    let pool = Pool::default();
    let mut report = Report::default();
    let mut batch = FrameBatch::default();
    for path in &replay.captures {
        let mut capture = pipeline::open(path, &pool, &replay.config)?;
        while capture.next(&mut batch) {
            report.packets += batch.frames.len() as u64;
            report.bytes += batch.frames.iter().map(|frame| u64::from(frame.wire)).sum::<u64>();
        }
        report.captures += 1;
        report.damaged.extend(pipeline::damage_of(&*capture, path));
    }
    Ok(report)
}

/// Reads and follows, and throws away what comes of it.
fn follow(replay: &Replay, reach: Reach) -> Result<Report> {
    each(replay, |config, input| {
        let (rows, epochs) = bounded(config.workers + 1);
        let sink = thread::Builder::new()
            .name("sink".into())
            .spawn(move || count(&epochs))
            .context("starting the sink thread")?;
        let report = pipeline::pass(config, input, rows, None, &Progress::default(), reach);
        let rows = sink.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((report?, rows))
    })
}

/// Reads, follows and makes row groups, and throws away what comes of these.
fn collect(replay: &Replay, depth: Depth) -> Result<Report> {
    each(replay, |config, input| {
        let names = Names {
            sensor: config.sensor.clone(),
            sources: input.captures.iter().map(|path| pipeline::source_name(path)).collect(),
        };
        let interval = pipeline::certificate_interval(config);
        let contributors = config.workers + 1;
        let (rows, lake) = Unwritten::start(names, contributors, pipeline::encoders(), interval, depth)?;
        let report = pipeline::pass(config, input, rows, None, &Progress::default(), Reach::Rows);
        let rows = lake.finish();
        Ok((report?, rows?))
    })
}

/// One capture after the other, as a replay does it.
fn each(replay: &Replay, mut run: impl FnMut(&Config, Input<'_>) -> Result<(Report, u64)>) -> Result<Report> {
    let mut sum = Report::default();
    for capture in &replay.captures {
        let captures = std::slice::from_ref(capture);
        let (mut report, rows) = run(&replay.config, Input { captures, opened: vec![None] })?;
        report.rows.insert("all", rows);
        sum.add(report);
    }
    Ok(sum)
}

/// Counts rows, and throws them away.
fn count(epochs: &Receiver<Epoch>) -> u64 {
    epochs.iter().map(|epoch| epoch.records.counts().iter().sum::<u64>()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_have_names_of_their_own_and_are_in_order() {
        for stage in Stage::ALL {
            assert_eq!(Stage::named(stage.name()), Some(stage));
        }
        assert!(Stage::ALL.is_sorted());
        assert_eq!(Stage::named("all"), None);
    }

    /// A replay of captures of the tests, written into a folder.
    fn replay(lake: &std::path::Path, workers: usize) -> Replay {
        let pcaps = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../pcaps");
        let mut captures = crate::capture::expand(&[pcaps.join("dns"), pcaps.join("http")]).unwrap();
        captures.truncate(40);
        Replay {
            captures,
            lake: lake.to_path_buf(),
            if_exists: crate::config::IfExists::Replace,
            continuous: false,
            config: Config { workers, ..Config::default() },
        }
    }

    #[test]
    fn stages_see_the_same_packets_and_those_behind_rows_the_same_rows() {
        let folder = tempfile::tempdir().unwrap();
        for workers in [1, 2] {
            let replay = replay(folder.path(), workers);
            let reports = Stage::ALL.map(|stage| stage.run(&replay).unwrap());
            let rows = reports.each_ref().map(|report| report.rows.values().sum::<u64>());
            let [walk, _, flows, sessions, rows_made, columns, encoded, disk] = &reports;
            for report in &reports {
                assert_eq!((report.packets, report.bytes), (walk.packets, walk.bytes));
                assert_eq!(report.captures, walk.captures);
            }
            // Nothing that happens to flows depends on whether somebody reads them.
            for report in [flows, sessions, rows_made, columns, encoded] {
                assert_eq!(report.flows, disk.flows);
            }
            assert!(rows[7] > disk.flows, "{rows:?}");
            assert_eq!(rows[4..], [rows[7]; 4]);
            // Only the reader's own rows, which are few.
            assert_eq!(rows[0], 0);
            assert_eq!(rows[1..4], [rows[1]; 3]);
            assert!(rows[1] < rows[7] / 4, "{rows:?}");
        }
    }
}
