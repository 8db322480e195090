//! Rows of lakes, read back and compared.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use sensor::output::read;

/// What a recording cannot have in common with a live interface.
const APART: [&str; 3] = ["source", "packet", "end_reason"];

/// A row as column and value, nulls left out.
pub(crate) type Row = BTreeMap<String, String>;

/// All rows of a table, sorted.
pub(crate) fn rows(lake: &Path, table: &str) -> Vec<Row> {
    if !lake.join(table).exists() {
        return Vec::new();
    }
    let read = read::newest(lake, table, usize::MAX, None, None).unwrap();
    let named = |row: Vec<Option<String>>| {
        read.columns.iter().cloned().zip(row).filter_map(|(name, value)| Some((name, value?))).collect()
    };
    let mut rows: Vec<Row> = read.rows.into_iter().map(named).collect();
    rows.sort_unstable();
    rows
}

/// The tables of two lakes are the same, row by row; gives how many rows each has.
pub(crate) fn assert_same(live: &Path, replayed: &Path) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let mut tables = [read::tables(live).unwrap(), read::tables(replayed).unwrap()].concat();
    tables.sort();
    tables.dedup();
    for table in tables.iter().filter(|table| *table != "sensor_stats") {
        let [live, replayed] = [live, replayed].map(|lake| comparable(lake, table));
        let lacking: Vec<&Row> = replayed.iter().filter(|row| !live.contains(row)).collect();
        let added: Vec<&Row> = live.iter().filter(|row| !replayed.contains(row)).collect();
        assert!(
            lacking.is_empty() && added.is_empty() && live.len() == replayed.len(),
            "{table}: {} rows live, {} replayed\nonly replayed: {lacking:#?}\nonly live: {added:#?}",
            live.len(),
            replayed.len()
        );
        counts.insert(table.clone(), live.len());
    }
    counts
}

/// The tables of two lakes are the same, row by row, but for times and what follows from them; else says how they differ.
pub(crate) fn alike(one: &Path, other: &Path) -> Result<(), String> {
    const TIMES: [&str; 8] =
        ["history", "missed_bytes", "ts", "end_ts", "duration", "rtt", "handshake_rtt", "response_time"];
    let follows = |name: &str| ["uid", "uids", "_id", "_ids"].iter().any(|end| name.ends_with(end));
    // Two interfaces stamp what comes at nearly the same time as it happens: an acknowledgement may be a little early.
    const APART: [&str; 2] = ["sensor_stats", "anomaly"];
    for table in read::tables(one).unwrap().iter().filter(|table| !APART.contains(&table.as_str())) {
        let [one, other] = [one, other].map(|lake| {
            let mut rows = comparable(lake, table);
            rows.iter_mut()
                .for_each(|row| row.retain(|name, _| !TIMES.contains(&name.as_str()) && !follows(name)));
            rows.sort_unstable();
            rows
        });
        let lacking: Vec<&Row> = other.iter().filter(|row| !one.contains(row)).collect();
        let added: Vec<&Row> = one.iter().filter(|row| !other.contains(row)).collect();
        if one != other {
            return Err(format!("{table}: lacking {lacking:#?}\nadded {added:#?}"));
        }
    }
    Ok(())
}

/// All rows of a table, sorted, without what a recording has otherwise.
pub(crate) fn comparable(lake: &Path, table: &str) -> Vec<Row> {
    let mut rows = rows(lake, table);
    for row in &mut rows {
        row.retain(|name, _| !APART.contains(&name.as_str()));
    }
    rows.sort_unstable();
    rows
}

/// Every file of the lake but those of its journal is Parquet that can be read to its end, and none is hidden.
/// Gives how many files there are.
pub(crate) fn assert_whole(lake: &Path) -> usize {
    let mut files = 0;
    let mut folders = vec![lake.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                folders.push(path);
            } else if !name.ends_with("lock") {
                assert!(name.ends_with(".parquet") && !name.starts_with('.'), "{} was left", path.display());
                let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
                let rows = reader.metadata().file_metadata().num_rows();
                let read = reader.get_row_iter(None).unwrap().inspect(|row| assert!(row.is_ok())).count();
                assert_eq!(read as i64, rows, "{}", path.display());
                files += 1;
            }
        }
    }
    files
}
