//! Hunting in a lake: SQL, saved hunts, rules that raise signals, and reports with pictures.

#![forbid(unsafe_code)]

pub mod cli;
pub mod engine;
pub mod output;
pub mod report;
pub mod rules;
pub mod saved;
mod shell;
