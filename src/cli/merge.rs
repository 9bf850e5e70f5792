//! `sandproof merge`

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::bundle_folders;
use super::exit::{Exit, Failure};
use super::out::io_exit;
use super::run_report;
use super::ui::Ui;
use crate::base::fsx;
use crate::base::ids::RunId;
use crate::base::json;
use crate::base::limits::MAX_BUNDLE_DOCUMENT_BYTES;
use crate::base::printable::{Lines, path_text};
use crate::bundle::lock::{LockError, LockMode, OutputLock};
use crate::bundle::merge::{self, MergeError, PartFault};
use crate::bundle::{self, Bundle, Verified};
use crate::plan::Workspace;
use crate::promote::gates;
use crate::record::layout;
use crate::record::merge::{MAX_PARTS, PartStanding};
use crate::record::packet::Promotability;
use crate::record::shard::{ShardKind, ShardRecord};
use crate::run::RunReport;

/// Format of `merge --json`. 1: first release.
const MERGE_REPORT_SCHEMA: &str = "sandproof.merge_report.v1";

/// Put the shares of a plan together to one bundle, which verifies, reports, compares and promotes like one run.
///
/// Every bundle is verified first, and copied whole. They have to be shares of one declared run (`run --shard`), of one program on
/// one host. Runs that are not finished are left out and listed, as are shares that nobody has; a share that was run twice is kept
/// twice, and rows on which the attempts differ are undecided. Exit 4, and nothing is written, if a bundle is invalid or is of
/// another run; 8 if shares are missing; else that of the run that they are.
#[derive(Debug, Args)]
pub(super) struct MergeArgs {
    /// The bundles, or folders with bundles somewhere below, of which all are taken.
    #[arg(value_name = "DIR", required = true)]
    bundles: Vec<PathBuf>,
    /// The output root; the bundle becomes a folder in it.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The merge's id, which is also the bundle's folder name. Default: a fresh UUID.
    #[arg(long, value_name = "ID")]
    run_id: Option<RunId>,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

/// `merge --json`
#[derive(Debug, Serialize)]
struct MergeAnswer {
    schema_version: &'static str,
    bundle: Option<String>,
    run_id: Option<RunId>,
    kind: Option<ShardKind>,
    count: Option<u32>,
    gaps: Vec<u32>,
    inputs: Vec<MergeInput>,
    disagreements: usize,
    planned: u64,
    matched: u64,
    mismatched: u64,
    undecided: u64,
    unasserted: u64,
    promotability: Option<Promotability>,
    exit_code: u8,
}

/// What became of a bundle that was given.
#[derive(Debug, Serialize)]
struct MergeInput {
    path: String,
    standing: InputStanding,
    run_id: Option<RunId>,
    index: Option<u32>,
    rows: Option<u64>,
    why: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum InputStanding {
    /// Its rows are in the merge.
    Taken,
    /// A further attempt at a share, which came to the same.
    Agrees,
    /// A further attempt at a share, which did not.
    Disagrees,
    /// It is fine, and nothing was written because of others.
    Fits,
    /// The very bundle was given before.
    SameBundle,
    /// Its run did not end, or ended badly.
    Unfinished,
    /// There is nothing.
    Nothing,
    /// It does not verify.
    Invalid,
    /// It is no share, or one of another run.
    Foreign,
}

impl InputStanding {
    fn refuses(self) -> bool {
        matches!(self, Self::Invalid | Self::Foreign)
    }
}

/// Merges.
pub(super) fn run(args: &MergeArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let mut inputs: Vec<MergeInput> = Vec::new();
    let mut verified: Vec<(usize, Verified<Bundle>)> = Vec::new();
    for given in &args.bundles {
        let found = bundle_folders::at_or_below(given);
        if found.is_empty() {
            let why = Some("there is no bundle here".to_owned());
            inputs.push(input(given, InputStanding::Nothing, None, why));
        }
        for folder in found {
            let place = inputs.len();
            match bundle::verify(&folder) {
                Ok(bundle) if verified.iter().any(|(_, one)| one.index_sha256() == bundle.index_sha256()) => {
                    let first = verified.iter().find(|(_, one)| one.index_sha256() == bundle.index_sha256());
                    let first = first.map_or_else(String::new, |(place, _)| inputs[*place].path.clone());
                    let why = Some(format!("it is `{first}`, byte for byte"));
                    inputs.push(input(&folder, InputStanding::SameBundle, Some(&bundle), why));
                }
                Ok(bundle) => {
                    inputs.push(input(&folder, InputStanding::Fits, Some(&bundle), None));
                    verified.push((place, bundle));
                }
                Err(refused) => {
                    let standing =
                        if refused.is_unfinished() { InputStanding::Unfinished } else { InputStanding::Invalid };
                    let why = refused.findings.first().map(ToString::to_string);
                    let mut given = input(&folder, standing, None, why);
                    if standing == InputStanding::Unfinished {
                        given.index = declared_index(&folder);
                    }
                    inputs.push(given);
                }
            }
        }
    }
    let all: Vec<&Verified<Bundle>> = verified.iter().map(|(_, bundle)| bundle).collect();
    let (kept, rejected) = merge::sort_out(&all);
    for one in rejected {
        let place = verified[one.place].0;
        (inputs[place].standing, inputs[place].why) = (InputStanding::Foreign, Some(one.fault.to_string()));
        if let PartFault::NoShare | PartFault::IsMerge | PartFault::Dry | PartFault::OldFormat = one.fault {
            inputs[place].index = None;
        }
    }
    if kept.is_empty() || inputs.iter().any(|one| one.standing.refuses()) {
        return refuse(inputs, args.json, ui);
    }
    if kept.len() > MAX_PARTS {
        return Err(Failure::new(Exit::InputRefused, TooManyParts { found: kept.len() })
            .hint("merge what was run on one host; other hosts are compared, with `sandproof compare`"));
    }
    let parts: Vec<&Verified<Bundle>> = kept.iter().map(|place| all[*place]).collect();
    let merged = write(args, &parts)?;
    for (part, given) in merged.document.parts.iter().zip(&merged.given) {
        let place = verified[kept[*given]].0;
        inputs[place].standing = match part.standing {
            PartStanding::Taken => InputStanding::Taken,
            PartStanding::Agrees => InputStanding::Agrees,
            PartStanding::Disagrees => InputStanding::Disagrees,
        };
        inputs[place].rows = Some(part.rows);
    }
    drop(verified);
    let done = bundle::verify(&merged.committed.folder).map_err(|refused| Failure::new(Exit::Fault, refused))?;
    let gate = gates::evaluate(&done);
    let document = merged.document;
    let report = RunReport { committed: merged.committed, manifest: merged.manifest, outcome: merged.outcome };
    let exit = match run_report::exit_of_merge(&report) {
        Exit::Done if !document.gaps.is_empty() => Exit::Undecided,
        exit => exit,
    };
    if args.json {
        let rows = &report.outcome.total.rows;
        ui.json(&MergeAnswer {
            schema_version: MERGE_REPORT_SCHEMA,
            bundle: Some(path_text(&report.committed.folder)),
            run_id: Some(document.run_id),
            kind: Some(document.kind),
            count: Some(document.count),
            gaps: document.gaps,
            inputs,
            disagreements: document.disagreements.len(),
            planned: rows.planned,
            matched: rows.matched,
            mismatched: rows.mismatched,
            undecided: rows.undecided,
            unasserted: rows.unasserted,
            promotability: Some(gate.to_record()),
            exit_code: exit.code(),
        });
        return Ok(exit);
    }
    let mut lines = told(&inputs);
    let have = document.count as usize - document.gaps.len();
    lines.line(format!("{have} of {} shares by {}", document.count, document.kind.as_str()));
    if !document.gaps.is_empty() {
        lines.line(format!("missing: {}", shares(&document.gaps)));
    }
    if !document.disagreements.is_empty() {
        let count = document.disagreements.len();
        lines.line(format!("rows on which attempts at one share differ, and which are undecided: {count}"));
        for row in document.disagreements.iter().take(20) {
            lines.line(format!("  {}  {}", row.profile_id, row.expectation_id));
        }
    }
    lines.blank();
    ui.out(&lines);
    ui.within_width(&run_report::text_of_merge(&report, &gate, ui.width()));
    Ok(exit)
}

/// More bundles than a merge takes.
#[derive(Debug, thiserror::Error)]
#[error("{found} bundles are given; a merge has {MAX_PARTS} at most")]
struct TooManyParts {
    found: usize,
}

fn write(args: &MergeArgs, parts: &[&Verified<Bundle>]) -> Result<merge::Merged, Failure> {
    let run_id = args.run_id.clone().unwrap_or_else(RunId::fresh);
    let unwritable = |error: fsx::FileError| {
        Failure::new(io_exit(&error), error).hint("choose a writable output root with `--out DIR`")
    };
    fsx::create_dir_all(&args.out).map_err(unwritable)?;
    let lock = OutputLock::acquire(&args.out, LockMode::Fail, &run_id, &|| false).map_err(|error| match error {
        LockError::Held { .. } => Failure::new(Exit::Locked, error),
        error => Failure::new(io_exit(&error), error).hint("choose a writable output root with `--out DIR`"),
    })?;
    let bundle_root = format!("{}/{run_id}", Workspace::pointer_to(&args.out));
    merge::write(parts, &lock, &run_id, &bundle_root).map_err(|error| {
        let exit = match &error {
            MergeError::Write(bundle::writer::WriteError::Exists { .. }) => Exit::Usage,
            MergeError::Part(_) | MergeError::Inputs(_) | MergeError::Compose(_) => Exit::BundleInvalid,
            MergeError::Write(_) | MergeError::Rows(_) | MergeError::Derive(_) => io_exit(&error),
        };
        Failure::new(exit, error)
    })
}

fn input(path: &Path, standing: InputStanding, bundle: Option<&Bundle>, why: Option<String>) -> MergeInput {
    let manifest = bundle.map(Bundle::manifest);
    MergeInput {
        path: path_text(path),
        standing,
        run_id: manifest.map(|manifest| manifest.run_id.clone()),
        index: manifest.and_then(|manifest| manifest.selection.shard.as_ref()).map(|shard| shard.indices[0]),
        rows: None,
        why,
    }
}

/// The share that an unfinished run says it is. Nothing rests on it: it tells people which share to run again.
fn declared_index(folder: &Path) -> Option<u32> {
    let bytes = fsx::read_beneath(folder, layout::RUN_IDENTITY, MAX_BUNDLE_DOCUMENT_BYTES).ok()?;
    let declaration = json::parse(&bytes).ok()?;
    let shard = ShardRecord::declared(declaration.pointer("/policy/shard")?.as_str()?)?;
    (shard.indices.len() == 1).then(|| shard.indices[0])
}

/// Nothing was written: says of every bundle why, or that it was not because of it.
fn refuse(inputs: Vec<MergeInput>, json: bool, ui: &mut Ui) -> Result<Exit, Failure> {
    if json {
        ui.json(&MergeAnswer {
            schema_version: MERGE_REPORT_SCHEMA,
            bundle: None,
            run_id: None,
            kind: None,
            count: None,
            gaps: Vec::new(),
            inputs,
            disagreements: 0,
            planned: 0,
            matched: 0,
            mismatched: 0,
            undecided: 0,
            unasserted: 0,
            promotability: None,
            exit_code: Exit::BundleInvalid.code(),
        });
        return Ok(Exit::BundleInvalid);
    }
    ui.out(&told(&inputs));
    let refused = inputs.iter().filter(|one| one.standing.refuses()).count();
    ui.remark(match refused {
        0 => "nothing to merge: there is no finished share".to_owned(),
        1 => "nothing is written: one bundle is refused; leave it out, or run its share again".to_owned(),
        n => format!("nothing is written: {n} bundles are refused; leave them out, or run their shares again"),
    });
    Ok(Exit::BundleInvalid)
}

/// A line for each bundle.
fn told(inputs: &[MergeInput]) -> Lines {
    let words = |one: &MergeInput| match one.standing {
        InputStanding::Taken => "taken".to_owned(),
        InputStanding::Agrees => "another attempt, which came to the same".to_owned(),
        InputStanding::Disagrees => "another attempt, which came to something else".to_owned(),
        InputStanding::Fits => "good".to_owned(),
        InputStanding::SameBundle => "given twice".to_owned(),
        InputStanding::Unfinished => "left out, not finished".to_owned(),
        InputStanding::Nothing => "left out".to_owned(),
        InputStanding::Invalid => "REFUSED, invalid".to_owned(),
        InputStanding::Foreign => "REFUSED, does not belong here".to_owned(),
    };
    let mut lines = Lines::default();
    for one in inputs {
        let share = one.index.map_or_else(String::new, |index| format!("share {index}: "));
        let why = one.why.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
        lines.line(format!("{}: {share}{}{why}", one.path, words(one)));
    }
    lines
}

/// Numbers, for people: `1-3, 7`.
fn shares(numbers: &[u32]) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => runs.push((*number, *number)),
        }
    }
    let shown = runs.iter().take(20).map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if runs.len() > 20 {
        text.push_str(", …");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_one_range() {
        assert_eq!(shares(&[1, 2, 3, 7, 9, 10]), "1-3, 7, 9-10");
        assert_eq!(shares(&[4]), "4");
        assert_eq!(shares(&[]), "");
    }
}
