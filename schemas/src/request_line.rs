//! Request lines as one more header: analysts look for `request.headers['GET']`, where their tables have the whole line
//! (`GET /index.html HTTP/1.1`) under the name of its method. Views put it there; no file holds it twice.

use crate::column::{DataType, Field};
use crate::table::Table;

/// Expression for the request line of the struct `request`, in the SQL of every engine. HTTP/0.9 names no version.
pub fn line(request: &str) -> String {
    format!(
        "concat({request}.method, ' ', coalesce({request}.uri, ''), CASE WHEN {request}.version <> '0.9' THEN \
         concat(' HTTP/', {request}.version) ELSE '' END)"
    )
}

/// The column of a table that holds requests with their headers, where it has one.
pub(crate) fn of(table: &Table) -> Option<&Field> {
    table.fields.iter().find(|field| {
        let parts = parts(field);
        ["method", "uri", "version", "headers"].iter().all(|name| parts.iter().any(|part| part.name == *name))
    })
}

fn parts(field: &Field) -> &[Field] {
    match &field.data_type {
        DataType::Struct(parts) => parts,
        _ => &[],
    }
}

/// The columns of a table in Spark, `request` with the line among its headers. Spark reads only what is asked of a struct
/// that is put together like this. A client may send a header of such a name; two equal keys in a map are an error.
pub(crate) fn spark(table: &Table, request: &Field) -> String {
    let name = request.name;
    let headers = format!(
        "CASE WHEN {name}.method IS NULL THEN {name}.headers ELSE map_concat(map_filter(coalesce({name}.headers, map()), \
         (header, value) -> header <> {name}.method), map({name}.method, {})) END",
        line(name)
    );
    let part = |part: &Field| match part.name {
        "headers" => format!("'headers', {headers}"),
        part => format!("'{part}', {name}.{part}"),
    };
    let parts: Vec<String> = parts(request).iter().map(part).collect();
    let request =
        format!("CASE WHEN {name} IS NOT NULL THEN named_struct({}) END AS {name}", parts.join(", "));
    let column = |field: &Field| if field.name == name { request.clone() } else { field.name.to_owned() };
    table.fields.iter().map(column).collect::<Vec<_>>().join(", ")
}

/// The query of the view in DuckDB.
pub(crate) fn duckdb(table: &Table, request: &Field) -> String {
    let name = request.name;
    format!(
        "SELECT * REPLACE (CASE WHEN {name}.method IS NULL THEN {name} ELSE struct_update({name}, headers := \
         map_concat({name}.headers, MAP {{{name}.method: {}}})) END AS {name}) FROM {}",
        line(name),
        table.name
    )
}
