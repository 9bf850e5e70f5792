//! `launchd_clean` from end to end, against a double that keeps jobs, domains and exit codes. The worker is the real
//! executable, started as the job definition says; only launchd is not there, and the witness says so.

#[path = "../../../src/channel/launchd/double.rs"]
#[allow(dead_code, reason = "the unit tests use the rest of it")]
mod double;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use double::{Double, End, Program};
use sandproof::test_support::base::ids::RunId;
use sandproof::test_support::bundle::lock::LockMode;
use sandproof::test_support::channel::launchd::{Launchd, tools};
use sandproof::test_support::lane::cancel::Cancel;
use sandproof::test_support::plan::{self, Selection};
use sandproof::test_support::process::tool::{ToolError, ToolOutput};
use sandproof::test_support::record::manifest::ChannelKind;
use sandproof::test_support::run::{DeclaredRun, RunControl, RunError, RunPlaces, RunReport, RunRequest, run_through};

use crate::support::{expect_code, output, root, sandproof, stdout, validate};

const RUN: &str = "by-launchd";

struct Flow {
    dir: tempfile::TempDir,
    double: Double,
    outcome: Result<RunReport, RunError>,
}

impl Flow {
    fn new(program: Option<Program>, refusals: &[i32], limit: Duration) -> Self {
        let double = Double::new(&["gui/501", "user/501"], program);
        double.refuse(refusals);
        let dir = tempfile::tempdir().unwrap();
        let selection = Selection::default();
        let (plan, workspace) = plan::load(&root().join("plans/quickstart/plan.json"), None, &selection).unwrap();
        let request = RunRequest {
            declared: DeclaredRun {
                plan,
                run_id: RunId::new(RUN).unwrap(),
                channel: ChannelKind::LaunchdClean,
                channel_limit: limit,
                lock_mode: LockMode::Fail,
                dry: false,
                jobs: 1,
                repeat: 1,
                shuffle: None,
                host_programs: false,
                launchers: Default::default(),
                environment: Vec::new(),
            },
            places: RunPlaces {
                root: workspace,
                out: dir.path().join("out"),
                fixture_candidates: vec![dir.path().to_owned()],
                exe: env!("CARGO_BIN_EXE_sandproof").into(),
            },
            control: RunControl { cancel: Cancel::default(), worker: None, attribute: false },
        };
        let outcome = run_through(&request, &Launchd::with_tools(Box::new(double.clone()), 501));
        Self { dir, double, outcome }
    }

    fn bundle(&self) -> PathBuf {
        self.dir.path().join("out").join(RUN)
    }

    fn document(&self, name: &str) -> Value {
        json(&self.bundle().join(name))
    }

    fn diagnostics(&self) -> Value {
        self.document("launchctl/launchctl_diagnostics.json")
    }

    /// Every cause of the failure, in one text.
    fn failure(&self) -> String {
        let error = self.outcome.as_ref().expect_err("the run failed");
        let mut text = error.to_string();
        let mut next = std::error::Error::source(error);
        while let Some(cause) = next {
            text = format!("{text}: {cause}");
            next = cause.source();
        }
        text
    }

    /// The bundle is there, marked failed, and does not pass for a complete one; nothing is left of the job.
    fn expect_failed(&self) {
        assert_eq!(self.document("run_status.json")["state"], "failed");
        expect_code(&validate(&self.bundle()), 4);
        assert_eq!(self.document("channel_witness.json")["clean"], false);
        assert!(self.double.known().is_empty());
    }
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_worker_brings_its_result_back_and_is_not_called_clean() {
    let flow = Flow::new(Some(Program::Real), &[], Duration::from_secs(120));
    flow.outcome.as_ref().expect("the run succeeded");
    expect_code(&validate(&flow.bundle()), 0);
    assert!(flow.double.known().is_empty());

    let diagnostics = flow.diagnostics();
    assert_eq!(diagnostics["outcome"], "ended");
    assert_eq!(diagnostics["teardown"], "gone");
    assert_eq!(diagnostics["label"], format!("sandproof.runtime.{RUN}"));
    let copy = flow.bundle().join(format!("launchctl/sandproof.runtime.{RUN}.plist"));
    let definition = plist::Value::from_file(copy).unwrap();
    let words = definition.as_dictionary().unwrap()["ProgramArguments"].as_array().unwrap();
    assert_eq!(words[1].as_string(), Some("__worker"));
    let stage = PathBuf::from(diagnostics["stage_root"].as_str().unwrap());
    assert!(stage.is_absolute() && !stage.exists());

    // The double is no launchd: what only the true one can bring about is missing, everything else is right.
    let witness = flow.document("channel_witness.json");
    assert_eq!(witness["clean"], false);
    assert_eq!(witness["manager"]["exit_code"], 0);
    let bad: Vec<&str> = witness["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["ok"] != true)
        .map(|check| check["check"].as_str().unwrap())
        // The double's jobs are the test's own children: they are in its unit, and get what it was given.
        .filter(|check| !matches!(*check, "unit" | "open_fds"))
        .collect();
    assert_eq!(bad, ["parent", "seatbelt"], "{witness}");
    let packet = flow.dir.path().join("packet.json");
    let mut emit = sandproof();
    emit.args(["emit-promotion", "--require-promotable", "--bundle"]).arg(flow.bundle()).arg("--out").arg(&packet);
    let refused = output(&mut emit);
    expect_code(&refused, 5);
    assert!(stdout(&refused).is_empty() || !packet.exists());
}

#[test]
fn a_job_that_is_refused_leaves_a_failed_bundle_that_says_why() {
    for (codes, class, cause) in [
        (&[5, 5][..], "bootstrap_failed", "unspecified"),
        (&[112], "domain_session_mismatch", "no_such_domain"),
        (&[125], "domain_session_mismatch", "domain_does_not_support"),
    ] {
        let flow = Flow::new(None, codes, Duration::from_secs(60));
        flow.expect_failed();
        let failure = &flow.diagnostics()["bootstrap_failure"];
        assert_eq!(failure["classification"], class);
        assert_eq!(failure["cause"], cause);
        assert_eq!(failure["rc"], *codes.last().unwrap());
        let told = flow.failure();
        assert!(told.contains(class) && told.contains(failure["advice"].as_str().unwrap()), "{told}");
    }
}

#[test]
fn a_worker_that_brings_nothing_back_leaves_a_failed_bundle_that_says_how_it_ended() {
    let acts = |end| Program::Acts { spawn: Duration::ZERO, deliver: None, end };
    let soon = Duration::from_millis(500);
    for (program, outcome, words) in [
        (acts(Some((soon, End::Signal(9)))), "crashed", "signal 9"),
        (acts(Some((soon, End::Code(70)))), "crashed", "code 70"),
        // An exit code is no result.
        (acts(Some((soon, End::Code(0)))), "crashed", "code 0"),
        (acts(None), "expired", "did not end within"),
        (Program::NeverSpawned, "expired", "spawn scheduled"),
        (Program::RemovedOnSpawn, "crashed", "not loaded"),
    ] {
        let flow = Flow::new(Some(program), &[], Duration::from_secs(90));
        flow.expect_failed();
        assert_eq!(flow.diagnostics()["outcome"], outcome, "{words}");
        assert_eq!(flow.diagnostics()["teardown"], "gone", "{words}");
        let told = flow.failure();
        assert!(told.contains(words), "{told} does not say {words}");
    }
}
