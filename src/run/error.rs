//! Why a run ended without a complete bundle.

use std::io;
use std::path::PathBuf;

use crate::audit::AuditRefusal;
use crate::base::canon::CanonError;
use crate::base::fsx::FileError;
use crate::base::ids::IdError;
use crate::bundle::BundleRefused;
use crate::bundle::lock::LockError;
use crate::bundle::writer::WriteError;
use crate::channel::ChannelError;
use crate::evidence::DeriveError;
use crate::lane::executor::LaneError;
use crate::lane::fixture::BaseError;
use crate::lane::worker::LaneWorkerError;
use crate::record::manifest::ChannelKind;

/// Why a run ended without a complete bundle.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The channel does not exist here.
    #[error("the channel `{}` is not available: {reason}", channel.as_str())]
    Channel {
        /// How the worker is started: `direct`, `launchd_clean` or `systemd_clean`.
        channel: ChannelKind,
        /// The reason, as text for people.
        reason: String,
    },
    /// A profile's policy cannot be put in force on this system.
    #[error("the profile `{profile}` needs {enforcer}, which this host does not have")]
    Enforcer {
        /// Id of the profile, as in the registry.
        profile: String,
        /// What it needs.
        enforcer: &'static str,
    },
    /// A launcher is made for another system.
    #[error(
        "the launcher of the profile `{profile}` is made for {system}, as its document says, and this is another system"
    )]
    LauncherElsewhere {
        /// Id of the profile, as in the registry.
        profile: String,
        /// The name of that system.
        system: &'static str,
    },
    /// The kernel does not say what it denied, or not to this process.
    #[error("`--attribute` cannot be had here")]
    Attribution(#[source] AuditRefusal),
    /// The kernel would say nothing of this run.
    #[error("`--attribute` would name no denial: {why}")]
    AttributionUnused {
        /// Why, as a sentence without its end.
        why: &'static str,
    },
    /// The plan executes programs that are not this program's own, and nobody agreed to that.
    #[error(
        "{count} probe{} of the plan execute{} what is not sandproof's own program: {}{}",
        if *count == 1 { "" } else { "s" },
        if *count == 1 { "s" } else { "" },
        first.join(", "),
        if *count > first.len() { ", …" } else { "" }
    )]
    HostPrograms {
        /// The first of them, each with what it executes.
        first: Vec<String>,
        /// How many there are.
        count: usize,
    },
    /// The plan names a launcher, and nobody agreed to start it.
    #[error("the profile `{profile}` starts a launcher that the plan names, which is a program of this host")]
    LauncherUnasked {
        /// Id of the profile, as in the registry.
        profile: String,
    },
    /// A launcher's questions were to be repeated, or mixed.
    #[error("`{option}` does not reach the questions of a launcher, which `{profile}` is")]
    LauncherOnce {
        /// Id of the profile, as in the registry.
        profile: String,
        /// `--repeat` or `--shuffle`.
        option: &'static str,
    },
    /// A launcher would be started as root, and nobody asked for that.
    #[error("the profile `{profile}` would start its launcher as root")]
    LauncherAsRoot {
        /// Id of the profile, as in the registry.
        profile: String,
    },
    /// No place for fixtures.
    #[error("found no folder for fixtures")]
    Fixtures(#[source] BaseError),
    /// The output root is locked, or cannot be.
    #[error("could not lock the output root")]
    Lock(#[source] LockError),
    /// The executable could not be digested.
    #[error("could not read this executable")]
    Executable(#[source] FileError),
    /// The observed host makes no valid world id.
    #[error("no world id can be derived from the host's facts")]
    World(#[source] IdError),
    /// The run cannot be declared.
    #[error("the run's declaration has no canonical form")]
    Declaration(#[source] CanonError),
    /// Nothing of the bundle could be written.
    #[error("could not start the bundle")]
    Start(#[source] WriteError),
    /// The run began and failed; what was written is marked so.
    #[error("the run failed; what there is of it lies in `{}`", bundle.display())]
    Failed {
        /// Path of the bundle's folder.
        bundle: PathBuf,
        /// The step that failed, and why.
        #[source]
        source: RunStep,
    },
    /// The run was interrupted; what was written is marked so.
    #[error("interrupted by signal {signal}; what there is of the run lies in `{}`, marked failed", bundle.display())]
    Interrupted {
        /// Number of the signal.
        signal: i32,
        /// Path of the bundle's folder.
        bundle: PathBuf,
    },
}

/// Why a worker brought no result back.
#[derive(Debug, thiserror::Error)]
pub enum ChannelFailure {
    /// What it needs could not be staged.
    #[error("could not stage what the worker needs")]
    Stage(#[source] FileError),
    /// The service manager reported an error.
    #[error(transparent)]
    Manager(ChannelError),
    /// The manager did not start it.
    #[error("the worker was not started: {how}")]
    NotStarted {
        /// The manager's account.
        how: String,
        /// What the channel reported.
        #[source]
        source: Box<ChannelError>,
    },
    /// The manager has another job of that name, which this run leaves alone.
    #[error("the service manager has a job `{unit}` already, which does not belong to this run")]
    NameTaken {
        /// Name of the job at the manager.
        unit: String,
    },
    /// It ended without a sealed result.
    #[error("the worker ended without a result: {how}{}", printed(.stderr))]
    NoResult {
        /// How it ended, in the manager's words.
        how: String,
        /// The end of what it printed to standard error.
        stderr: String,
    },
    /// The worker's result does not verify.
    #[error("the worker's result does not verify")]
    Result(#[source] BundleRefused),
    /// A file of its result changed between verifying and copying.
    #[error("the worker's `{path}` changed after it was verified")]
    Changed {
        /// Path of the file.
        path: String,
    },
}

fn printed(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!("; it said: {stderr}") }
}

/// The step at which a run failed.
#[derive(Debug, thiserror::Error)]
pub enum RunStep {
    /// A worker could not be started.
    #[error("could not start a worker")]
    Worker(#[source] LaneWorkerError),
    /// A lane of the run ended before all of its rows were there.
    #[error("a lane ended early")]
    Lane(#[source] LaneError),
    /// Deriving documents from the rows failed.
    #[error("could not derive the results from the rows")]
    Derive(#[source] DeriveError),
    /// The channel brought no result back.
    #[error("the worker did not bring a result back")]
    Channel(#[source] ChannelFailure),
    /// What was declared is not what is there now.
    #[error("what the run declared has changed while it ran: {}", drift.join("; "))]
    Drift {
        /// What, one line each.
        drift: Vec<String>,
    },
    /// An artifact.
    #[error("could not write the bundle")]
    Write(#[source] WriteError),
    /// A row or an input document.
    #[error("could not write an artifact")]
    Artifact(#[source] io::Error),
}

impl RunStep {
    /// The word for `failure_stage`.
    pub fn stage(&self) -> &'static str {
        match self {
            Self::Worker(_) | Self::Lane(_) => "lane",
            Self::Derive(_) => "derive",
            Self::Channel(_) => "channel",
            Self::Drift { .. } => "identity_drift",
            Self::Write(_) | Self::Artifact(_) => "write",
        }
    }
}
