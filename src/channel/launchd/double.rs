//! A launchd for tests: a small state machine that keeps domains and jobs, and answers as launchctl, plutil and log do.
//!
//! Codes and lines are those that were seen on macOS. Time stands still but for [`LaunchdTools::pause`], unless the jobs are
//! real processes. It imports nothing but this module's parent, the standard library and `plist`, so that a test
//! elsewhere can include it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::tools::{LaunchdTools, Tool};
use super::{ToolError, ToolOutput};

/// What a job does once it was bootstrapped.
#[derive(Debug, Clone)]
pub(crate) enum Program {
    /// It is spawned after `spawn`, delivers its result after `deliver`, and ends after `end`, each from the start.
    Acts { spawn: Duration, deliver: Option<Duration>, end: Option<(Duration, End)> },
    /// It cannot be spawned, and launchd forgets it at once.
    RemovedOnSpawn,
    /// It is never spawned.
    NeverSpawned,
    /// The definition's own program, as a real process with the listed environment. Time is real then.
    Real,
}

/// How a job ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// With that exit code.
    Code(i32),
    /// By that signal.
    Signal(i32),
}

/// How `launchctl print` speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speech {
    /// As it does.
    Usual,
    /// In some form that nobody here knows.
    Strange,
    /// Not at all: it fails with that code.
    Failing(i32),
}

#[derive(Debug)]
struct Job {
    plist: PathBuf,
    definition: plist::Dictionary,
    program: Program,
    since: Duration,
    leaves_at: Option<Duration>,
    pid: i32,
    child: Option<Child>,
    ended: Option<End>,
}

#[derive(Debug)]
struct State {
    began: Instant,
    now: Duration,
    real: bool,
    domains: Vec<String>,
    jobs: BTreeMap<String, Job>,
    next: VecDeque<Program>,
    answers: VecDeque<i32>,
    speech: Speech,
    lint: i32,
    teardown: Duration,
    vanishes_at: Option<Duration>,
    pid: i32,
    calls: Vec<(Tool, Vec<String>)>,
}

/// The double. Clones share one state.
#[derive(Debug, Clone)]
pub(crate) struct Double(Arc<Mutex<State>>);

impl Double {
    /// With these domains, and one program for each job to come.
    pub(crate) fn new(domains: &[&str], programs: impl IntoIterator<Item = Program>) -> Self {
        let next: VecDeque<Program> = programs.into_iter().collect();
        Self(Arc::new(Mutex::new(State {
            began: Instant::now(),
            now: Duration::ZERO,
            real: next.iter().any(|program| matches!(program, Program::Real)),
            domains: domains.iter().map(|domain| (*domain).to_string()).collect(),
            jobs: BTreeMap::new(),
            next,
            answers: VecDeque::new(),
            speech: Speech::Usual,
            lint: 0,
            teardown: Duration::from_millis(200),
            vanishes_at: None,
            pid: 4000,
            calls: Vec::new(),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The next calls of `bootstrap` fail with these codes, whatever else is right.
    pub(crate) fn refuse(&self, codes: &[i32]) {
        self.state().answers = codes.iter().copied().collect();
    }

    /// How `print` speaks of jobs from now on.
    pub(crate) fn speak(&self, speech: Speech) {
        self.state().speech = speech;
    }

    /// What `plutil -lint` exits with.
    pub(crate) fn lint(&self, code: i32) {
        self.state().lint = code;
    }

    /// How long a job that was booted out stays known.
    pub(crate) fn teardown(&self, time: Duration) {
        self.state().teardown = time;
    }

    /// Every domain is gone from then on, as after a logout.
    pub(crate) fn log_out_at(&self, time: Duration) {
        self.state().vanishes_at = Some(time);
    }

    /// Loads a job of that label that is somebody else's.
    pub(crate) fn load_foreign(&self, target: &str, plist: &Path, leaves_at: Option<Duration>) {
        let job = Job {
            plist: plist.to_owned(),
            definition: plist::Dictionary::new(),
            program: Program::Acts { spawn: Duration::ZERO, deliver: None, end: None },
            since: Duration::ZERO,
            leaves_at,
            pid: 17,
            child: None,
            ended: None,
        };
        self.state().jobs.insert(target.to_string(), job);
    }

    /// Whether the job's result is there.
    pub(crate) fn delivered(&self, target: &str) -> bool {
        let mut state = self.state();
        state.step();
        let now = state.now;
        state.jobs.get(target).is_some_and(|job| match job.program {
            Program::Acts { deliver: Some(at), end, .. } => {
                let dead_at = end.map(|(at, _)| job.since + at);
                now >= job.since + at && dead_at.is_none_or(|dead| dead >= job.since + at)
            }
            _ => false,
        })
    }

    /// What is known by that name, in every domain.
    pub(crate) fn known(&self) -> Vec<String> {
        let mut state = self.state();
        state.step();
        state.jobs.keys().cloned().collect()
    }

    /// Every call so far, as `PROGRAM FIRST-ARGUMENT`, without those of `print` on jobs.
    pub(crate) fn calls(&self) -> Vec<String> {
        let of_job = |words: &[String]| words[0] == "print" && words[1].matches('/').count() > 1;
        let state = self.state();
        let calls = state.calls.iter().filter(|(_, words)| !of_job(words));
        calls.map(|(tool, words)| format!("{tool:?} {}", words[0])).collect()
    }

    /// The arguments of the first call that begins with this one.
    pub(crate) fn arguments_of(&self, first: &str) -> Vec<String> {
        let state = self.state();
        state.calls.iter().find(|(_, words)| words[0] == first).expect("it was called").1.clone()
    }
}

impl LaunchdTools for Double {
    fn run(&self, tool: Tool, arguments: &[String], _limit: Duration) -> Result<ToolOutput, ToolError> {
        let mut state = self.state();
        state.calls.push((tool, arguments.to_vec()));
        state.step();
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (code, stdout, stderr) = match (tool, words.as_slice()) {
            (Tool::Launchctl, ["print", target]) => state.print(target),
            (Tool::Launchctl, ["bootstrap", domain, plist]) => state.bootstrap(domain, Path::new(plist)),
            (Tool::Launchctl, ["bootout", target]) => state.bootout(target),
            (Tool::Plutil, ["-lint", path]) => (state.lint, format!("{path}: OK\n"), String::new()),
            (Tool::Log, _) => (0, "launchd[1]: (label) Service could not initialize\n".into(), String::new()),
            _ => panic!("{tool:?} {words:?} is not what the channel should call"),
        };
        let mut argv = vec![tool.path().display().to_string()];
        argv.extend_from_slice(arguments);
        Ok(ToolOutput { argv, code: Some(code), signal: None, stdout, stderr })
    }

    fn now(&self) -> Duration {
        let state = self.state();
        if state.real { state.began.elapsed() } else { state.now }
    }

    fn pause(&self, time: Duration) {
        let real = {
            let mut state = self.state();
            state.now += time;
            state.real
        };
        if real {
            std::thread::sleep(time);
        }
    }
}

type Answer = (i32, String, String);

fn no_such_service(target: &str) -> Answer {
    let label = target.rsplit('/').next().unwrap_or(target);
    (113, String::new(), format!("Bad request.\nCould not find service \"{label}\" in domain\n"))
}

impl State {
    /// Lets happen what has to have happened by now.
    fn step(&mut self) {
        if self.real {
            self.now = self.began.elapsed();
        }
        let now = self.now;
        if self.vanishes_at.is_some_and(|at| now >= at) {
            self.domains.clear();
            self.jobs.clear();
        }
        self.jobs.retain(|_, job| job.leaves_at.is_none_or(|at| now < at));
        for job in self.jobs.values_mut() {
            if job.ended.is_some() {
                continue;
            }
            if let Some(child) = &mut job.child {
                let status = child.try_wait().unwrap();
                job.ended = status.map(|status| match (status.code(), status.signal()) {
                    (Some(code), _) => End::Code(code),
                    (None, signal) => End::Signal(signal.unwrap()),
                });
            } else if let Program::Acts { end: Some((at, end)), .. } = job.program
                && now >= job.since + at
            {
                job.ended = Some(end);
            }
        }
    }

    fn print(&self, target: &str) -> Answer {
        if target.matches('/').count() < 2 && !target.starts_with("system/") {
            return if self.domains.iter().any(|domain| domain == target) {
                (0, format!("{target} = {{\n\ttype = login\n}}\n"), String::new())
            } else {
                (112, String::new(), format!("Could not find domain for {target}\n"))
            };
        }
        let (domain, _) = target.rsplit_once('/').unwrap();
        if !self.domains.iter().any(|known| known == domain) {
            return (112, String::new(), format!("Could not find domain for {domain}\n"));
        }
        let Some(job) = self.jobs.get(target) else { return no_such_service(target) };
        match self.speech {
            Speech::Usual => (0, job.text(target, self.now), String::new()),
            Speech::Strange => (0, "{\"job\": {\"status\": \"well\"}}\n".into(), String::new()),
            Speech::Failing(code) => (code, String::new(), "Could not communicate with launchd\n".into()),
        }
    }

    fn bootstrap(&mut self, domain: &str, path: &Path) -> Answer {
        let failed = |code: i32, words: &str| (code, String::new(), format!("Bootstrap failed: {code}: {words}\n"));
        if let Some(code) = self.answers.pop_front() {
            return failed(code, "as told");
        }
        if !self.domains.iter().any(|known| known == domain) {
            return failed(112, "Could not find specified domain");
        }
        let Ok(metadata) = fs::metadata(path) else { return failed(5, "Input/output error") };
        if metadata.permissions().mode() & 0o022 != 0 {
            return failed(122, "Path had bad ownership/permissions");
        }
        let Some(definition) = plist::Value::from_file(path).ok().and_then(plist::Value::into_dictionary) else {
            return failed(5, "Input/output error");
        };
        let label = definition["Label"].as_string().unwrap().to_string();
        assert_eq!(path.file_name().unwrap().to_str(), Some(format!("{label}.plist").as_str()));
        let sessions = definition.get("LimitLoadToSessionType").and_then(plist::Value::as_array);
        let background = sessions.is_some_and(|types| types.iter().any(|kind| kind.as_string() == Some("Background")));
        if domain.starts_with("user/") != background {
            return failed(134, "Service cannot load in requested session");
        }
        let target = format!("{domain}/{label}");
        if self.jobs.contains_key(&target) {
            return failed(5, "Input/output error");
        }
        let program = self.next.pop_front().expect("a program for each job");
        self.pid += 1;
        let (mut pid, mut child) = (self.pid, None);
        if matches!(program, Program::RemovedOnSpawn) {
            return (0, String::new(), String::new());
        }
        if matches!(program, Program::Real) {
            let real = spawn(&definition, &label);
            pid = real.id().cast_signed();
            child = Some(real);
        }
        let job = Job {
            plist: path.to_owned(),
            definition,
            program,
            since: self.now,
            leaves_at: None,
            pid,
            child,
            ended: None,
        };
        self.jobs.insert(target, job);
        (0, String::new(), String::new())
    }

    fn bootout(&mut self, target: &str) -> Answer {
        let leaves_at = self.now + self.teardown;
        let Some(job) = self.jobs.get_mut(target) else {
            return (3, String::new(), "Boot-out failed: 3: No such process\n".into());
        };
        if let Some(child) = &mut job.child
            && job.ended.is_none()
        {
            let _ = child.kill();
            let _ = child.wait();
        }
        if job.leaves_at.is_none() {
            job.leaves_at = Some(leaves_at);
        }
        (0, String::new(), String::new())
    }
}

/// Starts the definition's program as launchd would: its words, its environment and a few variables of launchd's own.
fn spawn(definition: &plist::Dictionary, label: &str) -> Child {
    let text = |key: &str| definition[key].as_string().unwrap().to_string();
    let argv: Vec<String> = definition["ProgramArguments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_string().unwrap().to_string())
        .collect();
    let variables = definition["EnvironmentVariables"].as_dictionary().unwrap();
    let append = |key: &str| fs::OpenOptions::new().create(true).append(true).open(text(key)).unwrap();
    Command::new(&argv[0])
        .args(&argv[1..])
        .env_clear()
        .env("XPC_SERVICE_NAME", label)
        .env("XPC_FLAGS", "0x0")
        // As later releases do; it is on no list here, and launchd's own account has it.
        .env("OSLogRateLimit", "64")
        .envs(variables.iter().map(|(name, value)| (name, value.as_string().unwrap())))
        .current_dir(text("WorkingDirectory"))
        .stdin(Stdio::null())
        .stdout(append("StandardOutPath"))
        .stderr(append("StandardErrorPath"))
        .process_group(0)
        .spawn()
        .unwrap()
}

impl Job {
    fn text(&self, target: &str, now: Duration) -> String {
        let spawned = match self.program {
            Program::Acts { spawn, .. } => now >= self.since + spawn,
            Program::Real => true,
            Program::RemovedOnSpawn | Program::NeverSpawned => false,
        };
        let mut text = format!("{target} = {{\n\tactive count = {}\n", u32::from(spawned && self.ended.is_none()));
        let _ = writeln!(text, "\tpath = {}\n\ttype = LaunchAgent", self.plist.display());
        let state = match (spawned, self.ended) {
            (false, _) => "spawn scheduled",
            (true, None) => "running",
            (true, Some(_)) => "not running",
        };
        let _ = writeln!(text, "\tstate = {state}\n\n\targuments = {{");
        for word in self.definition.get("ProgramArguments").and_then(plist::Value::as_array).into_iter().flatten() {
            let _ = writeln!(text, "\t\t{}", word.as_string().unwrap());
        }
        // A block that says otherwise: only the job's own lines count.
        text.push_str("\t}\n\n\tendpoints = {\n\t\tstate = not running\n\t\tlast exit code = 0\n\t\truns = 1\n\t}\n\n");
        text.push_str("\tinherited environment = {\n\t\tSSH_AUTH_SOCK => /private/tmp/Listeners\n\t}\n\n");
        text.push_str(
            "\tdefault environment = {\n\t\tPATH => /usr/bin:/bin:/usr/sbin:/sbin\n\t}\n\n\tenvironment = {\n",
        );
        for (name, value) in
            self.definition.get("EnvironmentVariables").and_then(plist::Value::as_dictionary).into_iter().flatten()
        {
            let _ = writeln!(text, "\t\t{name} => {}", value.as_string().unwrap());
        }
        let _ = writeln!(
            text,
            "\t\tOSLogRateLimit => 64\n\t\tXPC_SERVICE_NAME => {}\n\t}}\n",
            target.rsplit('/').next().unwrap()
        );
        let _ = writeln!(text, "\tminimum runtime = 10\n\texit timeout = 5\n\truns = {}", u32::from(spawned));
        if spawned && self.ended.is_none() {
            let _ = writeln!(text, "\tpid = {}", self.pid);
        }
        match self.ended {
            None => text.push_str("\tlast exit code = (never exited)\n"),
            Some(End::Code(78)) => text.push_str("\tlast exit code = 78: EX_CONFIG\n"),
            Some(End::Code(code)) => {
                let _ = writeln!(text, "\tlast exit code = {code}");
            }
            Some(End::Signal(signal)) => {
                let _ = writeln!(text, "\tlast terminating signal = Killed: {signal}");
            }
        }
        text.push_str("\n\tproperties = runatload\n}\n");
        text
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
