//! Lists of a block of rows, taken out of their rows once for all leaves that read their entries: each leaf then goes through
//! entries that lie one behind the other, however many a row has.

use crate::arena::{Arena, ResourceRecord, Text};
use crate::leaf::Levels;

/// The lists that were gathered last, by what they hold.
#[derive(Default)]
pub(crate) struct Lists<'a> {
    pub(crate) records: Entries<'a, ResourceRecord>,
    pub(crate) pairs: Entries<'a, (Text, Text)>,
    pub(crate) texts: Entries<'a, Text>,
    pub(crate) numbers: Entries<'a, i32>,
}

impl Lists<'_> {
    /// Forgets what was gathered: other rows follow.
    pub(crate) fn clear(&mut self) {
        self.records.of = None;
        self.pairs.of = None;
        self.texts.of = None;
        self.numbers.of = None;
    }
}

/// One list of each row.
pub(crate) struct Entries<'a, E> {
    /// Which list.
    of: Option<usize>,
    /// The entries of all rows, and the arena of each.
    entries: Vec<(&'a E, &'a Arena)>,
    /// [`ENTRY`] for an entry, the definition level for a row that has none.
    definition: Vec<u8>,
    repetition: Vec<u8>,
}

/// Stands for the definition level of an entry, which differs from leaf to leaf.
const ENTRY: u8 = u8::MAX;

impl<E> Default for Entries<'_, E> {
    fn default() -> Self {
        Self { of: None, entries: Vec::new(), definition: Vec::new(), repetition: Vec::new() }
    }
}

impl<'a, E> Entries<'a, E> {
    /// Begins to gather list number `list`. False where that is what was gathered last.
    pub(crate) fn begin(&mut self, list: usize) -> bool {
        if self.of == Some(list) {
            return false;
        }
        self.of = Some(list);
        self.entries.clear();
        self.definition.clear();
        self.repetition.clear();
        true
    }

    /// A row without entries.
    pub(crate) fn none(&mut self, definition: u8) {
        self.definition.push(definition);
        self.repetition.push(0);
    }

    /// A row with entries, at least one.
    pub(crate) fn some(&mut self, entries: &'a [E], arena: &'a Arena) {
        self.entries.extend(entries.iter().map(|entry| (entry, arena)));
        self.definition.resize(self.definition.len() + entries.len(), ENTRY);
        self.repetition.push(0);
        self.repetition.resize(self.definition.len(), 1);
    }

    /// Appends a value of each entry, of a leaf that lacks none, and its levels; `definition` is that of a value.
    pub(crate) fn read_required<V>(
        &self,
        definition: u8,
        levels: &mut Levels,
        read: impl Fn(&E, &'a Arena) -> V,
        out: &mut Vec<V>,
    ) {
        self.append_levels(definition, levels);
        out.extend(self.entries.iter().map(|(entry, arena)| read(entry, arena)));
    }

    /// The same for a leaf that may lack values; where it is not `optional` a default stands in.
    pub(crate) fn read<V: Default>(
        &self,
        definition: u8,
        optional: bool,
        levels: &mut Levels,
        read: impl Fn(&E, &'a Arena) -> Option<V>,
        out: &mut Vec<V>,
    ) {
        if !optional {
            self.read_required(
                definition,
                levels,
                |entry, arena| read(entry, arena).unwrap_or_default(),
                out,
            );
            return;
        }
        let begin = levels.definition.len();
        self.append_levels(definition, levels);
        let mut lacking = Vec::new();
        for (number, (entry, arena)) in self.entries.iter().enumerate() {
            match read(entry, arena) {
                Some(value) => out.push(value),
                None => lacking.push(number),
            }
        }
        let mut lacking = lacking.into_iter().peekable();
        if lacking.peek().is_none() {
            return;
        }
        let slots = self.definition.iter().zip(levels.definition.iter_mut().skip(begin));
        let of_entries = slots.filter_map(|(slot, level)| (*slot == ENTRY).then_some(level));
        for (number, level) in of_entries.enumerate() {
            if lacking.next_if_eq(&number).is_some() {
                *level = definition - 1;
            }
        }
    }

    fn append_levels(&self, definition: u8, levels: &mut Levels) {
        let level = |slot: &u8| if *slot == ENTRY { definition } else { *slot };
        levels.definition.extend(self.definition.iter().map(level));
        levels.repetition.extend_from_slice(&self.repetition);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_leaf_has_the_levels_of_its_own_entries() {
        let mut arena = Arena::default();
        let [long, short] = ["example.org", "a"].map(|text| arena.plain(text));
        let rows: [&[Text]; 4] = [&[long, Text::NULL, short], &[], &[Text::NULL], &[short]];
        let mut entries = Entries::default();
        assert!(entries.begin(3));
        for row in rows {
            if row.is_empty() { entries.none(1) } else { entries.some(row, &arena) }
        }
        assert!(!entries.begin(3), "another leaf of the same list reads what was gathered");
        let text = |text: &Text, arena: &'_ Arena| arena.bytes_of(*text).map(<[u8]>::len);

        let (mut levels, mut lengths) = (Levels::default(), vec![7]);
        levels.definition.push(9);
        entries.read(4, true, &mut levels, text, &mut lengths);
        assert_eq!(lengths, [7, 11, 1, 1]);
        assert_eq!(levels.definition, [9, 4, 3, 4, 1, 3, 4]);
        assert_eq!(levels.repetition, [0, 1, 1, 0, 0, 0]);

        let (mut levels, mut lengths) = (Levels::default(), Vec::new());
        entries.read(3, false, &mut levels, text, &mut lengths);
        assert_eq!(lengths, [11, 0, 1, 0, 1], "a default where none may be lacking");
        assert_eq!(levels.definition, [3, 3, 3, 1, 3, 3]);

        assert!(entries.begin(4));
        entries.none(0);
        let (mut levels, mut lengths) = (Levels::default(), Vec::new());
        entries.read(4, true, &mut levels, text, &mut lengths);
        assert_eq!((lengths, levels.definition, levels.repetition), (vec![], vec![0], vec![0]));
    }

    #[test]
    fn other_rows_are_gathered_anew() {
        let mut lists = Lists::default();
        let begin = |lists: &mut Lists<'_>| {
            let Lists { records, pairs, texts, numbers } = lists;
            [records.begin(0), pairs.begin(0), texts.begin(0), numbers.begin(0)]
        };
        assert_eq!(begin(&mut lists), [true; 4]);
        assert_eq!(begin(&mut lists), [false; 4]);
        lists.clear();
        assert_eq!(begin(&mut lists), [true; 4]);
    }
}
