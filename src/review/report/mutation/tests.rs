use std::path::Path;

use serde_json::Value;

use super::*;
use crate::record::mutation::{
    EquivalentMutants, MUTATION_SCHEMA, ModelFault, MutationReport, MutationScore, Operator, UselessProbe,
};
use crate::record::outcome::Decision;

fn mutant(change: &str, effect: MutationEffect, by: &[&str], probe: bool) -> MutantRecord {
    MutantRecord {
        operator: Operator::AddedRight,
        change: change.to_owned(),
        effect,
        outcome: if by.is_empty() { MutantOutcome::NotNoticed } else { MutantOutcome::Noticed },
        noticed_by: by.iter().map(|id| (*id).to_owned()).collect(),
        probe_to_add: probe.then(|| ProbeToAdd {
            operation: "file-write-data".into(),
            driver: Some("file_write"),
            target: "${root}/a|b".into(),
            to: None,
            expected: Decision::Deny,
            fixtures: Vec::new(),
            listener: None,
        }),
    }
}

fn report() -> MutationReport {
    let score = |mutants, noticed| MutationScore {
        mutants,
        noticed,
        undecided: 0,
        score: Some(noticed as f64 / mutants as f64),
    };
    MutationReport {
        schema_version: MUTATION_SCHEMA,
        plan_id: "mine".into(),
        sentence: "`mine` notices 1 of 2 changes that let more through".into(),
        fail_under: Some(0.9),
        weakened: score(2, 1),
        narrowed: score(1, 0),
        stricter: score(3, 0),
        equivalent: EquivalentMutants { mutants: 2, run: 1 },
        not_askable: 2,
        refused: 1,
        policies: vec![PolicyMutation {
            profile_id: "mine:a".into(),
            policy: "policies/a.json".into(),
            by: DecidedBy::Kernel,
            weakened: score(2, 1),
            narrowed: score(1, 0),
            stricter: score(3, 0),
            useless: vec![UselessProbe { expectation_id: "mine:a:q".into(), why: "it is undecided".into() }],
            rules: vec![RuleProof {
                at: "/path_beneath/0".into(),
                line: Some(7),
                column: Some(5),
                says: "`${root}/a`: read_file".into(),
                proved_by: vec!["mine:a:write".into()],
                mutants: vec![
                    mutant("`write_file` <added>", MutationEffect::Weakened, &["mine:a:write"], false),
                    mutant("`truncate` <added>", MutationEffect::Weakened, &[], true),
                    mutant("the rule dropped", MutationEffect::Narrowed, &[], false),
                    mutant("`refer` handled as well", MutationEffect::Stricter, &[], true),
                ],
            }],
        }],
        oracle_disagrees: vec![ModelFault {
            profile_id: "mine:a".into(),
            at: "/path_beneath/0".into(),
            change: "`execute` added".into(),
            expectation_id: "mine:a:run".into(),
            model: Decision::Allow,
            kernel: Decision::Deny,
        }],
    }
}

#[test]
fn every_format_tells_what_is_proved_what_is_not_and_where_the_model_is_wrong() {
    let report = report();
    for shown in [text(&report).as_str().to_owned(), markdown(&report), html(&report)] {
        let plain = shown.replace("<wbr>", "").replace("&lt;", "<").replace("&gt;", ">");
        for part in
            ["notices 1 of 2", "not noticed", "the rule dropped", "policies/a.json:7", "oracle_disagrees", "write"]
        {
            assert!(plain.contains(part), "`{part}` is not in {shown}");
        }
        assert!(!plain.contains("handled as well"), "what is stricter is counted alone: {shown}");
    }
    assert!(text(&report).as_str().contains("below --fail-under 0.9"));
    assert!(!html(&report).contains("<added>"), "a foreign text is markup");
    assert!(markdown(&report).contains("a\\|b"), "a bar ends no cell");
}

#[test]
fn sarif_has_a_result_for_each_gap_at_its_line() {
    let text = sarif(&report(), Path::new("/nowhere"));
    let log: Value = serde_json::from_str(&text).unwrap();
    let results = log["runs"][0]["results"].as_array().unwrap();
    let found: Vec<(&str, &str)> =
        results.iter().map(|one| (one["ruleId"].as_str().unwrap(), one["level"].as_str().unwrap())).collect();
    assert_eq!(found, [("unproved_restriction", "warning"), ("unproved_grant", "note"), ("oracle_disagrees", "error")]);
    let place = &results[0]["locations"][0]["physicalLocation"];
    assert_eq!((place["region"]["startLine"].as_u64(), place["region"]["startColumn"].as_u64()), (Some(7), Some(5)));
    assert_eq!(place["artifactLocation"]["uri"], "policies/a.json");
    let known = log["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    assert!(results.iter().all(|one| known.iter().any(|rule| rule["id"] == one["ruleId"])));
}
