//! What a compaction did, for people and for programs.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::Bounds;
use super::choose::{Chosen, Source};
use super::write::File;
use crate::counters::Damage;
use crate::progress;
use crate::summary::grouped;

/// What was joined, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Nothing was done: this is what would be.
    pub dry_run: bool,
    /// Partitions whose files were joined.
    pub joined: Vec<Joined>,
    /// Partitions with small files that were written to not long ago.
    pub busy: u64,
    /// Files left as they are because a journal still holds what they were written from.
    pub held: u64,
    /// Files left as they are because they have columns that this version does not know.
    pub newer: u64,
    /// Files that cannot be read; their partitions were left as they are.
    pub damaged: Vec<Damage>,
    /// Partitions that could not be joined.
    pub failed: Vec<Damage>,
}

/// A partition whose files were joined: before and after, those left out that were made on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// Its folder.
    pub path: PathBuf,
    /// Files that were joined, and what they became.
    pub files: (i64, i64),
    /// Their bytes.
    pub bytes: (i64, i64),
    /// Their rows.
    pub rows: u64,
}

impl Joined {
    /// What a round did; files that an earlier round has made, which are `ours`, do not count once more.
    pub(super) fn round(path: PathBuf, chosen: &Chosen, written: &[File], ours: &BTreeSet<String>) -> Self {
        let again: Vec<&Source> =
            chosen.sources.iter().filter(|source| ours.contains(&source.item.name)).collect();
        let (files, bytes) = (again.len() as i64, again.iter().map(|source| source.item.size).sum::<u64>());
        let rows: u64 = again.iter().map(|source| source.rows()).sum();
        Self {
            path,
            files: (chosen.sources.len() as i64 - files, written.len() as i64 - files),
            bytes: (
                (chosen.bytes() - bytes).cast_signed(),
                written.iter().map(|file| file.bytes).sum::<u64>().cast_signed() - bytes.cast_signed(),
            ),
            rows: chosen.rows() - rows,
        }
    }

    /// What would become of chosen files.
    pub(super) fn planned(path: PathBuf, chosen: &Chosen, bounds: Bounds) -> Self {
        let bytes = chosen.bytes();
        let files = (chosen.sources.len() as i64, bytes.div_ceil(bounds.file_bytes.max(1)).cast_signed());
        let bytes = bytes.cast_signed();
        Self { path, files, bytes: (bytes, bytes), rows: chosen.rows() }
    }
}

impl Report {
    /// Adds a round to the partition's line.
    pub(super) fn add(&mut self, round: Joined) {
        match self.joined.last_mut().filter(|joined| joined.path == round.path) {
            Some(joined) => {
                joined.files = (joined.files.0 + round.files.0, joined.files.1 + round.files.1);
                joined.bytes = (joined.bytes.0 + round.bytes.0, joined.bytes.1 + round.bytes.1);
                joined.rows += round.rows;
            }
            None => self.joined.push(round),
        }
    }
}

/// For people: a line for each partition, and what was left.
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    let done = if report.dry_run { "would be joined" } else { "joined" };
    for Joined { path, files, bytes, rows } in &report.joined {
        let size = match report.dry_run {
            true => progress::bytes(bytes.0.unsigned_abs()),
            false => format!(
                "{} to {}",
                progress::bytes(bytes.0.unsigned_abs()),
                progress::bytes(bytes.1.unsigned_abs())
            ),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{}: {} files {done} to {} ({} rows, {size})",
            path.display(),
            grouped(files.0.unsigned_abs()),
            grouped(files.1.unsigned_abs()),
            grouped(*rows),
        );
    }
    let left = [
        ("months that were written to not long ago", report.busy),
        ("files that a journal may write again", report.held),
        ("files of a newer version", report.newer),
    ];
    for (what, count) in left.iter().filter(|(_, count)| *count > 0) {
        let _ = writeln!(text, "left as they are: {what}: {}", grouped(*count));
    }
    for Damage { path, what } in &report.damaged {
        let _ = writeln!(text, "damaged, and its partition left as it is: {path}: {what}");
    }
    for Damage { path, what } in &report.failed {
        let _ = writeln!(text, "failed: {path}: {what}");
    }
    if text.is_empty() {
        text.push_str("nothing to join\n");
    }
    text
}

/// For programs: the same as one object.
pub fn json(report: &Report) -> Value {
    let joined: Vec<Value> = report
        .joined
        .iter()
        .map(|Joined { path, files, bytes, rows }| {
            json!({
                "path": path.display().to_string(),
                "files": files.0,
                "bytes": bytes.0,
                "joined_files": files.1,
                "joined_bytes": bytes.1,
                "rows": rows,
            })
        })
        .collect();
    let damage = |damages: &[Damage]| -> Vec<Value> {
        damages.iter().map(|damage| json!({"path": damage.path, "what": damage.what})).collect()
    };
    json!({
        "dry_run": report.dry_run,
        "joined": joined,
        "busy_partitions": report.busy,
        "held_files": report.held,
        "newer_files": report.newer,
        "damaged": damage(&report.damaged),
        "failed": damage(&report.failed),
    })
}
