//! Bundles: writing, sealing, reading and verifying.

pub mod index;
pub mod lock;
pub mod writer;
