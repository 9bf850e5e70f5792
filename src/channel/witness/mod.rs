//! What a worker says of the context that it was started in.

pub mod proc_text;

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod os;
#[cfg(not(target_os = "linux"))]
#[path = "other.rs"]
mod os;

use crate::base::digest::Digest;
use crate::record::channel_witness::{
    EnvironmentEntry, NamespaceEntry, PreloadEntry, RlimitEntry, RootEntry, WORKER_WITNESS_SCHEMA, WorkerWitness,
};
use crate::record::report::OpenFd;

/// The environment variable that carries a job's nonce.
pub const NONCE_VARIABLE: &str = "SANDPROOF_JOB_NONCE";

/// What the system says of this process and its parent; each part may be unknown.
#[derive(Debug, Default)]
struct ProcessFacts {
    parent_name: Option<String>,
    control_group: Option<String>,
    status: proc_text::Status,
    parent_capability_bounding_set: Option<String>,
    lsm_label: Option<String>,
    root_directory: Option<RootEntry>,
    preload: Option<PreloadEntry>,
    namespaces: Vec<NamespaceEntry>,
}

/// What has to be found out by others, before anything else happens in the worker.
#[derive(Debug, Default)]
pub struct InheritedState {
    /// The descriptors that were open when the process started.
    pub open_fds: Option<Vec<OpenFd>>,
    /// How many Landlock domains it is in.
    pub landlock_layers: Option<u32>,
    /// Whether `sandbox_check` finds it confined.
    pub seatbelt_confined: Option<bool>,
}

/// Collects what this process can say of itself. `environment` is the process's own, as (name, value) pairs.
pub fn collect(given: InheritedState, environment: &[(String, Vec<u8>)]) -> WorkerWitness {
    let value = |wanted: &str| {
        let (_, value) = environment.iter().find(|(name, _)| name == wanted)?;
        Some(value.as_slice())
    };
    let mut entries: Vec<EnvironmentEntry> = environment
        .iter()
        .map(|(name, value)| EnvironmentEntry { name: name.clone(), value_sha256: Digest::of(value) })
        .collect();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let facts = os::facts();
    WorkerWitness {
        schema_version: WORKER_WITNESS_SCHEMA.to_string(),
        pid: std::process::id() as i32,
        ppid: nix::unistd::getppid().as_raw(),
        parent_name: facts.parent_name,
        session: nix::unistd::getsid(None).ok().map(nix::unistd::Pid::as_raw),
        unit: facts
            .control_group
            .as_deref()
            .and_then(proc_text::unit_of)
            .or_else(|| value("XPC_SERVICE_NAME").map(|name| String::from_utf8_lossy(name).into_owned())),
        invocation_id: value("INVOCATION_ID").map(|id| String::from_utf8_lossy(id).into_owned()),
        nonce_sha256: value(NONCE_VARIABLE).map(Digest::of),
        control_group: facts.control_group,
        environment: entries,
        open_fds: given.open_fds,
        rlimits: rlimits(),
        umask: umask(),
        ids: [
            nix::unistd::getuid().as_raw(),
            nix::unistd::geteuid().as_raw(),
            nix::unistd::getgid().as_raw(),
            nix::unistd::getegid().as_raw(),
        ],
        namespaces: facts.namespaces,
        no_new_privs: facts.status.no_new_privs,
        seccomp: facts.status.seccomp,
        capability_bounding_set: facts.status.capability_bounding_set,
        parent_capability_bounding_set: facts.parent_capability_bounding_set,
        effective_capabilities: facts.status.effective_capabilities,
        ambient_capabilities: facts.status.ambient_capabilities,
        root_directory: facts.root_directory,
        preload: facts.preload,
        lsm_label: facts.lsm_label,
        landlock_layers: given.landlock_layers,
        seatbelt_confined: given.seatbelt_confined,
    }
}

/// How many seccomp filters this process has; `None` where the system does not say.
pub fn seccomp_filters() -> Option<u32> {
    os::seccomp_filters()
}

/// The label that a security module gave this process, empty if none keeps labels; `None` where the system does not say.
pub fn lsm_label() -> Option<String> {
    os::lsm_label()
}

/// The file mode creation mask of this process.
pub fn umask() -> u32 {
    use nix::sys::stat::{Mode, umask};
    // There is no other way to read it than to set it.
    let mask = umask(Mode::from_bits_truncate(0o077));
    umask(mask);
    mask.bits() as u32
}

/// The resource limits of this process.
pub fn rlimits() -> Vec<RlimitEntry> {
    use nix::sys::resource::{Resource, getrlimit};
    let known = [
        ("RLIMIT_AS", Resource::RLIMIT_AS),
        ("RLIMIT_CORE", Resource::RLIMIT_CORE),
        ("RLIMIT_CPU", Resource::RLIMIT_CPU),
        ("RLIMIT_DATA", Resource::RLIMIT_DATA),
        ("RLIMIT_FSIZE", Resource::RLIMIT_FSIZE),
        #[cfg(target_os = "linux")]
        ("RLIMIT_MEMLOCK", Resource::RLIMIT_MEMLOCK),
        ("RLIMIT_NOFILE", Resource::RLIMIT_NOFILE),
        #[cfg(target_os = "linux")]
        ("RLIMIT_NPROC", Resource::RLIMIT_NPROC),
        ("RLIMIT_STACK", Resource::RLIMIT_STACK),
    ];
    let finite = |limit: u64| (limit != nix::libc::RLIM_INFINITY).then_some(limit);
    known
        .into_iter()
        .filter_map(|(name, resource)| {
            let (soft, hard) = getrlimit(resource).ok()?;
            Some(RlimitEntry { name: name.to_string(), soft: finite(soft), hard: finite(hard) })
        })
        .collect()
}
