//! Second copies of a packet: a span port often sends each packet as it comes in and as it goes out.

use schemas::envelope::Nanoseconds;

/// Copies come within a millisecond, in [`TICK`]s.
const WINDOW: u64 = 1000;

/// Nanoseconds of a tick.
const TICK: i64 = 1000;

/// Ticks are kept to 24 bits, so that a fingerprint and its time are one word; they come round after 17 seconds.
const TICK_BITS: u32 = 24;

/// All is forgotten after so many ticks, half of those in which they come round: none that is kept is ambiguous.
const FORGOTTEN: u64 = 1 << (TICK_BITS - 1);

/// Fingerprints of one bucket: a copy is looked for in one line of the cache.
const WAYS: usize = 4;

/// Buckets at first, and at most. Few, so that they stay in the cache beside the packets that come by.
const FEWEST: usize = 1 << 8;
const MOST: usize = 1 << 17;

/// Buckets for each fingerprint of a window: one in some ten thousand is driven out before its time, which costs a copy
/// counted as a packet.
const SPARE: usize = 4;

/// Remembers the fingerprints of the last packets, without ever growing old; in a table that grows with the packets that
/// come within a window, up to 4 MiB.
#[derive(Debug)]
pub(super) struct Duplicates {
    /// In each the youngest first: a fingerprint without its lowest bits, and ticks in those.
    buckets: Vec<[u64; WAYS]>,
    /// When the table was last empty.
    since: u64,
    /// When a window began, and the fingerprints since then.
    began: u64,
    count: usize,
}

impl Default for Duplicates {
    fn default() -> Self {
        Self { buckets: vec![EMPTY; FEWEST], since: 0, began: 0, count: 0 }
    }
}

/// No packet has this fingerprint.
const EMPTY: [u64; WAYS] = [0; WAYS];

const TICKS: u64 = (1 << TICK_BITS) - 1;

impl Duplicates {
    /// Whether a packet with this fingerprint came within the last millisecond; it is remembered.
    #[inline]
    pub(super) fn seen(&mut self, fingerprint: u64, ts: Nanoseconds) -> bool {
        let now = (ts / TICK).cast_unsigned();
        if now.abs_diff(self.since) >= FORGOTTEN {
            self.forget(now);
        }
        let mask = self.buckets.len() - 1;
        // Of the bits that are kept, so that all are found again when the table grows.
        let bucket = (fingerprint >> TICK_BITS) as usize & mask;
        let Some(bucket) = self.buckets.get_mut(bucket) else { return false };
        for kept in bucket.iter() {
            if (kept ^ fingerprint) >> TICK_BITS == 0 && is_recent(*kept, now) {
                return true;
            }
        }
        let [first, second, third, _] = *bucket;
        *bucket = [fingerprint & !TICKS | now & TICKS, first, second, third];
        self.count += 1;
        if now.abs_diff(self.began) > WINDOW {
            (self.began, self.count) = (now, 0);
        } else if self.count * SPARE > self.buckets.len() && self.buckets.len() < MOST {
            self.grow();
        }
        false
    }

    #[cold]
    fn forget(&mut self, now: u64) {
        self.buckets.fill(EMPTY);
        self.since = now;
    }

    /// Twice as many buckets, and what was remembered in them.
    #[cold]
    fn grow(&mut self) {
        let old = std::mem::take(&mut self.buckets);
        let half = old.len();
        self.buckets = vec![EMPTY; half * 2];
        for (place, bucket) in old.into_iter().enumerate() {
            let mut places = [place, place + half].map(|place| (place, 0));
            for kept in bucket.into_iter().filter(|kept| *kept != 0) {
                let (place, filled) = &mut places[usize::from((kept >> TICK_BITS) as usize & half != 0)];
                if let Some(way) = self.buckets.get_mut(*place).and_then(|bucket| bucket.get_mut(*filled)) {
                    *way = kept;
                }
                *filled += 1;
            }
        }
    }
}

/// Whether what is kept in a place, if anything, came within the window around `now`.
#[cold]
fn is_recent(kept: u64, now: u64) -> bool {
    let ticks = now.wrapping_sub(kept) & TICKS;
    kept != 0 && ticks.min(TICKS + 1 - ticks) <= WINDOW
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fingerprint whose upper bits differ from those of others.
    fn fingerprint(number: u64) -> u64 {
        (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[test]
    fn a_copy_within_a_millisecond_is_one_and_a_later_packet_is_not() {
        let mut duplicates = Duplicates::default();
        let packet = fingerprint(7);
        assert!(!duplicates.seen(packet, 0));
        assert!(duplicates.seen(packet, 999_999));
        assert!(duplicates.seen(packet, 1_000_000));
        assert!(!duplicates.seen(packet, 1_001_000));
        assert!(!duplicates.seen(fingerprint(8), 1_001_000));
    }

    #[test]
    fn a_time_comes_round_to_nothing() {
        for packet in 0..40 {
            let mut duplicates = Duplicates::default();
            let begin = 1_793_491_200_000_000_000 + packet * 1_000_000_000;
            assert!(!duplicates.seen(fingerprint(7), begin));
            let round = TICK << TICK_BITS;
            assert!(!duplicates.seen(fingerprint(7), begin + round), "17 seconds later");
            assert!(!duplicates.seen(fingerprint(7), begin), "and back again");
        }
    }

    #[test]
    fn nearly_every_copy_is_found_at_any_rate() {
        for per_millisecond in [1, 100, 10_000] {
            let mut duplicates = Duplicates::default();
            let mut missed = 0;
            // Each packet, and a copy of it that comes half a millisecond later.
            for number in 0..50_000_u64 {
                let ts = number as i64 * 1_000_000 / per_millisecond;
                assert!(!duplicates.seen(fingerprint(number), ts), "{number}");
                let copied = number.checked_sub(per_millisecond as u64 / 2);
                if let Some(copied) = copied {
                    missed += u64::from(!duplicates.seen(fingerprint(copied), ts));
                }
            }
            assert!(missed <= 10, "{missed} at {per_millisecond} packets a millisecond");
        }
    }
}
