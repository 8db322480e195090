//! When flows have to be looked at again: buckets of flow numbers by time, checked lazily, so that a packet costs nothing.

use schemas::envelope::Nanoseconds;

use crate::clock::TICK;

/// Buckets: with a quarter of a second each, deadlines up to about eight and a half minutes ahead have their own; later
/// ones wait in the last and are put off again.
const SLOTS: i64 = 2048;

/// A flow in the wheel: its place in the slab, and the generation of that place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scheduled {
    /// Place in the slab.
    pub index: u32,
    /// Generation of the place when the flow was put in.
    pub generation: u32,
}

/// Buckets of flows by the time at which they have to be looked at.
#[derive(Debug)]
pub struct Wheel {
    buckets: Vec<Vec<Scheduled>>,
    /// The slot (absolute number) that comes next.
    next: i64,
    started: bool,
}

impl Default for Wheel {
    fn default() -> Self {
        Self { buckets: (0..SLOTS).map(|_| Vec::new()).collect(), next: 0, started: false }
    }
}

impl Wheel {
    /// Puts a flow in for `deadline` and returns the bucket it went into. A flow may be put in again without being taken
    /// out: the entry that counts is the one in the bucket that was returned last.
    pub fn schedule(&mut self, flow: Scheduled, deadline: Nanoseconds, now: Nanoseconds) -> u16 {
        let slot = deadline.div_euclid(TICK).saturating_add(1);
        if !self.started {
            self.started = true;
            // Nothing has been handed out yet; nearer deadlines than this one may follow.
            self.next = now.div_euclid(TICK);
        }
        let slot = slot.clamp(self.next, self.next + SLOTS - 1);
        let number = bucket_of(slot);
        if let Some(bucket) = self.buckets.get_mut(usize::from(number)) {
            bucket.push(flow);
        }
        number
    }

    /// Empties the wheel after the clock was set back; the caller puts all flows in again.
    pub fn restart(&mut self, now: Nanoseconds) {
        self.buckets.iter_mut().for_each(Vec::clear);
        self.next = now.div_euclid(TICK);
    }

    /// The next bucket whose time has come at `now`, with its entries, or none. The caller gives the list back to
    /// [`Wheel::recycle`].
    pub fn due(&mut self, now: Nanoseconds) -> Option<(u16, Vec<Scheduled>)> {
        let current = now.div_euclid(TICK);
        if !self.started {
            return None;
        }
        // After a long silence one round over all buckets is enough.
        self.next = self.next.max(current.saturating_sub(SLOTS - 1));
        while self.next <= current {
            let number = bucket_of(self.next);
            self.next += 1;
            let bucket = self.buckets.get_mut(usize::from(number))?;
            if !bucket.is_empty() {
                return Some((number, std::mem::take(bucket)));
            }
        }
        None
    }

    /// Takes an emptied list back, so that its memory is used again.
    pub fn recycle(&mut self, number: u16, mut list: Vec<Scheduled>) {
        list.clear();
        if let Some(bucket) = self.buckets.get_mut(usize::from(number))
            && bucket.capacity() < list.capacity()
        {
            list.append(bucket);
            *bucket = list;
        }
    }
}

/// The bucket of an absolute slot.
fn bucket_of(slot: i64) -> u16 {
    // SLOTS fits into 16 bits.
    slot.rem_euclid(SLOTS) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(index: u32) -> Scheduled {
        Scheduled { index, generation: 0 }
    }

    fn due_at(wheel: &mut Wheel, now: Nanoseconds) -> Vec<u32> {
        let mut all = Vec::new();
        while let Some((number, list)) = wheel.due(now) {
            all.extend(list.iter().map(|flow| flow.index));
            wheel.recycle(number, list);
        }
        all
    }

    #[test]
    fn hands_a_flow_out_after_its_deadline_and_not_before() {
        let mut wheel = Wheel::default();
        wheel.schedule(flow(1), 10 * TICK, 0);
        assert!(due_at(&mut wheel, 10 * TICK).is_empty());
        assert_eq!(due_at(&mut wheel, 11 * TICK), [1]);
        assert!(due_at(&mut wheel, 12 * TICK).is_empty());
    }

    #[test]
    fn a_deadline_in_the_past_is_due_at_the_next_tick() {
        let mut wheel = Wheel::default();
        wheel.schedule(flow(1), 100 * TICK, 0);
        due_at(&mut wheel, 200 * TICK);
        wheel.schedule(flow(2), 5 * TICK, 0);
        assert_eq!(due_at(&mut wheel, 201 * TICK), [2]);
    }

    #[test]
    fn a_deadline_beyond_the_last_slot_is_handed_out_early_never_lost() {
        let mut wheel = Wheel::default();
        wheel.schedule(flow(1), 0, 0);
        wheel.schedule(flow(2), 10 * SLOTS * TICK, 0);
        assert_eq!(due_at(&mut wheel, 3 * SLOTS * TICK), [1, 2]);
    }

    #[test]
    fn a_near_deadline_is_not_put_off_by_a_far_one_before_it() {
        let mut wheel = Wheel::default();
        wheel.schedule(flow(1), 100 * TICK, 0);
        wheel.schedule(flow(2), 10 * TICK, 0);
        assert_eq!(due_at(&mut wheel, 11 * TICK), [2]);
        assert_eq!(due_at(&mut wheel, 101 * TICK), [1]);
    }

    #[test]
    fn a_long_silence_loses_nothing() {
        let mut wheel = Wheel::default();
        for index in 0..50 {
            wheel.schedule(flow(index), i64::from(index) * 7 * TICK, 0);
        }
        assert_eq!(due_at(&mut wheel, 1_000_000 * TICK).len(), 50);
    }
}
