//! The newest rows of a table, read back from a lake: only the partitions, files, row groups and columns needed.

use std::cmp::Reverse;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, BooleanArray, RecordBatch};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowPredicateFn, ParquetRecordBatchReaderBuilder, RowFilter, RowSelection, RowSelector,
};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;

use super::folder::{entries, folders};
use super::render::{Leaf, column_names};
use super::tree::is_data;

/// Rows as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Names of the columns; a field of a struct is `struct.field`.
    pub columns: Vec<String>,
    /// One value a column; `None` is null.
    pub rows: Vec<Vec<Option<String>>>,
}

/// The `limit` newest rows of a table by `ts`, newest first: of all flows or of the one with this `uid`, with all
/// columns or those named (a struct's name stands for all its fields).
pub fn newest(
    lake: &Path,
    table: &str,
    limit: usize,
    columns: Option<&[String]>,
    uid: Option<&str>,
) -> Result<Table> {
    let mut reader =
        Reader { limit, columns, uid, shown: Table::default(), rows: Vec::new(), oldest_shown: None };
    for (_, partition) in partitions(lake, table)? {
        reader.read_partition(&partition)?;
        // Each partition holds rows older than all of the one before.
        if reader.rows.len() >= limit && !reader.shown.columns.is_empty() {
            break;
        }
    }
    if reader.shown.columns.is_empty()
        && let Some(columns) = columns
    {
        // A table without rows: there is nothing to check the names against.
        reader.shown.columns = columns.to_vec();
    }
    Ok(reader.into_table())
}

/// The tables of a lake, by name.
pub fn tables(lake: &Path) -> Result<Vec<String>> {
    if !lake.is_dir() {
        bail!("there is no lake {}", lake.display());
    }
    let tables = folders(lake, |name| !name.starts_with('.'))?;
    Ok(tables.iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
}

/// Whether a table of the lake has any file.
pub fn has_files(lake: &Path, table: &str) -> Result<bool> {
    for (_, partition) in partitions(lake, table)? {
        if entries(&partition)?.iter().any(|(_, name)| is_data(name)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The folders of a table by year and month, newest first.
fn partitions(lake: &Path, table: &str) -> Result<Vec<((i32, u8), PathBuf)>> {
    let mut known = tables(lake)?;
    if !known.iter().any(|name| name == table) {
        known.extend(schemas::table::tables().map(|table| table.name.to_owned()));
        if schemas::table::table(table).is_none() {
            bail!("there is no table {table:?}{}", nearest(table, &known));
        }
    }
    let mut partitions = Vec::new();
    for year in folders(&lake.join(table), |name| name.starts_with("year="))? {
        for month in folders(&year, |name| name.starts_with("month="))? {
            if let (Some(year), Some(month_number)) = (number(&year, "year="), number(&month, "month=")) {
                partitions.push(((year, month_number), month));
            }
        }
    }
    partitions.sort_unstable_by(|a, b| b.cmp(a));
    Ok(partitions)
}

fn number<T: std::str::FromStr>(folder: &Path, key: &str) -> Option<T> {
    folder.file_name()?.to_str()?.strip_prefix(key)?.parse().ok()
}

struct Reader<'a> {
    limit: usize,
    columns: Option<&'a [String]>,
    uid: Option<&'a str>,
    shown: Table,
    /// What was found so far, in no order.
    rows: Vec<Row>,
    /// The time that a row must reach to be shown; `None` while there is room.
    oldest_shown: Option<i64>,
}

/// A row, with what it is sorted by.
struct Row {
    /// Newest first; rows of the same time by row group, and there the last first.
    order: (Reverse<i64>, usize, Reverse<usize>),
    values: Vec<Option<String>>,
}

/// A row group that may hold rows to show.
struct Candidate {
    newest: i64,
    file: PathBuf,
    index: usize,
}

impl Reader<'_> {
    fn read_partition(&mut self, partition: &Path) -> Result<()> {
        let mut candidates = Vec::new();
        let mut known = Vec::new();
        for (file, name) in entries(partition)? {
            if !is_data(&name) {
                continue;
            }
            let builder = open(&file)?;
            let groups = builder.metadata().row_groups();
            self.show_columns(&column_names(builder.schema().fields()), &mut known);
            candidates.extend(groups.iter().enumerate().map(|(index, group)| Candidate {
                newest: newest_of(group),
                file: file.clone(),
                index,
            }));
        }
        if candidates.is_empty() {
            return Ok(());
        }
        for wanted in self.columns.unwrap_or_default() {
            if !self.shown.columns.iter().any(|name| is_in(name, wanted)) {
                bail!("there is no column {wanted:?}{}", nearest(wanted, &known));
            }
        }
        candidates.sort_unstable_by(|a, b| {
            (Reverse(a.newest), &a.file, a.index).cmp(&(Reverse(b.newest), &b.file, b.index))
        });
        for (order, candidate) in candidates.iter().enumerate() {
            if self.oldest_shown.is_some_and(|oldest| candidate.newest < oldest) {
                break;
            }
            self.read_group(candidate, order)
                .with_context(|| format!("reading {}", candidate.file.display()))?;
        }
        Ok(())
    }

    /// Adds the columns of a file to those known and to those shown; files of different versions may differ.
    fn show_columns(&mut self, names: &[String], known: &mut Vec<String>) {
        let shown = &mut self.shown.columns;
        match self.columns {
            Some(columns) => {
                for wanted in columns {
                    names.iter().filter(|name| is_in(name, wanted)).for_each(|name| add(name, shown));
                }
            }
            None => names.iter().for_each(|name| add(name, shown)),
        }
        names.iter().for_each(|name| add(name, known));
    }

    fn read_group(&mut self, candidate: &Candidate, order: usize) -> Result<()> {
        let mut builder = open(&candidate.file)?;
        let group = builder.metadata().row_group(candidate.index);
        let descriptor = builder.parquet_schema();
        let leaf = |wanted: &str| descriptor.columns().iter().position(|leaf| leaf.path().string() == wanted);
        let ts = leaf("ts").context("the table has no column \"ts\"")?;
        let mut projection = match self.columns {
            Some(_) => ProjectionMask::columns(descriptor, self.shown.columns.iter().map(String::as_str)),
            None => ProjectionMask::all(),
        };
        projection.union(&ProjectionMask::leaves(descriptor, [ts]));

        let rows = usize::try_from(group.num_rows())?;
        let mut skipped = 0;
        if let Some(uid) = self.uid {
            let column = leaf("uid").context("the table has no column \"uid\"")?;
            let mask = ProjectionMask::leaves(descriptor, [column]);
            let filter = builder.get_row_group_column_bloom_filter(candidate.index, column)?;
            if filter.is_some_and(|filter| !filter.check(&uid)) {
                return Ok(());
            }
            let uid = uid.to_owned();
            let predicate = ArrowPredicateFn::new(mask, move |batch| {
                let values = batch.column(0).as_string::<i32>();
                Ok(values.iter().map(|value| Some(value == Some(uid.as_str()))).collect::<BooleanArray>())
            });
            builder = builder.with_row_filter(RowFilter::new(vec![Box::new(predicate)]));
        } else if is_sorted_by(group, ts) && rows > self.limit {
            // The newest rows are the last ones.
            skipped = rows - self.limit;
            let selection = vec![RowSelector::skip(skipped), RowSelector::select(self.limit)];
            builder = builder.with_row_selection(RowSelection::from(selection));
        }
        let batches = builder.with_row_groups(vec![candidate.index]).with_projection(projection).build()?;
        let mut number = skipped;
        for batch in batches {
            let batch = batch?;
            self.take(&batch, order, number)?;
            number += batch.num_rows();
        }
        Ok(())
    }

    /// Keeps the rows of a batch that are among the newest so far.
    fn take(&mut self, batch: &RecordBatch, order: usize, first: usize) -> Result<()> {
        let times = batch.column_by_name("ts").context("the table has no column \"ts\"")?;
        let times =
            times.as_primitive_opt::<TimestampMicrosecondType>().context("\"ts\" is not a timestamp")?;
        let leaves = Leaf::of(batch);
        let places: Vec<Option<&Leaf>> =
            self.shown.columns.iter().map(|column| leaves.iter().find(|leaf| leaf.name == *column)).collect();
        for row in 0..batch.num_rows() {
            let ts = if times.is_null(row) { i64::MIN } else { times.value(row) };
            if self.oldest_shown.is_some_and(|oldest| ts < oldest) {
                continue;
            }
            let values = places
                .iter()
                .map(|leaf| leaf.map_or(Ok(None), |leaf| leaf.text(row)))
                .collect::<Result<Vec<_>>>()?;
            self.rows.push(Row { order: (Reverse(ts), order, Reverse(first + row)), values });
            if self.rows.len() >= self.limit.saturating_mul(2).max(MIN_KEPT) {
                self.sort();
            }
        }
        self.sort();
        Ok(())
    }

    fn sort(&mut self) {
        self.rows.sort_unstable_by_key(|row| row.order);
        self.rows.truncate(self.limit);
        if self.rows.len() == self.limit {
            self.oldest_shown = Some(self.rows.last().map_or(i64::MAX, |row| row.order.0.0));
        }
    }

    fn into_table(mut self) -> Table {
        self.sort();
        let width = self.shown.columns.len();
        self.shown.rows = self.rows.into_iter().map(|row| row.values).collect();
        for row in &mut self.shown.rows {
            row.resize(width, None);
        }
        self.shown
    }
}

fn add(name: &String, names: &mut Vec<String>) {
    if !names.contains(name) {
        names.push(name.clone());
    }
}

fn open(file: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let reading = || format!("reading {}", file.display());
    let opened = File::open(file).with_context(reading)?;
    ParquetRecordBatchReaderBuilder::try_new(opened).with_context(reading)
}

/// The largest `ts` of a row group; the end of time where the file does not say.
fn newest_of(group: &RowGroupMetaData) -> i64 {
    let ts = group.columns().iter().find(|column| column.column_path().string() == "ts");
    match ts.and_then(|column| column.statistics()) {
        Some(Statistics::Int64(values)) => values.max_opt().copied().unwrap_or(i64::MAX),
        _ => i64::MAX,
    }
}

fn is_sorted_by(group: &RowGroupMetaData, column: usize) -> bool {
    group
        .sorting_columns()
        .and_then(|columns| columns.first())
        .is_some_and(|first| usize::try_from(first.column_idx) == Ok(column) && !first.descending)
}

/// Whether a column is the one named, or a field of the struct named.
fn is_in(column: &str, wanted: &str) -> bool {
    column.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The end of an error about an unknown name.
fn nearest(wanted: &str, known: &[String]) -> String {
    match known.iter().min_by_key(|name| distance(wanted, name)) {
        Some(name) => format!("; the nearest name is {name:?}"),
        None => String::new(),
    }
}

/// Levenshtein's distance: how many characters must be changed, added or removed.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, to) in row.iter_mut().skip(1).zip(b.chars()) {
            let changed = diagonal + usize::from(from != to);
            diagonal = *cell;
            left = changed.min(left + 1).min(*cell + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// Rows below which sorting while reading is not worth its time.
const MIN_KEPT: usize = 4096;
