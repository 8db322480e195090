//! Fragments in any order, overlapping, of several datagrams, against a model with one cell for each byte.
#![no_main]

use std::collections::HashMap;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use parsers::link_type::LinkType;
use parsers::packet::fragments::{Fragments, Limits, Outcome, TIMEOUT};
use parsers::packet::{Decoded, Layer, decode};

#[derive(Arbitrary, Debug)]
struct Part {
    /// Which datagram.
    id: u8,
    /// Eights of bytes.
    offset: Offset,
    length: u16,
    more: bool,
    /// Makes the bytes differ from those of other copies.
    variant: u8,
    /// Time that passed, in sixteenths of the time-out.
    later: u8,
    ipv6: bool,
    cut: bool,
}

#[derive(Arbitrary, Debug)]
enum Offset {
    Near(u8),
    Any(u16),
}

#[derive(Arbitrary, Debug)]
struct Case {
    /// Small limits: no model, only the bounds.
    tight: Option<(u8, u8, u8)>,
    parts: Vec<Part>,
}

/// What a datagram should be.
#[derive(Default)]
struct Model {
    cells: Vec<Option<u8>>,
    total: Option<usize>,
    has_first: bool,
    first: i64,
    fragments: u32,
}

fuzz_target!(|case: Case| {
    let limits = match case.tight {
        None => Limits::default(),
        Some((bytes, datagrams, fragments)) => Limits {
            bytes: usize::from(bytes) * 64,
            datagrams: usize::from(datagrams) + 1,
            fragments: usize::from(fragments) + 1,
            timeout: TIMEOUT,
        },
    };
    let mut table = Fragments::new(limits);
    let mut models: HashMap<(u8, bool), Model> = HashMap::new();
    let mut now = 0;
    for part in case.parts.iter().take(300) {
        now += i64::from(part.later % 4) * TIMEOUT / 16;
        let Some((layer, frame, bytes)) = fragment(part) else { continue };
        let inserted = table.insert(&layer, &frame, now, 1);
        let mut gone = 0;
        while table.next_incomplete().is_some() {
            gone += 1;
        }
        assert!(table.held() <= limits.bytes.max(1) || table.is_empty());
        assert!(table.len() <= limits.datagrams);
        if case.tight.is_some() {
            continue;
        }
        let before = models.len();
        models.retain(|_, model| now - model.first <= TIMEOUT);
        assert_eq!(gone, before - models.len());
        let key = (part.id % 3, part.ipv6);
        match expected(&mut models, key, part, &layer, bytes, now) {
            Expected::Cut => assert!(matches!(inserted.outcome, Outcome::Cut)),
            Expected::Rejected => {
                assert!(matches!(inserted.outcome, Outcome::Rejected(_)), "{inserted:?}");
            }
            Expected::Taken { overlap, conflict, whole } => {
                assert_eq!((inserted.overlap, inserted.conflict), (overlap, conflict));
                match (inserted.outcome, whole) {
                    (Outcome::Held, None) => {}
                    (Outcome::Complete(datagram), Some((whole, first, fragments))) => {
                        assert_eq!(datagram.bytes, whole);
                        assert_eq!((datagram.ts, datagram.fragments), (first, fragments));
                        table.recycle(datagram);
                    }
                    (outcome, whole) => panic!("{outcome:?} but {whole:?}"),
                }
            }
        }
        assert_eq!(table.len(), models.len());
    }
    table.finish();
    assert_eq!((table.held(), table.len()), (0, 0));
});

/// The part as a packet, decoded.
fn fragment(part: &Part) -> Option<(Layer, Vec<u8>, Vec<u8>)> {
    let offset = match part.offset {
        Offset::Near(offset) => u16::from(offset % 16),
        Offset::Any(offset) => offset % 8192,
    };
    let length = usize::from(part.length % 600);
    let start = usize::from(offset) * 8;
    let bytes: Vec<u8> =
        (start..start + length).map(|at| (at as u8).wrapping_mul(7) ^ (part.variant & 1)).collect();
    let id = part.id % 3;
    let mut frame = if part.ipv6 {
        let mut header = vec![0x60, 0, 0, 0];
        header.extend((8 + length as u16).to_be_bytes());
        header.extend([44, 64]);
        header.extend([1; 32]);
        header.extend([17, 0]);
        header.extend((offset << 3 | u16::from(part.more)).to_be_bytes());
        header.extend([0, 0, 0, id]);
        header
    } else {
        let mut header = vec![0x45, 0];
        header.extend((20 + length as u16).to_be_bytes());
        header.extend([0, id]);
        header.extend((offset | if part.more { 0x2000 } else { 0 }).to_be_bytes());
        header.extend([64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        header
    };
    frame.extend(&bytes);
    let wire = frame.len();
    if part.cut {
        frame.truncate(wire - length.min(1));
    }
    let mut decoded = Decoded::default();
    decode(LinkType::RAW, &frame, wire as u32, &mut decoded);
    let layer = *decoded.innermost()?;
    layer.fragment?;
    Some((layer, frame, bytes))
}

enum Expected {
    Cut,
    Rejected,
    Taken { overlap: bool, conflict: bool, whole: Option<(Vec<u8>, i64, u32)> },
}

fn expected(
    models: &mut HashMap<(u8, bool), Model>,
    key: (u8, bool),
    part: &Part,
    layer: &Layer,
    bytes: Vec<u8>,
    now: i64,
) -> Expected {
    if layer.payload_captured != layer.payload_length {
        return Expected::Cut;
    }
    let start = usize::from(layer.fragment.unwrap().offset);
    let end = start + bytes.len();
    let header = if part.ipv6 { 40 } else { 20 };
    if bytes.is_empty() || part.more && !bytes.len().is_multiple_of(8) || header + end > 65_535 {
        return Expected::Rejected;
    }
    let model = models.entry(key).or_insert_with(|| Model { first: now, ..Model::default() });
    if model.total.is_some_and(|total| end > total || !part.more && end != total)
        || model.total.is_none() && !part.more && end < model.cells.len()
    {
        return Expected::Rejected;
    }
    if model.cells.len() < end {
        model.cells.resize(end, None);
    }
    let (mut overlap, mut conflict) = (false, false);
    for (cell, byte) in model.cells[start..end].iter_mut().zip(bytes) {
        match cell {
            None => *cell = Some(byte),
            Some(old) => {
                overlap = true;
                conflict |= *old != byte;
            }
        }
    }
    model.fragments += 1;
    model.has_first |= start == 0;
    if !part.more {
        model.total = Some(end);
    }
    let whole: Option<Vec<u8>> = model.cells.iter().copied().collect();
    let whole = whole.filter(|whole| model.has_first && model.total == Some(whole.len()));
    let whole = whole.map(|whole| (whole, model.first, model.fragments));
    if whole.is_some() {
        models.remove(&key);
    }
    Expected::Taken { overlap, conflict, whole }
}
