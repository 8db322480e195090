//! What a column is: its name, how its value is read from a row, and what it means. Types, Parquet and docs follow.

use crate::arena::{List, ResourceRecord, Text};
use crate::envelope::{AddressBytes, Microseconds, Nanoseconds};

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
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<T> {
    /// Nothing fills it yet; of the type of the value inside.
    Unknown(Primitive),
    Bool(fn(&T) -> Option<bool>),
    Int32(fn(&T) -> Option<i32>),
    Int64(fn(&T) -> Option<i64>),
    Double(fn(&T) -> Option<f64>),
    /// Nanoseconds that become seconds.
    Seconds(fn(&T) -> Option<Nanoseconds>),
    /// Nanoseconds that become microseconds, rounded down.
    Timestamp(fn(&T) -> Option<Nanoseconds>),
    /// A timestamp that nanoseconds may not reach.
    Microseconds(fn(&T) -> Option<Microseconds>),
    /// A code, and what it is called.
    Symbol(fn(&T) -> Option<u16>, fn(u16, &mut Vec<u8>)),
    /// One of few fixed words.
    Word(fn(&T) -> Option<&'static str>),
    Text(fn(&T) -> Text),
    Uid(fn(&T) -> Option<u128>),
    /// Identifier of a file; 0 is none.
    FileId(fn(&T) -> Option<u128>),
    CommunityId(fn(&T) -> Option<[u8; 20]>),
    /// An address, and whether it is IPv6.
    Address(fn(&T) -> Option<(AddressBytes, bool)>),
    Mac(fn(&T) -> Option<[u8; 6]>),
    /// The sensor's name.
    Sensor,
    /// An index into the run's sources.
    Source(fn(&T) -> u16),
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
            Self::Double(_) | Self::Seconds(_) => Primitive::Double,
            Self::Timestamp(_) | Self::Microseconds(_) => Primitive::Timestamp,
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
