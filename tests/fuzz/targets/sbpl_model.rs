//! No profile and no question makes the model panic or run on, and its answers hold together.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use sandproof::policy::operations::OPERATIONS;
use sandproof::policy::sbpl::SbplPolicy;
use sandproof::policy::sbpl::model::{Question, evaluate};
use sandproof::record::outcome::Decision;

fuzz_target!(|data: &[u8]| {
    // One byte chooses the operation; the target and the profile are separated by a NUL.
    let Some((choice, rest)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let (target, profile) = text.split_once('\0').unwrap_or(("/private/tmp/x", text));
    let Ok(policy) = SbplPolicy::new(profile, BTreeMap::new()) else { return };
    let question = Question::new(OPERATIONS[usize::from(*choice) % OPERATIONS.len()], target);

    let answer = evaluate(policy.rules(), &question);
    assert_eq!(answer, evaluate(policy.rules(), &question));
    if let Some(rule) = answer.rule {
        assert!(rule < policy.rules().rules.len());
        assert!(answer.decision.is_some());
    }
    if answer.decision.is_none() {
        assert!(!answer.reason.is_empty());
        assert!(answer.assumes.is_empty());
    }
    // Whatever stood before: a last rule without a filter decides everything.
    let open = policy.with_rules(&["(allow default)"]).expect("one rule more");
    let answer = evaluate(open.rules(), &question);
    assert!(answer.chain.iter().all(|step| step.decision == Some(Decision::Allow)), "{answer:?}");
});
