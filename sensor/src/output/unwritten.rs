//! A lake that nobody writes: rows are collected and cut into row groups as ever, their columns built or encoded, and
//! thrown away. For benchmarks of what comes before the disk.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, bail};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use schemas::EncodedColumn;
use schemas::column::Names;
use schemas::pending::Merger;
use schemas::repeats::Repeats;
use schemas::row_group::RowGroup;

use super::collector::Collector;
use super::writer::{Event, Returned};
use super::{Epoch, encoders, join};

/// What is done with row groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Their columns are built.
    Columns,
    /// And encoded.
    Encoded,
}

/// A lake that is not written.
#[must_use = "its rows are counted when it has been finished"]
pub(crate) struct Unwritten {
    collector: JoinHandle<Result<u64>>,
    encoders: Vec<JoinHandle<()>>,
    drain: JoinHandle<Result<u64>>,
}

impl Unwritten {
    /// As [`super::Lake::start`], without a place on disk.
    pub(crate) fn start(
        names: Names,
        contributors: usize,
        encoders: usize,
        certificate_interval: Option<u64>,
        depth: Depth,
    ) -> Result<(Sender<Epoch>, Self)> {
        let (epochs, received) = bounded(contributors.max(1));
        let (event, events) = unbounded();
        let (task, tasks) = unbounded();
        let (returned, room) = unbounded();
        let pieces = encoders.max(1);
        let encode = match depth {
            Depth::Columns => build,
            Depth::Encoded => encoders::encode,
        };
        let encoders = encoders::start(encoders, encode, &Arc::new(names), &tasks, &event)?;
        let drain = thread::Builder::new()
            .name("drain".into())
            .spawn(move || drain(&events, &returned))
            .context("starting the drain thread")?;
        let merger = Merger::default().without(certificate_interval.map(Repeats::new));
        let collector = Collector::new(merger, contributors, pieces, task, event, room).start(received)?;
        Ok((epochs, Self { collector, encoders, drain }))
    }

    /// Waits until all senders are gone and all rows were dealt with; says how many there were.
    pub(crate) fn finish(self) -> Result<u64> {
        join(self.collector)?;
        let rows = join(self.drain);
        self.encoders.into_iter().for_each(join);
        rows
    }
}

/// Builds columns, and encodes none.
fn build(group: &RowGroup, columns: Range<usize>, names: &Names) -> Result<Vec<EncodedColumn>> {
    std::hint::black_box(group.shred(columns, names));
    Ok(Vec::new())
}

/// In place of the writer: throws columns away, gives back the room of row groups, and counts rows.
fn drain(events: &Receiver<Event>, returned: &Sender<Returned>) -> Result<u64> {
    let (mut rows, mut cut, mut ended) = (0, 0, false);
    let mut waiting: BTreeMap<u64, (Returned, usize)> = BTreeMap::new();
    while !ended || !waiting.is_empty() {
        match events.recv() {
            Ok(Event::Cut(group)) => {
                rows += group.group.rows as u64;
                waiting.insert(cut, (Returned(group.weight), group.group.columns()));
                cut += 1;
            }
            Ok(Event::Columns { sequence, columns, encoded }) => {
                drop(encoded?);
                if let Some((_, missing)) = waiting.get_mut(&sequence) {
                    *missing = missing.saturating_sub(columns.len());
                    if *missing == 0
                        && let Some((room, _)) = waiting.remove(&sequence)
                    {
                        // Where nobody cuts any more, nobody needs the room.
                        let _ = returned.send(room);
                    }
                }
            }
            Ok(Event::End) => ended = true,
            Err(_) => bail!("the rows ended early"),
        }
    }
    Ok(rows)
}
