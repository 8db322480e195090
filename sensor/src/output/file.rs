//! One Parquet file on its way into the lake: written under a hidden name, synced, then seen at once and whole.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result};
use parquet::errors::ParquetError;
use schemas::EncodedColumn;
use schemas::envelope::Nanoseconds;
use schemas::lake::INPUTS_KEY;
use schemas::row_group::{RowGroup, TableFile};
use schemas::table::Table;

use super::exchange;
use super::folder::{self, TRIES};
use super::partition::temporary_name;

/// A file that row groups are put into.
pub(crate) struct OpenFile {
    temporary: Temporary,
    file: TableFile<BufWriter<File>>,
    /// Least and greatest `ts`, in microseconds.
    ts: Option<(i64, i64)>,
}

impl OpenFile {
    /// Starts the file `folder/name`, making the folder where it is missing.
    pub(crate) fn create(
        lake: &Path,
        folder: PathBuf,
        name: &str,
        table: &'static Table,
        sensor: &str,
    ) -> Result<Self> {
        let (file, path) = make(&folder, name).with_context(|| writing(&folder))?;
        let temporary =
            Temporary { path, target: folder.join(name), lake: lake.to_path_buf(), published: false };
        let buffered = BufWriter::with_capacity(BUFFER, file);
        let file = TableFile::new(table, buffered, sensor, env!("CARGO_PKG_VERSION"))
            .map_err(reason)
            .with_context(|| writing(&folder))?;
        Ok(Self { temporary, file, ts: None })
    }

    /// Appends a row group.
    pub(crate) fn append(&mut self, group: &RowGroup, columns: Vec<EncodedColumn>) -> Result<()> {
        self.file.append(group, columns).map_err(reason).with_context(|| self.temporary.writing())?;
        let (oldest, newest) = self.ts.unwrap_or(group.ts);
        self.ts = Some((oldest.min(group.ts.0), newest.max(group.ts.1)));
        Ok(())
    }

    /// Rows so far.
    pub(crate) fn rows(&self) -> u64 {
        self.file.rows()
    }

    /// Row groups so far.
    pub(crate) fn row_groups(&self) -> usize {
        self.file.row_groups()
    }

    /// Nanoseconds from the oldest to the newest row.
    pub(crate) fn age(&self) -> Nanoseconds {
        self.ts.map_or(0, |(oldest, newest)| newest.saturating_sub(oldest).saturating_mul(1000))
    }

    /// Bytes so far, without the footer.
    pub(crate) fn bytes(&self) -> u64 {
        self.file.bytes_written()
    }

    /// Writes the footer, which names the input that the rows are from.
    pub(crate) fn finish(self, input: &str) -> Result<FinishedFile> {
        let Self { temporary, mut file, .. } = self;
        file.note(INPUTS_KEY, input);
        let file = close(file).with_context(|| temporary.writing())?;
        Ok(FinishedFile { temporary, file })
    }
}

/// A file that holds all that it ever will, but may not have reached the disk.
pub(crate) struct FinishedFile {
    temporary: Temporary,
    file: File,
}

impl FinishedFile {
    /// Waits until the disk has the file.
    pub(crate) fn sync(self) -> Result<SyncedFile> {
        let Self { temporary, file } = self;
        file.sync_all().with_context(|| temporary.writing())?;
        let bytes = file.metadata().with_context(|| temporary.writing())?.len();
        Ok(SyncedFile { temporary, bytes })
    }
}

/// A file that is safe on disk, but that nobody sees yet.
pub(crate) struct SyncedFile {
    temporary: Temporary,
    bytes: u64,
}

impl SyncedFile {
    /// Shows the file under its name, in place of an older one of that name.
    pub(crate) fn publish(mut self) -> Result<PublishedFile> {
        let lake = self.temporary.lake.clone();
        exchange::beside(&lake, || self.rename()).with_context(|| self.temporary.writing())?;
        Ok(self.published())
    }

    /// Gives the file its name, if it has not got it yet.
    pub(crate) fn rename(&mut self) -> Result<()> {
        if !self.temporary.published {
            fs::rename(&self.temporary.path, &self.temporary.target)?;
            self.temporary.published = true;
        }
        Ok(())
    }

    /// The name that it has or is to have.
    pub(crate) fn target(&self) -> &Path {
        &self.temporary.target
    }

    /// The file under its name.
    pub(crate) fn published(self) -> PublishedFile {
        PublishedFile { path: self.temporary.target.clone(), bytes: self.bytes }
    }
}

/// A file that readers see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublishedFile {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

impl PublishedFile {
    /// The folder that holds the name.
    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }
}

/// A hidden file, removed on drop unless it was published: an error anywhere leaves no litter.
struct Temporary {
    path: PathBuf,
    target: PathBuf,
    lake: PathBuf,
    published: bool,
}

impl Temporary {
    fn writing(&self) -> String {
        writing(self.target.parent().unwrap_or(&self.target))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if self.published {
            return;
        }
        // Already on the way out with an error; the next run of this input removes what cannot be removed now.
        let _ = fs::remove_file(&self.path);
        if let Some(folder) = self.path.parent() {
            folder::prune(folder, &self.lake);
        }
    }
}

/// What errors say was being done.
pub(crate) fn writing(folder: &Path) -> String {
    format!("writing {}", folder.display())
}

/// Makes the hidden file. Another run may tidy away the folder between its making and its use, so this is tried
/// more than once.
fn make(folder: &Path, name: &str) -> io::Result<(File, PathBuf)> {
    let path = folder.join(temporary_name(name));
    let mut tries = 0;
    loop {
        match folder::make_folders(folder).and_then(|()| folder::make_file(&path)) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == ErrorKind::NotFound && tries < TRIES => tries += 1,
            Err(error) => return Err(error),
        }
    }
}

fn close(file: TableFile<BufWriter<File>>) -> Result<File> {
    let buffered = file.finish().map_err(reason)?;
    buffered.into_inner().map_err(|error| Error::from(error.into_error()))
}

/// The error of the file system inside an error of the Parquet library, which words it less well.
fn reason(error: ParquetError) -> Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(inner) => Error::from(*inner),
            Err(inner) => Error::from(ParquetError::External(inner)),
        },
        other => Error::from(other),
    }
}

/// Bytes a file gathers before it asks the kernel.
const BUFFER: usize = 256 << 10;
