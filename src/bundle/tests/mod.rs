//! Tests over small whole bundles.

mod artifact;
mod commit;
pub(crate) mod fixture;
mod locks;
mod repairs;
mod tamper;
