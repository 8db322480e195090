//! Whole journals: rows in, files of the lake out, whatever happens in between.

use std::path::Path;
use std::time::Duration;

use schemas::batch::Records;
use schemas::envelope::Envelope;
use schemas::flows::Flow;

use super::*;
use crate::output::read;

const DAY: i64 = 86_400_000_000_000;
/// 2026-11-24.
const NOVEMBER: i64 = 20_781 * DAY;
const SOON: Duration = Duration::from_secs(60);

/// Rows of flows whose `src_bytes` are these numbers.
fn flows(numbers: std::ops::Range<i64>, ts: i64) -> Records {
    let mut records = Records::default();
    for number in numbers {
        let uid = u128::from(number.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 32 | 7;
        let envelope = Envelope { ts: ts + number, uid, has_endpoints: true, ..Envelope::default() };
        records.flows.push(envelope, |arena| Flow {
            bytes: [number, 0],
            service: arena.plain("dns"),
            ..Flow::default()
        });
    }
    records
}

/// The numbers of all rows in the lake, sorted.
fn numbers(lake: &Path) -> Vec<i64> {
    let columns = ["src_bytes".to_owned()];
    let table = read::newest(lake, "flows", usize::MAX, Some(&columns), None).unwrap();
    let mut numbers: Vec<i64> =
        table.rows.iter().map(|row| row[0].as_deref().unwrap().parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

fn config(lake: &Path) -> Config {
    let names = Names { sensor: "edge".into(), sources: vec!["eth0".into()] };
    Config { sync_every: Duration::from_millis(5), ..Config::new(lake.to_path_buf(), names) }
}

#[test]
fn what_comes_is_published_at_the_end() {
    let lake = tempfile::tempdir().unwrap();
    let (rows, keeper) = Keeper::start(config(lake.path())).unwrap();
    for start in (0..1000).step_by(100) {
        rows.send(flows(start..start + 100, NOVEMBER)).unwrap();
    }
    drop(rows);
    let summary = keeper.finish(SOON).unwrap();
    assert_eq!((summary.journalled[0], summary.published[0], summary.files), (1000, 1000, 1));
    assert_eq!((summary.lost, summary.segments), (0, 0));
    assert_eq!(numbers(lake.path()), (0..1000).collect::<Vec<_>>());
    assert!(unpublished(lake.path()).unwrap().is_empty());
}
