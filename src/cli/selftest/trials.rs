//! Probes of a self test: one process each, as a run has them, without a run around them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::items::Trial;
use crate::base::error_chain::error_chain;
use crate::policy::Enforceable;
use crate::policy::landlock::{FsRight, Layer, RightSet};
use crate::process::Zygote;
use crate::record::action::{Action, ActionScope};
use crate::record::callout::{CheckRequest, filter_name};
use crate::record::detail_name::DetailName;
use crate::record::driver::{Denials, Driver, Platform};
use crate::record::ending::Ending;
use crate::record::enforcer::Enforcer;
use crate::record::report::{Call, CallRole, OperationReport, Prologue};
use crate::zygote::protocol::{Job, PolicyUse, Reply};

/// How long one trial may take.
const DEADLINE_MS: u64 = 10_000;

/// A server of probes, and a folder with a file in it.
pub(super) struct TrialBench {
    server: Zygote,
    exe: PathBuf,
    folder: tempfile::TempDir,
    root: String,
}

/// What a trial does, in words.
pub(super) fn words(trial: &Trial) -> String {
    let under = trial.policy.map_or_else(|| "without a policy".to_owned(), |policy| format!("under `{policy}`"));
    let name = trial.driver.info().name;
    let on = if trial.target.is_empty() { String::new() } else { format!(" of `{}`", trial.target) };
    let asked =
        trial.ask.map_or_else(String::new, |(operation, filter)| format!(", asking {operation} with filter {filter}"));
    format!("{name}{on} {under}{asked}")
}

impl TrialBench {
    /// Starts a server.
    #[expect(
        clippy::disallowed_methods,
        reason = "a file of the self-test's own folder, which nobody reads after a crash"
    )]
    pub(super) fn new(exe: &Path) -> Result<Self, String> {
        let base = if cfg!(target_os = "macos") { "/private/tmp" } else { "/tmp" };
        let folder = tempfile::Builder::new().prefix("sandproof-selftest-").tempdir_in(base);
        let folder = folder.map_err(|error| format!("no folder could be made in {base}: {error}"))?;
        let root = folder.path().canonicalize().map_err(|error| error.to_string())?;
        std::fs::write(root.join("File"), "text").map_err(|error| format!("no file could be made: {error}"))?;
        let server = Zygote::spawn(exe).map_err(|error| error_chain(&error))?;
        Ok(Self { server, exe: exe.to_owned(), folder, root: root.to_string_lossy().into_owned() })
    }

    /// What all trials of an item show.
    pub(super) fn observe(&mut self, trials: &[Trial]) -> Result<String, String> {
        let mut shown = Vec::new();
        for trial in trials {
            let told = self.one(trial)?;
            shown.push(if trial.label.is_empty() { told } else { format!("{}: {told}", trial.label) });
        }
        Ok(shown.join("; "))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a file of the self-test's own folder, which nobody reads after a crash"
    )]
    fn one(&mut self, trial: &Trial) -> Result<String, String> {
        // A trial may have changed it.
        std::fs::write(self.folder.path().join("File"), "text").map_err(|error| error.to_string())?;
        let alias = self.root.strip_prefix("/private").unwrap_or(&self.root);
        let target = trial.target.replace("${root}", &self.root).replace("${alias}", alias);
        let policy = match trial.policy {
            None => None,
            Some(text) => {
                self.server.load_policy(1, policy(text, &self.root)?).map_err(|error| error_chain(&error))?;
                Some(PolicyUse { key: 1, texts: Vec::new() })
            }
        };
        let check = trial.ask.map(|(operation, filter)| CheckRequest {
            operation: operation.to_owned(),
            filter_type: filter,
            filter_name: filter_name(filter).map(str::to_owned),
            argument: Some(target.clone()),
            canonicalization: None,
        });
        let target = if trial.driver.info().target.is_informative() { String::new() } else { target };
        let action = Action::new(trial.driver, target);
        // The folder is this process's own. On macOS the only programs to execute are the system's.
        let scope = ActionScope { own: vec![self.root.clone()], host_programs: cfg!(target_os = "macos") };
        let job = Job { seq: 1, action, scope, policy, check, deadline_ms: DEADLINE_MS };
        let reply = self.server.send(&job).and_then(|()| self.server.recv()).map_err(|error| error_chain(&error))?;
        if reply.spent {
            self.server = Zygote::spawn(&self.exe).map_err(|error| error_chain(&error))?;
        }
        Ok(tell(trial.driver, &reply))
    }
}

/// The policy of a trial: a right on Linux, a profile on macOS.
fn policy(text: &str, root: &str) -> Result<Enforceable, String> {
    if text.starts_with('(') {
        let parameters: BTreeMap<String, String> =
            [("ROOT", root.to_owned()), ("LOWER", format!("{root}/file"))].map(|(k, v)| (k.to_owned(), v)).into();
        return Ok(Enforceable::Sbpl { text: text.to_owned(), parameters });
    }
    let right = match text {
        "read_file" => FsRight::ReadFile,
        "make_dir" => FsRight::MakeDir,
        other => return Err(format!("no trial uses the right `{other}`")),
    };
    let layer = Layer { handled_fs: RightSet::of(&[right]), ..Layer::default() };
    Ok(Enforceable::Landlock { policy: layer.into() })
}

/// What a probe process showed, in few words.
fn tell(driver: Driver, reply: &Reply) -> String {
    let mut lines = reply.text().unwrap_or_default().lines();
    let prologue = lines.next().and_then(|line| serde_json::from_str::<Prologue>(line).ok());
    let operation = lines.next().and_then(|line| serde_json::from_str::<OperationReport>(line).ok());
    let Some(prologue) = prologue else { return format!("no report, {}", ended(&reply.ending)) };
    if let Some(failure) = &prologue.setup_failure {
        return match &failure.missing {
            Some(missing) => format!("this system has no {missing}"),
            None => format!("not prepared: {}, errno {}", failure.step, failure.errno),
        };
    }
    if let Some(apply) = prologue.apply.as_ref().filter(|apply| apply.rc != 0) {
        let class = apply.class.and_then(|class| serde_json::to_value(class).ok());
        let class = class.as_ref().and_then(serde_json::Value::as_str).unwrap_or("for an unknown reason");
        return format!("not applied, {class}");
    }
    if prologue.apply.is_some() && prologue.self_check_after.as_ref().and_then(|check| check.confined) != Some(true) {
        return "applied, but not confined".to_owned();
    }
    if let Some(callout) = prologue.callouts.first() {
        return format!("asked {}", callout.rc);
    }
    let Some(operation) = operation else { return ended(&reply.ending) };
    match operation.calls.last() {
        None => "nothing was called".to_owned(),
        Some(Call { role: CallRole::Prepare, errno, syscall, .. }) if *errno != 0 => {
            format!("not reached: {syscall}, errno {errno}")
        }
        Some(Call { code: Some(code), .. }) if *code != 0 => {
            let word = if denials(driver).codes.contains(code) { "denied" } else { "failed" };
            format!("{word}, code {code}")
        }
        Some(Call { errno, .. }) if *errno != 0 => {
            let word = if denials(driver).errnos.contains(errno) { "denied" } else { "failed" };
            format!("{word}, errno {errno}")
        }
        Some(_) => {
            let signal = operation.detail(DetailName::ProgramSignal);
            signal.map_or_else(|| "allowed".to_owned(), |signal| format!("allowed, program_signal {signal}"))
        }
    }
}

/// What means that this system's own enforcer refused.
fn denials(driver: Driver) -> Denials {
    driver.info().denials(Platform::here().map(Enforcer::of_system))
}

fn ended(ending: &Ending) -> String {
    match ending {
        Ending::Exited { code } => format!("ended with code {code}"),
        Ending::Signaled { signal, .. } => format!("ended by signal {signal}"),
        Ending::Expired { .. } => "did not end in time".to_owned(),
        Ending::NotStarted { errno } => format!("not started, errno {errno}"),
        Ending::Lost { reason } => format!("lost: {reason}"),
    }
}
