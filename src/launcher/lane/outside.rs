//! What the host reads of a worker's process, without its help: it cannot be forged from inside.

use std::path::Path;

use crate::launcher::frame::SessionKey;
use crate::launcher::said::{Hello, SUBCOMMAND};

/// What the host found.
#[derive(Debug, Clone, Default)]
pub(super) struct HostView {
    pub(super) mountinfo: String,
    pub(super) cgroup: Option<String>,
    pub(super) pid_namespace: Option<String>,
    pub(super) ipc_namespace: Option<String>,
    pub(super) tracer: Option<i32>,
    pub(super) seccomp_mode: Option<u32>,
    pub(super) seccomp_filters: Option<u32>,
}

/// Looks for the worker of a start among this machine's processes. `None`: it is not there, or nobody may look.
pub(super) fn find(key: &SessionKey) -> Option<HostView> {
    let entries = std::fs::read_dir("/proc").ok()?;
    let mut found: Vec<i32> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| is_worker(*pid, key))
        .collect();
    // Processes that it has made have the same command line.
    found.sort_unstable();
    found.into_iter().find_map(|pid| {
        let text = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).ok();
        let namespace = |name: &str| {
            let link = std::fs::read_link(format!("/proc/{pid}/ns/{name}")).ok()?;
            Some(link.to_string_lossy().into_owned())
        };
        let mountinfo = text("mountinfo").filter(|text| !text.is_empty())?;
        let status = text("status").unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|value| value.trim().parse::<u32>().ok())
        };
        Some(HostView {
            mountinfo,
            cgroup: text("cgroup").map(|text| text.trim().to_owned()),
            pid_namespace: namespace("pid"),
            ipc_namespace: namespace("ipc"),
            tracer: field("TracerPid").and_then(|pid| i32::try_from(pid).ok()),
            seccomp_mode: field("Seccomp"),
            seccomp_filters: field("Seccomp_filters"),
        })
    })
}

/// Whether the process is the worker and not a shell or launcher that has its command among its arguments.
fn is_worker(pid: i32, key: &SessionKey) -> bool {
    let Ok(line) = std::fs::read(format!("/proc/{pid}/cmdline")) else { return false };
    let mut words = line.split(|byte| *byte == 0).skip(1);
    words.next() == Some(SUBCOMMAND.as_bytes())
        && words.next().is_some_and(|token| token.starts_with(key.as_str().as_bytes()))
}

/// Whether the same is true of both processes as far as permission goes.
pub(super) fn same_credentials(a: &Hello, b: &Hello) -> bool {
    (&a.uids, &a.gids, &a.capabilities) == (&b.uids, &b.gids, &b.capabilities)
}

/// The real path of something, its last part kept as it is: also of what is not there yet.
pub(super) fn real_path(path: &str) -> Option<String> {
    let path = Path::new(path);
    let (parent, name) = (path.parent()?, path.file_name()?);
    Some(parent.canonicalize().ok()?.join(name).to_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_users_groups_or_capabilities_are_other_credentials() {
        let hello =
            Hello { uids: "0 0 0 0".into(), gids: "0 0 0 0".into(), capabilities: "1ff".into(), ..Hello::default() };
        assert!(same_credentials(&hello, &hello.clone()));
        for other in [
            Hello { uids: "1 1 1 1".into(), ..hello.clone() },
            Hello { gids: "1 1 1 1".into(), ..hello.clone() },
            Hello { capabilities: "0".into(), ..hello.clone() },
        ] {
            assert!(!same_credentials(&hello, &other));
        }
    }
}
