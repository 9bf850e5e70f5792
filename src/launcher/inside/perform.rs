//! One operation inside a launcher, in a process of its own where there can be one.

use std::ffi::CString;
use std::time::Instant;

use super::{around, objects, process};
use crate::launcher::frame::encode;
use crate::launcher::said::{PathIdentity, PerformRequest, WorkerMessage, WorkerReport};
use crate::probe::{self, SyscallTexts, Trace};
use crate::record::action::ActionScope;
use crate::record::driver::{Driver, Effect, TargetKind};
use crate::record::report::{CONFIRMED, OperationReport};
use crate::sys::linux::path;
use crate::sys::linux::process::{
    Forked, Watched, close_range, duplicate, empty_call, exit_now, fchdir, fork, is_open, kill, pipe, poll,
    set_process_group, wait,
};

/// The most bytes of content that are reported.
const CONTENT_BYTES: usize = 4096;
/// The most bytes of a report.
const MOST_BYTES: usize = 256 * 1024;
/// What a child writes once it is about to begin: if nothing follows, the operation itself was its end.
const BEGUN: &[u8] = b"begun\n";

/// A process that does nothing.
pub(super) fn nop(in_process: bool) -> WorkerMessage {
    if in_process {
        return WorkerMessage::Pong;
    }
    match in_child(|_| Vec::new(), 2_000) {
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
pub(super) fn empty(in_process: bool, call: &str, family: i32) -> i32 {
    let Some((number, first, second)) = empty_arguments(call, family) else { return -1 };
    let ask = || empty_call(number, first, second).err().unwrap_or(0);
    if in_process {
        return ask();
    }
    let ended = in_child(|_| ask().to_string().into_bytes(), 2_000);
    std::str::from_utf8(&ended.said).ok().and_then(|text| text.parse().ok()).unwrap_or(-1)
}

/// Number and first arguments of a call that is sure to refuse them: a descriptor or process that cannot be, or no path.
fn empty_arguments(call: &str, family: i32) -> Option<(i64, i64, i64)> {
    let (number, first, second) = match call {
        "openat" => (libc::SYS_openat, -1, 0),
        "unlinkat" => (libc::SYS_unlinkat, -1, 0),
        "renameat2" => (libc::SYS_renameat2, -1, 0),
        "linkat" => (libc::SYS_linkat, -1, 0),
        "symlinkat" => (libc::SYS_symlinkat, 0, -1),
        "mkdirat" => (libc::SYS_mkdirat, -1, 0),
        "mknodat" => (libc::SYS_mknodat, -1, 0),
        "newfstatat" => (libc::SYS_newfstatat, -1, 0),
        "faccessat" => (libc::SYS_faccessat, -1, 0),
        "readlinkat" => (libc::SYS_readlinkat, -1, 0),
        "fchmodat" => (libc::SYS_fchmodat, -1, 0),
        "utimensat" => (libc::SYS_utimensat, -1, 0),
        "truncate" => (libc::SYS_truncate, 0, 0),
        "ftruncate" => (libc::SYS_ftruncate, -1, 0),
        "getxattr" => (libc::SYS_getxattr, 0, 0),
        "setxattr" => (libc::SYS_setxattr, 0, 0),
        "listxattr" => (libc::SYS_listxattr, 0, 0),
        "execve" => (libc::SYS_execve, 0, 0),
        "ioctl" => (libc::SYS_ioctl, -1, 0),
        "read" => (libc::SYS_read, -1, 0),
        "write" => (libc::SYS_write, -1, 0),
        "getdents64" => (libc::SYS_getdents64, -1, 0),
        "mount" => (libc::SYS_mount, 0, 0),
        "chroot" => (libc::SYS_chroot, 0, 0),
        "pivot_root" => (libc::SYS_pivot_root, 0, 0),
        "statfs" => (libc::SYS_statfs, 0, 0),
        "chdir" => (libc::SYS_chdir, 0, 0),
        "flock" => (libc::SYS_flock, -1, 0),
        "inotify_add_watch" => (libc::SYS_inotify_add_watch, -1, 0),
        "fchownat" => (libc::SYS_fchownat, -1, 0),
        // No flag, command or request has these numbers, and no process and no object either.
        "unshare" => (libc::SYS_unshare, 1, 0),
        "bpf" => (libc::SYS_bpf, 0xffff, 0),
        "userfaultfd" => (libc::SYS_userfaultfd, 0x7f00_0000, 0),
        "io_uring_setup" => (libc::SYS_io_uring_setup, 0, 0),
        "perf_event_open" => (libc::SYS_perf_event_open, 0, 0),
        "ptrace" => (libc::SYS_ptrace, 0xffff, i64::from(i32::MAX)),
        "pidfd_open" => (libc::SYS_pidfd_open, i64::from(i32::MAX), 0),
        "pidfd_getfd" => (libc::SYS_pidfd_getfd, -1, -1),
        "process_vm_readv" => (libc::SYS_process_vm_readv, i64::from(i32::MAX), 0),
        "setpriority" => (libc::SYS_setpriority, 99, 0),
        "keyctl" => (libc::SYS_keyctl, 0xffff, 0),
        "add_key" => (libc::SYS_add_key, 0, 0),
        "shmat" => (libc::SYS_shmat, -1, 0),
        "mq_open" => (libc::SYS_mq_open, 0, 0),
        "connect" => (libc::SYS_connect, -1, 0),
        "bind" => (libc::SYS_bind, -1, 0),
        "listen" => (libc::SYS_listen, -1, 0),
        "sendto" => (libc::SYS_sendto, -1, 0),
        // No process has this number, and no signal either.
        "kill" => (libc::SYS_kill, i64::from(i32::MAX), 999),
        // No socket has this type.
        "socket" => (libc::SYS_socket, i64::from(family), 99),
        _ => return None,
    };
    Some((number, first, second))
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

/// Lets a child do something and say it.
fn in_child(work: impl FnOnce(i32) -> Vec<u8>, limit_ms: u64) -> EndedChild {
    let mut ended =
        EndedChild { said: Vec::new(), signal: None, exit: None, expired: false, failed: None, said_all: false };
    let (reading, writing) = match pipe() {
        Ok(ends) => ends,
        Err(errno) => return EndedChild { failed: Some(errno), ..ended },
    };
    let pid = match fork() {
        Ok(Forked::Parent(pid)) => pid,
        Ok(Forked::Child) => {
            let _ = set_process_group(0, 0);
            let _ = path::close(reading);
            // Frames are the worker's alone, and so are requests.
            let null = path::open(c"/dev/null", libc::O_RDWR, 0);
            match null {
                Ok(null) => {
                    let _ = (duplicate(null as i32, 0, false), duplicate(null as i32, 1, false));
                    let _ = path::close(null as i32);
                }
                Err(_) => {
                    let _ = close_range(0, 1);
                    // So that nothing else is opened at these numbers.
                    let _ = pipe();
                }
            }
            let said = work(writing);
            write_all(writing, &said);
            exit_now(0);
        }
        Err(errno) => {
            let _ = (path::close(reading), path::close(writing));
            return EndedChild { failed: Some(errno), ..ended };
        }
    };
    let _ = path::close(writing);
    let begun = Instant::now();
    let mut buffer = [0; 16 * 1024];
    loop {
        let left = limit_ms.saturating_sub(begun.elapsed().as_millis() as u64);
        let mut watched = [Watched::new(reading, libc::POLLIN)];
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
        match path::read(reading, &mut buffer) {
            Ok(0) => {
                ended.said_all = true;
                break;
            }
            Ok(count) if ended.said.len() < MOST_BYTES => ended.said.extend_from_slice(&buffer[..count as usize]),
            Ok(_) | Err(libc::EINTR) => {}
            Err(_) => break,
        }
    }
    let _ = path::close(reading);
    // A program that it became may still run.
    let status = loop {
        match wait(pid, libc::WNOHANG) {
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
pub(super) fn perform(order: &PerformRequest, in_process: bool, inherited: &[i32]) -> WorkerReport {
    let begun = Instant::now();
    let mut report = if in_process {
        if changes_its_process(order.action.driver) {
            WorkerReport { cannot: true, ..WorkerReport::default() }
        } else {
            operate(order, inherited)
        }
    } else {
        let ended = in_child(
            |writing| {
                write_all(writing, BEGUN);
                serde_json::to_vec(&operate(order, inherited)).unwrap_or_default()
            },
            order.limit_ms,
        );
        from_child(order, ended)
    };
    report.duration_us = begun.elapsed().as_micros() as u64;
    report.world = around::world();
    report
}

/// Whether the operation leaves its process another one than it was.
fn changes_its_process(driver: Driver) -> bool {
    use Driver as D;
    matches!(driver, D::Exec | D::ExecMemfd | D::ExecWritten | D::Chdir | D::UserNamespace | D::UserNamespaceMap)
        || driver.mounts()
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
fn operate(order: &PerformRequest, inherited: &[i32]) -> WorkerReport {
    let action = &order.action;
    if let Some(fd) = order.folder_fd
        && let Err(errno) = fchdir(fd)
    {
        return WorkerReport { setup: Some(("fchdir".into(), errno)), ..WorkerReport::default() };
    }
    if let Some(fd) = order.fd {
        return read_descriptor(fd);
    }
    if let Some(victim) = order.victim {
        return process::operate(action, victim);
    }
    if let Some(foreign) = foreign(order) {
        return WorkerReport { foreign: Some(foreign), ..WorkerReport::default() };
    }
    let before: Vec<i32> = (3..256).filter(|fd| is_open(*fd)).collect();
    let texts = match SyscallTexts::of(action, &ActionScope::default()) {
        Ok(texts) => texts,
        Err(failure) => {
            return WorkerReport { setup: Some((failure.step.into(), failure.errno)), ..WorkerReport::default() };
        }
    };
    let given = match objects::given(order, inherited) {
        Ok(given) => given,
        Err(report) => return *report,
    };
    let mut prepared = match probe::prepare_inside(action, &texts, given) {
        Ok(Some(prepared)) => prepared,
        Ok(None) => return WorkerReport { cannot: true, ..WorkerReport::default() },
        Err(failure) => {
            return WorkerReport { setup: Some((failure.step.into(), failure.errno)), ..WorkerReport::default() };
        }
    };
    // Afterwards the path may lead elsewhere, for this process.
    let entered = action.driver.mounts().then(|| around::of_path(&action.target, true).ok()).flatten();
    let mut trace = Trace::new();
    probe::operate(action, &mut prepared, &mut trace);
    objects::take_away(&prepared);
    prepared.finish();
    let operation = trace.finish();
    let went_through = operation.calls.iter().all(|call| call.ret >= 0);
    let opened: Vec<i32> =
        (3..256).rev().filter(|fd| !before.contains(fd) && !inherited.contains(fd) && is_open(*fd)).collect();
    let mut report = WorkerReport::default();
    if went_through {
        if order.content {
            report.content = content(order, &opened).map(|bytes| encode(&bytes));
        }
        let socket = opened.iter().copied().find(|fd| is_socket(*fd));
        if let (Some(greeting), Some(fd)) = (&order.greeting, socket) {
            write_all(fd, greeting.as_bytes());
        }
        report.consequence = consequence(action.driver, &operation, socket);
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

/// What is read of what was opened, or of the path once more.
fn content(order: &PerformRequest, opened: &[i32]) -> Option<Vec<u8>> {
    let action = &order.action;
    let mut buffer = vec![0; CONTENT_BYTES];
    let target = CString::new(action.target.as_str()).ok()?;
    let count = match action.driver {
        Driver::FileReadlink => path::readlink(&target, &mut buffer).ok()? as usize,
        Driver::XattrGet => {
            let name = CString::new(action.name.as_deref()?).ok()?;
            path::getxattr(&target, &name, &mut buffer).ok()? as usize
        }
        Driver::DirList => {
            let names = std::fs::read_dir(&action.target).ok()?.flatten();
            let names: Vec<String> =
                names.take(512).map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
            return Some(names.join("\n").into_bytes());
        }
        _ => opened.iter().find_map(|fd| nix::sys::uio::pread(borrowed(*fd), &mut buffer, 0).ok())?,
    };
    buffer.truncate(count);
    Some(buffer)
}

/// What a successful operation brings about for its own process.
fn consequence(driver: Driver, operation: &OperationReport, opened: Option<i32>) -> Option<bool> {
    let detail = |wanted: &str| operation.details.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
    match driver {
        Driver::ProcessFork => Some(detail("child_exit_code") == Some(0)),
        Driver::SignalInside | Driver::SignalSelf => Some(detail("received") == Some(1)),
        Driver::TcpBind | Driver::UdpBind | Driver::TcpListenUnbound => Some(opened.is_some_and(is_bound)),
        driver if connects(driver) => Some(opened.is_some_and(is_connected)),
        _ => detail(CONFIRMED).map(|confirmed| confirmed == 1),
    }
}

fn is_socket(fd: i32) -> bool {
    path::fstat(fd).is_ok_and(|found| found.mode & libc::S_IFMT == libc::S_IFSOCK)
}

/// Whether a success leaves a connection that stands.
fn connects(driver: Driver) -> bool {
    use Driver as D;
    matches!(
        driver,
        D::TcpConnect | D::MptcpConnect | D::TcpFastOpen | D::IoUringConnect | D::UnixConnect | D::AbstractConnect
    )
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

fn borrowed<'a>(fd: i32) -> std::os::fd::BorrowedFd<'a> {
    crate::sys::linux::path::borrow(fd)
}

/// Reads an inherited descriptor.
fn read_descriptor(fd: i32) -> WorkerReport {
    let mut buffer = vec![0; CONTENT_BYTES];
    let read = nix::sys::uio::pread(borrowed(fd), &mut buffer, 0);
    let mut trace = Trace::new();
    trace.operate("pread64", read.map(|count| count as i64).map_err(|errno| errno as i32));
    let content = read.ok().map(|count| encode(&buffer[..count]));
    WorkerReport {
        operation: Some(trace.finish()),
        content,
        object: around::of_descriptor(fd),
        ..WorkerReport::default()
    }
}

/// What the operation would change and is not the run's own; also a device that it would open.
///
/// A launcher may show anything under a name of the run. What is the run's own is known by device and inode; a copy of it by
/// the file that the run put into each of its folders; and what covers it by being empty.
fn foreign(order: &PerformRequest) -> Option<String> {
    let action = &order.action;
    let info = action.driver.info();
    if info.target != TargetKind::Path {
        return None;
    }
    if info.effect != Effect::Changes {
        return match around::of_path(&action.target, true) {
            Ok(found) if found.mode & libc::S_IFMT == libc::S_IFIFO => Some(format!("{} (a FIFO)", action.target)),
            _ => None,
        };
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
    use crate::record::action::Action;

    fn order(driver: Driver, target: &str, own: Vec<(u64, u64)>) -> PerformRequest {
        PerformRequest {
            action: Action::new(driver, target),
            content: false,
            greeting: None,
            victim: None,
            folder_fd: None,
            fd: None,
            handed_down: None,
            ipc_id: None,
            pledge: ChangeBounds { own, mark: "no-such-mark".into() },
            limit_ms: 1_000,
        }
    }

    #[test]
    fn nothing_is_changed_that_is_not_the_runs_own() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(at("f"), "x").unwrap();
        // By another name that leads to the run's folder it would be the run's own.
        let report = operate(&order(Driver::FileUnlink, &at("f"), Vec::new()), &[]);
        assert_eq!(report.foreign, Some(at("f")));
        assert!(report.operation.is_none() && std::fs::exists(at("f")).unwrap());
        let report = operate(&order(Driver::FileCreate, &at("n"), Vec::new()), &[]);
        assert_eq!(report.foreign.as_deref(), folder.path().to_str(), "a folder with something in it");
        assert!(!std::fs::exists(at("n")).unwrap());
        nix::unistd::mkfifo(at("p").as_str(), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let report = operate(&order(Driver::FileRead, &at("p"), Vec::new()), &[]);
        assert_eq!(report.foreign, Some(format!("{} (a FIFO)", at("p"))), "opening it would wait, or wake others");

        let own = around::of_path(folder.path().to_str().unwrap(), true).unwrap();
        let report = operate(&order(Driver::FileUnlink, &at("f"), vec![(own.dev, own.ino)]), &[]);
        assert_eq!(report.foreign, None);
        assert!(!std::fs::exists(at("f")).unwrap());
    }

    #[test]
    fn a_worker_without_processes_does_not_replace_itself() {
        for driver in [Driver::Exec, Driver::UserNamespace, Driver::Chdir] {
            assert!(perform(&order(driver, "/nonexistent", Vec::new()), true, &[]).cannot, "{driver:?}");
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
