//! Starting and ending processes.

mod zygote;

pub use zygote::{Lost, SUBCOMMAND, SpawnError, Zygote};
