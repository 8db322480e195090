//! The partitions of a lake and the files in them, reached from folder to folder and never through a link.

use std::io;
use std::path::{Path, PathBuf};

use schemas::month::Month;

use crate::folder::Folder;

/// A month of a table, by the names of its folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Name of the table.
    pub(crate) table: String,
    /// Which month.
    pub(crate) month: Month,
    /// Names of the two folders below that of the table.
    year_folder: String,
    month_folder: String,
}

/// A published file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) name: String,
    pub(crate) size: u64,
    /// When it was last written: seconds and nanoseconds.
    pub(crate) modified: (i64, i64),
}

impl Place {
    /// The folder; none where it has gone.
    pub(crate) fn open(&self, lake: &Folder) -> io::Result<Option<Folder>> {
        let Some(year) = self.open_year(lake)? else { return Ok(None) };
        year.folder(&self.month_folder)
    }

    fn open_year(&self, lake: &Folder) -> io::Result<Option<Folder>> {
        let Some(table) = lake.folder(&self.table)? else { return Ok(None) };
        table.folder(&self.year_folder)
    }

    /// The path from the top of the lake.
    pub(crate) fn path(&self) -> PathBuf {
        Path::new(&self.table).join(&self.year_folder).join(&self.month_folder)
    }

    /// Removes the folder and those above it, as far as they are empty.
    pub(crate) fn prune(&self, lake: &Folder) -> io::Result<()> {
        // Only an empty folder can be removed this way; the first that is not ends the walk.
        let emptied = |removed: io::Result<()>| removed.is_ok();
        let Some(year) = self.open_year(lake)? else { return Ok(()) };
        if !emptied(year.remove_folder(&self.month_folder)) {
            return Ok(());
        }
        let Some(table) = lake.folder(&self.table)? else { return Ok(()) };
        if emptied(table.remove_folder(&self.year_folder)) {
            emptied(lake.remove_folder(&self.table));
        }
        Ok(())
    }
}

/// All partitions of all tables, the oldest first; what somebody keeps beside them is none.
pub(crate) fn places(lake: &Folder) -> io::Result<Vec<Place>> {
    let mut places = Vec::new();
    lake.names(|table| {
        let Some(folder) = visible(lake, table)? else { return Ok(()) };
        folder.names(|year_folder| {
            let Some(year) = number::<i32>(year_folder, "year=") else { return Ok(()) };
            let Some(folder) = folder.folder(year_folder)? else { return Ok(()) };
            folder.names(|month_folder| {
                let month = number::<u8>(month_folder, "month=").filter(|month| (1..=12).contains(month));
                if let Some(month) = month
                    && folder.folder(month_folder)?.is_some()
                {
                    places.push(Place {
                        table: table.to_owned(),
                        month: Month { year, month },
                        year_folder: year_folder.to_owned(),
                        month_folder: month_folder.to_owned(),
                    });
                }
                Ok(())
            })
        })
    })?;
    places.sort_unstable_by(|a, b| (a.month, &a.table).cmp(&(b.month, &b.table)));
    Ok(places)
}

/// The published files in a partition by name: neither unfinished ones nor what is no Parquet file.
pub(crate) fn files(folder: &Folder) -> io::Result<Vec<Item>> {
    let mut files = Vec::new();
    folder.names(|name| {
        if is_data(name)
            && let Some(entry) = folder.look(name)?
        {
            files.push(Item { name: name.to_owned(), size: entry.size, modified: entry.modified });
        }
        Ok(())
    })?;
    files.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// Whether a file of this name holds rows: others are still being written, or somebody else's.
pub(crate) fn is_data(name: &str) -> bool {
    !name.starts_with(['.', '_']) && name.ends_with(".parquet")
}

/// A folder that readers see.
fn visible(lake: &Folder, name: &str) -> io::Result<Option<Folder>> {
    if name.starts_with(['.', '_']) { Ok(None) } else { lake.folder(name) }
}

fn number<T: std::str::FromStr>(name: &str, key: &str) -> Option<T> {
    name.strip_prefix(key)?.parse().ok()
}
