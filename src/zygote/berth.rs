//! On which processor the zygote and its children run.

use crate::sys::linux::process::Cpus;

/// For how many jobs the zygote stays where it is.
const STAY: u32 = 32;

/// Keeps the zygote and its children on one processor.
///
/// A new process is put on the idlest processor, where it finds nothing of what it needs in the caches, and whose end then has
/// to be signalled across. The zygote only waits for it, so the best place for both is one. Which one that is, the kernel
/// may choose anew from time to time: during one job after every [`STAY`] the zygote is free.
#[derive(Default)]
pub struct Berth {
    /// Where it may run at all, if it is bound.
    all: Option<Cpus>,
    jobs: u32,
}

impl Berth {
    /// To be called before each fork.
    pub fn take(&mut self) {
        match self.jobs % STAY {
            0 => self.leave(),
            1 => {
                self.all = Cpus::allowed();
                if let Some(here) = Cpus::here() {
                    let _ = here.run_on();
                }
            }
            _ => {}
        }
        self.jobs = self.jobs.wrapping_add(1);
    }

    /// Lets this process run wherever it may. A probe does that before anything else: it is to find what any process finds.
    pub fn leave(&mut self) {
        if let Some(all) = self.all.take() {
            let _ = all.run_on();
        }
    }
}
