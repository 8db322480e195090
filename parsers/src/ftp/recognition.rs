//! Whether first bytes are those of a control connection. FTP and SMTP greet alike, POP3 and IRC have commands of the same
//! names: on ports that do not hint at FTP only what is unmistakable counts, and until it comes more is asked for.

use memchr::{memchr, memmem};

use super::address;
use super::commands::{self, Kind};
use super::wire::{self, Command};
use crate::protocol::Verdict;

/// Bytes within which it has to show.
const WITHIN: usize = 1024;

/// Letters of the longest command that is known.
const LONGEST: usize = 7;

/// Looks at the first bytes of a direction, of whichever end.
pub(super) fn probe(bytes: &[u8], hinted: bool) -> Verdict {
    let is_text = |byte: &u8| matches!(byte, b'\t' | b'\r' | b' '..=126 | 128..);
    if !bytes.iter().take_while(|byte| **byte != b'\n').take(LONGEST).all(is_text) {
        return Verdict::No;
    }
    match bytes.first() {
        None => Verdict::NeedMore,
        Some(b'1'..=b'6') => lines(bytes, |place, line| server_line(place, line, hinted)),
        Some(byte) if byte.is_ascii_alphabetic() => lines(bytes, |_, line| client_line(line, hinted)),
        // An ABOR that begins as Telnet has it.
        Some(255) if hinted => lines(bytes, |_, line| client_line(line, hinted)),
        Some(_) => Verdict::No,
    }
}

/// Whether these are the first bytes of a server.
pub(super) fn is_server(bytes: &[u8]) -> bool {
    matches!(bytes, [b'1'..=b'6', ..]) && probe(bytes, true) == Verdict::Yes
}

/// Whether these are the first bytes of a client.
pub(super) fn is_client(bytes: &[u8]) -> bool {
    !matches!(bytes, [b'1'..=b'6', ..]) && probe(bytes, true) == Verdict::Yes
}

/// The verdict of the first line that has one: how many of them are there must not matter.
fn lines(bytes: &[u8], judge: impl Fn(usize, &[u8]) -> Verdict) -> Verdict {
    let within = bytes.get(..WITHIN).unwrap_or(bytes);
    let mut rest = within;
    let mut place = 0;
    while let Some(end) = memchr(b'\n', rest) {
        let line = rest.get(..end).unwrap_or_default();
        match judge(place, line) {
            Verdict::NeedMore => {}
            verdict => return verdict,
        }
        rest = rest.get(end + 1..).unwrap_or_default();
        place += 1;
    }
    let could_be = place > 0 || may_become_line(rest);
    if within.len() < WITHIN && could_be { Verdict::NeedMore } else { Verdict::No }
}

/// Whether the beginning of the first line can be that of a command or a reply.
fn may_become_line(rest: &[u8]) -> bool {
    match rest {
        [b'1'..=b'6', ..] => rest.get(3).is_none_or(|byte| matches!(byte, b' ' | b'-' | b'\t' | b'\r')),
        [255, ..] => true,
        _ => match rest.iter().position(|byte| matches!(byte, b' ' | b'\t' | b'\r')) {
            Some(end) => commands::kind(rest.get(..end).unwrap_or_default()) != Kind::Unknown,
            None => rest.len() <= LONGEST,
        },
    }
}

/// A line of a server; those within a greeting say what it serves, or nothing.
fn server_line(place: usize, line: &[u8], hinted: bool) -> Verdict {
    if contains(line, b"SMTP") || contains(line, b"smtp") {
        return Verdict::No;
    }
    let Some(reply) = wire::reply_line(line.strip_suffix(b"\r").unwrap_or(line)) else {
        return match place {
            0 => Verdict::No,
            _ if names_ftp(line) => Verdict::Yes,
            _ => Verdict::NeedMore,
        };
    };
    if hinted {
        return Verdict::Yes;
    }
    match reply.code {
        220 | 120 if names_ftp(reply.text) => Verdict::Yes,
        220 | 120 => Verdict::NeedMore,
        // Behind a greeting that says nothing: SMTP has none of these.
        215 | 230 | 331 | 332 if place > 0 => Verdict::Yes,
        227..=229 if address::of_reply(reply.code, reply.text).is_some() => Verdict::Yes,
        125 | 150 if contains(reply.text, b"data connection") => Verdict::Yes,
        _ => Verdict::No,
    }
}

/// A line of a client.
fn client_line(line: &[u8], hinted: bool) -> Verdict {
    let (line, is_plain) = match line.strip_suffix(b"\r") {
        Some(line) => (line, true),
        None => (line, false),
    };
    let stripped = wire::without_telnet(line);
    let Some(command) = wire::command(stripped.as_ref().map_or(line, |stripped| &stripped.text)) else {
        return Verdict::No;
    };
    let kind = commands::kind(command.verb);
    // IRC has commands of the same names; its last argument begins with a colon (RFC 1459, 2.3).
    let is_irc = kind == Kind::User && memmem::find(line, b" :").is_some();
    if kind == Kind::Unknown || is_irc || line.iter().any(|byte| matches!(byte, 0..=8 | 10..=31 | 127)) {
        return Verdict::No;
    }
    let is_upper = command.verb.iter().all(u8::is_ascii_uppercase);
    if hinted || is_plain && is_upper && is_unmistakable(kind, &command) {
        return Verdict::Yes;
    }
    // POP3 begins with USER and PASS too.
    Verdict::NeedMore
}

/// Commands that no other protocol has.
fn is_unmistakable(kind: Kind, command: &Command<'_>) -> bool {
    let arg = command.arg.unwrap_or_default();
    match kind {
        Kind::Passive | Kind::LongPassive | Kind::System => arg.is_empty(),
        Kind::ExtendedPassive => matches!(arg, b"" | b"1" | b"2" | b"ALL"),
        Kind::Port | Kind::ExtendedPort | Kind::LongPort => address::of_command(command.verb, arg).is_some(),
        Kind::User => arg == b"anonymous" || arg == b"ftp",
        Kind::Authenticate => matches!(arg, b"TLS" | b"TLS-C" | b"TLS-P" | b"SSL"),
        _ => match command.verb {
            b"FEAT" => arg.is_empty(),
            b"TYPE" => matches!(arg, b"A" | b"A N" | b"I" | b"L 8"),
            b"PROT" => matches!(arg, b"C" | b"P"),
            b"PBSZ" => arg == b"0",
            b"OPTS" => matches!(arg, b"UTF8" | b"UTF8 ON" | b"utf8 on"),
            _ => false,
        },
    }
}

/// Whether words of a greeting name FTP; the name of a host does not count, for hosts that serve FTP serve mail, too.
fn names_ftp(text: &[u8]) -> bool {
    text.split(|byte| byte.is_ascii_whitespace()).any(|word| {
        let is_host = word.windows(2).any(|two| matches!(two, [b'.', next] if next.is_ascii_alphabetic()));
        !is_host && word.windows(3).any(|three| three.eq_ignore_ascii_case(b"ftp"))
    })
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    memmem::find(bytes, part).is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn knows_a_control_connection_on_any_port() {
        for bytes in [
            &b"220 (vsFTPd 3.0.3)\r\n"[..],
            b"220 ftp.example.org FTP server ready.\r\n",
            b"220-Welcome\r\n220-to\r\n220 ProFTPD Server\r\n",
            b"220 ready\r\n331 Password required\r\n",
            b"227 Entering Passive Mode (10,0,0,2,7,138).\r\n",
            b"150 Opening BINARY mode data connection for a (3 bytes).\r\n",
            b"USER anonymous\r\n",
            b"USER bob\r\nPASS x\r\nSYST\r\n",
            b"AUTH TLS\r\n",
            b"PORT 10,0,0,2,7,138\r\n",
        ] {
            assert_eq!(probe(bytes, false), Verdict::Yes, "{}", bytes.escape_ascii());
            assert_eq!(probe(bytes, true), Verdict::Yes, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn what_only_begins_alike_is_left_to_others() {
        for bytes in [
            &b"220 mail.example.org ESMTP Postfix\r\n"[..],
            b"220 ftp.example.org SMTP ready\r\n",
            b"220 ready\r\n250 mail.example.org\r\n",
            b"EHLO a\r\n",
            b"GET / HTTP/1.1\r\n",
            b"NICK a\r\n",
            b"USER a b c :d\r\n",
            b"+OK ready\r\n",
            b"* OK ready\r\n",
            b"SSH-2.0-x\r\n",
            b"200 ready\r\n",
            b"\x16\x03\x01",
            b"200\0\0",
        ] {
            assert_eq!(probe(bytes, false), Verdict::No, "{}", bytes.escape_ascii());
        }
        // POP3, and greetings that may be either: it is waited for what follows.
        for bytes in [
            &b"USER bob\r\nPASS x\r\nSTAT\r\nRETR 1\r\n"[..],
            b"220 ready\r\n",
            b"220 ftp.example.org ready\r\n",
            b"pwd\n",
            b"PASV",
            b"2",
        ] {
            assert_eq!(probe(bytes, false), Verdict::NeedMore, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn its_ports_help_with_what_is_not_clear() {
        for bytes in [
            &b"220 ready\r\n"[..],
            b"421 Too many users\r\n",
            b"226 Transfer complete.\r\n",
            b"user bob\n",
            b"RETR a\xe4b\r\n",
            b"\xff\xf4\xff\xf2ABOR\r\n",
        ] {
            assert_eq!(probe(bytes, true), Verdict::Yes, "{}", bytes.escape_ascii());
        }
        for bytes in
            [&b"220 mail ESMTP\r\n"[..], b"EHLO a\r\n", b"\xff\xfd\x18\xff\xfd\x20\r\n", b"NOOP\x01\r\n"]
        {
            assert_eq!(probe(bytes, true), Verdict::No, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn nothing_is_waited_for_without_end() {
        assert_eq!(probe(&[b'2'; WITHIN], false), Verdict::No);
        assert_eq!(probe(&b"220-a\r\n".repeat(WITHIN), false), Verdict::No);
        assert_eq!(probe(&b"USER a\r\n".repeat(WITHIN), false), Verdict::No);
    }

    proptest! {
        #[test]
        fn a_verdict_stays_whatever_follows(
            parts in prop::collection::vec(prop::sample::select(vec![
                "220 ", "220-", "FTP", "ftp.a.b", "SMTP", "\r\n", "\n", "USER a", "PASV", "331 x", "250 ", "x", "\u{1}",
            ]), 0..12),
            hinted: bool,
        ) {
            let bytes = parts.concat().into_bytes();
            let mut last = Verdict::NeedMore;
            for shown in 0..=bytes.len() {
                let verdict = probe(&bytes[..shown], hinted);
                prop_assert!(last == Verdict::NeedMore || verdict == last, "{shown} {verdict:?}");
                last = verdict;
            }
        }
    }
}
