//! What a model says about one operation, whichever kind of policy it evaluates.

use super::landlock::model as landlock;
use super::launcher::LauncherDocument;
pub use super::model_answer::{ModelAnswer, Need};
use super::sbpl::model as seatbelt;
use super::value::PolicyValue;
use crate::record::action::Action;
use crate::record::fixture::FixtureEntry;

/// A probe, as far as the model needs to know it. All texts hold their placeholders.
#[derive(Debug, Clone, Copy)]
pub struct PolicyQuestion<'a> {
    /// What it does. `None`: its driver is not known, so the model has nothing to say.
    pub action: Option<&'a Action>,
    /// The operation in the probe's own words.
    pub operation: &'a str,
    /// The filter that a query of the policy is about, if the probe says one.
    pub filter: Option<&'a str>,
    /// The profile's fixtures and then the probe's, as they are made.
    pub fixtures: &'a [FixtureEntry],
}

/// Who answers for a policy, by name; the oracle lane records it.
pub fn source_of(policy: &PolicyValue) -> &'static str {
    policy.enforcer().info().model
}

/// Works out what `policy` decides about a probe.
pub fn answer(policy: &PolicyValue, asked: PolicyQuestion<'_>) -> ModelAnswer {
    Answerer::default().answer(policy, asked)
}

/// Whether what the policy decides about a probe is known, and is the same wherever the fixtures lie, also where the rules
/// `reaching` cover them. Rules are named as in a run's `rules_over_fixtures`.
pub fn holds_wherever(policy: &PolicyValue, asked: PolicyQuestion<'_>, reaching: &[String]) -> bool {
    let Some(action) = asked.action else { return false };
    match policy {
        PolicyValue::Landlock(policy) => {
            let places = reaching.iter().map(|rule| policy.path_rules().position(|placed| placed.pointer == *rule));
            // A rule that is none of the policy's says that the record is of another one.
            let Some(places) = places.collect::<Option<Vec<usize>>>() else { return false };
            landlock::holds_wherever(policy, action, asked.fixtures, &places)
        }
        // The model never takes a host path for known to lie above the fixtures, or not to.
        PolicyValue::Sbpl(_) | PolicyValue::Blob(_) => answer(policy, asked).decision.is_some(),
        // Where its folders lie, a launcher is told.
        PolicyValue::Launcher(_) => true,
    }
}

/// Answers one question after the other, sooner than each by itself where successive ones are about one policy.
#[derive(Debug, Default)]
pub struct Answerer<'p> {
    landlock: Option<landlock::LandlockAnswerer<'p>>,
}

impl<'p> Answerer<'p> {
    /// Works out what `policy` decides about a probe.
    pub fn answer(&mut self, policy: &'p PolicyValue, asked: PolicyQuestion<'p>) -> ModelAnswer {
        let Some(action) = asked.action else {
            return ModelAnswer::unknown("what the probe's driver does is not known");
        };
        match policy {
            PolicyValue::Landlock(policy) => {
                let answerer = match &mut self.landlock {
                    Some(known) if std::ptr::eq(known.policy(), policy) => known,
                    other => other.insert(landlock::LandlockAnswerer::new(policy)),
                };
                answerer.evaluate(action, asked.fixtures)
            }
            PolicyValue::Sbpl(policy) => {
                match seatbelt::question(action, asked.operation, asked.filter, asked.fixtures) {
                    Ok(question) => {
                        let rules = policy.rules();
                        let answer = seatbelt::evaluate(rules, &question);
                        ModelAnswer {
                            decision: answer.decision,
                            rule: answer.rule.map(|index| rules.rules[index].place.to_string()),
                            needs: answer
                                .chain
                                .into_iter()
                                .map(|step| Need { right: step.operation, on: step.on })
                                .collect(),
                            reason: answer.reason,
                            assumes: answer.assumes,
                        }
                    }
                    Err(reason) => ModelAnswer::unknown(reason),
                }
            }
            PolicyValue::Blob(_) => ModelAnswer::unknown("a compiled profile holds no text to evaluate"),
            PolicyValue::Launcher(document) => claimed(document, asked.operation, &action.target),
        }
    }
}

/// What a launcher's documentation says: always taken for granted, never certain.
fn claimed(document: &LauncherDocument, operation: &str, target: &str) -> ModelAnswer {
    let Some((place, claim)) = document.claim(operation, target) else {
        return ModelAnswer::unknown("the launcher's document claims nothing of this operation");
    };
    ModelAnswer {
        decision: Some(claim.is),
        rule: Some(format!("/claims/{place}")),
        needs: Vec::new(),
        reason: format!("its documentation says so: {}", claim.source),
        assumes: vec!["the documentation is about this version of the launcher".to_owned()],
    }
}
