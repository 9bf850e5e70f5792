//! SARIF 2.1.0: a result for each change of a policy that nothing notices, at its line.

use std::path::Path;

use serde_json::{Value, json};

use super::super::escape::ascii;
use super::super::places::SourceBase;
use super::super::sarif::{BASE_ID, MOST_RESULTS, uri};
use super::{gap, is_shown, probe_words};
use crate::base::VERSION;
use crate::base::digest::Digest;
use crate::record::mutation::{MutantRecord, MutationEffect, MutationReport, PolicyMutation, RuleProof};

const UNPROVED: &str = "unproved_restriction";
const UNUSED: &str = "unproved_grant";
const DISAGREES: &str = "oracle_disagrees";

/// The report; paths of the plan are relative to `root`.
pub fn sarif(report: &MutationReport, root: &Path) -> String {
    let base = SourceBase::of_root(root);
    let artifact = |path: &str| match path.starts_with('/') {
        true => json!({ "uri": uri(path) }),
        false => json!({ "uri": uri(&base.path(path)), "uriBaseId": BASE_ID }),
    };
    let mut results: Vec<Value> = Vec::new();
    for policy in &report.policies {
        for rule in &policy.rules {
            let open = rule.mutants.iter().filter(|mutant| is_shown(mutant));
            results.extend(open.map(|mutant| result(policy, rule, mutant, artifact(&policy.policy))));
        }
    }
    for fault in &report.oracle_disagrees {
        let policy = report.policies.iter().find(|policy| policy.profile_id == fault.profile_id);
        let path = policy.map_or("", |policy| policy.policy.as_str());
        let text = format!(
            "{}: {}: the model says {} and the kernel {}.",
            fault.expectation_id,
            fault.change,
            fault.model.as_str(),
            fault.kernel.as_str()
        );
        results.push(json!({
            "ruleId": DISAGREES, "kind": "fail", "level": "error", "message": { "text": text },
            "locations": [{ "physicalLocation": { "artifactLocation": artifact(path) } }],
            "partialFingerprints": fingerprints(&fault.profile_id, &fault.at, &fault.change),
        }));
    }
    let left_out = results.len().saturating_sub(MOST_RESULTS as usize);
    results.truncate(MOST_RESULTS as usize);
    let mut invocation = json!({ "executionSuccessful": true });
    if left_out > 0 {
        let text = format!("{left_out} more results are left out here.");
        invocation["toolExecutionNotifications"] = json!([{ "level": "warning", "message": { "text": text } }]);
    }
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "automationDetails": { "id": format!("{}/mutation", report.plan_id) },
            "properties": { "plan_id": report.plan_id, "sentence": report.sentence, "score": report.weakened.score },
            "originalUriBaseIds": { BASE_ID: { "description": { "text": base.words() } } },
            "columnKind": "unicodeCodePoints",
            "invocations": [invocation],
            "results": results,
            "tool": { "driver": { "name": "sandproof", "version": VERSION, "rules": rules() } },
        }],
    });
    ascii(&log) + "\n"
}

fn result(policy: &PolicyMutation, rule: &RuleProof, mutant: &MutantRecord, artifact: Value) -> Value {
    let weakened = mutant.effect == MutationEffect::Weakened;
    let mut text = format!("{}: {} ({})", gap(mutant), mutant.change, rule.says);
    if let Some(probe) = &mutant.probe_to_add {
        text.push_str(&format!(". Add a probe: {}", probe_words(probe)));
    }
    let mut physical = json!({ "artifactLocation": artifact });
    if let (Some(line), Some(column)) = (rule.line, rule.column) {
        physical["region"] = json!({ "startLine": line, "startColumn": column });
    }
    json!({
        "ruleId": if weakened { UNPROVED } else { UNUSED },
        "kind": "fail",
        "level": if weakened { "warning" } else { "note" },
        "message": { "text": format!("{text}.") },
        "locations": [{
            "physicalLocation": physical,
            "logicalLocations": [{ "fullyQualifiedName": format!("{}#{}", policy.profile_id, rule.at), "kind": "rule" }],
        }],
        "partialFingerprints": fingerprints(&policy.profile_id, &rule.at, &mutant.change),
        "properties": {
            "profile_id": policy.profile_id, "at": rule.at, "operator": mutant.operator, "effect": mutant.effect,
            "outcome": mutant.outcome, "decided_by": policy.by, "probe_to_add": mutant.probe_to_add,
        },
    })
}

fn fingerprints(profile: &str, at: &str, change: &str) -> Value {
    let digest = Digest::of(format!("{profile}\0{at}\0{change}").as_bytes()).to_string();
    json!({ "primaryLocationLineHash": format!("{}:1", &digest[..16]), "mutant/v1": format!("{profile} {at} {change}") })
}

fn rules() -> Value {
    let rule = |id: &str, name: &str, short: &str, help: &str, level: &str| {
        json!({
            "id": id, "name": name, "shortDescription": { "text": short }, "fullDescription": { "text": short },
            "help": { "text": help }, "defaultConfiguration": { "level": level },
        })
    };
    json!([
        rule(
            UNPROVED,
            "UnprovedRestriction",
            "The policy could let this through, and no probe would notice.",
            "Add the probe that the message names, or leave the restriction out if nobody needs it.",
            "warning"
        ),
        rule(
            UNUSED,
            "UnprovedGrant",
            "The policy could refuse this, and no probe would miss it.",
            "Add the probe that the message names, or leave the grant out if nobody needs it.",
            "note"
        ),
        rule(
            DISAGREES,
            "OracleDisagrees",
            "The model of the policy and the kernel part.",
            "It is a fault of the model, or a finding about the kernel: please report it.",
            "error"
        ),
    ])
}
