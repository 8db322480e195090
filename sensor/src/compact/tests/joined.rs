//! What is joined, and what joined files are like.

use super::*;

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
