//! The model against profiles written out, and properties that hold for all of them.

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

#[test]
fn what_cannot_be_known_matters_only_if_it_could_change_the_answer() {
    let x = "/private/etc/hosts";
    check(&[
        // What an import brings may name the operation itself. It stands before a rule that does so, too, or behind it.
        ("(version 1)(deny default)(import \"system.sb\")(allow file-read*)", "file-read*", x, "undecidable"),
        ("(version 1)(deny default)(import \"system.sb\")(allow file-read-data)", "file-read*", x, "undecidable"),
        (
            "(version 1)(import \"system.sb\")(allow file-read-data (subpath \"/private\"))(deny default)",
            "file-read*",
            x,
            "allow",
        ),
        ("(version 1)(import \"bsd.sb\")(deny default)", "file-read-data", x, "undecidable"),
        ("(version 1)(deny default)(allow file-read*)(import \"system.sb\")", "file-read*", x, "undecidable"),
        ("(version 1)(deny default)(import \"system.sb\")", "file-read*", x, "undecidable"),
        // An extension that could only confirm.
        (&format!("{AD}(allow file-read* (extension \"a\"))"), "file-read*", x, "allow"),
        (&format!("{DD}(allow file-read* (extension \"a\"))"), "file-read*", x, "deny"),
        (&format!("{DD}(allow file-read* (require-all (extension \"a\") (literal \"/b\")))"), "file-read*", x, "deny"),
        (&format!("{DD}(allow file-read* (extension \"a\") (literal \"{x}\"))"), "file-read*", x, "allow"),
        (&format!("{AD}(deny file-read* (file-mode #o0004))"), "file-read*", x, "undecidable"),
        (&format!("{AD}(deny file-read* (literal \"/private/etc/HOSTS\"))"), "file-read*", x, "undecidable"),
        (&format!("{DD}(allow file-read* (home-subpath \"/x\"))"), "file-read*", x, "undecidable"),
    ]);
    let answer = ask("(version 1)(deny default)(import \"system.sb\")", "file-read*", x);
    assert!(answer.reason.contains("system.sb"), "{}", answer.reason);
    assert!(answer.reason.contains("1:26"), "{}", answer.reason);
    assert_eq!(answer.rule, None);
}

#[test]
fn facts_that_are_given_decide() {
    let text = format!("{AD}(deny file-read* (require-all (file-mode #o0004) (literal \"/private/tmp/a\")))");
    let rules = policy(&text);
    let mut question = SbplQuestion::new("file-read*", "/private/tmp/a");
    question.facts.insert("file-mode".into(), "0644".into());
    assert_eq!(evaluate(rules.rules(), &question).decision, Some(Decision::Deny));
    question.facts.insert("file-mode".into(), "0600".into());
    assert_eq!(evaluate(rules.rules(), &question).decision, Some(Decision::Allow));
    question.facts.insert("file-mode".into(), "rw".into());
    assert!(evaluate(rules.rules(), &question).reason.contains("no octal number"));
}

#[test]
fn a_process_holds_no_extension_unless_a_fact_says_so() {
    let x = "/private/etc/hosts";
    let text = policy(&format!("{DD}(allow file-read* (extension \"a\" \"b\"))"));
    let ask = |facts: &[(&str, &str)]| {
        let mut question = SbplQuestion::new("file-read*", x);
        question.facts.extend(facts.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        evaluate(text.rules(), &question)
    };
    let bare = ask(&[]);
    assert_eq!(bare.decision, Some(Decision::Deny));
    assert!(bare.assumes.iter().any(|text| text.contains("holds no sandbox extension")), "{:?}", bare.assumes);
    assert_eq!(ask(&[("extension", "b")]).decision, Some(Decision::Allow));
    assert_eq!(ask(&[("extension", "c,a")]).decision, Some(Decision::Allow));
    let none = ask(&[("extension", "none"), ("xattr", "x")]);
    assert_eq!((none.decision, none.assumes.len()), (Some(Decision::Deny), 0), "{:?}", none.assumes);
    assert_eq!(none.unasked, ["xattr"]);
    // Where an extension could only confirm the answer, nothing is assumed about it.
    assert!(
        evaluate(
            policy(&format!("{AD}(allow file-read* (extension \"a\"))")).rules(),
            &SbplQuestion::new("file-read*", x)
        )
        .assumes
        .is_empty()
    );
}

#[test]
fn facts_about_the_process_decide_homes_and_entitlements() {
    let with = |text: &str, fact: (&str, &str), target: &str| {
        let mut question = SbplQuestion::new("file-read-data", target);
        question.facts.insert(fact.0.into(), fact.1.into());
        let answer = evaluate(policy(text).rules(), &question);
        assert!(answer.unasked.is_empty(), "{answer:?}");
        answer.decision.map_or("undecidable", |decision| decision.as_str())
    };
    let home = format!("{DD}(allow file-read* (home-subpath \"/Library\") (home-regex #\"/a[0-9]$\"))");
    assert_eq!(with(&home, ("home", "/Users/me"), "/Users/me/Library/x"), "allow");
    assert_eq!(with(&home, ("home", "/Users/me"), "/Users/me/a1"), "allow");
    assert_eq!(with(&home, ("home", "/Users/me"), "/Users/you/Library/x"), "deny");
    let entitled = format!(
        "{DD}(if (entitlement \"com.x\") (allow file-read*))(allow file-read* (require-entitlement \"com.y\"))"
    );
    assert_eq!(with(&entitled, ("entitlement", "com.x"), "/private/a"), "allow");
    assert_eq!(with(&entitled, ("entitlement", "com.y"), "/private/a"), "allow");
    assert_eq!(with(&entitled, ("entitlement", "none"), "/private/a"), "deny");
    check(&[(&entitled, "file-read-data", "/private/a", "undecidable")]);
}

#[test]
fn what_a_condition_decides_stays_open_and_nothing_else_does() {
    let text = format!(
        "{DD}(allow file-read* (subpath \"/a\"))(when (unknown-thing?) (allow network*) (allow file-write* (subpath \"/z\")))"
    );
    check(&[
        (&text, "file-read-data", "/a/b", "allow"),
        (&text, "process-fork", "self", "deny"),
        (&text, "file-write-data", "/y", "deny"),
        (&text, "file-write-data", "/z/y", "undecidable"),
        (&text, "network-outbound", "127.0.0.1:80", "undecidable"),
        // Both ways say the same about it.
        (
            &format!(
                "{DD}(if (unknown-thing?) (allow file-read* (subpath \"/a\")) (allow file-read* (literal \"/a/b\")))"
            ),
            "file-read-data",
            "/a/b",
            "allow",
        ),
        (
            "(version 1)(if (unknown-thing?) (deny default (with no-log)) (deny default))",
            "process-fork",
            "self",
            "deny",
        ),
        // A rule without a filter stays one without a filter.
        (&format!("{DD}(if (unknown-thing?) (deny network*))(allow network*)"), "network-bind", "127.0.0.1:1", "allow"),
        // A filter that is one of two does not match where neither does.
        (
            &format!("{DD}(allow file-read* (if (unknown-thing?) (subpath \"/b\") (subpath \"/c\")))"),
            "file-read-data",
            "/a",
            "deny",
        ),
        (
            &format!("{DD}(allow file-read* (if (unknown-thing?) (subpath \"/b\") (subpath \"/c\")))"),
            "file-read-data",
            "/b",
            "undecidable",
        ),
        // What a way binds is not known behind it, not even through a procedure.
        (
            &format!(
                "{DD}(define x \"/a\")(define (f) (set! x \"/b\"))(if (unknown-thing?) (f))(allow file-read* (subpath x))"
            ),
            "file-read-data",
            "/a/b",
            "undecidable",
        ),
        // A loop whose end is not known.
        (
            &format!(
                "{DD}(let loop ((l (unknown-list))) (if (null? l) (allow signal) (begin (allow process-fork) (loop (cdr l)))))"
            ),
            "process-fork",
            "self",
            "undecidable",
        ),
        // A way that macOS refuses.
        (&format!("{DD}(if (unknown-thing?) (allow file-raed*))"), "process-fork", "self", "undecidable"),
    ]);
    let reason = ask(&text, "network-outbound", "127.0.0.1:80").reason;
    assert!(reason.contains("whether `(unknown-thing?)` at 1:65 holds is not known here"), "{reason}");
}

#[test]
fn names_of_other_releases_keep_open_what_they_may_be_about() {
    check(&[
        (
            &format!("{DD}(allow mach-per-user-lookup)(allow file-read-data (subpath \"/usr\"))"),
            "file-read-data",
            "/usr/x",
            "allow",
        ),
        (&format!("{DD}(allow mach-per-user-lookup)"), "mach-lookup", "a", "undecidable"),
        (&format!("{DD}(allow mach-per-user-lookup)"), "mach-register", "a", "deny"),
        (&format!("{DD}(allow ipc-posix-shm-read*)"), "ipc-posix-shm-read-data", "/a", "allow"),
        (&format!("{DD}(allow ipc-posix-shm-read*)"), "ipc-posix-shm-write-data", "/a", "deny"),
        (&format!("{DD}(allow process-codesigning-status*)"), "process-fork", "self", "deny"),
        (&format!("{DD}(allow file-frobnicate (subpath \"/usr\"))"), "file-read-data", "/usr/x", "undecidable"),
        (&format!("{DD}(allow file-frobnicate (subpath \"/usr\"))"), "file-read-data", "/etc2/x", "deny"),
        (&format!("{DD}(allow file-frobnicate)"), "process-fork", "self", "deny"),
    ]);
}

#[test]
fn a_filter_on_another_kind_of_target_does_not_match_whatever_it_says() {
    let socket = |inner: &str| format!("{AD}(deny network-outbound (remote unix-socket {inner}))");
    let path = "(path-regex #\"^/private/tmp/l[^/]+/S$\")";
    check(&[
        (&socket(path), "network-outbound", "/private/tmp/l1/S", "deny"),
        (&socket(path), "network-outbound", "/private/tmp/l1/T", "allow"),
        (&socket("(something-new \"x\")"), "network-outbound", "127.0.0.1:80", "allow"),
        (&socket("(something-new \"x\")"), "network-outbound", "/private/tmp/s", "undecidable"),
        (&format!("{AD}(deny network-outbound (control-name \"x\"))"), "network-outbound", "/private/tmp/s", "allow"),
        (&format!("{DD}(allow file-read* mach-lookup (global-name \"x\"))"), "file-read-data", "/a", "deny"),
        (&format!("{DD}(allow file-read* mach-lookup (subpath \"/\"))"), "mach-lookup", "x", "deny"),
        (&format!("{AD}(deny file-read* (sysctl-name-regex #\".\"))"), "file-read-data", "/a", "allow"),
    ]);
}

#[test]
fn whether_two_texts_are_one_object_is_not_known() {
    let allow = "(allow file-read* (subpath \"/a\"))";
    let with = |condition: &str| format!("{DD}(if {condition} {allow})");
    let expected = [
        ("(equal? \"a\" \"a\")", "allow"),
        ("(eq? \"a\" \"a\")", "undecidable"),
        ("(eqv? \"a\" \"a\")", "undecidable"),
        ("(eq? \"a\" \"b\")", "deny"),
        ("(eq? 'a 'a)", "allow"),
        ("(eqv? 1 1)", "allow"),
        ("(eq? 1 1)", "undecidable"),
        ("(member \"a\" '(\"a\"))", "allow"),
        ("(memq \"a\" '(\"a\"))", "undecidable"),
        ("(memv \"a\" '(\"b\"))", "deny"),
        ("(assoc \"a\" '((\"a\" 1)))", "allow"),
        ("(assq \"a\" '((\"a\" 1)))", "undecidable"),
        ("(= (string-length \"\u{e9}\") 2)", "allow"),
    ];
    for (condition, wanted) in expected {
        check(&[(&with(condition), "file-read-data", "/a/x", wanted)]);
    }
    let case = |key: &str, datum: &str| format!("{DD}(case {key} (({datum}) {allow}) (else (allow process-fork)))");
    check(&[
        (&case("\"x\"", "\"x\""), "file-read-data", "/a/x", "undecidable"),
        (&case("\"x\"", "\"x\""), "process-fork", "self", "undecidable"),
        (&case("\"x\"", "\"x\""), "file-read-data", "/b/x", "deny"),
        (&case("\"x\"", "\"y\""), "process-fork", "self", "allow"),
        (&case("1.0", "1"), "process-fork", "self", "undecidable"),
        (&case("2", "2"), "file-read-data", "/a/x", "allow"),
    ]);
}

#[test]
fn a_file_mode_of_several_bits_is_not_known_where_a_file_has_some_of_them() {
    for (bits, wanted) in [("#o0004", Some(Decision::Allow)), ("#o0044", Some(Decision::Allow)), ("#o0006", None)] {
        let mut question = SbplQuestion::new("file-read-data", "/a");
        question.facts.insert("file-mode".into(), "0644".into());
        let answer = evaluate(policy(&format!("{DD}(allow file-read* (file-mode {bits}))")).rules(), &question);
        assert_eq!(answer.decision, wanted, "{bits}: {answer:#?}");
    }
}

#[test]
fn which_of_two_definitions_made_once_holds_is_not_known() {
    let read = "(allow file-read* (subpath x))";
    check(&[
        (&format!("{DD}(define-once x \"/a\"){read}"), "file-read-data", "/a/x", "allow"),
        (&format!("{DD}(define-once x \"/a\")(define-once x \"/a\"){read}"), "file-read-data", "/a/x", "allow"),
        (&format!("{DD}(define-once x \"/a\")(define-once x \"/b\"){read}"), "file-read-data", "/a/x", "undecidable"),
        (&format!("{DD}(define x \"/a\")(define-once x \"/b\"){read}"), "file-read-data", "/b/x", "undecidable"),
    ]);
}

#[test]
fn devices_are_known_and_odd_paths_and_ports_are_not() {
    let device = "(require-all (path \"/dev/null\") (vnode-type CHARACTER-DEVICE))";
    check(&[
        (&format!("{DD}(allow file-write-data {device})"), "file-write-data", "/dev/null", "allow"),
        (&format!("{DD}(allow file-write-data (vnode-type REGULAR-FILE))"), "file-write-data", "/dev/zero", "deny"),
        (&format!("{DD}(allow file-write-data (vnode-type TTY))"), "file-write-data", "/dev/tty", "undecidable"),
        (&format!("{DD}(allow file-read* (subpath \"\"))"), "file-read-data", "/a", "undecidable"),
        (&format!("{DD}(allow file-read* (prefix \"\"))"), "file-read-data", "/a", "undecidable"),
        (&format!("{DD}(allow file-read* (subpath \"a\"))"), "file-read-data", "/a", "undecidable"),
        (
            &format!("{DD}(allow network-outbound (remote ip \"*:99999\"))"),
            "network-outbound",
            "127.0.0.1:1",
            "undecidable",
        ),
        (&format!("{DD}(allow file-read* (vnode-type NO-SUCH-KIND))"), "file-read-data", "/dev/null", "undecidable"),
    ]);
}

#[test]
fn escapes_by_code_are_read_and_taken_for_granted() {
    let answer = ask(&format!("{DD}(allow file-read* (literal \"/\\x61\\142\"))"), "file-read-data", "/ab");
    assert_eq!(answer.decision, Some(Decision::Allow), "{answer:?}");
    assert_eq!(answer.assumes.iter().filter(|text| text.contains("the escape at")).count(), 2, "{:?}", answer.assumes);
    // Where no filter is asked, no escape matters.
    let answer = ask(&format!("{DD}(allow file-read* (literal \"/\\x61\"))"), "process-fork", "self");
    assert!(answer.assumes.is_empty());
}

#[test]
fn expressions_of_another_dialect_match_nothing_or_are_refused() {
    let x = "/x/db";
    check(&[
        (&format!("{AD}(deny file-write* (regex #\"^/(?:x|y)/db\"))"), "file-write-data", x, "allow"),
        (&format!("{AD}(deny file-write* (regex #\"^/x(?:y)?/db\"))"), "file-write-data", x, "undecidable"),
        (
            &format!("{AD}(deny file-read-data (regex #\"^/private/tmp/poc/(?:.*/)?\\.env$\"))"),
            "file-read-data",
            "/private/tmp/poc/deep/.env",
            "allow",
        ),
    ]);
    let refused =
        SbplPolicy::new(format!("{AD}(deny file-write* (regex #\"(?i)^/x/db\"))"), BTreeMap::new()).unwrap_err();
    assert!(refused.to_string().contains("does not compile"), "{refused}");
}

#[test]
fn many_expressions_cost_nothing_where_none_is_asked() {
    let rules: String =
        (0..30_000).map(|n| format!("(allow file-read* (regex #\"^/private/tmp/{n}/(a|b)+$\"))")).collect();
    let whole = policy(&format!("{DD}{rules}"));
    let model = Model::new(whole.rules());
    let asked = model.ask(&SbplQuestion::new("process-fork", "self"));
    assert_eq!(asked.decision, Some(Decision::Deny));
    assert!(model.regexes.is_empty());
    let ask = |path: &str| model.ask(&SbplQuestion::new("file-read-data", path)).decision;
    assert_eq!(ask("/private/tmp/29999/a"), Some(Decision::Allow));
    assert!(!model.regexes.is_empty());
}

#[test]
fn names_are_looked_up_as_what_they_are() {
    let s = "org.example.a";
    check(&[
        (&format!("{AD}(deny mach-lookup (local-name \"{s}\"))"), "mach-lookup", s, "allow"),
        (&format!("{AD}(deny mach-lookup (global-name \"{s}\"))"), "mach-lookup", s, "deny"),
        (&format!("{DD}(allow mach-lookup (global-name \"org.example*\"))"), "mach-lookup", s, "deny"),
        (&format!("{DD}(allow mach-lookup (global-name-prefix \"org.example\"))"), "mach-lookup", s, "allow"),
        (&format!("{DD}(allow mach-lookup (global-name-regex #\"^org\\.\"))"), "mach-lookup", s, "allow"),
        (
            &format!("{DD}(allow mach-lookup (require-all (global-name \"{s}\") (local-name \"{s}\")))"),
            "mach-lookup",
            s,
            "deny",
        ),
        (&format!("{DD}(allow sysctl-read (sysctl-name \"kern.ostype\"))"), "sysctl-read", "kern.ostype", "allow"),
        (&format!("{DD}(allow signal (target self))"), "signal", "self", "allow"),
        (&format!("{DD}(allow signal (target self))"), "signal", "same-sandbox", "deny"),
        (&format!("{DD}(allow process-info-pidinfo (target self))"), "process-info-pidinfo", "1", "undecidable"),
        (&format!("{DD}(allow ipc-posix-shm* (ipc-posix-name \"/a\"))"), "ipc-posix-shm*", "/a", "undecidable"),
        (&format!("{DD}(allow ipc-posix-shm* (ipc-posix-name \"/a\"))"), "ipc-posix-shm-read-data", "/b", "deny"),
        (&format!("{DD}(allow ipc-posix-shm)"), "ipc-posix-shm", "/a", "allow"),
        (&format!("{DD}(allow ipc-posix-shm-read-data)"), "ipc-posix-shm*", "/a", "undecidable"),
    ]);
    let local = SbplQuestion { filter: Some("local-name".into()), ..SbplQuestion::new("mach-lookup", s) };
    let text = policy(&format!("{AD}(deny mach-lookup (local-name \"{s}\"))"));
    assert_eq!(evaluate(text.rules(), &local).decision, Some(Decision::Deny));
    // Without `mach-bootstrap`, a lookup that is allowed takes something for granted.
    let bare = ask(&format!("{DD}(allow mach-lookup)"), "mach-lookup", s);
    assert_eq!(bare.assumes.len(), 1, "{:?}", bare.assumes);
    let whole = ask(&format!("{DD}(allow mach-lookup mach-bootstrap)"), "mach-lookup", s);
    assert!(whole.assumes.is_empty());
}

#[test]
fn opening_a_service_opens_its_user_client() {
    let client = "(iokit-user-client-class \"IOSurfaceRootUserClient\")";
    let service = "(iokit-registry-entry-class \"IOSurfaceRoot\")";
    let open = "iokit-open-service";
    let root = "IOSurfaceRoot";
    check(&[
        (DD, open, root, "deny"),
        (&format!("{DD}(allow iokit-open-user-client {client})"), open, root, "allow"),
        (&format!("{DD}(allow iokit-open-service {service})"), open, root, "deny"),
        (
            &format!("{DD}(allow iokit-open-service {service})(allow iokit-open-user-client {client})"),
            open,
            root,
            "allow",
        ),
        (
            &format!("{DD}(allow iokit-open-user-client {client})(deny iokit-open-service {service})"),
            open,
            root,
            "deny",
        ),
        (&format!("{DD}(allow iokit-open)"), open, root, "allow"),
        (
            &format!("{DD}(allow iokit-open-user-client)(allow iokit-open-service (iokit-registry-entry-class \"A\"))"),
            open,
            root,
            "undecidable",
        ),
        (&format!("{DD}(allow iokit-open-user-client {client})"), open, "SomeOther", "undecidable"),
    ]);
    let answer = ask(&format!("{DD}(allow iokit-open-user-client {service})"), open, root);
    assert_eq!(answer.decision, Some(Decision::Deny));
    assert!(answer.assumes[0].contains("by its own class"), "{:?}", answer.assumes);
}

#[test]
fn system_calls_are_chains() {
    let data = "(allow file-read-data file-write-mode (literal \"/private/tmp/d/a\"))";
    let with = |syscall: &str, text: &str, target: &str| {
        let question = SbplQuestion { syscall: Some(syscall.into()), ..SbplQuestion::new("file-read*", target) };
        let answer = evaluate(policy(text).rules(), &question);
        let chain: Vec<String> = answer.chain.iter().map(|step| format!("{} {}", step.operation, step.on)).collect();
        (answer.decision.map_or("undecidable", |decision| decision.as_str()), chain.join(", "))
    };
    let text = format!("{DD}{data}");
    let open = "file-read-data /private/tmp/d/a".to_owned();
    assert_eq!(with("open", &text, "/private/tmp/d/a"), ("allow", open.clone()));
    assert_eq!(with("openat_rootrel", &text, "/private/tmp/d/a"), ("allow", open.clone()));
    assert_eq!(with("openat", &text, "/private/tmp/d/a"), ("deny", format!("file-read-data /private/tmp/d, {open}")));
    assert_eq!(
        with("fchmod", &text, "/private/tmp/d/a"),
        ("allow", format!("{open}, file-write-mode /private/tmp/d/a"))
    );
    assert_eq!(with("fstat", &text, "/private/tmp/d/a").0, "deny");
    assert_eq!(with("lstat", DD, "/tmp").1, "file-read-metadata /tmp");
    assert_eq!(with("stat", DD, "/tmp").1, "file-read-metadata /tmp, file-read-metadata /private/tmp");
    assert_eq!(with("frobnicate", AD, "/a").0, "undecidable");
    let mut rename =
        SbplQuestion { syscall: Some("rename".into()), ..SbplQuestion::new("file-write*", "/private/tmp/a") };
    let text = policy(&format!("{AD}(deny file-write-create (subpath \"/private/tmp/shut\"))"));
    let open_end = evaluate(text.rules(), &rename);
    assert!(open_end.assumes.iter().any(|text| text.contains("second path")), "{open_end:?}");
    rename.to = Some("/tmp/shut/b".into());
    let answer = evaluate(text.rules(), &rename);
    assert_eq!(answer.decision, Some(Decision::Deny));
    assert_eq!(answer.chain.last().unwrap().on, "/private/tmp/shut/b");
}

#[test]
fn sockets_have_paths_or_addresses() {
    check(&[
        (
            &format!("{DD}(allow network-outbound (remote tcp \"localhost:*\"))"),
            "network-outbound",
            "127.0.0.1:80",
            "allow",
        ),
        (
            &format!("{DD}(allow network-outbound (remote tcp \"localhost:*\"))"),
            "network-outbound",
            "192.0.2.1:80",
            "deny",
        ),
        (&format!("{DD}(allow network*)"), "network-bind", "127.0.0.1:80", "allow"),
        (
            &format!("{DD}(allow network-outbound (remote unix-socket (path-literal \"/private/tmp/s\")))"),
            "network-outbound",
            "/private/tmp/s",
            "allow",
        ),
        (
            &format!("{DD}(allow network-outbound (literal \"/private/tmp/s\"))"),
            "network-outbound",
            "127.0.0.1:80",
            "deny",
        ),
        (&format!("{DD}(allow network-bind (subpath \"/private/tmp\"))"), "network-bind", "/private/tmp/s", "deny"),
    ]);
}

#[test]
fn rules_about_messages_decide_about_messages_alone() {
    let text = "(version 1)(allow default)(allow iokit-open* (apply-message-filter (deny iokit-external-method)))";
    check(&[(text, "iokit-open-service", "IOSurfaceRoot", "allow")]);
    let rules = policy(text);
    let inner = rules.rules().rules.iter().filter(|rule| rule.in_message_filter).count();
    assert_eq!(inner, 1, "{:?}", rules.rules());
}

fn path_text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("/".to_owned()),
        "(/private)?/(tmp|var|etc)(/[ab]{1,2}){0,2}",
        "/System/Volumes/Data/private/tmp/[ab]",
        "[a/.é$\\\\(*]{0,6}",
    ]
}

fn pattern() -> impl Strategy<Value = Pattern> {
    "[a-c.*(]{0,3}".prop_flat_map(|text| {
        proptest::sample::select(vec![
            Pattern::Literal(text.clone()),
            Pattern::Prefix(text.clone()),
            Pattern::Regex(text),
        ])
    })
}

fn path_filter() -> impl Strategy<Value = PathFilter> {
    path_text().prop_flat_map(|text| {
        proptest::sample::select(vec![
            PathFilter::Literal(text.clone()),
            PathFilter::Subpath(text.clone()),
            PathFilter::Prefix(text.clone()),
            PathFilter::Regex(text.clone()),
            PathFilter::Ancestors(text.clone()),
            PathFilter::Home(Box::new(PathFilter::Subpath(text))),
        ])
    })
}

fn filter() -> impl Strategy<Value = Filter> {
    let name =
        proptest::sample::select(vec!["global-name", "sysctl-name", "ipc-posix-name", "iokit-user-client-class"]);
    let leaf = prop_oneof![
        4 => path_filter().prop_map(Filter::Path),
        2 => (name, pattern()).prop_map(|(filter, pattern)| Filter::Name { filter: filter.to_owned(), pattern }),
        1 => proptest::sample::select(vec![("target", "self"), ("vnode-type", "SYMLINK"), ("socket-domain", "AF_INET")])
            .prop_map(|(filter, value)| Filter::Symbol { filter: filter.into(), value: value.into() }),
        1 => any::<u32>().prop_map(Filter::FileMode),
        1 => ("(\\*|localhost)", "[*0-9]{1,4}", "(tcp|ip|udp6|unix-socket|x)").prop_map(|(host, port, protocol)| {
            let address = NetworkAddress::Text { host, port };
            Filter::Network { end: NetworkEnd::Remote, protocol, address }
        }),
        1 => Just(Filter::Extension("e".into())),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Filter::All),
            prop::collection::vec(inner.clone(), 0..3).prop_map(Filter::Any),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

fn operation() -> impl Strategy<Value = String> {
    let mut names: Vec<String> = OPERATIONS.iter().chain(&UNSTARRED_GROUPS).map(|name| (*name).to_owned()).collect();
    let often =
        ["default", "file-read*", "file-read-data", "file-read-metadata", "file-write*", "mach-lookup", "file*"];
    names.extend(often.iter().cycle().take(100).map(|name| (*name).to_owned()));
    proptest::sample::select(names)
}

fn rule() -> impl Strategy<Value = Rule> {
    (any::<bool>(), prop::collection::vec(operation(), 1..3), prop::collection::vec(filter(), 0..3), 0..10_u8).prop_map(
        |(allows, operations, filters, odd)| Rule {
            action: if allows { Decision::Allow } else { Decision::Deny },
            operations,
            filters,
            modifiers: Vec::new(),
            in_message_filter: odd == 0,
            conditions: Vec::new(),
            place: LineColumn::at(1, 1),
        },
    )
}

fn rules() -> impl Strategy<Value = SbplRules> {
    (1..=3_u32, prop::collection::vec(rule(), 0..8)).prop_map(|(version, rules)| SbplRules {
        version,
        rules,
        ..SbplRules::default()
    })
}

fn target() -> impl Strategy<Value = String> {
    prop_oneof![3 => path_text(), 1 => "[a-z.:0-9*]{0,8}", 1 => Just("IOSurfaceRoot".to_owned()), 1 => Just("self".to_owned())]
}

fn deny_all(operation: &str) -> Rule {
    Rule {
        action: Decision::Deny,
        operations: vec![operation.to_owned()],
        filters: Vec::new(),
        modifiers: Vec::new(),
        in_message_filter: false,
        conditions: Vec::new(),
        place: LineColumn::at(9, 1),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever the rules are, an answer comes, and it holds together.
    #[test]
    fn an_answer_always_comes(rules in rules(), operation in operation(), target in target()) {
        let answer = evaluate(&rules, &SbplQuestion::new(operation, target));
        prop_assert!(!answer.reason.is_empty());
        prop_assert!(answer.rule.is_none_or(|index| answer.decision == Some(rules.rules[index].action)));
        if answer.decision.is_none() {
            prop_assert!(answer.rule.is_none() && answer.assumes.is_empty());
        }
    }

    /// Where no rule names the operation or a group of it with a filter, a last rule that denies the operation by its own
    /// name, without a filter, denies it.
    #[test]
    fn a_last_unconditional_denial_by_name_denies(rules in rules(), operation in operation(), target in target()) {
        let mut rules = rules;
        rules.rules.retain(|rule| rule.filters.is_empty());
        let before = evaluate(&rules, &SbplQuestion::new(operation.clone(), target.clone()));
        let outside = crate::policy::sbpl::gate::scan(&rules).iter().all(|gate| gate.kind.as_str() == "message_filter_deny");
        let checked: Vec<&str> = before.chain.iter().map(|step| step.operation).collect();
        for name in &checked {
            rules.rules.push(deny_all(name));
        }
        let outside = outside && crate::policy::sbpl::gate::scan(&rules).iter().all(|gate| gate.kind.as_str() == "message_filter_deny");
        if outside && !checked.is_empty() && !checked.contains(&"default") {
            let answer = evaluate(&rules, &SbplQuestion::new(operation, target));
            prop_assert_eq!(answer.decision, Some(Decision::Deny), "{:?}", answer);
        }
    }

    /// Rules about something else never change an answer, wherever they stand.
    #[test]
    fn unrelated_rules_change_nothing(rules in rules(), place in 0..9_usize, allows in any::<bool>(), target in path_text()) {
        let question = SbplQuestion::new("file-read*", target);
        let before = evaluate(&rules, &question);
        let mut more = rules.clone();
        let action = if allows { Decision::Allow } else { Decision::Deny };
        let place = place.min(rules.rules.len());
        let elsewhere = Filter::Path(PathFilter::Literal("/nowhere/at/all".into()));
        more.rules.insert(place, Rule { action, operations: vec!["mach-register".into(), "sysctl*".into()], ..deny_all("signal") });
        more.rules.insert(place, Rule { action, filters: vec![elsewhere], ..deny_all("file*") });
        let after = evaluate(&more, &question);
        prop_assert_eq!(after.decision, before.decision);
        let moved = before.rule.map(|index| if index < place { index } else { index + 2 });
        prop_assert_eq!(after.rule, moved);
    }

    /// A subpath holds its own root, and everything below it.
    #[test]
    fn a_subpath_holds_its_root(folder in "(/[a-z]{1,3}){1,3}", leaf in "(/[a-z]{1,3}){0,2}") {
        let path = format!("/private/tmp{folder}");
        let mut rules = SbplRules { version: 1, rules: vec![deny_all("default")], ..SbplRules::default() };
        let filters = vec![Filter::Path(PathFilter::Subpath(path.clone()))];
        rules.rules.push(Rule { action: Decision::Allow, filters, ..deny_all("file*") });
        let answer = evaluate(&rules, &SbplQuestion::new("file-read*", format!("{path}{leaf}")));
        prop_assert_eq!(answer.decision, Some(Decision::Allow));
        let beside = evaluate(&rules, &SbplQuestion::new("file-read*", format!("{path}0")));
        prop_assert_eq!(beside.decision, Some(Decision::Deny));
    }

    /// Every spelling of a path is answered like the resolved one, apart from the links on its way.
    #[test]
    fn aliases_are_answered_like_what_they_resolve_to(rules in rules(), leaf in "[a-c]{1,2}") {
        let ask = |path: String| {
            let answer = evaluate(&rules, &SbplQuestion::new("file-read-data", path));
            answer.chain.last().map(|step| (step.on.clone(), step.decision, step.rule))
        };
        let resolved = ask(format!("/private/tmp/{leaf}"));
        for alias in ["/tmp/", "/private/tmp/x/../", "//private/./tmp//", "/System/Volumes/Data/private/tmp/"] {
            prop_assert_eq!(&ask(format!("{alias}{leaf}")), &resolved, "{}", alias);
        }
    }
}

#[test]
fn a_filter_of_a_search_leaves_it_open_because_the_volume_is_what_is_checked() {
    let search =
        |rule: &str| ask(&format!("(version 1)(allow default){rule}"), "file-search", "/private/tmp/a").decision;
    assert_eq!(search("(deny file-search)"), Some(Decision::Deny));
    assert_eq!(search(""), Some(Decision::Allow));
    for filter in ["(subpath \"/private/tmp\")", "(literal \"/private/tmp/a\")", "(vnode-type REGULAR-FILE)"] {
        assert_eq!(search(&format!("(deny file-search {filter})")), None, "{filter}");
    }
    // A rule of another operation is none of a search.
    assert_eq!(search("(deny file-read-data (subpath \"/private/tmp\"))"), Some(Decision::Allow));
}
