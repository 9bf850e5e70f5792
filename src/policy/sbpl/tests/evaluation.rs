use super::{filters, given, literal, read, rules, subpath};
use crate::policy::sbpl::eval::RemarkKind;
use crate::policy::sbpl::rules::{Filter, GapKind, NetworkAddress, NetworkEnd, PathFilter, Pattern, Place};
use crate::record::outcome::Decision;

fn name(filter: &str, pattern: Pattern) -> Filter {
    Filter::Name { filter: filter.to_owned(), pattern }
}

fn symbol(filter: &str, value: &str) -> Filter {
    Filter::Symbol { filter: filter.to_owned(), value: value.to_owned() }
}

#[test]
fn a_rule_has_operations_filters_and_modifiers_in_any_order() {
    let text =
        "(allow (with report) file-read* file-write-data (literal \"/a\") (with message \"t\\\"g\") (subpath \"/b\"))";
    let found = rules(text);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].action, Decision::Allow);
    assert_eq!(found[0].operations, ["file-read*", "file-write-data"]);
    assert_eq!(found[0].filters, [literal("/a"), subpath("/b")]);
    assert_eq!(found[0].modifiers, ["report", "message \"t\\\"g\""]);
    assert_eq!(found[0].place, Place { line: 2, column: 1 });
    let plain = rules("(deny (with no-log) network*)");
    assert_eq!((plain[0].action, plain[0].filters.len()), (Decision::Deny, 0));
}

#[test]
fn every_filter_of_the_language_has_a_meaning() {
    let text = |text: &str| text.to_owned();
    let path = Filter::Path;
    let remote =
        |protocol: &str, address| Filter::Network { end: NetworkEnd::Remote, protocol: text(protocol), address };
    let endpoint = |host: &str, port: &str| NetworkAddress::Text { host: text(host), port: text(port) };
    for (written, expected) in [
        ("(literal \"/abs\")", literal("/abs")),
        ("(path \"/abs\")", literal("/abs")),
        ("(subpath \"/dir\")", subpath("/dir")),
        ("(prefix \"/str\")", path(PathFilter::Prefix(text("/str")))),
        ("(regex #\"^/a\\.b$\")", path(PathFilter::Regex(text("^/a\\.b$")))),
        ("(regex \"^/a\\\\.b$\")", path(PathFilter::Regex(text("^/a\\.b$")))),
        ("(path-ancestors \"/a/b\")", path(PathFilter::Ancestors(text("/a/b")))),
        ("(home-subpath \"/Library\")", path(PathFilter::Home(text("(home-subpath \"/Library\")")))),
        ("(global-name \"AA*\")", name("global-name", Pattern::Literal(text("AA*")))),
        ("(global-name-prefix \"x\")", name("global-name", Pattern::Prefix(text("x")))),
        ("(global-name-regex #\"x\")", name("global-name", Pattern::Regex(text("x")))),
        ("(local-name \"x\")", name("local-name", Pattern::Literal(text("x")))),
        ("(xpc-service-name \"x\")", name("xpc-service-name", Pattern::Literal(text("x")))),
        ("(sysctl-name \"x\")", name("sysctl-name", Pattern::Literal(text("x")))),
        ("(sysctl-name-prefix \"x\")", name("sysctl-name", Pattern::Prefix(text("x")))),
        ("(notification-name \"x\")", name("notification-name", Pattern::Literal(text("x")))),
        ("(ipc-posix-name \"x\")", name("ipc-posix-name", Pattern::Literal(text("x")))),
        ("(preference-domain \"x\")", name("preference-domain", Pattern::Literal(text("x")))),
        ("(iokit-user-client-class \"X\")", name("iokit-user-client-class", Pattern::Literal(text("X")))),
        ("(iokit-registry-entry-class \"X\")", name("iokit-registry-entry-class", Pattern::Literal(text("X")))),
        ("(iokit-connection \"X\")", name("iokit-connection", Pattern::Literal(text("X")))),
        ("(xattr \"x\")", name("xattr", Pattern::Literal(text("x")))),
        ("(vnode-type REGULAR-FILE)", symbol("vnode-type", "REGULAR-FILE")),
        ("(socket-domain AF_SYSTEM)", symbol("socket-domain", "AF_SYSTEM")),
        ("(socket-protocol 2)", symbol("socket-protocol", "2")),
        ("(target same-sandbox)", symbol("target", "same-sandbox")),
        ("(signal-number SIGTERM)", symbol("signal-number", "SIGTERM")),
        ("(syscall-number SYS_exit)", symbol("syscall-number", "SYS_exit")),
        ("(ioctl-command (_IO \"h\" 47))", symbol("ioctl-command", "(_IO \"h\" 47)")),
        ("(file-mode #o0004)", Filter::FileMode(4)),
        ("(extension \"com.apple.x\")", Filter::Extension(text("com.apple.x"))),
        ("(remote ip \"localhost:*\")", remote("ip", endpoint("localhost", "*"))),
        ("(remote tcp)", remote("tcp", NetworkAddress::Any)),
        (
            "(remote unix-socket (path-literal \"/p\"))",
            remote("unix-socket", NetworkAddress::Path(PathFilter::Literal(text("/p")))),
        ),
        (
            "(remote udp \"*:53\" \"*:123\")",
            Filter::Any(vec![remote("udp", endpoint("*", "53")), remote("udp", endpoint("*", "123"))]),
        ),
        (
            "(local ip4 \"*:*\")",
            Filter::Network { end: NetworkEnd::Local, protocol: text("ip4"), address: endpoint("*", "*") },
        ),
        ("(literal \"/a\" \"/b\")", Filter::Any(vec![literal("/a"), literal("/b")])),
        ("(require-any (literal \"/a\") (subpath \"/b\"))", Filter::Any(vec![literal("/a"), subpath("/b")])),
        ("(require-not (literal \"/a\"))", Filter::Not(Box::new(literal("/a")))),
    ] {
        assert_eq!(filters(&format!("(allow file-read* (require-all {written}))")), [Filter::All(vec![expected])]);
    }
}

#[test]
fn alternatives_of_a_rule_stand_side_by_side() {
    assert_eq!(
        filters("(allow file-read* (literal \"/a\" \"/b\") (subpath \"/c\"))"),
        [literal("/a"), literal("/b"), subpath("/c")]
    );
}

#[test]
fn what_is_unknown_is_kept() {
    let found = filters("(allow file-read* (literal \"/a\") (mystery \"x\" (y)) (mount-relative-literal \"/z\"))");
    assert_eq!(found[0], literal("/a"));
    assert_eq!(found[1], Filter::Unknown { name: "mystery".into(), text: "(mystery \"x\" (y))".into() });
    assert!(matches!(&found[2], Filter::Unknown { name, .. } if name == "mount-relative-literal"));
    // A form of the outermost level may stand for rules, and everything behind it knows that it was there.
    let policy = read("(version 1)\n(deny default)\n(grant-everything 'please)\n(allow signal)");
    let gap = &policy.rules().gaps[..];
    assert_eq!(gap.len(), 1);
    assert_eq!((gap[0].before, gap[0].kind, gap[0].text.as_str()), (1, GapKind::Form, "(grant-everything 'please)"));
    assert_eq!(gap[0].place, Place { line: 3, column: 1 });
    assert_eq!(policy.rules().rules.len(), 2);
    let remark = RemarkKind::Stranger { name: "grant-everything".into(), close: Vec::new() };
    assert_eq!(policy.remarks().iter().map(|remark| &remark.kind).collect::<Vec<_>>(), [&remark]);
    // A slip in a form's name says so.
    let policy = read("(version 1)(deny default)(alow file-read*)");
    assert!(policy.remarks()[0].kind.remedy().contains("`allow`"), "{:?}", policy.remarks());
}

#[test]
fn an_import_is_a_gap_and_may_define_anything() {
    let policy = read("(version 1)(deny default)(import \"system.sb\")(system-network)(allow file-read* system-paths)");
    let kinds: Vec<(usize, GapKind)> = policy.rules().gaps.iter().map(|gap| (gap.before, gap.kind)).collect();
    assert_eq!(kinds, [(1, GapKind::Import), (1, GapKind::Import)]);
    assert!(matches!(&policy.rules().rules[1].filters[..], [Filter::Unknown { name, .. }] if name == "system-paths"));
    assert!(policy.remarks().is_empty());
}

#[test]
fn parameters_decide() {
    let text = r#"(version 1)(deny default)
        (define home (param "HOME"))
        (if home (allow file-read* (subpath (string-append home "/Library"))) (deny file-read-data))
        (when (param "NET") (allow network*))
        (unless (equal? (param "MODE") "strict") (allow signal))
        (if (string=? (param "MODE") "strict") (deny mach-lookup))"#;
    let operations = |parameters: &[(&str, &str)]| -> (Vec<String>, Vec<GapKind>) {
        let policy = given(text, parameters);
        (
            policy.rules().rules[1..].iter().flat_map(|rule| rule.operations.clone()).collect(),
            policy.rules().gaps.iter().map(|gap| gap.kind).collect(),
        )
    };
    let all = operations(&[("HOME", "/Users/x"), ("NET", ""), ("MODE", "strict")]);
    assert_eq!(all, (vec!["file-read*".into(), "network*".into(), "mach-lookup".into()], vec![]));
    let some = operations(&[("HOME", "/Users/x"), ("MODE", "lax")]);
    assert_eq!(some, (vec!["file-read*".into(), "signal".into()], vec![]));
    // Without a value it is `#f`; a comparison of strings has no answer then, and says so.
    let none = operations(&[]);
    assert_eq!(none, (vec!["file-read-data".into(), "signal".into()], vec![GapKind::Parameter]));
    let policy = given(text, &[("HOME", "/Users/x")]);
    assert_eq!(policy.rules().rules[1].filters, [subpath("/Users/x/Library")]);
    let missing: Vec<String> = policy
        .remarks()
        .iter()
        .filter_map(|remark| match &remark.kind {
            RemarkKind::MissingParameter(name) => Some(name.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(missing, ["NET", "MODE"]);
    // A filter that depends on one is not known.
    let found =
        filters("(allow file-read* (subpath (param \"ROOT\")) (literal (string-append (param \"ROOT\") \"/x\")))");
    assert!(found.iter().all(|filter| matches!(filter, Filter::Unknown { .. })), "{found:?}");
    assert_eq!(given(text, &[("HOEM", "x")]).unused_parameters().collect::<Vec<_>>(), ["HOEM"]);
}

#[test]
fn definitions_are_followed() {
    let found = rules(
        r#"(define base "/private/tmp")
           (define (below . parts) (subpath (apply string-append base parts)))
           (define both (lambda (a b) (require-any (literal a) (literal b))))
           (define (open-up path #f-is-no-name) 1)
           (define quiet (with no-log))
           (define (read-and-write filter)
             (allow file-read* filter)
             (allow file-write* filter quiet))
           (let* ((x "/a") (y (string-append x "/b")))
             (read-and-write (both x y)))
           (for-each (lambda (name) (allow mach-lookup (global-name name))) '("one" "two"))
           (let loop ((n 2)) (when (positive? n) (deny signal) (loop (- n 1))))
           (apply allow 'process-fork (list))
           (allow file-read* (below "/x" "/y"))"#
            .replace("(define (open-up path #f-is-no-name) 1)", "")
            .replace("'process-fork", "process-fork")
            .as_str(),
    );
    let operations: Vec<&str> = found.iter().map(|rule| rule.operations[0].as_str()).collect();
    assert_eq!(
        operations,
        ["file-read*", "file-write*", "mach-lookup", "mach-lookup", "signal", "signal", "process-fork", "file-read*"]
    );
    assert_eq!(found[0].filters, [literal("/a"), literal("/a/b")]);
    assert_eq!(found[1].modifiers, ["no-log"]);
    assert_eq!(found[3].filters, [name("global-name", Pattern::Literal("two".into()))]);
    assert_eq!(found[7].filters, [subpath("/private/tmp/x/y")]);
}

#[test]
fn a_condition_that_nobody_knows_leaves_a_gap() {
    let policy = read(
        "(version 1)(deny default)
         (define x \"/a\")
         (if (entitlement \"com.apple.x\") (begin (define x \"/b\") (allow file*)) (deny signal))
         (allow file-read* (literal x))",
    );
    let rules = policy.rules();
    assert_eq!(rules.gaps.len(), 1);
    assert_eq!((rules.gaps[0].before, rules.gaps[0].kind, rules.gaps[0].place.line), (1, GapKind::Form, 3));
    assert_eq!(rules.rules.len(), 2);
    // The definition may or may not have happened.
    assert!(matches!(rules.rules[1].filters[0], Filter::Unknown { .. }));
    // Where only a value depends on it, no rule is in doubt but the one that uses it.
    let policy = read(
        "(version 1)(deny default)
         (define x (if (entitlement \"y\") \"/a\" \"/b\"))
         (allow file-read* (literal x) (if (entitlement \"y\") (literal \"/a\") (literal \"/b\")))",
    );
    assert!(policy.rules().gaps.is_empty());
    assert!(policy.rules().rules[1].filters.iter().all(|filter| matches!(filter, Filter::Unknown { .. })));
}

#[test]
fn defined_knows_the_names_of_the_build() {
    for (written, expected) in [
        ("(defined? 'file-test-existence)", "yes"),
        ("(defined? 'process-exec)", "yes"),
        ("(defined? 'global-name-regex)", "yes"),
        ("(defined? 'x)", "yes"),
        ("(defined? 'file-write-metadata)", "no"),
        ("(not (defined? 'file-write-metadata))", "yes"),
        ("(defined? 'SYS_map_with_linking_np)", "gap"),
        ("(and (defined? 'x) (defined? 'y))", "no"),
        ("(or (defined? 'y) (string=? x \"/x\"))", "yes"),
    ] {
        let policy = read(&format!("(version 1)(deny default)(define x \"/x\")(if {written} (allow signal))"));
        let found = match (policy.rules().rules.len(), policy.rules().gaps.len()) {
            (2, 0) => "yes",
            (1, 0) => "no",
            (1, 1) => "gap",
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected, "{written}");
    }
    assert_eq!(read("(version 2)(if (defined? 'iokit-open) (allow default))").rules().rules.len(), 0);
    assert_eq!(read("(version 2)(if (defined? 'debug) (allow default))").rules().rules.len(), 0);
}

#[test]
fn cond_takes_the_first_clause_that_holds() {
    let text = |mode: &str| {
        format!(
            "(define mode \"{mode}\") (cond ((equal? mode \"a\") (allow signal)) ((equal? mode \"b\") (deny signal)) (else (allow sysctl-read)))"
        )
    };
    let first = |mode: &str| -> (Decision, String) {
        let found = rules(&text(mode));
        (found[0].action, found[0].operations[0].clone())
    };
    assert_eq!(first("a"), (Decision::Allow, "signal".into()));
    assert_eq!(first("b"), (Decision::Deny, "signal".into()));
    assert_eq!(first("c"), (Decision::Allow, "sysctl-read".into()));
}

#[test]
fn rules_inside_with_filter_have_its_filter_too() {
    let found = rules(
        "(with-filter (vnode-type SYMLINK) (allow file-read* (literal \"/a\") (literal \"/b\")) (allow file-read-metadata))",
    );
    let link = symbol("vnode-type", "SYMLINK");
    assert_eq!(found[0].filters, [Filter::All(vec![link.clone(), Filter::Any(vec![literal("/a"), literal("/b")])])]);
    assert_eq!(found[1].filters, [Filter::All(vec![link])]);
}

#[test]
fn the_default_is_the_last_unfiltered_rule_on_it() {
    let default = |text: &str| read(text).rules().default_rule().map(|rule| rule.action);
    assert_eq!(default("(version 1)(deny default)"), Some(Decision::Deny));
    assert_eq!(default("(version 1)(deny default)(allow default)"), Some(Decision::Allow));
    assert_eq!(default("(version 1)(deny (with no-log)\n default)"), Some(Decision::Deny));
    assert_eq!(default("(version 1)(deny default)(allow default (literal \"/x\"))"), Some(Decision::Deny));
    assert_eq!(default("(version 1); (deny default)\n(allow file-read*)"), None);
    let none = read("(version 1)(allow file-read*)");
    assert_eq!(none.remarks().last().unwrap().kind, RemarkKind::NoDefault);
}

#[test]
fn doubtful_escapes_are_remarked() {
    let policy = read("(version 1)(deny default)(allow file-read* (regex \"^/a\\.b\"))");
    assert_eq!(policy.remarks()[0].kind, RemarkKind::Escape('.'));
    assert_eq!(policy.rules().rules[1].filters, [Filter::Path(PathFilter::Regex("^/a.b".into()))]);
}
