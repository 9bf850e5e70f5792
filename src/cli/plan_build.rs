//! `sandproof plan-build`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use super::exit::{Exit, Failure, OrFail};
use super::failures::load_failure;
use super::plan_folder::{self, PlanFolderError};
use super::run::home;
use super::ui::Ui;
use crate::base::checkout;
use crate::base::digest::Digest;
use crate::base::fsx::{self, FileError};
use crate::base::json_out;
use crate::base::limits::{MAX_INPUT_DOCUMENT_BYTES, MAX_POLICY_BYTES};
use crate::base::printable::{Lines, path_text};
use crate::evidence::expected_matrix;
use crate::plan::template::{self, BUILT_FROM_FILE, FileSet, PLAN_FILE, Template};
use crate::plan::{self, InputDocument, LoadError, OWN_PROFILES_PATH, Selection, Severity, Workspace};
use crate::record::build::BuiltFile;
use crate::record::sources::InputRole;

/// Where the matrix goes, relative to the folder.
const MATRIX_FILE: &str = "out/expected_matrix.json";

/// Make a plan folder from a template or a questions file: plan, registries and policies, complete in itself.
#[derive(Debug, Args)]
pub(super) struct PlanBuildArgs {
    /// The template, as with `--template`.
    #[arg(value_name = "TEMPLATE", conflicts_with_all = ["template", "questions"])]
    plain_template: Option<String>,
    /// A template that this program or the checkout around carries, by id (see `list-templates`), or a template file.
    #[arg(long, value_name = "ID|FILE", required_unless_present_any = ["questions", "plain_template"])]
    template: Option<String>,
    /// Write the documents that this questions file stands for.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["template", "write_expected_matrix", "skip_expected_matrix", "policies", "json"]
    )]
    questions: Option<PathBuf>,
    /// The folder to make. Nothing outside it is written.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace files of the folder that are there already.
    #[arg(long)]
    overwrite: bool,
    /// Also write `out/expected_matrix.json`: what a run of the plan expects.
    #[arg(long)]
    write_expected_matrix: bool,
    /// Accepted because the reference runtime has it; not writing the matrix is the default.
    #[arg(long, hide = true, conflicts_with = "write_expected_matrix")]
    skip_expected_matrix: bool,
    /// Where a template file's policies lie. Default: its own folder, or any above it within the same checkout.
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    /// Print what was made as JSON.
    #[arg(long)]
    json: bool,
}

/// Builds, writes, reports. Findings of the lint are exit 1; the folder is there all the same.
pub(super) fn run(args: &PlanBuildArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    if let Some(file) = &args.questions {
        return write_questions(file, args, ui);
    }
    let set = build(args)?;
    let mut built = set.built_from().clone();
    let mut files: Vec<(String, Vec<u8>)> =
        set.files().map(|(path, content)| (path.to_owned(), content.to_vec())).collect();
    let notes = set.lint();
    if args.write_expected_matrix {
        let plan = set.resolve().map_err(load_failure).map_err(|failure| {
            failure
                .hint("the matrix needs a plan that loads; without --write-expected-matrix the folder is made as it is")
        })?;
        let world = plan.plan.world_id.as_ref().map_or(crate::record::world::HOME_WORLD, |world| world.as_str());
        let matrix = expected_matrix(&plan, world);
        built.files.push(BuiltFile {
            path: MATRIX_FILE.to_owned(),
            size: matrix.len() as u64,
            sha256: Digest::of(&matrix),
        });
        files.push((MATRIX_FILE.to_owned(), matrix));
    }
    let mut receipt = json_out::to_pretty(&built);
    receipt.push(b'\n');
    files.push((BUILT_FROM_FILE.to_owned(), receipt));
    plan_folder::write(&args.out, &files, PLAN_FILE, args.overwrite).map_err(|error| folder_failure(error, true))?;

    let errors = notes.iter().filter(|note| note.severity == Severity::Error).count();
    for note in &notes {
        ui.remark(format!("{}[{}] {note}", note.severity.as_str(), note.kind.as_str()));
    }
    if errors > 0 {
        let runs = notes.iter().all(|note| note.severity != Severity::Error || note.runs_anyway);
        let what = if runs { "it can be run, to see who is right" } else { "it cannot be run as it is" };
        let noun = if errors == 1 { "error" } else { "errors" };
        ui.remark(format!("the folder is written, and its plan has {errors} {noun}: {what}"));
    }
    if args.json {
        ui.json(&built);
    } else {
        let out = args.out.display();
        let mut lines = Lines::default();
        for (path, _) in &files {
            lines.line(format!("wrote {out}/{path}"));
        }
        lines.line(format!("{} rows in each lane: sandproof run --plan {out}/{PLAN_FILE}", built.rows));
        ui.out(&lines);
    }
    Ok(if errors == 0 { Exit::Done } else { Exit::Mismatch })
}

/// Writes the documents that a questions file stands for, with the policies that it names.
fn write_questions(file: &Path, args: &PlanBuildArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let (workspace, _) = Workspace::of_plan(file, home().as_deref()).map_err(load_failure)?;
    let Some(questions) = workspace.expanded() else {
        return Err(Failure::new(Exit::InputRefused, NoQuestions(path_text(file)))
            .hint("a plan of JSON documents is complete as it is"));
    };
    let (plan, _) = plan::load(file, home().as_deref(), &Selection::default()).map_err(load_failure)?;
    let mut files: Vec<(String, Vec<u8>)> =
        questions.documents().map(|(path, bytes)| (path.to_owned(), bytes.to_vec())).collect();
    let held =
        |document: &InputDocument| document.bytes.held().expect("no run has let go of the plan's texts").to_vec();
    let named = plan.documents.iter().filter(|document| document.role == InputRole::Policy);
    let own = named.filter(|document| !document.path.starts_with('/') && questions.document(&document.path).is_none());
    let (above, beside): (Vec<_>, Vec<_>) = own.partition(|document| plan::leads_out(&document.path));
    files.extend(beside.into_iter().map(|document| (document.path.clone(), held(document))));
    bring_in(&mut files, above.into_iter().map(|document| (document.path.as_str(), held(document))));
    plan_folder::write(&args.out, &files, PLAN_FILE, args.overwrite).map_err(|error| folder_failure(error, true))?;
    let out = args.out.display();
    let mut lines = Lines::default();
    for (path, _) in &files {
        lines.line(format!("wrote {out}/{path}"));
    }
    lines.line(format!("{} rows in each lane: sandproof run --plan {out}/{PLAN_FILE}", plan.row_count()));
    ui.out(&lines);
    Ok(Exit::Done)
}

/// Gives the policies that lie above the questions file a place in the plan folder, and their profiles the new path.
fn bring_in<'d>(files: &mut Vec<(String, Vec<u8>)>, above: impl Iterator<Item = (&'d str, Vec<u8>)>) {
    let mut moved = BTreeMap::new();
    for (path, bytes) in above {
        let name = path.rsplit('/').next().unwrap_or(path);
        let places = (1..).map(|n| if n == 1 { format!("policies/{name}") } else { format!("policies/{n}-{name}") });
        let place = places.into_iter().find(|place| !files.iter().any(|(taken, _)| taken == place));
        let place = place.expect("names do not run out");
        files.push((place.clone(), bytes));
        moved.insert(path, place);
    }
    if moved.is_empty() {
        return;
    }
    for (path, bytes) in files.iter_mut().filter(|(path, _)| path == OWN_PROFILES_PATH) {
        let mut document: Value = serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{path}: {error}"));
        let profiles = document["profiles"].as_object_mut().into_iter().flat_map(|profiles| profiles.values_mut());
        for profile in profiles {
            let spelled = profile["profile_path"].as_str().map(|text| plan::spelled_below(Path::new(""), text));
            if let Some(place) = spelled.and_then(|spelled| moved.get(spelled.as_str())) {
                profile["profile_path"] = Value::from(place.as_str());
            }
        }
        *bytes = json_out::to_pretty(&document);
        bytes.push(b'\n');
    }
}

/// The file holds a plan, and no questions.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` holds a plan, and no questions")]
struct NoQuestions(String);

/// Reads the template and builds it in memory.
fn build(args: &PlanBuildArgs) -> Result<FileSet, Failure> {
    // One of the two is there, or the parser has refused.
    let named = args.template.as_deref().or(args.plain_template.as_deref()).unwrap_or_default();
    let is_file = named.ends_with(".json") || named.contains('/');
    let in_checkout = if is_file { None } else { template::around(Path::new(".")).by_id(named).cloned() };
    let (template, path) = match in_checkout {
        Some(found) => found,
        None if is_file => {
            let bytes = fsx::read_input(Path::new(named), MAX_INPUT_DOCUMENT_BYTES)
                .map_err(|source| LoadError::Read { what: "template", file: named.to_owned(), source })
                .map_err(load_failure)?;
            let template = Template::read(&bytes, named, None).map_err(load_failure)?;
            (template, PathBuf::from(named))
        }
        None => {
            let template = template::by_id(named).map_err(load_failure)?;
            return template.build(&template::carried_policy).map_err(load_failure);
        }
    };
    let folders = match &args.policies {
        Some(folder) => vec![folder.canonicalize().or_fail(Exit::InputRefused)?],
        None => folders_of(&path.canonicalize().or_fail(Exit::InputRefused)?),
    };
    let find = move |policy: &str| -> Option<Vec<u8>> {
        // A path that climbs out is refused before anybody looks for it; an absolute one is the same from everywhere.
        let file = folders.iter().map(|folder| folder.join(policy)).find(|file| file.is_file())?;
        fsx::read_input(&file, MAX_POLICY_BYTES).ok()
    };
    template.build(&find).map_err(load_failure)
}

/// Where the policies of a template file may lie: in its own folder, or, if that is a part of a checkout or a workspace,
/// in any folder up to the top of it. Nothing further up belongs to the template.
fn folders_of(template: &Path) -> Vec<PathBuf> {
    const TOPS: [&str; 3] = [".git", "AGENTS.md", "registries/index.json"];
    let own = template.parent().unwrap_or(Path::new("/"));
    let above: Vec<PathBuf> = own.ancestors().map(Path::to_owned).collect();
    let top = above.iter().position(|folder| TOPS.iter().any(|mark| checkout::is_marked(folder, mark))).unwrap_or(0);
    above.into_iter().take(top + 1).collect()
}

/// The class of a folder that was not written. `overwrites`: whether the command has `--overwrite`.
pub(super) fn folder_failure(error: PlanFolderError, overwrites: bool) -> Failure {
    let hint = match &error {
        PlanFolderError::Exists { .. } if overwrites => {
            Some("give another folder, or --overwrite to replace these files and no others")
        }
        PlanFolderError::Exists { .. } => Some("give another folder"),
        PlanFolderError::Torn { .. } => {
            Some("the plan file was removed first, so that nothing half-built can be run; build it again")
        }
        PlanFolderError::NotAFolder { .. } | PlanFolderError::NotAFile { .. } | PlanFolderError::Link { .. } => {
            Some("give a folder of its own")
        }
        PlanFolderError::File(FileError { .. }) => None,
    };
    let failure = Failure::new(Exit::InputRefused, error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
