//! The model against profiles written out, and properties that hold for all of them.

mod certainty;
mod operations;
mod properties;

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::SbplPolicy;
use super::super::rules::{Filter, LineColumn, NetworkAddress, NetworkEnd, PathFilter, Pattern, Rule, SbplRules};
use super::decide::MatchCertainty;
use super::*;
use crate::policy::operations::{OPERATIONS, UNSTARRED_GROUPS};

fn policy(text: &str) -> SbplPolicy {
    SbplPolicy::new(text, BTreeMap::new()).unwrap_or_else(|error| panic!("{error}"))
}

fn ask(text: &str, operation: &str, target: &str) -> SbplAnswer {
    evaluate(policy(text).rules(), &SbplQuestion::new(operation, target))
}

const DD: &str = "(version 1)(deny default)";
const AD: &str = "(version 1)(allow default)";

#[track_caller]
fn check(cases: &[(&str, &str, &str, &str)]) {
    for (text, operation, target, wanted) in cases {
        let answer = ask(text, operation, target);
        let found = answer.decision.map_or("undecidable", |decision| decision.as_str());
        assert_eq!(found, *wanted, "{operation} on {target} under {text}: {answer:#?}");
    }
}

#[test]
fn a_rule_on_the_operation_comes_before_one_on_its_group_which_comes_before_one_on_default() {
    let x = "/private/etc/hosts";
    let rule = |text: &str| format!("{DD}{text}");
    let deny_group = rule("(allow file-read-data (literal \"/private/etc/hosts\"))(deny file-read*)");
    let allow_member = rule("(deny file-read*)(allow file-read-data (literal \"/private/etc/hosts\"))");
    let keys = "(deny file-read-data (subpath \"/private/etc\"))(allow file-read* (literal \"/private/etc/hosts\"))";
    let late = "(version 1)(allow file-read* (subpath \"/private\"))(deny default)";
    check(&[
        (DD, "file-read*", x, "deny"),
        (AD, "file-read*", x, "allow"),
        (&deny_group, "file-read-data", x, "allow"),
        (&allow_member, "file-read-data", x, "allow"),
        (&allow_member, "file-read*", x, "allow"),
        (&allow_member, "file-read-metadata", x, "deny"),
        (&rule(keys), "file-read-data", x, "deny"),
        (&rule(keys), "file-read-metadata", x, "allow"),
        // `default` is the last resort wherever it stands.
        (late, "file-read-data", x, "allow"),
        (late, "file-read-data", "/usr/bin/env", "deny"),
        ("(version 1)(deny file-write-mode)(allow default)", "file-write-mode", "/private/tmp/x", "deny"),
        ("(version 1)(allow process-exec)(allow default)(deny process-exec*)", "process-exec*", "/usr/bin", "deny"),
        ("(version 1)(allow file-read*)", "file-write*", x, "undecidable"),
        ("(version 2)(allow file-read*)", "file-write*", x, "deny"),
        ("(version 3)(allow file-read*)", "file-write*", x, "undecidable"),
        ("(version 1)(deny default)(if (eq? 'A 'a) (allow file-write*))", "file-write*", x, "undecidable"),
        ("(version 1)(deny default)(if (eq? 'A 'b) (allow file-write*))", "file-write*", x, "deny"),
    ]);
    let answer = ask(&allow_member, "file-read*", x);
    assert_eq!(answer.rule, Some(2));
    assert!(answer.reason.contains("the rule at 1:43 is the last that matches"), "{}", answer.reason);
    assert!(answer.assumes.is_empty());
}

#[test]
fn within_one_name_a_filter_comes_before_none_and_the_last_of_each_kind_counts() {
    let x = "/private/tmp/d/f";
    let of = |rules: &str| format!("{DD}{rules}");
    let (no, yes) =
        ("(deny file-read-data (subpath \"/private/tmp/d\"))", "(allow file-read-data (literal \"/private/tmp/d/f\"))");
    check(&[
        (&of(&format!("{no}(allow file-read-data)")), "file-read-data", x, "deny"),
        (&of(&format!("(allow file-read-data){no}")), "file-read-data", x, "deny"),
        (&of(&format!("(allow file-read-data){no}")), "file-read-data", "/private/tmp/e", "allow"),
        (&of(&format!("{yes}(deny file-read-data)")), "file-read-data", x, "allow"),
        (&of(&format!("{yes}{no}")), "file-read-data", x, "deny"),
        (&of(&format!("{no}{yes}")), "file-read-data", x, "allow"),
        (&of("(deny file-read-data)(allow file-read-data)"), "file-read-data", x, "allow"),
        (&of("(allow file-read-data)(deny file-read-data)"), "file-read-data", x, "deny"),
        // On `default`, too.
        ("(version 1)(allow default (literal \"/private/tmp/d/f\"))(deny default)", "file-read-data", x, "allow"),
    ]);
}

#[test]
fn an_answer_that_depends_on_precedence_says_so_and_explains_it() {
    let x = "/private/tmp/d/f";
    let told = |text: &str| {
        let answer = ask(&format!("(version 1)\n(deny default)\n{text}"), "file-read-data", x);
        (answer.reason.clone(), answer.assumes.iter().filter(|text| text.contains("not recorded on 14.4.1")).count())
    };
    let (why, assumed) =
        told("(allow file-read-data (subpath \"/private/tmp\"))\n(deny file-read* (subpath \"/private/tmp/d\"))");
    let wanted = "the named rule at 3:1 (`file-read-data`) comes before the group rule at 4:1 (`file-read*`), although that stands later";
    assert!(why.contains(wanted), "{why}");
    assert_eq!(assumed, 1);
    let (why, assumed) = told("(deny file-read* (subpath \"/private/tmp\"))\n(allow file-read*)");
    assert!(why.contains("the rule at 3:1, which has a filter, comes before the one at 4:1, which has none"), "{why}");
    assert_eq!(assumed, 1);
    let (why, assumed) = told("(allow file-read* (subpath \"/private/tmp\"))\n(deny default)");
    assert!(why.contains("the rule on `file-read*` at 3:1 comes before the one on `default` at 4:1"), "{why}");
    assert_eq!(assumed, 1);
    // Where both readings agree, nothing is taken for granted, though the rule is explained.
    let (why, assumed) =
        told("(allow file-read-data (subpath \"/private/tmp\"))\n(allow file-read* (subpath \"/private/tmp/d\"))");
    assert!(why.contains("comes before the group rule at 4:1"), "{why}");
    assert_eq!(assumed, 0);
    assert_eq!(told("(deny file-read*)\n(allow file-read-data (subpath \"/private/tmp\"))").1, 0);
    // A rule behind it that only may match is enough to make a difference.
    assert_eq!(told("(allow file-read-data (subpath \"/private/tmp\"))\n(deny file-read* (file-mode #o0004))").1, 1);
}

#[test]
fn each_level_leaves_a_trace() {
    let text = format!(
        "{DD}(allow file* (subpath \"/private\"))(deny file-read-data (file-mode #o0004) (literal \"/b\"))(allow file-read-data)"
    );
    let answer = ask(&text, "file-read-data", "/private/tmp/a");
    let trace = &answer.chain[0].levels;
    assert_eq!(trace.len(), 1, "{trace:?}");
    assert_eq!(trace[0].name, "file-read-data");
    assert_eq!(trace[0].filtered, [(2, MatchCertainty::Perhaps)]);
    assert_eq!(trace[0].fallback, Some(3));
    let answer = ask(&text, "file-write-data", "/private/tmp/a");
    let names: Vec<&str> = answer.chain[0].levels.iter().map(|level| level.name).collect();
    assert_eq!(names, ["file-write-data", "file-write*", "file*"]);
    assert_eq!(answer.chain[0].levels[2].filtered, [(1, MatchCertainty::Yes)]);
}

#[test]
fn what_deny_default_may_leave_alone_is_denied_by_name_alone() {
    let own = "self";
    let open = "undecidable";
    check(&[
        (DD, "process-info-pidinfo", "1", open),
        (DD, "process-info-listpids", own, open),
        (DD, "nvram-get", "boot-args", open),
        (DD, "iokit-get-properties", "IOService", open),
        (DD, "file-map-executable", "/private/tmp/lib.dylib", open),
        (DD, "signal", own, open),
        (DD, "signal", "others", "deny"),
        (DD, "mach-task-name", own, open),
        (DD, "mach-task-special-port-get", "", open),
        (DD, "lsopen", "", open),
        (&format!("{DD}(deny process*)"), "process-info-pidinfo", "1", open),
        (&format!("{DD}(deny process-info*)"), "process-info-pidinfo", "1", "deny"),
        (&format!("{DD}(deny iokit-get-properties)"), "iokit-get-properties", "IOService", "deny"),
        (&format!("{DD}(deny signal)"), "signal", own, "deny"),
        (&format!("{DD}(allow process-info* (target self))"), "process-info-pidinfo", own, "allow"),
        (&format!("{DD}(allow process-info* (target self))"), "process-info-pidinfo", "1", open),
        (AD, "process-info-pidinfo", "1", "allow"),
        (DD, "mach-lookup", "a.b", "deny"),
        ("(version 2)", "process-info-pidinfo", "1", open),
    ]);
    let xpc = SbplQuestion { filter: Some("xpc-service-name".into()), ..SbplQuestion::new("mach-lookup", "a.b") };
    assert_eq!(evaluate(policy(DD).rules(), &xpc).decision, None);
    let reason = ask(DD, "process-info-pidinfo", "1").reason;
    assert!(reason.contains("the published policies of browsers deny it by name"), "{reason}");
}

#[test]
fn a_profile_that_macos_refuses_decides_nothing() {
    let x = "/private/etc/hosts";
    for text in [
        format!("{AD}(allow network-outbound (remote ip \"10.0.0.1:80\"))"),
        format!("{AD}(deny file-write* (with report))"),
        format!("{AD}(setenv \"A\" \"b\")(allow default)"),
        format!("{AD}(allow iokit-external-method)"),
    ] {
        let answer = ask(&text, "file-read-data", x);
        assert_eq!(answer.decision, None, "{text}");
        assert!(answer.reason.contains("macOS is known to refuse this profile"), "{}", answer.reason);
    }
    let filter = format!("{AD}(apply-message-filter (deny mach-message-send))");
    assert!(ask(&filter, "file-read-data", x).assumes[0].contains("entitlement"));
}

#[test]
fn the_first_refused_check_of_the_chain_is_the_answer() {
    let text = format!("{DD}(allow file-read* (literal \"/etc/hosts\") (literal \"/private/etc/hosts\"))");
    let answer = ask(&text, "file-read*", "/etc/hosts");
    assert_eq!(answer.decision, Some(Decision::Deny));
    let told: Vec<_> = answer.chain.iter().map(|step| (step.operation, step.on.as_str(), step.decision)).collect();
    assert_eq!(
        told,
        [
            ("file-read-metadata", "/etc", Some(Decision::Deny)),
            ("file-read-data", "/private/etc/hosts", Some(Decision::Allow))
        ]
    );
    assert!(answer.reason.starts_with("`file-read-metadata` on `/etc` is denied on the way"), "{}", answer.reason);
    check(&[
        (&text, "file-read*", "/private/etc/hosts", "allow"),
        (&format!("{text}(allow file-read-metadata (literal \"/etc\"))"), "file-read*", "/etc/hosts", "allow"),
        // A group of what is read holds metadata, so the link is paid for.
        (&format!("{DD}(allow file-read*)"), "file-read-data", "/etc/hosts", "allow"),
        // The link itself is looked at without following it.
        (&format!("{DD}(allow file-read-metadata (literal \"/tmp\"))"), "file-read-metadata", "/tmp", "allow"),
        (&format!("{DD}(allow file-read-metadata (subpath \"/tmp\"))"), "file-read-metadata", "/tmp/a", "deny"),
        (
            &format!("{DD}(allow file-read-metadata (subpath \"/tmp\") (subpath \"/private/tmp\"))"),
            "file-read-metadata",
            "/tmp/a",
            "allow",
        ),
        (
            &format!("{DD}(allow file-read-metadata (regex #\"^/(private/)?tmp(/|$)\"))"),
            "file-read-metadata",
            "/tmp/a",
            "allow",
        ),
    ]);
}
