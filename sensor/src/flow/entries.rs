//! Where flows are, by their hash: an entry is in a bucket that is one line of the cache, or in one close behind it. So a
//! look-up waits for one line, and that can be asked for before it is needed.

use schemas::prefetch::prefetch;

/// Entries of a bucket.
const WAYS: usize = 7;

/// No flow.
pub(super) const NONE: u32 = u32::MAX;

/// Buckets at first, for the flows of a quiet network.
const FEWEST: usize = 1 << 6;

/// An entry is half of a flow's hash, which says where its bucket is, and the place of the flow: that is all it takes to grow
/// without reading flows.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Bucket {
    /// The halves of hashes; with the one too many they are compared four at a time.
    tags: [u32; WAYS + 1],
    /// [`NONE`] where there is no entry.
    places: [u32; WAYS],
    /// Entries that would be in this bucket, or in one before it, and are in one behind it.
    passed: u32,
}

impl Bucket {
    const EMPTY: Self = Self { tags: [0; WAYS + 1], places: [NONE; WAYS], passed: 0 };

    /// The ways whose entry may have this tag, a bit each: an empty one may be among them. Bits begin with the second, so
    /// that all are compared at once.
    #[inline]
    fn candidates(&self, tag: u32) -> u32 {
        const BITS: [u32; WAYS + 1] = [2, 4, 8, 16, 32, 64, 128, 256];
        let equal = self.tags.iter().zip(BITS);
        equal.fold(0, |all, (kept, bit)| all | if *kept == tag { bit } else { 0 }) & !BITS[WAYS]
    }

    /// The way of the first place for which `is_it` holds, of those with this tag.
    #[inline]
    fn way(&self, tag: u32, is_it: impl Fn(u32) -> bool) -> Option<usize> {
        let mut candidates = self.candidates(tag);
        while candidates != 0 {
            let way = candidates.trailing_zeros() as usize - 1;
            let place = self.places.get(way).copied().unwrap_or(NONE);
            if place != NONE && is_it(place) {
                return Some(way);
            }
            candidates &= candidates - 1;
        }
        None
    }
}

/// All entries.
#[derive(Debug, Default)]
pub(super) struct Entries {
    /// A power of two of them, or none.
    buckets: Vec<Bucket>,
    length: usize,
}

impl Entries {
    /// The place of an entry with this tag for which `is_it` holds.
    #[inline]
    pub(super) fn find(&self, tag: u32, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        for bucket in self.buckets_of(tag) {
            if let Some(way) = bucket.way(tag, &is_it) {
                return bucket.places.get(way).copied();
            }
            if bucket.passed == 0 {
                break;
            }
        }
        None
    }

    /// Asks for the bucket of a tag.
    #[inline]
    pub(super) fn prefetch(&self, tag: u32) {
        if let Some(bucket) = self.buckets.get(self.home(tag)) {
            prefetch(bucket);
        }
    }

    /// Puts an entry in.
    pub(super) fn insert(&mut self, tag: u32, place: u32) {
        // Up to three quarters full: of a hundred entries some six are not in their own bucket then.
        if self.length >= self.buckets.len() * WAYS / 4 * 3 {
            self.grow();
        }
        self.length += 1;
        self.put(tag, place);
    }

    /// Takes out the entry of a place.
    pub(super) fn remove(&mut self, tag: u32, place: u32) {
        let (home, mask) = (self.home(tag), self.buckets.len().wrapping_sub(1));
        let is_there = |bucket: &Bucket| bucket.way(tag, |other| other == place);
        let Some((steps, way)) =
            self.buckets_of(tag).enumerate().find_map(|(steps, bucket)| Some((steps, is_there(bucket)?)))
        else {
            return;
        };
        for step in 0..=steps {
            if let Some(bucket) = self.buckets.get_mut((home + step) & mask) {
                if step < steps {
                    bucket.passed -= 1;
                } else if let Some(place) = bucket.places.get_mut(way) {
                    *place = NONE;
                }
            }
        }
        self.length -= 1;
    }

    /// The number of a tag's bucket.
    #[inline]
    fn home(&self, tag: u32) -> usize {
        tag as usize & self.buckets.len().wrapping_sub(1)
    }

    /// A tag's bucket, and those behind it, all around.
    #[inline]
    fn buckets_of(&self, tag: u32) -> impl Iterator<Item = &Bucket> {
        let (before, behind) = self.buckets.split_at_checked(self.home(tag)).unwrap_or_default();
        behind.iter().chain(before)
    }

    fn put(&mut self, tag: u32, place: u32) {
        let (home, mask) = (self.home(tag), self.buckets.len().wrapping_sub(1));
        for step in 0..=mask {
            let Some(bucket) = self.buckets.get_mut((home + step) & mask) else { return };
            if let Some(way) = bucket.places.iter().position(|place| *place == NONE) {
                bucket.tags[way] = tag;
                bucket.places[way] = place;
                return;
            }
            bucket.passed += 1;
        }
    }

    #[cold]
    fn grow(&mut self) {
        let buckets = vec![Bucket::EMPTY; (self.buckets.len() * 2).max(FEWEST)];
        for bucket in std::mem::replace(&mut self.buckets, buckets) {
            for (tag, place) in bucket.tags.into_iter().zip(bucket.places).filter(|(_, place)| *place != NONE)
            {
                self.put(tag, place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// What is done to the entries: tags repeat, and are much alike.
    fn steps() -> impl Strategy<Value = Vec<(bool, u32)>> {
        prop::collection::vec((prop::bool::weighted(0.6), 0u32..2000), 1..4000)
    }

    proptest! {
        #[test]
        fn has_what_was_put_in_and_not_taken_out(steps in steps(), mask in prop::sample::select(vec![0u32, 3, 255, u32::MAX])) {
            let tag = |place: u32| place.wrapping_mul(0x9e37_79b9) & mask;
            let (mut entries, mut known) = (Entries::default(), HashMap::new());
            for (puts_in, place) in steps {
                if puts_in && known.insert(place, ()).is_none() {
                    entries.insert(tag(place), place);
                } else if !puts_in && known.remove(&place).is_some() {
                    entries.remove(tag(place), place);
                }
            }
            for place in 0..2000 {
                let found = entries.find(tag(place), |other| other == place);
                prop_assert_eq!(found, known.contains_key(&place).then_some(place));
            }
            for place in known.into_keys() {
                entries.remove(tag(place), place);
            }
            prop_assert_eq!(entries.length, 0);
            prop_assert!(entries.buckets.iter().all(|bucket| bucket.passed == 0 && bucket.places == [NONE; WAYS]));
        }
    }

    #[test]
    fn a_bucket_is_a_line_of_the_cache() {
        assert_eq!(size_of::<Bucket>(), 64);
    }

    #[test]
    fn finds_the_one_that_is_meant_among_many_with_its_tag() {
        let mut entries = Entries::default();
        (0..1000).for_each(|place| entries.insert(7, place));
        assert_eq!(entries.find(7, |place| place == 999), Some(999));
        assert_eq!(entries.find(7, |_| false), None);
        assert_eq!(entries.find(8, |_| true), None);
    }

    #[test]
    fn is_empty_before_the_first() {
        let mut entries = Entries::default();
        assert_eq!(entries.find(0, |_| true), None);
        entries.remove(0, 0);
        entries.prefetch(0);
    }
}
