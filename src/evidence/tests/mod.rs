//! Tests over the whole derivation.

mod artifacts;
mod identical;
mod reference;
mod rows;
mod seatbelt;
