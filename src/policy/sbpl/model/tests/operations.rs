//! Operations one by one: what they are about, and what they are checked as.

use super::*;

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
fn a_user_client_is_asked_for_by_its_service_or_by_its_own_class() {
    let client = "(iokit-user-client-class \"IOSurfaceRootUserClient\")";
    let text = format!("{DD}(allow iokit-open-user-client {client})");
    check(&[
        (&text, "iokit-open-user-client", "IOSurfaceRoot", "allow"),
        (&text, "iokit-open-user-client", "IOSurfaceRootUserClient", "allow"),
        (&text, "iokit-open-user-client", "OtherUserClient", "deny"),
    ]);
}

#[test]
fn a_socket_that_is_connected_to_is_followed_through_a_link() {
    let text = format!("{DD}(allow network-outbound (literal \"/private/tmp\"))(allow file-read-metadata)");
    check(&[(&text, "network-outbound", "/tmp", "allow"), (&text, "network-outbound", "/private/tmp", "allow")]);
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
