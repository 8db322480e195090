//! The program `spanlake-hunt`, which `spanlake hunt` runs.

#![forbid(unsafe_code)]

use std::process::ExitCode;

/// Queries let go of what other threads took; with the C library's they spend half of their time on that.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    hunt::cli::main()
}
