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

    /// The folder of the year; none where it has gone.
    pub(crate) fn open_year(&self, lake: &Folder) -> io::Result<Option<Folder>> {
        let Some(table) = lake.folder(&self.table)? else { return Ok(None) };
        table.folder(&self.year_folder)
    }

    /// The partition of which the three folders have these names; none where they are no such names.
    pub(crate) fn named(table: &str, year_folder: &str, month_folder: &str) -> Option<Self> {
        let year = number(year_folder, "year=")?;
        let month = number(month_folder, "month=").filter(|month| (1..=12).contains(month))?;
        let is_visible = !table.starts_with(['.', '_']) && !table.contains('/');
        is_visible.then(|| Self {
            table: table.to_owned(),
            month: Month { year, month },
            year_folder: year_folder.to_owned(),
            month_folder: month_folder.to_owned(),
        })
    }

    /// The names of the three folders.
    pub(crate) fn folders(&self) -> [&str; 3] {
        [&self.table, &self.year_folder, &self.month_folder]
    }

    /// The name of the innermost folder.
    pub(crate) fn month_folder(&self) -> &str {
        &self.month_folder
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
        if table.starts_with(['.', '_']) {
            return Ok(());
        }
        let Some(folder) = lake.folder(table)? else { return Ok(()) };
        folder.names(|year| {
            if !year.starts_with("year=") {
                return Ok(());
            }
            let Some(folder) = folder.folder(year)? else { return Ok(()) };
            folder.names(|month| {
                if let Some(place) = Place::named(table, year, month)
                    && folder.folder(month)?.is_some()
                {
                    places.push(place);
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

fn number<T: std::str::FromStr>(name: &str, key: &str) -> Option<T> {
    name.strip_prefix(key)?.parse().ok()
}
