//! Answers of the engine as the values of a page.

use anyhow::{Context as _, Result};
use datafusion::arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use serde::{Serialize, Serializer};

use super::question::Column;
use super::words;
use crate::engine::Answer;

/// The column, if the SQL has it, that says how many rows there are without the limit.
const ROWS_IN_ALL: &str = "rows_in_all";

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Null,
    Yes(bool),
    Whole(i64),
    Real(f64),
    Text(String),
    /// Microseconds since 1970.
    Time(i64),
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Yes(yes) => serializer.serialize_bool(*yes),
            Self::Whole(number) => serializer.serialize_i64(*number),
            Self::Real(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            // A script counts milliseconds.
            Self::Time(micros) => serializer.serialize_f64(*micros as f64 / 1000.0),
        }
    }
}

/// The rows of a view, in the order of its columns.
#[derive(Debug, Default)]
pub(super) struct Rows {
    columns: Vec<&'static str>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// How many there are without the limit of the SQL.
    pub(super) total: i64,
    /// Why they could not be had.
    pub(super) failed: Option<String>,
}

impl Rows {
    pub(super) fn failed(reason: String) -> Self {
        Self { failed: Some(reason), ..Self::default() }
    }

    pub(super) fn of(answer: &Answer, columns: &'static [Column]) -> Result<Self> {
        let mut rows: Vec<Vec<Cell>> = Vec::new();
        let mut total = None;
        for batch in &answer.batches {
            let start = rows.len();
            rows.resize_with(start + batch.num_rows(), || Vec::with_capacity(columns.len()));
            for column in columns {
                let values = batch
                    .column_by_name(column.name)
                    .with_context(|| format!("the answer has no column {}", column.name))?;
                for (row, cell) in rows.iter_mut().skip(start).zip(cells(values)?) {
                    row.push(cell);
                }
            }
            if let (None, Some(values)) = (&total, batch.column_by_name(ROWS_IN_ALL)) {
                total = cells(values)?.into_iter().next();
            }
        }
        let total = match total {
            Some(Cell::Whole(total)) => total,
            _ => rows.len() as i64,
        };
        Ok(Self { columns: columns.iter().map(|column| column.name).collect(), rows, total, failed: None })
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn at(&self, row: usize, column: &str) -> Option<&Cell> {
        let index = self.columns.iter().position(|name| *name == column)?;
        self.rows.get(row)?.get(index)
    }

    /// A number; what is null or no number counts as zero.
    pub(super) fn number(&self, row: usize, column: &str) -> i64 {
        match self.at(row, column) {
            Some(Cell::Whole(number) | Cell::Time(number)) => *number,
            Some(Cell::Real(number)) => *number as i64,
            Some(Cell::Yes(yes)) => i64::from(*yes),
            _ => 0,
        }
    }

    pub(super) fn text(&self, row: usize, column: &str) -> Option<&str> {
        match self.at(row, column) {
            Some(Cell::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub(super) fn sum(&self, column: &str) -> i64 {
        self.sum_where(column, |_| true)
    }

    pub(super) fn sum_where(&self, column: &str, keep: impl Fn(usize) -> bool) -> i64 {
        let kept = (0..self.rows.len()).filter(|row| keep(*row));
        kept.fold(0, |sum, row| sum.saturating_add(self.number(row, column)))
    }

    /// The sum for each value of a column, the largest first.
    pub(super) fn sums(&self, by: &str, column: &str) -> Vec<(String, i64)> {
        let mut sums: Vec<(String, i64)> = Vec::new();
        for row in 0..self.rows.len() {
            let name = match self.at(row, by) {
                Some(Cell::Text(text)) => text.clone(),
                Some(Cell::Time(micros)) => micros.to_string(),
                _ => continue,
            };
            let value = self.number(row, column);
            match sums.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum = sum.saturating_add(value),
                None => sums.push((name, value)),
            }
        }
        sums.sort_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
        sums
    }
}

/// The values of a column, of whichever type they are.
fn cells(values: &ArrayRef) -> Result<Vec<Cell>> {
    let as_type = match values.data_type() {
        DataType::Boolean => DataType::Boolean,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => DataType::Float64,
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => DataType::Float64,
        numbers if numbers.is_integer() => DataType::Int64,
        DataType::Timestamp(..) => DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Null => return Ok(vec![Cell::Null; values.len()]),
        _ => DataType::Utf8,
    };
    let values = cast(values, &as_type)?;
    let values = values.as_any();
    Ok(if let Some(values) = values.downcast_ref::<Int64Array>() {
        values.iter().map(|value| value.map_or(Cell::Null, Cell::Whole)).collect()
    } else if let Some(values) = values.downcast_ref::<Float64Array>() {
        values
            .iter()
            .map(|value| value.filter(|value| value.is_finite()).map_or(Cell::Null, Cell::Real))
            .collect()
    } else if let Some(values) = values.downcast_ref::<BooleanArray>() {
        values.iter().map(|value| value.map_or(Cell::Null, Cell::Yes)).collect()
    } else if let Some(values) = values.downcast_ref::<TimestampMicrosecondArray>() {
        values.iter().map(|value| value.map_or(Cell::Null, Cell::Time)).collect()
    } else {
        let texts = values.downcast_ref::<StringArray>().context("a column of a type that no page shows")?;
        texts.iter().map(|text| text.map_or(Cell::Null, |text| Cell::Text(words::visible(text)))).collect()
    })
}
