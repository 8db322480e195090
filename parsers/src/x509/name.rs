//! Distinguished names as RFC 4514 writes them, with OpenSSL's short names of attributes.

use crate::der::{Element, Reader, tag};

use super::oid;

/// A name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Name {
    /// The most specific part first: `CN=a.example,O=Example,C=DE`.
    pub(super) text: String,
    /// Common names, the least specific one first, not escaped.
    pub(super) common_names: Vec<Box<[u8]>>,
    /// A value holds what its type does not allow, or a zero.
    pub(super) is_odd: bool,
}

/// An attribute of a name.
struct Attribute<'a> {
    /// Which part of the name it belongs to.
    part: usize,
    identifier: &'a [u8],
    value: Element<'a>,
}

/// Reads the content of a `Name`; none where that is not to be had.
pub(super) fn read(content: &[u8]) -> Option<Name> {
    let mut attributes = Vec::new();
    let mut parts = Reader::new(content);
    let mut part = 0;
    while !parts.is_empty() {
        let mut within = Reader::new(parts.element()?.of(tag::SET)?);
        while !within.is_empty() {
            let mut pair = Reader::new(within.element()?.of(tag::SEQUENCE)?);
            let identifier = pair.element()?.of(tag::OBJECT_IDENTIFIER)?;
            attributes.push(Attribute { part, identifier, value: pair.element()? });
        }
        part += 1;
    }
    let mut name = Name::default();
    let mut last = None;
    for attribute in attributes.iter().rev() {
        match last.replace(attribute.part) {
            None => {}
            Some(part) if part == attribute.part => name.text.push('+'),
            Some(_) => name.text.push(','),
        }
        write(attribute, &mut name)?;
    }
    name.common_names.reverse();
    Some(name)
}

fn write(attribute: &Attribute<'_>, name: &mut Name) -> Option<()> {
    let dotted = oid::dotted(attribute.identifier)?;
    let known = oid::attribute(&dotted);
    name.text.push_str(known.unwrap_or(&dotted));
    name.text.push('=');
    // Nobody knows how values of other types are to be read (RFC 4514, 2.4).
    let pieces = known.and_then(|_| pieces(&attribute.value));
    let Some(pieces) = pieces else {
        name.text.push('#');
        attribute.value.whole.iter().for_each(|&byte| push_hex(byte, &mut name.text));
        return Some(());
    };
    let mut raw = Vec::with_capacity(attribute.value.content.len());
    let last = pieces.len().saturating_sub(1);
    for (at, piece) in pieces.iter().enumerate() {
        match *piece {
            Piece::Byte(byte) => {
                name.is_odd = true;
                raw.push(byte);
                name.text.push('\\');
                push_hex(byte, &mut name.text);
            }
            Piece::Character(character) => {
                name.is_odd |= character == '\0';
                let mut utf8 = [0; 4];
                let utf8 = character.encode_utf8(&mut utf8).as_bytes();
                raw.extend_from_slice(utf8);
                match character {
                    control if control.is_control() => utf8.iter().for_each(|&byte| {
                        name.text.push('\\');
                        push_hex(byte, &mut name.text);
                    }),
                    ',' | '+' | '"' | '\\' | '<' | '>' | ';' => name.text.extend(['\\', character]),
                    '#' if at == 0 => name.text.push_str("\\#"),
                    ' ' if at == 0 || at == last => name.text.push_str("\\ "),
                    other => name.text.push(other),
                }
            }
        }
    }
    if known == Some("CN") {
        name.common_names.push(raw.into());
    }
    Some(())
}

/// What a value consists of.
#[derive(Clone, Copy)]
enum Piece {
    Character(char),
    /// One that is part of no character of its type.
    Byte(u8),
}

/// The characters of a string; none of what is no string.
fn pieces(value: &Element<'_>) -> Option<Vec<Piece>> {
    let bytes = value.content;
    Some(match value.tag {
        tag::UTF8_STRING => {
            let mut pieces = Vec::with_capacity(bytes.len());
            for chunk in bytes.utf8_chunks() {
                pieces.extend(chunk.valid().chars().map(Piece::Character));
                pieces.extend(chunk.invalid().iter().map(|&byte| Piece::Byte(byte)));
            }
            pieces
        }
        // Everybody writes Latin-1 into it.
        tag::TELETEX_STRING => bytes.iter().map(|&byte| Piece::Character(char::from(byte))).collect(),
        tag::PRINTABLE_STRING | tag::IA5_STRING | tag::NUMERIC_STRING | tag::VISIBLE_STRING => bytes
            .iter()
            .map(|&byte| if byte.is_ascii() { Piece::Character(char::from(byte)) } else { Piece::Byte(byte) })
            .collect(),
        tag::BMP_STRING => {
            let (units, rest) = bytes.as_chunks::<2>();
            let units = units.iter().map(|&unit| u16::from_be_bytes(unit));
            let mut pieces = Vec::with_capacity(bytes.len());
            for character in char::decode_utf16(units) {
                match character {
                    Ok(character) => pieces.push(Piece::Character(character)),
                    Err(lone) => pieces.extend(lone.unpaired_surrogate().to_be_bytes().map(Piece::Byte)),
                }
            }
            pieces.extend(rest.iter().map(|&byte| Piece::Byte(byte)));
            pieces
        }
        tag::UNIVERSAL_STRING => {
            let (units, rest) = bytes.as_chunks::<4>();
            let mut pieces = Vec::with_capacity(bytes.len());
            for unit in units {
                match char::from_u32(u32::from_be_bytes(*unit)) {
                    Some(character) => pieces.push(Piece::Character(character)),
                    None => pieces.extend(unit.map(Piece::Byte)),
                }
            }
            pieces.extend(rest.iter().map(|&byte| Piece::Byte(byte)));
            pieces
        }
        _ => return None,
    })
}

/// Appends two digits in capital letters.
pub(super) fn push_hex(byte: u8, out: &mut String) {
    for nibble in [byte >> 4, byte & 15] {
        out.extend(char::from_digit(nibble.into(), 16).map(|digit| digit.to_ascii_uppercase()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An element.
    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, content.len() as u8], content].concat()
    }

    /// The content of a name of one attribute a part.
    fn name(attributes: &[(&[u8], u8, &[u8])]) -> Vec<u8> {
        attributes
            .iter()
            .flat_map(|(identifier, tag, value)| {
                let pair = [element(tag::OBJECT_IDENTIFIER, identifier), element(*tag, value)].concat();
                element(tag::SET, &element(tag::SEQUENCE, &pair))
            })
            .collect()
    }

    const CN: &[u8] = &[0x55, 4, 3];
    const C: &[u8] = &[0x55, 4, 6];

    fn common_name(tag: u8, value: &[u8]) -> String {
        read(&name(&[(CN, tag, value)])).unwrap().text
    }

    #[test]
    fn the_most_specific_part_comes_first() {
        let read = read(&name(&[
            (C, tag::PRINTABLE_STRING, b"DE"),
            (CN, tag::UTF8_STRING, b"first"),
            (CN, tag::UTF8_STRING, b"second"),
        ]))
        .unwrap();
        assert_eq!(read.text, "CN=second,CN=first,C=DE");
        assert_eq!(read.common_names, [Box::from(&b"first"[..]), Box::from(&b"second"[..])]);
        assert!(!read.is_odd);
    }

    #[test]
    fn attributes_of_one_part_are_joined_by_a_plus() {
        let pair = |identifier: &[u8], value: &[u8]| {
            let pair =
                [element(tag::OBJECT_IDENTIFIER, identifier), element(tag::UTF8_STRING, value)].concat();
            element(tag::SEQUENCE, &pair)
        };
        let name = element(tag::SET, &[pair(C, b"DE"), pair(CN, b"a")].concat());
        assert_eq!(read(&name).unwrap().text, "CN=a+C=DE");
    }

    #[test]
    fn what_means_something_is_escaped() {
        assert_eq!(
            common_name(tag::UTF8_STRING, b"a,b+c\"d\\e<f>g;h=i#j k"),
            r#"CN=a\,b\+c\"d\\e\<f\>g\;h=i#j k"#
        );
        assert_eq!(common_name(tag::UTF8_STRING, b"#a "), r"CN=\#a\ ");
        assert_eq!(common_name(tag::UTF8_STRING, b" "), r"CN=\ ");
        assert_eq!(common_name(tag::UTF8_STRING, b""), "CN=");
        assert_eq!(common_name(tag::UTF8_STRING, b"a\nb"), r"CN=a\0Ab");
        assert_eq!(common_name(tag::UTF8_STRING, "a\u{85}b".as_bytes()), r"CN=a\C2\85b");
    }

    #[test]
    fn strings_of_all_types_become_characters() {
        assert_eq!(common_name(tag::UTF8_STRING, "Grün 漢".as_bytes()), "CN=Grün 漢");
        assert_eq!(common_name(tag::TELETEX_STRING, b"Gr\xfcn"), "CN=Grün");
        assert_eq!(common_name(tag::BMP_STRING, b"\0G\0r\0\xfc\xd8\x3d\xde\x00"), "CN=Grü😀");
        assert_eq!(common_name(tag::UNIVERSAL_STRING, b"\0\0\0G\0\x01\xf6\0"), "CN=G😀");
    }

    #[test]
    fn bytes_that_are_no_characters_stay_and_are_odd() {
        for (tag, value, text) in [
            (tag::UTF8_STRING, &b"a\xffb"[..], r"CN=a\FFb"),
            (tag::PRINTABLE_STRING, b"Gr\xfcn", r"CN=Gr\FCn"),
            (tag::BMP_STRING, b"\0a\xd8\0\x7f", r"CN=a\D8\00\7F"),
            (tag::UNIVERSAL_STRING, b"\0\x11\0\0", r"CN=\00\11\00\00"),
            (tag::UTF8_STRING, b"bank.example\0.evil.example", r"CN=bank.example\00.evil.example"),
        ] {
            let read = read(&name(&[(CN, tag, value)])).unwrap();
            assert_eq!(read.text, text);
            assert!(read.is_odd, "{text}");
        }
    }

    #[test]
    fn other_attributes_and_values_are_written_as_they_are() {
        assert_eq!(read(&name(&[(&[0x2a, 3], tag::UTF8_STRING, b"a")])).unwrap().text, "1.2.3=#0C0161");
        assert_eq!(common_name(tag::BIT_STRING, &[0, 0xab]), "CN=#030200AB");
    }

    #[test]
    fn an_empty_name_is_empty_and_a_broken_one_is_none() {
        assert_eq!(read(&[]), Some(Name::default()));
        let whole = name(&[(C, tag::PRINTABLE_STRING, b"DE"), (CN, tag::UTF8_STRING, b"a")]);
        for length in 1..whole.len() {
            if length != 13 {
                assert_eq!(read(&whole[..length]), None, "{length}");
            }
        }
        assert_eq!(read(&element(tag::SEQUENCE, &[])), None);
    }
}
