//! Bodies in chunks: the same steps wherever they are cut, and what a naive reading of the whole body says.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use parsers::http::chunked::{Chunked, MAX_SIZE_LINE, MAX_TRAILERS, Problem, Step};

#[derive(Arbitrary, Debug)]
struct Case {
    tokens: Vec<Token>,
    cuts: Vec<u8>,
}

#[derive(Arbitrary, Debug)]
enum Token {
    Chunk(u8, Extension),
    Last,
    Size(u64),
    Zeros(u16),
    Known(u8),
    Bytes(Vec<u8>),
    Long(u8, u32),
}

#[derive(Arbitrary, Debug)]
enum Extension {
    None,
    Blank,
    Text(Vec<u8>),
    Feed,
}

const KNOWN: [&[u8]; 10] =
    [b"\r\n", b"\n", b"\r", b";", b" ", b"0", b"0\r\n", b"A: b\r\n", b"\r\n\r\n", b"3\r\nabc\r\n"];

impl Token {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Chunk(length, extension) => {
                out.extend(format!("{length:x}").bytes());
                match extension {
                    Extension::None => out.extend(b"\r\n"),
                    Extension::Blank => out.extend(b" \t\r\n"),
                    Extension::Text(text) => out.extend([b";", text.as_slice(), b"\r\n"].concat()),
                    Extension::Feed => out.push(b'\n'),
                }
                out.resize(out.len() + usize::from(*length), b'\n');
                out.extend(b"\r\n");
            }
            Self::Last => out.extend(b"0\r\n\r\n"),
            Self::Size(size) => out.extend(format!("{size:X}\r\n").bytes()),
            Self::Zeros(count) => out.resize(out.len() + usize::from(*count), b'0'),
            Self::Known(at) => out.extend_from_slice(KNOWN[usize::from(*at) % KNOWN.len()]),
            Self::Bytes(bytes) => out.extend_from_slice(bytes),
            Self::Long(byte, count) => out.resize(out.len() + (count % (1 << 17)) as usize, *byte),
        }
    }
}

/// What a body was read as.
#[derive(Debug, Default, PartialEq)]
struct Read {
    data: Vec<u8>,
    trailers: Vec<u8>,
    end: End,
    /// Bytes up to its end.
    taken: usize,
    bare_lf: bool,
}

#[derive(Debug, Default, PartialEq)]
enum End {
    #[default]
    None,
    Last,
    Problem(Problem),
}

fn read(body: &[u8], cuts: &[u8]) -> Read {
    let mut chunked = Chunked::new();
    let mut read = Read::default();
    let mut cuts = cuts.iter().cycle();
    let mut rest = body;
    while !rest.is_empty() && read.end == End::None {
        let length = cuts.next().map_or(usize::MAX, |cut| usize::from(*cut) + 1).min(rest.len());
        let (mut piece, behind) = rest.split_at(length);
        rest = behind;
        loop {
            let before = piece.len();
            match chunked.next(&mut piece) {
                Step::Data(data) => {
                    assert!(!data.is_empty());
                    read.data.extend_from_slice(data);
                }
                Step::Trailers(trailers) => {
                    assert!(!trailers.is_empty());
                    read.trailers.extend_from_slice(trailers);
                }
                Step::NeedMore => {
                    assert!(piece.is_empty());
                    read.taken += before;
                    break;
                }
                Step::End => read.end = End::Last,
                Step::Problem(problem) => read.end = End::Problem(problem),
            }
            read.taken += before - piece.len();
            if read.end != End::None {
                let again = chunked.next(&mut piece);
                assert!(matches!(again, Step::End | Step::Problem(_)));
                break;
            }
        }
    }
    read.bare_lf = chunked.has_bare_lf();
    read
}

/// A naive reading, for which everything is there.
fn model(body: &[u8]) -> Read {
    let mut read = Read::default();
    let mut at = 0;
    loop {
        // The line with the size: its digits, white space, an extension.
        let line = at;
        let limit = line + MAX_SIZE_LINE as usize;
        let byte = |at: usize| body.get(at).copied();
        let mut size = 0_u64;
        macro_rules! stop {
            ($end:expr) => {{
                read.end = $end;
                read.taken = at;
                return read;
            }};
        }
        macro_rules! next {
            () => {
                match byte(at) {
                    None => stop!(End::None),
                    Some(_) if at >= limit => stop!(End::Problem(Problem::LineTooLong)),
                    Some(byte) => byte,
                }
            };
        }
        while let digit @ (b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') = next!() {
            if size >> 60 != 0 {
                stop!(End::Problem(Problem::SizeTooLarge));
            }
            size = size << 4 | u64::from(char::from(digit).to_digit(16).unwrap());
            at += 1;
        }
        if at == line {
            stop!(End::Problem(Problem::NoSize));
        }
        while let b' ' | b'\t' = next!() {
            at += 1;
        }
        match next!() {
            b';' => {
                at += 1;
                while next!() != b'\n' {
                    at += 1;
                }
                // The CR does not belong to what begins the extension.
                read.bare_lf |= body[at - 1] != b'\r';
            }
            b'\r' => {
                at += 1;
                if next!() != b'\n' {
                    stop!(End::Problem(Problem::BadSize));
                }
            }
            b'\n' => read.bare_lf = true,
            _ => stop!(End::Problem(Problem::BadSize)),
        }
        at += 1;
        if size == 0 {
            break;
        }
        let length = usize::try_from(size).unwrap().min(body.len() - at);
        read.data.extend_from_slice(&body[at..at + length]);
        at += length;
        if at == body.len() {
            stop!(End::None);
        }
        let cr = body[at] == b'\r';
        at += usize::from(cr);
        match byte(at) {
            None => stop!(End::None),
            Some(b'\n') => at += 1,
            Some(_) => stop!(End::Problem(Problem::NoEndOfData)),
        }
        read.bare_lf |= !cr;
    }
    // Trailers: lines up to an empty one.
    let begin = at;
    for line in body[begin..].split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        if at - begin > MAX_TRAILERS as usize {
            at = begin + MAX_TRAILERS as usize;
            read.end = End::Problem(Problem::TrailersTooLong);
            break;
        }
        if matches!(line, b"\n" | b"\r\n") {
            read.bare_lf |= line.len() == 1;
            read.end = End::Last;
            break;
        }
    }
    read.trailers.extend_from_slice(&body[begin..at]);
    read.taken = at;
    read
}

fuzz_target!(|case: Case| {
    let mut body = Vec::new();
    case.tokens.iter().take(64).for_each(|token| token.write(&mut body));
    let whole = read(&body, &[]);
    assert_eq!(whole, model(&body));
    for cuts in [&case.cuts[..], &[0]] {
        assert_eq!(read(&body, cuts), whole);
    }
});
