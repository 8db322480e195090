//! Values of the lake as text for people: structs as dotted columns, lists and maps in JSON's form.

use std::fmt::Write;

use anyhow::{Result, bail};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch, StructArray};
use arrow_schema::{DataType, Fields, TimeUnit};

/// The dotted names of all columns that are no structs.
pub(crate) fn column_names(fields: &Fields) -> Vec<String> {
    let mut names = Vec::new();
    append_names(fields, "", &mut names);
    names
}

fn append_names(fields: &Fields, prefix: &str, names: &mut Vec<String>) {
    for field in fields {
        let name = format!("{prefix}{}", field.name());
        match field.data_type() {
            DataType::Struct(inner) => append_names(inner, &format!("{name}."), names),
            _ => names.push(name),
        }
    }
}

/// A column of a batch, reached through the structs around it.
pub(crate) struct Leaf {
    pub(crate) name: String,
    /// Arrays of the structs around it, outermost first: where one is null, so is the value.
    around: Vec<ArrayRef>,
    array: ArrayRef,
}

impl Leaf {
    /// All columns of a batch.
    pub(crate) fn of(batch: &RecordBatch) -> Vec<Self> {
        let mut leaves = Vec::new();
        for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
            append_leaves(field.name().clone(), &[], array, &mut leaves);
        }
        leaves
    }

    /// The value in this row; `None` is null.
    pub(crate) fn text(&self, row: usize) -> Result<Option<String>> {
        if self.around.iter().any(|around| around.is_null(row)) || self.array.is_null(row) {
            return Ok(None);
        }
        let mut text = String::new();
        if let DataType::Utf8 = self.array.data_type() {
            text.push_str(self.array.as_string::<i32>().value(row));
        } else {
            append_value(&self.array, row, &mut text)?;
        }
        Ok(Some(text))
    }
}

fn append_leaves(name: String, around: &[ArrayRef], array: &ArrayRef, leaves: &mut Vec<Leaf>) {
    let Some(inner) = array.as_struct_opt() else {
        leaves.push(Leaf { name, around: around.to_vec(), array: array.clone() });
        return;
    };
    let mut around = around.to_vec();
    around.push(array.clone());
    for (field, array) in inner.fields().iter().zip(inner.columns()) {
        append_leaves(format!("{name}.{}", field.name()), &around, array, leaves);
    }
}

/// A value inside a list, a map or a struct, or one that looks the same outside of them.
fn append_value(array: &dyn Array, row: usize, text: &mut String) -> Result<()> {
    if array.is_null(row) {
        text.push_str("null");
        return Ok(());
    }
    match array.data_type() {
        DataType::Utf8 => append_quoted(array.as_string::<i32>().value(row), text),
        DataType::Boolean => write!(text, "{}", array.as_boolean().value(row))?,
        DataType::Int32 => write!(text, "{}", array.as_primitive::<Int32Type>().value(row))?,
        DataType::Int64 => write!(text, "{}", array.as_primitive::<Int64Type>().value(row))?,
        DataType::Float64 => write!(text, "{}", array.as_primitive::<Float64Type>().value(row))?,
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            append_time(array.as_primitive::<TimestampMicrosecondType>().value(row), text);
        }
        DataType::List(_) => {
            let values = array.as_list::<i32>().value(row);
            append_joined('[', ']', values.len(), text, |index, text| append_value(&values, index, text))?;
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let [keys, values] = entries.columns() else { bail!("a map without keys and values") };
            append_joined('{', '}', entries.len(), text, |index, text| {
                append_value(keys, index, text)?;
                text.push(':');
                append_value(values, index, text)
            })?;
        }
        DataType::Struct(_) => append_struct(array.as_struct(), row, text)?,
        other => bail!("columns of type {other} are not shown"),
    }
    Ok(())
}

fn append_struct(array: &StructArray, row: usize, text: &mut String) -> Result<()> {
    let fields: Vec<_> = array.fields().iter().zip(array.columns()).collect();
    append_joined('{', '}', fields.len(), text, |index, text| {
        let Some((field, values)) = fields.get(index) else { return Ok(()) };
        append_quoted(field.name(), text);
        text.push(':');
        append_value(values, row, text)
    })
}

fn append_joined(
    open: char,
    close: char,
    count: usize,
    text: &mut String,
    mut item: impl FnMut(usize, &mut String) -> Result<()>,
) -> Result<()> {
    text.push(open);
    for index in 0..count {
        if index > 0 {
            text.push(',');
        }
        item(index, text)?;
    }
    text.push(close);
    Ok(())
}

fn append_quoted(value: &str, text: &mut String) {
    // The lake's escaping leaves no control characters, so quotes and backslashes are all that JSON must escape.
    text.push('"');
    for c in value.chars() {
        if matches!(c, '"' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('"');
}

/// Microseconds since 1970 in the form of RFC 3339, UTC.
fn append_time(micros: i64, text: &mut String) {
    let (days, within) = (micros.div_euclid(86_400_000_000), micros.rem_euclid(86_400_000_000));
    let (year, month, day) = date(days);
    let (seconds, micros) = (within / 1_000_000, within % 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    // Writing to a string cannot fail.
    let _ = write!(text, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z");
}

/// Days since 1970-01-01 as year, month and day of the Gregorian calendar.
fn date(days: i64) -> (i64, i64, i64) {
    // Years that begin in March, in eras of 400 years (146,097 days): the leap day is then the last of its year.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_as_rfc_3339_before_and_after_1970() {
        for (micros, shown) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (1_795_492_800_123_456, "2026-11-24T04:00:00.123456Z"),
            (4_107_542_399_000_000, "2100-02-28T23:59:59.000000Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
        ] {
            let mut text = String::new();
            append_time(micros, &mut text);
            assert_eq!(text, shown);
        }
    }

    #[test]
    fn quotes_and_backslashes_are_escaped_inside_lists() {
        let mut text = String::new();
        append_quoted(r#"a"b\x00"#, &mut text);
        assert_eq!(text, r#""a\"b\\x00""#);
    }
}
