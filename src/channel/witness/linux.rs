//! Linux facts, from procfs.

use std::fs;

use super::{Facts, proc_text};
use crate::record::channel_witness::NamespaceEntry;

/// The namespaces that decide what a process sees (namespaces(7)).
const NAMESPACES: [&str; 8] = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];

pub(super) fn facts() -> Facts {
    let parent = nix::unistd::getppid();
    let read = |path: String| fs::read_to_string(path).ok();
    let link = |path: String| Some(fs::read_link(path).ok()?.to_string_lossy().into_owned());
    Facts {
        parent_name: read(format!("/proc/{parent}/comm")).map(|text| text.trim_end().to_owned()),
        control_group: read("/proc/self/cgroup".into()).as_deref().and_then(proc_text::control_group),
        status: read("/proc/self/status".into()).as_deref().map(proc_text::status).unwrap_or_default(),
        parent_capability_bounding_set: read(format!("/proc/{parent}/status"))
            .and_then(|text| proc_text::status(&text).capability_bounding_set),
        lsm_label: lsm_label(),
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

/// The label of the security module that answers first. A kernel where none keeps labels says EINVAL or has no such
/// file: then the label is empty, which is an answer.
fn lsm_label() -> Option<String> {
    match fs::read("/proc/self/attr/current") {
        Ok(bytes) => Some(String::from_utf8_lossy(&bytes).trim_end_matches(['\0', '\n']).to_owned()),
        Err(error) => match error.raw_os_error() {
            Some(libc::EINVAL | libc::ENOENT | libc::EOPNOTSUPP) => Some(String::new()),
            _ => None,
        },
    }
}
