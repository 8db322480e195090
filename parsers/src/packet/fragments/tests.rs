//! Fragments: whatever comes, in whatever order.

use proptest::prelude::*;

use super::*;

/// A fragment's layer and its bytes.
fn fragment(id: u32, offset: u16, more: bool, bytes: &[u8]) -> (Layer, Vec<u8>) {
    let layer = Layer {
        ip_length: 20 + bytes.len() as u32,
        payload_offset: 20,
        payload_captured: bytes.len() as u32,
        payload_length: bytes.len() as u32,
        protocol: 17,
        fragment: Some(Fragment { id, offset, more }),
        ..Layer::EMPTY
    };
    (layer, [&[0; 20], bytes].concat())
}

/// Shows one fragment.
fn insert(table: &mut Fragments, id: u32, offset: u16, more: bool, bytes: &[u8]) -> Inserted {
    let (layer, frame) = fragment(id, offset, more, bytes);
    table.insert(&layer, &frame, 0, 1)
}

#[test]
fn fragments_in_any_order_make_the_datagram() {
    let payload: Vec<u8> = (0..20).collect();
    let parts = [(0, true, 0..8), (8, true, 8..16), (16, false, 16..20)];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut table = Fragments::default();
        let mut whole = None;
        for (at, part) in order.into_iter().enumerate() {
            let (offset, more, range) = parts[part].clone();
            let (layer, frame) = fragment(7, offset, more, &payload[range]);
            match table.insert(&layer, &frame, 100 + at as i64, 1 + at as u64).outcome {
                Outcome::Complete(datagram) => whole = Some(datagram),
                outcome => assert!(matches!(outcome, Outcome::Held)),
            }
        }
        let whole = whole.unwrap();
        assert_eq!(whole.bytes, payload);
        assert_eq!((whole.ip_length, whole.fragments, whole.ts, whole.packet), (40, 3, 100, 1));
        assert!(table.is_empty());
        assert_eq!(table.held(), 0);
    }
}

#[test]
fn datagrams_with_other_ids_protocols_or_networks_are_kept_apart() {
    let mut table = Fragments::default();
    insert(&mut table, 1, 0, true, &[1; 8]);
    assert!(matches!(insert(&mut table, 2, 8, false, &[2; 8]).outcome, Outcome::Held));
    let (layer, frame) = fragment(1, 8, false, &[3; 8]);
    let other = Layer { protocol: 6, ..layer };
    assert!(matches!(table.insert(&other, &frame, 0, 1).outcome, Outcome::Held));
    let other = Layer { context: 5, ..layer };
    assert!(matches!(table.insert(&other, &frame, 0, 1).outcome, Outcome::Held));
    assert!(matches!(table.insert(&layer, &frame, 0, 1).outcome, Outcome::Complete(_)));
}

#[test]
fn the_first_copy_of_overlapping_bytes_counts_and_a_conflict_is_told() {
    let mut table = Fragments::default();
    insert(&mut table, 1, 8, true, &[1; 8]);
    let inserted = insert(&mut table, 1, 0, true, &[2; 24]);
    assert!(inserted.overlap && inserted.conflict);
    let again = insert(&mut table, 1, 8, true, &[1; 8]);
    assert!(again.overlap && !again.conflict);
    let Outcome::Complete(datagram) = insert(&mut table, 1, 24, false, &[3; 4]).outcome else { panic!() };
    assert_eq!(datagram.bytes, [&[2; 8][..], &[1; 8], &[2; 8], &[3; 4]].concat());
}

#[test]
fn impossible_fragments_are_rejected() {
    let mut table = Fragments::default();
    for (offset, more, length) in [(0, true, 9), (0, true, 0), (65_528, false, 8), (65_528, true, 80)] {
        let inserted = insert(&mut table, 1, offset, more, &vec![0; length]);
        assert!(matches!(inserted.outcome, Outcome::Rejected(_)), "{offset} {more} {length}");
    }
    insert(&mut table, 1, 8, false, &[0; 8]);
    assert!(matches!(insert(&mut table, 1, 16, true, &[0; 8]).outcome, Outcome::Rejected(_)));
    assert!(matches!(insert(&mut table, 1, 8, false, &[0; 4]).outcome, Outcome::Rejected(_)));
    insert(&mut table, 2, 16, true, &[0; 8]);
    assert!(matches!(insert(&mut table, 2, 8, false, &[0; 4]).outcome, Outcome::Rejected(_)));
    assert_eq!(table.counters().rejected, 7);
}

#[test]
fn a_fragment_that_is_cut_is_not_taken() {
    let mut table = Fragments::default();
    let (layer, frame) = fragment(1, 0, true, &[0; 16]);
    let cut = Layer { payload_captured: 8, ..layer };
    assert!(matches!(table.insert(&cut, &frame, 0, 1).outcome, Outcome::Cut));
    assert!(table.is_empty());
}

#[test]
fn a_datagram_is_given_up_when_its_time_is_over() {
    let mut table = Fragments::default();
    insert(&mut table, 1, 0, true, &[0; 8]);
    table.expire(TIMEOUT);
    assert!(table.next_incomplete().is_none());
    table.expire(TIMEOUT + 1);
    let incomplete = table.next_incomplete().unwrap();
    assert!(!incomplete.shed);
    assert_eq!((incomplete.fragments, incomplete.packet), (1, 1));
    assert_eq!((table.len(), table.held()), (0, 0));
}

#[test]
fn times_are_those_of_packets_and_time_outs_those_of_the_clock() {
    let mut table = Fragments::default();
    let (first, frame) = fragment(1, 0, true, &[0; 8]);
    let (second, rest) = fragment(1, 8, false, &[0; 8]);
    let broken = -1_000 * TIMEOUT;
    assert!(matches!(table.insert_at(&first, &frame, broken, TIMEOUT, 1).outcome, Outcome::Held));
    let Outcome::Complete(datagram) = table.insert_at(&second, &rest, 7, 2 * TIMEOUT, 2).outcome else {
        panic!()
    };
    assert_eq!((datagram.ts, datagram.packet), (broken, 1));
}

#[test]
fn what_waits_is_given_up_when_the_clock_is_set_back() {
    let mut table = Fragments::default();
    let (first, frame) = fragment(1, 0, true, &[0; 8]);
    table.insert_at(&first, &frame, 9 * TIMEOUT, 9 * TIMEOUT, 1);
    table.expire(TIMEOUT);
    assert!(table.is_empty());
}

#[test]
fn a_flood_stays_within_every_limit_and_the_oldest_go() {
    let limits = Limits { bytes: 20_000, datagrams: 16, fragments: 8, timeout: TIMEOUT };
    let mut table = Fragments::new(limits);
    for id in 0..1_000 {
        for part in 0..20 {
            insert(&mut table, id, part * 16, true, &[0; 8]);
            assert!(table.held() <= limits.bytes && table.len() <= limits.datagrams);
        }
    }
    let first = table.next_incomplete().unwrap();
    assert!(first.shed);
    assert_eq!(first.layer.fragment.unwrap().id, 0);
    assert!(table.counters().shed > 900 && table.counters().rejected > 10_000);
    table.finish();
    assert_eq!((table.len(), table.held()), (0, 0));
}

proptest! {
    /// Random ranges against a model that has one cell for each byte.
    #[test]
    fn any_geometry_gives_the_first_copies(
        parts in prop::collection::vec((0_u16..24, 1_usize..10, any::<u8>()), 1..40),
        total in 1_usize..200,
    ) {
        let mut table = Fragments::default();
        let mut cells: Vec<Option<u8>> = vec![None; total];
        let mut has_last = false;
        let mut parts: Vec<_> = parts.into_iter().map(|(offset, eighths, value)| {
            let offset = offset * 8;
            (offset, (usize::from(offset) + eighths * 8).min(total), value)
        }).filter(|(offset, end, _)| usize::from(*offset) < *end).collect();
        // Fill what is left, so that the datagram is completed.
        parts.extend((0..total).step_by(8).map(|start| (start as u16, (start + 8).min(total), 0xee)));
        for (offset, end, value) in parts {
            let more = end != total;
            let bytes = vec![value; end - usize::from(offset)];
            let range = &mut cells[usize::from(offset)..end];
            let overlap = range.iter().any(Option::is_some);
            let conflict = range.iter().any(|cell| cell.is_some_and(|old| old != value));
            range.iter_mut().for_each(|cell| { cell.get_or_insert(value); });
            has_last |= !more;
            let inserted = insert(&mut table, 1, offset, more, &bytes);
            prop_assert_eq!((inserted.overlap, inserted.conflict), (overlap, conflict));
            let expected: Option<Vec<u8>> = cells.iter().copied().collect();
            match (inserted.outcome, expected) {
                (Outcome::Complete(datagram), Some(expected)) if has_last => {
                    prop_assert_eq!(datagram.bytes, expected);
                    prop_assert_eq!(table.held(), 0);
                    return Ok(());
                }
                (Outcome::Held, None) => {}
                (outcome, _) => prop_assert!(false, "{outcome:?}"),
            }
        }
        prop_assert!(false, "never complete");
    }
}
