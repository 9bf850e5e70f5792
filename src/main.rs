//! The `sandproof` executable. Everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(sandproof::main())
}
