//! Random numbers that are the same on every machine: xoshiro256++ (Blackman and Vigna), and distributions out of
//! integers alone, for a logarithm of a floating-point library may differ in its last bit.

/// Fixed point: this many bits are behind the point.
const POINT: u32 = 32;

/// ln 2.
const LN_2: u128 = 2_977_044_472;

/// `ROOTS[i]` is 2 to the power of 2^-(i+1), with 62 bits behind the point.
const ROOTS: [u64; POINT as usize] = {
    let mut roots = [0; POINT as usize];
    let mut root: u128 = 2 << 62;
    let mut i = 0;
    while i < roots.len() {
        root = (root << 62).isqrt();
        roots[i] = root as u64;
        i += 1;
    }
    roots
};

/// One step of SplitMix64 from `state`: what seeds are made of, and a good hash of a number.
#[must_use]
pub const fn mixed(state: u64) -> u64 {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// A generator of random numbers.
#[derive(Clone, Debug)]
pub struct Random([u64; 4]);

impl Random {
    /// The generator of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        let one = mixed(seed);
        let two = mixed(one);
        let three = mixed(two);
        Self([one, two, three, mixed(three)])
    }

    /// 64 random bits.
    #[inline]
    pub const fn bits(&mut self) -> u64 {
        let [a, b, c, d] = self.0;
        let bits = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.0 = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        bits
    }

    /// Below `end`, each as likely as another; 0 for an end of 0.
    #[inline]
    pub const fn below(&mut self, end: u64) -> u64 {
        ((self.bits() as u128 * end as u128) >> 64) as u64
    }

    /// From `first` to `last`, both included.
    #[inline]
    pub const fn within(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }

    /// Whether something happens that happens `parts` times in a million.
    #[inline]
    pub const fn happens(&mut self, parts: u64) -> bool {
        self.below(1_000_000) < parts
    }

    /// Below `end`, small numbers more often: the cumulative share grows with the square root.
    pub const fn skewed(&mut self, end: u64) -> u64 {
        let one = self.bits() >> 32;
        ((((one * one) >> 32) as u128 * end as u128) >> 32) as u64
    }

    /// A waiting time of a Poisson process: exponentially distributed with this mean.
    pub const fn exponential(&mut self, mean: u64) -> u64 {
        ((mean as u128 * self.minus_log2() as u128 * LN_2) >> (2 * POINT)) as u64
    }

    /// A size of a heavy tail: Pareto with the exponent 1.2 from `least` on, none above `most`.
    pub fn heavy_tailed(&mut self, least: u64, most: u64) -> u64 {
        loop {
            let size = (u128::from(least) * exp2(self.minus_log2() * 10 / 12)) >> POINT;
            if size <= u128::from(most.max(least)) {
                return size as u64;
            }
        }
    }

    /// Fills `bytes`.
    #[inline]
    pub fn fill(&mut self, bytes: &mut [u8]) {
        let (words, rest) = bytes.as_chunks_mut();
        for word in words {
            *word = self.bits().to_le_bytes();
        }
        let bits = self.bits().to_le_bytes();
        rest.iter_mut().zip(bits).for_each(|(byte, random)| *byte = random);
    }

    /// −log2 of a number between 0 and 1, in fixed point.
    const fn minus_log2(&mut self) -> u64 {
        (64 << POINT) - log2(self.bits() | 1)
    }
}

/// log2 in fixed point, by squaring.
const fn log2(number: u64) -> u64 {
    let leading = number.leading_zeros();
    let mut log = ((63 - leading) as u64) << POINT;
    let mut mantissa = (number << leading) as u128;
    let mut bit = 1 << POINT;
    while bit > 1 {
        bit >>= 1;
        mantissa = (mantissa * mantissa) >> 63;
        if mantissa >> 64 > 0 {
            mantissa >>= 1;
            log |= bit;
        }
    }
    log
}

/// 2 to the power of a number in fixed point, in fixed point. At most 2⁶⁴.
fn exp2(power: u64) -> u128 {
    let mut product = 1_u128 << 62;
    for (i, root) in ROOTS.iter().enumerate() {
        if power >> (POINT as usize - 1 - i) & 1 == 1 {
            product = (product * u128::from(*root)) >> 62;
        }
    }
    let whole = (power >> POINT).min(63) as u32;
    (product << whole) >> (62 - POINT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_those_of_the_reference() {
        // xoshiro256plusplus.c with the state 1, 2, 3, 4.
        let mut random = Random([1, 2, 3, 4]);
        assert_eq!([random.bits(), random.bits()], [41_943_041, 58_720_359]);
    }

    #[test]
    fn waiting_times_have_their_mean() {
        let mut random = Random::new(1);
        let sum: u64 = (0..100_000).map(|_| random.exponential(1_000_000)).sum();
        assert!((99_000_000_000..101_000_000_000).contains(&sum), "{sum}");
    }

    #[test]
    fn logarithms_and_powers_undo_each_other() {
        for number in [1, 2, 3, 10, 1000, 123_456_789] {
            let back = exp2(log2(number));
            let off = back.abs_diff(u128::from(number) << POINT);
            assert!(off <= u128::from(number) << 8, "{number}: off by {off}");
        }
    }

    #[test]
    fn sizes_have_a_heavy_tail() {
        let mut random = Random::new(1);
        let sizes: Vec<u64> = (0..100_000).map(|_| random.heavy_tailed(1000, 10_000_000)).collect();
        assert!(sizes.iter().all(|size| (1000..=10_000_000).contains(size)));
        // P(size > 10 × least) = 10^-1.2 = 6.3 %.
        let large = sizes.iter().filter(|size| **size > 10_000).count();
        assert!((6100..6500).contains(&large), "{large}");
    }

    #[test]
    fn skew_prefers_the_first() {
        let mut random = Random::new(1);
        let first = (0..100_000).filter(|_| random.skewed(10_000) < 100).count();
        assert!((9_500..10_500).contains(&first), "{first}");
    }
}
