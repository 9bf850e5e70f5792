//! The supervisor: opens, starts, writes the declaration, lets the command go, and says how it ended.

use std::ffi::{CString, OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::connections::open_connections;
use super::facts;
use super::first;
use super::kept::{self, write_once};
use super::message::{FailedStep, FirstReport, PlacedItem, receive, send};
use super::opened::{OpenedItems, open_all};
use super::proc_view::ProcTexts;
use super::started::FirstTask;
use super::weaker;
use crate::base::digest::{Digest, Hasher};
use crate::base::error_chain::error_chain;
use crate::base::fsx::{FileError, IoContext};
use crate::base::json_out;
use crate::identity::external::ADDED_BY_SEALING;
use crate::identity::seal::seal as seal_parts;
use crate::record::identity::Declaration;
use crate::record::system_ending::{OutputDigest, SYSTEM_ENDING_SCHEMA, SealedOutputs, SystemEnding};
use crate::seal::connection::DeclaredConnection;
use crate::seal::error::SealError;
use crate::seal::options::{SealBounds, SealOptions};
use crate::seal::request::SealRequest;
use crate::sys::linux::landlock;
use crate::sys::linux::process::{Watched, pipe, poll, wait};
use crate::sys::linux::sealing;
use crate::sys::linux::sole::{NewNamespaces, Sole};

/// The user and group that the command has inside, whoever seals it.
const USER_INSIDE: u32 = 1000;
/// Where temporary files go, unless the document declares another place.
const TEMPORARY: &str = "/scratch";
/// What no sealed command is kept from.
const NOT_HELD: [&str; 9] = [
    "the clock",
    "random numbers",
    "scheduling and timing",
    "the processor's state",
    "free memory, load and uptime (sysinfo)",
    "numbers of inodes and devices, and times of their last change",
    "limits of control groups",
    "the audit session of whoever seals",
    "interference by the same user or by root",
];

/// Seals the command and runs it to its end. `write_sources` puts what the document was read from into the folder for results, before
/// the declaration is written.
///
/// # Errors
/// If nothing was executed, or how it ended cannot be written. What was executed and failed is no error.
pub fn seal(
    request: &SealRequest,
    options: &SealOptions,
    write_sources: &dyn Fn(&Path) -> Result<(), FileError>,
) -> Result<SystemEnding, SealError> {
    let opened = open_all(request)?;
    let results = results_folder(&options.out, &opened)?;
    let results_opened: OwnedFd = File::open(&results).at("open the folder", &results)?.into();
    let connections = open_connections(&request.connections)?;
    let texts = ProcTexts::of_host();
    let landlock_abi = landlock::abi().ok();
    let unavailable = |step: &'static str| {
        move |errno| SealError::Unavailable { step: format!("{step}: {}", io::Error::from_raw_os_error(errno)) }
    };
    let ends = || pipe().map_err(unavailable("a pipe"));
    let ((report, report_in), (go, go_in), (out, out_in), (err, err_in)) = (ends()?, ends()?, ends()?, ends()?);
    let (report_in, go) = (File::from(report_in), File::from(go));
    let text = |text: &OsStr| CString::new(text.as_bytes()).unwrap_or_default();
    let command: Vec<CString> = request.command.iter().map(|word| text(word)).collect();
    let temporary = match options.bounds {
        SealBounds::Full => PathBuf::from(TEMPORARY),
        SealBounds::Weaker | SealBounds::Observed => weaker::scratch(&results),
    };
    let environment: Vec<CString> = environment(request, &temporary).iter().map(|one| text(one)).collect();
    let search = request.environment.iter().find(|(name, _)| name == "PATH").and_then(|(_, value)| value.as_deref());
    let task = FirstTask {
        items: &opened,
        texts: &texts,
        results: &results,
        results_opened: &results_opened,
        copy_bytes: options.copy_bytes.min(opened_bytes(&opened)),
        command: &command,
        environment: &environment,
        stdin: request.stdin.as_deref().map(Path::new),
        connections: &connections,
        search,
        user: nix::unistd::geteuid().as_raw(),
        landlock: landlock_abi.is_some(),
        stdout: &out_in,
        stderr: &err_in,
        report: &report_in,
        go: &go,
    };
    let sole = Sole::claim().map_err(|error| SealError::Lost(error.to_string()))?;
    let keeper = sole
        .fork(|sole| match options.bounds {
            SealBounds::Full => keep(&sole, &task),
            SealBounds::Weaker => weaker::run(&sole, &task, true),
            SealBounds::Observed => weaker::run(&sole, &task, false),
        })
        .map_err(unavailable("a process"))?;
    drop((report_in, go, out_in, err_in));
    drop(connections);
    let mut report = BufReader::new(File::from(report));
    let (items, declaration) = match received(&mut report, keeper)? {
        FirstReport::Ready { items, seen, executable, executable_path } => {
            let seen = seen.map(|seen| *seen).map_or(
                Value::Null,
                |(cpuinfo, stat)| json!({"/proc/cpuinfo": sha256(cpuinfo), "/proc/stat": sha256(stat)}),
            );
            let command = json!({
                "argv": request.command.iter().map(|word| facts::stated(word)).collect::<Vec<_>>(),
                "executable": {"path": executable_path, "digest": sha256(executable)},
            });
            let parts = Declared {
                request,
                opened: &opened,
                items: &items,
                landlock_abi,
                seen,
                command,
                bounds: options.bounds,
                temporary: &temporary,
            };
            let declaration = parts.seal()?;
            (items, declaration)
        }
        FirstReport::Failed { step, about, why, kind } => return Err(failure(step, about, why, kind)),
        FirstReport::Ended { .. } => return Err(SealError::Lost("it reported an end without a beginning".to_owned())),
    };
    kept::check_stated(&opened, &items)?;
    write_sources(&results)?;
    kept::write(&results, &opened, &items)?;
    let mut bytes = json_out::to_pretty(&declaration);
    bytes.push(b'\n');
    write_once(&results, "identity.json", &bytes)?;
    File::from(go_in).write_all(b"g").map_err(|error| SealError::Lost(error.to_string()))?;
    let (stdout, stderr, rest) = pump(&results, [&out, &err], report)?;
    let _ = wait(keeper, 0);
    let last = receive(&mut &rest[..]).map_err(|error| SealError::Lost(error.to_string()))?;
    let (end, drift, seen, folder) = match last {
        Some(FirstReport::Ended { end, drift, opened, out }) => (end, drift, opened, out),
        Some(FirstReport::Failed { step, about, why, kind }) => return Err(failure(step, about, why, kind)),
        Some(FirstReport::Ready { .. }) | None => {
            return Err(SealError::Lost("it did not say how the command ended".to_owned()));
        }
    };
    let never = seen.map(|seen| {
        let unread = opened.items.iter().zip(seen).filter(|(_, was_opened)| !was_opened);
        unread.map(|(one, _)| one.item.pointer.clone()).collect()
    });
    let ending = SystemEnding {
        schema_version: SYSTEM_ENDING_SCHEMA.to_owned(),
        identity: declaration.identity,
        exit: end,
        drift,
        partial: partial(options.bounds, &items, landlock_abi),
        held: items.iter().map(|item| item.held.clone()).collect(),
        layers: layers(options.bounds, landlock_abi),
        not_held: not_held(options.bounds, &items, &request.connections),
        declared_never_read: never,
        outputs: SealedOutputs { stdout, stderr, out: folder.map(|folder| *folder) },
    };
    let mut bytes = json_out::to_pretty(&ending);
    bytes.push(b'\n');
    write_once(&results, "ending.json", &bytes)?;
    sole.give_up();
    Ok(ending)
}

fn sha256(digest: Digest) -> String {
    format!("sha256:{digest}")
}

/// How many bytes the items have as far as that is known; a folder's are not, so with one there is no bound.
fn opened_bytes(opened: &OpenedItems) -> u64 {
    if opened.items.iter().any(|one| one.is_folder) {
        return u64::MAX;
    }
    opened.items.iter().map(|one| one.size).sum()
}

/// The declared variables that are set, and where temporary files go.
fn environment(request: &SealRequest, temporary: &Path) -> Vec<OsString> {
    let pair = |name: &str, value: &OsStr| {
        let mut text = OsString::from(format!("{name}="));
        text.push(value);
        text
    };
    let mut found: Vec<OsString> =
        request.environment.iter().filter_map(|(name, value)| Some(pair(name, value.as_deref()?))).collect();
    if !request.environment.iter().any(|(name, _)| name == "TMPDIR") {
        found.push(pair("TMPDIR", temporary.as_os_str()));
    }
    found
}

/// The folder for results: new or empty, and nowhere within what is declared.
fn results_folder(out: &Path, opened: &OpenedItems) -> Result<PathBuf, SealError> {
    let refused = |why: String| SealError::Out { path: out.to_owned(), why };
    match fs::read_dir(out).map(|mut entries| entries.next().is_none()) {
        Ok(true) => {}
        Ok(false) => return Err(refused("is not empty".to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Before it is made: what is declared must not change by it.
            let above = out.ancestors().skip(1).find_map(|path| {
                if path.as_os_str().is_empty() { fs::canonicalize(".") } else { fs::canonicalize(path) }.ok()
            });
            check_outside(above.as_deref(), opened).map_err(refused)?;
            fs::create_dir_all(out).at("create the folder", out)?;
        }
        Err(error) => return Err(refused(format!("cannot be that ({error})"))),
    }
    let results = fs::canonicalize(out).at("find the folder", out)?;
    check_outside(Some(&results), opened).map_err(refused)?;
    Ok(results)
}

fn check_outside(results: Option<&Path>, opened: &OpenedItems) -> Result<(), String> {
    let Some(results) = results else { return Ok(()) };
    match opened.items.iter().find(|one| one.is_folder && results.starts_with(&one.real)) {
        Some(one) => Err(format!("lies in `{}`, which is declared", one.item.name)),
        None => Ok(()),
    }
}

/// The keeper: enters the namespaces, starts their first process, and goes with it.
fn keep(sole: &Sole, task: &FirstTask<'_>) -> i32 {
    let entered = enter(sole).map_err(|(step, source)| FirstReport::Failed {
        step: step.to_owned(),
        about: String::new(),
        why: error_chain(&source),
        kind: FailedStep::Confinement,
    });
    match entered {
        Ok(()) => {}
        Err(report) => return i32::from(send(&mut &*task.report, &report).is_err()),
    }
    match sole.fork(|sole| first::run(&sole, task)) {
        Ok(pid) => i32::from(wait(pid, 0).is_err()),
        Err(_) => 1,
    }
}

fn enter(sole: &Sole) -> Result<(), (&'static str, io::Error)> {
    let (user, group) = (nix::unistd::geteuid(), nix::unistd::getegid());
    if user.is_root() {
        // Groups are of no use inside, and could not be given up there.
        let _ = nix::unistd::setgroups(&[]);
    }
    let failed = |step| move |source| (step, source);
    sole.enter(NewNamespaces::Sealed)
        .map_err(|errno| ("namespaces of its own are refused", io::Error::from_raw_os_error(errno)))?;
    let write = |path: &str, text: String| OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes());
    write("/proc/self/setgroups", "deny".to_owned()).map_err(failed("its user namespace cannot be set up"))?;
    write("/proc/self/uid_map", format!("{USER_INSIDE} {user} 1")).map_err(failed("no user can be had inside"))?;
    write("/proc/self/gid_map", format!("{USER_INSIDE} {group} 1")).map_err(failed("no group can be had inside"))?;
    sealing::end_with_parent()
        .map_err(|errno| ("a process cannot be bound to its parent", io::Error::from_raw_os_error(errno)))?;
    Ok(())
}

fn received(report: &mut BufReader<File>, keeper: i32) -> Result<FirstReport, SealError> {
    match receive(report) {
        Ok(Some(found)) => Ok(found),
        Ok(None) => {
            let how = match wait(keeper, 0) {
                Ok(Some((_, status))) => format!("its status is {status:#x}"),
                _ => "its status is not known".to_owned(),
            };
            Err(SealError::Lost(how))
        }
        Err(error) => Err(SealError::Lost(error.to_string())),
    }
}

fn failure(step: String, about: String, why: String, kind: FailedStep) -> SealError {
    match kind {
        FailedStep::Confinement => {
            let step =
                if about.is_empty() { format!("{step}: {why}") } else { format!("could not {step} `{about}`: {why}") };
            SealError::Unavailable { step }
        }
        FailedStep::Root => SealError::Root { step, about, why },
        FailedStep::Command => SealError::Command { command: about, why },
    }
}

/// What the command writes to its two streams goes to two files, until it and all that it started are gone. What was reported
/// meanwhile is given back.
fn pump(
    results: &Path,
    streams: [&OwnedFd; 2],
    mut report: BufReader<File>,
) -> Result<(OutputDigest, OutputDigest, Vec<u8>), SealError> {
    let create = |name: &str| {
        let path = results.join(name);
        OpenOptions::new().write(true).create_new(true).mode(0o444).open(&path).at("create", &path)
    };
    let mut sinks = [(create("stdout")?, Hasher::default()), (create("stderr")?, Hasher::default())];
    let mut reported = report.buffer().to_vec();
    let mut open = [streams[0].as_raw_fd(), streams[1].as_raw_fd(), report.get_ref().as_raw_fd()];
    let mut block = vec![0; 64 * 1024];
    while open.iter().any(|fd| *fd >= 0) {
        let mut watched = open.map(|fd| Watched::new(fd, libc::POLLIN));
        poll(&mut watched, -1).map_err(|errno| SealError::Lost(io::Error::from_raw_os_error(errno).to_string()))?;
        for (n, one) in watched.iter().enumerate().filter(|(_, one)| one.came != 0) {
            let count = match crate::sys::linux::path::read(one.fd, &mut block) {
                Ok(count) => count as usize,
                Err(libc::EINTR) => continue,
                Err(_) => 0,
            };
            if count == 0 {
                open[n] = -1;
                continue;
            }
            match sinks.get_mut(n) {
                Some((file, hasher)) => {
                    hasher.update(&block[..count]);
                    file.write_all(&block[..count]).at("write", results)?;
                }
                None => reported.extend_from_slice(&block[..count]),
            }
        }
    }
    let [stdout, stderr] = sinks.map(|(_, hasher)| {
        let (sha256, bytes) = hasher.finish();
        OutputDigest { sha256, bytes }
    });
    let _ = report.read(&mut []);
    Ok((stdout, stderr, reported))
}

fn layers(bounds: SealBounds, landlock_abi: Option<i64>) -> Vec<String> {
    let names: &[&str] = match bounds {
        SealBounds::Full => &["namespaces", "root", "seccomp"],
        SealBounds::Weaker => &["seccomp"],
        SealBounds::Observed => return Vec::new(),
    };
    let mut found: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    found.extend(landlock_abi.map(|abi| format!("landlock:{abi}")));
    found
}

/// Why an identity says less than that of a command whose every byte is held.
fn partial(bounds: SealBounds, items: &[PlacedItem], landlock_abi: Option<i64>) -> Vec<String> {
    let checked: u64 = items.iter().map(|item| item.held.checked).sum();
    let mut found: Vec<String> = bounds.shortfall().map(str::to_owned).into_iter().collect();
    if checked > 0 {
        found.push(format!("{checked} files are held by nothing but a second digest"));
    }
    if landlock_abi.is_none() && bounds != SealBounds::Observed {
        found.push("this kernel has no Landlock, so there is no second layer".to_owned());
    }
    found
}

/// What reached the command all the same.
fn not_held(bounds: SealBounds, items: &[PlacedItem], connections: &[DeclaredConnection]) -> Vec<String> {
    let mut found: Vec<String> = NOT_HELD.map(str::to_owned).into();
    match bounds {
        SealBounds::Full => {}
        SealBounds::Weaker => {
            found.push("names and metadata of all files, /proc, the host's name and users".to_owned())
        }
        SealBounds::Observed => found.push("everything that its user can reach".to_owned()),
    }
    if items.iter().any(|item| item.held.leased + item.held.not_mine + item.held.verity + item.held.checked > 0) {
        found.push("times, modes and owners of files that were not copied".to_owned());
    }
    found.extend(connections.iter().map(|one| format!("what comes through the connection `{}`", one.shown())));
    found
}

/// What is sealed: the document, and what was found.
struct Declared<'a> {
    request: &'a SealRequest,
    opened: &'a OpenedItems,
    items: &'a [PlacedItem],
    landlock_abi: Option<i64>,
    seen: Value,
    command: Value,
    bounds: SealBounds,
    /// Where temporary files go, as the command sees it.
    temporary: &'a Path,
}

impl Declared<'_> {
    fn seal(self) -> Result<Declaration, SealError> {
        let mut parts = self.request.parts.clone();
        let (mut inputs, mut files) = (Map::new(), Map::new());
        for (one, placed) in self.opened.items.iter().zip(self.items) {
            let digest = sha256(placed.digest);
            let value = if placed.is_folder {
                json!({"folder": digest})
            } else {
                json!({"digest": digest, "executable": placed.executable})
            };
            let (into, name) = if one.item.is_runtime {
                (&mut files, one.place.to_string_lossy().into_owned())
            } else {
                (&mut inputs, one.item.name.clone())
            };
            into.insert(name, value);
        }
        let links: Map<String, Value> = self
            .opened
            .links
            .iter()
            .map(|(path, text)| (path.to_string_lossy().into_owned(), facts::stated(text)))
            .collect();
        let mut environment: Map<String, Value> = self
            .request
            .environment
            .iter()
            .map(|(name, value)| {
                let value = match value {
                    None => json!({"absent": "not set"}),
                    Some(value) if facts::is_secret(name) => json!({"digest": sha256(Digest::of(value.as_bytes()))}),
                    Some(value) => facts::stated(value),
                };
                (name.clone(), value)
            })
            .collect();
        environment.entry("TMPDIR").or_insert_with(|| facts::stated(self.temporary.as_os_str()));
        let (kernel, processor) = facts::machine();
        let mut runtime = json!({
            "files": files,
            "links": links,
            "environment": environment,
            "launch": facts::launch(self.bounds, self.request),
            "kernel": kernel,
            "processor": processor,
            "seen": self.seen,
            "layers": layers(self.bounds, self.landlock_abi),
        });
        let why = partial(self.bounds, self.items, self.landlock_abi);
        if !why.is_empty() {
            runtime["partial"] = json!(why);
        }
        parts.artifact.insert(ADDED_BY_SEALING.to_owned(), json!({"inputs": inputs, "command": self.command}));
        parts.runtime.insert(ADDED_BY_SEALING.to_owned(), runtime);
        Ok(seal_parts(&self.request.schema_version, &self.request.kind, parts)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::system_ending::{CommandEnd, HeldBy};

    #[test]
    fn a_success_is_an_exit_with_nothing_else() {
        assert!(CommandEnd { code: Some(0), signal: None }.is_success());
        assert!(!CommandEnd { code: Some(3), signal: None }.is_success());
        assert!(!CommandEnd { code: None, signal: Some(9) }.is_success());
    }

    #[test]
    fn what_is_only_checked_makes_the_identity_partial() {
        let placed = |checked| PlacedItem {
            digest: Digest::of(b""),
            is_folder: false,
            executable: false,
            bytes: 0,
            held: HeldBy { checked, ..HeldBy::default() },
            listed: None,
        };
        let full = SealBounds::Full;
        assert!(partial(full, &[placed(0)], Some(7)).is_empty());
        assert_eq!(
            partial(full, &[placed(2), placed(1)], Some(7)),
            ["3 files are held by nothing but a second digest"]
        );
        assert_eq!(partial(full, &[], None).len(), 1);
        assert_eq!(partial(SealBounds::Weaker, &[], Some(7)).len(), 1);
        assert_eq!(partial(SealBounds::Observed, &[], None).len(), 1);
    }
}
