//! What the fuzz targets share: where input comes from, and what must be true of all output.

pub mod capture;
pub mod dns;
pub mod engine;
pub mod rows;

/// Takes fuzzer's bytes apart: a few numbers in front, the rest whole. Zeros where there are no more.
pub struct Input<'a> {
    /// What is left.
    pub rest: &'a [u8],
}

impl<'a> Input<'a> {
    /// Of all bytes.
    pub fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let (first, rest) = self.rest.split_first().unwrap_or((&0, &[]));
        self.rest = rest;
        *first
    }

    /// The next two bytes as a number.
    pub fn short(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// The next `length` bytes, fewer at the end.
    pub fn take(&mut self, length: usize) -> &'a [u8] {
        let (part, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        part
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}
