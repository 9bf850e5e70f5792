//! Whatever the profile and the question, the model answers, and its answer holds together.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use sandproof::test_support::policy::operations::OPERATIONS;
use sandproof::test_support::policy::sbpl::SbplPolicy;
use sandproof::test_support::policy::sbpl::model::{Model, NodeKind, SbplQuestion};
use sandproof::test_support::record::outcome::Decision;

/// System calls by name, and none.
const CALLS: [&str; 8] = ["", "open", "openat", "openat_rootrel", "lstat", "fstat", "rename", "creat"];

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // The profile, a target, a link, a filter; what is asked about follows from the lengths.
    let mut parts = text.split('\0');
    let profile = parts.next().unwrap_or_default();
    let target = parts.next().unwrap_or("/tmp/x");
    let link = parts.next().unwrap_or("../y");
    let filter = parts.next();
    let Ok(policy) = SbplPolicy::new(profile, BTreeMap::new()) else { return };
    let model = Model::new(policy.rules());
    for turn in 0..16 {
        let at = (data.len() + turn * 37) % OPERATIONS.len();
        let mut question = SbplQuestion::new(OPERATIONS[at], target);
        question.filter = filter.map(str::to_owned);
        let call = CALLS[turn % CALLS.len()];
        question.syscall = (!call.is_empty() && OPERATIONS[at].starts_with("file")).then(|| call.to_owned());
        let _ = question.tree.declare("/tmp/x", NodeKind::Symlink(link.to_owned()));
        let answer = model.ask(&question);
        assert!(!answer.reason.is_empty());
        match answer.decision {
            None => assert!(answer.rule.is_none()),
            Some(decision) => {
                assert!(answer.rule.is_none_or(|index| policy.rules().rules[index].action == decision));
                let refused = answer.chain.iter().any(|step| step.decision == Some(Decision::Deny));
                assert_eq!(refused, decision == Decision::Deny);
            }
        }
        assert_eq!(model.ask(&question), answer);
    }
});
