//! Second copies of a packet: a span port often sends each packet as it comes in and as it goes out.

use schemas::envelope::Nanoseconds;

/// Copies come within a millisecond, in [`TICK`]s.
const WINDOW: u64 = 1000;

/// Nanoseconds of a tick.
const TICK: i64 = 1000;

/// Ticks are kept to 24 bits, so that one word has room for eight bits of the fingerprint beside them; they come round after
/// 17 seconds.
const TICK_BITS: u32 = 24;
const TICKS: u32 = (1 << TICK_BITS) - 1;

/// All is forgotten after so many ticks, half of those in which they come round: none that is kept is ambiguous.
const FORGOTTEN: u64 = 1 << (TICK_BITS - 1);

/// Fingerprints of one bucket, which is a line of the cache: a copy is looked for in no more.
const WAYS: usize = 8;

/// Buckets at first, and at most. Few, so that they stay in the cache beside the packets that come by.
const FEWEST: usize = 1 << 7;
const MOST: usize = 1 << 16;

/// Fingerprints of a window for each bucket, at most: one in a thousand is driven out before its time, which costs a copy that
/// comes at the end of it counted as a packet. Most copies come sooner, and are found.
const SHARED: usize = 2;

/// Remembers the fingerprints of the last packets, without ever growing old; in a table that grows with the packets that
/// come within a window, up to 4 MiB.
#[derive(Debug)]
pub(super) struct Duplicates {
    buckets: Vec<Bucket>,
    /// When the table was last empty.
    since: u64,
    /// When a window began, and the fingerprints since then.
    began: u64,
    count: usize,
}

/// The youngest first.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Bucket {
    /// The upper halves of fingerprints, which are compared at once.
    upper: [u32; WAYS],
    /// Of each the eight bits below, and when it came, in ticks; 0 in a place that is free.
    rest: [u32; WAYS],
}

impl Default for Duplicates {
    fn default() -> Self {
        Self { buckets: vec![Bucket::EMPTY; FEWEST], since: 0, began: 0, count: 0 }
    }
}

impl Bucket {
    const EMPTY: Self = Self { upper: [0; WAYS], rest: [0; WAYS] };

    /// Whether this fingerprint came within the window around `now`.
    #[cold]
    fn has(&self, upper: u32, rest: u32) -> bool {
        self.upper.iter().zip(self.rest).any(|(&kept, kept_rest)| {
            let ticks = rest.wrapping_sub(kept_rest) & TICKS;
            kept == upper
                && kept_rest != 0
                && (kept_rest ^ rest) & !TICKS == 0
                && ticks.min(TICKS + 1 - ticks) <= WINDOW as u32
        })
    }

    /// Puts a fingerprint in, and drives out the oldest.
    #[inline]
    fn put(&mut self, upper: u32, rest: u32) {
        let push = |list: &mut [u32; WAYS], first| {
            let [a, b, c, d, e, f, g, _] = *list;
            *list = [first, a, b, c, d, e, f, g];
        };
        push(&mut self.upper, upper);
        push(&mut self.rest, rest);
    }
}

impl Duplicates {
    /// Whether a packet with this fingerprint came within the last millisecond; it is remembered.
    #[inline]
    pub(super) fn seen(&mut self, fingerprint: u64, ts: Nanoseconds) -> bool {
        let now = (ts / TICK).cast_unsigned();
        if now.abs_diff(self.since) >= FORGOTTEN {
            self.forget(now);
        }
        let mask = self.buckets.len() - 1;
        let upper = (fingerprint >> 32) as u32;
        let rest = fingerprint as u32 & !TICKS | now as u32 & TICKS;
        let Some(bucket) = self.buckets.get_mut(upper as usize & mask) else { return false };
        // No branch for each of them: a copy is rare.
        if bucket.upper.iter().fold(false, |found, &kept| found | (kept == upper)) && bucket.has(upper, rest)
        {
            return true;
        }
        bucket.put(upper, rest);
        self.count += 1;
        if now.abs_diff(self.began) > WINDOW {
            (self.began, self.count) = (now, 0);
        } else if self.count > self.buckets.len() * SHARED && self.buckets.len() < MOST {
            self.grow();
        }
        false
    }

    #[cold]
    fn forget(&mut self, now: u64) {
        self.buckets.fill(Bucket::EMPTY);
        self.since = now;
    }

    /// Twice as many buckets, and what was remembered in them.
    #[cold]
    fn grow(&mut self) {
        let half = self.buckets.len();
        let mut buckets = vec![Bucket::EMPTY; half * 2];
        for bucket in &self.buckets {
            // The oldest first, so that the youngest is first again.
            for (&upper, &rest) in bucket.upper.iter().zip(&bucket.rest).rev().filter(|(_, rest)| **rest != 0)
            {
                if let Some(bucket) = buckets.get_mut(upper as usize & (half * 2 - 1)) {
                    bucket.put(upper, rest);
                }
            }
        }
        self.buckets = buckets;
    }
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
