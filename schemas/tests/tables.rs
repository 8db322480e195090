//! What must hold of every table's declaration, and the reference page made from it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail that way")]

use std::collections::HashSet;
use std::path::Path;

use schemas::column::{DataType, Field};
use schemas::docs;
use schemas::table::{Table, table, tables};

/// All fields of a table, parts of structs included.
fn fields(table: &Table) -> Vec<&Field> {
    fn collect<'f>(fields: &'f [Field], into: &mut Vec<&'f Field>) {
        for field in fields {
            into.push(field);
            let parts = match &field.data_type {
                DataType::List(entry) => entry,
                other => other,
            };
            if let DataType::Struct(parts) = parts {
                collect(parts, into);
            }
        }
    }
    let mut all = Vec::new();
    collect(&table.fields, &mut all);
    all
}

/// Words that Spark (ANSI mode), DuckDB, Trino or DataFusion does not take for a column without quotes.
const RESERVED: &str = "
    all alter analyse analyze and anti any array as asc asof asymmetric authorization between binary both by case cast
    check collate collation column columns concurrently constraint create cross cube current_catalog current_date
    current_path current_role current_schema current_time current_timestamp current_user deallocate default deferrable
    delete desc describe distinct do drop else end escape except execute exists extract false fetch filter for foreign
    freeze from full function generated glob grant group grouping having ilike in initially inner insert intersect
    interval into is isnull join json_array json_exists json_object json_query json_table json_value lambda lateral
    leading left like limit listagg localtime localtimestamp map natural normalize not notnull null offset on only or
    order outer overlaps percentile_cont percentile_disc pivot pivot_longer pivot_wider placing positional prepare
    primary qualify recursive references returning right rollup select semi session_user show similar skip some sql
    struct summarize symmetric table tablesample then time to trailing trim true try_cast uescape union unique unknown
    unnest unpivot user using values variadic verbose when where window with within";

/// A name of the contract that is older than this test: DataFusion wants quotes around it.
const EXCEPTIONS: [&str; 1] = ["interval"];

#[test]
fn names_need_no_quotes_and_say_what_they_mean() {
    let reserved: HashSet<&str> = RESERVED.split_whitespace().collect();
    for table in tables() {
        for field in fields(table) {
            let name = field.name;
            let plain = |character: char| {
                character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_'
            };
            assert!(
                name.starts_with(|first: char| first.is_ascii_lowercase()) && name.chars().all(plain),
                "{name}"
            );
            assert!(
                !reserved.contains(name) || EXCEPTIONS.contains(&name),
                "{}: {name} is reserved",
                table.name
            );
            assert!(field.doc.len() > 5 && field.doc.ends_with('.'), "{}: {name} has no doc", table.name);
        }
        let names: HashSet<&str> = table.fields.iter().map(|field| field.name).collect();
        assert_eq!(names.len(), table.fields.len(), "{} has a name twice", table.name);
        // These stand in the path.
        assert!(!names.contains("year") && !names.contains("month"));
        assert!(table.doc.len() > 20);
    }
}

#[test]
fn tables_of_events_begin_alike() {
    const COMMON: [&str; 11] = [
        "ts",
        "uid",
        "community_id",
        "src_ip",
        "src_port",
        "dst_ip",
        "dst_port",
        "transport",
        "sensor",
        "source",
        "packet",
    ];
    for table in tables() {
        if !["sensor_stats", "signal"].contains(&table.name) {
            let names: Vec<&str> = table.fields.iter().take(COMMON.len()).map(|field| field.name).collect();
            assert_eq!(names, COMMON, "{}", table.name);
        }
    }
    let open = &table("flows_open").unwrap().fields;
    let flows = &table("flows").unwrap().fields;
    let without: Vec<&Field> = open.iter().filter(|field| field.name != "sequence").collect();
    assert_eq!(without, flows.iter().collect::<Vec<_>>());
    assert!(table("no_such_table").is_none());
}

#[test]
fn the_reference_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("TABLES.md");
    let generated = docs::tables_markdown();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == generated, "run UPDATE_GOLDEN=1 cargo test -p spanlake-schemas, and read the diff");
}

#[test]
fn schemas_as_json_are_json_and_name_every_column() {
    for table in tables() {
        let parsed: serde_json::Value = serde_json::from_str(&docs::json(table)).unwrap();
        let columns = parsed["columns"].as_array().unwrap();
        assert_eq!(columns.len(), table.fields.len());
        for (column, field) in columns.iter().zip(&table.fields) {
            assert_eq!(column["name"], field.name);
            assert_eq!(column["nullable"], field.nullable);
            assert_eq!(column["doc"], field.doc);
        }
    }
    let json = docs::json(table("dns").unwrap());
    assert!(json.contains("\"type\":\"list<struct<name string, type string, ttl int32, data string>>\""));
}

#[test]
fn ddl_names_types_and_places() {
    let spark = docs::spark(table("dns").unwrap(), "/data/it's/", true);
    assert!(spark.starts_with("CREATE TABLE IF NOT EXISTS dns (\n  ts timestamp COMMENT 'Time of"));
    assert!(
        spark.contains(
            "\n  answers array<struct<name: string, type: string, ttl: int, data: string>> COMMENT "
        )
    );
    assert!(spark.contains("PARTITIONED BY (year, month)"));
    assert!(spark.contains("LOCATION '/data/it\\'s/dns';"));
    assert!(spark.ends_with("MSCK REPAIR TABLE dns;\n"));
    assert!(!docs::spark(table("dns").unwrap(), "lake", false).contains("\nMSCK"));
    let duckdb = docs::duckdb(table("flows").unwrap(), "/data/it's");
    assert!(duckdb.contains("read_parquet('/data/it''s/flows/*/*/*.parquet', hive_partitioning = true"));
    assert!(duckdb.contains("COMMENT ON COLUMN flows.history IS 'State history in Zeek''s letters"));
    let empty = docs::duckdb_without_rows(table("dns").unwrap());
    assert!(!empty.contains("read_parquet"));
    for column in [
        "CAST(NULL AS TIMESTAMP WITH TIME ZONE) AS ts",
        "CAST(NULL AS STRUCT(name VARCHAR, type VARCHAR, ttl INTEGER, data VARCHAR)[]) AS answers",
        "CAST(NULL AS INTEGER) AS year WHERE false;",
    ] {
        assert!(empty.contains(column), "{empty}");
    }
}

#[test]
fn views_of_http_have_the_request_line_under_its_method() {
    let http = table("http").unwrap();
    let spark = docs::spark(http, "lake", true);
    assert!(spark.starts_with("CREATE TABLE IF NOT EXISTS http_files ("));
    assert!(spark.contains("MSCK REPAIR TABLE http_files;\nCREATE OR REPLACE VIEW http ("));
    assert!(
        spark.contains("map(request.method, concat(request.method, ' ', coalesce(request.uri, ''), CASE")
    );
    for duckdb in [docs::duckdb(http, "lake"), docs::duckdb_without_rows(http)] {
        assert!(duckdb.contains("CREATE OR REPLACE VIEW http AS\n"));
        assert!(duckdb.contains("CREATE OR REPLACE VIEW http_lines AS\nSELECT * REPLACE (CASE"));
    }
    // Nothing else has requests.
    for table in tables().iter().filter(|table| table.name != "http") {
        assert!(!docs::spark(table, "lake", true).contains("VIEW"), "{}", table.name);
    }
}

#[test]
fn functions_for_duckdb_come_with_the_list_that_they_need() {
    let sql = docs::duckdb_functions();
    assert!(sql.starts_with("CREATE OR REPLACE TABLE public_suffixes AS\nSELECT unnest(string_split('"));
    for rule in ["co.uk", "*.ck", "!www.ck", "xn--55qx5d.cn"] {
        assert!(sql.contains(&format!(" {rule} ")), "{rule}");
    }
    for name in [
        "tld(name)",
        "registered_domain(name)",
        "subnet(address, bits)",
        "is_private(address)",
        "entropy(text)",
    ] {
        assert!(sql.contains(&format!("CREATE OR REPLACE MACRO {name} AS")), "{name}");
    }
}
