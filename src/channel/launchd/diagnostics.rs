//! What was asked and said, kept while a job lives and written as files of the bundle.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::domain::Domain;
use super::tools::Tool;
use crate::base::bundle_path::BundlePath;
use crate::base::digest::Digest;
use crate::base::error_chain::error_chain;
use crate::base::fsx;
use crate::base::ids::RunId;
use crate::base::json_out;
use crate::channel::job::ManagedJob;
use crate::process::tool::{ToolError, ToolOutput};
use crate::record::launchctl::{
    BootstrapFailure, JobOutcome, LAUNCHCTL_DIAGNOSTICS, LAUNCHCTL_DIAGNOSTICS_SCHEMA, LAUNCHCTL_LAST_RUN,
    LaunchctlCommand, LaunchctlDiagnostics, LaunchctlLastRun, Teardown,
};
use crate::record::layout;

/// How much of what a job printed is kept, in bytes.
const MAX_PRINTED_BYTES: u64 = 1024 * 1024;

/// What is known of a job and of the questions about it.
#[derive(Debug)]
pub(super) struct JobRecord {
    label: String,
    stage: PathBuf,
    plist: Option<PathBuf>,
    plist_bytes: Option<Vec<u8>>,
    stdout: PathBuf,
    stderr: PathBuf,
    commands: Vec<ToolRun>,
    log_show: Option<ToolRun>,
    pub(super) failure: Option<BootstrapFailure>,
    pub(super) outcome: JobOutcome,
    pub(super) teardown: Teardown,
}

impl Default for JobRecord {
    fn default() -> Self {
        Self {
            label: String::new(),
            stage: PathBuf::new(),
            plist: None,
            plist_bytes: None,
            stdout: PathBuf::new(),
            stderr: PathBuf::new(),
            commands: Vec::new(),
            log_show: None,
            failure: None,
            outcome: JobOutcome::NotStarted,
            teardown: Teardown::NotAsked,
        }
    }
}

/// A program that was run.
#[derive(Debug)]
struct ToolRun {
    step: String,
    argv: Vec<String>,
    rc: Option<i32>,
    stdout: String,
    stderr: String,
    error: Option<String>,
}

impl ToolRun {
    fn new(step: String, tool: Tool, arguments: &[String], answer: &Result<ToolOutput, ToolError>) -> Self {
        let mut argv = vec![tool.path().display().to_string()];
        argv.extend_from_slice(arguments);
        match answer {
            Ok(output) => Self {
                step,
                argv,
                rc: output.exit_status(),
                stdout: output.stdout.clone(),
                stderr: output.stderr.clone(),
                error: None,
            },
            Err(error) => {
                let error = Some(error_chain(error));
                Self { step, argv, rc: None, stdout: String::new(), stderr: String::new(), error }
            }
        }
    }
}

impl JobRecord {
    pub(super) fn label(&mut self, label: &str) {
        self.label = label.to_string();
    }

    pub(super) fn begin(&mut self, job: &ManagedJob<'_>, plist: PathBuf) {
        self.label(job.unit);
        self.stage = job.folder.to_owned();
        self.stdout = job.stdout.to_owned();
        self.stderr = job.stderr.to_owned();
        self.plist = Some(plist);
    }

    pub(super) fn wrote(&mut self, bytes: Vec<u8>) {
        self.plist_bytes = Some(bytes);
    }

    /// Keeps a command; one of the same step gets a number.
    pub(super) fn ran(&mut self, step: &str, tool: Tool, arguments: &[String], answer: &Result<ToolOutput, ToolError>) {
        let earlier = self.commands.iter().filter(|ran| ran.step.split('#').next() == Some(step)).count();
        let step = if earlier == 0 { step.to_string() } else { format!("{step}#{}", earlier + 1) };
        self.commands.push(ToolRun::new(step, tool, arguments, answer));
    }

    /// Keeps a look at the job, in place of the last one of its kind: there may be thousands.
    pub(super) fn looked(&mut self, step: &str, arguments: &[String], answer: &Result<ToolOutput, ToolError>) {
        self.commands.retain(|ran| ran.step != step);
        self.commands.push(ToolRun::new(step.to_string(), Tool::Launchctl, arguments, answer));
    }

    pub(super) fn logged(&mut self, arguments: &[String], answer: &Result<ToolOutput, ToolError>) {
        self.log_show = Some(ToolRun::new("launchd_logshow".to_string(), Tool::Log, arguments, answer));
    }

    /// Whether a loaded job is the one that was defined here. A job whose definition launchd does not name is, if one was
    /// taken from here.
    pub(super) fn is_own(&self, printed: Option<&str>) -> bool {
        let Some(plist) = &self.plist_bytes.as_ref().and(self.plist.as_ref()) else { return false };
        match printed {
            Some(path) => {
                Path::new(path) == plist.as_path() || fs::canonicalize(plist).is_ok_and(|own| own == Path::new(path))
            }
            None => self.outcome != JobOutcome::NotStarted,
        }
    }

    /// The files: contract names, relative to the bundle, and their bytes.
    pub(super) fn files(&self, domain: &Domain, run_id: &RunId, bundle_root: &str) -> Vec<(BundlePath, Vec<u8>)> {
        let mut files = DiagnosticFiles { bundle_root, label: &self.label, list: Vec::new() };
        let plist_path = files.path_of("plist");
        if let Some(bytes) = &self.plist_bytes {
            files.keep("plist", bytes.clone());
        }
        let launchctl_cmds = self.commands.iter().map(|ran| files.command(ran)).collect();
        let log_show = self.log_show.as_ref().map(|ran| files.command(ran));
        let job_stdout_path = printed(&self.stdout).map(|bytes| files.keep("stdout.txt", bytes));
        let job_stderr_path = printed(&self.stderr).map(|bytes| files.keep("stderr.txt", bytes));
        let stage_root = self.stage.display().to_string();
        let diagnostics = LaunchctlDiagnostics {
            schema_version: LAUNCHCTL_DIAGNOSTICS_SCHEMA.to_string(),
            label: self.label.clone(),
            run_id: run_id.clone(),
            domain: domain.target.clone(),
            domain_reason: domain.reason,
            session_types: domain.session_types.clone(),
            plist_path,
            plist_sha256: self.plist_bytes.as_deref().map(Digest::of),
            stage_root: stage_root.clone(),
            launchctl_cmds,
            log_show,
            bootstrap_failure: self.failure.clone(),
            outcome: self.outcome,
            teardown: self.teardown,
            job_stdout_path,
            job_stderr_path,
        };
        let last_run = LaunchctlLastRun { label: self.label.clone(), run_id: run_id.clone(), stage_root };
        files.put(LAUNCHCTL_LAST_RUN.to_string(), json_out::to_pretty(&last_run));
        files.put(LAUNCHCTL_DIAGNOSTICS.to_string(), json_out::to_pretty(&diagnostics));
        files.list
    }
}

struct DiagnosticFiles<'b> {
    bundle_root: &'b str,
    label: &'b str,
    list: Vec<(BundlePath, Vec<u8>)>,
}

impl DiagnosticFiles<'_> {
    fn path_of(&self, what: &str) -> String {
        format!("{}/{}{}.{what}", self.bundle_root, layout::LAUNCHCTL_FOLDER, self.label)
    }

    fn put(&mut self, name: String, bytes: Vec<u8>) {
        let path = format!("{}{name}", layout::LAUNCHCTL_FOLDER);
        // A label that could not be a file's name was refused, and then nothing but the two fixed names remains.
        if let Ok(path) = BundlePath::new(path) {
            self.list.push((path, bytes));
        }
    }

    /// Keeps a file of this label, and gives its path as documents spell it.
    fn keep(&mut self, what: &str, bytes: Vec<u8>) -> String {
        self.put(format!("{}.{what}", self.label), bytes);
        self.path_of(what)
    }

    fn command(&mut self, ran: &ToolRun) -> LaunchctlCommand {
        let step = ran.step.replace('#', "_");
        let stdout_path = self.keep(&format!("{step}.stdout.txt"), ran.stdout.clone().into_bytes());
        let stderr_path = self.keep(&format!("{step}.stderr.txt"), ran.stderr.clone().into_bytes());
        LaunchctlCommand {
            step,
            argv: ran.argv.clone(),
            rc: ran.rc,
            stdout_path,
            stderr_path,
            error: ran.error.clone(),
        }
    }
}

/// What a job has printed, as far as it is kept.
fn printed(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    fsx::open_regular(path).ok()?.take(MAX_PRINTED_BYTES).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
