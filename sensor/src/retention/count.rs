//! What a run of retention did, in numbers.

use std::collections::BTreeMap;

/// Files and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What went, what is left, and what could not go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Files that went, by table.
    pub files: BTreeMap<String, Count>,
    /// Contents of the store that went.
    pub contents: Count,
    /// Bytes that are left in lake, journal and store, in whole blocks. Counted with `--keep-bytes` only.
    pub left: u64,
    /// Of these, bytes beyond `--keep-bytes`, for nothing else may go.
    pub beyond: u64,
    /// Files whose age is not known, for they cannot be read; they stay.
    pub unreadable: u64,
    /// The first of these, and why.
    pub unreadable_first: Option<String>,
    /// Files and contents that could not be removed.
    pub failed: u64,
    /// The first of these, and why.
    pub failure: Option<String>,
}

impl Count {
    pub(crate) fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }
}

impl Removed {
    /// Whether anything went, or should have gone.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.contents.files == 0 && self.failed == 0 && self.beyond == 0
    }
}
