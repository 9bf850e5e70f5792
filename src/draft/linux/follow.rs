//! Following the command, with all that it starts, until it ends.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::calls::{BegunCall, CallNotice, UsedPlace, notice};
use super::filter;
use super::observation::{Observation, PathUse};
use super::other_memory::{mapped, opened};
use super::start::{WatchedStart, become_watched};
use crate::base::fsx::IoContext;
use crate::draft::error::DraftError;
use crate::record::system_ending::CommandEnd;
use crate::sys::Ret;
use crate::sys::linux::process::{file_time, kill, pause_ms, pipe, wait};
use crate::sys::linux::sole::Sole;
use crate::sys::linux::trace::{self, CallStop, GoOn, TraceEvent};

/// Runs the command in `home` with these variables, and gives what was seen of it.
///
/// # Errors
/// If it cannot be followed, or not be started.
pub(super) fn observe(
    home: &Path,
    environment: &[(String, OsString)],
    command: &[OsString],
) -> Result<Observation, DraftError> {
    let errno = io::Error::from_raw_os_error;
    let unavailable =
        |step: &'static str| move |error: io::Error| DraftError::Unavailable { step: format!("{step}: {error}") };
    let filters = filter::programs().map_err(unavailable("system calls cannot be filtered"))?;
    let null_path = Path::new("/dev/null");
    let null = File::open(null_path).at("open", null_path)?;
    let streams = io::stderr().as_fd().try_clone_to_owned().map_err(unavailable("standard error"))?;
    let ends = || pipe().map_err(errno).map_err(unavailable("a pipe"));
    let ((failure, failure_in), (go, go_in)) = (ends()?, ends()?);
    let variables: Vec<CString> = environment.iter().filter_map(|(name, value)| variable(name, value)).collect();
    let search = environment.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value);
    let start = WatchedStart {
        home,
        command,
        environment: &variables,
        search,
        null: null.as_fd(),
        streams: streams.as_fd(),
        failure: failure_in.as_fd(),
        go: go.as_fd(),
        filters: &filters,
    };
    let began = next_file_time();
    let sole = Sole::claim().map_err(|error| DraftError::Unavailable { step: error.to_string() })?;
    let pid = sole.fork(|sole| become_watched(&sole, &start)).map_err(errno).map_err(unavailable("a process"))?;
    drop((failure_in, go));
    let followed = trace::follow(pid).map_err(errno);
    if let Err(error) = followed {
        // Without leave it ends by itself.
        drop(go_in);
        let _ = wait(pid, 0);
        sole.give_up();
        return Err(unavailable("a process cannot be followed")(error));
    }
    File::from(go_in).write_all(b"g").map_err(unavailable("the command cannot be let go"))?;
    let mut follower = Follower {
        main: pid,
        known: BTreeSet::from([pid]),
        begun: HashMap::new(),
        seen: Observation {
            paths: BTreeMap::new(),
            executed: BTreeSet::new(),
            listed: BTreeSet::new(),
            missing: BTreeSet::new(),
            connections: BTreeSet::new(),
            refused: BTreeSet::new(),
            unseen: 0,
            began,
            exit: CommandEnd { code: None, signal: None },
        },
    };
    follower.until_end();
    sole.give_up();
    let mut why = String::new();
    let _ = File::from(failure).read_to_string(&mut why);
    if !why.is_empty() {
        let command = command.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
        return Err(DraftError::Command { command, folder: home.to_owned(), why });
    }
    Ok(follower.seen)
}

fn variable(name: &str, value: &OsString) -> Option<CString> {
    CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()).ok()
}

/// The time that files get from now on, and that no file has yet.
fn next_file_time() -> (i64, i64) {
    let first = file_time().unwrap_or_default();
    loop {
        match file_time() {
            Ok(now) if now == first => pause_ms(1),
            Ok(now) => return now,
            Err(_) => return first,
        }
    }
}

struct Follower {
    main: i32,
    /// Processes and threads that are followed.
    known: BTreeSet<i32>,
    /// Calls whose end is awaited, by thread.
    begun: HashMap<i32, BegunCall>,
    seen: Observation,
}

impl Follower {
    /// Goes with them until the command has ended; then what it has left behind ends too.
    fn until_end(&mut self) {
        let mut is_over = false;
        while let Ok(Some((pid, status))) = wait(-1, libc::__WALL) {
            let event = trace::event_of(status);
            match event {
                TraceEvent::Exited(_) | TraceEvent::Killed(_) => {
                    self.known.remove(&pid);
                    self.begun.remove(&pid);
                    if pid == self.main {
                        self.seen.exit = match event {
                            TraceEvent::Exited(code) => CommandEnd { code: Some(code), signal: None },
                            TraceEvent::Killed(signal) => CommandEnd { code: None, signal: Some(signal) },
                            _ => self.seen.exit,
                        };
                        is_over = true;
                        for left in &self.known {
                            let _ = kill(*left, libc::SIGKILL);
                        }
                    }
                }
                _ if is_over => {
                    let _ = kill(pid, libc::SIGKILL);
                }
                event => {
                    self.known.insert(pid);
                    let how = self.stopped(pid, event);
                    // One that was killed meanwhile is reported as that.
                    let _ = trace::go_on(pid, how);
                }
            }
        }
    }

    fn stopped(&mut self, pid: i32, event: TraceEvent) -> GoOn {
        match event {
            TraceEvent::Call => self.begins(pid),
            TraceEvent::CallEnd => {
                if let Some(call) = self.begun.remove(&pid)
                    && let Ok(Some(CallStop::Ended(ret))) = trace::call(pid)
                {
                    self.ended(pid, call, ret);
                }
                GoOn::Freely(0)
            }
            TraceEvent::Executed => {
                if let Some(BegunCall::Executes(place)) = self.begun.remove(&pid) {
                    self.used(place, true, false);
                }
                self.seen.executed.extend(mapped(pid));
                GoOn::Freely(0)
            }
            TraceEvent::Group => GoOn::Stopped,
            TraceEvent::Signal(signal) => GoOn::Freely(signal),
            TraceEvent::Started | TraceEvent::Exited(_) | TraceEvent::Killed(_) => GoOn::Freely(0),
        }
    }

    fn begins(&mut self, pid: i32) -> GoOn {
        let Ok(Some(CallStop::Begins { number, arguments })) = trace::call(pid) else {
            self.seen.unseen += 1;
            return GoOn::Freely(0);
        };
        match notice(pid, number, arguments) {
            CallNotice::Await(call) => {
                self.begun.insert(pid, call);
                return GoOn::ToEndOfCall;
            }
            CallNotice::Lists(folder) => _ = self.seen.listed.insert(folder),
            CallNotice::Unseen => self.seen.unseen += 1,
            CallNotice::Nothing => {}
        }
        GoOn::Freely(0)
    }

    fn ended(&mut self, pid: i32, call: BegunCall, ret: Ret) {
        match (call, ret) {
            (BegunCall::Connects(address), Ok(_) | Err(libc::EINPROGRESS | libc::EAGAIN)) => {
                self.seen.connections.insert(address);
            }
            (BegunCall::Connects(address), Err(_)) => _ = self.seen.refused.insert(address),
            (BegunCall::Opens { path, flags }, Ok(_)) => self.opened(path, flags),
            (BegunCall::OpensByHandle { flags }, Ok(fd)) => match opened(pid, fd) {
                Some(path) => self.opened(UsedPlace { path, from_root: true }, flags),
                None => self.seen.unseen += 1,
            },
            (BegunCall::Looks(path) | BegunCall::Executes(path), Ok(_)) => self.used(path, false, false),
            // To read a link where there is none is to look at what is there.
            (BegunCall::Looks(path), Err(libc::EINVAL)) => self.used(path, false, false),
            (
                BegunCall::Opens { path, .. } | BegunCall::Looks(path) | BegunCall::Executes(path),
                Err(libc::ENOENT | libc::ENOTDIR),
            ) => _ = self.seen.missing.insert(path.path),
            (_, Err(_)) => {}
        }
    }

    fn opened(&mut self, path: UsedPlace, flags: i32) {
        let writes = flags & libc::O_ACCMODE != libc::O_RDONLY || flags & libc::O_TRUNC != 0;
        let reads = flags & libc::O_ACCMODE != libc::O_WRONLY && flags & libc::O_TRUNC == 0;
        if flags & libc::O_PATH != 0 {
            self.used(path, false, false);
        } else if flags & libc::O_TMPFILE != libc::O_TMPFILE {
            self.used(path, reads, writes);
        }
    }

    fn used(&mut self, place: UsedPlace, read: bool, written: bool) {
        let found: &mut PathUse = self.seen.paths.entry(place.path).or_default();
        found.read |= read;
        found.written |= written;
        found.from_root |= place.from_root;
        found.relative |= !place.from_root;
    }
}
