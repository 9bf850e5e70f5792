//! Where the zygote runs: on one processor, which its probes start on.

use crate::sys::linux::process::Cpus;

/// After how many jobs the scheduler is asked again, so that a zygote does not stay where something else has come to run.
/// Some 25 ms of cheap probes.
const JOBS_IN_ONE_PLACE: u32 = 512;

/// The processor of a zygote.
///
/// A new process is put on the idlest processor, where it finds nothing of what it needs in the caches, and which has to be
/// woken; its end is then signalled back across. Its zygote only waits for it meanwhile, so the best place is beside it.
pub struct Place {
    /// The processors that the zygote may run on, and that its probes are given back; `None` if they cannot be told.
    allowed: Option<Cpus>,
    /// Jobs since it was bound; 0: it is not.
    jobs: u32,
}

impl Place {
    /// The place of this process, which is bound to none yet.
    pub fn of_this_process() -> Self {
        Self { allowed: Cpus::allowed(), jobs: 0 }
    }

    /// Before a job: binds this process to the processor that it runs on, if it is not bound.
    ///
    /// Where that is refused, by a filter of system calls or a security module, nothing is bound, then and later.
    pub fn settle(&mut self) {
        if self.jobs == 0 && self.allowed.is_some() && Cpus::here().is_none_or(|here| here.run_on().is_err()) {
            self.allowed = None;
        }
        self.jobs += 1;
    }

    /// What a probe lets itself run on again: what its run may run on.
    pub fn for_probe(&self) -> Option<Cpus> {
        self.allowed
    }

    /// After a job. What wakes this process up next may find it another processor, once in a while.
    pub fn leave(&mut self) {
        if self.jobs >= JOBS_IN_ONE_PLACE {
            self.jobs = 0;
            let _ = self.allowed.map(|allowed| allowed.run_on());
        }
    }
}
