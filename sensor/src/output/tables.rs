//! The seam to the tables: rows in, row groups out, whichever table they are of.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use anyhow::Result;
pub(crate) use schemas::EncodedColumn;
use schemas::batch::Records;
pub(crate) use schemas::column::Names;
use schemas::envelope::Nanoseconds;
use schemas::pending::{GROUP_ROWS, Merger};
use schemas::row_group::RowGroup;

use super::partition::Partition;

/// Rows of a row group.
pub(crate) const ROW_GROUP_ROWS: u64 = GROUP_ROWS as u64;

/// A row group on its way to the disk.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) rows: RowGroup,
    names: Arc<Names>,
}

impl Group {
    /// Bytes that the rows hold until they are written.
    pub(crate) fn held(&self) -> usize {
        self.rows.held
    }

    /// How many rows.
    pub(crate) fn rows(&self) -> usize {
        self.rows.rows
    }

    /// How many Parquet columns.
    pub(crate) fn columns(&self) -> usize {
        self.rows.columns()
    }

    /// Encodes some of the columns.
    pub(crate) fn encode(&self, columns: Range<usize>) -> Result<Vec<EncodedColumn>> {
        Ok(self.rows.encode(columns, &self.names)?)
    }

    /// Least and greatest `ts`.
    pub(crate) fn range(&self) -> (Nanoseconds, Nanoseconds) {
        let (least, greatest) = self.rows.ts;
        (least.saturating_mul(1000), greatest.saturating_mul(1000))
    }

    /// Name of the sensor, for the file's metadata.
    pub(crate) fn sensor(&self) -> &str {
        &self.names.sensor
    }
}

/// Rows of all tables that wait for their row group.
pub(crate) struct Tables {
    merger: Merger,
    names: Arc<Names>,
    ready: VecDeque<RowGroup>,
}

impl Tables {
    pub(crate) fn new(names: Arc<Names>) -> Self {
        Self { merger: Merger::default(), names, ready: VecDeque::new() }
    }

    /// Takes what all contributors emitted in one epoch.
    pub(crate) fn add(&mut self, epoch: Vec<Records>) {
        self.ready.extend(self.merger.add(epoch));
    }

    /// The next row group that is full; with `all`, whatever is left.
    pub(crate) fn cut(&mut self, all: bool) -> Option<(Partition, Arc<Group>)> {
        if all && self.ready.is_empty() {
            self.ready.extend(self.merger.finish());
        }
        let rows = self.ready.pop_front()?;
        let partition = Partition { table: rows.table.name, year: rows.month.year, month: rows.month.month };
        Some((partition, Arc::new(Group { rows, names: Arc::clone(&self.names) })))
    }
}
