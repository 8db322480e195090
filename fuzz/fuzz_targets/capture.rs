//! Capture files of every format, plain and compressed: however the bytes come, the same frames; what is cut off at the
//! end changes nothing before it.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use sensor::capture::{Contents, DamageKind, Error, Frame, read_all};
use spanlake_fuzz::Input;
use spanlake_fuzz::capture::{Trickle, compressed};

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let (kind, piece, cut) = (input.byte() % 8, input.byte(), input.short());
    let plain = input.rest;
    // A few bytes of compressed data unfold into very many frames, which this target keeps.
    if !plain.is_empty() && plain.len() > 1024 && is_compressed(plain) {
        return;
    }
    let file = compressed(plain, kind);
    let whole = read_all(Cursor::new(file.clone()));
    if let Ok((frames, damage)) = &whole {
        for (at, (frame, bytes)) in frames.iter().enumerate() {
            assert_eq!(frame.number, at as u64 + 1);
            assert_eq!(frame.captured as usize, bytes.len());
            assert!(frame.wire >= frame.captured && frame.ts >= 0);
        }
        assert!(damage.iter().filter(|damage| damage.stopped()).count() <= 2);
    }
    let slow = read_all(Trickle::new(file.clone(), piece.into()));
    match (&whole, &slow) {
        (Ok(whole), Ok(slow)) => {
            assert!(whole.0.iter().map(plainly).eq(slow.0.iter().map(plainly)));
            assert_eq!(whole.1, slow.1);
        }
        (Err(whole), Err(slow)) => assert_eq!(whole.to_string(), slow.to_string()),
        _ => panic!("{whole:?} but slowly {slow:?}"),
    }
    let cut = usize::from(cut) % (file.len() + 1);
    match (read_all(Cursor::new(file[..cut].to_vec())), &whole) {
        (Ok(front), Ok(whole)) => assert!(is_front(&front, whole), "{front:?} of {whole:?}"),
        (Ok(front), Err(error @ Error::Compressed { .. })) => {
            assert!(is_lost_before_damage(&front.0), "{front:?} but the whole: {error}");
        }
        (Ok(front), Err(error)) => assert!(front.0.is_empty(), "{front:?} but the whole: {error}"),
        (Err(_), _) => {}
    }
});

/// Where the bytes lie in their block does not count.
fn plainly((frame, bytes): &(Frame, Vec<u8>)) -> (Frame, &[u8]) {
    (Frame { offset: 0, ..*frame }, bytes)
}

fn is_front(front: &Contents, whole: &Contents) -> bool {
    let more = front.0.get(whole.0.len()..).unwrap_or_default();
    let is_spoiled = whole.1.iter().any(|damage| matches!(damage.kind, DamageKind::Decompression(_)));
    (more.is_empty() || is_spoiled && is_lost_before_damage(more))
        && front.0.iter().zip(&whole.0).all(|(a, b)| plainly(a) == plainly(b))
}

/// Whether frames are those that decompression may lose before data that is spoiled: what begins within a KiB.
fn is_lost_before_damage(frames: &[(Frame, Vec<u8>)]) -> bool {
    let all_but_first = frames.get(1..).unwrap_or_default();
    all_but_first.iter().map(|(_, bytes)| 16 + bytes.len()).sum::<usize>() <= 1024
}

fn is_compressed(bytes: &[u8]) -> bool {
    const MAGICS: [&[u8]; 6] = [
        b"\x1f\x8b",
        b"\x28\xb5\x2f\xfd",
        b"\x04\x22\x4d\x18",
        b"\x02\x21\x4c\x18",
        b"\xfd7zXZ",
        b"\x2a\x4d\x18",
    ];
    MAGICS.iter().any(|magic| bytes.starts_with(magic)) || bytes[1..].starts_with(MAGICS[5])
}
