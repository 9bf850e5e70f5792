//! Rows of a lane beside the events of a run: both are in plan order, so they are read side by side and nothing is kept.

use std::io::{self, BufRead};
use std::iter::Fuse;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::de::IoRead;
use serde_json::{Deserializer, StreamDeserializer};

use crate::bundle::{ArtifactError, Bundle, Verified};
use crate::record::attribution::KernelAttribution;
use crate::record::events::EventView;
use crate::record::layout;
use crate::record::opinions::ModelOpinion;
use crate::record::outcome::{Decision, Lane};

/// What a report takes of a raw row.
#[derive(Debug, Deserialize)]
pub(super) struct LaneRowFacts {
    profile_id: String,
    expectation_id: String,
    pub(super) probe_id: String,
    pub(super) started_at_unix_s: f64,
    pub(super) duration_us: u64,
    /// What is read of a question under a launcher.
    #[serde(default)]
    pub(super) launcher: Option<LauncherFacts>,
    /// What the kernel said of its failed operation.
    #[serde(default)]
    pub(super) attribution: Option<KernelAttribution>,
}

/// What a report takes of a launcher.
#[derive(Debug, Deserialize)]
pub(super) struct LauncherFacts {
    start: LauncherStartFacts,
}

#[derive(Debug, Deserialize)]
struct LauncherStartFacts {
    #[serde(default)]
    residue: Vec<String>,
}

impl LaneRowFacts {
    /// What the launcher has left in the workspace.
    pub(super) fn residue(&self) -> &[String] {
        self.launcher.as_ref().map_or(&[], |launcher| &launcher.start.residue)
    }
}

/// What a report takes of a row of the oracle lane.
#[derive(Debug, Deserialize)]
pub(super) struct OracleFacts {
    profile_id: String,
    expectation_id: String,
    /// Absent in rows of the first programs.
    #[serde(default)]
    pub(super) probe_id: Option<String>,
    source: String,
    rule: Option<String>,
    /// The answer; absent if the model cannot know.
    #[serde(default)]
    decision: Option<Decision>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    assumes: Vec<String>,
}

impl From<OracleFacts> for ModelOpinion {
    fn from(facts: OracleFacts) -> Self {
        let OracleFacts { source, rule, decision, reason, assumes, .. } = facts;
        Self { source, decision, rule, rule_place: None, reason, assumes }
    }
}

/// A row that can be told to be an event's.
pub(super) trait Keyed: DeserializeOwned {
    /// Profile and expectation.
    fn key(&self) -> (&str, &str);
}

impl Keyed for LaneRowFacts {
    fn key(&self) -> (&str, &str) {
        (&self.profile_id, &self.expectation_id)
    }
}

impl Keyed for OracleFacts {
    fn key(&self) -> (&str, &str) {
        (&self.profile_id, &self.expectation_id)
    }
}

/// The rows of one lane, of which each event takes its own.
pub(super) struct LaneRows<'r, T: Keyed> {
    rows: Fuse<StreamDeserializer<'static, IoRead<&'r mut dyn BufRead>, T>>,
    next: Option<T>,
}

impl<'r, T: Keyed> LaneRows<'r, T> {
    pub(super) fn new(reader: &'r mut dyn BufRead) -> Self {
        let mut rows = Deserializer::from_reader(reader).into_iter().fuse();
        let next = rows.next().and_then(Result::ok);
        Self { rows, next }
    }

    /// The row of this event. `None` if the lane has none for it.
    pub(super) fn take(&mut self, event: &EventView<String>) -> Option<T> {
        let key = (event.profile_id.as_str(), event.expectation_id.as_deref()?);
        let found = self.next.take_if(|row| row.key() == key)?;
        self.next = self.rows.next().and_then(Result::ok);
        Some(found)
    }

    /// Every row that is left.
    pub(super) fn rest(self) -> impl Iterator<Item = T> {
        self.next.into_iter().chain(self.rows.map_while(Result::ok))
    }
}

/// Reads the rows of a lane through `read`; a lane that the run did not have is an empty one.
pub(super) fn with_lane<T>(
    bundle: &Verified<Bundle>,
    lane: Lane,
    read: impl FnOnce(&mut dyn BufRead) -> T,
) -> Result<T, ArtifactError> {
    let name = layout::rows_of(lane);
    if bundle.entry(name).is_none() {
        return Ok(read(&mut io::empty()));
    }
    bundle.read_artifact(name, |reader| Ok::<_, io::Error>(read(reader)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_takes_its_own_row_and_no_other() {
        let text = ["a", "b", "d"].map(|id| {
            serde_json::json!({"profile_id": "p", "expectation_id": id, "source": "m", "rule": format!("/{id}"), "more": [1]})
                .to_string()
        });
        let text = text.join("\n");
        let mut reader = text.as_bytes();
        let mut beside = LaneRows::<OracleFacts>::new(&mut reader);
        let mut rule = |profile: &str, id: &str| {
            let event =
                serde_json::json!({"scenario_id": id, "expectation_id": id, "profile_id": profile, "operation": "o"});
            beside.take(&serde_json::from_value(event).unwrap()).and_then(|row| row.rule)
        };
        assert_eq!(rule("p", "a").as_deref(), Some("/a"));
        assert_eq!(rule("q", "b"), None);
        assert_eq!(rule("p", "b").as_deref(), Some("/b"));
        assert_eq!(rule("p", "c"), None);
        assert_eq!(rule("p", "d").as_deref(), Some("/d"));
        assert_eq!(rule("p", "d"), None);
    }
}
