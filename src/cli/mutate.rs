//! `sandproof mutate`

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::exit::{Exit, Failure, OrFail};
use super::failures::load_failure;
use super::faults;
use super::given_launchers::{self, GivenLauncher};
use super::named_args::PlanArg;
use super::out::Destination;
use super::performing_args::PerformingArgs;
use super::run::{home, own_executable, run_failure};
use super::signals;
use super::ui::{Ui, json_text};
use crate::base::ids::RunId;
use crate::bundle::lock::LockMode;
use crate::lane::executor::LaneError;
use crate::mutate::{MutationError, mutate};
use crate::plan::{self, Selection};
use crate::record::manifest::ChannelKind;
use crate::record::mutation::MutationReport;
use crate::review::report::mutation;
use crate::run::{DeclaredRun, Executable, RunControl, RunPlaces, RunRequest};

/// Change every policy of a plan, one thing at a time, and tell which changes its probes notice.
///
/// A rule that can be dropped, or a right that can be added, without any probe having another verdict is one that the plan does not
/// prove. Landlock's changed policies are put in force here and every probe is performed under them; Seatbelt's are decided by
/// the model, which is marked; of a launcher, each flag is left out. Nothing is written: there is no bundle. Exit codes: 0 if
/// the score is not below `--fail-under`, 8 if it is, 1 if model and kernel part, 9 if there is nothing to change.
#[derive(Debug, Args)]
pub(super) struct MutateArgs {
    #[command(flatten)]
    plan: PlanArg,
    /// Change the policy of this profile only. May be given several times.
    #[arg(long, value_name = "ID")]
    only_profile: Vec<String>,
    /// The share of changes that let more through which has to be noticed, from 0 to 1.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    fail_under: Option<f64>,
    /// Format of the report.
    #[arg(long, value_enum, default_value_t = MutationFormat::Terminal, conflicts_with = "json")]
    format: MutationFormat,
    /// Write the report to this file, as a whole, instead of standard output; `-` is standard output too.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Ask this command, or the launcher of this document, in the place of the plan's launchers; as in `run`.
    #[arg(long, value_name = "NAME=COMMAND|FILE", value_parser = given_launchers::read)]
    launcher: Vec<GivenLauncher>,
    #[command(flatten)]
    performing: PerformingArgs,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

/// How the report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum MutationFormat {
    /// For people, on a terminal.
    Terminal,
    /// Markdown, for a pull request.
    Markdown,
    /// One HTML page that loads nothing.
    Html,
    /// SARIF 2.1.0: a result for each change that nothing notices, at its line of the policy.
    Sarif,
    /// As `--json`.
    Json,
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("not between 0 and 1".to_owned()) }
}

/// Changes policies, and tells.
pub(super) fn run(args: &MutateArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let destination = args.out.as_deref().map(Destination::of).transpose()?;
    let cancel = signals::install().or_fail(Exit::Fault)?;
    let exe = Executable::from(own_executable()?);
    let selection = Selection { only_profiles: args.only_profile.clone(), ..Selection::default() };
    let (plan, root) = plan::load(args.plan.path(), home().as_deref(), &selection).map_err(load_failure)?;
    let mut request = RunRequest {
        declared: DeclaredRun {
            plan,
            run_id: RunId::fresh(),
            channel: ChannelKind::Direct,
            channel_limit: Duration::ZERO,
            lock_mode: LockMode::Fail,
            dry: false,
            jobs: args.performing.workers(),
            repeat: 1,
            shuffle: None,
            host_programs: args.performing.host_programs(),
            launchers: args.performing.launcher_consent(false),
            environment: Vec::new(),
        },
        places: RunPlaces {
            out: root.join("out"),
            root: root.clone(),
            fixture_candidates: args.performing.fixture_candidates(),
            exe,
        },
        control: RunControl { cancel, worker: None, attribute: false },
    };
    let folder = match args.launcher.as_slice() {
        [] => None,
        launchers => Some(given_launchers::put_into(launchers, &mut request)?),
    };
    let report = mutate(request, args.fail_under).map_err(failure)?;
    drop(folder);
    let format = if args.json { MutationFormat::Json } else { args.format };
    let text = match format {
        MutationFormat::Terminal => mutation::text(&report).as_str().as_bytes().to_vec(),
        MutationFormat::Markdown => mutation::markdown(&report).into_bytes(),
        MutationFormat::Html => mutation::html(&report).into_bytes(),
        MutationFormat::Sarif => mutation::sarif(&report, &root).into_bytes(),
        MutationFormat::Json => json_text(&report),
    };
    match destination {
        None => ui.bytes(&text),
        Some(destination) => {
            if !destination.put(&text, ui)? {
                ui.line(&report.sentence);
            }
        }
    }
    Ok(exit_of(&report))
}

fn exit_of(report: &MutationReport) -> Exit {
    let below = |least: f64| report.weakened.score.is_some_and(|score| score < least);
    match () {
        () if !report.oracle_disagrees.is_empty() => Exit::Mismatch,
        () if report.fail_under.is_some_and(below) => Exit::Undecided,
        () => Exit::Done,
    }
}

fn failure(error: MutationError) -> Failure {
    match error {
        MutationError::NotBegun(error) => run_failure(error),
        MutationError::Nothing { .. } => Failure::new(Exit::NothingRan, error),
        MutationError::Lane(LaneError::Cancelled { signal }) => {
            let exit = if signal == libc::SIGTERM { Exit::Terminated } else { Exit::Interrupted };
            Failure::new(exit, error)
        }
        MutationError::Worker(_) | MutationError::Lane(_) => match faults::limit_of(&error) {
            Some(limit) => Failure::new(Exit::Unavailable, error).hint(limit),
            None => Failure::new(Exit::Fault, error),
        },
    }
}
