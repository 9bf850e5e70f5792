//! `sandproof run`

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::confinement;
use super::exit::{Exit, Failure, OrFail};
use super::failures::plan_failure;
use super::faults;
use super::first_plan::FirstPlan;
use super::given_launchers::{self, GivenLauncher};
use super::out::io_exit;
use super::performing_args::PerformingArgs;
use super::progress::ProgressBars;
use super::report::{self, WantedReport};
use super::run_report;
use super::shard::WantedShard;
use super::signals;
use super::ui::Ui;
use crate::audit::AuditRefusal;
use crate::base::ids::RunId;
use crate::bundle::lock::{LockError, LockMode};
use crate::bundle::writer::WriteError;
use crate::lane::cancel::Cancel;
use crate::lane::worker::LaneWorkerError;
use crate::plan::{self, Selection};
use crate::record::manifest::ChannelKind;
use crate::run::{self, ChannelFailure, DeclaredRun, Executable, RunControl, RunError, RunPlaces, RunRequest, RunStep};

/// Gives a run its id, as in the reference runtime (Protonk/sandbox-boostrap, book/api/runtime).
const RUN_ID_VARIABLE: &str = "SANDBOX_LORE_RUN_ID";

/// Run a plan and commit its bundle.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// The plan to run, or the folder that its `plan.json` lies in. Default: `sandbox.questions` or `plan.json` of this folder,
    /// else the first one to try on this system: `quickstart` on Linux, `sonoma-runtime-checks` on macOS, from `plans` in this
    /// folder or, where that is not there, from this program.
    #[arg(long, value_name = "FILE|DIR")]
    plan: Option<PathBuf>,
    /// The plan, as with `--plan`.
    #[arg(value_name = "PLAN", conflicts_with = "plan")]
    plain_plan: Option<PathBuf>,
    /// Run a plan that this program carries (`list-templates`) instead, without any folder.
    #[arg(long, value_name = "ID", conflicts_with_all = ["plan", "plain_plan"])]
    template: Option<String>,
    #[command(flatten)]
    choices: RunChoices,
    /// The output root; the bundle becomes a folder in it. Default: `out` in the folder that the plan's paths are
    /// relative to.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Ask the questions of the plan's launchers of this command instead: `NAME=COMMAND …`, split into words as a shell does
    /// it, without any expansion. Placeholders: `${workspace}`, `${outside}`, `${home}`, `${state}`, `${probe}`. Or the file
    /// of a launcher's document, `FILE.json`. May be given several times: each is asked everything, and a matrix shows them
    /// side by side.
    #[arg(long, value_name = "NAME=COMMAND|FILE", value_parser = given_launchers::read)]
    launcher: Vec<GivenLauncher>,
    /// The attempt's id, which is also the bundle's folder name. Default: the variable SANDBOX_LORE_RUN_ID, else a fresh
    /// UUID.
    #[arg(long, value_name = "ID")]
    run_id: Option<RunId>,
    /// Make a report of the run as well: `html:run.html`. Formats as in `report`. May be given several times.
    #[arg(long, value_name = "FORMAT:FILE")]
    report: Vec<WantedReport>,
    /// Have the kernel itself name what it denied, in each row whose operation failed (Linux 6.15, as root). It switches the
    /// kernel's audit on while the run goes on, for the whole host, and back when it ends in whatever way.
    #[arg(long)]
    attribute: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// What is chosen about a run; all of it is declared.
#[derive(Debug, Args)]
pub(super) struct RunChoices {
    /// How the worker is started.
    #[arg(long, value_enum, default_value_t = ChannelArg::Direct)]
    channel: ChannelArg,
    /// What to do when another run has the output root.
    #[arg(long, value_enum, default_value_t = LockArg::Fail)]
    lock_mode: LockArg,
    /// How long `--lock-mode wait` waits.
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0, value_parser = seconds)]
    lock_timeout_seconds: f64,
    /// How long a worker that a service manager starts may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600.0, value_parser = seconds)]
    channel_timeout_seconds: f64,
    /// Run this profile only. May be given several times.
    #[arg(long, value_name = "ID")]
    only_profile: Vec<String>,
    /// Run this expectation only. May be given several times.
    #[arg(long, value_name = "ID")]
    only_scenario: Vec<String>,
    /// Run one share of the plan's rows: the Ith of N, dealt out by a digest of each row (`hash:I/N`) or as N pieces of the plan
    /// (`slice:I/N`), the same on every machine; the controls of its policies come along. `auto` asks the scheduler that started
    /// this (its variables; `auto/N` where they do not say how many there are) and deals out by digest. `merge` makes one run of
    /// all shares.
    #[arg(long, value_name = "KIND:I/N|auto")]
    shard: Option<WantedShard>,
    /// Do everything but execute.
    #[arg(long)]
    dry: bool,
    /// Perform each probe N times, one pass over the lane after the other. A row whose repetitions disagree is undecided
    /// (`repetitions_disagree`), which blocks promotion.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeat: u32,
    /// Take up probes in an order that this number names; the same number gives the same order. Without it, in the plan's order.
    /// Never changes the order of an artifact.
    #[arg(long, value_name = "SEED")]
    shuffle: Option<u32>,
    #[command(flatten)]
    performing: PerformingArgs,
}

/// The channels, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ChannelArg {
    /// By this process itself. Never clean.
    #[value(name = "direct")]
    Direct,
    /// By launchd (macOS).
    #[value(name = "launchd_clean")]
    LaunchdClean,
    /// By systemd (Linux).
    #[value(name = "systemd_clean")]
    SystemdClean,
}

impl From<ChannelArg> for ChannelKind {
    fn from(channel: ChannelArg) -> Self {
        match channel {
            ChannelArg::Direct => Self::Direct,
            ChannelArg::LaunchdClean => Self::LaunchdClean,
            ChannelArg::SystemdClean => Self::SystemdClean,
        }
    }
}

/// The lock modes, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LockArg {
    /// Give up at once.
    Fail,
    /// Wait for it.
    Wait,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_string())?;
    if (0.0..=86_400.0).contains(&seconds) { Ok(seconds) } else { Err("not between 0 and 86400".to_string()) }
}

impl RunChoices {
    /// The request for a run of `plan`; `out` is the output root, if one was named.
    pub(super) fn request(
        &self,
        plan: &Path,
        out: Option<PathBuf>,
        run_id: RunId,
        exe: Executable,
        cancel: Cancel,
    ) -> Result<RunRequest, Failure> {
        let shard = self.shard.as_ref().map(|wanted| wanted.choose(&variable)).transpose()?;
        let selection = Selection {
            only_profiles: self.only_profile.clone(),
            only_scenarios: self.only_scenario.clone(),
            shard: shard.map(|chosen| chosen.shard),
        };
        let loaded = plan::load(plan, home().as_deref(), &selection);
        let (plan, root) = loaded.map_err(|error| plan_failure(error, plan, home().as_deref()))?;
        Ok(RunRequest {
            declared: DeclaredRun {
                plan,
                run_id,
                channel: self.channel.into(),
                channel_limit: Duration::from_secs_f64(self.channel_timeout_seconds),
                lock_mode: match self.lock_mode {
                    LockArg::Fail => LockMode::Fail,
                    LockArg::Wait => LockMode::Wait(Duration::from_secs_f64(self.lock_timeout_seconds)),
                },
                dry: self.dry,
                jobs: self.performing.workers(),
                repeat: self.repeat,
                shuffle: self.shuffle,
                host_programs: self.performing.host_programs(),
                launchers: self.performing.launcher_consent(false),
                environment: environment(),
            },
            places: RunPlaces {
                out: out.unwrap_or_else(|| root.join("out")),
                root,
                fixture_candidates: self.performing.fixture_candidates(),
                exe,
            },
            control: RunControl { cancel, worker: None, attribute: false },
        })
    }
}

/// Runs a plan.
pub(super) fn run(args: &RunArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    report::check_wanted(&args.report)?;
    let cancel = signals::install().or_fail(Exit::Fault)?;
    let exe = Executable::from(own_executable()?);
    let named = args.plan.as_deref().or(args.plain_plan.as_deref());
    let first = match (&args.template, named) {
        (Some(id), _) => Some(FirstPlan::carried(id)?),
        (None, Some(_)) => None,
        (None, None) => Some(FirstPlan::find(ui)?),
    };
    let plan = named.or_else(|| first.as_ref().map(|first| first.file.as_path())).unwrap_or(Path::new(""));
    let out = args.out.clone().or_else(|| first.as_ref().and_then(FirstPlan::out));
    let mut request = args.choices.request(plan, out, args.run_id()?, exe, cancel)?;
    request.control.attribute = args.attribute;
    let folder = match args.launcher.as_slice() {
        [] => None,
        launchers => Some(given_launchers::put_into(launchers, &mut request)?),
    };
    if let Some(wanted) = &args.choices.shard {
        let plan = &request.declared.plan;
        let (mine, all) = (plan.row_count(), plan.declared_rows().count());
        let chosen = wanted.choose(&variable)?;
        let none = if mine == 0 { "; it is empty, and the run declares that" } else { "" };
        ui.remark(format!("{chosen}: {mine} of {all} rows{none}"));
        if let (WantedShard::Auto(_), Some(file)) = (wanted, variable("TEST_SHARD_STATUS_FILE")) {
            touch(Path::new(&file))?;
        }
    }
    if !request.declared.dry {
        let folder = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        let command: Vec<OsString> = std::env::args_os().collect();
        if let Some(remark) =
            confinement::remark(&run::status::confinement(), request.declared.channel, &folder, &command)
        {
            ui.remark(remark);
        }
    }
    let mut progress = ProgressBars::new(ui.draws_progress());
    let outcome = run::run(&request, &mut progress);
    progress.finish();
    let report = outcome.map_err(run_failure)?;
    if args.launcher.len() > 1 && !args.json && !request.declared.dry {
        given_launchers::show(&report.committed.folder, ui)?;
    }
    let concluded = run_report::conclude(&report, args.json, ui);
    // Whatever the run came to, its reports show it; a dry run has nothing that they could.
    let reports: &[WantedReport] = if request.declared.dry { &[] } else { &args.report };
    let reported = report::make_wanted(reports, &report.committed.folder, ui);
    drop(folder);
    // The process ends here; to take a large plan apart before would only keep its user waiting.
    std::mem::forget(request);
    reported.and(concluded)
}

impl RunArgs {
    /// The run id that was asked for: by argument, or by the variable that the reference runtime reads. An id names the
    /// attempt and changes nothing about it, so a variable may give it; no variable chooses anything else that was not asked for.
    #[expect(clippy::disallowed_methods, reason = "read here and passed down")]
    fn run_id(&self) -> Result<RunId, Failure> {
        let asked = || std::env::var_os(RUN_ID_VARIABLE).filter(|text| !text.is_empty());
        match &self.run_id {
            Some(run_id) => Ok(run_id.clone()),
            None => asked().map_or_else(
                || Ok(RunId::fresh()),
                |text| {
                    // What is no text becomes one that is refused like any other that is no id.
                    RunId::new(text.to_string_lossy()).map_err(|error| {
                        Failure::new(Exit::Usage, error).hint(format!("it comes from the variable {RUN_ID_VARIABLE}"))
                    })
                },
            ),
        }
    }
}

/// A variable of this process. Only `--shard auto` asks: whoever says so wants the scheduler to choose.
#[expect(clippy::disallowed_methods, reason = "read here and passed down")]
fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// Tells Bazel that the test knows about shares.
fn touch(file: &Path) -> Result<(), Failure> {
    let opened = OpenOptions::new().create(true).append(true).open(file);
    opened.map(drop).map_err(|source| {
        Failure::new(Exit::Fault, StatusFile { file: file.to_owned(), source })
            .hint("it comes from the variable TEST_SHARD_STATUS_FILE")
    })
}

/// Bazel's file could not be touched.
#[derive(Debug, thiserror::Error)]
#[error("the status file `{}` of the test's shares cannot be written", file.display())]
struct StatusFile {
    file: PathBuf,
    #[source]
    source: std::io::Error,
}

/// Every variable of this process.
#[expect(clippy::disallowed_methods, reason = "read here and passed down")]
pub(super) fn environment() -> Vec<(String, Vec<u8>)> {
    std::env::vars_os().map(|(name, value)| (name.to_string_lossy().into_owned(), value.into_vec())).collect()
}

/// The user's home, which `~` stands for in questions.
#[expect(clippy::disallowed_methods, reason = "read here and passed down")]
pub(super) fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from)
}

/// Without its executable a process starts no probes.
#[derive(Debug, thiserror::Error)]
#[error("this process cannot reach its own executable, which probe processes are started from")]
struct NoExecutable(#[source] std::io::Error);

/// The file that this process was started from, also where it was replaced or removed since.
pub(super) fn own_executable() -> Result<PathBuf, Failure> {
    let through_proc = Path::new("/proc/self/exe");
    if through_proc.exists() {
        return Ok(through_proc.to_owned());
    }
    std::env::current_exe().map_err(|error| {
        let failure = Failure::new(Exit::Unavailable, NoExecutable(error));
        if cfg!(target_os = "linux") {
            failure
                .hint("it is reached through /proc, as paths are that a probe would change: `mount -t proc proc /proc`")
                .hint("what executes nothing needs no /proc: `plan-lint`, `why`, `policy`, `validate-bundle`, `report`")
        } else {
            failure
        }
    })
}

/// What there is to do about it.
fn attribution_hint(refused: &AuditRefusal) -> &'static str {
    match refused {
        AuditRefusal::OtherSystem | AuditRefusal::Kernel { .. } | AuditRefusal::NoAudit(_) => {
            "`scripts/try-kernel newest -- run --plan … --attribute` has it named by another kernel, under emulation"
        }
        AuditRefusal::NotPermitted => "run it as root, in the namespaces of the host",
        AuditRefusal::Owned { .. } => "stop auditd while the run goes on: `auditctl --signal stop`",
        AuditRefusal::Panics => "let the host go on for the time of the run: `auditctl -f 1`",
        AuditRefusal::Taken => "wait for the other run to end",
        AuditRefusal::Silent(_) => "look for rules that leave out what programs tell the audit: `auditctl -l`",
        AuditRefusal::Failed { .. } => "`auditctl -s` shows in which state the audit is",
    }
}

pub(super) fn run_failure(error: RunError) -> Failure {
    if let Some(limit) = faults::limit_of(&error) {
        return Failure::new(Exit::Unavailable, error).hint(limit);
    }
    match error {
        RunError::Attribution(refused) => {
            let hint = attribution_hint(&refused);
            let failure = Failure::new(Exit::Unavailable, RunError::Attribution(refused));
            failure.hint(hint).hint("without `--attribute` the same rows come to the same verdicts")
        }
        RunError::AttributionUnused { .. } => Failure::new(Exit::Usage, error)
            .hint("leave `--attribute` out, or run a plan with a Landlock policy directly"),
        RunError::Channel { .. } => Failure::new(Exit::Unavailable, error)
            .hint("`--channel direct` runs the same plan from here; its evidence is complete, but cannot be promoted")
            .hint("as root, `scripts/with-systemd sandproof run …` starts a systemd for this one command")
            .hint("`--dry` does everything but execute; `validate-bundle` reads bundles that were made elsewhere"),
        RunError::LauncherElsewhere { .. } => Failure::new(Exit::Unavailable, error)
            .hint("name the system of this host under `os` of the document, if the launcher is there here too"),
        RunError::Enforcer { .. } => Failure::new(Exit::Unavailable, error)
            .hint("`sandproof run --dry` does everything but execute; `validate-bundle` reads bundles made elsewhere"),
        RunError::HostPrograms { .. } => Failure::new(Exit::InputRefused, error)
            .hint("read what they do; `--allow-host-programs` lets them run, as you and without a sandbox of their own")
            .hint("a fixture of kind `program` is sandproof's own small program, and needs no option"),
        RunError::LauncherUnasked { .. } => Failure::new(Exit::InputRefused, error)
            .hint("read its document; `--allow-host-programs` lets it run as you")
            .hint("`--launcher 'NAME=COMMAND …'` asks the plan's questions of a command of your own"),
        RunError::LauncherOnce { .. } => Failure::new(Exit::InputRefused, error)
            .hint("`--only-profile ID` leaves launchers out")
            .hint("several runs of one declaration are compared by `sandproof attempts BUNDLE …`"),
        RunError::LauncherAsRoot { .. } => Failure::new(Exit::InputRefused, error)
            .hint("run it as an ordinary user, as launchers are meant to be run")
            .hint("`--as-root` starts it as root; what the sandbox lets through is then done as root"),
        RunError::Fixtures(_) => {
            Failure::new(Exit::Unavailable, error).hint("name a writable folder with `--fixtures DIR`")
        }
        RunError::Lock(LockError::Held { .. }) => Failure::new(Exit::Locked, error),
        RunError::Lock(LockError::Cancelled { .. }) => Failure::new(Exit::Interrupted, error),
        RunError::Interrupted { signal, .. } => {
            let exit = if signal == libc::SIGTERM { Exit::Terminated } else { Exit::Interrupted };
            Failure::new(exit, error)
        }
        RunError::Failed { source: RunStep::Worker(LaneWorkerError::Spawn(_)), .. } => {
            Failure::new(Exit::Unavailable, error)
        }
        RunError::Failed { source: RunStep::Drift { .. }, .. } => Failure::new(Exit::BundleInvalid, error)
            .hint("run again, and leave the plan, its documents and the executable alone until it has ended"),
        RunError::Failed { source: RunStep::Channel(ChannelFailure::NameTaken { .. }), .. } => {
            Failure::new(Exit::Usage, error).hint("choose another id with `--run-id`, or leave it out for a fresh one")
        }
        RunError::Start(WriteError::Exists { .. }) => {
            Failure::new(Exit::Usage, error).hint("choose another id with `--run-id`, or leave it out for a fresh one")
        }
        RunError::Start(_) | RunError::Lock(_) => {
            Failure::new(io_exit(&error), error).hint("choose a writable output root with `--out DIR`")
        }
        RunError::Declaration(_) => Failure::new(Exit::InputRefused, error)
            .hint("`sandproof plan-lint --plan FILE` names what in the plan cannot be declared"),
        RunError::Executable(_) | RunError::World(_) | RunError::Failed { .. } => Failure::new(Exit::Fault, error),
    }
}
