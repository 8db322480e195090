//! What is written can be read: every table, through the reader of the `parquet` crate.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail that way")]

mod common;

use std::fmt::Write;

use arrow_array::cast::AsArray;
use arrow_array::temporal_conversions::timestamp_us_to_datetime;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch, StructArray};
use arrow_schema::DataType;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::properties::ReaderProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::serialized_reader::ReadOptionsBuilder;
use proptest::prelude::*;
use schemas::batch::Records;
use schemas::pending::Merger;
use schemas::row_group::{RowGroup, TableFile};

use common::{Random, Shape, batch_of_all, names};

/// A file of one row group.
fn write(group: &RowGroup) -> Bytes {
    let mut file = TableFile::new(group.table, Vec::new(), "here", "1.2.3").unwrap();
    let columns = group.encode(0..group.columns(), &names()).unwrap();
    file.append(group, columns).unwrap();
    file.finish().unwrap().into()
}

/// All rows of a file as lines of JSON, nulls left out.
fn read(file: &Bytes) -> String {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file.clone(), options).unwrap();
    let mut out = String::new();
    for batch in reader.build().unwrap() {
        lines(&batch.unwrap(), &mut out);
    }
    out
}

fn lines(batch: &RecordBatch, out: &mut String) {
    let rows = StructArray::from(batch.clone());
    for row in 0..rows.len() {
        value(&rows, row, out);
        out.push('\n');
    }
}

fn value(array: &dyn Array, row: usize, out: &mut String) {
    match array.data_type() {
        DataType::Boolean => write!(out, "{}", array.as_boolean().value(row)).unwrap(),
        DataType::Int32 => write!(out, "{}", array.as_primitive::<Int32Type>().value(row)).unwrap(),
        DataType::Int64 => write!(out, "{}", array.as_primitive::<Int64Type>().value(row)).unwrap(),
        DataType::Float64 => write!(out, "{:?}", array.as_primitive::<Float64Type>().value(row)).unwrap(),
        DataType::Utf8 => string(array.as_string::<i32>().value(row), out),
        DataType::Timestamp(..) => {
            let ts = array.as_primitive::<TimestampMicrosecondType>().value(row);
            let time = timestamp_us_to_datetime(ts).unwrap();
            string(&time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(), out);
        }
        DataType::List(_) => {
            let entries = array.as_list::<i32>().value(row);
            out.push('[');
            for entry in 0..entries.len() {
                if entry > 0 {
                    out.push(',');
                }
                value(&entries, entry, out);
            }
            out.push(']');
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            out.push('{');
            for entry in 0..entries.len() {
                out.push_str(if entry > 0 { "," } else { "" });
                value(entries.column(0), entry, out);
                out.push(':');
                value(entries.column(1), entry, out);
            }
            out.push('}');
        }
        DataType::Struct(fields) => {
            let mut separator = "";
            out.push('{');
            for (field, column) in fields.iter().zip(array.as_struct().columns()) {
                if column.is_valid(row) {
                    out.push_str(separator);
                    separator = ",";
                    string(field.name(), out);
                    out.push(':');
                    value(column, row, out);
                }
            }
            out.push('}');
        }
        other => panic!("no type of the lake: {other}"),
    }
}

fn string(text: &str, out: &mut String) {
    write!(out, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")).unwrap();
}

fn assert_same_lines(read: &str, written: &str) {
    for (at, (read, written)) in read.lines().zip(written.lines()).enumerate() {
        assert_eq!(read, written, "row {at}");
    }
    assert_eq!(read.lines().count(), written.lines().count());
}

fn groups(records: Records) -> Vec<RowGroup> {
    let mut merger = Merger::default();
    let mut groups = merger.add([records]);
    groups.extend(merger.finish());
    groups
}

fn metadata(file: &Bytes) -> ParquetMetaData {
    let options = ReadOptionsBuilder::new().with_page_index().build();
    SerializedFileReader::new_with_options(file.clone(), options).unwrap().metadata().clone()
}

const NOVEMBER: i64 = 1_793_000_000_000_000_000;

const DAY: u64 = 86_400_000_000_000;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn every_table_comes_back_as_it_was(
        seed: u64,
        rows in prop_oneof![1..20usize, 900..1100usize],
        unknown in prop_oneof![Just(0u64), Just(100), 0..100u64],
        texts in prop_oneof![Just(1u64), Just(10), Just(1 << 31)],
    ) {
        let shape = Shape { unknown, texts, start: NOVEMBER, spread: DAY };
        for group in groups(batch_of_all(&mut Random(seed), shape, rows)) {
            let mut written = String::new();
            group.json(&names(), &mut written);
            assert_same_lines(&read(&write(&group)), &written);
        }
    }
}

#[test]
fn rows_of_many_pages_come_back_and_columns_do_not_depend_on_how_they_are_shared_out() {
    for (unknown, texts) in [(0, 50), (30, 1 << 31), (5, 3000)] {
        let shape = Shape { unknown, texts, start: NOVEMBER, spread: DAY };
        for group in groups(batch_of_all(&mut Random(texts), shape, 45_000)) {
            let whole = write(&group);
            let mut written = String::new();
            group.json(&names(), &mut written);
            assert_same_lines(&read(&whole), &written);
            let mut file = TableFile::new(group.table, Vec::new(), "here", "1.2.3").unwrap();
            let columns = (0..group.columns())
                .flat_map(|column| group.encode_column(column, &names()).unwrap())
                .collect();
            file.append(&group, columns).unwrap();
            assert!(whole == file.finish().unwrap());
        }
    }
}

/// Least and greatest bytes of a page.
fn page_bounds(index: &ColumnIndexMetaData, page: usize) -> Option<(Vec<u8>, Vec<u8>)> {
    macro_rules! numbers {
        ($index:expr) => {{
            let (least, greatest) = ($index.min_value(page)?, $index.max_value(page)?);
            (least.to_le_bytes().to_vec(), greatest.to_le_bytes().to_vec())
        }};
    }
    Some(match index {
        ColumnIndexMetaData::BOOLEAN(index) => {
            (vec![u8::from(*index.min_value(page)?)], vec![u8::from(*index.max_value(page)?)])
        }
        ColumnIndexMetaData::INT32(index) => numbers!(index),
        ColumnIndexMetaData::INT64(index) => numbers!(index),
        ColumnIndexMetaData::DOUBLE(index) => numbers!(index),
        ColumnIndexMetaData::BYTE_ARRAY(index) => {
            (index.min_value(page)?.to_vec(), index.max_value(page)?.to_vec())
        }
        _ => return None,
    })
}

/// What the `parquet` crate's own writer says about the same rows.
fn rewritten(file: &Bytes) -> Bytes {
    use parquet::arrow::ArrowWriter;
    use parquet::file::properties::WriterProperties;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file.clone()).unwrap();
    let schema = reader.schema().clone();
    // Bounds before they are cut, so that ours can be held against the truth.
    let properties = WriterProperties::builder()
        .set_statistics_truncate_length(None)
        .set_column_index_truncate_length(None)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties)).unwrap();
    for batch in reader.with_batch_size(1 << 20).build().unwrap() {
        writer.write(&batch.unwrap()).unwrap();
    }
    writer.into_inner().unwrap().into()
}

#[test]
fn statistics_hold_what_is_there() {
    for unknown in [0, 40, 100] {
        let shape = Shape { unknown, texts: 1 << 31, start: NOVEMBER, spread: DAY };
        for group in groups(batch_of_all(&mut Random(unknown), shape, 3000)) {
            let file = write(&group);
            let (ours, theirs) = (metadata(&file), metadata(&rewritten(&file)));
            for (at, (ours, theirs)) in
                ours.row_group(0).columns().iter().zip(theirs.row_group(0).columns()).enumerate()
            {
                let column = ours.column_path().string();
                assert_eq!(ours.num_values(), theirs.num_values(), "{column}");
                let (ours, theirs) = (ours.statistics().unwrap(), theirs.statistics().unwrap());
                assert_eq!(ours.null_count_opt(), theirs.null_count_opt(), "{column}");
                if column == "cpu_seconds" {
                    // Not-a-number values cannot be compared: no bounds then.
                    continue;
                }
                if let (Some(least), Some(greatest)) = (ours.min_bytes_opt(), ours.max_bytes_opt()) {
                    assert_eq!(
                        ours.min_is_exact(),
                        ours.min_bytes_opt() == theirs.min_bytes_opt(),
                        "{column}"
                    );
                    assert_eq!(
                        ours.max_is_exact(),
                        ours.max_bytes_opt() == theirs.max_bytes_opt(),
                        "{column}"
                    );
                    assert!(ours.min_is_exact() || least < theirs.min_bytes_opt().unwrap(), "{column}");
                    assert!(ours.max_is_exact() || greatest > theirs.max_bytes_opt().unwrap(), "{column}");
                    assert!(
                        std::str::from_utf8(least).is_ok()
                            || ours.physical_type() != parquet::basic::Type::BYTE_ARRAY
                    );
                } else {
                    assert_eq!(theirs.min_bytes_opt(), None, "{column}");
                }
                // One page: its bounds are the chunk's.
                let index = &metadata(&file).column_index().unwrap()[0][at].clone();
                assert_eq!(index.num_pages(), 1, "{column}");
                assert_eq!(index.null_count(0).map(|nulls| nulls as u64), ours.null_count_opt(), "{column}");
                let chunk =
                    ours.min_bytes_opt().map(<[u8]>::to_vec).zip(ours.max_bytes_opt().map(<[u8]>::to_vec));
                assert_eq!(page_bounds(index, 0), chunk, "{column}");
            }
        }
    }
}

#[test]
fn pages_can_be_found_by_time() {
    let shape = Shape { unknown: 10, texts: 10, start: NOVEMBER, spread: DAY };
    for group in groups(batch_of_all(&mut Random(1), shape, 50_000)) {
        let file = write(&group);
        let metadata = metadata(&file);
        let index = &metadata.column_index().unwrap()[0][0];
        assert_eq!(index.num_pages(), 3);
        assert_eq!(index.get_boundary_order(), Some(parquet::basic::BoundaryOrder::ASCENDING));
        let pages = metadata.offset_index().unwrap()[0][0].page_locations();
        assert_eq!(pages.iter().map(|page| page.first_row_index).collect::<Vec<_>>(), [0, 20_000, 40_000]);
        let sorting = metadata.row_group(0).sorting_columns().unwrap();
        assert_eq!((sorting[0].column_idx, sorting[0].descending), (0, false));
        let selection = parquet::arrow::arrow_reader::RowSelection::from(vec![
            parquet::arrow::arrow_reader::RowSelector::skip(25_000),
            parquet::arrow::arrow_reader::RowSelector::select(10),
            parquet::arrow::arrow_reader::RowSelector::skip(24_990),
        ]);
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
        let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file.clone(), options).unwrap();
        let mut out = String::new();
        for batch in reader.with_row_selection(selection).build().unwrap() {
            lines(&batch.unwrap(), &mut out);
        }
        let mut written = String::new();
        group.json(&names(), &mut written);
        let ten: String =
            written.lines().skip(25_000).take(10).fold(String::new(), |all, line| all + line + "\n");
        assert_same_lines(&out, &ten);
    }
}

#[test]
fn bloom_filters_know_what_is_there_and_little_else() {
    let shape = Shape { unknown: 10, texts: 1 << 31, start: NOVEMBER, spread: DAY };
    for group in groups(batch_of_all(&mut Random(1), shape, 8000)) {
        let file = write(&group);
        let properties = ReaderProperties::builder().set_read_bloom_filter(true).build();
        let options = ReadOptionsBuilder::new().with_reader_properties(properties).build();
        let reader = SerializedFileReader::new_with_options(file.clone(), options).unwrap();
        let row_group = reader.get_row_group(0).unwrap();
        let filtered: Vec<String> = (0..group.columns())
            .filter(|&column| row_group.get_column_bloom_filter(column).is_some())
            .map(|column| row_group.metadata().column(column).column_path().string())
            .collect();
        let expected: &[&str] = match group.table.name {
            "sensor_stats" => &[],
            "dns" => &["uid", "community_id", "src_ip.address", "dst_ip.address", "query"],
            "http" => &["uid", "community_id", "src_ip.address", "dst_ip.address", "request.host"],
            "ftp" => &[
                "uid",
                "community_id",
                "src_ip.address",
                "dst_ip.address",
                "data_channel.dst_ip",
                "data_uid",
            ],
            "file" => &[
                "uid",
                "community_id",
                "src_ip.address",
                "dst_ip.address",
                "file_id",
                "hash.md5",
                "hash.sha256",
            ],
            _ => &["uid", "community_id", "src_ip.address", "dst_ip.address"],
        };
        assert_eq!(filtered, expected);
        let Some(filter) = row_group.get_column_bloom_filter(1).filter(|_| expected.len() > 1) else {
            continue;
        };
        let mut written = String::new();
        group.json(&names(), &mut written);
        for line in written.lines() {
            let Some((_, uid)) = line.split_once("\"uid\":\"") else { continue };
            assert!(filter.check(&uid[..19]));
        }
        let wrong = (0..10_000).filter(|number| filter.check(format!("C{number:018}").as_str())).count();
        assert!(wrong < 1000, "{wrong} of 10000");
    }
}

#[test]
fn files_say_what_they_are() {
    let shape = Shape { unknown: 10, texts: 10, start: NOVEMBER, spread: 1_000_000 };
    for group in groups(batch_of_all(&mut Random(1), shape, 10)) {
        let file = write(&group);
        let metadata = metadata(&file);
        let entries = metadata.file_metadata().key_value_metadata().unwrap();
        let entry = |key: &str| {
            entries.iter().find(|entry| entry.key == key).and_then(|entry| entry.value.clone()).unwrap()
        };
        assert_eq!(entry("spanlake.table"), group.table.name);
        assert_eq!(entry("spanlake.schema_version"), group.table.version.to_string());
        assert_eq!(entry("spanlake.sensor"), "here");
        assert_eq!(entry("spanlake.sensor_version"), "1.2.3");
        assert_eq!(entry("spanlake.ts_min"), group.ts.0.to_string());
        assert_eq!(entry("spanlake.ts_max"), group.ts.1.to_string());
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        for (field, declared) in reader.schema().fields().iter().zip(&group.table.fields) {
            assert_eq!(field.name(), declared.name);
            assert_eq!(field.metadata()["doc"], declared.doc);
        }
    }
}

#[test]
fn small_row_groups_have_no_bloom_filter() {
    let shape = Shape { unknown: 0, texts: 10, start: NOVEMBER, spread: DAY };
    for group in groups(batch_of_all(&mut Random(1), shape, 100)) {
        let metadata = metadata(&write(&group));
        assert!(metadata.row_group(0).columns().iter().all(|column| column.bloom_filter_offset().is_none()));
    }
}

#[test]
fn signals_come_back_as_they_were_and_what_is_unknown_is_null() {
    use schemas::batch::Batch;
    use schemas::envelope::Envelope;
    use schemas::pending::Pending;
    use schemas::signal::{Endpoint, Signal};
    use schemas::table::SIGNAL;

    let mut batch = Batch::default();
    let mut client = [0; 16];
    client[12..].copy_from_slice(&[10, 1, 1, 7]);
    batch.push(Envelope { ts: NOVEMBER, ..Envelope::default() }, |arena| {
        let uids = ["C1", "C2"].map(|uid| arena.plain(uid));
        Signal {
            signal_id: arena.plain("00ff"),
            rule: arena.plain("dns-tunnels"),
            severity: arena.plain("high"),
            src: Some(Endpoint { address: client, ipv6: false, is_local: true }),
            key: arena.text_with(|out| out.extend_from_slice(r"query=\x1b".as_bytes())),
            window_start: NOVEMBER - 5,
            window_end: NOVEMBER + 5_000,
            occurrences: 2,
            uids: arena.texts(&uids),
            ..Signal::default()
        }
    });
    // Of another month.
    batch.push(Envelope { ts: NOVEMBER + 40 * DAY as i64, ..Envelope::default() }, |arena| Signal {
        signal_id: arena.plain("1"),
        rule: arena.plain("r"),
        severity: arena.plain("low"),
        key: arena.plain(""),
        ..Signal::default()
    });
    let mut pending = Pending::new(&SIGNAL);
    let mut groups = pending.add([batch]);
    groups.extend(pending.finish());
    assert_eq!(groups.len(), 2);
    for group in &groups {
        let mut written = String::new();
        group.json(&names(), &mut written);
        assert_same_lines(&read(&write(group)), &written);
    }
    let first = read(&write(&groups[0]));
    for part in [
        r#""rule":"dns-tunnels","severity":"high","src_ip":{"address":"10.1.1.7","is_local":true},"key":"query=\\x1b""#,
        r#""occurrences":2,"uids":["C1","C2"]}"#,
    ] {
        assert!(first.contains(part), "{first}");
    }
}
