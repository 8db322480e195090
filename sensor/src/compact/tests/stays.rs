//! What is not joined, and stays as it is.

use super::*;

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
