//! Whatever files import each other, reading them ends, and so does running them.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use sandproof::test_support::policy::sbpl::imports::Imports;
use sandproof::test_support::policy::sbpl::model::{SbplQuestion, evaluate};
use sandproof::test_support::policy::sbpl::{SbplPolicy, parse};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // The profile, then the files a.sb, b.sb, c.sb.
    let mut parts = text.split('\0');
    let profile = parts.next().unwrap_or_default();
    let files: BTreeMap<&str, &str> = ["a.sb", "b.sb", "c.sb"].into_iter().zip(parts).collect();
    let Ok(program) = parse(profile) else { return };
    let mut asked: Vec<String> = Vec::new();
    let gathered = Imports::gather(&program, &mut |name| {
        assert!(!name.split('/').any(|part| part.is_empty() || part == ".."), "leads elsewhere: {name}");
        asked.push(name.to_owned());
        Ok(files.get(name).map(|text| (*text).to_owned()))
    });
    let Ok(imports) = gathered else { return };
    let all = asked.len();
    asked.sort();
    asked.dedup();
    assert_eq!(asked.len(), all, "a file was asked for twice");
    assert!(imports.digests().all(|(name, _)| files.contains_key(name)));
    let Ok(policy) = SbplPolicy::with_imports(profile, BTreeMap::new(), imports) else { return };
    for rule in &policy.rules().rules {
        let known = rule.place.file.is_none_or(|file| files.contains_key(file.as_str()));
        assert!(known, "a rule from nowhere: {}", rule.place);
    }
    let answer = evaluate(policy.rules(), &SbplQuestion::new("file-read-data", "/private/etc/hosts"));
    assert!(!answer.reason.is_empty());
});
