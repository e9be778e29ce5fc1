//! The `neap` program. Everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    // First of all, while there is one thread.
    neap::exec::supervise_if_asked();
    neap::cli::main()
}
