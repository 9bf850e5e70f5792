//! How a command is sealed on Linux.

mod command;
mod connections;
mod facts;
mod filter;
mod first;
mod kept;
mod links;
mod message;
mod opened;
mod outputs;
mod placing;
mod proc_view;
mod root;
mod second_layer;
mod shown;
mod started;
mod supervise;
mod watched;
mod weaker;

pub use facts::is_secret;
pub use links::{followed, interpreter, names_of, script_interpreter};
pub use root::find_command;
pub use supervise::seal;
