//! The names of the files of a bundle. Writer and reader share them.

use super::outcome::Lane;

/// The run's state; written first and last.
pub const RUN_STATUS: &str = "run_status.json";
/// What was run, where, and how.
pub const RUN_MANIFEST: &str = "run_manifest.json";
/// Everything that was declared before the first process started. Ours.
pub const RUN_IDENTITY: &str = "run_identity.json";
/// Whether a policy could be applied at all.
pub const APPLY_PREFLIGHT: &str = "apply_preflight.json";
/// Baseline lane, derived.
pub const BASELINE_RESULTS: &str = "baseline_results.json";
/// What the kernel says of the paths, derived.
pub const PATH_WITNESSES: &str = "path_witnesses.json";
/// Listeners and made targets, derived.
pub const FIXTURES: &str = "fixtures.json";
/// What was expected, derived from the inputs.
pub const EXPECTED_MATRIX_GENERATED: &str = "expected_matrix.generated.json";
/// The same, under the name that consumers read.
pub const EXPECTED_MATRIX: &str = "expected_matrix.json";
/// Scenario lane, derived.
pub const RUNTIME_RESULTS: &str = "runtime_results.json";
/// One normalised event per scenario row, derived.
pub const RUNTIME_EVENTS: &str = "runtime_events.normalized.json";
/// Expectation against observation, derived.
pub const MISMATCH_SUMMARY: &str = "mismatch_summary.json";
/// One line per mismatch with its context, derived.
pub const MISMATCH_PACKETS: &str = "mismatch_packets.jsonl";
/// Oracle lane, derived.
pub const ORACLE_RESULTS: &str = "oracle_results.json";
/// The controls of each profile and what they showed, derived. Ours.
pub const CONTROLS: &str = "controls.json";
/// The run in numbers, derived.
pub const SUMMARY: &str = "summary.json";
/// The same for people, derived.
pub const SUMMARY_TEXT: &str = "summary.md";
/// The commit barrier.
pub const ARTIFACT_INDEX: &str = "artifact_index.json";
/// What the worker and its manager say of the context that the worker was started in. Ours.
pub const CHANNEL_WITNESS: &str = "channel_witness.json";
/// The worker's own part of it, in the worker's own bundle.
pub const WORKER_WITNESS: &str = "worker_witness.json";
/// What the worker printed, and what else the channel left: files in this folder.
pub const CHANNEL_FOLDER: &str = "channel";
/// What launchctl was asked and said: files in this folder.
pub const LAUNCHCTL_FOLDER: &str = "launchctl";
/// What a repair found and did. Ours in form.
pub const REPAIR_LOG: &str = "repair_log.json";
/// Which input document lies where. Ours.
pub const INPUT_SOURCES: &str = "inputs/sources.json";

/// Where worlds are described, relative to the root: `registries/worlds/<world id>.json`.
pub const WORLDS_FOLDER: &str = "registries/worlds";

/// The pointer file at the output root.
pub const LATEST: &str = "LATEST";
/// The lock file at the output root.
pub const LOCK: &str = ".runtime.lock";

/// The raw rows of a lane.
pub fn rows_of(lane: Lane) -> &'static str {
    match lane {
        Lane::Baseline => "rows/baseline.jsonl",
        Lane::Control => "rows/control.jsonl",
        Lane::Scenario => "rows/scenario.jsonl",
        Lane::Oracle => "rows/oracle.jsonl",
    }
}
