//! What a worker finds around itself.

use std::collections::BTreeMap;
use std::ffi::CString;

use super::here;
use crate::launcher::said::{Hello, PathIdentity};
use crate::sys::native::path;
use crate::sys::native::process::{effective_ids, ids};

/// Namespaces that are named.
const NAMESPACES: [&str; 8] = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];

/// Looks around. What is in `/proc` is known on Linux alone.
pub(super) fn look(inherited: &[i32], tty: bool, in_process: bool, world: u64) -> Hello {
    let status = text("/proc/self/status");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(|value| value.trim().to_owned())
    };
    let view = here::look();
    let (uid, gid) = effective_ids();
    Hello {
        pid: ids().0,
        uids: field("Uid").unwrap_or_else(|| uid.to_string()),
        gids: field("Gid").unwrap_or_else(|| gid.to_string()),
        capabilities: field("CapEff").unwrap_or_default(),
        no_new_privs: view.no_new_privs,
        seccomp_mode: field("Seccomp").and_then(|text| text.parse().ok()).or(view.seccomp_mode),
        seccomp_filters: field("Seccomp_filters").and_then(|text| text.parse().ok()),
        tracer: field("TracerPid").and_then(|text| text.parse().ok()),
        cgroup: text("/proc/self/cgroup").trim().to_owned(),
        namespaces: namespaces(),
        net_cookie: view.net_cookie,
        seatbelt: view.seatbelt,
        mountinfo: text("/proc/self/mountinfo"),
        routes: text("/proc/self/net/route"),
        descriptors: inherited.iter().filter_map(|fd| Some((*fd, of_descriptor(*fd)?))).collect(),
        limits: limits(),
        cwd: std::env::current_dir().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default(),
        tty,
        environment: environment(),
        in_process,
        sees_root: std::fs::metadata("/").is_ok(),
        makes_sockets: view.makes_sockets,
        world,
    }
}

/// The namespaces of this process, by name.
pub(super) fn namespaces() -> BTreeMap<String, String> {
    NAMESPACES
        .iter()
        .filter_map(|name| {
            let link = std::fs::read_link(format!("/proc/self/ns/{name}")).ok()?;
            Some(((*name).to_owned(), link.to_string_lossy().into_owned()))
        })
        .collect()
}

/// Soft limits that error numbers speak of.
fn limits() -> BTreeMap<String, u64> {
    use nix::sys::resource::{Resource, getrlimit};
    [
        ("FSIZE", Resource::RLIMIT_FSIZE),
        ("NOFILE", Resource::RLIMIT_NOFILE),
        ("AS", Resource::RLIMIT_AS),
        ("DATA", Resource::RLIMIT_DATA),
    ]
    .into_iter()
    .chain(here::MORE_LIMITS)
    .filter_map(|(name, resource)| Some((name.to_owned(), getrlimit(resource).ok()?.0)))
    .collect()
}

/// The text of a file, empty if it cannot be read.
pub(super) fn text(path: &str) -> String {
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// What a path is, a final link followed or not.
pub(super) fn of_path(path: &str, follow: bool) -> Result<PathIdentity, i32> {
    use std::os::unix::fs::MetadataExt;
    CString::new(path).map_err(|_| libc::EINVAL)?;
    let found = if follow { std::fs::metadata(path) } else { std::fs::symlink_metadata(path) };
    let found = found.map_err(|error| error.raw_os_error().unwrap_or(libc::EIO))?;
    Ok(PathIdentity {
        dev: found.dev(),
        ino: found.ino(),
        mode: found.mode(),
        size: found.size() as i64,
        mtime: (found.mtime(), found.mtime_nsec()),
        born: PathIdentity::born_of(&found),
    })
}

/// What a descriptor is.
pub(super) fn of_descriptor(fd: i32) -> Option<PathIdentity> {
    let found = path::fstat(fd).ok()?;
    Some(PathIdentity { dev: found.dev, ino: found.ino, mode: found.mode, size: 0, mtime: (0, 0), born: None })
}

/// The names of the variables that reached the inside.
#[expect(clippy::disallowed_methods, reason = "what the launcher lets through is the question")]
fn environment() -> Vec<String> {
    std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()).collect()
}
