//! The channel against a double that keeps jobs, domains and exit codes.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::double::{Double, End, Program, Speech};
use super::*;
use crate::record::launchctl::{FailureCause, FailureClass, LaunchctlDiagnostics, LaunchctlLastRun};

const UID: u32 = 501;
const GUI: &[&str] = &["gui/501", "user/501"];
const LIMIT: Duration = Duration::from_secs(60);

fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// A job that is spawned soon, delivers, and ends.
fn acts(deliver: Option<u64>, end: Option<(u64, End)>) -> Program {
    Program::Acts { spawn: ms(30), deliver: deliver.map(ms), end: end.map(|(at, how)| (ms(at), how)) }
}

struct Bench {
    stage: tempfile::TempDir,
    double: Double,
    launchd: Launchd,
    run_id: RunId,
    label: String,
}

impl Bench {
    fn new(domains: &[&str], programs: impl IntoIterator<Item = Program>) -> Self {
        Self::of_user(UID, domains, programs)
    }

    fn of_user(uid: u32, domains: &[&str], programs: impl IntoIterator<Item = Program>) -> Self {
        let run_id = RunId::new("r-1").unwrap();
        let double = Double::new(domains, programs);
        Self {
            stage: tempfile::tempdir().unwrap(),
            launchd: Launchd::with_tools(Box::new(double.clone()), uid),
            double,
            label: label_of(&run_id),
            run_id,
        }
    }

    fn plist(&self) -> PathBuf {
        self.stage.path().join(format!("{}.plist", self.label))
    }

    fn start(&self) -> Result<ToolOutput, ChannelError> {
        self.start_with(&["/stage/sandproof".to_string(), "__worker".to_string()])
    }

    fn start_with(&self, argv: &[String]) -> Result<ToolOutput, ChannelError> {
        self.launchd.start(&ManagedJob {
            unit: &self.label,
            argv,
            environment: &[("SANDPROOF_JOB_NONCE".to_string(), "n".to_string())],
            folder: self.stage.path(),
            stdout: &self.stage.path().join("stdout.txt"),
            stderr: &self.stage.path().join("stderr.txt"),
            limit: LIMIT,
        })
    }

    fn target(&self) -> String {
        format!("gui/501/{}", self.label)
    }

    fn wait(&self, alive: &ManagerAccount, limit: Duration) -> Result<ManagerAccount, ChannelError> {
        self.launchd.wait(alive, limit, &|| self.double.delivered(&self.target()), &|| false)
    }

    /// The files, each under a name of its own, and the document among them, which has its published shape.
    fn diagnostics(&self) -> (LaunchctlDiagnostics, Vec<String>) {
        let files = self.launchd.diagnostics(&self.run_id, "out/r-1");
        let names: Vec<String> = files.iter().map(|(name, _)| name.to_string()).collect();
        let mut once = names.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), names.len(), "{names:?}");
        let bytes = |name: &str| {
            let wanted = format!("launchctl/{name}");
            &files.iter().find(|(path, _)| path.as_str() == wanted).expect("it is among them").1
        };
        let text = bytes("launchctl_diagnostics.json");
        accept(&serde_json::from_slice(text).unwrap());
        let document: LaunchctlDiagnostics = serde_json::from_slice(text).unwrap();
        let note: LaunchctlLastRun = serde_json::from_slice(bytes("launchctl_last_run.json")).unwrap();
        assert_eq!(
            (&note.label, &note.run_id, &note.stage_root),
            (&document.label, &document.run_id, &document.stage_root)
        );
        for command in document.launchctl_cmds.iter().chain(&document.log_show) {
            for path in [&command.stdout_path, &command.stderr_path] {
                let inside = path.strip_prefix("out/r-1/").expect("a path below the bundle");
                assert!(names.iter().any(|name| name == inside), "{path} is not among the files");
            }
        }
        (document, names)
    }
}

fn accept(document: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/launchctl_diagnostics.schema.json");
    let schema: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(document).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?} in {document}");
    for required in schema["required"].as_array().unwrap() {
        let mut without = document.clone();
        without.as_object_mut().unwrap().remove(required.as_str().unwrap());
        assert!(!validator.is_valid(&without), "valid without {required}");
    }
    let mut more = document.clone();
    more["more"] = Value::from(1);
    assert!(!validator.is_valid(&more), "valid with an unknown member");
}

#[test]
fn a_job_lives_from_bootstrap_to_bootout() {
    let bench = Bench::new(GUI, [acts(Some(900), Some((950, End::Code(0))))]);
    bench.start().unwrap();
    let alive = bench.launchd.account(&bench.label).unwrap();
    assert_eq!((alive.main_pid, alive.state.as_deref()), (Some(4001), Some("running")));
    assert_eq!((alive.exit_code, alive.result.as_deref()), (None, Some("(never exited)")));
    let ended = bench.wait(&alive, LIMIT).unwrap();
    assert_eq!((ended.main_pid, ended.exit_code, ended.signal), (Some(4001), Some(0), None));
    assert_eq!((ended.manager.as_str(), ended.domain.as_str()), ("launchd", "gui/501"));
    assert_eq!((ended.unit.as_str(), ended.state.as_deref()), (bench.label.as_str(), Some("not running")));
    assert!(ended.raw.contains(&("runs".to_string(), "1".to_string())));
    fs::write(bench.stage.path().join("stderr.txt"), "a remark\n").unwrap();
    assert!(bench.launchd.boot_out(&bench.label));
    assert!(bench.double.known().is_empty());
    assert_eq!(bench.double.calls(), ["Launchctl print", "Plutil -lint", "Launchctl bootstrap", "Launchctl bootout"]);
    assert_eq!(bench.double.arguments_of("bootstrap"), ["bootstrap", "gui/501", bench.plist().to_str().unwrap()]);
    assert_eq!(bench.double.arguments_of("bootout"), ["bootout", bench.target().as_str()]);
    assert_eq!(fs::metadata(bench.plist()).unwrap().permissions().mode() & 0o777, 0o644);

    let (document, names) = bench.diagnostics();
    assert_eq!((document.outcome, document.teardown), (JobOutcome::Ended, Teardown::Gone));
    assert_eq!(document.domain_reason, DomainReason::GuiDomainAvailable);
    assert_eq!((document.bootstrap_failure, document.log_show), (None, None));
    assert_eq!((document.job_stdout_path, document.session_types), (None, None));
    assert_eq!(document.job_stderr_path.as_deref(), Some("out/r-1/launchctl/sandproof.runtime.r-1.stderr.txt"));
    assert_eq!(document.plist_path, "out/r-1/launchctl/sandproof.runtime.r-1.plist");
    let steps: Vec<(&str, Option<i32>)> =
        document.launchctl_cmds.iter().map(|command| (command.step.as_str(), command.rc)).collect();
    assert_eq!(
        steps,
        [
            ("launchctl_print.gui_501", Some(0)),
            ("plutil_lint", Some(0)),
            ("bootstrap", Some(0)),
            ("launchctl_print.job_running", Some(0)),
            ("bootout", Some(0)),
            ("launchctl_print.job", Some(0)),
            ("launchctl_print.job_gone", Some(113)),
        ]
    );
    assert!(names.contains(&"launchctl/sandproof.runtime.r-1.launchctl_print.gui_501.stdout.txt".to_string()));
    assert!(names.contains(&"launchctl/sandproof.runtime.r-1.plist".to_string()));
}

#[test]
fn only_an_end_counts_and_its_kind_is_kept() {
    type Case<'c> = (&'c str, Program, (Option<i32>, Option<i32>), &'c str, JobOutcome);
    let cases: [Case<'_>; 8] = [
        ("well", acts(Some(900), Some((950, End::Code(0)))), (Some(0), None), "not running", JobOutcome::Ended),
        ("mismatches", acts(Some(900), Some((950, End::Code(1)))), (Some(1), None), "not running", JobOutcome::Ended),
        ("at once", acts(Some(31), Some((32, End::Code(0)))), (Some(0), None), "not running", JobOutcome::Ended),
        ("no result", acts(None, Some((950, End::Code(0)))), (Some(0), None), "not running", JobOutcome::Crashed),
        ("EX_CONFIG", acts(None, Some((40, End::Code(78)))), (Some(78), None), "not running", JobOutcome::Crashed),
        ("killed", acts(None, Some((500, End::Signal(9)))), (None, Some(9)), "not running", JobOutcome::Crashed),
        (
            "killed late",
            acts(Some(400), Some((500, End::Signal(15)))),
            (None, Some(15)),
            "not running",
            JobOutcome::Ended,
        ),
        ("spawn failed", Program::RemovedOnSpawn, (None, None), "not loaded", JobOutcome::Crashed),
    ];
    for (name, program, (code, signal), state, outcome) in cases {
        let bench = Bench::new(GUI, [program]);
        bench.start().unwrap();
        let alive = bench.launchd.account(&bench.label).unwrap();
        let ended = bench.wait(&alive, LIMIT).unwrap();
        assert_eq!((ended.exit_code, ended.signal), (code, signal), "{name}");
        assert_eq!(ended.state.as_deref(), Some(state), "{name}");
        assert!(bench.launchd.boot_out(&bench.label), "{name}");
        let (document, _) = bench.diagnostics();
        assert_eq!((document.outcome, document.teardown), (outcome, Teardown::Gone), "{name}");
        assert!(bench.double.known().is_empty(), "{name}");
    }
}

#[test]
fn a_job_without_an_end_runs_out_of_time_and_is_booted_out() {
    let cases: [(&str, Program, Speech, Option<&str>); 5] = [
        ("never ends", acts(None, None), Speech::Usual, Some("running")),
        ("delivers and stays", acts(Some(100), None), Speech::Usual, Some("running")),
        ("never spawned", Program::NeverSpawned, Speech::Usual, Some("spawn scheduled")),
        ("told in a strange way", acts(Some(100), Some((200, End::Code(0)))), Speech::Strange, None),
        ("never ends, strange", acts(None, None), Speech::Strange, None),
    ];
    for (name, program, speech, state) in cases {
        let bench = Bench::new(GUI, [program]);
        bench.double.speak(speech);
        bench.start().unwrap();
        let alive = bench.launchd.account(&bench.label).unwrap();
        match bench.wait(&alive, LIMIT) {
            Err(ChannelError::Expired { limit_s, account }) => {
                assert!((30..=61).contains(&limit_s), "{name}: {limit_s}");
                assert_eq!(account.state.as_deref(), state, "{name}");
                assert_eq!((account.exit_code, account.signal), (None, None), "{name}");
            }
            other => panic!("{name}: {other:?}"),
        }
        assert!(bench.double.known().is_empty(), "{name}");
        assert!(bench.launchd.boot_out(&bench.label), "{name}");
        let (document, _) = bench.diagnostics();
        assert_eq!((document.outcome, document.teardown), (JobOutcome::Expired, Teardown::Gone), "{name}");
    }
}

#[test]
fn a_launchd_that_does_not_answer_is_no_end() {
    for code in [5, 124, 1, 159] {
        let bench = Bench::new(GUI, [acts(Some(100), Some((200, End::Code(0))))]);
        bench.start().unwrap();
        let alive = bench.launchd.account(&bench.label).unwrap();
        bench.double.speak(Speech::Failing(code));
        assert!(matches!(bench.launchd.account(&bench.label), Err(ChannelError::Silent { .. })));
        let hour = Duration::from_secs(3600);
        match bench.launchd.wait(&alive, hour, &|| false, &|| false) {
            Err(ChannelError::Silent { output }) => assert_eq!(output.code, Some(code)),
            other => panic!("{code}: {other:?}"),
        }
        assert!(!bench.launchd.boot_out(&bench.label), "{code}");
        let (document, _) = bench.diagnostics();
        assert_eq!((document.outcome, document.teardown), (JobOutcome::Silent, Teardown::StillKnown));
    }
    // A short silence is none.
    let bench = Bench::new(GUI, [acts(Some(4000), Some((4100, End::Code(0))))]);
    bench.start().unwrap();
    let alive = bench.launchd.account(&bench.label).unwrap();
    let looks = Cell::new(0);
    let arrived = || {
        looks.set(looks.get() + 1);
        bench.double.speak(if (3..9).contains(&looks.get()) { Speech::Failing(124) } else { Speech::Usual });
        bench.double.delivered(&bench.target())
    };
    let ended = bench.launchd.wait(&alive, LIMIT, &arrived, &|| false).unwrap();
    assert_eq!(ended.exit_code, Some(0));
    assert!(looks.get() > 9);
}

#[test]
fn a_logout_ends_the_job_without_an_account_of_how() {
    let bench = Bench::new(GUI, [acts(None, None)]);
    bench.start().unwrap();
    let alive = bench.launchd.account(&bench.label).unwrap();
    bench.double.log_out_at(Duration::from_secs(5));
    let ended = bench.wait(&alive, LIMIT).unwrap();
    assert_eq!((ended.state.as_deref(), ended.exit_code), (Some("not loaded"), None));
    assert_eq!(bench.diagnostics().0.outcome, JobOutcome::Crashed);
}

#[test]
fn who_stops_waiting_still_ends_the_job() {
    let bench = Bench::new(GUI, [acts(None, None)]);
    bench.start().unwrap();
    let alive = bench.launchd.account(&bench.label).unwrap();
    let cancelled = bench.launchd.wait(&alive, LIMIT, &|| false, &|| true);
    assert!(matches!(cancelled, Err(ChannelError::Cancelled)));
    assert_eq!(bench.double.known(), [bench.target()]);
    assert!(bench.launchd.boot_out(&bench.label));
    let (document, _) = bench.diagnostics();
    assert_eq!((document.outcome, document.teardown), (JobOutcome::Cancelled, Teardown::Gone));
}

#[test]
fn the_domain_is_the_graphical_session_where_there_is_one() {
    type Case<'c> = (u32, &'c [&'c str], &'c str, DomainReason, Option<&'c str>);
    let cases: [Case<'_>; 3] = [
        (501, GUI, "gui/501", DomainReason::GuiDomainAvailable, None),
        (501, &["user/501"], "user/501", DomainReason::GuiDomainUnavailable, Some("Background")),
        (0, &["system"], "system", DomainReason::RootSystemDomain, None),
    ];
    for (uid, domains, target, reason, session) in cases {
        let bench = Bench::of_user(uid, domains, [acts(None, Some((100, End::Code(0))))]);
        bench.start().unwrap();
        let account = bench.launchd.account(&bench.label).unwrap();
        assert_eq!((account.domain.as_str(), account.main_pid), (target, Some(4001)));
        let read = plist::Value::from_file(bench.plist()).unwrap();
        let found = read.as_dictionary().unwrap().get("LimitLoadToSessionType");
        let found: Option<Vec<&str>> =
            found.map(|types| types.as_array().unwrap().iter().map(|kind| kind.as_string().unwrap()).collect());
        assert_eq!(found, session.map(|session| vec![session]));
        assert!(bench.launchd.boot_out(&bench.label));
        let (document, _) = bench.diagnostics();
        assert_eq!((document.domain.as_str(), document.domain_reason), (target, reason));
        assert_eq!(document.session_types, session.map(|session| vec![session.to_string()]));
    }
}

#[test]
fn every_refusal_has_its_class_and_leaves_nothing() {
    use FailureClass::{BootstrapFailed, DomainSessionMismatch, PlistUnreadable};
    let cases: [(&[i32], usize, FailureClass, FailureCause); 13] = [
        (&[5, 5], 2, BootstrapFailed, FailureCause::Unspecified),
        (&[5, 125], 2, DomainSessionMismatch, FailureCause::DomainDoesNotSupport),
        (&[17], 1, BootstrapFailed, FailureCause::LabelInUse),
        (&[37], 1, BootstrapFailed, FailureCause::LabelInUse),
        (&[112], 1, DomainSessionMismatch, FailureCause::NoSuchDomain),
        (&[113], 1, BootstrapFailed, FailureCause::UnknownCode),
        (&[119], 1, BootstrapFailed, FailureCause::Disabled),
        (&[122], 1, PlistUnreadable, FailureCause::OwnershipOrMode),
        (&[124], 1, BootstrapFailed, FailureCause::DomainTearingDown),
        (&[125], 1, DomainSessionMismatch, FailureCause::DomainDoesNotSupport),
        (&[133], 1, BootstrapFailed, FailureCause::SeveralErrors),
        (&[134], 1, DomainSessionMismatch, FailureCause::WrongSessionType),
        (&[159], 1, BootstrapFailed, FailureCause::CallerConfined),
    ];
    // The user's domain is no reason by itself: what launchd said decides there as well.
    for domains in [GUI, &["user/501"]] {
        for (codes, attempts, class, cause) in &cases {
            let bench = Bench::new(domains, []);
            bench.double.refuse(codes);
            let Err(ChannelError::NotBootstrapped(refused)) = bench.start() else { panic!("{codes:?}") };
            let failure = &refused.failure;
            assert_eq!((failure.classification, failure.cause), (*class, *cause), "{codes:?}");
            assert_eq!(failure.rc, codes.last().copied(), "{codes:?}");
            let text = refused.to_string();
            assert!(text.contains(class.as_str()) && text.contains(&failure.advice), "{text}");
            assert!(text.contains(&format!("exit code {}", codes.last().unwrap())), "{text}");
            assert!(bench.double.known().is_empty());
            let calls = bench.double.calls();
            assert_eq!(calls.iter().filter(|call| *call == "Launchctl bootstrap").count(), *attempts, "{codes:?}");
            assert_eq!(calls.last().map(String::as_str), Some("Log show"));
            assert!(!calls.contains(&"Launchctl bootout".to_string()), "nothing was loaded: {calls:?}");
            let (document, names) = bench.diagnostics();
            assert_eq!(document.bootstrap_failure.as_ref(), Some(failure));
            assert_eq!((document.outcome, document.teardown), (JobOutcome::NotStarted, Teardown::NotAsked));
            assert_eq!(document.log_show.unwrap().rc, Some(0));
            let second = names.contains(&format!("launchctl/{}.bootstrap_2.stderr.txt", bench.label));
            assert_eq!(second, *attempts == 2, "{names:?}");
        }
    }
}

#[test]
fn a_label_on_its_way_out_is_waited_for_and_one_that_stays_is_left_alone() {
    let other = Path::new("/private/tmp/other/sandproof.runtime.r-1.plist");
    let leaving = Bench::new(GUI, [acts(Some(900), Some((950, End::Code(0))))]);
    leaving.double.load_foreign(&leaving.target(), other, Some(Duration::from_secs(3)));
    leaving.start().unwrap();
    let alive = leaving.launchd.account(&leaving.label).unwrap();
    assert_eq!(alive.main_pid, Some(4001), "the job that was there before has another");
    assert_eq!(leaving.wait(&alive, LIMIT).unwrap().exit_code, Some(0));
    let bootstraps = leaving.double.calls().iter().filter(|call| *call == "Launchctl bootstrap").count();
    assert_eq!(bootstraps, 2);
    assert!(leaving.launchd.boot_out(&leaving.label));

    let staying = Bench::new(GUI, []);
    staying.double.load_foreign(&staying.target(), other, None);
    let Err(ChannelError::NotBootstrapped(refused)) = staying.start() else { panic!("it was started") };
    assert_eq!((refused.failure.cause, refused.failure.rc), (FailureCause::LabelInUse, Some(5)));
    assert!(!staying.launchd.boot_out(&staying.label));
    assert_eq!(staying.double.known(), [staying.target()], "it is somebody else's");
    assert!(!staying.double.calls().contains(&"Launchctl bootout".to_string()));
    assert_eq!(staying.diagnostics().0.teardown, Teardown::StillKnown);
}

#[test]
fn a_job_that_does_not_go_is_told_of() {
    let bench = Bench::new(GUI, [acts(None, None)]);
    bench.double.teardown(Duration::from_secs(600));
    bench.start().unwrap();
    assert!(!bench.launchd.boot_out(&bench.label));
    assert_eq!(bench.diagnostics().0.teardown, Teardown::StillKnown);
}

#[test]
fn a_definition_that_is_no_good_is_never_given_to_launchd() {
    let bench = Bench::new(GUI, []);
    bench.double.lint(1);
    let Err(ChannelError::NotBootstrapped(refused)) = bench.start() else { panic!("it was started") };
    let failure = &refused.failure;
    assert_eq!((failure.classification, failure.cause), (FailureClass::PlistInvalid, FailureCause::RefusedByLint));
    assert_eq!(bench.double.calls(), ["Launchctl print", "Plutil -lint"]);
    assert_eq!(bench.diagnostics().0.bootstrap_failure.as_ref(), Some(failure));

    let bench = Bench::new(GUI, []);
    let Err(ChannelError::NotBootstrapped(refused)) = bench.start_with(&["relative".to_string()]) else {
        panic!("it was started")
    };
    assert_eq!(refused.failure.cause, FailureCause::NotWritten);
    assert!(std::error::Error::source(&*refused).unwrap().to_string().contains("not absolute"));
    assert_eq!(bench.diagnostics().0.plist_sha256, None);

    let bench = Bench::new(GUI, []);
    fs::write(bench.plist(), "somebody else's").unwrap();
    let Err(ChannelError::NotBootstrapped(refused)) = bench.start() else { panic!("it was started") };
    assert_eq!(refused.failure.cause, FailureCause::NotWritten);
    assert_eq!(fs::read(bench.plist()).unwrap(), b"somebody else's");
}

#[test]
fn a_real_program_is_started_from_the_definition_alone() {
    let script = "echo \"$XPC_SERVICE_NAME $SANDPROOF_JOB_NONCE ${HOME-none}\"; echo said >&2; pwd > moved; exit 8";
    let bench = Bench::new(GUI, [Program::Real]);
    bench.start_with(&["/bin/sh", "-c", script].map(str::to_string)).unwrap();
    let alive = bench.launchd.account(&bench.label).unwrap();
    let moved = bench.stage.path().join("moved");
    let ended = bench.launchd.wait(&alive, LIMIT, &|| moved.exists(), &|| false).unwrap();
    assert_eq!(ended.exit_code, Some(8));
    assert!(bench.launchd.boot_out(&bench.label));
    let out = fs::read_to_string(bench.stage.path().join("stdout.txt")).unwrap();
    assert_eq!(out, format!("{} n none\n", bench.label));
    let (document, names) = bench.diagnostics();
    assert_eq!(document.outcome, JobOutcome::Ended);
    assert!(names.contains(&format!("launchctl/{}.stdout.txt", bench.label)));
    assert!(document.job_stderr_path.is_some());
}

#[test]
fn nothing_is_told_before_a_job_was_started() {
    let bench = Bench::new(GUI, []);
    assert!(bench.launchd.diagnostics(&bench.run_id, "out/r-1").is_empty());
    assert!(bench.launchd.boot_out(&bench.label), "launchd does not know it");
    assert!(!bench.double.calls().contains(&"Launchctl bootout".to_string()));
}

/// The shipped program cannot be told of another launchctl: outside this module nothing but tests gives tools.
#[test]
fn only_tests_inject() {
    fn visit(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let shipped = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
                let calls = shipped.matches("with_tools(").count();
                found.extend(std::iter::repeat_n(path.display().to_string(), calls));
            }
        }
    }
    let mut found = Vec::new();
    visit(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    let own = |path: &&String| path.ends_with("launchd/mod.rs");
    assert_eq!(found.iter().filter(own).count(), 2, "the definition and its one use, with the host's own programs");
    let others: Vec<&String> = found.iter().filter(|path| !own(path) && !path.ends_with("tests.rs")).collect();
    assert!(others.is_empty(), "{others:?}");
    for (tool, path) in
        [(Tool::Launchctl, "/bin/launchctl"), (Tool::Plutil, "/usr/bin/plutil"), (Tool::Log, "/usr/bin/log")]
    {
        assert_eq!(tool.path(), Path::new(path));
    }
    if !cfg!(target_os = "macos") {
        let reason = crate::channel::check(crate::record::manifest::ChannelKind::LaunchdClean).unwrap_err();
        assert!(reason.to_string().contains("macOS only"));
    }
}
