//! Hunting as its users do it: the crate and the program over lakes of the project's own captures. One program, since each
//! links the whole engine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail that way"
)]

mod analysts;
mod answers;
mod captured;
mod catalog;
mod lakes;
mod report;
mod rules;
mod saved;
mod words;
