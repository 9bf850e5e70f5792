//! The first process of a sealed command's namespaces: it builds the root, starts the command, and stays until nothing of it is
//! left.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::command::{CommandStart, become_command};
use super::filter;
use super::links::script_interpreter;
use super::message::{FailedStep, FirstReport, PlacedItem, send};
use super::opened::{OpenedItem, OpenedItems};
use super::outputs;
use super::placing::{ItemPlacing, Placing, below_root, drifted};
use super::proc_view::ProcTexts;
use super::root::{self, StepContext, StepFailure};
use super::watched::Watches;
use crate::base::digest::Digest;
use crate::base::error_chain::error_chain;
use crate::base::folder::{FolderError, LeavingLinks, NoCopy, digest_file, digest_opened};
use crate::record::system_ending::{CommandEnd, HeldBy};
use crate::sys::linux::process::{Watched, block_signal, kill, pipe, poll, signal_fd, wait};
use crate::sys::linux::sealing;
use crate::sys::linux::sole::Sole;

/// What it is given.
pub(super) struct FirstTask<'a> {
    pub items: &'a OpenedItems,
    pub texts: &'a ProcTexts,
    /// The folder for results, which the root covers while it is built.
    pub results: &'a Path,
    pub results_opened: &'a OwnedFd,
    pub copy_bytes: u64,
    pub command: &'a [CString],
    pub environment: &'a [CString],
    /// The value of `PATH`, if it is declared and set.
    pub search: Option<&'a std::ffi::OsStr>,
    pub user: u32,
    pub landlock: bool,
    pub stdout: &'a OwnedFd,
    pub stderr: &'a OwnedFd,
    /// Where reports go, and where the leave to start comes from.
    pub report: &'a File,
    pub go: &'a File,
}

/// Does all of it. The exit code of this process says nothing; what there is to say goes to the supervisor.
pub(super) fn run(sole: &Sole, task: &FirstTask<'_>) -> i32 {
    let ended = prepare(task).and_then(|ready| perform(sole, task, ready));
    let report = match ended {
        Ok(Some(report)) => report,
        // The supervisor is gone.
        Ok(None) => return 1,
        Err(failed) => failed,
    };
    i32::from(send(&mut &*task.report, &report).is_err())
}

/// What is ready when the root stands.
struct ReadyRoot {
    placing: Placing,
    executable: OwnedFd,
    script: Option<CString>,
    report: FirstReport,
}

fn failed(kind: FailedStep, failure: StepFailure) -> FirstReport {
    let StepFailure { step, about, source } = failure;
    FirstReport::Failed { step: step.to_owned(), about, why: error_chain(&source), kind }
}

fn prepare(task: &FirstTask<'_>) -> Result<ReadyRoot, FirstReport> {
    let confinement = |failure| failed(FailedStep::Confinement, failure);
    sealing::end_with_parent()
        .map_err(io::Error::from_raw_os_error)
        .step("stay with", "the supervisor")
        .map_err(confinement)?;
    // Its memory and variables are those of the program that seals, which the command must not read.
    sealing::hide_from_own_user()
        .map_err(io::Error::from_raw_os_error)
        .step("hide", "this process")
        .map_err(confinement)?;
    for signal in [libc::SIGIO, libc::SIGCHLD] {
        block_signal(signal).map_err(io::Error::from_raw_os_error).step("block", "a signal").map_err(confinement)?;
    }
    root::begin(task.results, task.copy_bytes).map_err(confinement)?;
    let mut placing = Placing { copy_left: task.copy_bytes, user: task.user, bound: Vec::new() };
    let mut items = Vec::new();
    for item in &task.items.items {
        let placed = place(&mut placing, item).map_err(|error| FirstReport::Failed {
            step: "fill".to_owned(),
            about: item.item.pointer.clone(),
            why: error_chain(&error),
            kind: FailedStep::Root,
        })?;
        items.push(placed);
    }
    root::make_links(&task.items.links).map_err(|failure| failed(FailedStep::Root, failure))?;
    root::finish(task.texts).map_err(confinement)?;
    let name = std::ffi::OsStr::from_bytes(task.command[0].as_bytes());
    let command = |source: io::Error| FirstReport::Failed {
        step: "find".to_owned(),
        about: name.to_string_lossy().into_owned(),
        why: source.to_string(),
        kind: FailedStep::Command,
    };
    let path = root::find_command(name, task.search).map_err(command)?;
    let file = File::open(&path).map_err(command)?;
    let script =
        script_interpreter(&file).is_some().then(|| CString::new(path.as_os_str().as_bytes()).unwrap_or_default());
    let (executable, ..) = digest_file(&file, None).map_err(command)?;
    let report = FirstReport::Ready {
        items,
        cpuinfo: Digest::of(task.texts.cpuinfo.as_bytes()),
        stat: Digest::of(task.texts.stat.as_bytes()),
        executable,
        executable_path: path.to_string_lossy().into_owned(),
    };
    Ok(ReadyRoot { placing, executable: file.into(), script, report })
}

fn place(placing: &mut Placing, one: &OpenedItem) -> Result<PlacedItem, FolderError> {
    let at = |source| crate::base::fsx::FileError { action: "place", path: one.item.host.clone(), source };
    let held = HeldBy { pointer: one.item.pointer.clone(), ..HeldBy::default() };
    let target = below_root(&one.place);
    let is_there = fs::symlink_metadata(&target).is_ok();
    // What of a runtime leads out of a folder leads nowhere in a root that holds nothing else.
    let leaving = if one.item.is_runtime { LeavingLinks::CountedAsText } else { LeavingLinks::Refused };
    let mut into = ItemPlacing { state: placing, held, real: &one.real, place: &one.place };
    if one.is_folder {
        let found = if is_there {
            let opened: OwnedFd = File::open(&target).map_err(at)?.into();
            digest_opened(&opened, &one.item.host, leaving, &mut NoCopy)?
        } else {
            fs::create_dir_all(&target).map_err(at)?;
            digest_opened(&one.opened, &one.item.host, leaving, &mut into)?
        };
        let held = into.held;
        return Ok(PlacedItem { digest: found.digest, is_folder: true, executable: false, bytes: found.bytes, held });
    }
    let opened = if is_there { File::open(&target) } else { one.opened.try_clone().map(File::from) }.map_err(at)?;
    let mut copy = None;
    if !is_there {
        if let Some(above) = target.parent() {
            fs::create_dir_all(above).map_err(at)?;
        }
        let executable = io_executable(&opened).map_err(at)?;
        copy = into.place_file(&one.real, &one.place, executable, &opened).map_err(at)?;
    }
    let (digest, bytes, executable) = digest_file(&opened, copy.as_mut()).map_err(at)?;
    if !is_there {
        into.remember(digest);
    }
    Ok(PlacedItem { digest, is_folder: false, executable, bytes, held: into.held })
}

fn io_executable(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(file.metadata()?.permissions().mode() & 0o111 != 0)
}

/// Reports, waits for leave, and starts the command; then waits for its end and clears up.
fn perform(sole: &Sole, task: &FirstTask<'_>, ready: ReadyRoot) -> Result<Option<FirstReport>, FirstReport> {
    let confinement = |step, error: io::Error| {
        failed(FailedStep::Confinement, StepFailure { step, about: "the command".into(), source: error })
    };
    let errno = io::Error::from_raw_os_error;
    let filters = filter::programs().map_err(|error| confinement("filter system calls of", error))?;
    let null = File::open("/dev/null").map_err(|error| confinement("open the null device for", error))?;
    let (reading, writing) = pipe().map_err(|error| confinement("make a pipe for", errno(error)))?;
    let children = signal_fd(libc::SIGCHLD).map_err(|error| confinement("watch", errno(error)))?;
    let mut watches = Watches::new(task.items.items.len());
    if let Some(watches) = &mut watches {
        for (n, one) in task.items.items.iter().enumerate() {
            watches.add(n, &one.place);
        }
    }
    if send(&mut &*task.report, &ready.report).is_err() || !leave_came(task.go) {
        return Ok(None);
    }
    let start = CommandStart {
        argv: task.command,
        environment: task.environment,
        executable: ready.executable.as_fd(),
        script: ready.script.as_ref(),
        null: null.as_fd(),
        stdout: task.stdout.as_fd(),
        stderr: task.stderr.as_fd(),
        failure: writing.as_fd(),
        filters: &filters,
        landlock: task.landlock,
    };
    let pid = sole.fork(|sole| become_command(&sole, &start)).map_err(|error| confinement("start", errno(error)))?;
    drop(writing);
    let mut said = String::new();
    // Closed by the execution.
    let _ = File::from(reading).read_to_string(&mut said);
    if let Some((step, why)) = said.split_once('\t') {
        let kind = if step == "execute" { FailedStep::Command } else { FailedStep::Confinement };
        let about = task.command[0].to_string_lossy().into_owned();
        return Err(FirstReport::Failed { step: step.to_owned(), about, why: why.to_owned(), kind });
    }
    let end = until_end(pid, &children, watches.as_mut());
    // Whatever it has left behind ends before anything is looked at.
    let _ = kill(-1, libc::SIGKILL);
    while wait(-1, 0).is_ok() {}
    let drift = drifted(&ready.placing.bound);
    let out = outputs::take(task.results_opened);
    let opened = watches.and_then(Watches::into_opened);
    Ok(Some(FirstReport::Ended { end, drift, opened, out }))
}

/// Waits for the supervisor's word that the declaration is written.
fn leave_came(mut go: &File) -> bool {
    let mut word = [0];
    matches!(go.read(&mut word), Ok(1))
}

/// Waits for the command, and takes the ends of all others that come to this process.
fn until_end(command: i32, children: &OwnedFd, mut watches: Option<&mut Watches>) -> CommandEnd {
    loop {
        let opened = watches.as_ref().map_or(-1, |watches| watches.as_fd().as_raw_fd());
        let mut watched = [Watched::new(children.as_raw_fd(), libc::POLLIN), Watched::new(opened, libc::POLLIN)];
        let _ = poll(&mut watched, -1);
        if let Some(watches) = &mut watches {
            watches.drain();
        }
        if watched[0].came != 0 {
            let _ = crate::sys::linux::path::read(children.as_raw_fd(), &mut [0; 1024]);
        }
        while let Ok(Some((pid, status))) = wait(-1, libc::WNOHANG) {
            if pid == command {
                let code = libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status));
                let signal = libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status));
                return CommandEnd { code, signal };
            }
        }
    }
}
