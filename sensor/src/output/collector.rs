//! The collector: puts the epochs of all contributors into one order, and cuts that one stream into row groups.

use std::collections::VecDeque;
use std::sync::Arc;

use anyhow::{Error, Result, anyhow};
use crossbeam_channel::{Receiver, Sender, select};
use schemas::batch::Records;
use schemas::pending::GROUP_BYTES;

use super::Epoch;
use super::encoders::Task;
use super::partition::Partition;
use super::tables::{Group, Tables};
use super::writer::{Cut, Event, Returned};

pub(crate) struct Collector {
    tables: Tables,
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
        tables: Tables,
        contributors: usize,
        tasks: Sender<Task>,
        events: Sender<Event>,
        returned: Receiver<Returned>,
    ) -> Self {
        let early = std::iter::repeat_with(VecDeque::new).take(contributors).collect();
        Self { tables, early, epoch: 0, tasks, events, returned, room: IN_FLIGHT, sequence: 0 }
    }

    /// Runs until all senders are gone or the writer has failed.
    pub(crate) fn run(mut self, epochs: &Receiver<Epoch>) -> Result<()> {
        match self.collect(epochs) {
            Ok(()) | Err(Stop::WriterGone) => Ok(()),
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
                recv(self.returned) -> returned => self.take_back(returned.map_err(|_| Stop::WriterGone)?),
            }
        }
        if self.early.iter().any(|early| !early.is_empty()) {
            return Err(Stop::Failed(anyhow!("the rows of epoch {} are incomplete", self.epoch)));
        }
        self.cut(true)?;
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
            let epoch = self.early.iter_mut().filter_map(VecDeque::pop_front).collect();
            self.epoch += 1;
            self.tables.add(epoch);
            self.cut(false)?;
        }
        Ok(())
    }

    /// Gives all row groups that are full to the encoders; at the end, all rows.
    fn cut(&mut self, all: bool) -> Result<(), Stop> {
        while let Some((partition, group)) = self.tables.cut(all) {
            self.send(partition, group)?;
        }
        Ok(())
    }

    fn send(&mut self, partition: Partition, group: Arc<Group>) -> Result<(), Stop> {
        let weight = group.held().clamp(MIN_WEIGHT, IN_FLIGHT);
        while self.room < weight {
            let returned = self.returned.recv().map_err(|_| Stop::WriterGone)?;
            self.take_back(returned);
        }
        self.room -= weight;
        let sequence = self.sequence;
        self.sequence += 1;
        // The writer must know of the row group before its first column arrives.
        let cut = Event::Cut(Cut { partition, group: group.clone(), weight });
        self.events.send(cut).map_err(|_| Stop::WriterGone)?;
        let columns = group.columns();
        // A call that takes several columns reads the rows but once; enough calls to keep every core busy.
        let step = columns.div_ceil(TASKS).max(1);
        for start in (0..columns).step_by(step) {
            let task =
                Task { group: Arc::clone(&group), sequence, columns: start..columns.min(start + step) };
            self.tasks.send(task).map_err(|_| Stop::WriterGone)?;
        }
        Ok(())
    }

    fn take_back(&mut self, returned: Returned) {
        self.room += returned.weight;
    }
}

/// Bytes of rows that may be with the encoders and the writer: one row group that is being finished, one that is being
/// encoded, one that is ready when the encoders are.
const IN_FLIGHT: usize = 3 * GROUP_BYTES;

/// Tasks that a row group is split into.
const TASKS: usize = 8;

/// Room that a row group takes at least, so that many tiny ones do not queue up.
const MIN_WEIGHT: usize = GROUP_BYTES / 64;
