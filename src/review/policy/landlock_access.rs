//! What a Landlock policy grants, right by right, from its rule table alone: no driver, no fixture, no host.

use std::collections::BTreeSet;

use super::filters::is_below;
use super::witness::NOBODY;
use crate::policy::landlock::rights::{FsRight, NetRight, Right, Scope};
use crate::policy::landlock::{LandlockPolicy, NEVER_ABOVE_ROOT, PlacedRule, TSYNC};
use crate::record::policy_review::AccessChange;
use crate::record::why::WhyDecision;

const ROOT: &str = "${root}";

/// What a policy says of one right on one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What the model answers.
    pub decision: WhyDecision,
    /// What decides, as a JSON pointer: the rule that grants, or the list of handled rights.
    pub by: Option<String>,
}

impl Grant {
    fn allow(by: Option<String>) -> Self {
        Self { decision: WhyDecision::Allow, by }
    }

    fn deny(by: &str) -> Self {
        Self { decision: WhyDecision::Deny, by: Some(by.to_owned()) }
    }
}

impl Grant {
    /// What every layer says together: a refusal wins, then what is not known; without either, the first rule that grants.
    fn of_all(grants: impl Iterator<Item = Self>) -> Self {
        let rank = |grant: &Self| match grant.decision {
            WhyDecision::Deny => 0,
            WhyDecision::Undecidable => 1,
            WhyDecision::Allow => 2 + u8::from(grant.by.is_none()),
        };
        // Of equals, `min_by_key` gives the first.
        grants.min_by_key(rank).unwrap_or_else(|| Self::allow(None))
    }
}

/// Whether a file-system right is restricted at all. A policy that handles any file right restricts `refer`, too.
pub fn restricts(policy: &LandlockPolicy, right: FsRight) -> bool {
    (0..policy.layers.len()).any(|layer| policy.refuses_on_paths(layer).contains(right))
}

/// What the policy says of `right` on `path`. Paths are compared as they are spelled: no link is known of.
pub fn on_path(policy: &LandlockPolicy, right: FsRight, path: &str) -> Grant {
    Grant::of_all((0..policy.layers.len()).map(|layer| layer_on_path(policy, layer, right, path)))
}

/// What one layer says of it.
pub fn layer_on_path(policy: &LandlockPolicy, layer: usize, right: FsRight, path: &str) -> Grant {
    if !policy.refuses_on_paths(layer).contains(right) {
        return Grant::allow(None);
    }
    let rules = &policy.layers[layer].path_beneath;
    let pointer = |index: usize| format!("{}/path_beneath/{index}", policy.layer_pointer(layer));
    if let Some(by) = rules.iter().position(|rule| rule.allow.contains(right) && is_below(path, &rule.path)) {
        return Grant::allow(Some(pointer(by)));
    }
    // Where `${root}` lies is not known, so a host rule may cover it, and a rule below it may cover a host path.
    let (symbolic, never) =
        (path.starts_with(ROOT), |path: &str| NEVER_ABOVE_ROOT.iter().any(|top| is_below(path, top)));
    let maybe = rules.iter().position(|rule| {
        rule.allow.contains(right)
            && match (symbolic, rule.path.starts_with(ROOT)) {
                (true, false) => !never(&rule.path),
                (false, true) => !never(path),
                _ => false,
            }
    });
    match maybe {
        Some(index) => Grant { decision: WhyDecision::Undecidable, by: Some(pointer(index)) },
        None => Grant::deny(&policy.refusal_pointer(layer)),
    }
}

/// What the policy says of `right` on a port, as it is spelled.
pub fn on_port(policy: &LandlockPolicy, right: NetRight, port: &str) -> Grant {
    Grant::of_all((0..policy.layers.len()).map(|layer| layer_on_port(policy, layer, right, port)))
}

/// What one layer says of it.
pub fn layer_on_port(policy: &LandlockPolicy, layer: usize, right: NetRight, port: &str) -> Grant {
    let (one, at) = (&policy.layers[layer], policy.layer_pointer(layer));
    if !one.handled_net.contains(right) {
        return Grant::allow(None);
    }
    match one.net_port.iter().position(|rule| rule.port == port && rule.allow.contains(right)) {
        Some(index) => Grant::allow(Some(format!("{at}/net_port/{index}"))),
        None => Grant::deny(&format!("{at}/handled/net")),
    }
}

/// What the policy says of reaching out of its domain.
pub fn of_scope(policy: &LandlockPolicy, scope: Scope) -> Grant {
    match policy.layers.iter().position(|layer| layer.scoped.contains(scope)) {
        Some(layer) => Grant::deny(&format!("{}/handled/scope", policy.layer_pointer(layer))),
        None => Grant::allow(None),
    }
}

/// Whether threads that were there before the policy was applied stay as free as they were.
fn of_threads(policy: &LandlockPolicy) -> Grant {
    if policy.tsync { Grant::deny("/tsync") } else { Grant::allow(None) }
}

/// How the access of two policies differs, and how many questions both were asked.
pub fn compare(a: &LandlockPolicy, b: &LandlockPolicy) -> (usize, Vec<AccessChange>) {
    let mut paths: BTreeSet<String> = [format!("/{NOBODY}")].into();
    let mut ports: BTreeSet<String> = ["9".to_owned()].into();
    for policy in [a, b] {
        for PlacedRule { rule, .. } in policy.path_rules() {
            let top = rule.path.trim_end_matches('/');
            paths.extend([rule.path.clone(), format!("{top}/{NOBODY}"), format!("{top}-{NOBODY}")]);
        }
        ports.extend(policy.port_rules().map(|placed| placed.rule.port.clone()));
    }
    paths.retain(|path| path != "/-sandproof-witness");
    let mut questions = 0;
    let mut changes: Vec<AccessChange> = Vec::new();
    let mut put = |right: &str, target: &str, of_a: Grant, of_b: Grant| {
        questions += 1;
        if of_a.decision == of_b.decision {
            return;
        }
        let same = |change: &&mut AccessChange| {
            change.target == target
                && (change.a, change.b) == (of_a.decision, of_b.decision)
                && (&change.a_rule, &change.b_rule) == (&of_a.by, &of_b.by)
        };
        match changes.iter_mut().find(same) {
            Some(known) => known.operations.push(right.to_owned()),
            None => changes.push(AccessChange {
                operations: vec![right.to_owned()],
                target: target.to_owned(),
                facts: Default::default(),
                a: of_a.decision,
                a_rule: of_a.by,
                b: of_b.decision,
                b_rule: of_b.by,
            }),
        }
    };
    for path in &paths {
        for right in FsRight::ALL {
            put(right.name(), path, on_path(a, *right, path), on_path(b, *right, path));
        }
    }
    for port in &ports {
        for right in NetRight::ALL {
            put(right.name(), &format!("port {port}"), on_port(a, *right, port), on_port(b, *right, port));
        }
    }
    for scope in Scope::ALL {
        put(scope.name(), "outside the domain", of_scope(a, *scope), of_scope(b, *scope));
    }
    if a.tsync || b.tsync {
        put(TSYNC, "threads that were there before", of_threads(a), of_threads(b));
    }
    (questions, changes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::landlock::PolicyDocument;

    fn policy(text: &str) -> LandlockPolicy {
        let text = format!(r#"{{"schema_version":"sandproof.landlock_policy.v1","abi":9,{text}}}"#);
        let document: PolicyDocument = serde_json::from_str(&text).unwrap();
        LandlockPolicy::compile(&document).unwrap()
    }

    #[test]
    fn rights_are_looked_up_on_the_way_up() {
        let policy = policy(
            r#""handled":{"fs":["read_file","write_file"],"net":["connect_tcp"],"scope":["signal"]},
               "path_beneath":[{"path":"/usr","allow":["read_file"]},{"path":"${root}/w","allow":["write_file"]}],
               "net_port":[{"port":"443","allow":["connect_tcp"]}]"#,
        );
        let on = |right, path| on_path(&policy, right, path).decision;
        assert_eq!(on(FsRight::ReadFile, "/usr/lib/x"), WhyDecision::Allow);
        assert_eq!(on(FsRight::ReadFile, "/usrx"), WhyDecision::Deny);
        assert_eq!(on(FsRight::WriteFile, "/etc/x"), WhyDecision::Deny);
        assert_eq!(on(FsRight::WriteFile, "/home/x"), WhyDecision::Undecidable);
        assert_eq!(on(FsRight::Execute, "/home/x"), WhyDecision::Allow);
        assert_eq!(on(FsRight::Refer, "/usr"), WhyDecision::Deny);
        assert_eq!(on_port(&policy, NetRight::ConnectTcp, "443").by.as_deref(), Some("/net_port/0"));
        assert_eq!(on_port(&policy, NetRight::ConnectTcp, "80").decision, WhyDecision::Deny);
        assert_eq!(on_port(&policy, NetRight::BindTcp, "80").decision, WhyDecision::Allow);
        assert_eq!(of_scope(&policy, Scope::Signal).decision, WhyDecision::Deny);
        assert_eq!(of_scope(&policy, Scope::AbstractUnixSocket).decision, WhyDecision::Allow);
    }

    #[test]
    fn changes_are_told_by_target() {
        let a = policy(
            r#""handled":{"fs":["read_file","write_file"]},"path_beneath":[{"path":"/a","allow":["read_file"]}]"#,
        );
        let b = policy(
            r#""handled":{"fs":["read_file"]},"path_beneath":[{"path":"/a","allow":["read_file"]},{"path":"/b","allow":["read_file"]}]"#,
        );
        let (questions, changes) = compare(&a, &b);
        assert!(questions > 50);
        assert!(changes.iter().all(|change| change.b == WhyDecision::Allow), "{changes:?}");
        let on = |path: &str| changes.iter().find(|change| change.target == path && change.b_rule.is_some());
        assert_eq!(on("/b").unwrap().operations, ["read_file"]);
        assert!(
            changes.iter().any(|change| change.target == "/sandproof-witness" && change.operations == ["write_file"])
        );
        assert_eq!(compare(&a, &a).1, []);
    }
}
