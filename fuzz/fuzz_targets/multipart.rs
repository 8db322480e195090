//! Bodies of several parts: the same parts wherever the body is cut, and what a naive search of the whole body finds.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use parsers::http::multipart::{Boundary, Ending, MAX_HEADER_BLOCK, Next, Scanner, Sink};

#[derive(Arbitrary, Debug)]
struct Case {
    boundary: Vec<u8>,
    tokens: Vec<Token>,
    cuts: Vec<u8>,
    /// Bytes before which others are lost.
    gaps: Vec<u16>,
}

#[derive(Arbitrary, Debug)]
enum Token {
    Delimiter,
    Boundary,
    Known(u8),
    Bytes(Vec<u8>),
    Long(u8, u16),
    Front(u8),
}

const KNOWN: [&[u8]; 12] =
    [b"\r\n", b"\n", b"\r", b"-", b"--", b" ", b"\t", b"A: 1\r\n", b"\r\n\r\n", b"\r\n--", b"--\r\n", b"x"];

impl Token {
    fn write(&self, boundary: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Delimiter => out.extend([b"\r\n--", boundary, b"\r\n"].concat()),
            Self::Boundary => out.extend([b"--", boundary].concat()),
            Self::Known(at) => out.extend_from_slice(KNOWN[usize::from(*at) % KNOWN.len()]),
            Self::Bytes(bytes) => out.extend_from_slice(bytes),
            Self::Long(byte, length) => out.resize(out.len() + usize::from(*length % 20_000), *byte),
            Self::Front(length) => {
                let delimiter = [b"\n--", boundary].concat();
                out.extend_from_slice(&delimiter[..usize::from(*length) % (delimiter.len() + 1)]);
            }
        }
    }
}

/// A part as it came out.
#[derive(Debug, PartialEq)]
struct Part {
    headers: Vec<u8>,
    cut: bool,
    content: Vec<u8>,
    /// Whether a delimiter ended it; none before its end.
    complete: Option<bool>,
}

/// The parts of one layer.
#[derive(Default)]
struct Parts(Vec<Part>);

impl Sink for Parts {
    fn part(&mut self) {}

    fn begin(&mut self, headers: &[u8], cut: bool) -> Next {
        assert!(self.0.last().is_none_or(|part| part.complete.is_some()), "a part within another");
        assert!(headers.len() <= MAX_HEADER_BLOCK);
        self.0.push(Part { headers: headers.to_vec(), cut, content: Vec::new(), complete: None });
        Next::Content
    }

    fn data(&mut self, bytes: &[u8]) {
        assert!(!bytes.is_empty());
        let part = self.0.last_mut().unwrap();
        assert_eq!(part.complete, None, "content behind the end");
        part.content.extend_from_slice(bytes);
    }

    fn raw(&mut self, _: usize, _: &[u8]) {}

    fn end_content(&mut self, end: Ending) {
        let complete = end == Ending::Delimiter;
        assert_eq!(self.0.last_mut().unwrap().complete.replace(complete), None, "ended twice");
    }

    fn end_layer(&mut self, _: Ending) {}
}

fn read(boundary: &Boundary, body: &[u8], cuts: &[u8], gaps: &[usize]) -> Vec<Part> {
    let mut scanner = Scanner::parts(boundary.clone());
    let mut parts = Parts::default();
    let mut cuts = cuts.iter().cycle();
    let mut at = 0;
    while at < body.len() {
        if gaps.contains(&at) {
            scanner.gap(&mut parts);
        }
        let length = cuts.next().map_or(usize::MAX, |cut| usize::from(*cut) + 1).min(body.len() - at);
        let gap = gaps.iter().copied().filter(|gap| *gap > at).min().unwrap_or(usize::MAX);
        let end = gap.min(at + length);
        scanner.feed(&body[at..end], &mut parts);
        at = end;
    }
    scanner.finish(&mut parts);
    assert!(parts.0.iter().all(|part| part.complete.is_some()));
    parts.0
}

/// What stands behind `--boundary` at the start of a line.
enum Line {
    /// A delimiter, with so many bytes behind the boundary.
    Delimiter(usize),
    Close,
    Other,
    /// The body ends within white space behind it: as good as a delimiter.
    EndOfBody,
}

fn behind(rest: &[u8]) -> Line {
    if rest.starts_with(b"--") {
        return Line::Close;
    }
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let cr = usize::from(rest.get(blanks) == Some(&b'\r'));
    match rest.get(blanks + cr) {
        _ if blanks + cr > 128 => Line::Other,
        Some(b'\n') => Line::Delimiter(blanks + cr + 1),
        Some(_) => Line::Other,
        None => Line::EndOfBody,
    }
}

/// A naive reading, for which everything is there.
fn model(boundary: &[u8], body: &[u8]) -> Vec<Part> {
    let dashes = [b"--", boundary].concat();
    let line = |at: usize| body[at..].strip_prefix(&dashes[..]).map_or(Line::Other, behind);
    let mut parts: Vec<Part> = Vec::new();
    let mut at = 0;
    let mut open = false;
    'content: loop {
        // Up to the next delimiter.
        let begin = at;
        loop {
            if at >= body.len() {
                if open {
                    let part = parts.last_mut().unwrap();
                    part.content = body[begin..].to_vec();
                    part.complete = Some(false);
                }
                return parts;
            }
            let is_start = at == begin || body[at - 1] == b'\n';
            let found = if is_start { line(at) } else { Line::Other };
            if matches!(found, Line::Other) {
                at += 1;
                continue;
            }
            if open {
                let content = &body[begin..at];
                let content = content.strip_suffix(b"\n").unwrap_or(content);
                let content =
                    if at > begin { content.strip_suffix(b"\r").unwrap_or(content) } else { content };
                let part = parts.last_mut().unwrap();
                part.content = content.to_vec();
                part.complete = Some(true);
            }
            match found {
                Line::Delimiter(length) => at += dashes.len() + length,
                _ => return parts,
            }
            break;
        }
        // Headers up to an empty line.
        let mut begin = at;
        loop {
            let headers = &body[begin..at];
            match line(at) {
                // Without an empty line it has no content.
                Line::Close | Line::EndOfBody => return parts,
                Line::Delimiter(length) => {
                    at += dashes.len() + length;
                    begin = at;
                    continue;
                }
                Line::Other => {}
            }
            let Some(length) = body[at..].iter().position(|byte| *byte == b'\n') else { return parts };
            let text = &body[at..=at + length];
            at += length + 1;
            if matches!(text, b"\n" | b"\r\n") {
                parts.push(Part {
                    headers: headers[..headers.len().min(MAX_HEADER_BLOCK)].to_vec(),
                    cut: headers.len() > MAX_HEADER_BLOCK,
                    content: Vec::new(),
                    complete: None,
                });
                open = true;
                continue 'content;
            }
        }
    }
}

fuzz_target!(|case: Case| {
    let Some(boundary) = Boundary::new(&case.boundary).filter(|_| !case.boundary.ends_with(b" ")) else { return };
    if case.boundary.ends_with(b"\t") {
        return;
    }
    let mut body = Vec::new();
    case.tokens.iter().take(64).for_each(|token| token.write(&case.boundary, &mut body));
    let whole = read(&boundary, &body, &[], &[]);
    assert_eq!(whole, model(&case.boundary, &body));
    for cuts in [&case.cuts[..], &[0]] {
        assert_eq!(read(&boundary, &body, cuts, &[]), whole);
    }
    if !case.gaps.is_empty() && !body.is_empty() {
        let gaps: Vec<usize> = case.gaps.iter().take(4).map(|gap| usize::from(*gap) % body.len()).collect();
        let whole = read(&boundary, &body, &[], &gaps);
        assert_eq!(read(&boundary, &body, &case.cuts, &gaps), whole);
    }
});
