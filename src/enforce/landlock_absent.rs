//! Systems without Landlock.

use std::path::Path;

use crate::policy::landlock::LandlockPolicy;
use crate::record::report::ApplyRecord;

/// No policy is ever ready here.
#[derive(Debug)]
pub enum ReadyRuleset {}

/// Makes no policy ready.
pub(super) fn ready(_policy: &LandlockPolicy) -> Option<ReadyRuleset> {
    None
}

/// Is never called.
pub(super) fn apply(policy: &mut ReadyRuleset) -> &ApplyRecord {
    match *policy {}
}

/// What this host would have to have.
pub(super) fn needs() -> Option<&'static str> {
    Some("Landlock (Linux 5.13 or newer, switched on)")
}

/// That it is not available.
pub(super) fn availability() -> (bool, String) {
    (false, "a part of Linux".to_owned())
}

/// The Landlock ABI of the running kernel: none here.
pub fn landlock_abi() -> Option<i32> {
    None
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
pub fn refer_refused_around(_folder: &Path) -> Option<bool> {
    None
}
