//! Rows that were packed are the same rows, and other bytes are an error.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail that way")]

mod common;

use proptest::prelude::*;
use schemas::batch::{Records, TABLE_NAMES};
use schemas::packed::{self, Piece};
use schemas::pending::Merger;

use common::{Random, Shape, batch_of_all, envelope, kerberos, names, tls, x509};

fn shape() -> impl Strategy<Value = Shape> {
    (0..=100_u64, 1..2000_u64, any::<i32>(), 1..u64::MAX >> 20).prop_map(|(unknown, texts, start, spread)| {
        Shape { unknown, texts, start: i64::from(start) << 30, spread }
    })
}

/// Rows of every table.
fn batch(random: &mut Random, shape: Shape, rows: usize) -> Records {
    let mut all = batch_of_all(random, shape, rows);
    for _ in 0..rows {
        let row = envelope(random, shape);
        all.tls.push(row, |arena| tls(random, shape, arena));
        let row = envelope(random, shape);
        all.x509.push(row, |arena| x509(random, shape, arena));
        let row = envelope(random, shape);
        all.kerberos.push(row, |arena| kerberos(random, shape, arena));
    }
    all
}

fn pack(rows: &Records, most: usize, reserve: usize) -> Vec<Piece> {
    let mut pieces = Vec::new();
    rows.pack(most, reserve, |piece| pieces.push(piece));
    pieces
}

/// What the rows are in the lake: their Parquet.
fn encoded(rows: Records) -> Vec<u8> {
    let mut merger = Merger::default();
    let mut groups = merger.add([rows]);
    groups.extend(merger.finish());
    let mut bytes = Vec::new();
    for group in groups {
        let mut file = schemas::row_group::TableFile::new(group.table, Vec::new(), "here", "1.2.3").unwrap();
        file.append(&group, group.encode(0..group.columns(), &names()).unwrap()).unwrap();
        bytes.extend(file.finish().unwrap());
    }
    bytes
}

proptest! {
    #[test]
    fn rows_are_the_same_in_the_lake(
        seed in any::<u64>(),
        shape in shape(),
        count in 0..40_usize,
        most in 1..20_000_usize,
        reserve in 0..40_usize,
    ) {
        let rows = batch(&mut Random(seed), shape, count);
        let pieces = pack(&rows, most, reserve);
        let mut again = Records::default();
        for piece in &pieces {
            let counts = again.unpack(&piece.bytes[reserve..]).unwrap();
            prop_assert_eq!(counts, piece.rows);
            prop_assert!(counts.iter().sum::<u64>() > 0);
        }
        prop_assert_eq!(again.counts(), rows.counts());
        prop_assert_eq!(again.newest(), rows.newest());
        prop_assert!(encoded(again) == encoded(rows));
    }

    #[test]
    fn damaged_bytes_are_an_error_or_other_rows(
        seed in any::<u64>(),
        shape in shape(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut random = Random(seed);
        let mut bytes = pack(&batch(&mut random, shape, 4), usize::MAX, 0).remove(0).bytes;
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        let mut rows = batch(&mut random, shape, 2);
        let before = rows.counts();
        match rows.unpack(&bytes) {
            Ok(counts) => {
                let sums = before.iter().zip(counts).map(|(before, count)| before + count).collect::<Vec<_>>();
                prop_assert_eq!(rows.counts().to_vec(), sums);
                // Nothing of them reaches outside of the batch.
                encoded(rows);
            }
            Err(_) => {
                prop_assert_eq!(rows.counts(), before);
                let mut random = Random(seed);
                batch(&mut random, shape, 4);
                let unchanged = batch(&mut random, shape, 2);
                prop_assert_eq!(rows.held(), unchanged.held());
                prop_assert!(encoded(rows) == encoded(unchanged));
            }
        }
    }

    #[test]
    fn any_bytes_are_an_error_or_rows(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut rows = Records::default();
        let result = rows.unpack(&bytes);
        prop_assert_eq!(rows.counts(), result.unwrap_or_default());
    }
}

#[test]
fn pieces_are_cut_behind_a_row() {
    let rows = batch(&mut Random(1), Shape { unknown: 10, texts: 50, start: 0, spread: 1000 }, 50);
    let largest = pack(&rows, 1, 0).iter().map(|piece| piece.bytes.len()).max().unwrap();
    let pieces = pack(&rows, 4096, 0);
    assert!(pieces.len() > 3);
    assert!(pieces.iter().all(|piece| piece.bytes.len() < 4096 + largest));
    assert!(pieces[..pieces.len() - 1].iter().all(|piece| piece.bytes.len() >= 4096));
    assert!(pack(&Records::default(), 1, 0).is_empty());
}

#[test]
fn bytes_cost_no_more_memory_than_a_multiple_of_them() {
    // A row of each table with nothing in it takes the least bytes for its memory.
    let mut rows = Records::default();
    rows.http.push(Default::default(), |_| Default::default());
    let one = pack(&rows, usize::MAX, 0).remove(0).bytes;
    let of_http = TABLE_NAMES.iter().position(|&name| name == "http").unwrap() as u8;
    let mut many = vec![of_http];
    many.extend(10_000_u32.to_le_bytes());
    (0..10_000).for_each(|_| many.extend_from_slice(&one[5..]));
    let mut rows = Records::default();
    rows.unpack(&many).unwrap();
    assert!(rows.held() < 16 * many.len(), "{} bytes for {}", rows.held(), many.len());
    // A count alone, or a length, costs nothing.
    let mut many = vec![of_http];
    many.extend(u32::MAX.to_le_bytes());
    many.extend_from_slice(&one[5..]);
    assert!(rows.unpack(&many).is_err());
}

#[test]
fn text_that_is_not_utf_8_is_malformed() {
    let mut rows = Records::default();
    rows.anomaly.push(Default::default(), |arena| schemas::anomaly::Anomaly {
        detail: arena.plain("grim"),
        ..Default::default()
    });
    let mut bytes = pack(&rows, usize::MAX, 0).remove(0).bytes;
    let place = bytes.windows(4).position(|bytes| bytes == b"grim").unwrap();
    bytes[place + 3] = 0xc3;
    assert_eq!(rows.unpack(&bytes), Err(packed::Malformed("text")));
    assert_eq!(rows.anomaly.rows.len(), 1);
}

#[test]
fn the_shape_tells_fields_types_and_names() {
    let shape = packed::shape();
    assert_eq!(shape.lines().count(), TABLE_NAMES.len());
    for part in
        ["flows=", "missed_bytes:i64,", "tunnels:texts,", "vlan:?u16,", "|dns_malformed|", "headers:map,"]
    {
        assert!(shape.contains(part), "{part} is not in {shape}");
    }
}
