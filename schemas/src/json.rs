//! Rows as lines of JSON, for golden files and for people: every column in order, nulls left out.

use crate::arena::{Arena, Text};
use crate::batch::Batch;
use crate::column::{Column, Kind, Names, Value};
use crate::envelope::{Microseconds, Row};
use crate::identifier::{write_address, write_community_id, write_file_id, write_mac, write_uid};
use crate::month::date;
use crate::table::{Record, TypedTable};

/// Every row of `batch` as a line of JSON, in the order of the batch.
pub fn debug_json<R: Record>(table: &TypedTable<R>, batch: &Batch<R>, names: &Names) -> String {
    let mut out = String::new();
    for item in &batch.rows {
        row(&table.columns, item, &batch.arena, names, &mut out);
        out.push('\n');
    }
    out
}

/// Appends a row as an object.
pub(crate) fn row<R>(
    columns: &[Column<Row<R>>],
    row: &Row<R>,
    arena: &Arena,
    names: &Names,
    out: &mut String,
) {
    object(columns, row, arena, names, out);
}

fn object<T>(columns: &[Column<T>], item: &T, arena: &Arena, names: &Names, out: &mut String) {
    out.push('{');
    let mut separator = "";
    for column in columns {
        let end = out.len();
        out.push_str(separator);
        string(column.name, out);
        out.push(':');
        if write(column, item, arena, names, out) {
            separator = ",";
        } else {
            out.truncate(end);
        }
    }
    out.push('}');
}

/// Appends the value of a column; says whether there is one.
fn write<T>(column: &Column<T>, item: &T, arena: &Arena, names: &Names, out: &mut String) -> bool {
    match &column.kind {
        Kind::Value(read) => value(read, item, arena, names, out),
        Kind::Struct(present, parts) => {
            if !present(item) {
                return false;
            }
            object(parts, item, arena, names, out);
            true
        }
        Kind::Texts(read) => {
            let Some(texts) = arena.texts_of(read(item)) else { return false };
            list(texts, out, |text, out| string(text_of(*text, arena).unwrap_or_default(), out));
            true
        }
        Kind::Int32s(read) => {
            let Some(numbers) = arena.numbers_of(read(item)) else { return false };
            list(numbers, out, |number, out| out.push_str(&number.to_string()));
            true
        }
        Kind::Map(read) => {
            let Some(pairs) = arena.map_of(read(item)) else { return false };
            out.push('{');
            for (at, (key, value)) in pairs.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                string(text_of(*key, arena).unwrap_or_default(), out);
                out.push(':');
                string(text_of(*value, arena).unwrap_or_default(), out);
            }
            out.push('}');
            true
        }
        Kind::ResourceRecords(read, parts) => {
            let Some(records) = arena.resource_records_of(read(item)) else { return false };
            list(records, out, |record, out| object(parts, record, arena, names, out));
            true
        }
    }
}

fn list<T>(entries: &[T], out: &mut String, mut write: impl FnMut(&T, &mut String)) {
    out.push('[');
    for (at, entry) in entries.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(entry, out);
    }
    out.push(']');
}

fn text_of(text: Text, arena: &Arena) -> Option<&str> {
    std::str::from_utf8(arena.bytes_of(text)?).ok()
}

fn value<T>(value: &Value<T>, item: &T, arena: &Arena, names: &Names, out: &mut String) -> bool {
    let mut bytes = Vec::new();
    let text = &mut bytes;
    let known = match value {
        Value::Unknown(_) => false,
        Value::Bool(read) => return plain(read.one(item), out),
        Value::Int32(read) => return plain(read.one(item), out),
        Value::Int64(read) => return plain(read.one(item), out),
        Value::Double(read) => return plain(read.one(item), out),
        Value::Timestamp(read) => append(read.one(item), text, |ts, out| out.extend(timestamp(ts).bytes())),
        Value::Symbol(read, name) => append(read.one(item), text, name),
        Value::Word(read) => append(read.one(item), text, |word, out| out.extend(word.bytes())),
        Value::Text(read) => append(arena.bytes_of(read.one(item)), text, |bytes, out| out.extend(bytes)),
        Value::Uid(read) => append(read.one(item), text, write_uid),
        Value::FileId(read) => append(read.one(item), text, write_file_id),
        Value::CommunityId(read) => append(read.one(item), text, |hash, out| write_community_id(&hash, out)),
        Value::Address(read) => append(read.one(item), text, |(address, ipv6), out| {
            write_address(&address.to_be_bytes(), ipv6, out)
        }),
        Value::Mac(read) => append(read.one(item), text, |mac, out| write_mac(&mac, out)),
        Value::Sensor => append(Some(&names.sensor), text, |name, out| out.extend(name.bytes())),
        Value::Source(read) => append(read.one(item), text, |at, out| out.extend(names.source(at).bytes())),
    };
    if known {
        string(&String::from_utf8_lossy(&bytes), out);
    }
    known
}

/// Appends the text of a value if there is one.
fn append<V>(value: Option<V>, out: &mut Vec<u8>, write: impl FnOnce(V, &mut Vec<u8>)) -> bool {
    value.map(|value| write(value, out)).is_some()
}

/// Appends what looks the same in Rust and in JSON.
fn plain<V: std::fmt::Debug>(value: Option<V>, out: &mut String) -> bool {
    use std::fmt::Write;
    // Writing into a string does not fail.
    value.is_some_and(|value| write!(out, "{value:?}").is_ok())
}

/// `2026-11-24T04:19:51.123456Z`.
fn timestamp(microseconds: Microseconds) -> String {
    let second = microseconds.div_euclid(1_000_000);
    let (year, month, day) = date(second.div_euclid(86_400));
    let of_day = second.rem_euclid(86_400);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let fraction = microseconds.rem_euclid(1_000_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z")
}

/// Appends a JSON string.
pub(crate) fn string(text: &str, out: &mut String) {
    use std::fmt::Write;
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            control if control.is_control() => {
                // Writing into a string does not fail.
                let _ = write!(out, "\\u{:04x}", control as u32);
            }
            other => out.push(other),
        }
    }
    out.push('"');
}
