//! No profile makes the evaluation panic or run on; appending rules is reading the longer text.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use sandproof::test_support::policy::sbpl::SbplPolicy;
use sandproof::test_support::policy::sbpl::rules::{Filter, SbplRules};

/// What stands before the first NUL is the profile, what follows a rule that is appended to it.
fn split(text: &str) -> (&str, Option<&str>) {
    text.split_once('\0').map_or((text, None), |(profile, rule)| (profile, Some(rule)))
}

fn check(rules: &SbplRules) {
    assert!((1..=3).contains(&rules.version));
    let mut before = 0;
    for gap in &rules.gaps {
        assert!(before <= gap.before && gap.before <= rules.rules.len());
        before = gap.before;
    }
    for rule in &rules.rules {
        assert!(!rule.operations.is_empty());
        rule.filters.iter().for_each(check_filter);
    }
}

fn check_filter(filter: &Filter) {
    match filter {
        // An empty list of alternatives never matches, and must never be taken for no filter at all.
        Filter::All(parts) | Filter::Any(parts) => {
            assert!(!parts.is_empty());
            parts.iter().for_each(check_filter);
        }
        Filter::Not(part) => check_filter(part),
        _ => {}
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (profile, rule) = split(text);
    let parameters: BTreeMap<String, String> =
        [("HOME", "/Users/x"), ("K", "\"\\"), ("EMPTY", "")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let Ok(policy) = SbplPolicy::new(profile, parameters.clone()) else { return };
    check(policy.rules());
    let _ = policy.gates();
    let _ = policy.rules().default_rule();
    if let Some(rule) = rule
        && let Ok(whole) = policy.with_rules(&[rule])
    {
        check(whole.rules());
        let again = SbplPolicy::new(whole.text(), parameters).expect("the same text");
        assert_eq!(again.rules(), whole.rules());
    }
});
