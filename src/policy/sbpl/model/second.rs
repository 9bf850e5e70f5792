//! The order of precedence, written a second time in another way, and held against the model on random profiles.
//!
//! Here every thing that is not known is tried in all its ways: each is a world, in each world the rules that match are
//! put in order once, and the first decides. What all worlds agree on is known.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::rules::{Condition, ConditionChoice, Filter, Gap, GapKind, LineColumn, PathFilter, Rule, SbplRules};
use super::{SbplQuestion, evaluate};
use crate::record::outcome::Decision;

const ASKED: &str = "file-read-data";
const TARGET: &str = "/private/tmp/a";
/// Names of rules; the last three are not about what is asked.
const NAMES: [&str; 7] =
    ["default", "file*", "file-read*", "file-read-data", "file-write*", "signal", "file-read-xattr"];

/// How a rule comes to match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Match {
    Unfiltered,
    Yes,
    No,
    Unknown,
}

#[derive(Debug, Clone)]
enum Item {
    Rule { allows: bool, names: Vec<usize>, how: Match, choice: Option<(u32, u32)> },
    Gap,
}

fn item() -> impl Strategy<Value = Item> {
    let how = prop::sample::select(vec![
        Match::Unfiltered,
        Match::Unfiltered,
        Match::Yes,
        Match::Yes,
        Match::No,
        Match::Unknown,
    ]);
    let choice = prop::option::weighted(0.3, (0..2_u32, 0..2_u32));
    let rule = (any::<bool>(), prop::collection::vec(0..NAMES.len(), 1..3), how, choice)
        .prop_map(|(allows, names, how, choice)| Item::Rule { allows, names, how, choice });
    prop_oneof![12 => rule, 1 => Just(Item::Gap)]
}

fn place(n: usize) -> LineColumn {
    LineColumn::at(n as u32 + 1, 1)
}

/// The profile of these items.
fn profile(items: &[Item]) -> SbplRules {
    let condition = |n: usize| Condition {
        text: format!("(c{n})"),
        place: place(n),
        kind: GapKind::Form,
        branches: 2,
        entitlement: None,
    };
    let mut rules = SbplRules { version: 1, conditions: (0..2).map(condition).collect(), ..SbplRules::default() };
    for item in items {
        match item {
            Item::Gap => {
                let before = rules.rules.len();
                rules.gaps.push(Gap { before, kind: GapKind::Form, text: "(g)".into(), place: place(before) });
            }
            Item::Rule { allows, names, how, choice } => {
                let filters = match how {
                    Match::Unfiltered => vec![],
                    Match::Yes => vec![Filter::Path(PathFilter::Subpath("/private".into()))],
                    Match::No => vec![Filter::Path(PathFilter::Literal("/b".into()))],
                    Match::Unknown => vec![Filter::Unknown { name: "u".into(), text: "(u)".into() }],
                };
                rules.rules.push(Rule {
                    action: if *allows { Decision::Allow } else { Decision::Deny },
                    operations: names.iter().map(|n| NAMES[*n].to_owned()).collect(),
                    filters,
                    modifiers: vec![],
                    in_message_filter: false,
                    conditions: choice
                        .map(|(condition, branch)| ConditionChoice { condition, branch })
                        .into_iter()
                        .collect(),
                    place: place(rules.rules.len()),
                });
            }
        }
    }
    rules
}

/// How near a name is to what is asked; `None`: it is about something else. A longer stem is a narrower group.
fn nearness(name: &str) -> Option<usize> {
    match name {
        ASKED => Some(usize::MAX),
        "default" => Some(0),
        group => ASKED.starts_with(group.strip_suffix('*')?).then_some(group.len()),
    }
}

/// A rule of one world: nearness, whether it has a filter, where it stands, and its decision.
type Placed = (usize, bool, usize, bool);

/// The rules that match, in each world.
fn worlds(items: &[Item]) -> Vec<Vec<Placed>> {
    let mut worlds: Vec<(Vec<Placed>, [u32; 2])> = Vec::new();
    for first in 0..2 {
        for second in 0..2 {
            worlds.push((vec![], [first, second]));
        }
    }
    for (at, item) in items.iter().enumerate() {
        let mut next = Vec::new();
        for (rules, ways) in worlds {
            match item {
                // It may be nothing, or any rule on any of the names.
                Item::Gap => {
                    next.push((rules.clone(), ways));
                    for name in [0, usize::MAX] {
                        for (filtered, allows) in [(false, false), (false, true), (true, false), (true, true)] {
                            let mut with = rules.clone();
                            with.push((name, filtered, at, allows));
                            next.push((with, ways));
                        }
                    }
                }
                Item::Rule { allows, names, how, choice } => {
                    let there = choice.is_none_or(|(condition, branch)| ways[condition as usize] == branch);
                    let mut with = rules.clone();
                    for near in names.iter().filter_map(|n| nearness(NAMES[*n])) {
                        with.push((near, *how != Match::Unfiltered, at, *allows));
                    }
                    match how {
                        _ if !there => next.push((rules, ways)),
                        Match::No => next.push((rules, ways)),
                        Match::Yes | Match::Unfiltered => next.push((with, ways)),
                        Match::Unknown => next.extend([(rules, ways), (with, ways)]),
                    }
                }
            }
        }
        worlds = next;
    }
    worlds.into_iter().map(|(rules, _)| rules).collect()
}

/// One of two branches always brings a rule that comes before the doubtful one, and both say the same.
#[test]
fn rules_that_agree_on_every_branch_settle_what_is_doubtful_behind_them() {
    let rule = |allows, name, how, choice| Item::Rule { allows, names: vec![name], how, choice };
    let items = [
        rule(true, 0, Match::Unfiltered, None),
        rule(true, 2, Match::Unfiltered, Some((1, 0))),
        rule(false, 0, Match::Unknown, None),
        rule(true, 0, Match::Yes, Some((1, 1))),
    ];
    let answer = evaluate(&profile(&items), &SbplQuestion::new(ASKED, TARGET));
    assert_eq!(answer.decision, Some(Decision::Allow), "{answer:?}");
    let answer = evaluate(&profile(&items[..3]), &SbplQuestion::new(ASKED, TARGET));
    assert_eq!(answer.decision, None, "{answer:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn both_ways_of_working_out_the_order_agree(items in prop::collection::vec(item(), 0..9)) {
        prop_assume!(items.iter().filter(|item| matches!(item, Item::Gap)).count() < 3);
        let answer = evaluate(&profile(&items), &SbplQuestion::new(ASKED, TARGET));
        let worlds = worlds(&items);
        let by_order: BTreeSet<Option<bool>> = worlds.iter().map(|rules| rules.iter().max().map(|rule| rule.3)).collect();
        let by_position: BTreeSet<Option<bool>> =
            worlds.iter().map(|rules| rules.iter().max_by_key(|rule| rule.2).map(|rule| rule.3)).collect();
        let known = match by_order.iter().collect::<Vec<_>>()[..] {
            [Some(allows)] => Some(if *allows { Decision::Allow } else { Decision::Deny }),
            _ => None,
        };
        prop_assert_eq!(answer.decision, known, "{:?}", answer);
        if known.is_some() {
            let says_so = answer.assumes.iter().any(|text| text.contains("not recorded on 14.4.1"));
            if by_position != by_order {
                prop_assert!(says_so, "{:?}", answer);
            } else if !items.iter().any(|item| matches!(item, Item::Rule { choice: Some(_), .. })) {
                prop_assert!(!says_so, "{:?}", answer);
            }
        }
    }
}
