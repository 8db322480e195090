//! A table for a terminal: as wide as its cells, no wider than the terminal.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::Schema;

use anyhow::Result;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{Cells, escape};

/// Columns that a column may take where the terminal is too narrow for all.
const NARROWEST: usize = 8;

/// The rows as a table. `width` is that of the terminal; none where there is none, and cells are whole.
///
/// # Errors
/// A column cannot be shown.
pub fn text(schema: &Schema, batches: &[RecordBatch], width: Option<usize>) -> Result<String> {
    let mut lines =
        vec![schema.fields().iter().map(|field| escape::escaped(field.name())).collect::<Vec<_>>()];
    for batch in batches {
        let cells = Cells::new(batch)?;
        for row in 0..cells.rows() {
            let shown =
                |column| cells.cell(row, column).map_or_else(String::new, |cell| escape::escaped(&cell));
            lines.push((0..cells.columns()).map(shown).collect());
        }
    }
    let numeric: Vec<bool> = schema.fields().iter().map(|field| field.data_type().is_numeric()).collect();
    let widths = widths(&lines, width);
    let mut out = String::new();
    for (number, line) in lines.iter().enumerate() {
        row(line, &widths, &numeric, &mut out);
        if number == 0 {
            let rules: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
            out.push_str(&rules.join("  "));
            out.push('\n');
        }
    }
    Ok(out)
}

fn row(cells: &[String], widths: &[usize], numeric: &[bool], out: &mut String) {
    let last = cells.len().saturating_sub(1);
    for (place, ((cell, width), numeric)) in cells.iter().zip(widths).zip(numeric).enumerate() {
        let cell = cut(cell, *width);
        let blanks = " ".repeat(width.saturating_sub(cell.width()));
        match (numeric, place == last) {
            (true, _) => {
                out.push_str(&blanks);
                out.push_str(&cell);
            }
            (false, true) => out.push_str(&cell),
            (false, false) => {
                out.push_str(&cell);
                out.push_str(&blanks);
            }
        }
        if place < last {
            out.push_str("  ");
        }
    }
    out.push('\n');
}

/// How wide each column is: as its widest cell; where the terminal is too narrow the widest give way first.
fn widths(lines: &[Vec<String>], terminal: Option<usize>) -> Vec<usize> {
    let columns = lines.first().map_or(0, Vec::len);
    let widest =
        |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.width()).max();
    let mut widths: Vec<usize> = (0..columns).map(|column| widest(column).unwrap_or(0)).collect();
    let Some(terminal) = terminal else { return widths };
    let room = terminal.saturating_sub(2 * columns.saturating_sub(1));
    while widths.iter().sum::<usize>() > room {
        let Some(widest) = widths.iter_mut().max() else { break };
        if *widest <= NARROWEST {
            break;
        }
        *widest -= 1;
    }
    widths
}

/// At most `width` columns of a text, with an ellipsis where something is cut.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut taken = 0;
    for character in text.chars() {
        let wide = character.width().unwrap_or(0);
        if taken + wide + 1 > width {
            break;
        }
        taken += wide;
        out.push(character);
    }
    out.push('…');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_cut_where_the_terminal_ends() {
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("漢字漢字", 5), "漢字…");
        assert_eq!(cut("abc", 3), "abc");
        let lines = vec![vec!["a".repeat(50), "b".repeat(10)]];
        assert_eq!(widths(&lines, Some(40)), [28, 10]);
        assert_eq!(widths(&lines, None), [50, 10]);
    }
}
