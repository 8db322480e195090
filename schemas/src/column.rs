//! What a column is: its name, how its value is read from a row, and what it means. Types, Parquet and docs follow.

use std::sync::Arc;

use crate::arena::{List, ResourceRecord, Text};
use crate::envelope::{AddressBytes, Microseconds, Nanoseconds};
use crate::identifier::UID_BITS;
use crate::read::{Read, ReadText};

/// A type of the lake: what Spark SQL, DuckDB, Trino, Polars, pandas and DataFusion all read without a cast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataType {
    /// True or false.
    Boolean,
    /// 32-bit signed.
    Int32,
    /// 64-bit signed.
    Int64,
    /// 64-bit float.
    Double,
    /// Microseconds, UTC.
    Timestamp,
    /// UTF-8.
    String,
    /// List of entries that are never null.
    List(Box<Self>),
    /// From strings to strings, none of which is null.
    Map,
    /// Named parts.
    Struct(Vec<Field>),
}

/// A column, or a part of one, as readers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name.
    pub name: &'static str,
    /// Type.
    pub data_type: DataType,
    /// Whether "unknown" can stand there.
    pub nullable: bool,
    /// Meaning, in one or two sentences.
    pub doc: &'static str,
}

/// A column: declared once, read by the Parquet encoder, the JSON form and the docs.
#[derive(Clone, Debug)]
pub struct Column<T> {
    /// Name.
    pub(crate) name: &'static str,
    /// Meaning.
    pub(crate) doc: &'static str,
    /// Whether it can be unknown.
    pub(crate) nullable: bool,
    /// How to lay it out.
    pub(crate) layout: Layout,
    /// Whether hunters look it up by equality.
    pub(crate) bloom: bool,
    /// How to read it.
    pub(crate) kind: Kind<T>,
}

/// How the values of a column are laid out where the choice is not left to the values themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// A dictionary where it pays.
    Any,
    /// No dictionary: nearly every value is another.
    Unique,
    /// Differences from row to row.
    Delta,
}

/// How a column is read from a row.
#[derive(Clone, Debug)]
pub(crate) enum Kind<T> {
    /// One value.
    Value(Value<T>),
    /// Parts, all null where the function says false.
    Struct(fn(&T) -> bool, Vec<Column<T>>),
    /// A list of texts.
    Texts(fn(&T) -> List),
    /// A list of numbers.
    Int32s(fn(&T) -> List),
    /// A map from texts to texts.
    Map(fn(&T) -> List),
    /// A list of resource records.
    ResourceRecords(fn(&T) -> List, Vec<Column<ResourceRecord>>),
}

/// How one value is read from a row, and with it its type.
#[derive(Clone, Debug)]
pub(crate) enum Value<T> {
    /// Nothing fills it yet; of the type of the value inside.
    Unknown(Primitive),
    Bool(Read<T, bool>),
    Int32(Read<T, i32>),
    Int64(Read<T, i64>),
    Double(Read<T, f64>),
    Timestamp(Read<T, Microseconds>),
    /// A code, and what it is called.
    Symbol(Read<T, u16>, fn(u16, &mut Vec<u8>)),
    /// One of few fixed words.
    Word(Read<T, &'static str>),
    Text(ReadText<T>),
    /// In bits that count.
    Uid(Read<T, u128>),
    /// The same of a file.
    FileId(Read<T, u128>),
    CommunityId(Read<T, [u8; 20]>),
    /// An address as a big-endian number, which is faster to compare, and whether it is IPv6.
    Address(Read<T, (u128, bool)>),
    Mac(Read<T, [u8; 6]>),
    /// The sensor's name.
    Sensor,
    /// An index into the run's sources.
    Source(Read<T, u16>),
}

/// A way to read that is compiled for itself: what the constructors of [`Value`] take.
pub(crate) trait Way<T, V>: Fn(&T) -> V + Send + Sync + 'static {}

impl<T, V, F: Fn(&T) -> V + Send + Sync + 'static> Way<T, V> for F {}

impl<T> Value<T> {
    /// True or false.
    pub(crate) fn bool(read: impl Way<T, Option<bool>>) -> Self {
        Self::Bool(Arc::new(read))
    }

    /// A number of 32 bits.
    pub(crate) fn int32(read: impl Way<T, Option<i32>>) -> Self {
        Self::Int32(Arc::new(read))
    }

    /// A number of 64 bits.
    pub(crate) fn int64(read: impl Way<T, Option<i64>>) -> Self {
        Self::Int64(Arc::new(read))
    }

    /// A number with a fraction.
    pub(crate) fn double(read: impl Way<T, Option<f64>>) -> Self {
        Self::Double(Arc::new(read))
    }

    /// Nanoseconds that become seconds.
    pub(crate) fn seconds(read: impl Way<T, Option<Nanoseconds>>) -> Self {
        Self::double(move |row: &T| read(row).map(seconds))
    }

    /// Nanoseconds that become microseconds, rounded down.
    pub(crate) fn timestamp(read: impl Way<T, Option<Nanoseconds>>) -> Self {
        Self::microseconds(move |row: &T| read(row).map(microseconds))
    }

    /// A timestamp that nanoseconds may not reach.
    pub(crate) fn microseconds(read: impl Way<T, Option<Microseconds>>) -> Self {
        Self::Timestamp(Arc::new(read))
    }

    /// A code, and what it is called.
    pub(crate) fn symbol(read: impl Way<T, Option<u16>>, name: fn(u16, &mut Vec<u8>)) -> Self {
        Self::Symbol(Arc::new(read), name)
    }

    /// One of few fixed words.
    pub(crate) fn word(read: impl Way<T, Option<&'static str>>) -> Self {
        Self::Word(Arc::new(read))
    }

    /// A text of the arena.
    pub(crate) fn text(read: impl Way<T, Text>) -> Self {
        Self::Text(Arc::new(read))
    }

    /// Identifier of a flow.
    pub(crate) fn uid(read: impl Way<T, Option<u128>>) -> Self {
        Self::Uid(Arc::new(move |row: &T| read(row).map(|uid| uid & UID_BITS)))
    }

    /// Identifier of a file; 0 is none.
    pub(crate) fn file_id(read: impl Way<T, Option<u128>>) -> Self {
        Self::FileId(Arc::new(move |row: &T| read(row).filter(|&id| id != 0).map(|id| id & UID_BITS)))
    }

    /// Community ID.
    pub(crate) fn community_id(read: impl Way<T, Option<[u8; 20]>>) -> Self {
        Self::CommunityId(Arc::new(read))
    }

    /// An address, and whether it is IPv6.
    pub(crate) fn address(read: impl Way<T, Option<(AddressBytes, bool)>>) -> Self {
        Self::Address(Arc::new(move |row: &T| {
            read(row).map(|(address, ipv6)| (u128::from_be_bytes(address), ipv6))
        }))
    }

    /// A hardware address.
    pub(crate) fn mac(read: impl Way<T, Option<[u8; 6]>>) -> Self {
        Self::Mac(Arc::new(read))
    }

    /// An index into the run's sources.
    pub(crate) fn source(read: impl Way<T, u16>) -> Self {
        Self::Source(Arc::new(move |row: &T| Some(read(row))))
    }
}

/// Nanoseconds as microseconds, rounded down (also before 1970).
pub(crate) fn microseconds(nanoseconds: Nanoseconds) -> Microseconds {
    nanoseconds.div_euclid(1000)
}

/// Nanoseconds as seconds.
fn seconds(nanoseconds: Nanoseconds) -> f64 {
    nanoseconds as f64 / 1e9
}

/// The type of a single value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Primitive {
    Boolean,
    Int32,
    Int64,
    Double,
    Timestamp,
    String,
}

/// What is the same for all rows of a run and stands in every row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Name of the sensor.
    pub sensor: String,
    /// Interfaces or captures; [`crate::envelope::Envelope::source`] is an index into them.
    pub sources: Vec<String>,
}

impl Names {
    /// The name of a source; empty where there is none of that number.
    pub(crate) fn source(&self, index: u16) -> &str {
        self.sources.get(usize::from(index)).map_or("", String::as_str)
    }
}

impl<T> Column<T> {
    /// A column that can be unknown.
    pub(crate) fn new(name: &'static str, value: Value<T>, doc: &'static str) -> Self {
        Self::of(name, Kind::Value(value), doc)
    }

    /// A column of parts, null where `present` is false.
    pub(crate) fn parts(
        name: &'static str,
        present: fn(&T) -> bool,
        parts: Vec<Self>,
        doc: &'static str,
    ) -> Self {
        Self::of(name, Kind::Struct(present, parts), doc)
    }

    /// A column of a list of texts.
    pub(crate) fn texts(name: &'static str, list: fn(&T) -> List, doc: &'static str) -> Self {
        Self::of(name, Kind::Texts(list), doc)
    }

    /// A column of a list of numbers.
    pub(crate) fn int32s(name: &'static str, list: fn(&T) -> List, doc: &'static str) -> Self {
        Self::of(name, Kind::Int32s(list), doc)
    }

    /// A column of a map from texts to texts.
    pub(crate) fn map(name: &'static str, map: fn(&T) -> List, doc: &'static str) -> Self {
        Self::of(name, Kind::Map(map), doc)
    }

    /// A column of a list of resource records.
    pub(crate) fn resource_records(
        name: &'static str,
        list: fn(&T) -> List,
        parts: Vec<Column<ResourceRecord>>,
        doc: &'static str,
    ) -> Self {
        Self::of(name, Kind::ResourceRecords(list, parts), doc)
    }

    fn of(name: &'static str, kind: Kind<T>, doc: &'static str) -> Self {
        Self { name, doc, nullable: true, layout: Layout::Any, bloom: false, kind }
    }

    /// Is never unknown.
    pub(crate) fn required(mut self) -> Self {
        self.nullable = false;
        self
    }

    /// Is laid out as `layout` says.
    pub(crate) fn layout(mut self, layout: Layout) -> Self {
        self.layout = layout;
        self
    }

    /// Is looked up by equality.
    pub(crate) fn bloom(mut self) -> Self {
        self.bloom = true;
        self
    }

    /// As readers see it.
    pub(crate) fn field(&self) -> Field {
        let data_type = match &self.kind {
            Kind::Value(value) => value.primitive().into(),
            Kind::Struct(_, parts) => DataType::Struct(parts.iter().map(Self::field).collect()),
            Kind::Texts(_) => DataType::List(Box::new(DataType::String)),
            Kind::Int32s(_) => DataType::List(Box::new(DataType::Int32)),
            Kind::Map(_) => DataType::Map,
            Kind::ResourceRecords(_, parts) => {
                DataType::List(Box::new(DataType::Struct(parts.iter().map(Column::field).collect())))
            }
        };
        Field { name: self.name, data_type, nullable: self.nullable, doc: self.doc }
    }
}

impl<T> Value<T> {
    /// The type.
    pub(crate) fn primitive(&self) -> Primitive {
        match self {
            Self::Unknown(primitive) => *primitive,
            Self::Bool(_) => Primitive::Boolean,
            Self::Int32(_) => Primitive::Int32,
            Self::Int64(_) => Primitive::Int64,
            Self::Double(_) => Primitive::Double,
            Self::Timestamp(_) => Primitive::Timestamp,
            Self::Symbol(..)
            | Self::Word(_)
            | Self::Text(_)
            | Self::Uid(_)
            | Self::FileId(_)
            | Self::CommunityId(_)
            | Self::Address(_)
            | Self::Mac(_)
            | Self::Sensor
            | Self::Source(_) => Primitive::String,
        }
    }
}

impl From<Primitive> for DataType {
    fn from(primitive: Primitive) -> Self {
        match primitive {
            Primitive::Boolean => Self::Boolean,
            Primitive::Int32 => Self::Int32,
            Primitive::Int64 => Self::Int64,
            Primitive::Double => Self::Double,
            Primitive::Timestamp => Self::Timestamp,
            Primitive::String => Self::String,
        }
    }
}
