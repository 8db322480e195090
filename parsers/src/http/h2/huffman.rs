//! The Huffman code of HPACK (RFC 7541, 5.2 and appendix B).
//!
//! The code is canonical: within a length codes count up with their symbols. So the lengths say it all.

/// Symbols: the bytes, and the one that ends a string, which must not be in one.
const SYMBOLS: usize = 257;

/// Longest code, in bits.
const LONGEST: usize = 30;

/// Bits by which most codes are found at once.
const FRONT: usize = 8;

/// Length of each symbol's code, in bits.
const LENGTHS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, //
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, //
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, //
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, //
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, //
    7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, //
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, //
    23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, //
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, //
    21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, //
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

/// What the lengths amount to. Codes are kept as the front of a word of 32 bits.
struct Code {
    /// Symbols in the order of their codes.
    symbols: [u16; SYMBOLS],
    /// Of each length: its first code, the first code behind it, and how many symbols have shorter codes.
    lengths: [(u32, u64, usize); LONGEST + 1],
    /// By the first [`FRONT`] bits: the symbol and the length of its code; a length of 0 where that is longer.
    front: [(u8, u8); 1 << FRONT],
}

static CODE: Code = code();

#[expect(clippy::indexing_slicing, reason = "done by the compiler, which finds any that is wrong")]
const fn code() -> Code {
    let mut code =
        Code { symbols: [0; SYMBOLS], lengths: [(0, 0, 0); LONGEST + 1], front: [(0, 0); 1 << FRONT] };
    let (mut next, mut count, mut length) = (0u64, 0, 1);
    while length <= LONGEST {
        let step = 1u64 << (32 - length);
        code.lengths[length] = (next as u32, next, count);
        let mut symbol = 0;
        while symbol < SYMBOLS {
            if LENGTHS[symbol] as usize == length {
                code.symbols[count] = symbol as u16;
                count += 1;
                if length <= FRONT {
                    let mut place = (next >> (32 - FRONT)) as usize;
                    while (place as u64) << (32 - FRONT) < next + step {
                        code.front[place] = (symbol as u8, length as u8);
                        place += 1;
                    }
                }
                next += step;
            }
            symbol += 1;
        }
        code.lengths[length].1 = next;
        length += 1;
    }
    code
}

/// Not a string of this code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid;

/// Appends the string that `bytes` stand for.
///
/// # Errors
/// The bytes end within a code and are not filled up as they should be, or the symbol for the end is among them.
pub fn decode(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Invalid> {
    out.reserve(bytes.len() + bytes.len() / 2);
    let mut rest = bytes.iter();
    // Bits that are not used yet, at the front; behind them ones, which is what a string is filled up with.
    let (mut bits, mut held) = (u64::MAX, 0);
    loop {
        while held <= 64 - 8 {
            let Some(byte) = rest.next() else { break };
            bits = bits & !(0xff << (56 - held)) | u64::from(*byte) << (56 - held);
            held += 8;
        }
        let word = (bits >> 32) as u32;
        let (symbol, length) = symbol(word)?;
        if length > held {
            // What is left is a beginning of the symbol for the end, and less than a byte.
            let is_filling = held < 8 && bits == u64::MAX;
            return if is_filling { Ok(()) } else { Err(Invalid) };
        }
        out.push(symbol);
        // Length is 30 at most.
        bits = bits << length | ((1 << length) - 1);
        held -= length;
    }
}

/// The symbol at the front of a word, and the length of its code.
fn symbol(word: u32) -> Result<(u8, u32), Invalid> {
    match CODE.front.get((word >> (32 - FRONT)) as usize) {
        Some(&(symbol, length)) if length > 0 => return Ok((symbol, length.into())),
        _ => {}
    }
    for (length, (first, behind, shorter)) in CODE.lengths.iter().enumerate().skip(FRONT + 1) {
        if u64::from(word) < *behind {
            let place = (word - first) >> (32 - length);
            let symbol = CODE.symbols.get(shorter + place as usize).ok_or(Invalid)?;
            // The symbol for the end is no byte. It is all ones, as filling is: its length tells.
            return match u8::try_from(*symbol) {
                Ok(symbol) => Ok((symbol, length as u32)),
                Err(_) => Ok((0, u32::MAX)),
            };
        }
    }
    Err(Invalid)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(bytes: &[u8]) -> Result<Vec<u8>, Invalid> {
        let mut out = Vec::new();
        decode(bytes, &mut out).map(|()| out)
    }

    #[test]
    fn reads_the_examples_of_the_rfc() {
        for (hex, text) in [
            (&b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"[..], "www.example.com"),
            (b"\xa8\xeb\x10\x64\x9c\xbf", "no-cache"),
            (b"\x64\x02", "302"),
            (b"", ""),
        ] {
            assert_eq!(decoded(hex), Ok(text.as_bytes().to_vec()));
        }
    }

    #[test]
    fn refuses_the_symbol_for_the_end_and_wrong_filling() {
        for bytes in [
            // The symbol for the end, and the same behind a letter.
            &b"\xff\xff\xff\xff"[..],
            b"\x1f\xff\xff\xff\xff",
            // A whole byte of filling; filling of zeros.
            b"\x64\x02\xff",
            b"\x1c\x00\x00",
            b"\x18",
        ] {
            assert_eq!(decoded(bytes), Err(Invalid), "{bytes:x?}");
        }
    }

    proptest! {
        #[test]
        fn reads_what_another_encoder_writes(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut bytes = Vec::new();
            httlib_huffman::encode(&text, &mut bytes).unwrap();
            prop_assert_eq!(decoded(&bytes), Ok(text));
        }

        #[test]
        fn writes_again_as_it_was_what_it_can_read(bytes in prop::collection::vec(any::<u8>(), 0..12)) {
            if let Ok(text) = decoded(&bytes) {
                let mut again = Vec::new();
                httlib_huffman::encode(&text, &mut again).unwrap();
                prop_assert_eq!(again, bytes);
            }
        }
    }
}
