//! How evenly the bytes of a file are spread over their 256 values: Shannon entropy, in bits a byte.

use std::ops::AddAssign;

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
    /// Bytes in `recent`.
    pending: u64,
    /// Those before.
    total: [u64; 256],
}

impl Entropy {
    /// Counts of no bytes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let counts = self
            .counts
            .get_or_insert_with(|| Box::new(Counts { recent: [[0; 256]; 4], pending: 0, total: [0; 256] }));
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
        let counts = self.counts.as_deref()?;
        let [a, b, c, d] = &counts.recent;
        let recent = a.iter().zip(b).zip(c.iter().zip(d));
        let mut sums = counts.total;
        for (sum, ((a, b), (c, d))) in sums.iter_mut().zip(recent) {
            *sum += u64::from(*a) + u64::from(*b) + u64::from(*c) + u64::from(*d);
        }
        bits_of(&sums)
    }
}

/// Bits a byte of a short file that is there as a whole: the tables of a longer one cost more than its counting.
pub fn bits(bytes: &[u8]) -> Option<f64> {
    let mut counts = [0_u64; 256];
    bytes.iter().for_each(|&byte| count(&mut counts, byte));
    bits_of(&counts)
}

fn bits_of(counts: &[u64; 256]) -> Option<f64> {
    let all: u64 = counts.iter().sum();
    if all == 0 {
        return None;
    }
    let mut weighted = 0.0;
    for group in counts.as_chunks::<64>().0 {
        // A branch on each count would be guessed wrong for every other value.
        let mut present = group.iter().rev().fold(0_u64, |bits, &count| bits << 1 | u64::from(count > 0));
        while present != 0 {
            let count = group.get(present.trailing_zeros() as usize).copied().unwrap_or_default();
            let share = count as f64 / all as f64;
            weighted += share * share.log2();
            present &= present - 1;
        }
    }
    // Rounding must not give less than nothing, nor a zero with a sign.
    Some((-weighted).clamp(0.0, 8.0) + 0.0)
}

impl Counts {
    /// Counts at most half of [`FLUSH`] bytes.
    fn add(&mut self, bytes: &[u8]) {
        if self.pending + bytes.len() as u64 > FLUSH {
            self.flush();
        }
        self.pending += bytes.len() as u64;
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

    #[cold]
    fn flush(&mut self) {
        for table in &mut self.recent {
            for (total, count) in self.total.iter_mut().zip(table) {
                *total += u64::from(std::mem::take(count));
            }
        }
        self.pending = 0;
    }
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
        let mut counts = Counts { recent: [[0; 256]; 4], pending: 0, total: [0; 256] };
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

    proptest! {
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
