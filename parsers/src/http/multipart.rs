//! Bodies of several parts (RFC 2046, 5.1; forms: RFC 7578), found in whatever pieces they come.
//!
//! Content is handed on as it comes. What may be the beginning of a delimiter is held back, but needs no buffer: it is
//! the delimiter's own bytes. Only the headers of a part are collected. Parts within a part are its content.

use memchr::{memchr, memmem, memrchr};
use smallvec::SmallVec;

/// Longest block of headers of a part; what is longer is cut.
pub const MAX_HEADER_BLOCK: usize = 16 * 1024;

/// Longest boundary. 70 are allowed (RFC 2046, 5.1.1), and not everyone keeps to it.
pub const MAX_BOUNDARY: usize = 256;

/// Most bytes between a boundary and the end of its line.
const MAX_PADDING: usize = 128;

/// What stands in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A part begins, with this block of headers (see [`header_block`](super::head::header_block)).
    Begin {
        /// The lines of the headers, without the empty line behind them.
        headers: &'a [u8],
        /// The block was longer than [`MAX_HEADER_BLOCK`], or bytes of it were lost.
        cut: bool,
    },
    /// Content of the part.
    Data(&'a [u8]),
    /// The part is over.
    End {
        /// A delimiter ended it; else the body did.
        complete: bool,
    },
}

/// A body of several parts, as far as it was read.
#[derive(Debug)]
pub struct Scanner {
    /// `\n--boundary`.
    delimiter: Box<[u8]>,
    finder: memmem::Finder<'static>,
    state: State,
    /// Of the part whose headers are read.
    headers: Vec<u8>,
    headers_cut: bool,
    /// The front of the line of headers that is read: enough to know a delimiter by.
    line: Vec<u8>,
    closed: bool,
}

#[derive(Debug)]
enum State {
    /// Before the first delimiter, in a part, or behind the last delimiter.
    Content { part: bool, held: Held },
    /// Headers of a part.
    Headers,
}

/// What is held back: it may be the beginning of a delimiter.
#[derive(Debug, Default)]
enum Held {
    /// Nothing.
    #[default]
    Nothing,
    /// A CR.
    Cr,
    /// The start of a line, and so many bytes of the delimiter, its LF among them.
    Delimiter { start: Start, matched: usize },
    /// A whole delimiter, and what follows it in the line.
    Line { start: Start, padding: SmallVec<[u8; 16]> },
}

/// How the line began that may be a delimiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// It is the first of the body or of the part: no end of a line comes before it.
    First,
    /// Behind LF.
    Lf,
    /// Behind CRLF.
    CrLf,
}

/// What a line is that begins with a delimiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// Another part follows.
    Delimiter,
    /// No part follows.
    Close,
    /// No delimiter.
    Other,
    /// More is needed to say.
    Unfinished,
}

impl Scanner {
    /// For the boundary of a Content-Type. `None` where it cannot be one: it is empty, longer than [`MAX_BOUNDARY`], or
    /// holds an end of a line.
    pub fn new(boundary: &[u8]) -> Option<Self> {
        if boundary.is_empty()
            || boundary.len() > MAX_BOUNDARY
            || boundary.iter().any(|byte| b"\r\n".contains(byte))
        {
            return None;
        }
        let delimiter = [b"\n--", boundary].concat().into_boxed_slice();
        Some(Self {
            finder: memmem::Finder::new(&delimiter).into_owned(),
            delimiter,
            state: State::Content { part: false, held: Held::at_start() },
            headers: Vec::new(),
            headers_cut: false,
            line: Vec::new(),
            closed: false,
        })
    }

    /// Takes more of the body. Events do not depend on the pieces in which it comes, but for how content is cut.
    pub fn feed(&mut self, mut bytes: &[u8], emit: &mut dyn FnMut(Event<'_>)) {
        while !bytes.is_empty() && !self.closed {
            bytes = match &self.state {
                State::Headers => self.header_line(bytes, emit),
                State::Content { held: Held::Nothing, .. } => self.content(bytes, emit),
                State::Content { .. } => self.undecided(bytes, emit),
            };
        }
    }

    /// Bytes of memory that it holds.
    pub fn held(&self) -> usize {
        2 * self.delimiter.len() + self.headers.capacity() + self.line.capacity()
    }

    /// Bytes of the body will never come.
    pub fn gap(&mut self, emit: &mut dyn FnMut(Event<'_>)) {
        if self.closed {
            return;
        }
        match &mut self.state {
            State::Content { part, held } => {
                let (part, held) = (*part, std::mem::take(held));
                self.give(part, &held, emit);
            }
            State::Headers => {
                self.headers_cut = true;
                self.keep_line();
                // Whatever follows is more likely content than a header.
                self.begin(Held::Nothing, emit);
            }
        }
    }

    /// The body is over.
    pub fn finish(&mut self, emit: &mut dyn FnMut(Event<'_>)) {
        if self.closed {
            return;
        }
        self.closed = true;
        if matches!(self.state, State::Headers) {
            let is_short = self.line.len() < self.front();
            if is_short && padding(&self.delimiter, &self.line).is_some_and(is_blank_line) {
                self.begin(Held::Nothing, emit);
                return emit(Event::End { complete: true });
            }
            if self.line.is_empty() && self.headers.is_empty() {
                return;
            }
            self.keep_line();
            self.headers_cut = true;
            self.begin(Held::Nothing, emit);
        }
        let State::Content { part, held } = &mut self.state else { return };
        let (part, held) = (*part, std::mem::take(held));
        // A delimiter needs no end of its line where the body ends.
        let complete = matches!(&held, Held::Line { padding, .. } if is_blank_line(padding));
        if !complete {
            self.give(part, &held, emit);
        }
        if part {
            emit(Event::End { complete });
        }
    }

    /// Content with nothing held back: looks for the next delimiter, and holds back what may be the front of one.
    fn content<'b>(&mut self, bytes: &'b [u8], emit: &mut dyn FnMut(Event<'_>)) -> &'b [u8] {
        let State::Content { part, held } = &mut self.state else { return bytes };
        let found = self.finder.find(bytes);
        let (feed, matched) = match found {
            Some(feed) => (Some(feed), self.delimiter.len()),
            // Only the last line can go on to be a delimiter: there is no LF in one but its first byte.
            None => match memrchr(b'\n', bytes) {
                Some(feed) if bytes.get(feed..).is_some_and(|tail| self.delimiter.starts_with(tail)) => {
                    (Some(feed), bytes.len() - feed)
                }
                _ => (None, 0),
            },
        };
        let end = match feed {
            Some(feed) => match bytes.get(..feed) {
                Some([before @ .., b'\r']) => {
                    *held = Held::delimiter(Start::CrLf, matched, self.delimiter.len());
                    before.len()
                }
                _ => {
                    *held = Held::delimiter(Start::Lf, matched, self.delimiter.len());
                    feed
                }
            },
            None if bytes.ends_with(b"\r") => {
                *held = Held::Cr;
                bytes.len() - 1
            }
            None => bytes.len(),
        };
        if *part && end > 0 {
            emit(Event::Data(bytes.get(..end).unwrap_or_default()));
        }
        bytes.get(feed.map_or(bytes.len(), |feed| feed + matched)..).unwrap_or_default()
    }

    /// Goes on with what is held back.
    fn undecided<'b>(&mut self, bytes: &'b [u8], emit: &mut dyn FnMut(Event<'_>)) -> &'b [u8] {
        let Some((byte, rest)) = bytes.split_first() else { return bytes };
        let State::Content { part, held } = &mut self.state else { return bytes };
        let part = *part;
        match held {
            Held::Nothing => bytes,
            Held::Cr => {
                let delimiter = *byte == b'\n';
                *held = if delimiter {
                    Held::Delimiter { start: Start::CrLf, matched: 1 }
                } else {
                    Held::Nothing
                };
                if delimiter {
                    return rest;
                }
                self.give(part, &Held::Cr, emit);
                bytes
            }
            Held::Delimiter { start, matched } => {
                if self.delimiter.get(*matched) == Some(byte) {
                    *held = Held::delimiter(*start, *matched + 1, self.delimiter.len());
                    return rest;
                }
                let held = std::mem::take(held);
                self.give(part, &held, emit);
                bytes
            }
            Held::Line { padding, .. } => {
                padding.push(*byte);
                match after_boundary(padding) {
                    Line::Unfinished => return rest,
                    Line::Delimiter => {
                        self.state = State::Headers;
                        self.headers.clear();
                        self.line.clear();
                        self.headers_cut = false;
                    }
                    Line::Close => self.closed = true,
                    Line::Other => {
                        padding.pop();
                        // A CR that turned out not to end this line may end it yet.
                        let cr = padding.last() == Some(&b'\r');
                        if cr {
                            padding.pop();
                        }
                        let held = std::mem::replace(held, if cr { Held::Cr } else { Held::Nothing });
                        self.give(part, &held, emit);
                        return bytes;
                    }
                }
                if part {
                    emit(Event::End { complete: true });
                }
                rest
            }
        }
    }

    /// A line of headers, or a piece of one.
    fn header_line<'b>(&mut self, bytes: &'b [u8], emit: &mut dyn FnMut(Event<'_>)) -> &'b [u8] {
        let length = memchr(b'\n', bytes).map_or(bytes.len(), |feed| feed + 1);
        let (piece, rest) = bytes.split_at_checked(length).unwrap_or((bytes, &[]));
        // The front of a line tells what it is, the rest goes straight to the block.
        let front = self.front();
        let room = front.saturating_sub(self.line.len());
        if room > 0 {
            let (kept, more) = piece.split_at_checked(room).unwrap_or((piece, &[]));
            self.line.extend_from_slice(kept);
            if self.line.len() < front && !self.line.ends_with(b"\n") {
                match classify(&self.delimiter, &self.line) {
                    Line::Close => return self.part_without_content(rest, emit),
                    _ => return rest,
                }
            }
            match classify(&self.delimiter, &self.line) {
                Line::Delimiter | Line::Close => return self.part_without_content(rest, emit),
                Line::Other | Line::Unfinished => {}
            }
            if matches!(self.line.as_slice(), b"\n" | b"\r\n") {
                self.line.clear();
                self.begin(Held::at_start(), emit);
                return rest;
            }
            let line = std::mem::take(&mut self.line);
            self.keep(&line);
            self.line = line;
            self.keep(more);
        } else {
            self.keep(piece);
        }
        if piece.ends_with(b"\n") {
            self.line.clear();
        }
        rest
    }

    /// A delimiter stands among headers: the part ends without an empty line.
    fn part_without_content<'b>(&mut self, rest: &'b [u8], emit: &mut dyn FnMut(Event<'_>)) -> &'b [u8] {
        self.closed = classify(&self.delimiter, &self.line) == Line::Close;
        self.line.clear();
        self.begin(Held::Nothing, emit);
        emit(Event::End { complete: true });
        self.state = State::Headers;
        rest
    }

    /// Tells the beginning of a part, whose headers are read.
    fn begin(&mut self, held: Held, emit: &mut dyn FnMut(Event<'_>)) {
        emit(Event::Begin { headers: &self.headers, cut: self.headers_cut });
        self.headers.clear();
        self.headers_cut = false;
        self.state = State::Content { part: true, held };
    }

    /// So many bytes of a line tell what it is.
    fn front(&self) -> usize {
        self.delimiter.len() + MAX_PADDING
    }

    /// Adds a line of headers that has no end, as far as it was not added yet.
    fn keep_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if line.len() < self.front() {
            self.keep(&line);
        }
    }

    /// Adds to the block of headers as much as it may hold.
    fn keep(&mut self, bytes: &[u8]) {
        let room = MAX_HEADER_BLOCK - self.headers.len().min(MAX_HEADER_BLOCK);
        let (kept, more) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        self.headers.extend_from_slice(kept);
        self.headers_cut |= !more.is_empty();
    }

    /// Hands on what was held back: it was content after all.
    fn give(&self, part: bool, held: &Held, emit: &mut dyn FnMut(Event<'_>)) {
        if !part {
            return;
        }
        let mut data = |bytes: &[u8]| {
            if !bytes.is_empty() {
                emit(Event::Data(bytes));
            }
        };
        match held {
            Held::Nothing => {}
            Held::Cr => data(b"\r"),
            Held::Delimiter { start, matched } => {
                data(start.before());
                data(self.delimiter.get(start.skipped()..*matched).unwrap_or_default());
            }
            Held::Line { start, padding } => {
                data(start.before());
                data(self.delimiter.get(start.skipped()..).unwrap_or_default());
                data(padding);
            }
        }
    }
}

impl Held {
    /// At the start of a line that no other comes before: the LF of the delimiter is there, so to say.
    fn at_start() -> Self {
        Self::Delimiter { start: Start::First, matched: 1 }
    }

    fn delimiter(start: Start, matched: usize, whole: usize) -> Self {
        if matched == whole {
            Self::Line { start, padding: SmallVec::new() }
        } else {
            Self::Delimiter { start, matched }
        }
    }
}

impl Start {
    /// What stands before the delimiter.
    fn before(self) -> &'static [u8] {
        if self == Self::CrLf { b"\r" } else { b"" }
    }

    /// How many bytes of the delimiter are not there.
    fn skipped(self) -> usize {
        usize::from(self == Self::First)
    }
}

/// What a line is by its bytes so far, its end among them.
fn classify(delimiter: &[u8], line: &[u8]) -> Line {
    padding(delimiter, line).map_or(Line::Other, after_boundary)
}

/// What follows the boundary in a line that begins with a delimiter.
fn padding<'l>(delimiter: &[u8], line: &'l [u8]) -> Option<&'l [u8]> {
    line.strip_prefix(delimiter.strip_prefix(b"\n")?)
}

/// What a line is by what follows its boundary.
fn after_boundary(padding: &[u8]) -> Line {
    match padding {
        [b'-', b'-', ..] => Line::Close,
        [] | [b'-'] => Line::Unfinished,
        [padding @ .., b'\n'] if is_blank_line(padding) => Line::Delimiter,
        _ if padding.len() > MAX_PADDING => Line::Other,
        _ if is_blank_line(padding) => Line::Unfinished,
        _ => Line::Other,
    }
}

/// Whether there is nothing in it but white space, and a CR at its end.
fn is_blank_line(padding: &[u8]) -> bool {
    let padding = padding.strip_suffix(b"\r").unwrap_or(padding);
    padding.iter().all(|byte| matches!(byte, b' ' | b'\t'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Parts as they come out: headers, whether they were cut, content, whether it is complete.
    type Parts = Vec<(String, bool, Vec<u8>, Option<bool>)>;

    fn parts<'a>(boundary: &[u8], pieces: impl IntoIterator<Item = &'a [u8]>) -> Parts {
        let mut scanner = Scanner::new(boundary).unwrap();
        let mut parts = Parts::new();
        let mut emit = |event: Event<'_>| match event {
            Event::Begin { headers, cut } => {
                assert!(parts.last().is_none_or(|part| part.3.is_some()), "a part began within another");
                parts.push((headers.escape_ascii().to_string(), cut, Vec::new(), None));
            }
            Event::Data(data) => {
                assert!(!data.is_empty());
                let part = parts.last_mut().unwrap();
                assert_eq!(part.3, None, "content behind the end of a part");
                part.2.extend_from_slice(data);
            }
            Event::End { complete } => {
                let part = parts.last_mut().unwrap();
                assert_eq!(part.3, None, "a part ended twice");
                part.3 = Some(complete);
            }
        };
        for piece in pieces {
            scanner.feed(piece, &mut emit);
        }
        scanner.finish(&mut emit);
        parts
    }

    fn whole(bytes: &[u8]) -> Parts {
        let parts_whole = parts(b"b", [bytes]);
        assert_eq!(parts(b"b", bytes.chunks(1)), parts_whole, "{}", bytes.escape_ascii());
        parts_whole
    }

    fn part(headers: &str, data: &[u8], complete: bool) -> (String, bool, Vec<u8>, Option<bool>) {
        (headers.as_bytes().escape_ascii().to_string(), false, data.to_vec(), Some(complete))
    }

    #[test]
    fn reads_a_form() {
        let body = b"preamble\r\n--b\r\nA: 1\r\nB: 2\r\n\r\none\r\ntwo\r\n--b\r\n\r\n\r\n--b--\r\nepilogue\r\n--b\r\n";
        assert_eq!(whole(body), [part("A: 1\r\nB: 2\r\n", b"one\r\ntwo", true), part("", b"", true)]);
    }

    #[test]
    fn lines_may_end_with_lf_alone_and_delimiters_may_be_padded() {
        assert_eq!(
            whole(b"--b\nA: 1\n\none\n--b \t\r\nA: 2\n\ntwo\r\n--b--"),
            [part("A: 1\n", b"one", true), part("A: 2\n", b"two", true)]
        );
    }

    #[test]
    fn what_only_begins_like_a_delimiter_is_content() {
        for data in [
            &b"x\r\n--a"[..],
            b"x\r\n--",
            b"\r\n--bc\r\n",
            b"\r\n--b-\r\n",
            b"\r\n--b x\r\n",
            b"\r\n--b\rx",
            b"\r\r\r\n\n\n",
            b"--b\r\nx",
            b"x--b\r\n",
            b"-",
            b"--bb\n",
            b"\r",
        ] {
            let dot = if data.starts_with(b"--b\r\n") { "." } else { "" };
            let body = [b"--b\r\n\r\n", dot.as_bytes(), data, b"\r\n--b--"];
            let body = body.concat();
            let parts = whole(&body);
            let expected = body.strip_prefix(b"--b\r\n\r\n").unwrap().strip_suffix(b"\r\n--b--").unwrap();
            assert_eq!(parts, [part("", expected, true)], "{}", data.escape_ascii());
        }
    }

    #[test]
    fn a_delimiter_is_found_behind_what_was_none() {
        for (body, data) in [
            (&b"--b\r\n\r\nx\r\n--b\r\r\n--b--"[..], &b"x\r\n--b\r"[..]),
            (b"--b\r\n\r\nx\r\n--\r\n--b--", b"x\r\n--"),
            (b"--b\r\n\r\nx\r\r\n--b--", b"x\r"),
            (b"--b\r\n\r\nx\r\n\r\n--b--", b"x\r\n"),
            (b"--b\r\n\r\nx\n\n--b--", b"x\n"),
        ] {
            assert_eq!(whole(body), [part("", data, true)], "{}", body.escape_ascii());
        }
    }

    #[test]
    fn a_part_without_an_empty_line_has_no_content() {
        assert_eq!(
            whole(b"--b\r\nA: 1\r\n--b\r\nA: 2\r\n--b--"),
            [part("A: 1\r\n", b"", true), part("A: 2\r\n", b"", true)]
        );
        assert_eq!(whole(b"--b\r\n\r\n--b--"), [part("", b"", true)]);
        assert_eq!(whole(b"--b\r\n--b\r\n\r\nx"), [part("", b"", true), part("", b"x", false)]);
    }

    #[test]
    fn a_body_that_ends_early_leaves_its_part_incomplete() {
        assert_eq!(whole(b"--b\r\n\r\nabc\r\n--"), [part("", b"abc\r\n--", false)]);
        assert_eq!(whole(b"--b\r\n\r\nabc\r\n--b"), [part("", b"abc", true)]);
        assert_eq!(whole(b"--b\r\n\r\nabc\r"), [part("", b"abc\r", false)]);
        assert_eq!(whole(b"--b\r\nA: 1"), [("A: 1".to_owned(), true, Vec::new(), Some(false))]);
        assert_eq!(whole(b"--b\r\nA: 1\r\n--b"), [part("A: 1\r\n", b"", true)]);
        assert_eq!(whole(b"--b\r\n"), []);
        assert_eq!(whole(b"nothing\r\n--bc"), []);
        assert_eq!(whole(b""), []);
    }

    #[test]
    fn headers_are_bounded() {
        let line = [b"A: ".as_slice(), &vec![b'x'; MAX_HEADER_BLOCK], b"\r\nB: 1\r\n"].concat();
        let body = [b"--b\r\n", line.as_slice(), b"\r\nabc\r\n--b--"].concat();
        let (headers, cut, data, complete) = whole(&body).pop().unwrap();
        assert_eq!(
            (headers.len(), cut, &data[..], complete),
            (MAX_HEADER_BLOCK, true, &b"abc"[..], Some(true))
        );
    }

    #[test]
    fn a_long_line_of_headers_without_an_end_is_kept_once() {
        for length in [100, 130, 131, 132, 133, 1000] {
            let line = [b"A: ".as_slice(), &vec![b'x'; length]].concat();
            let expected = (String::from_utf8(line.clone()).unwrap(), true, Vec::new(), Some(false));
            assert_eq!(whole(&[b"--b\r\n", line.as_slice()].concat()), [expected], "{length}");
            let mut scanner = Scanner::new(b"b").unwrap();
            let mut kept = 0;
            let mut emit = |event: Event<'_>| {
                if let Event::Begin { headers, .. } = event {
                    kept = headers.len();
                }
            };
            scanner.feed(b"--b\r\n", &mut emit);
            scanner.feed(&line, &mut emit);
            scanner.gap(&mut emit);
            assert_eq!(kept, line.len());
        }
        // Longer than the white space behind a delimiter may be.
        let line = [b"--b".as_slice(), &[b' '; 129]].concat();
        let expected = (String::from_utf8(line.clone()).unwrap(), true, Vec::new(), Some(false));
        assert_eq!(whole(&[b"--b\r\n", line.as_slice()].concat()), [expected]);
    }

    #[test]
    fn a_delimiter_among_long_headers_is_found() {
        let line = [b"A: ".as_slice(), &[b'x'; 1000], b"\r\n"].concat();
        let body = [b"--b\r\n", line.as_slice(), b"--b\r\n\r\nabc\r\n--b--"].concat();
        let parts = whole(&body);
        assert_eq!((parts.len(), parts[0].0.len()), (2, line.escape_ascii().count()));
        assert_eq!(parts[1], part("", b"abc", true));
    }

    #[test]
    fn a_gap_gives_what_was_held_back_and_goes_on() {
        let mut scanner = Scanner::new(b"b").unwrap();
        let mut data = Vec::new();
        let mut ends = 0;
        let mut emit = |event: Event<'_>| match event {
            Event::Data(more) => data.extend_from_slice(more),
            Event::End { complete } => ends += usize::from(complete),
            Event::Begin { headers, cut } => assert_eq!((headers, cut), (&b"A: 1\r\nB"[..], true)),
        };
        scanner.feed(b"--b\r\nA: 1\r\nB", &mut emit);
        scanner.gap(&mut emit);
        scanner.feed(b"x\r\n--", &mut emit);
        scanner.gap(&mut emit);
        scanner.feed(b"b\r\n--b--", &mut emit);
        scanner.feed(b"more", &mut emit);
        assert_eq!((&data[..], ends), (&b"x\r\n--b"[..], 1));
    }

    #[test]
    fn not_everything_can_be_a_boundary() {
        for boundary in [&b""[..], b"a\nb", b"\r", &[b'a'; MAX_BOUNDARY + 1]] {
            assert!(Scanner::new(boundary).is_none());
        }
        let long = [b'a'; MAX_BOUNDARY];
        let body = [b"--", &long[..], b"\r\n\r\nx\r\n--", &long[..], b"--"].concat();
        assert_eq!(parts(&long, [&body[..]]), [part("", b"x", true)]);
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        let words = [
            &b"--b"[..],
            b"\r\n--b\r\n",
            b"\r\n",
            b"\n",
            b"\r",
            b"-",
            b"--",
            b"--b--",
            b"b",
            b" ",
            b"A: 1",
            b"\r\n\r\n",
        ];
        prop::collection::vec(prop::sample::select(words.to_vec()), 0..14).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn any_pieces_give_the_same(bytes in text(), first in 0..30usize, size in 1..8usize) {
            let (front, rest) = bytes.split_at(first.min(bytes.len()));
            let pieces = std::iter::once(front).chain(rest.chunks(size));
            prop_assert_eq!(parts(b"b", pieces), parts(b"b", [&bytes[..]]));
        }

        #[test]
        fn gives_back_the_parts_that_were_written(
            contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..5), size in 1..80usize,
        ) {
            let mut body = Vec::new();
            for content in &contents {
                body.extend_from_slice(b"--boundary\r\nA: 1\r\n\r\n");
                body.extend_from_slice(content);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(b"--boundary--\r\n");
            let expected: Parts = contents.iter().map(|content| part("A: 1\r\n", content, true)).collect();
            prop_assert_eq!(parts(b"boundary", body.chunks(size)), expected);
        }
    }
}
