//! Profiles in the style of those that systems and browsers ship: every construct that they use has to be read.

use super::{given, read};
use crate::policy::sbpl::model::{SbplQuestion, evaluate};
use crate::policy::sbpl::rules::{Filter, GapKind, PathFilter};
use crate::policy::sbpl::{SbplPolicy, parse, print};
use crate::record::outcome::Decision;

const DAEMON: &str = include_str!("profiles/daemon.sb");
const BROWSER: &str = include_str!("profiles/browser.sb");
const BUILDER: &str = include_str!("profiles/builder.sb");

#[test]
fn all_of_them_print_and_read_back() {
    for text in [DAEMON, BROWSER, BUILDER, AGENT, RENDERER, INSTALLER, LEGACY, KEYS, HOST] {
        let program = parse(text).unwrap();
        assert_eq!(parse(&print(&program)).unwrap(), program);
    }
}

#[test]
fn a_daemon_with_an_import() {
    let policy = read(DAEMON);
    let rules = policy.rules();
    let gaps: Vec<(GapKind, &str)> = rules.gaps.iter().map(|gap| (gap.kind, gap.text.as_str())).collect();
    assert_eq!(gaps, [(GapKind::Import, "(import \"system.sb\")"), (GapKind::Import, "(system-network)")]);
    assert!(policy.remarks().is_empty(), "{:?}", policy.remarks());
    let count =
        |operation: &str| rules.rules.iter().filter(|rule| rule.operations.iter().any(|o| o == operation)).count();
    assert_eq!((rules.version, count("file-read*"), count("mach-lookup")), (1, 3, 1));
    let unknown = rules.rules.iter().flat_map(|rule| &rule.filters).filter(|f| matches!(f, Filter::Unknown { .. }));
    assert_eq!(unknown.count(), 0);
    assert!(policy.gates().is_empty());
}

#[test]
fn a_browser_with_parameters() {
    let parameters =
        [("HOME", "/Users/u"), ("BUNDLE", "/Applications/B.app"), ("LOGGING", "TRUE"), ("PIPE", "/private/tmp/p")];
    let policy = given(BROWSER, &parameters);
    assert!(policy.rules().gaps.is_empty(), "{:?}", policy.rules().gaps);
    assert!(policy.remarks().is_empty(), "{:?}", policy.remarks());
    assert_eq!(policy.unused_parameters().count(), 0);
    let has = |filter: &Filter| policy.rules().rules.iter().any(|rule| rule.filters.contains(filter));
    assert!(has(&Filter::Path(PathFilter::Regex("^/Users/u/Library/Fonts($|/)".into()))));
    assert!(has(&Filter::Path(PathFilter::Subpath("/Applications/B.app".into()))));
    assert!(has(&Filter::Path(PathFilter::Literal("/private/tmp/p".into()))));
    // Without parameters it is read as well; what depends on them is not known.
    let bare = read(BROWSER);
    assert!(bare.rules().rules.iter().flat_map(|rule| &rule.filters).any(|f| matches!(f, Filter::Unknown { .. })));
    assert_eq!(bare.remarks().len(), 4, "{:?}", bare.remarks());
}

#[test]
fn a_builder_with_loops_and_conditions() {
    let policy = given(BUILDER, &[("_ALLOW_NETWORK", "1"), ("_TMP", "/private/tmp/build")]);
    let rules = policy.rules();
    assert!(rules.gaps.is_empty());
    let kinds: Vec<(GapKind, u32)> = rules.conditions.iter().map(|one| (one.kind, one.place.line)).collect();
    // Whether the process has an entitlement is known to the kernel alone.
    assert_eq!(kinds, [(GapKind::Form, 34)]);
    let open = |policy: &SbplPolicy| {
        policy.rules().rules.iter().any(|rule| rule.operations == ["network*"] && rule.filters.is_empty())
    };
    assert!(open(&policy));
    let bare = given(BUILDER, &[("_TMP", "/private/tmp/build")]);
    assert!(!open(&bare));
}

const AGENT: &str = include_str!("profiles/agent.sb");
const RENDERER: &str = include_str!("profiles/renderer.sb");
const INSTALLER: &str = include_str!("profiles/installer.sb");
const LEGACY: &str = include_str!("profiles/legacy.sb");
const KEYS: &str = include_str!("profiles/keys.sb");
const HOST: &str = include_str!("profiles/host.sb");

/// Questions with what a profile answers.
#[track_caller]
fn asked(policy: &SbplPolicy, cases: &[(&str, &str, &str)]) {
    for (operation, target, wanted) in cases {
        let answer = evaluate(policy.rules(), &SbplQuestion::new(*operation, *target));
        let found = answer.decision.map_or("undecidable", |decision| decision.as_str());
        assert_eq!(found, *wanted, "{operation} on {target}: {answer:#?}");
    }
}

#[test]
fn a_closed_profile_with_names_of_other_releases() {
    let policy = given(AGENT, &[("WORK", "/Users/me/work")]);
    assert_eq!((policy.remarks(), policy.gates()), (&[][..], vec![]));
    asked(
        &policy,
        &[
            ("file-write-data", "/Users/me/work/a", "allow"),
            ("file-write-data", "/Users/me/work/.git/config", "deny"),
            ("file-write-data", "/dev/null", "allow"),
            ("file-write-create", "/dev/null0", "deny"),
            ("ipc-posix-shm-read-data", "notification.centre", "deny"),
            ("mach-lookup", "com.example.directory", "allow"),
            ("mach-lookup", "com.example.other", "deny"),
            ("process-info-pidinfo", "self", "allow"),
            ("process-info-pidinfo", "1", "undecidable"),
            ("network-outbound", "192.0.2.1:443", "deny"),
        ],
    );
    let xpc =
        SbplQuestion { filter: Some("xpc-service-name".into()), ..SbplQuestion::new("mach-lookup", "com.example.x") };
    assert_eq!(evaluate(policy.rules(), &xpc).decision, Some(Decision::Deny));
}

#[test]
fn a_renderer_that_reckons_with_the_version_of_the_system() {
    let parameters = [("OS", "1404"), ("HOME", "/Users/m.e"), ("BUNDLE", "/Applications/B.app/")];
    let policy = given(RENDERER, &parameters);
    assert!(policy.rules().gaps.is_empty(), "{:?}", policy.rules().gaps);
    assert_eq!(policy.rules().conditions.len(), 1);
    asked(
        &policy,
        &[
            ("file-read-data", "/Users/m.e/Library/Fonts/a", "allow"),
            ("file-read-data", "/Users/mxe/Library/Fonts/a", "deny"),
            ("file-read-data", "/Applications/B.app/x", "allow"),
            ("file-read-data", "/private/var/older", "allow"),
            ("file-read-data", "/private/var/newer", "deny"),
            ("mach-lookup", "com.example.windows", "allow"),
            ("mach-lookup", "com.example.other", "deny"),
            ("sysctl-read", "kern.example", "allow"),
            ("process-info-pidinfo", "self", "allow"),
            ("process-info-pidinfo", "1", "deny"),
            ("iokit-open-user-client", "ExampleClient", "undecidable"),
            ("iokit-open-user-client", "AnotherClient", "deny"),
        ],
    );
    // Without the version, only what depends on it is open.
    let bare = given(RENDERER, &parameters[1..]);
    asked(&bare, &[("sysctl-read", "kern.example", "undecidable"), ("mach-lookup", "com.example.windows", "allow")]);
}

#[test]
fn an_installer_that_allows_first_denies_then_and_defaults_last() {
    let policy = read(INSTALLER);
    asked(
        &policy,
        &[
            ("file-write-data", "/opt/cellar/pkg/bin/a", "allow"),
            ("file-write-data", "/opt/cellar/pkg/.lock", "deny"),
            ("file-write-data", "/Users/me/a", "deny"),
            ("file-write-mode", "/opt/cellar/pkg/odd", "deny"),
            ("file-write-mode", "/opt/cellar/pkg/even", "allow"),
            ("file-write-setugid", "/opt/cellar/pkg/even", "deny"),
            ("file-read-data", "/Users/me/a", "allow"),
            ("network-outbound", "192.0.2.1:443", "deny"),
            ("network-outbound", "127.0.0.1:443", "allow"),
        ],
    );
    let outside = evaluate(policy.rules(), &SbplQuestion::new("file-write-data", "/Users/me/a"));
    assert!(outside.assumes.iter().any(|text| text.contains("not recorded on 14.4.1")), "{outside:?}");
}

#[test]
fn an_old_profile_whose_import_may_say_anything() {
    let policy = read(LEGACY);
    asked(
        &policy,
        &[
            ("file-read-data", "/Users/me/Downloads/a", "undecidable"),
            ("file-read-data", "/private/etc/hosts", "undecidable"),
        ],
    );
    // The same without the import: the default at the end is the last resort.
    let alone = read(&LEGACY.replace("(import \"bsd.sb\")", ""));
    asked(
        &alone,
        &[
            ("file-read-data", "/Users/me/Downloads/a", "allow"),
            ("file-read-data", "/private/etc/hosts", "deny"),
            ("process-fork", "self", "allow"),
        ],
    );
}

#[test]
fn a_narrow_deny_is_not_opened_by_a_wide_allow() {
    asked(
        &read(KEYS),
        &[
            ("file-read-data", "/Users/me/Library/Keys/login.db", "deny"),
            ("file-read-metadata", "/Users/me/Library/Keys/login.db", "allow"),
            ("file-read-data", "/usr/bin/env", "allow"),
            ("network-outbound", "/private/tmp/agent-1/sock", "allow"),
            ("network-outbound", "/private/tmp/agent-1/other", "deny"),
            ("network-outbound", "/private/var/run/example.open", "allow"),
            ("network-outbound", "/private/var/run/example.shut", "deny"),
            ("network-outbound", "127.0.0.1:80", "allow"),
            ("network-outbound", "[::ffff:127.0.0.1]:80", "deny"),
        ],
    );
}

#[test]
fn a_jail_with_ancestors_and_shared_memory() {
    asked(
        &read(HOST),
        &[
            ("file-read-metadata", "/Users/me", "allow"),
            ("file-read-metadata", "/Users/you", "deny"),
            ("file-write-data", "/Users/me/work/a", "allow"),
            ("file-write-unlink", "/Users/me/work/a", "deny"),
            ("file-map-executable", "/usr/lib/x.dylib", "allow"),
            ("file-map-executable", "/private/tmp/x.dylib", "undecidable"),
            ("ipc-posix-shm-read-data", "/a", "allow"),
            ("ipc-posix-shm-write-data", "/a", "deny"),
        ],
    );
}
