//! `launchd_clean`: the worker as a one-shot job of launchd.
//!
//! - [`definition`](self): the property list that launchd is given,
//! - `print`: reading what `launchctl print` says,
//! - `failure`: why a job was refused, and [`refusal`] the error that says so,
//! - `domain`: where jobs are kept,
//! - `diagnostics`: everything that was asked and said, kept as files,
//! - [`tools`]: the programs of macOS, behind a trait.
//!
//! Nothing here is specific to macOS but the paths in [`tools`], so all of it is tested on any host against a double that
//! keeps jobs, domains and exit codes. The worker is held until launchd's account of it was taken, so a worker that is
//! done in a few milliseconds is seen alive too, and its end is waited for, never its first output: booting a job out ends
//! it.

mod definition;
mod diagnostics;
mod domain;
#[cfg(test)]
pub(crate) mod double;
mod failure;
mod print;
pub mod refusal;
#[cfg(test)]
mod tests;
pub mod tools;

use std::cell::{OnceCell, RefCell};
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use definition::DefinitionError;
use diagnostics::JobRecord;
use domain::Domain;
use failure::FailureEvidence;
use print::{LastExit, Phase, PrintedJob};
use refusal::NotBootstrapped;
use tools::{HostTools, LaunchdTools, Tool};

use super::error::{ChannelError, ChannelUnavailable};
use super::job::{JobOwner, ManagedJob};
use super::manager::Manager;
use crate::base::bundle_path::BundlePath;
use crate::base::fsx::{self, FileError, IoContext};
use crate::base::ids::RunId;
use crate::process::tool::{ToolError, ToolOutput};
use crate::record::channel_witness::{ManagerAccount, unit_name};
use crate::record::launchctl::{DomainReason, JobOutcome, Teardown};
use crate::record::manifest::ChannelKind;

/// How long one call of a program may take.
const CALL_LIMIT: Duration = Duration::from_secs(30);
/// The shortest time between two looks at a job; it doubles up to [`POLL_MAX`].
const POLL_MIN: Duration = Duration::from_millis(20);
/// The longest time between two looks at a job.
const POLL_MAX: Duration = Duration::from_millis(250);
/// How long a job that launchd has taken may stay without a process before that is left to the caller's own limit.
const SPAWN_LIMIT: Duration = Duration::from_secs(10);
/// How long launchd may fail to answer about a job.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);
/// How long a worker may stay after its result is there: renaming it is its last act.
const LINGER_LIMIT: Duration = Duration::from_secs(30);
/// How long a job may take to go: the time that launchd gives it, and some for launchd.
const TEARDOWN_LIMIT: Duration = definition::EXIT_TIMEOUT.saturating_add(Duration::from_secs(10));
/// How much of the unified log is looked at after a refusal.
const LOG_SPAN: &str = "2m";

/// Names that launchd adds to a job's environment of its own accord: its default `PATH`, the session's agent socket, the
/// `XPC_` names, and what a user's domain passes on (launchd.plist(5), launchctl(1) under `setenv`). What else it sets, such
/// as `OSLogRateLimit` on later releases, it says itself where it lists the job's environment, and the witness believes
/// that. Whatever somebody has set with `launchctl setenv` is neither here nor there, and makes a worker unclean.
pub const MANAGER_ENVIRONMENT: &[&str] = &[
    "HOME",
    "LOGNAME",
    "PATH",
    "SHELL",
    "SSH_AUTH_SOCK",
    "TMPDIR",
    "USER",
    "XPC_FLAGS",
    "XPC_SERVICE_NAME",
    "__CF_USER_TEXT_ENCODING",
];

/// The label of a run's job. It is new for every run, since launchd does not start the same label twice within ten
/// seconds.
pub fn label_of(run_id: &RunId) -> String {
    unit_name(ChannelKind::LaunchdClean, run_id).expect("the channel has a manager")
}

/// launchd, as it can be talked to.
#[derive(Debug)]
pub struct Launchd {
    tools: Box<dyn LaunchdTools>,
    uid: u32,
    domain: OnceCell<Domain>,
    book: RefCell<JobRecord>,
}

/// One look at a job.
struct JobSnapshot {
    output: ToolOutput,
    seen: JobState,
}

enum JobState {
    /// launchd knows it.
    Loaded(PrintedJob),
    /// launchd does not know it.
    Gone,
    /// launchd does not say.
    Silent,
}

impl Launchd {
    /// Finds launchd.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn find() -> Result<Self, ChannelUnavailable> {
        if !cfg!(target_os = "macos") {
            return Err(ChannelUnavailable::new("launchd starts jobs on macOS only"));
        }
        let launchctl = Tool::Launchctl.path();
        if !launchctl.is_file() {
            return Err(ChannelUnavailable::new(format!("there is no `{}`", launchctl.display())));
        }
        Ok(Self::with_tools(Box::new(HostTools::new()), nix::unistd::getuid().as_raw()))
    }

    /// launchd as these programs show it, for the user with this id. Only tests give others than the host's own.
    pub fn with_tools(tools: Box<dyn LaunchdTools>, uid: u32) -> Self {
        Self { tools, uid, domain: OnceCell::new(), book: RefCell::default() }
    }

    /// Ends the job, if it still runs, and makes launchd forget it. Says whether launchd has. A job of that label whose
    /// definition is not the one that [`Manager::start`] wrote is left alone.
    fn boot_out(&self, unit: &str) -> bool {
        let gone = match self.look(unit) {
            Ok(JobSnapshot { seen: JobState::Gone, .. }) => true,
            _ => self.remove(unit) && self.until_gone(unit),
        };
        self.book.borrow_mut().teardown = if gone { Teardown::Gone } else { Teardown::StillKnown };
        gone
    }

    /// The domain; chosen once. The graphical session's, if there is one.
    fn domain(&self, label: &str) -> &Domain {
        self.domain.get_or_init(|| {
            let gui = format!("gui/{}", self.uid);
            self.book.borrow_mut().label(label);
            let step = format!("launchctl_print.gui_{}", self.uid);
            let answer = self.call(&step, Tool::Launchctl, vec!["print".to_string(), gui.clone()]);
            if answer.is_ok_and(|output| output.succeeded()) {
                return Domain { target: gui, reason: DomainReason::GuiDomainAvailable, session_types: None };
            }
            if self.uid == 0 {
                let target = "system".to_string();
                return Domain { target, reason: DomainReason::RootSystemDomain, session_types: None };
            }
            Domain {
                target: format!("user/{}", self.uid),
                reason: DomainReason::GuiDomainUnavailable,
                // Jobs are for graphical sessions unless they say otherwise.
                session_types: Some(vec!["Background".to_string()]),
            }
        })
    }

    fn target(&self, unit: &str) -> String {
        format!("{}/{unit}", self.domain(unit).target)
    }

    /// Runs a program and keeps what came of it.
    fn call(&self, step: &str, tool: Tool, arguments: Vec<String>) -> Result<ToolOutput, ToolError> {
        let answer = self.tools.run(tool, &arguments, CALL_LIMIT);
        self.book.borrow_mut().ran(step, tool, &arguments, &answer);
        answer
    }

    /// Looks at the job. The last look of each kind is kept.
    fn look(&self, unit: &str) -> Result<JobSnapshot, ToolError> {
        let arguments = vec!["print".to_string(), self.target(unit)];
        let answer = self.tools.run(Tool::Launchctl, &arguments, CALL_LIMIT);
        let seen = match answer.as_ref().map(|output| output.code) {
            Ok(Some(0)) => JobState::Loaded(print::parse(&answer.as_ref().expect("it is an answer").stdout)),
            // Without the domain the job is gone as well.
            Ok(Some(failure::NO_SUCH_SERVICE | failure::NO_SUCH_DOMAIN)) => JobState::Gone,
            _ => JobState::Silent,
        };
        let step = match &seen {
            JobState::Loaded(printed) if printed.phase() == Phase::Running => "launchctl_print.job_running",
            JobState::Loaded(_) => "launchctl_print.job",
            JobState::Gone => "launchctl_print.job_gone",
            JobState::Silent => "launchctl_print.job_silent",
        };
        self.book.borrow_mut().looked(step, &arguments, &answer);
        Ok(JobSnapshot { output: answer?, seen })
    }

    /// The account, if launchd says anything.
    fn told(&self, unit: &str, look: &JobSnapshot) -> Option<ManagerAccount> {
        let domain = &self.domain(unit).target;
        match &look.seen {
            JobState::Loaded(printed) => Some(account_of(domain, unit, printed)),
            JobState::Gone => Some(account_of_gone(domain, unit, &look.output)),
            JobState::Silent => None,
        }
    }

    /// Boots the job out, if it is known and is the one that was defined here. Says whether it was asked to go.
    fn remove(&self, unit: &str) -> bool {
        let Ok(JobSnapshot { seen: JobState::Loaded(printed), .. }) = self.look(unit) else { return false };
        if !self.book.borrow().is_own(printed.path.as_deref()) {
            return false;
        }
        // Whatever the answer is, a job that stays is seen by looking again.
        let _ = self.call("bootout", Tool::Launchctl, vec!["bootout".to_string(), self.target(unit)]);
        true
    }

    /// Waits until launchd does not know the job. Booting out returns before that.
    fn until_gone(&self, unit: &str) -> bool {
        self.until(unit, TEARDOWN_LIMIT, |seen| matches!(seen, JobState::Gone))
    }

    /// Waits until the job has, or had, a process. Bootstrapping returns before that.
    fn until_spawned(&self, unit: &str) {
        self.until(unit, SPAWN_LIMIT, |seen| match seen {
            JobState::Loaded(printed) => printed.pid.is_some() || printed.phase() == Phase::Ended,
            JobState::Gone => true,
            JobState::Silent => false,
        });
    }

    fn until(&self, unit: &str, limit: Duration, reached: impl Fn(&JobState) -> bool) -> bool {
        let started = self.tools.now();
        let mut poll = POLL_MIN;
        loop {
            if self.look(unit).is_ok_and(|look| reached(&look.seen)) {
                return true;
            }
            if self.tools.now() - started >= limit {
                return false;
            }
            self.tools.pause(poll);
            poll = (poll * 2).min(POLL_MAX);
        }
    }

    /// What launchd has logged about the label.
    fn ask_log(&self, unit: &str) {
        // A label holds no quote: its alphabet was checked before the definition was written.
        let predicate = format!("process == \"launchd\" AND eventMessage CONTAINS \"{unit}\"");
        let arguments = ["show", "--style", "syslog", "--last", LOG_SPAN, "--predicate", &predicate];
        let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_string()).collect();
        let answer = self.tools.run(Tool::Log, &arguments, CALL_LIMIT);
        self.book.borrow_mut().logged(&arguments, &answer);
    }

    fn refused(
        &self,
        evidence: &FailureEvidence,
        output: Option<ToolOutput>,
        source: Option<DefinitionError>,
    ) -> ChannelError {
        let failure = failure::classify(evidence);
        self.book.borrow_mut().failure = Some(failure.clone());
        ChannelError::NotBootstrapped(Box::new(NotBootstrapped { failure, output, source }))
    }
}

impl Manager for Launchd {
    fn name_of(&self, run_id: &RunId) -> String {
        label_of(run_id)
    }

    fn own_environment(&self) -> &'static [&'static str] {
        MANAGER_ENVIRONMENT
    }

    fn programs(&self) -> Vec<PathBuf> {
        [Tool::Launchctl, Tool::Plutil].map(|tool| tool.path().to_owned()).to_vec()
    }

    /// launchd may take its time. A refusal has its class and cause, and nothing of the job is left then.
    fn start(&self, job: &ManagedJob<'_>) -> Result<ToolOutput, ChannelError> {
        let domain = self.domain(job.unit);
        let plist = job.folder.join(format!("{}.plist", job.unit));
        self.book.borrow_mut().begin(job, plist.clone());

        let bytes = match definition::encode(job, domain.session_types.as_deref())
            .and_then(|bytes| write_definition(&plist, &bytes).map(|()| bytes).map_err(DefinitionError::Write))
        {
            Ok(bytes) => bytes,
            Err(source) => {
                let evidence = FailureEvidence { not_written: true, ..FailureEvidence::default() };
                return Err(self.refused(&evidence, None, Some(source)));
            }
        };
        let not_readable = fsx::read_regular(&plist, bytes.len() as u64).ok().as_deref() != Some(bytes.as_slice());
        self.book.borrow_mut().wrote(bytes);
        // A plutil that cannot be run proves nothing against the definition: launchd itself decides then.
        let lint = self.call("plutil_lint", Tool::Plutil, vec!["-lint".into(), text(&plist)]);
        let mut evidence = FailureEvidence {
            not_readable,
            lint: lint.as_ref().ok().and_then(|output| output.code),
            ..FailureEvidence::default()
        };
        if not_readable || evidence.lint.is_some_and(|code| code != 0) {
            return Err(self.refused(&evidence, lint.ok(), None));
        }

        let bootstrap = || {
            let arguments = vec!["bootstrap".to_string(), domain.target.clone(), text(&plist)];
            self.call("bootstrap", Tool::Launchctl, arguments)
        };
        let mut answer = bootstrap();
        if answer.as_ref().is_ok_and(|output| output.code == Some(failure::IO_ERROR)) {
            // The code for everything else; a label that is still on its way out is the usual reason, and passes.
            self.remove(job.unit);
            if self.until_gone(job.unit) {
                answer = bootstrap();
            }
        }
        if let Ok(output) = &answer
            && output.succeeded()
        {
            self.book.borrow_mut().outcome = JobOutcome::Started;
            self.until_spawned(job.unit);
            return answer.map_err(ChannelError::Tool);
        }
        evidence.bootstrap = answer.as_ref().ok().and_then(ToolOutput::exit_status);
        evidence.label_known = matches!(self.look(job.unit), Ok(JobSnapshot { seen: JobState::Loaded(_), .. }));
        // A refusal can leave the job behind, and so can a launchctl that had to be killed.
        if self.remove(job.unit) {
            self.until_gone(job.unit);
        }
        self.ask_log(job.unit);
        match answer {
            Ok(output) => Err(self.refused(&evidence, Some(output), None)),
            Err(error) => {
                self.book.borrow_mut().failure = Some(failure::classify(&evidence));
                Err(ChannelError::Tool(error))
            }
        }
    }

    /// A job that launchd does not know has the state `not loaded`.
    fn account(&self, unit: &str) -> Result<ManagerAccount, ChannelError> {
        let look = self.look(unit).map_err(ChannelError::Tool)?;
        match self.told(unit, &look) {
            Some(account) => Ok(account),
            None => Err(ChannelError::Silent { output: look.output }),
        }
    }

    /// The account is the last one, with the process id taken from `alive`; what a job that ended without a result was, is the
    /// caller's to say. When the time runs out, the job is booted out. A worker that stays although its result is there has run
    /// out of time, too.
    fn wait(
        &self,
        alive: &ManagerAccount,
        limit: Duration,
        arrived: &dyn Fn() -> bool,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<ManagerAccount, ChannelError> {
        let outcome = |outcome| self.book.borrow_mut().outcome = outcome;
        let unit = alive.unit.as_str();
        let started = self.tools.now();
        let mut last = alive.clone();
        let mut silent_since = None;
        let mut arrived_at = None;
        let mut poll = POLL_MIN;
        loop {
            let look = self.look(unit).map_err(ChannelError::Tool)?;
            let now = self.tools.now();
            if let Some(account) = self.told(unit, &look) {
                last = merged(alive, account);
                silent_since = None;
            } else if now - *silent_since.get_or_insert(now) >= SILENCE_LIMIT {
                outcome(JobOutcome::Silent);
                return Err(ChannelError::Silent { output: look.output });
            }
            // Asked after the look: a worker that has ended cannot deliver any more.
            if arrived_at.is_none() && arrived() {
                arrived_at = Some(now);
            }
            let ended = match &look.seen {
                JobState::Loaded(printed) => printed.phase() == Phase::Ended,
                JobState::Gone => true,
                JobState::Silent => false,
            };
            if ended {
                outcome(if arrived_at.is_some() { JobOutcome::Ended } else { JobOutcome::Crashed });
                return Ok(last);
            }
            let lingers = arrived_at.is_some_and(|since| now - since >= LINGER_LIMIT);
            if lingers || now - started >= limit {
                outcome(JobOutcome::Expired);
                self.boot_out(unit);
                let limit_s = if lingers { now - started } else { limit }.as_secs();
                return Err(ChannelError::Expired { limit_s, account: Box::new(last) });
            }
            if cancelled() {
                outcome(JobOutcome::Cancelled);
                return Err(ChannelError::Cancelled);
            }
            self.tools.pause(poll);
            poll = (poll * 2).min(POLL_MAX);
        }
    }

    fn whose(&self, _: &ManagedJob<'_>) -> Result<JobOwner, ChannelError> {
        // `start` and `end` tell a job of this label from the one that they wrote by themselves.
        Ok(JobOwner::Ours)
    }

    fn end(&self, job: &ManagedJob<'_>) {
        self.boot_out(job.unit);
    }

    /// Since [`Manager::start`]: names relative to the bundle, and bytes. `bundle_root` is the bundle's folder as documents spell
    /// it. The job's own output is read from the stage.
    fn diagnostics(&self, run_id: &RunId, bundle_root: &str) -> Vec<(BundlePath, Vec<u8>)> {
        let Some(domain) = self.domain.get() else { return Vec::new() };
        self.book.borrow().files(domain, run_id, bundle_root)
    }
}

/// launchd takes definitions only that the loading user owns and nobody else may write.
fn write_definition(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let mut file = File::create_new(path).at("create", path)?;
    file.write_all(bytes).at("write", path)?;
    fs::set_permissions(path, Permissions::from_mode(0o644)).at("set the mode of", path)
}

fn text(path: &Path) -> String {
    // The definition's own texts were checked; this one is made of them.
    path.to_string_lossy().into_owned()
}

/// The account of a job that launchd knows.
fn account_of(domain: &str, unit: &str, printed: &PrintedJob) -> ManagerAccount {
    let result = printed.lines.iter().rev().find(|(key, _)| match printed.exit {
        LastExit::Signal(_) => print::is_signal_line(key),
        _ => key == "last exit code",
    });
    ManagerAccount {
        manager: "launchd".to_string(),
        domain: domain.to_string(),
        unit: unit.to_string(),
        main_pid: printed.pid,
        invocation_id: None,
        control_group: None,
        state: printed.state.clone(),
        result: result.map(|(_, value)| value.clone()),
        exit_code: printed.exit_code(),
        signal: printed.signal(),
        raw: printed.lines.iter().chain(&printed.environment).cloned().collect(),
    }
}

/// The account of a job that launchd does not know.
fn account_of_gone(domain: &str, unit: &str, output: &ToolOutput) -> ManagerAccount {
    let code = output.code.map_or_else(String::new, |code| code.to_string());
    ManagerAccount {
        manager: "launchd".to_string(),
        domain: domain.to_string(),
        unit: unit.to_string(),
        main_pid: None,
        invocation_id: None,
        control_group: None,
        state: Some("not loaded".to_string()),
        result: None,
        exit_code: None,
        signal: None,
        raw: vec![("print exit code".to_string(), code), ("print said".to_string(), output.stderr.trim().to_string())],
    }
}

/// The account after the end, with what was known while it ran.
fn merged(alive: &ManagerAccount, mut now: ManagerAccount) -> ManagerAccount {
    now.main_pid = alive.main_pid.or(now.main_pid);
    // What the environment of the running process was.
    now.raw.retain(|(key, _)| !print::is_environment(key));
    now.raw.extend(alive.raw.iter().filter(|(key, _)| print::is_environment(key)).cloned());
    now
}
