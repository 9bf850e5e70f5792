//! The published JSON Schemas of the documents that the program writes. Those that it reads are in `plan::schema`.

macro_rules! schemas {
    ($($name:literal, $what:literal;)*) => {
        /// Name, what the document is, and the schema's text.
        pub const WRITTEN: &[(&str, &str, &str)] = &[
            $(($name, $what, include_str!(concat!("../../schemas/", $name, ".schema.json"))),)*
        ];
    };
}

schemas! {
    "apply_preflight", "apply_preflight.json";
    "artifact_index", "artifact_index.json";
    "ask_report", "what `ask --json` prints";
    "attest_report", "what `attest --json` prints";
    "attestation", "what `attest` writes";
    "attempts", "what `attempts --json` prints";
    "baseline_results", "baseline_results.json";
    "built_from", "built_from.json, and what `plan-build --json` prints";
    "bundle_report", "what `validate-bundle --json` prints";
    "channel_witness", "channel_witness.json";
    "collected", "collected.json, in the archive that `collect` makes";
    "compare", "what `compare --format json` prints";
    "conformance_report", "what `conformance --json` prints";
    "controls", "controls.json";
    "derive_report", "what `derive --json` prints";
    "drift_case", "a case that `drift --keep` writes";
    "drift_report", "what `drift --json` prints";
    "driver_description", "what `describe-driver --json` prints";
    "driver_list", "what `list-drivers --json` prints";
    "expected_matrix", "expected_matrix.json";
    "fixtures", "fixtures.json";
    "identity_report", "what `identity verify --json` prints";
    "input_sources", "inputs/sources.json";
    "inspection", "what `inspect --json` prints";
    "inventory", "what `inventory --json` prints";
    "launchctl_diagnostics", "launchctl/launchctl_diagnostics.json";
    "learned", "what `learn --json` prints";
    "link_resolution", "what `links resolve --json` prints";
    "linked_expectations", "what `links expectations --json` prints";
    "linked_profiles", "what `links profiles --json` prints";
    "lint_report", "what `plan-lint --json` and `registry-lint --json` print";
    "matrix", "what `report --format matrix-json` prints";
    "merge", "merge.json";
    "merge_report", "what `merge --json` prints";
    "mismatch_packet", "a line of mismatch_packets.jsonl";
    "mismatch_summary", "mismatch_summary.json";
    "mutation_report", "what `mutate --json` prints";
    "op_runtime_summary", "op_runtime_summary.json, and what `summarize-ops --json` prints";
    "oracle_results", "oracle_results.json";
    "oracle_row", "a line of rows/oracle.jsonl";
    "path_witnesses", "path_witnesses.json";
    "plan_description", "what `describe-plan --json` prints";
    "plan_list", "what `list-plans --json` prints";
    "policy_diff", "what `policy diff --json` prints";
    "policy_lint", "what `policy lint --json` prints";
    "policy_show", "what `policy show --json` prints";
    "probe", "what `describe-probe --json` prints";
    "probe_list", "what `list-probes --json` prints";
    "probe_row", "a line of rows/baseline.jsonl, control.jsonl or scenario.jsonl";
    "profile", "what `describe-profile --json` prints";
    "profile_list", "what `list-profiles --json` prints";
    "promotion_packet", "promotion_packet.json";
    "promotion_report", "what `emit-promotion --json` prints";
    "reasons", "what `explain --json` prints";
    "refusal", "what any command prints with `--json` where it has no answer";
    "registry_list", "what `list-registries --json` prints";
    "reindex_report", "what `reindex-bundle --json` prints";
    "repair_log", "repair_log.json";
    "run_diff", "what `diff-runs --json` prints";
    "run_identity", "run_identity.json";
    "run_manifest", "run_manifest.json";
    "run_report", "what `run --json` prints";
    "run_status", "run_status.json";
    "runtime_events", "runtime_events.normalized.json";
    "runtime_links", "runtime_links.json, and what `links build --json` prints";
    "runtime_results", "runtime_results.json";
    "schema_list", "what `schema --json` prints";
    "sealed_folders", "folders.json, in the folder that `identity seal` writes";
    "sealed_inputs", "inputs.json, in the folders that `identity declare --out` and `identity seal` write";
    "selftest", "what `selftest --json` prints";
    "statement", "what `statement` prints, and `attest` signs";
    "status", "what `status --json` prints";
    "subject_digest", "what stands in a bundle for what a subject's declaration names and is not carried";
    "summary", "summary.json";
    "system_ending", "ending.json, and what `identity seal --json` prints";
    "system_identity", "what `identity declare --from --json` prints";
    "template_description", "what `describe-template --json` prints";
    "template_list", "what `list-templates --json` prints";
    "transfer", "what `upload --json` and `download --json` print";
    "unverified_packet", "what `emit-promotion` writes of a bundle that does not verify";
    "verdict", "a line of verdicts.jsonl";
    "verification_report", "what `verify --json` prints";
    "version", "what `version --json` prints";
    "why", "what `why --json` prints";
    "why_answers", "what `why --ask --json` prints";
    "why_log", "what `why --log --json` prints";
    "worker_job", "job.json, what the worker of a clean channel is told";
    "written_files", "what `registry-upgrade --json`, `init --json`, `schema --all --json` and `statement --out --json` print";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every closed list of a schema that has this word in it.
    fn lists<'a>(value: &'a serde_json::Value, word: &str, found: &mut Vec<&'a Vec<serde_json::Value>>) {
        match value {
            serde_json::Value::Object(members) => {
                if let Some(serde_json::Value::Array(list)) = members.get("enum")
                    && list.contains(&word.into())
                {
                    found.push(list);
                }
                members.values().for_each(|member| lists(member, word, found));
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| lists(item, word, found)),
            _ => {}
        }
    }

    /// Every list in a schema that names all kinds of failure names all of them, in their order.
    #[test]
    fn schemas_know_every_kind_of_failure() {
        use crate::record::outcome::FailureKind;
        let all: Vec<serde_json::Value> = FailureKind::ALL.iter().map(|kind| kind.as_str().into()).collect();
        let mut seen = 0;
        for (name, _, text) in WRITTEN {
            let schema: serde_json::Value = serde_json::from_str(text).unwrap();
            let mut found = Vec::new();
            lists(&schema, "oracle_only", &mut found);
            for list in found {
                seen += 1;
                let named: Vec<_> = list.iter().filter(|kind| !kind.is_null()).cloned().collect();
                assert_eq!(named, all, "{name}");
            }
        }
        assert!(seen > 5, "only {seen} lists of kinds of failure");
    }

    /// Every list of drivers in a schema is the whole list.
    #[test]
    fn schemas_know_every_driver() {
        use crate::record::driver::Driver;
        let all: Vec<serde_json::Value> = Driver::ALL.iter().map(|driver| driver.info().name.into()).collect();
        let mut seen = 0;
        for (name, _, text) in WRITTEN {
            let schema: serde_json::Value = serde_json::from_str(text).unwrap();
            let mut found = Vec::new();
            lists(&schema, "apply_only", &mut found);
            for list in found {
                assert_eq!(*list, all, "{name}");
                seen += 1;
            }
        }
        assert!(seen >= 6, "only {seen} lists of drivers");
    }

    #[test]
    fn every_schema_names_itself() {
        for (name, _, text) in WRITTEN {
            let schema: serde_json::Value = serde_json::from_str(text).unwrap();
            assert_eq!(schema["$id"], format!("urn:sandproof:schema:{name}"));
            assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{name}");
        }
    }
}
