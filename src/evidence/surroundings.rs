//! What the surroundings of a run take away from a row: an operation that something else than the policy under test may
//! have refused, or let through, decides nothing.

use std::borrow::Cow;

use super::decide::{Attempt, Undecided};
use super::row_facts::RowInPlan;
use crate::policy::PolicyValue;
use crate::policy::answer::{self, PolicyQuestion};
use crate::policy::landlock::{LandlockPolicy, NetPortRule, PlacedRule, model};
use crate::record::action::Action;
use crate::record::driver::Driver;
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
        (Attempt::Denied { .. }, Enforcer::Landlock) => {
            matches!(declared.driver, Driver::FileRename | Driver::FileExchange | Driver::FileLink)
        }
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
