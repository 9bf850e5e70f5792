//! The arguments that say how probes are performed on this host.

use std::path::PathBuf;

use crate::base::threads;
use crate::lane::fixture::usual_places;
use crate::run::LauncherConsent;

/// How, and with whose consent, probes are performed.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct PerformingArgs {
    /// How many workers run probes at a time. Default: one per processor. Never changes the order of an artifact.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    jobs: Option<u32>,
    /// Let probes execute programs of this host, and scripts that the plan brings: whoever wrote the plan then runs code as
    /// you, in the baseline lane without any policy. Declared with the run.
    #[arg(long)]
    allow_host_programs: bool,
    /// Start launchers also where this is root. What a sandbox lets through then reaches the host as root.
    #[arg(long)]
    as_root: bool,
    /// Make fixtures in this folder. Default: `/dev/shm` or a temporary folder, whichever serves and is reached by no rule
    /// of the plan's policies; rows that a rule on that folder may have decided are undecided.
    #[arg(long, value_name = "DIR")]
    fixtures: Option<PathBuf>,
}

impl PerformingArgs {
    /// How many workers, as asked or as usual.
    pub(super) fn workers(&self) -> u32 {
        self.jobs.unwrap_or_else(threads::usual_workers)
    }

    /// Whether programs of the host may be executed.
    pub(super) fn host_programs(&self) -> bool {
        self.allow_host_programs
    }

    /// Whose launchers may be started: `given` if somebody named one on this command line.
    pub(super) fn launcher_consent(&self, given: bool) -> LauncherConsent {
        LauncherConsent { given, as_root: self.as_root }
    }

    /// Where fixtures may be made, the best place first.
    pub(super) fn fixture_candidates(&self) -> Vec<PathBuf> {
        self.fixtures.as_ref().map_or_else(usual_places, |folder| vec![folder.clone()])
    }
}
