//! What a run shows that nobody said: where expectation, model or `sandbox_check` were wrong or silent, and what a channel
//! did not answer.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::ReviewError;
use super::report::{ReportRow, for_each_row};
use crate::bundle::{self, ArtifactError};
use crate::promote::gates;
use crate::record::channel_witness::WitnessCheck;
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
    let checks = bundle.channel_witness().into_iter().flat_map(|witness| &witness.checks);
    of_channel(bundle.manifest().channel, checks, place, &mut told);
    match for_each_row(&bundle, &mut |row| of_row(&row, place, &mut told)) {
        // A dry run, or one without the scenario lane, has no events.
        Ok(()) | Err(ArtifactError::Absent { .. }) => Ok(told),
        Err(error) => Err(error.into()),
    }
}

/// The questions of a clean channel that were not answered well.
fn of_channel<'c>(
    channel: ChannelKind,
    checks: impl Iterator<Item = &'c WitnessCheck>,
    place: &str,
    told: &mut RunFacts,
) {
    if channel == ChannelKind::Direct {
        return;
    }
    for check in checks {
        of_check(check, place, told);
    }
}

fn of_check(check: &WitnessCheck, place: &str, told: &mut RunFacts) {
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::bundle::tests::fixture;
    use crate::record::opinions::ModelOpinion;

    fn nothing() -> RunFacts {
        let run = LearnedRun {
            folder: "run".into(),
            plan_id: None,
            channel: None,
            verified: true,
            promotable: false,
            decided: 0,
            undecided: 0,
        };
        RunFacts { run, facts: Vec::new(), open: Vec::new(), answers: BTreeMap::new() }
    }

    fn model(decision: Option<Decision>) -> ModelOpinion {
        let (source, reason) = ("landlock_model".into(), "a reason".into());
        ModelOpinion { source, decision, rule: None, rule_place: None, reason, assumes: Vec::new() }
    }

    /// What one row tells: decided rows, undecided rows, the answer, facts, what is open. A fact is who said what.
    fn told(event: Value, model: Option<ModelOpinion>) -> (u64, u64, String, Vec<String>, Vec<String>) {
        let mut whole = json!({"scenario_id": "s", "expectation_id": "e", "profile_id": "p", "operation": "file-read*",
            "target": "/x", "expected": "deny"});
        whole.as_object_mut().unwrap().extend(event.as_object().unwrap().clone());
        let mut told = nothing();
        of_row(&ReportRow::told(whole, model), "run", &mut told);
        let words = |facts: &[LearnedFact]| -> Vec<String> {
            for fact in facts {
                assert_eq!((&*fact.place, &*fact.about, &*fact.subject), ("run", "e", "file-read* on /x"));
            }
            facts.iter().map(|fact| format!("{} said {}, {}", fact.source.as_str(), fact.said, fact.observed)).collect()
        };
        let answer = told.answers.remove(&("p".to_owned(), "e".to_owned())).unwrap();
        assert!(told.answers.is_empty());
        (told.run.decided, told.run.undecided, answer, words(&told.facts), words(&told.open))
    }

    #[test]
    fn a_row_as_expected_teaches_nothing() {
        let row = json!({"actual": "deny", "match": true, "errno_name": "EACCES"});
        let none: Vec<String> = Vec::new();
        let wanted = (1, 0, "deny, EACCES".to_owned(), none.clone(), none);
        assert_eq!(told(row.clone(), None), wanted);
        assert_eq!(told(row.clone(), Some(model(Some(Decision::Deny)))), wanted);
        let asked = json!({"actual": "deny", "match": true, "errno_name": "EACCES",
            "seatbelt_callouts": [{"decision": "deny"}, {"decision": "error"}]});
        assert_eq!(told(asked, None), wanted);
    }

    #[test]
    fn whoever_said_something_else_is_named_with_it() {
        let row = json!({"actual": "allow", "match": false, "seatbelt_callouts": [{"decision": "deny"}]});
        let (decided, undecided, answer, facts, open) = told(row, Some(model(Some(Decision::Deny))));
        assert_eq!((decided, undecided, &*answer, open.len()), (1, 0, "allow", 0));
        assert_eq!(facts, ["expectation said deny, allow", "model said deny, allow", "sandbox_check said deny, allow"]);
        let row = json!({"expected": "allow", "actual": "deny", "match": false, "errno_name": "EPERM",
            "seatbelt_callouts": [{"decision": "allow"}]});
        let facts = told(row, Some(model(Some(Decision::Allow)))).3;
        let wanted = [
            "expectation said allow, deny, EPERM",
            "model said allow, deny, EPERM",
            "sandbox_check said allow, deny, EPERM",
        ];
        assert_eq!(facts, wanted);
        // Also where the author was right, and the model silent.
        let row = json!({"actual": "deny", "match": true});
        assert_eq!(told(row, Some(model(None))).3, ["model said cannot know, deny"]);
    }

    #[test]
    fn a_row_without_an_answer_is_open_unless_it_only_asked_and_was_answered_as_expected() {
        let row = json!({"failure_kind": "baseline_undecided", "errno_name": "ENOENT"});
        // What the model says of it is no fact: there is nothing to hold it against.
        let (decided, undecided, answer, facts, open) = told(row, Some(model(Some(Decision::Allow))));
        assert_eq!((decided, undecided, facts.len()), (0, 1, 0));
        assert_eq!(answer, "undecided, baseline_undecided, ENOENT");
        assert_eq!(open, ["expectation said deny, undecided, baseline_undecided, ENOENT"]);
        let asked = |answer: &str| json!({"failure_kind": "oracle_only", "seatbelt_callouts": [{"decision": answer}]});
        assert_eq!(told(asked("deny"), None), (0, 1, "undecided, oracle_only".to_owned(), Vec::new(), Vec::new()));
        assert_eq!(told(asked("allow"), None).4, ["expectation said deny, undecided, oracle_only"]);
    }

    #[test]
    fn a_question_of_the_channel_is_a_fact_answered_badly_and_open_unanswered() {
        let checks = [("well", Some(true)), ("badly", Some(false)), ("not", None)].map(|(name, ok)| WitnessCheck {
            check: name.into(),
            ok,
            found: format!("found {name}"),
        });
        let mut direct = nothing();
        of_channel(ChannelKind::Direct, checks.iter(), "run", &mut direct);
        assert!(direct.facts.is_empty() && direct.open.is_empty(), "no manager was asked");
        let mut told = nothing();
        of_channel(ChannelKind::SystemdClean, checks.iter(), "run", &mut told);
        let names = |facts: &[LearnedFact]| -> Vec<(FactSource, String, String)> {
            facts.iter().map(|fact| (fact.source, fact.about.clone(), fact.observed.clone())).collect()
        };
        assert_eq!(names(&told.facts), [(FactSource::Channel, "badly".to_owned(), "found badly".to_owned())]);
        assert_eq!(names(&told.open), [(FactSource::Channel, "not".to_owned(), "found not".to_owned())]);
    }

    #[test]
    fn a_run_that_does_not_verify_is_one_fact_that_names_three_problems_and_counts_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        let observed = || {
            let told = of_run(dir.path(), "out/run").unwrap();
            assert_eq!((told.run.verified, &*told.run.folder, told.open.len()), (false, "out/run", 0));
            let [fact] = &told.facts[..] else { panic!("{:?}", told.facts) };
            fact.observed.clone()
        };
        let problems = |observed: &str| observed.split("; ").count();
        let few = observed();
        assert!(problems(&few) <= 3 && !few.contains("more"), "{few}");
        let folder = fixture::build(dir.path(), fixture::RUN).folder;
        for n in 0..5 {
            std::fs::write(folder.join(format!("extra-{n}")), "").unwrap();
        }
        let many = of_run(&folder, "out/run").unwrap().facts.remove(0).observed;
        assert_eq!(problems(&many), 4, "{many}");
        assert!(many.ends_with(" more"), "{many}");
    }
}
