//! Controls: does the policy, as applied, refuse what it certainly must and let through what it certainly must?

use super::contradiction::Times;
use super::decide::{Attempt, ControlsSay, attempt};
use super::error::DeriveError;
use super::row_facts::{Context, reason};
use super::row_prefetch::RowBatches;
use super::rows::{LaneReader, NextPlannedRow};
use super::surroundings;
use crate::plan::{ResolvedPlan, ResolvedProfile};
use crate::record::action::Action;
use crate::record::controls::{ControlEntry, ControlStatus, ControlsEntry, ControlsStatus};
use crate::record::outcome::{Decision, FailureKind, FailureStage, Lane};
use crate::record::row::ProbeRow;

/// Probe id of the control that must be refused.
pub const MUST_DENY: &str = "control:must_deny";
/// Probe id of the control that must be let through.
pub const MUST_ALLOW: &str = "control:must_allow";

/// The controls of one profile: each an action with placeholders, or the reason why the policy yields none.
///
/// In the control lane, rows stand profile by profile in plan order, `must_deny` before `must_allow`, with no row for a
/// control that could not be derived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileControls {
    /// What the model is certain must be refused.
    pub must_deny: Result<Action, String>,
    /// What the model is certain must be let through.
    pub must_allow: Result<Action, String>,
}

impl ProfileControls {
    /// What the policy of each profile yields, in plan order.
    pub fn of_plan(plan: &ResolvedPlan) -> Vec<Self> {
        let of_profile = |profile: &ResolvedProfile| {
            let controls = crate::policy::controls::derive(&profile.policy.value);
            Self {
                must_deny: controls.must_deny.map(|control| control.action).map_err(|why| why.to_string()),
                must_allow: controls.must_allow.map(|control| control.action).map_err(|why| why.to_string()),
            }
        };
        plan.profiles.iter().map(of_profile).collect()
    }

    /// The controls that there are, in the order of their rows: probe id, expected decision, action.
    pub fn present(&self) -> impl Iterator<Item = (&'static str, Decision, &Action)> {
        let deny = self.must_deny.as_ref().ok().map(|action| (MUST_DENY, Decision::Deny, action));
        let allow = self.must_allow.as_ref().ok().map(|action| (MUST_ALLOW, Decision::Allow, action));
        deny.into_iter().chain(allow)
    }
}

/// What the controls of one profile showed.
#[derive(Debug, Clone, PartialEq)]
pub struct ControlOutcomes {
    /// What must be refused.
    pub must_deny: ControlResult,
    /// What must be let through.
    pub must_allow: ControlResult,
}

/// What one control showed.
#[derive(Debug, Clone, PartialEq)]
pub enum ControlResult {
    /// The policy yields no such control.
    NotDerivable {
        /// The reason, as text for people.
        reason: String,
    },
    /// It ran, or should have.
    Shown {
        /// The operation, with placeholders.
        action: Action,
        /// What was certain.
        expected: Decision,
        /// What its row shows.
        attempt: Attempt,
        /// Why the row shows nothing, if so.
        reason: Option<String>,
    },
}

impl ControlResult {
    /// How the control went.
    pub fn status(&self) -> ControlStatus {
        match self {
            Self::NotDerivable { .. } => ControlStatus::NotDerivable,
            Self::Shown { expected, attempt, .. } if attempt.decision() == Some(*expected) => ControlStatus::Ok,
            Self::Shown { attempt: Attempt::Undecided(cause), .. } if cause.kind.stage() == FailureStage::Apply => {
                ControlStatus::NotApplied
            }
            Self::Shown { attempt: Attempt::Undecided(cause), .. } if cause.kind == FailureKind::OuterConfinement => {
                ControlStatus::NotShown
            }
            Self::Shown { .. } => ControlStatus::Wrong,
        }
    }

    fn entry(&self) -> ControlEntry<'_> {
        let status = self.status();
        match self {
            Self::NotDerivable { reason } => ControlEntry {
                status,
                action: None,
                actual: None,
                failure_kind: None,
                errno: None,
                reason: Some(reason),
            },
            Self::Shown { action, attempt, reason, .. } => ControlEntry {
                status,
                action: Some(action),
                actual: attempt.decision(),
                failure_kind: match attempt {
                    Attempt::Undecided(undecided) => Some(undecided.kind),
                    _ => None,
                },
                errno: attempt.errno(),
                reason: reason.as_deref(),
            },
        }
    }
}

impl ControlOutcomes {
    /// What the two come to together.
    pub fn status(&self) -> ControlsStatus {
        let both = [self.must_deny.status(), self.must_allow.status()];
        if both.contains(&ControlStatus::Wrong) {
            ControlsStatus::Wrong
        } else if both.contains(&ControlStatus::NotApplied) {
            ControlsStatus::NotApplied
        } else {
            match both.iter().filter(|status| **status == ControlStatus::Ok).count() {
                2 => ControlsStatus::Ok,
                1 => ControlsStatus::Partial,
                _ => ControlsStatus::NotDerivable,
            }
        }
    }

    pub(super) fn say(&self) -> ControlsSay {
        match self.status() {
            // Rows under a policy that was not applied say so themselves; should one have got through, nothing vouches for it.
            ControlsStatus::Wrong | ControlsStatus::NotApplied => ControlsSay::Wrong,
            ControlsStatus::Ok | ControlsStatus::Partial | ControlsStatus::NotDerivable => ControlsSay::NothingWrong,
        }
    }

    pub(super) fn entry<'a>(&'a self, profile_id: &'a str) -> ControlsEntry<'a> {
        ControlsEntry {
            profile_id,
            status: self.status(),
            must_deny: self.must_deny.entry(),
            must_allow: self.must_allow.entry(),
        }
    }
}

/// Reads the control lane: two rows a profile at most, so it is kept whole.
pub(super) fn judge(
    context: &Context<'_>,
    controls: &[ProfileControls],
    rows: RowBatches<ProbeRow>,
    times: &mut Times,
) -> Result<Vec<ControlOutcomes>, DeriveError> {
    let plan = context.plan;
    if controls.len() != plan.profiles.len() {
        return Err(DeriveError::Controls { profiles: plan.profiles.len(), given: controls.len() });
    }
    let mut reader = if controls.iter().any(|controls| controls.present().next().is_some()) {
        Some(LaneReader::open(Lane::Control, rows)?)
    } else {
        LaneReader::expect_none(Lane::Control, rows)?;
        None
    };
    let mut seq = 0;
    let mut reports = Vec::with_capacity(controls.len());
    for (profile, controls) in plan.profiles.iter().zip(controls) {
        let mut show = |control: &Result<Action, String>, probe_id: &str, expected: Decision| {
            let action = match control {
                Err(reason) => return Ok(ControlResult::NotDerivable { reason: reason.clone() }),
                Ok(action) => action,
            };
            let reader = reader.as_mut().expect("the lane was opened because a control is planned");
            let row = reader.probe_row(&NextPlannedRow {
                seq,
                profile_id: profile.id.as_str(),
                probe_id,
                expectation_id: None,
                control_expects: Some(expected),
                action: Some(action),
                entry: None,
            })?;
            seq += 1;
            context.check(row, &[])?;
            times.take(row, context.manifest.deadline_ms);
            let (attempt, more) = surroundings::settle_control(context.manifest, row, attempt(row));
            let reason = match attempt {
                Attempt::Undecided(undecided) => Some(reason(context.host_os, row, &undecided, more.as_deref())),
                _ => None,
            };
            Ok::<_, DeriveError>(ControlResult::Shown { action: action.clone(), expected, attempt, reason })
        };
        let must_deny = show(&controls.must_deny, MUST_DENY, Decision::Deny)?;
        let must_allow = show(&controls.must_allow, MUST_ALLOW, Decision::Allow)?;
        reports.push(ControlOutcomes { must_deny, must_allow });
    }
    if let Some(reader) = reader {
        reader.finish()?;
    }
    Ok(reports)
}
