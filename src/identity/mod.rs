//! The identity of a declaration: four parts, a digest of each, and one over them.
//!
//! Everything here is pure: facts are handed in, and the same facts give the same identity on any machine. [`mod@seal`]
//! holds the rule that anybody follows to compute an identity, [`compose`] says what a run declares, [`verify`] asks
//! a declaration whether it is what plan and manifest give, [`mod@compare`] says where two values differ, [`external`] seals
//! what others declare of their systems, and [`carried`] knows whose worlds are whose.

pub mod absent;
mod align;
pub mod carried;
pub mod compare;
pub mod compose;
pub mod environment;
pub mod external;
pub mod immaterial;
pub mod seal;
pub mod verify;

#[cfg(test)]
mod tests;

pub use absent::absences;
pub use carried::redefines_carried_world;
pub use compare::{Difference, differences};
pub use compose::declare;
pub use immaterial::immaterial_items;
pub use seal::check;
pub use verify::{
    Discrepancy, unconfirmed_by_document, verify_against_document, verify_against_itself, verify_against_manifest,
    verify_against_plan,
};
