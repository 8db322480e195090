//! Lakes of captures, and the rows that a query finds in one.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use hunt::engine::{Lake, MEMORY};
use sensor::config::{Config, IfExists, Replay};
use sensor::progress::Progress;
use serde_json::Value;
use tempfile::TempDir;

use crate::captured;

/// A capture of this project by its name below `pcaps/`, or a family of them.
pub(crate) fn capture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../pcaps").join(name)
}

/// All captures of some families, in the order of their names.
pub(crate) fn families(names: &[&str]) -> Vec<PathBuf> {
    let is_capture = |path: &PathBuf| {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        name.contains(".pcap")
    };
    let folders = names.iter().map(|name| fs::read_dir(capture(name)).unwrap());
    let mut captures: Vec<PathBuf> =
        folders.flatten().map(|entry| entry.unwrap().path()).filter(is_capture).collect();
    captures.sort();
    captures
}

/// What the sensor writes of some captures; it goes when the folder is dropped.
pub(crate) fn written(captures: Vec<PathBuf>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let replay = Replay {
        captures,
        lake: folder.path().to_path_buf(),
        if_exists: IfExists::Append,
        continuous: false,
        config: Config { workers: 2, ..Config::default() },
    };
    sensor::replay::run(&replay, &Progress::default()).unwrap();
    folder
}

/// A lake of some captures by their names.
pub(crate) fn lake(captures: &[&str]) -> TempDir {
    written(captures.iter().map(|name| capture(name)).collect())
}

/// The rows of an answer.
pub(crate) fn rows(lake: &Path, sql: &str) -> Vec<Value> {
    captured::rows(&Lake::open(lake, MEMORY).unwrap(), sql)
}
