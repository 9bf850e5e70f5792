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
    "baseline_results", "baseline_results.json";
    "channel_witness", "channel_witness.json";
    "controls", "controls.json";
    "expected_matrix", "expected_matrix.json";
    "fixtures", "fixtures.json";
    "launchctl_diagnostics", "launchctl/launchctl_diagnostics.json";
    "mismatch_packet", "a line of mismatch_packets.jsonl";
    "mismatch_summary", "mismatch_summary.json";
    "oracle_results", "oracle_results.json";
    "oracle_row", "a line of rows/oracle.jsonl";
    "path_witnesses", "path_witnesses.json";
    "probe_row", "a line of rows/baseline.jsonl, control.jsonl or scenario.jsonl";
    "promotion_packet", "promotion_packet.json";
    "repair_log", "repair_log.json";
    "run_identity", "run_identity.json";
    "run_manifest", "run_manifest.json";
    "run_status", "run_status.json";
    "runtime_events", "runtime_events.normalized.json";
    "runtime_results", "runtime_results.json";
    "status", "what `status --json` prints";
    "summary", "summary.json";
    "worker_job", "job.json, what the worker of a clean channel is told";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_names_itself() {
        for (name, _, text) in WRITTEN {
            let schema: serde_json::Value = serde_json::from_str(text).unwrap();
            assert_eq!(schema["$id"], format!("https://sandproof.dev/schemas/{name}.schema.json"));
            assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{name}");
        }
    }
}
