//! The lake that tests ask, and the program that asks it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use hunt::engine::{Lake, MEMORY};
use serde_json::Value;
use tempfile::TempDir;

use crate::lakes;

/// The project's captures of what hunters look for, read once by the sensor.
pub(crate) fn folder() -> &'static Path {
    static LAKE: OnceLock<TempDir> = OnceLock::new();
    let families = ["dns", "ftp", "hunts", "http", "kerberos", "tls"];
    LAKE.get_or_init(|| lakes::written(lakes::families(&families))).path()
}

/// The same lake, opened.
pub(crate) fn opened() -> Lake {
    Lake::open(folder(), MEMORY).unwrap()
}

/// A lake of its own, with copies of what a table has.
pub(crate) fn copy_of(table: &str) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for (at, path) in files(folder(), table).iter().enumerate() {
        let month = path.parent().unwrap().strip_prefix(folder()).unwrap();
        fs::create_dir_all(copy.path().join(month)).unwrap();
        fs::copy(path, copy.path().join(month).join(format!("copy-{at:05}.parquet"))).unwrap();
    }
    copy
}

/// The files of a table.
pub(crate) fn files(lake: &Path, table: &str) -> Vec<PathBuf> {
    hunt::engine::files::list(lake, table).unwrap().into_iter().map(|file| file.path).collect()
}

/// Runs the program over a lake.
pub(crate) fn hunt(lake: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_spanlake-hunt"))
        .arg("--lake")
        .arg(lake)
        .args(arguments)
        .output()
        .unwrap()
}

/// What the program says on standard error.
pub(crate) fn complaints(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The rows of an answer as JSON.
pub(crate) fn rows(lake: &Lake, sql: &str) -> Vec<Value> {
    let mut text = Vec::new();
    for batch in lake.query(sql).unwrap_or_else(|error| panic!("{sql}: {error:#}")).batches {
        hunt::output::json::rows(&batch, &mut text).unwrap();
    }
    String::from_utf8(text).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The values of the only row.
pub(crate) fn row(lake: &Lake, sql: &str) -> Vec<Value> {
    let rows = rows(lake, sql);
    assert_eq!(rows.len(), 1, "{sql}: {rows:?}");
    rows[0].as_object().unwrap().values().cloned().collect()
}

/// The value of the only row's only column, as a number.
pub(crate) fn number(lake: &Lake, sql: &str) -> i64 {
    row(lake, sql)[0].as_i64().unwrap()
}
