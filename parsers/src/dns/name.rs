//! Domain names as they lie in a message, compressed or not, and as text (RFC 1035, 3.1 and 4.1.4).

use schemas::text;

/// Longest name on the wire, length bytes and root included.
pub const MAX_NAME: usize = 255;

/// Most compression pointers that one name may be spread over. A name has at most 127 labels, and a pointer that
/// adds no label serves nothing but to keep a reader busy.
pub const MAX_POINTERS: usize = 127;

/// Why a name could not be read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameProblem {
    /// The message ends inside the name.
    Truncated,
    /// A length byte of the reserved kinds 01 and 10.
    LabelType,
    /// A pointer that does not go back, or too many of them.
    Loop,
    /// More than 255 bytes.
    TooLong,
}

/// What becomes of upper-case letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// They become lower-case, ASCII only, as names are compared.
    Lower,
    /// They stay.
    Kept,
}

/// Where the name at `at` ends in place, pointers not followed.
///
/// # Errors
/// The name is cut off, or holds a label of a reserved kind.
pub fn skip(message: &[u8], mut at: usize) -> Result<usize, NameProblem> {
    loop {
        match message.get(at) {
            Some(0) => return Ok(at + 1),
            Some(&length @ 1..=63) => at += 1 + usize::from(length),
            Some(0xc0..) if message.len() >= at + 2 => return Ok(at + 2),
            Some(64..0xc0) => return Err(NameProblem::LabelType),
            _ => return Err(NameProblem::Truncated),
        }
    }
}

/// Appends the name at `at` as text without the final dot (the root is `.`) and returns where it ends in place.
///
/// A dot or backslash inside a label is written `\.` or `\\`, other bytes by the lake's rule for text.
///
/// # Errors
/// As [`skip`]; also where a pointer does not go back, or the name is too long. The labels read so far stay in `out`.
pub fn write(message: &[u8], at: usize, case: Case, out: &mut Vec<u8>) -> Result<usize, NameProblem> {
    let mut cursor = at;
    // Each run of labels must lie before the one that points at it, so the walk ends whatever the bytes say.
    let mut run = at;
    let mut end = None;
    let mut pointers = 0;
    let mut length = 1;
    loop {
        let rest = message.get(cursor..).unwrap_or_default();
        match *rest {
            [0, ..] => break,
            [kind @ 0xc0..=0xff, low, ..] => {
                let target = usize::from(u16::from_be_bytes([kind & 0x3f, low]));
                end.get_or_insert(cursor + 2);
                pointers += 1;
                if target >= run || pointers > MAX_POINTERS {
                    return Err(NameProblem::Loop);
                }
                run = target;
                cursor = target;
            }
            [count @ 1..=63, ref after @ ..] => {
                let count = usize::from(count);
                let label = after.get(..count).ok_or(NameProblem::Truncated)?;
                if length > 1 {
                    out.push(b'.');
                }
                length += 1 + count;
                if length > MAX_NAME {
                    if length - 1 - count > 1 {
                        out.pop();
                    }
                    return Err(NameProblem::TooLong);
                }
                write_label(label, case, out);
                cursor += 1 + count;
            }
            [64..=0xbf, ..] => return Err(NameProblem::LabelType),
            _ => return Err(NameProblem::Truncated),
        }
    }
    if length == 1 {
        out.push(b'.');
    }
    Ok(end.unwrap_or(cursor + 1))
}

/// Where the labels of the name at `at` begin: where it points, if it is a pointer to an earlier place and nothing else.
pub fn target(message: &[u8], at: usize) -> usize {
    match message.get(at..) {
        Some([kind @ 0xc0..=0xff, low, ..]) => {
            let target = usize::from(u16::from_be_bytes([kind & 0x3f, *low]));
            if target < at { target } else { at }
        }
        _ => at,
    }
}

/// Whether the name at `at`, which is not compressed, would be written as `text` without a change of case or any escape.
pub fn equals(message: &[u8], at: usize, text: &[u8]) -> bool {
    let mut cursor = at;
    let mut rest = text;
    loop {
        match message.get(cursor..) {
            Some([count @ 1..=63, after @ ..]) => {
                let count = usize::from(*count);
                let Some((label, behind)) = rest.split_at_checked(count) else { return false };
                if after.get(..count) != Some(label) || label.contains(&b'.') || label.contains(&b'\\') {
                    return false;
                }
                rest = match behind {
                    [b'.', next @ ..] => next,
                    [] => &[],
                    _ => return false,
                };
                cursor += 1 + count;
                if rest.is_empty() {
                    return message.get(cursor) == Some(&0) && !behind.starts_with(b".");
                }
            }
            _ => return false,
        }
    }
}

/// Bytes that stand for themselves in a label: printable ASCII but for dot and backslash.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0x20;
    while byte < 0x7f {
        #[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
        {
            plain[byte] = byte != b'.' as usize && byte != b'\\' as usize;
        }
        byte += 1;
    }
    plain
};

fn write_label(label: &[u8], case: Case, out: &mut Vec<u8>) {
    if label.iter().all(|&byte| PLAIN.get(usize::from(byte)) == Some(&true)) {
        match case {
            Case::Lower => out.extend(label.iter().map(u8::to_ascii_lowercase)),
            Case::Kept => out.extend_from_slice(label),
        }
        return;
    }
    for chunk in label.utf8_chunks() {
        for character in chunk.valid().chars() {
            let mut utf8 = [0; 4];
            let character = if case == Case::Lower { character.to_ascii_lowercase() } else { character };
            let bytes = character.encode_utf8(&mut utf8).as_bytes();
            if character.is_control() {
                bytes.iter().for_each(|&byte| text::push_hex(byte, out));
            } else {
                if matches!(character, '.' | '\\') {
                    out.push(b'\\');
                }
                out.extend_from_slice(bytes);
            }
        }
        chunk.invalid().iter().for_each(|&byte| text::push_hex(byte, out));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(message: &[u8], at: usize) -> (String, Result<usize, NameProblem>) {
        let mut out = Vec::new();
        let end = write(message, at, Case::Lower, &mut out);
        (String::from_utf8(out).unwrap(), end)
    }

    #[test]
    fn follows_pointers_back_and_ends_where_the_first_one_stands() {
        let message = b"\x03Com\x00\x07Example\xc0\x00\x01a\xc0\x05";
        assert_eq!(read(message, 0), ("com".into(), Ok(5)));
        assert_eq!(read(message, 5), ("example.com".into(), Ok(15)));
        assert_eq!(read(message, 15), ("a.example.com".into(), Ok(19)));
        assert_eq!(skip(message, 15), Ok(19));
    }

    #[test]
    fn equals_only_what_would_be_written_the_same() {
        let message = b"\x03www\x07example\x00\x03Www\x00\x04a.bc\x00\xc0\x00\x00\x03www\xc0\x00";
        assert!(equals(message, 0, b"www.example"));
        for (at, text) in [
            (0, &b"www.exampl"[..]),
            (0, b"www.example."),
            (0, b"www.examplex"),
            (0, b"www"),
            (0, b""),
            (13, b"www"),
            (18, b"a.bc"),
            (18, b"a\\.bc"),
            (24, b"www.example"),
            (26, b"."),
            (26, b""),
            (27, b"www.www.example"),
            (100, b"www"),
        ] {
            assert!(!equals(message, at, text), "{at} {text:?}");
        }
        assert_eq!((target(message, 24), target(message, 27), target(message, 0)), (0, 27, 0));
    }

    #[test]
    fn the_root_is_a_dot() {
        assert_eq!(read(b"\0", 0), (".".into(), Ok(1)));
    }

    #[test]
    fn rejects_name_that_points_at_itself_or_forward() {
        assert_eq!(read(b"\xc0\x00", 0).1, Err(NameProblem::Loop));
        assert_eq!(read(b"\x01a\xc0\x00", 0), ("a".into(), Err(NameProblem::Loop)));
        assert_eq!(read(b"\xc0\x02\x01a\0", 0).1, Err(NameProblem::Loop));
        assert_eq!(read(b"\xc0\x02\xc0\x00", 2).1, Err(NameProblem::Loop));
    }

    #[test]
    fn rejects_long_chains_of_pointers() {
        let mut message = vec![0];
        for at in 0..=MAX_POINTERS {
            let target = if at == 0 { 0 } else { 2 * at - 1 };
            message.extend([0xc0 | (target >> 8) as u8, target as u8]);
        }
        assert_eq!(read(&message, 2 * MAX_POINTERS - 1).1, Ok(2 * MAX_POINTERS + 1));
        assert_eq!(read(&message, 2 * MAX_POINTERS + 1).1, Err(NameProblem::Loop));
    }

    #[test]
    fn escapes_what_could_be_taken_for_a_separator() {
        let mut out = Vec::new();
        write(b"\x05a.b\\c\x03\xff\x07Z\x03\xc3\xbcR\0", 0, Case::Kept, &mut out).unwrap();
        assert_eq!(out, "a\\.b\\\\c.\\xff\\x07Z.üR".as_bytes());
        out.clear();
        write(b"\x04\xc3\x9cRZ\x00", 0, Case::Lower, &mut out).unwrap();
        assert_eq!(out, "Ürz".as_bytes());
    }

    #[test]
    fn stops_at_255_bytes_and_keeps_what_was_read() {
        let mut message = Vec::new();
        for _ in 0..4 {
            message.push(63);
            message.extend([b'x'; 63]);
        }
        message.push(0);
        let (name, end) = read(&message, 0);
        assert_eq!((name.len(), end), (3 * 63 + 2, Err(NameProblem::TooLong)));
        message[3 * 64] = 61;
        message[3 * 64 + 62] = 0;
        let (name, end) = read(&message, 0);
        assert_eq!((name.len(), end), (253, Ok(255)));
    }

    #[test]
    fn rejects_reserved_label_kinds_and_truncation() {
        assert_eq!(read(b"\x41a\0", 0).1, Err(NameProblem::LabelType));
        assert_eq!(read(b"\x80a\0", 0).1, Err(NameProblem::LabelType));
        for cut in 0..9 {
            let message = &b"\x01b\0\x03abc\xc0\x00"[..cut];
            assert_eq!(read(message, 3).1, Err(NameProblem::Truncated), "{cut}");
            assert_eq!(skip(message, 3), Err(NameProblem::Truncated), "{cut}");
        }
    }

    /// The labels of a name in text form, by what the text alone says.
    fn labels_of(text: &str) -> Vec<Vec<u8>> {
        if text == "." {
            return Vec::new();
        }
        let mut labels = vec![Vec::new()];
        let mut rest = text.as_bytes();
        while let Some((&first, after)) = rest.split_first() {
            rest = after;
            let byte = match (first, after) {
                (b'.', _) => {
                    labels.push(Vec::new());
                    continue;
                }
                (b'\\', [b'x', high, low, behind @ ..]) => {
                    rest = behind;
                    let digits = [*high, *low];
                    u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                (b'\\', [escaped @ (b'.' | b'\\'), behind @ ..]) => {
                    rest = behind;
                    *escaped
                }
                (b'\\', _) => panic!("a backslash that says nothing in {text}"),
                _ => first,
            };
            labels.last_mut().unwrap().push(byte);
        }
        labels
    }

    proptest::proptest! {
        #[test]
        fn any_name_can_be_read_back(
            labels in proptest::collection::vec(
                proptest::collection::vec(
                    proptest::prop_oneof![
                        proptest::sample::select(b"a\\.x41\0\x7f\xc3\xbc\xc2\x80\xff".to_vec()),
                        proptest::num::u8::ANY,
                    ],
                    1..20,
                ),
                0..8,
            ),
            split in 0_usize..8,
        ) {
            // The labels from `split` on stand first, and the others point at them.
            let split = split.min(labels.len());
            let wire = |labels: &[Vec<u8>]| -> Vec<u8> {
                labels.iter().flat_map(|label| [&[label.len() as u8], &label[..]].concat()).collect()
            };
            let mut message = wire(&labels[split..]);
            message.push(0);
            let at = message.len();
            message.extend(wire(&labels[..split]));
            message.extend([0xc0, 0]);
            let mut out = Vec::new();
            let end = write(&message, at, Case::Kept, &mut out);
            proptest::prop_assert_eq!(end, Ok(message.len()));
            proptest::prop_assert_eq!(skip(&message, at), Ok(message.len()));
            let text = String::from_utf8(out).unwrap();
            proptest::prop_assert!(!text.contains(char::is_control));
            proptest::prop_assert_eq!(labels_of(&text), labels);
        }
    }
}
