//! Known answers, pieces of every size, and what hostile bodies may cost.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use proptest::prelude::*;

use super::*;

/// `0 squared is 0`, … `39 squared is 1521`, a line each, by another encoder.
const SQUARES: &str = "1bbf02208d94aac33b379cdd921ea2203289f109423607fdd78d6f26587ca87b60871f23aa890e8238c2c8c20043c621\
b1e7eb8acefe067ef2af0b19501c5433a4f4826b156eb98ceb15a5ae5895cfa1d02e7433204c240f8e45ac0db9366b3f2eba0ce5ac8c6247dd0682c9\
4993652c9eb531d7e6592f8ff1717a7878174f8b87b833b3a933b34f672696e78065b646ec97717c91e4dc4b14";

/// 64 MiB of zeros as brotli, by another encoder.
const ZEROS: &str = "cfffff7f002400e2b14072effff9ffff0f8004401c1680eefd3fffffff01900088c302d0bdffe7ffff3f001200715800baf7ff03";

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn squares() -> Vec<u8> {
    (0..40).flat_map(|n| format!("{n} squared is {}\n", n * n).into_bytes()).collect()
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn raw(plain: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn zstd(plain: &[u8]) -> Vec<u8> {
    ::zstd::bulk::compress(plain, 1).unwrap()
}

/// Decodes `body` in pieces that end at `cuts`.
fn decoded(codings: &[Coding], body: &[u8], cuts: &[usize]) -> (Vec<u8>, Result<End, CodingProblem>) {
    let mut decoder = Decoder::new(codings, Limits::default()).unwrap();
    let mut plain = Vec::new();
    let mut begin = 0;
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (body.len() + 1)).collect();
    cuts.push(body.len());
    cuts.sort_unstable();
    for end in cuts {
        if let Err(problem) = decoder.decode(&body[begin..end], &mut |piece| plain.extend_from_slice(piece)) {
            return (plain, Err(problem));
        }
        begin = end;
    }
    if let Err(problem) = decoder.flush(&mut |piece| plain.extend_from_slice(piece)) {
        return (plain, Err(problem));
    }
    assert_eq!(decoder.produced(), plain.len() as u64);
    (plain, Ok(decoder.finish()))
}

fn by_single_bytes(codings: &[Coding], body: &[u8]) -> (Vec<u8>, Result<End, CodingProblem>) {
    decoded(codings, body, &(0..body.len()).collect::<Vec<_>>())
}

const WHOLE: Result<End, CodingProblem> = Ok(End { complete: true, trailing: 0 });

/// Every coding with an encoder at hand, and the text it hides.
fn samples() -> Vec<(Coding, Vec<u8>)> {
    let plain = squares();
    vec![
        (Coding::Gzip, gzip(&plain)),
        (Coding::Deflate, zlib(&plain)),
        (Coding::Deflate, raw(&plain)),
        (Coding::Deflate, gzip(&plain)),
        (Coding::Brotli, unhex(SQUARES)),
        (Coding::Zstd, zstd(&plain)),
    ]
}

#[test]
fn reads_tokens_in_any_case_and_tells_the_unknown_from_identity() {
    assert_eq!(Token::parse(b"GZip"), Token::Known(Coding::Gzip));
    assert_eq!(Token::parse(b" x-gzip\t"), Token::Known(Coding::Gzip));
    assert_eq!(Token::parse(b"deflate"), Token::Known(Coding::Deflate));
    assert_eq!(Token::parse(b"BR"), Token::Known(Coding::Brotli));
    assert_eq!(Token::parse(b"zstd"), Token::Known(Coding::Zstd));
    assert_eq!(Token::parse(b"Identity"), Token::Identity);
    assert_eq!(Token::parse(b"compress"), Token::Unknown);
    let list = |value: &'static str| parse(value.split(',').map(str::as_bytes));
    assert_eq!(list("identity, gzip,,br ").unwrap().as_slice(), [Coding::Gzip, Coding::Brotli]);
    assert_eq!(list("").unwrap().as_slice(), []);
    assert_eq!(list("gzip, utf-8"), Err(CodingProblem::Unknown));
    assert_eq!(list("br,br,br,br,br"), Err(CodingProblem::TooManyLayers));
    assert_eq!(Decoder::new(&[Coding::Gzip; 5], Limits::default()).err(), Some(CodingProblem::TooManyLayers));
}

#[test]
fn decodes_every_coding_whole_and_by_single_bytes() {
    for (coding, body) in samples() {
        assert_eq!(decoded(&[coding], &body, &[]), (squares(), WHOLE), "{coding:?}");
        assert_eq!(by_single_bytes(&[coding], &body), (squares(), WHOLE), "{coding:?}");
    }
}

#[test]
fn says_that_a_body_cut_anywhere_is_not_complete_and_keeps_what_came() {
    for (coding, body) in samples() {
        for length in 1..body.len() {
            let (plain, end) = by_single_bytes(&[coding], &body[..length]);
            assert_eq!(end, Ok(End::default()), "{coding:?} at {length}");
            assert!(squares().starts_with(&plain));
        }
    }
}

#[test]
fn body_without_a_byte_is_complete() {
    for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd] {
        assert_eq!(decoded(&[coding], b"", &[]), (Vec::new(), WHOLE));
    }
}

#[test]
fn empty_streams_are_complete() {
    for (coding, body) in [
        (Coding::Gzip, gzip(b"")),
        (Coding::Deflate, zlib(b"")),
        (Coding::Deflate, raw(b"")),
        (Coding::Brotli, vec![0x3b]),
        (Coding::Zstd, zstd(b"")),
    ] {
        assert_eq!(decoded(&[coding], &body, &[]), (Vec::new(), WHOLE), "{coding:?}");
        assert_eq!(by_single_bytes(&[coding], &body), (Vec::new(), WHOLE), "{coding:?}");
    }
}

#[test]
fn counts_what_follows_the_end_and_leaves_it_out() {
    for (coding, body) in samples() {
        for garbage in [&b"\n"[..], b"\x1f", b"\x1f\x1f", b"(\xb5/", b"<!-- a comment -->", &[0; 20_000]] {
            let body = [&body, garbage].concat();
            let end = Ok(End { complete: true, trailing: garbage.len() as u64 });
            assert_eq!(decoded(&[coding], &body, &[]), (squares(), end), "{coding:?}");
            assert_eq!(by_single_bytes(&[coding], &body), (squares(), end), "{coding:?}");
        }
    }
}

#[test]
fn goes_on_with_the_next_gzip_member_and_the_next_zstd_frame() {
    let skippable: &[u8] = &[0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    for (coding, body) in [
        (Coding::Gzip, [gzip(b"one "), gzip(b""), gzip(b"two")].concat()),
        (Coding::Zstd, [skippable, &zstd(b"one "), skippable, &zstd(b""), &zstd(b"two"), skippable].concat()),
    ] {
        assert_eq!(decoded(&[coding], &body, &[]), (b"one two".to_vec(), WHOLE), "{coding:?}");
        assert_eq!(by_single_bytes(&[coding], &body), (b"one two".to_vec(), WHOLE), "{coding:?}");
    }
}

#[test]
fn passes_over_every_field_of_a_gzip_header() {
    let mut encoder = flate2::GzBuilder::new()
        .filename("squares.txt")
        .comment("numbers")
        .extra(vec![7; 300])
        .mtime(1)
        .write(Vec::new(), Compression::fast());
    encoder.write_all(&squares()).unwrap();
    let body = encoder.finish().unwrap();
    assert_eq!(decoded(&[Coding::Gzip], &body, &[]), (squares(), WHOLE));
    assert_eq!(by_single_bytes(&[Coding::Gzip], &body), (squares(), WHOLE));
}

#[test]
fn wrong_checksum_is_malformed_and_what_came_before_stays_out() {
    let mut body = gzip(&squares());
    let length = body.len();
    body[length - 6] ^= 1;
    let (plain, end) = decoded(&[Coding::Gzip], &body, &[]);
    assert_eq!(end, Err(CodingProblem::Malformed(Coding::Gzip)));
    assert_eq!(plain, squares());
}

#[test]
fn what_came_before_a_fault_does_not_depend_on_the_pieces() {
    let frames = |parts: &[&[u8]]| {
        let mut encoder = ::zstd::Encoder::new(Vec::new(), 1).unwrap();
        for part in parts {
            encoder.write_all(part).unwrap();
            encoder.flush().unwrap();
        }
        encoder.finish().unwrap()
    };
    let mut bodies = samples();
    let (plain, noise) = (squares(), (0..20_000_u32).map(|n| (n * n / 7) as u8).collect::<Vec<_>>());
    bodies.push((Coding::Zstd, frames(&[&plain, &plain, b"end"])));
    bodies.push((Coding::Zstd, frames(&[&noise, &plain, &noise])));
    let mut faults = 0;
    for (coding, body) in bodies {
        for at in (0..body.len()).step_by(1 + body.len() / 300) {
            for change in [0x01, 0x40, 0xff] {
                let mut body = body.clone();
                body[at] ^= change;
                let whole = decoded(&[coding], &body, &[]);
                faults += usize::from(whole.1.is_err());
                assert_eq!(by_single_bytes(&[coding], &body), whole, "{coding:?}, {change:#x} at {at}");
            }
        }
    }
    assert!(faults > 1000, "only {faults}");
}

#[test]
fn where_a_bomb_is_cut_does_not_depend_on_the_pieces() {
    let limits = Limits { output: 1 << 30, ratio: 20, floor: 100 };
    let body = gzip(&[vec![b'a'; 60_000], (0..9000_u32).map(|n| (n * n / 7) as u8).collect()].concat());
    let cut = |size: usize| {
        let mut decoder = Decoder::new(&[Coding::Gzip], limits).unwrap();
        let outcome = body.chunks(size).try_for_each(|piece| decoder.decode(piece, &mut |_| {}));
        (outcome, decoder.produced())
    };
    for ends in [1, 7, 100, 4096, 5000] {
        assert_eq!(cut(ends), cut(usize::MAX), "{ends}");
    }
    let limits = Limits { ratio: 5, ..limits };
    let produced = |size: usize| {
        let mut decoder = Decoder::new(&[Coding::Gzip], limits).unwrap();
        let outcome = body.chunks(size).try_for_each(|piece| decoder.decode(piece, &mut |_| {}));
        (outcome, decoder.produced())
    };
    assert_eq!(produced(usize::MAX), (Err(CodingProblem::Bomb), 5 * 4096));
    assert_eq!(produced(1), produced(usize::MAX));
}

#[test]
fn plain_text_with_a_coding_is_malformed_and_gives_nothing() {
    for coding in [Coding::Gzip, Coding::Deflate, Coding::Zstd] {
        let (plain, end) = decoded(&[coding], b"<html><body>not at all compressed</body></html>", &[]);
        assert_eq!((plain.len(), end), (0, Err(CodingProblem::Malformed(coding))));
    }
}

#[test]
fn problem_is_repeated_and_nothing_more_is_handed_on() {
    let mut decoder = Decoder::new(&[Coding::Zstd], Limits::default()).unwrap();
    let problem = CodingProblem::Malformed(Coding::Zstd);
    assert_eq!(decoder.decode(b"not zstd", &mut |_| panic!("nothing to hand on")), Err(problem));
    assert_eq!(decoder.decode(&zstd(b"text"), &mut |_| panic!("nothing to hand on")), Err(problem));
    assert_eq!(decoder.finish(), End::default());
}

#[test]
fn takes_codings_off_in_the_reverse_order() {
    let codings = [Coding::Zstd, Coding::Deflate, Coding::Gzip];
    let body = gzip(&raw(&zstd(&squares())));
    assert_eq!(decoded(&codings, &body, &[]), (squares(), WHOLE));
    assert_eq!(by_single_bytes(&codings, &body), (squares(), WHOLE));
    let (_, end) = decoded(&codings, &body[..body.len() - 1], &[]);
    assert_eq!(end, Ok(End::default()));
}

#[test]
fn inner_stream_that_does_not_end_is_not_complete() {
    let inner = gzip(&squares());
    let body = gzip(&inner[..inner.len() - 4]);
    let (plain, end) = decoded(&[Coding::Gzip, Coding::Gzip], &body, &[]);
    assert_eq!((plain, end), (squares(), Ok(End::default())));
}

#[test]
fn without_a_coding_bytes_go_through() {
    assert_eq!(decoded(&[], b"as they are", &[3]), (b"as they are".to_vec(), WHOLE));
}

fn produced_before_the_bomb(codings: &[Coding], body: &[u8], limits: Limits) -> u64 {
    let mut decoder = Decoder::new(codings, limits).unwrap();
    let mut longest = 0;
    let end = decoder.decode(body, &mut |piece| longest = longest.max(piece.len()));
    assert_eq!(end, Err(CodingProblem::Bomb), "{codings:?}");
    assert!(longest <= PIECE);
    decoder.produced()
}

#[test]
fn stops_exactly_at_the_limit_of_output() {
    let zeros = vec![0; 1 << 20];
    let limits = Limits { output: 100_001, ..Limits::default() };
    assert_eq!(produced_before_the_bomb(&[Coding::Gzip], &gzip(&zeros), limits), 100_001);
    assert_eq!(produced_before_the_bomb(&[Coding::Deflate], &zlib(&zeros), limits), 100_001);
    assert_eq!(produced_before_the_bomb(&[Coding::Zstd], &zstd(&zeros), limits), 100_001);
    assert_eq!(produced_before_the_bomb(&[Coding::Brotli], &unhex(ZEROS), limits), 100_001);
}

#[test]
fn ratio_counts_only_beyond_the_floor() {
    let zeros = vec![0; 20 << 20];
    let (plain, end) = decoded(&[Coding::Zstd], &zstd(&zeros[..16 << 20]), &[]);
    assert_eq!((plain.len(), end), (16 << 20, WHOLE));
    assert_eq!(produced_before_the_bomb(&[Coding::Zstd], &zstd(&zeros), Limits::default()), 16 << 20);
    assert_eq!(produced_before_the_bomb(&[Coding::Brotli], &unhex(ZEROS), Limits::default()), 16 << 20);
    let bomb = gzip(&gzip(&zeros));
    assert_eq!(produced_before_the_bomb(&[Coding::Gzip; 2], &bomb, Limits::default()), 16 << 20);
}

#[test]
fn layers_between_are_held_to_the_limits_too() {
    // What comes out at the end is nothing: the inner stream is one endless header field.
    let inner = [&[0x1f, 0x8b, 8, 16, 0, 0, 0, 0, 0, 3][..], &vec![b'a'; 32 << 20]].concat();
    assert_eq!(produced_before_the_bomb(&[Coding::Gzip; 2], &gzip(&inner), Limits::default()), 0);
}

#[test]
fn refuses_windows_larger_than_http_allows() {
    // Magic, no single segment, window of 2^24 (exponent 14, mantissa 0).
    let body = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 14 << 3, 0x01, 0x00, 0x00];
    let (_, end) = decoded(&[Coding::Zstd], &body, &[]);
    assert_eq!(end, Err(CodingProblem::WindowTooLarge(Coding::Zstd)));
    let body = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 13 << 3, 0x01, 0x00, 0x00];
    assert_eq!(decoded(&[Coding::Zstd], &body, &[]), (Vec::new(), WHOLE));
    // The first byte of a large window stream.
    let (_, end) = decoded(&[Coding::Brotli], &[0x11, 0x1e, 0x03, 0, 0, 0, 0, 0, 0], &[]);
    assert_eq!(end, Err(CodingProblem::WindowTooLarge(Coding::Brotli)));
}

#[test]
fn says_what_is_held() {
    let held = |coding, body: &[u8]| {
        let limits = Limits { ratio: u64::MAX, ..Limits::default() };
        let mut decoder = Decoder::new(&[coding], limits).unwrap();
        let before = decoder.held();
        assert!(before < 512, "{before}");
        decoder.decode(body, &mut |_| {}).unwrap();
        decoder.held() - before
    };
    let zeros = unhex(ZEROS);
    assert!((16 << 20..19 << 20).contains(&held(Coding::Brotli, &zeros[..zeros.len() / 2])));
    // Windows of 8 MiB and of 1 KiB, and a block of five bytes, of which three are there.
    for (exponent, range) in [(13_u8, 8 << 20..9 << 20), (0, 90 << 10..512 << 10)] {
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, exponent << 3, 0x28, 0x00, 0x00, 1, 2, 3];
        let held = held(Coding::Zstd, &frame);
        assert!(range.contains(&held), "{held} for {exponent}");
    }
    assert!((40 << 10..50 << 10).contains(&held(Coding::Gzip, &gzip(b"text"))));
    assert_eq!(held(Coding::Deflate, &zlib(b"text")), 0);
}

fn coding() -> impl Strategy<Value = Coding> {
    prop_oneof![Just(Coding::Gzip), Just(Coding::Deflate), Just(Coding::Brotli), Just(Coding::Zstd)]
}

proptest! {
    #[test]
    fn pieces_do_not_matter(plain in proptest::collection::vec(0_u8..4, 0..40_000), cuts in proptest::collection::vec(any::<usize>(), 0..20), which in 0..4_usize) {
        let (codings, body): (&[Coding], _) = match which {
            0 => (&[Coding::Gzip], gzip(&plain)),
            1 => (&[Coding::Deflate], zlib(&plain)),
            2 => (&[Coding::Deflate], raw(&plain)),
            _ => (&[Coding::Gzip, Coding::Zstd], zstd(&gzip(&plain))),
        };
        prop_assert_eq!(decoded(codings, &body, &cuts), (plain, WHOLE));
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_stay_within_the_limits(body in proptest::collection::vec(any::<u8>(), 0..2_000), codings in proptest::collection::vec(coding(), 0..=4), cuts in proptest::collection::vec(any::<usize>(), 0..6)) {
        let _ = decoded(&codings, &body, &cuts);
    }

    #[test]
    fn changed_bodies_never_panic_and_stay_within_the_limits(which in 0..6_usize, changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..8), cuts in proptest::collection::vec(any::<usize>(), 0..6)) {
        let (coding, mut body) = samples().swap_remove(which);
        for (place, value) in changes {
            let place = place % body.len();
            body[place] = value;
        }
        let mut decoder = Decoder::new(&[coding], Limits { output: 10_000, ratio: 10, floor: 1_000 }).unwrap();
        let (mut begin, mut produced) = (0, 0);
        for cut in cuts.into_iter().map(|cut| cut % (body.len() + 1)).chain([body.len()]) {
            if cut > begin {
                let _ = decoder.decode(&body[begin..cut], &mut |piece| produced += piece.len());
                begin = cut;
            }
        }
        prop_assert!(produced <= 10_000);
    }
}
