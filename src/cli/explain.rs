//! `sandproof explain`

use clap::Args;
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::table;
use super::ui::Ui;
use crate::base::printable::excerpt;
use crate::base::suggest::hint_for;
use crate::evidence::remedies;
use crate::promote::Reason;
use crate::record::outcome::FailureKind;

/// Explain a reason why a bundle may not be promoted, or a kind of failure that left a row undecided, and say what to do about
/// it; or list them all.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The reason or the kind, as documents name it; without it all are listed.
    reason: Option<String>,
    /// Print the answer as JSON.
    #[arg(long)]
    json: bool,
}

/// No reason has that name.
#[derive(Debug, thiserror::Error)]
#[error("there is neither a reason nor a kind `{name}`; {remedy}")]
struct UnknownReason {
    name: String,
    remedy: String,
}

/// One reason.
#[derive(Debug, Serialize)]
struct ExplainedReason {
    reason: &'static str,
    meaning: &'static str,
    remedy: &'static str,
}

impl ExplainedReason {
    fn of(reason: Reason) -> Self {
        Self { reason: reason.as_str(), meaning: reason.explain(), remedy: reason.remedy() }
    }
}

/// One kind of failure.
#[derive(Debug, Serialize)]
struct ExplainedKind {
    kind: &'static str,
    stage: &'static str,
    meaning: &'static str,
    remedy: &'static str,
}

impl ExplainedKind {
    fn of(kind: FailureKind) -> Self {
        Self {
            kind: kind.as_str(),
            stage: kind.stage().as_str(),
            meaning: kind.explain(),
            remedy: remedies::remedy(kind),
        }
    }
}

/// `explain --json`
#[derive(Debug, Serialize)]
struct Explained {
    reasons: Vec<ExplainedReason>,
    kinds: Vec<ExplainedKind>,
}

/// What is called `name`; all, if nothing is named.
fn explained(name: Option<&str>) -> Explained {
    let asked = |one: &str| name.is_none_or(|name| name == one);
    let reasons = Reason::ALL.iter().copied().filter(|reason| asked(reason.as_str()));
    let kinds = FailureKind::ALL.iter().copied().filter(|kind| asked(kind.as_str()));
    Explained { reasons: reasons.map(ExplainedReason::of).collect(), kinds: kinds.map(ExplainedKind::of).collect() }
}

/// Every name that can be asked about.
pub(super) fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    let reasons = Reason::ALL.iter().map(|reason| (reason.as_str(), reason.explain()));
    reasons.chain(FailureKind::ALL.iter().map(|kind| (kind.as_str(), kind.explain())))
}

/// Explains.
pub(super) fn run(args: &ExplainArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let found = explained(args.reason.as_deref());
    if found.reasons.is_empty() && found.kinds.is_empty() {
        let name = args.reason.as_deref().unwrap_or_default();
        let remedy = hint_for(name, names().map(|(known, _)| known), "`sandproof explain` lists all");
        return Err(Failure::new(Exit::InputRefused, UnknownReason { name: excerpt(name, 80), remedy }));
    }
    if args.json {
        ui.answer("reasons", &found);
    } else if args.reason.is_some() {
        for one in &found.reasons {
            ui.line(format!("{} bars promotion: {}", one.reason, one.meaning));
            ui.line(format!("do: {}", one.remedy));
        }
        for one in &found.kinds {
            ui.line(format!("{} (stage {}): {}", one.kind, one.stage, one.meaning));
            ui.line(format!("do: {}", one.remedy));
        }
    } else {
        let reasons: Vec<_> = found.reasons.iter().map(|one| vec![one.reason.into(), one.meaning.into()]).collect();
        ui.out(&table::fitted(&["WHY IT MAY NOT BE PROMOTED", "MEANING"], &reasons, ui.width()));
        ui.line("");
        let kind = |one: &ExplainedKind| vec![one.kind.into(), one.stage.into(), one.meaning.into()];
        let kinds: Vec<_> = found.kinds.iter().map(kind).collect();
        ui.out(&table::fitted(&["WHY NOTHING WAS DECIDED", "STAGE", "MEANING"], &kinds, ui.width()));
        ui.line("");
        ui.line("`sandproof explain NAME` says what to do about one of them.");
    }
    Ok(Exit::Done)
}
