//! `sandproof status`

use std::path::{Path, PathBuf};

use clap::Args;

use super::confinement;
use super::exit::{Exit, Failure, OrFail};
use super::refusal::load_failure;
use super::sheet::Sheet;
use super::ui::Ui;
use crate::base::ids::RunId;
use crate::base::limits::MAX_INDEX_BYTES;
use crate::base::{fsx, json};
use crate::bundle::lock;
use crate::channel;
use crate::enforce;
use crate::plan::{self, Workspace};
use crate::record::layout;
use crate::record::manifest::{ChannelKind, HostFacts, RunState, RunStatus};
use crate::record::status_doc::{
    Availability, KnownWorld, LastRun, LockHolder, OutputStatus, STATUS_SCHEMA, StatusDocument, ToolsPresent,
};
use crate::run::{self, host};
use crate::world;

/// Say what this host is, what can be done on it, and where the last run stands.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// The output root. Default: `out` in the workspace around the current folder, or in that folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Looks, and says.
pub(super) fn run(args: &StatusArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let here = std::env::current_dir().or_fail(Exit::Fault)?;
    let workspace = Workspace::around(&here);
    let root = workspace.as_ref().map_or(here.as_path(), Workspace::root);
    let out = args.out.clone().unwrap_or_else(|| root.join("out"));
    let host = host::observe(None);
    let worlds = known_worlds(&Workspace::at(root), &host)?;
    let output = output_status(&out);
    let document = StatusDocument {
        schema_version: STATUS_SCHEMA.to_string(),
        world_id: worlds.iter().find(|world| world.matches).map(|world| world.world_id.clone()),
        repo_root: workspace.as_ref().map(|workspace| workspace.root().display().to_string()),
        channel: ChannelKind::Direct,
        clean_channel_active: false,
        stage_used: false,
        stage_root: None,
        stage_output_root: None,
        run_id: output.latest.clone(),
        sandbox_check_self: run::self_check(),
        tools: ToolsPresent {
            launchctl: Path::new("/bin/launchctl").is_file(),
            sandbox_runner: enforcers().iter().any(|enforcer| enforcer.available),
        },
        host,
        worlds,
        enforcers: enforcers(),
        confined: confinement::measure(),
        channels: channels(),
        output,
    };
    if args.json {
        ui.json(&document)?;
    } else {
        ui.out(&render(&document))?;
    }
    Ok(Exit::Done)
}

/// Every known world against this host; those that match come first.
fn known_worlds(workspace: &Workspace, host: &HostFacts) -> Result<Vec<KnownWorld>, Failure> {
    let mut known = Vec::new();
    for found in plan::known_worlds(workspace).map_err(load_failure)? {
        let declared = found.value.world_id.clone();
        let check = world::check(&declared, Some((&found.value, found.digest)), host);
        let world_id = world::id(&declared, Some(&found.value), host).or_fail(Exit::Fault)?;
        known.push(KnownWorld { declared, world_id, matches: check.matches, clean_channels: check.clean_channels });
    }
    known.sort_by(|a, b| b.matches.cmp(&a.matches).then_with(|| a.declared.cmp(&b.declared)));
    Ok(known)
}

fn enforcers() -> Vec<Availability> {
    let landlock = match (enforce::landlock_abi(), enforce::landlock_errata()) {
        (Some(abi), Some(errata)) if errata.is_empty() => (true, format!("ABI {abi}, no erratum fixed")),
        (Some(abi), Some(errata)) => {
            let errata: Vec<String> = errata.iter().map(u32::to_string).collect();
            (true, format!("ABI {abi}, errata fixed: {}", errata.join(", ")))
        }
        (Some(abi), None) => (true, format!("ABI {abi}, errata not known to this kernel")),
        (None, _) => (false, "needs Linux 5.13 or newer with Landlock switched on".to_string()),
    };
    let of = |name: &str, (available, detail): (bool, String)| Availability { name: name.into(), available, detail };
    // Policies for it are read and checked everywhere; putting them in force is not a part of this release.
    let seatbelt = (false, "not put in force by this release".to_string());
    vec![of("landlock", landlock), of("seatbelt", seatbelt)]
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
    let mut last: Option<LastRun> = None;
    for entry in std::fs::read_dir(out).into_iter().flatten().flatten() {
        let Some(found) = read_run(&entry.path(), locked_by.as_ref()) else { continue };
        if last.as_ref().is_none_or(|last| found.updated_at_unix > last.updated_at_unix) {
            last = Some(found);
        }
    }
    OutputStatus { root: out.display().to_string(), latest, last, locked_by }
}

fn read_run(folder: &Path, locked_by: Option<&LockHolder>) -> Option<LastRun> {
    let bytes = fsx::read_regular(&folder.join(layout::RUN_STATUS), MAX_INDEX_BYTES).ok()?;
    let status: RunStatus = serde_json::from_value(json::parse(&bytes).ok()?).ok()?;
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
    })
}

fn render(document: &StatusDocument) -> String {
    let mut sheet = Sheet::default();
    let host = &document.host;
    let or_unknown = |fact: &Option<String>| fact.clone().unwrap_or_else(|| "unknown".to_string());
    let product = match (&host.product_version, &host.product_build) {
        (Some(version), Some(build)) => format!(" {version} ({build})"),
        _ => String::new(),
    };
    sheet.line(
        "host",
        &format!("{}{product}, kernel {}, {}", host.os, or_unknown(&host.kernel_release), or_unknown(&host.arch)),
    );
    sheet.line("world", document.world_id.as_ref().map_or("none that is known", |world| world.as_str()));
    let words = document.confined.words();
    let confined = if words.is_empty() {
        "no, as far as can be seen from inside".to_string()
    } else {
        format!("yes: {}", words.join(", "))
    };
    sheet.line("confined", &confined);
    let shown = |one: &Availability| {
        let word = if one.available { "yes" } else { "no" };
        format!("{:15}{word:5}{}", one.name, one.detail)
    };
    let enforcers: Vec<String> = document.enforcers.iter().map(shown).collect();
    sheet.list("enforcers", enforcers.iter().map(String::as_str));
    let channels: Vec<String> = document.channels.iter().map(shown).collect();
    sheet.list("channels", channels.iter().map(String::as_str));
    sheet.line("output", &document.output.root);
    if let Some(holder) = &document.output.locked_by {
        let pid = holder.pid.map_or_else(|| "a process that has not said which".into(), |pid| format!("process {pid}"));
        let run = holder.run_id.as_ref().map_or_else(String::new, |run_id| format!(", run {run_id}"));
        sheet.line("locked", &format!("by {pid}{run}"));
    }
    match &document.output.last {
        None => sheet.line("last run", "none"),
        Some(last) => sheet.line("last run", &format!("{}: {}", last.run_id, state_of(last))),
    }
    sheet.maybe("latest", document.output.latest.as_ref().map(RunId::as_str));
    sheet.render()
}

fn state_of(last: &LastRun) -> String {
    match last.state {
        RunState::InProgress if last.abandoned => {
            "abandoned: in progress by its own account, and nobody writes it".into()
        }
        RunState::InProgress => "in progress".into(),
        RunState::Complete if last.committed => "complete".into(),
        RunState::Complete => "complete by its own account, but not committed".into(),
        RunState::Failed => format!("failed: {}", last.error.as_deref().unwrap_or("no reason is recorded")),
    }
}
