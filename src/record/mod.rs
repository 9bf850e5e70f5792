//! The shapes of everything that is written or sent, one file per kind. No I/O, no judgement.
//!
//! Writer and reader share these shapes, so neither can drift alone. Wire shapes are apart from working types: other
//! layers convert.

pub mod action;
pub mod attempts;
pub mod baseline;
pub mod build;
pub mod callout;
pub mod channel_witness;
pub mod collected;
pub mod confinement;
pub mod controls;
pub mod driver;
pub mod driver_info;
mod driver_reach;
pub mod driver_sets;
pub mod ending;
pub mod enforcer;
pub mod events;
pub mod fixture;
pub mod fixtures_doc;
pub mod identity;
pub mod index;
pub mod inventory;
pub mod launchctl;
pub mod launcher;
pub mod layout;
pub mod learned;
pub mod links;
pub mod manifest;
pub mod matrix;
pub mod mismatch;
pub mod op_summary;
pub mod opinions;
pub mod oracle;
pub mod outcome;
pub mod packet;
pub mod platform;
pub mod policy_review;
pub mod preflight;
pub mod repair;
pub mod report;
pub mod results;
pub mod row;
pub mod run_diff;
pub mod run_identity;
pub mod scan;
pub mod schemas;
pub mod selftest;
pub mod sources;
pub mod status_doc;
pub mod summary;
pub mod why;
pub mod witness;
pub mod worker_job;
pub mod world;
