//! `sandproof identity declare|verify|show`

mod declare_from;

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use serde::Serialize;

use super::exit::{Exit, Failure, OrFail};
use super::run::{RunChoices, own_executable, run_failure};
use super::ui::Ui;
use crate::base::digest::Digest;
use crate::base::ids::RunId;
use crate::base::printable::path_text;
use crate::bundle::declared::{self, DeclaredError};
use crate::identity::{self, Discrepancy};
use crate::lane::cancel::Cancel;
use crate::record::identity::{Declaration, Part};
use crate::run;

/// Format of `identity verify --json`. 1: first release.
const IDENTITY_REPORT_SCHEMA: &str = "sandproof.identity_report.v1";

/// Declare what a run is made of, and check what a run declared.
#[derive(Debug, Args)]
pub(super) struct IdentityArgs {
    #[command(subcommand)]
    command: IdentityCommand,
}

#[derive(Debug, Subcommand)]
enum IdentityCommand {
    Declare(Declare),
    Verify(Verify),
    Show(Show),
}

/// Declare what a run would be made of, or what a document says of another system; nothing is executed.
///
/// With --plan: what `run` with the same arguments would seal on this host. With --from: the document (schema
/// `system_declaration`) describes an AI run or a deployment; the files that it names are digested, and everything that it
/// leaves unstated is listed at once (exit 3).
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).args(["plan", "from"])))]
struct Declare {
    /// The plan, or the folder that its `plan.json` lies in.
    #[arg(long, value_name = "FILE|DIR")]
    plan: Option<PathBuf>,
    /// The document that describes another system.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["channel", "lock_mode", "only_profile", "only_scenario", "dry", "jobs", "fixtures"]
    )]
    from: Option<PathBuf>,
    #[command(flatten)]
    choices: RunChoices,
    /// Print the whole declaration as JSON.
    #[arg(long)]
    json: bool,
}

/// Compute a run's identity again from its bundle, or from the sources.
///
/// Exit 0 if it is the same; 1 with every difference by JSON pointer if not; 4 if the bundle says too little to compare; 3 if
/// the plan cannot be resolved from the sources.
#[derive(Debug, Args)]
struct Verify {
    /// The bundle's folder, or an output root whose LATEST leads to it.
    #[arg(long, value_name = "DIR")]
    bundle: PathBuf,
    /// Compare with the plan and its documents in this workspace instead.
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// Show a declaration. Exit 1 if its digests are not those of its parts.
#[derive(Debug, Args)]
struct Show {
    /// The bundle's folder, an output root, or a declaration's own file.
    #[arg(long, value_name = "PATH")]
    bundle: PathBuf,
    /// Print the whole declaration as JSON.
    #[arg(long)]
    json: bool,
}

/// `identity verify --json`
#[derive(Debug, Serialize)]
struct Report<'r> {
    schema_version: &'static str,
    ok: bool,
    identity: Digest,
    bundle: String,
    against: Option<String>,
    differences: &'r [Discrepancy],
}

/// Does what was asked.
pub(super) fn run(args: IdentityArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    match args.command {
        IdentityCommand::Declare(args) => declare(args, ui),
        IdentityCommand::Verify(args) => verify(&args, ui),
        IdentityCommand::Show(args) => show(&args, ui),
    }
}

fn declare(args: Declare, ui: &mut Ui) -> Result<Exit, Failure> {
    let plan = match (&args.plan, &args.from) {
        (_, Some(from)) => return declare_from::run(from, args.json, ui),
        (Some(plan), None) => plan,
        (None, None) => unreachable!("clap demands one of them"),
    };
    let exe = own_executable().or_fail(Exit::Fault)?.into();
    let request = args.choices.request(plan, None, RunId::fresh(), exe, Cancel::default())?;
    let declaration = run::declare(&request).map_err(run_failure)?;
    print(&declaration, args.json, ui);
    Ok(Exit::Done)
}

fn verify(args: &Verify, ui: &mut Ui) -> Result<Exit, Failure> {
    let compared = match &args.against {
        Some(root) => declared::against_sources(&args.bundle, root),
        None => declared::against_bundle(&args.bundle),
    };
    let compared = compared.map_err(failure)?;
    let ok = compared.discrepancies.is_empty();
    let identity = compared.declaration.identity;
    if args.json {
        ui.json(&Report {
            schema_version: IDENTITY_REPORT_SCHEMA,
            ok,
            identity,
            bundle: path_text(&args.bundle),
            against: args.against.as_deref().map(path_text),
            differences: &compared.discrepancies,
        });
    } else if ok {
        let what = if args.against.is_some() { "the sources give it" } else { "the bundle gives it" };
        ui.line(format!("identity {identity}: {what}"));
    } else {
        for one in &compared.discrepancies {
            ui.line(format!("{}: {}", one.pointer(), one.words()));
        }
        ui.remark(format!("identity {identity}: {} differences", compared.discrepancies.len()));
    }
    Ok(if ok { Exit::Done } else { Exit::Mismatch })
}

fn show(args: &Show, ui: &mut Ui) -> Result<Exit, Failure> {
    let declaration = declared::read(&args.bundle).map_err(failure)?;
    print(&declaration, args.json, ui);
    let flaws = identity::of_self(&declaration);
    for flaw in &flaws {
        ui.remark(format!("{}: {}", flaw.pointer(), flaw.words()));
    }
    Ok(if flaws.is_empty() { Exit::Done } else { Exit::Mismatch })
}

fn print(declaration: &Declaration, as_json: bool, ui: &mut Ui) {
    if as_json {
        ui.json(declaration);
        return;
    }
    for part in Part::ALL {
        ui.line(format!("{:<10}{}", part.as_str(), declaration.digests.of(part)));
    }
    ui.line(format!("{:<10}{}", "identity", declaration.identity));
}

fn failure(error: DeclaredError) -> Failure {
    match error {
        DeclaredError::Sources(_) => Failure::new(Exit::InputRefused, error),
        _ => Failure::new(Exit::BundleInvalid, error)
            .hint("`sandproof validate-bundle --bundle DIR` says what is wrong with a bundle"),
    }
}
