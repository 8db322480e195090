//! Rows of a table for a first look: as a table that fits the terminal, or as one JSON object a row.

use schemas::column::{DataType, Field};
use serde_json::{Map, Value};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::output::read::Table as Rows;

/// The columns that say most about a row of the table, the first ones most; none where nobody chose them, and then
/// the table's own order serves.
pub fn glance(table: &str) -> Option<Vec<String>> {
    GLANCE.lines().find_map(|line| {
        let mut words = line.split_whitespace().map(str::to_owned);
        (words.next()? == table).then(|| words.collect())
    })
}

/// How much room a table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// As much as it takes: nothing is cut or left out.
    Unlimited,
    /// So many places, for columns that someone chose: all are shown, and cut where they must be.
    Chosen(usize),
    /// So many places, for as many columns as can be read in them: empty ones and the last ones are left out.
    Offered(usize),
}

/// Rows as a table.
pub fn text(rows: &Rows, room: Room) -> String {
    let mut columns: Vec<Column<'_>> = Column::all(rows);
    match room {
        Room::Unlimited => {}
        Room::Chosen(width) => shrink(&mut columns, width, 1),
        Room::Offered(width) => {
            let any = columns.iter().any(|column| column.filled);
            columns.retain(|column| column.filled || !any);
            while columns.len() > 1 && needed(columns.iter().map(Column::least)) > width {
                columns.pop();
            }
            shrink(&mut columns, width, LEGIBLE);
            // A single column may still be wider than the terminal.
            shrink(&mut columns, width, 1);
        }
    }
    let mut out = String::new();
    line(&mut out, columns.iter().map(|column| (column, column.name, column.numbers)));
    for row in &rows.rows {
        // A row is a line, also where a value has several.
        let cell = |column: &Column<'_>| {
            row.get(column.at).and_then(Option::as_deref).unwrap_or(NULL).replace('\n', "↵")
        };
        let cells: Vec<String> = columns.iter().map(cell).collect();
        line(
            &mut out,
            columns.iter().zip(&cells).map(|(column, cell)| (column, cell.as_str(), column.numbers)),
        );
    }
    out
}

/// Rows as JSON, one object a line, with structs nested and values of their own types.
pub fn json(rows: &Rows, table: Option<&schemas::table::Table>) -> String {
    let fields = table.map(|table| table.fields.as_slice()).unwrap_or_default();
    let mut out = String::new();
    for row in &rows.rows {
        let mut object = Map::new();
        for (name, cell) in rows.columns.iter().zip(row) {
            let value = match cell {
                None => Value::Null,
                Some(text) if is_text(fields, name) => Value::String(text.clone()),
                Some(text) => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone())),
            };
            nest(&mut object, name, value);
        }
        out.push_str(&Value::Object(object).to_string());
        out.push('\n');
    }
    out
}

/// Puts a value under its dotted name.
fn nest(object: &mut Map<String, Value>, name: &str, value: Value) {
    match name.split_once('.') {
        None => {
            object.insert(name.to_owned(), value);
        }
        Some((outer, inner)) => {
            let entry = object.entry(outer).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(object) = entry {
                nest(object, inner, value);
            }
        }
    }
}

/// Whether a column holds text, by the table's declaration; what is not declared is taken for text.
fn is_text(fields: &[Field], name: &str) -> bool {
    let (outer, inner) = name.split_once('.').map_or((name, None), |(outer, inner)| (outer, Some(inner)));
    let Some(field) = fields.iter().find(|field| field.name == outer) else { return true };
    match (&field.data_type, inner) {
        (DataType::Struct(parts), Some(inner)) => is_text(parts, inner),
        (DataType::String | DataType::Timestamp, _) => true,
        _ => false,
    }
}

/// A column as it is printed.
#[derive(Debug)]
struct Column<'a> {
    at: usize,
    name: &'a str,
    /// Of heading and cells, until something is cut.
    width: usize,
    /// Of the widest cell.
    cells: usize,
    /// Whether any row has a value here.
    filled: bool,
    /// Whether all values are numbers, which stand to the right.
    numbers: bool,
}

impl<'a> Column<'a> {
    fn all(rows: &'a Rows) -> Vec<Self> {
        let column = |(at, name): (usize, &'a String)| {
            let mut column = Column { at, name, width: name.width(), cells: 0, filled: false, numbers: true };
            for cell in rows.rows.iter().filter_map(|row| row.get(at)?.as_deref()) {
                column.cells = column.cells.max(cell.width());
                column.filled = true;
                column.numbers &= cell.parse::<f64>().is_ok();
            }
            column.width = column.width.max(column.cells);
            column.numbers &= column.filled;
            column
        };
        rows.columns.iter().enumerate().map(column).collect()
    }
}

impl Column<'_> {
    /// The width below which it cannot be read.
    fn least(&self) -> usize {
        self.width.min(self.cells.max(SHORT)).min(LEGIBLE)
    }
}

/// Places that columns of these widths take, with the blanks between them.
fn needed(widths: impl Iterator<Item = usize>) -> usize {
    widths.map(|width| width + GAP).sum::<usize>().saturating_sub(GAP)
}

/// Makes columns fit into a width by cutting headings that are wider than their cells, then the widest columns; none
/// is made narrower than `least`.
fn shrink(columns: &mut [Column<'_>], width: usize, least: usize) {
    let mut over = needed(columns.iter().map(|column| column.width)).saturating_sub(width);
    while over > 0 {
        let heading =
            columns.iter_mut().rev().find(|column| column.width > column.cells.max(SHORT).max(least));
        let column = match heading {
            Some(column) => column,
            None => match columns.iter_mut().max_by_key(|column| column.width) {
                Some(widest) if widest.width > least => widest,
                _ => return,
            },
        };
        column.width -= 1;
        over -= 1;
    }
}

/// Appends a line of cells, cut and padded to their columns.
fn line<'a>(out: &mut String, cells: impl Iterator<Item = (&'a Column<'a>, &'a str, bool)>) {
    let mut padding = 0;
    for (at, (column, cell, right)) in cells.enumerate() {
        if at > 0 {
            padding += GAP;
        }
        let cell = cut(cell, column.width);
        let free = column.width.saturating_sub(cell.width());
        if right {
            padding += free;
        }
        // Blanks are written when something follows, so that no line ends with them.
        out.extend(std::iter::repeat_n(' ', padding));
        out.push_str(&cell);
        padding = if right { 0 } else { free };
    }
    out.push('\n');
}

/// A text in so many places of the terminal, with `…` where something was cut off.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut left = width.saturating_sub(1);
    let mut cut: String = text
        .chars()
        .take_while(|c| {
            let wide = c.width().unwrap_or_default();
            let fits = wide <= left;
            left = left.saturating_sub(wide);
            fits
        })
        .collect();
    cut.push('…');
    cut
}

/// What stands for an unknown value.
const NULL: &str = "-";

/// Blanks between two columns.
const GAP: usize = 2;

/// What is left of a heading at least: enough to tell which it is.
const SHORT: usize = 8;

/// A cell can be read in so many places: a time cut to the second has 20, an IPv4 address 15.
const LEGIBLE: usize = 20;

/// A table and its columns a line: data and not code, because the sensor knows no protocol by name.
const GLANCE: &str = include_str!("show/glance.txt");

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Rows {
        let text = |text: &str| Some(text.to_owned());
        Rows {
            columns: ["ts", "src_ip.address", "empty", "query", "id"].map(str::to_owned).to_vec(),
            rows: vec![
                vec![
                    text("2026-11-24"),
                    text("10.0.0.1"),
                    None,
                    text("a-very-long-name.example.com"),
                    text("7"),
                ],
                vec![text("2026-11-23"), text("10.0.0.2"), None, None, text("12345")],
            ],
        }
    }

    #[test]
    fn without_a_width_nothing_is_cut_or_left_out() {
        let expected = "\
ts          src_ip.address  empty  query                            id
2026-11-24  10.0.0.1        -      a-very-long-name.example.com      7
2026-11-23  10.0.0.2        -      -                             12345
";
        assert_eq!(text(&rows(), Room::Unlimited), expected);
    }

    #[test]
    fn a_value_of_several_lines_takes_one() {
        let mut rows = rows();
        let count = text(&rows, Room::Unlimited).lines().count();
        rows.rows[0][0] = Some("one\ntwo".into());
        let shown = text(&rows, Room::Unlimited);
        assert_eq!(shown.lines().count(), count);
        assert!(shown.contains("one↵two     10.0.0.1"), "{shown}");
    }

    #[test]
    fn a_table_fits_its_width_whatever_it_is() {
        for width in 10..90 {
            for line in text(&rows(), Room::Offered(width)).lines() {
                assert!(line.width() <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn columns_that_were_chosen_are_all_there_however_narrow() {
        let narrow = text(&rows(), Room::Chosen(30));
        for line in narrow.lines() {
            assert!(line.width() <= 30, "{line}");
        }
        assert_eq!(narrow.lines().next().map(|line| line.split_whitespace().count()), Some(5), "{narrow}");
    }

    #[test]
    fn columns_that_cannot_be_read_are_left_out_from_the_end() {
        let expected = "\
ts          src_ip.address
2026-11-24  10.0.0.1
2026-11-23  10.0.0.2
";
        assert_eq!(text(&rows(), Room::Offered(36)), expected);
    }

    #[test]
    fn wide_columns_are_cut_and_empty_ones_left_out() {
        let expected = "\
ts          src_ip.a…  query                    id
2026-11-24  10.0.0.1   a-very-long-name.ex…      7
2026-11-23  10.0.0.2   -                     12345
";
        assert_eq!(text(&rows(), Room::Offered(50)), expected);
    }

    #[test]
    fn json_nests_structs_and_keeps_types() {
        let table = schemas::table::table("flows").expect("there is a table of flows");
        let text = |text: &str| Some(text.to_owned());
        let rows = Rows {
            columns: ["uid", "src_ip.address", "src_ip.is_local", "src_port", "tunnels"]
                .map(str::to_owned)
                .to_vec(),
            rows: vec![vec![text("123"), text("10.0.0.1"), text("true"), text("53"), text(r#"["gre"]"#)]],
        };
        let expected = r#"{"uid":"123","src_ip":{"address":"10.0.0.1","is_local":true},"src_port":53,"tunnels":["gre"]}"#;
        assert_eq!(json(&rows, Some(table)).trim_end(), expected);
    }

    #[test]
    fn columns_for_a_first_look_are_columns_of_their_table() {
        for line in GLANCE.lines() {
            let mut words = line.split_whitespace();
            let table = schemas::table::table(words.next().unwrap_or_default()).expect(line);
            for word in words {
                let (outer, inner) =
                    word.split_once('.').map_or((word, None), |(outer, inner)| (outer, Some(inner)));
                let field = table.fields.iter().find(|field| field.name == outer).expect(word);
                match (&field.data_type, inner) {
                    (DataType::Struct(parts), Some(inner)) => {
                        assert!(parts.iter().any(|part| part.name == inner), "{word}");
                    }
                    (_, inner) => assert_eq!(inner, None, "{word}"),
                }
            }
        }
    }
}
