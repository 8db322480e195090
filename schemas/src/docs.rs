//! Reference pages and DDL, made from the declarations: what `spanlake schema` prints and `TABLES.md` holds.

use std::fmt::Write;

use crate::anomaly::AnomalyName;
use crate::column::{DataType, Field};
use crate::json::string;
use crate::table::{ANOMALY, Table, tables};

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

/// DDL that opens the table of the lake at `lake` in Spark SQL.
pub fn spark(table: &Table, lake: &str) -> String {
    let mut out = format!("CREATE TABLE IF NOT EXISTS {} (\n", table.name);
    for field in &table.fields {
        let kind = type_name(&field.data_type, Dialect::Spark);
        let _ = writeln!(out, "  {} {kind} COMMENT {},", field.name, quoted(field.doc, true));
    }
    let _ = write!(
        out,
        "  year INT COMMENT 'Of ts, in UTC.',\n  month INT COMMENT 'Of ts, in UTC.'\n)\nUSING parquet\nPARTITIONED BY \
         (year, month)\nCOMMENT {}\nLOCATION {};\n-- Again whenever partitions have come or gone:\nMSCK REPAIR TABLE {};\n",
        quoted(table.doc, true),
        quoted(&folder(table, lake), true),
        table.name
    );
    out
}

/// DDL that opens the table of the lake at `lake` in DuckDB.
pub fn duckdb(table: &Table, lake: &str) -> String {
    let files = quoted(&format!("{}/*/*/*.parquet", folder(table, lake)), false);
    duckdb_view(
        table,
        &format!(
            "SELECT * FROM read_parquet({files}, hive_partitioning = true, hive_types = {{'year': INTEGER, 'month': \
             INTEGER}}, union_by_name = true)"
        ),
    )
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
    format!("-- No rows yet; print this again when there are some.\n{}", duckdb_view(table, &query))
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
