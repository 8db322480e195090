//! Where the variable-length values of a batch of rows lie: rows hold ranges, and are plain `Copy` data.

mod packed;

use std::ops::Range;

pub(crate) use packed::Mark;

/// A string of a batch: a range of the batch's [`Arena`]. [`Text::NULL`] is "unknown", an empty range is "".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    start: u32,
    len: u32,
}

impl Text {
    /// Unknown.
    pub const NULL: Self = Self { start: u32::MAX, len: 0 };

    /// Whether this is "unknown".
    pub fn is_null(self) -> bool {
        self.start == u32::MAX
    }

    /// Bytes; 0 where unknown.
    pub fn len(self) -> usize {
        self.len as usize
    }

    /// Whether there are no bytes.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::NULL
    }
}

/// A list of a batch: a range of one of the lists of the batch's [`Arena`]; which one is said by the column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct List {
    start: u32,
    len: u32,
}

impl List {
    /// Unknown.
    pub const NULL: Self = Self { start: u32::MAX, len: 0 };

    /// A list that was seen and holds nothing.
    pub const EMPTY: Self = Self { start: 0, len: 0 };

    /// Whether this is "unknown".
    pub fn is_null(self) -> bool {
        self.start == u32::MAX
    }

    /// The number of entries; 0 where unknown.
    pub fn len(self) -> usize {
        self.len as usize
    }

    /// Whether there are no entries.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }
}

impl Default for List {
    fn default() -> Self {
        Self::NULL
    }
}

/// A resource record of a DNS message, in presentation form.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ResourceRecord {
    /// Owner name.
    pub name: Text,
    /// TYPE as on the wire.
    pub record_type: u16,
    /// Seconds.
    pub ttl: i32,
    /// RDATA in presentation form.
    pub data: Text,
}

/// The variable-length values of one batch of rows.
#[derive(Debug, Default)]
pub struct Arena {
    bytes: Vec<u8>,
    texts: Vec<Text>,
    pairs: Vec<(Text, Text)>,
    numbers: Vec<i32>,
    resource_records: Vec<ResourceRecord>,
    /// Texts that are known by a number, see [`Arena::named`].
    named: Option<Box<[(u32, Text); NAMED]>>,
    cut: u32,
}

/// Texts that are known by a number at a time.
const NAMED: usize = 256;

impl Text {
    /// What follows the first `bytes` bytes: it lies where the whole lies. The cut must not go through a character.
    #[must_use]
    pub fn skip(self, bytes: usize) -> Self {
        match u32::try_from(bytes) {
            Ok(bytes) if !self.is_null() && bytes <= self.len => {
                Self { start: self.start + bytes, len: self.len - bytes }
            }
            _ => Self::NULL,
        }
    }
}

/// Lines that were copied as a whole: what stands in them is text without a copy of its own.
#[derive(Clone, Copy, Debug)]
pub struct Lines {
    start: u32,
    /// Where they are in upper case.
    upper_case: u32,
    len: u32,
}

impl Lines {
    /// What stands at this place. No end of a line may be in it.
    pub fn text(self, place: Range<usize>) -> Text {
        self.part(self.start, place)
    }

    /// The same in upper case.
    pub fn upper_case(self, place: Range<usize>) -> Text {
        self.part(self.upper_case, place)
    }

    fn part(self, of: u32, place: Range<usize>) -> Text {
        let end = place.end.min(self.len as usize);
        let start = place.start.min(end);
        Text { start: of + start as u32, len: (end - start) as u32 }
    }
}

impl Arena {
    /// An empty one with room for a little more than this one holds.
    pub(crate) fn as_roomy(&self) -> Self {
        use crate::batch::roomy;
        Self {
            bytes: Vec::with_capacity(roomy(self.bytes.len())),
            texts: Vec::with_capacity(roomy(self.texts.len())),
            pairs: Vec::with_capacity(roomy(self.pairs.len())),
            numbers: Vec::with_capacity(roomy(self.numbers.len())),
            resource_records: Vec::with_capacity(roomy(self.resource_records.len())),
            named: None,
            cut: 0,
        }
    }

    /// Keeps `bytes` as text by the lake's reversible rule (see [`crate::text::escape`]), cut at
    /// [`crate::text::MAX_TEXT`]; a cut is counted (see [`Arena::take_cut`]).
    pub fn text(&mut self, bytes: &[u8]) -> Text {
        let start = self.bytes.len();
        if crate::text::escape(bytes, &mut self.bytes) {
            self.cut += 1;
        }
        self.range(start)
    }

    /// Keeps `bytes` as [`Arena::text`] does, with the letters of ASCII in upper case.
    pub fn upper_case(&mut self, bytes: &[u8]) -> Text {
        if bytes.len() > crate::text::MAX_TEXT || !crate::text::is_plain(bytes) {
            return self.text(&bytes.to_ascii_uppercase());
        }
        let start = self.bytes.len();
        self.bytes.extend(bytes.iter().map(u8::to_ascii_uppercase));
        self.range(start)
    }

    /// Keeps `bytes` as [`Arena::text`] does, with the letters of ASCII in lower case.
    pub fn lower_case(&mut self, bytes: &[u8]) -> Text {
        if bytes.len() > crate::text::MAX_TEXT || !crate::text::is_plain(bytes) {
            return self.text(&bytes.to_ascii_lowercase());
        }
        let start = self.bytes.len();
        self.bytes.extend(bytes.iter().map(u8::to_ascii_lowercase));
        self.range(start)
    }

    /// Keeps lines as they are and in upper case. None where there is something in them that has to be escaped, ends of lines
    /// aside, or where they are so long that copies of what is asked for cost less.
    pub fn lines(&mut self, lines: &[u8]) -> Option<Lines> {
        const MAX: usize = 2048;
        let start = u32::try_from(self.bytes.len()).ok().filter(|&start| start < MAX_HELD)?;
        if lines.len() > MAX || !crate::text::are_plain_lines(lines) {
            return None;
        }
        self.bytes.extend_from_slice(lines);
        self.bytes.extend_from_slice(lines);
        let len = lines.len() as u32;
        if let Some(upper_case) = self.bytes.get_mut(start as usize + lines.len()..) {
            upper_case.make_ascii_uppercase();
        }
        Some(Lines { start, upper_case: start + len, len })
    }

    /// Keeps text that is known to be plain ASCII without backslash or control characters: no escaping.
    pub fn plain(&mut self, text: &str) -> Text {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(text.as_bytes());
        self.range(start)
    }

    /// Text written by `write` straight into the arena; what it writes should be UTF-8 in the lake's escaped form, and
    /// is made so where it is not: a column that is not UTF-8 could not be read at all.
    pub fn text_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Text {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let written = self.bytes.get(start..).unwrap_or_default();
        // Nearly all is ASCII and short, for which this is the faster question.
        if !written.is_ascii() && std::str::from_utf8(written).is_err() {
            let written = self.bytes.split_off(start);
            return self.text(&written);
        }
        if self.bytes.len() - start > crate::text::MAX_TEXT {
            let mut end = start + crate::text::MAX_TEXT;
            while end > start && self.bytes.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
                end -= 1;
            }
            self.bytes.truncate(end);
            self.cut += 1;
        }
        self.range(start)
    }

    /// The text that a number stands for, as in the lists of ciphers that each client offers: written by `write` as with
    /// [`Arena::text_with`], but only where the arena does not know that it holds it already.
    pub fn named(&mut self, number: u32, write: impl FnOnce(&mut Vec<u8>)) -> Text {
        let at = (number ^ number >> 8 ^ number >> 16) as usize % NAMED;
        if let Some(&(known, text)) = self.named.as_ref().and_then(|named| named.get(at))
            && known == number
            && !text.is_null()
        {
            return text;
        }
        let text = self.text_with(write);
        let named = self.named.get_or_insert_with(|| Box::new([(0, Text::NULL); NAMED]));
        if let Some(place) = named.get_mut(at) {
            *place = (number, text);
        }
        text
    }

    /// Keeps a list of texts, cut at [`crate::text::MAX_LIST`] entries.
    pub fn texts(&mut self, texts: &[Text]) -> List {
        let start = self.texts.len();
        self.texts.extend(texts.iter().take(crate::text::MAX_LIST));
        self.cut += u32::from(texts.len() > crate::text::MAX_LIST);
        list(start, self.texts.len())
    }

    /// Keeps a map, cut at [`crate::text::MAX_LIST`] entries. Keys should differ.
    pub fn map(&mut self, pairs: &[(Text, Text)]) -> List {
        let start = self.pairs.len();
        self.pairs.extend(pairs.iter().take(crate::text::MAX_LIST));
        self.cut += u32::from(pairs.len() > crate::text::MAX_LIST);
        list(start, self.pairs.len())
    }

    /// Keeps a list of numbers, cut at [`crate::text::MAX_LIST`] entries.
    pub fn numbers(&mut self, numbers: &[i32]) -> List {
        let start = self.numbers.len();
        self.numbers.extend(numbers.iter().take(crate::text::MAX_LIST));
        self.cut += u32::from(numbers.len() > crate::text::MAX_LIST);
        list(start, self.numbers.len())
    }

    /// Keeps a list of resource records, cut at [`crate::text::MAX_LIST`] entries.
    pub fn resource_records(&mut self, records: &[ResourceRecord]) -> List {
        let start = self.resource_records.len();
        self.resource_records.extend(records.iter().take(crate::text::MAX_LIST));
        self.cut += u32::from(records.len() > crate::text::MAX_LIST);
        list(start, self.resource_records.len())
    }

    /// The bytes of `text`; null where unknown.
    pub fn bytes_of(&self, text: Text) -> Option<&[u8]> {
        if text.is_null() {
            return None;
        }
        self.bytes.get(text.start as usize..)?.get(..text.len as usize)
    }

    /// The texts of `list`; null where unknown.
    pub fn texts_of(&self, list: List) -> Option<&[Text]> {
        if list.is_null() {
            return None;
        }
        self.texts.get(list.start as usize..)?.get(..list.len as usize)
    }

    /// The entries of the map `list`; null where unknown.
    pub fn map_of(&self, list: List) -> Option<&[(Text, Text)]> {
        if list.is_null() {
            return None;
        }
        self.pairs.get(list.start as usize..)?.get(..list.len as usize)
    }

    /// The numbers of `list`; null where unknown.
    pub fn numbers_of(&self, list: List) -> Option<&[i32]> {
        if list.is_null() {
            return None;
        }
        self.numbers.get(list.start as usize..)?.get(..list.len as usize)
    }

    /// The resource records of `list`; null where unknown.
    pub fn resource_records_of(&self, list: List) -> Option<&[ResourceRecord]> {
        if list.is_null() {
            return None;
        }
        self.resource_records.get(list.start as usize..)?.get(..list.len as usize)
    }

    /// How many values were cut at their limit since the last call; the caller turns them into an anomaly.
    pub fn take_cut(&mut self) -> u32 {
        std::mem::take(&mut self.cut)
    }

    /// Bytes held, for accounting.
    pub fn held(&self) -> usize {
        self.bytes.len()
            + self.texts.len() * size_of::<Text>()
            + self.pairs.len() * size_of::<(Text, Text)>()
            + self.numbers.len() * size_of::<i32>()
            + self.resource_records.len() * size_of::<ResourceRecord>()
    }

    /// Keeps a copy of a text of another arena.
    pub fn copy_text(&mut self, text: Text, from: &Self) -> Text {
        let Some(bytes) = from.bytes_of(text) else { return Text::NULL };
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.range(start)
    }

    /// Keeps a copy of a list of texts of another arena.
    pub fn copy_texts(&mut self, list: List, from: &Self) -> List {
        let Some(texts) = from.texts_of(list) else { return List::NULL };
        let texts: Vec<Text> = texts.iter().map(|&text| self.copy_text(text, from)).collect();
        self.texts(&texts)
    }

    /// Keeps a copy of a map of another arena.
    pub fn copy_map(&mut self, list: List, from: &Self) -> List {
        let Some(pairs) = from.map_of(list) else { return List::NULL };
        let pairs: Vec<(Text, Text)> = pairs
            .iter()
            .map(|&(key, value)| (self.copy_text(key, from), self.copy_text(value, from)))
            .collect();
        self.map(&pairs)
    }

    /// Keeps a copy of a list of numbers of another arena.
    pub fn copy_numbers(&mut self, list: List, from: &Self) -> List {
        from.numbers_of(list).map_or(List::NULL, |numbers| self.numbers(numbers))
    }

    /// Keeps a copy of a list of resource records of another arena.
    pub fn copy_resource_records(&mut self, list: List, from: &Self) -> List {
        let Some(records) = from.resource_records_of(list) else { return List::NULL };
        let records: Vec<ResourceRecord> = records
            .iter()
            .map(|record| ResourceRecord {
                name: self.copy_text(record.name, from),
                data: self.copy_text(record.data, from),
                ..*record
            })
            .collect();
        self.resource_records(&records)
    }

    /// Bytes that a list of texts holds.
    pub(crate) fn held_by_texts(&self, list: List) -> usize {
        let texts = self.texts_of(list).unwrap_or_default();
        texts.iter().map(|text| text.len() + size_of::<Text>()).sum()
    }

    /// Bytes that a map holds.
    pub(crate) fn held_by_map(&self, list: List) -> usize {
        let pairs = self.map_of(list).unwrap_or_default();
        pairs.iter().map(|(key, value)| key.len() + value.len() + size_of::<(Text, Text)>()).sum()
    }

    /// Bytes that a list of numbers holds.
    pub(crate) fn held_by_numbers(&self, list: List) -> usize {
        self.numbers_of(list).map_or(0, size_of_val)
    }

    /// Bytes that a list of resource records holds.
    pub(crate) fn held_by_resource_records(&self, list: List) -> usize {
        let records = self.resource_records_of(list).unwrap_or_default();
        records.iter().map(|record| record.name.len() + record.data.len() + size_of::<ResourceRecord>()).sum()
    }

    /// The text from `start` to the end; given up where the arena holds more than its ranges can say, which takes
    /// packets made for it.
    fn range(&mut self, start: usize) -> Text {
        match (u32::try_from(start), u32::try_from(self.bytes.len() - start)) {
            (Ok(start), Ok(len)) if start < MAX_HELD => Text { start, len },
            _ => {
                self.bytes.truncate(start);
                self.cut += 1;
                Text { start: 0, len: 0 }
            }
        }
    }
}

/// Most bytes of an arena's texts.
const MAX_HELD: u32 = 1 << 30;

fn list(start: usize, end: usize) -> List {
    List { start: start as u32, len: (end - start) as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_number_stands_for_is_written_once() {
        let mut arena = Arena::default();
        let mark = arena.mark();
        let name = |arena: &mut Arena, number: u32| arena.named(number, |out| out.extend(b"name"));
        let first = name(&mut arena, 0);
        assert_eq!((name(&mut arena, 0), arena.bytes.len()), (first, 4));
        // Another number that has the same place, and the first again.
        assert_ne!(name(&mut arena, 0x101), first);
        let again = name(&mut arena, 0);
        assert_eq!(arena.bytes_of(again), Some(&b"name"[..]));
        arena.truncate(mark);
        let again = name(&mut arena, 0);
        assert_eq!(arena.bytes_of(again), Some(&b"name"[..]));
    }

    #[test]
    fn what_stands_in_lines_is_as_if_kept_for_itself() {
        let bytes = b"GET /a HTTP/1.1\r\nHost: b.test\r\nx-Y:\n\r\n";
        let mut arena = Arena::default();
        arena.plain("before");
        let lines = arena.lines(bytes).unwrap();
        arena.plain("behind");
        for place in [0..3, 4..6, 17..21, 23..29, 31..34, 34..34, 0..0] {
            let (part, [text, upper]) =
                (&bytes[place.clone()], [lines.text(place.clone()), lines.upper_case(place)]);
            let (text_apart, upper_apart) = (arena.text(part), arena.upper_case(part));
            assert_eq!(arena.bytes_of(text), arena.bytes_of(text_apart));
            assert_eq!(arena.bytes_of(upper), arena.bytes_of(upper_apart));
        }
        // A place that is none does not reach into other texts.
        for place in [0..1000, 1000..2000, bytes.len()..bytes.len() + 6] {
            assert!(arena.bytes_of(lines.text(place)).is_some_and(|text| bytes.ends_with(text)));
        }
    }

    #[test]
    fn lines_with_what_is_to_be_escaped_are_not_kept() {
        for odd in [b'\t', 0, 0x7f, 0x80, 0xff, b'\\'] {
            for place in [0, 7, 16, 29] {
                let mut bytes = *b"Host: b.test\r\nUser-Agent: abc\r";
                bytes[place] = odd;
                let mut arena = Arena::default();
                assert!(arena.lines(&bytes).is_none(), "{odd:#x} at {place}");
                assert_eq!(arena.held(), 0);
            }
        }
        assert!(Arena::default().lines(&[b'a'; 1 << 16]).is_none());
    }

    #[test]
    fn lower_case_leaves_escapes_as_they_are() {
        for bytes in [&b"WWW.Example.COM"[..], b"", b"X\xffY\\x4AZ\0", "\u{c4}B".as_bytes()] {
            let mut arena = Arena::default();
            let (text, lower) = (arena.text(&bytes.to_ascii_lowercase()), arena.lower_case(bytes));
            assert_eq!(arena.bytes_of(lower), arena.bytes_of(text));
        }
    }

    #[test]
    fn upper_case_leaves_escapes_as_they_are() {
        let long = "a".repeat(crate::text::MAX_TEXT + 1);
        for bytes in [&b"Accept-Language"[..], b"", b"x\xffy\\x41z\0", "\u{e4}b".as_bytes(), long.as_bytes()]
        {
            let mut arena = Arena::default();
            let (text, upper) = (arena.text(&bytes.to_ascii_uppercase()), arena.upper_case(bytes));
            assert_eq!(arena.bytes_of(upper), arena.bytes_of(text));
        }
        let mut arena = Arena::default();
        let text = arena.upper_case(b"a\xff");
        assert_eq!(arena.bytes_of(text), Some(&b"A\\xff"[..]));
    }
}
