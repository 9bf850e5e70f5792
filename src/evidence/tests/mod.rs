//! Tests over the whole derivation.

mod artifacts;
mod attribution;
mod branches;
mod identical;
mod reference;
mod rows;
mod schemas;
mod seatbelt;
mod verdict_lines;
