//! Compressed texts (RFC 1951, RFC 1952) that are the same on every machine: a word that was there before is a reference,
//! in the codes that are fixed. A library is free to find other references on another processor.

use flate2::Crc;

use crate::body::WORDS;
use crate::random::Random;

/// Farthest that a reference goes back.
const WINDOW: usize = 32_768;

/// A gzip file of a text of about `size` bytes: `head`, then words.
#[must_use]
pub fn text(random: &mut Random, head: &[u8], size: usize) -> Vec<u8> {
    let mut out = Bits { bytes: vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], ..Bits::default() };
    let mut plain = head.to_vec();
    let mut last = [None; WORDS.len()];
    // One block, the last, of fixed codes.
    out.put(0b011, 3);
    head.iter().for_each(|byte| out.literal(*byte));
    while plain.len() < size {
        let number = random.skewed(WORDS.len() as u64) as usize;
        let word = WORDS[number].as_bytes();
        let distance = last[number].map(|at: usize| plain.len() - at).filter(|distance| *distance <= WINDOW);
        match distance {
            Some(distance) if word.len() >= 3 => out.reference(word.len(), distance),
            _ => word.iter().for_each(|byte| out.literal(*byte)),
        }
        last[number] = Some(plain.len());
        plain.extend(word);
    }
    // The end of the block.
    out.code(0, 7);
    out.put(0, 7);
    let mut bytes = out.bytes;
    let mut sum = Crc::new();
    sum.update(&plain);
    bytes.extend(sum.sum().to_le_bytes());
    bytes.extend((plain.len() as u32).to_le_bytes());
    bytes
}

/// Bits in the order of DEFLATE: the lowest of a byte first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    pending: u32,
    count: u32,
}

impl Bits {
    fn put(&mut self, bits: u32, count: u32) {
        self.pending |= bits << self.count;
        self.count += count;
        while self.count >= 8 {
            self.bytes.push(self.pending as u8);
            self.pending >>= 8;
            self.count -= 8;
        }
    }

    /// A Huffman code, whose highest bit comes first.
    fn code(&mut self, code: u32, count: u32) {
        self.put(code.reverse_bits() >> (32 - count), count);
    }

    /// A byte below 144, as those of texts are.
    fn literal(&mut self, byte: u8) {
        self.code(0x30 + u32::from(byte), 8);
    }

    /// So many bytes, from 3 to 10, that are so far back.
    fn reference(&mut self, length: usize, distance: usize) {
        self.code(length as u32 - 2, 7);
        let distance = distance as u32 - 1;
        if distance < 4 {
            self.code(distance, 5);
        } else {
            let extra = distance.ilog2() - 1;
            self.code(2 * (extra + 1) + (distance >> extra & 1), 5);
            self.put(distance & ((1 << extra) - 1), extra);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn texts_unpack_with_their_sums() {
        for size in [100, 5_000, 200_000] {
            let packed = text(&mut Random::new(7), b"head ", size);
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut plain).unwrap();
            assert!(plain.starts_with(b"head ") && plain.len() >= size);
            assert!(packed.len() < plain.len() || size < 1_000, "{} of {}", packed.len(), plain.len());
        }
    }
}
