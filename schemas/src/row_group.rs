//! Row groups: rows of one table and month in their final order, from compact rows to bytes in a file.

use std::fmt;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use parquet::errors::Result;
use parquet::file::metadata::KeyValue;
use parquet::file::writer::SerializedFileWriter;

use crate::batch::Batch;
use crate::chunk;
use crate::column::{Names, microseconds};
use crate::entries::Lists;
use crate::envelope::Row;
use crate::json;
use crate::leaf::{Block, Shredded};
use crate::month::Month;
use crate::page::EncodedColumn;
use crate::prefetch::{ahead, prefetch};
use crate::table::{Record, TS_MAX_KEY, TS_MIN_KEY, Table, TypedTable};

/// Where a row lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) batch: u32,
    pub(crate) row: u32,
}

/// Rows of one table, whichever it is.
pub struct RowGroup {
    /// Which.
    pub table: &'static Table,
    /// Partition that the rows belong to.
    pub month: Month,
    /// How many rows.
    pub rows: usize,
    /// Least and greatest `ts`, in microseconds.
    pub ts: (i64, i64),
    /// Bytes that the rows hold until the group is dropped.
    pub held: usize,
    group: Box<dyn Encode>,
}

impl fmt::Debug for RowGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowGroup")
            .field("table", &self.table.name)
            .field("month", &self.month)
            .field("rows", &self.rows)
            .field("ts", &self.ts)
            .finish_non_exhaustive()
    }
}

impl RowGroup {
    /// The number of Parquet columns.
    pub fn columns(&self) -> usize {
        self.table.descriptor().num_columns()
    }

    /// Encodes some of the columns. Several threads may do so at the same time; one that takes many columns in one
    /// call reads the rows but once.
    pub fn encode(&self, columns: Range<usize>, names: &Names) -> Result<Vec<EncodedColumn>> {
        self.group.encode(columns, names)
    }

    /// Takes some of the columns out of the rows, encodes nothing, and says how many entries they have: for benchmarks,
    /// which tell the two halves of [`RowGroup::encode`] apart by it.
    pub fn shred(&self, columns: Range<usize>, names: &Names) -> usize {
        self.group.shred(columns, names)
    }

    /// Encodes one column.
    pub fn encode_column(&self, column: usize, names: &Names) -> Result<Vec<EncodedColumn>> {
        self.encode(column..column + 1, names)
    }

    /// Appends every row as a line of JSON, nulls left out.
    pub fn json(&self, names: &Names, out: &mut String) {
        self.group.json(names, out);
    }
}

/// Rows of one table with their type.
#[derive(Debug)]
pub(crate) struct Group<R: 'static> {
    pub(crate) table: &'static TypedTable<R>,
    pub(crate) batches: Vec<Arc<Batch<R>>>,
    pub(crate) places: Vec<Place>,
}

/// What can be done with rows without knowing their type.
trait Encode: Send + Sync {
    fn shred(&self, columns: Range<usize>, names: &Names) -> usize;
    fn encode(&self, columns: Range<usize>, names: &Names) -> Result<Vec<EncodedColumn>>;
    fn json(&self, names: &Names, out: &mut String);
}

/// Rows that are read at once for all columns: copies of them, side by side, fit into the second-level cache. They lie all over
/// the batches, and to copy them as a whole has the memory bring many at a time.
const BLOCK_ROWS: usize = 512;

impl<R: Record> Group<R> {
    /// Each row with its batch, in order.
    fn rows(&self) -> impl Iterator<Item = (&Batch<R>, &Row<R>)> + Clone {
        self.places.iter().filter_map(|place| {
            let batch = self.batches.get(place.batch as usize)?;
            Some((&**batch, batch.rows.get(place.row as usize)?))
        })
    }

    /// The values of some of the columns, one column behind the other.
    fn shredded<'a>(&'a self, columns: &Range<usize>, names: &'a Names) -> Vec<Shredded<'a>> {
        let leaves = self.table.leaves.get(columns.clone()).unwrap_or_default();
        let mut shredded: Vec<_> =
            leaves.iter().map(|leaf| leaf.shredded(self.places.len(), names)).collect();
        let mut rows = Vec::with_capacity(BLOCK_ROWS);
        let mut arenas = Vec::with_capacity(BLOCK_ROWS);
        let mut lists = Lists::default();
        let mut all = ahead(self.rows(), |(_, row)| prefetch(row)).peekable();
        while all.peek().is_some() {
            rows.clear();
            arenas.clear();
            for (batch, row) in all.by_ref().take(BLOCK_ROWS) {
                rows.push(*row);
                arenas.push(&batch.arena);
            }
            lists.clear();
            for (leaf, shredded) in leaves.iter().zip(&mut shredded) {
                leaf.shred(Block { rows: &rows, arenas: &arenas }, &mut lists, shredded);
            }
        }
        shredded
    }

    /// Forgets the type.
    pub(crate) fn erase(self, month: Month, held: usize) -> RowGroup {
        let ts = |row: Option<(&Batch<R>, &Row<R>)>| row.map_or(0, |(_, row)| microseconds(row.envelope.ts));
        let range = (ts(self.rows().next()), ts(self.rows().last()));
        RowGroup {
            table: &self.table.table,
            month,
            rows: self.places.len(),
            ts: range,
            held,
            group: Box::new(self),
        }
    }
}

impl<R: Record> Encode for Group<R> {
    fn shred(&self, columns: Range<usize>, names: &Names) -> usize {
        let shredded = std::hint::black_box(self.shredded(&columns, names));
        shredded.iter().map(|shredded| shredded.levels.rows).sum()
    }

    fn encode(&self, columns: Range<usize>, names: &Names) -> Result<Vec<EncodedColumn>> {
        let leaves = self.table.leaves.get(columns.clone()).unwrap_or_default();
        let descriptors = self.table.table.descriptor().columns().iter().skip(columns.start);
        leaves
            .iter()
            .zip(self.shredded(&columns, names))
            .zip(descriptors)
            .map(|((leaf, shredded), descriptor)| {
                chunk::encode(descriptor.clone(), shredded, leaf.layout, leaf.bloom)
            })
            .collect()
    }

    fn json(&self, names: &Names, out: &mut String) {
        for (batch, row) in self.rows() {
            json::row(&self.table.columns, row, &batch.arena, names, out);
            out.push('\n');
        }
    }
}

/// A Parquet file of one table: row groups are spliced into it as they come.
pub struct TableFile<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    rows: u64,
    ts: Option<(i64, i64)>,
}

impl<W: Write + Send> fmt::Debug for TableFile<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableFile").field("rows", &self.rows).field("ts", &self.ts).finish_non_exhaustive()
    }
}

impl<W: Write + Send> TableFile<W> {
    /// Begins a file. It writes in small pieces: `out` should be buffered.
    pub fn new(table: &Table, out: W, sensor: &str, sensor_version: &str) -> Result<Self> {
        let schema = table.descriptor().root_schema_ptr();
        let writer = SerializedFileWriter::new(out, schema, table.properties(sensor, sensor_version))?;
        Ok(Self { writer, rows: 0, ts: None })
    }

    /// Appends a row group, whose `columns` are all there and in order.
    pub fn append(&mut self, group: &RowGroup, columns: Vec<EncodedColumn>) -> Result<()> {
        let mut row_group = self.writer.next_row_group()?;
        for column in columns {
            row_group.append_column(&column.bytes, column.close)?;
        }
        row_group.close()?;
        self.rows += group.rows as u64;
        let (least, greatest) = self.ts.unwrap_or(group.ts);
        self.ts = Some((least.min(group.ts.0), greatest.max(group.ts.1)));
        Ok(())
    }

    /// Adds an entry to the file's metadata.
    pub fn note(&mut self, key: &str, value: &str) {
        self.writer.append_key_value_metadata(KeyValue::new(key.to_owned(), value.to_owned()));
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Row groups so far; Parquet takes at most 32,767 in a file.
    pub fn row_groups(&self) -> usize {
        self.writer.flushed_row_groups().len()
    }

    /// Bytes so far.
    pub fn bytes_written(&self) -> u64 {
        self.writer.bytes_written() as u64
    }

    /// Writes indexes and footer, and gives back what was written to.
    pub fn finish(mut self) -> Result<W> {
        if let Some((least, greatest)) = self.ts {
            self.note(TS_MIN_KEY, &least.to_string());
            self.note(TS_MAX_KEY, &greatest.to_string());
        }
        self.writer.into_inner()
    }
}
