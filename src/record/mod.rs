//! The shapes of everything that is written or sent, one file per kind. No I/O, no judgement.
//!
//! Writer and reader share these shapes, so neither can drift alone. Wire shapes are apart from working types: other
//! layers convert.

pub mod action;
pub mod driver;
pub mod ending;
pub mod fixture;
pub mod layout;
pub mod manifest;
pub mod outcome;
pub mod report;
pub mod row;
pub mod sources;
