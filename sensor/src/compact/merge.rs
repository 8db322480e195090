//! The merge: row groups that are sorted in themselves, as one stream of rows in the order of (`ts`, `uid`).
//!
//! A row group is opened when its first row's turn comes, so those of a sensor, which follow each other, are read nearly one
//! at a time.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::io::Read as _;
use std::ops::Range;
use std::sync::Arc;

use anyhow::{Context, Error};
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, PrimitiveArray, RecordBatch, StringArray, UInt64Array};
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use arrow_select::interleave::interleave_record_batch;
use arrow_select::take::take_record_batch;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::reader::ChunkReader;
use smallvec::SmallVec;

use super::choose::Sources;
use super::{Problem, fit};
use crate::folder::Folder;

/// A part of a file that is sorted in itself.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// Name of the file, in the partition or, if it was spilled, in the new folder.
    pub(super) name: String,
    pub(super) is_spilled: bool,
    /// Row groups, in order.
    pub(super) groups: Vec<usize>,
    /// Least and greatest `ts`.
    pub(super) ts: (i64, i64),
    /// Memory that reading takes.
    pub(super) memory: u64,
    /// Bytes of the file.
    pub(super) bytes: u64,
    /// Rows read at a time.
    pub(super) batch: usize,
    /// Whether these are all: then nothing but them is held.
    pub(super) is_whole: bool,
    /// Files that the rows are from.
    pub(super) sources: Sources,
    /// Whether it is sorted as it says; else it is sorted in memory.
    pub(super) is_sorted: bool,
}

/// Runs being merged.
pub(super) struct Merge<'a> {
    old: &'a Folder,
    new: &'a Folder,
    schema: &'a SchemaRef,
    /// Runs whose turn has not come, by their first row.
    waiting: VecDeque<(usize, Run)>,
    open: Vec<Option<Cursor>>,
    heads: BinaryHeap<Head>,
    /// Which files have given rows since this was asked last.
    sources: Vec<bool>,
}

/// The next row of an open run; the greatest is the one whose turn it is.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    ts: i64,
    uid: Uid,
    /// Number of the run, for rows that are equal: as they came.
    order: usize,
    slot: usize,
}

/// A flow's identifier; what has none comes first.
type Uid = SmallVec<[u8; 24]>;

impl Head {
    fn key(&self) -> (i64, &[u8], usize) {
        (self.ts, &self.uid, self.order)
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(&self.key())
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A run at one of its rows.
struct Cursor {
    run: Run,
    order: usize,
    rows: Rows,
    batch: RecordBatch,
    keys: Keys,
    at: usize,
    /// Where the batch stands among those of the current piece.
    listed: Option<usize>,
}

/// Where the rows of a run come from.
enum Rows {
    File(Box<ParquetRecordBatchReader>),
    /// All of them, or none that are left.
    Memory(Option<RecordBatch>),
}

/// What the rows of a batch are sorted by.
#[derive(Clone)]
struct Keys {
    ts: PrimitiveArray<TimestampMicrosecondType>,
    uid: Option<StringArray>,
}

impl Keys {
    fn of(batch: &RecordBatch) -> Result<Self, Error> {
        let ts =
            batch.column_by_name("ts").and_then(|ts| ts.as_primitive_opt()).context("no column \"ts\"")?;
        let uid = batch.column_by_name("uid").and_then(|uid| uid.as_string_opt::<i32>());
        Ok(Self { ts: ts.clone(), uid: uid.cloned() })
    }

    fn ts(&self, row: usize) -> i64 {
        self.ts.value(row)
    }

    fn uid(&self, row: usize) -> &[u8] {
        match &self.uid {
            Some(uid) if uid.is_valid(row) => uid.value(row).as_bytes(),
            _ => &[],
        }
    }

    fn key(&self, row: usize) -> (i64, &[u8]) {
        (self.ts(row), self.uid(row))
    }

    fn is_sorted(&self) -> bool {
        (1..self.ts.len()).all(|row| {
            let (before, ts) = (self.ts(row - 1), self.ts(row));
            before < ts || before == ts && self.uid(row - 1) <= self.uid(row)
        })
    }
}

impl<'a> Merge<'a> {
    /// Begins a merge of `runs`; rows get the columns of `schema`. There are so many source files.
    pub(super) fn new(
        runs: Vec<Run>,
        sources: usize,
        schema: &'a SchemaRef,
        old: &'a Folder,
        new: &'a Folder,
    ) -> Self {
        let mut waiting: Vec<(usize, Run)> = runs.into_iter().enumerate().collect();
        waiting.sort_by_key(|(order, run)| (run.ts.0, *order));
        Self {
            old,
            new,
            schema,
            waiting: waiting.into(),
            open: Vec::new(),
            heads: BinaryHeap::new(),
            sources: vec![false; sources],
        }
    }

    /// The next rows, `most` at most; none at the end.
    pub(super) fn next(&mut self, most: usize) -> Result<Option<RecordBatch>, Problem> {
        let mut batches: Vec<RecordBatch> = Vec::new();
        let mut pieces: Vec<(usize, Range<usize>)> = Vec::new();
        let mut rows = 0;
        self.open.iter_mut().flatten().for_each(|cursor| cursor.listed = None);
        let most = most.min(PIECE);
        while rows < most {
            self.open_due()?;
            let Some(head) = self.heads.pop() else { break };
            let Some(cursor) = self.open.get_mut(head.slot).and_then(Option::as_mut) else { break };
            let due = self.waiting.front().map(|(_, run)| run.ts.0);
            let end = cursor.end(self.heads.peek(), due).min(cursor.at + most - rows);
            let listed = *cursor.listed.get_or_insert_with(|| {
                batches.push(cursor.batch.clone());
                batches.len() - 1
            });
            for &source in cursor.run.sources.iter() {
                if let Some(gave) = self.sources.get_mut(source) {
                    *gave = true;
                }
            }
            rows += end - cursor.at;
            pieces.push((listed, cursor.at..end));
            cursor.at = end;
            if cursor.at == cursor.batch.num_rows() && !cursor.load(self.schema)? {
                if let Some(slot) = self.open.get_mut(head.slot) {
                    *slot = None;
                }
            } else {
                self.heads.push(cursor.head(head.slot));
            }
        }
        let joined = match pieces.as_slice() {
            [] => return Ok(None),
            [(listed, range)] => batches.get(*listed).map(|batch| batch.slice(range.start, range.len())),
            _ => {
                let indices: Vec<(usize, usize)> = pieces
                    .iter()
                    .flat_map(|(listed, range)| range.clone().map(move |row| (*listed, row)))
                    .collect();
                let batches: Vec<&RecordBatch> = batches.iter().collect();
                Some(interleave_record_batch(&batches, &indices).map_err(Error::from)?)
            }
        };
        Ok(joined)
    }

    /// Which of the source files have given rows since this was asked last.
    pub(super) fn sources(&mut self) -> Vec<bool> {
        let none = vec![false; self.sources.len()];
        std::mem::replace(&mut self.sources, none)
    }

    /// Opens the runs whose first row comes before the next one, or might.
    fn open_due(&mut self) -> Result<(), Problem> {
        while let Some((_, run)) = self.waiting.front()
            && self.heads.peek().is_none_or(|head| run.ts.0 <= head.ts)
        {
            let Some((order, run)) = self.waiting.pop_front() else { break };
            let folder = if run.is_spilled { self.new } else { self.old };
            if let Some(cursor) = Cursor::open(run, order, folder, self.schema)? {
                let free = self.open.iter().position(Option::is_none);
                let slot = free.unwrap_or_else(|| {
                    self.open.push(None);
                    self.open.len() - 1
                });
                self.heads.push(cursor.head(slot));
                if let Some(place) = self.open.get_mut(slot) {
                    *place = Some(cursor);
                }
            }
        }
        Ok(())
    }
}

impl Cursor {
    /// Opens a run at its first row; none where it has no rows.
    fn open(run: Run, order: usize, folder: &Folder, schema: &SchemaRef) -> Result<Option<Self>, Problem> {
        let damaged = |error: Error| Problem::of_file(&run.name, error);
        let open = || -> Result<ParquetRecordBatchReader, Error> {
            let mut file = folder.read(&run.name)?;
            if run.bytes > AT_ONCE {
                return read(file, &run);
            }
            let mut bytes = Vec::with_capacity(run.bytes as usize);
            file.read_to_end(&mut bytes)?;
            read(Bytes::from(bytes), &run)
        };
        let mut reader = open().map_err(damaged)?;
        let rows = if run.is_sorted {
            Rows::File(Box::new(reader))
        } else {
            let all: Result<Vec<RecordBatch>, Error> =
                reader.by_ref().map(|batch| Ok(fit::fit(&batch?, schema)?)).collect();
            let all = all.map_err(damaged)?;
            Rows::Memory(Some(sorted(&all, schema)?))
        };
        let batch = RecordBatch::new_empty(Arc::clone(schema));
        let keys = Keys::of(&batch)?;
        let mut cursor = Self { run, order, rows, batch, keys, at: 0, listed: None };
        Ok(cursor.load(schema)?.then_some(cursor))
    }

    /// Reads the next rows; says whether there are any.
    fn load(&mut self, schema: &SchemaRef) -> Result<bool, Problem> {
        let damaged = |error: Error| Problem::of_file(&self.run.name, error);
        loop {
            let batch = match &mut self.rows {
                Rows::Memory(rows) => rows.take(),
                Rows::File(reader) => match reader.next() {
                    Some(read) => Some(
                        read.and_then(|batch| fit::fit(&batch, schema))
                            .map_err(|error| damaged(error.into()))?,
                    ),
                    None => None,
                },
            };
            let Some(batch) = batch else { return Ok(false) };
            if self.run.is_whole {
                self.rows = Rows::Memory(None);
            }
            if batch.num_rows() == 0 {
                continue;
            }
            let keys = Keys::of(&batch).map_err(damaged)?;
            let follows = match self.batch.num_rows() {
                0 => true,
                rows => self.keys.key(rows - 1) <= keys.key(0),
            };
            if !follows || !keys.is_sorted() || keys.ts(0) < self.run.ts.0 {
                return Err(Problem::Unsorted);
            }
            (self.batch, self.keys, self.at, self.listed) = (batch, keys, 0, None);
            return Ok(true);
        }
    }

    /// Where the rows end that come before the next row of any other run, or of one that is not open yet.
    fn end(&self, next: Option<&Head>, due: Option<i64>) -> usize {
        let comes_first = |row: usize| {
            let ts = self.keys.ts(row);
            due.is_none_or(|due| ts < due)
                && next.is_none_or(|next| {
                    ts < next.ts || ts == next.ts && (ts, self.keys.uid(row), self.order) < next.key()
                })
        };
        let rows = self.batch.num_rows();
        // The first one's turn has come. The last one tells of all.
        if comes_first(rows - 1) {
            return rows;
        }
        (self.at + 1..rows).find(|&row| !comes_first(row)).unwrap_or(rows)
    }

    fn head(&self, slot: usize) -> Head {
        Head { ts: self.keys.ts(self.at), uid: self.keys.uid(self.at).into(), order: self.order, slot }
    }
}

/// Begins to read a run.
fn read(file: impl ChunkReader + 'static, run: &Run) -> Result<ParquetRecordBatchReader, Error> {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Skip);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)?;
    Ok(builder.with_row_groups(run.groups.clone()).with_batch_size(run.batch).build()?)
}

/// Rows in order, those that are equal as they came.
fn sorted(batches: &[RecordBatch], schema: &SchemaRef) -> Result<RecordBatch, Error> {
    let all = concat_batches(schema, batches)?;
    let keys = Keys::of(&all)?;
    let mut order: Vec<usize> = (0..all.num_rows()).collect();
    order.sort_by(|&a, &b| keys.key(a).cmp(&keys.key(b)));
    Ok(take_record_batch(&all, &UInt64Array::from_iter_values(order.iter().map(|&row| row as u64)))?)
}

/// Bytes of a file that is read at once.
pub(super) const AT_ONCE: u64 = 4 << 20;

/// Rows that are handed on at a time.
const PIECE: usize = 4096;
