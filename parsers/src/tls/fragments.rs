//! Handshake messages of DTLS out of their fragments (RFC 6347, 4.2.3; RFC 9147, 5.5), in whatever order these come.

use std::collections::BTreeMap;

use super::messages::Found;
use super::reader::Reader;

/// Messages that may wait for others before them.
const MAX_WAITING: usize = 16;

/// Bytes that all of them may have.
const MAX_BYTES: usize = 64 * 1024;

/// The header of a fragment and its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fragment<'a> {
    pub(super) kind: u8,
    /// Of the whole message.
    length: usize,
    /// Of the message among those of its side.
    pub(super) sequence: u16,
    offset: usize,
    bytes: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// Takes the next fragment of a record. None where it contradicts itself.
    pub(super) fn take(reader: &mut Reader<'a>) -> Option<Self> {
        let kind = reader.byte()?;
        let length = usize::try_from(reader.u24()?).ok()?;
        let sequence = reader.u16()?;
        let offset = usize::try_from(reader.u24()?).ok()?;
        let bytes = reader.vector_24()?;
        (offset + bytes.len() <= length).then_some(Self { kind, length, sequence, offset, bytes })
    }
}

/// The messages of one side.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    /// The message that comes next.
    next: u16,
    waiting: BTreeMap<u16, Partial>,
    held: usize,
}

/// A message on its way.
#[derive(Debug)]
struct Partial {
    kind: u8,
    bytes: Vec<u8>,
    /// Runs of bytes that are there: begin and end, in order, apart from one another.
    runs: Vec<(usize, usize)>,
}

/// Runs of a message that are kept apart: a fragment that would make another one is not taken.
const MAX_RUNS: usize = 64;

impl Partial {
    fn is_whole(&self) -> bool {
        self.bytes.is_empty() || self.runs == [(0, self.bytes.len())]
    }

    /// Bytes from the first one on.
    fn front(&self) -> &[u8] {
        match self.runs.first() {
            Some((0, end)) => self.bytes.get(..*end).unwrap_or_default(),
            _ => &[],
        }
    }

    /// What came first counts.
    fn add(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if bytes.is_empty() || self.runs.len() >= MAX_RUNS {
            return;
        }
        let mut at = offset;
        for &(begin, until) in &self.runs {
            if until <= at {
                continue;
            }
            if begin >= end {
                break;
            }
            copy(&mut self.bytes, at, begin, offset, bytes);
            at = at.max(until);
        }
        copy(&mut self.bytes, at, end, offset, bytes);
        let (mut begin, mut until) = (offset, end);
        self.runs.retain(|&(first, last)| {
            let touches = first <= until && last >= begin;
            if touches {
                (begin, until) = (begin.min(first), until.max(last));
            }
            !touches
        });
        let place = self.runs.partition_point(|&(first, _)| first < begin);
        self.runs.insert(place, (begin, until));
    }
}

/// Copies the bytes of a message from `begin` to `end`, of a fragment that begins at `offset`.
fn copy(message: &mut [u8], begin: usize, end: usize, offset: usize, fragment: &[u8]) {
    let from = begin.checked_sub(offset).zip(end.checked_sub(offset));
    let from = from.and_then(|(begin, end)| fragment.get(begin..end.min(fragment.len())));
    if let Some(from) = from
        && let Some(to) = message.get_mut(begin..begin + from.len())
    {
        to.copy_from_slice(from);
    }
}

impl Fragments {
    /// Takes a fragment, and gives the messages that it ends, in their order. A message that was given before is passed
    /// over: it was sent again.
    pub(super) fn add(&mut self, fragment: Fragment<'_>, give: &mut dyn FnMut(Found<'_>)) {
        let Fragment { kind, length, sequence, offset, bytes } = fragment;
        if sequence < self.next {
            return;
        }
        if sequence == self.next && bytes.len() == length && !self.waiting.contains_key(&sequence) {
            self.next = self.next.saturating_add(1);
            give(Found { kind, body: bytes, is_whole: true });
            return self.give_next(give);
        }
        if !self.waiting.contains_key(&sequence) {
            if self.waiting.len() >= MAX_WAITING || self.held + length > MAX_BYTES {
                return;
            }
            self.held += length;
        }
        let partial = self.waiting.entry(sequence).or_insert_with(|| Partial {
            kind,
            bytes: vec![0; length],
            runs: Vec::new(),
        });
        if partial.bytes.len() == length && partial.kind == kind {
            partial.add(offset, bytes);
        }
        self.give_next(give);
    }

    fn give_next(&mut self, give: &mut dyn FnMut(Found<'_>)) {
        while let Some(first) = self.waiting.first_entry() {
            if *first.key() != self.next || !first.get().is_whole() {
                return;
            }
            let message = first.remove();
            self.held -= message.bytes.len();
            self.next = self.next.saturating_add(1);
            give(Found { kind: message.kind, body: &message.bytes, is_whole: true });
        }
    }

    /// No more comes: gives what there is.
    pub(super) fn finish(&mut self, give: &mut dyn FnMut(Found<'_>)) {
        for message in std::mem::take(&mut self.waiting).into_values() {
            let is_whole = message.is_whole();
            give(Found { kind: message.kind, body: message.front(), is_whole });
        }
        self.held = 0;
    }

    /// Bytes of memory that it holds.
    pub(super) fn held(&self) -> usize {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fragment(message: &[u8], sequence: u16, begin: usize, end: usize) -> Fragment<'_> {
        let kind = sequence as u8 + 1;
        Fragment { kind, length: message.len(), sequence, offset: begin, bytes: &message[begin..end] }
    }

    #[test]
    fn a_length_that_does_not_fit_is_no_fragment() {
        let bytes = [1, 0, 0, 4, 0, 0, 0, 0, 2, 0, 0, 3, 1, 2, 3];
        assert_eq!(Fragment::take(&mut Reader::new(&bytes)), None);
    }

    #[test]
    fn what_is_announced_and_does_not_come_is_bounded() {
        let mut fragments = Fragments::default();
        let message = vec![0; 60_000];
        for sequence in 0..100 {
            fragments.add(fragment(&message, sequence, 0, 1), &mut |_| panic!("nothing is whole"));
        }
        assert!(fragments.held() <= MAX_BYTES);
        assert!(fragments.waiting.len() <= MAX_WAITING);
    }

    proptest! {
        #[test]
        fn any_order_and_overlap_gives_the_messages_in_order(
            lengths in prop::collection::vec(0..60usize, 1..6),
            cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..40),
            turn in any::<prop::sample::Index>(),
        ) {
            let messages: Vec<Vec<u8>> = lengths.iter().enumerate().map(|(at, length)| {
                (0..*length).map(|byte| (at * 60 + byte) as u8).collect()
            }).collect();
            let mut pieces = Vec::new();
            for (at, message) in messages.iter().enumerate() {
                // Every byte comes once at least, and some of them often.
                for begin in (0..message.len().max(1)).step_by(7) {
                    pieces.push((at, begin, (begin + 7).min(message.len())));
                }
                for (begin, end) in &cuts {
                    let (one, two) = (begin.index(message.len() + 1), end.index(message.len() + 1));
                    pieces.push((at, one.min(two), one.max(two)));
                }
            }
            let turn = turn.index(pieces.len());
            pieces.rotate_left(turn);
            pieces[..turn / 2].reverse();
            let mut fragments = Fragments::default();
            let mut given = Vec::new();
            for (at, begin, end) in pieces {
                let piece = fragment(&messages[at], at as u16, begin, end);
                fragments.add(piece, &mut |found| given.push((found.kind, found.body.to_vec(), found.is_whole)));
            }
            let expected: Vec<_> =
                messages.iter().enumerate().map(|(at, message)| (at as u8 + 1, message.clone(), true)).collect();
            prop_assert_eq!(given, expected);
            prop_assert_eq!(fragments.held(), 0);
        }
    }
}
