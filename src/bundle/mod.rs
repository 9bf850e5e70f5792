//! Bundles: writing, sealing, reading and verifying.
//!
//! A bundle is the folder `<out>/<run_id>/`. It is committed when its `artifact_index.json` exists, and it is a closed
//! world: the index lists every other file in it with size and digest. [`writer`] makes it, [`verify()`] is the only way
//! to a [`Verified`] one, [`reader`] shows what lies there whatever it is worth. They share `record::layout` for names,
//! `record::index` for shapes and [`index`] for order and spelling, so neither can drift alone.

mod compare;
pub mod contradiction;
pub mod declared;
pub mod derivation;
pub mod finding;
pub mod index;
pub mod lock;
mod published;
pub mod reader;
pub mod recompute;
pub mod rederive;
pub mod reference;
pub mod repair;
pub mod verified_artifact;
pub mod verify;
mod walk;
pub mod writer;
mod writer_thread;

#[cfg(test)]
pub(crate) mod tests;

pub use derivation::FromInputs;
pub use finding::{Finding, Problem};
pub use lock::{LockError, LockMode, OutputLock};
pub use reader::{UnverifiedBundle, open_unverified};
pub use recompute::Recompute;
pub use verified_artifact::ArtifactError;
pub use verify::{Bundle, Refused, Verified, verify};
pub use writer::{BundleWriter, Committed, RunEnd};
