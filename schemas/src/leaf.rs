//! From rows to the leaves of a table: the values of one Parquet column with their definition and repetition levels.

use crate::arena::{Arena, List, ResourceRecord, Text};
use crate::column::{Column, Kind, Layout, Names, Primitive, Value};
use crate::entries::{Entries, Lists};
use crate::read::Shape;

/// One Parquet column of a table: how to read it from rows of `T`.
#[derive(Clone, Debug)]
pub(crate) struct Leaf<T> {
    /// What of it can be null.
    shape: Shape<T>,
    /// Where values come from.
    source: Source<T>,
    /// Which list it reads; two that read the same have the same number, and stand one behind the other.
    list: usize,
    /// The definition level of a value.
    pub(crate) max_definition: u8,
    /// 1 in lists.
    pub(crate) max_repetition: u8,
    /// How to lay it out.
    pub(crate) layout: Layout,
    /// Whether it gets a bloom filter.
    pub(crate) bloom: bool,
}

/// Where the values of a leaf come from.
#[derive(Clone, Debug)]
enum Source<T> {
    /// At most one a row.
    Flat(Value<T>),
    /// The entries of a list of texts.
    Texts(fn(&T) -> List),
    /// The entries of a list of numbers.
    Int32s(fn(&T) -> List),
    /// The keys of a map.
    Keys(fn(&T) -> List),
    /// The values of a map.
    MapValues(fn(&T) -> List),
    /// A part of the entries of a list of records, and whether it can be null.
    ResourceRecords(fn(&T) -> List, Value<ResourceRecord>, bool),
}

/// Rows in their final order, each with the arena that its texts lie in.
#[derive(Clone, Copy)]
pub(crate) struct Block<'b, 'a, T> {
    pub(crate) rows: &'b [T],
    pub(crate) arenas: &'b [&'a Arena],
}

/// The levels and values of a leaf.
pub(crate) struct Shredded<'a> {
    pub(crate) levels: Levels,
    pub(crate) values: Values<'a>,
}

/// Which rows have a value, which have none and why, and where lists begin.
#[derive(Default)]
pub(crate) struct Levels {
    pub(crate) rows: usize,
    pub(crate) max_definition: u8,
    pub(crate) max_repetition: u8,
    /// One an entry; empty where every row has one value.
    pub(crate) definition: Vec<u8>,
    /// One an entry; empty where there are no lists.
    pub(crate) repetition: Vec<u8>,
}

/// Values that are there, in order.
pub(crate) enum Values<'a> {
    Unknown(Primitive),
    Bool(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Double(Vec<f64>),
    Symbol(Vec<u16>, fn(u16, &mut Vec<u8>)),
    Text(Vec<&'a [u8]>),
    Uid(Vec<u128>),
    FileId(Vec<u128>),
    CommunityId(Vec<[u8; 20]>),
    /// Big-endian numbers, which are faster to compare.
    Address(Vec<(u128, bool)>),
    Mac(Vec<[u8; 6]>),
    Constant(&'a str),
    Source(Vec<u16>, &'a Names),
}

/// The leaves of `columns`, in the order of the Parquet schema.
pub(crate) fn leaves<T: Copy>(columns: &[Column<T>]) -> Vec<Leaf<T>> {
    let mut all = Vec::new();
    for column in columns {
        match &column.kind {
            Kind::Struct(present, parts) => {
                all.extend(parts.iter().map(|part| of_column(part, Some(*present), column.nullable)));
            }
            _ => all.push(of_column(column, None, false)),
        }
    }
    let numbered =
        |(list, leaves): (usize, Vec<Leaf<T>>)| leaves.into_iter().map(move |leaf| Leaf { list, ..leaf });
    all.into_iter().enumerate().flat_map(numbered).collect()
}

/// The leaves of one column that is not a struct; the number of its list is still to be given.
fn of_column<T: Copy>(
    column: &Column<T>,
    present: Option<fn(&T) -> bool>,
    struct_optional: bool,
) -> Vec<Leaf<T>> {
    let around = u8::from(struct_optional) + u8::from(column.nullable);
    let leaf = |source, max_definition, max_repetition, layout, bloom| Leaf {
        shape: Shape { present, struct_optional, optional: column.nullable },
        source,
        list: 0,
        max_definition,
        max_repetition,
        layout,
        bloom,
    };
    match &column.kind {
        Kind::Value(value) => {
            vec![leaf(Source::Flat(value.clone()), around, 0, column.layout, column.bloom)]
        }
        Kind::Texts(list) => vec![leaf(Source::Texts(*list), around + 1, 1, column.layout, column.bloom)],
        Kind::Int32s(list) => vec![leaf(Source::Int32s(*list), around + 1, 1, column.layout, column.bloom)],
        Kind::Map(map) => vec![
            leaf(Source::Keys(*map), around + 1, 1, column.layout, column.bloom),
            leaf(Source::MapValues(*map), around + 1, 1, column.layout, column.bloom),
        ],
        Kind::ResourceRecords(list, parts) => parts
            .iter()
            .filter_map(|part| match &part.kind {
                Kind::Value(value) => Some(leaf(
                    Source::ResourceRecords(*list, value.clone(), part.nullable),
                    around + 1 + u8::from(part.nullable),
                    1,
                    part.layout,
                    part.bloom,
                )),
                // Neither lists nor structs are declared inside records.
                _ => None,
            })
            .collect(),
        // Structs inside structs are not declared.
        Kind::Struct(..) => Vec::new(),
    }
}

impl<T: Copy> Leaf<T> {
    /// Room for `rows` rows.
    pub(crate) fn shredded<'a>(&self, rows: usize, names: &'a Names) -> Shredded<'a> {
        let values = match &self.source {
            Source::Flat(value) => Values::of(value, rows, names),
            Source::Texts(_) | Source::Keys(_) | Source::MapValues(_) => Values::Text(Vec::new()),
            Source::Int32s(_) => Values::Int32(Vec::new()),
            Source::ResourceRecords(_, value, _) => Values::of(value, 0, names),
        };
        let levels = Levels {
            rows: 0,
            max_definition: self.max_definition,
            max_repetition: self.max_repetition,
            definition: Vec::with_capacity(if self.max_definition > 0 { rows } else { 0 }),
            repetition: Vec::with_capacity(if self.max_repetition > 0 { rows } else { 0 }),
        };
        Shredded { levels, values }
    }

    /// Appends this leaf's part of the rows of `block`. `lists` are those that the leaf before this one, if any, has read.
    pub(crate) fn shred<'a>(&self, block: Block<'_, 'a, T>, lists: &mut Lists<'a>, out: &mut Shredded<'a>) {
        let Shredded { levels, values } = out;
        levels.rows += block.rows.len();
        match &self.source {
            Source::Flat(value) => self.flat(value, block, levels, values),
            Source::ResourceRecords(list, value, optional) => {
                let records = &mut lists.records;
                self.gather(*list, Arena::resource_records_of, block, records);
                self.records(value, *optional, records, levels, values);
            }
            Source::Texts(list) => {
                self.gather(*list, Arena::texts_of, block, &mut lists.texts);
                self.texts(&lists.texts, |text| *text, levels, values);
            }
            Source::Keys(map) => {
                self.gather(*map, Arena::map_of, block, &mut lists.pairs);
                self.texts(&lists.pairs, |pair| pair.0, levels, values);
            }
            Source::MapValues(map) => {
                self.gather(*map, Arena::map_of, block, &mut lists.pairs);
                self.texts(&lists.pairs, |pair| pair.1, levels, values);
            }
            Source::Int32s(list) => {
                self.gather(*list, Arena::numbers_of, block, &mut lists.numbers);
                if let Values::Int32(out) = values {
                    lists.numbers.read_required(self.max_definition, levels, |number, _| *number, out);
                }
            }
        }
    }

    fn flat<'a>(
        &self,
        value: &Value<T>,
        Block { rows, arenas }: Block<'_, 'a, T>,
        levels: &mut Levels,
        values: &mut Values<'a>,
    ) {
        let (shape, definition) = (self.shape, &mut levels.definition);
        match (value, values) {
            (Value::Unknown(_), _) => shape.each(rows, definition, |_| None::<()>, |()| {}),
            (Value::Sensor, _) => shape.each(rows, definition, |_| Some(()), |()| {}),
            (Value::Bool(read), Values::Bool(out)) => read.all(rows, shape, definition, out),
            (Value::Int32(read), Values::Int32(out)) => read.all(rows, shape, definition, out),
            (Value::Int64(read) | Value::Timestamp(read), Values::Int64(out)) => {
                read.all(rows, shape, definition, out);
            }
            (Value::Double(read), Values::Double(out)) => read.all(rows, shape, definition, out),
            (Value::Symbol(read, _), Values::Symbol(out, _)) => read.all(rows, shape, definition, out),
            (Value::Word(read), Values::Text(out)) => {
                shape.each(rows, definition, |row| read.one(row), |word| out.push(word.as_bytes()));
            }
            (Value::Text(read), Values::Text(out)) => read.all(rows, arenas, shape, definition, out),
            (Value::FileId(read), Values::FileId(out)) => read.all(rows, shape, definition, out),
            (Value::Uid(read), Values::Uid(out)) => read.all(rows, shape, definition, out),
            (Value::CommunityId(read), Values::CommunityId(out)) => read.all(rows, shape, definition, out),
            (Value::Address(read), Values::Address(out)) => read.all(rows, shape, definition, out),
            (Value::Mac(read), Values::Mac(out)) => read.all(rows, shape, definition, out),
            (Value::Source(read), Values::Source(out, _)) => read.all(rows, shape, definition, out),
            // `shredded` made the values for this source.
            _ => {}
        }
    }

    /// Takes the entries of a list out of the arenas of the rows, unless the leaf before this one has.
    fn gather<'a, E>(
        &self,
        list: fn(&T) -> List,
        entries_of: fn(&'a Arena, List) -> Option<&'a [E]>,
        Block { rows, arenas }: Block<'_, 'a, T>,
        entries: &mut Entries<'a, E>,
    ) {
        if !entries.begin(self.list) {
            return;
        }
        let Shape { present, struct_optional, optional } = self.shape;
        for (row, arena) in rows.iter().zip(arenas) {
            let list = list(row);
            if present.is_some_and(|present| !present(row)) {
                entries.none(0);
                continue;
            }
            match entries_of(arena, list) {
                Some(some) if !some.is_empty() => entries.some(some, arena),
                _ => entries.none(u8::from(struct_optional) + u8::from(optional && !list.is_null())),
            }
        }
    }

    /// Lists and maps whose entries are never null.
    fn texts<'a, E>(
        &self,
        entries: &Entries<'a, E>,
        text: impl Fn(&E) -> Text,
        levels: &mut Levels,
        values: &mut Values<'a>,
    ) {
        if let Values::Text(out) = values {
            let read = |entry: &E, arena: &'a Arena| arena.bytes_of(text(entry)).unwrap_or_default();
            entries.read_required(self.max_definition, levels, read, out);
        }
    }

    fn records<'a>(
        &self,
        value: &Value<ResourceRecord>,
        optional: bool,
        entries: &Entries<'a, ResourceRecord>,
        levels: &mut Levels,
        values: &mut Values<'a>,
    ) {
        match (value, values) {
            (Value::Text(text), Values::Text(out)) => {
                let read = |record: &_, arena: &'a Arena| arena.bytes_of(text.one(record));
                entries.read(self.max_definition, optional, levels, read, out);
            }
            (Value::Symbol(symbol, _), Values::Symbol(out, _)) => {
                entries.read(self.max_definition, optional, levels, |record, _| symbol.one(record), out);
            }
            (Value::Int32(number), Values::Int32(out)) => {
                entries.read(self.max_definition, optional, levels, |record, _| number.one(record), out);
            }
            // No other kind of value is declared inside records.
            _ => {}
        }
    }
}

impl<'a> Values<'a> {
    /// Room for `rows` values of `value`.
    fn of<T>(value: &Value<T>, rows: usize, names: &'a Names) -> Self {
        match value {
            Value::Unknown(primitive) => Self::Unknown(*primitive),
            Value::Bool(_) => Self::Bool(Vec::with_capacity(rows)),
            Value::Int32(_) => Self::Int32(Vec::with_capacity(rows)),
            Value::Int64(_) | Value::Timestamp(_) => Self::Int64(Vec::with_capacity(rows)),
            Value::Double(_) => Self::Double(Vec::with_capacity(rows)),
            Value::Symbol(_, name) => Self::Symbol(Vec::with_capacity(rows), *name),
            Value::Word(_) | Value::Text(_) => Self::Text(Vec::with_capacity(rows)),
            Value::Uid(_) => Self::Uid(Vec::with_capacity(rows)),
            Value::FileId(_) => Self::FileId(Vec::with_capacity(rows)),
            Value::CommunityId(_) => Self::CommunityId(Vec::with_capacity(rows)),
            Value::Address(_) => Self::Address(Vec::with_capacity(rows)),
            Value::Mac(_) => Self::Mac(Vec::with_capacity(rows)),
            Value::Sensor => Self::Constant(&names.sensor),
            Value::Source(_) => Self::Source(Vec::with_capacity(rows), names),
        }
    }
}
