//! Systems without procfs: what it would say stays unknown.

use super::ProcessFacts;

pub(super) fn facts() -> ProcessFacts {
    ProcessFacts::default()
}

pub(super) fn seccomp_filters() -> Option<u32> {
    None
}

pub(super) fn lsm_label() -> Option<String> {
    None
}
