//! Texts: which bytes are one, and what is written in it.

use std::borrow::Cow;

use memchr::memmem;

mod json;
mod markup;
mod script;

/// How characters are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// ASCII, UTF-8, or one of the many that hold ASCII; where its text begins behind the mark.
    Bytes(usize),
    /// Two or four bytes a character: size, where the low one is, and where the text begins.
    Wide { size: usize, low: usize, begin: usize },
}

impl Encoding {
    /// The encoding of `head`, if it is a text.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        let wide = |size, low, begin| Some(Self::Wide { size, low, begin });
        match head {
            [0xff, 0xfe, 0, 0, ..] => return wide(4, 0, 4),
            [0, 0, 0xfe, 0xff, ..] => return wide(4, 3, 4),
            [0xff, 0xfe, ..] => return wide(2, 0, 2).filter(|_| is_wide_text(head, 0)),
            [0xfe, 0xff, ..] => return wide(2, 1, 2).filter(|_| is_wide_text(head, 1)),
            // Without a mark: eight characters of ASCII.
            [_, 0, _, 0, _, 0, _, 0, _, 0, _, 0, _, 0, _, 0, ..] if is_wide_text(head, 0) => {
                return wide(2, 0, 0);
            }
            [0, _, 0, _, 0, _, 0, _, 0, _, 0, _, 0, _, 0, _, ..] if is_wide_text(head, 1) => {
                return wide(2, 1, 0);
            }
            _ => {}
        }
        // Blocks without a way out in their midst are tested many bytes at a time.
        if head.chunks(64).any(|block| block.iter().fold(false, |found, &byte| found | is_control(byte))) {
            return None;
        }
        if let Some(text) = head.strip_prefix(b"\xef\xbb\xbf") {
            return Some(Self::Bytes(head.len() - text.len()));
        }
        match std::str::from_utf8(head) {
            Ok(_) => Some(Self::Bytes(0)),
            // The head ends within a character.
            Err(error) if error.error_len().is_none() => Some(Self::Bytes(0)),
            // One byte a character: mostly ASCII all the same, and none of the controls of ISO 8859.
            Err(_) => {
                let high = head.iter().filter(|byte| !byte.is_ascii()).count();
                (high * 4 <= head.len() || head.first_chunk::<10>().is_some_and(|ten| ten.is_ascii()))
                    .then_some(Self::Bytes(0))
            }
        }
    }
}

/// Bytes that no text has: most of the controls (as in the WHATWG's MIME Sniffing, 3).
fn is_control(byte: u8) -> bool {
    matches!(byte, 0..=8 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f | 0x7f)
}

/// Whether no unit of two bytes is a control, and some are ASCII.
fn is_wide_text(head: &[u8], low: usize) -> bool {
    let mut ascii = 0;
    let (units, _) = head.as_chunks::<2>();
    for &[first, second] in units {
        let (high, low) = if low == 0 { (second, first) } else { (first, second) };
        if high == 0 {
            if is_control(low) {
                return false;
            }
            ascii += 1;
        }
    }
    ascii > 0
}

/// Comments passed over at the front of a text.
const COMMENTS: usize = 64;

/// What a text is. Never nothing: a text is at least plain.
pub(super) fn kind(head: &[u8], encoding: Encoding) -> &'static str {
    let text: Cow<'_, [u8]> = match encoding {
        Encoding::Bytes(begin) => head.get(begin..).unwrap_or_default().into(),
        // Characters beyond ASCII do not matter for what is asked below.
        Encoding::Wide { size, low, begin } => head
            .get(begin..)
            .unwrap_or_default()
            .chunks_exact(size)
            .map(|unit| {
                let others = unit.iter().enumerate().any(|(place, &byte)| place != low && byte != 0);
                if others { b'?' } else { unit.get(low).copied().unwrap_or(b'?') }
            })
            .collect(),
    };
    let text = text.trim_ascii_start();
    by_beginning(text)
        .or_else(|| markup::kind(text))
        .or_else(|| json::kind(text))
        .or_else(|| mail(text))
        .or_else(|| script::kind(text))
        .unwrap_or("text/plain")
}

/// Words that a text of some kind must begin with, in any case.
static BEGINNINGS: &[(&[u8], &str)] = &[
    (b"-----begin pgp message-----", "application/pgp"),
    (b"-----begin pgp signature-----", "application/pgp-signature"),
    (b"-----begin pgp public key block-----", "application/pgp-keys"),
    (b"-----begin pgp private key block-----", "application/pgp-keys"),
    (b"-----begin ", "application/x-pem"),
    (b"%!ps", "application/postscript"),
    (b"{\\rtf", "text/rtf"),
    (b"#extm3u", "application/vnd.apple.mpegurl"),
    (b"#vrml", "model/vrml"),
    (b"begin:vcard", "text/x-vcard"),
    (b"begin:vcalendar", "text/calendar"),
    (b"webvtt", "text/vtt"),
    (b"warc/", "application/warc"),
    (b"windows registry editor version", "text/x-ms-regedit"),
    (b"regedit4", "text/x-ms-regedit"),
    (b"[internetshortcut]", "application/x-mswinurl"),
    (b"[autorun]", "application/x-setupscript"),
    (b"d8:announce", "application/x-bittorrent"),
    (b"@echo off", "text/x-msdos-batch"),
    (b"@rem", "text/x-msdos-batch"),
    (b"@set ", "text/x-msdos-batch"),
    (b"diff --git ", "text/x-diff"),
    (b"diff -", "text/x-diff"),
    (b"index: ", "text/x-diff"),
    (b"only in ", "text/x-diff"),
    (b"\\documentclass", "text/x-tex"),
    (b"<%@", "text/x-asp"),
    (b"dnl ", "text/x-m4"),
    (b"solid ", "application/sla"),
];

fn by_beginning(text: &[u8]) -> Option<&'static str> {
    if let Some(line) = text.strip_prefix(b"#!") {
        return script::by_interpreter(line);
    }
    if let Some(rest) = text.strip_prefix(b"--- ")
        && let Some(end) = memchr::memchr(b'\n', rest)
        && rest.get(end + 1..).is_some_and(|line| line.starts_with(b"+++ "))
    {
        return Some("text/x-diff");
    }
    let first = text.first()?.to_ascii_lowercase();
    BEGINNINGS
        .iter()
        .filter(|(word, _)| word.first() == Some(&first))
        .find(|(word, _)| text.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word)))
        .map(|(_, kind)| *kind)
}

/// A message of mail (RFC 5322): a header that only mail begins with, and an address, a date or a version in it.
fn mail(text: &[u8]) -> Option<&'static str> {
    static FIELDS: &[&[u8]] =
        &[b"received: ", b"return-path: ", b"delivered-to: ", b"mime-version: ", b"message-id: ", b"from: "];
    let begins = |word: &&&[u8]| text.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word));
    let field = FIELDS.iter().find(begins)?;
    let line = text.split(|&byte| byte == b'\n').next()?;
    let plausible = match *field {
        b"from: " => memchr::memchr(b'@', line).is_some() && memmem::find(text, b"\nTo: ").is_some(),
        b"mime-version: " => memmem::find(line, b"1.0").is_some(),
        _ => true,
    };
    plausible.then_some("message/rfc822")
}
