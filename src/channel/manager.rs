//! One interface, whatever service manager it is.

use std::path::PathBuf;
use std::time::Duration;

use super::error::{ChannelError, ChannelUnavailable};
use super::job::{JobOwner, ManagedJob};
use super::launchd::{self, Launchd};
use super::systemd::{self, Systemd};
use crate::base::bundle_path::BundlePath;
use crate::base::ids::RunId;
use crate::process::tool::ToolOutput;
use crate::record::channel_witness::ManagerAccount;
use crate::record::manifest::ChannelKind;

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
    /// If the manager does not answer, the time runs out, or somebody wishes to stop. The job may still run then.
    fn wait(
        &self,
        alive: &ManagerAccount,
        limit: Duration,
        arrived: &dyn Fn() -> bool,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<ManagerAccount, ChannelError>;

    /// JobOwner the job of that name is.
    ///
    /// # Errors
    /// If the manager does not answer.
    fn whose(&self, job: &ManagedJob<'_>) -> Result<JobOwner, ChannelError>;

    /// Ends the job, if it still runs, and makes the manager forget it. Another job of that name is left alone.
    fn end(&self, job: &ManagedJob<'_>);

    /// Everything that was asked and said, as files of the bundle, beyond what the account holds. Called while the stage
    /// is there.
    fn diagnostics(&self, run_id: &RunId, bundle_root: &str) -> Vec<(BundlePath, Vec<u8>)>;
}

/// The manager of a clean channel on this host.
///
/// # Errors
/// Why there is none. `direct` has none.
pub fn of_channel(channel: ChannelKind) -> Result<Box<dyn Manager>, ChannelUnavailable> {
    match channel {
        ChannelKind::Direct => Err(ChannelUnavailable::new("a direct run is started by no manager")),
        ChannelKind::SystemdClean => Ok(Box::new(Systemd::find()?)),
        ChannelKind::LaunchdClean => Ok(Box::new(Launchd::find()?)),
    }
}

impl Manager for Systemd {
    fn name_of(&self, run_id: &RunId) -> String {
        systemd::unit_of(run_id)
    }

    fn own_environment(&self) -> &'static [&'static str] {
        systemd::MANAGER_ENVIRONMENT
    }

    fn programs(&self) -> Vec<PathBuf> {
        Self::programs(self)
    }

    fn start(&self, job: &ManagedJob<'_>) -> Result<ToolOutput, ChannelError> {
        Self::start(self, job)
    }

    fn account(&self, unit: &str) -> Result<ManagerAccount, ChannelError> {
        Self::account(self, unit)
    }

    fn wait(
        &self,
        alive: &ManagerAccount,
        limit: Duration,
        arrived: &dyn Fn() -> bool,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<ManagerAccount, ChannelError> {
        Self::wait(self, alive, limit, arrived, cancelled)
    }

    fn whose(&self, job: &ManagedJob<'_>) -> Result<JobOwner, ChannelError> {
        Self::whose(self, job)
    }

    fn end(&self, job: &ManagedJob<'_>) {
        Self::end(self, job);
    }

    fn diagnostics(&self, _: &RunId, _: &str) -> Vec<(BundlePath, Vec<u8>)> {
        Vec::new()
    }
}

impl Manager for Launchd {
    fn name_of(&self, run_id: &RunId) -> String {
        launchd::label_of(run_id)
    }

    fn own_environment(&self) -> &'static [&'static str] {
        launchd::MANAGER_ENVIRONMENT
    }

    fn programs(&self) -> Vec<PathBuf> {
        [launchd::tools::Tool::Launchctl, launchd::tools::Tool::Plutil].map(|tool| tool.path().to_owned()).to_vec()
    }

    fn start(&self, job: &ManagedJob<'_>) -> Result<ToolOutput, ChannelError> {
        Self::start(self, job)
    }

    fn account(&self, unit: &str) -> Result<ManagerAccount, ChannelError> {
        Self::account(self, unit)
    }

    fn wait(
        &self,
        alive: &ManagerAccount,
        limit: Duration,
        arrived: &dyn Fn() -> bool,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<ManagerAccount, ChannelError> {
        Self::wait(self, alive, limit, arrived, cancelled)
    }

    fn whose(&self, _: &ManagedJob<'_>) -> Result<JobOwner, ChannelError> {
        // `start` and `end` tell a job of this label from the one that they wrote by themselves.
        Ok(JobOwner::Ours)
    }

    fn end(&self, job: &ManagedJob<'_>) {
        Self::end(self, job.unit);
    }

    fn diagnostics(&self, run_id: &RunId, bundle_root: &str) -> Vec<(BundlePath, Vec<u8>)> {
        Self::diagnostics(self, run_id, bundle_root)
    }
}
