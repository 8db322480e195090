//! The program `spanlake-hunt`, which `spanlake hunt` runs.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    hunt::cli::main()
}
