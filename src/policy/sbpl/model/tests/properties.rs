//! What holds for every profile and every question.

use super::*;

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
