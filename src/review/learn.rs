//! What a run shows that nobody said: where expectation, model or `sandbox_check` were wrong or silent, and what a channel
//! did not answer.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::ReviewError;
use super::report::{ReportRow, for_each_row};
use crate::bundle::{self, ArtifactError, Bundle, Verified};
use crate::promote::gates;
use crate::record::learned::{FactSource, LearnedFact, LearnedRun};
use crate::record::manifest::ChannelKind;
use crate::record::outcome::Decision;

/// What a run shows.
#[derive(Debug)]
pub struct RunFacts {
    /// What the archive's document says of the run.
    pub run: LearnedRun,
    /// What is not as was said, or was not said.
    pub facts: Vec<LearnedFact>,
    /// What has no answer.
    pub open: Vec<LearnedFact>,
    /// What each row came to, by profile and expectation.
    pub answers: BTreeMap<(String, String), String>,
}

/// Reads the run in `folder`, which is called `place`. One that does not verify is a fact of its own, and nothing of it is
/// believed.
///
/// # Errors
/// If a verified bundle cannot be read to its end.
pub fn of_run(folder: &Path, place: &str) -> Result<RunFacts, ReviewError> {
    let bundle = match bundle::verify(folder) {
        Ok(bundle) => bundle,
        Err(refused) => {
            let problems: Vec<String> = refused.findings.iter().take(3).map(ToString::to_string).collect();
            let more = refused.findings.len().saturating_sub(problems.len());
            let more = if more == 0 { String::new() } else { format!("; and {more} more") };
            let run = LearnedRun {
                folder: place.to_owned(),
                plan_id: None,
                channel: None,
                verified: false,
                promotable: false,
                decided: 0,
                undecided: 0,
            };
            let fact = LearnedFact {
                source: FactSource::Run,
                place: place.to_owned(),
                about: "bundle".to_owned(),
                subject: "whether it verifies".to_owned(),
                said: "it does".to_owned(),
                observed: format!("{}{more}", problems.join("; ")),
            };
            return Ok(RunFacts { run, facts: vec![fact], open: Vec::new(), answers: BTreeMap::new() });
        }
    };
    let mut told = RunFacts {
        run: LearnedRun {
            folder: place.to_owned(),
            plan_id: Some(bundle.manifest().plan_id.to_string()),
            channel: Some(bundle.manifest().channel.as_str().to_owned()),
            verified: true,
            promotable: gates::evaluate(&bundle).is_promotable(),
            decided: 0,
            undecided: 0,
        },
        facts: Vec::new(),
        open: Vec::new(),
        answers: BTreeMap::new(),
    };
    channel(&bundle, place, &mut told);
    match for_each_row(&bundle, &mut |row| of_row(&row, place, &mut told)) {
        // A dry run, or one without the scenario lane, has no events.
        Ok(()) | Err(ArtifactError::Absent { .. }) => Ok(told),
        Err(error) => Err(error.into()),
    }
}

/// The questions of a clean channel that were not answered well.
fn channel(bundle: &Verified<Bundle>, place: &str, told: &mut RunFacts) {
    if bundle.manifest().channel == ChannelKind::Direct {
        return;
    }
    for check in bundle.channel_witness().into_iter().flat_map(|witness| &witness.checks) {
        let fact = LearnedFact {
            source: FactSource::Channel,
            place: place.to_owned(),
            about: check.check.clone(),
            subject: "a question of the channel's witness".to_owned(),
            said: "answered well".to_owned(),
            observed: check.found.clone(),
        };
        match check.ok {
            Some(true) => {}
            Some(false) => told.facts.push(fact),
            None => told.open.push(fact),
        }
    }
}

fn of_row(row: &ReportRow, place: &str, told: &mut RunFacts) {
    let event = &row.event;
    let fact = |source, said: &str, observed: String| LearnedFact {
        source,
        place: place.to_owned(),
        about: row.id().to_owned(),
        subject: format!("{} on {}", event.operation, row.target()),
        said: said.to_owned(),
        observed,
    };
    let answer = match (event.actual, &event.errno_name) {
        (Some(actual), Some(errno)) => format!("{}, {errno}", actual.as_str()),
        (Some(actual), None) => actual.as_str().to_owned(),
        (None, errno) => {
            let errno = errno.as_ref().map_or_else(String::new, |errno| format!(", {errno}"));
            format!("undecided, {}{errno}", row.kind())
        }
    };
    told.answers.insert((event.profile_id.clone(), row.id().to_owned()), answer.clone());
    let Some(actual) = event.actual else {
        told.run.undecided += 1;
        // One that only asks, and was answered as expected, leaves nothing open.
        if !event.is_asked_as_expected() {
            told.open.push(fact(FactSource::Expectation, row.expected(), answer));
        }
        return;
    };
    told.run.decided += 1;
    if event.matched == Some(false) {
        told.facts.push(fact(FactSource::Expectation, row.expected(), answer.clone()));
    }
    match row.model() {
        // The lane was off.
        None => {}
        Some(Some(said)) if said == actual => {}
        Some(Some(said)) => told.facts.push(fact(FactSource::Model, said.as_str(), answer.clone())),
        Some(None) => told.facts.push(fact(FactSource::Model, "cannot know", answer.clone())),
    }
    let wrong = match actual {
        Decision::Allow => Decision::Deny,
        Decision::Deny => Decision::Allow,
    };
    if event.sandbox_check_said(wrong) {
        told.facts.push(fact(FactSource::SandboxCheck, wrong.as_str(), answer));
    }
}
