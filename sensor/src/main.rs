//! The program: arguments, run, exit code.

#![forbid(unsafe_code)]

use std::process::ExitCode;

/// Rows are made in one thread and dropped in another; this one gives what was let go to whoever asks next.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    sensor::cli::main()
}
