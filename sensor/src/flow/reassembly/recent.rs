//! The last bytes that were delivered and not acknowledged yet: what a segment that comes again is compared with.
//!
//! Until a byte is acknowledged nobody can say which copy the receiver took, and a sender that sends two different ones
//! may be hiding something from whoever listens.

use super::super::budget::Budget;
use super::part;

/// Most bytes that are remembered of a direction: what comes again is nearly always among the last.
const MAX_RECENT: usize = 4096;

/// The bytes before a position.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// Those that count stand behind the first `skipped`, which stay there until the room is needed: bytes are seldom moved.
    bytes: Vec<u8>,
    skipped: usize,
    /// One past the last byte.
    end: u64,
}

impl Recent {
    fn held(&self) -> &[u8] {
        self.bytes.get(self.skipped..).unwrap_or_default()
    }

    fn start(&self) -> u64 {
        self.end - self.held().len() as u64
    }

    /// Whether the bytes at `position` differ from those that were delivered there.
    pub(super) fn conflicts(&self, position: u64, captured: &[u8]) -> bool {
        let from = position.max(self.start());
        let to = position.saturating_add(captured.len() as u64).min(self.end);
        from < to && part(self.held(), self.start(), from, to) != part(captured, position, from, to)
    }

    /// Remembers `bytes`, which were delivered at `position`, as far as there is room for them.
    pub(super) fn push(&mut self, position: u64, bytes: &[u8], budget: &mut Budget) {
        if position != self.end {
            self.clear(budget);
        }
        let end = position.saturating_add(bytes.len() as u64);
        let last = bytes.get(bytes.len().saturating_sub(MAX_RECENT)..).unwrap_or_default();
        let surplus = (self.held().len() + last.len()).saturating_sub(MAX_RECENT);
        self.drop_front(surplus, budget);
        if budget.take(last.len()) {
            if self.bytes.len() + last.len() > self.bytes.capacity() {
                self.bytes.drain(..self.skipped);
                self.skipped = 0;
            }
            self.bytes.extend_from_slice(last);
        } else {
            self.clear(budget);
        }
        self.end = end;
    }

    /// Forgets what lies before `position`; says whether nothing is left.
    pub(super) fn trim(&mut self, position: u64, budget: &mut Budget) -> bool {
        let acknowledged = position.saturating_sub(self.start());
        self.drop_front(usize::try_from(acknowledged).unwrap_or(usize::MAX), budget);
        self.held().is_empty()
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self, budget: &mut Budget) {
        budget.release(self.held().len());
        self.bytes.clear();
        self.skipped = 0;
    }

    fn drop_front(&mut self, count: usize, budget: &mut Budget) {
        let count = count.min(self.held().len());
        budget.release(count);
        self.skipped += count;
        if self.skipped == self.bytes.len() {
            self.bytes.clear();
            self.skipped = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> Budget {
        Budget::new(1 << 20)
    }

    #[test]
    fn compares_what_overlaps_and_nothing_else() {
        let (mut recent, mut budget) = (Recent::default(), budget());
        recent.push(1, b"abc", &mut budget);
        recent.push(4, b"def", &mut budget);
        for (position, bytes, conflicts) in [
            (1, "abcdef", false),
            (3, "cd", false),
            (3, "cX", true),
            (6, "fX", false),
            (7, "X", false),
            (0, "Xa", false),
        ] {
            assert_eq!(recent.conflicts(position, bytes.as_bytes()), conflicts, "{bytes} at {position}");
        }
        assert!(!recent.trim(4, &mut budget));
        assert!(!recent.conflicts(1, b"zzzd"));
        assert!(recent.trim(7, &mut budget));
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn holds_the_last_bytes_only_and_gives_the_room_of_all_others_back() {
        let (mut recent, mut budget) = (Recent::default(), budget());
        let mut position = 1;
        for length in [1000, 3000, 1460, 9000, 10] {
            recent.push(position, &vec![7; length], &mut budget);
            position += length as u64;
            assert!(recent.held().len() <= MAX_RECENT && recent.bytes.capacity() <= 4 * MAX_RECENT);
            assert_eq!(budget.used(), recent.held().len());
            assert!(recent.conflicts(position - 1, &[8]) && !recent.conflicts(position - 1, &[7]));
        }
        // After a gap what came before is of no use.
        recent.push(position + 100, b"later", &mut budget);
        assert_eq!((recent.held().len(), budget.used()), (5, 5));
    }

    #[test]
    fn remembers_nothing_where_there_is_no_room() {
        let (mut recent, mut budget) = (Recent::default(), Budget::new(4));
        recent.push(1, b"abc", &mut budget);
        recent.push(4, b"def", &mut budget);
        assert_eq!((recent.held().len(), budget.used()), (0, 0));
        assert!(!recent.conflicts(1, b"zzzzzz"));
    }
}
