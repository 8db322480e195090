//! The encoders: as many threads as cores, each turning some columns of one row group into bytes at a time, so that
//! all are busy to the last byte, also when a single row group is left.

use std::ops::Range;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, anyhow};
use crossbeam_channel::{Receiver, Sender};
use schemas::EncodedColumn;
use schemas::column::Names;
use schemas::row_group::RowGroup;

use super::writer::Event;

/// Columns of one row group to encode.
pub(crate) struct Task {
    /// The rows, shared with the tasks for the other columns.
    pub(crate) group: Arc<RowGroup>,
    /// Number of the row group in the order in which they were cut.
    pub(crate) sequence: u64,
    /// Indices of the columns.
    pub(crate) columns: Range<usize>,
}

/// Starts the encoders; they end when the tasks do, or when nobody wants the results.
pub(crate) fn start(
    count: usize,
    names: &Arc<Names>,
    tasks: &Receiver<Task>,
    events: &Sender<Event>,
) -> Result<Vec<JoinHandle<()>>> {
    (0..count.max(1))
        .map(|number| {
            let (names, tasks, events) = (names.clone(), tasks.clone(), events.clone());
            thread::Builder::new()
                .name(format!("encoder-{number}"))
                .spawn(move || run(&names, &tasks, &events))
                .context("starting an encoder thread")
        })
        .collect()
}

fn run(names: &Names, tasks: &Receiver<Task>, events: &Sender<Event>) {
    for Task { group, sequence, columns } in tasks {
        let mut reply = Reply { events, sequence, first: columns.start, encoded: None };
        reply.encoded = Some(group.encode(columns, names).map_err(Into::into));
        // The room that the rows take is given back when the writer has all columns: let go of them before saying so.
        drop(group);
        drop(reply);
    }
}

/// Answers the writer on drop, in a panic too: it must not wait for columns that never come.
struct Reply<'a> {
    events: &'a Sender<Event>,
    sequence: u64,
    first: usize,
    encoded: Option<Result<Vec<EncodedColumn>>>,
}

impl Drop for Reply<'_> {
    fn drop(&mut self) {
        let encoded = self.encoded.take().unwrap_or_else(|| Err(anyhow!("an encoder ended early")));
        // A writer that has failed wants no more.
        let _ = self.events.send(Event::Columns { sequence: self.sequence, first: self.first, encoded });
    }
}
