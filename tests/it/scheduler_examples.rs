//! The examples in `docs/examples/ci`: what they type is taken out of them and run, as each scheduler would have it run.
//!
//! No scheduler is involved here. `scripts/lint-workflows` holds the files to what their services read them by, and
//! `scripts/test-slurm` submits those for Slurm.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{copy_folder, expect_code, output, root, validate};

const EXAMPLES: &str = "docs/examples/ci";
const SHARES: usize = 4;

/// The commands of this program in an example, in its order.
fn commands(file: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(EXAMPLES).join(file)).unwrap();
    let command = |line: &str| {
        let line = line.trim().trim_start_matches("- ");
        if let Some(args) = line.strip_prefix("args: [") {
            // A pod has no shell, and a spelling of its own for variables.
            let args = args.trim_end_matches(']').replace(", ", " ").replace("$(", "${").replace(")\"", "}\"");
            return Some(format!("sandproof {args}"));
        }
        let line = ["run: ", "exec "].iter().find_map(|start| line.strip_prefix(start)).unwrap_or(line);
        line.starts_with("sandproof ").then(|| line.to_owned())
    };
    text.lines().filter_map(command).collect()
}

/// A folder with plans, registries, and this program in its PATH.
struct Checkout(tempfile::TempDir);

impl Checkout {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["plans", "registries"] {
            copy_folder(&root().join(folder), &dir.path().join(folder));
        }
        fs::create_dir(dir.path().join("bin")).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_sandproof"), dir.path().join("bin/sandproof")).unwrap();
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs a line as a step of a job is run, with these variables; it has to end well.
    #[track_caller]
    fn step(&self, line: &str, variables: &[(&str, String)]) {
        let ended = output(
            Command::new("bash")
                .args(["--noprofile", "--norc", "-euo", "pipefail", "-c", line])
                .current_dir(self.0.path())
                .env_clear()
                .env("PATH", format!("{}:/usr/bin:/bin", self.path("bin").display()))
                .env("GITHUB_STEP_SUMMARY", self.path("summary.md"))
                .envs(variables.iter().map(|(name, value)| (name, value))),
        );
        assert_eq!(ended.status.code(), Some(0), "{line}: {ended:?}");
    }

    fn merge(&self) -> Value {
        let newest = fs::read_to_string(self.path("merged/LATEST")).unwrap();
        let bundle = self.path("merged").join(newest.trim());
        expect_code(&validate(&bundle), 0);
        serde_json::from_slice(&fs::read(bundle.join("merge.json")).unwrap()).unwrap()
    }
}

/// What a scheduler puts into the environment of its job number `place`, from 0.
type Variables = fn(usize) -> Vec<(&'static str, String)>;

/// An example that shares a plan out: its files, how many commands they have, and what its scheduler sets.
const SHARED_OUT: &[(&[&str], usize, Variables, &str)] = &[
    (
        &["github-shares.yml"],
        3,
        |place| vec![("STRATEGY_JOB_INDEX", place.to_string()), ("STRATEGY_JOB_TOTAL", SHARES.to_string())],
        "github_actions",
    ),
    (
        &["gitlab-ci.yml"],
        3,
        |place| vec![("CI_NODE_INDEX", (place + 1).to_string()), ("CI_NODE_TOTAL", SHARES.to_string())],
        "gitlab",
    ),
    (&["kubernetes.yaml"], 2, |place| vec![("JOB_COMPLETION_INDEX", place.to_string())], "kubernetes"),
    (
        &["slurm-share.sh", "slurm-merge.sh"],
        2,
        |place| {
            let array = [
                ("SLURM_ARRAY_TASK_ID", place),
                ("SLURM_ARRAY_TASK_MIN", 0),
                ("SLURM_ARRAY_TASK_MAX", SHARES - 1),
                ("SLURM_ARRAY_TASK_STEP", 1),
                ("SLURM_ARRAY_TASK_COUNT", SHARES),
            ];
            array.map(|(name, value)| (name, value.to_string())).to_vec()
        },
        "slurm_array",
    ),
];

#[test]
fn what_the_examples_type_makes_one_run_of_the_shares() {
    for (files, count, variables, found_by) in SHARED_OUT {
        let all: Vec<String> = files.iter().flat_map(|file| commands(file)).collect();
        assert_eq!(all.len(), *count, "{files:?}: {all:?}");
        let (runs, others): (Vec<_>, Vec<_>) = all.iter().partition(|line| line.starts_with("sandproof run "));
        assert_eq!(runs.len(), 1, "{runs:?}");
        let checkout = Checkout::new();
        for place in 0..SHARES {
            checkout.step(runs[0], &variables(place));
        }
        for line in others {
            checkout.step(line, &[]);
        }
        let merge = checkout.merge();
        assert_eq!((&merge["gaps"], merge["parts"].as_array().unwrap().len()), (&json!([]), SHARES), "{files:?}");
        // They were found where they were said to be.
        let first = checkout.path("merged").join(fs::read_to_string(checkout.path("merged/LATEST")).unwrap().trim());
        let manifest = fs::read(first.join("parts/0001/run_manifest.json")).unwrap();
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        assert_eq!(manifest["selection"]["shard"]["found_by"], *found_by, "{files:?}");
    }
}

#[test]
fn what_the_example_of_worlds_types_compares_them() {
    let all = commands("github-worlds.yml");
    assert_eq!(all.len(), 2, "{all:?}");
    let checkout = Checkout::new();
    for world in ["ubuntu-22.04", "ubuntu-24.04"] {
        checkout.step(&all[0], &[("WORLD", world.to_owned())]);
    }
    checkout.step(&all[1], &[]);
    let summary = fs::read_to_string(checkout.path("summary.md")).unwrap();
    assert!(summary.contains("2 worlds"), "{summary}");
}

/// How many jobs each example has is how many shares it names.
#[test]
fn the_examples_have_as_many_jobs_as_shares() {
    for (file, words) in [
        ("github-shares.yml", &["share: [1, 2, 3, 4]", "${{ strategy.job-index }}", "${{ strategy.job-total }}"][..]),
        ("gitlab-ci.yml", &["parallel: 4"]),
        ("kubernetes.yaml", &["completions: 4", "auto/4", "completionMode: Indexed"]),
        ("slurm-share.sh", &["--array=0-3"]),
    ] {
        let text = fs::read_to_string(root().join(EXAMPLES).join(file)).unwrap();
        for word in words {
            assert!(text.contains(word), "{file} has no `{word}`");
        }
    }
}

#[test]
fn every_example_is_in_the_guide_and_is_looked_at() {
    let guide = fs::read_to_string(root().join("docs/many-worlds.md")).unwrap();
    let linters = fs::read_to_string(root().join("scripts/lint-workflows")).unwrap();
    let mut found = 0;
    for entry in fs::read_dir(root().join(EXAMPLES)).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(guide.contains(&format!("(examples/ci/{name})")), "docs/many-worlds.md does not lead to {name}");
        let linted = name.ends_with(".sh") || linters.contains(&format!("$examples/{name}"));
        assert!(linted, "scripts/lint-workflows does not look at {name}");
        let known = SHARED_OUT.iter().any(|(files, ..)| files.contains(&&*name));
        assert!(known || ["github-worlds.yml", "slurm-submit.sh"].contains(&&*name), "nobody runs {name}");
        found += 1;
    }
    assert_eq!(found, 7);
}

#[test]
fn a_share_that_is_run_again_in_its_place_is_merged() {
    let checkout = Checkout::new();
    let line = commands("slurm-share.sh").remove(0);
    let variables = SHARED_OUT[3].2;
    for place in [0, 1, 2, 3, 2] {
        checkout.step(&line, &variables(place));
    }
    checkout.step(&commands("slurm-merge.sh")[0], &[]);
    let standings: Vec<Value> =
        checkout.merge()["parts"].as_array().unwrap().iter().map(|part| part["standing"].clone()).collect();
    assert_eq!(standings, ["taken", "taken", "taken", "agrees", "taken"]);
}
