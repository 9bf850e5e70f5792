//! A run of a system held against its deployment: two kinds of declarations that state the same items.
//!
//! A deployment cannot say what only a run has, a conversation for one, and states it to be absent. What the run adds there
//! is no difference; it is listed. What the deployment states and the run does not is a difference like any other.

use serde_json::{Map, Value};

use super::declarations;
use crate::base::canon::pointer_part;
use crate::plan::subject::{AI_RUN, DEPLOYMENT};
use crate::record::identity::{Declaration, DeclarationPart};
use crate::record::run_diff::{PartDiff, Unstated};

/// Whether declarations of these kinds can be compared.
pub(super) fn comparable(a: &str, b: &str) -> bool {
    a == b || matches!((a, b), (AI_RUN, DEPLOYMENT) | (DEPLOYMENT, AI_RUN))
}

/// A run and its deployment compared.
pub(super) struct DeploymentComparison {
    pub(super) parts: Vec<PartDiff>,
    pub(super) aside: UncomparedParts,
}

/// What was not compared.
#[derive(Default)]
pub(super) struct UncomparedParts {
    /// What only the run states, and why the deployment does not.
    pub(super) only_run: Vec<Unstated>,
    /// What neither states.
    pub(super) neither: Vec<Unstated>,
}

/// Compares what both state.
pub(super) fn compare(a: &Declaration, b: &Declaration) -> DeploymentComparison {
    let mut aside = UncomparedParts::default();
    let parts = DeclarationPart::ALL.into_iter().map(|part| {
        let at = format!("/{}", part.as_str());
        let [mut of_a, mut of_b] = [a, b].map(|one| Value::Object(one.part(part).clone()));
        if a.kind == AI_RUN {
            aside.set(&at, &mut of_a, &mut of_b);
        } else {
            aside.set(&at, &mut of_b, &mut of_a);
        }
        declarations::compare_values([a, b], part, [&of_a, &of_b])
    });
    let parts = parts.collect();
    DeploymentComparison { parts, aside }
}

impl UncomparedParts {
    /// Takes what is not compared out of both. Lists stay whole: their elements have no names to be held against each other.
    fn set(&mut self, at: &str, run: &mut Value, deployment: &mut Value) {
        match (absent(run), absent(deployment)) {
            (Some(of_run), Some(of_deployment)) => {
                let reason = if of_run == of_deployment {
                    of_run.to_owned()
                } else {
                    format!("the run: {of_run}; the deployment: {of_deployment}")
                };
                self.neither.push(Unstated { pointer: at.to_owned(), reason });
                (*run, *deployment) = (Value::Null, Value::Null);
            }
            (None, Some(reason)) => {
                self.only_run.push(Unstated { pointer: at.to_owned(), reason: reason.to_owned() });
                (*run, *deployment) = (Value::Null, Value::Null);
            }
            (Some(_), None) => {}
            (None, None) => {
                let (Value::Object(run), Value::Object(deployment)) = (run, deployment) else { return };
                // Within `value` nothing is a reference.
                if !is_literal(run) && !is_literal(deployment) {
                    self.set_members(at, run, deployment);
                }
            }
        }
    }

    fn set_members(&mut self, at: &str, run: &mut Map<String, Value>, deployment: &mut Map<String, Value>) {
        let mut added = Vec::new();
        for (name, of_run) in run.iter_mut() {
            let at = format!("{at}/{}", pointer_part(name));
            match deployment.get_mut(name) {
                Some(of_deployment) => self.set(&at, of_run, of_deployment),
                None if is_optional(&at) => {
                    let reason = "the deployment does not mention it".to_owned();
                    self.only_run.push(Unstated { pointer: at, reason });
                    added.push(name.clone());
                }
                None => {}
            }
        }
        run.retain(|name, _| !added.contains(name));
    }
}

/// Whether an item may be left out of a declaration. Everything else is a member of an item that both state.
fn is_optional(pointer: &str) -> bool {
    let parts: Vec<&str> = pointer.split('/').skip(1).collect();
    matches!(parts.as_slice(), ["artifact", "model", "provider"] | [_, "other"] | [_, "other", _])
}

fn absent(value: &Value) -> Option<&str> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    members.get("absent")?.as_str()
}

fn is_literal(members: &Map<String, Value>) -> bool {
    members.len() == 1 && members.contains_key("value")
}
