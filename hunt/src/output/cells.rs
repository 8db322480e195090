//! The cells of a batch as texts.

use anyhow::Result;
use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};

/// The cells of a batch; structs, lists and maps as Arrow shows them.
pub struct Cells<'a> {
    columns: Vec<(&'a dyn Array, ArrayFormatter<'a>)>,
    rows: usize,
}

const OPTIONS: FormatOptions<'static> = FormatOptions::new()
    .with_display_error(true)
    .with_null("null")
    .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.6f"))
    .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.6fZ"));

impl<'a> Cells<'a> {
    /// Of a batch.
    ///
    /// # Errors
    /// A column has a type that cannot be shown.
    pub fn new(batch: &'a RecordBatch) -> Result<Self> {
        let columns = batch.columns().iter().map(|column| {
            let column: &dyn Array = column.as_ref();
            Ok((column, ArrayFormatter::try_new(column, &OPTIONS)?))
        });
        Ok(Self { columns: columns.collect::<Result<_>>()?, rows: batch.num_rows() })
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many columns there are.
    pub fn columns(&self) -> usize {
        self.columns.len()
    }

    /// A cell; none where it is null.
    pub fn cell(&self, row: usize, column: usize) -> Option<String> {
        let (array, formatter) = self.columns.get(column)?;
        (!array.is_null(row) && *array.data_type() != DataType::Null)
            .then(|| formatter.value(row).to_string())
    }
}
