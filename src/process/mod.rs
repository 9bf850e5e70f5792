//! Starting and ending processes.

pub mod tool;
mod zygote;

pub use zygote::{Interrupter, Lost, SUBCOMMAND, SpawnError, Zygote};
