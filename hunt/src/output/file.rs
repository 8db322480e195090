//! Answers into files: whole, or not there.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use datafusion::arrow::array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

/// A file that gets its name when it is whole; before, it is hidden beside it, and gone if nothing comes of it.
#[derive(Debug)]
pub struct WholeFile {
    file: Option<BufWriter<File>>,
    temporary: PathBuf,
    target: PathBuf,
}

impl WholeFile {
    /// Begins a file.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(target: &Path) -> Result<Self> {
        let name = target.file_name().and_then(|name| name.to_str()).unwrap_or("answer");
        let temporary = target.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
        let file = File::create(&temporary).with_context(|| format!("writing {}", target.display()))?;
        Ok(Self { file: Some(BufWriter::new(file)), temporary, target: target.to_path_buf() })
    }

    /// Gives the file its name, once the disk has it.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn finish(mut self) -> Result<()> {
        let writing = || format!("writing {}", self.target.display());
        if let Some(file) = self.file.take() {
            let file = file.into_inner().map_err(|error| error.into_error()).with_context(writing)?;
            file.sync_all().with_context(writing)?;
        }
        fs::rename(&self.temporary, &self.target).with_context(writing)
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.as_mut().map_or(Ok(0), |file| file.write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        // After the renaming there is nothing of this name.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Parquet, batch by batch.
pub struct ParquetFile {
    writer: ArrowWriter<WholeFile>,
}

impl ParquetFile {
    /// Begins a file with the columns of a batch.
    ///
    /// # Errors
    /// It cannot be made, or Parquet has no form for a column.
    pub fn create(target: &Path, batch: &RecordBatch) -> Result<Self> {
        let properties =
            WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
        Ok(Self {
            writer: ArrowWriter::try_new(WholeFile::create(target)?, batch.schema(), Some(properties))?,
        })
    }

    /// Adds rows.
    ///
    /// # Errors
    /// The disk does not take them.
    pub fn rows(&mut self, batch: &RecordBatch) -> Result<()> {
        Ok(self.writer.write(batch)?)
    }

    /// Ends it.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn finish(self) -> Result<()> {
        self.writer.into_inner()?.finish()
    }
}
