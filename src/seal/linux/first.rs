//! The first process of a sealed command's namespaces: it builds the root, starts the command, and stays until nothing of it is
//! left.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::filter;
use super::message::{FailedStep, FirstReport, send};
use super::outputs;
use super::placing::{Placing, drifted, place};
use super::root::{self, StepContext};
use super::second_layer;
use super::started::{CommandBounds, FirstTask, StartedCommand, failed, found_command, place_all};
use super::watched::Watches;
use crate::base::digest::Digest;
use crate::sys::linux::process::{block_signal, kill, wait};
use crate::sys::linux::sealing;
use crate::sys::linux::sole::Sole;

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
    let items = place_all(task, &mut placing, place)?;
    root::make_links(&task.items.links).map_err(|failure| failed(FailedStep::Root, failure))?;
    root::finish(task.texts).map_err(confinement)?;
    let (path, file, script, executable) = found_command(task)?;
    let report = FirstReport::Ready {
        items,
        seen: Some(Box::new((Digest::of(task.texts.cpuinfo.as_bytes()), Digest::of(task.texts.stat.as_bytes())))),
        executable,
        executable_path: path.to_string_lossy().into_owned(),
    };
    Ok(ReadyRoot { placing, executable: file.into(), script, report })
}

/// Reports, waits for leave, and starts the command; then waits for its end and clears up.
fn perform(sole: &Sole, task: &FirstTask<'_>, ready: ReadyRoot) -> Result<Option<FirstReport>, FirstReport> {
    let filters = filter::programs(true, !task.connections.is_empty())
        .step("filter system calls of", "the command")
        .map_err(|failure| failed(FailedStep::Confinement, failure))?;
    let mut watches = Watches::new(task.items.items.len());
    if let Some(watches) = &mut watches {
        for (n, one) in task.items.items.iter().enumerate() {
            watches.add(n, &one.place);
        }
    }
    let rules = second_layer::of_root();
    let bounds = CommandBounds { filters: &filters, landlock: task.landlock.then_some(&*rules) };
    let started =
        StartedCommand::start(sole, task, &ready.report, ready.executable.as_fd(), ready.script.as_ref(), bounds)?;
    let Some(started) = started else { return Ok(None) };
    let end = started.until_end(watches.as_mut());
    // Whatever it has left behind ends before anything is looked at.
    let _ = kill(-1, libc::SIGKILL);
    while wait(-1, 0).is_ok() {}
    let drift = drifted(&ready.placing.bound);
    let out = outputs::take(task.results_opened).map(Box::new);
    let opened = watches.and_then(Watches::into_opened);
    Ok(Some(FirstReport::Ended { end, drift, opened, out }))
}
