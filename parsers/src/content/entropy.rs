//! How evenly the bytes of a file are spread over their 256 values: Shannon entropy, in bits a byte.
//!
//! To count a byte costs half of what it costs to hash it, and a processor hardly does the one while it does the other. So
//! all bytes count at the front of a file, where most files end, and behind it a quarter of them. Which ones those are
//! follows from their places alone: however a file is cut, and wherever it is seen, it has one entropy.

use std::ops::AddAssign;

/// Bytes at the front of a file that count one by one.
pub const EXACT: u64 = 64 * 1024;

/// Behind these so many bytes count of each [`ROW`], for all of it.
const COUNTED: usize = 8;

/// See [`COUNTED`].
const ROW: usize = 32;

/// Rows of so many bytes together have their counted ones at one place.
const GROUP: usize = 8 * ROW;

/// Bytes counted in 32-bit tables before they are added to the totals: no count can overflow.
const FLUSH: u64 = 1 << 30;

/// Counts of each byte value, of files of any size. 6 KiB, on the heap from the first byte on.
#[derive(Clone, Debug, Default)]
pub struct Entropy {
    counts: Option<Box<Counts>>,
}

#[derive(Clone, Debug)]
struct Counts {
    /// Four tables taken in turn: a run of equal bytes would otherwise wait for its own additions.
    recent: [[u32; 256]; 4],
    /// No less than the bytes in `recent`.
    pending: u64,
    /// How many bytes each of these stands for.
    weight: u64,
    /// Those before.
    total: [u64; 256],
    /// Bytes that were shown.
    seen: u64,
}

impl Entropy {
    /// Counts of no bytes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Shows it the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let counts = self.counts.get_or_insert_with(Box::default);
        for part in bytes.chunks(FLUSH as usize / 2) {
            counts.add(part);
        }
    }

    /// Bytes of memory that it holds beside itself.
    pub fn held(&self) -> usize {
        self.counts.as_ref().map_or(0, |_| size_of::<Counts>())
    }

    /// Bits a byte, 0 to 8; none for a file without bytes.
    pub fn bits(&self) -> Option<f64> {
        let sums = self.counts.as_deref()?.sums();
        bits_of(&sums, sums.iter().sum())
    }
}

/// Bits a byte of a short file that is there as a whole: the tables of a longer one cost more than its counting.
pub fn bits(bytes: &[u8]) -> Option<f64> {
    let all = bytes.len() as u64;
    if all > u16::MAX.into() {
        let mut counts = [0_u64; 256];
        bytes.iter().for_each(|&byte| count(&mut counts, byte));
        return bits_of(&counts, all);
    }
    let mut counts = [0_u16; 256];
    bytes.iter().for_each(|&byte| count(&mut counts, byte));
    bits_of(&counts, all)
}

/// `all`: their sum.
fn bits_of<N: Copy + Into<u64>>(counts: &[N; 256], all: u64) -> Option<f64> {
    if all == 0 {
        return None;
    }
    let mut weighted = 0.0;
    // Of small counts, which several values have: a logarithm costs more than all else.
    let mut terms = [0.0; 32];
    for group in counts.as_chunks::<64>().0 {
        // A branch on each count would be guessed wrong for every other value.
        let flags = group.map(|count| u8::from(count.into() > 0));
        let (flags, _) = flags.as_chunks::<8>();
        let mut present = flags.iter().rev().fold(0, |bits, flags| bits << 8 | packed(*flags));
        while present != 0 {
            let count: u64 = group.get(present.trailing_zeros() as usize).map_or(0, |&count| count.into());
            let term = || {
                let share = count as f64 / all as f64;
                share * share.log2()
            };
            weighted += match terms.get_mut(count as usize) {
                Some(known) => {
                    if *known == 0.0 {
                        *known = term();
                    }
                    *known
                }
                None => term(),
            };
            present &= present - 1;
        }
    }
    // Rounding must not give less than nothing, nor a zero with a sign.
    Some((-weighted).clamp(0.0, 8.0) + 0.0)
}

/// Eight flags of a byte as eight bits, the first one lowest: each is multiplied to its place in the highest byte.
fn packed(flags: [u8; 8]) -> u64 {
    u64::from_le_bytes(flags).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

impl Default for Counts {
    fn default() -> Self {
        Self { recent: [[0; 256]; 4], pending: 0, weight: 1, total: [0; 256], seen: 0 }
    }
}

impl Counts {
    /// Adds at most half of [`FLUSH`] bytes.
    fn add(&mut self, bytes: &[u8]) {
        if self.pending + bytes.len() as u64 > FLUSH {
            self.flush();
        }
        self.pending += bytes.len() as u64;
        let left = EXACT.saturating_sub(self.seen) as usize;
        let (front, behind) = bytes.split_at_checked(left).unwrap_or((bytes, &[]));
        self.count(front);
        self.seen += front.len() as u64;
        if !behind.is_empty() {
            self.sample(behind);
        }
    }

    /// Counts some bytes behind the front.
    fn sample(&mut self, mut bytes: &[u8]) {
        if self.weight == 1 {
            self.flush();
            self.weight = (ROW / COUNTED) as u64;
        }
        while !bytes.is_empty() {
            let place = place(self.seen / GROUP as u64);
            let within = self.seen as usize % ROW;
            let left = GROUP - self.seen as usize % GROUP;
            let (rows, _) = bytes.get(..left).unwrap_or(bytes).as_chunks::<ROW>();
            let taken = if within == 0 && !rows.is_empty() {
                for row in rows {
                    self.count(row.get(place..place + COUNTED).unwrap_or_default());
                }
                rows.len() * ROW
            } else {
                let row = bytes.get(..ROW - within).unwrap_or(bytes);
                let (start, end) = (place.saturating_sub(within), (place + COUNTED).saturating_sub(within));
                self.count(row.get(start..end.min(row.len())).unwrap_or_default());
                row.len()
            };
            self.seen += taken as u64;
            bytes = bytes.get(taken..).unwrap_or_default();
        }
    }

    #[inline(always)]
    fn count(&mut self, bytes: &[u8]) {
        let [a, b, c, d] = &mut self.recent;
        let (groups, rest) = bytes.as_chunks::<8>();
        for group in groups {
            let [i, j, k, l, m, n, o, p] = *group;
            count(a, i);
            count(b, j);
            count(c, k);
            count(d, l);
            count(a, m);
            count(b, n);
            count(c, o);
            count(d, p);
        }
        for &byte in rest {
            count(a, byte);
        }
    }

    fn sums(&self) -> [u64; 256] {
        let [a, b, c, d] = &self.recent;
        let recent = a.iter().zip(b).zip(c.iter().zip(d));
        let mut sums = self.total;
        for (sum, ((a, b), (c, d))) in sums.iter_mut().zip(recent) {
            *sum += self.weight * (u64::from(*a) + u64::from(*b) + u64::from(*c) + u64::from(*d));
        }
        sums
    }

    #[cold]
    fn flush(&mut self) {
        self.total = self.sums();
        self.recent = [[0; 256]; 4];
        self.pending = 0;
    }
}

/// Where in the rows of a group the bytes that count stand. It moves on by the golden ratio, so that data that repeat show all
/// parts of themselves alike, whatever their period.
fn place(group: u64) -> usize {
    (group.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 62) as usize * COUNTED
}

#[inline(always)]
fn count<N: AddAssign + From<u8>>(table: &mut [N; 256], byte: u8) {
    // Every byte is an index; the compiler leaves the test out.
    if let Some(count) = table.get_mut(usize::from(byte)) {
        *count += N::from(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Of a file that goes by, which is the very same as that of one that is there as a whole.
    fn bits(bytes: &[u8]) -> Option<f64> {
        let mut entropy = Entropy::new();
        entropy.update(bytes);
        assert_eq!(entropy.bits().map(f64::to_bits), super::bits(bytes).map(f64::to_bits));
        entropy.bits()
    }

    /// What the estimate for a long file is off by.
    fn error(bytes: &[u8]) -> f64 {
        let mut entropy = Entropy::new();
        entropy.update(bytes);
        (entropy.bits().unwrap() - super::bits(bytes).unwrap()).abs()
    }

    /// So many bytes that follow from `seed`, all values alike.
    fn noise(seed: u64, length: usize) -> Vec<u8> {
        let mut state = seed | 1;
        let next = || {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            (state >> 56) as u8
        };
        std::iter::repeat_with(next).take(length).collect()
    }

    #[test]
    fn nothing_has_no_entropy() {
        assert_eq!(bits(b""), None);
    }

    #[test]
    fn one_value_has_zero_bits_and_no_sign() {
        assert_eq!(bits(&[7; 1000]).map(f64::to_bits), Some(0.0_f64.to_bits()));
    }

    #[test]
    fn all_values_alike_have_eight_bits() {
        let bytes: Vec<u8> = (0..=255).cycle().take(256 * 33).collect();
        assert_eq!(bits(&bytes), Some(8.0));
    }

    #[test]
    fn two_values_alike_have_one_bit() {
        assert_eq!(bits(b"abbaabba"), Some(1.0));
        let quarter = bits(b"abbb").unwrap();
        assert!((quarter - 0.811_278).abs() < 1e-6, "{quarter}");
    }

    #[test]
    fn counts_beyond_32_bits_are_kept() {
        let mut counts = Counts::default();
        for _ in 0..3 {
            counts.add(&[1; 100]);
            // As if these were the last of the bytes that fit.
            counts.pending = FLUSH;
        }
        counts.total[2] = 5 << 32;
        counts.total[1] += (5 << 32) - 300;
        assert_eq!(counts.recent.iter().map(|table| table[1]).sum::<u32>(), 100);
        assert_eq!(Entropy { counts: Some(Box::new(counts)) }.bits(), Some(1.0));
    }

    #[test]
    fn every_byte_counts_at_the_front() {
        let mut bytes = vec![0; EXACT as usize];
        for place in [0, 1, 4097, EXACT as usize - 1] {
            let before = bits(&bytes);
            bytes[place] = 1;
            assert!(bits(&bytes) > before, "{place}");
        }
    }

    #[test]
    fn a_quarter_counts_behind_the_front() {
        let mut counts = Counts::default();
        counts.add(&vec![0; EXACT as usize]);
        for group in 0..100 {
            let before = counts.sums();
            counts.add(&[1; GROUP]);
            let more = counts.sums()[1] - before[1];
            assert_eq!(more, GROUP as u64, "{group}");
            assert_eq!(counts.recent.iter().map(|table| table[1]).sum::<u32>(), 64 * (group + 1));
        }
    }

    #[test]
    fn data_that_repeat_show_all_of_themselves_whatever_their_period() {
        // Of tables, pixels, sectors, and those at which steps of the golden ratio come back to where they were.
        let periods = (1..300).map(|count| 4 * count).chain([
            1,
            2,
            3,
            1000,
            4096,
            1 << 14,
            89 * 256,
            987 * 32,
            1597 * 256,
        ]);
        for period in periods {
            // What a record is made of: texts, a number, room.
            let mut record = noise(period as u64, period);
            record.iter_mut().step_by(3).for_each(|byte| *byte = 0);
            record.iter_mut().take(period / 4).for_each(|byte| *byte = b'a' + *byte % 16);
            let bytes: Vec<u8> = record.into_iter().cycle().take(1 << 20).collect();
            let error = error(&bytes);
            assert!(error < 0.01, "{period}: {error}");
        }
    }

    proptest! {
        #[test]
        fn cuts_behind_the_front_do_not_matter(
            seed in any::<u64>(),
            length in EXACT as usize..EXACT as usize + 5000,
            cuts in proptest::collection::vec(prop_oneof![any::<usize>(), EXACT as usize - 40..EXACT as usize + 3000], 1..40),
        ) {
            let bytes: Vec<u8> = noise(seed, length).into_iter().map(|byte| byte & (byte >> 3)).collect();
            let mut whole = Entropy::new();
            whole.update(&bytes);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (length + 1)).collect();
            cuts.sort_unstable();
            let mut entropy = Entropy::new();
            let mut before = 0;
            for cut in cuts.into_iter().chain([length]) {
                entropy.update(&bytes[before..cut]);
                before = cut;
            }
            prop_assert_eq!(entropy.bits().map(f64::to_bits), whole.bits().map(f64::to_bits));
        }

        #[test]
        fn the_estimate_is_close(
            seed in any::<u64>(),
            parts in proptest::collection::vec((1_usize..40_000, 0_u8..4, any::<u8>()), 10..30),
        ) {
            // Room, texts, code and what is compressed, of any lengths.
            let mut bytes = Vec::new();
            for (number, (length, kind, value)) in parts.into_iter().enumerate() {
                let noise = noise(seed ^ number as u64, length).into_iter();
                match kind {
                    0 => bytes.extend(noise.map(|_| value)),
                    1 => bytes.extend(noise.map(|byte| b'a' + (byte & 15))),
                    2 => bytes.extend(noise.map(|byte| byte & (byte << 1) & value)),
                    _ => bytes.extend(noise),
                }
            }
            let error = error(&bytes);
            prop_assert!(error < 0.03, "{} bytes: {}", bytes.len(), error);
        }

        #[test]
        fn pieces_do_not_matter(bytes in proptest::collection::vec(any::<u8>(), 1..500), cut in any::<usize>()) {
            let (left, right) = bytes.split_at(cut % (bytes.len() + 1));
            let mut entropy = Entropy::new();
            entropy.update(left);
            entropy.update(right);
            prop_assert_eq!(entropy.bits(), bits(&bytes));
            prop_assert!((0.0..=8.0).contains(&entropy.bits().unwrap()));
        }
    }
}
