//! Bundles: writing, sealing, reading and verifying.
//!
//! A bundle is the folder `<out>/<run_id>/`. It is committed when its `artifact_index.json` exists, and it is a closed
//! world: the index lists every other file in it with size and digest. [`writer`] makes it, [`verify()`] is the only way
//! to a [`Verified`] one, [`reader`] shows what lies there whatever it is worth. They share `record::layout` for names,
//! `record::index` for shapes and [`index`] for order and spelling, so neither can drift alone.

pub mod contradiction;
mod file_comparison;
pub mod finding;
pub mod index;
pub mod lock;
pub mod merge;
mod observed;
mod plan_cache;
mod published;
pub mod reader;
pub mod reference;
pub mod repair;
mod replay;
pub mod replay_diff;
mod replay_inputs;
mod replay_sink;
pub mod sealed_folder;
pub mod sealed_run;
mod verified;
pub mod verified_artifact;
pub mod verify;
pub mod verify_identity;
mod walk;
pub mod writer;
mod writer_thread;

#[cfg(test)]
pub(crate) mod tests;

pub use finding::{BundleFinding, Problem};
pub use lock::{LockError, LockMode};
pub use reader::{UnverifiedBundle, open_unverified};
pub use replay_diff::replay_diff;
pub use verified_artifact::ArtifactError;
pub use verify::{Bundle, BundleRefused, Verified, verify};
