//! What the command sees of `/proc`: its own processes, and of the host two recorded files.

use std::fs;
use std::io;
use std::path::Path;

use nix::mount::{MsFlags, mount};

use super::shown::show;

/// What stays as the kernel has it: processes, and links to one's own.
const OWN: [&str; 4] = ["mounts", "net", "self", "thread-self"];

/// The texts that stand for two files of the host.
#[derive(Debug)]
pub(super) struct ProcTexts {
    /// `/proc/cpuinfo` without what changes from one moment to the next.
    pub cpuinfo: String,
    /// `/proc/stat` with as many processors and nothing counted.
    pub stat: String,
}

impl ProcTexts {
    /// Made of the host's.
    pub(super) fn of_host() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        Self { cpuinfo: steady_cpuinfo(&cpuinfo), stat: empty_stat(&stat) }
    }
}

/// The clock of a processor changes while nothing else does, and its speed is measured anew at each boot.
fn steady_cpuinfo(text: &str) -> String {
    let steady = |line: &str| match line.split_once(':') {
        Some((name, _)) if matches!(name.trim_end(), "cpu MHz" | "bogomips" | "BogoMIPS") => format!("{name}: 0.000\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(steady).collect()
}

fn empty_stat(text: &str) -> String {
    let processors = text.lines().filter_map(|line| line.split(' ').next()).filter(|name| name.starts_with("cpu"));
    let mut made: String = processors.map(|name| format!("{name} 0 0 0 0 0 0 0 0 0 0\n")).collect();
    made.push_str("intr 0\nctxt 0\nbtime 0\nprocesses 0\nprocs_running 1\nprocs_blocked 0\nsoftirq 0\n");
    made
}

/// Mounts the `/proc` of this process's namespace at `at`, and covers everything of the host in it: a file by the null device,
/// a folder by an empty one, two files by the recorded texts, which lie at `cpuinfo` and `stat`.
///
/// # Errors
/// What the kernel refuses.
pub(super) fn mount_reduced(at: &Path, null: &Path, cpuinfo: &Path, stat: &Path) -> io::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), at, Some("proc"), flags, Some("hidepid=invisible"))?;
    for entry in fs::read_dir(at)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if OWN.contains(&&*name) || name.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let path = entry.path();
        let kind = entry.file_type()?;
        if kind.is_dir() {
            let options = Some("size=4k,nr_inodes=1,mode=555");
            mount(Some("none"), &path, Some("tmpfs"), flags | MsFlags::MS_RDONLY, options)?;
        } else if kind.is_file() {
            match &*name {
                "cpuinfo" => show(cpuinfo, &path, false)?,
                "stat" => show(stat, &path, false)?,
                _ => show(null, &path, true)?,
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_by_itself_is_not_recorded() {
        let text = "processor\t: 0\nmodel name\t: M\ncpu MHz\t\t: 2100.123\nbogomips\t: 4200.00\n\n";
        assert_eq!(steady_cpuinfo(text), "processor\t: 0\nmodel name\t: M\ncpu MHz\t\t: 0.000\nbogomips\t: 0.000\n\n");
        let stat = empty_stat("cpu  1 2 3\ncpu0 1 2\ncpu1 1 2\nintr 5 6\nbtime 99\n");
        assert!(stat.starts_with("cpu 0 0") && stat.contains("\ncpu1 0 ") && stat.contains("btime 0\n"), "{stat}");
    }
}
