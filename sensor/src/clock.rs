//! The one clock of a run: the time of packets, monotone, and steady against time stamps that cannot be right.

use std::time::{SystemTime, UNIX_EPOCH};

use schemas::envelope::Nanoseconds;

/// The time by the clock on the wall: for what has no packet to go by.
pub fn wall() -> Nanoseconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Nanoseconds::try_from(since.as_nanos()).unwrap_or(Nanoseconds::MAX)
}

/// Ticks are this far apart: fine enough that time-outs of seconds are felt, coarse enough to cost nothing.
pub const TICK: Nanoseconds = 250_000_000;

/// A step larger than this, in either direction, is believed only when several packets in a row agree: one broken
/// time stamp must not end every flow.
const STEP: Nanoseconds = 3600 * 1_000_000_000;

/// So many packets in a row have to agree on a step.
const AGREEMENT: u32 = 64;

/// Backward jumps from here on are worth a note.
const NOTED: Nanoseconds = 1_000_000_000;

/// Follows the time stamps of packets; see [`Clock::advance`].
#[derive(Debug, Default)]
pub struct Clock {
    now: Option<Nanoseconds>,
    doubted: u32,
    doubted_at: Nanoseconds,
    next_tick: Nanoseconds,
    steps_back: u64,
}

impl Clock {
    /// Takes note of a packet's time; says the time when a tick is due *before* that packet.
    pub fn advance(&mut self, ts: Nanoseconds) -> Option<Nanoseconds> {
        let Some(now) = self.now else {
            self.set(ts);
            return None;
        };
        let step = ts.saturating_sub(now);
        if step < -NOTED {
            self.steps_back += 1;
        }
        if step.saturating_abs() > STEP {
            let agrees = ts.saturating_sub(self.doubted_at).saturating_abs() <= STEP;
            self.doubted = if agrees { self.doubted + 1 } else { 1 };
            self.doubted_at = ts;
            if self.doubted < AGREEMENT {
                return None;
            }
            self.set(ts);
            return Some(ts);
        }
        self.doubted = 0;
        if step <= 0 {
            return None;
        }
        self.now = Some(ts);
        if ts < self.next_tick {
            return None;
        }
        self.next_tick = next_tick(ts);
        Some(ts)
    }

    /// Time has passed without a packet, up to `ts`; says the time when a tick is due.
    pub fn pass(&mut self, ts: Nanoseconds) -> Option<Nanoseconds> {
        let now = self.now?;
        if ts <= now {
            return None;
        }
        self.now = Some(ts);
        if ts < self.next_tick {
            return None;
        }
        self.next_tick = next_tick(ts);
        Some(ts)
    }

    /// The time now; 0 before the first packet.
    pub fn now(&self) -> Nanoseconds {
        self.now.unwrap_or_default()
    }

    /// What the time-outs of the flow of a packet are held against: the packet's own time, also where the clock of the
    /// capture was set back, so that its flows stay whole; the clock where that time is doubted.
    pub fn judging(&self, ts: Nanoseconds) -> Nanoseconds {
        let now = self.now();
        if now.saturating_sub(ts) > STEP { now } else { ts }
    }

    /// How many packets lay more than a second before one that came earlier.
    pub fn steps_back(&self) -> u64 {
        self.steps_back
    }

    fn set(&mut self, ts: Nanoseconds) {
        self.now = Some(ts);
        self.next_tick = next_tick(ts);
        self.doubted = 0;
    }
}

/// The first multiple of [`TICK`] after `ts`.
fn next_tick(ts: Nanoseconds) -> Nanoseconds {
    (ts.div_euclid(TICK) + 1).saturating_mul(TICK)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Nanoseconds = 1_000_000_000;

    #[test]
    fn ticks_once_for_each_boundary_crossed() {
        let mut clock = Clock::default();
        assert_eq!(clock.advance(10 * SECOND), None);
        assert_eq!(clock.advance(10 * SECOND + TICK - 1), None);
        assert_eq!(clock.advance(10 * SECOND + TICK), Some(10 * SECOND + TICK));
        assert_eq!(clock.advance(10 * SECOND + TICK + 1), None);
        assert_eq!(clock.advance(20 * SECOND), Some(20 * SECOND));
    }

    #[test]
    fn never_goes_back_for_a_late_packet() {
        let mut clock = Clock::default();
        clock.advance(10 * SECOND);
        clock.advance(5 * SECOND);
        assert_eq!(clock.now(), 10 * SECOND);
        assert_eq!(clock.steps_back(), 1);
    }

    #[test]
    fn flows_are_judged_by_the_time_of_their_packets_unless_that_is_doubted() {
        let mut clock = Clock::default();
        clock.advance(10_000 * SECOND);
        assert_eq!(clock.judging(10_000 * SECOND - STEP), 10_000 * SECOND - STEP);
        assert_eq!(clock.judging(10_000 * SECOND - STEP - 1), 10_000 * SECOND);
        assert_eq!(clock.judging(10_001 * SECOND), 10_001 * SECOND);
    }

    #[test]
    fn time_passes_without_packets_too_and_only_forwards() {
        let mut clock = Clock::default();
        assert_eq!(clock.pass(10 * SECOND), None, "no packet has said what time it is");
        clock.advance(10 * SECOND);
        assert_eq!(clock.pass(10 * SECOND + 1), None);
        assert_eq!(clock.pass(9 * SECOND), None);
        assert_eq!(clock.pass(20_000 * SECOND), Some(20_000 * SECOND));
        assert_eq!(clock.advance(19_999 * SECOND), None, "a packet that lay in a ring meanwhile");
        assert_eq!(clock.now(), 20_000 * SECOND);
    }

    #[test]
    fn one_packet_from_the_future_does_not_move_it() {
        let mut clock = Clock::default();
        clock.advance(10 * SECOND);
        assert_eq!(clock.advance(1_000_000 * SECOND), None);
        assert_eq!(clock.advance(11 * SECOND), Some(11 * SECOND));
        assert_eq!(clock.now(), 11 * SECOND);
    }

    #[test]
    fn a_real_step_is_followed_once_packets_agree() {
        for target in [1_000_000 * SECOND, -1_000_000 * SECOND] {
            let mut clock = Clock::default();
            clock.advance(10 * SECOND);
            for packet in 0..i64::from(AGREEMENT) {
                clock.advance(target + packet);
            }
            assert_eq!(clock.now(), target + i64::from(AGREEMENT) - 1);
        }
    }
}
