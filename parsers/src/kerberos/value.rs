//! Values within Kerberos messages: what explicit tags hold, and lists. Containers are looked into as far as they go, other
//! values are taken whole or not at all.

use schemas::envelope::Microseconds;

use crate::der::{self, Element, Reader, tag};
use crate::x509::date;

/// The elements of a list, a last one without its end too.
pub(super) fn elements(content: Option<&[u8]>) -> impl Iterator<Item = (u8, &[u8])> {
    let mut reader = Reader::new(content.unwrap_or_default());
    std::iter::from_fn(move || reader.next_front().map(|(tag, front)| (tag, front.content)))
}

/// Tag and content of what an explicit tag holds.
pub(super) fn inner(content: &[u8]) -> Option<(u8, &[u8])> {
    Reader::new(content).next_front().map(|(tag, front)| (tag, front.content))
}

/// The elements of a list of which the ends are there.
pub(super) fn wholes(content: Option<&[u8]>) -> impl Iterator<Item = (u8, &[u8])> {
    let mut reader = Reader::new(content.unwrap_or_default());
    std::iter::from_fn(move || reader.element().map(|element| (element.tag, element.content)))
}

/// Whether there is a list that has nothing but such elements.
pub(super) fn all(content: Option<&[u8]>, is_such: impl Fn(u8, &[u8]) -> bool) -> bool {
    let mut reader = Reader::new(match content {
        Some(content) => content,
        None => return false,
    });
    while let Some(element) = reader.element() {
        if !is_such(element.tag, element.content) {
            return false;
        }
    }
    reader.is_empty()
}

/// Type and value of an entry of PA-DATA; of the value as much as is there.
pub(super) fn entry(content: &[u8]) -> Option<(i32, &[u8])> {
    let mut entry = (None, &[][..]);
    for (field, content) in elements(Some(content)) {
        match field {
            0xa1 => entry.0 = number(content),
            0xa2 => entry.1 = inner(content).map_or(&[][..], |(_, value)| value),
            _ => {}
        }
    }
    Some((entry.0?, entry.1))
}

/// Type and bytes of a HostAddress (5.2.5).
pub(super) fn address(content: &[u8]) -> Option<(i32, &[u8])> {
    let mut address = (None, None);
    for (field, content) in wholes(Some(content)) {
        match field {
            0xa0 => address.0 = number(content),
            0xa1 => address.1 = whole(content).map(|(_, value)| value),
            _ => {}
        }
    }
    Some((address.0?, address.1?))
}

/// Tag and content of what an explicit tag holds, where its end is there.
pub(super) fn whole(content: &[u8]) -> Option<(u8, &[u8])> {
    Reader::new(content).element().map(|element| (element.tag, element.content))
}

/// Content of the SEQUENCE that an explicit tag holds, where its end is there.
pub(super) fn whole_sequence(content: &[u8]) -> Option<&[u8]> {
    whole(content).filter(|(tag, _)| *tag == tag::SEQUENCE).map(|(_, content)| content)
}

/// Content of the SEQUENCE that an explicit tag holds.
pub(super) fn sequence(content: &[u8]) -> Option<&[u8]> {
    inner(content).filter(|(tag, _)| *tag == tag::SEQUENCE).map(|(_, content)| content)
}

/// The text that an explicit tag holds: GeneralString, or what is sent in its place (UTF-8 goes in either).
pub(super) fn string(content: &[u8]) -> Option<&[u8]> {
    let (tag, content) = whole(content)?;
    matches!(
        tag,
        tag::GENERAL_STRING
            | tag::UTF8_STRING
            | tag::IA5_STRING
            | tag::PRINTABLE_STRING
            | tag::VISIBLE_STRING
            | tag::TELETEX_STRING
            | tag::OCTET_STRING
    )
    .then_some(content)
}

/// The number that an explicit tag holds. Numbers without a sign that need all of their 32 bits are sent as negative ones
/// by some, so both are the same.
pub(super) fn number(content: &[u8]) -> Option<i32> {
    whole(content).and_then(|(kind, content)| of_integer(kind, content))
}

pub(super) fn of_integer(kind: u8, content: &[u8]) -> Option<i32> {
    let value = der::signed(content).filter(|_| kind == tag::INTEGER)?;
    i32::try_from(value).ok().or_else(|| u32::try_from(value).ok().map(u32::cast_signed))
}

/// The first 32 bits of the BIT STRING that an explicit tag holds, those that are not there being zeros; none where there
/// is no bit at all.
pub(super) fn bits(content: &[u8]) -> Option<u32> {
    let (kind, content) = whole(content)?;
    let (_, bits) = content.split_first().filter(|(_, bits)| kind == tag::BIT_STRING && !bits.is_empty())?;
    Some((0..4).fold(0, |all, place| all << 8 | u32::from(bits.get(place).copied().unwrap_or(0))))
}

/// The time that an explicit tag holds (5.2.3).
pub(super) fn time(content: &[u8]) -> Option<Microseconds> {
    let (tag, content) = whole(content)?;
    date::read(&Element { tag, content, whole: content }).map(|date| date.microseconds)
}
