//! SARIF 2.1.0 (OASIS): one run, and a result for each row that is not as expected. The location of a mismatch is the rule of
//! the policy that decides, as the model names it; that of an undecided row, and of one that no rule decides, is its
//! expectation in the registry. The driver has no `informationUri`: there is no such page yet.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::escape::ascii;
use super::places::SourceBase;
use super::render::{ProfileHead, RESIDUE, Render, ReportHead};
use super::row::{Agreement, ReportRow};
use crate::base::digest::Digest;
use crate::record::opinions::SourcePlace;
use crate::record::outcome::FailureKind;

/// How many results are written. GitHub refuses a run with more; the number of the rest is said.
pub(super) const MOST_RESULTS: u64 = 25_000;

/// What relative URIs are relative to, by the name that scanners of repositories use.
pub(super) const BASE_ID: &str = "%SRCROOT%";

pub(super) struct Sarif {
    base: SourceBase,
    written: u64,
    rules: BTreeSet<String>,
}

/// A path as a URI reference (RFC 3986); an absolute path becomes a `file` URI.
pub(super) fn uri(path: &str) -> String {
    let mut out = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// What a kind of result means, and what to do about it.
fn rule(kind: &str) -> Value {
    let known = FailureKind::ALL.iter().find(|known| known.as_str() == kind);
    let (short, full, help) = match (kind, known) {
        ("unexpected_allow", _) => (
            "The policy allows what was expected to be denied.",
            "The operation went through under the policy, and the registry expects that it is denied.".to_owned(),
            "Narrow the rule that grants it or, if it is meant to be allowed, correct the expectation. `sandproof why` \
             shows what the policy answers and which rule decides.",
        ),
        ("unexpected_deny", _) => (
            "The policy denies what was expected to be allowed.",
            "The operation was refused under the policy and goes through without it, and the registry expects that it is \
             allowed."
                .to_owned(),
            "Add a rule that grants it or, if it is meant to be denied, correct the expectation. `sandproof why` shows what \
             the policy answers and what is missing.",
        ),
        ("unexpected_mechanism", _) => (
            "The launcher denies in another way than expected.",
            "The operation was denied, and the registry demands another mechanism.".to_owned(),
            "The message says both. Correct the launcher's command line or, if it is meant to deny like this, the expectation.",
        ),
        ("waiver_unneeded", _) => (
            "A deviation is waived that is there no more.",
            "The plan waives the row, and the row is as expected.".to_owned(),
            "Remove the waiver from the plan's `history`.",
        ),
        ("unexpected_errno", _) => (
            "The operation was denied with another error than expected.",
            "The operation was denied, and the registry demands another error number.".to_owned(),
            "The message says both. Correct the policy or, if it is meant to deny like this, the expectation.",
        ),
        (RESIDUE, _) => (
            "The launcher leaves files in the workspace.",
            "After the launcher had ended, files lay in the workspace that nobody had asked for.".to_owned(),
            "Remove them after each start, or report it to the launcher's authors.",
        ),
        (_, Some(known)) => (
            "Nothing was decided.",
            format!("Nothing was decided, so the row does not count as a pass. {}", known.explain()),
            "Remove the cause, which the message names, and run again. An undecided row says nothing about the policy, \
             neither good nor bad.",
        ),
        (_, None) => (
            "Nothing was decided.",
            "Nothing was decided, so the row does not count as a pass.".to_owned(),
            "Remove the cause, which the message names, and run again.",
        ),
    };
    let words = kind.split('_').map(|word| {
        let (first, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
        first.to_uppercase() + rest
    });
    json!({
        "id": kind,
        "name": words.collect::<String>(),
        "shortDescription": { "text": short },
        "fullDescription": { "text": full },
        "help": { "text": help },
        "defaultConfiguration": { "level": "error" },
    })
}

impl Sarif {
    pub(super) fn new(base: SourceBase) -> Self {
        Self { base, written: 0, rules: BTreeSet::new() }
    }

    fn artifact(&self, path: &str) -> Value {
        match path.starts_with('/') {
            true => json!({ "uri": uri(path) }),
            false => json!({ "uri": uri(&self.base.path(path)), "uriBaseId": BASE_ID }),
        }
    }

    fn physical(&self, place: &SourcePlace) -> Value {
        let region = json!({ "startLine": place.line, "startColumn": place.column });
        json!({ "artifactLocation": self.artifact(&place.path), "region": region })
    }
}

/// What stays the same from run to run as long as it is the same row. GitHub tells alerts apart by the first; made of lines,
/// as its own tools make it, it would be one and the same for all rows that one rule decides.
fn fingerprints(profile: &ProfileHead, row: &ReportRow) -> Value {
    let digest = Digest::of(format!("{}\0{}", profile.id, row.id()).as_bytes()).to_string();
    json!({
        "primaryLocationLineHash": format!("{}:1", &digest[..16]),
        "expectation/v1": format!("{} {}", profile.id, row.id()),
    })
}

impl Render for Sarif {
    fn begin(&mut self, head: &ReportHead, out: &mut dyn Write) -> io::Result<()> {
        let residues = head.profiles.iter().filter(|profile| profile.residue_sentence().is_some()).count();
        let results = head.total.mismatched + head.total.undecided + head.total.unneeded + residues as u64;
        let left_out = results.saturating_sub(MOST_RESULTS);
        let properties = json!({
            "plan_id": head.plan_id, "world_id": head.world_id, "channel": head.channel,
            "bundle_index_sha256": head.index_sha256, "rows": head.total.rows, "matched": head.total.matched,
            "mismatched": head.total.mismatched, "undecided": head.total.undecided, "asked": head.total.asked,
            "known": head.total.known,
            "unasserted": head.total.unasserted,
            "promotable": head.reasons.is_empty(), "results_left_out": left_out,
        });
        let mut invocation = json!({ "executionSuccessful": true });
        if left_out > 0 {
            let text = format!(
                "{results} findings: the first {MOST_RESULTS} are results here, and {left_out} are left out. The bundle has \
                 all of them."
            );
            invocation["toolExecutionNotifications"] = json!([{ "level": "warning", "message": { "text": text } }]);
        }
        let id = json!({ "id": format!("{}/{}", head.plan_id, head.run_id) });
        let bases = json!({ BASE_ID: { "description": { "text": self.base.words() } } });
        write!(
            out,
            "{{\n\"$schema\": \"https://json.schemastore.org/sarif-2.1.0.json\",\n\"version\": \"2.1.0\",\n\"runs\": [{{\n\
             \"automationDetails\": {},\n\"properties\": {},\n\"originalUriBaseIds\": {},\n\
             \"columnKind\": \"unicodeCodePoints\",\n\"invocations\": [{}],\n\"results\": [",
            ascii(&id),
            ascii(&properties),
            ascii(&bases),
            ascii(&invocation)
        )
    }

    fn begin_profile(&mut self, profile: &ProfileHead, out: &mut dyn Write) -> io::Result<()> {
        let Some(found) = profile.residue_sentence().filter(|_| self.written < MOST_RESULTS) else { return Ok(()) };
        self.rules.insert(RESIDUE.to_owned());
        let digest = Digest::of(format!("{}\0{RESIDUE}", profile.id).as_bytes()).to_string();
        let result = json!({
            "ruleId": RESIDUE,
            "kind": "fail",
            "level": "warning",
            "message": { "text": found },
            "locations": [{ "physicalLocation": { "artifactLocation": self.artifact(&profile.policy) } }],
            "partialFingerprints": { "primaryLocationLineHash": format!("{}:1", &digest[..16]) },
            "properties": { "profile_id": profile.id, "files": profile.residue },
        });
        let separator = if self.written > 0 { "," } else { "" };
        self.written += 1;
        write!(out, "{separator}\n{}", ascii(&result))
    }

    fn row(&mut self, row: &ReportRow, profile: &ProfileHead, out: &mut dyn Write) -> io::Result<()> {
        let plain = matches!(row.agreement, Agreement::Matched | Agreement::Asked | Agreement::Unasserted)
            && !row.is_unneeded();
        if plain || self.written == MOST_RESULTS {
            return Ok(());
        }
        let kind = row.kind();
        self.rules.insert(kind.to_owned());
        let model = row.opinions.model.as_ref().filter(|_| row.agreement == Agreement::Mismatched);
        let rule = model.and_then(|model| model.rule_place.as_ref());
        let expectation = row.expectation_place.as_ref();
        let physical = match rule.or(expectation) {
            Some(place) => self.physical(place),
            None => json!({ "artifactLocation": self.artifact(&profile.policy) }),
        };
        let message = format!("{}: {} on {}: {}", row.id(), row.event.operation, row.target(), row.sentence());
        let message = format!("{message}. {}.", row.opinions.sentence);
        let mut result = json!({
            "ruleId": kind,
            "kind": "fail",
            "level": "error",
            "message": { "text": message },
            "locations": [{
                "physicalLocation": physical,
                "logicalLocations": [{ "fullyQualifiedName": row.id(), "kind": "expectation" }],
            }],
            "partialFingerprints": fingerprints(profile, row),
            "properties": {
                "profile_id": profile.id, "operation": row.event.operation, "target": row.target(),
                "expected": row.expected(), "actual": row.actual(),
                "undecided": row.agreement == Agreement::Undecided, "policy": profile.policy,
                "opinions": row.opinions,
            },
        });
        if let Some(text) = row.waiver_sentence() {
            result["properties"]["waiver"] = json!(text);
            if row.is_known() {
                result["suppressions"] = json!([{ "kind": "external", "status": "accepted", "justification": text }]);
            }
        }
        if let (Some(_), Some(expectation)) = (rule, expectation) {
            result["relatedLocations"] = json!([{
                "id": 1, "physicalLocation": self.physical(expectation), "message": { "text": "The expectation." },
            }]);
        }
        let separator = if self.written > 0 { "," } else { "" };
        self.written += 1;
        write!(out, "{separator}\n{}", ascii(&result))
    }

    fn end_profile(&mut self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self, head: &ReportHead, out: &mut dyn Write) -> io::Result<()> {
        let rules: Vec<Value> = self.rules.iter().map(|kind| rule(kind)).collect();
        let driver = json!({ "driver": { "name": "sandproof", "version": head.tool_version, "rules": rules } });
        writeln!(out, "\n],\n\"tool\": {}\n}}]\n}}", ascii(&driver))
    }
}
