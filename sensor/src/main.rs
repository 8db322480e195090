//! The program: arguments, run, exit code.

use std::process::ExitCode;

/// Faster than the system's for the many small values that sessions hold.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    sensor::cli::main()
}
