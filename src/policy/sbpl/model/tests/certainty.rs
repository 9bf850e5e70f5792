//! What cannot be known stays open, and nothing else does.

use super::*;

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
        ("(eq? #t #t)", "allow"),
        ("(eq? #t #f)", "deny"),
        ("(equal? '() '())", "allow"),
        ("(equal? '() '(1))", "undecidable"),
        ("(equal? '(1) '())", "undecidable"),
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
fn what_may_stand_behind_a_rule_is_assumed_away_and_what_stands_before_it_is_not() {
    let (gap, rule) = ("(grant-everything 'please)", "(allow signal (target self))");
    let assumes = |text: String| {
        let answer = ask(&text, "signal", "self");
        assert_eq!(answer.decision, Some(Decision::Allow), "{text}");
        answer.assumes.iter().any(|assumed| assumed.contains("comes first whatever stands behind it"))
    };
    assert!(!assumes(format!("{DD}{rule}")));
    assert!(!assumes(format!("{DD}{gap}{rule}")));
    assert!(!assumes(format!("{DD}(allow default){gap}{rule}(allow process-fork)")));
}

#[test]
fn what_lies_in_a_fresh_folder_is_below_no_folder_of_the_system() {
    let allow = |filter: &str| format!("{DD}(allow file-read* {filter})");
    let target = "${root}/x";
    for (filter, wanted) in [
        ("(prefix \"/usr/\")", "deny"),
        ("(prefix \"/usr\")", "undecidable"),
        ("(prefix \"/Users/\")", "undecidable"),
        ("(subpath \"/usr\")", "deny"),
        ("(subpath \"/usr/lib\")", "deny"),
        ("(subpath \"/Users\")", "undecidable"),
        ("(literal \"/Users/x\")", "deny"),
    ] {
        check(&[(&allow(filter), "file-read-data", target, wanted)]);
    }
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
