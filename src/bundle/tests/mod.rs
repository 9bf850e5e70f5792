//! Tests over small whole bundles.

mod commit;
pub(crate) mod fixture;
mod locks;
mod repairs;
mod tamper;
