//! `kill -9` at random moments under load, fifty times into one lake.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::load::Load;
use super::net::Wire;
use super::process::{Recorder, Sensor, replay};
use super::rows::{Row, assert_whole, comparable, rows};
use super::servers::{NAMED, NGINX, Named, Nginx};
use super::turn;

const ROUNDS: u32 = 50;

/// The longest that a sensor lives, in milliseconds.
const LONGEST: u64 = 3200;

/// What a kill may cost: rows are journalled once a second, and half a second is for what waits in rings, batches and
/// the disk of a busy machine.
const LOST: Duration = Duration::from_millis(1500);

/// An exchange takes no longer than this, else it is not asked for.
const EXCHANGE: Duration = Duration::from_millis(200);

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// Times of rows are text; this orders as they do.
fn time(row: &Row) -> String {
    row["ts"].clone()
}

#[test]
#[ignore = "needs root"]
fn fifty_kills_under_load_cost_a_second_each_and_nothing_is_there_twice() {
    let Some(_turn) = turn(&[NAMED, NGINX].concat()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let [live, replayed] = ["live", "replayed"].map(|name| folder.path().join(name));
    let wire = Wire::mirrored();
    let _servers = (Named::start(&wire, folder.path()), Nginx::start(&wire, folder.path()));
    let seed =
        std::env::var("SPANLAKE_TEST_SEED").map_or(now().as_nanos() as u64, |seed| seed.parse().unwrap());
    eprintln!("SPANLAKE_TEST_SEED={seed}");
    let mut random = seed;
    let mut lives = Vec::new();
    let recorder = Recorder::start(&wire, "mon0", &folder.path().join("recorded.pcap"));
    let load = Load::start(&wire, "kill", Duration::from_millis(4));
    for round in 0..ROUNDS {
        let workers = if round % 2 == 0 { "1" } else { "2" };
        let options = ["--workers", workers, "--rotate-every", "5s"];
        let sensor = Sensor::start(&wire, "mon0", &live, &options);
        let opened = now();
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        thread::sleep(Duration::from_millis((random >> 33) % LONGEST));
        let killed = now();
        sensor.kill();
        lives.push((opened, killed));
    }
    // What is in the journal becomes Parquet.
    Sensor::start(&wire, "mon0", &live, &["--workers", "2"]).stop();
    let done = load.stop();
    let recorded = recorder.stop();
    replay(&recorded, &replayed, &["--max-flows", "4194304"]);
    let files = assert_whole(&live);

    let mut expected = 0;
    for (table, name, done) in [("dns", "query", &done.dns), ("http", "request.uri", &done.http)] {
        // A port that is used again makes one flow in a replay, and two where the sensor began anew in between.
        let [live, all] = [&live, &replayed].map(|lake| {
            let mut rows = comparable(lake, table);
            // A sensor that begins between a request and its response has a row of the response alone.
            rows.retain(|row| row.contains_key(name));
            rows.iter_mut().for_each(|row| drop(row.remove("uid")));
            rows
        });
        // The relay, and a recorder on a busy machine, may lose a packet; nobody behind them sees that.
        assert!(all.len() * 1000 >= done.len() * 990, "the recording has {} of {}", all.len(), done.len());
        let mut seen: BTreeMap<&str, &Row> = BTreeMap::new();
        for row in &live {
            if let Some(first) = seen.insert(&row[name], row) {
                panic!("{table} has a row twice: {first:#?} {row:#?}");
            }
        }
        let mut missing = Vec::new();
        for row in &all {
            let ts = seconds(&time(row));
            let due = |(opened, killed): &(Duration, Duration)| {
                *opened + EXCHANGE < ts && ts + EXCHANGE + LOST < *killed
            };
            if lives.iter().any(due) {
                expected += 1;
                if seen.get(row[name].as_str()) != Some(&row) {
                    missing.push(row);
                }
            }
        }
        assert!(missing.is_empty(), "{table} lacks {}: {missing:#?}", missing.len());
        eprintln!("{table}: {} exchanges, {} rows live, {expected} asked for so far", all.len(), live.len());
    }
    let flows = rows(&live, "flows");
    let uids: BTreeSet<&String> = flows.iter().map(|row| &row["uid"]).collect();
    assert_eq!(uids.len(), flows.len(), "flows are there twice");
    assert!(expected > 500, "only {expected} rows were asked for");
    assert!(!flows.is_empty() && files > 3);
}

/// `2026-11-28T05:22:07.123456Z` since 1970.
fn seconds(text: &str) -> Duration {
    let number = |range: std::ops::Range<usize>| text[range].parse::<u64>().unwrap();
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    // Years begin in March, so that the day that some have more is their last.
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719_468;
    let seconds = days * 86_400 + number(11..13) * 3600 + number(14..16) * 60 + number(17..19);
    Duration::new(seconds, number(20..26) as u32 * 1000)
}
