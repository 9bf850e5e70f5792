//! `sandproof identity declare|draft|verify|show|seal|export`

mod declare_from;
mod draft;
mod export;
mod failures;
pub(super) mod roots;
mod seal;
mod shown;

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::run::{RunChoices, own_executable, run_failure};
use super::ui::Ui;
use crate::base::digest::Digest;
use crate::base::ids::RunId;
use crate::base::printable::path_text;
use crate::bundle::verify_identity;
use crate::identity::{self, Discrepancy};
use crate::lane::cancel::Cancel;
use crate::record::identity::{Declaration, DeclarationPart, SYSTEM_DECLARATION_SCHEMAS};
use crate::record::open_item::open_items;
use crate::record::open_word::OpenWord;
use crate::run;
use failures::failure;
use roots::NamedRootArgs;

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
    Declare(IdentityDeclareArgs),
    Draft(draft::IdentityDraftArgs),
    Verify(IdentityVerifyArgs),
    Show(IdentityShowArgs),
    Seal(seal::IdentitySealArgs),
    Export(export::IdentityExportArgs),
}

/// Declare what a run would be made of, or what a document says of another system; nothing is executed.
///
/// With --plan: what `run` with the same arguments would seal on this host. With --from: the document (schema
/// `system_declaration_v2`, or `system_declaration` for the first format) describes an AI run or a deployment; what it names is
/// digested, files of any size and folders too, and everything that it leaves unstated is listed at once (exit 3). With --out the
/// declaration is written once into a new folder, with its document and what that names.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).args(["plan", "from"])))]
struct IdentityDeclareArgs {
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
    roots: NamedRootArgs,
    /// Write what is sealed into this folder, which must not be there yet: the declaration, its document, small files, and the
    /// digests of large ones. Nothing in it is written twice.
    #[arg(long, value_name = "DIR", requires = "from", conflicts_with = "plan")]
    out: Option<PathBuf>,
    #[command(flatten)]
    choices: RunChoices,
    /// Print the whole declaration as JSON.
    #[arg(long)]
    json: bool,
}

/// Compute an identity again: a run's from its bundle or from the sources, another system's from its document.
///
/// Exit 0 if it is the same; 1 with every difference by JSON pointer if not; 4 if the bundle or declaration says too little to
/// compare; 3 if the plan, or the document of another system, cannot be resolved; 2 if the declaration is of another system,
/// lies alone, and it is not said which document it was sealed from.
#[derive(Debug, Args)]
struct IdentityVerifyArgs {
    /// The bundle's folder, an output root whose LATEST leads to it, a sealed declaration's own file, or the folder that
    /// `identity declare --out` wrote, which holds what is needed.
    #[arg(long, value_name = "PATH")]
    bundle: PathBuf,
    /// Compare with the plan and its documents in this workspace instead; of another system, with its document in this folder.
    #[arg(long, value_name = "DIR", conflicts_with = "from")]
    against: Option<PathBuf>,
    /// Compare the sealed declaration of another system with the document that it was sealed from.
    #[arg(long, value_name = "DOC")]
    from: Option<PathBuf>,
    #[command(flatten)]
    roots: NamedRootArgs,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// Show a declaration. Exit 1 if its digests are not those of its parts.
#[derive(Debug, Args)]
struct IdentityShowArgs {
    /// The bundle's folder, an output root, a declaration's own file, or the folder that `identity declare --out` wrote.
    #[arg(long, value_name = "PATH")]
    bundle: PathBuf,
    /// Print the whole declaration as JSON.
    #[arg(long)]
    json: bool,
}

/// `identity verify --json`
#[derive(Debug, Serialize)]
struct IdentityReport<'r> {
    schema_version: &'static str,
    ok: bool,
    identity: Digest,
    bundle: String,
    against: Option<String>,
    differences: &'r [Discrepancy],
}

/// Does what was asked.
pub(super) fn run(args: &IdentityArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    match &args.command {
        IdentityCommand::Declare(args) => declare(args, ui),
        IdentityCommand::Draft(args) => draft::run(args, ui),
        IdentityCommand::Verify(args) => verify(args, ui),
        IdentityCommand::Show(args) => show(args, ui),
        IdentityCommand::Seal(args) => seal::run(args, ui),
        IdentityCommand::Export(args) => export::run(args, ui),
    }
}

fn declare(args: &IdentityDeclareArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let plan = match (&args.plan, &args.from) {
        (_, Some(from)) => return declare_from::run(from, args.roots.named()?, args.out.as_deref(), args.json, ui),
        (Some(plan), None) => plan,
        (None, None) => unreachable!("clap demands one of them"),
    };
    let exe = own_executable()?.into();
    let request = args.choices.request(plan, None, RunId::fresh(), exe, Cancel::default())?;
    let declaration = run::declare(&request).map_err(run_failure)?;
    print(&declaration, args.json, ui);
    Ok(Exit::Done)
}

fn verify(args: &IdentityVerifyArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let roots = args.roots.named()?;
    let compared = match (&args.from, &args.against) {
        (Some(document), _) => verify_identity::against_document(&args.bundle, document, &roots),
        (None, Some(root)) => verify_identity::against_sources(&args.bundle, root, &roots),
        (None, None) => verify_identity::against_bundle(&args.bundle),
    };
    let compared = compared.map_err(failure)?;
    let ok = compared.discrepancies.is_empty();
    let identity = compared.declaration.identity;
    if args.json {
        ui.json(&IdentityReport {
            schema_version: IDENTITY_REPORT_SCHEMA,
            ok,
            identity,
            bundle: path_text(&args.bundle),
            against: compared.document.as_deref().or(args.against.as_deref()).map(path_text),
            differences: &compared.discrepancies,
        });
    } else if ok {
        let what = match (&compared.document, &args.against) {
            (Some(document), _) => format!("the document `{}` gives it", document.display()),
            (None, Some(_)) => "the sources give it".to_owned(),
            (None, None) => "the bundle gives it".to_owned(),
        };
        ui.line(format!("identity {identity}: {what}"));
        let added: Vec<String> =
            identity::unconfirmed_by_document(&compared.declaration).map(|(_, at)| format!("`{at}`")).collect();
        if compared.document.is_some() && !added.is_empty() {
            ui.line(format!("{}: found when the command was started; no document confirms it", added.join(" and ")));
        }
    } else {
        for one in &compared.discrepancies {
            ui.line(format!("{}: {}", one.pointer(), one.words()));
        }
        let count = match compared.discrepancies.len() {
            1 => "1 difference".to_owned(),
            n => format!("{n} differences"),
        };
        let with = compared.document.as_ref().map(|document| format!(" from the document `{}`", document.display()));
        ui.remark(format!("identity {identity}: {count}{}", with.unwrap_or_default()));
    }
    Ok(if ok { Exit::Done } else { Exit::Mismatch })
}

fn show(args: &IdentityShowArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let declaration = verify_identity::read(&args.bundle).map_err(failure)?;
    print(&declaration, args.json, ui);
    let flaws = identity::verify_against_itself(&declaration);
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
    for part in DeclarationPart::ALL {
        ui.line(format!("{:<10}{}", part.as_str(), declaration.digests.of(part)));
    }
    ui.line(format!("{:<10}{}", "identity", declaration.identity));
    // What a run states to be absent is what this program observed; of another system it is what nobody said.
    if SYSTEM_DECLARATION_SCHEMAS.contains(&declaration.schema_version.as_str()) {
        ui.line(format!("{:<10}{}", "kind", declaration.kind));
        if let Some(says) = shown::completeness(declaration) {
            ui.line(format!("{:<10}{says}", "says"));
        }
        let absent =
            identity::absences(declaration).into_iter().map(|(pointer, reason)| format!("{pointer}: {reason}"));
        list("absent", absent, ui);
        let open = open_items(declaration);
        for word in OpenWord::ALL {
            let of_word = open.iter().filter(|item| item.word == word).map(|item| item.pointer.clone());
            list(shown::word(word), of_word, ui);
        }
        list("immaterial", shown::immaterial(declaration).into_iter(), ui);
    }
}

fn list(name: &str, values: impl Iterator<Item = String>, ui: &mut Ui) {
    for (n, value) in values.enumerate() {
        let width = name.len().max(9) + 1;
        ui.line(format!("{:<width$}{value}", if n == 0 { name } else { "" }));
    }
}
