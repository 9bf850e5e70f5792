//! The mutants of a launcher: its command line with one flag less.

use super::mutant::{Mutant, PolicyChange};
use crate::policy::launcher::LauncherDocument;
use crate::record::mutation::{MutationEffect, Operator};

/// Every mutant of a launcher. A flag is a word that begins with a dash, with the words behind it that do not; what comes
/// before the first is the command itself, and what comes behind `--` is the program that it starts.
pub(super) fn mutants(document: &LauncherDocument) -> Vec<Mutant<LauncherDocument>> {
    let mut found = Vec::new();
    let end = document.argv.iter().position(|word| word == "--").unwrap_or(document.argv.len());
    let is_flag = |word: &String| word.starts_with('-') && word.len() > 1;
    let is_end = |word: &String| word.contains("${probe}");
    let starts: Vec<usize> = (1..end).filter(|n| is_flag(&document.argv[*n])).collect();
    for start in starts {
        let behind = document.argv[start + 1..end].iter();
        let values = behind.take_while(|word| !is_flag(word) && !is_end(word)).count();
        let words = &document.argv[start..=start + values];
        let mut changed = document.clone();
        changed.argv.drain(start..=start + values);
        found.push(Mutant {
            change: PolicyChange {
                at: format!("/argv/{start}"),
                says: words.join(" "),
                operator: Operator::DroppedFlag,
                words: format!("`{}` dropped", words.join(" ")),
                effect: MutationEffect::Weakened,
            },
            policy: Some(changed),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_goes_with_its_values_and_the_command_stays() {
        let document: LauncherDocument = serde_json::from_value(serde_json::json!({
            "schema_version": "sandproof.launcher.v1", "launcher_id": "box",
            "argv": ["box", "sandbox", "-P", "strict", "--ro-bind", "/", "/", "--net=none", "--", "-x"],
        }))
        .unwrap();
        let made = mutants(&document);
        let found: Vec<(&str, String)> = made
            .iter()
            .map(|mutant| (mutant.change.says.as_str(), mutant.policy.as_ref().unwrap().argv.join(" ")))
            .collect();
        assert_eq!(
            found,
            [
                ("-P strict", "box sandbox --ro-bind / / --net=none -- -x".to_owned()),
                ("--ro-bind / /", "box sandbox -P strict --net=none -- -x".to_owned()),
                ("--net=none", "box sandbox -P strict --ro-bind / / -- -x".to_owned()),
            ]
        );
        assert_eq!(made[1].change.at, "/argv/4");
    }
}
