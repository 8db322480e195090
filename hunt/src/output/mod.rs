//! Answers as people and programs want them: a table, CSV, JSON, Parquet.
//!
//! Text comes from the wire: what could steer a terminal or deceive its reader is shown escaped ([`escape`]), and what a
//! spreadsheet would take for a formula is not one ([`csv`]). JSON and Parquet carry it as it is.

mod cells;
pub mod csv;
pub mod escape;
pub mod file;
pub mod json;
pub mod table;

pub use cells::Cells;
