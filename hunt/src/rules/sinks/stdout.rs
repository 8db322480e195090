//! Signals on standard output, a line each: for people, or as JSON.

use std::io::{self, Write};

use anyhow::{Context, Result};

use super::{Refusal, Sink};
use crate::rules::signal::Signal;

/// Standard output.
pub(super) struct Stdout {
    as_json: bool,
}

impl Stdout {
    pub(super) fn new(as_json: bool) -> Self {
        Self { as_json }
    }
}

impl Sink for Stdout {
    fn send(&mut self, signal: &Signal) -> Result<(), Refusal> {
        let line = if self.as_json { signal.json().to_string() } else { signal.line() };
        Ok(writeln!(io::stdout().lock(), "{line}").context("writing")?)
    }

    fn flush(&mut self) -> Result<()> {
        io::stdout().lock().flush().context("writing")
    }

    fn unnoted(&self) -> usize {
        100
    }
}
