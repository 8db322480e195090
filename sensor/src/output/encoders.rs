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

/// What is done with columns: [`RowGroup::encode`], but in benchmarks.
pub(crate) type Encode = fn(&RowGroup, Range<usize>, &Names) -> Result<Vec<EncodedColumn>>;

/// Starts the encoders; they end when the tasks do, or when nobody wants the results.
pub(crate) fn start(
    count: usize,
    encode: Encode,
    names: &Arc<Names>,
    tasks: &Receiver<Task>,
    events: &Sender<Event>,
) -> Result<Vec<JoinHandle<()>>> {
    (0..count.max(1))
        .map(|number| {
            let (names, tasks, events) = (names.clone(), tasks.clone(), events.clone());
            thread::Builder::new()
                .name(format!("encoder-{number}"))
                .spawn(move || run(encode, &names, &tasks, &events))
                .context("starting an encoder thread")
        })
        .collect()
}

fn run(encode: Encode, names: &Names, tasks: &Receiver<Task>, events: &Sender<Event>) {
    for Task { group, sequence, columns } in tasks {
        let mut reply = Reply { events, sequence, columns: columns.clone(), encoded: None };
        reply.encoded = Some(encode(&group, columns, names));
        // The room that the rows take is given back when the writer has all columns: let go of them before saying so.
        drop(group);
        drop(reply);
    }
}

/// Answers the writer on drop, in a panic too: it must not wait for columns that never come.
struct Reply<'a> {
    events: &'a Sender<Event>,
    sequence: u64,
    columns: Range<usize>,
    encoded: Option<Result<Vec<EncodedColumn>>>,
}

impl Drop for Reply<'_> {
    fn drop(&mut self) {
        let encoded = self.encoded.take().unwrap_or_else(|| Err(anyhow!("an encoder ended early")));
        let Self { sequence, columns, .. } = self;
        // A writer that has failed wants no more.
        let _ = self.events.send(Event::Columns { sequence: *sequence, columns: columns.clone(), encoded });
    }
}

/// Encodes, as a lake wants it.
pub(crate) fn encode(group: &RowGroup, columns: Range<usize>, names: &Names) -> Result<Vec<EncodedColumn>> {
    Ok(group.encode(columns, names)?)
}
