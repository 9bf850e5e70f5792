//! What the surroundings of a run take away from a row: an operation that something else than the policy under test may
//! have refused, or let through, decides nothing.

use std::borrow::Cow;

use super::decide::{Attempt, Undecided};
use super::row_facts::RowInPlan;
use crate::policy::PolicyValue;
use crate::policy::answer::{self, PolicyQuestion};
use crate::policy::landlock::{LandlockPolicy, NetPortRule, PlacedRule, model};
use crate::record::action::Action;
use crate::record::driver_witness::FileEffect;
use crate::record::enforcer::Enforcer;
use crate::record::manifest::RunManifest;
use crate::record::outcome::{FailureKind, Lane};
use crate::record::row::ProbeRow;

/// An attempt, and what more there is to say of it.
pub(super) type SettledAttempt = (Attempt, Option<String>);

/// What a row of a lane under a policy shows once its surroundings are taken into account.
pub(super) fn settle(manifest: &RunManifest, placed: &RowInPlan<'_>, row: &ProbeRow, shown: Attempt) -> SettledAttempt {
    if let Some(settled) = refused_around(manifest, row, shown) {
        return settled;
    }
    let rules = deciding_rules(manifest, placed, row, shown);
    if rules.is_empty() {
        return (shown, None);
    }
    let cause = Undecided {
        kind: FailureKind::RuleReachesRun,
        errno: shown.errno(),
        note: "a rule of the policy reaches something of the run's own place, so the answer may be its doing",
    };
    (Attempt::Undecided(cause), Some(rules.join(", ")))
}

/// The same for a control, whose answer is the same wherever the run has its place.
pub(super) fn settle_control(manifest: &RunManifest, row: &ProbeRow, shown: Attempt) -> SettledAttempt {
    refused_around(manifest, row, shown).unwrap_or((shown, None))
}

/// A refusal that a layer around the run makes as soon as any policy stands inside of it, so that the baseline does not
/// show it. See `enforce::refer_refused_around`; every other refusal from outside strikes the baseline too.
fn refused_around(manifest: &RunManifest, row: &ProbeRow, shown: Attempt) -> Option<SettledAttempt> {
    let Attempt::Denied { errno: Some(libc::EXDEV) } = shown else { return None };
    let facts = manifest.confinement.as_ref()?;
    if row.lane == Lane::Baseline || facts.landlock_layers == Some(0) || facts.landlock_refuses_refer == Some(false) {
        return None;
    }
    let note = match facts.landlock_refuses_refer {
        Some(_) => "a layer outside of the policy does not grant refer, so the refusal may be its own",
        None => "whether a layer outside of the policy grants refer is not known, so the refusal may be its own",
    };
    let cause = Undecided { kind: FailureKind::OuterConfinement, errno: Some(libc::EXDEV), note };
    Some((Attempt::Undecided(cause), None))
}

/// The rules without which the row might have ended otherwise, and which would not be about its target but for where the
/// run has its place.
fn deciding_rules(manifest: &RunManifest, placed: &RowInPlan<'_>, row: &ProbeRow, shown: Attempt) -> Vec<String> {
    let policy = placed.profile.policy.value.as_ref();
    let Some(declared) = placed.probe.action.as_deref() else { return Vec::new() };
    let decided_by_more = match (shown, policy.enforcer()) {
        (Attempt::Undecided(_), _) => false,
        (Attempt::Allowed, _) => true,
        // A rule more refuses nothing, save that something that moves may gain by it.
        (Attempt::Denied { .. }, Enforcer::Landlock) => declared.driver.file_effect().is_some_and(FileEffect::moves),
        // A later rule may deny what an earlier one allows.
        (Attempt::Denied { .. }, Enforcer::Seatbelt) => true,
        // It has no rules on the place of the fixtures.
        (Attempt::Denied { .. }, Enforcer::Launcher) => false,
    };
    if row.lane == Lane::Baseline || !decided_by_more {
        return Vec::new();
    }
    let ports = match policy {
        PolicyValue::Landlock(policy) => coinciding_ports(policy, declared, &row.action),
        // Their port filters hold parameters, whose values the run picks.
        PolicyValue::Sbpl(_) | PolicyValue::Blob(_) | PolicyValue::Launcher(_) => Vec::new(),
    };
    if !ports.is_empty() {
        return ports;
    }
    let reaching = reaching(manifest, placed, row);
    let entry = &placed.probe.entry;
    let asked = PolicyQuestion {
        action: Some(declared),
        operation: &entry.operation,
        filter: entry.filter_name.as_deref(),
        fixtures: &placed.probe.fixtures,
    };
    let own = declared.texts().any(|text| text.contains("${root}"));
    if reaching.is_empty() || !own || answer::holds_wherever(policy, asked, &reaching) {
        return Vec::new();
    }
    reaching.into_owned()
}

/// The rules that cover the row's `${root}`: those that the run has found out, and those that say so themselves.
fn reaching<'m>(manifest: &'m RunManifest, placed: &RowInPlan<'_>, row: &ProbeRow) -> Cow<'m, [String]> {
    let known = manifest.confinement.as_ref().and_then(|facts| facts.rules_over_fixtures.get(&placed.profile.id));
    let known = known.map_or(&[][..], Vec::as_slice);
    let policy = match placed.profile.policy.value.as_ref() {
        PolicyValue::Landlock(policy) => policy,
        PolicyValue::Sbpl(_) | PolicyValue::Blob(_) | PolicyValue::Launcher(_) => return known.into(),
    };
    let covers = |path: &str| {
        let path = path.trim_end_matches('/');
        !path.is_empty() && row.root.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let spelled = policy.path_rules().filter(|placed| covers(&placed.rule.path));
    let more: Vec<String> = spelled.map(|placed| placed.pointer).filter(|rule| !known.contains(rule)).collect();
    if more.is_empty() { known.into() } else { known.iter().cloned().chain(more).collect() }
}

/// The rules on a port number that happens to be the one that the run picked for the target.
fn coinciding_ports(policy: &LandlockPolicy, declared: &Action, found: &Action) -> Vec<String> {
    let Some(right) = model::port_right(declared.driver) else { return Vec::new() };
    let picked = declared.target.rsplit_once(':').is_some_and(|(_, port)| port.contains("${port."));
    let port = found.target.rsplit_once(':').map(|(_, port)| port);
    let meets = |placed: &PlacedRule<'_, NetPortRule>| {
        Some(placed.rule.port.as_str()) == port && placed.rule.allow.contains(right)
    };
    if picked { policy.port_rules().filter(meets).map(|placed| placed.pointer).collect() } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::base::ids::ProfileId;
    use crate::evidence::testing::{ALL_LANES, ROOT, action, allowed, manifest, plan};
    use crate::plan::ResolvedPlan;
    use crate::record::confinement::ConfinementFacts;
    use crate::record::driver::Driver;
    use crate::record::fixture::{FixtureEntry, FixtureKind};
    use crate::record::outcome::Decision;

    const MOVED: Attempt = Attempt::Denied { errno: Some(libc::EXDEV) };

    fn around(landlock_layers: Option<u32>, landlock_refuses_refer: Option<bool>) -> RunManifest {
        let facts = ConfinementFacts { landlock_layers, landlock_refuses_refer, ..ConfinementFacts::default() };
        RunManifest { confinement: Some(facts), ..manifest(&of(Driver::FileRead, "${root}/f", json!([]), json!([]))) }
    }

    /// A plan of one row, whose policy has these rules.
    fn of(driver: Driver, target: &str, paths: Value, ports: Value) -> ResolvedPlan {
        let mut plan = plan(ALL_LANES, &[("p", &[("a", "any-operation", driver, target, Decision::Allow)])]);
        let document = serde_json::from_value(json!({
            "schema_version": "sandproof.landlock_policy.v1", "abi": 4,
            "handled": {"fs": ["read_file"], "net": ["connect_tcp", "bind_tcp"]},
            "path_beneath": paths, "net_port": ports,
        }));
        let compiled = LandlockPolicy::compile(&document.unwrap()).unwrap();
        plan.profiles[0].policy.value = Arc::new(PolicyValue::Landlock(compiled));
        plan.profiles[0].probes[0].fixtures = Arc::new([FixtureEntry::new("f", FixtureKind::File)]);
        plan
    }

    /// What a row in `lane` comes to, and the rules that are named; `known`: those that the run has found out.
    fn settled_in(lane: Lane, plan: &ResolvedPlan, known: &[&str], shown: Attempt) -> Option<String> {
        let (profile, probe) = plan.rows().next().unwrap();
        let row = allowed(lane, 0, "p", "a", probe.action.as_ref().unwrap());
        let known = known.iter().map(|rule| (*rule).to_owned()).collect();
        let facts = ConfinementFacts {
            rules_over_fixtures: BTreeMap::from([(ProfileId::new("p").unwrap(), known)]),
            ..ConfinementFacts::default()
        };
        let manifest = RunManifest { confinement: Some(facts), ..manifest(plan) };
        let (attempt, rules) = settle(&manifest, &RowInPlan { profile, probe }, &row, shown);
        match (attempt, &rules) {
            (Attempt::Undecided(cause), Some(_)) => assert_eq!(cause.kind, FailureKind::RuleReachesRun),
            _ => assert_eq!((attempt, &rules), (shown, &None)),
        }
        rules
    }

    fn settled(plan: &ResolvedPlan) -> Option<String> {
        settled_in(Lane::Scenario, plan, &[], Attempt::Allowed)
    }

    fn on(path: &str) -> Value {
        json!([{"path": path, "allow": ["read_file"]}])
    }

    #[test]
    fn a_move_that_a_layer_around_the_run_may_have_refused_decides_nothing() {
        let in_lane = |lane, facts: (Option<u32>, Option<bool>), shown| {
            let row = allowed(lane, 0, "p", "a", &action(Driver::FileRename, "${root}/f"));
            settle_control(&around(facts.0, facts.1), &row, shown).0
        };
        for (layers, refuses) in [(Some(1), Some(true)), (None, Some(true)), (Some(1), None), (None, None)] {
            let found = in_lane(Lane::Control, (layers, refuses), MOVED);
            let Attempt::Undecided(cause) = found else { panic!("{layers:?}, {refuses:?}: {found:?}") };
            assert_eq!((cause.kind, cause.errno), (FailureKind::OuterConfinement, Some(libc::EXDEV)));
            assert_eq!(cause.note.contains("is not known"), refuses.is_none(), "{}", cause.note);
            assert_eq!(in_lane(Lane::Baseline, (layers, refuses), MOVED), MOVED);
            for other in [Attempt::Allowed, Attempt::Denied { errno: Some(libc::EACCES) }] {
                assert_eq!(in_lane(Lane::Control, (layers, refuses), other), other);
            }
        }
        for nothing in [(Some(0), None), (Some(1), Some(false)), (None, Some(false))] {
            assert_eq!(in_lane(Lane::Control, nothing, MOVED), MOVED, "{nothing:?}");
        }
    }

    #[test]
    fn a_rule_that_covers_the_fixtures_may_have_let_the_row_through() {
        let read = |path: &str| of(Driver::FileRead, "${root}/f", on(path), json!([]));
        for covering in ["/dev/shm", "/dev/shm/", ROOT] {
            let plan = read(covering);
            assert_eq!(settled(&plan).as_deref(), Some("/path_beneath/0"), "{covering}");
            assert_eq!(settled_in(Lane::Baseline, &plan, &[], Attempt::Allowed), None);
            let denied = Attempt::Denied { errno: Some(libc::EACCES) };
            assert_eq!(settled_in(Lane::Scenario, &plan, &[], denied), None, "no rule refuses");
            let undecided = Attempt::Undecided(Undecided { kind: FailureKind::ProbeTimeout, errno: None, note: "" });
            assert_eq!(settled_in(Lane::Scenario, &plan, &[], undecided), None);
        }
        for beside in ["/dev/sh", "/etc", "/dev/shm/sandproof-test/r/f2/..", "/"] {
            assert_eq!(settled(&read(beside)), None, "{beside}");
        }
        // What leads there by another way, only the run knows; each rule is named once.
        let linked = read("/a/link");
        assert_eq!(
            settled_in(Lane::Scenario, &linked, &["/path_beneath/0"], Attempt::Allowed).as_deref(),
            Some("/path_beneath/0")
        );
        let both = of(
            Driver::FileRead,
            "${root}/f",
            json!([{"path": "/a/link", "allow": ["read_file"]}, {"path": "/dev/shm", "allow": ["read_file"]}]),
            json!([]),
        );
        let named = |known: &[&str]| settled_in(Lane::Scenario, &both, known, Attempt::Allowed);
        assert_eq!(named(&["/path_beneath/0"]).as_deref(), Some("/path_beneath/0, /path_beneath/1"));
        assert_eq!(named(&["/path_beneath/0", "/path_beneath/1"]).as_deref(), Some("/path_beneath/0, /path_beneath/1"));
    }

    #[test]
    fn a_rule_over_the_fixtures_does_not_matter_to_a_path_elsewhere_or_where_another_rule_allows_it_too() {
        assert_eq!(settled(&of(Driver::FileRead, "/dev/shm/other", on("/dev/shm"), json!([]))), None);
        let too = json!([{"path": "/dev/shm", "allow": ["read_file"]}, {"path": "${root}", "allow": ["read_file"]}]);
        assert_eq!(settled(&of(Driver::FileRead, "${root}/f", too, json!([]))), None);
    }

    #[test]
    fn a_rule_on_the_port_that_the_run_picked_may_have_let_the_row_through() {
        let connect = |target: &str, port: &str, right: &str| {
            of(Driver::TcpConnect, target, json!([]), json!([{"port": port, "allow": [right]}]))
        };
        let picked = "127.0.0.1:${port.open}";
        assert_eq!(settled(&connect(picked, "40123", "connect_tcp")).as_deref(), Some("/net_port/0"));
        assert_eq!(settled(&connect(picked, "40124", "connect_tcp")), None);
        assert_eq!(settled(&connect(picked, "40123", "bind_tcp")), None);
        assert_eq!(settled(&connect("127.0.0.1:40123", "40123", "connect_tcp")), None, "the author's own number");
    }
}
