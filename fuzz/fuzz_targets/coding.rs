//! Content codings, stacked, sound and spoiled: the same output, problem and end wherever the body is cut, what was sound
//! comes out as it went in, and neither output nor memory is over its bounds.
#![no_main]

use std::io::Write;

use arbitrary::Arbitrary;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use libfuzzer_sys::fuzz_target;
use parsers::content::coding::{Coding, CodingProblem, Decoder, End, Limits, MAX_LAYERS, PIECE};

#[derive(Arbitrary, Debug)]
struct Case {
    plain: Vec<Run>,
    layers: Vec<Layer>,
    /// What is wrong with the outermost layer: places, and what is done to the bytes there.
    harm: Vec<(u16, u8)>,
    /// How many bytes are missing at the end.
    short: u8,
    trailing: Vec<u8>,
    limits: Option<(u16, u8, u16)>,
    cuts: Vec<u8>,
}

/// Bytes of the content.
#[derive(Arbitrary, Debug)]
enum Run {
    Bytes(Vec<u8>),
    Repeated(u8, u16),
    /// What an unlikely compressor makes no shorter.
    Noise(u8, u16),
}

/// One coding, and how its encoder works.
#[derive(Arbitrary, Debug)]
enum Layer {
    Gzip(u8),
    /// Members, one behind another.
    Members(u8),
    Zlib(u8),
    Raw(u8),
    Brotli(u8, u8),
    Zstd(i8, bool),
    Frames(i8),
    /// The body says that it is of a coding, and is not.
    Label(u8),
}

const ALL: [Coding; 4] = [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd];

/// More than any layer may hold: three windows of 16 MiB would be over it.
const MOST_HELD: usize = MAX_LAYERS * (20 << 20);

impl Run {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Bytes(bytes) => out.extend_from_slice(bytes),
            Self::Repeated(byte, length) => out.resize(out.len() + usize::from(*length), *byte),
            Self::Noise(seed, length) => {
                let mut state = u32::from(*seed) | 0x100;
                out.extend((0..length % 8192).map(|_| {
                    state ^= state << 13;
                    state ^= state >> 17;
                    state ^= state << 5;
                    state as u8
                }));
            }
        }
    }
}

impl Layer {
    fn encode(&self, plain: &[u8]) -> (Coding, Vec<u8>) {
        let level = |level: &u8| Compression::new(u32::from(level % 10));
        let gzip = |part: &[u8], level| {
            let mut encoder = GzEncoder::new(Vec::new(), level);
            encoder.write_all(part).unwrap();
            encoder.finish().unwrap()
        };
        let halves = plain.split_at(plain.len() / 2);
        match self {
            Self::Gzip(at) => (Coding::Gzip, gzip(plain, level(at))),
            Self::Members(at) => {
                (Coding::Gzip, [halves.0, halves.1].map(|half| gzip(half, level(at))).concat())
            }
            Self::Zlib(at) => {
                let mut encoder = ZlibEncoder::new(Vec::new(), level(at));
                encoder.write_all(plain).unwrap();
                (Coding::Deflate, encoder.finish().unwrap())
            }
            Self::Raw(at) => {
                let mut encoder = DeflateEncoder::new(Vec::new(), level(at));
                encoder.write_all(plain).unwrap();
                (Coding::Deflate, encoder.finish().unwrap())
            }
            Self::Brotli(quality, window) => {
                let mut out = Vec::new();
                let window = 10 + u32::from(window % 13);
                let mut encoder =
                    brotli::CompressorWriter::new(&mut out, 4096, u32::from(quality % 6), window);
                encoder.write_all(plain).unwrap();
                drop(encoder);
                (Coding::Brotli, out)
            }
            Self::Zstd(level, checksum) => {
                let mut encoder = zstd::Encoder::new(Vec::new(), i32::from(level % 6)).unwrap();
                encoder.include_checksum(*checksum).unwrap();
                encoder.write_all(halves.0).unwrap();
                encoder.flush().unwrap();
                encoder.write_all(halves.1).unwrap();
                (Coding::Zstd, encoder.finish().unwrap())
            }
            Self::Frames(level) => {
                let frame = |part: &[u8]| zstd::bulk::compress(part, i32::from(level % 6)).unwrap();
                let skipped = b"\x51\x2a\x4d\x18\x02\0\0\0ab".to_vec();
                (Coding::Zstd, [frame(halves.0), skipped, frame(halves.1)].concat())
            }
            Self::Label(at) => (ALL[usize::from(*at) % 4], plain.to_vec()),
        }
    }
}

/// Decodes a body in pieces of these lengths, over and over.
fn decoded(
    codings: &[Coding],
    limits: Limits,
    body: &[u8],
    cuts: &[u8],
) -> (Vec<u8>, Result<End, CodingProblem>) {
    let mut decoder = Decoder::new(codings, limits).unwrap();
    let mut plain = Vec::new();
    let mut cuts = cuts.iter().cycle();
    let mut rest = body;
    let mut is_flushed = false;
    while !is_flushed {
        let length = cuts.next().map_or(usize::MAX, |cut| usize::from(*cut) + 1).min(rest.len());
        let (piece, behind) = rest.split_at(length);
        rest = behind;
        is_flushed = piece.is_empty();
        let mut out = |piece: &[u8]| {
            assert!(codings.is_empty() || piece.len() <= PIECE);
            plain.extend_from_slice(piece);
        };
        let outcome = if is_flushed { decoder.flush(&mut out) } else { decoder.decode(piece, &mut out) };
        assert!(decoder.held() <= MOST_HELD);
        assert_eq!(decoder.produced(), plain.len() as u64);
        if let Err(problem) = outcome {
            assert_eq!(decoder.decode(b"more", &mut |_| panic!("it goes on")), Err(problem));
            assert_eq!(decoder.held(), 0);
            assert_eq!(decoder.finish(), End::default());
            return (plain, Err(problem));
        }
    }
    (plain, Ok(decoder.finish()))
}

fuzz_target!(|case: Case| {
    let mut plain = Vec::new();
    case.plain.iter().take(8).for_each(|run| run.write(&mut plain));
    let (mut codings, mut body) = (Vec::new(), plain.clone());
    for layer in case.layers.iter().take(MAX_LAYERS) {
        let (coding, encoded) = layer.encode(&body);
        codings.push(coding);
        body = encoded;
    }
    let is_labelled = case.layers.iter().any(|layer| matches!(layer, Layer::Label(_)));
    let sound = body.clone();
    for (at, change) in case.harm.iter().take(4) {
        if let Some(length) = body.len().checked_sub(1) {
            body[usize::from(*at) % (length + 1)] ^= change;
        }
    }
    body.truncate(body.len() - usize::from(case.short).min(body.len()));
    body.extend_from_slice(&case.trailing);
    let limits = case.limits.map_or(Limits::default(), |(output, ratio, floor)| Limits {
        output: u64::from(output) << 4,
        ratio: ratio.into(),
        floor: floor.into(),
    });
    let whole = decoded(&codings, limits, &body, &[]);
    if !codings.is_empty() {
        let most = limits.output.min(limits.floor.max((body.len() as u64 + 4096) * limits.ratio));
        assert!(whole.0.len() as u64 <= most);
    }
    for cuts in [&case.cuts[..], &[if body.len() < 4096 { 0 } else { 7 }]] {
        let pieces = decoded(&codings, limits, &body, cuts);
        assert_eq!(pieces.1, whole.1, "{} against {} bytes", pieces.0.len(), whole.0.len());
        assert!(pieces.0 == whole.0, "{} against {} bytes", pieces.0.len(), whole.0.len());
    }
    if case.limits.is_none() && !is_labelled && body == sound {
        assert!(whole.0 == plain, "what was coded comes out as something else");
        assert!(whole.1.is_ok_and(|end| end.complete));
    }
});
