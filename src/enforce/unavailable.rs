//! Systems without Landlock.

use crate::policy::Enforceable;
use crate::record::outcome::FailureKind;
use crate::record::report::ApplyRecord;

/// The Landlock ABI of the running kernel: none here.
pub fn landlock_abi() -> Option<i32> {
    None
}

/// What a host without an ABI to enforce would need.
pub fn landlock_needs() -> &'static str {
    "Landlock (Linux 5.13 or newer, switched on)"
}

/// The Landlock errata that are fixed: none to speak of here.
pub fn landlock_errata() -> Option<Vec<u32>> {
    None
}

/// In how many Landlock domains this process already is: not a question here.
pub fn already_confined_layers() -> Option<u32> {
    None
}

/// Whether Landlock domains around this process refuse moves between folders once a policy is in force: not a question
/// here.
pub fn refer_refused_around(_folder: &std::path::Path) -> Option<bool> {
    None
}

/// Stands for a policy that cannot be put in force here.
#[derive(Debug)]
pub struct Ready(ApplyRecord);

/// Notes that Landlock is a part of Linux.
pub fn ready(_policy: &Enforceable) -> Ready {
    Ready(ApplyRecord {
        api: "landlock_restrict_self".into(),
        rc: -1,
        errno: libc::ENOSYS,
        class: None,
        failure: Some(FailureKind::EnforcerUnavailable),
        message: Some("Landlock is a part of Linux; this is another system".into()),
        abi: None,
        unsupported: Vec::new(),
    })
}

/// Refuses.
pub fn apply(policy: &mut Ready) -> &ApplyRecord {
    &policy.0
}
