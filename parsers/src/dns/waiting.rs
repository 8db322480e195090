//! Queries of one flow that wait for their response: packed one behind the other, because there are as many such flows as
//! there are clients, and most of them wait for one.

use schemas::envelope::Nanoseconds;
use smallvec::SmallVec;

use crate::protocol::Direction;

/// A query that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiting<'a> {
    pub(super) ts: Nanoseconds,
    pub(super) packet: u64,
    pub(super) direction: Direction,
    /// The message as sent: it is read again when its row is written.
    pub(super) message: &'a [u8],
}

/// The queries from the oldest to the newest.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// For each its time, packet number, length and direction, then the message. One query of usual length needs no
    /// memory of its own.
    packed: SmallVec<[u8; USUAL]>,
    count: u32,
}

/// What stands before each message.
const HEADER: usize = 8 + 8 + 2 + 1;

/// What nearly all queries that wait alone take, with what stands before them.
const USUAL: usize = 80;

/// Bytes up to which room is made for what comes, and no more.
const TIGHT: usize = 1024;

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.count as usize
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes that the messages take, with what stands before them.
    pub(super) fn held(&self) -> usize {
        self.packed.len()
    }

    /// Puts a query behind the others. Its message comes from a datagram or from behind a length of two bytes, so it has
    /// less than 64 KiB; of a longer one the rest is left out.
    pub(super) fn push(&mut self, query: Waiting<'_>) {
        let length = u16::try_from(query.message.len()).unwrap_or(u16::MAX);
        let message = query.message.get(..usize::from(length)).unwrap_or_default();
        let needed = HEADER + message.len();
        if self.packed.len() + needed <= TIGHT {
            self.packed.reserve_exact(needed);
        }
        self.packed.extend_from_slice(&query.ts.to_le_bytes());
        self.packed.extend_from_slice(&query.packet.to_le_bytes());
        self.packed.extend_from_slice(&length.to_le_bytes());
        self.packed.push(query.direction as u8);
        self.packed.extend_from_slice(message);
        self.count += 1;
    }

    /// All queries with their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, Waiting<'_>)> {
        let mut place = 0;
        std::iter::from_fn(move || {
            let query = self.at(place)?;
            let here = place;
            place += HEADER + query.message.len();
            Some((here, query))
        })
    }

    /// The query at a place.
    pub(super) fn at(&self, place: usize) -> Option<Waiting<'_>> {
        let rest = self.packed.get(place..)?;
        let (ts, rest) = rest.split_first_chunk()?;
        let (packet, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (direction, rest) = rest.split_first()?;
        let direction = if *direction == 0 { Direction::ToResponder } else { Direction::ToOriginator };
        Some(Waiting {
            ts: Nanoseconds::from_le_bytes(*ts),
            packet: u64::from_le_bytes(*packet),
            direction,
            message: rest.get(..usize::from(u16::from_le_bytes(*length)))?,
        })
    }

    /// The oldest query.
    pub(super) fn first(&self) -> Option<Waiting<'_>> {
        self.at(0)
    }

    /// Takes out the query at a place.
    pub(super) fn remove(&mut self, place: usize) {
        let Some(length) = self.at(place).map(|query| HEADER + query.message.len()) else { return };
        self.packed.drain(place..place + length);
        self.count -= 1;
        if self.packed.is_empty() && self.packed.capacity() > TIGHT {
            self.packed = SmallVec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(ts: Nanoseconds, message: &[u8]) -> Waiting<'_> {
        let direction = if ts % 2 == 0 { Direction::ToResponder } else { Direction::ToOriginator };
        Waiting { ts, packet: ts.cast_unsigned() * 10, direction, message }
    }

    #[test]
    fn gives_queries_back_as_they_came_whichever_is_taken_out() {
        let messages: Vec<Vec<u8>> = (0..40_u8).map(|n| vec![n; usize::from(n) * 7]).collect();
        let mut queue = Queue::default();
        let mut model = Vec::new();
        for (ts, message) in (0..).zip(&messages) {
            queue.push(query(ts, message));
            model.push(query(ts, message));
        }
        for step in 0..messages.len() {
            let queued: Vec<_> = queue.iter().collect();
            assert_eq!(queued.iter().map(|(_, query)| *query).collect::<Vec<_>>(), model);
            let victim = step * 5 % model.len();
            let place = queued[victim].0;
            assert_eq!(queue.at(place), Some(model[victim]));
            queue.remove(place);
            model.remove(victim);
            assert_eq!((queue.len(), queue.first()), (model.len(), model.first().copied()));
        }
        assert!(queue.is_empty());
        assert_eq!(queue.held(), 0);
    }

    #[test]
    fn holds_the_longest_message() {
        let longest = vec![7; usize::from(u16::MAX)];
        let mut queue = Queue::default();
        queue.push(query(1, &longest));
        queue.push(query(2, b"next"));
        assert_eq!(queue.iter().map(|(_, query)| query.message.len()).collect::<Vec<_>>(), [65_535, 4]);
    }
}
