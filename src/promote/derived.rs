//! What gates and packet take from the derived documents of a bundle.

use serde::Deserialize;

use crate::base::ids::ProfileId;
use crate::record::controls::{ControlStatus, ControlsStatus};
use crate::record::packet::{PacketControls, PacketRows};
use crate::record::summary::{ProfileList, RowCounts, RowList};

/// The part of `summary.json` that is read.
#[derive(Deserialize)]
struct SummaryPart {
    counts: RowCounts,
    undecided_rows: RowList,
    by_design_rows: RowList,
    profiles_without_refusal: ProfileList,
}

/// What the scenario lane showed, as `summary.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct SummaryFacts {
    /// As the packet has them.
    pub(super) rows: PacketRows,
    /// Profiles under which nothing was refused.
    pub(super) without_refusal: ProfileList,
}

/// What `summary.json` says; nothing if it cannot be parsed.
pub(super) fn summary(document: Option<&[u8]>) -> Option<SummaryFacts> {
    let part: SummaryPart = serde_json::from_slice(document?).ok()?;
    let rows = PacketRows {
        planned: part.counts.planned,
        decided: part.counts.matched + part.counts.mismatched + part.counts.unasserted,
        unasserted: part.counts.unasserted,
        undecided: part.undecided_rows,
        by_design: part.by_design_rows,
    };
    Some(SummaryFacts { rows, without_refusal: part.profiles_without_refusal })
}

/// The part of `controls.json` that is read.
#[derive(Deserialize)]
struct ControlsPart {
    profiles: Vec<ProfilePart>,
}

#[derive(Deserialize)]
struct ProfilePart {
    profile_id: ProfileId,
    status: ControlsStatus,
    must_deny: ControlPart,
    must_allow: ControlPart,
}

#[derive(Deserialize)]
struct ControlPart {
    status: ControlStatus,
}

/// What the controls showed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ControlFacts {
    /// One went wrong, or what they showed cannot be understood.
    pub(super) failed: bool,
    /// As the packet has them.
    pub(super) record: PacketControls,
}

/// What `controls.json` says. Without a scenario lane there is none, and no control ran.
pub(super) fn controls(document: Option<&[u8]>) -> ControlFacts {
    let mut facts = ControlFacts::default();
    let Some(document) = document else { return facts };
    let Ok(part) = serde_json::from_slice::<ControlsPart>(document) else {
        facts.failed = true;
        return facts;
    };
    for profile in part.profiles {
        facts.record.profiles += 1;
        facts.failed |= matches!(profile.status, ControlsStatus::Wrong | ControlsStatus::NotApplied);
        // One that what confines the run answers vouches for as little as one that cannot be derived.
        let none = |status| matches!(status, ControlStatus::NotDerivable | ControlStatus::NotShown);
        if none(profile.must_deny.status) {
            facts.record.without_must_deny.add(&profile.profile_id);
        }
        if none(profile.must_allow.status) {
            facts.record.without_must_allow.add(&profile.profile_id);
        }
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(status: &str, deny: &str, allow: &str) -> String {
        format!(
            r#"{{"profiles":[{{"profile_id":"p","status":"{status}","must_deny":{{"status":"{deny}"}},"must_allow":{{"status":"{allow}"}}}}]}}"#
        )
    }

    #[test]
    fn controls_that_cannot_be_understood_have_failed_and_absent_ones_have_not() {
        let failed = |document: &str| controls(Some(document.as_bytes())).failed;
        assert!(!failed(&one("ok", "ok", "ok")));
        assert!(!failed(&one("partial", "not_derivable", "ok")));
        assert!(!failed(r#"{"profiles": []}"#));
        assert!(failed(&one("wrong", "wrong", "ok")));
        assert!(failed(&one("not_applied", "not_applied", "not_applied")));
        assert!(!failed(&one("partial", "not_shown", "ok")));
        for bad in ["{}", "[]", "", r#"{"profiles": [{}]}"#, r#"{"profiles": [{"status": "ok"}]}"#] {
            assert!(failed(bad), "{bad}");
        }
        assert_eq!(controls(None), ControlFacts::default());
    }

    #[test]
    fn profiles_without_a_control_are_named() {
        let record = controls(Some(one("partial", "not_derivable", "ok").as_bytes())).record;
        assert_eq!((record.profiles, record.without_must_deny.count, record.without_must_allow.count), (1, 1, 0));
        assert_eq!(record.without_must_deny.profiles[0].as_str(), "p");
        let record = controls(Some(one("partial", "ok", "not_derivable").as_bytes())).record;
        assert_eq!((record.without_must_deny.count, record.without_must_allow.count), (0, 1));
    }
}
