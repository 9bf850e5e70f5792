//! What both ways of sealing have in common: the task, finding the command, starting it when the declaration is written, and
//! waiting for its end.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use seccompiler::BpfProgram;

use super::command::{CommandStart, become_command};
use super::links::script_interpreter;
use super::message::{FailedStep, FirstReport, PlacedItem, send};
use super::opened::{OpenedItem, OpenedItems};
use super::placing::Placing;
use super::proc_view::ProcTexts;
use super::root::{StepFailure, find_command};
use super::second_layer::LayerReach;
use super::watched::Watches;
use crate::base::digest::Digest;
use crate::base::error_chain::error_chain;
use crate::base::folder::{FolderError, digest_file};
use crate::record::system_ending::CommandEnd;
use crate::sys::linux::path::read;
use crate::sys::linux::process::{Watched, pipe, poll, signal_fd, wait};
use crate::sys::linux::sole::Sole;

/// What the process that starts the command is given.
pub(super) struct FirstTask<'a> {
    pub items: &'a OpenedItems,
    pub texts: &'a ProcTexts,
    /// The folder for results, which the root covers while it is built.
    pub results: &'a Path,
    pub results_opened: &'a OwnedFd,
    pub copy_bytes: u64,
    pub command: &'a [CString],
    pub environment: &'a [CString],
    /// What standard input reads, from where the command starts; `None`: the null device.
    pub stdin: Option<&'a Path>,
    /// The declared connections, opened.
    pub connections: &'a [OwnedFd],
    /// The value of `PATH`, if it is declared and set.
    pub search: Option<&'a OsStr>,
    pub user: u32,
    pub landlock: bool,
    pub stdout: &'a OwnedFd,
    pub stderr: &'a OwnedFd,
    /// Where reports go, and where the leave to start comes from.
    pub report: &'a File,
    pub go: &'a File,
}

/// What confines the command.
#[derive(Clone, Copy)]
pub(super) struct CommandBounds<'a> {
    pub filters: &'a [BpfProgram],
    pub landlock: Option<&'a [(PathBuf, LayerReach)]>,
}

/// The report of a step that failed.
pub(super) fn failed(kind: FailedStep, failure: StepFailure) -> FirstReport {
    let StepFailure { step, about, source } = failure;
    FirstReport::Failed { step: step.to_owned(), about, why: error_chain(&source), kind }
}

/// Places every declared item, by `place`.
pub(super) fn place_all(
    task: &FirstTask<'_>,
    placing: &mut Placing,
    place: impl Fn(&mut Placing, &OpenedItem) -> Result<PlacedItem, FolderError>,
) -> Result<Vec<PlacedItem>, FirstReport> {
    let placed = task.items.items.iter().map(|one| {
        place(placing, one).map_err(|error| FirstReport::Failed {
            step: "fill".to_owned(),
            about: one.item.pointer.clone(),
            why: error_chain(&error),
            kind: FailedStep::Root,
        })
    });
    placed.collect()
}

/// The command's file: its path, opened; the path again if it is a script; and the digest of its bytes.
pub(super) fn found_command(task: &FirstTask<'_>) -> Result<(PathBuf, File, Option<CString>, Digest), FirstReport> {
    let name = OsStr::from_bytes(task.command[0].as_bytes());
    let command = |source: io::Error| FirstReport::Failed {
        step: "find".to_owned(),
        about: name.to_string_lossy().into_owned(),
        why: source.to_string(),
        kind: FailedStep::Command,
    };
    let path = find_command(name, task.search).map_err(command)?;
    let file = File::open(&path).map_err(command)?;
    let script =
        script_interpreter(&file).is_some().then(|| CString::new(path.as_os_str().as_bytes()).unwrap_or_default());
    let (executable, ..) = digest_file(&file, None).map_err(command)?;
    Ok((path, file, script, executable))
}

/// What standard input reads: the declared file, as it stands inside, or the null device.
fn opened_input(task: &FirstTask<'_>) -> Result<File, FirstReport> {
    let path = task.stdin.unwrap_or(Path::new("/dev/null"));
    let opened = File::open(path).and_then(|file| {
        let is_plain = task.stdin.is_none() || file.metadata()?.is_file();
        if is_plain { Ok(file) } else { Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no plain file")) }
    });
    opened.map_err(|source| {
        let about = path.to_string_lossy().into_owned();
        failed(FailedStep::Root, StepFailure { step: "open as standard input", about, source })
    })
}

/// A command that runs.
pub(super) struct StartedCommand {
    pid: i32,
    /// Becomes readable when a child has ended.
    children: OwnedFd,
}

impl StartedCommand {
    /// Reports what is ready, waits for leave, and starts the command. `None`: the supervisor is gone.
    pub(super) fn start(
        sole: &Sole,
        task: &FirstTask<'_>,
        report: &FirstReport,
        executable: BorrowedFd<'_>,
        script: Option<&CString>,
        bounds: CommandBounds<'_>,
    ) -> Result<Option<Self>, FirstReport> {
        let confinement = |step| {
            move |source: io::Error| {
                failed(FailedStep::Confinement, StepFailure { step, about: "the command".into(), source })
            }
        };
        let errno = io::Error::from_raw_os_error;
        let stdin = opened_input(task)?;
        let (reading, writing) = pipe().map_err(errno).map_err(confinement("make a pipe for"))?;
        let children = signal_fd(libc::SIGCHLD).map_err(errno).map_err(confinement("watch"))?;
        if send(&mut &*task.report, report).is_err() || !leave_came(task.go) {
            return Ok(None);
        }
        let start = CommandStart {
            argv: task.command,
            environment: task.environment,
            executable,
            script,
            stdin: stdin.as_fd(),
            connections: task.connections,
            stdout: task.stdout.as_fd(),
            stderr: task.stderr.as_fd(),
            failure: writing.as_fd(),
            filters: bounds.filters,
            landlock: bounds.landlock,
        };
        let pid = sole.fork(|sole| become_command(&sole, &start)).map_err(errno).map_err(confinement("start"))?;
        drop(writing);
        let mut said = String::new();
        // Closed by the execution.
        let _ = File::from(reading).read_to_string(&mut said);
        if let Some((step, why)) = said.split_once('\t') {
            let kind = if step == "execute" { FailedStep::Command } else { FailedStep::Confinement };
            let about = task.command[0].to_string_lossy().into_owned();
            return Err(FirstReport::Failed { step: step.to_owned(), about, why: why.to_owned(), kind });
        }
        Ok(Some(Self { pid, children }))
    }

    /// Waits for the command, and takes the ends of all others that come to this process.
    pub(super) fn until_end(&self, mut watches: Option<&mut Watches>) -> CommandEnd {
        loop {
            let opened = watches.as_ref().map_or(-1, |watches| watches.as_fd().as_raw_fd());
            let mut watched =
                [Watched::new(self.children.as_raw_fd(), libc::POLLIN), Watched::new(opened, libc::POLLIN)];
            let _ = poll(&mut watched, -1);
            if let Some(watches) = &mut watches {
                watches.drain();
            }
            if watched[0].came != 0 {
                let _ = read(self.children.as_raw_fd(), &mut [0; 1024]);
            }
            while let Ok(Some((pid, status))) = wait(-1, libc::WNOHANG) {
                if pid == self.pid {
                    let code = libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status));
                    let signal = libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status));
                    return CommandEnd { code, signal };
                }
            }
        }
    }
}

/// Waits for the supervisor's word that the declaration is written.
fn leave_came(mut go: &File) -> bool {
    let mut word = [0];
    matches!(go.read(&mut word), Ok(1))
}
