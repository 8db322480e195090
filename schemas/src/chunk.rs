//! Column chunks: from the values of a leaf to Parquet pages with statistics, page index and bloom filter.
//!
//! No Arrow array in between: codes that are known beforehand become dictionary pages as they are, a constant is one
//! run a page, and what is null costs nothing.

use std::cmp::Ordering;
use std::ops::Range;

use parquet::basic::Encoding;
use parquet::bloom_filter::Sbbf;
use parquet::data_type::ByteArray;
use parquet::errors::Result;
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::schema::types::ColumnDescPtr;

use crate::column::{Layout, Primitive};
use crate::dictionary::{Dictionary, Placed, dictionary, near};
use crate::encoding::{bits, delta, hybrid};
use crate::identifier::{write_address, write_community_id, write_file_id, write_mac, write_uid};
use crate::leaf::{Levels, Shredded, Values};
use crate::page::{Bounds, ChunkWriter, EncodedColumn, page_ranges};

/// Rows of a row group below which there are no bloom filters: reading the rows costs as little.
pub(crate) const BLOOM_ROWS: usize = 4096;

/// Chance that a bloom filter says "perhaps" where it could say "no".
pub(crate) const BLOOM_FPP: f64 = 0.05;

/// Longest text of a bound; longer ones are cut, the greatest rounded up.
pub(crate) const BOUND: usize = 64;

/// Encodes one leaf of a row group.
pub(crate) fn encode(
    descriptor: ColumnDescPtr,
    shredded: Shredded<'_>,
    layout: Layout,
    bloom: bool,
) -> Result<EncodedColumn> {
    let Shredded { levels, values } = shredded;
    let chunk = Chunk { descriptor, levels: &levels, bloom: bloom && levels.rows >= BLOOM_ROWS };
    match values {
        Values::Unknown(primitive) => chunk.nulls(primitive),
        Values::Bool(values) => chunk.bools(&values),
        Values::Int32(values) => chunk.numbers(&values, layout),
        Values::Int64(values) => chunk.numbers(&values, layout),
        Values::Double(values) => chunk.numbers(&values, layout),
        Values::Symbol(codes, name) => chunk.symbols(&codes, name),
        Values::Source(codes, names) => {
            chunk.symbols(&codes, |code, out| out.extend_from_slice(names.source(code).as_bytes()))
        }
        Values::Constant(text) => {
            chunk.symbols(&vec![0; levels.rows], |_, out| out.extend_from_slice(text.as_bytes()))
        }
        Values::Text(values) => chunk.texts(&values, layout, |text, out| out.extend_from_slice(text)),
        Values::Uid(values) => chunk.texts(&values, layout, |uid, out| write_uid(*uid, out)),
        Values::FileId(values) => chunk.texts(&values, layout, |id, out| write_file_id(*id, out)),
        Values::CommunityId(values) => chunk.texts(&values, layout, write_community_id),
        Values::Address(values) => chunk.texts(&values, layout, |(address, ipv6), out| {
            write_address(&address.to_be_bytes(), *ipv6, out);
        }),
        Values::Mac(values) => chunk.texts(&values, layout, write_mac),
    }
}

/// What all kinds of values need to become a chunk.
struct Chunk<'l> {
    descriptor: ColumnDescPtr,
    levels: &'l Levels,
    bloom: bool,
}

/// Texts one behind the other.
#[derive(Default)]
struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Texts {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn start(&self, index: usize) -> usize {
        index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0)
    }

    fn slice(&self, range: Range<usize>) -> &[u8] {
        self.bytes.get(self.start(range.start)..self.start(range.end)).unwrap_or_default()
    }

    fn text(&self, index: usize) -> &[u8] {
        self.slice(index..index + 1)
    }

    fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    /// Least and greatest of some.
    fn bounds(&self, range: Range<usize>) -> Option<(&[u8], &[u8])> {
        let first = self.text(range.start);
        let (mut least, mut greatest) = ((head(first), first), (head(first), first));
        let mut start = self.start(range.start);
        for &end in self.ends.get(range).filter(|ends| !ends.is_empty())? {
            let text = self.bytes.get(start..end).unwrap_or_default();
            start = end;
            // Nearly all are told apart by their first bytes.
            let head = head(text);
            if head <= least.0 && (head < least.0 || text < least.1) {
                least = (head, text);
            }
            if head >= greatest.0 && (head > greatest.0 || text > greatest.1) {
                greatest = (head, text);
            }
        }
        Some((least.1, greatest.1))
    }

    /// Least and greatest of those that `codes` stand for; `heads` are the first bytes of all.
    fn bounds_of_codes(&self, codes: &[u32], heads: &[u64]) -> Option<(&[u8], &[u8])> {
        let head = |code: u32| heads.get(code as usize).copied().unwrap_or_default();
        let text = |code: u32| self.text(code as usize);
        let first = *codes.first()?;
        let (mut least, mut greatest) = ((head(first), first), (head(first), first));
        for &code in codes {
            let head = head(code);
            if head <= least.0 && code != least.1 && (head < least.0 || text(code) < text(least.1)) {
                least = (head, code);
            }
            if head >= greatest.0
                && code != greatest.1
                && (head > greatest.0 || text(code) > text(greatest.1))
            {
                greatest = (head, code);
            }
        }
        Some((text(least.1), text(greatest.1)))
    }

    /// As a dictionary page has them.
    fn plain(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len() + 4 * self.len());
        for index in 0..self.len() {
            let text = self.text(index);
            out.extend_from_slice(&(text.len() as u32).to_le_bytes());
            out.extend_from_slice(text);
        }
        out
    }
}

impl Chunk<'_> {
    /// A chunk without a value.
    fn nulls(self, primitive: Primitive) -> Result<EncodedColumn> {
        let mut chunk = ChunkWriter::new(self.descriptor);
        for range in page_ranges(self.levels, |_| 0) {
            chunk.data(self.levels, &range, Encoding::PLAIN, None, |_| {})?;
        }
        let statistics = |nulls| match primitive {
            Primitive::Boolean => Statistics::boolean(None, None, None, Some(nulls), false),
            Primitive::Int32 => i32::statistics(None, nulls),
            Primitive::Int64 | Primitive::Timestamp => i64::statistics(None, nulls),
            Primitive::Double => f64::statistics(None, nulls),
            Primitive::String => text_statistics(None, nulls),
        };
        chunk.close(|_, _| Ordering::Equal, statistics, None, true)
    }

    fn bools(self, values: &[bool]) -> Result<EncodedColumn> {
        let mut chunk = ChunkWriter::new(self.descriptor);
        let mut seen = [false; 2];
        for range in page_ranges(self.levels, |values| values.len()) {
            let values = values.get(range.values.clone()).unwrap_or_default();
            let least = values.iter().all(|&value| value);
            let greatest = values.iter().any(|&value| value);
            if !values.is_empty() {
                seen = [seen[0] || !least, seen[1] || greatest];
            }
            let bounds = (!values.is_empty())
                .then(|| Bounds { least: vec![u8::from(least)], greatest: vec![u8::from(greatest)] });
            chunk.data(self.levels, &range, Encoding::PLAIN, bounds, |out| {
                out.extend(
                    values.chunks(8).map(|values| {
                        values.iter().rev().fold(0u8, |byte, &value| byte << 1 | u8::from(value))
                    }),
                );
            })?;
        }
        let bounds = seen.contains(&true).then(|| (!seen[0], seen[1]));
        let statistics =
            |nulls| Statistics::boolean(bounds.map(|b| b.0), bounds.map(|b| b.1), None, Some(nulls), false);
        chunk.close(|a, b| a.cmp(b), statistics, None, true)
    }

    fn numbers<N: Number>(self, values: &[N], layout: Layout) -> Result<EncodedColumn> {
        let dictionary = if layout == Layout::Any { N::dictionary(values) } else { None };
        let mut chunk = ChunkWriter::new(self.descriptor);
        let mut width = 0;
        if let Some(dictionary) = &dictionary {
            let mut plain = Vec::with_capacity(dictionary.entries.len() * N::WIDTH);
            dictionary.entries.iter().for_each(|entry| entry.append(&mut plain));
            if !dictionary.entries.is_empty() {
                chunk.dictionary(&plain, dictionary.entries.len())?;
            }
            width = code_width(dictionary.entries.len());
        }
        let mut whole: Option<(N, N)> = None;
        let mut comparable = true;
        for range in page_ranges(self.levels, |values| values.len() * N::WIDTH) {
            let values = values.get(range.values.clone()).unwrap_or_default();
            let bounds = N::bounds(values);
            comparable &= values.is_empty() || bounds.is_some();
            whole = match (whole, bounds) {
                (Some(whole), Some(page)) => N::bounds(&[whole.0, whole.1, page.0, page.1]),
                (whole, page) => whole.or(page),
            };
            let bounds = bounds.map(|(least, greatest)| Bounds {
                least: least.as_least().bytes(),
                greatest: greatest.as_greatest().bytes(),
            });
            let encoding = match (&dictionary, layout) {
                (Some(dictionary), _) if !dictionary.entries.is_empty() => Encoding::RLE_DICTIONARY,
                (None, Layout::Delta) => Encoding::DELTA_BINARY_PACKED,
                _ => Encoding::PLAIN,
            };
            chunk.data(self.levels, &range, encoding, bounds, |out| match (&dictionary, encoding) {
                (Some(dictionary), Encoding::RLE_DICTIONARY) => {
                    write_codes(dictionary.codes.get(range.values.clone()).unwrap_or_default(), width, out);
                }
                (_, Encoding::DELTA_BINARY_PACKED) => delta(values.iter().map(|value| value.integer()), out),
                _ => values.iter().for_each(|value| value.append(out)),
            })?;
        }
        let whole = if comparable { whole } else { None };
        let statistics = |nulls| {
            N::statistics(whole.map(|(least, greatest)| (least.as_least(), greatest.as_greatest())), nulls)
        };
        chunk.close(N::order, statistics, None, comparable)
    }

    /// Values whose codes are known: only their names have to be written.
    fn symbols(self, codes: &[u16], name: impl Fn(u16, &mut Vec<u8>)) -> Result<EncodedColumn> {
        // Small codes, which all but DNS types are, index a small table.
        let size = codes.iter().copied().max().map_or(0, |most| usize::from(most) + 1);
        let mut places: Vec<Option<u16>> = vec![None; size];
        for &code in codes {
            if let Some(place) = places.get_mut(usize::from(code)) {
                *place = Some(0);
            }
        }
        let mut entries = Texts::default();
        for (code, place) in places.iter_mut().enumerate() {
            if let Some(place) = place {
                *place = entries.len() as u16;
                entries.push(|out| name(code as u16, out));
            }
        }
        let codes: Vec<u32> = codes
            .iter()
            .map(|&code| places.get(usize::from(code)).copied().flatten().unwrap_or_default().into())
            .collect();
        self.coded(&codes, &entries)
    }

    /// Texts, made by `write` from what identifies them.
    fn texts<K: Copy + Eq + std::hash::Hash + TextLength + Placed>(
        self,
        values: &[K],
        layout: Layout,
        write: impl Fn(&K, &mut Vec<u8>),
    ) -> Result<EncodedColumn> {
        if layout == Layout::Any
            && let Some(Dictionary { codes, entries }) = dictionary(values, |value| value.text_length() + 4)
        {
            let mut texts = Texts::default();
            entries.iter().for_each(|entry| texts.push(|out| write(entry, out)));
            return self.coded(&codes, &texts);
        }
        let mut texts = Texts {
            bytes: Vec::with_capacity(values.iter().map(TextLength::text_length).sum()),
            ends: Vec::with_capacity(values.len()),
        };
        near(values).for_each(|value| texts.push(|out| write(value, out)));
        self.unique(&texts)
    }

    /// Texts as codes into `entries`.
    fn coded(self, codes: &[u32], entries: &Texts) -> Result<EncodedColumn> {
        if entries.len() == 0 {
            return self.nulls(Primitive::String);
        }
        let mut chunk = ChunkWriter::new(self.descriptor);
        chunk.dictionary(&entries.plain(), entries.len())?;
        let width = code_width(entries.len());
        let heads: Vec<u64> = (0..entries.len()).map(|code| head(entries.text(code))).collect();
        let mut whole: Option<(&[u8], &[u8])> = None;
        for range in page_ranges(self.levels, |values| values.len() * 4) {
            let codes = codes.get(range.values.clone()).unwrap_or_default();
            let page = entries.bounds_of_codes(codes, &heads);
            whole = wider(whole, page);
            let bounds = page.map(|(least, greatest)| text_bounds(least, greatest));
            chunk.data(self.levels, &range, Encoding::RLE_DICTIONARY, bounds, |out| {
                write_codes(codes, width, out);
            })?;
        }
        let bloom = self.bloom.then(|| bloom_filter(entries)).transpose()?;
        chunk.close(|a, b| a.cmp(b), |nulls| text_statistics(whole, nulls), bloom, true)
    }

    /// Texts of which nearly every one is another.
    fn unique(self, texts: &Texts) -> Result<EncodedColumn> {
        let mut chunk = ChunkWriter::new(self.descriptor);
        let mut whole: Option<(&[u8], &[u8])> = None;
        for range in page_ranges(self.levels, |values| texts.slice(values).len()) {
            let values = range.values.clone();
            let page = texts.bounds(values.clone());
            whole = wider(whole, page);
            let bounds = page.map(|(least, greatest)| text_bounds(least, greatest));
            chunk.data(self.levels, &range, Encoding::DELTA_LENGTH_BYTE_ARRAY, bounds, |out| {
                delta(values.clone().map(|index| texts.text(index).len() as i64), out);
                out.extend_from_slice(texts.slice(values));
            })?;
        }
        let bloom = self.bloom.then(|| bloom_filter(texts)).transpose()?;
        chunk.close(|a, b| a.cmp(b), |nulls| text_statistics(whole, nulls), bloom, true)
    }
}

/// What bounds a page and what came before it.
fn wider<'t>(
    whole: Option<(&'t [u8], &'t [u8])>,
    page: Option<(&'t [u8], &'t [u8])>,
) -> Option<(&'t [u8], &'t [u8])> {
    match (whole, page) {
        (Some(whole), Some(page)) => Some((whole.0.min(page.0), whole.1.max(page.1))),
        (whole, page) => whole.or(page),
    }
}

/// The first bytes of a text, as a number that sorts as they do.
fn head(text: &[u8]) -> u64 {
    match text.first_chunk() {
        Some(head) => u64::from_be_bytes(*head),
        None => text
            .iter()
            .zip([56, 48, 40, 32, 24, 16, 8, 0])
            .fold(0, |head, (&byte, shift)| head | u64::from(byte) << shift),
    }
}

/// How long the text of a value is, at most: to reserve room, and to bound dictionaries.
trait TextLength {
    fn text_length(&self) -> usize;
}

impl TextLength for &[u8] {
    fn text_length(&self) -> usize {
        self.len()
    }
}

impl TextLength for u128 {
    fn text_length(&self) -> usize {
        19
    }
}

impl TextLength for [u8; 20] {
    fn text_length(&self) -> usize {
        30
    }
}

impl TextLength for (u128, bool) {
    fn text_length(&self) -> usize {
        if self.1 { 39 } else { 15 }
    }
}

impl TextLength for [u8; 6] {
    fn text_length(&self) -> usize {
        17
    }
}

/// Numbers of a column.
trait Number: Copy {
    const WIDTH: usize;
    fn append(self, out: &mut Vec<u8>);
    fn bytes(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::WIDTH);
        self.append(&mut out);
        out
    }
    fn integer(self) -> i64;
    fn dictionary(values: &[Self]) -> Option<Dictionary<Self>>;
    /// Least and greatest; none of no value, and none where one cannot be compared.
    fn bounds(values: &[Self]) -> Option<(Self, Self)>;
    /// As the least or greatest value of statistics.
    fn as_least(self) -> Self {
        self
    }
    fn as_greatest(self) -> Self {
        self
    }
    fn order(a: &[u8], b: &[u8]) -> Ordering;
    fn statistics(bounds: Option<(Self, Self)>, nulls: u64) -> Statistics;
}

macro_rules! integer {
    ($type:ty, $statistics:ident) => {
        impl Number for $type {
            const WIDTH: usize = size_of::<Self>();
            fn append(self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            fn integer(self) -> i64 {
                self.into()
            }
            fn dictionary(values: &[Self]) -> Option<Dictionary<Self>> {
                dictionary(values, |_| Self::WIDTH)
            }
            fn bounds(values: &[Self]) -> Option<(Self, Self)> {
                let first = *values.first()?;
                // As numbers, not by reference: so the compiler takes several at once.
                Some(values.iter().fold((first, first), |(least, greatest), &value| {
                    (least.min(value), greatest.max(value))
                }))
            }
            fn order(a: &[u8], b: &[u8]) -> Ordering {
                let number = |bytes: &[u8]| bytes.try_into().map_or(0, Self::from_le_bytes);
                number(a).cmp(&number(b))
            }
            fn statistics(bounds: Option<(Self, Self)>, nulls: u64) -> Statistics {
                Statistics::$statistics(bounds.map(|b| b.0), bounds.map(|b| b.1), None, Some(nulls), false)
            }
        }
    };
}

integer!(i32, int32);
integer!(i64, int64);

impl Number for f64 {
    const WIDTH: usize = 8;

    fn append(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn integer(self) -> i64 {
        self.to_bits() as i64
    }

    fn dictionary(_: &[Self]) -> Option<Dictionary<Self>> {
        None
    }

    fn bounds(values: &[Self]) -> Option<(Self, Self)> {
        let first = *values.first()?;
        let bounds = values.iter().fold((first, first), |(least, greatest), &value| {
            (if value < least { value } else { least }, if value > greatest { value } else { greatest })
        });
        (!values.iter().any(|value| value.is_nan())).then_some(bounds)
    }

    /// The two zeros are equal, but not to every reader: bounds hold both.
    fn as_least(self) -> Self {
        if self == 0.0 { -0.0 } else { self }
    }

    fn as_greatest(self) -> Self {
        if self == 0.0 { 0.0 } else { self }
    }

    fn order(a: &[u8], b: &[u8]) -> Ordering {
        let number = |bytes: &[u8]| bytes.try_into().map_or(0.0, Self::from_le_bytes);
        number(a).total_cmp(&number(b))
    }

    fn statistics(bounds: Option<(Self, Self)>, nulls: u64) -> Statistics {
        Statistics::double(bounds.map(|b| b.0), bounds.map(|b| b.1), None, Some(nulls), false)
    }
}

/// Bits of a code into a dictionary of `entries`; not none, which not every reader expects.
fn code_width(entries: usize) -> u32 {
    bits(entries.saturating_sub(1) as u64).max(1)
}

/// Appends the codes of a page with their width before them.
fn write_codes(codes: &[u32], width: u32, out: &mut Vec<u8>) {
    out.push(width as u8);
    hybrid(codes, width, out);
}

/// A bloom filter of `texts`, no larger than what they need.
fn bloom_filter(texts: &Texts) -> Result<Sbbf> {
    let mut filter = Sbbf::new_with_ndv_fpp(texts.len() as u64, BLOOM_FPP)?;
    (0..texts.len()).for_each(|index| filter.insert(texts.text(index)));
    filter.fold_to_target_fpp(BLOOM_FPP);
    Ok(filter)
}

/// The bounds of a page of texts.
fn text_bounds(least: &[u8], greatest: &[u8]) -> Bounds {
    Bounds { least: cut_down(least).to_vec(), greatest: cut_up(greatest) }
}

/// The statistics of a chunk of texts.
fn text_statistics(bounds: Option<(&[u8], &[u8])>, nulls: u64) -> Statistics {
    let cut = bounds.map(|(least, greatest)| (cut_down(least), cut_up(greatest)));
    let exact = bounds.zip(cut.as_ref()).map(|(whole, cut)| (whole.0 == cut.0, whole.1 == cut.1));
    let (least_exact, greatest_exact) = exact.unwrap_or_default();
    let (least, greatest) = cut.unzip();
    let least = least.map(|least| ByteArray::from(least.to_vec()));
    Statistics::ByteArray(
        ValueStatistics::new(least, greatest.map(ByteArray::from), None, Some(nulls), false)
            .with_min_is_exact(least_exact)
            .with_max_is_exact(greatest_exact),
    )
}

/// At most [`BOUND`] bytes of `text`, whole characters: not greater than it.
fn cut_down(text: &[u8]) -> &[u8] {
    if text.len() <= BOUND {
        return text;
    }
    let mut end = BOUND;
    while end > 0 && text.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// `text`, or not much more than [`BOUND`] bytes that are greater than it and all that begin alike.
fn cut_up(text: &[u8]) -> Vec<u8> {
    if text.len() <= BOUND {
        return text.to_vec();
    }
    // UTF-8 sorts as its characters do: the last one that has a successor takes it.
    let Ok(start) = std::str::from_utf8(cut_down(text)) else { return text.to_vec() };
    let mut characters: Vec<char> = start.chars().collect();
    while let Some(last) = characters.pop() {
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(last as u32 + 1) };
        if let Some(next) = next {
            characters.push(next);
            return characters.into_iter().collect::<String>().into_bytes();
        }
    }
    text.to_vec()
}
