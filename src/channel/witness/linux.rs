//! Linux facts, from procfs.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

use super::{ProcessFacts, proc_text};
use crate::record::channel_witness::{NamespaceEntry, PreloadEntry, RootEntry};

/// The namespaces that decide what a process sees (namespaces(7)).
const NAMESPACES: [&str; 8] = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];

pub(super) fn facts() -> ProcessFacts {
    let parent = nix::unistd::getppid();
    let read = |path: String| fs::read_to_string(path).ok();
    let link = |path: String| Some(fs::read_link(path).ok()?.to_string_lossy().into_owned());
    ProcessFacts {
        parent_name: read(format!("/proc/{parent}/comm")).map(|text| text.trim_end().to_owned()),
        control_group: read("/proc/self/cgroup".into()).as_deref().and_then(proc_text::control_group),
        status: read("/proc/self/status".into()).as_deref().map(proc_text::status).unwrap_or_default(),
        parent_capability_bounding_set: read(format!("/proc/{parent}/status"))
            .and_then(|text| proc_text::status(&text).capability_bounding_set),
        lsm_label: lsm_label(),
        root_directory: Some(RootEntry {
            own: root("/proc/self/root/.").ok(),
            parent: root(&format!("/proc/{parent}/root/.")).ok(),
        }),
        preload: Some(preload()),
        namespaces: NAMESPACES
            .iter()
            .map(|name| NamespaceEntry {
                name: (*name).to_string(),
                own: link(format!("/proc/self/ns/{name}")),
                parent: link(format!("/proc/{parent}/ns/{name}")),
            })
            .collect(),
    }
}

/// A root directory as mount, device and inode. The same folder through another mount is another root.
fn root(path: &str) -> io::Result<String> {
    let folder = OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_DIRECTORY).open(path)?;
    let metadata = folder.metadata()?;
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", folder.as_raw_fd()))?;
    let mount = text.lines().find_map(|line| line.strip_prefix("mnt_id:")).map(str::trim);
    let mount = mount.ok_or(io::ErrorKind::InvalidData)?;
    let (major, minor) = (libc::major(metadata.dev()), libc::minor(metadata.dev()));
    Ok(format!("mount {mount}, device {major}:{minor}, inode {}", metadata.ino()))
}

/// What a loader was told, and what is loaded.
fn preload() -> PreloadEntry {
    let named = match fs::read("/etc/ld.so.preload") {
        Ok(bytes) => Some(proc_text::preloaded(&String::from_utf8_lossy(&bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(Vec::new()),
        Err(_) => None,
    };
    let own = fs::read_link("/proc/self/exe").ok();
    let libraries = own.and_then(|own| {
        let maps = fs::read("/proc/self/maps").ok()?;
        Some(proc_text::mapped_code(&String::from_utf8_lossy(&maps), &own.to_string_lossy()))
    });
    PreloadEntry { named, libraries }
}

pub(super) fn seccomp_filters() -> Option<u32> {
    fs::read_to_string("/proc/self/status").ok().and_then(|text| proc_text::status(&text).seccomp_filters)
}

/// The label of the security module that answers first. A kernel where none keeps labels says EINVAL or has no such
/// file: then the label is empty, which is an answer.
pub(super) fn lsm_label() -> Option<String> {
    match fs::read("/proc/self/attr/current") {
        Ok(bytes) => Some(String::from_utf8_lossy(&bytes).trim_end_matches(['\0', '\n']).to_owned()),
        Err(error) => match error.raw_os_error() {
            Some(libc::EINVAL | libc::ENOENT | libc::EOPNOTSUPP) => Some(String::new()),
            _ => None,
        },
    }
}
