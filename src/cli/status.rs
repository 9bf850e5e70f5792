//! `sandproof status`

use std::path::PathBuf;

use clap::Args;

use super::exit::{Exit, Failure, OrFail};
use super::key_values::KeyValues;
use super::ui::Ui;
use crate::base::ids::RunId;
use crate::base::printable::Lines;
use crate::record::manifest::RunState;
use crate::record::status_doc::{Availability, LastRun, StatusDocument};
use crate::run::status::{StatusError, runtime_status};

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
    let document = runtime_status(&here, args.out.as_deref()).map_err(|error| match error {
        StatusError::Load(error) => super::failures::load_failure(error),
        StatusError::World(_) => Failure::new(Exit::Fault, error),
    })?;
    if args.json {
        ui.json(&document);
    } else {
        ui.out(&render(&document));
    }
    Ok(Exit::Done)
}

fn render(document: &StatusDocument) -> Lines {
    let mut sheet = KeyValues::default();
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
        let pid = holder.pid.map_or_else(|| "an unidentified process".into(), |pid| format!("process {pid}"));
        let run = holder.run_id.as_ref().map_or_else(String::new, |run_id| format!(", run {run_id}"));
        sheet.line("locked", &format!("by {pid}{run}"));
    }
    match &document.output.last {
        None => sheet.line("last run", "none"),
        Some(last) => sheet.line("last run", &format!("{}: {}{}", last.run_id, state_of(last), origin_of(last))),
    }
    sheet.maybe("latest", document.output.latest.as_ref().map(RunId::as_str));
    let left: Vec<String> =
        document.leftovers.iter().map(|left| format!("{:11}{}", left.kind.as_str(), left.path)).collect();
    if !left.is_empty() {
        sheet.list("left behind", left.iter().map(String::as_str));
        sheet.line("", "by runs that were killed; the next run removes it");
    }
    sheet.render()
}

/// Whose account that is, where it is not ours.
fn origin_of(last: &LastRun) -> &'static str {
    if last.reference {
        ", by its own account: a bundle of the reference runtime, which cannot be verified here"
    } else {
        ""
    }
}

fn state_of(last: &LastRun) -> String {
    match last.state {
        RunState::InProgress if last.abandoned => {
            "abandoned: in progress by its own account, but no process writes it".into()
        }
        RunState::InProgress => "in progress".into(),
        RunState::Complete if last.committed => "complete".into(),
        RunState::Complete => "complete by its own account, but not committed".into(),
        RunState::Failed => format!("failed: {}", last.error.as_deref().unwrap_or("no reason is recorded")),
    }
}
