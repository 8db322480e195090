//! What is made keeps its promises: the same bytes for the same seed, the shares of its mix, right checksums.

#![expect(clippy::unwrap_used, reason = "a test that cannot make traffic has failed")]

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::LazyLock;

use parsers::packet::checksum::{self, Checksum};
use parsers::packet::{Decoded, decode};
use sensor::capture;
use traffic::generator::{Generator, Order};
use traffic::library::Library;
use traffic::mix::{Kind, MIXES, Mix};
use traffic::pcap::START;
use traffic::report::Report;

static LIBRARY: LazyLock<Library> =
    LazyLock::new(|| Library::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pcaps")).unwrap());

fn order(mix: &str, bytes: u64) -> Order {
    Order {
        mix: Mix::named(mix).unwrap(),
        bytes,
        seed: 1,
        rate: 1_000_000_000,
        flows: 0,
        start: START,
        nanoseconds: false,
    }
}

fn made(order: Order) -> (Vec<u8>, Report) {
    let mut bytes = Vec::new();
    let report = Generator::new(&LIBRARY, order).write(&mut bytes).unwrap();
    (bytes, report)
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_gives_others() {
    for mix in MIXES {
        let order = Order { bytes: 3_000_000, ..order(mix.name, 0) };
        let (first, _) = made(order);
        assert!(first == made(order).0, "{}", mix.name);
        assert!(first != made(Order { seed: 2, ..order }).0, "{}", mix.name);
        assert!((2_990_000..=3_000_000).contains(&first.len()), "{}: {} bytes", mix.name, first.len());
    }
}

#[test]
fn bytes_do_not_depend_on_the_machine() {
    // FNV-1a, as it was when this was written: it changes with what is made, and then is to be written anew.
    let (bytes, _) = made(order("campus", 5_000_000));
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    assert_eq!(format!("{hash:016x}"), HASH);
}

const HASH: &str = "fb56b6c719fe20f0";

#[test]
fn campus_has_its_shares() {
    let (_, report) = made(order("campus", 150_000_000));
    let bytes = report.total(|lane| lane.bytes);
    for (kind, parts) in order("campus", 0).mix.shares {
        let lane = report.lanes.iter().find(|lane| lane.kind == *kind).unwrap();
        let share = lane.bytes * 1_000 / bytes;
        let tolerance = 10 + parts / 8;
        assert!(share.abs_diff(*parts) <= tolerance, "{}: {share} of a thousand, not {parts}", kind.name());
    }
    let flows = report.total(|lane| lane.flows);
    let scans = report.lanes.iter().find(|lane| lane.kind == Kind::Scan).unwrap().flows;
    assert!((300..370).contains(&(scans * 1_000 / flows)), "{scans} of {flows} flows are scans");
    let packet = bytes / report.total(|lane| lane.packets);
    assert!((550..800).contains(&packet), "{packet} bytes a packet");
    assert!(report.most_active > 1_000, "{} sessions at once", report.most_active);
}

#[test]
fn packets_meet_with_mishaps_as_often_as_they_should() {
    let (_, report) = made(order("campus", 150_000_000));
    let counts = &report.impairments;
    for (count, of, expected) in [
        (counts.retransmitted, counts.segments, 3_000),
        (counts.reordered, counts.data, 5_000),
        (counts.lost, counts.data, 1_000),
    ] {
        let parts = count * 1_000_000 / of;
        assert!(parts.abs_diff(expected) < expected / 4, "{parts} of a million, not {expected}");
    }
}

#[test]
fn every_packet_is_whole_in_order_and_has_right_checksums() {
    for mix in MIXES {
        let (bytes, report) = made(order(mix.name, 8_000_000));
        let (frames, damage) = capture::read_all(io::Cursor::new(bytes)).unwrap();
        assert!(damage.is_empty(), "{}: {damage:?}", mix.name);
        assert_eq!(frames.len() as u64, report.total(|lane| lane.packets));
        assert!(frames.is_sorted_by_key(|(frame, _)| frame.ts), "{}", mix.name);
        let mut decoded = Decoded::default();
        for (frame, bytes) in &frames {
            decode(frame.link, bytes, frame.wire, &mut decoded);
            let layer = decoded.innermost().unwrap();
            assert_eq!(decoded.problem, None, "{}: packet {}", mix.name, frame.number);
            assert!(layer.is_complete() && bytes.len() <= 1_514);
            assert!(layer.ipv6 || checksum::ip(bytes, layer) == Checksum::Good, "packet {}", frame.number);
            assert_eq!(
                checksum::transport(bytes, layer),
                Checksum::Good,
                "{}: packet {}",
                mix.name,
                frame.number
            );
        }
    }
}

#[test]
fn it_begins_when_it_is_asked_to() {
    let (at_first, _) = made(order("dns", 1_000_000));
    let (later, _) = made(Order { start: START + 86_400, ..order("dns", 1_000_000) });
    let read = |bytes: Vec<u8>| capture::read_all(io::Cursor::new(bytes)).unwrap().0;
    let (at_first, later) = (read(at_first), read(later));
    assert_eq!(at_first[0].0.ts / 1_000_000_000, i64::try_from(START).unwrap());
    let day = 86_400_000_000_000;
    for ((first, bytes), (later, others)) in at_first.iter().zip(&later) {
        assert!(first.ts + day == later.ts && bytes == others, "only the day differs");
    }
}

#[test]
fn times_can_be_in_nanoseconds() {
    let (bytes, _) = made(Order { nanoseconds: true, ..order("dns", 1_000_000) });
    let (frames, _) = capture::read_all(io::Cursor::new(bytes)).unwrap();
    assert!(frames.iter().any(|(frame, _)| frame.ts % 1_000 != 0));
}

#[test]
fn names_of_dns_are_many() {
    let (bytes, _) = made(order("dns", 2_000_000));
    let (frames, _) = capture::read_all(io::Cursor::new(bytes)).unwrap();
    let mut decoded = Decoded::default();
    let mut questions = BTreeSet::new();
    let mut messages = 0;
    for (frame, bytes) in &frames {
        decode(frame.link, bytes, frame.wire, &mut decoded);
        let payload = decoded.innermost().unwrap().payload(bytes);
        if payload[2] & 0x80 == 0 {
            messages += 1;
            questions.insert(payload[12..].to_vec());
        }
    }
    assert!(questions.len() * 3 > messages * 2, "{} names in {messages} questions", questions.len());
}
