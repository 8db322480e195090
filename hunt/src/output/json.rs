//! JSON, an object a row and a line. Structs are objects, maps too, lists are arrays; null is written.

use std::io::Write;

use anyhow::Result;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::json::writer::{LineDelimited, WriterBuilder};

/// Writes the rows of a batch.
///
/// # Errors
/// Writing fails, or a column has a type that JSON cannot hold.
pub fn rows(batch: &RecordBatch, out: &mut impl Write) -> Result<()> {
    if batch.num_rows() == 0 {
        return Ok(());
    }
    let mut writer = WriterBuilder::new()
        .with_explicit_nulls(true)
        .with_timestamp_tz_format("%Y-%m-%dT%H:%M:%S%.6fZ".to_owned())
        .build::<_, LineDelimited>(out);
    writer.write(batch)?;
    Ok(writer.finish()?)
}
