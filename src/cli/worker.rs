//! The hidden subcommand that a service manager starts: the worker of a clean channel.

use std::path::PathBuf;

use clap::Args;

use super::exit::{Exit, Failure, OrFail};
use super::signals;
use crate::channel::witness::{self, InheritedState};
use crate::enforce;
use crate::record::report::OpenFd;
use crate::run;
use crate::sys;

/// Does one job and exits. Started by a service manager, not by people.
#[derive(Debug, Args)]
pub(super) struct WorkerArgs {
    /// Path of the job document.
    job: PathBuf,
}

/// Does the job.
pub(super) fn run(args: &WorkerArgs) -> Result<Exit, Failure> {
    // First of all, before anything is opened: what this process was given.
    let open_fds = open_fds();
    let environment = super::run::environment();
    let given = InheritedState {
        open_fds,
        landlock_layers: enforce::already_confined_layers(),
        seatbelt_confined: sys::seatbelt_confined(),
    };
    let witness = witness::collect(given, &environment);
    let cancel = signals::install().or_fail(Exit::Fault)?;
    let running = super::run::own_executable()?;
    run::work(&args.job, &running, witness, cancel).or_fail(Exit::Fault)?;
    Ok(Exit::Done)
}

/// The open descriptors. `None` if they cannot be listed.
#[cfg(target_os = "macos")]
fn open_fds() -> Option<Vec<OpenFd>> {
    sys::darwin::open_fds()
}

#[cfg(not(target_os = "macos"))]
/// The open descriptors, without the one that reads the list. `None` where there is no procfs.
fn open_fds() -> Option<Vec<OpenFd>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd").ok()? {
        let entry = entry.ok()?;
        let fd: i32 = entry.file_name().to_str()?.parse().ok()?;
        let what = std::fs::read_link(entry.path()).ok()?.to_string_lossy().into_owned();
        found.push(OpenFd { fd, what: what.into() });
    }
    let own = format!("/proc/{}/fd", std::process::id());
    found.retain(|open| open.what != own);
    found.sort_by_key(|open| open.fd);
    Some(found)
}
