//! What every format is given, and has to do.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::row::{ReportCounts, ReportRow};

/// What stands at the head of a report.
#[derive(Debug)]
pub(super) struct ReportHead {
    pub(super) run_id: String,
    pub(super) world_id: String,
    pub(super) plan_id: String,
    pub(super) channel: &'static str,
    pub(super) index_sha256: String,
    pub(super) tool_version: String,
    pub(super) total: ReportCounts,
    /// The profiles that have rows, in plan order.
    pub(super) profiles: Vec<ProfileHead>,
    /// Names and meanings of the reasons against promotion.
    pub(super) reasons: Vec<(&'static str, &'static str)>,
}

/// One profile at the head of a report.
#[derive(Debug)]
pub(super) struct ProfileHead {
    pub(super) id: String,
    pub(super) policy: String,
    pub(super) counts: ReportCounts,
    /// Of all its rows together.
    pub(super) duration_us: u64,
    /// When the first of them was started.
    pub(super) started_at_unix_s: Option<f64>,
    /// What its launcher has left in the workspace.
    pub(super) residue: BTreeSet<String>,
}

impl ProfileHead {
    /// The finding that its launcher leaves something behind, in a sentence; nothing if it does not.
    pub(super) fn residue_sentence(&self) -> Option<String> {
        let listed: Vec<String> = self.residue.iter().map(|path| format!("`{}`", path.replace('`', "'"))).collect();
        let id = &self.id;
        (!listed.is_empty()).then(|| format!("the launcher of `{id}` left in the workspace: {}", listed.join(", ")))
    }
}

/// The word of that finding.
pub(super) const RESIDUE: &str = "launcher_residue";

/// Writes one format, a row at a time.
pub(super) trait Render {
    fn begin(&mut self, head: &ReportHead, out: &mut dyn Write) -> io::Result<()>;
    fn begin_profile(&mut self, profile: &ProfileHead, out: &mut dyn Write) -> io::Result<()>;
    fn row(&mut self, row: &ReportRow, profile: &ProfileHead, out: &mut dyn Write) -> io::Result<()>;
    fn end_profile(&mut self, out: &mut dyn Write) -> io::Result<()>;
    fn end(&mut self, head: &ReportHead, out: &mut dyn Write) -> io::Result<()>;
}
