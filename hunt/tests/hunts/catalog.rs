//! Which files a query reads: those of the months that it asks for, that are published and whole, even while they change.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use datafusion::arrow::array::{Array, RecordBatch, StringArray};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use hunt::engine::{Lake, MEMORY};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use tempfile::TempDir;

use super::captured::{complaints, copy_of, files, folder, hunt, number, opened, row};

fn open(lake: &TempDir) -> Lake {
    Lake::open(lake.path(), MEMORY).unwrap()
}

/// What is no Parquet at all.
fn damage(lake: &Path, table: &str, year: i32, month: u32) -> PathBuf {
    let folder = lake.join(table).join(format!("year={year}/month={month}"));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("damaged.parquet");
    fs::write(&path, b"PAR1 and no more PAR1").unwrap();
    path
}

#[test]
fn every_table_of_the_contract_is_there_without_files_too() {
    let empty = tempfile::tempdir().unwrap();
    let lake = open(&empty);
    for table in schemas::table::tables() {
        assert_eq!(number(&lake, &format!("SELECT count(*) FROM {}", table.name)), 0, "{}", table.name);
        let answer = lake.query(&format!("SELECT * FROM {}", table.name)).unwrap();
        assert_eq!(answer.schema.fields().len(), table.fields.len() + 2, "{}", table.name);
    }
    assert_eq!(
        number(
            &lake,
            "SELECT count(*) FROM dns d JOIN flows f ON d.uid = f.uid WHERE d.month = month(now())"
        ),
        0
    );
}

/// A file that is damaged is noticed where it is opened, and so shows which files are.
#[test]
fn files_of_other_months_are_not_opened() {
    let lake = copy_of("dns");
    damage(lake.path(), "dns", 2020, 2);
    let total = number(&opened(), "SELECT count(*) FROM dns");
    for condition in [
        "year = 2026",
        "year = 2026 AND month = 11",
        "month IN (11, 12)",
        "month > 2 + 1",
        "not (year = 2020)",
        "year(ts) > 2020 AND ts >= timestamp '2021-01-01 00:00:00'",
        "ts BETWEEN '2026-01-01' AND '2027-01-01'",
        "month = month(timestamp '2026-11-28 00:00:00')",
    ] {
        let lake = open(&lake);
        assert_eq!(
            number(&lake, &format!("SELECT count(*) FROM dns WHERE {condition}")),
            total,
            "{condition}"
        );
        assert!(lake.damaged().is_empty(), "{condition}");
    }
    // Two of the twelve months of a year are the damaged one's and the whole ones'.
    let now = open(&lake);
    let this_month = row(&now, "SELECT month(current_timestamp())")[0].as_i64().unwrap();
    let found = number(&now, "SELECT count(*) FROM dns WHERE month = month(current_timestamp())");
    assert_eq!(found, if this_month == 11 { total } else { 0 });
    assert_eq!(now.damaged().len(), usize::from(this_month == 2));
    let asked = open(&lake);
    assert_eq!(number(&asked, "SELECT count(*) FROM dns WHERE year <= 2026"), total);
    assert_eq!(asked.damaged().len(), 1);
}

#[test]
fn a_damaged_file_is_named_and_the_others_are_read() {
    let lake = copy_of("dns");
    let total = number(&open(&lake), "SELECT count(*) FROM dns");
    let damaged = damage(lake.path(), "dns", 2026, 11);
    let found = hunt(lake.path(), &["-q", "SELECT count(*) AS n FROM dns"]);
    assert_eq!(
        (found.status.code(), String::from_utf8_lossy(&found.stdout).trim()),
        (Some(3), format!("n\r\n{total}").as_str())
    );
    let said = complaints(&found);
    assert!(said.contains(damaged.to_str().unwrap()) && said.lines().count() == 1, "{said}");
    // Other tables have nothing to do with it.
    assert_eq!(hunt(lake.path(), &["-q", "SELECT count(*) FROM flows"]).status.code(), Some(0));
    fs::remove_file(&damaged).unwrap();

    // Its end is whole, what lies before it is not.
    let victim =
        files(lake.path(), "dns").into_iter().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let lost = rows_of(&victim).iter().map(RecordBatch::num_rows).sum::<usize>() as i64;
    let mut bytes = fs::read(&victim).unwrap();
    bytes[4..600].fill(0xff);
    fs::write(&victim, bytes).unwrap();
    let found = hunt(
        lake.path(),
        &[
            "-q",
            "SELECT count(uid) AS n, max(length(query)) AS m, min(hour(ts)) AS h FROM dns WHERE sensor <> 'x'",
        ],
    );
    let said = complaints(&found);
    assert_eq!(found.status.code(), Some(3), "{said}");
    assert!(said.contains(victim.to_str().unwrap()), "{said}");
    let text = String::from_utf8_lossy(&found.stdout).into_owned();
    assert_eq!(text.lines().nth(1).unwrap().split(',').next(), Some((total - lost).to_string().as_str()));
}

#[test]
fn what_is_not_published_is_not_read() {
    let lake = copy_of("dns");
    let total = number(&open(&lake), "SELECT count(*) FROM dns");
    let file = files(lake.path(), "dns").remove(0);
    for name in [".hidden.parquet", "_marked.parquet", ".x.parquet.tmp", "x.parquet.tmp", "notes.txt"] {
        fs::copy(&file, file.with_file_name(name)).unwrap();
    }
    // Not a table's folder of a month.
    fs::copy(&file, lake.path().join("dns/loose.parquet")).unwrap();
    fs::create_dir_all(lake.path().join("dns/year=x/month=y")).unwrap();
    fs::copy(&file, lake.path().join("dns/year=x/month=y/a.parquet")).unwrap();
    let lake = open(&lake);
    assert_eq!(number(&lake, "SELECT count(*) FROM dns"), total);
    assert!(lake.damaged().is_empty());
}

fn rows_of(path: &Path) -> Vec<RecordBatch> {
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().build().unwrap();
    reader.map(Result::unwrap).collect()
}

fn write(path: &Path, batch: &RecordBatch) {
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn columns_that_older_files_lack_are_null_and_newer_ones_are_left_out() {
    let lake = copy_of("dns");
    let total = number(&open(&lake), "SELECT count(*) FROM dns");
    let named = number(&open(&lake), "SELECT count(query) FROM dns");
    let file = files(lake.path(), "dns").remove(0);
    let whole = rows_of(&file);
    let whole = concat_batches(&whole[0].schema(), &whole).unwrap();
    let with_name = whole.column_by_name("query").unwrap();
    let names = (with_name.len() - with_name.null_count()) as i64;
    let schema = whole.schema();
    let kept: Vec<usize> = (0..schema.fields().len())
        .filter(|at| !["query", "tld"].contains(&schema.field(*at).name().as_str()))
        .collect();
    let older = whole.project(&kept).unwrap();
    let mut fields: Vec<Arc<Field>> = older.schema().fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new("from_the_future", DataType::Utf8, true)));
    let mut columns = older.columns().to_vec();
    columns.push(Arc::new(StringArray::from(vec!["x"; older.num_rows()])));
    write(&file, &RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap());
    let lake = open(&lake);
    assert_eq!(number(&lake, "SELECT count(*) FROM dns"), total);
    assert_eq!(number(&lake, "SELECT count(query) FROM dns"), named - names);
    assert!(number(&lake, "SELECT count(*) FROM dns WHERE query IS NULL") >= older.num_rows() as i64);
    assert!(lake.query("SELECT from_the_future FROM dns").is_err());
    assert!(lake.damaged().is_empty());

    // A column of another type cannot be told from rubbish.
    let odd = RecordBatch::try_new(
        Arc::new(Schema::new(vec![Field::new("uid", DataType::Int64, true)])),
        vec![Arc::new(datafusion::arrow::array::Int64Array::from(vec![1]))],
    );
    write(&file, &odd.unwrap());
    number(&lake, "SELECT count(uid) FROM dns");
    assert!(lake.damaged()[&file].contains("uid"), "{:?}", lake.damaged());
}

#[test]
fn a_folder_that_is_exchanged_under_a_query_loses_and_doubles_nothing() {
    let lake = copy_of("dns");
    let folder_of_month = files(lake.path(), "dns")[0].parent().unwrap().to_path_buf();
    let month = folder_of_month.strip_prefix(lake.path()).unwrap().to_path_buf();
    // The same rows in one file, as after compaction.
    let batches: Vec<RecordBatch> = files(lake.path(), "dns")
        .iter()
        .filter(|path| path.starts_with(&folder_of_month))
        .flat_map(|path| rows_of(path))
        .collect();
    let joined = tempfile::tempdir_in(lake.path()).unwrap();
    write(&joined.path().join("joined.parquet"), &concat_batches(&batches[0].schema(), &batches).unwrap());
    let total = number(&open(&lake), "SELECT count(*) FROM dns");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let month = lake.path().join(&month);
                renameat_with(CWD, joined.path(), CWD, &month, RenameFlags::EXCHANGE).unwrap();
                thread::sleep(std::time::Duration::from_millis(40));
            }
        });
        let opened = open(&lake);
        for _ in 0..30 {
            // Twice in a row is more than one retry mends; that is an error, and never a wrong answer.
            match opened
                .query("SELECT count(DISTINCT concat(uid, cast(id as string))) AS a, count(*) AS n FROM dns")
            {
                Ok(answer) => {
                    let counts = answer.batches[0]
                        .column(1)
                        .as_any()
                        .downcast_ref::<datafusion::arrow::array::Int64Array>()
                        .unwrap();
                    assert_eq!(counts.value(0), total);
                }
                Err(error) => assert!(error.to_string().contains("ask again"), "{error:#}"),
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(open(&lake).damaged().is_empty());
}

#[test]
fn what_is_looked_up_by_equality_is_found_by_bloom_filters() {
    let lake = opened();
    let analysed = lake.query("EXPLAIN ANALYZE SELECT ts FROM dns WHERE uid = 'CNoSuchFlowAtAll'").unwrap();
    let text = datafusion::arrow::util::pretty::pretty_format_batches(&analysed.batches).unwrap().to_string();
    let pruned = text.split("row_groups_pruned_bloom_filter=").nth(1).unwrap_or_else(|| panic!("{text}"));
    assert!(!pruned.starts_with("0 total") && pruned.contains("→ 0 matched"), "{pruned:.80}");
    assert_eq!(folder(), lake.root());
}
