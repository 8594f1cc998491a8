//! The `portcullis` program; everything is in the library.

use std::process::ExitCode;

/// Faster than the system's here, and gives memory back after a burst; a feature, because it takes minutes to build.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    portcullis::cli::run(std::env::args_os())
}
