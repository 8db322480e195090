//! The collector: puts the epochs of all contributors into one order, and cuts that one stream into row groups.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Error, Result, anyhow};
use crossbeam_channel::{Receiver, Sender, select};
use schemas::batch::Records;
use schemas::pending::{GROUP_BYTES, Merger};
use schemas::row_group::RowGroup;

use super::Epoch;
use super::encoders::Task;
use super::writer::{Cut, Event, Returned};

pub(crate) struct Collector {
    merger: Merger,
    /// By contributor: epochs that others have not yet sent.
    ///
    /// A contributor cannot be ahead of another by more than the reader's queue to that one, so these are short.
    early: Vec<VecDeque<Records>>,
    /// Number of the epoch that is collected now.
    epoch: u64,
    tasks: Sender<Task>,
    events: Sender<Event>,
    /// Row groups that are written.
    returned: Receiver<Returned>,
    /// How many tasks the columns of a row group are spread over.
    pieces: usize,
    /// Bytes of rows that may still be given to the encoders.
    room: usize,
    /// Row groups cut so far.
    sequence: u64,
}

/// Why the collector ends early.
enum Stop {
    /// The writer has failed; its own error says why.
    WriterGone,
    Failed(Error),
}

impl Collector {
    pub(crate) fn new(
        merger: Merger,
        contributors: usize,
        pieces: usize,
        tasks: Sender<Task>,
        events: Sender<Event>,
        returned: Receiver<Returned>,
    ) -> Self {
        let early = std::iter::repeat_with(VecDeque::new).take(contributors).collect();
        Self { merger, early, epoch: 0, tasks, events, returned, pieces, room: IN_FLIGHT, sequence: 0 }
    }

    /// The same in a thread of its own; see [`Collector::run`].
    pub(crate) fn start(self, epochs: Receiver<Epoch>) -> Result<JoinHandle<Result<u64>>> {
        thread::Builder::new()
            .name("collector".into())
            .spawn(move || self.run(&epochs))
            .context("starting the collector thread")
    }

    /// Runs until all senders are gone or the writer has failed. Gives the number of rows that it left out.
    pub(crate) fn run(mut self, epochs: &Receiver<Epoch>) -> Result<u64> {
        match self.collect(epochs) {
            Ok(()) | Err(Stop::WriterGone) => Ok(self.merger.left_out()),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    fn collect(&mut self, epochs: &Receiver<Epoch>) -> Result<(), Stop> {
        loop {
            select! {
                recv(epochs) -> epoch => match epoch {
                    Ok(epoch) => self.take(epoch)?,
                    Err(_) => break,
                },
                // Waited for here too, so that a failure of the writer is known at once and not at the next cut.
                recv(self.returned) -> returned => self.room += returned.map_err(|_| Stop::WriterGone)?.0,
            }
        }
        if self.early.iter().any(|early| !early.is_empty()) {
            return Err(Stop::Failed(anyhow!("the rows of epoch {} are incomplete", self.epoch)));
        }
        for group in self.merger.finish() {
            self.send(group)?;
        }
        self.events.send(Event::End).map_err(|_| Stop::WriterGone)
    }

    fn take(&mut self, epoch: Epoch) -> Result<(), Stop> {
        let Epoch { number, contributor, records } = epoch;
        let unexpected =
            || Stop::Failed(anyhow!("epoch {number} of contributor {contributor} is out of order"));
        let early = self.early.get_mut(contributor).ok_or_else(unexpected)?;
        if number != self.epoch + early.len() as u64 {
            return Err(unexpected());
        }
        early.push_back(records);
        while self.early.iter().all(|early| !early.is_empty()) {
            let epoch = self.early.iter_mut().filter_map(VecDeque::pop_front);
            let groups = self.merger.add(epoch);
            self.epoch += 1;
            for group in groups {
                self.send(group)?;
            }
        }
        Ok(())
    }

    /// Gives a row group to the encoders, as soon as there is room.
    fn send(&mut self, group: RowGroup) -> Result<(), Stop> {
        let weight = group.held.clamp(MIN_WEIGHT, IN_FLIGHT);
        while self.room < weight {
            self.room += self.returned.recv().map_err(|_| Stop::WriterGone)?.0;
        }
        self.room -= weight;
        let (sequence, count) = (self.sequence, group.columns());
        self.sequence += 1;
        let group = Arc::new(group);
        // The writer must know of the row group before its first columns arrive.
        let cut = Event::Cut(Cut { group: group.clone(), weight });
        self.events.send(cut).map_err(|_| Stop::WriterGone)?;
        let size = count.div_ceil(self.pieces).max(1);
        for start in (0..count).step_by(size) {
            let columns = start..count.min(start + size);
            let task = Task { group: group.clone(), sequence, columns };
            self.tasks.send(task).map_err(|_| Stop::WriterGone)?;
        }
        Ok(())
    }
}

/// Bytes of rows that may be with the encoders and the writer: one row group that is being encoded, one that is ready
/// when the encoders are, and one of which only the last columns are awaited, which not all encoders are busy with.
pub(crate) const IN_FLIGHT: usize = 3 * GROUP_BYTES;

/// Room that a row group takes at least, so that many tiny ones do not queue up.
const MIN_WEIGHT: usize = GROUP_BYTES / 64;
