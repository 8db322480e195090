//! Tests of the reassembly: each geometry, the limits, and random segments against an array of bytes.

use proptest::prelude::*;

use super::*;

const CLEAN: Situation =
    Situation { nothing_acknowledged: false, sent: 0, counts_gaps: true, midstream: false };

#[derive(Default)]
struct Out {
    bytes: Vec<Option<u8>>,
}

impl Out {
    fn take(&mut self, out: Delivered<'_>) {
        match out {
            Delivered::Data(bytes) => self.bytes.extend(bytes.iter().copied().map(Some)),
            Delivered::Gap(missing) => {
                self.bytes.extend(std::iter::repeat_n(None, usize::try_from(missing).unwrap()));
            }
        }
    }

    fn text(&self) -> String {
        self.bytes.iter().map(|byte| byte.map_or('.', char::from)).collect()
    }
}

/// Puts segments in, at positions counted from the first byte, and says what came out.
fn reassemble(segments: &[(u64, &str)], acknowledged: Option<u64>) -> (String, Report) {
    let mut reassembler = Reassembler::default();
    let mut budget = Budget::new(1 << 20);
    let mut out = Out::default();
    let mut total = Report::default();
    for (at, text) in segments {
        let length = u32::try_from(text.len()).unwrap();
        let report =
            reassembler.data(at + 1, length, text.as_bytes(), CLEAN, &mut budget, &mut |part| out.take(part));
        total.conflict |= report.conflict;
    }
    if let Some(position) = acknowledged {
        let report = reassembler.acknowledged(position + 1, CLEAN, &mut budget, &mut |part| out.take(part));
        total.gaps = report.gaps;
        total.missed = report.missed;
    }
    (out.text(), total)
}

#[test]
fn hands_on_what_is_in_order() {
    assert_eq!(reassemble(&[(0, "ab"), (2, "cd")], None).0, "abcd");
}

#[test]
fn waits_for_a_hole_to_be_filled() {
    assert_eq!(reassemble(&[(2, "cd")], None).0, "");
    assert_eq!(reassemble(&[(2, "cd"), (6, "gh"), (0, "ab"), (4, "ef")], None).0, "abcdefgh");
}

#[test]
fn delivers_each_byte_once() {
    assert_eq!(reassemble(&[(0, "abcd"), (2, "cdef"), (0, "ab")], None).0, "abcdef");
}

#[test]
fn first_copy_of_a_waiting_byte_wins_and_the_difference_is_told() {
    let (text, report) = reassemble(&[(2, "cd"), (0, "ABCDEF")], None);
    assert_eq!(text, "ABcdEF");
    assert!(report.conflict);
    assert!(!reassemble(&[(2, "cd"), (0, "abcdef")], None).1.conflict);
}

#[test]
fn a_second_copy_of_a_delivered_byte_that_differs_is_told_until_it_is_acknowledged() {
    let (text, report) = reassemble(&[(0, "abcd"), (2, "XYef")], None);
    assert_eq!(text, "abcdef");
    assert!(report.conflict);
    assert!(!reassemble(&[(0, "abcd"), (2, "cdef")], None).1.conflict);
    assert!(reassemble(&[(0, "ab"), (4, "ef"), (2, "cd"), (4, "eX")], None).1.conflict);

    let mut reassembler = Reassembler::default();
    let mut budget = Budget::new(1 << 20);
    let data = |reassembler: &mut Reassembler, position, bytes: &[u8], budget: &mut Budget| {
        reassembler.data(position, bytes.len() as u32, bytes, CLEAN, budget, &mut |_| ()).conflict
    };
    assert!(!data(&mut reassembler, 1, b"abcd", &mut budget));
    reassembler.acknowledged(3, CLEAN, &mut budget, &mut |_| ());
    assert_eq!(budget.used(), 2);
    assert!(!data(&mut reassembler, 1, b"XYcd", &mut budget));
    assert!(data(&mut reassembler, 3, b"cX", &mut budget));
    reassembler.discard(&mut budget);
    assert_eq!(budget.used(), 0);
}

#[test]
fn fills_holes_between_pieces() {
    assert_eq!(reassemble(&[(2, "c"), (5, "f"), (1, "bcdefg"), (0, "a")], None).0, "abcdefg");
}

#[test]
fn acknowledged_holes_are_gaps() {
    let (text, report) = reassemble(&[(0, "ab"), (4, "ef"), (8, "ij")], Some(10));
    assert_eq!(text, "ab..ef..ij");
    assert_eq!((report.gaps, report.missed), (2, 4));
}

#[test]
fn an_acknowledgement_into_a_piece_delivers_the_whole_piece() {
    let (text, report) = reassemble(&[(2, "cdef")], Some(4));
    assert_eq!(text, "..cdef");
    assert_eq!(report.missed, 2);
}

#[test]
fn shows_what_the_capture_left_of_a_segment_and_counts_it_as_lost() {
    let mut reassembler = Reassembler::default();
    let mut budget = Budget::new(1 << 20);
    let mut out = Out::default();
    reassembler.data(1, 6, b"abc", CLEAN, &mut budget, &mut |part| out.take(part));
    assert_eq!(out.text(), "abc");
    let report = reassembler.acknowledged(7, CLEAN, &mut budget, &mut |part| out.take(part));
    assert_eq!(out.text(), "abc...");
    assert_eq!(report.missed, 6);
}

#[test]
fn gives_up_waiting_where_nothing_is_ever_acknowledged() {
    let blind = Situation { nothing_acknowledged: true, ..CLEAN };
    let mut reassembler = Reassembler::default();
    let mut budget = Budget::new(1 << 20);
    let mut delivered = 0;
    let block = [0_u8; 8_192];
    for at in [101_u64, 8_293, 16_485, 24_677] {
        reassembler.data(at, 8_192, &block, blind, &mut budget, &mut |part| {
            if let Delivered::Data(bytes) = part {
                delivered += bytes.len();
            }
        });
    }
    assert!(reassembler.gave_up());
    assert_eq!(delivered, 4 * 8_192);
    assert_eq!(budget.used(), 0);
}

#[test]
fn an_acknowledgement_after_giving_up_tells_of_what_it_jumps_over() {
    let blind = Situation { nothing_acknowledged: true, ..CLEAN };
    let mut reassembler = Reassembler::default();
    let mut budget = Budget::new(1 << 20);
    let mut out = Out::default();
    reassembler.data(3, 20_000, &[b'c'; 20_000], blind, &mut budget, &mut |part| out.take(part));
    assert!(reassembler.gave_up());
    let report = reassembler.acknowledged(20_006, CLEAN, &mut budget, &mut |part| out.take(part));
    assert_eq!(report, Report::default());
    reassembler.data(20_006, 2, b"de", CLEAN, &mut budget, &mut |part| out.take(part));
    assert_eq!(out.text(), format!("..{}...de", "c".repeat(20_000)));
}

#[test]
fn without_memory_the_bytes_are_lost_and_the_accounting_goes_on() {
    let mut reassembler = Reassembler::default();
    let mut budget = Budget::new(PIECE_OVERHEAD);
    let mut out = Out::default();
    let report = reassembler.data(3, 100, &[b'c'; 100], CLEAN, &mut budget, &mut |part| out.take(part));
    assert!(report.shed);
    reassembler.data(1, 2, b"ab", CLEAN, &mut budget, &mut |part| out.take(part));
    assert_eq!(out.bytes.len(), 102);
    assert!(out.text().ends_with('.'));
    assert_eq!(budget.used(), 0);
}

#[test]
fn leaving_the_content_mode_frees_the_bytes() {
    let mut reassembler = Reassembler::default();
    let mut budget = Budget::new(1 << 20);
    reassembler.data(3, 2, b"cd", CLEAN, &mut budget, &mut |_| {});
    reassembler.set_content(false, &mut budget);
    assert_eq!(budget.used(), PIECE_OVERHEAD);
    let report = reassembler.acknowledged(5, CLEAN, &mut budget, &mut |_| panic!("nothing is delivered"));
    assert_eq!(report.missed, 2);
    assert_eq!(budget.used(), 0);
}

#[test]
fn a_flood_of_scattered_bytes_is_bounded() {
    let mut reassembler = Reassembler::default();
    let mut budget = Budget::new(1 << 30);
    for piece in 0..20_000_u64 {
        reassembler.data(10 + piece * 3, 1, b"x", CLEAN, &mut budget, &mut |_| {});
    }
    assert!(budget.used() <= MAX_PIECES * (PIECE_OVERHEAD + 1));
}

proptest! {
    #[test]
    fn agrees_with_an_array_of_bytes(
        segments in proptest::collection::vec((0_usize..60, 1_usize..20, any::<u8>()), 1..40),
        far in any::<bool>(),
    ) {
        let base = if far { (1_u64 << 32) - 30 } else { 1 };
        let mut reassembler = Reassembler { delivered: base, trimmed: base, ..Reassembler::default() };
        let mut budget = Budget::new(1 << 20);
        let mut model: Vec<Option<u8>> = vec![None; 100];
        let mut out = Out::default();
        for (at, length, value) in segments {
            let bytes: Vec<u8> = (0..length).map(|index| value.wrapping_add(index as u8)).collect();
            for (index, byte) in bytes.iter().enumerate() {
                if let Some(place) = model.get_mut(at + index) {
                    place.get_or_insert(*byte);
                }
            }
            reassembler.data(base + at as u64, length as u32, &bytes, CLEAN, &mut budget, &mut |part| out.take(part));
            let ready = model.iter().take_while(|byte| byte.is_some()).count();
            prop_assert_eq!(out.bytes.len(), ready);
        }
        let end = model.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        let holes = model.iter().take(end).filter(|byte| byte.is_none()).count();
        let report = reassembler.acknowledged(base + end as u64, CLEAN, &mut budget, &mut |part| out.take(part));
        model.truncate(end);
        prop_assert_eq!(&out.bytes, &model);
        prop_assert_eq!(report.missed, holes as u64);
        prop_assert_eq!(budget.used(), 0);
    }
}
