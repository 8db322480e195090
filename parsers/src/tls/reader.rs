//! A cursor over the bytes of a message: takes what is there and never more.

/// What is left of a message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// At the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What is left.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> Option<u8> {
        let [byte] = self.array()?;
        Some(byte)
    }

    /// The next two bytes as a number.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next three bytes as a number.
    pub fn u24(&mut self) -> Option<u32> {
        let [a, b, c] = self.array()?;
        Some(u32::from_be_bytes([0, a, b, c]))
    }

    /// So many bytes.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*bytes)
    }

    /// So many bytes.
    pub fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(bytes)
    }

    /// A vector behind a length of one byte (RFC 8446, 3.4).
    pub fn vector_8(&mut self) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let length = ahead.byte()?;
        let bytes = ahead.bytes(length.into())?;
        *self = ahead;
        Some(bytes)
    }

    /// A vector behind a length of two bytes.
    pub fn vector_16(&mut self) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let length = ahead.u16()?;
        let bytes = ahead.bytes(length.into())?;
        *self = ahead;
        Some(bytes)
    }

    /// A vector behind a length of three bytes.
    pub fn vector_24(&mut self) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let length = ahead.u24()?;
        let bytes = ahead.bytes(usize::try_from(length).ok()?)?;
        *self = ahead;
        Some(bytes)
    }

    /// A vector behind a length of two bytes, as much of it as is there.
    pub fn front_of_vector_16(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.u16()?);
        self.bytes(length.min(self.rest.len()))
    }
}

/// The numbers of two bytes in a vector; an odd byte at its end is left out.
pub fn numbers(bytes: &[u8]) -> impl Iterator<Item = u16> + Clone + '_ {
    bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_nothing_where_not_all_of_it_is_there() {
        let mut reader = Reader::new(&[0, 3, 1, 2]);
        assert_eq!(reader.vector_16(), None);
        assert_eq!(reader.rest(), [0, 3, 1, 2]);
        assert_eq!(reader.front_of_vector_16(), Some(&[1, 2][..]));
        assert!(reader.is_empty());
        assert_eq!(Reader::new(&[0, 0, 1, 9, 8]).vector_24(), Some(&[9][..]));
        assert_eq!(Reader::new(&[2, 9]).vector_8(), None);
        assert_eq!(Reader::new(&[1, 2]).u24(), None);
    }

    #[test]
    fn an_odd_byte_is_no_number() {
        assert_eq!(numbers(&[1, 2, 3, 4, 5]).collect::<Vec<_>>(), [0x0102, 0x0304]);
    }
}
