//! Texts and lists as packed bytes: each where it stands in its row.

use super::{Arena, List, MAX_HELD, ResourceRecord, Text, list};
use crate::packed::{Input, Malformed, Output, Packed, packed};

packed!(ResourceRecord { name, record_type, ttl, data });

/// How much an arena held.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    bytes: usize,
    texts: usize,
    pairs: usize,
    numbers: usize,
    resource_records: usize,
    cut: u32,
}

impl Arena {
    /// A state to go back to.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            bytes: self.bytes.len(),
            texts: self.texts.len(),
            pairs: self.pairs.len(),
            numbers: self.numbers.len(),
            resource_records: self.resource_records.len(),
            cut: self.cut,
        }
    }

    /// Makes room for so many more bytes of text.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        self.bytes.reserve(bytes);
    }

    /// Goes back to a state.
    pub(crate) fn truncate(&mut self, mark: Mark) {
        self.bytes.truncate(mark.bytes);
        self.texts.truncate(mark.texts);
        self.pairs.truncate(mark.pairs);
        self.numbers.truncate(mark.numbers);
        self.resource_records.truncate(mark.resource_records);
        self.named = None;
        self.cut = mark.cut;
    }
}

impl Packed for Text {
    #[inline]
    fn pack(&self, out: &mut Output<'_>) {
        match out.arena.bytes_of(*self) {
            Some(bytes) => {
                out.varint(bytes.len() as u64 + 1);
                out.bytes.extend_from_slice(bytes);
            }
            None => out.bytes.push(0),
        }
    }

    #[inline]
    fn unpack(input: &mut Input<'_>) -> Result<Self, Malformed> {
        let Some(length) = input.length()? else { return Ok(Self::NULL) };
        let bytes = input.take(length, "text")?;
        // A column that is not UTF-8 could not be read at all.
        if !bytes.is_ascii() && std::str::from_utf8(bytes).is_err() {
            return Err(Malformed("text"));
        }
        let start = input.arena.bytes.len();
        if start >= MAX_HELD as usize {
            return Err(Malformed("more text than a batch holds"));
        }
        input.arena.bytes.extend_from_slice(bytes);
        Ok(input.arena.range(start))
    }

    fn shape(shape: &mut String) {
        shape.push_str("text");
    }
}

/// Packing and unpacking of one kind of list.
macro_rules! lists {
    ($($list:ident, $entries:ident, $of:ident;)*) => {
        impl Output<'_> {
            $(
                pub(crate) fn $list(&mut self, list: List) {
                    let Some(entries) = self.arena.$of(list) else { return self.bytes.push(0) };
                    self.varint(entries.len() as u64 + 1);
                    entries.iter().for_each(|entry| entry.pack(self));
                }
            )*
        }

        impl Input<'_> {
            $(
                pub(crate) fn $list(&mut self) -> Result<List, Malformed> {
                    let Some(length) = self.length()? else { return Ok(List::NULL) };
                    let start = self.arena.$entries.len();
                    for _ in 0..length {
                        // No list is within another, so those of its entries follow each other.
                        let entry = Packed::unpack(self)?;
                        self.arena.$entries.push(entry);
                    }
                    Ok(list(start, self.arena.$entries.len()))
                }
            )*
        }
    };
}
lists! {
    texts, texts, texts_of;
    map, pairs, map_of;
    numbers, numbers, numbers_of;
    resource_records, resource_records, resource_records_of;
}

impl Input<'_> {
    /// Length of a text or list, none of what is unknown.
    #[inline]
    fn length(&mut self) -> Result<Option<usize>, Malformed> {
        let length = self.varint()?.checked_sub(1);
        // What is longer than the bytes that are left is no length, whatever the entries are.
        match length.map(usize::try_from) {
            None => Ok(None),
            Some(Ok(length)) if length <= self.bytes.len() => Ok(Some(length)),
            Some(_) => Err(Malformed("length")),
        }
    }
}
