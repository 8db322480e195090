//! Reference pages and DDL, made from the declarations: what `spanlake schema` prints and `TABLES.md` holds.

use std::fmt::Write;

use crate::anomaly::AnomalyName;
use crate::column::{DataType, Field};
use crate::json::string;
use crate::request_line;
use crate::table::{ANOMALY, Table, tables};

/// The rules of the public suffix list that have more than one label, a line each; `scripts/public-suffixes` writes it.
pub const PUBLIC_SUFFIXES: &str = include_str!("../public_suffixes.txt");

/// `TABLES.md`: every table.
pub fn tables_markdown() -> String {
    let mut out = String::from(
        "# The tables of the lake\n\nGenerated from the declarations in `schemas/src`; `UPDATE_GOLDEN=1 cargo test -p \
         spanlake-schemas` writes it anew.\n\nEach table is a folder with Hive partitions below it, plain Parquet inside: \
         `<lake>/<table>/year=2026/month=11/<name>.parquet`. `year` and `month` come from `ts` in UTC and stand in the \
         path only. Unknown is null; zero, false, the empty string and the empty list are things that were seen. In text, \
         a byte that is not part of valid UTF-8 and a control character are written `\\xNN`, and a backslash that would \
         read as such is written `\\x5c`.\n",
    );
    for table in tables() {
        out.push('\n');
        out.push_str(&markdown(table));
    }
    out
}

/// A table as a page of Markdown.
pub fn markdown(table: &Table) -> String {
    let mut out = format!(
        "## {}\n\n{}\n\n| column | type | null | meaning |\n|---|---|---|---|\n",
        table.name, table.doc
    );
    for field in &table.fields {
        markdown_rows(field, "", &mut out);
    }
    if table == ANOMALY.table() {
        out.push_str("\nThe names:\n\n| name | layer | meaning |\n|---|---|---|\n");
        for name in AnomalyName::ALL {
            // Writing into a string does not fail, here and below.
            let _ = writeln!(out, "| {} | {} | {} |", name.name(), name.layer().name(), name.doc().trim());
        }
    }
    out
}

fn markdown_rows(field: &Field, prefix: &str, out: &mut String) {
    let name = format!("{prefix}{}", field.name);
    let null = if field.nullable { "yes" } else { "" };
    let kind = type_name(&field.data_type, Dialect::Contract);
    let _ = writeln!(out, "| {name} | {} | {null} | {} |", short(&field.data_type, kind), cell(field.doc));
    match &field.data_type {
        DataType::Struct(parts) => {
            parts.iter().for_each(|part| markdown_rows(part, &format!("{name}."), out));
        }
        DataType::List(entry) => {
            if let DataType::Struct(parts) = &**entry {
                parts.iter().for_each(|part| markdown_rows(part, &format!("{name}[]."), out));
            }
        }
        _ => {}
    }
}

/// The type of a row of a Markdown table: the parts of a struct have rows of their own.
fn short(data_type: &DataType, whole: String) -> String {
    match data_type {
        DataType::Struct(_) => "struct".to_owned(),
        DataType::List(entry) if matches!(**entry, DataType::Struct(_)) => "list of struct".to_owned(),
        _ => cell(&whole),
    }
}

/// Text for a cell of a Markdown table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// A table as JSON: name, version, doc, and the columns with name, type, nullable, doc (and parts).
pub fn json(table: &Table) -> String {
    let mut out = String::from("{\"table\":");
    string(table.name, &mut out);
    let _ = write!(out, ",\"version\":{},\"doc\":", table.version);
    string(table.doc, &mut out);
    out.push_str(",\"partitions\":[\"year\",\"month\"],\"columns\":");
    json_fields(&table.fields, &mut out);
    out.push_str("}\n");
    out
}

fn json_fields(fields: &[Field], out: &mut String) {
    out.push('[');
    for (at, field) in fields.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str("\n{\"name\":");
        string(field.name, out);
        out.push_str(",\"type\":");
        string(&type_name(&field.data_type, Dialect::Contract), out);
        let _ = write!(out, ",\"nullable\":{},\"doc\":", field.nullable);
        string(field.doc, out);
        let parts = match &field.data_type {
            DataType::Struct(parts) => Some(parts),
            DataType::List(entry) => match &**entry {
                DataType::Struct(parts) => Some(parts),
                _ => None,
            },
            _ => None,
        };
        if let Some(parts) = parts {
            out.push_str(",\"parts\":");
            json_fields(parts, out);
        }
        out.push('}');
    }
    out.push(']');
}

/// DDL that opens the table of the lake at `lake` in Spark SQL. Of `http` the table has another name, and the view over it
/// has the request line among the headers, under the name of the method. A table without rows has no folder to look for
/// partitions in, which Spark would not accept.
pub fn spark(table: &Table, lake: &str, has_rows: bool) -> String {
    let line = request_line::of(table);
    let name = if line.is_some() { format!("{}_files", table.name) } else { table.name.to_owned() };
    let mut out = format!("CREATE TABLE IF NOT EXISTS {name} (\n");
    for field in &table.fields {
        let kind = type_name(&field.data_type, Dialect::Spark);
        let _ = writeln!(out, "  {} {kind} COMMENT {},", field.name, quoted(field.doc, true));
    }
    let _ = write!(
        out,
        "  year INT COMMENT 'Of ts, in UTC.',\n  month INT COMMENT 'Of ts, in UTC.'\n)\nUSING parquet\nPARTITIONED BY \
         (year, month)\nCOMMENT {}\nLOCATION {};\n",
        quoted(table.doc, true),
        quoted(&folder(table, lake), true),
    );
    let _ = match has_rows {
        true => writeln!(out, "-- Again whenever partitions have come or gone:\nMSCK REPAIR TABLE {name};"),
        false => writeln!(out, "-- No rows yet; once there are some: MSCK REPAIR TABLE {name}"),
    };
    if let Some(column) = line {
        let columns = table
            .fields
            .iter()
            .map(|field| format!("  {} COMMENT {},\n", field.name, quoted(field.doc, true)));
        let _ = write!(
            out,
            "CREATE OR REPLACE VIEW {} (\n{}  year COMMENT 'Of ts, in UTC.',\n  month COMMENT 'Of ts, in UTC.'\n)\nCOMMENT {} AS\n\
             SELECT\n  {},\n  year, month\nFROM {name};\n",
            table.name,
            columns.collect::<String>(),
            quoted(table.doc, true),
            request_line::spark(table, column),
        );
    }
    out
}

/// The columns of a table as Spark's DDL has them, partitions included, for a reader that is told its schema.
pub fn spark_columns(table: &Table) -> String {
    let columns = table
        .fields
        .iter()
        .map(|field| format!("{} {}", field.name, type_name(&field.data_type, Dialect::Spark)));
    columns.chain(["year int".to_owned(), "month int".to_owned()]).collect::<Vec<_>>().join(", ")
}

/// DDL that opens the table of the lake at `lake` in DuckDB.
pub fn duckdb(table: &Table, lake: &str) -> String {
    let files = quoted(&format!("{}/*/*/*.parquet", folder(table, lake)), false);
    let query = format!(
        "SELECT * FROM read_parquet({files}, hive_partitioning = true, hive_types = {{'year': INTEGER, 'month': \
         INTEGER}}, union_by_name = true)"
    );
    duckdb_view(table, &query) + &duckdb_request_lines(table)
}

/// DuckDB reads all of a struct that a view puts together, so the request lines have a view of their own, and `http` stays
/// fast.
fn duckdb_request_lines(table: &Table) -> String {
    request_line::of(table).map_or_else(String::new, |column| {
        let name = table.name;
        format!(
            "CREATE OR REPLACE VIEW {name}_lines AS\n{};\nCOMMENT ON VIEW {name}_lines IS {};\n",
            request_line::duckdb(table, column),
            quoted(&format!("The rows of {name}, with the request line among the headers, under the name of the method."), false)
        )
    })
}

/// DDL for DuckDB of a table that has no files yet, which `read_parquet` would not accept: a view of its columns without
/// rows.
pub fn duckdb_without_rows(table: &Table) -> String {
    let columns = table.fields.iter().map(|field| (field.name, type_name(&field.data_type, Dialect::DuckDb)));
    // In the order in which `read_parquet` shows them.
    let partitions = ["month", "year"].map(|name| (name, "INTEGER".to_owned()));
    let columns: Vec<String> =
        columns.chain(partitions).map(|(name, kind)| format!("CAST(NULL AS {kind}) AS {name}")).collect();
    let query = format!("SELECT {} WHERE false", columns.join(",\n  "));
    format!(
        "-- No rows yet; print this again when there are some.\n{}{}",
        duckdb_view(table, &query),
        duckdb_request_lines(table)
    )
}

/// The SQL functions of `spanlake hunt` as macros for DuckDB, with the list of public suffixes that two of them need.
pub fn duckdb_functions() -> String {
    let suffixes = PUBLIC_SUFFIXES.trim_end().replace('\n', " ");
    format!(
        "CREATE OR REPLACE TABLE public_suffixes AS\nSELECT unnest(string_split('{suffixes}', ' ')) AS rule;\n\n{}",
        include_str!("functions.duckdb.sql")
    )
}

fn duckdb_view(table: &Table, query: &str) -> String {
    let mut out = format!(
        "CREATE OR REPLACE VIEW {} AS\n{query};\nCOMMENT ON VIEW {} IS {};\n",
        table.name,
        table.name,
        quoted(table.doc, false)
    );
    for field in &table.fields {
        let _ =
            writeln!(out, "COMMENT ON COLUMN {}.{} IS {};", table.name, field.name, quoted(field.doc, false));
    }
    out
}

fn folder(table: &Table, lake: &str) -> String {
    format!("{}/{}", lake.trim_end_matches('/'), table.name)
}

/// A string literal; Spark takes a backslash for an escape, DuckDB does not.
fn quoted(text: &str, backslash_escapes: bool) -> String {
    let text = if backslash_escapes {
        text.replace('\\', "\\\\").replace('\'', "\\'")
    } else {
        text.replace('\'', "''")
    };
    format!("'{text}'")
}

/// Whose words for types.
#[derive(Clone, Copy)]
enum Dialect {
    Contract,
    Spark,
    DuckDb,
}

fn type_name(data_type: &DataType, dialect: Dialect) -> String {
    let word = |contract: &str, spark: &str, duckdb: &str| {
        match dialect {
            Dialect::Contract => contract,
            Dialect::Spark => spark,
            Dialect::DuckDb => duckdb,
        }
        .to_owned()
    };
    match data_type {
        DataType::Boolean => word("boolean", "boolean", "BOOLEAN"),
        DataType::Int32 => word("int32", "int", "INTEGER"),
        DataType::Int64 => word("int64", "bigint", "BIGINT"),
        DataType::Double => word("double", "double", "DOUBLE"),
        DataType::Timestamp => word("timestamp", "timestamp", "TIMESTAMP WITH TIME ZONE"),
        DataType::String => word("string", "string", "VARCHAR"),
        DataType::Map => word("map<string,string>", "map<string,string>", "MAP(VARCHAR, VARCHAR)"),
        DataType::List(entry) => {
            let entry = type_name(entry, dialect);
            word(&format!("list<{entry}>"), &format!("array<{entry}>"), &format!("{entry}[]"))
        }
        DataType::Struct(fields) => {
            let parts = |separator: &str| -> String {
                let parts: Vec<String> = fields
                    .iter()
                    .map(|field| format!("{}{separator}{}", field.name, type_name(&field.data_type, dialect)))
                    .collect();
                parts.join(", ")
            };
            word(
                &format!("struct<{}>", parts(" ")),
                &format!("struct<{}>", parts(": ")),
                &format!("STRUCT({})", parts(" ")),
            )
        }
    }
}
