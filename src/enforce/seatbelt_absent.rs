//! Systems without Seatbelt.

use std::collections::BTreeMap;

use crate::record::report::ApplyRecord;

/// No profile is ever ready here.
#[derive(Debug)]
pub enum ReadyProfile {}

/// Makes no profile ready.
pub(super) fn text(_text: &str, _parameters: &BTreeMap<String, String>) -> Option<ReadyProfile> {
    None
}

/// Makes no profile ready.
pub(super) fn compiled(_bytes: &[u8]) -> Option<ReadyProfile> {
    None
}

/// Is never called.
pub(super) fn apply(policy: &mut ReadyProfile) -> &ApplyRecord {
    match *policy {}
}

/// What this host would have to have.
pub(super) fn needs() -> Option<&'static str> {
    Some("Seatbelt (macOS)")
}

/// That it is not available. Policies for it are read and checked all the same.
pub(super) fn availability() -> (bool, String) {
    (false, "a part of macOS".to_owned())
}
