//! `sandproof diff-runs`

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use super::exit::{Exit, Failure};
use super::failures::review_failure;
use super::identity::roots::NamedRootArgs;
use super::out::Destination;
use super::ui::Ui;
use super::validate_bundle;
use crate::base::json_out;
use crate::base::printable::json_for_streams;
use crate::diff::{self, ComparedSide, DiffError};
use crate::record::outcome::Lane;
use crate::record::run_diff::{Flip, FlipOpinions, RowVerdict, RunDiff};
use crate::review;

/// Compare two runs: what they declared differently, which verdicts differ, and what could explain each.
///
/// Each side is a bundle's folder, an output root, a promotion packet, or a declaration (a run's, or another system's: its document,
/// its sealed file, or the folder that `identity declare --out` or `identity seal` wrote). Bundles are verified first; a
/// packet is verified against its bundle where that is found; of sealed commands the outputs are compared too. Exit 0 if both declare
/// materially the same and no verdict and no output differs, 1 if not, 8 if nothing differs and declarations of other systems leave items open, 4 if a bundle, packet or declaration is invalid.
#[derive(Debug, Args)]
pub(super) struct DiffRunsArgs {
    /// The first side.
    #[arg(value_name = "A")]
    a: PathBuf,
    /// The second side.
    #[arg(value_name = "B")]
    b: PathBuf,
    /// Answer in JSON.
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Answer in Markdown, for a pull request.
    #[arg(long)]
    markdown: bool,
    /// Take what two declarations of other systems both state to be absent or unknown for equal, and what a run states where its
    /// deployment does not. Without it they are the same only if both state everything.
    #[arg(long, visible_alias = "accept-unknown")]
    accept_absent: bool,
    #[command(flatten)]
    roots: NamedRootArgs,
    /// Write the answer to this file instead; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Compares.
pub(super) fn run(args: &DiffRunsArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let destination = args.out.as_deref().map(Destination::of).transpose()?;
    let roots = args.roots.named()?;
    let [a, b] = diff::open_both(&args.a, &args.b, &roots);
    let a = match opened(a, args.json, ui)? {
        Ok(side) => side,
        Err(exit) => return Ok(exit),
    };
    let b = match opened(b, args.json, ui)? {
        Ok(side) => side,
        Err(exit) => return Ok(exit),
    };
    let compare = if args.accept_absent { diff::compare_accepting_absent } else { diff::compare };
    let mut report = compare(&a, &b).map_err(failure)?;
    give_opinions(&mut report, &a, &b)?;
    let declared = &report.declarations;
    let outputs_differ = report.outputs.as_ref().is_some_and(|outputs| outputs.differing > 0);
    let open = declared.leave_open() && !outputs_differ;
    let exit = match (report.same, declared.materially_equal) {
        (true, _) => Exit::Done,
        // Nothing differs in what is declared, and what is open might.
        (false, Some(true)) if open => Exit::Undecided,
        (false, _) => Exit::Mismatch,
    };
    let bytes = if args.json {
        let mut bytes = json_for_streams(json_out::to_pretty(&report));
        bytes.push(b'\n');
        bytes
    } else if args.markdown {
        diff::render_markdown::render(&report).into_bytes()
    } else {
        let lines = diff::render_text::lines(&report);
        if destination.is_none() {
            ui.within_width(&lines);
            return Ok(exit);
        }
        lines.as_str().as_bytes().to_vec()
    };
    match (destination, &args.out) {
        (Some(destination), Some(out)) => {
            if !destination.put(&bytes, ui)? {
                ui.remark(format!("wrote {}", out.display()));
            }
        }
        _ => ui.bytes(&bytes),
    }
    Ok(exit)
}

/// Fills in what author, kernel and model say of the rows that are listed, and how a launcher denied them.
fn give_opinions(report: &mut RunDiff, a: &ComparedSide, b: &ComparedSide) -> Result<(), Failure> {
    let flips = &mut report.verdicts.flips;
    let of = |side: &ComparedSide, verdict: fn(&Flip) -> Option<&RowVerdict>| {
        let scenario = flips.iter().filter(|flip| flip.lane == Lane::Scenario);
        let verdicts = scenario.filter_map(|flip| Some((flip.id.as_str(), verdict(flip)?))).collect();
        match side.bundle() {
            Some(bundle) => {
                let opinions = review::report::verdict_opinions(bundle, &verdicts).map_err(review_failure)?;
                Ok((opinions, review::report::mechanisms(bundle, &verdicts).map_err(review_failure)?))
            }
            None => Ok((BTreeMap::new(), BTreeMap::new())),
        }
    };
    let ((mut of_a, how_a), (mut of_b, how_b)) = (of(a, |flip| flip.a.as_ref())?, of(b, |flip| flip.b.as_ref())?);
    for flip in flips.iter_mut().filter(|flip| flip.lane == Lane::Scenario) {
        flip.opinions = FlipOpinions { a: of_a.remove(&flip.id), b: of_b.remove(&flip.id) };
        for (verdict, how) in [(&mut flip.a, &how_a), (&mut flip.b, &how_b)] {
            if let Some(verdict) = verdict {
                verdict.mechanism = how.get(&flip.id).copied();
            }
        }
    }
    Ok(())
}

/// A side that could be opened; a bundle that is refused is reported as `validate-bundle` does.
fn opened(
    side: Result<ComparedSide, DiffError>,
    json: bool,
    ui: &mut Ui,
) -> Result<Result<ComparedSide, Exit>, Failure> {
    match side {
        Ok(side) => Ok(Ok(side)),
        Err(DiffError::Refused(refused)) => validate_bundle::report(&refused, json, ui).map(Err),
        Err(error) => Err(failure(error)),
    }
}

/// The class of a comparison that could not be made.
pub(super) fn failure(error: DiffError) -> Failure {
    let exit = match &error {
        DiffError::Read(_) | DiffError::Kinds { .. } => Exit::Usage,
        DiffError::Refused(_)
        | DiffError::Load(_)
        | DiffError::Document { .. }
        | DiffError::Inputs { .. }
        | DiffError::Rows(_) => Exit::BundleInvalid,
        DiffError::Spill { .. } => Exit::Fault,
    };
    Failure::new(exit, error)
}
