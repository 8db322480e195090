//! Lakes of small files: the rows stay, whatever happens meanwhile.

mod crashes;
mod joined;
mod stays;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use arrow_array::cast::AsArray;
use arrow_array::{Int32Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::{KeyValue, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::WriterProperties;
use schemas::batch::Records;
use schemas::month::Month;
use tempfile::TempDir;

use super::*;
use crate::output::exchange::points;
use crate::output::samples::{DAY, Kind, NOVEMBER, Sample, config, write_as};
use crate::output::{self, IfExists, read};

const SECOND: i64 = 1_000_000_000;

/// The partition that most happens in.
const DNS: &str = "dns/year=2026/month=11";

struct Scene {
    _folder: TempDir,
    lake: PathBuf,
    compact: Compact,
}

type Rows = BTreeMap<String, Vec<Vec<Option<String>>>>;

fn hash(number: u64) -> String {
    format!("{number:016x}")
}

/// So many rows of a kind, each at a time of its own that falls between those of other files.
fn samples(kind: Kind, file: u64, rows: u64, start: i64) -> Vec<Sample> {
    (0..rows)
        .map(|row| Sample {
            kind,
            ts: start + (row * 7919 + file * 131) as i64 * SECOND / 256,
            number: file * 100_000 + row,
        })
        .collect()
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lake = folder.path().join("lake");
        fs::create_dir(&lake).unwrap();
        let compact =
            Compact { lake: lake.clone(), quiet: Duration::ZERO, dry_run: false, bounds: Bounds::default() };
        Self { _folder: folder, lake, compact }
    }

    /// Files of some rows of two tables in two months, of two sensors.
    fn usual() -> Self {
        let scene = Self::new();
        for number in 0..6 {
            let mut rows = samples(Kind::Dns, number, 50, NOVEMBER);
            rows.extend(samples(Kind::Flow, number, 30, NOVEMBER - 40 * DAY));
            rows.extend(samples(Kind::Flow, number, 20, NOVEMBER));
            scene.publish(if number % 2 == 0 { "edge" } else { "core, 2" }, number, &rows);
        }
        scene
    }

    /// Four files of one table in one month.
    fn small() -> Self {
        let scene = Self::new();
        for number in 0..4 {
            scene.publish("edge", number, &samples(Kind::Dns, number, 10, NOVEMBER));
        }
        scene
    }

    fn publish(&self, sensor: &str, number: u64, rows: &[Sample]) {
        publish(&self.lake, sensor, number, rows, IfExists::Replace).unwrap();
    }

    fn compact(&self) -> Report {
        run(&self.compact, wall(), &no_journal).unwrap()
    }

    /// Every row of every table.
    fn rows(&self) -> Rows {
        rows(&self.lake)
    }

    fn files(&self, partition: &str) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> =
            fs::read_dir(self.lake.join(partition)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    /// Nothing of an attempt is left.
    fn assert_tidy(&self) {
        let mut left: Vec<String> = fs::read_dir(self.lake.join(".compact"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.retain(|name| name != "lock" && name != "exchange");
        assert_eq!(left, Vec::<String>::new());
        for place in places(&self.lake) {
            for file in self.files(place.to_str().unwrap()) {
                assert!(!file.file_name().unwrap().to_str().unwrap().starts_with('.'), "{}", file.display());
            }
        }
    }
}

fn publish(
    lake: &Path,
    sensor: &str,
    number: u64,
    rows: &[Sample],
    if_exists: IfExists,
) -> Result<output::Summary> {
    let mut config = output::Config { input_hash: hash(number), if_exists, ..config(lake) };
    config.names.sensor = sensor.to_owned();
    write_as(config, 1, 1, &[rows.to_vec()])
}

fn places(lake: &Path) -> Vec<PathBuf> {
    tree::places(&Folder::open(lake).unwrap()).unwrap().iter().map(Place::path).collect()
}

fn rows(lake: &Path) -> Rows {
    let mut rows = Rows::new();
    for table in read::tables(lake).unwrap() {
        let mut of_table = read::newest(lake, &table, usize::MAX, None, None).unwrap().rows;
        of_table.sort();
        rows.insert(table, of_table);
    }
    rows
}

fn no_journal(_: &Path) -> Result<BTreeSet<String>> {
    Ok(BTreeSet::new())
}

fn wall() -> Nanoseconds {
    crate::clock::wall()
}

fn metadata(file: &Path) -> ParquetMetaData {
    let file = File::open(file).unwrap();
    ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Required)
        .parse_and_finish(&file)
        .unwrap()
}

fn entry(file: &Path, key: &str) -> String {
    output::footer::entry(&metadata(file), key).unwrap().to_owned()
}

/// What rows of a file are sorted by.
fn keys(file: &Path) -> Vec<(i64, String)> {
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(File::open(file).unwrap()).unwrap().build().unwrap();
    let mut keys = Vec::new();
    for batch in reader {
        let batch = batch.unwrap();
        let ts = batch.column_by_name("ts").unwrap();
        let ts = ts.as_primitive::<arrow_array::types::TimestampMicrosecondType>();
        let uid = batch.column_by_name("uid").unwrap().as_string::<i32>();
        keys.extend((0..batch.num_rows()).map(|row| (ts.value(row), uid.value(row).to_owned())));
    }
    keys
}
