//! One operation inside a launcher, in a process of its own where there can be one.

use std::ffi::CString;
use std::os::fd::AsRawFd;
use std::time::Instant;

use super::{around, here, proxy};
use crate::launcher::frame::encode;
use crate::launcher::said::{PathIdentity, PerformRequest, WorkerMessage, WorkerReport};
use crate::probe::Trace;
use crate::record::action::Action;
use crate::record::detail_name::DetailName;
use crate::record::driver::{Driver, Effect, TargetKind};
use crate::record::driver_witness::{ContentSource, FileEffect, SuccessWitness};
use crate::record::report::OperationReport;
use crate::sys::native::memory::pread;
use crate::sys::native::path;
use crate::sys::native::process::{Watched, fchdir, kill, open_from, pipe, poll, set_process_group, wait};
use crate::sys::native::sole::Sole;

/// The most bytes of content that are reported.
const CONTENT_BYTES: usize = 4096;
/// The most bytes of a report.
const MOST_BYTES: usize = 256 * 1024;
/// Among how many descriptors those are looked for that an operation has opened.
const MOST_DESCRIPTORS: usize = 253;
/// What a child writes once it is about to begin: if nothing follows, the operation itself was its end.
const BEGUN: &[u8] = b"begun\n";

/// A process that does nothing.
pub(super) fn nop(sole: &Sole, in_process: bool) -> WorkerMessage {
    if in_process {
        return WorkerMessage::Pong;
    }
    match in_child(sole, |_, _| Vec::new(), AfterClosing::Ends, 2_000) {
        EndedChild { signal: None, expired: false, .. } => WorkerMessage::Pong,
        ended => WorkerMessage::Done(Box::new(WorkerReport {
            signal: ended.signal,
            expired: ended.expired,
            ..WorkerReport::default()
        })),
    }
}

/// What a path is.
pub(super) fn look(path: &str) -> Result<PathIdentity, i32> {
    around::of_path(path, true)
}

/// Makes a call with arguments that name nothing, and gives its error number. -1: the call is not known, or ended the
/// process.
pub(super) fn empty(sole: &Sole, in_process: bool, call: &str, family: i32) -> i32 {
    let Some(ask) = here::empty_call(call, family) else { return -1 };
    if in_process {
        return ask();
    }
    let ended = in_child(sole, |_, _| ask().to_string().into_bytes(), AfterClosing::Ends, 2_000);
    std::str::from_utf8(&ended.said).ok().and_then(|text| text.parse().ok()).unwrap_or(-1)
}

/// How a child ended, and what it said.
struct EndedChild {
    said: Vec<u8>,
    signal: Option<i32>,
    exit: Option<i32>,
    expired: bool,
    failed: Option<i32>,
    /// Whether the child, or what it became, kept its way of saying something to its end.
    said_all: bool,
}

/// What a child does once it has closed its way of saying something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AfterClosing {
    /// It ends: that was how it was closed.
    Ends,
    /// It may have become a program.
    MayGoOn,
}

/// Lets a child do something and say it.
fn in_child(sole: &Sole, work: impl FnOnce(&Sole, i32) -> Vec<u8>, after: AfterClosing, limit_ms: u64) -> EndedChild {
    let mut ended =
        EndedChild { said: Vec::new(), signal: None, exit: None, expired: false, failed: None, said_all: false };
    let (reading, writing) = match pipe() {
        Ok(ends) => ends,
        Err(errno) => return EndedChild { failed: Some(errno), ..ended },
    };
    let forked = sole.fork(|child| {
        let _ = set_process_group(0, 0);
        let _ = child.close(reading.as_raw_fd());
        // Frames are the worker's alone, and so are requests.
        match path::open(c"/dev/null", libc::O_RDWR, 0) {
            Ok(null) => {
                let null = null as i32;
                let _ = (child.duplicate(null, 0, false), child.duplicate(null, 1, false), child.close(null));
            }
            Err(_) => {
                let _ = child.close_input_and_output();
                // So that nothing else is opened at these numbers.
                std::mem::forget(pipe());
            }
        }
        let said = work(&child, writing.as_raw_fd());
        write_all(writing.as_raw_fd(), &said);
        0
    });
    let pid = match forked {
        Ok(pid) => pid,
        Err(errno) => return EndedChild { failed: Some(errno), ..ended },
    };
    drop(writing);
    let begun = Instant::now();
    let mut buffer = [0; 16 * 1024];
    loop {
        let left = limit_ms.saturating_sub(begun.elapsed().as_millis() as u64);
        let mut watched = [Watched::new(reading.as_raw_fd(), libc::POLLIN)];
        match poll(&mut watched, i32::try_from(left).unwrap_or(i32::MAX)) {
            Ok(0) if left == 0 => {
                ended.expired = true;
                let _ = kill(-pid, libc::SIGKILL);
                let _ = kill(pid, libc::SIGKILL);
                break;
            }
            Ok(0) => continue,
            _ => {}
        }
        match path::read(reading.as_raw_fd(), &mut buffer) {
            Ok(0) => {
                ended.said_all = true;
                break;
            }
            Ok(count) if ended.said.len() < MOST_BYTES => ended.said.extend_from_slice(&buffer[..count as usize]),
            Ok(_) | Err(libc::EINTR) => {}
            Err(_) => break,
        }
    }
    drop(reading);
    // Whoever is about to end is waited for: to look again after a while takes longer than all the rest of a question.
    let is_ending = ended.expired || (ended.said_all && after == AfterClosing::Ends);
    let status = loop {
        match wait(pid, if is_ending { 0 } else { libc::WNOHANG }) {
            Ok(None) if begun.elapsed().as_millis() as u64 > limit_ms => {
                ended.expired = true;
                let _ = kill(-pid, libc::SIGKILL);
                let _ = kill(pid, libc::SIGKILL);
                break wait(pid, 0);
            }
            Ok(None) => {
                let _ = poll::<0>(&mut [], 1);
            }
            other => break other,
        }
    };
    if let Ok(Some((_, status))) = status {
        ended.signal = libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)).filter(|_| !ended.expired);
        ended.exit = libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status));
    }
    // What it started ends with it.
    let _ = kill(-pid, libc::SIGKILL);
    ended
}

fn write_all(fd: i32, bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        match path::write(fd, rest) {
            Ok(count) => rest = &rest[count as usize..],
            Err(libc::EINTR) => {}
            Err(_) => return,
        }
    }
}

/// Performs an operation.
pub(super) fn perform(order: &PerformRequest, sole: &Sole, in_process: bool, inherited: &[i32]) -> WorkerReport {
    let begun = Instant::now();
    let mut report = if in_process {
        in_the_worker(order, inherited, Some(sole))
    } else {
        let work = |sole: &Sole, writing| {
            write_all(writing, BEGUN);
            serde_json::to_vec(&operate(order, inherited, Some(sole))).unwrap_or_default()
        };
        // Only one operation replaces the process that performs it.
        let replaced = order.action.driver == Driver::Exec;
        let after = if replaced { AfterClosing::MayGoOn } else { AfterClosing::Ends };
        let ended = in_child(sole, work, after, order.limit_ms);
        from_child(order, ended)
    };
    report.duration_us = begun.elapsed().as_micros() as u64;
    report
}

/// The operation in the worker's own process, if that is the same afterwards.
fn in_the_worker(order: &PerformRequest, inherited: &[i32], sole: Option<&Sole>) -> WorkerReport {
    if order.action.driver.changes_its_process() {
        return WorkerReport { cannot: true, ..WorkerReport::default() };
    }
    operate(order, inherited, sole)
}

fn from_child(order: &PerformRequest, ended: EndedChild) -> WorkerReport {
    let said = ended.said.strip_prefix(BEGUN);
    let told = said.and_then(|said| serde_json::from_slice::<WorkerReport>(said).ok());
    match told {
        Some(report) if ended.signal.is_none() && !ended.expired => report,
        _ => {
            // The report closes when the process becomes the program.
            let became = order.action.driver == Driver::Exec
                && said.is_some_and(<[u8]>::is_empty)
                && ended.said_all
                && ended.signal.is_none()
                && !ended.expired;
            let wanted = order.action.exit_code;
            let consequence = became.then(|| wanted.is_none_or(|wanted| ended.exit == Some(wanted)));
            WorkerReport {
                consequence,
                signal: ended.signal,
                exit: ended.exit,
                expired: ended.expired,
                setup: ended.failed.map(|errno| ("clone".to_owned(), errno)),
                object: became.then(|| around::of_path(&order.action.target, true).ok()).flatten(),
                ..WorkerReport::default()
            }
        }
    }
}

/// Everything up to the operation, the operation, and what shows what it was on.
fn operate(order: &PerformRequest, inherited: &[i32], sole: Option<&Sole>) -> WorkerReport {
    let action = &order.action;
    if let Some(fd) = order.folder_fd
        && let Err(errno) = fchdir(fd)
    {
        return WorkerReport { setup: Some(("fchdir".into(), errno)), ..WorkerReport::default() };
    }
    if let Some(fd) = order.fd {
        return read_descriptor(fd);
    }
    if let Some(variable) = &order.proxy {
        return proxy::through(order, variable);
    }
    if let Some(victim) = order.victim {
        return here::on_outsider(action, victim);
    }
    if is_withheld(action) {
        return WorkerReport { withheld: true, ..WorkerReport::default() };
    }
    if let Some(foreign) = foreign(order) {
        return WorkerReport { foreign: Some(foreign), ..WorkerReport::default() };
    }
    let before = open_from::<MOST_DESCRIPTORS>(3);
    let effect = action.driver.file_effect();
    let (mut entered, mut removed) = (None, None);
    let ready = || {
        // Afterwards the path may lead elsewhere, for this process.
        entered = action.driver.mounts().then(|| around::of_path(&action.target, true).ok()).flatten();
        removed = touched(action, effect.filter(|effect| *effect == FileEffect::Removed));
    };
    let operation = match here::attempt(order, inherited, sole, ready) {
        Ok(operation) => operation,
        Err(report) => return *report,
    };
    let went_through = operation.calls.iter().all(|call| call.ret >= 0);
    let mut report = WorkerReport::default();
    if went_through {
        let mut opened = open_from::<MOST_DESCRIPTORS>(3);
        opened.retain(|fd| !before.contains(fd) && !inherited.contains(fd));
        opened.reverse();
        report.touched = removed.or_else(|| touched(action, effect));
        if order.content {
            report.content = content(order, &opened).map(|bytes| encode(&bytes));
        }
        let socket = opened.iter().copied().find(|fd| is_socket(*fd));
        if let (Some(greeting), Some(fd)) = (&order.greeting, socket) {
            write_all(fd, greeting.as_bytes());
        }
        report.consequence = consequence(action, &operation, socket);
        if action.driver.mounts() {
            report.object = entered;
        } else if action.driver.info().target == TargetKind::Path {
            // An opened file is what it is, whatever its path leads to now.
            let kept = operation.opened.as_ref().map(|opened| (opened.dev, opened.ino));
            report.object = around::of_path(&action.target, true)
                .ok()
                .filter(|found| kept.is_none_or(|kept| kept == (found.dev, found.ino)));
        }
    }
    report.operation = Some(operation);
    report
}

/// The file that shows an effect: where it is made or changed.
fn touched(action: &Action, effect: Option<FileEffect>) -> Option<PathIdentity> {
    let (path, follow) = match effect? {
        FileEffect::Made(_) | FileEffect::Removed => (Some(&action.target), false),
        FileEffect::Grown | FileEffect::Emptied | FileEffect::Mode | FileEffect::Times | FileEffect::Xattr => {
            (Some(&action.target), true)
        }
        FileEffect::Renamed | FileEffect::Exchanged | FileEffect::Linked => (action.to.as_ref(), false),
    };
    around::of_path(path?, follow).ok()
}

/// Where there is nothing yet, before an operation that changes something: a folder without anything in it, which the launcher
/// has put in the place of the run's own.
pub(super) fn emptied(order: &PerformRequest) -> Vec<(u64, u64)> {
    let action = &order.action;
    if action.driver.info().target != TargetKind::Path || action.driver.info().effect != Effect::Changes {
        return Vec::new();
    }
    let second = action.to.as_deref().filter(|_| action.driver != Driver::SymlinkCreate);
    let folders = [Some(action.target.as_str()), second].into_iter().flatten().filter_map(|path| path.rsplit_once('/'));
    folders
        .filter(|(folder, _)| !folder.is_empty() && is_empty(folder))
        .filter_map(|(folder, _)| around::of_path(folder, true).ok().map(|found| (found.dev, found.ino)))
        .collect()
}

/// What is read of what was opened, or of the path once more.
fn content(order: &PerformRequest, opened: &[i32]) -> Option<Vec<u8>> {
    let action = &order.action;
    let mut buffer = vec![0; CONTENT_BYTES];
    let target = CString::new(action.target.as_str()).ok()?;
    let SuccessWitness::Content(source) = action.driver.witness() else { return None };
    let count = match source {
        ContentSource::Link => path::readlink(&target, &mut buffer).ok()? as usize,
        ContentSource::Xattr => {
            let name = CString::new(action.name.as_deref()?).ok()?;
            path::getxattr(&target, &name, &mut buffer).ok()? as usize
        }
        ContentSource::Names => {
            let names = std::fs::read_dir(&action.target).ok()?.flatten();
            let names: Vec<String> =
                names.take(512).map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
            return Some(names.join("\n").into_bytes());
        }
        ContentSource::OpenFile => opened.iter().find_map(|fd| pread(*fd, &mut buffer, 0).ok())? as usize,
    };
    buffer.truncate(count);
    Some(buffer)
}

/// What a successful operation brings about for its own process.
fn consequence(action: &Action, operation: &OperationReport, opened: Option<i32>) -> Option<bool> {
    let wanted = action.exit_code;
    let detail = |wanted: DetailName| operation.detail(wanted);
    match action.driver {
        Driver::ProcessFork => Some(detail(DetailName::ChildExitCode) == Some(0)),
        // Where the program is a child of the process that reports.
        Driver::Exec => {
            detail(DetailName::ProgramExitCode).map(|code| wanted.is_none_or(|wanted| i64::from(wanted) == code))
        }
        Driver::SignalInside | Driver::SignalSelf => Some(detail(DetailName::Received) == Some(1)),
        Driver::TcpBind | Driver::UdpBind | Driver::TcpListenUnbound => Some(opened.is_some_and(is_bound)),
        driver if driver.connects() => Some(opened.is_some_and(is_connected)),
        _ => detail(DetailName::Confirmed).map(|confirmed| confirmed == 1),
    }
}

fn is_socket(fd: i32) -> bool {
    around::of_descriptor(fd).is_some_and(|found| found.is_socket())
}

fn is_connected(fd: i32) -> bool {
    nix::sys::socket::getpeername::<nix::sys::socket::SockaddrStorage>(fd).is_ok()
}

fn is_bound(fd: i32) -> bool {
    use nix::sys::socket::{SockaddrStorage, getsockname};
    let port = getsockname::<SockaddrStorage>(fd).ok().and_then(|address| {
        address.as_sockaddr_in().map(|it| it.port()).or_else(|| address.as_sockaddr_in6().map(|it| it.port()))
    });
    port.is_some_and(|port| port > 0)
}

/// Reads an inherited descriptor.
fn read_descriptor(fd: i32) -> WorkerReport {
    let mut buffer = vec![0; CONTENT_BYTES];
    let read = pread(fd, &mut buffer, 0);
    let mut trace = Trace::new();
    trace.operate("pread64", read);
    let content = read.ok().and_then(|count| buffer.get(..count as usize)).map(encode);
    WorkerReport {
        operation: Some(trace.finish()),
        content,
        object: around::of_descriptor(fd),
        ..WorkerReport::default()
    }
}

/// Whether the operation would open a FIFO, and by that wait for whoever has its other end, or wake him.
fn is_withheld(action: &Action) -> bool {
    let info = action.driver.info();
    let opens = match (action.driver.file_effect(), info.effect) {
        (Some(effect), _) => matches!(effect, FileEffect::Grown | FileEffect::Emptied),
        (None, Effect::Changes) => action.driver == Driver::FileLock,
        (None, _) => !matches!(
            action.driver,
            Driver::FileStat
                | Driver::FileAccess
                | Driver::FileReadlink
                | Driver::FileOpenPath
                | Driver::FileStatfs
                | Driver::XattrGet
                | Driver::XattrList
        ),
    };
    opens && info.target == TargetKind::Path && around::of_path(&action.target, true).is_ok_and(|it| it.is_fifo())
}

/// What the operation would change and is not the run's own.
///
/// A launcher may show anything under a name of the run. What is the run's own is known by device and inode; a copy of it by
/// the file that the run put into each of its folders; and what covers it by being empty.
fn foreign(order: &PerformRequest) -> Option<String> {
    let action = &order.action;
    let info = action.driver.info();
    if info.target != TargetKind::Path || info.effect != Effect::Changes {
        return None;
    }
    let second = action.to.as_deref().filter(|_| action.driver != Driver::SymlinkCreate);
    [Some(action.target.as_str()), second].into_iter().flatten().find_map(|path| {
        let own = |found: &PathIdentity| order.pledge.own.contains(&(found.dev, found.ino));
        let (parent, _) = path.rsplit_once('/').unwrap_or((".", path));
        let parent = if parent.is_empty() { "/" } else { parent };
        // What is not there is not changed.
        let Ok(folder) = around::of_path(parent, true) else { return None };
        if own(&folder) || is_ours(parent, &order.pledge.mark) {
            return None;
        }
        match around::of_path(path, false) {
            Ok(found) if own(&found) => None,
            Ok(_) => Some(path.to_owned()),
            Err(_) if is_empty(parent) => None,
            Err(_) => Some(parent.to_owned()),
        }
    })
}

/// Whether the folder, or one not far above it, has the run's mark.
fn is_ours(folder: &str, mark: &str) -> bool {
    let mut folder = folder;
    for _ in 0..8 {
        if around::of_path(&format!("{folder}/{mark}"), false).is_ok() {
            return true;
        }
        match folder.rsplit_once('/') {
            Some((above, _)) if !above.is_empty() => folder = above,
            _ => return false,
        }
    }
    false
}

fn is_empty(folder: &str) -> bool {
    // What a launcher put there for itself, it made: a folder of somebody else has more in it.
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launcher::said::ChangeBounds;

    fn order(driver: Driver, target: &str, own: Vec<(u64, u64)>) -> PerformRequest {
        let pledge = ChangeBounds { own, mark: "no-such-mark".into() };
        PerformRequest { pledge, ..PerformRequest::new(Action::new(driver, target), 1_000) }
    }

    #[test]
    fn nothing_is_changed_that_is_not_the_runs_own() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(at("f"), "x").unwrap();
        // By another name that leads to the run's folder it would be the run's own.
        let report = operate(&order(Driver::FileUnlink, &at("f"), Vec::new()), &[], None);
        assert_eq!(report.foreign, Some(at("f")));
        assert!(report.operation.is_none() && std::fs::exists(at("f")).unwrap());
        let report = operate(&order(Driver::FileCreate, &at("n"), Vec::new()), &[], None);
        assert_eq!(report.foreign.as_deref(), folder.path().to_str(), "a folder with something in it");
        assert!(!std::fs::exists(at("n")).unwrap());
        nix::unistd::mkfifo(at("p").as_str(), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let own = around::of_path(folder.path().to_str().unwrap(), true).unwrap();
        for driver in [Driver::FileRead, Driver::FileWrite, Driver::FileOpenWrite, Driver::FileLock] {
            let report = operate(&order(driver, &at("p"), vec![(own.dev, own.ino)]), &[], None);
            assert!(report.withheld && report.operation.is_none(), "{driver:?} would wait, or wake others");
        }
        let report = operate(&order(Driver::FileStat, &at("p"), Vec::new()), &[], None);
        assert!(!report.withheld && report.operation.is_some(), "nobody notices a look");
        let report = operate(&order(Driver::FileUnlink, &at("f"), vec![(own.dev, own.ino)]), &[], None);
        assert_eq!(report.foreign, None);
        assert!(!std::fs::exists(at("f")).unwrap());
    }

    #[test]
    fn a_worker_without_processes_does_not_replace_itself() {
        for driver in [Driver::Exec, Driver::UserNamespace, Driver::Chdir] {
            assert!(in_the_worker(&order(driver, "/nonexistent", Vec::new()), &[], None).cannot, "{driver:?}");
        }
    }

    #[test]
    fn a_report_of_a_process_that_was_killed_is_not_believed() {
        let said = |report: &WorkerReport| [BEGUN, &serde_json::to_vec(report).unwrap()].concat();
        let whole = WorkerReport { operation: Some(Trace::new().finish()), ..WorkerReport::default() };
        let ended = |signal| EndedChild {
            said: said(&whole),
            signal,
            exit: Some(0),
            expired: false,
            failed: None,
            said_all: true,
        };
        let order = order(Driver::FileRead, "/nonexistent", Vec::new());
        assert!(from_child(&order, ended(None)).operation.is_some());
        let killed = from_child(&order, ended(Some(9)));
        assert_eq!((killed.operation, killed.signal), (None, Some(9)));
    }
}
