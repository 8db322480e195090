//! DER (X.690), read with tolerance: what breaks the rules of the encoding and can be read all the same is read.
//!
//! A [`Reader`] takes elements from the front of bytes. Lengths that are longer than they need be are accepted and
//! remembered ([`Reader::is_ber`]); indefinite lengths are not, since no signature covers such a certificate.

/// Tags, of the class UNIVERSAL.
pub mod tag {
    #![expect(missing_docs, reason = "names of X.680")]
    pub const BOOLEAN: u8 = 0x01;
    pub const INTEGER: u8 = 0x02;
    pub const BIT_STRING: u8 = 0x03;
    pub const OCTET_STRING: u8 = 0x04;
    pub const NULL: u8 = 0x05;
    pub const OBJECT_IDENTIFIER: u8 = 0x06;
    pub const UTF8_STRING: u8 = 0x0c;
    pub const NUMERIC_STRING: u8 = 0x12;
    pub const PRINTABLE_STRING: u8 = 0x13;
    pub const TELETEX_STRING: u8 = 0x14;
    pub const IA5_STRING: u8 = 0x16;
    pub const UTC_TIME: u8 = 0x17;
    pub const GENERALIZED_TIME: u8 = 0x18;
    pub const VISIBLE_STRING: u8 = 0x1a;
    pub const GENERAL_STRING: u8 = 0x1b;
    pub const UNIVERSAL_STRING: u8 = 0x1c;
    pub const BMP_STRING: u8 = 0x1e;
    pub const SEQUENCE: u8 = 0x30;
    pub const SET: u8 = 0x31;
}

/// An element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// Its tag: class, constructed or not, and number in one byte, as all tags below 31 stand there.
    pub tag: u8,
    /// What it holds.
    pub content: &'a [u8],
    /// All of it, tag and length too.
    pub whole: &'a [u8],
}

impl<'a> Element<'a> {
    /// Reads what it holds.
    pub fn reader(&self) -> Reader<'a> {
        Reader::new(self.content)
    }

    /// The content, where the tag is this one.
    pub fn of(&self, tag: u8) -> Option<&'a [u8]> {
        (self.tag == tag).then_some(self.content)
    }

    /// The bytes of a BIT STRING, and how many bits at its end do not count.
    pub fn bits(&self) -> Option<(&'a [u8], u8)> {
        let (&unused, bytes) = self.of(tag::BIT_STRING)?.split_first()?;
        (unused < 8 && (unused == 0 || !bytes.is_empty())).then_some((bytes, unused))
    }
}

/// An element of which the end may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Front<'a> {
    /// What is there of its content.
    pub content: &'a [u8],
    /// All of it that is there.
    pub whole: &'a [u8],
    /// Its end is missing.
    pub is_cut: bool,
}

/// Elements from the front of bytes.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    is_ber: bool,
}

impl<'a> Reader<'a> {
    /// From the front of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, is_ber: false }
    }

    /// What was not read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether all was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Whether a length was written longer than it needs be, which DER forbids.
    pub fn is_ber(&self) -> bool {
        self.is_ber
    }

    /// The next element; none where there is no whole one.
    pub fn element(&mut self) -> Option<Element<'a>> {
        let (&tag, after_tag) = self.rest.split_first()?;
        if tag & 0x1f == 0x1f {
            // Tags of several bytes occur in none of what is read here.
            return None;
        }
        let (&first, after) = after_tag.split_first()?;
        let (length, start) = match first {
            0..0x80 => (usize::from(first), 2),
            // Indefinite, or longer than memory.
            0x80 | 0x85.. => return None,
            _ => {
                let digits = after.get(..usize::from(first & 0x7f))?;
                let length = digits.iter().fold(0_u32, |length, &digit| length << 8 | u32::from(digit));
                self.is_ber |= length < 0x80 || digits.first() == Some(&0);
                (usize::try_from(length).ok()?, 2 + digits.len())
            }
        };
        let end = start.checked_add(length)?;
        let whole = self.rest.get(..end)?;
        let content = whole.get(start..)?;
        self.rest = self.rest.get(end..)?;
        Some(Element { tag, content, whole })
    }

    /// The next element if it has this tag, also where its end is missing; else nothing is taken.
    pub fn front(&mut self, tag: u8) -> Option<Front<'a>> {
        if let Some(Element { content, whole, .. }) = self.next_if(tag) {
            return Some(Front { content, whole, is_cut: false });
        }
        let whole = self.rest;
        let (&first, after_tag) = whole.split_first()?;
        let (&length, after) = after_tag.split_first()?;
        // An indefinite length says nothing about where it ends.
        let digits = if length > 0x80 { usize::from(length & 0x7f) } else { 0 };
        if first != tag || length == 0x80 || digits > 4 {
            return None;
        }
        self.rest = &[];
        Some(Front { content: after.get(digits..).unwrap_or_default(), whole, is_cut: true })
    }

    /// The next element with its tag, also where its end is missing.
    pub fn next_front(&mut self) -> Option<(u8, Front<'a>)> {
        if let Some(Element { tag, content, whole }) = self.element() {
            return Some((tag, Front { content, whole, is_cut: false }));
        }
        let tag = *self.rest.first()?;
        Some((tag, self.front(tag)?))
    }

    /// The next element if it has this tag; else nothing is taken.
    pub fn next_if(&mut self, tag: u8) -> Option<Element<'a>> {
        let before = *self;
        let element = self.element();
        match element {
            Some(element) if element.tag == tag => Some(element),
            _ => {
                *self = before;
                None
            }
        }
    }
}

/// An INTEGER without the zeros that say that it is not negative, and whether it is negative (then as it was sent).
pub fn integer(content: &[u8]) -> Option<(&[u8], bool)> {
    let (&first, _) = content.split_first()?;
    if first >= 0x80 {
        return Some((content, true));
    }
    let zeros = content.iter().take_while(|&&byte| byte == 0).count();
    Some((content.get(zeros..)?, false))
}

/// A small INTEGER that is not negative.
pub fn small(content: &[u8]) -> Option<u64> {
    let (magnitude, is_negative) = integer(content)?;
    if is_negative || magnitude.len() > 8 {
        return None;
    }
    Some(magnitude.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

/// An INTEGER of up to eight bytes with its sign.
pub fn signed(content: &[u8]) -> Option<i64> {
    let (&first, _) = content.split_first()?;
    let sign = if first >= 0x80 { -1_i64 } else { 0 };
    // What only repeats the sign says nothing.
    let padding = content.len().saturating_sub(8);
    let (padding, content) = content.split_at_checked(padding)?;
    let (fill, high) = if sign < 0 { (0xff, 0x80) } else { (0, 0) };
    let is_padding = padding.iter().all(|&byte| byte == fill)
        && (padding.is_empty() || content.first().is_some_and(|byte| byte & 0x80 == high));
    is_padding.then(|| content.iter().fold(sign, |value, &byte| value << 8 | i64::from(byte)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Option<(u8, &[u8], bool)> {
        let mut reader = Reader::new(bytes);
        let element = reader.element()?;
        Some((element.tag, element.content, reader.is_ber()))
    }

    #[test]
    fn lengths_are_read_in_all_their_forms() {
        assert_eq!(read(&[2, 1, 7]), Some((2, &[7][..], false)));
        assert_eq!(read(&[2, 0x81, 1, 7]), Some((2, &[7][..], true)));
        assert_eq!(read(&[2, 0x82, 0, 1, 7]), Some((2, &[7][..], true)));
        assert_eq!(read(&[2, 0x84, 0, 0, 0, 1, 7]), Some((2, &[7][..], true)));
        let long: Vec<u8> = [4, 0x81, 0x80].into_iter().chain([9; 0x80]).collect();
        assert_eq!(read(&long), Some((4, &[9; 0x80][..], false)));
        for broken in [
            &[][..],
            &[2],
            &[2, 1],
            &[2, 0x81],
            &[2, 0x80, 0, 0],
            &[2, 0xff],
            &[0x1f, 1, 1],
            &[4, 0x84, 255, 255, 255, 255],
        ] {
            assert_eq!(read(broken), None, "{broken:x?}");
        }
    }

    #[test]
    fn the_front_of_an_element_is_read_where_its_end_is_missing() {
        let front = |bytes: &'static [u8]| {
            let front = Reader::new(bytes).front(tag::SEQUENCE)?;
            assert_eq!(front.whole, bytes);
            Some((front.content, front.is_cut))
        };
        assert_eq!(front(&[0x30, 2, 5, 0]), Some((&[5, 0][..], false)));
        assert_eq!(front(&[0x30, 9, 5, 0]), Some((&[5, 0][..], true)));
        assert_eq!(front(&[0x30, 0x82, 1, 0, 5, 0]), Some((&[5, 0][..], true)));
        assert_eq!(front(&[0x30, 0x82, 1]), Some((&[][..], true)));
        assert_eq!(front(&[0x30, 0x80, 5, 0]), None);
        assert_eq!(front(&[0x31, 9, 5, 0]), None);
        assert_eq!(front(&[0x30]), None);
    }

    #[test]
    fn integers_lose_their_sign_but_not_their_value() {
        assert_eq!(integer(&[0, 0x80]), Some((&[0x80][..], false)));
        assert_eq!(integer(&[0]), Some((&[][..], false)));
        assert_eq!(integer(&[0xff]), Some((&[0xff][..], true)));
        assert_eq!(integer(&[]), None);
        assert_eq!(small(&[1, 0, 1]), Some(65537));
        assert_eq!(small(&[0x80]), None);
        assert_eq!(small(&[0, 255, 255, 255, 255, 255, 255, 255, 255]), Some(u64::MAX));
        assert_eq!(small(&[1, 255, 255, 255, 255, 255, 255, 255, 255]), None);
    }

    #[test]
    fn integers_have_their_sign_however_many_bytes_repeat_it() {
        assert_eq!(signed(&[]), None);
        assert_eq!(signed(&[5]), Some(5));
        assert_eq!(signed(&[0xff]), Some(-1));
        assert_eq!(signed(&[0xff, 0x7b]), Some(-133));
        assert_eq!(signed(&[0, 0xff, 0xff, 0xff, 0xff]), Some(0xffff_ffff));
        assert_eq!(signed(&[0x80, 0, 0, 0, 0, 0, 0, 0]), Some(i64::MIN));
        assert_eq!(signed(&[0xff, 0xff, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0]), Some(i64::MIN));
        assert_eq!(signed(&[0, 0x80, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(signed(&[1, 0, 0, 0, 0, 0, 0, 0, 0]), None);
    }

    #[test]
    fn what_comes_next_is_read_whole_or_cut() {
        let mut reader = Reader::new(&[2, 1, 7, 0xa1, 9, 4, 2]);
        let next = |reader: &mut Reader<'_>| reader.next_front().map(|(tag, front)| (tag, front.content.len(), front.is_cut));
        assert_eq!(next(&mut reader), Some((2, 1, false)));
        assert_eq!(next(&mut reader), Some((0xa1, 2, true)));
        assert_eq!(next(&mut reader), None);
    }

    #[test]
    fn bits_say_how_many_of_them_count() {
        let bits = |content| Element { tag: tag::BIT_STRING, content, whole: content }.bits();
        assert_eq!(bits(&[5, 0xa0]), Some((&[0xa0][..], 5)));
        assert_eq!(bits(&[0]), Some((&[][..], 0)));
        assert_eq!(bits(&[1]), None);
        assert_eq!(bits(&[8, 0]), None);
        assert_eq!(bits(&[]), None);
    }

    proptest! {
        #[test]
        fn elements_follow_one_another_and_lose_no_byte(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = Reader::new(&bytes);
            let mut read = 0;
            while let Some(element) = reader.element() {
                prop_assert!(element.whole.ends_with(element.content));
                read += element.whole.len();
            }
            prop_assert_eq!(read + reader.rest().len(), bytes.len());
        }
    }
}
