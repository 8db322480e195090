//! The bytes of CRYPTO frames in order (RFC 9000, 19.6), in whatever order, pieces and copies they come.

use std::collections::BTreeMap;

use smallvec::SmallVec;

/// Bytes that a side may send in Initial packets: both hellos of a client with keys against quantum computers have some ten
/// thousand.
pub const MAX_BYTES: usize = 64 * 1024;

/// Pieces that are apart from one another. Browsers cut their hello into some ten, and shuffle them.
pub const MAX_PIECES: usize = 128;

/// Bytes of memory that a piece takes besides its own.
const PIECE_HELD: usize = 48;

/// The bytes of one side.
#[derive(Debug, Default)]
pub struct CryptoStream {
    /// By offset; none overlaps another one. They stay, to be held against later copies. One grows at its end only, and
    /// two that come to touch each other stay two: else a byte in front of many would move them all, again and again.
    pieces: BTreeMap<usize, Vec<u8>>,
    /// Bytes that were read.
    read: usize,
}

/// What came of the bytes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// They are there.
    Kept,
    /// Some were there before, and they were others: the first ones count.
    Conflict,
    /// There is no room for them.
    Shed,
}

impl CryptoStream {
    /// Takes the bytes of a frame.
    pub fn add(&mut self, offset: u64, bytes: &[u8]) -> Added {
        let Some((begin, end)) = place(offset, bytes) else { return Added::Shed };
        let (mut at, mut is_conflict) = (begin, false);
        let mut missing: SmallVec<[(usize, usize); 4]> = SmallVec::new();
        for (first, piece) in self.overlapping(begin, end) {
            let last = first + piece.len();
            if at < first {
                missing.push((at, first));
            }
            is_conflict |= differ((begin, bytes), (first, piece));
            at = at.max(last);
        }
        if at < end {
            missing.push((at, end));
        }
        let mut outcome = if is_conflict { Added::Conflict } else { Added::Kept };
        for (first, last) in missing {
            let part = bytes.get(first - begin..last - begin).unwrap_or_default();
            if !self.insert(first, part) {
                outcome = Added::Shed;
            }
        }
        outcome
    }

    /// Whether the bytes of a frame are those that came before at their place; none where none came.
    pub fn agrees(&self, offset: u64, bytes: &[u8]) -> Option<bool> {
        let Some((begin, end)) = place(offset, bytes) else { return Some(false) };
        let mut pieces = self.overlapping(begin, end).peekable();
        pieces.peek()?;
        Some(pieces.all(|piece| !differ((begin, bytes), piece)))
    }

    /// Gives the bytes that can be read now, those behind the ones that it gave before.
    pub fn read(&mut self, give: &mut dyn FnMut(&[u8])) {
        while let Some((first, piece)) = self.pieces.range(..=self.read).next_back()
            && let Some(bytes) = piece.get(self.read - first..).filter(|bytes| !bytes.is_empty())
        {
            give(bytes);
            self.read = first + piece.len();
        }
    }

    /// Bytes of memory that it holds.
    pub fn held(&self) -> usize {
        self.pieces.values().map(|piece| piece.capacity() + PIECE_HELD).sum()
    }

    /// The pieces that have bytes between two places, in order.
    fn overlapping(&self, begin: usize, end: usize) -> impl Iterator<Item = (usize, &[u8])> {
        let before = self.pieces.range(..begin).next_back();
        let others = self.pieces.range(begin..end.max(begin));
        before
            .into_iter()
            .chain(others)
            .map(|(first, piece)| (*first, piece.as_slice()))
            .filter(move |(first, piece)| begin < end && first + piece.len() > begin)
    }

    /// Puts bytes where none are; false where there are too many pieces.
    fn insert(&mut self, at: usize, bytes: &[u8]) -> bool {
        let before = self.pieces.range_mut(..at).next_back();
        if let Some((_, piece)) = before.filter(|(first, piece)| **first + piece.len() == at) {
            piece.extend_from_slice(bytes);
            return true;
        }
        // All waits for what is at the front: that is always taken.
        if self.pieces.len() >= MAX_PIECES && at != self.read {
            return false;
        }
        self.pieces.insert(at, bytes.to_vec());
        true
    }
}

/// Where the bytes of a frame begin and end; none where that is beyond all bounds.
fn place(offset: u64, bytes: &[u8]) -> Option<(usize, usize)> {
    let begin = usize::try_from(offset).ok()?;
    let end = begin.checked_add(bytes.len()).filter(|end| *end <= MAX_BYTES)?;
    Some((begin, end))
}

/// Whether two pieces have other bytes where they overlap.
fn differ((one_at, one): (usize, &[u8]), (other_at, other): (usize, &[u8])) -> bool {
    let begin = one_at.max(other_at);
    let end = (one_at + one.len()).min(other_at + other.len());
    end > begin && one.get(begin - one_at..end - one_at) != other.get(begin - other_at..end - other_at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(stream: &mut CryptoStream) -> Vec<u8> {
        let mut all = Vec::new();
        stream.read(&mut |bytes| all.extend_from_slice(bytes));
        all
    }

    #[test]
    fn the_first_bytes_count_where_others_came_later() {
        let mut stream = CryptoStream::default();
        assert_eq!(stream.add(2, b"cd"), Added::Kept);
        assert_eq!(stream.agrees(0, b"abcdef"), Some(true));
        assert_eq!(stream.agrees(0, b"abCdef"), Some(false));
        assert_eq!((stream.agrees(0, b"ab"), stream.agrees(4, b"ef")), (None, None));
        assert_eq!(stream.add(0, b"abCDef"), Added::Conflict);
        assert_eq!(read(&mut stream), b"abcdef");
        assert_eq!(stream.add(0, b"X"), Added::Conflict);
        assert_eq!(read(&mut stream), b"");
    }

    #[test]
    fn nothing_is_kept_beyond_the_bounds() {
        let mut stream = CryptoStream::default();
        assert_eq!(stream.add(MAX_BYTES as u64 - 1, b"ab"), Added::Shed);
        assert_eq!(stream.add((1 << 62) - 1, b"a"), Added::Shed);
        for at in 0..MAX_PIECES as u64 {
            assert_eq!(stream.add(1 + 2 * at, b"a"), Added::Kept, "{at}");
        }
        assert_eq!(stream.add(1000, b"a"), Added::Shed);
        // What closes a gap needs no room, and what is at the front is what everything waits for.
        assert_eq!(stream.add(4, b"b"), Added::Kept);
        assert_eq!(stream.add(2000, b"a"), Added::Shed);
        assert_eq!(stream.add(0, b"b"), Added::Kept);
        assert_eq!(read(&mut stream), b"ba");
        assert!(stream.held() < MAX_PIECES * (PIECE_HELD + 8));
    }

    #[test]
    fn bytes_from_the_last_to_the_first_move_nothing() {
        let mut stream = CryptoStream::default();
        assert_eq!(stream.add(1000, &[7; 60_000]), Added::Kept);
        let piece =
            |stream: &CryptoStream| stream.pieces.get(&1000).map(|piece| (piece.as_ptr(), piece.len()));
        let before = piece(&stream);
        for at in (880..1000).rev() {
            assert_eq!(stream.add(at, b"b"), Added::Kept);
        }
        assert_eq!(piece(&stream), before);
    }

    #[test]
    fn a_frame_without_bytes_is_nothing() {
        let mut stream = CryptoStream::default();
        assert_eq!(stream.add(5, b""), Added::Kept);
        assert_eq!(stream.held(), 0);
    }

    proptest! {
        #[test]
        fn any_order_and_overlap_gives_the_same_bytes(
            length in 0..200_usize,
            cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..40),
            step in 1..9_usize,
            turn in any::<prop::sample::Index>(),
        ) {
            let all: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let mut places: Vec<(usize, usize)> =
                (0..length).step_by(step).map(|begin| (begin, (begin + step).min(length))).collect();
            for (one, two) in &cuts {
                let (one, two) = (one.index(length + 1), two.index(length + 1));
                places.push((one.min(two), one.max(two)));
            }
            if !places.is_empty() {
                let turn = turn.index(places.len());
                places.rotate_left(turn);
                places[..turn / 2].reverse();
            }
            let (mut stream, mut given) = (CryptoStream::default(), Vec::new());
            for (begin, end) in places {
                prop_assert_eq!(stream.add(begin as u64, &all[begin..end]), Added::Kept);
                given.extend(read(&mut stream));
            }
            prop_assert_eq!(given, all);
        }

        #[test]
        fn it_holds_what_a_list_of_bytes_would(
            frames in prop::collection::vec((0..60_u64, prop::collection::vec(any::<bool>(), 0..9)), 0..40),
        ) {
            let mut model: Vec<Option<u8>> = vec![None; 80];
            let mut stream = CryptoStream::default();
            for (offset, bytes) in &frames {
                let bytes: Vec<u8> = bytes.iter().map(|bit| u8::from(*bit)).collect();
                let places = &mut model[*offset as usize..][..bytes.len()];
                let is_known = places.iter().any(Option::is_some);
                let mut differs = false;
                for (place, byte) in places.iter_mut().zip(&bytes) {
                    differs |= *place.get_or_insert(*byte) != *byte;
                }
                prop_assert_eq!(stream.agrees(*offset, &bytes), is_known.then_some(!differs));
                prop_assert_eq!(stream.add(*offset, &bytes) == Added::Conflict, differs);
            }
            let expected: Vec<u8> = model.iter().map_while(|byte| *byte).collect();
            prop_assert_eq!(read(&mut stream), expected);
        }
    }
}
