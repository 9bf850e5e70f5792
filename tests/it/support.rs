//! What the tests of the executable share.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// The crate's own folder, which is also a workspace with plans and registries.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The real executable, with nothing of the user's environment.
pub fn sandproof() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sandproof"));
    command.env_clear().current_dir(root());
    command
}

/// Runs to the end.
pub fn output(command: &mut Command) -> Output {
    command.output().expect("the executable starts")
}

/// What was printed to standard output.
pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("output is UTF-8")
}

/// What was printed to standard error.
pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("output is UTF-8")
}

/// Fails with both streams unless the exit code is `code`.
#[track_caller]
pub fn expect_code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "stdout:\n{}\nstderr:\n{}", stdout(output), stderr(output));
}

/// The published schema of that name.
pub fn published_schema(name: &str) -> Value {
    let path = root().join(format!("schemas/{name}.schema.json"));
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).expect("a schema is JSON")
}

/// Fails unless the document satisfies the published schema of that name.
#[track_caller]
pub fn expect_shape(schema: &str, document: &Value) {
    let validator = jsonschema::draft202012::new(&published_schema(schema)).expect("a published schema compiles");
    let errors: Vec<String> =
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{schema}: {errors:#?}\n{document:#}");
}

/// A document of the published schema of that name.
#[track_caller]
pub fn shaped(schema: &str, bytes: &[u8]) -> Value {
    let document = serde_json::from_slice(bytes).expect("JSON");
    expect_shape(schema, &document);
    document
}

/// The answer of a command that prints JSON: it ends with `code`, and what it prints has its published schema.
#[track_caller]
pub fn json_answer(command: &mut Command, schema: &str, code: i32) -> Value {
    let output = output(command);
    expect_code(&output, code);
    shaped(schema, &output.stdout)
}

/// A finished run of a shipped plan in a folder of its own.
pub struct FinishedRun {
    /// Keeps the folder alive.
    pub dir: TempDir,
    /// The output root.
    pub out: PathBuf,
    /// The bundle.
    pub bundle: PathBuf,
    /// What `run --json` said.
    pub report: Value,
}

/// Runs a shipped plan and expects `code`.
#[track_caller]
pub fn finished_run(plan: &str, code: i32) -> FinishedRun {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let out = dir.path().join("out");
    let output = output(sandproof().args(["run", "--json", "--plan", plan, "--out"]).arg(&out));
    expect_code(&output, code);
    let report: Value = serde_json::from_slice(&output.stdout).expect("run --json prints JSON");
    let bundle = out.join(std::fs::read_to_string(out.join("LATEST")).expect("LATEST").trim());
    FinishedRun { dir, out, bundle, report }
}

/// `validate-bundle` on a folder.
pub fn validate(bundle: &Path) -> Output {
    output(sandproof().args(["validate-bundle", "--bundle"]).arg(bundle))
}

/// Every regular file below `folder`, relative to it, sorted.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    fn walk(folder: &Path, base: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                walk(&path, base, found);
            } else {
                found.push(path.strip_prefix(base).expect("below its base").to_owned());
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, folder, &mut found);
    found.sort();
    found
}

/// Copies a folder with everything in it.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a new folder");
    for file in files(from) {
        let target = to.join(&file);
        std::fs::create_dir_all(target.parent().expect("a file has a folder")).expect("a new folder");
        std::fs::copy(from.join(&file), target).expect("a copy");
    }
}

/// Leaves a test that only root can run. The same tests run as root in CI, before they run as an ordinary user, so there it
/// is no gap.
#[macro_export]
macro_rules! only_root {
    ($reason:expr) => {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("SKIPPED: {}; the tests as root cover it", $reason);
            return;
        }
    };
}

/// Skips a test loudly where the host lacks something. In CI everything is there, so a skip is a failure.
#[macro_export]
macro_rules! skip {
    ($($reason:tt)*) => {{
        let reason = format!($($reason)*);
        assert!(std::env::var_os("CI").is_none(), "CI has everything, but: {reason}");
        eprintln!("SKIPPED: {reason}");
        return;
    }};
}
