//! Tests over the whole derivation.

mod artifacts;
mod reference;
mod rows;
mod seatbelt;
