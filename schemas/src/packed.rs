//! Rows as bytes and back, for the time between a worker and the lake: quick and small, not made to last. Only a version
//! of the same [`shape`] reads them.
//!
//! ```text
//!  piece    section …
//!  section  number of the table (u8), rows (u32), row …
//!  row      envelope, then the fields of the record one behind the other, texts and lists where they stand
//! ```
//!
//! Reading is total: bytes that nobody packed are an error, and cost no more memory than a small multiple of their length.

mod values;

use std::fmt;

use crate::arena::Arena;
use crate::batch::{Batch, Counts, Records, TABLE_NAMES, TABLES, every_table};
use crate::envelope::Row;
use crate::table::Record;

// The records of the tables, as `every_table` names them.
use crate::anomaly::Anomaly;
use crate::dns::Dns;
use crate::file::File;
use crate::flows::Flow;
use crate::ftp::Ftp;
use crate::http::Http;
use crate::kerberos::Kerberos;
use crate::sensor_stats::SensorStats;
use crate::tls::Tls;
use crate::x509::X509;

/// Bytes that are no packed rows of this shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(
    /// What could not be read.
    pub &'static str,
);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no packed rows: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

/// What can be packed.
pub(crate) trait Packed: Sized {
    /// Appends the value.
    fn pack(&self, out: &mut Output<'_>);

    /// Reads a value from the front.
    fn unpack(input: &mut Input<'_>) -> Result<Self, Malformed>;

    /// Appends what tells this form from others.
    fn shape(shape: &mut String);
}

/// Where values go.
pub(crate) struct Output<'a> {
    pub(crate) bytes: &'a mut Vec<u8>,
    /// What their ranges point into.
    pub(crate) arena: &'a Arena,
}

/// Where values come from.
pub(crate) struct Input<'a> {
    pub(crate) bytes: &'a [u8],
    /// Where texts and lists go.
    pub(crate) arena: &'a mut Arena,
}

/// Packs a struct by the list of its fields: the compiler knows when one is missing. Lists say of what they are:
/// `answers as resource_records`.
macro_rules! packed {
    (@pack $out:ident, $field:ident) => {
        $crate::packed::Packed::pack($field, $out)
    };
    (@pack $out:ident, $field:ident, $list:ident) => {
        $out.$list(*$field)
    };
    (@unpack $input:ident) => {
        $crate::packed::Packed::unpack($input)?
    };
    (@unpack $input:ident, $list:ident) => {
        $input.$list()?
    };
    (@shape $shape:ident, $field:ident) => {
        $crate::packed::shape_of(|record: &Self| &record.$field, $shape)
    };
    (@shape $shape:ident, $field:ident, $list:ident) => {
        $shape.push_str(stringify!($list))
    };
    ($record:ident { $($field:ident $(as $list:ident)?),* $(,)? }) => {
        impl $crate::packed::Packed for $record {
            fn pack(&self, out: &mut $crate::packed::Output<'_>) {
                let Self { $($field),* } = self;
                $($crate::packed::packed!(@pack out, $field $(, $list)?);)*
            }

            fn unpack(input: &mut $crate::packed::Input<'_>) -> Result<Self, $crate::packed::Malformed> {
                // Fields are read in the order in which they stand here.
                Ok(Self { $($field: $crate::packed::packed!(@unpack input $(, $list)?)),* })
            }

            fn shape(shape: &mut String) {
                shape.push_str(concat!(stringify!($record), "{"));
                $(
                    shape.push_str(concat!(stringify!($field), ":"));
                    $crate::packed::packed!(@shape shape, $field $(, $list)?);
                    shape.push(',');
                )*
                shape.push('}');
            }
        }
    };
}
pub(crate) use packed;

/// Packs a set of names by their number in `ALL`.
macro_rules! packed_names {
    ($names:ident) => {
        impl $crate::packed::Packed for $names {
            fn pack(&self, out: &mut $crate::packed::Output<'_>) {
                out.bytes.push(*self as u8);
            }

            fn unpack(input: &mut $crate::packed::Input<'_>) -> Result<Self, $crate::packed::Malformed> {
                let number = usize::from(u8::unpack(input)?);
                Self::ALL.get(number).copied().ok_or($crate::packed::Malformed(stringify!($names)))
            }

            fn shape(shape: &mut String) {
                shape.push_str(stringify!($names));
                for name in Self::ALL {
                    shape.push('|');
                    shape.push_str(name.name());
                }
            }
        }
    };
}
pub(crate) use packed_names;

/// The shape of a field, of whatever type it is.
pub(crate) fn shape_of<R, T: Packed>(_: fn(&R) -> &T, shape: &mut String) {
    T::shape(shape);
}

impl<R: Packed> Packed for Row<R> {
    fn pack(&self, out: &mut Output<'_>) {
        self.envelope.pack(out);
        self.record.pack(out);
    }

    fn unpack(input: &mut Input<'_>) -> Result<Self, Malformed> {
        Ok(Self { envelope: Packed::unpack(input)?, record: Packed::unpack(input)? })
    }

    fn shape(shape: &mut String) {
        crate::envelope::Envelope::shape(shape);
        R::shape(shape);
    }
}

/// Packed rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// The bytes, behind as many as were reserved.
    pub bytes: Vec<u8>,
    /// Rows by table.
    pub rows: Counts,
}

/// Makes pieces of rows.
struct Packer<F> {
    piece: Piece,
    most: usize,
    reserve: usize,
    each: F,
}

impl<F: FnMut(Piece)> Packer<F> {
    fn add<R: Record>(&mut self, table: usize, batch: &Batch<R>)
    where
        Row<R>: Packed,
    {
        let mut rows = batch.rows.iter().peekable();
        while rows.peek().is_some() {
            self.piece.bytes.push(table as u8);
            let at = self.piece.bytes.len();
            self.piece.bytes.extend_from_slice(&[0; 4]);
            let mut count = 0_u32;
            while self.piece.bytes.len() < self.most
                && let Some(row) = rows.next()
            {
                row.pack(&mut Output { bytes: &mut self.piece.bytes, arena: &batch.arena });
                count += 1;
            }
            if let Some(place) = self.piece.bytes.get_mut(at..at + 4) {
                place.copy_from_slice(&count.to_le_bytes());
            }
            if let Some(rows) = self.piece.rows.get_mut(table) {
                *rows += u64::from(count);
            }
            if self.piece.bytes.len() >= self.most {
                self.flush();
            }
        }
    }

    fn flush(&mut self) {
        if self.piece.rows != Counts::default() {
            let next = Piece { bytes: vec![0; self.reserve], ..Piece::default() };
            (self.each)(std::mem::replace(&mut self.piece, next));
        }
    }
}

fn unpack_rows<R: Record>(count: u32, bytes: &mut &[u8], batch: &mut Batch<R>) -> Result<(), Malformed>
where
    Row<R>: Packed,
{
    // Whatever the count says: no row is shorter.
    batch.rows.reserve((count as usize).min(bytes.len() / LEAST_ROW));
    batch.arena.reserve(bytes.len());
    for _ in 0..count {
        let mut input = Input { bytes, arena: &mut batch.arena };
        let row = Packed::unpack(&mut input)?;
        let taken = bytes.len() - input.bytes.len();
        *bytes = bytes.get(taken..).unwrap_or_default();
        batch.add(row);
    }
    Ok(())
}

macro_rules! records {
    ($($table:ident: $record:ty, $columns:ident, $doc:literal;)*) => {
        impl Records {
            /// Packs all rows into pieces that are cut behind the row with which they reach `most` bytes. So many bytes as
            /// `reserve` says are left free at the front of each.
            pub fn pack(&self, most: usize, reserve: usize, each: impl FnMut(Piece)) {
                let piece = Piece { bytes: vec![0; reserve], ..Piece::default() };
                let mut packer = Packer { piece, most: most.max(reserve + 6), reserve, each };
                let mut table = 0;
                $(
                    packer.add(table, &self.$table);
                    table += 1;
                )*
                debug_assert_eq!(table, TABLES, "every table was packed");
                packer.flush();
            }

            /// Appends the rows of a piece; where it is malformed, none of them.
            ///
            /// # Errors
            /// The bytes are not those of a piece of this shape.
            pub fn unpack(&mut self, piece: &[u8]) -> Result<Counts, Malformed> {
                $(let $table = self.$table.mark();)*
                let counts = self.unpack_sections(piece);
                if counts.is_err() {
                    $(self.$table.truncate($table);)*
                }
                counts
            }

            fn unpack_sections(&mut self, mut bytes: &[u8]) -> Result<Counts, Malformed> {
                let mut counts = Counts::default();
                while let Some((&number, rest)) = bytes.split_first() {
                    let (count, rest) = rest.split_first_chunk().ok_or(Malformed("section"))?;
                    let count = u32::from_le_bytes(*count);
                    bytes = rest;
                    match TABLE_NAMES.get(usize::from(number)).copied() {
                        $(Some(stringify!($table)) => unpack_rows(count, &mut bytes, &mut self.$table)?,)*
                        _ => return Err(Malformed("table")),
                    }
                    if let Some(rows) = counts.get_mut(usize::from(number)) {
                        *rows += u64::from(count);
                    }
                }
                Ok(counts)
            }
        }

        /// What rows look like when they are packed: tables, fields, types, names of codes. Bytes that were packed in one
        /// shape cannot be read in another.
        pub fn shape() -> String {
            let mut shape = String::new();
            $(
                shape.push_str(stringify!($table));
                shape.push('=');
                <Row<$record>>::shape(&mut shape);
                shape.push('\n');
            )*
            shape
        }
    };
}
every_table!(records);

/// Bytes of the shortest row: of its envelope alone there are 44.
const LEAST_ROW: usize = 48;

#[cfg(test)]
mod tests;
