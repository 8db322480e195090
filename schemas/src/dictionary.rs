//! Dictionaries of a column chunk: which values occur, and at which place each stands.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Values as codes into the list of those that occur, in the order of their first occurrence.
pub(crate) struct Dictionary<K> {
    pub(crate) codes: Vec<u32>,
    pub(crate) entries: Vec<K>,
}

/// After so many values it is looked at whether a dictionary pays.
const TRIAL: usize = 4096;

/// Most bytes of a dictionary: readers hold it whole.
const MAX_BYTES: usize = 1 << 20;

/// Makes a dictionary of `values`, unless they repeat too seldom for one to pay. `size` is what an entry takes. The
/// hash is seeded anew each time, and what comes out does not depend on it.
pub(crate) fn dictionary<K: Copy + Eq + Hash>(
    values: &[K],
    size: impl Fn(&K) -> usize,
) -> Option<Dictionary<K>> {
    let hasher = RandomState::default();
    let mut table: HashTable<u32> = HashTable::new();
    let mut entries: Vec<K> = Vec::new();
    let mut codes = Vec::with_capacity(values.len());
    let mut bytes = 0;
    for (trial, values) in values.chunks(TRIAL).enumerate() {
        for value in values {
            let at = |code: &u32| entries.get(*code as usize);
            let entry = table.entry(
                hasher.hash_one(value),
                |code| at(code) == Some(value),
                |code| at(code).map_or(0, |entry| hasher.hash_one(entry)),
            );
            let code = match entry {
                hashbrown::hash_table::Entry::Occupied(entry) => *entry.get(),
                hashbrown::hash_table::Entry::Vacant(entry) => {
                    let code = entries.len() as u32;
                    entry.insert(code);
                    entries.push(*value);
                    bytes += size(value);
                    code
                }
            };
            codes.push(code);
        }
        // The first values are new more often than later ones.
        let seldom = if trial == 0 { codes.len() - codes.len() / 4 } else { codes.len() / 2 };
        if bytes > MAX_BYTES || codes.len() >= TRIAL && entries.len() > seldom {
            return None;
        }
    }
    Some(Dictionary { codes, entries })
}
