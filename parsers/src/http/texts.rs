//! The texts of a head in a row. Nearly all heads are plain: these are copied as a whole, and what stands in them is text
//! without another look or a copy of its own.

use schemas::arena::{Arena, Lines, Text};

use super::exchange::Head;
use super::kept::Place;
use super::oddities::Oddities;

/// Where the texts of one head are.
pub(super) struct Texts<'h> {
    bytes: &'h [u8],
    lines: Option<Lines>,
}

impl<'h> Texts<'h> {
    /// Those of a head of which these are the oddities: where nothing is odd, only ends of lines are controls.
    pub(super) fn new(head: &'h Head, oddities: Oddities, arena: &mut Arena) -> Self {
        match head {
            Head::Lines(lines) if oddities == Oddities::NONE => {
                Self { bytes: lines.bytes(), lines: arena.lines(lines.bytes()) }
            }
            _ => Self::apart(),
        }
    }

    /// Each for itself.
    pub(super) fn apart() -> Self {
        Self { bytes: &[], lines: None }
    }

    /// A part of the head, or what was made of one.
    pub(super) fn text(&self, part: &[u8], arena: &mut Arena) -> Text {
        match self.place(part) {
            Some((lines, place)) => lines.text(place.range()),
            None => arena.text(part),
        }
    }

    /// The same in upper case.
    pub(super) fn upper_case(&self, part: &[u8], arena: &mut Arena) -> Text {
        match self.place(part) {
            Some((lines, place)) => lines.upper_case(place.range()),
            None => arena.upper_case(part),
        }
    }

    fn place(&self, part: &[u8]) -> Option<(Lines, Place)> {
        Some((self.lines?, Place::find(part, self.bytes)?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::head;
    use crate::http::kept::KeptHead;

    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            8 => "[A-Za-z-]{1,12}: ?[ -~]{0,20}",
            2 => "[A-Za-z-]{1,12}: ?[a-z\\\\\t\r\u{7f}\u{e4}]{0,9}",
            1 => "[a-z \r:]{0,6}",
        ]
    }

    proptest! {
        #[test]
        fn all_is_as_if_kept_for_itself(
            lines in prop::collection::vec(line(), 0..12),
            end in "\r?\n",
        ) {
            let lines: String = lines.iter().map(|line| format!("{line}{end}")).collect();
            let text = format!("GET /a HTTP/1.1{end}{lines}{end}");
            let bytes = text.as_bytes();
            let Some(read) = head::request(bytes) else { return Ok(()) };
            let kept = Head::Lines(KeptHead::of_request(bytes, &read));
            let read = kept.request().unwrap();
            let mut arena = Arena::default();
            let texts = Texts::new(&kept, read.oddities, &mut arena);
            let values = read.headers.iter().flat_map(|header| [header.name, &header.value]);
            for part in values.chain([read.method, read.target, b"", b"made"]) {
                let pair = (texts.text(part, &mut arena), texts.upper_case(part, &mut arena));
                let apart = (arena.text(part), arena.upper_case(part));
                prop_assert_eq!(arena.bytes_of(pair.0), arena.bytes_of(apart.0));
                prop_assert_eq!(arena.bytes_of(pair.1), arena.bytes_of(apart.1));
            }
        }
    }

    #[test]
    fn a_usual_head_is_copied_as_a_whole() {
        let bytes = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
        let kept = Head::Lines(KeptHead::of_request(bytes, &head::request(bytes).unwrap()));
        let mut arena = Arena::default();
        let texts = Texts::new(&kept, Oddities::NONE, &mut arena);
        let held = arena.held();
        texts.text(kept.request().unwrap().target, &mut arena);
        assert_eq!(arena.held(), held);
    }
}
