//! Starting and ending processes.

pub mod tool;
mod zygote;

pub use zygote::{Lost, SERVER, SPAWNER, SUBCOMMAND, SpawnError, Zygote};
