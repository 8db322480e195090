//! What lies in a lake: its published files with their sizes, and their age where it is asked for.

use std::collections::HashMap;
use std::io;

use anyhow::Result;

use super::Removed;
use crate::folder::Folder;
use crate::output::footer::Footer;
use crate::output::tree::{self, Item, Place};

/// What files said of themselves when they were last read: a lake of a hundred thousand files is looked through in a
/// second or so when only new ones are opened. Holds no more than the lake does.
#[derive(Debug, Default)]
pub struct Cache(HashMap<String, Known>);

/// What is known of a file as long as it has this size and time.
#[derive(Clone, Copy, Debug)]
struct Known {
    size: u64,
    modified: (i64, i64),
    age: Age,
}

/// How old a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    /// The file has not been asked.
    Unasked,
    /// Its newest row, in microseconds.
    Newest(i64),
    /// It is not ours, or cannot be read.
    Unknown,
}

/// A lake as it was found.
#[derive(Debug, Default)]
pub(super) struct Lake {
    /// The oldest month first.
    pub(super) partitions: Vec<Partition>,
    /// Bytes of the journal.
    pub(super) journal: u64,
}

/// A month of a table.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) place: Place,
    pub(super) files: Vec<File>,
}

/// A published file.
#[derive(Debug)]
pub(super) struct File {
    pub(super) item: Item,
    pub(super) age: Age,
    /// Whether it has been removed, or had gone.
    pub(super) is_gone: bool,
}

impl Lake {
    /// Looks through all folders; opens no file. The cache forgets files that have gone.
    pub(super) fn scan(lake: &Folder, cache: &mut Cache) -> io::Result<Self> {
        let mut known = HashMap::new();
        let mut partitions = Vec::new();
        for place in tree::places(lake)? {
            let Some(folder) = place.open(lake)? else { continue };
            let files = tree::files(&folder)?.into_iter().map(|item| {
                let path = path(&place, &item);
                let of_cache = cache.0.remove(&path);
                let of_cache =
                    of_cache.filter(|known| known.size == item.size && known.modified == item.modified);
                let age = of_cache.map_or(Age::Unasked, |known| known.age);
                if let Some(of_cache) = of_cache {
                    known.insert(path, of_cache);
                }
                File { item, age, is_gone: false }
            });
            partitions.push(Partition { files: files.collect(), place });
        }
        cache.0 = known;
        let journal = match lake.folder(JOURNAL)? {
            Some(journal) => bytes(&journal, JOURNAL_DEPTH)?,
            None => 0,
        };
        Ok(Self { partitions, journal })
    }
}

impl Partition {
    /// Asks the files whose age is not known yet.
    pub(super) fn ask(&mut self, lake: &Folder, cache: &mut Cache, told: &mut Removed) -> Result<()> {
        let Some(folder) = self.place.open(lake)? else { return Ok(()) };
        for file in self.files.iter_mut().filter(|file| !file.is_gone && file.age == Age::Unasked) {
            let footer = match folder.read(&file.item.name).map_err(Into::into).and_then(|f| Footer::read(&f))
            {
                Ok(footer) => footer,
                Err(error) if is_missing(&error) => continue,
                Err(error) => {
                    // It may be read another time, so the cache does not learn of it.
                    file.age = Age::Unknown;
                    told.unreadable += 1;
                    told.unreadable_first
                        .get_or_insert_with(|| format!("{}: {error:#}", path(&self.place, &file.item)));
                    continue;
                }
            };
            let is_ours = footer.table.as_deref() == Some(self.place.table.as_str());
            file.age = match footer.newest.filter(|_| is_ours) {
                Some(newest) => Age::Newest(newest),
                None => Age::Unknown,
            };
            let Item { size, modified, .. } = file.item;
            cache.0.insert(path(&self.place, &file.item), Known { size, modified, age: file.age });
        }
        Ok(())
    }
}

/// Bytes of all files in a folder and those below it.
fn bytes(folder: &Folder, depth: usize) -> io::Result<u64> {
    let mut sum = 0;
    folder.names(|name| {
        if let Some(entry) = folder.look(name)? {
            sum += entry.size;
        } else if depth > 0
            && let Some(below) = folder.folder(name)?
        {
            sum += bytes(&below, depth - 1)?;
        }
        Ok(())
    })?;
    Ok(sum)
}

/// The path from the top of the lake.
fn path(place: &Place, item: &Item) -> String {
    place.path().join(&item.name).display().to_string()
}

/// Whether a file has gone since it was found.
fn is_missing(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// The folder in the lake that holds rows that are not published yet.
const JOURNAL: &str = ".journal";

/// Folders within one another in the journal that are looked into.
const JOURNAL_DEPTH: usize = 8;

#[cfg(test)]
impl Cache {
    /// Files that are remembered.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
