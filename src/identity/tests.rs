//! Properties of the composition: the same inputs give the same identity, and any change of any declared element changes
//! exactly its part's digest, and the identity.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::compose::{self, DeclaredFacts};
use super::seal::{DeclarationParts, check, seal};
use super::{declare, environment, verify, verify_against_plan};
use crate::base::digest::Digest;
use crate::base::json;
use crate::base::json_out;
use crate::plan::{self, ResolvedPlan, Selection, Workspace};
use crate::record::absence::Absence;
use crate::record::confinement::ConfinementFacts;
use crate::record::identity::{Declaration, DeclarationPart, Stated};
use crate::record::manifest::{ChannelKind, HostFacts};
use crate::record::run_identity::{
    ChannelElement, EnforcerElement, LimitElement, LockElement, RuntimePart, ToolElement, UserElement, WorldElement,
};

pub(super) fn quickstart() -> ResolvedPlan {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    plan::resolve(&Workspace::at(root), "plans/quickstart/plan.json", &Selection::default()).unwrap()
}

pub(super) fn given(plan: &ResolvedPlan, pairs: &[(String, Vec<u8>)], jobs: u32) -> DeclaredFacts {
    let host = HostFacts {
        os: "linux".into(),
        kernel_release: Some("6.1".into()),
        landlock_abi: Some(7),
        uid_class: "user".into(),
        ..HostFacts::default()
    };
    let limit = LimitElement { soft: "1024".into(), hard: "unlimited".into() };
    DeclaredFacts {
        tool: ToolElement {
            name: "sandproof".into(),
            version: "1".into(),
            sha256: Digest::of(b"tool"),
            commit: Stated::Is("c".repeat(40)),
            target: "t".into(),
        },
        commands: BTreeMap::from([("/bin/true".to_owned(), Stated::Is(Digest::of(b"true")))]),
        launchers: BTreeMap::new(),
        runtime: RuntimePart {
            world: WorldElement {
                declared: crate::world::declared(plan.plan.world_id.as_ref()),
                world_id: Stated::absent(Absence::NotObserved),
                document_sha256: verify::world_document(plan),
            },
            host: compose::host_facts(&host),
            enforcer: EnforcerElement {
                name: Stated::Is("landlock".into()),
                abilities: Stated::Is(BTreeMap::from([("user_xattr".to_owned(), json!(true))])),
            },
            channel: ChannelElement { kind: ChannelKind::Direct, job: Stated::absent(Absence::NoManager) },
            environment: environment::declared(pairs),
            user: UserElement { uid_class: "user".into(), gid_class: "user".into() },
            rlimits: Stated::Is(BTreeMap::from([("RLIMIT_NOFILE".to_owned(), limit)])),
            umask: Stated::Is("0022".into()),
            locale: environment::locale(pairs),
            time_zone: Stated::Is("Etc/UTC".into()),
            fixture_file_system: Stated::Is("tmpfs".into()),
            confinement: Stated::Is(compose::confinement(&ConfinementFacts::default(), "linux", false)),
            jobs,
            repeat: None,
            shuffle: None,
        },
        dry_run: false,
        host_programs: false,
        channel_limit_ms: Stated::absent(Absence::NoManager),
        lock: LockElement { mode: "fail".into(), limit_ms: Stated::absent(Absence::NoWait) },
        pre_existing: compose::pre_existing(compose::fixed_paths(plan).into_iter().map(|path| (path, "file"))),
        inputs: "workspace".into(),
    }
}

fn sealed() -> Declaration {
    let plan = quickstart();
    declare(&plan, given(&plan, &[("TZ".to_owned(), b"UTC".to_vec())], 2)).unwrap()
}

fn parts_of(declaration: &Declaration) -> DeclarationParts {
    let part = |part| declaration.part(part).clone();
    DeclarationParts {
        artifact: part(DeclarationPart::Artifact),
        runtime: part(DeclarationPart::Runtime),
        policy: part(DeclarationPart::Policy),
        history: part(DeclarationPart::History),
    }
}

/// Every leaf of a value, and every empty list or object, by JSON pointer.
fn leaves(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                leaves(member, &format!("{at}/{}", crate::base::canon::pointer_part(name)), found);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (n, item) in items.iter().enumerate() {
                leaves(item, &format!("{at}/{n}"), found);
            }
        }
        _ => found.push(at.to_owned()),
    }
}

/// The same value with one byte of it changed; an empty list or object gets an element.
fn changed(value: &Value, byte: usize) -> Value {
    match value {
        Value::String(text) if text.is_empty() => json!("x"),
        Value::String(text) => {
            let mut chars: Vec<char> = text.chars().collect();
            let at = byte % chars.len();
            chars[at] = if chars[at] == '0' { '1' } else { '0' };
            Value::String(chars.into_iter().collect())
        }
        Value::Bool(truth) => json!(!truth),
        Value::Number(number) => json!(number.as_i64().unwrap() + 1),
        Value::Array(_) => json!(["0"]),
        Value::Object(_) => json!({"0": "0"}),
        Value::Null => json!("0"),
    }
}

fn expect_only(part: DeclarationPart, before: &Declaration, after: &Declaration, what: &str) {
    for other in DeclarationPart::ALL {
        let same = before.digests.of(other) == after.digests.of(other);
        assert_eq!(same, other != part, "{what}: {}", other.as_str());
    }
    assert_ne!(before.identity, after.identity, "{what}");
}

fn with_part(mut parts: DeclarationParts, part: DeclarationPart, value: Value) -> DeclarationParts {
    let Value::Object(members) = value else { panic!("a part is an object") };
    *match part {
        DeclarationPart::Artifact => &mut parts.artifact,
        DeclarationPart::Runtime => &mut parts.runtime,
        DeclarationPart::Policy => &mut parts.policy,
        DeclarationPart::History => &mut parts.history,
    } = members;
    parts
}

#[test]
fn every_leaf_counts_in_its_own_part() {
    let before = sealed();
    let mut seen = 0;
    for part in DeclarationPart::ALL {
        let whole = Value::Object(before.part(part).clone());
        let mut all = Vec::new();
        leaves(&whole, "", &mut all);
        for pointer in all {
            let leaf = whole.pointer(&pointer).unwrap();
            // Every byte of a digest, the ends of everything else.
            let bytes = leaf.as_str().map_or(1, |text| text.chars().count().min(64));
            for byte in 0..bytes {
                let mut edited = whole.clone();
                *edited.pointer_mut(&pointer).unwrap() = changed(leaf, byte);
                let parts = with_part(parts_of(&before), part, edited);
                let after = seal(&before.schema_version, &before.kind, parts).unwrap();
                expect_only(part, &before, &after, &pointer);
                seen += 1;
            }
            // Left out, or stated otherwise, it counts as well.
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            let mut edited = whole.clone();
            if let Value::Object(members) = edited.pointer_mut(parent).unwrap() {
                members.remove(&name.replace("~1", "/").replace("~0", "~"));
                let parts = with_part(parts_of(&before), part, edited);
                expect_only(part, &before, &seal(&before.schema_version, &before.kind, parts).unwrap(), &pointer);
            }
        }
    }
    assert!(seen > 1000, "only {seen} changes were tried");
}

#[test]
fn a_plan_gives_its_declaration_and_no_other_plan_does() {
    let plan = quickstart();
    let declaration = sealed();
    assert_eq!(check(&declaration), []);
    assert_eq!(verify_against_plan(&plan, &declaration), []);
    let narrowed = Selection { only_profiles: vec!["quickstart:signals".into()], ..Selection::default() };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let other = plan::resolve(&Workspace::at(root), "plans/quickstart/plan.json", &narrowed).unwrap();
    let found = verify_against_plan(&other, &declaration);
    let pointers: Vec<&str> = found.iter().map(super::Discrepancy::pointer).collect();
    assert!(pointers.contains(&"/artifact/profiles/quickstart:workdir"), "{pointers:?}");
    assert!(pointers.contains(&"/policy/selection/only_profiles/0"), "{pointers:?}");
}

#[test]
fn parts_are_read_back_as_they_were_declared() {
    let plan = quickstart();
    let given = given(&plan, &[], 1);
    let parts = compose::parts(&plan, given.clone()).unwrap();
    let declaration = declare(&plan, given).unwrap();
    assert_eq!(verify::parts_of(&declaration).unwrap(), parts);
    let bytes = json_out::to_pretty(&declaration);
    let again: Declaration = serde_json::from_value(json::parse(&bytes).unwrap()).unwrap();
    assert_eq!(again, declaration);
}

/// The members of every object in another order, which a reader must not notice.
fn shuffled(value: &Value, seed: u64) -> String {
    match value {
        Value::Object(members) => {
            let mut all: Vec<String> = members
                .iter()
                .map(|(name, member)| format!("{}:{}", serde_json::to_string(name).unwrap(), shuffled(member, seed)))
                .collect();
            all.sort_by_cached_key(|text| Digest::of(format!("{seed}{text}").as_bytes()));
            format!("{{{}}}", all.join(","))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(|item| shuffled(item, seed)).collect::<Vec<_>>().join(" ,\n"))
        }
        leaf => leaf.to_string(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever else the environment holds, and in whatever order, only what is listed counts.
    #[test]
    fn undeclared_environment_does_not_count(
        noise in prop::collection::btree_map("[A-Z_]{1,12}", "\\PC{0,20}", 0..12),
        zone in "[A-Za-z/]{0,12}",
    ) {
        let plan = quickstart();
        let listed = ("TZ".to_owned(), zone.clone().into_bytes());
        let noise: Vec<(String, Vec<u8>)> = noise
            .into_iter()
            .filter(|(name, _)| !environment::LISTED.contains(&name.as_str()))
            .map(|(name, value)| (name, value.into_bytes()))
            .collect();
        let quiet = declare(&plan, given(&plan, std::slice::from_ref(&listed), 1)).unwrap();
        let mut noisy = noise;
        noisy.push(listed);
        noisy.reverse();
        prop_assert_eq!(declare(&plan, given(&plan, &noisy, 1)).unwrap(), quiet);
    }

    /// What is declared counts: the environment's listed names, and how many workers there are.
    #[test]
    fn declared_facts_count_in_the_runtime(
        name in prop::sample::select(environment::LISTED),
        value in "\\PC{1,20}",
        jobs in 2_u32..256,
    ) {
        let plan = quickstart();
        let before = declare(&plan, given(&plan, &[], 1)).unwrap();
        let set = declare(&plan, given(&plan, &[(name.to_string(), value.into_bytes())], 1)).unwrap();
        expect_only(DeclarationPart::Runtime, &before, &set, name);
        expect_only(DeclarationPart::Runtime, &before, &declare(&plan, given(&plan, &[], jobs)).unwrap(), "jobs");
    }

    /// A declaration written in any order and spacing is the same declaration.
    #[test]
    fn the_order_of_members_does_not_count(seed in any::<u64>()) {
        let before = sealed();
        let text = shuffled(&serde_json::to_value(&before).unwrap(), seed);
        let read: Declaration = serde_json::from_value(json::parse(text.as_bytes()).unwrap()).unwrap();
        let parts = parts_of(&read);
        prop_assert_eq!(seal(&read.schema_version, &read.kind, parts).unwrap(), before);
    }

    /// Other parts: whatever they hold, one change is one part's change.
    #[test]
    fn any_change_of_any_part_is_that_parts(
        names in prop::collection::btree_set("[a-z]{1,6}", 1..6),
        pick in any::<prop::sample::Index>(),
        byte in any::<usize>(),
        number in -1000_i64..1000,
    ) {
        let part = DeclarationPart::ALL[pick.index(4)];
        let members: Map<String, Value> =
            names.iter().map(|name| (name.clone(), json!([name, number, {"deep": name}]))).collect();
        let empty = DeclarationParts {
            artifact: members.clone(), runtime: members.clone(), policy: members.clone(), history: members.clone(),
        };
        let before = seal("any.v1", "any", empty.clone()).unwrap();
        let mut all = Vec::new();
        let whole = Value::Object(members);
        leaves(&whole, "", &mut all);
        let pointer = &all[pick.index(all.len())];
        let mut edited = whole.clone();
        *edited.pointer_mut(pointer).unwrap() = changed(whole.pointer(pointer).unwrap(), byte);
        let after = seal("any.v1", "any", with_part(empty, part, edited)).unwrap();
        expect_only(part, &before, &after, pointer);
    }
}
