//! The run: where execution meets writing.
//!
//! declaration → lock → bundle folder (`in_progress`) → declaration sealed → inputs → workers → apply preflight → manifest → baseline lane → control lane →
//! scenario lane → oracle lane → derivation → commit. Rows stream to disk in plan order; nothing holds the run.
//!
//! Through a clean channel the same steps happen in a worker that the service manager has started, on a staged copy;
//! `clean` brings its sealed result back, adds what the manager says, and commits once.

mod attribution;
pub mod clean;
mod confinement;
mod consent;
mod declared_facts;
mod drift;
mod engine;
mod error;
mod executable;
mod fixture_places;
pub mod host;
mod inputs;
mod launchers;
mod preflight;
mod repetitions;
mod request;
pub mod status;
mod sweep;
mod transaction;
mod worker;

pub use engine::{check, declare, run};
pub use error::{ChannelFailure, RunError, RunStep};
pub use executable::Executable;
pub use fixture_places::fixture_places;
pub use preflight::self_check;
pub use request::{DeclaredRun, LauncherConsent, RunControl, RunObserver, RunPlaces, RunRequest};
pub use transaction::RunReport;
pub use worker::work;
