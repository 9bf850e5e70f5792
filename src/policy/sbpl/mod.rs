//! Seatbelt profiles: the profile language (SBPL), and what a profile decides.
//!
//! | part | does |
//! |---|---|
//! | [`syntax`], [`parse()`] | text to syntax tree, every node with its place; [`print`](mod@print) goes the other way |
//! | [`eval`](mod@eval) | runs the profile's program; what comes out is the seam, [`rules::SbplRules`] |
//! | [`policy`] | both together: a checked value with its text, its parameters and its digest |
//! | [`model`] | what the rules decide about one operation, worked out without a kernel |
//! | [`controls`] | what a profile certainly refuses and certainly lets through, to check that it is in force |
//! | [`gate`] | what the system is known to refuse when the profile is applied |
//!
//! The language is a dialect of Scheme. It has no published definition: what is known of it comes from profiles in the
//! open (Chromium, WebKit, Nix), from the manual pages `sandbox-exec(1)` and `sandbox_init(3)`, and from what macOS
//! 14.4.1 was seen to do.

pub mod controls;
pub mod error;
pub mod eval;
pub mod gate;
mod import_name;
pub mod imports;
pub mod model;
pub mod parse;
pub mod policy;
pub mod print;
pub mod rules;
pub mod syntax;

mod lex;

pub use error::SbplError;
pub use imports::Imports;
pub use parse::parse;
pub use policy::SbplPolicy;
pub use print::{print, quote};

#[cfg(test)]
mod tests;
