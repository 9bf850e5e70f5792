//! The files of a bundle: their names, and one table of what they are. Whoever writes, derives, reads, orders or expects an
//! artifact asks the table.

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
/// What every row came to, a line each, derived. Ours.
pub const VERDICTS: &str = "verdicts.jsonl";
/// The commit barrier.
pub const ARTIFACT_INDEX: &str = "artifact_index.json";
/// What the worker and its manager say of the context that the worker was started in. Ours.
pub const CHANNEL_WITNESS: &str = "channel_witness.json";
/// The worker's own part of it, in the worker's own bundle.
pub const WORKER_WITNESS: &str = "worker_witness.json";
/// The folder of what the worker printed, and what else the channel left, with its `/`.
pub const CHANNEL_FOLDER: &str = "channel/";
/// The folder of what launchctl was asked and said, with its `/`.
pub const LAUNCHCTL_FOLDER: &str = "launchctl/";
/// What the run knows of launchd, as a whole.
pub const LAUNCHCTL_DIAGNOSTICS: &str = "launchctl/launchctl_diagnostics.json";
/// What a repair found and did. Ours in form.
pub const REPAIR_LOG: &str = "repair_log.json";
/// Which shares a bundle was put together from. Ours.
pub const MERGE: &str = "merge.json";
/// The folder of these shares, with its `/`: each is a bundle in a folder of its own (`record::merge::part_folder`).
pub const PARTS_FOLDER: &str = "parts/";
/// Which input document lies where. Ours.
pub const INPUT_SOURCES: &str = "inputs/sources.json";

/// Where worlds are described, relative to the root: `registries/worlds/<world id>.json`.
pub const WORLDS_FOLDER: &str = "registries/worlds";

/// The pointer file at the output root.
pub const LATEST: &str = "LATEST";
/// The lock file at the output root.
pub const LOCK: &str = ".runtime.lock";

/// The folder of the input documents, with its `/`.
pub const INPUTS_FOLDER: &str = "inputs/";

/// The raw rows of a lane.
pub const fn rows_of(lane: Lane) -> &'static str {
    match lane {
        Lane::Baseline => "rows/baseline.jsonl",
        Lane::Control => "rows/control.jsonl",
        Lane::Scenario => "rows/scenario.jsonl",
        Lane::Oracle => "rows/oracle.jsonl",
    }
}

/// Who makes an artifact, and from what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The bundle's writer itself, when a run begins and when it is committed.
    Commit,
    /// `reindex-bundle`, of what it changed.
    Repair,
    /// The run, of what it was given, declared and witnessed.
    Raw,
    /// The run, of the probes of a lane: one line each.
    Rows(Lane),
    /// The derivation, from inputs and rows: a replay gives the same bytes.
    Derived,
}

/// When a run that ended well must have an artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedWhen {
    /// In every bundle, a dry run's included.
    Always,
    /// With the baseline lane.
    Baseline,
    /// With the scenario lane.
    Scenario,
    /// With the baseline or the scenario lane.
    Probes,
    /// With the oracle lane.
    Oracle,
    /// If the plan names a preflight policy, and the run is not dry.
    Preflight,
    /// If a manager started the worker, and the run is not dry.
    Managed,
    /// If the run was declared.
    Declared,
    /// In every bundle whose manifest names a format that has it (`record::manifest::BundleFormat`).
    Formatted,
    /// Never: it may be there.
    Optional,
}

/// What is known of a file of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Artifact {
    /// Its path in the bundle; if it ends in `/`, every file of that folder which has no entry of its own.
    pub name: &'static str,
    /// Who makes it.
    pub origin: Origin,
    /// When it must be there.
    pub when: ExpectedWhen,
    /// The published schema of the document, or of each line of rows; absent for what has none.
    pub schema: Option<&'static str>,
}

/// How many entries of [`ARTIFACTS`] the contract puts first in the index, in their order here. All other files follow,
/// sorted by path.
const IN_CONTRACT_ORDER: usize = 15;

/// Every artifact that a bundle can hold.
pub const ARTIFACTS: [Artifact; 33] = {
    use Origin::{Commit, Derived, Raw, Repair, Rows};
    const fn of(name: &'static str, origin: Origin, when: ExpectedWhen, schema: &'static str) -> Artifact {
        Artifact { name, origin, when, schema: Some(schema) }
    }
    const fn plain(name: &'static str, origin: Origin, when: ExpectedWhen) -> Artifact {
        Artifact { name, origin, when, schema: None }
    }
    [
        of(RUN_STATUS, Commit, ExpectedWhen::Always, "run_status"),
        of(RUN_MANIFEST, Raw, ExpectedWhen::Always, "run_manifest"),
        of(MISMATCH_SUMMARY, Derived, ExpectedWhen::Always, "mismatch_summary"),
        of(MISMATCH_PACKETS, Derived, ExpectedWhen::Always, "mismatch_packet"),
        of(SUMMARY, Derived, ExpectedWhen::Always, "summary"),
        plain(SUMMARY_TEXT, Derived, ExpectedWhen::Always),
        of(EXPECTED_MATRIX_GENERATED, Derived, ExpectedWhen::Always, "expected_matrix"),
        of(EXPECTED_MATRIX, Derived, ExpectedWhen::Always, "expected_matrix"),
        of(RUNTIME_RESULTS, Derived, ExpectedWhen::Scenario, "runtime_results"),
        of(RUNTIME_EVENTS, Derived, ExpectedWhen::Scenario, "runtime_events"),
        of(APPLY_PREFLIGHT, Raw, ExpectedWhen::Preflight, "apply_preflight"),
        of(BASELINE_RESULTS, Derived, ExpectedWhen::Baseline, "baseline_results"),
        of(PATH_WITNESSES, Derived, ExpectedWhen::Probes, "path_witnesses"),
        of(FIXTURES, Derived, ExpectedWhen::Probes, "fixtures"),
        of(ORACLE_RESULTS, Derived, ExpectedWhen::Oracle, "oracle_results"),
        // From here on, the index sorts by path.
        of(ARTIFACT_INDEX, Commit, ExpectedWhen::Always, "artifact_index"),
        plain(CHANNEL_FOLDER, Raw, ExpectedWhen::Optional),
        of(CHANNEL_WITNESS, Raw, ExpectedWhen::Managed, "channel_witness"),
        of(CONTROLS, Derived, ExpectedWhen::Scenario, "controls"),
        plain(INPUTS_FOLDER, Raw, ExpectedWhen::Optional),
        of(INPUT_SOURCES, Raw, ExpectedWhen::Always, "input_sources"),
        plain(LAUNCHCTL_FOLDER, Raw, ExpectedWhen::Optional),
        of(LAUNCHCTL_DIAGNOSTICS, Raw, ExpectedWhen::Optional, "launchctl_diagnostics"),
        of(MERGE, Raw, ExpectedWhen::Optional, "merge"),
        plain(PARTS_FOLDER, Raw, ExpectedWhen::Optional),
        of(REPAIR_LOG, Repair, ExpectedWhen::Optional, "repair_log"),
        of(rows_of(Lane::Baseline), Rows(Lane::Baseline), ExpectedWhen::Baseline, "probe_row"),
        of(rows_of(Lane::Control), Rows(Lane::Control), ExpectedWhen::Scenario, "probe_row"),
        of(rows_of(Lane::Oracle), Rows(Lane::Oracle), ExpectedWhen::Oracle, "oracle_row"),
        of(rows_of(Lane::Scenario), Rows(Lane::Scenario), ExpectedWhen::Scenario, "probe_row"),
        of(RUN_IDENTITY, Raw, ExpectedWhen::Declared, "run_identity"),
        of(VERDICTS, Derived, ExpectedWhen::Formatted, "verdict"),
        plain(WORKER_WITNESS, Raw, ExpectedWhen::Optional),
    ]
};

/// What is known of the file at `path` in a bundle; nothing of a file that no bundle holds.
pub fn artifact(path: &str) -> Option<&'static Artifact> {
    let in_folder = |artifact: &&Artifact| artifact.name.ends_with('/') && path.starts_with(artifact.name);
    ARTIFACTS.iter().find(|artifact| artifact.name == path).or_else(|| ARTIFACTS.iter().find(in_folder))
}

/// Whether the file at `path` is one that a replay gives.
pub fn is_derived(path: &str) -> bool {
    artifact(path).is_some_and(|artifact| artifact.origin == Origin::Derived)
}

/// Whether the file at `path` is an input document of the run, or their list.
pub fn is_input(path: &str) -> bool {
    path.starts_with(INPUTS_FOLDER)
}

/// The lane whose rows the file at `path` holds.
pub fn lane_of(path: &str) -> Option<Lane> {
    match artifact(path)?.origin {
        Origin::Rows(lane) => Some(lane),
        _ => None,
    }
}

/// Sorts a file among the others as the index does: first what the contract puts first, then by path.
pub fn index_order(path: &str) -> (usize, &str) {
    let place = ARTIFACTS[..IN_CONTRACT_ORDER].iter().position(|artifact| artifact.name == path);
    (place.unwrap_or(IN_CONTRACT_ORDER), path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::schemas::WRITTEN;

    #[test]
    fn every_artifact_stands_in_the_table_once_and_its_schema_is_published() {
        for (n, artifact) in ARTIFACTS.iter().enumerate() {
            assert!(ARTIFACTS[..n].iter().all(|other| other.name != artifact.name), "{} twice", artifact.name);
            assert_eq!(self::artifact(artifact.name), Some(artifact));
            if let Some(schema) = artifact.schema {
                let published = WRITTEN.iter().find(|(name, ..)| *name == schema);
                let (_, describes, _) = published.unwrap_or_else(|| panic!("no schema `{schema}`"));
                let file = artifact.name.trim_start_matches("rows/").replace(".generated", "");
                assert!(describes.contains(&file), "{schema}: {describes}");
            }
        }
        let rest = ARTIFACTS[IN_CONTRACT_ORDER..].iter().map(|artifact| artifact.name);
        assert!(rest.is_sorted(), "the rest is sorted by path");
    }

    #[test]
    fn every_published_schema_of_a_file_of_a_bundle_is_the_schema_of_an_artifact() {
        // Documents that lie beside bundles, not in them.
        let beside = [
            "built_from",
            "collected",
            "op_runtime_summary",
            "promotion_packet",
            "runtime_links",
            "sealed_folders",
            "sealed_inputs",
            "system_ending",
            "worker_job",
        ];
        for (name, describes, _) in WRITTEN {
            let file = describes.split(' ').any(|word| word.contains(".json"));
            let known = ARTIFACTS.iter().any(|artifact| artifact.schema == Some(name));
            assert_eq!(known, file && !beside.contains(name), "{name}: {describes}");
        }
    }

    #[test]
    fn paths_are_known_by_their_name_or_by_their_folder() {
        assert_eq!(artifact("inputs/policies/p.json").map(|known| known.name), Some(INPUTS_FOLDER));
        assert_eq!(artifact(INPUT_SOURCES).map(|known| known.when), Some(ExpectedWhen::Always));
        let named = format!("{LAUNCHCTL_FOLDER}{}", crate::record::launchctl::LAUNCHCTL_DIAGNOSTICS);
        assert_eq!(named, LAUNCHCTL_DIAGNOSTICS);
        for unknown in ["verdict.txt", "inputs", "rows/other.jsonl", "x/channel/log", "SUMMARY.md", ""] {
            assert_eq!(artifact(unknown), None, "{unknown:?}");
        }
        assert_eq!(lane_of("rows/oracle.jsonl"), Some(Lane::Oracle));
        assert!(is_derived(CONTROLS) && !is_derived(RUN_MANIFEST) && !is_derived("verdict.txt"));
    }

    #[test]
    fn the_index_puts_first_what_the_contract_puts_first() {
        let mut paths = ["rows/oracle.jsonl", CONTROLS, ORACLE_RESULTS, FIXTURES, "a.txt", RUN_STATUS];
        paths.sort_by(|a, b| index_order(a).cmp(&index_order(b)));
        assert_eq!(paths, [RUN_STATUS, FIXTURES, ORACLE_RESULTS, "a.txt", CONTROLS, "rows/oracle.jsonl"]);
    }
}
