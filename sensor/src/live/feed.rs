//! Where a live worker has its frames from.

use std::time::{Duration, Instant};

use crate::capture::merge::{Merge, Merged};
use crate::capture::ring::{self, Ring};
use crate::clock;

/// What frames come from, for as long as someone asks.
pub trait Feed: Send {
    /// Puts the next frames into `batch`, in place of those in it; waits a little where there are none.
    ///
    /// # Errors
    /// No frame will come any more.
    fn read(&mut self, batch: &mut Merged) -> std::io::Result<Fed>;

    /// Packets lost since the last call, because nobody took them in time.
    fn dropped(&mut self) -> u64;

    /// Per cent of the room for frames that wait to be read.
    fn fill(&self) -> u8;
}

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fed {
    /// Frames.
    Frames,
    /// None since the last ones, for so long.
    Idle(Duration),
    /// None, and none will come.
    Ended,
}

/// The rings of one worker, one for each interface.
pub struct Rings {
    merge: Merge<Ring>,
    last: Instant,
}

impl Rings {
    /// Of these rings, in the order of the interfaces.
    pub fn new(rings: Vec<Ring>, window: Duration) -> Self {
        Self { merge: Merge::new(rings, window), last: Instant::now() }
    }
}

impl Feed for Rings {
    fn read(&mut self, batch: &mut Merged) -> std::io::Result<Fed> {
        ring::attend(self.merge.rings_mut());
        if !self.merge.next(clock::wall(), batch) {
            // Frames that wait for those of another interface are no reason to ask without a pause.
            let waits = self.merge.rings_mut().iter_mut().any(|ring| ring.peek().is_some());
            if waits {
                std::thread::sleep(SHORT);
            } else {
                ring::wait(self.merge.rings_mut(), LONG)?;
            }
            if !self.merge.next(clock::wall(), batch) {
                return Ok(Fed::Idle(self.last.elapsed()));
            }
        }
        self.last = Instant::now();
        Ok(Fed::Frames)
    }

    fn dropped(&mut self) -> u64 {
        self.merge.rings_mut().iter_mut().map(|ring| ring.statistics().dropped).sum()
    }

    fn fill(&self) -> u8 {
        self.merge.rings().iter().map(Ring::fill).max().unwrap_or_default()
    }
}

/// How long is waited for frames: time-outs are looked at as often.
const LONG: Duration = Duration::from_millis(100);

/// How long is waited for another interface's frames.
const SHORT: Duration = Duration::from_millis(1);
