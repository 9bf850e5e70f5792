//! One plan in many worlds, or under many launchers: what is answered differently, and which declared facts differ with it.
//!
//! Nothing is judged anew: answers are those of the bundles' own `verdicts.jsonl`. That a fact differs where an answer does is no
//! cause: facts are listed only if no value of theirs goes with two answers, and are called what goes with them.

mod facts;
mod gather;
mod html;
mod markdown;
mod text;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

pub use html::html;
pub use markdown::markdown;
pub use text::text;

use self::gather::{Gathered, WorldColumn};
use crate::record::compare::{
    AnswerCounts, AnswerOfGroups, COMPARE_SCHEMA, DifferingQuestion, GroupFact, WorldComparison, WorldGroup,
};
use crate::review::ReviewError;

/// How many questions are listed. All are counted.
const MOST_QUESTIONS: usize = 10_000;
/// How many worlds of a group are named.
const MOST_WORLDS: usize = 1_000;
/// How many values of a fact are named in a group.
const MOST_VALUES: usize = 8;
/// How many facts are named that go with an answer.
const MOST_FACTS: usize = 8;

/// What a world says to a question that it was not asked.
const NOT_ASKED: &str = "not asked";

/// Compares the bundles at these paths. Each is verified first.
///
/// # Errors
/// If an artifact of a verified bundle cannot be used.
pub fn compare(paths: &[PathBuf]) -> Result<WorldComparison, ReviewError> {
    let gathered = gather::gather(paths)?;
    let columns = &gathered.columns;
    // The order of the plan, as the first world has it that asks.
    let mut order = Vec::with_capacity(gathered.known.len());
    let mut seen = vec![false; gathered.known.len()];
    for (question, _) in columns.iter().flat_map(|column| column.answers.iter()) {
        if !std::mem::replace(&mut seen[*question as usize], true) {
            order.push(*question);
        }
    }
    let groups = groups(columns);
    let varying = varying(columns);
    let mut differing = Vec::new();
    let (mut unlisted, mut partly_asked) = (0, 0);
    let by_question: Vec<HashMap<u32, u32>> =
        groups.iter().map(|members| columns[members[0]].answers.iter().copied().collect()).collect();
    for question in &order {
        let answers: Vec<Option<u32>> = by_question.iter().map(|answers| answers.get(question).copied()).collect();
        let given: BTreeSet<u32> = answers.iter().flatten().copied().collect();
        if given.len() < 2 {
            partly_asked += usize::from(answers.contains(&None));
            continue;
        }
        if differing.len() == MOST_QUESTIONS {
            unlisted += 1;
            continue;
        }
        differing.push(gathered.differing(*question, &answers, &groups, &varying));
    }
    Ok(WorldComparison {
        schema_version: COMPARE_SCHEMA,
        worlds: columns.len(),
        groups: groups.iter().enumerate().map(|(n, members)| gathered.group(n, members, &varying)).collect(),
        questions: order.len(),
        alike: order.len() - differing.len() - unlisted - partly_asked,
        partly_asked,
        differing,
        unlisted,
        left_out: gathered.left_out,
    })
}

/// The columns that answer everything alike, by place; in the order of the first of each.
fn groups(columns: &[WorldColumn]) -> Vec<Vec<usize>> {
    let mut known: HashMap<BTreeSet<(u32, u32)>, usize> = HashMap::new();
    let mut known_lists: HashMap<&[(u32, u32)], usize> = HashMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (place, column) in columns.iter().enumerate() {
        let group = *known_lists.entry(&column.answers).or_insert_with(|| {
            // Two lists may have the same answers in another order.
            *known.entry(column.answers.iter().copied().collect()).or_insert_with(|| {
                groups.push(Vec::new());
                groups.len() - 1
            })
        });
        groups[group].push(place);
    }
    groups
}

/// A fact that has several values: the value of each column, and how many there are.
struct VaryingFact {
    fact: u32,
    values: Vec<Option<u32>>,
    distinct: usize,
}

/// The facts that are not the same everywhere, those with the fewest values first.
fn varying(columns: &[WorldColumn]) -> Vec<VaryingFact> {
    let mut all: BTreeMap<u32, Vec<Option<u32>>> = BTreeMap::new();
    for (place, column) in columns.iter().enumerate() {
        for (fact, value) in &column.facts {
            all.entry(*fact).or_insert_with(|| vec![None; columns.len()])[place] = Some(*value);
        }
    }
    let counted = all.into_iter().map(|(fact, values)| {
        let distinct = values.iter().collect::<BTreeSet<_>>().len();
        VaryingFact { fact, values, distinct }
    });
    let mut varying: Vec<VaryingFact> = counted.filter(|fact| fact.distinct > 1).collect();
    varying.sort_by_key(|fact| fact.distinct);
    varying
}

/// `A`, `B`, …, `Z`, `AA`, …
fn label(mut number: usize) -> String {
    let mut letters = Vec::new();
    loop {
        letters.push(b'A' + (number % 26) as u8);
        if number < 26 {
            break;
        }
        number = number / 26 - 1;
    }
    letters.reverse();
    String::from_utf8(letters).expect("letters are text")
}

impl Gathered {
    fn group(&self, number: usize, members: &[usize], varying: &[VaryingFact]) -> WorldGroup {
        let first = &self.columns[members[0]];
        let mut counts = AnswerCounts { not_asked: self.known.len() - first.answers.len(), ..AnswerCounts::default() };
        for (_, answer) in first.answers.iter() {
            *match self.answers.text(*answer) {
                "allow" => &mut counts.allow,
                text if text.starts_with("deny") => &mut counts.deny,
                _ => &mut counts.undecided,
            } += 1;
        }
        let facts = varying
            .iter()
            .map(|fact| {
                let values: BTreeSet<&str> = members.iter().map(|place| self.value(fact.values[*place])).collect();
                GroupFact {
                    fact: self.facts.text(fact.fact).to_owned(),
                    more: values.len().saturating_sub(MOST_VALUES),
                    values: values.into_iter().take(MOST_VALUES).map(str::to_owned).collect(),
                }
            })
            .collect();
        WorldGroup {
            label: label(number),
            count: members.len(),
            worlds: members.iter().take(MOST_WORLDS).map(|place| self.columns[*place].world.clone()).collect(),
            counts,
            facts,
        }
    }

    fn value(&self, number: Option<u32>) -> &str {
        number.map_or("not stated", |number| self.values.text(number))
    }

    /// `answers` has one for each group.
    fn differing(
        &self,
        question: u32,
        answers: &[Option<u32>],
        groups: &[Vec<usize>],
        varying: &[VaryingFact],
    ) -> DifferingQuestion {
        let mut by_answer: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (group, answer) in answers.iter().enumerate() {
            let answer = answer.map_or(NOT_ASKED, |answer| self.answers.text(answer));
            by_answer.entry(answer.to_owned()).or_default().push(label(group));
        }
        let goes_with = |fact: &&VaryingFact| {
            let mut of_value: HashMap<Option<u32>, Option<u32>> = HashMap::new();
            groups.iter().zip(answers).all(|(members, answer)| {
                members.iter().all(|place| *of_value.entry(fact.values[*place]).or_insert(*answer) == *answer)
            })
        };
        let known = &self.known[question as usize];
        DifferingQuestion {
            profile_id: known.profile.clone(),
            id: known.id.clone(),
            operation: known.operation.clone(),
            target: known.target.clone(),
            answers: by_answer.into_iter().map(|(answer, groups)| AnswerOfGroups { answer, groups }).collect(),
            goes_with: varying
                .iter()
                .filter(goes_with)
                .take(MOST_FACTS)
                .map(|fact| self.facts.text(fact.fact).to_owned())
                .collect(),
        }
    }
}

/// A question in a line.
fn named(question: &DifferingQuestion) -> String {
    let DifferingQuestion { profile_id, id, .. } = question;
    profile_id.as_ref().map_or_else(|| id.clone(), |profile| format!("{profile}  {id}"))
}

/// A world in a line.
fn world(world: &crate::record::compare::ComparedWorld) -> String {
    let launcher = world.launcher.as_ref().map_or_else(String::new, |launcher| format!(" [{launcher}]"));
    format!("{}{launcher}", world.path)
}

/// What is compared, in a sentence.
fn headline(comparison: &WorldComparison) -> String {
    let WorldComparison { worlds, groups, questions, partly_asked, .. } = comparison;
    let s = |n: usize| if n == 1 { "" } else { "s" };
    let differ = comparison.differ();
    let mut text = format!(
        "{worlds} world{} in {} group{}: of {questions} question{}, {differ} answered differently",
        s(*worlds),
        groups.len(),
        s(groups.len()),
        s(*questions),
    );
    if *partly_asked > 0 {
        text.push_str(&format!(", {partly_asked} alike wherever they were asked, which was not everywhere"));
    }
    text
}

/// A fact of a group in a line: its values.
fn values(fact: &GroupFact) -> String {
    let mut text = fact.values.join(", ");
    if fact.more > 0 {
        text.push_str(&format!(", and {} more", fact.more));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_called_by_letters() {
        let labels: Vec<String> = [0, 25, 26, 51, 52, 701, 702].into_iter().map(label).collect();
        assert_eq!(labels, ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]);
    }
}
