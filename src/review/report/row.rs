//! One row, as reports show it, and how many there are of each kind.

use super::lane_rows::{LaneRowFacts, OracleFacts};
use super::places::PlaceFinder;
use crate::evidence::{JudgedWaiver, WaiverStanding, Waivers};
use crate::evidence::{opinions, remedies};
use crate::record::attribution::KernelAttribution;
use crate::record::events::EventView;
use crate::record::opinions::{ModelOpinion, Opinions, SourcePlace};
use crate::record::outcome::Decision;

/// What became of the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReportCounts {
    /// How many rows the scenario lane has.
    pub rows: u64,
    /// Rows whose observation is what was expected.
    pub matched: u64,
    /// Rows whose observation is not what was expected.
    pub mismatched: u64,
    /// Rows that decided nothing; never counted as passed.
    pub undecided: u64,
    /// Nothing was attempted, as is the driver's nature, and the policy answered as expected.
    pub asked: u64,
    /// Mismatched rows that are known and approved.
    pub known: u64,
    /// Matched rows that are waived all the same, which is a finding.
    pub unneeded: u64,
    /// Rows that decided something of which nothing was expected: neither passed nor failed.
    pub unasserted: u64,
}

impl ReportCounts {
    /// Mismatched rows that nobody has approved.
    pub fn unknown(&self) -> u64 {
        self.mismatched - self.known
    }

    pub(super) fn add(&mut self, row: &ReportRow) {
        self.rows += 1;
        self.known += u64::from(row.is_known());
        self.unneeded += u64::from(row.is_unneeded());
        *match row.agreement {
            Agreement::Matched => &mut self.matched,
            Agreement::Mismatched => &mut self.mismatched,
            Agreement::Undecided => &mut self.undecided,
            Agreement::Asked => &mut self.asked,
            Agreement::Unasserted => &mut self.unasserted,
        } += 1;
    }
}

/// What became of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Agreement {
    Matched,
    Mismatched,
    Undecided,
    /// Nothing was attempted, as is the driver's nature, and the policy answered as expected: no pass, and no fault.
    Asked,
    /// Something was decided, and nothing was expected: no pass, and no fault.
    Unasserted,
}

/// One row, as reports show it.
#[derive(Debug, Clone)]
pub(in crate::review) struct ReportRow {
    pub(super) agreement: Agreement,
    pub(in crate::review) event: EventView<String>,
    /// The probe, which is what the registry files the expectation under.
    pub(super) probe_id: Option<String>,
    /// How long its process ran; 0 for one that was not started.
    pub(super) duration_us: u64,
    pub(super) started_at_unix_s: Option<f64>,
    /// What the launcher has left in the workspace.
    pub(super) residue: Vec<String>,
    /// What the kernel itself said of its failed operation, if the run listened.
    pub(super) attribution: Option<KernelAttribution>,
    /// What its author, the kernel and the model say.
    pub(super) opinions: Opinions,
    /// Where its expectation stands.
    pub(super) expectation_place: Option<SourcePlace>,
    /// The waiver about it.
    pub(super) waiver: Option<JudgedWaiver>,
}

impl ReportRow {
    pub(super) fn new(event: EventView<String>) -> Self {
        let agreement = match event.matched {
            Some(true) => Agreement::Matched,
            Some(false) => Agreement::Mismatched,
            None if event.is_asked_as_expected() => Agreement::Asked,
            None if event.is_unasserted() => Agreement::Unasserted,
            None => Agreement::Undecided,
        };
        let opinions = opinions::of(event.claim(), None, event.actual, None);
        Self {
            agreement,
            event,
            probe_id: None,
            duration_us: 0,
            started_at_unix_s: None,
            residue: Vec::new(),
            attribution: None,
            opinions,
            expectation_place: None,
            waiver: None,
        }
    }

    /// With the waiver about it.
    pub(super) fn waived(self, waivers: &Waivers) -> Self {
        Self { waiver: waivers.judge(self.id(), self.event.matched), ..self }
    }

    /// Whether it is not as expected, and that is approved.
    pub(super) fn is_known(&self) -> bool {
        self.stands(WaiverStanding::Holds)
    }

    /// Whether it is waived and as expected all the same.
    pub(super) fn is_unneeded(&self) -> bool {
        self.stands(WaiverStanding::Unneeded)
    }

    fn stands(&self, standing: WaiverStanding) -> bool {
        self.waiver.as_ref().is_some_and(|one| one.standing == standing)
    }

    /// What its waiver comes to, in a sentence; nothing if it has none.
    pub(super) fn waiver_sentence(&self) -> Option<String> {
        self.waiver.as_ref().map(JudgedWaiver::sentence)
    }

    /// The row of an event as a document has it, and of what the model said.
    #[cfg(test)]
    pub(in crate::review) fn told(event: serde_json::Value, model: Option<ModelOpinion>) -> Self {
        let mut row = Self::new(serde_json::from_value(event).unwrap());
        row.opinions = opinions::of(row.event.claim(), None, row.event.actual, model);
        row
    }

    /// With what the lanes say of it.
    pub(super) fn with(self, raw: Option<LaneRowFacts>, asked: Option<OracleFacts>) -> Self {
        let opinions = opinions::of(self.event.claim(), None, self.event.actual, asked.map(ModelOpinion::from));
        match raw {
            None => Self { opinions, ..self },
            Some(raw) => Self {
                residue: raw.residue().to_vec(),
                attribution: raw.attribution,
                probe_id: Some(raw.probe_id),
                duration_us: raw.duration_us,
                started_at_unix_s: Some(raw.started_at_unix_s),
                opinions,
                ..self
            },
        }
    }

    /// With the places in the documents of the plan. `policy`: the policy's path.
    pub(super) fn placed(mut self, places: &mut PlaceFinder<'_>, policy: &str) -> Self {
        let expectation = self.probe_id.as_deref().and_then(|id| places.expectation(id));
        let (place, why) = expectation.map_or((None, None), |(place, why)| (Some(place), why));
        self.expectation_place = place;
        let model = self.opinions.model.take().map(|model| model.placed(|rule| places.rule(policy, rule)));
        self.opinions = opinions::of(self.event.claim(), why, self.event.actual, model);
        self
    }

    /// What the model says: nothing where its lane was off, nothing within where it cannot know.
    pub(in crate::review) fn model(&self) -> Option<Option<Decision>> {
        self.opinions.model.as_ref().map(|model| model.decision)
    }

    /// What each of the three says, and what follows, each with its name.
    pub(super) fn opinion_lines(&self) -> Vec<(&'static str, String)> {
        let done = match (self.event.actual, &self.event.errno_name, &self.event.notes) {
            (_, _, Some(notes)) => notes.clone(),
            (Some(Decision::Allow), ..) => "the operation went through".to_owned(),
            (_, Some(name), None) => format!("the operation was refused with {name}"),
            _ => String::new(),
        };
        let stopped = self.event.failure_kind.as_deref().filter(|_| self.event.actual.is_none());
        let mut lines = opinions::lines(&self.opinions, stopped, &done, self.advice());
        lines.extend(self.attribution.as_ref().map(|said| ("audit", said.sentence())));
        lines.extend(self.waiver_sentence().map(|text| ("waiver", text)));
        lines
    }

    /// What can be done about it, if it decided nothing.
    pub(super) fn advice(&self) -> Option<&'static str> {
        let kind = self.event.failure_kind.as_deref().filter(|_| self.event.actual.is_none())?;
        remedies::advice(kind, self.event.errno_name.as_deref())
    }

    pub(in crate::review) fn id(&self) -> &str {
        self.event.expectation_id.as_deref().unwrap_or(&self.event.scenario_id)
    }

    pub(in crate::review) fn expected(&self) -> &'static str {
        self.event.expected.map_or("nothing", |decision| decision.as_str())
    }

    pub(super) fn actual(&self) -> &'static str {
        self.event.actual.map_or("undecided", |decision| decision.as_str())
    }

    pub(in crate::review) fn target(&self) -> &str {
        self.event.target.as_deref().unwrap_or_default()
    }

    /// Why it stands as it does: the kind of failure, or what happened instead.
    pub(in crate::review) fn kind(&self) -> &str {
        match self.agreement {
            Agreement::Matched if self.is_unneeded() => "waiver_unneeded",
            Agreement::Matched => "as_expected",
            Agreement::Mismatched => match self.event.actual {
                // How it was denied, and not that it was.
                actual if actual == self.event.claim() => {
                    self.event.unmet_demand.as_deref().unwrap_or("unexpected_mechanism")
                }
                Some(Decision::Allow) => "unexpected_allow",
                _ => "unexpected_deny",
            },
            Agreement::Unasserted => "unasserted",
            Agreement::Undecided | Agreement::Asked => self.event.failure_kind.as_deref().unwrap_or("undecided"),
        }
    }

    /// The row in one sentence.
    pub(super) fn sentence(&self) -> String {
        let mut text = format!("expected {}, got {}", self.expected(), self.actual());
        if matches!(self.agreement, Agreement::Undecided | Agreement::Asked) {
            text.push_str(&format!(" ({})", self.kind()));
        }
        if let Some(name) = &self.event.errno_name {
            text.push_str(&format!(", {name}"));
        }
        if let Some(notes) = &self.event.notes {
            text.push_str(&format!(": {notes}"));
        }
        text
    }
}
