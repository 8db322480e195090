//! `count`, of which the engine's own holds a table of its own for each group where different texts are counted: millions of
//! names that few asked for would take gigabytes, and minutes. Here all groups share one.

use std::hash::BuildHasher;
use std::hint::black_box;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, ListArray, StringArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::functions_aggregate::count::Count;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, SetMonotonicity,
    Signature, StatisticsArgs,
};
use datafusion::prelude::SessionContext;
use foldhash::fast::RandomState;
use hashbrown::{HashSet, HashTable};

/// Texts that are looked up at the same time.
const AT_ONCE: usize = 16;

/// Puts it into the place of the engine's.
pub(super) fn register(session: &SessionContext) {
    session.register_udaf(AggregateUDF::new_from_impl(SharedCount { count: Count::new() }));
}

/// The engine's `count`, but for different texts by group.
#[derive(Debug, PartialEq, Eq, Hash)]
struct SharedCount {
    count: Count,
}

fn is_of_texts(arguments: &AccumulatorArgs<'_>) -> bool {
    let kinds = arguments.expr_fields.iter().map(|field| field.data_type());
    arguments.is_distinct && kinds.eq([&DataType::Utf8])
}

impl AggregateUDFImpl for SharedCount {
    fn name(&self) -> &str {
        self.count.name()
    }

    fn signature(&self) -> &Signature {
        self.count.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.count.return_type(arguments)
    }

    fn is_nullable(&self) -> bool {
        self.count.is_nullable()
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.count.state_fields(arguments)
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.count.accumulator(arguments)
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs<'_>) -> bool {
        is_of_texts(&arguments) || self.count.groups_accumulator_supported(arguments)
    }

    fn create_groups_accumulator(
        &self,
        arguments: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        if is_of_texts(&arguments) {
            return Ok(Box::new(DifferentTexts::default()));
        }
        self.count.create_groups_accumulator(arguments)
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        self.count.reverse_expr()
    }

    fn default_value(&self, kind: &DataType) -> Result<ScalarValue> {
        self.count.default_value(kind)
    }

    fn value_from_stats(&self, arguments: &StatisticsArgs<'_>) -> Option<ScalarValue> {
        self.count.value_from_stats(arguments)
    }

    fn set_monotonicity(&self, kind: &DataType) -> SetMonotonicity {
        self.count.set_monotonicity(kind)
    }

    fn create_sliding_accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.count.create_sliding_accumulator(arguments)
    }
}

/// Which texts each group has: every text is held once, and a pair of numbers for each group that has it.
#[derive(Default)]
struct DifferentTexts {
    texts: Texts,
    /// The number of a group above, that of a text below.
    pairs: HashSet<u64, RandomState>,
    counts: Vec<i64>,
}

/// Texts by number.
#[derive(Default)]
struct Texts {
    bytes: String,
    ends: Vec<usize>,
    numbers: HashTable<Entry>,
    hasher: RandomState,
}

/// Half of a text's hash, so that the table grows and most other texts are passed over without a look at them.
#[derive(Clone, Copy)]
struct Entry {
    tag: u32,
    number: u32,
}

/// A hash made of its half: the table takes buckets from the low bits and fingerprints from the high ones.
fn spread(tag: u32) -> u64 {
    u64::from(tag) << 32 | u64::from(tag)
}

impl Texts {
    fn text(&self, number: u32) -> &str {
        let number = number as usize;
        let start = number.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(number).copied().unwrap_or(start);
        self.bytes.get(start..end).unwrap_or_default()
    }

    fn tag(&self, text: &str) -> u32 {
        (self.hasher.hash_one(text) >> 32) as u32
    }

    /// Brings what [`Texts::number`] will read near the processor, for many at the same time.
    fn warm(&self, tags: &[u32; AT_ONCE]) {
        let numbers = tags
            .map(|tag| self.numbers.find(spread(tag), |entry| entry.tag == tag).map(|entry| entry.number));
        let ends = numbers.map(|number| number.and_then(|number| self.ends.get(number as usize)).copied());
        for end in ends.into_iter().flatten() {
            black_box(self.bytes.as_bytes().get(end.wrapping_sub(1)));
        }
    }

    fn number(&mut self, tag: u32, text: &str) -> Result<u32> {
        let same = |entry: &Entry| entry.tag == tag && self.text(entry.number) == text;
        if let Some(entry) = self.numbers.find(spread(tag), same) {
            return Ok(entry.number);
        }
        let Ok(number) = u32::try_from(self.ends.len()) else { return exec_err!("too many different texts") };
        self.bytes.push_str(text);
        self.ends.push(self.bytes.len());
        self.numbers.insert_unique(spread(tag), Entry { tag, number }, |entry| spread(entry.tag));
        Ok(number)
    }

    fn size(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<usize>() + self.numbers.allocation_size()
    }
}

impl DifferentTexts {
    /// Adds texts to groups, some at once.
    fn add<'a>(&mut self, mut rows: impl Iterator<Item = (usize, &'a str)>) -> Result<()> {
        loop {
            let mut chunk = [(0, ""); AT_ONCE];
            let mut filled = 0;
            for (place, row) in chunk.iter_mut().zip(&mut rows) {
                *place = row;
                filled += 1;
            }
            let tags = chunk.map(|(_, text)| self.texts.tag(text));
            self.texts.warm(&tags);
            let mut pairs = [0; AT_ONCE];
            for ((pair, (group, text)), tag) in pairs.iter_mut().zip(chunk).zip(tags).take(filled) {
                let Ok(upper) = u32::try_from(group) else { return exec_err!("too many groups") };
                *pair = u64::from(upper) << 32 | u64::from(self.texts.number(tag, text)?);
            }
            for pair in &pairs {
                black_box(self.pairs.contains(pair));
            }
            for (pair, (group, _)) in pairs.into_iter().zip(chunk).take(filled) {
                if self.pairs.insert(pair)
                    && let Some(count) = self.counts.get_mut(group)
                {
                    *count += 1;
                }
            }
            if filled < AT_ONCE {
                return Ok(());
            }
        }
    }

    /// Takes the counts of the first groups, and forgets these.
    fn take(&mut self, emit_to: EmitTo) -> Vec<i64> {
        let counts = emit_to.take_needed(&mut self.counts);
        match emit_to {
            EmitTo::All => *self = Self::default(),
            EmitTo::First(_) => {
                let gone = (counts.len() as u64) << 32;
                self.pairs = self.pairs.iter().filter_map(|pair| pair.checked_sub(gone)).collect();
            }
        }
        counts
    }
}

impl GroupsAccumulator for DifferentTexts {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.counts.resize(total, 0);
        let Some(texts) = values.first().and_then(|values| values.as_string_opt::<i32>()) else {
            return exec_err!("texts were expected");
        };
        let rows = texts.iter().zip(groups).enumerate();
        self.add(
            rows.filter_map(|(row, (text, group))| Some((*group, text?)).filter(|_| is_counted(filter, row))),
        )
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        Ok(Arc::new(Int64Array::from(self.take(emit_to))))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = match emit_to {
            EmitTo::All => self.counts.len(),
            EmitTo::First(groups) => groups.min(self.counts.len()),
        };
        let lengths = self.counts.iter().take(groups).map(|count| *count as usize);
        let offsets = offsets(lengths)?;
        // In the order of groups.
        let mut places: Vec<usize> = offsets.iter().map(|offset| *offset as usize).collect();
        let mut numbers = vec![0u32; places.last().copied().unwrap_or(0)];
        for pair in &self.pairs {
            let group = (pair >> 32) as usize;
            if group < groups {
                let place = &mut places[group];
                numbers[*place] = (pair & u64::from(u32::MAX)) as u32;
                *place += 1;
            }
        }
        let bytes: usize = numbers.iter().map(|number| self.texts.text(*number).len()).sum();
        if i32::try_from(bytes).is_err() {
            return Err(DataFusionError::ResourcesExhausted("2 GiB of different texts".to_owned()));
        }
        let texts = StringArray::from_iter_values(numbers.iter().map(|number| self.texts.text(*number)));
        self.take(emit_to);
        Ok(vec![list(offsets, texts)?])
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.counts.resize(total, 0);
        let Some(lists) = values.first().and_then(|values| values.as_list_opt::<i32>()) else {
            return exec_err!("lists of texts were expected");
        };
        let Some(texts) = lists.values().as_string_opt::<i32>() else {
            return exec_err!("texts were expected");
        };
        let rows =
            groups.iter().enumerate().filter(|(list, _)| lists.is_valid(*list)).flat_map(|(list, group)| {
                let offsets = lists.value_offsets();
                let places = offsets[list] as usize..offsets[list + 1] as usize;
                places.filter(|place| texts.is_valid(*place)).map(|place| (*group, texts.value(place)))
            });
        self.add(rows)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let Some(texts) = values.first().and_then(|values| values.as_string_opt::<i32>()) else {
            return exec_err!("texts were expected");
        };
        let has = |row: usize| texts.is_valid(row) && is_counted(filter, row);
        let offsets = offsets((0..texts.len()).map(|row| usize::from(has(row))))?;
        let kept = (0..texts.len()).filter(|row| has(*row)).map(|row| texts.value(row));
        Ok(vec![list(offsets, StringArray::from_iter_values(kept))?])
    }

    fn size(&self) -> usize {
        self.texts.size() + self.pairs.allocation_size() + self.counts.capacity() * size_of::<i64>()
    }
}

fn is_counted(filter: Option<&BooleanArray>, row: usize) -> bool {
    filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
}

/// Where each list begins and ends; an error where there are more than a list can have.
fn offsets(lengths: impl Iterator<Item = usize> + Clone) -> Result<OffsetBuffer<i32>> {
    if i32::try_from(lengths.clone().sum::<usize>()).is_err() {
        return Err(DataFusionError::ResourcesExhausted("two milliards of different texts".to_owned()));
    }
    Ok(OffsetBuffer::from_lengths(lengths))
}

fn list(offsets: OffsetBuffer<i32>, texts: StringArray) -> Result<ArrayRef> {
    let item = Arc::new(Field::new_list_field(DataType::Utf8, true));
    Ok(Arc::new(ListArray::try_new(item, offsets, Arc::new(texts), None)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[Option<&str>]) -> Vec<ArrayRef> {
        vec![Arc::new(StringArray::from(texts.to_vec()))]
    }

    fn counts(accumulator: &mut DifferentTexts, emit_to: EmitTo) -> Vec<i64> {
        accumulator
            .evaluate(emit_to)
            .unwrap()
            .as_primitive::<datafusion::arrow::datatypes::Int64Type>()
            .values()
            .to_vec()
    }

    #[test]
    fn each_text_counts_once_in_each_group() {
        let mut accumulator = DifferentTexts::default();
        let rows = [Some("a"), Some("b"), Some("a"), None, Some(""), Some("a"), Some("c")];
        let filter = BooleanArray::from(vec![true, true, true, true, true, true, false]);
        accumulator.update_batch(&texts(&rows), &[0, 0, 0, 1, 1, 1, 1], Some(&filter), 3).unwrap();
        accumulator.update_batch(&texts(&[Some("b"), Some("x")]), &[0, 0], None, 3).unwrap();
        assert_eq!(counts(&mut accumulator, EmitTo::All), [3, 2, 0]);
        assert!(counts(&mut accumulator, EmitTo::All).is_empty());
    }

    #[test]
    fn as_many_as_come_are_counted() {
        for rows in [0, 1, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 1000] {
            let mut accumulator = DifferentTexts::default();
            let names: Vec<String> = (0..rows).map(|row| format!("{}", row % 300)).collect();
            let names: Vec<_> = names.iter().map(|name| Some(name.as_str())).collect();
            let groups: Vec<usize> = (0..rows).map(|row| row % 2).collect();
            accumulator.update_batch(&texts(&names), &groups, None, 2).unwrap();
            let of_one = |group| rows.min(300).saturating_sub(group).div_ceil(2) as i64;
            assert_eq!(counts(&mut accumulator, EmitTo::All), [of_one(0), of_one(1)], "{rows}");
        }
    }

    #[test]
    fn parts_are_put_together_and_what_was_emitted_is_gone() {
        let mut first = DifferentTexts::default();
        first.update_batch(&texts(&[Some("a"), Some("b"), Some("a")]), &[0, 1, 2], None, 3).unwrap();
        let early = first.state(EmitTo::First(1)).unwrap();
        first.update_batch(&texts(&[Some("d"), Some("b")]), &[0, 0], None, 2).unwrap();
        let late = first.state(EmitTo::All).unwrap();
        let skipped = first.convert_to_state(&texts(&[Some("a"), None, Some("z")]), None).unwrap();
        let mut whole = DifferentTexts::default();
        whole.merge_batch(&early, &[0], 1).unwrap();
        whole.merge_batch(&late, &[1, 0], 2).unwrap();
        whole.merge_batch(&skipped, &[0, 1, 1], 2).unwrap();
        // Of group 0: a, a again, a once more; of group 1: b, d, and z.
        assert_eq!(counts(&mut whole, EmitTo::First(1)), [1]);
        assert_eq!(counts(&mut whole, EmitTo::All), [3]);
    }
}
