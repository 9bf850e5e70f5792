//! What this host is, what can be done on it, and where the last run stands.

use std::path::{Path, PathBuf};

use super::{host, self_check, sweep};
use crate::base::ids::{IdError, RunId};
use crate::base::limits::MAX_INDEX_BYTES;
use crate::base::{fsx, json};
use crate::bundle::lock;
use crate::bundle::reference;
use crate::channel;
use crate::channel::witness::proc_text;
use crate::enforce;
use crate::plan::{self, LoadError, Workspace};
use crate::policy::Enforcer;
use crate::record::layout;
use crate::record::manifest::{ChannelKind, HostFacts, RunState, RunStatus};
use crate::record::status_doc::{
    Availability, Confinement, KnownWorld, LastRun, LockHolder, OutputStatus, STATUS_SCHEMA, StatusDocument,
    ToolsPresent,
};
use crate::sys;
use crate::world;

/// The status could not be told.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// A world's document is refused.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A world's id could not be made.
    #[error("the id of a world cannot be derived from this host")]
    World(#[from] IdError),
}

/// Looks at this host, at the workspace around the folder `here`, and at the output root `out`, which is by default
/// `out` in that workspace, or in `here` outside of any.
pub fn runtime_status(here: &Path, out: Option<&Path>) -> Result<StatusDocument, StatusError> {
    let workspace = Workspace::around(here);
    let root = workspace.as_ref().map_or(here, Workspace::root);
    let out = out.map_or_else(|| root.join("out"), Path::to_owned);
    let host = host::observe(None);
    let worlds = known_worlds(&Workspace::at(root), &host)?;
    let output = output_status(&out);
    Ok(StatusDocument {
        schema_version: STATUS_SCHEMA.to_string(),
        world_id: worlds.iter().find(|world| world.matches).map(|world| world.world_id.clone()),
        repo_root: workspace.as_ref().map(|workspace| workspace.root().display().to_string()),
        channel: ChannelKind::Direct,
        clean_channel_active: false,
        stage_used: false,
        stage_root: None,
        stage_output_root: None,
        run_id: output.latest.clone(),
        sandbox_check_self: self_check(),
        tools: ToolsPresent {
            launchctl: Path::new("/bin/launchctl").is_file(),
            sandbox_runner: enforcers().iter().any(|enforcer| enforcer.available),
        },
        host,
        worlds,
        enforcers: enforcers(),
        confined: confinement(),
        channels: channels(),
        output,
        leftovers: sweep::find(&out),
    })
}

/// What confines this process, asked of the kernel.
pub fn confinement() -> Confinement {
    let status = std::fs::read_to_string("/proc/self/status").ok();
    let status = status.as_deref().map(proc_text::status).unwrap_or_default();
    Confinement {
        landlock_layers: enforce::already_confined_layers(),
        seccomp: status.seccomp,
        no_new_privs: status.no_new_privs,
        seatbelt: sys::seatbelt_confined(),
    }
}

/// Every known world against this host; those that match come first.
fn known_worlds(workspace: &Workspace, host: &HostFacts) -> Result<Vec<KnownWorld>, StatusError> {
    let mut known = Vec::new();
    for found in plan::known_worlds(workspace)? {
        let declared = found.value.world_id.clone();
        let check = world::check(&declared, Some((&found.value, found.digest)), host);
        let world_id = world::id(&declared, Some(&found.value), host)?;
        known.push(KnownWorld { declared, world_id, matches: check.matches, clean_channels: check.clean_channels });
    }
    sort(&mut known);
    Ok(known)
}

/// Those that match first; among them a world of its own before one that stands for any host of its kind.
fn sort(known: &mut [KnownWorld]) {
    let stands_for_any = |world: &KnownWorld| world.world_id != world.declared;
    known.sort_by(|a, b| {
        let by_match = b.matches.cmp(&a.matches).then_with(|| stands_for_any(a).cmp(&stands_for_any(b)));
        by_match.then_with(|| a.declared.cmp(&b.declared))
    });
}

fn enforcers() -> Vec<Availability> {
    let of = |enforcer: Enforcer| {
        let (available, detail) = enforce::availability(enforcer);
        Availability { name: enforcer.info().name.into(), available, detail }
    };
    Enforcer::ALL.into_iter().map(of).collect()
}

fn channels() -> Vec<Availability> {
    [ChannelKind::Direct, ChannelKind::LaunchdClean, ChannelKind::SystemdClean]
        .into_iter()
        .map(|kind| {
            let (available, detail) = match channel::check(kind) {
                Ok(()) if kind == ChannelKind::Direct => (true, "never clean".to_string()),
                Ok(()) => (true, "the service manager starts the worker".to_string()),
                Err(reason) => (false, reason.to_string()),
            };
            Availability { name: kind.as_str().to_string(), available, detail }
        })
        .collect()
}

/// What an output root holds. One that is not there holds nothing.
fn output_status(out: &Path) -> OutputStatus {
    let locked_by = lock::holder(out).map(|holder| LockHolder { pid: holder.pid, run_id: holder.run_id });
    let latest = fsx::read_regular(&out.join(layout::LATEST), MAX_INDEX_BYTES)
        .ok()
        .and_then(|bytes| RunId::new(String::from_utf8(bytes).ok()?.trim_end_matches('\n')).ok());
    let mut last: Option<(LastRun, PathBuf)> = None;
    for entry in std::fs::read_dir(out).into_iter().flatten().flatten() {
        let Some(found) = read_run(&entry.path(), locked_by.as_ref()) else { continue };
        if last.as_ref().is_none_or(|(last, _)| found.updated_at_unix > last.updated_at_unix) {
            last = Some((found, entry.path()));
        }
    }
    let last = last.map(|(last, folder)| LastRun { reference: reference::is_reference(&folder), ..last });
    OutputStatus { root: out.display().to_string(), latest, last, locked_by }
}

fn read_run(folder: &Path, locked_by: Option<&LockHolder>) -> Option<LastRun> {
    let bytes = fsx::read_regular(&folder.join(layout::RUN_STATUS), MAX_INDEX_BYTES).ok()?;
    let status: RunStatus = json::from_value(json::parse(&bytes).ok()?).ok()?;
    let committed = folder.join(layout::ARTIFACT_INDEX).is_file();
    // A holder that has not said what it writes may be writing this.
    let held = locked_by.is_some_and(|holder| holder.run_id.as_ref().is_none_or(|run_id| *run_id == status.run_id));
    Some(LastRun {
        abandoned: status.state == RunState::InProgress && !committed && !held,
        run_id: status.run_id,
        state: status.state,
        error: status.error,
        committed,
        updated_at_unix: status.updated_at_unix,
        reference: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::WorldId;

    #[test]
    fn a_world_of_its_own_comes_before_one_for_any_host() {
        let world = |declared: &str, world_id: &str, matches: bool| KnownWorld {
            declared: WorldId::new(declared).unwrap(),
            world_id: WorldId::new(world_id).unwrap(),
            matches,
            clean_channels: Vec::new(),
        };
        let mut known = [
            world("linux-host", "linux-6.1-0a1b2c3d", false),
            world("macos-host", "macos-14.4.1-0a1b2c3d", true),
            world("sonoma", "sonoma", true),
        ];
        sort(&mut known);
        let order: Vec<&str> = known.iter().map(|world| world.declared.as_str()).collect();
        assert_eq!(order, ["sonoma", "macos-host", "linux-host"]);
    }
}
