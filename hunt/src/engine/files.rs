//! The files of a lake: which there are, and which of them cannot be read.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use datafusion::arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};

/// A published file of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LakeFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// When it was published.
    pub modified: SystemTime,
    /// Year and month of its rows' `ts`, by its folder.
    pub month: (i32, i32),
}

/// How often what changes while it is listed is listed anew. A month's files are exchanged for others at once, so the second
/// time is mostly the last.
pub(super) const LISTINGS: usize = 10;

/// The published files of a table, in the order of their paths. A table without a folder has none.
///
/// # Errors
/// A folder cannot be read, or changes all the time.
pub fn list(lake: &Path, table: &str) -> io::Result<Vec<LakeFile>> {
    for _ in 0..LISTINGS {
        if let Some(files) = list_once(lake, table)? {
            return Ok(files);
        }
    }
    Err(io::Error::new(ErrorKind::Interrupted, "its files change all the time; ask again"))
}

/// None where a file went meanwhile: its rows may be in another now, which was not listed.
fn list_once(lake: &Path, table: &str) -> io::Result<Option<Vec<LakeFile>>> {
    let mut files = Vec::new();
    for (month_folder, year, month) in months(&lake.join(table))? {
        for path in entries(&month_folder)? {
            if !path.file_name().and_then(|name| name.to_str()).is_some_and(is_published) {
                continue;
            }
            match describe(&path, (year, month)) {
                Ok(file) => files.push(file),
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
    files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(Some(files))
}

/// The folders of a table with the year and month of each; a table without a folder has none.
///
/// # Errors
/// A folder cannot be read.
pub fn months(table: &Path) -> io::Result<Vec<(PathBuf, i32, i32)>> {
    let mut months = Vec::new();
    for (year_folder, year) in numbered(table, "year=")? {
        let of_year = numbered(&year_folder, "month=")?;
        months.extend(of_year.into_iter().map(|(path, month)| (path, year, month)));
    }
    Ok(months)
}

/// Whether a file of this name holds rows: others are still being written, or somebody else's.
pub fn is_published(name: &str) -> bool {
    !name.starts_with(['.', '_']) && name.ends_with(".parquet")
}

/// A file by its path, whose folders tell the month.
///
/// # Errors
/// It is gone, or lies in no folder of a month.
pub fn find(path: &Path) -> io::Result<LakeFile> {
    let number = |folder: Option<&Path>, key: &str| {
        folder?.file_name()?.to_str()?.strip_prefix(key)?.parse::<i32>().ok()
    };
    let month_folder = path.parent();
    let year_folder = month_folder.and_then(Path::parent);
    match (number(year_folder, "year="), number(month_folder, "month=")) {
        (Some(year), Some(month)) => describe(path, (year, month)),
        _ => Err(io::Error::new(ErrorKind::InvalidInput, "it lies in no folder of a month")),
    }
}

fn describe(path: &Path, month: (i32, i32)) -> io::Result<LakeFile> {
    let metadata = fs::metadata(path)?;
    Ok(LakeFile { path: path.to_path_buf(), size: metadata.len(), modified: metadata.modified()?, month })
}

/// The folders that are called `key` and a number.
fn numbered(folder: &Path, key: &str) -> io::Result<Vec<(PathBuf, i32)>> {
    let numbered = |path: PathBuf| {
        let number = path.file_name()?.to_str()?.strip_prefix(key)?.parse().ok()?;
        Some((path, number))
    };
    Ok(entries(folder)?.into_iter().filter_map(numbered).collect())
}

/// What lies in a folder; a folder that is not there is empty.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(listing) => listing.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Size and time of a file: with another of these it is another file, whatever its name.
type State = (u64, SystemTime);

/// What a look at a file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// It can be read, as far as its footer tells.
    Sound,
    /// It cannot.
    Damaged,
    /// It is not there any more; its rows may be in another file.
    Gone,
}

/// What is known of files from having looked at them: each is looked at once, whatever the number of queries.
#[derive(Debug, Default)]
pub struct Known {
    sound: Mutex<HashMap<PathBuf, State>>,
    damaged: Mutex<BTreeMap<PathBuf, (State, String)>>,
    asked: Mutex<Vec<LakeFile>>,
}

impl Known {
    /// Whether a file can be read as rows of `schema`, as far as its footer tells.
    pub fn is_sound(&self, file: &LakeFile, schema: &SchemaRef) -> bool {
        self.look(file, schema) == Look::Sound
    }

    /// Looks at a file.
    pub fn look(&self, file: &LakeFile, schema: &SchemaRef) -> Look {
        let state = (file.size, file.modified);
        if lock(&self.sound).get(&file.path) == Some(&state) {
            return Look::Sound;
        }
        if lock(&self.damaged).get(&file.path).is_some_and(|(known, _)| *known == state) {
            return Look::Damaged;
        }
        match check(&file.path, schema) {
            Ok(()) => {
                lock(&self.damaged).remove(&file.path);
                lock(&self.sound).insert(file.path.clone(), state);
                Look::Sound
            }
            Err(Unsound::Gone) => Look::Gone,
            Err(Unsound::Damaged(why)) => {
                lock(&self.damaged).insert(file.path.clone(), (state, why));
                Look::Damaged
            }
        }
    }

    /// A query begins, and has asked no file yet.
    pub(super) fn begin(&self) {
        lock(&self.asked).clear();
    }

    /// It asks these.
    pub(super) fn ask(&self, files: &[LakeFile]) {
        lock(&self.asked).extend_from_slice(files);
    }

    /// Files that the present query asks.
    pub(super) fn asked(&self) -> Vec<LakeFile> {
        lock(&self.asked).clone()
    }

    /// Reads all of a file, which takes as long as a query over it.
    pub fn read_whole(&self, file: &LakeFile) {
        if let Err(Unsound::Damaged(why)) = read(&file.path) {
            lock(&self.sound).remove(&file.path);
            lock(&self.damaged).insert(file.path.clone(), ((file.size, file.modified), why));
        }
    }

    /// Files that cannot be read, and why.
    pub fn damaged(&self) -> BTreeMap<PathBuf, String> {
        lock(&self.damaged).iter().map(|(path, (_, why))| (path.clone(), why.clone())).collect()
    }
}

enum Unsound {
    Gone,
    Damaged(String),
}

impl From<io::Error> for Unsound {
    fn from(error: io::Error) -> Self {
        if error.kind() == ErrorKind::NotFound { Self::Gone } else { Self::Damaged(error.to_string()) }
    }
}

fn damaged(error: impl std::fmt::Display) -> Unsound {
    Unsound::Damaged(error.to_string())
}

fn check(path: &Path, schema: &SchemaRef) -> Result<(), Unsound> {
    let file = File::open(path)?;
    let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(damaged)?;
    for field in metadata.schema().fields() {
        // Newer columns are not asked for; older files lack some, which are null.
        let Ok(known) = schema.field_with_name(field.name()) else { continue };
        if !known.data_type().equals_datatype(field.data_type()) {
            return Err(damaged(format_args!("its column {} is of another type", field.name())));
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<(), Unsound> {
    let file = File::open(path)?;
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(file).and_then(|reader| reader.build()).map_err(damaged)?;
    for batch in reader {
        batch.map_err(damaged)?;
    }
    Ok(())
}

/// What a lock guards is whole at each moment: who panicked with it has harmed nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
