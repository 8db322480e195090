//! Captures in blocks, and those of snoop.

use super::*;

#[test]
fn reads_pcapng_sections_of_both_byte_orders_with_interfaces_of_their_own() {
    let mut file = Vec::new();
    section(&mut file, false);
    interface(&mut file, false, 1, 0, &[]);
    interface(&mut file, false, 113, 0, &[(9, &[9])]);
    enhanced(&mut file, false, 0, 1_000_001, b"micro");
    enhanced(&mut file, false, 1, 1_000_000_001, b"nano");
    section(&mut file, true);
    interface(&mut file, true, 101, 0, &[(9, &[0x8a]), (14, &5_i64.to_be_bytes())]);
    enhanced(&mut file, true, 0, 1536, b"binary");
    let (frames, damage) = all(&file);
    assert_eq!(damage, []);
    assert_eq!(texts(&frames), ["micro", "nano", "binary"]);
    let seen: Vec<_> = frames.iter().map(|(frame, _)| (frame.ts, frame.number, frame.link)).collect();
    assert_eq!(
        seen,
        [
            (1_000_001_000, 1, LinkType::ETHERNET),
            (1_000_000_001, 2, LinkType::LINUX_SLL),
            // 1.5 s and an offset of 5 s.
            (6_500_000_000, 3, LinkType::RAW),
        ]
    );
}

#[test]
fn reads_simple_and_obsolete_packet_blocks() {
    let mut file = Vec::new();
    section(&mut file, true);
    interface(&mut file, true, 1, 4, &[]);
    // Before any packet with a time there is none to lend; the snap length of 4 cuts the packet of 9 bytes.
    block(&mut file, true, 3, &[&9_u32.to_be_bytes()[..], b"simple"].concat());
    let mut obsolete = [0, 0, 0, 0].to_vec();
    obsolete.extend([0_u32, 2_000_000, 3, 70].iter().flat_map(|n| n.to_be_bytes()));
    obsolete.extend(b"old");
    block(&mut file, true, 2, &obsolete);
    block(&mut file, true, 3, &[&2_u32.to_be_bytes()[..], b"ab"].concat());
    let (frames, damage) = all(&file);
    assert_eq!(damage, []);
    assert_eq!(texts(&frames), ["simp", "old", "ab"]);
    let seen: Vec<_> = frames.iter().map(|(frame, _)| (frame.ts, frame.wire)).collect();
    assert_eq!(seen, [(0, 9), (2_000_000_000, 70), (2_000_000_000, 2)]);
}

#[test]
fn counts_time_in_every_resolution_and_clamps_what_cannot_be() {
    let cases: [(u8, i64, u64, i64, bool); 12] = [
        (0, 0, 7, 7_000_000_000, true),
        (3, 0, 7, 7_000_000, true),
        (6, 0, 7, 7_000, true),
        (9, 0, 7, 7, true),
        (12, 0, 7_999, 7, true),
        (28, 0, u64::MAX, 1, true),
        (29, 0, u64::MAX, 0, true),
        (127, 0, u64::MAX, 0, true),
        (0xff, 0, u64::MAX, 0, true),
        (0x80, 0, u64::MAX, i64::MAX, false),
        (6, -8, 7_000_000, 0, false),
        (6, i64::MAX, 0, i64::MAX, false),
    ];
    for (resolution, offset, ticks, expected, possible) in cases {
        let mut file = Vec::new();
        section(&mut file, false);
        interface(&mut file, false, 1, 0, &[(9, &[resolution]), (14, &offset.to_le_bytes())]);
        enhanced(&mut file, false, 0, ticks, b"x");
        let (frames, damage) = all(&file);
        assert_eq!(frames[0].0.ts, expected, "{resolution:#x} {offset} {ticks}");
        assert_eq!(damage.is_empty(), possible, "{resolution:#x} {offset} {ticks}");
    }
}

#[test]
fn passes_over_blocks_that_hold_no_packets_however_large() {
    let mut file = Vec::new();
    section(&mut file, false);
    interface(&mut file, false, 1, 0, &[]);
    block(&mut file, false, 10, &[7; 100_000]);
    enhanced(&mut file, false, 0, 1, b"one");
    block(&mut file, false, 0xbad, &[7; 1_000_000]);
    block(&mut file, false, 5, &[7; 40]);
    enhanced(&mut file, false, 0, 2, b"two");
    let (frames, damage) = all(&file);
    assert_eq!(damage, []);
    assert_eq!(texts(&frames), ["one", "two"]);
    block(&mut file, false, 10, &[7; 100_000]);
    let cut_in_skip = &file[..file.len() - 50_000];
    assert_eq!(all(cut_in_skip).1[0].kind, DamageKind::CutShort("block"));
    assert_eq!(texts(&all(cut_in_skip).0), ["one", "two"]);
}

#[test]
fn passes_over_packets_it_cannot_take_and_counts_them() {
    let mut file = Vec::new();
    section(&mut file, false);
    interface(&mut file, false, 1, 0, &[]);
    enhanced(&mut file, false, 1, 0, b"of an unknown interface");
    let mut long = [0_u32, 0, 0, 400, 400].iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<_>>();
    long.extend(b"short");
    block(&mut file, false, 6, &long);
    block(&mut file, false, 6, &[0; 8]);
    enhanced(&mut file, false, 0, 0, b"good");
    let (frames, damage) = all(&file);
    assert_eq!(texts(&frames), ["good"]);
    let seen: Vec<_> = damage.iter().map(|damage| (damage.kind.clone(), damage.stopped())).collect();
    assert_eq!(
        seen,
        [
            (DamageKind::SkippedPacket("a packet of an interface that was not described"), false),
            (DamageKind::SkippedPacket("a packet longer than its block"), false),
            (DamageKind::SkippedPacket("a packet block too short for its fields"), false),
        ]
    );
}

#[test]
fn stops_at_a_block_whose_framing_is_broken() {
    let mut good = Vec::new();
    section(&mut good, false);
    interface(&mut good, false, 1, 0, &[]);
    enhanced(&mut good, false, 0, 0, b"good");
    let block_with = |first: u32, last: u32| {
        let mut file = good.clone();
        file.extend([6, first].iter().flat_map(|n| n.to_le_bytes()));
        file.extend([0; 24]);
        file.extend(last.to_le_bytes());
        enhanced(&mut file, false, 0, 0, b"behind");
        file
    };
    for (first, last, what) in [
        (36, 40, "a block whose lengths at start and end differ"),
        (8, 36, "a block of an impossible length"),
        (37, 37, "a block of an impossible length"),
    ] {
        let (frames, damage) = all(&block_with(first, last));
        assert_eq!(texts(&frames), ["good"]);
        assert_eq!(damage[0].kind, DamageKind::Malformed(what));
    }
    let (frames, damage) = all(&block_with(0x7fff_fffc, 36));
    assert_eq!(texts(&frames), ["good"]);
    assert!(matches!(damage[0].kind, DamageKind::AbsurdLength { .. }));
    let mut no_order = good.clone();
    block(&mut no_order, false, 0x0a0d_0d0a, &[0; 16]);
    assert_eq!(
        all(&no_order).1[0].kind,
        DamageKind::Malformed("a section header without its byte-order magic")
    );
}

#[test]
fn survives_interface_options_that_lie_about_their_length() {
    let mut file = Vec::new();
    section(&mut file, false);
    block(&mut file, false, 1, &[1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0xff, 0xff, 9, 0, 0, 0]);
    enhanced(&mut file, false, 0, 5, b"good");
    let (frames, damage) = all(&file);
    assert_eq!((texts(&frames), damage), (vec!["good".to_owned()], vec![]));
    assert_eq!(frames[0].0.ts, 5_000);
}

#[test]
fn reads_snoop() {
    let (frames, damage) = all(&snoop(4));
    assert_eq!(damage, []);
    assert_eq!(texts(&frames), ["abc", "defgh"]);
    let (frame, _) = frames[1];
    assert_eq!((frame.ts, frame.wire, frame.link), (11_000_022_000, 99, LinkType::ETHERNET));
    let (frames, damage) = all(&snoop(77));
    assert_eq!(frames.len(), 2);
    assert_eq!(damage[0].kind, DamageKind::SnoopLink(77));
    // The padding of the last packet is missing.
    let whole = snoop(4);
    let (frames, damage) = all(&whole[..whole.len() - 3]);
    assert_eq!((texts(&frames), damage), (vec!["abc".to_owned(), "defgh".to_owned()], vec![]));
}
