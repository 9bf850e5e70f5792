//! Seatbelt profiles: the profile language (SBPL), and what a profile decides.
//!
//! [`rules`] is the seam: reading a text ends with [`rules::SbplRules`], and the model starts from it.

pub mod controls;
pub mod model;
pub mod rules;
