//! Lakes of captures, and the rows that a query finds in one.

use std::path::{Path, PathBuf};

use hunt::engine::{Lake, MEMORY};
use hunt::output::json;
use sensor::config::{Config, IfExists, Replay};
use sensor::progress::Progress;
use serde_json::{Map, Value};

/// A capture of this project by its name below `pcaps/`.
pub(crate) fn capture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../pcaps").join(name)
}

/// A lake of some captures; it goes when the folder is dropped.
pub(crate) fn lake(captures: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let replay = Replay {
        captures: captures.iter().map(|name| capture(name)).collect(),
        lake: folder.path().to_path_buf(),
        if_exists: IfExists::Append,
        continuous: false,
        config: Config { workers: 2, ..Config::default() },
    };
    sensor::replay::run(&replay, &Progress::default()).unwrap();
    folder
}

/// The rows of an answer.
pub(crate) fn rows(lake: &Path, sql: &str) -> Vec<Map<String, Value>> {
    let answer =
        Lake::open(lake, MEMORY).unwrap().query(sql).unwrap_or_else(|error| panic!("{error:#}\n{sql}"));
    let mut text = Vec::new();
    for batch in &answer.batches {
        json::rows(batch, &mut text).unwrap();
    }
    let text = String::from_utf8(text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
