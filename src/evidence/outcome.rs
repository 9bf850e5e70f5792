//! What a derivation hands back beside the artifacts: the numbers, and the rows worth showing to people.

use std::collections::BTreeMap;

use super::contradiction::Times;
use super::controls::ControlOutcomes;
use super::waivers::{JudgedWaiver, WaiverStanding};
use crate::base::ids::{ExpectationId, ProfileId};
use crate::base::placeholder::without_own_folder;
use crate::plan::LaneSet;
use crate::record::attribution::AttributionSummary;
use crate::record::mismatch::MismatchType;
use crate::record::opinions::Opinions;
use crate::record::outcome::{Decision, Expectation, FailureKind};
use crate::record::results::EntryStatus;
use crate::record::summary::{RowCounts, SummaryStatus};

/// How many rows [`DerivationOutcome`] lists of each sort. The artifacts hold all of them.
pub const MAX_FINDINGS: usize = 200;

/// The result of a derivation.
#[derive(Debug, Clone, PartialEq)]
pub struct DerivationOutcome {
    /// As in `summary.json`.
    pub status: SummaryStatus,
    /// The lanes that were on.
    pub lanes: LaneSet,
    /// All profiles together.
    pub total: PlannedRowCounts,
    /// Each profile, in plan order.
    pub profiles: Vec<ProfileOutcome>,
    /// Rows of the mismatch summary, by type.
    pub mismatch_counts: BTreeMap<MismatchType, u64>,
    /// The first two hundred rows whose observation is not the expected one.
    pub mismatched: Vec<RowFinding>,
    /// The first two hundred rows without a decision.
    pub undecided: Vec<RowFinding>,
    /// How many rows have the causes of those, listed or not.
    pub causes: CauseCounts,
    /// The first two hundred rows that are as expected though the model says otherwise.
    pub surprises: Vec<RowFinding>,
    /// How many such rows there are.
    pub surprised: u64,
    /// How many of the undecided rows only ask, by the nature of their driver, and were answered as their authors expect.
    /// They are in every count of undecided rows, and leave nothing open.
    pub asked: u64,
    /// The waivers about rows of the run, in the order of the rows.
    pub waivers: Vec<JudgedWaiver>,
    /// When rows were executed.
    pub times: Times,
    /// As in `summary.json`: what the kernel itself said, if the run listened.
    pub attribution: Option<AttributionSummary>,
}

impl DerivationOutcome {
    /// How many of the mismatched rows are known and approved.
    pub fn known(&self) -> u64 {
        self.with_standing(WaiverStanding::Holds).count() as u64
    }

    /// The waivers that stand like that.
    pub fn with_standing(&self, standing: WaiverStanding) -> impl Iterator<Item = &JudgedWaiver> {
        self.waivers.iter().filter(move |one| one.standing == standing)
    }
}

/// What became of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowAgreement {
    /// It is as expected.
    Matched,
    /// It is not.
    Mismatched,
    /// Something was decided, and nothing was expected.
    Unasserted,
    /// Nothing was decided, whatever was expected.
    Undecided,
}

impl RowAgreement {
    /// Whether it is as expected; nothing if nothing was decided, or nothing expected.
    pub(super) fn matched(self) -> Option<bool> {
        match self {
            Self::Matched => Some(true),
            Self::Mismatched => Some(false),
            Self::Unasserted | Self::Undecided => None,
        }
    }
}

/// What became of planned rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PlannedRowCounts {
    /// The counts as `summary.json` has them.
    pub rows: RowCounts,
    /// Undecided rows by kind.
    pub undecided_by_kind: BTreeMap<FailureKind, u64>,
}

impl PlannedRowCounts {
    pub(super) fn count(&mut self, agreement: RowAgreement, kind: Option<FailureKind>) {
        match agreement {
            RowAgreement::Matched => self.rows.matched += 1,
            RowAgreement::Mismatched => self.rows.mismatched += 1,
            RowAgreement::Unasserted => self.rows.unasserted += 1,
            RowAgreement::Undecided => {
                self.rows.undecided += 1;
                if let Some(kind) = kind {
                    *self.undecided_by_kind.entry(kind).or_default() += 1;
                }
            }
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.rows.planned += other.rows.planned;
        self.rows.matched += other.rows.matched;
        self.rows.mismatched += other.rows.mismatched;
        self.rows.undecided += other.rows.undecided;
        self.rows.unasserted += other.rows.unasserted;
        for (kind, count) in &other.undecided_by_kind {
            *self.undecided_by_kind.entry(*kind).or_default() += count;
        }
    }
}

/// One profile.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfileOutcome {
    /// Id of the profile, as in the registry.
    pub profile_id: ProfileId,
    /// As in `runtime_results.json`; `None` if the scenario lane was off.
    pub status: Option<EntryStatus>,
    /// How many of the profile's rows matched, mismatched or stayed undecided.
    pub counts: PlannedRowCounts,
    /// What the controls of the profile showed; `None` if the scenario lane was off.
    pub controls: Option<ControlOutcomes>,
}

/// Why a row decided nothing, without what only that row has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UndecidedCause {
    kind: Option<FailureKind>,
    asked: bool,
    errno: Option<i32>,
    reason: String,
}

impl UndecidedCause {
    /// That of a row with this kind, error number and reason; `asked` as in [`RowFinding::asked`].
    pub(super) fn new(kind: Option<FailureKind>, asked: bool, errno: Option<i32>, reason: &str) -> Self {
        Self { kind, asked, errno, reason: without_own_folder(reason).into_owned() }
    }
}

/// How many rows of a run have the causes that the listed rows have. No other cause is counted, so there are never more of them
/// than of listed rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CauseCounts(BTreeMap<UndecidedCause, u64>);

impl CauseCounts {
    /// Counts a row that is listed.
    pub fn count_listed(&mut self, cause: UndecidedCause) {
        *self.0.entry(cause).or_default() += 1;
    }

    /// Counts a row that is not, if one of the same cause is.
    pub fn count_unlisted(&mut self, cause: &UndecidedCause) {
        if let Some(count) = self.0.get_mut(cause) {
            *count += 1;
        }
    }

    /// How many rows have this cause; 0 for one that no listed row has.
    pub fn of(&self, cause: &UndecidedCause) -> u64 {
        self.0.get(cause).copied().unwrap_or_default()
    }
}

impl RowFinding {
    /// Why it decided nothing; `None` if it did.
    pub fn cause(&self) -> Option<UndecidedCause> {
        self.actual.is_none().then(|| UndecidedCause::new(self.kind, self.asked, self.errno, &self.reason))
    }
}

/// One row worth showing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFinding {
    /// Id of the profile, as in the registry.
    pub profile_id: ProfileId,
    /// The probe's short name.
    pub probe_name: String,
    /// Id of the expectation.
    pub expectation_id: ExpectationId,
    /// The operation, as the policy language names it, such as `file-read-data`.
    pub operation: String,
    /// The target as declared.
    pub target: String,
    /// What the author expects.
    pub expected: Expectation,
    /// What the policy did.
    pub actual: Option<Decision>,
    /// How the two part; nothing for a row that is as expected.
    pub mismatch_type: Option<MismatchType>,
    /// Why it did not succeed.
    pub kind: Option<FailureKind>,
    /// Whether it only asks, and was answered as its author expects.
    pub asked: bool,
    /// The error number that was seen.
    pub errno: Option<i32>,
    /// Why, in words: what is missing for a decision, or what the operation answered.
    pub reason: String,
    /// What its author, the kernel and the model say.
    pub opinions: Opinions,
}
