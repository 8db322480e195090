//! Which files of the lake are new, by what is in them: names tell where a file comes from, and a file that was joined of
//! others tells in its metadata from which. Time tells nothing, since a long flow's row comes days after its first packet.
//!
//! Each file has the number of the round in which it was first found; each rule has the number of the last round whose files
//! it was run over. Nothing is kept of files that have gone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::TimestampMicrosecondType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;
use schemas::lake::INPUTS_KEY;
use schemas::table::tables;
use serde::{Deserialize, Serialize};

use super::rule::MINUTE;
use super::span::{Minutes, Span};
use super::state::{SEEN, State};
use crate::engine::files;

/// A month of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) table: &'static str,
    pub(super) year: i32,
    pub(super) month: u8,
}

/// A file that can be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) name: String,
    pub(super) size: u64,
    rows: u64,
    /// Least and greatest time of its rows.
    ts: (i64, i64),
    /// The round in which its rows were first found.
    pub(super) round: u64,
    /// Hashes of what its rows are from.
    inputs: Vec<String>,
}

/// The files of a lake, and which were found when.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    /// What is in memory of all places: little.
    places: BTreeMap<Place, Known>,
    /// The files of some places, until the end of a round.
    files: HashMap<Place, Vec<Seen>>,
    /// Files that cannot be read, and why.
    pub(super) damaged: BTreeMap<PathBuf, String>,
}

/// What is known of a place.
#[derive(Clone, Copy, Debug)]
struct Known {
    stamp: Option<Stamp>,
    /// The last round in which something new was found here.
    newest: u64,
}

/// A folder as it was: another number or time, and it has to be looked into again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    number: u64,
    modified: (i64, i64),
}

impl Place {
    pub(super) fn folder(self, lake: &Path) -> PathBuf {
        lake.join(self.table).join(format!("year={}", self.year)).join(format!("month={}", self.month))
    }

    fn memory(self) -> String {
        format!("{SEEN}/{}-{:04}-{:02}", self.table, self.year, self.month)
    }
}

impl Seen {
    /// From its first row to just behind its last.
    pub(super) fn span(&self) -> Span {
        Span { from: self.ts.0, to: self.ts.1.saturating_add(1) }
    }
}

impl Catalog {
    /// Looks through the lake; says whether there is something that was not there before, which then has the number `round`.
    pub(super) fn scan(&mut self, state: &State, round: u64) -> Result<bool> {
        let mut found = BTreeMap::new();
        let mut is_new = false;
        self.damaged.retain(|path, _| path.exists());
        for (place, folder) in places(state.lake())? {
            let stamp = Stamp::of(&folder);
            let known = self.places.get(&place).copied();
            if let (Some(known), Some(stamp)) = (known, stamp)
                && known.stamp == Some(stamp)
            {
                found.insert(place, known);
                continue;
            }
            let newest = self.look(state, place, &folder, round)?;
            is_new |= newest == round;
            // Within the grain of a clock a folder may change and have the same time.
            found.insert(place, Known { stamp: stamp.filter(|stamp| stamp.is_settled()), newest });
        }
        self.places = found;
        let kept: BTreeSet<String> = self.places.keys().map(|place| place.memory()).collect();
        for name in state.names(SEEN)? {
            let name = format!("{SEEN}/{name}");
            if !kept.contains(&name) {
                state.remove(&name)?;
            }
        }
        Ok(is_new)
    }

    /// Looks into a place: what is new there gets the number `round`. Gives the greatest number there.
    fn look(&mut self, state: &State, place: Place, folder: &Path, round: u64) -> Result<u64> {
        let old: Vec<Seen> = state.read_whole(&place.memory()).unwrap_or_default();
        let mut gone: HashMap<String, Seen> = old.into_iter().map(|file| (file.name.clone(), file)).collect();
        let before = gone.len();
        let (mut files, mut others) = (Vec::new(), Vec::new());
        for (path, name, size) in published(folder)? {
            match gone.remove(&name) {
                Some(file) if file.size == size => files.push(file),
                // Replaced by other content: what it was has gone.
                replaced => {
                    gone.extend(replaced.map(|file| (file.name.clone(), file)));
                    match Seen::read(&path, name, size, round) {
                        Ok(Some(file)) => others.push(file),
                        Ok(None) => {}
                        Err(error) => {
                            self.damaged.insert(path, format!("{error:#}"));
                        }
                    }
                }
            }
        }
        let is_changed = files.len() != before || !others.is_empty();
        inherit(&mut others, &gone);
        files.append(&mut others);
        if is_changed {
            state.write(&place.memory(), &files)?;
        }
        let newest = files.iter().map(|file| file.round).max().unwrap_or_default();
        self.files.remove(&place);
        Ok(newest)
    }

    /// The greatest number of a round that any file has.
    pub(super) fn newest(&self) -> u64 {
        self.places.values().map(|known| known.newest).max().unwrap_or_default()
    }

    /// The places of a table with files of later rounds than `after`.
    pub(super) fn places_after(&self, table: &str, after: u64) -> Vec<Place> {
        let is_later = |(place, known): &(&Place, &Known)| place.table == table && known.newest > after;
        self.places.iter().filter(is_later).map(|(place, _)| *place).collect()
    }

    /// Whether the lake has anything of a month.
    pub(super) fn has_month(&self, year: i32, month: u8) -> bool {
        self.places.keys().any(|place| (place.year, place.month) == (year, month))
    }

    /// The files of a place.
    pub(super) fn files(&mut self, state: &State, place: Place) -> &[Seen] {
        self.files.entry(place).or_insert_with(|| {
            let mut files: Vec<Seen> = state.read_whole(&place.memory()).unwrap_or_default();
            // They are many, and nobody asks for them any more.
            files.iter_mut().for_each(|file| file.inputs = Vec::new());
            files
        })
    }

    /// Frees what only a round needs.
    pub(super) fn rest(&mut self) {
        self.files = HashMap::new();
    }
}

impl Stamp {
    fn of(folder: &Path) -> Option<Self> {
        let metadata = fs::metadata(folder).ok()?;
        Some(Self { number: metadata.ino(), modified: (metadata.mtime(), metadata.mtime_nsec()) })
    }

    fn is_settled(self) -> bool {
        let modified = UNIX_EPOCH + Duration::from_secs(u64::try_from(self.modified.0).unwrap_or_default());
        SystemTime::now().duration_since(modified).is_ok_and(|age| age > GRAIN)
    }
}

impl Seen {
    /// Asks a file; none where it has gone.
    fn read(path: &Path, name: String, size: u64, round: u64) -> Result<Option<Self>> {
        let file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let read = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())?;
        let metadata = read.metadata();
        let rows = metadata.file_metadata().num_rows().unsigned_abs();
        let inputs = entry(metadata, INPUTS_KEY).unwrap_or_default();
        let inputs = inputs.split(',').filter(|hash| !hash.is_empty()).map(str::to_owned).collect();
        let ts = ts(metadata).context("its rows have no times")?;
        Ok(Some(Self { name, size, rows, ts, round, inputs }))
    }

    /// The minutes in which the file has rows; none where it has gone.
    pub(super) fn minutes(&self, folder: &Path) -> Result<Option<Vec<Span>>> {
        if self.ts.1 - self.ts.0 < CLOSE {
            return Ok(Some(vec![self.span()]));
        }
        let path = folder.join(&self.name);
        let file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file.with_context(|| format!("reading {}", path.display()))?,
        };
        let read = || -> Result<Vec<Span>> {
            let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
            let mask = ProjectionMask::columns(builder.parquet_schema(), ["ts"]);
            let mut minutes = Minutes::default();
            for batch in builder.with_projection(mask).build()? {
                let batch = batch?;
                let ts = batch
                    .column(0)
                    .as_primitive_opt::<TimestampMicrosecondType>()
                    .context("ts is no time")?;
                ts.values().iter().for_each(|ts| minutes.add(*ts));
            }
            Ok(minutes.spans())
        };
        match read() {
            Ok(spans) => Ok(Some(spans)),
            // Damaged behind its footer: whoever asks for its rows tells so.
            Err(_) => Ok(Some(vec![self.span()])),
        }
    }
}

/// Files that were joined of others have the number of those, where they hold what those held, and nothing else: as many
/// rows, of no other inputs. Where that is not sure they are new: what is run over them again raises nothing twice.
fn inherit(others: &mut [Seen], gone: &HashMap<String, Seen>) {
    let inputs: BTreeSet<&String> = gone.values().flat_map(|file| &file.inputs).collect();
    let is_joined =
        |file: &Seen| !file.inputs.is_empty() && file.inputs.iter().all(|input| inputs.contains(input));
    let rows: u64 = others.iter().filter(|file| is_joined(file)).map(|file| file.rows).sum();
    if rows != gone.values().map(|file| file.rows).sum::<u64>() {
        return;
    }
    let Some(round) = gone.values().map(|file| file.round).max() else { return };
    others.iter_mut().filter(|file| is_joined(file)).for_each(|file| file.round = round);
}

/// The places of all tables that have a folder.
fn places(lake: &Path) -> Result<Vec<(Place, PathBuf)>> {
    let mut places = Vec::new();
    for table in tables() {
        let folder = lake.join(table.name);
        let months = files::months(&folder).with_context(|| format!("reading {}", folder.display()))?;
        places.extend(months.into_iter().filter_map(|(path, year, month)| {
            let month = u8::try_from(month).ok().filter(|month| (1..=12).contains(month))?;
            Some((Place { table: table.name, year, month }, path))
        }));
    }
    Ok(places)
}

/// The published files in a folder, with name and size.
fn published(folder: &Path) -> Result<Vec<(PathBuf, String, u64)>> {
    let reading = || format!("reading {}", folder.display());
    let listing = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        listing => listing.with_context(reading)?,
    };
    let mut found = Vec::new();
    for entry in listing {
        let entry = entry.with_context(reading)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if !files::is_published(&name) {
            continue;
        }
        match fs::metadata(entry.path()) {
            Ok(metadata) => found.push((entry.path(), name, metadata.len())),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(anyhow!(error).context(format!("reading {}", entry.path().display()))),
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Least and greatest time of the rows of a file.
fn ts(metadata: &ParquetMetaData) -> Option<(i64, i64)> {
    let ranges = metadata.row_groups().iter().map(|group| {
        let column = group.columns().iter().find(|column| column.column_path().string() == "ts")?;
        match column.statistics()? {
            Statistics::Int64(values) => values.min_opt().copied().zip(values.max_opt().copied()),
            _ => None,
        }
    });
    let ranges = ranges.collect::<Option<Vec<_>>>()?;
    let (least, greatest) =
        (ranges.iter().map(|range| range.0).min()?, ranges.iter().map(|range| range.1).max()?);
    Some((least, greatest))
}

fn entry<'m>(metadata: &'m ParquetMetaData, key: &str) -> Option<&'m str> {
    let entries = metadata.file_metadata().key_value_metadata()?;
    entries.iter().find(|entry| entry.key == key)?.value.as_deref()
}

/// Folders may change twice within so long and have the same time.
const GRAIN: Duration = Duration::from_secs(3);

/// Files of so short a time need not be looked into to know their minutes.
const CLOSE: i64 = 10 * MINUTE;

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(name: &str, rows: u64, round: u64, inputs: &[&str]) -> Seen {
        let inputs = inputs.iter().map(|input| (*input).to_owned()).collect();
        Seen { name: name.to_owned(), size: 1, rows, ts: (0, 0), round, inputs }
    }

    fn inherited(mut others: Vec<Seen>, gone: &[Seen]) -> Vec<u64> {
        inherit(&mut others, &gone.iter().map(|file| (file.name.clone(), file.clone())).collect());
        others.iter().map(|file| file.round).collect()
    }

    #[test]
    fn what_was_joined_of_known_files_is_known() {
        let gone = [seen("a", 3, 1, &["1"]), seen("b", 4, 2, &["2"])];
        assert_eq!(inherited(vec![seen("j", 7, 9, &["1", "2"])], &gone), [2]);
        // In two files, beside one that is new.
        let others = vec![seen("j0", 5, 9, &["1", "2"]), seen("j1", 2, 9, &["2"]), seen("c", 7, 9, &["3"])];
        assert_eq!(inherited(others, &gone), [2, 2, 9]);
    }

    #[test]
    fn what_may_hold_more_than_was_known_is_new() {
        let gone = [seen("a", 3, 1, &["1"]), seen("b", 4, 2, &["2"])];
        // One more file came and was joined at once: of a new input, or of the same.
        assert_eq!(inherited(vec![seen("j", 8, 9, &["1", "2", "3"])], &gone), [9]);
        assert_eq!(inherited(vec![seen("j", 8, 9, &["1", "2"])], &gone), [9]);
        // Files that say nothing of where they come from.
        assert_eq!(inherited(vec![seen("x", 7, 9, &[])], &gone), [9]);
        assert_eq!(inherited(vec![seen("x", 0, 9, &[])], &[]), [9]);
    }
}
