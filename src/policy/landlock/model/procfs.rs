//! The files of procfs that show another process.
//!
//! Landlock's rules let them be opened like any other file; but many of them ask whether the reader may inspect the
//! process that they show (ptrace(2), "Ptrace access mode checking"), and a process in a domain may inspect none outside of
//! it, whatever the policy handles or grants (security/landlock/task.c, `hook_ptrace_access_check`).
//!
//! Sources: fs/proc/base.c (`tgid_base_stuff`, `tid_base_stuff` and the functions in them), fs/proc/task_mmu.c,
//! fs/proc/fd.c; kernel/fork.c (`mm_access`).

use crate::record::driver::{Driver, TargetKind};

/// How a driver meets a file of procfs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// It opens it under the policy.
    Opens,
    /// It reads through a descriptor from before, so that only what is asked at each reading is asked.
    Reads,
}

impl Access {
    /// How this driver does; `None` if it opens nothing.
    pub(super) fn of(driver: Driver) -> Option<Self> {
        match driver {
            Driver::FileReadInherited | Driver::FileTruncateInherited => Some(Self::Reads),
            // A bare handle asks the file nothing, and a thread from before is in no domain, unless the policy says so.
            Driver::FileOpenPath | Driver::FileReadOlderThread => None,
            Driver::FileTruncateFd | Driver::DeviceIoctl | Driver::FileLock | Driver::IoUringRead => Some(Self::Opens),
            // So that a new driver that opens is not forgotten.
            other => {
                let info = other.info();
                (info.target == TargetKind::Path && info.syscall == "openat").then_some(Self::Opens)
            }
        }
    }
}

/// What a file of another process asks beside the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ProcfsCondition {
    /// Nothing, but for what is taken for granted.
    Open {
        /// What is taken for granted, as text for people.
        assumes: String,
    },
    /// What no process in a domain has.
    Shut {
        /// The reason, as text for people.
        reason: String,
        /// What is taken for granted.
        assumes: String,
    },
    /// What is not known here: why.
    Unknown(String),
}

/// What an answer about the process that `path` is about takes for granted.
pub(super) fn assumption(path: &str) -> String {
    let pid = of_process(path).map_or("?", |(pid, _)| pid);
    format!("`/proc` shows process {pid}, which was started before the policy was applied")
}

/// The process and the rest of a path below another process's folder.
fn of_process(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix("/proc/")?;
    let (pid, file) = rest.split_once('/')?;
    pid.bytes().all(|byte| byte.is_ascii_digit()).then_some((pid, file))
}

/// Asked for the right to inspect at each reading, by numbers that every process has.
const AT_READING: &[&str] = &["io", "personality", "stack", "syscall"];
/// Asked for the right to attach, at opening.
const TO_ATTACH: &[&str] = &["mem"];
/// Asked for the right to inspect at opening; newer kernels spare who has `CAP_PERFMON`, and all spare kernel threads.
const MEMORY: &[&str] = &["auxv", "environ", "maps", "numa_maps", "pagemap", "smaps", "smaps_rollup"];
/// Asked nothing of the kind. Some of them show less to who may not inspect (`stat`, `wchan`), and none refuses.
const PLAIN: &[&str] = &[
    "autogroup",
    "cgroup",
    "cmdline",
    "comm",
    "coredump_filter",
    "cpuset",
    "gid_map",
    "limits",
    "loginuid",
    "mountinfo",
    "mounts",
    "mountstats",
    "oom_adj",
    "oom_score",
    "oom_score_adj",
    "projid_map",
    "sched",
    "schedstat",
    "sessionid",
    "setgroups",
    "stat",
    "statm",
    "status",
    "uid_map",
    "wchan",
];

/// What `path`, a host path without links, asks of a process in a domain beside Landlock's rules; `None` if it shows no
/// other process.
pub(super) fn gate(path: &str, access: Access) -> Option<ProcfsCondition> {
    let (_, file) = of_process(path)?;
    let assumes = assumption(path);
    let shut = AT_READING.contains(&file) || (access == Access::Opens && TO_ATTACH.contains(&file));
    let open =
        PLAIN.contains(&file) || (access == Access::Reads && (TO_ATTACH.contains(&file) || MEMORY.contains(&file)));
    Some(if shut {
        let reason = format!(
            "`{path}` is for who may inspect that process, and a process in any domain may not inspect one outside it, \
             whatever the policy grants"
        );
        ProcfsCondition::Shut { reason, assumes }
    } else if open {
        ProcfsCondition::Open { assumes }
    } else if MEMORY.contains(&file) {
        ProcfsCondition::Unknown(format!(
            "`{path}` is for who may inspect that process: no process in a domain may, but newer kernels spare those with \
             CAP_PERFMON, and kernel threads have no such memory"
        ))
    } else {
        ProcfsCondition::Unknown(format!("whether `{path}` is only for who may inspect that process is not known"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_other_processes_are_told_apart_by_what_they_ask() {
        let shut = |path: &str, access| matches!(gate(path, access), Some(ProcfsCondition::Shut { .. }));
        let unknown = |path: &str, access| matches!(gate(path, access), Some(ProcfsCondition::Unknown(_)));
        let open = |path: &str, access| matches!(gate(path, access), Some(ProcfsCondition::Open { .. }));
        for file in ["mem", "io", "syscall", "stack", "personality"] {
            assert!(shut(&format!("/proc/1/{file}"), Access::Opens), "{file}");
        }
        for file in [
            "environ",
            "maps",
            "smaps",
            "auxv",
            "pagemap",
            "fdinfo/0",
            "timers",
            "timerslack_ns",
            "ns",
            "attr/current",
            "new",
        ] {
            assert!(unknown(&format!("/proc/1/{file}"), Access::Opens), "{file}");
        }
        for file in ["status", "cmdline", "stat", "wchan", "cgroup"] {
            assert!(open(&format!("/proc/4711/{file}"), Access::Opens), "{file}");
        }
        // What was opened before is not asked about again, save where each reading asks.
        assert!(open("/proc/1/environ", Access::Reads) && open("/proc/1/mem", Access::Reads));
        assert!(shut("/proc/1/io", Access::Reads));
        for own in [
            "/proc/self/mem",
            "/proc/thread-self/environ",
            "/proc/meminfo",
            "/proc/1",
            "/etc/proc/1/mem",
            "/proc/sys/x",
        ] {
            assert_eq!(gate(own, Access::Opens), None, "{own}");
        }
    }
}
