//! Standard output and `--out`: what a command says when nobody listens, and where its documents go.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{FinishedRun, copy_folder, expect_code, finished_run, output, root, sandproof, stderr, stdout};

const QUICKSTART: &str = "plans/quickstart/plan.json";

/// A plan folder of its own, in which one expectation contradicts its policy and is not met.
fn contradicted_plan(folder: &Path) -> PathBuf {
    let made = output(sandproof().args(["plan-build", "--template", "quickstart", "--out"]).arg(folder));
    expect_code(&made, 0);
    let file = folder.join("registry/probes.json");
    let mut probes: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    probes["probes"]["quickstart:read_only:read_inside"]["expected"] = "deny".into();
    fs::write(file, probes.to_string()).unwrap();
    folder.join("plan.json")
}

/// A good run, a copy of it that does not verify, a contradicted plan and the run of it.
struct Setting {
    good: FinishedRun,
    spoiled: PathBuf,
    plan: PathBuf,
    mismatched: PathBuf,
}

impl Setting {
    fn new() -> Self {
        let good = finished_run(QUICKSTART, 0);
        let spoiled = good.dir.path().join("spoiled");
        copy_folder(&good.bundle, &spoiled);
        fs::write(spoiled.join("runtime_results.json"), "{}").unwrap();
        let plan = contradicted_plan(&good.dir.path().join("contradicted"));
        let ran = output(sandproof().args(["run", "--plan"]).arg(&plan));
        expect_code(&ran, 1);
        let mismatched = plan.with_file_name("out");
        Self { good, spoiled, plan, mismatched }
    }

    /// Commands that judge, and what each comes to.
    fn verdicts(&self) -> Vec<(Vec<String>, i32)> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let (good, bad, plan, mismatched) =
            (text(&self.good.bundle), text(&self.spoiled), text(&self.plan), text(&self.mismatched));
        let packet = text(&self.good.dir.path().join("packet.json"));
        let elsewhere = text(&self.good.dir.path().join("contradicted"));
        let again = text(&self.good.dir.path().join("again"));
        let line = |words: &[&str], code| (words.iter().map(|word| (*word).to_owned()).collect(), code);
        vec![
            line(&["validate-bundle", "--bundle", &bad], 4),
            line(&["emit-promotion", "--bundle", &good, "--out", &packet, "--require-promotable"], 5),
            line(&["emit-promotion", "--bundle", &bad, "--out", &packet], 4),
            line(&["run", "--plan", &plan, "--out", &again], 1),
            line(&["derive", "--bundle", &bad, "--check"], 1),
            line(&["reindex-bundle", "--bundle", &bad, "--strict"], 4),
            line(&["plan-lint", "--plan", &plan], 1),
            line(&["registry-lint", "--root", &elsewhere], 1),
            line(&["diff-runs", &good, &mismatched], 1),
            line(&["diff-runs", &good, &bad], 4),
            line(&["attempts", &good, &bad], 4),
            line(&["identity", "verify", "--bundle", &good, "--against", &elsewhere], 1),
            line(&["summarize-ops", "--bundle", &bad], 4),
            line(
                &[
                    "why",
                    "--profile",
                    "quickstart:read_only",
                    "--operation",
                    "file-read-data",
                    "--target",
                    "${root}/project/link",
                ],
                8,
            ),
        ]
    }
}

/// The exit code where nobody reads standard output.
fn code_unheard(arguments: &[String]) -> i32 {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ended = sandproof().args(arguments).stdout(writer).output().unwrap();
    assert!(!stderr(&ended).contains("panicked") && !stderr(&ended).contains("standard output"), "{}", stderr(&ended));
    ended.status.code().unwrap()
}

#[test]
fn a_verdict_is_the_exit_code_also_where_nobody_reads_it() {
    let setting = Setting::new();
    for (arguments, code) in setting.verdicts() {
        for json in [false, true] {
            let mut arguments = arguments.clone();
            arguments.extend(json.then(|| "--json".to_owned()));
            let heard = output(sandproof().args(&arguments));
            assert_eq!(heard.status.code(), Some(code), "{arguments:?}\n{}{}", stdout(&heard), stderr(&heard));
            assert_eq!(code_unheard(&arguments), code, "{arguments:?}");
        }
    }
    let mismatched = setting.mismatched.to_str().unwrap();
    for format in ["tap", "junit", "sarif", "markdown", "html"] {
        let arguments = ["report", "--bundle", mismatched, "--format", format].map(str::to_owned);
        assert_eq!(code_unheard(&arguments), 1, "{format}");
    }
    // Where there is no bad news, nobody listening is none either.
    assert_eq!(code_unheard(&["schema".to_owned(), "plan".to_owned()]), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_full_device_did_not_take_is_a_fault_and_costs_nothing_else() {
    let setting = Setting::new();
    let full = || File::options().write(true).open("/dev/full").unwrap();
    for (arguments, code) in setting.verdicts() {
        let ended = sandproof().args(&arguments).stdout(full()).output().unwrap();
        expect_code(&ended, 70);
        let said = stderr(&ended);
        assert!(said.contains("could not write to standard output") && said.contains("No space left"), "{said}");
        assert!(said.contains(&format!("the exit code would be {code}")), "{said}");
    }
    let again = setting.good.dir.path().join("full");
    let ran = sandproof().args(["run", "--plan", QUICKSTART, "--out"]).arg(&again).stdout(full()).output().unwrap();
    expect_code(&ran, 70);
    expect_code(&output(sandproof().args(["validate-bundle", "--bundle"]).arg(&again)), 0);
    expect_code(&sandproof().arg("--help").stdout(full()).output().unwrap(), 70);
    let report = ["report", "--format", "html", "--bundle"];
    expect_code(&sandproof().args(report).arg(&setting.mismatched).stdout(full()).output().unwrap(), 70);
}

/// Every command that writes a document to `--out`, without the option, and its exit code.
fn writers(run: &FinishedRun) -> Vec<(Vec<String>, i32)> {
    let bundle = run.bundle.to_str().unwrap();
    let packet = run.dir.path().join("first.json");
    let packet = packet.to_str().unwrap();
    expect_code(&output(sandproof().args(["emit-promotion", "--bundle", bundle, "--out", packet])), 0);
    let line = |words: &[&str]| (words.iter().map(|word| (*word).to_owned()).collect(), 0);
    vec![
        line(&["emit-promotion", "--bundle", bundle]),
        line(&["report", "--bundle", bundle, "--format", "tap"]),
        line(&["summarize-ops", "--bundle", bundle, "--allow-nonpromotable"]),
        line(&["links", "build", "--packet", packet, "--allow-nonpromotable"]),
        line(&["diff-runs", bundle, bundle]),
        line(&["diff-runs", bundle, bundle, "--json"]),
        // The enforcer's own question: where it has no answer the code is 7.
        (["selftest", "--only", "linux-03"].map(str::to_owned).into(), selftest_code()),
    ]
}

fn selftest_code() -> i32 {
    output(sandproof().args(["selftest", "--only", "linux-03"])).status.code().unwrap()
}

fn writing(arguments: &[String], out: &str, folder: &Path) -> Command {
    let mut command = sandproof();
    command.current_dir(folder).args(arguments).args(["--out", out]);
    command
}

#[test]
fn a_document_goes_to_a_bare_name_to_standard_output_and_to_what_is_no_file() {
    let run = finished_run(QUICKSTART, 0);
    let folder = run.dir.path();
    fs::create_dir(folder.join("d")).unwrap();
    let mkfifo = || nix::unistd::mkfifo(&folder.join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    for (arguments, code) in writers(&run) {
        let by_name = output(&mut writing(&arguments, "bare", folder));
        expect_code(&by_name, code);
        let document = fs::read(folder.join("bare")).unwrap();
        assert!(!document.is_empty());
        for name in ["-", "/dev/stdout"] {
            let piped = output(&mut writing(&arguments, name, folder));
            expect_code(&piped, code);
            // What holds a time is not the same twice.
            let same = if arguments[0] == "selftest" {
                piped.stdout.len().abs_diff(document.len()) < 64
            } else {
                piped.stdout == document
            };
            assert!(same, "{arguments:?} to {name}: {}", stdout(&piped));
            assert!(!folder.join("-").exists());
        }
        mkfifo();
        let reader = std::thread::spawn({
            let fifo = folder.join("fifo");
            move || {
                let mut text = Vec::new();
                File::open(fifo).unwrap().read_to_end(&mut text).unwrap();
                text
            }
        });
        expect_code(&output(&mut writing(&arguments, "fifo", folder)), code);
        assert!(reader.join().unwrap().len().abs_diff(document.len()) < 64, "{arguments:?} to a FIFO");
        let unread = output(&mut writing(&arguments, "./fifo", folder));
        expect_code(&unread, 2);
        assert!(stderr(&unread).contains("a FIFO without a reader"), "{}", stderr(&unread));
        let kind = fs::symlink_metadata(folder.join("fifo")).unwrap().file_type();
        assert!(std::os::unix::fs::FileTypeExt::is_fifo(&kind), "{arguments:?} replaced a FIFO");
        fs::remove_file(folder.join("fifo")).unwrap();

        // A link stays one; what it leads to is written.
        std::os::unix::fs::symlink("d/through", folder.join("link")).unwrap();
        expect_code(&output(&mut writing(&arguments, "link", folder)), code);
        assert!(fs::symlink_metadata(folder.join("link")).unwrap().is_symlink());
        assert!(fs::read(folder.join("d/through")).unwrap().len().abs_diff(document.len()) < 64);
        expect_code(&output(&mut writing(&arguments, "d", folder)), 2);
        expect_code(&output(&mut writing(&arguments, "none/x", folder)), 2);
        for made in ["bare", "link", "d/through"] {
            fs::remove_file(folder.join(made)).unwrap();
        }
    }
    let both = output(
        sandproof().args(["emit-promotion", "--json", "--out", "-", "--bundle"]).arg(&run.bundle).current_dir(folder),
    );
    expect_code(&both, 2);
    assert!(stderr(&both).contains("--json"));
    let refused: serde_json::Value = serde_json::from_slice(&both.stdout).unwrap();
    assert_eq!(refused["schema_version"], "sandproof.refusal.v1", "the refusal, and no packet");
}

#[test]
fn a_packet_does_not_get_into_its_bundle_through_a_link() {
    let run = finished_run(QUICKSTART, 0);
    let link = run.dir.path().join("link");
    std::os::unix::fs::symlink(run.bundle.join("packet.json"), &link).unwrap();
    let refused = output(sandproof().args(["emit-promotion", "--bundle"]).arg(&run.bundle).arg("--out").arg(&link));
    expect_code(&refused, 2);
    assert!(stderr(&refused).contains("inside the bundle"), "{}", stderr(&refused));
    expect_code(&output(sandproof().args(["validate-bundle", "--bundle"]).arg(&run.bundle)), 0);
}

#[test]
fn what_is_no_file_is_never_replaced_where_many_files_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = |name: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        path
    };
    let places = [fifo("plan/plan.json"), fifo("up/probes.json"), fifo("man/sandproof.1")];
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for (arguments, code) in [
        (["plan-build", "--template", "quickstart", "--overwrite", "--out", &at("plan")], 3),
        (["registry-upgrade", "--registry", "quickstart", "--overwrite", "--out-dir", &at("up")], 2),
    ] {
        let refused = output(sandproof().current_dir(root()).args(arguments));
        expect_code(&refused, code);
    }
    expect_code(&output(sandproof().args(["man", "--out", &at("man")])), 2);
    for place in places {
        let kind = fs::symlink_metadata(&place).unwrap().file_type();
        assert!(std::os::unix::fs::FileTypeExt::is_fifo(&kind), "{}", place.display());
    }
}
