//! Bodies in chunks (RFC 9112, 7.1): a few words of state, no buffer, whatever pieces they come in.

/// Longest line with the size of a chunk, extensions and all, as long as any server takes.
pub const MAX_SIZE_LINE: u32 = 16 * 1024;

/// Most bytes of trailers.
pub const MAX_TRAILERS: u32 = 64 * 1024;

/// A body in chunks, as far as it was read.
#[derive(Clone, Debug)]
pub struct Chunked {
    state: State,
    /// Digits of the size and bytes of extensions, then bytes of trailers.
    line: u32,
    bare_lf: bool,
}

/// What the next bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Content.
    Data(&'a [u8]),
    /// Bytes of the block of trailers, which may come in several pieces: with the ends of lines, and the empty line
    /// at the end.
    Trailers(&'a [u8]),
    /// The body is over; what follows is another message.
    End,
    /// All bytes are taken, and more are needed.
    NeedMore,
    /// This is no chunked body, or one that was damaged. Nothing behind it can be read by its framing.
    Problem(Problem),
}

/// Why chunks cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A line that begins with no hexadecimal digit where a size is due.
    NoSize,
    /// A size followed by what is neither an extension nor the end of the line.
    BadSize,
    /// A size of more than 64 bits.
    SizeTooLarge,
    /// A line longer than [`MAX_SIZE_LINE`].
    LineTooLong,
    /// Something other than an end of the line behind the data of a chunk.
    NoEndOfData,
    /// More than [`MAX_TRAILERS`].
    TrailersTooLong,
}

impl Problem {
    /// In a few words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoSize => "no chunk size",
            Self::BadSize => "bad chunk size",
            Self::SizeTooLarge => "chunk size too large",
            Self::LineTooLong => "chunk size line too long",
            Self::NoEndOfData => "no end of line behind chunk data",
            Self::TrailersTooLong => "trailers too long",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Digits of a size; whether there was one.
    Size { size: u64, digit: bool },
    /// White space behind the digits.
    Padding { size: u64 },
    /// Extensions, which nothing is made of.
    Extension { size: u64, cr: bool },
    /// CR behind a size.
    SizeCr { size: u64 },
    /// So many bytes of data are to come; at least one.
    Data { left: u64 },
    /// The end of the line behind the data.
    DataEnd { cr: bool },
    /// Trailers; what stands in the line so far.
    Trailers(TrailerLine),
    /// The body is over.
    End,
    /// It cannot be read.
    Broken(Problem),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TrailerLine {
    Empty,
    Cr,
    Text,
}

impl Default for Chunked {
    fn default() -> Self {
        Self::new()
    }
}

impl Chunked {
    /// Before the first chunk.
    pub fn new() -> Self {
        Self { state: State::Size { size: 0, digit: false }, line: 0, bare_lf: false }
    }

    /// What comes next, and takes it from the front of `bytes`. To be called again until [`Step::NeedMore`],
    /// [`Step::End`] or [`Step::Problem`], which say the same on every further call.
    pub fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Step<'a> {
        loop {
            match self.state {
                State::End => return Step::End,
                State::Broken(problem) => return Step::Problem(problem),
                _ if bytes.is_empty() => return Step::NeedMore,
                State::Data { left } => return Step::Data(self.data(left, bytes)),
                State::Trailers(line) => {
                    let trailers = self.trailers(line, bytes);
                    if !trailers.is_empty() {
                        return Step::Trailers(trailers);
                    }
                }
                _ => {
                    let Some((byte, rest)) = bytes.split_first() else { return Step::NeedMore };
                    if self.line_byte(*byte) {
                        *bytes = rest;
                    }
                }
            }
        }
    }

    /// `missing` bytes will never come. Says whether they all belong to the data of the present chunk, so that the body
    /// goes on behind them; else nothing changes, and where it goes on is unknown.
    #[must_use]
    pub fn skip(&mut self, missing: u64) -> bool {
        match self.state {
            State::Data { left } if missing <= left => {
                self.state = after_data(left - missing);
                true
            }
            _ => missing == 0,
        }
    }

    /// Whether a line of its framing ended with LF alone.
    pub fn has_bare_lf(&self) -> bool {
        self.bare_lf
    }

    fn data<'a>(&mut self, left: u64, bytes: &mut &'a [u8]) -> &'a [u8] {
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let (data, rest) = bytes.split_at_checked(length).unwrap_or((bytes, &[]));
        *bytes = rest;
        self.state = after_data(left - data.len() as u64);
        data
    }

    /// Deals with a byte outside data and trailers; says whether it was taken.
    fn line_byte(&mut self, byte: u8) -> bool {
        self.line += 1;
        if self.line > MAX_SIZE_LINE {
            return self.broken(Problem::LineTooLong);
        }
        self.state = match (self.state, byte) {
            (State::Size { size, .. }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                if size.leading_zeros() < 4 {
                    return self.broken(Problem::SizeTooLarge);
                }
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                State::Size { size: size << 4 | u64::from(digit), digit: true }
            }
            (State::Size { digit: false, .. }, _) => return self.broken(Problem::NoSize),
            (
                State::Size { size, .. } | State::Padding { size } | State::Extension { size, cr: false },
                b'\n',
            ) => {
                self.bare_lf = true;
                self.after_size(size)
            }
            (State::SizeCr { size } | State::Extension { size, cr: true }, b'\n') => self.after_size(size),
            (State::Size { size, .. } | State::Padding { size }, b'\r') => State::SizeCr { size },
            (State::Size { size, .. } | State::Padding { size }, b' ' | b'\t') => State::Padding { size },
            (State::Size { size, .. } | State::Padding { size }, b';') => {
                State::Extension { size, cr: false }
            }
            (State::Extension { size, .. }, byte) => State::Extension { size, cr: byte == b'\r' },
            (State::DataEnd { cr: false }, b'\r') => State::DataEnd { cr: true },
            (State::DataEnd { cr }, b'\n') => {
                self.bare_lf |= !cr;
                self.line = 0;
                State::Size { size: 0, digit: false }
            }
            (State::DataEnd { .. }, _) => return self.broken(Problem::NoEndOfData),
            _ => return self.broken(Problem::BadSize),
        };
        true
    }

    fn after_size(&mut self, size: u64) -> State {
        self.line = 0;
        if size == 0 { State::Trailers(TrailerLine::Empty) } else { State::Data { left: size } }
    }

    /// Takes trailers up to their empty line.
    fn trailers<'a>(&mut self, mut line: TrailerLine, bytes: &mut &'a [u8]) -> &'a [u8] {
        let room = (MAX_TRAILERS - self.line) as usize;
        let mut length = 0;
        for byte in bytes.iter().take(room) {
            length += 1;
            line = match (line, byte) {
                (TrailerLine::Empty | TrailerLine::Cr, b'\n') => {
                    self.bare_lf |= line == TrailerLine::Empty;
                    self.state = State::End;
                    return take(bytes, length);
                }
                (TrailerLine::Text, b'\n') => TrailerLine::Empty,
                (TrailerLine::Empty, b'\r') => TrailerLine::Cr,
                _ => TrailerLine::Text,
            };
        }
        self.line += length as u32;
        self.state = State::Trailers(line);
        if length < bytes.len() {
            self.broken(Problem::TrailersTooLong);
        }
        take(bytes, length)
    }

    fn broken(&mut self, problem: Problem) -> bool {
        self.state = State::Broken(problem);
        false
    }
}

fn after_data(left: u64) -> State {
    if left == 0 { State::DataEnd { cr: false } } else { State::Data { left } }
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at_checked(length).unwrap_or((bytes, &[]));
    *bytes = rest;
    taken
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Everything that comes of a body in pieces: data, trailers, how it ended, and how much was left over.
    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Vec<u8>, Step<'static>, usize) {
        let mut chunked = Chunked::new();
        let (mut data, mut trailers, mut end, mut left) = (Vec::new(), Vec::new(), Step::NeedMore, 0);
        for mut bytes in pieces {
            loop {
                match chunked.next(&mut bytes) {
                    Step::Data(more) => data.extend_from_slice(more),
                    Step::Trailers(more) => trailers.extend_from_slice(more),
                    Step::End => end = Step::End,
                    Step::Problem(problem) => end = Step::Problem(problem),
                    Step::NeedMore => {
                        assert!(bytes.is_empty());
                        break;
                    }
                }
                if end != Step::NeedMore {
                    left += bytes.len();
                    break;
                }
            }
        }
        (data, trailers, end, left)
    }

    fn whole(bytes: &[u8]) -> (Vec<u8>, Vec<u8>, Step<'static>, usize) {
        read([bytes])
    }

    #[test]
    fn reads_chunks_and_leaves_what_follows() {
        assert_eq!(
            whole(b"4\r\nWiki\r\n6\r\npedia \r\nE\r\nin \r\n\r\nchunks.\r\n0\r\n\r\nHTTP/1.1"),
            (b"Wikipedia in \r\n\r\nchunks.".to_vec(), b"\r\n".to_vec(), Step::End, 8)
        );
    }

    #[test]
    fn reads_extensions_padding_zeros_and_lines_with_lf_alone() {
        for bytes in [
            &b"3;a=b;c=\"d\"\r\nabc\r\n0;x\r\n\r\n"[..],
            b"3  \r\nabc\r\n0 \t\r\n\r\n",
            b"3 ;a\r\nabc\r\n0\r\n\r\n",
            b"000000000000000000003\r\nabc\r\n000\r\n\r\n",
            b"3;\rx\r\r\nabc\r\n0\r\n\r\n",
        ] {
            let (data, _, end, left) = whole(bytes);
            assert_eq!((&data[..], end, left), (&b"abc"[..], Step::End, 0), "{}", bytes.escape_ascii());
        }
        let mut chunked = Chunked::new();
        let mut bytes = &b"3\nabc\n0\n\n"[..];
        assert_eq!(chunked.next(&mut bytes), Step::Data(b"abc"));
        assert_eq!(chunked.next(&mut bytes), Step::Trailers(b"\n"));
        assert_eq!(chunked.next(&mut bytes), Step::End);
        assert!(chunked.has_bare_lf());
    }

    #[test]
    fn gives_trailers() {
        let (data, trailers, end, left) = whole(b"0\r\nA: b\r\nC: d\r\n\r\nx");
        assert_eq!((data.len(), &trailers[..], end, left), (0, &b"A: b\r\nC: d\r\n\r\n"[..], Step::End, 1));
    }

    #[test]
    fn says_what_cannot_be_read() {
        for (bytes, problem) in [
            (&b"\r\n"[..], Problem::NoSize),
            (b"x\r\n", Problem::NoSize),
            (b"-1\r\n", Problem::NoSize),
            (b" 3\r\nabc", Problem::NoSize),
            (b"0x3\r\nabc", Problem::BadSize),
            (b"3 3\r\nabc", Problem::BadSize),
            (b"3\rabc", Problem::BadSize),
            (b"10000000000000000\r\n", Problem::SizeTooLarge),
            (b"3\r\nabcd\r\n", Problem::NoEndOfData),
            (b"3\r\nabc\r\r\n", Problem::NoEndOfData),
            (b"3\r\nabc0\r\n\r\n", Problem::NoEndOfData),
        ] {
            assert_eq!(whole(bytes).2, Step::Problem(problem), "{}", bytes.escape_ascii());
        }
        assert_eq!(whole(b"ffffffffffffffff\r\nabc").2, Step::NeedMore);
    }

    #[test]
    fn lines_and_trailers_are_bounded() {
        let line = [b"3;".as_slice(), &vec![b'a'; MAX_SIZE_LINE as usize]].concat();
        assert_eq!(whole(&line).2, Step::Problem(Problem::LineTooLong));
        let zeros = vec![b'0'; MAX_SIZE_LINE as usize + 1];
        assert_eq!(whole(&zeros).2, Step::Problem(Problem::LineTooLong));
        let trailers = [b"0\r\n".as_slice(), &b"A: b\r\n".repeat(MAX_TRAILERS as usize / 6 + 1)].concat();
        let (_, kept, end, _) = whole(&trailers);
        assert_eq!((kept.len(), end), (MAX_TRAILERS as usize, Step::Problem(Problem::TrailersTooLong)));
    }

    #[test]
    fn many_chunks_are_no_long_line() {
        let body = [b"1\r\na\r\n".repeat(MAX_SIZE_LINE as usize).as_slice(), b"0\r\n\r\n"].concat();
        assert_eq!(whole(&body).2, Step::End);
    }

    #[test]
    fn skips_what_is_missing_within_a_chunk_only() {
        let mut chunked = Chunked::new();
        assert!(!chunked.skip(1));
        let mut bytes = &b"a\r\n012"[..];
        assert_eq!(chunked.next(&mut bytes), Step::Data(b"012"));
        assert!(chunked.skip(2));
        assert!(!chunked.skip(6));
        assert!(chunked.skip(5));
        assert!(!chunked.skip(1));
        let mut bytes = &b"\r\n1\r\nx"[..];
        assert_eq!(chunked.next(&mut bytes), Step::Data(b"x"));
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        let words =
            [&b"3"[..], b"\r\n", b"abc", b"0", b"\n", b"\r", b";a", b"3\r\nabc\r\n", b"0\r\n", b" ", b"A: b"];
        prop::collection::vec(prop::sample::select(words.to_vec()), 0..12).prop_map(|words| words.concat())
    }

    proptest! {
        #[test]
        fn any_pieces_give_the_same(bytes in text(), size in 1..5usize) {
            prop_assert_eq!(read(bytes.chunks(size)), whole(&bytes));
        }

        #[test]
        fn gives_back_what_was_written_in_chunks(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8), size in 1..20usize,
        ) {
            let mut body = Vec::new();
            for part in &parts {
                body.extend_from_slice(format!("{:X}\r\n", part.len()).as_bytes());
                body.extend_from_slice(part);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(b"0\r\n\r\n");
            prop_assert_eq!(read(body.chunks(size)), (parts.concat(), b"\r\n".to_vec(), Step::End, 0));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            whole(&bytes);
        }
    }
}
