//! The writer: splices encoded row groups into the open files, strictly in the order in which they were cut.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use crossbeam_channel::{Receiver, Sender};
use schemas::EncodedColumn;
use schemas::column::Names;
use schemas::row_group::RowGroup;
use schemas::table::Table;

use super::Bounds;
use super::file::{OpenFile, PublishedFile};
use super::partition::{Input, Partition};
use super::publisher::{Prepared, Publisher};

/// What the writer is told.
pub(crate) enum Event {
    /// A row group was cut; its columns are on their way through the encoders.
    Cut(Cut),
    /// Columns were encoded.
    Columns {
        /// Number of their row group.
        sequence: u64,
        /// Their indices.
        columns: Range<usize>,
        /// The bytes, or why there are none.
        encoded: Result<Vec<EncodedColumn>>,
    },
    /// All rows were cut.
    End,
}

/// A row group, and how much is in flight with it.
pub(crate) struct Cut {
    pub(crate) group: Arc<RowGroup>,
    /// Room that its rows take among those in flight.
    pub(crate) weight: usize,
}

/// Room for more rows, given back to whoever cuts row groups.
pub(crate) struct Returned(pub(crate) usize);

/// Everything that the writer needs to know.
pub(crate) struct Settings {
    pub(crate) lake: PathBuf,
    pub(crate) input: Input,
    pub(crate) names: Arc<Names>,
    pub(crate) bounds: Bounds,
    /// Where the numbers of files begin, by folder, when files are added to those of earlier runs.
    pub(crate) taken: BTreeMap<PathBuf, u32>,
}

/// What was written.
pub(crate) struct Written {
    pub(crate) files: Vec<PublishedFile>,
    pub(crate) rows: BTreeMap<&'static str, u64>,
    pub(crate) busy: Duration,
}

pub(crate) struct Writer {
    settings: Settings,
    publisher: Publisher,
    returned: Sender<Returned>,
    /// Row groups that were cut and not yet written; the first has the number `first`.
    waiting: VecDeque<Waiting>,
    first: u64,
    open: BTreeMap<Partition, Open>,
    /// Folders of row groups that are on their way, where no file is open.
    prepared: BTreeMap<Partition, Prepared>,
    /// The number of the next file of each partition.
    ordinals: BTreeMap<Partition, u32>,
    /// Counts uses of files, to find the one least recently used.
    clock: u64,
    rows: BTreeMap<&'static str, u64>,
    busy: Duration,
}

struct Waiting {
    cut: Cut,
    columns: Vec<Option<EncodedColumn>>,
    missing: usize,
}

struct Open {
    file: OpenFile,
    used: u64,
}

impl Writer {
    pub(crate) fn new(settings: Settings, publisher: Publisher, returned: Sender<Returned>) -> Self {
        Self {
            settings,
            publisher,
            returned,
            waiting: VecDeque::new(),
            first: 0,
            open: BTreeMap::new(),
            prepared: BTreeMap::new(),
            ordinals: BTreeMap::new(),
            clock: 0,
            rows: BTreeMap::new(),
            busy: Duration::ZERO,
        }
    }

    /// Writes until the end of the rows; publishes what is still open when the end is `confirmed`.
    pub(crate) fn run(mut self, events: &Receiver<Event>, confirmed: &Receiver<()>) -> Result<Written> {
        loop {
            let Ok(event) = events.recv() else { bail!("the rows ended early") };
            let started = Instant::now();
            match event {
                Event::Cut(cut) => {
                    self.prepare(partition(&cut.group))?;
                    let count = cut.group.columns();
                    let columns = std::iter::repeat_with(|| None).take(count).collect();
                    self.waiting.push_back(Waiting { cut, columns, missing: count });
                }
                Event::Columns { sequence, columns, encoded } => self.note(sequence, columns, encoded?)?,
                Event::End => break,
            }
            self.busy += started.elapsed();
        }
        self.finish(events, confirmed)
    }

    /// Writes what is still with the encoders, and publishes all files.
    fn finish(mut self, events: &Receiver<Event>, confirmed: &Receiver<()>) -> Result<Written> {
        while !self.waiting.is_empty() {
            match events.recv() {
                Ok(Event::Columns { sequence, columns, encoded }) => {
                    let started = Instant::now();
                    self.note(sequence, columns, encoded?)?;
                    self.busy += started.elapsed();
                }
                _ => bail!("the rows ended early"),
            }
        }
        confirmed.recv().context("the input failed")?;
        let started = Instant::now();
        while let Some((partition, _)) = self.open.first_key_value() {
            self.close(*partition)?;
        }
        let files = self.publisher.finish()?;
        Ok(Written { files, rows: self.rows, busy: self.busy + started.elapsed() })
    }

    /// Has the folder made that a row group goes to, while its columns are being encoded.
    fn prepare(&mut self, partition: Partition) -> Result<()> {
        if !self.open.contains_key(&partition) && !self.prepared.contains_key(&partition) {
            let prepared = self.publisher.prepare(partition.folder(&self.settings.lake))?;
            self.prepared.insert(partition, prepared);
        }
        Ok(())
    }

    /// Takes columns, and writes the row groups that are complete and whose turn it is.
    fn note(&mut self, sequence: u64, columns: Range<usize>, encoded: Vec<EncodedColumn>) -> Result<()> {
        let index = usize::try_from(sequence - self.first)?;
        let slot = self.waiting.get_mut(index).context("columns of no row group")?;
        slot.missing -= encoded.len();
        slot.columns
            .iter_mut()
            .skip(columns.start)
            .zip(encoded)
            .for_each(|(place, column)| *place = Some(column));
        while self.waiting.front().is_some_and(|group| group.missing == 0) {
            let Some(Waiting { cut, columns, .. }) = self.waiting.pop_front() else { break };
            self.first += 1;
            self.write(&cut.group, columns.into_iter().flatten().collect())?;
            // Where nobody cuts any more, nobody needs the room.
            let _ = self.returned.send(Returned(cut.weight));
        }
        Ok(())
    }

    fn write(&mut self, group: &RowGroup, columns: Vec<EncodedColumn>) -> Result<()> {
        let partition = partition(group);
        let rows = group.rows as u64;
        let bytes: u64 = columns.iter().map(|column| column.size() as u64).sum();
        let bounds = self.settings.bounds;
        if let Some(Open { file, .. }) = self.open.get(&partition)
            && (file.rows() + rows > bounds.rows || file.bytes() + bytes > bounds.bytes)
        {
            self.close(partition)?;
        }
        if !self.open.contains_key(&partition) {
            self.make_room()?;
            let file = self.create(partition, group.table)?;
            self.open.insert(partition, Open { file, used: 0 });
        }
        self.clock += 1;
        let open = self.open.get_mut(&partition).context("the file was just opened")?;
        open.used = self.clock;
        open.file.append(group, columns)?;
        let full = open.file.rows() >= bounds.rows
            || open.file.bytes() >= bounds.bytes
            || open.file.row_groups() >= MAX_ROW_GROUPS
            || bounds.age.is_some_and(|age| open.file.age() >= age);
        *self.rows.entry(partition.table).or_default() += rows;
        if full {
            self.close(partition)?;
        }
        Ok(())
    }

    /// Closes the files least recently used until one more may be open: a capture with time stamps from everywhere
    /// must not run out of descriptors or memory.
    fn make_room(&mut self) -> Result<()> {
        while self.open.len() >= self.settings.bounds.open_files.max(1) {
            let Some((&oldest, _)) = self.open.iter().min_by_key(|(_, open)| open.used) else { break };
            self.close(oldest)?;
        }
        Ok(())
    }

    fn create(&mut self, partition: Partition, table: &'static Table) -> Result<OpenFile> {
        // Kept until the file is there: without one the folder would go again.
        let prepared = self.prepared.remove(&partition);
        prepared.iter().for_each(Prepared::wait);
        let Settings { lake, input, names, taken, .. } = &self.settings;
        let folder = partition.folder(lake);
        let ordinal =
            self.ordinals.entry(partition).or_insert_with(|| taken.get(&folder).copied().unwrap_or(0));
        let name = input.file_name(*ordinal);
        *ordinal += 1;
        OpenFile::create(lake, folder, &name, table, &names.sensor)
    }

    fn close(&mut self, partition: Partition) -> Result<()> {
        if let Some(Open { file, .. }) = self.open.remove(&partition) {
            let file = file.finish(self.settings.input.hash())?;
            self.publisher.publish(file)?;
        }
        Ok(())
    }
}

/// Where a row group goes.
fn partition(group: &RowGroup) -> Partition {
    Partition { table: group.table.name, month: group.month }
}

/// Row groups in a file; Parquet ends at 32,767, and readers of many tiny ones are slow long before.
const MAX_ROW_GROUPS: usize = 1024;
