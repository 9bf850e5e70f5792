//! `sandproof explain`

use clap::Args;
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::table;
use super::ui::Ui;
use crate::base::printable::excerpt;
use crate::base::suggest::hint_for;
use crate::promote::Reason;

/// Explain a reason why a bundle may not be promoted, or all of them.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The reason, as the packet names it; without it all are listed.
    reason: Option<String>,
    /// Print the answer as JSON.
    #[arg(long)]
    json: bool,
}

/// No reason has that name.
#[derive(Debug, thiserror::Error)]
#[error("there is no reason `{name}`; {remedy}")]
struct UnknownReason {
    name: String,
    remedy: String,
}

/// One reason.
#[derive(Debug, Serialize)]
struct ExplainedReason {
    reason: &'static str,
    meaning: &'static str,
}

impl ExplainedReason {
    fn of(reason: Reason) -> Self {
        Self { reason: reason.as_str(), meaning: reason.explain() }
    }
}

/// Explains.
pub(super) fn run(args: &ExplainArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let Some(name) = &args.reason else {
        let all: Vec<ExplainedReason> = Reason::ALL.iter().copied().map(ExplainedReason::of).collect();
        if args.json {
            ui.json(&all);
        } else {
            let rows: Vec<Vec<String>> = all.iter().map(|one| vec![one.reason.into(), one.meaning.into()]).collect();
            ui.out(&table::render(&["REASON", "MEANING"], &rows));
        }
        return Ok(Exit::Done);
    };
    let Some(reason) = Reason::ALL.iter().copied().find(|reason| reason.as_str() == name) else {
        let names = || Reason::ALL.iter().map(|reason| reason.as_str());
        let remedy = hint_for(name, names(), "`sandproof explain` lists all");
        let name = excerpt(name, 80);
        return Err(Failure::new(Exit::InputRefused, UnknownReason { name, remedy }));
    };
    let one = ExplainedReason::of(reason);
    if args.json {
        ui.json(&one);
    } else {
        ui.line(format!("{}: {}", one.reason, one.meaning));
    }
    Ok(Exit::Done)
}
