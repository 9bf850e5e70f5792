//! A probe process of Linux that was started afresh. Runs use forked ones; tests of the spawning server use these, with
//! the same drivers.

use std::io;

use super::child::{self, NULL, Work};
use super::protocol::Job;
use crate::base::errno::io_error;
use crate::enforce;
use crate::policy::Enforceable;
use crate::probe::SyscallTexts;
use crate::record::row::ProbeProcess;
use crate::sys::linux::path;
use crate::sys::linux::process::{forbid_core_dumps, ids, set_umask};
use crate::sys::linux::sole::Sole;

/// Does the job and ends the process. The report pipe is descriptor 1, and becomes a private one.
pub fn run(job: &Job<Enforceable>) -> io::Result<std::convert::Infallible> {
    // Above the number that the report gets in the end.
    const ASIDE: i32 = 9;
    let sole = Sole::claim().map_err(io::Error::other)?;
    sole.duplicate(1, ASIDE, true).map_err(io_error)?;
    let null = path::open(c"/dev/null", libc::O_RDWR, 0).map_err(io_error)? as i32;
    sole.duplicate(null, NULL, true).map_err(io_error)?;
    forbid_core_dumps().map_err(io_error)?;
    set_umask(0o022);
    sole.reset_signals();
    let parent = ids().1;
    let link = child::executable_link(parent);
    let policy = job.policy.as_ref().map(enforce::ready);
    let mut all = Work {
        action: &job.action,
        scope: &job.scope,
        texts: SyscallTexts::of(&job.action, &job.scope),
        policy,
        zygote: parent,
        zygote_link: &link,
        process: ProbeProcess::Fresh,
    };
    child::run(&mut all, ASIDE, &mut Vec::with_capacity(8 * 1024), sole)
}
