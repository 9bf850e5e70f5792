//! SARIF 2.1.0 (OASIS): one run, and a result for each row that is not as expected. The location of a result is the policy
//! of its profile, which is what would have to be changed.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::{Head, ProfileHead, Render, Row, Verdict, ascii};

#[derive(Default)]
pub(super) struct Sarif {
    any: bool,
    rules: BTreeSet<String>,
}

/// A path as a relative URI reference (RFC 3986); an absolute path becomes a `file` URI.
fn uri(path: &str) -> String {
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

impl Render for Sarif {
    fn begin(&mut self, head: &Head, out: &mut dyn Write) -> io::Result<()> {
        let properties = json!({
            "plan_id": head.plan_id, "world_id": head.world_id, "channel": head.channel,
            "bundle_index_sha256": head.index_sha256, "rows": head.total.rows, "matched": head.total.matched,
            "mismatched": head.total.mismatched, "undecided": head.total.undecided,
            "promotable": head.reasons.is_empty(),
        });
        let id = json!({ "id": format!("{}/{}", head.plan_id, head.run_id) });
        write!(
            out,
            "{{\n\"$schema\": \"https://json.schemastore.org/sarif-2.1.0.json\",\n\"version\": \"2.1.0\",\n\"runs\": [{{\n\
             \"automationDetails\": {},\n\"properties\": {},\n\
             \"invocations\": [{{\"executionSuccessful\": true}}],\n\"results\": [",
            ascii(&id),
            ascii(&properties)
        )
    }

    fn begin_profile(&mut self, _: &ProfileHead, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn row(&mut self, row: &Row, profile: &ProfileHead, out: &mut dyn Write) -> io::Result<()> {
        if row.verdict == Verdict::Matched {
            return Ok(());
        }
        let rule = row.kind();
        self.rules.insert(rule.to_owned());
        let message = format!("{}: {} on {}: {}", row.id(), row.event.operation, row.target(), row.sentence());
        let result = json!({
            "ruleId": rule,
            "kind": "fail",
            "level": "error",
            "message": { "text": message },
            "locations": [{
                "physicalLocation": { "artifactLocation": { "uri": uri(&profile.policy) } },
                "logicalLocations": [{ "fullyQualifiedName": row.id(), "kind": "expectation" }],
            }],
            "partialFingerprints": { "expectation/v1": format!("{} {}", profile.id, row.id()) },
            "properties": {
                "profile_id": profile.id, "operation": row.event.operation, "target": row.target(),
                "expected": row.expected(), "actual": row.actual(),
                "undecided": row.verdict == Verdict::Undecided,
            },
        });
        let separator = if self.any { "," } else { "" };
        self.any = true;
        write!(out, "{separator}\n{}", ascii(&result))
    }

    fn end_profile(&mut self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self, head: &Head, out: &mut dyn Write) -> io::Result<()> {
        let rules: Vec<Value> = self.rules.iter().map(|rule| json!({ "id": rule })).collect();
        let driver = json!({ "driver": { "name": "sandproof", "version": head.tool_version, "rules": rules } });
        writeln!(out, "\n],\n\"tool\": {driver}\n}}]\n}}")
    }
}
