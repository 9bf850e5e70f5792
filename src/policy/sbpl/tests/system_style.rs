//! Profiles in the style of those that systems and browsers ship: every construct that they use has to be read.

use super::{given, read};
use crate::policy::sbpl::rules::{Filter, GapKind, PathFilter};
use crate::policy::sbpl::{SbplPolicy, parse, print};

const DAEMON: &str = include_str!("profiles/daemon.sb");
const BROWSER: &str = include_str!("profiles/browser.sb");
const BUILDER: &str = include_str!("profiles/builder.sb");

#[test]
fn all_of_them_print_and_read_back() {
    for text in [DAEMON, BROWSER, BUILDER] {
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
