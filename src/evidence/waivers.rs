//! Deviations that somebody has approved, against what became of their rows.
//!
//! A waiver changes no verdict, no document of the evidence and no gate. It says that a mismatch is known, until a day; and a row
//! that is waived and as expected all the same is a finding: whoever approved the deviation has to hear that it is gone.

use std::collections::HashMap;

use serde::Serialize;

use crate::base::clock;
use crate::record::run_identity::Waiver;

/// How a waiver stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WaiverStanding {
    /// The row is not as expected, and that is approved.
    Holds,
    /// Its last day was before the run: it changes nothing.
    Expired,
    /// The row is as expected: there is nothing to approve any more.
    Unneeded,
    /// The row decided nothing, which no waiver covers.
    Undecided,
}

/// A waiver, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedWaiver {
    /// The waiver, as the plan states it.
    pub waiver: Waiver,
    /// How it stands on the day of the run.
    pub standing: WaiverStanding,
}

impl JudgedWaiver {
    /// What it comes to, in a sentence without a full stop.
    pub fn sentence(&self) -> String {
        let Waiver { reason, approved_by, expires, .. } = &self.waiver;
        let until = expires.as_deref().map(|day| format!(", until {day}")).unwrap_or_default();
        match self.standing {
            WaiverStanding::Holds => format!("known, approved by {approved_by}{until}: {reason}"),
            WaiverStanding::Expired => {
                let day = expires.as_deref().unwrap_or_default();
                format!("the waiver of {approved_by} expired on {day}: {reason}")
            }
            WaiverStanding::Unneeded => {
                format!(
                    "as expected, so the waiver of {approved_by}{until} is not needed any more; remove it: {reason}"
                )
            }
            WaiverStanding::Undecided => {
                format!("the waiver of {approved_by}{until} covers a mismatch, and nothing was decided: {reason}")
            }
        }
    }
}

/// The waivers of a run.
#[derive(Debug, Clone, Default)]
pub struct Waivers {
    by_id: HashMap<String, Waiver>,
    /// The day on which the run began, `YYYY-MM-DD`, in UTC.
    day: String,
}

impl Waivers {
    /// Those that a run declares, on the day on which it began (seconds since 1970).
    pub fn of<'w>(waivers: impl IntoIterator<Item = &'w Waiver>, began_at_unix_s: f64) -> Self {
        let by_id = waivers.into_iter().map(|one| (one.expectation_id.as_str().to_owned(), one.clone())).collect();
        Self { by_id, day: clock::day_of(began_at_unix_s) }
    }

    /// The waiver about a row, if there is one. `matched`: whether the row is as expected; `None` if it decided nothing.
    pub fn judge(&self, expectation_id: &str, matched: Option<bool>) -> Option<JudgedWaiver> {
        let waiver = self.by_id.get(expectation_id)?.clone();
        // Days of one form: the order of the texts is that of the days.
        let expired = waiver.expires.as_deref().is_some_and(|last| last < self.day.as_str());
        let standing = match matched {
            _ if expired => WaiverStanding::Expired,
            Some(false) => WaiverStanding::Holds,
            Some(true) => WaiverStanding::Unneeded,
            None => WaiverStanding::Undecided,
        };
        Some(JudgedWaiver { waiver, standing })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiver_covers_a_mismatch_until_its_last_day_and_nothing_else() {
        let waiver = |expires: Option<&str>| Waiver {
            expectation_id: "p:x".parse().unwrap(),
            reason: "ticket 7".to_owned(),
            approved_by: "Ada".to_owned(),
            expires: expires.map(str::to_owned),
        };
        // 2026-11-29T20:04:42Z
        let began = 1_795_982_682.02;
        let standing =
            |expires, matched| Waivers::of([&waiver(expires)], began).judge("p:x", matched).unwrap().standing;
        for open in [None, Some("2026-11-29"), Some("2027-01-01")] {
            assert_eq!(standing(open, Some(false)), WaiverStanding::Holds);
            assert_eq!(standing(open, Some(true)), WaiverStanding::Unneeded);
            assert_eq!(standing(open, None), WaiverStanding::Undecided);
        }
        for matched in [Some(true), Some(false), None] {
            assert_eq!(standing(Some("2026-11-28"), matched), WaiverStanding::Expired);
        }
        assert_eq!(Waivers::of([&waiver(None)], began).judge("p:y", Some(false)), None);
    }
}
