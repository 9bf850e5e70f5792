//! The run: where execution meets writing.
//!
//! lock → bundle folder (`in_progress`) → inputs → workers → apply preflight → manifest → baseline lane → control lane →
//! scenario lane → oracle lane → derivation → commit. Rows stream to disk in plan order; nothing holds the run.

mod engine;
mod error;
pub mod host;
mod inputs;
mod preflight;
mod request;

pub use engine::{RunReport, run};
pub use error::RunError;
pub use request::{Observer, RunRequest};
