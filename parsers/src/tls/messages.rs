//! Handshake messages out of the pieces that records carry (RFC 8446, 5.1): several in one piece, or one in several.

/// Longest message that is put together; of a longer one the front is read.
pub(crate) const MAX_MESSAGE: usize = 256 * 1024;

/// Type and length.
const HEADER: usize = 4;

/// The messages of one side.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    /// The front of a message that is not all there.
    front: Vec<u8>,
    /// Bytes of a message that are passed over: its front was read already.
    skip: usize,
    /// Where the next message begins is not known before the next record.
    is_lost: bool,
}

/// A message, or as much of it as there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found<'a> {
    pub(crate) kind: u8,
    pub(crate) body: &'a [u8],
    pub(crate) is_whole: bool,
}

impl Messages {
    /// Takes the next bytes, and gives the messages that they end.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], give: &mut dyn FnMut(Found<'_>)) {
        if self.is_lost {
            return;
        }
        while !bytes.is_empty() {
            if self.skip > 0 {
                let now = self.skip.min(bytes.len());
                self.skip -= now;
                bytes = bytes.get(now..).unwrap_or_default();
                continue;
            }
            // Most messages lie in one piece, and are read where they lie.
            if self.front.is_empty() {
                let Some((found, rest)) = split(bytes) else {
                    self.front.extend_from_slice(bytes);
                    return self.limit(give);
                };
                give(found);
                bytes = rest;
                continue;
            }
            let wanted = wanted(&self.front) - self.front.len();
            let (now, rest) = bytes.split_at_checked(wanted).unwrap_or((bytes, &[]));
            self.front.extend_from_slice(now);
            bytes = rest;
            if self.front.len() > HEADER || wanted_body(&self.front) == Some(0) {
                if let Some((found, _)) = split(&self.front) {
                    give(found);
                    self.front.clear();
                } else {
                    self.limit(give);
                }
            }
        }
    }

    /// `missing` bytes in the middle of a record will not come.
    pub(crate) fn gap(&mut self, missing: usize, give: &mut dyn FnMut(Found<'_>)) {
        if self.is_lost {
            return;
        }
        if self.skip == 0 && !self.front.is_empty() {
            self.give_front(give);
        }
        match self.skip.checked_sub(missing) {
            Some(left) if self.skip > 0 => self.skip = left,
            _ => self.is_lost = true,
        }
    }

    /// A record begins: behind lost bytes a message begins with it, as nearly all do.
    pub(crate) fn begin_record(&mut self) {
        if std::mem::take(&mut self.is_lost) {
            (self.front, self.skip) = (Vec::new(), 0);
        }
    }

    /// No more comes: gives what there is of a message.
    pub(crate) fn finish(&mut self, give: &mut dyn FnMut(Found<'_>)) {
        if !self.is_lost {
            self.give_front(give);
        }
    }

    /// Bytes of memory that it holds.
    pub(crate) fn held(&self) -> usize {
        self.front.capacity()
    }

    /// What there is of a message is all that is read of it; the rest of it is passed over.
    fn give_front(&mut self, give: &mut dyn FnMut(Found<'_>)) {
        let front = std::mem::take(&mut self.front);
        if let (Some(kind), Some(body)) = (front.first(), front.get(HEADER..)) {
            give(Found { kind: *kind, body, is_whole: false });
            self.skip = wanted(&front) - front.len();
        } else {
            self.skip = 0;
        }
    }

    /// Reads the front of a message that is too long to be put together.
    fn limit(&mut self, give: &mut dyn FnMut(Found<'_>)) {
        if self.front.len() > MAX_MESSAGE {
            self.give_front(give);
        }
    }
}

/// Length of the body, as soon as the header is there.
fn wanted_body(front: &[u8]) -> Option<usize> {
    let [_, a, b, c, ..] = *front else { return None };
    usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()
}

/// Bytes that have to be there before more can be said.
fn wanted(front: &[u8]) -> usize {
    wanted_body(front).map_or(HEADER, |body| HEADER + body)
}

/// The first message, if it is all there, and what follows it.
fn split(bytes: &[u8]) -> Option<(Found<'_>, &[u8])> {
    let length = wanted_body(bytes)?;
    let (message, rest) = bytes.split_at_checked(HEADER + length)?;
    let (kind, body) = (*message.first()?, message.get(HEADER..)?);
    Some((Found { kind, body, is_whole: true }, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(kind: u8, length: usize) -> Vec<u8> {
        let header = (u32::from(kind) << 24 | length as u32).to_be_bytes();
        [&header[..], &vec![kind; length]].concat()
    }

    fn found(messages: &mut Messages, bytes: &[u8]) -> Vec<(u8, usize, bool)> {
        let mut all = Vec::new();
        messages.feed(bytes, &mut |found| {
            assert!(found.body.iter().all(|&byte| byte == found.kind));
            all.push((found.kind, found.body.len(), found.is_whole));
        });
        all
    }

    #[test]
    fn a_message_that_is_too_long_is_read_in_front_and_passed_over() {
        let mut messages = Messages::default();
        let long = message(11, MAX_MESSAGE + 5000);
        let (front, rest) = long.split_at(MAX_MESSAGE + 1000);
        assert_eq!(found(&mut messages, front), [(11, MAX_MESSAGE + 996, false)]);
        assert_eq!(found(&mut messages, rest), []);
        assert_eq!(found(&mut messages, &message(14, 0)), [(14, 0, true)]);
        assert!(messages.held() < MAX_MESSAGE);
    }

    #[test]
    fn a_gap_within_a_message_costs_this_one() {
        let mut messages = Messages::default();
        let lost = message(11, 1000);
        assert_eq!(found(&mut messages, &lost[..300]), []);
        let mut given = Vec::new();
        messages.gap(200, &mut |found| given.push((found.kind, found.body.len(), found.is_whole)));
        assert_eq!(given, [(11, 296, false)]);
        let rest = [&lost[500..], &message(14, 0)].concat();
        assert_eq!(found(&mut messages, &rest), [(14, 0, true)]);
    }

    #[test]
    fn a_gap_over_the_end_of_a_message_costs_all_up_to_the_next_record() {
        let mut messages = Messages::default();
        found(&mut messages, &message(11, 100)[..50]);
        messages.gap(60, &mut |_| {});
        assert_eq!(found(&mut messages, &message(12, 7)), []);
        messages.begin_record();
        assert_eq!(found(&mut messages, &message(14, 0)), [(14, 0, true)]);
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(lengths in prop::collection::vec(0..40usize, 0..8), size in 1..60usize) {
            let all: Vec<u8> = lengths.iter().enumerate().flat_map(|(at, length)| message(at as u8 + 1, *length)).collect();
            let expected: Vec<_> = lengths.iter().enumerate().map(|(at, length)| (at as u8 + 1, *length, true)).collect();
            let mut messages = Messages::default();
            let pieces: Vec<_> = all.chunks(size).flat_map(|piece| found(&mut messages, piece)).collect();
            prop_assert_eq!(pieces, expected);
        }
    }
}
