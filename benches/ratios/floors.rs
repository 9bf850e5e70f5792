//! The floors: each does only what cannot be left out. Every mode is a process of its own, started as
//! `ratios floor MODE ARGUMENT…`.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::time::Instant;

use sandproof::test_support::base::bundle_path::BundlePath;
use sandproof::test_support::base::digest::Digest;
use sandproof::test_support::base::ids::{PlanId, RunId, WorldId};
use sandproof::test_support::bundle::index::ExpectedArtifacts;
use sandproof::test_support::bundle::{BundleWriter, LockMode, OutputLock, RunEnd};
use sandproof::test_support::record::manifest::{ChannelKind, RunStatus};
use serde_json::Value;

use super::Result;

const PROBE_ROW: &str = include_str!("../../schemas/probe_row.schema.json");
const ORACLE_ROW: &str = include_str!("../../schemas/oracle_row.schema.json");

/// Does what the words say. `digest`, `bundle` and `events` are no floors: they measure the crate's own code. Nor is
/// `unbound`, which becomes another program.
pub fn main(words: &[String]) -> Result<()> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["fork", count] => println!("{}", forks(count.parse()?)?),
        ["shared", count] => println!("{}", shared_children(count.parse()?)?),
        ["bound fork", nth, count] => {
            bind_to_nth(nth.parse()?)?;
            println!("{}", forks(count.parse()?)?);
        }
        ["unbound", program, ref words @ ..] => return Err(unbound(program, words)),
        ["parse", ref files @ ..] => {
            for file in files {
                parse(Path::new(file))?;
            }
        }
        ["typed", rows] => println!("{}", super::derive::typed(Path::new(rows))?),
        ["events", workspace, manifest, rows] => {
            let seconds = super::derive::events(Path::new(workspace), Path::new(manifest), Path::new(rows))?;
            println!("{seconds}");
        }
        ["digest", path] => println!("{}", Digest::of_reader(File::open(path)?)?.0),
        ["commit", folder, count, bytes] => println!("{}", commit(Path::new(folder), count.parse()?, bytes.parse()?)?),
        ["bundle", folder, count, bytes] => println!("{}", bundle(Path::new(folder), count.parse()?, bytes.parse()?)?),
        _ => return Err(format!("no such floor: {}", words.join(" ")).into()),
    }
    Ok(())
}

/// Seconds for `count` times fork, `_exit` and wait, one after the other, from this small process.
#[allow(unsafe_code, reason = "a floor has nothing between itself and the kernel")]
fn forks(count: u32) -> Result<f64> {
    let started = Instant::now();
    for _ in 0..count {
        // SAFETY: this process has one thread, and the child calls nothing but _exit(2).
        let pid = unsafe { libc::fork() };
        match pid {
            -1 => return Err(std::io::Error::last_os_error().into()),
            // SAFETY: ends this child; it runs no destructor and touches no memory of ours.
            0 => unsafe { libc::_exit(0) },
            _ => {}
        }
        let mut status = 0;
        // SAFETY: `status` is a live integer that the kernel writes during the call.
        if unsafe { libc::waitpid(pid, &raw mut status, 0) } != pid || status != 0 {
            return Err("a child ended otherwise than it was told".into());
        }
    }
    Ok(started.elapsed().as_secs_f64())
}

/// Seconds for `count` times clone(2) of a process that shares this one's memory, `_exit` and wait, one after the other.
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "a floor has nothing between itself and the kernel")]
fn shared_children(count: u32) -> Result<f64> {
    extern "C" fn child(_: *mut libc::c_void) -> libc::c_int {
        // SAFETY: ends this process; it runs no destructor and touches no memory of the one that it shares it with.
        unsafe { libc::_exit(0) }
    }
    // Aligned to 16 bytes, as the calling convention asks of a stack's end.
    let mut stack = vec![0_u128; 64 * 1024 / 16];
    let started = Instant::now();
    for _ in 0..count {
        // SAFETY: the end of a live stack that nothing else uses until the child has been waited for.
        let pid = unsafe {
            let end = stack.as_mut_ptr_range().end.cast();
            libc::clone(child, end, libc::CLONE_VM | libc::SIGCHLD, std::ptr::null_mut())
        };
        if pid < 0 {
            return Err(std::io::Error::last_os_error().into());
        }
        let mut status = 0;
        // SAFETY: `status` is a live integer that the kernel writes during the call.
        if unsafe { libc::waitpid(pid, &raw mut status, 0) } != pid || status != 0 {
            return Err("a child ended otherwise than it was told".into());
        }
    }
    Ok(started.elapsed().as_secs_f64())
}

#[cfg(not(target_os = "linux"))]
fn shared_children(_count: u32) -> Result<f64> {
    Err("the floors are made for Linux".into())
}

/// Binds this process, and with it whatever it forks, to the `nth` of the processors that it may run on, counted round.
#[cfg(target_os = "linux")]
fn bind_to_nth(nth: usize) -> Result<()> {
    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    use nix::unistd::Pid;
    let this = Pid::from_raw(0);
    let allowed = sched_getaffinity(this)?;
    let allowed: Vec<usize> = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap_or(false)).collect();
    let mut one = CpuSet::new();
    one.set(*allowed.get(nth % allowed.len().max(1)).ok_or("this process may run nowhere")?)?;
    Ok(sched_setaffinity(this, &one)?)
}

#[cfg(not(target_os = "linux"))]
fn bind_to_nth(_nth: usize) -> Result<()> {
    Err("the floors are made for Linux".into())
}

/// Becomes `program`, which cannot bind itself to a processor: sched_setaffinity(2) answers EPERM. Returns only if that
/// fails.
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "seccomp(2) takes a filter by address")]
fn unbound(program: &str, words: &[&str]) -> Box<dyn std::error::Error> {
    use std::os::unix::process::CommandExt;

    use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO};
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut steps = [
        // The number of the call is the first member of seccomp_data (linux/seccomp.h).
        step(BPF_LD | BPF_W | BPF_ABS, 0, 0, 0),
        step(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, libc::SYS_sched_setaffinity as u32),
        step(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | libc::EPERM as u32),
        step(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW),
    ];
    let filter = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: the first call takes numbers alone; the second reads `filter` and the steps it points to, which are live.
    let done = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) == 0
    };
    if !done {
        return std::io::Error::last_os_error().into();
    }
    std::process::Command::new(program).args(words).exec().into()
}

#[cfg(not(target_os = "linux"))]
fn unbound(_program: &str, _words: &[&str]) -> Box<dyn std::error::Error> {
    "the floors are made for Linux".into()
}

/// Parses every line and asks a compiled schema whether it is valid: what a validator of rows cannot leave out.
fn parse(rows: &Path) -> Result<()> {
    let is_oracle = rows.file_stem().is_some_and(|name| name == "oracle");
    let schema: Value = serde_json::from_str(if is_oracle { ORACLE_ROW } else { PROBE_ROW })?;
    let schema = jsonschema::validator_for(&schema).map_err(|error| error.to_string())?;
    let mut lines = BufReader::with_capacity(256 * 1024, File::open(rows)?);
    let mut line = Vec::new();
    let mut count = 0_usize;
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let row: Value = serde_json::from_slice(&line)?;
        if !schema.is_valid(&row) {
            return Err(format!("{}: line {} is not valid", rows.display(), count + 1).into());
        }
        count += 1;
    }
    if count == 0 { Err(format!("{} is empty", rows.display()).into()) } else { Ok(()) }
}

/// Seconds for the plain crash-safe protocol: every file written and synced, then the folder, a rename, the parent.
fn commit(folder: &Path, count: usize, bytes: usize) -> Result<f64> {
    let content = content(bytes);
    let staging = folder.with_extension("staging");
    let parent = folder.parent().ok_or("the folder has no parent")?;
    let started = Instant::now();
    fs::create_dir(&staging)?;
    for n in 0..count {
        let mut file = File::create_new(staging.join(format!("artifact-{n:04}.json")))?;
        file.write_all(&content)?;
        file.sync_all()?;
    }
    File::open(&staging)?.sync_all()?;
    fs::rename(&staging, folder)?;
    File::open(parent)?.sync_all()?;
    Ok(started.elapsed().as_secs_f64())
}

/// Seconds for the crate's own writer to do as much: lock, status, the same files, index, `LATEST`.
fn bundle(folder: &Path, count: usize, bytes: usize) -> Result<f64> {
    let content = content(bytes);
    let root = folder.parent().ok_or("the folder has no parent")?;
    let name = folder.file_name().and_then(OsStr::to_str).ok_or("the folder has no name")?;
    let run_id = RunId::new(name)?;
    let plan = (PlanId::new("bench")?, Digest::of(b"bench"));
    let written = (std::process::id(), 0.0);
    let status = RunStatus::begun(run_id.clone(), WorldId::new("bench")?, ChannelKind::Direct, plan, written);
    // The writer adds its own status file and index to these.
    let paths: Vec<BundlePath> = (0..count)
        .map(|n| BundlePath::new(format!("inputs/artifact-{n:04}.json")))
        .collect::<std::result::Result<_, _>>()?;
    let expected = ExpectedArtifacts {
        baseline: false,
        scenario: false,
        oracle: false,
        preflight: false,
        channel_witness: false,
        identity: false,
    };
    let started = Instant::now();
    let lock = OutputLock::acquire(root, LockMode::Fail, &run_id, &|| false)?;
    let mut writer = BundleWriter::create(&lock, &format!("out/{name}"), status, expected)?;
    for path in &paths {
        writer.put(path, &content)?;
    }
    let committed = writer.commit(RunEnd::Complete { dry: false })?;
    let seconds = started.elapsed().as_secs_f64();
    if committed.index.artifacts.len() <= count {
        return Err("the index does not list what was written".into());
    }
    Ok(seconds)
}

fn content(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|n| b'a' + (n % 23) as u8).collect()
}
