//! Systems on which no probe process is forked: every job is answered, none is started.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use super::protocol::{Job, Reply};
use super::server::{self, ProbeStarter, ServeError};
use crate::policy::Enforceable;
use crate::record::ending::Ending;

/// Starts nothing.
struct Refuser;

impl ProbeStarter for Refuser {
    fn run(&mut self, job: &Job<Enforceable>) -> Option<Reply> {
        Some(Reply { ending: Ending::NotStarted { errno: libc::ENOSYS }, ..Reply::to(job.seq) })
    }
}

/// Answers every job with `ENOSYS` until the control socket on descriptor 0 is closed.
///
/// # Errors
/// What the server's loop says.
pub fn serve() -> Result<(), ServeError> {
    let socket = || {
        let socket = io::stdin().as_fd().try_clone_to_owned();
        socket.map(File::from).map_err(|source| ServeError::Prepare { step: "take its control socket", source })
    };
    server::serve(socket()?, socket()?, &mut Refuser)
}
