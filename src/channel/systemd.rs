//! `systemd_clean`: the worker as a transient unit of systemd.
//!
//! The unit is made with systemd-run(1) and looked after with systemctl(1), both at fixed paths, instead of through the
//! manager's D-Bus interface: the two programs come with every systemd, find the private socket of a manager that has no
//! bus, and need no message library here. Their `show` output is a documented, stable interface.
//!
//! The worker is held until the manager's account of it was taken, so a worker that is done in a few milliseconds is
//! seen alive too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::error::{ChannelError, ChannelUnavailable};
use super::job::{JobOwner, ManagedJob};
use super::manager::Manager;
use crate::base::ids::RunId;
use crate::process::tool::{self, ToolOutput};
use crate::record::channel_witness::{ManagerAccount, unit_name};
use crate::record::manifest::ChannelKind;

/// Where systemd's programs are, in the order of looking.
const FOLDERS: [&str; 2] = ["/usr/bin", "/bin"];
/// How long one call of systemctl or systemd-run may take.
const CALL_LIMIT: Duration = Duration::from_secs(30);
/// How often the caller's hint that the unit may have ended, and cancellation, are polled.
const POLL: Duration = Duration::from_millis(20);
/// How often the manager is asked without such a hint: each question costs it and this host a process.
const ASK: Duration = Duration::from_millis(500);
/// How long a manager may be silent, because it is being reloaded or replaced, before it counts as gone.
const PATIENCE: Duration = Duration::from_secs(15);
/// How much longer than its caller waits the manager lets a unit run. It acts only if the caller could not.
const GRACE: Duration = Duration::from_secs(15);
/// What is asked about the unit. The last two lines are what a manager can do to a unit that no process sees in itself:
/// filters that hang on its control group (systemd.resource-control(5), systemd.exec(5)).
const PROPERTIES: &str = "LoadState,ActiveState,SubState,Result,MainPID,ExecMainPID,ExecMainCode,ExecMainStatus,\
    InvocationID,ControlGroup,FragmentPath,DropInPaths,Slice,RuntimeMaxUSec,\
    Type,RemainAfterExit,Restart,UMask,KeyringMode,RootDirectory,RootImage,User,Group,PAMName,AmbientCapabilities,\
    ExecCondition,ExecStartPre,ExecStartPost,ExecStop,ExecStopPost,\
    DevicePolicy,DeviceAllow,IPAddressAllow,IPAddressDeny,IPIngressFilterPath,IPEgressFilterPath,BPFProgram,\
    RestrictFileSystems,RestrictNetworkInterfaces,SocketBindAllow,SocketBindDeny";

/// Names that systemd adds to a service's environment of its own accord (systemd.exec(5), "Environment variables in
/// spawned processes").
pub const MANAGER_ENVIRONMENT: &[&str] = &[
    "HOME",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LOGNAME",
    "MANAGERPID",
    "MANAGERPIDFDID",
    "MEMORY_PRESSURE_WATCH",
    "MEMORY_PRESSURE_WRITE",
    "PATH",
    "SHELL",
    "SYSTEMD_EXEC_PID",
    "USER",
    "XDG_RUNTIME_DIR",
];

/// Whose units a manager starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManagerScope {
    /// The host's manager, process 1.
    System,
    /// The manager of this user's session.
    User,
}

impl ManagerScope {
    /// `system` or `user`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
        }
    }
}

/// A manager that can be talked to.
#[derive(Debug)]
pub struct Systemd {
    scope: ManagerScope,
    systemd_run: PathBuf,
    systemctl: PathBuf,
    environment: Vec<(String, String)>,
}

/// The name of a run's unit.
pub fn unit_of(run_id: &RunId) -> String {
    unit_name(ChannelKind::SystemdClean, run_id).expect("the channel has a manager")
}

impl Systemd {
    /// Finds the manager: the host's for root, the user's own for others.
    ///
    /// # Errors
    /// Why there is none.
    pub fn find() -> Result<Self, ChannelUnavailable> {
        // sd_booted(3): this folder exists exactly on hosts that systemd has booted.
        if !Path::new("/run/systemd/system").is_dir() {
            return Err(ChannelUnavailable::new(
                "this host was not booted by systemd (`/run/systemd/system` does not exist)",
            ));
        }
        let uid = nix::unistd::geteuid();
        let mut environment = vec![("PATH".to_string(), "/usr/bin:/bin".to_string()), ("LC_ALL".into(), "C".into())];
        let scope = if uid.is_root() {
            ManagerScope::System
        } else {
            let runtime = format!("/run/user/{uid}");
            if !Path::new(&runtime).join("systemd/private").exists() {
                return Err(ChannelUnavailable::new(
                    "this user has no systemd manager (`loginctl enable-linger` starts one); root can use the host's",
                ));
            }
            environment.push(("XDG_RUNTIME_DIR".to_string(), runtime));
            ManagerScope::User
        };
        let found =
            Self { scope, systemd_run: find_tool("systemd-run")?, systemctl: find_tool("systemctl")?, environment };
        // A folder is only a sign. A manager answers.
        found.strange_environment().map_err(|error| ChannelUnavailable::new(error.to_string()))?;
        Ok(found)
    }

    fn call(&self, program: &Path, arguments: Vec<String>) -> Result<ToolOutput, ChannelError> {
        let mut all = Vec::with_capacity(arguments.len() + 1);
        if self.scope == ManagerScope::User {
            all.push("--user".to_string());
        }
        all.extend(arguments);
        tool::run(program, &all, &self.environment, CALL_LIMIT).map_err(ChannelError::Tool)
    }

    /// Variables of the manager's own environment that a unit would inherit and that are not among
    /// [`MANAGER_ENVIRONMENT`]: those of a user's session, for instance.
    fn strange_environment(&self) -> Result<Vec<String>, ChannelError> {
        let output = self.call(&self.systemctl, vec!["show-environment".to_string()])?;
        if !output.succeeded() {
            return Err(ChannelError::Silent { output });
        }
        let names = output.stdout.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name.to_string());
        Ok(names.filter(|name| !MANAGER_ENVIRONMENT.contains(&name.as_str())).collect())
    }

    /// Asks the manager to end the unit, and does not wait for it: for a process that is itself in the unit. What asks is
    /// in the unit too, and may be ended before it has its answer.
    pub fn leave(&self, unit: &str) {
        let _ = self.call(&self.systemctl, ["stop", "--no-block", unit].map(str::to_string).to_vec());
    }
}

impl Manager for Systemd {
    fn name_of(&self, run_id: &RunId) -> String {
        unit_of(run_id)
    }

    fn own_environment(&self) -> &'static [&'static str] {
        MANAGER_ENVIRONMENT
    }

    /// systemd-run(1) and systemctl(1).
    fn programs(&self) -> Vec<PathBuf> {
        vec![self.systemd_run.clone(), self.systemctl.clone()]
    }

    /// After an error the unit may run all the same, if the manager was slow to answer: [`Manager::end`] is right in every case.
    fn start(&self, job: &ManagedJob<'_>) -> Result<ToolOutput, ChannelError> {
        let strange = self.strange_environment()?;
        let output = self.call(&self.systemd_run, arguments(job, &strange))?;
        if output.succeeded() { Ok(output) } else { Err(ChannelError::Refused { output }) }
    }

    /// A manager that is silent for a moment is asked again.
    fn account(&self, unit: &str) -> Result<ManagerAccount, ChannelError> {
        let started = Instant::now();
        loop {
            let arguments = ["show", unit, "--no-pager", "--property", PROPERTIES].map(str::to_string).to_vec();
            let output = self.call(&self.systemctl, arguments)?;
            if output.succeeded() {
                return Ok(account_of(self.scope, unit, &output.stdout));
            }
            if started.elapsed() >= PATIENCE {
                return Err(ChannelError::Silent { output });
            }
            std::thread::sleep(POLL);
        }
    }

    /// The account is the last one, with what only a running unit has (its control group) taken from `alive`.
    /// `may_have_ended` is a hint, looked at often; the manager's word is what counts.
    fn wait(
        &self,
        alive: &ManagerAccount,
        limit: Duration,
        may_have_ended: &dyn Fn() -> bool,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<ManagerAccount, ChannelError> {
        let started = Instant::now();
        loop {
            let now = self.account(&alive.unit)?;
            if has_ended(&now) {
                return Ok(merged(alive, now));
            }
            let asked = Instant::now();
            loop {
                if cancelled() {
                    return Err(ChannelError::Cancelled);
                }
                if started.elapsed() >= limit {
                    let account = Box::new(merged(alive, now));
                    return Err(ChannelError::Expired { limit_s: limit.as_secs(), account });
                }
                std::thread::sleep(POLL);
                if may_have_ended() || asked.elapsed() >= ASK {
                    break;
                }
            }
        }
    }

    /// A unit is this job's if it works in the job's folder, which is a stage with a name that nobody else has.
    fn whose(&self, job: &ManagedJob<'_>) -> Result<JobOwner, ChannelError> {
        let arguments = ["show", job.unit, "--no-pager", "--property", "LoadState,WorkingDirectory"];
        let output = self.call(&self.systemctl, arguments.map(str::to_string).to_vec())?;
        if output.succeeded() { Ok(whose(&output.stdout, job.folder)) } else { Err(ChannelError::Silent { output }) }
    }

    fn end(&self, job: &ManagedJob<'_>) {
        let started = Instant::now();
        // A manager that is silent for a moment is asked again.
        while let Err(ChannelError::Silent { .. }) = self.whose(job)
            && started.elapsed() < PATIENCE
        {
            std::thread::sleep(POLL);
        }
        if !matches!(self.whose(job), Ok(JobOwner::Ours)) {
            return;
        }
        // Each is right for one state of the unit and an error in the others.
        let _ = self.call(&self.systemctl, vec!["stop".to_string(), job.unit.to_string()]);
        let _ = self.call(&self.systemctl, vec!["reset-failed".to_string(), job.unit.to_string()]);
    }
}

fn find_tool(name: &str) -> Result<PathBuf, ChannelUnavailable> {
    let candidates = FOLDERS.iter().map(|folder| Path::new(folder).join(name));
    candidates
        .into_iter()
        .find(|path| path.is_file())
        .ok_or_else(|| ChannelUnavailable::new(format!("`{name}` is neither in /usr/bin nor in /bin")))
}

/// Reads the answer about a unit's folder.
fn whose(text: &str, folder: &Path) -> JobOwner {
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    match (value("LoadState"), value("WorkingDirectory")) {
        (None | Some("not-found"), _) => JobOwner::Nobodys,
        (_, Some(found)) if Path::new(found) == folder => JobOwner::Ours,
        _ => JobOwner::Anothers,
    }
}

/// The arguments of systemd-run for a job.
fn arguments(job: &ManagedJob<'_>, unset: &[String]) -> Vec<String> {
    let mut all: Vec<String> = [
        "--no-ask-password",
        // Returns once the program was executed, so a program that cannot be is an error here (systemd.service(5)).
        "--service-type=exec",
        // Keeps the unit, and with it the account of how it ended, until it is stopped.
        "--property=RemainAfterExit=yes",
        "--property=KillMode=control-group",
        "--property=TimeoutStopSec=5s",
        "--property=StandardInput=null",
        "--property=UMask=0022",
        "--property=Restart=no",
    ]
    .map(str::to_string)
    .to_vec();
    all.push(format!("--unit={}", job.unit));
    all.push(format!("--property=RuntimeMaxSec={}s", (job.limit + GRACE).as_secs()));
    all.push(format!("--property=WorkingDirectory={}", job.folder.display()));
    all.push(format!("--property=StandardOutput=file:{}", job.stdout.display()));
    all.push(format!("--property=StandardError=file:{}", job.stderr.display()));
    all.extend(unset.iter().map(|name| format!("--property=UnsetEnvironment={name}")));
    all.extend(job.environment.iter().map(|(name, value)| format!("--setenv={name}={value}")));
    all.push("--".to_string());
    all.extend_from_slice(job.argv);
    all
}

/// Reads the lines of `systemctl show`.
fn account_of(scope: ManagerScope, unit: &str, text: &str) -> ManagerAccount {
    let properties: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
    let value = |name: &str| properties.get(name).copied().filter(|value| !value.is_empty());
    let number = |name: &str| value(name).and_then(|value| value.parse::<i32>().ok());
    let ended = number("ExecMainCode").unwrap_or(0);
    let status = number("ExecMainStatus");
    ManagerAccount {
        manager: "systemd".to_string(),
        domain: scope.as_str().to_string(),
        unit: unit.to_string(),
        main_pid: number("MainPID").filter(|pid| *pid != 0).or_else(|| number("ExecMainPID").filter(|pid| *pid != 0)),
        invocation_id: value("InvocationID").map(str::to_owned),
        control_group: value("ControlGroup").map(str::to_owned),
        state: value("SubState").map(str::to_owned),
        result: value("Result").map(str::to_owned),
        // `ExecMainCode` is a CLD_ code of siginfo_t (waitid(2)): 1 exited, 2 killed, 3 dumped core.
        exit_code: status.filter(|_| ended == 1),
        signal: status.filter(|_| ended == 2 || ended == 3),
        raw: properties.into_iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
    }
}

/// Whether the unit's program has ended, or the unit is gone.
fn has_ended(account: &ManagerAccount) -> bool {
    matches!(account.state.as_deref(), None | Some("exited" | "failed" | "dead"))
}

/// The account after the end, with what was known while it ran.
fn merged(alive: &ManagerAccount, mut now: ManagerAccount) -> ManagerAccount {
    now.main_pid = alive.main_pid.or(now.main_pid);
    now.control_group = alive.control_group.clone().or(now.control_group);
    now.invocation_id = alive.invocation_id.clone().or(now.invocation_id);
    now
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNNING: &str = "LoadState=loaded\nActiveState=active\nSubState=running\nResult=success\nMainPID=77\n\
        ExecMainPID=77\nExecMainCode=0\nExecMainStatus=0\nInvocationID=ab12\nControlGroup=/system.slice/x.service\n";
    const ENDED: &str = "LoadState=loaded\nActiveState=active\nSubState=exited\nResult=success\nMainPID=0\n\
        ExecMainPID=77\nExecMainCode=1\nExecMainStatus=8\nInvocationID=ab12\nControlGroup=\n";
    const KILLED: &str =
        "SubState=failed\nResult=signal\nMainPID=0\nExecMainPID=77\nExecMainCode=2\nExecMainStatus=9\n";

    #[test]
    fn accounts_are_read_and_joined() {
        let alive = account_of(ManagerScope::System, "x.service", RUNNING);
        assert!(!has_ended(&alive));
        let ended = account_of(ManagerScope::System, "x.service", ENDED);
        assert!(has_ended(&ended));
        let joined = merged(&alive, ended);
        assert_eq!(joined.main_pid, Some(77));
        assert_eq!(joined.control_group.as_deref(), Some("/system.slice/x.service"));
        assert_eq!((joined.exit_code, joined.signal), (Some(8), None));
        let killed = account_of(ManagerScope::User, "x.service", KILLED);
        assert_eq!((killed.exit_code, killed.signal, killed.result.as_deref()), (None, Some(9), Some("signal")));
        assert!(has_ended(&account_of(ManagerScope::System, "x.service", "")));
    }

    #[test]
    fn only_a_unit_that_works_in_the_jobs_own_folder_is_the_jobs() {
        let whose = |text: &str| whose(text, Path::new("/var/tmp/sandproof-stage-a"));
        assert_eq!(whose("LoadState=loaded\nWorkingDirectory=/var/tmp/sandproof-stage-a\n"), JobOwner::Ours);
        assert_eq!(whose("LoadState=loaded\nWorkingDirectory=/var/tmp/sandproof-stage-b\n"), JobOwner::Anothers);
        assert_eq!(whose("LoadState=loaded\nWorkingDirectory=\n"), JobOwner::Anothers);
        assert_eq!(whose("LoadState=loaded\n"), JobOwner::Anothers);
        assert_eq!(whose("LoadState=not-found\nWorkingDirectory=\n"), JobOwner::Nobodys);
        assert_eq!(whose(""), JobOwner::Nobodys);
    }

    #[test]
    fn the_job_is_spelled_as_properties_and_its_words_stay_apart() {
        let argv = ["/stage/sandproof".to_string(), "__worker".to_string(), "a b".to_string()];
        let job = ManagedJob {
            unit: "sandproof-x.service",
            argv: &argv,
            environment: &[("SANDPROOF_JOB_NONCE".to_string(), "n".to_string())],
            folder: Path::new("/stage"),
            stdout: Path::new("/stage/out.txt"),
            stderr: Path::new("/stage/err.txt"),
            limit: Duration::from_secs(60),
        };
        let words = arguments(&job, &["SSH_AUTH_SOCK".to_string()]);
        assert!(words.contains(&"--unit=sandproof-x.service".to_string()));
        assert!(words.contains(&"--setenv=SANDPROOF_JOB_NONCE=n".to_string()));
        assert!(words.contains(&"--property=UnsetEnvironment=SSH_AUTH_SOCK".to_string()));
        assert_eq!(words[words.len() - 4..], ["--", "/stage/sandproof", "__worker", "a b"]);
    }
}
