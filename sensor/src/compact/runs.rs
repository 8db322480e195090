//! The runs of a merge: all row groups of the chosen files, or, where too many overlap to be read at the same time, files
//! in which some of them have been merged already.

use std::io::BufWriter;
use std::sync::Arc;

use anyhow::Error;
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::Problem;
use super::choose::{Chosen, Group};
use super::merge::{AT_ONCE, Merge, Run};
use crate::folder::Folder;

/// Runs, in the order in which rows that are equal come.
pub(super) struct Runs {
    runs: Vec<Run>,
    spilled: usize,
}

impl Runs {
    /// One for each row group.
    pub(super) fn of(chosen: &Chosen) -> Self {
        let mut runs = Vec::new();
        for (number, source) in chosen.sources.iter().enumerate() {
            let sources = Arc::from([number]);
            for (at, group) in source.groups.iter().enumerate() {
                let columns = chosen.table.descriptor().num_columns() as u64;
                let Reading { batch, memory, is_whole } = Reading::of(group, columns);
                runs.push(Run {
                    name: source.item.name.clone(),
                    is_spilled: false,
                    groups: vec![at],
                    ts: group.ts,
                    memory: memory + if is_whole { 0 } else { source.item.size.min(AT_ONCE) },
                    bytes: source.item.size,
                    batch,
                    is_whole,
                    sources: Arc::clone(&sources),
                    is_sorted: true,
                });
            }
        }
        Self { runs, spilled: 0 }
    }

    /// The same, sorted in memory, for they are not what they say. No more than a few at a time can be.
    pub(super) fn unsorted(mut self) -> Self {
        for run in &mut self.runs {
            run.is_sorted = false;
            run.ts.0 = i64::MIN;
            run.memory = run.memory.max(UNSORTED);
        }
        self
    }

    /// Merges those that overlap too much into files in the new folder, until the rest can be read within so much memory.
    pub(super) fn fit_memory(
        &mut self,
        chosen: &Chosen,
        old: &Folder,
        new: &Folder,
        memory: u64,
    ) -> Result<(), Problem> {
        while most_at_a_time(&self.runs) > memory && self.runs.len() > FEWEST {
            self.runs.sort_by_key(|run| run.ts.0);
            let mut rest = std::mem::take(&mut self.runs).into_iter().peekable();
            let mut merged = Vec::new();
            while rest.peek().is_some() {
                let mut some: Vec<Run> = Vec::new();
                let mut sum = 0;
                // Two at least, or there would be as many as before.
                while let Some(run) = rest.next_if(|run| some.len() < 2 || sum + run.memory <= memory) {
                    sum += run.memory;
                    some.push(run);
                }
                merged.push(self.spill(some, chosen, old, new)?);
            }
            self.runs = merged;
        }
        Ok(())
    }

    /// Begins the merge.
    pub(super) fn merge<'a>(
        &self,
        chosen: &'a Chosen,
        old: &'a Folder,
        new: &'a Folder,
    ) -> Result<Merge<'a>, Problem> {
        Ok(Merge::new(self.runs.clone(), chosen.sources.len(), chosen.schema(), old, new))
    }

    /// Removes the files that were made on the way.
    pub(super) fn remove_spilled(&self, new: &Folder) -> Result<(), Problem> {
        for number in 0..self.spilled {
            new.remove(spilled_name(number))?;
        }
        Ok(())
    }

    /// Merges runs into a file.
    fn spill(&mut self, runs: Vec<Run>, chosen: &Chosen, old: &Folder, new: &Folder) -> Result<Run, Problem> {
        let name = spilled_name(self.spilled);
        self.spilled += 1;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).map_err(Error::from)?))
            .set_statistics_enabled(EnabledStatistics::None)
            .set_max_row_group_row_count(Some(SPILLED_ROWS))
            .set_max_row_group_bytes(Some(SPILLED_BYTES))
            .build();
        let ended: Vec<Run> = runs.iter().filter(|run| run.is_spilled).cloned().collect();
        let mut sources: Vec<usize> = runs.iter().flat_map(|run| run.sources.iter().copied()).collect();
        sources.sort_unstable();
        sources.dedup();
        let schema = chosen.schema();
        let mut merge = Merge::new(runs, chosen.sources.len(), schema, old, new);
        let file = BufWriter::with_capacity(1 << 18, new.create(&name)?);
        let mut writer =
            ArrowWriter::try_new(file, Arc::clone(schema), Some(properties)).map_err(Error::from)?;
        let mut ts: Option<(i64, i64)> = None;
        while let Some(batch) = merge.next(usize::MAX)? {
            writer.write(&batch).map_err(Error::from)?;
            if let Some((oldest, newest)) = range(&batch) {
                ts = Some((ts.map_or(oldest, |ts| ts.0), newest));
            }
        }
        let written = writer.close().map_err(Error::from)?;
        drop(merge);
        for run in ended {
            new.remove(&*run.name)?;
        }
        let groups = written.row_groups();
        let of = |group: &parquet::file::metadata::RowGroupMetaData| Group {
            rows: group.num_rows().unsigned_abs(),
            ts: (i64::MIN, i64::MAX),
            bytes: group.total_byte_size().unsigned_abs(),
        };
        let groups: Vec<Group> = groups.iter().map(of).collect();
        let columns = chosen.table.descriptor().num_columns() as u64;
        let readings: Vec<Reading> = groups.iter().map(|group| Reading::of(group, columns)).collect();
        Ok(Run {
            bytes: new.look(&*name)?.map_or(0, |entry| entry.size),
            name,
            is_spilled: true,
            memory: readings.iter().map(|reading| reading.memory).max().unwrap_or_default(),
            groups: (0..groups.len()).collect(),
            ts: ts.unwrap_or((i64::MIN, i64::MAX)),
            batch: readings.iter().map(|reading| reading.batch).min().unwrap_or(1),
            is_whole: false,
            sources: sources.into(),
            is_sorted: true,
        })
    }
}

/// Least and greatest `ts` of sorted rows.
pub(super) fn range(batch: &RecordBatch) -> Option<(i64, i64)> {
    let ts = batch.column_by_name("ts")?.as_primitive_opt::<TimestampMicrosecondType>()?;
    Some((*ts.values().first()?, *ts.values().last()?))
}

fn spilled_name(number: usize) -> String {
    format!(".spilled-{number}.tmp")
}

/// How a row group is read.
struct Reading {
    /// Rows at a time.
    batch: usize,
    /// Whether these are all.
    is_whole: bool,
    /// What that takes, at most.
    memory: u64,
}

impl Reading {
    fn of(group: &Group, columns: u64) -> Self {
        // What a dictionary holds once is there for each row when it is decoded.
        let decoded = |rows: u64| 2 * group.bytes * rows / group.rows.max(1) + rows * columns * VALUE;
        let whole = decoded(group.rows);
        if whole <= WHOLE {
            return Self { batch: group.rows.max(1) as usize, is_whole: true, memory: whole };
        }
        let each = decoded(1).max(1);
        let batch = (BATCH_BYTES / each).clamp(64, 1024);
        let pages = group.bytes.min(group.bytes * PAGE_ROWS / group.rows.max(1));
        Self { batch: batch as usize, is_whole: false, memory: columns * COLUMN + pages + 2 * each * batch }
    }
}

/// The most memory that runs take which are open at the same time.
fn most_at_a_time(runs: &[Run]) -> u64 {
    let mut changes: Vec<(i64, bool, u64)> = Vec::new();
    for run in runs {
        changes.push((run.ts.0, false, run.memory));
        changes.push((run.ts.1, true, run.memory));
    }
    // One that begins when another ends is open together with it.
    changes.sort_unstable();
    let (mut now, mut most) = (0_u64, 0);
    for (_, ends, memory) in changes {
        now = if ends { now.saturating_sub(memory) } else { now + memory };
        most = most.max(now);
    }
    most
}

/// Bytes of rows that are read at a time.
const BATCH_BYTES: u64 = 512 << 10;

/// Bytes of decoded rows that are read at once, for less than their decoder would take.
const WHOLE: u64 = 3 << 20;

/// What a value takes beside its text.
const VALUE: u64 = 12;

/// What the decoder of a column takes.
const COLUMN: u64 = 128 << 10;

/// Rows of a page, at most.
const PAGE_ROWS: u64 = 20_000;

/// What a row group that is sorted in memory takes, at most.
const UNSORTED: u64 = 64 << 20;

/// So few are merged whatever they take.
const FEWEST: usize = 2;

/// Rows and bytes of a row group of a file that is made on the way.
const SPILLED_ROWS: usize = 64 << 10;
const SPILLED_BYTES: usize = 8 << 20;
