//! Starting and ending processes.

pub mod tool;
pub mod zygote;

pub use zygote::{SERVER, SUBCOMMAND, SpawnError, Zygote, ZygoteLost};
