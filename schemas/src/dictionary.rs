//! Dictionaries of a column chunk: which values occur, and at which place each stands.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::prefetch::{ahead, prefetch};

/// Values as codes into the list of those that occur, in the order of their first occurrence.
pub(crate) struct Dictionary<K> {
    pub(crate) codes: Vec<u32>,
    pub(crate) entries: Vec<K>,
}

/// After so many values it is looked at whether a dictionary pays.
const TRIAL: usize = 8 * 1024;

/// Most bytes of a dictionary: readers hold it whole.
const MAX_BYTES: usize = 2 << 20;

/// What may stand for many values at the same place in memory: what was seen there needs no comparison.
pub(crate) trait Placed {
    /// Where it lies, and how long it is; 0 for what is a value of its own.
    fn place(&self) -> (usize, usize) {
        (0, 0)
    }

    /// Asks for what lies there.
    fn prefetch(&self) {}
}

impl Placed for &[u8] {
    fn place(&self) -> (usize, usize) {
        (self.as_ptr().addr(), self.len())
    }

    fn prefetch(&self) {
        /// Behind these the processor sees by itself that more is read.
        const FIRST: usize = 256;
        prefetch(self.get(..FIRST).unwrap_or(self));
    }
}

/// Values that are asked for some time before they are read: they are all over the memory that rows had.
pub(crate) fn near<K: Placed>(values: &[K]) -> impl Iterator<Item = &K> {
    ahead(values.iter(), K::prefetch)
}

#[cfg(test)]
impl Placed for &str {}
impl Placed for i32 {}
impl Placed for i64 {}
#[cfg(test)]
impl Placed for u64 {}
impl Placed for u128 {}
impl Placed for (u128, bool) {}
impl<const N: usize> Placed for [u8; N] {}

/// Places that are known at a time.
const PLACES: usize = 256;

/// Makes a dictionary of `values`, unless they repeat too seldom for one to pay. `size` is what an entry takes. The
/// hash is seeded anew each time, so that nobody can make values collide; what comes out does not depend on it.
pub(crate) fn dictionary<K: Copy + Eq + Hash + Placed>(
    values: &[K],
    size: impl Fn(&K) -> usize,
) -> Option<Dictionary<K>> {
    let hasher = RandomState::default();
    // With the hash beside the code an entry is looked at only where it is the one.
    let mut table: HashTable<(u32, u32)> = HashTable::with_capacity(4096);
    let mut entries: Vec<K> = Vec::new();
    let mut codes = Vec::with_capacity(values.len());
    let mut bytes = 0;
    let mut last: Option<(K, u32)> = None;
    let mut places = [((0, 0), 0); PLACES];
    let most = values.len().div_ceil(2);
    let mut new_before = None;
    for trial in values.chunks(TRIAL) {
        let entries_before = entries.len();
        for value in near(trial) {
            if let Some((_, code)) = last.filter(|(last, _)| last == value) {
                codes.push(code);
                continue;
            }
            let place = value.place();
            // What is shared is some letters long, and lies behind another of them.
            let known = &mut places[(place.0 >> 2 ^ place.0 >> 10) % PLACES];
            if place.0 != 0 && known.0 == place {
                codes.push(known.1);
                continue;
            }
            // Half of the hash is enough for half a million values, and keeps the table small.
            let hash = hasher.hash_one(value) as u32;
            let entry = table.entry(
                spread(hash),
                |(of_entry, code)| *of_entry == hash && entries.get(*code as usize) == Some(value),
                |(hash, _)| spread(*hash),
            );
            let code = match entry {
                Entry::Occupied(entry) => entry.get().1,
                Entry::Vacant(entry) => {
                    let code = entries.len() as u32;
                    entry.insert((hash, code));
                    entries.push(*value);
                    bytes += size(value);
                    code
                }
            };
            last = Some((*value, code));
            *known = (place, code);
            codes.push(code);
        }
        // The first values are new more often than later ones; where nearly all are, there is no need to go on.
        let hopeless = codes.len() >= TRIAL && entries.len() > codes.len() - codes.len() / 4;
        // Nor where as many are new as among those before, as of identifiers that stand in some rows each.
        let new = entries.len() - entries_before;
        let is_steady = new_before.is_some_and(|before: usize| new >= before - before / 16);
        let expected = entries.len() + (values.len() - codes.len()) / TRIAL * new;
        if bytes > MAX_BYTES || entries.len() > most || hopeless || is_steady && expected > most {
            return None;
        }
        new_before = Some(new);
    }
    Some(Dictionary { codes, entries })
}

/// 32 bits as a hash of 64, of which the table uses both ends.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_repeat_get_codes_in_the_order_of_their_first_occurrence() {
        let Dictionary { codes, entries } = dictionary(&["b", "b", "a", "b", "c", "a"], |_| 1).unwrap();
        assert_eq!(codes, [0, 0, 1, 0, 2, 1]);
        assert_eq!(entries, ["b", "a", "c"]);
    }

    #[test]
    fn texts_at_one_place_are_told_apart_by_their_lengths() {
        let letters = b"abcabc".as_slice();
        let texts: Vec<&[u8]> =
            [0..3, 0..2, 0..3, 3..6, 0..2, 3..5, 0..0].map(|range| &letters[range]).into_iter().collect();
        let Dictionary { codes, entries } = dictionary(&texts, |_| 1).unwrap();
        assert_eq!(codes, [0, 1, 0, 0, 1, 1, 2]);
        assert_eq!(entries, [&b"abc"[..], b"ab", b""]);
    }

    #[test]
    fn of_values_that_stand_in_two_rows_each_no_dictionary_is_made_to_the_end() {
        let looked_at = std::cell::Cell::new(0);
        let in_two_rows: Vec<u64> = (0..100 * TRIAL as u64).map(|row| row * 5 / 9).collect();
        let size = |_: &u64| {
            looked_at.set(looked_at.get() + 1);
            0
        };
        assert!(dictionary(&in_two_rows, size).is_none());
        assert!(looked_at.get() < 2 * TRIAL);
    }

    #[test]
    fn where_ever_fewer_values_are_new_a_dictionary_is_made_however_many_were_at_first() {
        // Of a hundred rows 70 are new, then 59, 50, …: as many as at first would be too many.
        let mut new = 0_u64;
        let values: Vec<u64> = (0..40 * TRIAL)
            .map(|row| {
                if ((row % 100) as f64) < 70.0 * 0.85_f64.powi((row / TRIAL) as i32) {
                    new += 1;
                    new
                } else {
                    0
                }
            })
            .collect();
        assert_eq!(dictionary(&values, |_| 0).unwrap().entries.len() as u64, new + 1);
    }

    #[test]
    fn values_that_repeat_too_seldom_get_no_dictionary() {
        let values: Vec<u64> = (0..20_000).collect();
        assert!(dictionary(&values, |_| 8).is_none());
        let few: Vec<u64> = (0..20_000).map(|value| value % 2000).collect();
        assert_eq!(dictionary(&few, |_| 8).unwrap().entries.len(), 2000);
        assert!(dictionary(&few, |_| 2000).is_none());
    }
}
