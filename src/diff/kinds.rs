//! A run of a system held against its deployment: two kinds of declarations that state the same items.
//!
//! A deployment cannot say what only a run has, a conversation for one. In the first format it states that to be absent, and
//! what the run adds there is listed and leaves open whether both are the same; in the second it leaves it to the run (`per_run`),
//! and what the run adds there is as it should be. What the deployment states and the run does not is a difference like any
//! other.

use serde_json::{Map, Value};

use super::declarations;
use crate::base::canon::pointer_part;
use crate::plan::subject::{AI_RUN, DEPLOYMENT};
use crate::record::identity::{Declaration, DeclarationPart, SYSTEM_DECLARATION_SCHEMA_V2};
use crate::record::open_word::OpenWord;
use crate::record::run_diff::{PartDiff, Unstated};

/// Where a run says which deployment it is one of.
const DEPLOYMENT_POINTER: &str = "/history/deployment";
/// What no deployment can have, so that `none` there leaves it to the run.
const OF_RUNS_ALONE: [&str; 2] = ["/artifact/conversation", "/history/earlier_runs"];

/// Whether declarations of these kinds can be compared.
pub(super) fn comparable(a: &str, b: &str) -> bool {
    a == b || matches!((a, b), (AI_RUN, DEPLOYMENT) | (DEPLOYMENT, AI_RUN))
}

/// A run and its deployment compared.
pub(super) struct DeploymentComparison {
    pub(super) parts: Vec<PartDiff>,
    pub(super) aside: UncomparedParts,
    /// Whether the run says that it is one of this deployment; `None` if it does not say of which.
    pub(super) names_deployment: Option<bool>,
}

/// What was not compared.
#[derive(Default)]
pub(super) struct UncomparedParts {
    /// What only the run states, and why the deployment does not.
    pub(super) only_run: Vec<Unstated>,
    /// What neither states.
    pub(super) neither: Vec<Unstated>,
    /// What neither knows.
    pub(super) unknown: Vec<Unstated>,
    /// What the deployment leaves to each run.
    pub(super) left_to_run: Vec<Unstated>,
}

/// Compares what both state.
pub(super) fn compare(a: &Declaration, b: &Declaration) -> DeploymentComparison {
    let (run, deployment) = if a.kind == AI_RUN { (a, b) } else { (b, a) };
    let named = run.history.get("deployment").and_then(Value::as_str);
    let names_deployment = named.map(|named| named == deployment.identity.to_string());
    let mut aside = UncomparedParts::default();
    let parts = DeclarationPart::ALL.into_iter().map(|part| {
        let at = format!("/{}", part.as_str());
        let [mut of_run, mut of_deployment] = [run, deployment].map(|one| Value::Object(one.part(part).clone()));
        if part == DeclarationPart::History && named.is_some() {
            // The deployment's own identity stands for what the run says of it.
            if let Value::Object(members) = &mut of_deployment {
                members.insert("deployment".to_owned(), Value::String(deployment.identity.to_string()));
            }
        }
        aside.set(&at, &mut of_run, &mut of_deployment);
        let values = if a.kind == AI_RUN { [&of_run, &of_deployment] } else { [&of_deployment, &of_run] };
        declarations::compare_values([a, b], part, values)
    });
    let parts = parts.collect();
    DeploymentComparison { parts, aside, names_deployment }
}

/// How an item has no value.
#[derive(Clone, Copy, PartialEq)]
enum OpenValue<'v> {
    /// In the first format: there is none, or nobody knows, for this reason.
    Absent(&'v str),
    /// In the second.
    Word(OpenWord),
}

impl<'v> OpenValue<'v> {
    fn of(value: &'v Value) -> Option<Self> {
        if let Some(word) = OpenWord::of(value) {
            return Some(Self::Word(word));
        }
        let members = value.as_object().filter(|members| members.len() == 1)?;
        members.get("absent")?.as_str().map(Self::Absent)
    }
}

impl UncomparedParts {
    /// Takes what is not compared out of both. Lists stay whole: their elements have no names to be held against each other.
    fn set(&mut self, at: &str, run: &mut Value, deployment: &mut Value) {
        use OpenValue::{Absent, Word};
        let unstated = |reason: String| Unstated { pointer: at.to_owned(), reason };
        let list = match (OpenValue::of(run), OpenValue::of(deployment)) {
            (Some(Absent(of_run)), Some(Absent(of_deployment))) => {
                let reason = if of_run == of_deployment {
                    of_run.to_owned()
                } else {
                    format!("the run: {of_run}; the deployment: {of_deployment}")
                };
                self.neither.push(unstated(reason));
                true
            }
            (Some(Word(OpenWord::Unknown)), Some(Word(OpenWord::Unknown | OpenWord::PerRun))) => {
                self.unknown.push(unstated("neither says it".to_owned()));
                true
            }
            (_, Some(Word(OpenWord::PerRun))) => {
                self.left_to_run.push(unstated("each run states its own".to_owned()));
                true
            }
            (None, Some(Word(OpenWord::None))) if OF_RUNS_ALONE.contains(&at) => {
                self.left_to_run.push(unstated("no deployment has one".to_owned()));
                true
            }
            (None | Some(Word(OpenWord::None)), Some(Word(OpenWord::Unknown))) => {
                self.only_run.push(unstated("it is not known of the deployment".to_owned()));
                true
            }
            (None, Some(Absent(reason))) => {
                self.only_run.push(unstated(reason.to_owned()));
                true
            }
            (Some(_), _) | (None, Some(Word(OpenWord::None))) => false,
            (None, None) => {
                let (Value::Object(run), Value::Object(deployment)) = (run, deployment) else { return };
                // Within `value` nothing is a reference.
                if !is_literal(run) && !is_literal(deployment) {
                    self.set_members(at, run, deployment);
                }
                return;
            }
        };
        if list {
            (*run, *deployment) = (Value::Null, Value::Null);
        }
    }

    fn set_members(&mut self, at: &str, run: &mut Map<String, Value>, deployment: &mut Map<String, Value>) {
        let mut added = Vec::new();
        for (name, of_run) in run.iter_mut() {
            let at = format!("{at}/{}", pointer_part(name));
            match deployment.get_mut(name) {
                Some(of_deployment) => self.set(&at, of_run, of_deployment),
                None if is_optional(&at) => {
                    let says = OpenWord::of(of_run).is_none();
                    let reason = "the deployment does not mention it".to_owned();
                    if says && at != DEPLOYMENT_POINTER {
                        self.only_run.push(Unstated { pointer: at, reason });
                    }
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
    matches!(
        parts.as_slice(),
        ["artifact", "model", "provider" | "adapters"]
            | ["artifact", "command" | "read"]
            | ["policy", "sandbox"]
            | ["history", "deployment"]
            | [_, "other"]
            | [_, "other", _]
            | ["artifact", "build" | "model" | "parameters" | "tools" | "retrieval", "other"]
            | ["runtime", "hardware" | "scheduler" | "rollout", "other"]
    )
}

fn is_literal(members: &Map<String, Value>) -> bool {
    members.len() == 1 && members.contains_key("value")
}

/// What both sides of one kind say is unknown.
pub(super) fn unknown_on_both(a: &Declaration, b: &Declaration) -> Vec<Unstated> {
    if [a, b].iter().any(|one| one.schema_version != SYSTEM_DECLARATION_SCHEMA_V2) {
        return Vec::new();
    }
    let unknown = |one: &Declaration| {
        let open = crate::record::open_item::open_items(one).into_iter();
        open.filter(|item| item.word == OpenWord::Unknown).map(|item| item.pointer).collect::<Vec<_>>()
    };
    let of_b: std::collections::HashSet<String> = unknown(b).into_iter().collect();
    let both = unknown(a).into_iter().filter(|pointer| of_b.contains(pointer));
    both.map(|pointer| Unstated { pointer, reason: "neither says it".to_owned() }).collect()
}
