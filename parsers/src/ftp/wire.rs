//! Lines of a control connection (RFC 959, 4 and 5): what a command or a reply says, without state.

use memchr::{memchr, memchr2};

/// Longest line that is read; the rest of a longer one is passed over. It is as long as a text of a row.
pub const MAX_LINE: usize = 64 * 1024;

/// Longest command; what a longer word has beyond that is shown as its argument. The longest that are known have seven
/// letters.
pub const MAX_VERB: usize = 64;

/// Interpret as command: what follows is one of Telnet (RFC 854).
const IAC: u8 = 255;

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command<'a> {
    /// Its word, as sent.
    pub verb: &'a [u8],
    /// What follows it behind a blank.
    pub arg: Option<&'a [u8]>,
    /// Blanks stood in front of it.
    pub is_indented: bool,
}

/// A line of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyLine<'a> {
    /// 100 to 699.
    pub code: u16,
    /// Another line follows.
    pub has_more: bool,
    /// What stands behind the code.
    pub text: &'a [u8],
}

/// A line that Telnet was taken out of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stripped {
    /// What is left.
    pub text: Vec<u8>,
    /// A command of Telnet stood within the first word: somebody hides it.
    pub splits_word: bool,
}

/// What a look at the front of a direction finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A line.
    Whole {
        /// It without its end.
        text: &'a [u8],
        /// Bytes that it takes with that.
        length: usize,
        /// It ended with LF alone.
        is_bare: bool,
    },
    /// The first [`MAX_LINE`] bytes of a longer one.
    Cut(&'a [u8]),
    /// It has no end yet.
    Unfinished,
}

/// The line in front. `scanned`: how far its end has been looked for, kept by the caller.
pub fn line<'a>(bytes: &'a [u8], scanned: &mut usize) -> Line<'a> {
    let within = bytes.get(..=MAX_LINE).unwrap_or(bytes);
    match memchr(b'\n', within.get(*scanned..).unwrap_or_default()) {
        Some(at) => {
            let end = *scanned + at;
            *scanned = 0;
            let line = bytes.get(..end).unwrap_or_default();
            let carriage_returns = line.iter().rev().take_while(|byte| **byte == b'\r').count();
            let text = line.get(..end - carriage_returns).unwrap_or_default();
            Line::Whole { text, length: end + 1, is_bare: carriage_returns == 0 }
        }
        None if bytes.len() > MAX_LINE => {
            *scanned = 0;
            Line::Cut(bytes.get(..MAX_LINE).unwrap_or_default())
        }
        None => {
            *scanned = bytes.len();
            Line::Unfinished
        }
    }
}

/// A line without what is Telnet's: commands in front of and within the first word are left out, a doubled 255 is one.
/// Behind the first word nothing else is, because clients send names in 8-bit character sets as they are, and 255 is a
/// letter in many. None: there was none.
pub fn without_telnet(line: &[u8]) -> Option<Stripped> {
    memchr(IAC, line)?;
    let mut text = Vec::with_capacity(line.len());
    let mut splits_word = false;
    let mut rest = line;
    let mut is_in_word = true;
    while let [first, behind @ ..] = rest {
        let skipped = match (*first, behind) {
            (IAC, [IAC, ..]) => {
                text.push(IAC);
                2
            }
            (IAC, _) if is_in_word => {
                splits_word |= !text.is_empty();
                telnet_command(behind)
            }
            (byte, _) => {
                is_in_word &= !is_blank(byte) || text.is_empty();
                text.push(byte);
                1
            }
        };
        rest = rest.get(skipped..).unwrap_or_default();
    }
    Some(Stripped { text, splits_word })
}

/// Bytes of a command of Telnet, whose first byte stands before `behind`.
fn telnet_command(behind: &[u8]) -> usize {
    match behind {
        // Subnegotiation, up to its end (RFC 855).
        [250, ..] => match memchr::memmem::find(behind, &[IAC, 240]) {
            Some(at) => 1 + at + 2,
            None => 1 + behind.len(),
        },
        // WILL, WON'T, DO, DON'T and the option.
        [251..=254, _, ..] => 3,
        [240..=254, ..] => 2,
        // What followed was urgent and came another way.
        _ => 1,
    }
}

/// The command of a line; none of one that is blank.
pub fn command(line: &[u8]) -> Option<Command<'_>> {
    let indent = line.iter().take_while(|byte| is_blank(**byte)).count();
    let line = line.get(indent..)?;
    if line.is_empty() {
        return None;
    }
    let end = memchr2(b' ', b'\t', line).unwrap_or(line.len());
    let (verb, arg) = if end > MAX_VERB {
        (line.get(..MAX_VERB)?, line.get(MAX_VERB..))
    } else {
        (line.get(..end)?, line.get(end + 1..))
    };
    Some(Command { verb, arg, is_indented: indent > 0 })
}

/// What a line says as one of a reply: three digits, and a blank or a hyphen or nothing behind them (RFC 959, 4.2).
pub fn reply_line(line: &[u8]) -> Option<ReplyLine<'_>> {
    let [hundreds @ b'1'..=b'6', tens @ b'0'..=b'9', ones @ b'0'..=b'9', rest @ ..] = line else {
        return None;
    };
    let code = [hundreds, tens, ones].iter().fold(0, |code, digit| code * 10 + u16::from(**digit - b'0'));
    let (has_more, text) = match rest {
        [] => (false, rest),
        [b' ' | b'\t', text @ ..] => (false, text),
        [b'-', text @ ..] => (true, text),
        _ => return None,
    };
    Some(ReplyLine { code, has_more, text })
}

/// Whether a line that is none of a reply was meant to be one: it begins with digits.
pub fn is_attempt(line: &[u8]) -> bool {
    line.first().is_some_and(u8::is_ascii_digit)
}

/// The name that a server gave to what STOU stores: `FILE: name` (RFC 1123, 4.1.2.9), `unique file name:name`, or the
/// first part in quotes.
pub fn stored_name(text: &[u8]) -> Option<&[u8]> {
    let behind = |mark: &[u8]| {
        let at = text.windows(mark.len()).position(|part| part.eq_ignore_ascii_case(mark))?;
        let name = text.get(at + mark.len()..)?.trim_ascii();
        Some(name.get(..memchr2(b'\n', b')', name).unwrap_or(name.len()))?.trim_ascii())
    };
    let quoted = |quote: u8| {
        let name = text.get(memchr(quote, text)? + 1..)?;
        name.get(..memchr(quote, name)?)
    };
    [behind(b"unique file name:"), behind(b"FILE:"), quoted(b'"'), quoted(b'\'')]
        .into_iter()
        .flatten()
        .find(|name| !name.is_empty())
}

/// The size of the file that a reply to RETR tells: `(77 bytes)`.
pub fn announced_size(text: &[u8]) -> Option<u64> {
    let end = memchr::memmem::rfind(text, b" bytes)")?;
    let digits = text.get(memchr::memrchr(b'(', text.get(..end)?)? + 1..end)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(line: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
        command(line).map(|command| (command.verb, command.arg))
    }

    #[test]
    fn a_command_is_a_word_and_what_follows_one_blank() {
        assert_eq!(words(b"QUIT"), Some((&b"QUIT"[..], None)));
        assert_eq!(words(b"CWD "), Some((&b"CWD"[..], Some(&b""[..]))));
        assert_eq!(words(b"RETR  a b "), Some((&b"RETR"[..], Some(&b" a b "[..]))));
        assert_eq!(words(b"pass\tx"), Some((&b"pass"[..], Some(&b"x"[..]))));
        assert_eq!(words(b" NOOP"), Some((&b"NOOP"[..], None)));
        assert!(command(b" NOOP").unwrap().is_indented);
        assert_eq!(words(b" \t"), None);
        assert_eq!(words(b""), None);
    }

    #[test]
    fn of_a_long_word_nothing_is_lost() {
        let line = [b'A'; MAX_VERB + 3];
        assert_eq!(words(&line), Some((&line[..MAX_VERB], Some(&b"AAA"[..]))));
    }

    #[test]
    fn lines_end_with_lf_with_or_without_cr() {
        let mut scanned = 0;
        let line = |bytes: &'static [u8], scanned: &mut usize| line(bytes, scanned);
        assert_eq!(
            line(b"QUIT\r\nX", &mut scanned),
            Line::Whole { text: b"QUIT", length: 6, is_bare: false }
        );
        assert_eq!(line(b"QUIT\n", &mut scanned), Line::Whole { text: b"QUIT", length: 5, is_bare: true });
        assert_eq!(
            line(b"A\rB\r\r\n", &mut scanned),
            Line::Whole { text: b"A\rB", length: 6, is_bare: false }
        );
        assert_eq!(line(b"QUI", &mut scanned), Line::Unfinished);
        assert_eq!(scanned, 3);
        assert_eq!(line(b"QUIT\r\n", &mut scanned), Line::Whole { text: b"QUIT", length: 6, is_bare: false });
        assert_eq!(scanned, 0);
    }

    #[test]
    fn a_line_is_cut_at_the_same_place_however_much_of_it_is_there() {
        let mut long = vec![b'a'; MAX_LINE];
        let mut scanned = 0;
        assert_eq!(line(&long, &mut scanned), Line::Unfinished);
        long.push(b'\n');
        assert!(matches!(line(&long, &mut scanned), Line::Whole { text, .. } if text.len() == MAX_LINE));
        long.pop();
        long.extend(b"a\n");
        assert_eq!(line(&long, &mut scanned), Line::Cut(&long[..MAX_LINE]));
    }

    #[test]
    fn telnet_is_left_out_before_and_within_the_word() {
        for (line, text) in [
            (&b"\xff\xf4\xff\xf2ABOR"[..], &b"ABOR"[..]),
            (b"\xff\xf4\xffABOR", b"ABOR"),
            (b"\xff\xfb\x01\xff\xfa\x01x\xff\xf0QUIT", b"QUIT"),
            (b"RE\xff\xf1TR a", b"RETR a"),
            (b"RETR a\xff\xffb", b"RETR a\xffb"),
            (b"RETR \xff\xf2\xe4", b"RETR \xff\xf2\xe4"),
            (b"\xff\xfaunfinished", b""),
        ] {
            let stripped = without_telnet(line).unwrap();
            assert_eq!(stripped.text, text, "{}", line.escape_ascii());
            assert_eq!(stripped.splits_word, line.starts_with(b"RE\xff"));
        }
        assert_eq!(without_telnet(b"QUIT"), None);
    }

    #[test]
    fn replies_have_three_digits() {
        let reply = |code, has_more, text| Some(ReplyLine { code, has_more, text });
        assert_eq!(reply_line(b"220 Hello"), reply(220, false, b"Hello"));
        assert_eq!(reply_line(b"220-Hello"), reply(220, true, b"Hello"));
        assert_eq!(reply_line(b"226"), reply(226, false, b""));
        assert_eq!(reply_line(b"631 abc"), reply(631, false, b"abc"));
        for line in [&b"22 x"[..], b"2200 x", b"099 x", b"700 x", b" 220 x", b"220:x", b""] {
            assert_eq!(reply_line(line), None, "{}", line.escape_ascii());
        }
        assert!(is_attempt(b"99 PASV") && !is_attempt(b" EPRT"));
    }

    #[test]
    fn the_name_of_what_is_stored_is_in_the_reply() {
        for (text, name) in [
            (&b"FILE: a b"[..], Some(&b"a b"[..])),
            (b"Opening data connection for \"x\".", Some(b"x")),
            (b"Transfer complete (unique file name:y.1).", Some(b"y.1")),
            (b"Ok to send data for 'z'", Some(b"z")),
            (b"FILE:\nUnique file name: q", Some(b"q")),
            (b"Ok to send data.", None),
        ] {
            assert_eq!(stored_name(text), name, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn a_reply_may_tell_the_size() {
        let text = b"Opening BINARY mode data connection for a (1).txt (77 bytes).";
        assert_eq!(announced_size(text), Some(77));
        assert_eq!(announced_size(b"(77 kbytes) (x bytes)"), None);
    }

    proptest! {
        #[test]
        fn a_line_is_the_same_however_often_its_end_was_looked_for(
            bytes in prop::collection::vec(prop::sample::select(b"ab\r\n \xff".to_vec()), 0..40),
        ) {
            let at_once = line(&bytes, &mut 0);
            let mut scanned = 0;
            for shown in 0..bytes.len() {
                if line(&bytes[..shown], &mut scanned) != Line::Unfinished {
                    break;
                }
            }
            prop_assert!(at_once == Line::Unfinished || line(&bytes, &mut 0) == at_once);
            prop_assert!(scanned <= bytes.len());
        }

        #[test]
        fn what_has_no_255_is_no_telnet(bytes in prop::collection::vec(0_u8..255, 0..40)) {
            prop_assert_eq!(without_telnet(&bytes), None);
            let mut doubled = b"A ".to_vec();
            doubled.extend(bytes.iter().flat_map(|byte| [*byte, IAC, IAC]));
            let expected: Vec<u8> = b"A ".iter().copied().chain(bytes.iter().flat_map(|byte| [*byte, IAC])).collect();
            prop_assert_eq!(without_telnet(&doubled).map_or(doubled, |stripped| stripped.text), expected);
        }
    }
}
