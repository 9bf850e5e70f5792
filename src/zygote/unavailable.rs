//! Systems on which no probe process can be forked yet: every job is answered, none is started.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use super::protocol::{Reply, Request, read_frame, write_reply};
use crate::base::clock::unix_seconds;
use crate::record::ending::Ending;

/// The zygote could not go on.
#[derive(Debug, thiserror::Error)]
#[error("the control socket failed")]
pub struct ServeError(#[from] io::Error);

/// Answers every job with `ENOSYS` until the control socket is closed.
pub fn serve() -> Result<(), ServeError> {
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    let mut socket = File::from(socket);
    let mut scratch = Vec::new();
    while let Some(request) = read_frame::<Request>(&mut socket, &mut scratch)? {
        if let Request::Run(job) = request {
            let reply = Reply {
                seq: job.seq,
                pid: None,
                started_at_unix_s: unix_seconds(),
                duration_us: 0,
                ending: Ending::NotStarted { errno: libc::ENOSYS },
                report: Vec::new(),
                report_overflow: false,
                left_descendants: false,
            };
            write_reply(&mut socket, &mut scratch, &reply)?;
        }
    }
    Ok(())
}
