//! Crashes, and what others do meanwhile.

use super::*;

#[test]
fn two_compactions_are_kept_apart() {
    let scene = Scene::usual();
    let workshop = Workshop::take(&scene.lake).unwrap().unwrap();
    let error = run(&scene.compact, wall(), &no_journal).unwrap_err().to_string();
    assert!(error.starts_with("another run is joining files of the lake"), "{error}");
    drop(workshop);
    assert_eq!(scene.compact().joined.len(), 3);
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
