//! What a Landlock policy grants, right by right, from its rule table alone: no driver, no fixture, no host.

use std::collections::BTreeSet;

use super::filters::is_below;
use super::witness::NOBODY;
use crate::policy::landlock::rights::{FsRight, NetRight, Right, Scope};
use crate::policy::landlock::{LandlockPolicy, NEVER_ABOVE_ROOT};
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

/// Whether a file-system right is restricted at all. A policy that handles any file right restricts `refer`, too.
pub fn restricts(policy: &LandlockPolicy, right: FsRight) -> bool {
    policy.handled_fs.contains(right) || (right == FsRight::Refer && !policy.handled_fs.is_empty())
}

/// What the policy says of `right` on `path`. Paths are compared as they are spelled: no link is known of.
pub fn on_path(policy: &LandlockPolicy, right: FsRight, path: &str) -> Grant {
    if !restricts(policy, right) {
        return Grant::allow(None);
    }
    let granting = |(index, rule): (usize, &crate::policy::landlock::table::PathBeneathRule)| {
        (rule.allow.contains(right) && is_below(path, &rule.path)).then(|| format!("/path_beneath/{index}"))
    };
    if let Some(by) = policy.path_beneath.iter().enumerate().find_map(granting) {
        return Grant::allow(Some(by));
    }
    // Where `${root}` lies is not known, so a host rule may cover it, and a rule below it may cover a host path.
    let (symbolic, never) =
        (path.starts_with(ROOT), |path: &str| NEVER_ABOVE_ROOT.iter().any(|top| is_below(path, top)));
    let maybe = policy.path_beneath.iter().enumerate().find(|(_, rule)| {
        rule.allow.contains(right)
            && match (symbolic, rule.path.starts_with(ROOT)) {
                (true, false) => !never(&rule.path),
                (false, true) => !never(path),
                _ => false,
            }
    });
    match maybe {
        Some((index, _)) => Grant { decision: WhyDecision::Undecidable, by: Some(format!("/path_beneath/{index}")) },
        None => Grant::deny("/handled/fs"),
    }
}

/// What the policy says of `right` on a port, as it is spelled.
pub fn on_port(policy: &LandlockPolicy, right: NetRight, port: &str) -> Grant {
    if !policy.handled_net.contains(right) {
        return Grant::allow(None);
    }
    let granting = policy.net_port.iter().position(|rule| rule.port == port && rule.allow.contains(right));
    match granting {
        Some(index) => Grant::allow(Some(format!("/net_port/{index}"))),
        None => Grant::deny("/handled/net"),
    }
}

/// What the policy says of reaching out of its domain.
pub fn of_scope(policy: &LandlockPolicy, scope: Scope) -> Grant {
    if policy.scoped.contains(scope) { Grant::deny("/handled/scope") } else { Grant::allow(None) }
}

/// How the access of two policies differs, and how many questions both were asked.
pub fn compare(a: &LandlockPolicy, b: &LandlockPolicy) -> (usize, Vec<AccessChange>) {
    let mut paths: BTreeSet<String> = [format!("/{NOBODY}")].into();
    let mut ports: BTreeSet<String> = ["9".to_owned()].into();
    for policy in [a, b] {
        for rule in &policy.path_beneath {
            let top = rule.path.trim_end_matches('/');
            paths.extend([rule.path.clone(), format!("{top}/{NOBODY}"), format!("{top}-{NOBODY}")]);
        }
        ports.extend(policy.net_port.iter().map(|rule| rule.port.clone()));
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
