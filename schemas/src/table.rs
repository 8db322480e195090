//! The tables of the lake, each with its columns, and what follows from them: types, Parquet schema, file properties.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use arrow_schema::{
    DataType as ArrowType, Field as ArrowField, Fields, Schema as ArrowSchema, SchemaRef, TimeUnit,
};
use parquet::arrow::{ArrowSchemaConverter, add_encoded_arrow_schema_to_metadata};
use parquet::basic::{Compression, Encoding, Type as PhysicalType, ZstdLevel};
use parquet::errors::Result;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use parquet::schema::types::SchemaDescPtr;

use crate::anomaly::{self, Anomaly};
use crate::arena::Arena;
use crate::chunk::{BLOOM_FPP, BLOOM_ROWS, BOUND};
use crate::column::{Column, DataType, Field, Layout};
use crate::dns::{self, Dns};
use crate::envelope::Row;
use crate::file::{self, File};
use crate::flows::{self, Flow};
use crate::ftp::{self, Ftp};
use crate::http::{self, Http};
use crate::kerberos::{self, Kerberos};
use crate::leaf::{Leaf, leaves};
use crate::page::{PAGE_BYTES, PAGE_ROWS, ZSTD_LEVEL};
use crate::sensor_stats::{self, SensorStats};
use crate::signal::{self, Signal};
use crate::tls::{self, Tls};
use crate::x509;

/// What a table holds of its own in each row.
pub trait Record: Copy + fmt::Debug + Default + Send + Sync + 'static {
    /// Copies what the record holds in the arena `from` to the arena `to`.
    fn relocate(&mut self, from: &Arena, to: &mut Arena);

    /// Bytes that the record holds in `arena`.
    fn held(&self, arena: &Arena) -> usize;
}

/// A table as readers see it.
#[derive(Debug)]
pub struct Table {
    /// Name, also of its folder.
    pub name: &'static str,
    /// What a row is.
    pub doc: &'static str,
    /// Version of the schema: rises when columns are added.
    pub version: u32,
    /// The columns.
    pub fields: Vec<Field>,
    arrow: SchemaRef,
    descriptor: SchemaDescPtr,
    sorting: Vec<SortingColumn>,
    /// How each Parquet column is laid out, and whether it gets a bloom filter.
    layouts: Vec<(Layout, bool)>,
}

impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Table {}

/// A table with the columns that read its rows.
#[derive(Debug)]
pub struct TypedTable<R> {
    pub(crate) table: Table,
    pub(crate) columns: Vec<Column<Row<R>>>,
    pub(crate) leaves: Vec<Leaf<Row<R>>>,
}

/// Flows that ended.
pub static FLOWS: LazyLock<TypedTable<Flow>> = LazyLock::new(|| {
    TypedTable::new("flows", "Exactly one row for each flow, written when it ends.", 1, flows::columns())
});

/// Flows that live on.
pub static FLOWS_OPEN: LazyLock<TypedTable<Flow>> = LazyLock::new(|| {
    TypedTable::new(
        "flows_open",
        "One row for each interval of a flow that lives on, with the counts so far.",
        1,
        flows::open_columns(),
    )
});

/// DNS exchanges.
pub static DNS: LazyLock<TypedTable<Dns>> = LazyLock::new(|| {
    TypedTable::new(
        "dns",
        "One row for each query paired with its response (by flow and id, first in first out); unanswered queries and \
         unasked responses have rows of their own. UDP and TCP; mDNS and LLMNR messages one row each.",
        1,
        dns::columns(),
    )
});

/// HTTP requests with their responses.
pub static HTTP: LazyLock<TypedTable<Http>> = LazyLock::new(|| {
    TypedTable::new(
        "http",
        "One row for each request with its response, pipelined and keep-alive ones included; responses without a request \
         too.",
        1,
        http::columns(),
    )
});

/// TLS handshakes.
pub static TLS: LazyLock<TypedTable<Tls>> = LazyLock::new(|| {
    TypedTable::new(
        "tls",
        "One row for each handshake, over TCP (any port, after STARTTLS and AUTH TLS too), DTLS or QUIC.",
        1,
        tls::columns(),
    )
});

/// Certificates.
pub static X509: LazyLock<TypedTable<x509::X509>> = LazyLock::new(|| {
    TypedTable::new(
        "x509",
        "One row for each certificate that was seen in a handshake or a login, on each sight of it.",
        1,
        x509::columns(),
    )
});

/// Kerberos exchanges.
pub static KERBEROS: LazyLock<TypedTable<Kerberos>> = LazyLock::new(|| {
    TypedTable::new(
        "kerberos",
        "One row for each exchange, over UDP or TCP, with the request and its answer; either alone where the other was not \
         seen. AP exchanges also where HTTP carries them.",
        1,
        kerberos::columns(),
    )
});

/// FTP commands.
pub static FTP: LazyLock<TypedTable<Ftp>> = LazyLock::new(|| {
    TypedTable::new(
        "ftp",
        "One row for each command on a control connection of FTP with its reply, in order; replies without a command (the \
         greeting) too.",
        1,
        ftp::columns(),
    )
});

/// Files.
pub static FILE: LazyLock<TypedTable<File>> = LazyLock::new(|| {
    TypedTable::new(
        "file",
        "One row for each file that was carried: bodies of HTTP and their parts. Ranges of one entity are one row where \
         all of it was seen, else a row each.",
        1,
        file::columns(),
    )
});

/// What was odd.
pub static ANOMALY: LazyLock<TypedTable<Anomaly>> = LazyLock::new(|| {
    TypedTable::new(
        "anomaly",
        "What was malformed or odd: one row for each flow and name. Bad input ends here, never in a silent drop.",
        1,
        anomaly::columns(),
    )
});

/// What the sensor did.
pub static SENSOR_STATS: LazyLock<TypedTable<SensorStats>> = LazyLock::new(|| {
    TypedTable::new(
        "sensor_stats",
        "One row for each worker and interval (times by packet clock in a replay): what it did, and what was lost where.",
        1,
        sensor_stats::columns(),
    )
});

/// Signals, which no sensor writes.
pub static SIGNAL: LazyLock<TypedTable<Signal>> = LazyLock::new(|| {
    TypedTable::new(
        "signal",
        "What the rules of `spanlake hunt` found: one row for each rule, key and window of time. No sensor writes it.",
        1,
        signal::columns(),
    )
});

/// Every table, in the order of the docs.
pub fn tables() -> [&'static Table; 12] {
    [
        &FLOWS.table,
        &FLOWS_OPEN.table,
        &DNS.table,
        &HTTP.table,
        &TLS.table,
        &X509.table,
        &KERBEROS.table,
        &FTP.table,
        &FILE.table,
        &ANOMALY.table,
        &SENSOR_STATS.table,
        &SIGNAL.table,
    ]
}

/// The table of that name.
pub fn table(name: &str) -> Option<&'static Table> {
    tables().into_iter().find(|table| table.name == name)
}

impl<R: Record> TypedTable<R> {
    #[expect(
        clippy::expect_used,
        reason = "a declaration that Parquet cannot hold fails the first test that runs"
    )]
    fn new(name: &'static str, doc: &'static str, version: u32, columns: Vec<Column<Row<R>>>) -> Self {
        let fields: Vec<Field> = columns.iter().map(Column::field).collect();
        let arrow = Arc::new(ArrowSchema::new(fields.iter().map(arrow_field).collect::<Fields>()));
        let descriptor = ArrowSchemaConverter::new()
            .schema_root("schema")
            .convert(&arrow)
            .expect("columns have types that Parquet knows");
        let sorting = ["ts", "uid"]
            .into_iter()
            .filter_map(|key| {
                let leaf = descriptor.columns().iter().position(|leaf| leaf.path().string() == key)?;
                Some(SortingColumn { column_idx: leaf as i32, descending: false, nulls_first: true })
            })
            .collect();
        let leaves = leaves(&columns);
        assert_eq!(leaves.len(), descriptor.num_columns(), "one leaf for each Parquet column");
        let layouts = leaves.iter().map(|leaf| (leaf.layout, leaf.bloom)).collect();
        let descriptor = Arc::new(descriptor);
        let table = Table { name, doc, version, fields, arrow, descriptor, sorting, layouts };
        Self { table, columns, leaves }
    }

    /// As readers see it.
    pub fn table(&self) -> &Table {
        &self.table
    }
}

impl Table {
    /// As Arrow sees it, docs included.
    pub fn arrow_schema(&self) -> &SchemaRef {
        &self.arrow
    }

    /// As Parquet sees it.
    pub fn descriptor(&self) -> &SchemaDescPtr {
        &self.descriptor
    }

    /// How files of this table are written by a sensor: what stands in their metadata, and in which order rows are.
    pub fn properties(&self, sensor: &str, sensor_version: &str) -> WriterPropertiesPtr {
        let mut properties = WriterProperties::builder()
            .set_created_by(format!("spanlake version {sensor_version}"))
            .set_sorting_columns(Some(self.sorting.clone()))
            .set_key_value_metadata(Some(vec![
                KeyValue::new(TABLE_KEY.to_owned(), self.name.to_owned()),
                KeyValue::new(SCHEMA_VERSION_KEY.to_owned(), self.version.to_string()),
                KeyValue::new(SENSOR_KEY.to_owned(), sensor.to_owned()),
                KeyValue::new(SENSOR_VERSION_KEY.to_owned(), sensor_version.to_owned()),
            ]))
            .build();
        add_encoded_arrow_schema_to_metadata(&self.arrow, &mut properties);
        Arc::new(properties)
    }
}

impl Table {
    /// How files of this table are written that are joined of several, in row groups of so many rows: as a sensor writes
    /// them, as far as that is for the `parquet` crate's own writer to do. `entries` are what stands in their metadata.
    pub fn joined_properties(
        &self,
        rows: usize,
        version: &str,
        entries: Vec<KeyValue>,
    ) -> Result<WriterProperties> {
        let mut properties = WriterProperties::builder()
            .set_created_by(format!("spanlake version {version}"))
            .set_sorting_columns(Some(self.sorting.clone()))
            .set_key_value_metadata(Some(entries))
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
            .set_data_page_row_count_limit(PAGE_ROWS)
            .set_data_page_size_limit(PAGE_BYTES)
            .set_dictionary_page_size_limit(DICTIONARY_BYTES)
            .set_statistics_truncate_length(Some(BOUND))
            .set_column_index_truncate_length(Some(BOUND))
            // Whoever cuts row groups counts their rows.
            .set_max_row_group_row_count(None);
        for (leaf, (layout, bloom)) in self.descriptor.columns().iter().zip(&self.layouts) {
            let path = leaf.path().clone();
            let encoding = match (layout, leaf.physical_type()) {
                (Layout::Any, _) => None,
                (Layout::Delta, _) => Some(Encoding::DELTA_BINARY_PACKED),
                (Layout::Unique, PhysicalType::BYTE_ARRAY) => Some(Encoding::DELTA_LENGTH_BYTE_ARRAY),
                (Layout::Unique, _) => Some(Encoding::PLAIN),
            };
            if let Some(encoding) = encoding {
                properties = properties
                    .set_column_dictionary_enabled(path.clone(), false)
                    .set_column_encoding(path.clone(), encoding);
            }
            if *bloom && rows >= BLOOM_ROWS {
                properties = properties
                    .set_column_bloom_filter_fpp(path.clone(), BLOOM_FPP)
                    .set_column_bloom_filter_max_ndv(path, rows as u64);
            }
        }
        Ok(properties.build())
    }
}

/// Bytes of a column's dictionary in a joined row group; values beyond it are written as they are.
const DICTIONARY_BYTES: usize = 1 << 20;

/// Keys of the files' metadata.
pub const TABLE_KEY: &str = "spanlake.table";
/// Version of the table's schema.
pub const SCHEMA_VERSION_KEY: &str = "spanlake.schema_version";
/// Name of the sensor.
pub const SENSOR_KEY: &str = "spanlake.sensor";
/// Version of the sensor.
pub const SENSOR_VERSION_KEY: &str = "spanlake.sensor_version";
/// Least `ts` of the file, microseconds since 1970 UTC.
pub const TS_MIN_KEY: &str = "spanlake.ts_min";
/// Greatest `ts` of the file, microseconds since 1970 UTC.
pub const TS_MAX_KEY: &str = "spanlake.ts_max";

/// A field as Arrow has it, its doc as metadata.
fn arrow_field(field: &Field) -> ArrowField {
    ArrowField::new(field.name, arrow_type(&field.data_type), field.nullable)
        .with_metadata(HashMap::from([("doc".to_owned(), field.doc.to_owned())]))
}

fn arrow_type(data_type: &DataType) -> ArrowType {
    match data_type {
        DataType::Boolean => ArrowType::Boolean,
        DataType::Int32 => ArrowType::Int32,
        DataType::Int64 => ArrowType::Int64,
        DataType::Double => ArrowType::Float64,
        DataType::Timestamp => ArrowType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        DataType::String => ArrowType::Utf8,
        // `element` is the name that the Parquet format asks for.
        DataType::List(entry) => {
            ArrowType::List(Arc::new(ArrowField::new("element", arrow_type(entry), false)))
        }
        DataType::Map => {
            // The names are those that the Parquet format asks for.
            let text = |name| ArrowField::new(name, ArrowType::Utf8, false);
            let entries = ArrowType::Struct(Fields::from(vec![text("key"), text("value")]));
            ArrowType::Map(Arc::new(ArrowField::new("key_value", entries, false)), false)
        }
        DataType::Struct(fields) => ArrowType::Struct(fields.iter().map(arrow_field).collect()),
    }
}
