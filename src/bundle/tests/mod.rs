//! Tests over small whole bundles.

mod commit;
mod fixture;
mod locks;
mod repairs;
mod tamper;
