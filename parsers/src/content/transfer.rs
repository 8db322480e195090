//! Transfer encodings of mail (RFC 2045, 6): how bytes are made of text again, in whatever pieces it comes.
//!
//! Read as mail programs read them: what is no part of the encoding is passed over or left as it is, and told.

use memchr::memchr3;
use smallvec::SmallVec;

/// White space that may stand at the end of a line, which is none of the content; a longer run is content.
const MAX_BLANKS: usize = 256;

/// Most bytes that are handed on at once.
const PIECE: usize = 1536;

/// An encoding that there is something to undo of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Six bits a character (RFC 2045, 6.8).
    Base64,
    /// Text with a few bytes in hexadecimal (RFC 2045, 6.7).
    QuotedPrintable,
}

impl Encoding {
    /// By the value of Content-Transfer-Encoding; none of `7bit`, `8bit`, `binary` and what nobody knows.
    pub fn of(value: &[u8]) -> Option<Self> {
        let value = value.split(|byte| matches!(byte, b';' | b'(')).next().unwrap_or_default().trim_ascii();
        if value.eq_ignore_ascii_case(b"base64") {
            Some(Self::Base64)
        } else if value.eq_ignore_ascii_case(b"quoted-printable") {
            Some(Self::QuotedPrintable)
        } else {
            None
        }
    }
}

/// Content on its way back.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    is_odd: bool,
}

#[derive(Debug)]
enum State {
    /// Bits of the characters so far, and how many characters; whether padding was seen.
    Base64 {
        bits: u32,
        count: u8,
        is_padded: bool,
    },
    Quoted(Quoted),
}

/// Where in a line of quoted-printable text it is.
#[derive(Debug)]
enum Quoted {
    /// In text, behind so many blanks that may be the end of the line.
    Text(SmallVec<[u8; 16]>),
    /// Behind `=`, and what came since.
    Escape(SmallVec<[u8; 16]>),
}

impl Decoder {
    /// At the beginning.
    pub fn new(encoding: Encoding) -> Self {
        let state = match encoding {
            Encoding::Base64 => State::Base64 { bits: 0, count: 0, is_padded: false },
            Encoding::QuotedPrintable => State::Quoted(Quoted::Text(SmallVec::new())),
        };
        Self { state, is_odd: false }
    }

    /// Takes more of the text, and gives what it stands for. What it gives does not depend on the pieces, but for how it
    /// is cut.
    pub fn decode(&mut self, text: &[u8], give: &mut dyn FnMut(&[u8])) {
        let mut out = Gathered { bytes: [0; PIECE], length: 0, give };
        match &mut self.state {
            State::Base64 { bits, count, is_padded } => {
                let mut rest = text;
                loop {
                    if *count == 0 && !*is_padded {
                        rest = out.fours(rest);
                    }
                    let Some((byte, behind)) = rest.split_first() else { break };
                    rest = behind;
                    let Some(value) = value(*byte) else {
                        if *byte == b'=' {
                            // As many bytes as the characters make up; they may go on behind it, where texts were joined.
                            out.push(&left(bits, count, &mut self.is_odd));
                            *is_padded = true;
                        } else if !byte.is_ascii_whitespace() {
                            self.is_odd = true;
                        }
                        continue;
                    };
                    self.is_odd |= std::mem::take(is_padded);
                    *bits = *bits << 6 | u32::from(value);
                    *count += 1;
                    if *count == 4 {
                        let [_, bytes @ ..] = bits.to_be_bytes();
                        out.push(&bytes);
                        (*bits, *count) = (0, 0);
                    }
                }
            }
            State::Quoted(quoted) => quoted.decode(text, &mut self.is_odd, &mut out),
        }
        out.flush();
    }

    /// Bytes of the text will never come: what was begun is forgotten.
    pub fn gap(&mut self) {
        match &mut self.state {
            State::Base64 { bits, count, is_padded } => (*bits, *count, *is_padded) = (0, 0, false),
            State::Quoted(quoted) => *quoted = Quoted::Text(SmallVec::new()),
        }
    }

    /// The text is over: gives the rest. Says whether anything was odd about it.
    pub fn finish(mut self, give: &mut dyn FnMut(&[u8])) -> bool {
        match &mut self.state {
            State::Base64 { bits, count, .. } => {
                // Padding is often forgotten.
                let bytes = left(bits, count, &mut self.is_odd);
                if !bytes.is_empty() {
                    give(&bytes);
                }
            }
            // White space at the end is none of the content.
            State::Quoted(Quoted::Text(_)) => {}
            State::Quoted(Quoted::Escape(held)) => {
                // A line that goes on where nothing more comes.
                if !held.iter().all(|byte| byte.is_ascii_whitespace()) {
                    self.is_odd = true;
                    give(b"=");
                    give(held);
                }
            }
        }
        self.is_odd
    }
}

/// Content that is gathered to be handed on: whoever gets it does more with one piece than with many.
struct Gathered<'g> {
    bytes: [u8; PIECE],
    length: usize,
    give: &'g mut dyn FnMut(&[u8]),
}

impl Gathered<'_> {
    fn push(&mut self, bytes: &[u8]) {
        if self.length + bytes.len() > PIECE {
            self.flush();
        }
        match self.bytes.get_mut(self.length..).and_then(|room| room.get_mut(..bytes.len())) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.length += bytes.len();
            }
            None => (self.give)(bytes),
        }
    }

    fn flush(&mut self) {
        if let Some(bytes) =
            self.bytes.get(..std::mem::take(&mut self.length)).filter(|bytes| !bytes.is_empty())
        {
            (self.give)(bytes);
        }
    }

    /// Takes characters of base64 by fours, as far as nothing else is among them; gives what follows.
    fn fours<'t>(&mut self, mut text: &'t [u8]) -> &'t [u8] {
        loop {
            let (fours, _) = text.as_chunks::<4>();
            let (places, _) = self.bytes.get_mut(self.length..).unwrap_or_default().as_chunks_mut::<3>();
            let room = places.len();
            let mut taken = 0;
            for (place, four) in places.iter_mut().zip(fours) {
                let [a, b, c, d] = four.map(|byte| VALUES.get(usize::from(byte)).copied().unwrap_or(NONE));
                if (a | b | c | d) == NONE {
                    break;
                }
                let bits = u32::from(a) << 18 | u32::from(b) << 12 | u32::from(c) << 6 | u32::from(d);
                let [_, bytes @ ..] = bits.to_be_bytes();
                *place = bytes;
                taken += 1;
            }
            self.length += 3 * taken;
            text = text.get(4 * taken..).unwrap_or_default();
            if taken < room {
                return text;
            }
            self.flush();
        }
    }
}

/// The bytes of fewer than four characters.
fn left(bits: &mut u32, count: &mut u8, is_odd: &mut bool) -> SmallVec<[u8; 4]> {
    let (whole, left) = match count {
        2 => (*bits >> 4, 1),
        3 => (*bits >> 2, 2),
        // One alone makes no byte.
        1 => {
            *is_odd = true;
            (0, 0)
        }
        _ => (0, 0),
    };
    let bytes = whole.to_be_bytes();
    (*bits, *count) = (0, 0);
    bytes.get(bytes.len() - left..).unwrap_or_default().into()
}

/// What a character of base64 stands for.
fn value(byte: u8) -> Option<u8> {
    VALUES.get(usize::from(byte)).copied().filter(|value| *value != NONE)
}

/// Of a byte that is no character of base64: all bits, so that it shows among others.
const NONE: u8 = 0xff;

#[expect(clippy::indexing_slicing, reason = "evaluated when compiled, where a wrong index is an error")]
static VALUES: [u8; 256] = {
    const CHARACTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut values = [NONE; 256];
    let mut value = 0;
    while value < 64 {
        values[CHARACTERS[value] as usize] = value as u8;
        value += 1;
    }
    values
};

impl Quoted {
    fn decode(&mut self, mut text: &[u8], is_odd: &mut bool, out: &mut Gathered<'_>) {
        while let Some((byte, rest)) = text.split_first() {
            match self {
                Self::Text(blanks) => match byte {
                    b'=' => {
                        out.push(blanks);
                        blanks.clear();
                        if let Some((&[high, low], behind)) = rest.split_first_chunk()
                            && let (Some(high), Some(low)) = (digit(high), digit(low))
                        {
                            out.push(&[high << 4 | low]);
                            text = behind;
                        } else {
                            *self = Self::Escape(SmallVec::new());
                            text = rest;
                        }
                    }
                    b' ' | b'\t' => {
                        if blanks.len() == MAX_BLANKS {
                            out.push(blanks);
                            blanks.clear();
                        }
                        blanks.push(*byte);
                        text = rest;
                    }
                    b'\r' | b'\n' => {
                        blanks.clear();
                        out.push(std::slice::from_ref(byte));
                        text = rest;
                    }
                    _ => {
                        out.push(blanks);
                        blanks.clear();
                        // A word is handed on as it is.
                        let plain = memchr3(b'=', b'\r', b'\n', text).unwrap_or(text.len());
                        let line = text.get(..plain).unwrap_or_default();
                        let end =
                            line.iter().rposition(|byte| !b" \t".contains(byte)).map_or(0, |last| last + 1);
                        let (word, rest) = text.split_at_checked(end.max(1)).unwrap_or((text, &[]));
                        out.push(word);
                        text = rest;
                    }
                },
                Self::Escape(held) => {
                    let next = match (held.as_slice(), byte) {
                        ([], b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F')
                        | ([] | [b' ' | b'\t', ..], b' ' | b'\t' | b'\r')
                            if held.len() < MAX_BLANKS =>
                        {
                            held.push(*byte);
                            text = rest;
                            continue;
                        }
                        ([high], _) if digit(*high).is_some() && digit(*byte).is_some() => {
                            let (high, low) =
                                (digit(*high).unwrap_or_default(), digit(*byte).unwrap_or_default());
                            out.push(&[high << 4 | low]);
                            rest
                        }
                        // The line goes on: its end is none of the content.
                        (held, b'\n') if held.iter().all(u8::is_ascii_whitespace) => rest,
                        _ => {
                            *is_odd = true;
                            out.push(b"=");
                            out.push(held);
                            text
                        }
                    };
                    text = next;
                    *self = Self::Text(SmallVec::new());
                }
            }
        }
    }
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| digit.try_into().ok())
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use proptest::prelude::*;

    use super::*;

    /// What these pieces stand for, and whether they are odd.
    fn read<'p>(encoding: Encoding, pieces: impl IntoIterator<Item = &'p [u8]>) -> (Vec<u8>, bool) {
        let mut decoder = Decoder::new(encoding);
        let mut out = Vec::new();
        pieces.into_iter().for_each(|piece| decoder.decode(piece, &mut |bytes| out.extend_from_slice(bytes)));
        let is_odd = decoder.finish(&mut |bytes| out.extend_from_slice(bytes));
        (out, is_odd)
    }

    fn check(encoding: Encoding, cases: &[(&[u8], &[u8], bool)]) {
        for (text, content, is_odd) in cases {
            for size in [1, 2, 3, 100] {
                let read = read(encoding, text.chunks(size));
                assert_eq!(read, (content.to_vec(), *is_odd), "{} in pieces of {size}", text.escape_ascii());
            }
        }
    }

    #[test]
    fn base64_is_read_as_mail_programs_read_it() {
        check(
            Encoding::Base64,
            &[
                (b"", b"", false),
                (b"aGVsbG8=", b"hello", false),
                (b"aGVs\r\nbG8=\r\n\r\n", b"hello", false),
                (b" aGVs\tbG8 =", b"hello", false),
                // Without padding, with too much of it, with bits that are not zero.
                (b"aGVsbG8", b"hello", false),
                (b"aGVsbG8==", b"hello", false),
                (b"aGVsbG9=", b"hello", false),
                (b"aA==", b"h", false),
                // Joined texts, other characters, one that makes no byte.
                (b"aA==aA==", b"hh", true),
                (b"aG*Vs-bG8=", b"hello", true),
                (b"aGVsb", b"hel", true),
                (b"\xff\0", b"", true),
            ],
        );
    }

    #[test]
    fn quoted_printable_is_read_as_mail_programs_read_it() {
        check(
            Encoding::QuotedPrintable,
            &[
                (b"", b"", false),
                (b"h=C3=A4t\r\n", b"h\xc3\xa4t\r\n", false),
                (b"=3d=3D==3D", b"====", true),
                (b"a=\r\nb=\nc= \t\r\nd", b"abcd", false),
                // White space at the end of a line and of the text, and before what is no end.
                (b"a \t\r\nb  \nc d ", b"a\r\nb\nc d", false),
                (b"a =20\r\n =\r\n b", b"a  \r\n  b", false),
                (b"a\rb \rc", b"a\rb\rc", false),
                (b"=", b"", false),
                (b"=\r\n", b"", false),
                // What is no escape stays as it is.
                (b"a=b", b"a=b", true),
                (b"100=%", b"100=%", true),
                (b"x=4", b"x=4", true),
                (b"x=4 y", b"x=4 y", true),
                (b"x= y", b"x= y", true),
                (b"x=\ry", b"x=\ry", true),
            ],
        );
    }

    #[test]
    fn the_encoding_is_that_of_the_header_and_others_change_nothing() {
        for (value, encoding) in [
            (&b"Base64"[..], Some(Encoding::Base64)),
            (b" base64 ; x", Some(Encoding::Base64)),
            (b"base64 (by me)", Some(Encoding::Base64)),
            (b"QUOTED-PRINTABLE", Some(Encoding::QuotedPrintable)),
            (b"7bit", None),
            (b"binary", None),
            (b"x-uuencode", None),
            (b"", None),
        ] {
            assert_eq!(Encoding::of(value), encoding);
        }
    }

    #[test]
    fn blanks_are_held_back_up_to_a_bound() {
        let text = [&b"a"[..], &vec![b' '; 2 * MAX_BLANKS + 7], b"\n="].concat();
        let text = [text, vec![b' '; MAX_BLANKS + 9]].concat();
        let whole = read(Encoding::QuotedPrintable, [text.as_slice()]);
        assert_eq!(read(Encoding::QuotedPrintable, text.chunks(1)), whole);
    }

    #[test]
    fn a_gap_costs_what_was_begun() {
        let mut decoder = Decoder::new(Encoding::Base64);
        let mut out = Vec::new();
        decoder.decode(b"aGVsb", &mut |bytes| out.extend_from_slice(bytes));
        decoder.gap();
        decoder.decode(b"aGVs", &mut |bytes| out.extend_from_slice(bytes));
        assert!(!decoder.finish(&mut |bytes| out.extend_from_slice(bytes)));
        assert_eq!(out, b"helhel");
    }

    proptest! {
        #[test]
        fn base64_gives_back_what_was_written(content in prop::collection::vec(any::<u8>(), 0..9000), line in 1..80usize, size in 1..5000usize) {
            let text = base64::engine::general_purpose::STANDARD.encode(&content);
            let text = text.as_bytes().chunks(line).collect::<Vec<_>>().join(&b"\r\n"[..]);
            prop_assert_eq!(read(Encoding::Base64, text.chunks(size)), (content, false));
        }

        #[test]
        fn quoted_printable_gives_back_what_was_written(content in prop::collection::vec(any::<u8>(), 0..2500), line in 4..30usize, size in 1..50usize) {
            let words: Vec<String> = content.iter().map(|byte| match byte {
                b'!'..=b'<' | b'>'..=b'~' => char::from(*byte).to_string(),
                byte => format!("={byte:02X}"),
            }).collect();
            let text = words.chunks(line).map(<[String]>::concat).collect::<Vec<_>>().join("=\r\n");
            prop_assert_eq!(read(Encoding::QuotedPrintable, text.as_bytes().chunks(size)), (content, false));
        }

        #[test]
        fn any_pieces_give_the_same(text in "[=A-F0-9a \t\r\n]{0,40}", size in 1..6usize) {
            for encoding in [Encoding::Base64, Encoding::QuotedPrintable] {
                prop_assert_eq!(read(encoding, text.as_bytes().chunks(size)), read(encoding, [text.as_bytes()]));
            }
        }
    }
}
