use super::{filters, given, literal, read, rules, subpath};
use crate::policy::sbpl::eval::RemarkKind;
use crate::policy::sbpl::rules::{Filter, GapKind, LineColumn, NetworkAddress, NetworkEnd, PathFilter, Pattern};
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
    assert_eq!(found[0].place, LineColumn::at(2, 1));
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
        ("(home-subpath \"/Library\")", path(PathFilter::Home(Box::new(PathFilter::Subpath(text("/Library")))))),
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
    assert_eq!(read("(version 1)(deny default)(allow file* (mount-relative-path-regex #\"^/a\"))").remarks(), []);
    // A form of the outermost level may stand for rules, and everything behind it knows that it was there.
    let policy = read("(version 1)\n(deny default)\n(grant-everything 'please)\n(allow signal)");
    let gap = &policy.rules().gaps[..];
    assert_eq!(gap.len(), 1);
    assert_eq!((gap[0].before, gap[0].kind, gap[0].text.as_str()), (1, GapKind::Form, "(grant-everything 'please)"));
    assert_eq!(gap[0].place, LineColumn::at(3, 1));
    assert_eq!(policy.rules().rules.len(), 2);
    let remark = RemarkKind::UnknownName { name: "grant-everything".into(), close: Vec::new() };
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
    assert_eq!(none, (vec!["file-read-data".into(), "signal".into(), "mach-lookup".into()], vec![]));
    let bare = given(text, &[]);
    assert_eq!(bare.rules().rules.last().unwrap().conditions.len(), 1);
    assert_eq!(bare.rules().conditions[0].kind, GapKind::Parameter);
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
fn ways_that_fail_leave_nothing_behind() {
    // Each fails within a form, inside a filter that stands around it.
    let fails = "(if (unknown-thing?) (with-filter (literal \"/a\") (allow file-raed*)))\n".repeat(400);
    let policy = read(&format!("(version 1)(deny default)\n{fails}(allow signal)"));
    let rules = &policy.rules().rules;
    assert_eq!(rules.iter().map(|rule| rule.operations[0].as_str()).collect::<Vec<_>>(), ["default", "signal"]);
    assert_eq!((&rules[1].filters[..], rules[1].in_message_filter), (&[][..], false));
    assert_eq!(policy.rules().gaps.len(), 400);
    // A rule that was made on the way, and a gap that was met, go with the way that failed after them.
    let late =
        "(if (unknown-thing?) (begin (allow sysctl-read) (if (other-thing?) (unknown-form)) (allow file-raed*)))";
    let policy = read(&format!("(version 1)(deny default)\n{late}(allow signal)"));
    let rules = policy.rules();
    assert_eq!(rules.rules.iter().map(|rule| rule.operations[0].as_str()).collect::<Vec<_>>(), ["default", "signal"]);
    assert_eq!(rules.gaps.len(), 1, "{:?}", rules.gaps);
}

#[test]
fn what_may_be_a_filter_is_kept_among_filters() {
    let is_open = |filter: &Filter| matches!(filter, Filter::Unknown { .. });
    for any in ["(require-any (literal \"/a\") #f)", "(apply require-any (list (literal \"/a\") #f))"] {
        let found = filters(&format!("(allow file-read* {any})"));
        assert!(found.len() == 2 && found[0] == literal("/a") && is_open(&found[1]), "{any}: {found:?}");
    }
    for not in ["(require-not (if #f #f))", "(apply require-not (list #f))"] {
        let found = filters(&format!("(allow file-read* {not})"));
        assert!(matches!(&found[..], [Filter::Not(inner)] if is_open(inner)), "{not}: {found:?}");
    }
    // Every path of a list is an address, and what is no path is one that nobody knows.
    let remote = |what: &str| match &filters(&format!("(allow network-outbound (remote unix-socket {what}))"))[..] {
        [one] => vec![one.clone()],
        several => several.to_vec(),
    };
    let address = |address| Filter::Network { end: NetworkEnd::Remote, protocol: "unix-socket".into(), address };
    let path = |path: &str| address(NetworkAddress::Path(PathFilter::Literal(path.into())));
    assert_eq!(remote("(literal \"/a\" \"/b\")"), [path("/a"), path("/b")]);
    let mixed = remote("(require-any (literal \"/a\") (global-name \"x\"))");
    assert_eq!(mixed[0], path("/a"));
    assert!(matches!(&mixed[1], Filter::Network { address: NetworkAddress::Unknown(_), .. }), "{mixed:?}");
}

#[test]
fn a_port_that_is_no_number_is_remarked() {
    let remarks = |port: &str| {
        let policy = read(&format!("(version 1)(deny default)(allow network* (remote ip \"localhost:{port}\"))"));
        policy.remarks().iter().map(|remark| remark.kind.clone()).collect::<Vec<_>>()
    };
    for port in ["*", "0", "80", "65535"] {
        assert_eq!(remarks(port), [], "{port}");
    }
    for port in ["http", "65536", "", "-1"] {
        let remark = RemarkKind::Constant { filter: "remote".into(), value: port.into() };
        assert_eq!(remarks(port), [remark], "{port}");
    }
}

#[test]
fn a_condition_that_nobody_knows_is_gone_both_ways() {
    let policy = read(
        "(version 1)(deny default)
         (define x \"/a\")
         (define y \"/a\")
         (if (entitlement \"com.apple.x\") (begin (define x \"/b\") (set! y \"/c\") (allow file* (literal x)))
           (begin (set! y \"/c\") (deny signal) (deny file* (literal x))))
         (allow file-read* (literal x) (literal y))",
    );
    let rules = policy.rules();
    assert!(rules.gaps.is_empty());
    let made: Vec<(&str, Vec<(u32, u32)>)> = rules
        .rules
        .iter()
        .map(|rule| {
            let ways = rule.conditions.iter().map(|choice| (choice.condition, choice.branch)).collect();
            (rule.operations[0].as_str(), ways)
        })
        .collect();
    assert_eq!(
        made,
        [
            ("default", vec![]),
            ("file*", vec![(0, 0)]),
            ("signal", vec![(0, 1)]),
            ("file*", vec![(0, 1)]),
            ("file-read*", vec![])
        ]
    );
    assert_eq!((rules.rules[1].filters[0].clone(), rules.rules[3].filters[0].clone()), (literal("/b"), literal("/a")));
    let condition = &rules.conditions[0];
    assert_eq!((condition.text.as_str(), condition.place.line), ("(entitlement \"com.apple.x\")", 4));
    assert_eq!(condition.entitlement.as_deref(), Some("com.apple.x"));
    // The one definition may or may not have happened; the other did, either way.
    assert!(matches!(rules.rules[4].filters[0], Filter::Unknown { .. }));
    assert_eq!(rules.rules[4].filters[1], literal("/c"));
    // Ways that say the same do not depend on the condition.
    let same = read(
        "(version 1)(if (x?) (deny default (with no-log)) (deny default))(case (x?) ((1) (allow signal)) (else (allow signal)))",
    );
    assert!(same.rules().rules.iter().all(|rule| rule.conditions.is_empty()));
    assert_eq!((same.rules().rules.len(), same.rules().conditions.len()), (2, 0));
    // Where only a value depends on it, no rule is in doubt but the one that uses it.
    let policy = read(
        "(version 1)(deny default)
         (define x (if (entitlement \"y\") \"/a\" \"/b\"))
         (allow file-read* (literal x) (if (entitlement \"y\") (literal \"/a\") (literal \"/b\")))",
    );
    assert!(policy.rules().gaps.is_empty());
    let filters = &policy.rules().rules[1].filters;
    assert!(matches!(&filters[0], Filter::Unknown { .. }), "{filters:?}");
    let ways = Filter::Any(vec![literal("/a"), literal("/b")]);
    assert!(matches!(&filters[1], Filter::All(parts) if parts[1] == ways), "{filters:?}");
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
        ("(defined? 'SYS_map_with_linking_np)", "open"),
        ("(and (defined? 'x) (defined? 'y))", "no"),
        ("(or (defined? 'y) (string=? x \"/x\"))", "yes"),
    ] {
        let policy = read(&format!("(version 1)(deny default)(define x \"/x\")(if {written} (allow signal))"));
        let found = match (policy.rules().rules.len(), policy.rules().conditions.len()) {
            (2, 0) => "yes",
            (1, 0) => "no",
            (2, 1) => "open",
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
    assert_eq!(policy.remarks()[0].kind, RemarkKind::Escape(".".into()));
    assert_eq!(policy.rules().rules[1].filters, [Filter::Path(PathFilter::Regex("^/a.b".into()))]);
}

#[test]
fn the_procedures_that_profiles_use_are_known() {
    for (written, expected) in [
        ("(substring \"/abcdef\" 0 3)", "/ab"),
        ("(substring \"/a/bc\" 2)", "/bc"),
        ("(string-append \"/\" (number->string (string->number \"12\")))", "/12"),
        ("(list-ref (list \"/x\" \"/a\") 1)", "/a"),
        ("(cadr '(\"/x\" \"/a\"))", "/a"),
        ("(caddr '(1 2 \"/a\"))", "/a"),
        ("(car (member \"/a\" '(\"/x\" \"/a\" \"/b\")))", "/a"),
        ("(cadr (assoc \"k\" '((\"j\" \"/x\") (\"k\" \"/a\"))))", "/a"),
        ("(cadr (assq 'k '((j \"/x\") (k \"/a\"))))", "/a"),
        ("(case 2 ((1) \"/x\") ((2 3) \"/a\") (else \"/y\"))", "/a"),
        ("(case 'b ((a) \"/x\") (else \"/a\"))", "/a"),
        ("(if (= (+ 1 2 3) (* 2 3) 6) \"/a\" \"/x\")", "/a"),
        ("(if (< 1 2 3) \"/a\" \"/x\")", "/a"),
        ("(if (= (- 10 1 2) 7) \"/a\" \"/x\")", "/a"),
        ("(if (= (- 5) (- 0 5)) \"/a\" \"/x\")", "/a"),
        ("(if (>= 10.15 10.2) \"/x\" \"/a\")", "/a"),
        ("(if (> (string->number \"14.04\") 14) \"/a\" \"/x\")", "/a"),
        ("(if (string->number \"x\") \"/x\" \"/a\")", "/a"),
        ("(if (string<? \"a\" \"b\") \"/a\" \"/x\")", "/a"),
        ("(if (= (modulo -7 3) 2) \"/a\" \"/x\")", "/a"),
        ("(if (= (quotient 7 2) 3) \"/a\" \"/x\")", "/a"),
        ("(do ((n 0 (+ n 1)) (s \"/\" (string-append s \"a\"))) ((= n 2) s))", "/aa"),
        ("(vector-ref (vector \"/x\" \"/a\") 1)", "/a"),
        ("(vector-ref #(\"/x\" \"/a\") 1)", "/a"),
        ("(apply string-append `(\"/\" ,(string-append \"a\" \"b\") ,@(list \"c\" \"d\")))", "/abcd"),
        ("(let loop ((n 100000) (s \"/a\")) (if (> n 0) (loop (- n 1) s) s))", "/a"),
        ("(cond ((member \"/a\" '(\"/a\")) => car) (else \"/x\"))", "/a"),
        ("(regex-quote \"/a.b+(c)\")", "/a\\.b\\+\\(c\\)"),
    ] {
        let policy = read(&format!("(version 1)(deny default)(allow file-read* (literal {written}))"));
        assert_eq!(policy.rules().rules[1].filters, [literal(expected)], "{written}");
        assert_eq!(policy.remarks(), [], "{written}");
    }
}

#[test]
fn macros_make_forms() {
    let found = rules(
        "(define-macro (let-through operation . filters) `(allow ,operation ,@filters))
         (let-through file-read* (literal \"/a\") (literal \"/b\"))
         (macro (twice form) (list 'begin (cadr form) (cadr form)))
         (twice (deny signal))
         (define (each l) (if (null? l) '() (cons (car l) (each (cdr l)))))
         (define-macro (nothing-known x) (unknown-procedure x))",
    );
    let operations: Vec<&str> = found.iter().map(|rule| rule.operations[0].as_str()).collect();
    assert_eq!(operations, ["file-read*", "signal", "signal"]);
    assert_eq!(found[0].filters, [literal("/a"), literal("/b")]);
    let open = read("(version 1)(deny default)(define-macro (m) (unknown-procedure))(m)");
    assert_eq!(open.rules().gaps.len(), 1);
}

#[test]
fn loops_need_no_depth_and_procedures_keep_what_they_hold() {
    let found = rules(
        "(define (count n) (cond ((= n 0) (allow signal)) (else (count (- n 1)))))
         (count 50000)
         (define (adder a) (lambda (b) (string-append a b)))
         (define f (adder \"/a\"))
         (let loop ((n 100)) (when (> n 0) (adder \"/x\") (loop (- n 1))))
         (define all (let loop ((n 3) (made '())) (if (= n 0) made (loop (- n 1) (cons (lambda () n) made)))))
         (allow file-read* (literal (f \"/b\")) (literal (string-append \"/\" (number->string ((cadr all))))))",
    );
    assert_eq!(found[1].filters, [literal("/a/b"), literal("/2")]);
}

#[test]
fn values_of_closed_lists_are_checked() {
    let remarks = |text: &str| read(&format!("(version 1)(deny default){text}")).remarks().to_vec();
    for text in [
        "(allow signal (target self others pgrp children same-sandbox))",
        "(allow file* (vnode-type REGULAR-FILE TTY))",
        "(deny file* (with no-log) (with message \"x\") (with send-signal SIGKILL))",
        "(allow network* (remote ip \"*:65535\"))",
    ] {
        assert_eq!(remarks(text), [], "{text}");
    }
    for text in [
        "(allow signal (target nobody-at-all))",
        "(deny file* (with frobnication))",
        "(allow network* (remote ip \"*:99999\"))",
    ] {
        assert!(matches!(remarks(text)[0].kind, RemarkKind::Constant { .. }), "{text}");
    }
    assert!(matches!(remarks("(allow file* (subpath \"\"))")[0].kind, RemarkKind::Path(_)));
    assert!(matches!(remarks("(allow file* (literal \"a/b\"))")[0].kind, RemarkKind::Path(_)));
}

#[test]
fn a_name_that_macos_may_have_is_only_said_not_to_be_known() {
    let policy = read("(version 1)(deny default)(allow file* (some-filter \"x\"))(setenv \"A\" \"b\")\nstray");
    let told: Vec<String> =
        policy.remarks().iter().map(|remark| format!("{}; {}", remark.kind, remark.kind.remedy())).collect();
    assert!(!told[0].contains("unbound"), "{told:?}");
    let gate = policy.gates().remove(0);
    assert!(gate.kind.to_string().contains("macOS has no `setenv`"), "{gate:?}");
    let perhaps = read("(version 1)(deny default)(if (unknown?) (setenv \"A\" \"b\"))");
    assert_eq!(perhaps.gates(), []);
    assert!(perhaps.remarks().iter().any(|remark| matches!(remark.kind, RemarkKind::Unbound(_))));
    assert_eq!(policy.gates().len(), 1);
    // A name alone is no rule, and nobody knows what comes of it.
    assert_eq!(policy.rules().gaps.last().unwrap().text, "stray");
}

#[test]
fn folders_of_the_host_are_found_in_whatever_filter_names_them() {
    let policy = read(
        "(version 1)
(deny default)
(allow file-read* (subpath \"/a\") (literal \"/b\"))
(allow file-read* (require-all (subpath \"/c\") (require-not (subpath \"/d\"))))
(allow network-outbound (remote unix-socket (subpath \"/e\")))
(allow file-read* (subpath \"/\") (subpath \"${root}/f\"))
",
    );
    let rules = policy.rules();
    let found: Vec<(u32, &str)> = rules.subpaths().map(|(place, path)| (place.line, path)).collect();
    assert_eq!(found, [(3, "/a"), (4, "/c"), (4, "/d"), (5, "/e")]);
}
