//! Which files of a partition are joined.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::{PageIndexPolicy, RowGroupMetaData};
use parquet::file::statistics::Statistics;
use schemas::envelope::Nanoseconds;
use schemas::table::{SENSOR_KEY, SENSOR_VERSION_KEY, TABLE_KEY, Table};

use super::{Bounds, Partition, Problem, fit};
use crate::folder::Folder;
use crate::output::footer;
use crate::output::tree::{self, Item};

/// What can be done about a partition.
pub(super) enum Choice {
    /// There is nothing to join.
    Nothing,
    /// It was written to not long ago.
    Busy,
    /// These files may be joined.
    Chosen(Chosen),
}

/// Files that are joined, the oldest first, and what else was found.
pub(super) struct Chosen {
    pub(super) table: &'static Table,
    pub(super) sources: Vec<Source>,
    /// Files left as they are because a journal still holds what they were written from.
    pub(super) held: u64,
    /// Files left as they are because they have columns that are not known here.
    pub(super) newer: u64,
}

/// A file that is joined with others.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) item: Item,
    pub(super) inputs: Vec<String>,
    pub(super) sensors: Vec<String>,
    pub(super) versions: Vec<String>,
    pub(super) groups: Vec<Group>,
}

/// A row group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    pub(super) rows: u64,
    /// Least and greatest `ts`; as wide as can be where the file does not say.
    pub(super) ts: (i64, i64),
    /// Bytes of its columns before they were compressed.
    pub(super) bytes: u64,
}

impl Chosen {
    pub(super) fn schema(&self) -> &SchemaRef {
        self.table.arrow_schema()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.sources.iter().map(|source| source.item.size).sum()
    }

    pub(super) fn rows(&self) -> u64 {
        self.sources.iter().map(Source::rows).sum()
    }
}

/// Looks through a partition: what is small and ours is joined, the oldest first, as much as a round takes.
pub(super) fn choose(
    folder: &Folder,
    partition: &Partition<'_>,
    quiet: std::time::Duration,
) -> Result<Choice, Problem> {
    let Some(table) = schemas::table::table(&partition.place.table) else { return Ok(Choice::Nothing) };
    let bounds = partition.compact.bounds;
    let mut small = tree::files(folder)?;
    small.retain(|item| item.size < bounds.file_bytes / 2);
    if small.len() < 2 {
        return Ok(Choice::Nothing);
    }
    if !is_quiet(folder, partition.now, quiet)? {
        return Ok(Choice::Busy);
    }
    let mut chosen = Chosen { table, sources: Vec::new(), held: 0, newer: 0 };
    for item in small {
        match Source::read(folder, item, table)? {
            Read::Ours(source) => chosen.sources.push(source),
            Read::Newer => chosen.newer += 1,
            Read::Foreign => {}
        }
    }
    // Asked now, and not before: what is not in the journal after its file was found will not be written again.
    let journal = (partition.journal)(&partition.compact.lake)?;
    let before = chosen.sources.len();
    chosen.sources.retain(|source| source.inputs.iter().all(|input| !journal.contains(input)));
    chosen.held = (before - chosen.sources.len()) as u64;
    chosen.sources.sort_by(|a, b| (a.oldest(), &a.item.name).cmp(&(b.oldest(), &b.item.name)));
    chosen.sources.truncate(first_round(&chosen.sources, bounds));
    Ok(Choice::Chosen(chosen))
}

/// How many files a round takes: two at least.
fn first_round(sources: &[Source], bounds: Bounds) -> usize {
    let mut bytes = 0;
    let within = sources.iter().take_while(|source| {
        bytes += source.item.size;
        bytes <= bounds.round_bytes
    });
    within.count().max(2)
}

/// Whether nothing was written to a folder, or taken out of it, for so long.
fn is_quiet(folder: &Folder, now: Nanoseconds, quiet: std::time::Duration) -> io::Result<bool> {
    if quiet.is_zero() {
        return Ok(true);
    }
    let mut newest = folder.nature()?.modified;
    for name in folder.all_names()? {
        if let Some(entry) = folder.look(&*name)? {
            newest = newest.max(entry.modified);
        }
    }
    let newest = i128::from(newest.0) * 1_000_000_000 + i128::from(newest.1);
    Ok(i128::from(now) - newest >= i128::try_from(quiet.as_nanos()).unwrap_or(i128::MAX))
}

/// What a file turned out to be.
enum Read {
    Ours(Source),
    /// It has columns that are not known here.
    Newer,
    /// It does not say that it is of this table.
    Foreign,
}

impl Source {
    fn read(folder: &Folder, item: Item, table: &'static Table) -> Result<Read, Problem> {
        let damaged = |error: anyhow::Error| Problem::of_file(&item.name, error);
        let file = folder.read(&item.name).map_err(|error| damaged(error.into()))?;
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Skip);
        let read = ArrowReaderMetadata::load(&file, options).map_err(|error| damaged(error.into()))?;
        let metadata = read.metadata();
        if footer::entry(metadata, TABLE_KEY) != Some(table.name) {
            return Ok(Read::Foreign);
        }
        if !fit::fits(read.schema().fields(), table.arrow_schema().fields()) {
            return Ok(Read::Newer);
        }
        let lines = |key| -> Vec<String> {
            footer::entry(metadata, key).unwrap_or_default().lines().map(str::to_owned).collect()
        };
        Ok(Read::Ours(Self {
            inputs: footer::inputs(metadata),
            sensors: lines(SENSOR_KEY),
            versions: lines(SENSOR_VERSION_KEY),
            groups: metadata.row_groups().iter().map(Group::of).collect(),
            item,
        }))
    }

    pub(super) fn rows(&self) -> u64 {
        self.groups.iter().map(|group| group.rows).sum()
    }

    fn oldest(&self) -> i64 {
        self.groups.iter().map(|group| group.ts.0).min().unwrap_or(i64::MIN)
    }
}

impl Group {
    fn of(group: &RowGroupMetaData) -> Self {
        let ts = group.columns().iter().find(|column| column.column_path().string() == "ts");
        let ts = match ts.and_then(|column| column.statistics()) {
            Some(Statistics::Int64(values)) => values.min_opt().copied().zip(values.max_opt().copied()),
            _ => None,
        };
        Self {
            rows: group.num_rows().unsigned_abs(),
            ts: ts.unwrap_or((i64::MIN, i64::MAX)),
            bytes: group.columns().iter().map(|column| column.uncompressed_size().unsigned_abs()).sum(),
        }
    }
}

/// What occurs in any of the files, each once and in order.
pub(super) fn union<'a>(lists: impl Iterator<Item = &'a Vec<String>>) -> Vec<&'a str> {
    let all: BTreeSet<&str> = lists.flatten().map(String::as_str).collect();
    all.into_iter().collect()
}

/// The version of a table's schema, for metadata: joined rows have all columns of this one.
pub(super) fn version(table: &Table) -> String {
    table.version.to_string()
}

/// Shared, for those that are read at the same time.
pub(super) type Sources = Arc<[usize]>;
