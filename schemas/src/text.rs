//! How bytes from the wire become text that can be turned back: `\xNN` for what is not printable UTF-8.

/// Longest string of a row, in bytes after escaping.
pub const MAX_TEXT: usize = 64 * 1024;

/// Most entries of a list of a row.
pub const MAX_LIST: usize = 1000;

/// Appends `bytes` to `out` as text: a byte that is not part of valid UTF-8 and a control character (C0, DEL, C1)
/// become `\xNN`; a backslash that is followed by `x` and two hex digits becomes `\x5c`; all else stays. Stops
/// before the text exceeds [`MAX_TEXT`] and returns whether it did.
pub fn escape(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    if bytes.len() <= MAX_TEXT && is_plain(bytes) {
        out.extend_from_slice(bytes);
        return false;
    }
    let end = out.len() + MAX_TEXT;
    for chunk in bytes.utf8_chunks() {
        for (at, character) in chunk.valid().char_indices() {
            let escaped = character.is_control()
                || character == '\\'
                    && looks_escaped(chunk.valid().as_bytes().get(at + 1..).unwrap_or_default());
            if out.len() + if escaped { 4 * character.len_utf8() } else { character.len_utf8() } > end {
                return true;
            }
            let mut utf8 = [0; 4];
            for &byte in character.encode_utf8(&mut utf8).as_bytes() {
                if escaped { push_hex(byte, out) } else { out.push(byte) }
            }
        }
        for &byte in chunk.invalid() {
            if out.len() + 4 > end {
                return true;
            }
            push_hex(byte, out);
        }
    }
    false
}

/// Whether all is printable ASCII and no backslash. A piece is looked at as a whole, which takes no branch for each byte;
/// the last ones may overlap.
pub(crate) fn is_plain(bytes: &[u8]) -> bool {
    all(bytes, |byte| (0x20..0x7f).contains(&byte) & (byte != b'\\'))
}

/// The same of lines with their ends.
pub(crate) fn are_plain_lines(bytes: &[u8]) -> bool {
    all(bytes, |byte| (0x20..0x7f).contains(&byte) & (byte != b'\\') | (byte == b'\r') | (byte == b'\n'))
}

#[inline(always)]
fn all(bytes: &[u8], is_plain: impl Fn(u8) -> bool) -> bool {
    let is_plain = |all: bool, byte: &u8| all & is_plain(*byte);
    let (pieces, rest) = bytes.as_chunks::<16>();
    if !pieces.iter().all(|piece| piece.iter().fold(true, is_plain)) {
        return false;
    }
    match (bytes.last_chunk::<16>(), bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(last), ..) => last.iter().fold(true, is_plain),
        (None, Some(first), Some(last)) => first.iter().chain(last).fold(true, is_plain),
        _ => rest.iter().fold(true, is_plain),
    }
}

/// Whether what follows a backslash would read as an escape of ours.
fn looks_escaped(after: &[u8]) -> bool {
    matches!(after, [b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

/// Appends `\xNN`.
pub fn push_hex(byte: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\\x");
    hex(&[byte], out);
}

/// Appends two digits a byte, in small letters.
pub fn hex(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    // Their room at once: digits that are appended ask for it one by one.
    out.resize(start + 2 * bytes.len(), 0);
    let (pairs, _) = out.get_mut(start..).unwrap_or_default().as_chunks_mut::<2>();
    for (pair, byte) in pairs.iter_mut().zip(bytes) {
        *pair = HEX.get(usize::from(*byte)).copied().unwrap_or_default();
    }
}

/// Every byte in two digits.
#[expect(clippy::indexing_slicing, reason = "evaluated when compiled, where a wrong index is an error")]
static HEX: [[u8; 2]; 256] = {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    pairs
};

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        escape(bytes, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn escapes_only_what_could_not_be_read_back() {
        for (bytes, text) in [
            (&b"plain text"[..], r"plain text"),
            (b"back\\slash", r"back\slash"),
            (b"\\x41", r"\x5cx41"),
            (b"\\x4g", r"\x4g"),
            (b"tab\tnul\0", r"tab\x09nul\x00"),
            ("grün".as_bytes(), "grün"),
            (b"\xff\xfe", r"\xff\xfe"),
            ("\u{85}".as_bytes(), r"\xc2\x85"),
        ] {
            assert_eq!(escaped(bytes), text);
        }
    }

    #[test]
    fn one_byte_is_enough_not_to_be_plain_wherever_it_is() {
        for length in 0..50 {
            let mut bytes = vec![b' '; length];
            assert!(is_plain(&bytes) && is_plain(&vec![b'~'; length]), "{length}");
            for place in 0..length {
                for odd in [0x1f, 0x7f, 0x80, b'\\'] {
                    bytes[place] = odd;
                    assert!(!is_plain(&bytes), "{odd:#x} at {place} of {length}");
                }
                bytes[place] = b' ';
            }
        }
    }

    #[test]
    fn stops_at_the_limit_and_says_so() {
        let mut out = Vec::new();
        assert!(escape(&vec![0xff; MAX_TEXT], &mut out));
        assert!(out.len() <= MAX_TEXT);
        out.clear();
        assert!(!escape(&vec![b'a'; MAX_TEXT], &mut out));
        assert!(escape(&vec![b'a'; MAX_TEXT + 1], &mut out));
    }
}
