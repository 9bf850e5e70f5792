//! Systems without procfs: what it would say stays unknown.

use super::proc_text::Status;
use crate::record::channel_witness::NamespaceEntry;

/// Nothing.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) parent_name: Option<String>,
    pub(super) control_group: Option<String>,
    pub(super) status: Status,
    pub(super) parent_capability_bounding_set: Option<String>,
    pub(super) lsm_label: Option<String>,
    pub(super) namespaces: Vec<NamespaceEntry>,
}

pub(super) fn facts() -> Facts {
    Facts::default()
}
