//! What every format is given, and has to do.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::row::{ReportCounts, ReportRow};
use crate::record::controls::ControlStatus;

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
    /// The bundle's folder, as one would type it.
    pub(super) folder: String,
    /// The declared identity, if there is one.
    pub(super) identity: Option<String>,
    /// The host, in words.
    pub(super) host: String,
    /// When, as whom and by which version, in words.
    pub(super) made: String,
    /// Names and meanings of the reasons that block promotion.
    pub(super) reasons: Vec<(&'static str, &'static str)>,
}

impl ReportHead {
    /// How many controls held, and how many there are.
    pub(super) fn controls(&self) -> (u64, u64) {
        let all = self.profiles.iter().filter_map(|profile| profile.controls).flat_map(|(deny, allow)| [deny, allow]);
        let all = all.filter(|status| *status != ControlStatus::NotDerivable);
        all.fold((0, 0), |(held, all), status| (held + u64::from(status == ControlStatus::Ok), all + 1))
    }

    /// What the report was made of, each with its name.
    pub(super) fn evidence(&self) -> Vec<(&'static str, String)> {
        let known = [
            ("run", Some(self.run_id.clone())),
            ("plan", Some(self.plan_id.clone())),
            ("world", Some(self.world_id.clone())),
            ("channel", Some(self.channel.to_owned())),
            ("identity", self.identity.clone()),
            ("bundle index, SHA-256", Some(self.index_sha256.clone())),
        ];
        known.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// One profile at the head of a report.
#[derive(Debug)]
pub(super) struct ProfileHead {
    pub(super) id: String,
    pub(super) policy: String,
    /// The policy's text, unless it is too long to show, or no text.
    pub(super) policy_text: Option<String>,
    /// What the registry says of the profile.
    pub(super) notes: Option<String>,
    /// How the controls went that must be denied, and allowed; nothing where they are not known.
    pub(super) controls: Option<(ControlStatus, ControlStatus)>,
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
