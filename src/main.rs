//! The `neap` program. Everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    neap::cli::main()
}
