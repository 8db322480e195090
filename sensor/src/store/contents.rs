//! The contents of a store: each under its hash, the oldest of them removed when there is no room.

use std::collections::BinaryHeap;
use std::io;

use crate::folder::{Entry, Folder};

/// The folder in the store that holds them.
const SHA256: &str = "sha256";

/// What a file takes on disk is a multiple of this; so their number is bounded too.
pub(crate) const BLOCK: u64 = 4096;

/// Most contents that are removed at a time: the oldest have to be remembered until all have been looked at.
const VICTIMS: usize = 1 << 16;

/// What a content of so many bytes takes of the store's bound.
pub(crate) fn charge(size: u64) -> u64 {
    size.div_ceil(BLOCK).saturating_mul(BLOCK)
}

/// The contents.
#[derive(Debug)]
pub(super) struct Contents(Folder);

/// Where a content lies.
#[derive(Debug)]
pub(super) struct Name(String);

/// A content as it was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Content {
    /// When it was last seen: seconds and nanoseconds.
    pub(crate) seen: (i64, i64),
    name: String,
    /// Its bytes.
    pub(crate) size: u64,
}

impl Content {
    /// What it takes of a bound.
    pub(crate) fn charge(&self) -> u64 {
        charge(self.size)
    }
}

impl Name {
    /// The place of the content with this hash.
    pub(super) fn new(sha256: &[u8; 32]) -> Self {
        Self(sha256.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The path from the top of the store.
    pub(super) fn path(&self) -> String {
        format!("{SHA256}/{}/{}", self.folder(), self.0)
    }

    fn folder(&self) -> &str {
        self.0.get(..2).unwrap_or_default()
    }
}

impl Contents {
    pub(super) fn open(store: &Folder) -> io::Result<Self> {
        store.make(SHA256).map(Self)
    }

    /// Whether a content is there already; it becomes the youngest. A file of another size is none of it: what a
    /// machine that lost its power left of one.
    pub(super) fn has(&self, name: &Name, size: u64) -> io::Result<bool> {
        let Some(folder) = self.0.folder(name.folder())? else { return Ok(false) };
        if folder.look(&name.0)?.is_none_or(|entry| entry.size != size) {
            return Ok(false);
        }
        match folder.touch(&name.0) {
            // Another run has just removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            touched => touched.map(|()| true),
        }
    }

    /// Takes in a finished file.
    pub(super) fn add(&self, from: &Folder, file: &str, name: &Name) -> io::Result<()> {
        from.rename(file, &self.0.make(name.folder())?, &name.0)
    }

    /// What all take.
    pub(super) fn used(&self) -> io::Result<u64> {
        let mut used = 0;
        self.each(|_, _, entry| used += charge(entry.size))?;
        Ok(used)
    }

    /// Removes the oldest until all together take no more than `most`, as far as [`VICTIMS`] go. Says what is left.
    pub(super) fn shrink(&self, most: u64, removed: &mut dyn FnMut(u64)) -> io::Result<u64> {
        let (mut used, oldest) = self.oldest()?;
        for content in oldest {
            if used <= most {
                break;
            }
            self.remove(&content)?;
            used = used.saturating_sub(content.charge());
            removed(content.size);
        }
        Ok(used)
    }

    /// What all take, and the oldest of them, oldest first: all, or [`VICTIMS`] of them.
    pub(super) fn oldest(&self) -> io::Result<(u64, Vec<Content>)> {
        let mut used = 0;
        let mut oldest: BinaryHeap<Content> = BinaryHeap::new();
        self.each(|_, name, Entry { size, modified }| {
            used += charge(size);
            let is_older = oldest.peek().is_none_or(|youngest| modified < youngest.seen);
            if is_older || oldest.len() < VICTIMS {
                oldest.push(Content { seen: modified, name: name.to_owned(), size });
                if oldest.len() > VICTIMS {
                    oldest.pop();
                }
            }
        })?;
        Ok((used, oldest.into_sorted_vec()))
    }

    /// Removes a content.
    pub(super) fn remove(&self, content: &Content) -> io::Result<()> {
        let name = Name(content.name.clone());
        match self.0.folder(name.folder())? {
            Some(folder) => folder.remove(&name.0),
            None => Ok(()),
        }
    }

    /// Calls `each` with every content; what else lies there is none of ours.
    fn each(&self, mut each: impl FnMut(&Folder, &str, Entry)) -> io::Result<()> {
        for first in 0..=u8::MAX {
            let prefix = format!("{first:02x}");
            let Some(folder) = self.0.folder(&prefix)? else { continue };
            folder.names(|name| {
                let is_content = name.len() == 64
                    && name.starts_with(&prefix)
                    && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
                if is_content && let Some(entry) = folder.look(name)? {
                    each(&folder, name, entry);
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}
