//! Joined files: rows in order, cut into row groups of equal size, with everything in them that a sensor's files have.

use std::fs;
use std::io::BufWriter;
use std::sync::Arc;

use anyhow::{Context, Error};
use arrow_array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::metadata::KeyValue;
use schemas::lake::INPUTS_KEY;
use schemas::table::{SCHEMA_VERSION_KEY, SENSOR_KEY, SENSOR_VERSION_KEY, TABLE_KEY, TS_MAX_KEY, TS_MIN_KEY};

use super::choose::{Chosen, union, version};
use super::{Bounds, Problem, runs};
use crate::folder::{Folder, Owner};
use crate::output::exchange::JOINED;

/// Writes files into the new folder.
pub(super) struct Writer<'a> {
    new: &'a Folder,
    chosen: &'a Chosen,
    token: &'a str,
    owner: Owner,
    file_bytes: u64,
    /// Rows of a row group.
    group_rows: usize,
    open: Option<Open>,
    written: Vec<File>,
}

/// A file that was written.
#[derive(Debug)]
pub(super) struct File {
    /// Its name until the exchange.
    pub(super) hidden: String,
    /// Its name from then on.
    pub(super) name: String,
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

/// A file that is being written.
struct Open {
    writer: ArrowWriter<BufWriter<fs::File>>,
    hidden: String,
    name: String,
    rows: u64,
    rows_of_group: usize,
    ts: Option<(i64, i64)>,
    /// Which of the chosen files gave rows.
    sources: Vec<bool>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        new: &'a Folder,
        chosen: &'a Chosen,
        token: &'a str,
        bounds: Bounds,
        owner: Owner,
    ) -> Self {
        let (rows, bytes) = (chosen.rows().max(1), chosen.bytes().max(1));
        let by_bytes = u128::from(rows) * u128::from(bounds.group_bytes) / u128::from(bytes);
        let most = u64::try_from(by_bytes).unwrap_or(u64::MAX).clamp(1, bounds.group_rows.max(1) as u64);
        // All of one size, so that no last one is too small for a bloom filter.
        let group_rows = rows.div_ceil(rows.div_ceil(most));
        Self {
            new,
            chosen,
            token,
            owner,
            file_bytes: bounds.file_bytes,
            group_rows: group_rows as usize,
            open: None,
            written: Vec::new(),
        }
    }

    /// Rows that the row group still takes.
    pub(super) fn room(&self) -> usize {
        self.group_rows - self.open.as_ref().map_or(0, |open| open.rows_of_group)
    }

    /// Writes rows, no more than there is room for, that are from these of the chosen files.
    pub(super) fn write(&mut self, batch: &RecordBatch, sources: Vec<bool>) -> Result<(), Problem> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.create()?,
        };
        open.writer.write(batch).map_err(writing)?;
        open.rows += batch.num_rows() as u64;
        open.rows_of_group += batch.num_rows();
        open.sources.iter_mut().zip(sources).for_each(|(gave, gives)| *gave |= gives);
        if let Some((oldest, newest)) = runs::range(batch) {
            open.ts = Some((open.ts.map_or(oldest, |ts| ts.0), newest));
        }
        if open.rows_of_group >= self.group_rows {
            open.writer.flush().map_err(writing)?;
            open.rows_of_group = 0;
            // The next one will be about as large.
            let (bytes, groups) =
                (open.writer.bytes_written(), open.writer.flushed_row_groups().len().max(1));
            if (bytes + bytes / groups) as u64 > self.file_bytes {
                return self.close(open);
            }
        }
        self.open = Some(open);
        Ok(())
    }

    /// Ends the last file, and says what was written. All of it is on disk, but for the names.
    pub(super) fn finish(mut self) -> Result<Vec<File>, Problem> {
        if let Some(open) = self.open.take() {
            self.close(open)?;
        }
        Ok(self.written)
    }

    fn create(&self) -> Result<Open, Problem> {
        let table = self.chosen.table;
        let entry = |key: &str, value: String| KeyValue::new(key.to_owned(), value);
        let entries =
            vec![entry(TABLE_KEY, table.name.to_owned()), entry(SCHEMA_VERSION_KEY, version(table))];
        let properties = table
            .joined_properties(self.group_rows, env!("CARGO_PKG_VERSION"), entries)
            .map_err(Error::from)?;
        let name = format!("{JOINED}{}-{:05}.parquet", self.token, self.written.len());
        let hidden = format!(".{name}.tmp");
        let file = self.new.create_for(&hidden, self.owner).context("making a joined file")?;
        let options =
            ArrowWriterOptions::new().with_properties(properties).with_schema_root("schema".to_owned());
        let buffered = BufWriter::with_capacity(BUFFER, file);
        let schema = Arc::clone(self.chosen.schema());
        let writer = ArrowWriter::try_new_with_options(buffered, schema, options).map_err(writing)?;
        let sources = vec![false; self.chosen.sources.len()];
        Ok(Open { writer, hidden, name, rows: 0, rows_of_group: 0, ts: None, sources })
    }

    fn close(&mut self, open: Open) -> Result<(), Problem> {
        let Open { mut writer, hidden, name, rows, ts, sources, .. } = open;
        let of =
            || self.chosen.sources.iter().zip(&sources).filter(|(_, gave)| **gave).map(|(source, _)| source);
        let mut note =
            |key: &str, value: String| writer.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
        // A sensor's name may hold anything but an end of a line.
        note(SENSOR_KEY, union(of().map(|source| &source.sensors)).join("\n"));
        note(SENSOR_VERSION_KEY, union(of().map(|source| &source.versions)).join("\n"));
        note(INPUTS_KEY, union(of().map(|source| &source.inputs)).join(","));
        if let Some((oldest, newest)) = ts {
            note(TS_MIN_KEY, oldest.to_string());
            note(TS_MAX_KEY, newest.to_string());
        }
        let file = writer.into_inner().map_err(writing)?.into_inner().map_err(|error| error.into_error())?;
        file.sync_all().context("writing a joined file")?;
        let bytes = file.metadata()?.len();
        self.written.push(File { hidden, name, rows, bytes });
        Ok(())
    }
}

fn writing(error: parquet::errors::ParquetError) -> Problem {
    Problem::Failed(Error::from(error).context("writing a joined file"))
}

/// Bytes a file gathers before it asks the kernel.
const BUFFER: usize = 256 << 10;
