//! `validate-bundle`

use std::path::Path;

use clap::Args;
use serde_json::json;

use super::exit::{Exit, Failure};
use super::named_args::BundleArg;
use super::ui::Ui;
use crate::base::printable::{Lines, path_text};
use crate::bundle::{self, BundleFinding, BundleRefused, Problem};

/// Verify a bundle: its files against its index, and its evidence against its own rows.
///
/// Derives every derived artifact again from the bundle's own inputs and rows, and compares. Runs no probe; works on any
/// machine, wherever the bundle was copied to. Exit 0 if all holds; 4 with one line for each problem if not, save what only
/// follows from a run that did not end well, which is counted; --json lists all.
#[derive(Debug, Args)]
pub(super) struct ValidateBundleArgs {
    #[command(flatten)]
    bundle: BundleArg,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// Verifies a bundle.
pub(super) fn run(args: &ValidateBundleArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    of(args.bundle.path(), args.json, ui)
}

/// Verifies the bundle that `path` leads to.
pub(super) fn of(path: &Path, as_json: bool, ui: &mut Ui) -> Result<Exit, Failure> {
    match bundle::verify(path) {
        Ok(bundle) => {
            let (files, rows, derived) = (bundle.file_count(), bundle.row_count(), bundle.derived_count());
            if as_json {
                ui.answer(
                    "bundle_report",
                    &json!({
                        "ok": true,
                        "bundle_dir": path_text(bundle.folder()),
                        "run_id": bundle.index().run_id,
                        "index_sha256": bundle.index_sha256(),
                        "files": files,
                        "rows": rows,
                        "derived": derived,
                        "repaired": bundle.index().repaired,
                        "trust": TRUST,
                        "errors": [],
                    }),
                );
            } else {
                let mark = if bundle.index().repaired { " (its index was rewritten by a repair)" } else { "" };
                ui.line(format!("bundle ok: {files} files, {rows} rows, {derived} derived artifacts recomputed{mark}"));
                ui.line(TRUST_WORDS);
            }
            Ok(Exit::Done)
        }
        Err(refused) => report(&refused, as_json, ui),
    }
}

/// What a bundle that verifies is, for programs and for people (SPEC 7.3).
pub(super) const TRUST: &str = "consistent_not_authenticated";
/// The same in words.
pub(super) const TRUST_WORDS: &str =
    "consistent, not authenticated: its parts agree; nothing proves who made it, where or when";

/// What is wrong with a bundle, for people: one line each. Of a run that did not end well that comes first, and what only
/// follows from it is counted.
pub(super) fn findings(refused: &BundleRefused) -> Lines {
    let is_reason = |finding: &&BundleFinding| matches!(finding.problem, Problem::RunState { .. });
    let (reasons, rest): (Vec<&BundleFinding>, Vec<&BundleFinding>) = refused.findings.iter().partition(is_reason);
    let follows = |finding: &&BundleFinding| {
        matches!(
            finding.problem,
            Problem::NotCommitted | Problem::IndexStatus(_) | Problem::DeclaredMissing | Problem::LeftoverTemporary
        )
    };
    let (consequences, others): (Vec<&BundleFinding>, Vec<&BundleFinding>) =
        if reasons.is_empty() { (Vec::new(), rest) } else { rest.into_iter().partition(follows) };
    let mut lines: Lines = reasons.iter().chain(&others).map(ToString::to_string).collect();
    if let [only] = consequences[..] {
        lines.line(only.to_string());
    } else if let [first, ..] = consequences[..] {
        lines.line(format!("and {} more that follow from it, such as {first}", consequences.len()));
    }
    lines
}

/// Prints what is wrong with a bundle, one line each, and gives the exit class.
pub(super) fn report(refused: &BundleRefused, as_json: bool, ui: &mut Ui) -> Result<Exit, Failure> {
    if as_json {
        ui.answer(
            "bundle_report",
            &json!({ "ok": false, "bundle_dir": path_text(&refused.bundle), "errors": refused.findings }),
        );
    } else {
        ui.out(&findings(refused));
        let noun = if refused.findings.len() == 1 { "problem" } else { "problems" };
        ui.remark(format!("bundle `{}` refused: {} {noun}", refused.bundle.display(), refused.findings.len()));
    }
    Ok(Exit::BundleInvalid)
}
