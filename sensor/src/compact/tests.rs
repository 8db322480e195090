//! Lakes of small files: the rows stay, whatever happens meanwhile.

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

#[test]
fn small_files_of_each_month_become_one_with_the_same_rows_in_order() {
    let scene = Scene::usual();
    let before = scene.rows();
    assert_eq!(before["flows"].len(), 300);
    let report = scene.compact();
    assert_eq!(scene.rows(), before);
    let joined: Vec<_> = report.joined.iter().map(|joined| (joined.files, joined.rows)).collect();
    assert_eq!(joined, [((6, 1), 180), ((6, 1), 300), ((6, 1), 120)]);
    for place in ["flows/year=2026/month=10", "flows/year=2026/month=11", DNS] {
        let files = scene.files(place);
        assert_eq!(files.len(), 1, "{place}");
        assert!(keys(&files[0]).is_sorted());
        let name = files[0].file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("compact-") && name.ends_with("-00000.parquet"), "{name}");
    }
    scene.assert_tidy();
}

#[test]
fn joined_files_say_what_they_are_and_what_they_were() {
    let scene = Scene::usual();
    scene.compact();
    let file = &scene.files(DNS)[0];
    assert_eq!(entry(file, "spanlake.table"), "dns");
    assert_eq!(
        entry(file, "spanlake.schema_version"),
        schemas::table::table("dns").unwrap().version.to_string()
    );
    assert_eq!(entry(file, "spanlake.sensor"), "core, 2\nedge");
    assert_eq!(entry(file, "spanlake.sensor_version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(entry(file, "spanlake.inputs"), (0..6).map(hash).collect::<Vec<_>>().join(","));
    let keys = keys(file);
    assert_eq!(entry(file, "spanlake.ts_min"), keys[0].0.to_string());
    assert_eq!(entry(file, "spanlake.ts_max"), keys.last().unwrap().0.to_string());
    let table = schemas::table::table("dns").unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(file).unwrap()).unwrap();
    assert_eq!(reader.schema().fields(), table.arrow_schema().fields());
    assert_eq!(reader.parquet_schema().root_schema(), table.descriptor().root_schema());
    assert!(fs::metadata(file).unwrap().permissions().mode() & 0o777 == 0o640);
}

#[test]
fn inputs_are_those_whose_rows_are_in_the_file() {
    let mut scene = Scene::new();
    for number in 0..4 {
        // One after the other.
        scene.publish(
            "edge",
            number,
            &samples(Kind::Dns, number, 1000, NOVEMBER + number as i64 * 20 * 3600 * SECOND),
        );
    }
    // Two row groups, and a file for each.
    let largest = scene.files(DNS).iter().map(|file| fs::metadata(file).unwrap().len()).max().unwrap();
    scene.compact.bounds =
        Bounds { file_bytes: 2 * largest + 2, group_rows: 2000, round_bytes: 1 << 30, ..Bounds::default() };
    scene.compact();
    let files = scene.files(DNS);
    let inputs: Vec<String> = files.iter().map(|file| entry(file, "spanlake.inputs")).collect();
    assert_eq!(inputs, [[hash(0), hash(1)].join(","), [hash(2), hash(3)].join(",")]);
}

#[test]
fn joined_files_have_what_readers_search_by() {
    let scene = Scene::new();
    for number in 0..3 {
        scene.publish("edge", number, &samples(Kind::Dns, number, 2000, NOVEMBER));
    }
    scene.compact();
    let file = &scene.files(DNS)[0];
    let metadata = metadata(file);
    let group = metadata.row_group(0);
    let filtered: Vec<String> = group
        .columns()
        .iter()
        .filter(|column| column.bloom_filter_offset().is_some())
        .map(|column| column.column_path().string())
        .collect();
    assert_eq!(filtered, ["uid", "community_id", "src_ip.address", "dst_ip.address", "query"]);
    // A filter for so many values at 5 %, not for a million.
    assert!(group.column(1).bloom_filter_length().unwrap() < 10_000);
    let sorting: Vec<_> = group.sorting_columns().unwrap().iter().map(|column| column.column_idx).collect();
    assert_eq!(sorting, [0, 1]);
    assert!(metadata.column_index().is_some() && metadata.offset_index().is_some());
    assert!(group.columns().iter().all(|column| column.compression().to_string().starts_with("ZSTD")));
    let uid =
        read::newest(&scene.lake, "dns", 1, Some(&["uid".to_owned()]), None).unwrap().rows[0][0].clone();
    assert_eq!(read::newest(&scene.lake, "dns", 10, None, uid.as_deref()).unwrap().rows.len(), 1);
}

#[test]
fn what_is_joined_stays_as_it_is() {
    let scene = Scene::usual();
    scene.compact();
    let before: Vec<_> =
        scene.files(DNS).iter().map(|path| (path.clone(), fs::metadata(path).unwrap().ino())).collect();
    assert_eq!(scene.compact(), Report::default());
    let after: Vec<_> =
        scene.files(DNS).iter().map(|path| (path.clone(), fs::metadata(path).unwrap().ino())).collect();
    assert_eq!(before, after);
}

#[test]
fn a_file_that_comes_later_is_joined_with_the_joined_one() {
    let scene = Scene::usual();
    scene.compact();
    scene.publish("third", 9, &samples(Kind::Dns, 9, 40, NOVEMBER));
    let before = scene.rows();
    scene.compact();
    assert_eq!(scene.rows(), before);
    let files = scene.files(DNS);
    assert_eq!(files.len(), 1);
    assert_eq!(entry(&files[0], "spanlake.sensor"), "core, 2\nedge\nthird");
    assert_eq!(entry(&files[0], "spanlake.inputs").split(',').count(), 7);
}

#[test]
fn files_and_row_groups_have_bounds_and_large_files_stay() {
    let mut scene = Scene::new();
    for number in 0..10 {
        scene.publish("edge", number, &samples(Kind::Dns, number, 2000, NOVEMBER));
    }
    let before = scene.rows();
    let small = fs::metadata(&scene.files(DNS)[0]).unwrap().len();
    scene.compact.bounds =
        Bounds { file_bytes: 3 * small, group_rows: 1500, round_bytes: 4 * small, ..Bounds::default() };
    let report = scene.compact();
    assert_eq!(scene.rows(), before);
    let files = scene.files(DNS);
    assert!(files.len() > 2, "{}", files.len());
    assert_eq!(report.joined.len(), 1);
    assert_eq!((report.joined[0].files, report.joined[0].rows), ((10, files.len() as i64), 20_000));
    let bytes = files.iter().map(|file| fs::metadata(file).unwrap().len() as i64).sum::<i64>();
    assert_eq!(report.joined[0].bytes.1, bytes);
    for file in &files {
        // Its footer, which is large here, comes on top.
        assert!(fs::metadata(file).unwrap().len() <= 4 * small);
        assert!(keys(file).is_sorted());
        for group in metadata(file).row_groups() {
            assert!(group.num_rows() <= 1500 && group.num_rows() >= 700, "{}", group.num_rows());
        }
    }
    let names: Vec<_> = files.iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    // Of these most are large: a new one is joined with a small one, if any.
    scene.publish("edge", 11, &samples(Kind::Dns, 11, 10, NOVEMBER));
    scene.publish("edge", 12, &samples(Kind::Dns, 12, 10, NOVEMBER));
    let before = scene.rows();
    scene.compact();
    assert_eq!(scene.rows(), before);
    let after: Vec<_> = scene.files(DNS).iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    assert!(names.iter().filter(|name| after.contains(name)).count() + 1 >= names.len());
}

#[test]
fn little_memory_changes_no_row() {
    let mut scene = Scene::usual();
    scene.publish("edge", 7, &samples(Kind::Dns, 7, 900, NOVEMBER));
    let before = scene.rows();
    scene.compact.bounds.memory = 1;
    scene.compact();
    assert_eq!(scene.rows(), before);
    assert!(keys(&scene.files(DNS)[0]).is_sorted());
    assert_eq!(entry(&scene.files(DNS)[0], "spanlake.inputs").split(',').count(), 7);
    scene.assert_tidy();
}

#[test]
fn what_was_written_to_not_long_ago_stays() {
    let mut scene = Scene::usual();
    scene.compact.quiet = Duration::from_secs(3600);
    let report = scene.compact();
    assert_eq!((report.busy, report.joined.len()), (3, 0));
    let report = run(&scene.compact, wall() + 3601 * SECOND, &no_journal).unwrap();
    assert_eq!((report.busy, report.joined.len()), (0, 3));
    // A file on its way is a sign of life, too.
    let scene = Scene::usual();
    let late = Compact { quiet: Duration::from_secs(3600), ..scene.compact.clone() };
    let tmp = scene.lake.join(DNS).join(".edge-00000000000000ff-00000.parquet.tmp");
    File::create(&tmp)
        .unwrap()
        .set_modified(std::time::SystemTime::now() + Duration::from_secs(100))
        .unwrap();
    assert_eq!(run(&late, wall() + 3650 * SECOND, &no_journal).unwrap().busy, 1);
}

#[test]
fn a_dry_run_says_what_would_be_joined_and_changes_nothing() {
    let mut scene = Scene::usual();
    scene.compact.dry_run = true;
    let before = scene.files(DNS);
    let report = scene.compact();
    assert_eq!(report.joined.iter().map(|joined| joined.files).collect::<Vec<_>>(), [(6, 1), (6, 1), (6, 1)]);
    assert!(
        text(&report).contains("dns/year=2026/month=11: 6 files would be joined to 1 (300 rows, "),
        "{}",
        text(&report)
    );
    assert_eq!(scene.files(DNS), before);
    assert!(!scene.lake.join(".compact").exists());
}

#[test]
fn what_a_journal_may_write_again_stays() {
    let scene = Scene::usual();
    let before = scene.rows();
    let journal = |_: &Path| Ok(BTreeSet::from([hash(2), hash(5)]));
    let report = run(&scene.compact, wall(), &journal).unwrap();
    assert_eq!(report.held, 6);
    assert_eq!(scene.rows(), before);
    let names: Vec<String> =
        scene.files(DNS).iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(names.len(), 3);
    assert!(
        names.iter().any(|name| name.contains(&hash(2))) && names.iter().any(|name| name.contains(&hash(5)))
    );
    // It may do so: nothing doubles.
    scene.publish(
        "edge",
        2,
        &[
            samples(Kind::Dns, 2, 50, NOVEMBER),
            samples(Kind::Flow, 2, 30, NOVEMBER - 40 * DAY),
            samples(Kind::Flow, 2, 20, NOVEMBER),
        ]
        .concat(),
    );
    assert_eq!(scene.rows(), before);
    let failing = |_: &Path| -> Result<BTreeSet<String>> { bail!("no journal can be read") };
    let report = run(&scene.compact, wall(), &failing).unwrap();
    assert_eq!((report.failed.len(), report.joined.len()), (3, 0));
}

#[test]
fn rows_that_were_joined_are_not_replaced() {
    let scene = Scene::usual();
    let again = samples(Kind::Dns, 2, 50, NOVEMBER);
    scene.compact();
    let before = scene.rows();
    for if_exists in [IfExists::Replace, IfExists::Refuse] {
        let error = publish(&scene.lake, "edge", 2, &again, if_exists).unwrap_err().to_string();
        assert!(error.starts_with("rows of this input are in "), "{error}");
    }
    assert_eq!(scene.rows(), before);
    assert!(output::is_joined(&scene.lake, "edge", &hash(2)).unwrap());
    assert!(!output::is_joined(&scene.lake, "edge", &hash(77)).unwrap());
    publish(&scene.lake, "edge", 2, &again, IfExists::Append).unwrap();
    assert_eq!(scene.rows()["dns"].len(), before["dns"].len() + 50);
    // A sensor may be called as joined files are.
    scene.publish("compact", 50, &samples(Kind::Dns, 50, 1, NOVEMBER));
    scene.publish("compact", 50, &samples(Kind::Dns, 50, 1, NOVEMBER));
}

#[test]
fn a_damaged_file_is_named_and_its_partition_left_as_it_is() {
    for damage in [Damaged::Cut, Damaged::Footer, Damaged::Data] {
        let scene = Scene::usual();
        let path = scene.files(DNS)[3].clone();
        damage.apply(&path);
        let before: Vec<_> =
            scene.files(DNS).iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
        let report = scene.compact();
        assert_eq!(report.damaged.len(), 1, "{damage:?}: {report:?}");
        assert_eq!(report.damaged[0].path, path.display().to_string());
        assert_eq!(report.failed, []);
        let after: Vec<_> =
            scene.files(DNS).iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
        assert!(before == after);
        assert_eq!(report.joined.len(), 2);
        scene.assert_tidy();
    }
}

#[derive(Clone, Copy, Debug)]
enum Damaged {
    Cut,
    Footer,
    Data,
}

impl Damaged {
    fn apply(self, path: &Path) {
        let mut bytes = fs::read(path).unwrap();
        let length = bytes.len();
        match self {
            Self::Cut => bytes.truncate(length / 2),
            Self::Footer => bytes[length - 200..length - 8].fill(0xff),
            Self::Data => bytes[4..200].fill(0xff),
        }
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn no_damage_ends_the_program() {
    let scene = Scene::usual();
    let path = scene.files(DNS)[3].clone();
    let whole = fs::read(&path).unwrap();
    let mut random = 12_345_u64;
    for round in 0..300 {
        let mut bytes = whole.clone();
        for _ in 0..4 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Half of the damage to the footer, where lengths and counts are.
            let at =
                (random >> 33) as usize % if round % 2 == 0 { bytes.len() } else { 8000.min(bytes.len()) };
            let place = bytes.len() - 1 - at;
            bytes[place] = (random >> 20) as u8;
        }
        fs::write(&path, bytes).unwrap();
        let folder = Folder::open(&scene.lake.join(DNS)).unwrap();
        let place = Place::named("dns", "year=2026", "month=11").unwrap();
        let lake = Folder::open(&scene.lake).unwrap();
        let partition = Partition {
            compact: &scene.compact,
            lake: &lake,
            place: &place,
            now: wall(),
            journal: &no_journal,
        };
        let scratch = tempfile::tempdir().unwrap();
        let new = Folder::open(scratch.path()).unwrap();
        let Ok(Choice::Chosen(chosen)) = choose::choose(&folder, &partition, Duration::ZERO) else {
            continue;
        };
        let plan = Plan { token: "x".into(), place: place.clone(), replaced: Vec::new() };
        let owner = new.nature().unwrap().owner;
        // Whatever comes out is none of this test's business.
        let _ = partition.write(&plan, &folder, &new, &chosen, &mut Runs::of(&chosen), owner);
    }
}

#[test]
fn what_is_not_the_sensors_stays_where_it_is() {
    let scene = Scene::usual();
    let before = scene.rows();
    let month = scene.lake.join(DNS);
    fs::set_permissions(&month, fs::Permissions::from_mode(0o2770)).unwrap();
    let outside = scene.lake.parent().unwrap().join("outside.parquet");
    fs::copy(&scene.files(DNS)[0], &outside).unwrap();
    symlink(&outside, month.join("linked.parquet")).unwrap();
    fs::write(month.join("notes.txt"), "mine").unwrap();
    fs::write(month.join(".hidden.parquet"), "hidden").unwrap();
    fs::create_dir(month.join("reports")).unwrap();
    fs::write(month.join("reports/x.parquet"), "deeper").unwrap();
    fs::write(month.join(std::ffi::OsStr::new("no \u{fffd} name")), "odd").unwrap();
    // A Parquet file of somebody else.
    let columns = Arc::new(Schema::new(vec![Field::new("ts", DataType::Int32, false)]));
    let numbers = RecordBatch::try_new(columns.clone(), vec![Arc::new(Int32Array::from(vec![1]))]).unwrap();
    let mut writer =
        ArrowWriter::try_new(File::create(month.join("theirs.parquet")).unwrap(), columns, None).unwrap();
    writer.write(&numbers).unwrap();
    writer.close().unwrap();
    let theirs = fs::read(month.join("theirs.parquet")).unwrap();
    // A table that lies elsewhere.
    let elsewhere = scene.lake.parent().unwrap().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, scene.lake.join("http")).unwrap();
    let report = scene.compact();
    assert_eq!((report.joined.len(), report.damaged.len(), report.failed.len()), (3, 0, 0));
    assert_eq!(fs::metadata(&month).unwrap().permissions().mode() & 0o7777, 0o2770);
    assert_eq!(fs::read(month.join("notes.txt")).unwrap(), b"mine");
    assert_eq!(fs::read(month.join(".hidden.parquet")).unwrap(), b"hidden");
    assert_eq!(fs::read(month.join("reports/x.parquet")).unwrap(), b"deeper");
    assert_eq!(fs::read(month.join("theirs.parquet")).unwrap(), theirs);
    assert_eq!(fs::read_link(month.join("linked.parquet")).unwrap(), outside);
    assert!(month.join("no \u{fffd} name").exists() && outside.exists());
    fs::remove_file(month.join("theirs.parquet")).unwrap();
    fs::remove_file(month.join("linked.parquet")).unwrap();
    fs::remove_file(scene.lake.join("http")).unwrap();
    assert_eq!(scene.rows(), before);
    assert_eq!(scene.files(DNS).len(), 5);
}

/// Writes a file of the table `dns` over another one: its rows as `change` makes them.
fn rewrite(path: &Path, change: impl Fn(&RecordBatch) -> RecordBatch) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let entries: Vec<KeyValue> = reader.metadata().file_metadata().key_value_metadata().unwrap().clone();
    let entries = entries.into_iter().filter(|entry| entry.key.starts_with("spanlake")).collect();
    let sorting = reader.metadata().row_group(0).sorting_columns().cloned();
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(|batch| change(&batch.unwrap())).collect();
    let properties = WriterProperties::builder()
        .set_key_value_metadata(Some(entries))
        .set_sorting_columns(sorting)
        .build();
    let mut writer =
        ArrowWriter::try_new(File::create(path).unwrap(), batches[0].schema(), Some(properties)).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.close().unwrap();
}

#[test]
fn files_of_an_older_version_get_the_columns_that_they_lack() {
    let scene = Scene::usual();
    let query = |rows: &Rows| {
        rows["dns"]
            .iter()
            .flatten()
            .filter(|value| value.as_deref().is_some_and(|value| value.starts_with("host")))
            .count()
    };
    assert_eq!(query(&scene.rows()), 300);
    rewrite(&scene.files(DNS)[1], |batch| {
        let kept: Vec<usize> =
            (0..batch.num_columns()).filter(|&at| batch.schema().field(at).name() != "query").collect();
        batch.project(&kept).unwrap()
    });
    scene.compact();
    let after = scene.rows();
    assert_eq!((query(&after), after["dns"].len()), (250, 300));
    assert_eq!(scene.files(DNS).len(), 1);
}

#[test]
fn files_of_a_newer_version_stay() {
    let scene = Scene::usual();
    let newer = scene.files(DNS)[1].clone();
    rewrite(&newer, |batch| {
        let mut fields = batch.schema().fields().to_vec();
        fields.push(Arc::new(Field::new("newer", DataType::Int32, true)));
        let mut columns = batch.columns().to_vec();
        columns.push(Arc::new(Int32Array::from(vec![7; batch.num_rows()])));
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
    });
    let before = fs::read(&newer).unwrap();
    let report = scene.compact();
    assert_eq!((report.newer, report.damaged.len()), (1, 0));
    assert_eq!(fs::read(&newer).unwrap(), before);
    assert_eq!(scene.files(DNS).len(), 2);
}

#[test]
fn rows_that_are_not_in_order_are_put_in_order() {
    let scene = Scene::usual();
    rewrite(&scene.files(DNS)[1], |batch| {
        let order = (0..batch.num_rows() as u64).rev();
        arrow_select::take::take_record_batch(batch, &arrow_array::UInt64Array::from_iter_values(order))
            .unwrap()
    });
    let before = scene.rows();
    let report = scene.compact();
    assert_eq!((report.joined.len(), report.failed.len()), (3, 0), "{report:?}");
    assert_eq!(scene.rows(), before);
    assert!(keys(&scene.files(DNS)[0]).is_sorted());
    scene.assert_tidy();
}

#[test]
fn two_compactions_are_kept_apart() {
    let scene = Scene::usual();
    let workshop = Workshop::take(&scene.lake).unwrap().unwrap();
    let error = run(&scene.compact, wall(), &no_journal).unwrap_err().to_string();
    assert!(error.starts_with("another run is joining files of the lake"), "{error}");
    drop(workshop);
    assert_eq!(scene.compact().joined.len(), 3);
}

const POINTS: [Point; 11] = [
    Point::Planned,
    Point::FolderMade,
    Point::Marked,
    Point::Written,
    Point::Named,
    Point::Linked,
    Point::Exchanged,
    Point::OneRemoved,
    Point::Emptied,
    Point::FolderRemoved,
    Point::MarkRemoved,
];

/// Ends the run in the middle when a point has been reached so many times.
fn crash(scene: &Scene, point: Point, times: u64) -> bool {
    let mut left = times;
    let act = move |at: Point| {
        if at == point {
            left -= 1;
            assert!(left > 0, "crash");
        }
    };
    // One file is not joined, and has to be there all the same.
    let run = AssertUnwindSafe(|| run(&scene.compact, wall(), &|_| Ok(BTreeSet::from([hash(3)]))));
    points::during(act, || catch_unwind(run)).is_err()
}

#[test]
fn a_crash_at_any_point_costs_no_row_and_doubles_none() {
    for point in POINTS {
        for times in [1, 2] {
            let scene = Scene::small();
            fs::write(scene.lake.join(DNS).join("notes.txt"), "mine").unwrap();
            let before = scene.rows();
            let crashed = crash(&scene, point, times);
            assert!(crashed || times > 1, "{point:?}");
            // No row twice, and none missing, for whoever reads now.
            assert_eq!(scene.rows(), before, "{point:?} {times}");
            // A sensor that starts sets it right.
            if times == 1 {
                output::exchange::recover(&scene.lake).unwrap();
                scene.assert_tidy();
                assert_eq!(scene.rows(), before, "{point:?} {times}");
            }
            scene.compact();
            assert_eq!(scene.rows(), before, "{point:?} {times}");
            assert_eq!(scene.files(DNS).len(), 2, "{point:?} {times}");
            scene.assert_tidy();
        }
    }
}

#[test]
fn a_crash_while_a_crash_is_set_right_is_set_right() {
    for first in [Point::Written, Point::Linked, Point::Exchanged, Point::Emptied] {
        for second in POINTS {
            let scene = Scene::small();
            let before = scene.rows();
            assert!(crash(&scene, first, 1));
            crash(&scene, second, 1);
            assert_eq!(scene.rows(), before, "{first:?} {second:?}");
            scene.compact();
            assert_eq!(scene.rows(), before, "{first:?} {second:?}");
            scene.assert_tidy();
        }
    }
}

#[test]
fn what_is_published_meanwhile_is_not_lost() {
    for point in POINTS {
        let scene = Scene::small();
        let mut expected = scene.rows();
        let late = Scene::new();
        late.publish("edge", 20, &samples(Kind::Dns, 20, 10, NOVEMBER));
        late.publish("edge", 21, &samples(Kind::Dns, 21, 10, NOVEMBER));
        late.publish("edge", 22, &samples(Kind::Dns, 22, 10, NOVEMBER));
        expected.get_mut("dns").unwrap().extend(late.rows()["dns"].clone());
        expected.get_mut("dns").unwrap().sort();
        // A writer that does not know of compaction: its first file is on its way before, it names it and writes others
        // at the point.
        let month = scene.lake.join(DNS);
        let files = late.files(DNS);
        let hidden =
            |file: &Path| month.join(format!(".{}.tmp", file.file_name().unwrap().to_str().unwrap()));
        fs::copy(&files[0], hidden(&files[0])).unwrap();
        let waits = Arc::new(AtomicBool::new(false));
        let (act_month, act_waits, act_files) = (month.clone(), waits.clone(), files.clone());
        let (first, third) = (hidden(&files[0]), hidden(&files[2]));
        let act = move |at: Point| {
            if at != point || act_waits.load(Ordering::Relaxed) {
                return;
            }
            // What fails now is tried again, as a writer does.
            let named = act_month.join(act_files[0].file_name().unwrap());
            let _ = fs::rename(&first, &named);
            act_waits.store(true, Ordering::Relaxed);
            fs::copy(&act_files[1], act_month.join(act_files[1].file_name().unwrap())).unwrap();
            fs::copy(&act_files[2], &third).unwrap();
        };
        points::during(act, || scene.compact());
        assert!(waits.load(Ordering::Relaxed));
        for file in [&files[0], &files[2]] {
            if hidden(file).exists() {
                fs::rename(hidden(file), month.join(file.file_name().unwrap())).unwrap();
            }
        }
        assert_eq!(scene.rows(), expected, "{point:?}");
        scene.assert_tidy();
    }
}

#[test]
fn files_that_are_replaced_or_removed_meanwhile_are_not_joined() {
    for remove in [false, true] {
        for point in [Point::Planned, Point::Marked, Point::Written] {
            let scene = Scene::small();
            let lake = scene.lake.clone();
            let path = scene.files(DNS)[2].clone();
            let act = move |at: Point| {
                // The plan of the partition that is being joined.
                let plan = || fs::read_to_string(lake.join(".compact/plan")).unwrap();
                if at == point && path.exists() && plan().contains("\"dns\"") {
                    if remove {
                        fs::remove_file(&path).unwrap();
                    } else {
                        // One row less.
                        publish(&lake, "edge", 2, &samples(Kind::Dns, 2, 9, NOVEMBER), IfExists::Replace)
                            .unwrap();
                    }
                }
            };
            let report = points::during(act, || scene.compact());
            assert_eq!(report.failed, []);
            assert!(report.busy >= 1, "{report:?}");
            let after = scene.rows()["dns"].len();
            assert_eq!(after, if remove { 30 } else { 39 }, "{point:?}");
            scene.assert_tidy();
            scene.compact();
            assert_eq!(scene.rows()["dns"].len(), after);
            assert_eq!(scene.files(DNS).len(), 1);
        }
    }
}

#[test]
fn a_file_that_a_crash_has_put_away_gets_its_name_all_the_same() {
    let scene = Scene::small();
    let before = scene.rows();
    let month = scene.lake.join(DNS);
    let (hidden, named) = (month.join(".late-0.parquet.tmp"), month.join("late-0.parquet"));
    fs::copy(&scene.files(DNS)[0], &hidden).unwrap();
    assert!(crash(&scene, Point::Exchanged, 1));
    assert!(!hidden.exists());
    output::exchange::beside(&scene.lake, || Ok(fs::rename(&hidden, &named)?)).unwrap();
    assert!(named.exists());
    fs::remove_file(&named).unwrap();
    assert_eq!(scene.rows(), before);
    scene.assert_tidy();
}

#[test]
fn a_replay_whose_files_are_joined_before_it_ends_replaces_nothing() {
    let scene = Scene::small();
    let before = scene.rows();
    let config = output::Config { input_hash: hash(2), ..config(&scene.lake) };
    let (rows, lake) = output::Lake::start(config, 1, 1).unwrap();
    scene.compact();
    let mut records = Records::default();
    samples(Kind::Dns, 2, 10, NOVEMBER).iter().for_each(|sample| output::samples::push(&mut records, sample));
    rows.send(output::Epoch { number: 0, contributor: 0, records }).unwrap();
    drop(rows);
    let error = lake.finish().unwrap_err().to_string();
    assert!(error.starts_with("rows of this input are in "), "{error}");
    assert_eq!(scene.rows(), before);
    scene.assert_tidy();
}

#[test]
fn a_replay_does_not_look_for_its_files_while_folders_are_exchanged() {
    let scene = Scene::small();
    scene.compact();
    let exchange = File::open(scene.lake.join(".compact/exchange")).unwrap();
    exchange.lock().unwrap();
    let lake = scene.lake.clone();
    let replay = thread::spawn(move || {
        publish(&lake, "edge", 9, &samples(Kind::Dns, 9, 10, NOVEMBER), IfExists::Refuse)
    });
    // As in an exchange: its rows come into the lake only now.
    thread::sleep(Duration::from_millis(300));
    assert!(!replay.is_finished());
    for path in scene.files(DNS) {
        fs::copy(&path, path.with_file_name(format!("edge-{}-00000.parquet", hash(9)))).unwrap();
    }
    exchange.unlock().unwrap();
    let error = format!("{:#}", replay.join().unwrap().unwrap_err());
    assert!(error.contains("already holds"), "{error}");
}

#[test]
fn the_new_folder_is_seen_by_nobody_before_it_is_in_its_place() {
    let scene = Scene::small();
    let (lake, seen) = (scene.lake.clone(), Arc::new(AtomicU64::new(0)));
    let count = seen.clone();
    let act = move |at: Point| {
        let workshop = lake.join(".compact");
        let is_closed = fs::metadata(&workshop).unwrap().permissions().mode() & 0o777 == 0o300;
        let exchange = File::open(workshop.join("exchange"));
        let is_locked = exchange.is_ok_and(|file| file.try_lock_shared().is_err());
        let is_moment = !matches!(at, Point::Planned | Point::FolderMade | Point::Marked | Point::Written);
        assert_eq!((is_closed, is_locked), (is_moment, is_moment), "{at:?}");
        if let Ok(names) = fs::read_dir(workshop.join("folder")) {
            let any = names
                .map(|entry| entry.unwrap().file_name())
                .any(|name| name.to_str().unwrap().ends_with(".parquet"));
            assert!(is_moment || !any, "{at:?}");
            count.fetch_add(u64::from(any), Ordering::Relaxed);
        }
    };
    points::during(act, || scene.compact());
    assert!(seen.load(Ordering::Relaxed) > 0);
    assert_eq!(fs::metadata(scene.lake.join(".compact")).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn rows_of_one_time_are_in_the_order_of_their_flows() {
    let scene = Scene::new();
    for number in 0..3 {
        let rows: Vec<Sample> =
            (0..50).map(|row| Sample { kind: Kind::Dns, ts: NOVEMBER, number: row * 3 + number }).collect();
        scene.publish("edge", number, &rows);
    }
    scene.compact();
    let keys = keys(&scene.files(DNS)[0]);
    assert_eq!(keys.len(), 150);
    assert!(keys.is_sorted());
}

#[test]
#[ignore = "needs root"]
fn files_that_root_joins_belong_to_whom_the_lake_belongs_to() {
    fn give(path: &Path) {
        std::os::unix::fs::chown(path, Some(12_345), Some(12_346)).unwrap();
        if path.is_dir() {
            fs::read_dir(path).unwrap().for_each(|entry| give(&entry.unwrap().path()));
        }
    }
    fn check(path: &Path) {
        let metadata = fs::metadata(path).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (12_345, 12_346), "{}", path.display());
        if path.is_dir() {
            fs::read_dir(path).unwrap().for_each(|entry| check(&entry.unwrap().path()));
        }
    }
    let scene = Scene::small();
    give(&scene.lake);
    let lake = scene.lake.clone();
    points::during(move |_| check(&lake), || scene.compact());
    check(&scene.lake);
}

#[test]
fn a_folder_that_somebody_else_has_changed_is_not_guessed_at() {
    let scene = Scene::small();
    assert!(crash(&scene, Point::Exchanged, 1));
    fs::remove_dir_all(scene.lake.join(DNS)).unwrap();
    let error = run(&scene.compact, wall(), &no_journal).unwrap_err();
    assert!(format!("{error:#}").contains(".compact/folder holds files of "), "{error:#}");
    assert_eq!(fs::read_dir(scene.lake.join(".compact/folder")).unwrap().count(), 4);
}

/// Rows in a lake, as a reader finds them that lists once and then reads; none where a file had gone by then.
fn read_once(lake: &Path) -> Option<Vec<String>> {
    let mut listed = Vec::new();
    for entry in fs::read_dir(lake.join(DNS)).ok()? {
        let path = entry.ok()?.path();
        if tree::is_data(path.file_name()?.to_str()?) {
            listed.push(path);
        }
    }
    let mut uids = Vec::new();
    for path in listed {
        let reader =
            ParquetRecordBatchReaderBuilder::try_new(File::open(path).ok()?).unwrap().build().unwrap();
        for batch in reader {
            let batch = batch.unwrap();
            let uid = batch.column_by_name("uid").unwrap().as_string::<i32>();
            uids.extend((0..batch.num_rows()).map(|row| uid.value(row).to_owned()));
        }
    }
    Some(uids)
}

#[test]
fn a_reader_never_finds_a_row_twice_while_a_sensor_writes_and_files_are_joined() {
    let scene = Scene::new();
    scene.publish("edge", 0, &samples(Kind::Dns, 0, 20, NOVEMBER));
    let published = AtomicU64::new(1);
    let done = AtomicBool::new(false);
    let (reads, misses) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1..80 {
                scene.publish("edge", number, &samples(Kind::Dns, number, 20, NOVEMBER));
                published.store(number + 1, Ordering::SeqCst);
            }
            done.store(true, Ordering::SeqCst);
        });
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                scene.compact();
            }
        });
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                let least = published.load(Ordering::SeqCst) * 20;
                let Some(mut uids) = read_once(&scene.lake) else {
                    misses.fetch_add(1, Ordering::Relaxed);
                    continue;
                };
                reads.fetch_add(1, Ordering::Relaxed);
                let all = uids.len();
                uids.sort();
                uids.dedup();
                assert_eq!(uids.len(), all, "a row was there twice");
                assert!(all as u64 >= least, "{all} of {least}");
            }
        });
    });
    assert!(reads.load(Ordering::Relaxed) > 10, "{reads:?} {misses:?}");
    scene.compact();
    assert_eq!(scene.rows()["dns"].len(), 80 * 20);
    assert_eq!(scene.files(DNS).len(), 1);
    scene.assert_tidy();
}

#[test]
fn every_table_can_be_joined() {
    use schemas::envelope::Envelope;
    let scene = Scene::new();
    for number in 0..3_u128 {
        let mut records = Records::default();
        let envelope = |row: i64| Envelope {
            ts: NOVEMBER + row * SECOND,
            uid: number << 32,
            packet: 1,
            ..Envelope::default()
        };
        for row in 0..5 {
            records.flows_open.push(envelope(row), |_| Default::default());
            records.http.push(envelope(row), |_| Default::default());
            records.tls.push(envelope(row), |_| Default::default());
            records.x509.push(envelope(row), |_| Default::default());
            records.kerberos.push(envelope(row), |_| Default::default());
            records.ftp.push(envelope(row), |_| Default::default());
            records.file.push(envelope(row), |_| Default::default());
            records.sensor_stats.push(envelope(row), |_| Default::default());
        }
        let config = output::Config { input_hash: hash(number as u64), ..config(&scene.lake) };
        let (rows, lake) = output::Lake::start(config, 1, 1).unwrap();
        rows.send(output::Epoch { number: 0, contributor: 0, records }).unwrap();
        drop(rows);
        lake.finish().unwrap();
    }
    let before = scene.rows();
    let report = scene.compact();
    assert_eq!((report.joined.len(), report.failed.len()), (8, 0), "{report:?}");
    assert_eq!(scene.rows(), before);
}

#[test]
fn months_are_those_of_the_folders() {
    let place = Place::named("dns", "year=2026", "month=11").unwrap();
    assert_eq!(place.month, Month { year: 2026, month: 11 });
    for (table, year, month) in [
        ("dns", "year=x", "month=1"),
        ("dns", "year=2026", "month=13"),
        (".x", "year=2026", "month=1"),
        ("a/b", "year=1", "month=1"),
    ] {
        assert_eq!(Place::named(table, year, month), None);
    }
}
