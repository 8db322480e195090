//! HPACK (RFC 7541): header blocks into fields, with the table of one direction.
//!
//! Bytes that were lost do not end it: what they put into the table is unknown, what comes behind them is at its place
//! again, because the table is counted from its newest entry.

use std::collections::VecDeque;
use std::sync::Arc;

use super::fields::Fields;
use super::huffman;

/// Size of the table where nothing else is agreed on (RFC 9113, 6.5.2).
pub const DEFAULT_TABLE: u32 = 4096;

/// Most bytes of the table that are kept: what browsers announce. Of a larger one the oldest entries are not known.
pub const MAX_TABLE: usize = 64 * 1024;

/// What an entry counts beside its name and value (RFC 7541, 4.1).
const ENTRY: usize = 32;

/// Longest encoding of an integer behind its first byte: five bytes hold 32 bits.
const MAX_INTEGER: usize = 5;

/// The static table (RFC 7541, appendix A).
const STATIC: [Field<'_>; 61] = [
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    (b":status", b"200"),
    (b":status", b"204"),
    (b":status", b"206"),
    (b":status", b"304"),
    (b":status", b"400"),
    (b":status", b"404"),
    (b":status", b"500"),
    (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"),
    (b"accept-language", b""),
    (b"accept-ranges", b""),
    (b"accept", b""),
    (b"access-control-allow-origin", b""),
    (b"age", b""),
    (b"allow", b""),
    (b"authorization", b""),
    (b"cache-control", b""),
    (b"content-disposition", b""),
    (b"content-encoding", b""),
    (b"content-language", b""),
    (b"content-length", b""),
    (b"content-location", b""),
    (b"content-range", b""),
    (b"content-type", b""),
    (b"cookie", b""),
    (b"date", b""),
    (b"etag", b""),
    (b"expect", b""),
    (b"expires", b""),
    (b"from", b""),
    (b"host", b""),
    (b"if-match", b""),
    (b"if-modified-since", b""),
    (b"if-none-match", b""),
    (b"if-range", b""),
    (b"if-unmodified-since", b""),
    (b"last-modified", b""),
    (b"link", b""),
    (b"location", b""),
    (b"max-forwards", b""),
    (b"proxy-authenticate", b""),
    (b"proxy-authorization", b""),
    (b"range", b""),
    (b"referer", b""),
    (b"refresh", b""),
    (b"retry-after", b""),
    (b"server", b""),
    (b"set-cookie", b""),
    (b"strict-transport-security", b""),
    (b"transfer-encoding", b""),
    (b"user-agent", b""),
    (b"vary", b""),
    (b"via", b""),
    (b"www-authenticate", b""),
];

/// A name and a value.
type Field<'a> = (&'a [u8], &'a [u8]);

/// What is wrong with a block: the rest of it cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

/// What can be said of a block that was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Fields that are left out because they are in a part of the table that is not known.
    pub unknown: usize,
    /// The largest size of the table that the block asks for.
    pub table: Option<u32>,
}

/// Reads the header blocks of one direction.
#[derive(Debug)]
pub struct Decoder {
    /// The newest first.
    table: VecDeque<Option<Entry>>,
    /// Of the entries that are kept, by [`ENTRY`].
    size: usize,
    /// As the encoder says.
    limit: u32,
    /// Entries may be missing behind those that are kept.
    has_lost: bool,
}

#[derive(Debug)]
struct Entry {
    name: Name,
    value: Box<[u8]>,
}

/// Shared, because a few bytes of a block make an entry of any name that is in the table.
#[derive(Clone, Debug)]
enum Name {
    Static(&'static [u8]),
    Shared(Arc<[u8]>),
}

impl Name {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Static(name) => name,
            Self::Shared(name) => name,
        }
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self { table: VecDeque::new(), size: 0, limit: DEFAULT_TABLE, has_lost: false }
    }
}

impl Decoder {
    /// Reads a whole block and appends its fields.
    ///
    /// # Errors
    /// The block breaks the rules; the fields before that are there, and what it did to the table behind that is not
    /// known.
    pub fn decode(&mut self, block: &[u8], fields: &mut Fields) -> Result<Outcome, Malformed> {
        let mut outcome = Outcome::default();
        let mut rest = block;
        let read = loop {
            let Some(first) = rest.first() else { break Ok(()) };
            match self.representation(*first, &mut rest, fields, &mut outcome) {
                Ok(()) => {}
                Err(malformed) => break Err(malformed),
            }
        };
        match read {
            Ok(()) => Ok(outcome),
            Err(malformed) => {
                self.lose();
                Err(malformed)
            }
        }
    }

    /// A block was lost, or a part of one: what is in the table by now is not known.
    pub fn lose(&mut self) {
        self.table.clear();
        self.size = 0;
        self.has_lost = true;
    }

    /// Bytes of memory that it holds.
    pub fn held(&self) -> usize {
        self.size + self.table.capacity() * size_of::<Option<Entry>>()
    }

    /// One field, or a new size of the table (RFC 7541, 6).
    fn representation(
        &mut self,
        first: u8,
        rest: &mut &[u8],
        fields: &mut Fields,
        outcome: &mut Outcome,
    ) -> Result<(), Malformed> {
        match first {
            0x80.. => {
                let index = integer(rest, 7)?;
                match self.entry(index)? {
                    Some((name, value)) => fields.push(name, value),
                    None => outcome.unknown += 1,
                }
            }
            0x40..=0x7f => {
                let (name, value) = self.literal(rest, 6)?;
                if let Some(name) = &name {
                    fields.push(name.bytes(), &value);
                } else {
                    outcome.unknown += 1;
                }
                self.insert(name, value);
            }
            0x20..=0x3f => {
                let limit = integer(rest, 5)?;
                outcome.table = outcome.table.max(Some(limit));
                self.limit = limit;
                self.evict(0);
            }
            _ => {
                let (name, value) = self.literal(rest, 4)?;
                match name {
                    Some(name) => fields.push(name.bytes(), &value),
                    None => outcome.unknown += 1,
                }
            }
        }
        Ok(())
    }

    /// A field of which at least the value stands in the block; without a name where that is not known.
    fn literal(&self, rest: &mut &[u8], prefix: u32) -> Result<(Option<Name>, Vec<u8>), Malformed> {
        let name = match integer(rest, prefix)? {
            0 => Some(Name::Shared(string(rest)?.into())),
            index => self.name(index)?,
        };
        Ok((name, string(rest)?))
    }

    /// The entry at an index, counted from 1 (RFC 7541, 2.3.3); none where it is not known any more.
    fn entry(&self, index: u32) -> Result<Option<Field<'_>>, Malformed> {
        let place = place(index)?;
        if let Some((name, value)) = STATIC.get(place) {
            return Ok(Some((name, value)));
        }
        Ok(self.dynamic(place)?.map(|entry| (entry.name.bytes(), &*entry.value)))
    }

    /// The name of the entry at an index.
    fn name(&self, index: u32) -> Result<Option<Name>, Malformed> {
        let place = place(index)?;
        if let Some((name, _)) = STATIC.get(place) {
            return Ok(Some(Name::Static(name)));
        }
        Ok(self.dynamic(place)?.map(|entry| entry.name.clone()))
    }

    fn dynamic(&self, place: usize) -> Result<Option<&Entry>, Malformed> {
        match self.table.get(place - STATIC.len()) {
            Some(entry) => Ok(entry.as_ref()),
            None if self.has_lost => Ok(None),
            None => Err(Malformed("index behind the end of the table")),
        }
    }

    /// Puts a field into the table; what has no room any more goes (RFC 7541, 4.4).
    fn insert(&mut self, name: Option<Name>, value: Vec<u8>) {
        let length = name.as_ref().map_or(0, |name| name.bytes().len()) + value.len();
        if length + ENTRY > self.limit as usize {
            // Larger than the table: nothing is left in it.
            self.table.clear();
            self.size = 0;
            return;
        }
        // What is larger than what is kept has a place all the same.
        let entry = name.filter(|_| length + ENTRY <= MAX_TABLE);
        let entry = entry.map(|name| Entry { name, value: value.into() });
        let size = entry.as_ref().map_or(ENTRY, |_| length + ENTRY);
        self.evict(size);
        self.size += size;
        self.table.push_front(entry);
    }

    /// Makes room for so many bytes.
    fn evict(&mut self, room: usize) {
        let limit = (self.limit as usize).min(MAX_TABLE);
        if self.limit as usize > MAX_TABLE {
            self.has_lost = true;
        }
        while self.size + room > limit {
            let Some(entry) = self.table.pop_back() else { break };
            let length = entry.map_or(0, |entry| entry.name.bytes().len() + entry.value.len());
            self.size -= length + ENTRY;
        }
    }
}

fn place(index: u32) -> Result<usize, Malformed> {
    (index as usize).checked_sub(1).ok_or(Malformed("index of no entry"))
}

/// An integer behind the upper bits of its first byte (RFC 7541, 5.1).
fn integer(rest: &mut &[u8], prefix: u32) -> Result<u32, Malformed> {
    const SHORT: Malformed = Malformed("integer that is cut short");
    let (first, mut behind) = rest.split_first().ok_or(SHORT)?;
    let mask = (1u64 << prefix) - 1;
    let mut value = u64::from(*first) & mask;
    if value == mask {
        for at in 0.. {
            if at == MAX_INTEGER {
                return Err(Malformed("integer that is too large"));
            }
            let (byte, after) = behind.split_first().ok_or(SHORT)?;
            behind = after;
            value += u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                break;
            }
        }
    }
    *rest = behind;
    u32::try_from(value).map_err(|_| Malformed("integer that is too large"))
}

/// A string, plain or in the Huffman code (RFC 7541, 5.2).
fn string(rest: &mut &[u8]) -> Result<Vec<u8>, Malformed> {
    let is_coded = rest.first().is_some_and(|first| first & 0x80 != 0);
    let length = integer(rest, 7)? as usize;
    let (bytes, behind) = rest.split_at_checked(length).ok_or(Malformed("string that is cut short"))?;
    *rest = behind;
    if !is_coded {
        return Ok(bytes.to_vec());
    }
    let mut text = Vec::new();
    huffman::decode(bytes, &mut text).map_err(|_| Malformed("string that is not in its code"))?;
    Ok(text)
}

#[cfg(test)]
mod tests;
