//! What must hold of merging and cutting: it follows the epochs and nothing else.

use proptest::prelude::*;

use super::*;
use crate::column::Names;
use crate::envelope::Envelope;

const DAY: i64 = 86_400_000_000_000;

/// A row that is told apart by its `occurrences`.
fn push(batch: &mut Batch<Anomaly>, ts: i64, uid: u128, packet: u64, number: i64) {
    let envelope = Envelope { ts, uid, packet, ..Envelope::default() };
    batch.push(envelope, |arena| Anomaly {
        detail: arena.plain(&format!("detail {number}")),
        occurrences: number,
        ..Anomaly::default()
    });
}

fn pending(rows: usize, bytes: usize, table_bytes: usize, months: usize) -> Pending<Anomaly> {
    Pending { limits: Limits { rows, bytes, table_bytes, months }, ..Pending::new(&ANOMALY) }
}

/// What the groups are and hold, as text.
fn shown(groups: &[RowGroup]) -> Vec<String> {
    groups
        .iter()
        .map(|group| {
            let mut out = format!("{:?} {}\n", group, group.held);
            group.json(&Names::default(), &mut out);
            out
        })
        .collect()
}

/// A row of a flow: time, flow, packet.
type Made = (i64, u8, u8);

fn made(days: i64) -> impl Strategy<Value = Made> {
    // Few values, so that all kinds of ties occur.
    (0..days, 0..4i64, 0..6u8, 0..3u8)
        .prop_map(|(day, step, flow, packet)| (day * DAY + step * 400, flow, packet))
}

/// The rows of `epochs` over so many workers; a flow lives on one, and each emits in order.
fn spread(epochs: &[Vec<Made>], workers: usize, pieces: usize, limits: [usize; 4]) -> Vec<String> {
    let [rows, bytes, table_bytes, months] = limits;
    let mut pending = pending(rows, bytes, table_bytes, months);
    let mut out = Vec::new();
    let mut number = 0;
    for epoch in epochs {
        let mut batches: Vec<Vec<Batch<Anomaly>>> = (0..workers).map(|_| vec![Batch::default()]).collect();
        for &(ts, flow, packet) in epoch {
            number += 1;
            let batches = &mut batches[usize::from(flow) % workers];
            if batches.last().unwrap().rows.len() >= pieces {
                batches.push(Batch::default());
            }
            // A uid whose bits beyond the identifier differ is the same uid.
            let uid = (u128::from(flow) + 1) | (u128::from(packet) << 120);
            push(batches.last_mut().unwrap(), ts, uid, packet.into(), number);
        }
        out.extend(shown(&pending.add(batches.into_iter().flatten())));
    }
    assert_eq!(pending.rows(), pending.months.iter().map(|waiting| waiting.places.len()).sum::<usize>());
    out.extend(shown(&pending.finish()));
    assert_eq!((pending.rows(), pending.held()), (0, 0));
    out
}

proptest! {
    #[test]
    fn row_groups_do_not_depend_on_how_rows_were_spread(
        epochs in prop::collection::vec(prop::collection::vec(made(70), 0..40), 0..12),
        workers in 2..5usize,
        pieces in 1..50usize,
        rows in 1..30usize,
        bytes in prop_oneof![Just(usize::MAX), 300..20_000usize],
        table_bytes in prop_oneof![Just(usize::MAX), 300..20_000usize],
        months in 1..4usize,
    ) {
        let limits = [rows, bytes, table_bytes, months];
        prop_assert_eq!(spread(&epochs, workers, pieces, limits), spread(&epochs, 1, usize::MAX, limits));
    }

    #[test]
    fn every_row_comes_out_once_in_order_and_in_its_month(
        epochs in prop::collection::vec(prop::collection::vec(made(70), 0..40), 0..12),
        rows in 1..30usize,
    ) {
        let groups = spread(&epochs, 3, 7, [rows, usize::MAX, usize::MAX, 4]);
        let mut seen = Vec::new();
        for group in &groups {
            let (head, lines) = group.split_once('\n').unwrap();
            let field = |line: &str, name: &str| {
                let (_, rest) = line.split_once(&format!("\"{name}\":")).unwrap();
                rest.split([',', '}']).next().unwrap().to_owned()
            };
            prop_assert!(lines.lines().count() <= rows);
            prop_assert!(lines.lines().is_sorted_by_key(|line| (field(line, "ts"), field(line, "uid"))));
            for line in lines.lines() {
                let month = field(line, "ts")[6..8].parse::<u8>().unwrap();
                prop_assert!(head.contains(&format!("month: {month} ")), "{head} {line}");
                prop_assert_eq!(field(line, "detail"), format!("\"detail {}\"", field(line, "occurrences")));
                seen.push(field(line, "occurrences").parse::<usize>().unwrap());
            }
        }
        seen.sort_unstable();
        prop_assert_eq!(seen, (1..=epochs.iter().map(Vec::len).sum()).collect::<Vec<_>>());
    }
}

#[test]
fn equal_rows_stay_in_the_order_of_their_emission() {
    let mut pending = pending(100, usize::MAX, usize::MAX, 1);
    for epoch in 0..3 {
        let mut batch = Batch::default();
        for row in 0..3 {
            push(&mut batch, 1999, 1, 1, epoch * 3 + row);
            push(&mut batch, 1000, 1, 1, 100 + epoch * 3 + row);
        }
        assert!(pending.add([batch]).is_empty());
    }
    let mut out = String::new();
    pending.finish()[0].json(&Names::default(), &mut out);
    let order: Vec<i64> = out
        .lines()
        .map(|line| line.rsplit_once(':').unwrap().1.trim_end_matches('}').parse().unwrap())
        .collect();
    // 1,000 and 1,999 ns are the same microsecond.
    assert_eq!(order, [0, 100, 1, 101, 2, 102, 3, 103, 4, 104, 5, 105, 6, 106, 7, 107, 8, 108]);
}

#[test]
fn jumping_time_stamps_do_not_fill_the_memory() {
    let mut pending = pending(1000, usize::MAX, usize::MAX, 3);
    let mut groups = 0;
    for epoch in 0..50 {
        let mut batch = Batch::default();
        for row in 0..20 {
            push(&mut batch, (epoch * 7 + row * 31) * 40 * DAY, 1, 1, row);
        }
        groups += pending.add([batch]).len();
        assert!(pending.months.len() <= 3);
    }
    assert!(groups > 100);
}

#[test]
fn what_is_cut_lets_go_of_its_batches() {
    let mut pending = pending(10, usize::MAX, usize::MAX, 3);
    let mut batch = Batch::default();
    for row in 0..15 {
        push(&mut batch, row, 1, 1, row);
    }
    assert_eq!(pending.add([batch]).len(), 1);
    let mut batch = Batch::default();
    for row in 0..10 {
        push(&mut batch, row, 1, 1, row);
    }
    assert_eq!(pending.add([batch]).len(), 1);
    assert_eq!((pending.rows(), pending.months[0].batches.len()), (5, 1));
}

#[test]
fn many_times_are_sorted_like_few() {
    for range in [1, 1000, 1 << 30, 1 << 43, i64::MAX as u64] {
        let mut random = 1u64;
        let mut keys: Vec<(i64, Place)> = (0..10_000)
            .map(|row| {
                random =
                    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                ((random >> 1) as i64 % range as i64 - 500, Place { batch: 0, row })
            })
            .collect();
        let mut expected = keys.clone();
        expected.sort_by_key(|key| key.0);
        sort_by_time(&mut keys);
        assert_eq!(keys, expected);
    }
}
