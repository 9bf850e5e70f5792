//! One interface, whatever service manager it is.

use std::path::PathBuf;
use std::time::Duration;

use super::error::ChannelError;
use super::job::{JobOwner, ManagedJob};
use crate::base::bundle_path::BundlePath;
use crate::base::ids::RunId;
use crate::process::tool::ToolOutput;
use crate::record::channel_witness::ManagerAccount;

/// A service manager that starts workers, gives account of them, and ends them.
pub trait Manager {
    /// What a run's job is called: a unit, or a label.
    fn name_of(&self, run_id: &RunId) -> String;

    /// Names that the manager adds to a job's environment of its own accord.
    fn own_environment(&self) -> &'static [&'static str];

    /// The programs through which the manager is spoken to.
    fn programs(&self) -> Vec<PathBuf>;

    /// Starts the job. It runs, or has run, when this returns.
    ///
    /// # Errors
    /// If the manager does not take it, with its words.
    fn start(&self, job: &ManagedJob<'_>) -> Result<ToolOutput, ChannelError>;

    /// What the manager says of the job now.
    ///
    /// # Errors
    /// If it does not answer.
    fn account(&self, unit: &str) -> Result<ManagerAccount, ChannelError>;

    /// Waits for the job's end; never for its first output. `arrived` says whether the worker's result is there.
    ///
    /// # Errors
    /// If the manager does not answer, the time runs out, or the run is cancelled. The job may still run then.
    fn wait(
        &self,
        alive: &ManagerAccount,
        limit: Duration,
        arrived: &dyn Fn() -> bool,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<ManagerAccount, ChannelError>;

    /// Whose the job of that name is.
    ///
    /// # Errors
    /// If the manager does not answer.
    fn whose(&self, job: &ManagedJob<'_>) -> Result<JobOwner, ChannelError>;

    /// Ends the job, if it still runs, and makes the manager forget it. Another job of that name is left alone.
    fn end(&self, job: &ManagedJob<'_>);

    /// Everything that was asked and said, as files of the bundle, beyond what the account holds. Called while the stage
    /// is there.
    fn diagnostics(&self, _run_id: &RunId, _bundle_root: &str) -> Vec<(BundlePath, Vec<u8>)> {
        Vec::new()
    }
}
