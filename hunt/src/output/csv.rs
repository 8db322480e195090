//! CSV (RFC 4180): null is an empty field, an empty text is `""`.

use std::io::Write;

use anyhow::Result;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::Schema;

use super::Cells;

/// Writes the names of the columns.
///
/// # Errors
/// Writing fails.
pub fn head(schema: &Schema, out: &mut impl Write) -> Result<()> {
    line(schema.fields().iter().map(|field| Some(field.name().clone())), out)
}

/// Writes the rows of a batch.
///
/// # Errors
/// Writing fails, or a column cannot be shown.
pub fn rows(batch: &RecordBatch, out: &mut impl Write) -> Result<()> {
    let cells = Cells::new(batch)?;
    for row in 0..cells.rows() {
        line((0..cells.columns()).map(|column| cells.cell(row, column)), out)?;
    }
    Ok(())
}

fn line(fields: impl Iterator<Item = Option<String>>, out: &mut impl Write) -> Result<()> {
    let mut text = String::new();
    for (number, value) in fields.enumerate() {
        if number > 0 {
            text.push(',');
        }
        if let Some(value) = value {
            field(&value, &mut text);
        }
    }
    text.push_str("\r\n");
    Ok(out.write_all(text.as_bytes())?)
}

/// Appends a field. What a spreadsheet would calculate gets an apostrophe in front, by which it takes it for a text; a number
/// below zero is no formula.
fn field(value: &str, out: &mut String) {
    let is_formula = value.starts_with(['=', '+', '-', '@', '\t', '\r']) && value.parse::<f64>().is_err();
    let is_quoted = value.is_empty()
        || is_formula
        || value.contains(['"', ',', '\n', '\r', '\''])
        || value != value.trim();
    if !is_quoted {
        out.push_str(value);
        return;
    }
    out.push('"');
    if is_formula {
        out.push('\'');
    }
    out.push_str(&value.replace('"', "\"\""));
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &str) -> String {
        let mut out = String::new();
        field(value, &mut out);
        out
    }

    #[test]
    fn what_a_spreadsheet_would_calculate_is_a_text() {
        assert_eq!(written("=cmd|' /C calc'!A0"), "\"'=cmd|' /C calc'!A0\"");
        for formula in ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "-"] {
            assert!(written(formula).starts_with("\"'"), "{formula}");
        }
        assert_eq!(written("-1.5"), "-1.5");
        assert_eq!(written("+"), "\"'+\"");
    }

    #[test]
    fn separators_are_quoted() {
        assert_eq!(written("plain"), "plain");
        assert_eq!(written("a,b"), "\"a,b\"");
        assert_eq!(written("a\"b\nc"), "\"a\"\"b\nc\"");
        assert_eq!(written(""), "\"\"");
        assert_eq!(written(" a"), "\" a\"");
    }
}
