//! No untrusted input makes the loader panic.

use std::collections::HashMap;
use std::io;

use proptest::prelude::*;

use super::*;
use crate::base::fsx::FileError;
use crate::base::shared_bytes::SharedBytes;
use crate::record::sources::InputRole;

/// Documents in memory.
struct Memory(HashMap<String, Vec<u8>>);

impl DocumentSource for Memory {
    fn read(&self, _: InputRole, path: &str, _: u64) -> Result<SharedBytes, FileError> {
        let missing = || FileError { action: "read", path: path.into(), source: io::ErrorKind::NotFound.into() };
        self.0.get(path).cloned().map(SharedBytes::from).ok_or_else(missing)
    }

    fn has(&self, _: InputRole, path: &str) -> bool {
        self.0.contains_key(path)
    }
}

fn memory(sample: &Sample) -> HashMap<String, Vec<u8>> {
    [
        ("plan.json", &sample.plan),
        ("registries/index.json", &sample.index),
        ("registries/r/probes.json", &sample.probes),
        ("registries/r/profiles.json", &sample.profiles),
        ("registries/r/policies/p.json", &sample.policy),
    ]
    .into_iter()
    .map(|(path, value)| (path.to_owned(), serde_json::to_vec(value).unwrap()))
    .collect()
}

/// Resolves and lints; what a message says must be printable.
fn try_all(documents: HashMap<String, Vec<u8>>) {
    let source = Memory(documents);
    if let Err(error) = resolve(&source, "plan.json", &Selection::default()) {
        let text = told(&error);
        assert!(!text.is_empty() && !text.contains('\u{1b}'), "{text:?}");
    }
    let _ = super::super::lint::lint_plan(&source, "plan.json");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        "(\\$\\{(root|port\\.a|x)?\\}?|/|\\.\\.|\u{1b}|::|a){0,6}".prop_map(Value::from),
        prop::sample::select(vec!["read_in", "one", "r", "landlock", "sbpl", "file_read", "deny", "symlink", "tcp"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_/~]{0,8}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes(which in 0_usize..5, bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut documents = memory(&Sample::new());
        let mut paths: Vec<String> = documents.keys().cloned().collect();
        paths.sort();
        documents.insert(paths[which].clone(), bytes);
        try_all(documents);
    }

    #[test]
    fn a_flipped_byte(which in 0_usize..5, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut documents = memory(&Sample::new());
        let mut paths: Vec<String> = documents.keys().cloned().collect();
        paths.sort();
        let bytes = documents.get_mut(&paths[which]).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        try_all(documents);
    }

    #[test]
    fn an_arbitrary_value_anywhere(which in 0_usize..5, at in any::<prop::sample::Index>(), value in any_json()) {
        fn places(value: &Value, at: String, out: &mut Vec<String>) {
            match value {
                Value::Object(members) => members
                    .iter()
                    .for_each(|(key, member)| places(member, format!("{at}/{}", diagnostic::pointer_part(key)), out)),
                Value::Array(items) => {
                    items.iter().enumerate().for_each(|(n, item)| places(item, format!("{at}/{n}"), out));
                }
                _ => {}
            }
            out.push(at);
        }
        let mut sample = Sample::new();
        let document =
            [&mut sample.plan, &mut sample.index, &mut sample.probes, &mut sample.profiles, &mut sample.policy][which]
                as &mut Value;
        let mut all = Vec::new();
        places(document, String::new(), &mut all);
        let place: &String = at.get(&all);
        *document.pointer_mut(place).unwrap() = value;
        try_all(memory(&sample));
    }

    #[test]
    fn arbitrary_selections(profiles in prop::collection::vec("\\PC{0,8}|one|two", 0..3), rows in prop::collection::vec("\\PC{0,8}|read_in|one::read_in", 0..3)) {
        let selection = Selection { only_profiles: profiles, only_scenarios: rows, shard: None };
        let source = Memory(memory(&Sample::new()));
        if let Ok(plan) = resolve(&source, "plan.json", &selection) {
            prop_assert!(plan.row_count() > 0);
            prop_assert!(plan.profiles.iter().all(|profile| !profile.probes.is_empty()));
        }
    }
}
