//! How the value of a column is read from rows: from one for JSON, from many at a time for Parquet. Each column's way is
//! compiled for itself, so that to go through many rows calls nothing for each.

use std::fmt;
use std::sync::Arc;

use crate::arena::{Arena, Text};

/// How values `V` are read from rows `T`.
pub(crate) type Read<T, V> = Arc<dyn ReadRows<T, V>>;

/// How texts are.
pub(crate) type ReadText<T> = Arc<dyn ReadTexts<T>>;

/// See [`Read`].
pub(crate) trait ReadRows<T, V>: Send + Sync {
    /// The value of one row.
    fn one(&self, row: &T) -> Option<V>;

    /// Appends the values of rows, and a definition level for each row where the column has such.
    fn all(&self, rows: &[T], shape: Shape<T>, definition: &mut Vec<u8>, out: &mut Vec<V>);
}

impl<T, V: Default, F: Fn(&T) -> Option<V> + Send + Sync> ReadRows<T, V> for F {
    fn one(&self, row: &T) -> Option<V> {
        self(row)
    }

    fn all(&self, rows: &[T], shape: Shape<T>, definition: &mut Vec<u8>, out: &mut Vec<V>) {
        shape.each(rows, definition, self, |value| out.push(value));
    }
}

/// See [`ReadText`].
pub(crate) trait ReadTexts<T>: Send + Sync {
    /// Where the text of one row lies.
    fn one(&self, row: &T) -> Text;

    /// As [`ReadRows::all`]; `arenas` are those of the rows.
    fn all<'a>(
        &self,
        rows: &[T],
        arenas: &[&'a Arena],
        shape: Shape<T>,
        definition: &mut Vec<u8>,
        out: &mut Vec<&'a [u8]>,
    );
}

impl<T, F: Fn(&T) -> Text + Send + Sync> ReadTexts<T> for F {
    fn one(&self, row: &T) -> Text {
        self(row)
    }

    fn all<'a>(
        &self,
        rows: &[T],
        arenas: &[&'a Arena],
        shape: Shape<T>,
        definition: &mut Vec<u8>,
        out: &mut Vec<&'a [u8]>,
    ) {
        let mut arenas = arenas.iter();
        let text = |row: &T| arenas.next().and_then(|arena| arena.bytes_of(self(row)));
        shape.each(rows, definition, text, |text| out.push(text));
    }
}

impl<T, V> fmt::Debug for dyn ReadRows<T, V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ReadRows")
    }
}

impl<T> fmt::Debug for dyn ReadTexts<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ReadTexts")
    }
}

/// What of a column, and of a struct around it, can be null.
#[derive(Debug)]
pub(crate) struct Shape<T> {
    /// Whether the struct around it is there; none where there is no struct.
    pub(crate) present: Option<fn(&T) -> bool>,
    /// Whether that struct can be null.
    pub(crate) struct_optional: bool,
    /// Whether the column (or the list) can be null.
    pub(crate) optional: bool,
}

impl<T> Clone for Shape<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Shape<T> {}

impl<T> Shape<T> {
    /// Reads one value a row, and appends its definition level where there are such; a required column never lacks a value,
    /// so the default stands in.
    #[inline(always)]
    pub(crate) fn each<V: Default>(
        self,
        rows: &[T],
        definition: &mut Vec<u8>,
        mut read: impl FnMut(&T) -> Option<V>,
        mut push: impl FnMut(V),
    ) {
        let outer = u8::from(self.struct_optional);
        match (self.present, self.optional) {
            (None, false) => rows.iter().for_each(|row| push(read(row).unwrap_or_default())),
            (None, true) => definition.extend(rows.iter().map(|row| match read(row) {
                Some(value) => {
                    push(value);
                    1
                }
                None => 0,
            })),
            (Some(present), optional) => definition.extend(rows.iter().map(|row| {
                // Read first: texts keep step with their arenas.
                let value = read(row);
                if !present(row) {
                    return 0;
                }
                match value {
                    Some(value) => {
                        push(value);
                        outer + u8::from(optional)
                    }
                    None if optional => outer,
                    None => {
                        push(V::default());
                        outer
                    }
                }
            })),
        }
    }
}
