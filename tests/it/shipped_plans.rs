//! The plans that ship: they load, they lint, the model agrees with every expectation, and no right is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use sandproof::plan::{ResolvedPlan, Selection};
use sandproof::policy::PolicyValue;
use sandproof::policy::landlock::rights::Right;
use sandproof::policy::landlock::{FsRight, LandlockPolicy, NetRight, Scope, derive_controls, evaluate};
use sandproof::record::outcome::Decision;

/// The newest Landlock ABI whose rights the plans cover.
const COVERED_ABI: i32 = 7;
const PLANS: [&str; 4] = ["quickstart", "linux-files", "linux-network", "linux-scopes"];

fn plan_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("plans").join(name).join("plan.json")
}

fn plans() -> Vec<ResolvedPlan> {
    PLANS.iter().map(|name| sandproof::plan::load(&plan_path(name), &Selection::default()).unwrap().0).collect()
}

fn policy(value: &PolicyValue) -> &LandlockPolicy {
    match value {
        PolicyValue::Landlock(policy) => policy,
        other => panic!("a {} policy on Linux", other.mode().as_str()),
    }
}

#[test]
fn every_plan_of_the_folder_is_tested_and_lints_without_a_finding() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans");
    let found: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    assert_eq!(found, PLANS.map(String::from).into_iter().collect());
    for name in PLANS {
        let notes = sandproof::plan::lint::lint_plan_file(&plan_path(name)).unwrap();
        assert!(notes.is_empty(), "{name}: {notes:#?}");
    }
}

#[test]
fn the_model_agrees_with_every_expectation() {
    let mut disagreements = Vec::new();
    for plan in plans() {
        for (profile, probe) in plan.rows() {
            let action = probe.action.as_ref().unwrap();
            let answer = evaluate(policy(&profile.policy.value), action, &probe.fixtures);
            if answer.decision != Some(probe.entry.expected) {
                disagreements.push(format!("{}: {answer:?}", probe.expectation_id));
            }
        }
    }
    assert!(disagreements.is_empty(), "{disagreements:#?}");
}

#[test]
fn every_probe_is_in_one_profile_and_says_why() {
    let mut count = 0;
    for plan in plans() {
        let mut seen = BTreeSet::new();
        for (profile, probe) in plan.rows() {
            let id = &probe.entry.probe_id;
            assert!(seen.insert(id.clone()), "{id} stands twice");
            assert_eq!(id.as_str(), format!("{}:{}", profile.id, probe.entry.name));
            let why = probe.entry.why.as_deref().unwrap_or_default();
            assert!(why.ends_with('.') && why.len() > 20, "{id} does not say why");
            count += usize::from(plan.plan.plan_id.as_str() != "quickstart");
        }
    }
    assert!(count >= 120, "only {count} probes");
}

#[test]
fn every_right_is_allowed_by_some_probe_and_denied_by_another() {
    // For each right: whether a rule that grants it let a probe through, and whether its lack refused one.
    let mut covered: BTreeMap<&str, (bool, bool)> = BTreeMap::new();
    let fs = FsRight::ALL.iter().filter(|right| right.since_abi() <= COVERED_ABI).map(|right| right.name());
    let net = NetRight::ALL.iter().filter(|right| right.since_abi() <= COVERED_ABI).map(|right| right.name());
    let scopes = Scope::ALL.iter().filter(|scope| scope.since_abi() <= COVERED_ABI).map(|scope| scope.name());
    covered.extend(fs.chain(net).chain(scopes).map(|name| (name, (false, false))));
    for plan in plans() {
        for (profile, probe) in plan.rows() {
            let action = probe.action.as_ref().unwrap();
            let answer = evaluate(policy(&profile.policy.value), action, &probe.fixtures);
            let rule = answer.rule.as_deref().unwrap_or_default();
            for (name, (allowed, denied)) in &mut covered {
                let word = answer.reason.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).any(|w| w == *name);
                match answer.decision {
                    // Scopes know no rules; letting something through is their absence.
                    Some(Decision::Allow) if word => *allowed |= rule != "/handled/fs" && rule != "/handled/net",
                    Some(Decision::Deny) if word => *denied = true,
                    _ => {}
                }
            }
        }
    }
    let gaps: Vec<_> = covered.iter().filter(|(_, both)| **both != (true, true)).collect();
    assert!(gaps.is_empty(), "(allowed, denied) is not complete for {gaps:?}");
}

#[test]
fn every_policy_has_both_controls() {
    for plan in plans() {
        for profile in &plan.profiles {
            let controls = derive_controls(policy(&profile.policy.value));
            assert!(controls.must_deny.is_ok(), "{}: {:?}", profile.id, controls.must_deny);
            assert!(controls.must_allow.is_ok(), "{}: {:?}", profile.id, controls.must_allow);
        }
    }
}

#[test]
fn quickstart_needs_no_privilege_and_mostly_old_kernels() {
    let plan = sandproof::plan::load(&plan_path("quickstart"), &Selection::default()).unwrap().0;
    let old = plan.profiles.iter().filter(|profile| policy(&profile.policy.value).abi <= 2).count();
    assert!(plan.profiles.len() - old <= 2, "{old} of {} profiles run on ABI 2", plan.profiles.len());
    for (_, probe) in plan.rows() {
        assert!(probe.entry.capabilities_required.iter().all(|need| need == "loopback_listener"), "{probe:?}");
    }
}
