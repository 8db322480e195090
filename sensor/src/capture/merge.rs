//! Frames of several rings in one order: copied into blocks as they are read, so that a ring has its room back at once.
//!
//! Where each of two interfaces carries one direction, an answer may be read before its question; roles would flip. So a
//! frame waits until every other ring has shown one, or until a window of time is over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parsers::link_type::LinkType;
use schemas::envelope::Nanoseconds;

use super::block::Buffer;
use super::ring::{Received, Ring};
use super::{Block, Frame, Pool};

/// What frames are read from.
pub trait Frames: Send {
    /// The next frame, where one is there; the same one until [`Frames::advance`].
    fn peek(&mut self) -> Option<Received<'_>>;

    /// Done with the frame that was shown.
    fn advance(&mut self);

    /// Per cent of its room that wait to be read.
    fn fill(&self) -> u8;
}

impl Frames for Ring {
    fn peek(&mut self) -> Option<Received<'_>> {
        Self::peek(self)
    }

    fn advance(&mut self) {
        Self::advance(self);
    }

    fn fill(&self) -> u8 {
        Self::fill(self)
    }
}

/// A block of frames of several sources.
#[derive(Debug, Default)]
pub struct Merged {
    /// The bytes.
    pub block: Arc<Block>,
    /// The frames, each with the number of its source.
    pub frames: Vec<(Frame, u16)>,
}

/// Merges rings by the time stamps of their frames.
pub struct Merge<F> {
    rings: Vec<F>,
    pool: Pool,
    window: Nanoseconds,
    lag: Lag,
}

impl<F: Frames> Merge<F> {
    /// Of these rings, the number of each being that of its source; a frame waits so long for those of others.
    pub fn new(rings: Vec<F>, window: Duration) -> Self {
        let window = Nanoseconds::try_from(window.as_nanos()).unwrap_or(Nanoseconds::MAX);
        Self { rings, pool: Pool::new(BLOCK, POOL), window, lag: Lag::new() }
    }

    /// The rings.
    pub fn rings(&self) -> &[F] {
        &self.rings
    }

    /// The rings, to wait for them and to ask them what they lost.
    pub fn rings_mut(&mut self) -> &mut [F] {
        &mut self.rings
    }

    /// Puts the next frames into `out`, in place of those in it; `now` is the time of the clock on the wall. False where
    /// none may go yet.
    pub fn next(&mut self, now: Nanoseconds, out: &mut Merged) -> bool {
        out.frames.clear();
        out.block = Arc::default();
        let mut buffer: Option<Buffer> = None;
        let mut used = 0;
        // A ring that is half full has waited long enough, whatever the window says.
        let is_pressed = self.rings.len() > 1 && self.rings.iter().any(|ring| ring.fill() >= PRESSED);
        while out.frames.len() < MOST_FRAMES
            && let Some(at) = self.first(now, is_pressed)
            && let Some(ring) = self.rings.get_mut(at)
            && let Some(received) = ring.peek()
        {
            let most = received.bytes.len() + TAG;
            let into = match &mut buffer {
                Some(buffer) => buffer,
                None => buffer.insert(self.pool.take(most)),
            };
            let Some(room) = into.get_mut(used..).filter(|room| room.len() >= most) else { break };
            let length = copy(&received, room);
            let frame = Frame {
                ts: received.ts,
                // A live interface has no place where a number would lead to.
                number: 0,
                offset: used as u32,
                captured: length as u32,
                wire: received.wire + (length - received.bytes.len()) as u32,
                link: received.link,
            };
            used += length;
            out.frames.push((frame, at as u16));
            ring.advance();
        }
        if let Some(buffer) = buffer {
            out.block = Arc::new(Block::new(buffer, used));
        }
        !out.frames.is_empty()
    }

    /// The ring whose frame goes next.
    #[inline]
    fn first(&mut self, now: Nanoseconds, is_pressed: bool) -> Option<usize> {
        if let [ring] = self.rings.as_mut_slice() {
            return ring.peek().map(|_| 0);
        }
        let mut first: Option<(Nanoseconds, usize)> = None;
        let mut waits_for_others = false;
        for (at, ring) in self.rings.iter_mut().enumerate() {
            match ring.peek() {
                Some(received) => {
                    first = Some(first.map_or((received.ts, at), |first| first.min((received.ts, at))));
                }
                None => waits_for_others = true,
            }
        }
        let (ts, at) = first?;
        let late = self.lag.of(now.saturating_sub(ts));
        (!waits_for_others || is_pressed || late >= self.window).then_some(at)
    }
}

/// Copies a frame, with the tag put back that was taken out of it. Returns its length.
#[inline]
fn copy(received: &Received<'_>, room: &mut [u8]) -> usize {
    let bytes = received.bytes;
    if let Some(tag) = received.vlan
        && received.link == LinkType::ETHERNET
        && let Some((addresses, rest)) = bytes.split_at_checked(ADDRESSES)
    {
        let parts = [addresses, &tag, rest];
        let mut at = 0;
        for part in parts {
            if let Some(room) = room.get_mut(at..at + part.len()) {
                room.copy_from_slice(part);
            }
            at += part.len();
        }
        return at;
    }
    if let Some(room) = room.get_mut(..bytes.len()) {
        room.copy_from_slice(bytes);
    }
    bytes.len()
}

/// How much later than usual something comes. Clocks of cards may be off by any time, but what comes at once comes with
/// the least difference.
#[derive(Debug)]
struct Lag {
    /// Of the time before, and of that which runs.
    least: [Nanoseconds; 2],
    since: Instant,
}

impl Lag {
    fn new() -> Self {
        Self { least: [Nanoseconds::MAX; 2], since: Instant::now() }
    }

    /// How much more than the least difference of late.
    fn of(&mut self, difference: Nanoseconds) -> Nanoseconds {
        let [before, running] = &mut self.least;
        if difference < *running {
            *running = difference;
            // Asked only where it matters: a clock that was set is followed after two spans.
            if self.since.elapsed() >= LAG_SPAN {
                (*before, *running, self.since) = (*running, difference, Instant::now());
            }
        } else if self.since.elapsed() >= LAG_SPAN {
            (*before, *running, self.since) = (*running, difference, Instant::now());
        }
        let [before, running] = self.least;
        difference.saturating_sub(before.min(running))
    }
}

/// After twice as long a clock that was set is followed.
const LAG_SPAN: Duration = Duration::from_secs(10);

/// Bytes of a block: what is copied there is still in the second-level cache when it is read.
const BLOCK: usize = 256 << 10;

/// Bytes of blocks that are out at a time: one that is read, and one in the making.
const POOL: usize = 4 * BLOCK;

/// Frames of a block at most: rows and time-outs are looked after between blocks.
const MOST_FRAMES: usize = 4096;

/// Per cent of a ring from which on its frames wait for nobody.
const PRESSED: u8 = 50;

/// Bytes of the two addresses of an Ethernet header.
const ADDRESSES: usize = 12;

/// Bytes of a tag.
const TAG: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames with their times, and how full the ring says that it is.
    struct Made(Vec<(Nanoseconds, &'static [u8])>, u8, Option<[u8; 4]>);

    impl Frames for Made {
        fn peek(&mut self) -> Option<Received<'_>> {
            let (ts, bytes) = *self.0.first()?;
            Some(Received {
                ts,
                wire: bytes.len() as u32,
                vlan: self.2,
                bytes,
                link: LinkType::ETHERNET,
                outgoing: false,
                checksum_partial: false,
            })
        }

        fn advance(&mut self) {
            self.0.remove(0);
        }

        fn fill(&self) -> u8 {
            self.1
        }
    }

    fn ring(times: &[Nanoseconds]) -> Made {
        Made(times.iter().map(|ts| (*ts, b"frame".as_slice())).collect(), 0, None)
    }

    fn merge(rings: Vec<Made>) -> Merge<Made> {
        Merge::new(rings, Duration::from_nanos(100))
    }

    /// Times and sources of what may go at `now`.
    fn next(merge: &mut Merge<Made>, now: Nanoseconds) -> Vec<(Nanoseconds, u16)> {
        let mut out = Merged::default();
        merge.next(now, &mut out);
        out.frames.iter().map(|(frame, source)| (frame.ts, *source)).collect()
    }

    #[test]
    fn one_ring_waits_for_nobody() {
        let mut merge = merge(vec![ring(&[5, 6])]);
        assert_eq!(next(&mut merge, 6), [(5, 0), (6, 0)]);
        assert_eq!(next(&mut merge, 7), []);
    }

    #[test]
    fn frames_of_two_rings_come_by_their_time() {
        let mut merge = merge(vec![ring(&[1, 4, 5]), ring(&[2, 3, 6])]);
        assert_eq!(
            next(&mut merge, 6),
            [(1, 0), (2, 1), (3, 1), (4, 0), (5, 0)],
            "6 may have others before it"
        );
    }

    #[test]
    fn a_frame_waits_for_those_of_others_until_its_window_is_over() {
        let mut merge = merge(vec![ring(&[1_000]), ring(&[])]);
        assert_eq!(next(&mut merge, 1_050), []);
        merge.rings_mut()[1] = ring(&[990]);
        assert_eq!(next(&mut merge, 1_060), [(990, 1)]);
        assert_eq!(next(&mut merge, 1_149), []);
        assert_eq!(next(&mut merge, 1_150), [(1_000, 0)]);
    }

    #[test]
    fn a_clock_that_is_off_does_not_hold_frames_up() {
        for off in [-1_000_000_000_000, 1_000_000_000_000] {
            let mut merge = merge(vec![ring(&[1_000 + off]), ring(&[])]);
            assert_eq!(next(&mut merge, 1_050), []);
            assert_eq!(next(&mut merge, 1_150), [(1_000 + off, 0)]);
        }
    }

    #[test]
    fn nobody_is_waited_for_when_a_ring_fills_up() {
        let mut merge = merge(vec![ring(&[1_000]), ring(&[])]);
        merge.rings_mut()[0].1 = PRESSED;
        assert_eq!(next(&mut merge, 1_000), [(1_000, 0)]);
    }

    #[test]
    fn a_tag_is_put_back_behind_the_addresses() {
        let mut tagged = ring(&[]);
        tagged.0 = vec![(1, b"ddddddssssss\x08\x00rest"), (2, b"short")];
        tagged.2 = Some([0x81, 0, 0, 7]);
        let mut merge = merge(vec![tagged]);
        let mut out = Merged::default();
        assert!(merge.next(2, &mut out));
        let bytes: Vec<&[u8]> = out.frames.iter().map(|(frame, _)| frame.bytes(&out.block)).collect();
        assert_eq!(bytes, [b"ddddddssssss\x81\0\0\x07\x08\0rest".as_slice(), b"short"]);
        let wire: Vec<u32> = out.frames.iter().map(|(frame, _)| frame.wire).collect();
        assert_eq!(wire, [22, 5]);
    }

    #[test]
    fn a_block_ends_where_the_next_frame_has_no_room() {
        static LARGE: [u8; 100_000] = [0; 100_000];
        let mut large = ring(&[]);
        large.0 = (0..6).map(|ts| (ts, LARGE.as_slice())).collect();
        let mut merge = merge(vec![large]);
        let lengths: Vec<usize> = (0..4).map(|_| next(&mut merge, 9).len()).collect();
        assert_eq!(lengths, [2, 2, 2, 0]);
    }
}
