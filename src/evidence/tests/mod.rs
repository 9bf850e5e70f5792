//! Tests over the whole derivation.

mod artifacts;
mod branches;
mod identical;
mod reference;
mod rows;
mod schemas;
mod seatbelt;
mod verdict_lines;
