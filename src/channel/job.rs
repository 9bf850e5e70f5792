//! A worker, as service managers are told of it.

use std::path::Path;
use std::time::Duration;

/// A worker as a job for a service manager.
#[derive(Debug, Clone, Copy)]
pub struct ManagedJob<'j> {
    /// The job's name at the manager, a unit of systemd or a label of launchd: see
    /// [`Manager::name_of`](super::manager::Manager::name_of).
    pub unit: &'j str,
    /// The program, absolute, and its arguments.
    pub argv: &'j [String],
    /// The whole environment of the job, as (name, value) pairs; nothing is inherited.
    pub environment: &'j [(String, String)],
    /// The working folder of the job, as an absolute path.
    pub folder: &'j Path,
    /// Where standard output goes.
    pub stdout: &'j Path,
    /// Where standard error goes.
    pub stderr: &'j Path,
    /// How long it may run. launchd has no limit of its own for that: there only the wait has.
    pub limit: Duration,
}

/// JobOwner the job is that a manager knows by some name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobOwner {
    /// The one that was asked for.
    Ours,
    /// Another of the same name.
    Anothers,
    /// There is none.
    Nobodys,
}
