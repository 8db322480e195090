//! Numbers, flags, words and what is made of them as packed bytes.

use std::collections::HashSet;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::{Input, Malformed, Output, Packed};

impl Output<'_> {
    /// Seven bits a byte, the lowest first.
    #[inline]
    pub(crate) fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }
}

impl<'a> Input<'a> {
    /// So many bytes from the front.
    #[inline]
    pub(crate) fn take(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or(Malformed(what))?;
        self.bytes = rest;
        Ok(taken)
    }

    /// An array from the front.
    #[inline]
    pub(crate) fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.bytes.split_first_chunk().ok_or(Malformed(what))?;
        self.bytes = rest;
        Ok(*taken)
    }

    /// See [`Output::varint`].
    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, Malformed> {
        match self.bytes {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.bytes = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for (at, &byte) in self.bytes.iter().enumerate().take(10) {
            let bits = u64::from(byte & 0x7f);
            let shift = 7 * at as u32;
            if at == 9 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                self.bytes = self.bytes.get(at + 1..).unwrap_or_default();
                return Ok(value);
            }
        }
        Err(Malformed("number"))
    }
}

/// Whole numbers by their bytes as they are: those of which most have few.
macro_rules! packed_unsigned {
    ($($number:ty),*) => {$(
        impl Packed for $number {
            #[inline]
            fn pack(&self, out: &mut Output<'_>) {
                out.varint(u64::from(*self));
            }

            #[inline]
            fn unpack(input: &mut Input<'_>) -> Result<Self, Malformed> {
                Self::try_from(input.varint()?).map_err(|_| Malformed(stringify!($number)))
            }

            fn shape(shape: &mut String) {
                shape.push_str(stringify!($number));
            }
        }
    )*};
}
packed_unsigned!(u16, u32, u64);

macro_rules! packed_signed {
    ($($number:ty),*) => {$(
        impl Packed for $number {
            #[inline]
            fn pack(&self, out: &mut Output<'_>) {
                let value = i64::from(*self);
                // The sign goes last, so that small negative numbers are short, too.
                out.varint((value << 1 ^ value >> 63).cast_unsigned());
            }

            #[inline]
            fn unpack(input: &mut Input<'_>) -> Result<Self, Malformed> {
                let value = input.varint()?;
                let value = (value >> 1).cast_signed() ^ -(value & 1).cast_signed();
                Self::try_from(value).map_err(|_| Malformed(stringify!($number)))
            }

            fn shape(shape: &mut String) {
                shape.push_str(stringify!($number));
            }
        }
    )*};
}
packed_signed!(i32, i64);

impl Packed for u8 {
    #[inline]
    fn pack(&self, out: &mut Output<'_>) {
        out.bytes.push(*self);
    }

    #[inline]
    fn unpack(input: &mut Input<'_>) -> Result<Self, Malformed> {
        let [byte] = input.array("byte")?;
        Ok(byte)
    }

    fn shape(shape: &mut String) {
        shape.push_str("u8");
    }
}

impl Packed for bool {
    #[inline]
    fn pack(&self, out: &mut Output<'_>) {
        out.bytes.push(u8::from(*self));
    }

    #[inline]
    fn unpack(input: &mut Input<'_>) -> Result<Self, Malformed> {
        match input.array("bool")? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(Malformed("bool")),
        }
    }

    fn shape(shape: &mut String) {
        shape.push_str("bool");
    }
}

impl Packed for f64 {
    #[inline]
    fn pack(&self, out: &mut Output<'_>) {
        out.bytes.extend_from_slice(&self.to_bits().to_le_bytes());
    }

    #[inline]
    fn unpack(input: &mut Input<'_>) -> Result<Self, Malformed> {
        input.array("f64").map(|bytes| Self::from_bits(u64::from_le_bytes(bytes)))
    }

    fn shape(shape: &mut String) {
        shape.push_str("f64");
    }
}

/// Identifiers: 0 is none, all others are random.
impl Packed for u128 {
    #[inline]
    fn pack(&self, out: &mut Output<'_>) {
        out.bytes.push(u8::from(*self != 0));
        if *self != 0 {
            out.bytes.extend_from_slice(&self.to_le_bytes());
        }
    }

    #[inline]
    fn unpack(input: &mut Input<'_>) -> Result<Self, Malformed> {
        if bool::unpack(input)? { input.array("identifier").map(Self::from_le_bytes) } else { Ok(0) }
    }

    fn shape(shape: &mut String) {
        shape.push_str("u128");
    }
}

impl<const N: usize> Packed for [u8; N] {
    #[inline]
    fn pack(&self, out: &mut Output<'_>) {
        out.bytes.extend_from_slice(self);
    }

    #[inline]
    fn unpack(input: &mut Input<'_>) -> Result<Self, Malformed> {
        input.array("bytes")
    }

    fn shape(shape: &mut String) {
        shape.push_str("bytes");
        shape.push_str(&N.to_string());
    }
}

/// A value for each direction.
macro_rules! packed_pairs {
    ($($value:ty),*) => {$(
        impl Packed for [$value; 2] {
            fn pack(&self, out: &mut Output<'_>) {
                self.iter().for_each(|value| value.pack(out));
            }

            fn unpack(input: &mut Input<'_>) -> Result<Self, Malformed> {
                Ok([Packed::unpack(input)?, Packed::unpack(input)?])
            }

            fn shape(shape: &mut String) {
                shape.push_str("2*");
                <$value>::shape(shape);
            }
        }
    )*};
}
packed_pairs!(i64, Option<[u8; 6]>);

impl<A: Packed, B: Packed> Packed for (A, B) {
    fn pack(&self, out: &mut Output<'_>) {
        self.0.pack(out);
        self.1.pack(out);
    }

    fn unpack(input: &mut Input<'_>) -> Result<Self, Malformed> {
        Ok((A::unpack(input)?, B::unpack(input)?))
    }

    fn shape(shape: &mut String) {
        shape.push('(');
        A::shape(shape);
        shape.push(',');
        B::shape(shape);
        shape.push(')');
    }
}

impl<T: Packed> Packed for Option<T> {
    #[inline]
    fn pack(&self, out: &mut Output<'_>) {
        out.bytes.push(u8::from(self.is_some()));
        if let Some(value) = self {
            value.pack(out);
        }
    }

    #[inline]
    fn unpack(input: &mut Input<'_>) -> Result<Self, Malformed> {
        if bool::unpack(input)? { T::unpack(input).map(Some) } else { Ok(None) }
    }

    fn shape(shape: &mut String) {
        shape.push('?');
        T::shape(shape);
    }
}

/// One of few fixed words.
impl Packed for &'static str {
    fn pack(&self, out: &mut Output<'_>) {
        out.varint(self.len() as u64);
        out.bytes.extend_from_slice(self.as_bytes());
    }

    fn unpack(input: &mut Input<'_>) -> Result<Self, Malformed> {
        let length = usize::from(u16::unpack(input)?);
        let word = std::str::from_utf8(input.take(length, "word")?).map_err(|_| Malformed("word"))?;
        fixed(word).ok_or(Malformed("word"))
    }

    fn shape(shape: &mut String) {
        shape.push_str("word");
    }
}

/// The word as long as the program runs. Those that records hold are few; damaged bytes must not make them many.
fn fixed(word: &str) -> Option<&'static str> {
    static WORDS: OnceLock<Mutex<HashSet<&'static str>>> = OnceLock::new();
    if word.is_empty() {
        return Some("");
    }
    let mut words = WORDS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(&word) = words.get(word) {
        return Some(word);
    }
    if words.len() >= MOST_WORDS || word.len() > LONGEST_WORD {
        return None;
    }
    let word: &'static str = String::leak(word.to_owned());
    words.insert(word);
    Some(word)
}

/// Words that are kept; records have a few dozen.
const MOST_WORDS: usize = 1024;

/// Bytes of the longest of them.
const LONGEST_WORD: usize = 64;
