//! Mock-ups of launchers with what is right for each in a file beside them, asked by the whole executable as a user asks.
//!
//! `SANDPROOF_MOCKUPS` names another folder of them, with an `expected.json` of the same form; `SANDPROOF` another executable, such
//! as a static one, which also starts where the host's libraries are not shown:
//!
//! ```sh
//! SANDPROOF_MOCKUPS=DIR cargo test --test it -- launchers::mock_ups --nocapture
//! ```
//!
//! Form of an entry: `name` (a script, or a C source, which is compiled), `root` (whether only root can start it), `needs`
//! (programs beside bubblewrap), `start`, and `asks`: question, decision, mechanism, and remarks, with commas between. A start and a
//! decision may be one `or` another. Remarks that are checked are `object WORD`, `alias NAME`, `via WORD`, and the word of what
//! is undecided; others are for readers.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::Value;

use super::{executable, has};
use crate::skip;

#[derive(Deserialize)]
struct Expected {
    schema: String,
    mockups: Vec<MockUp>,
}

#[derive(Deserialize)]
struct MockUp {
    name: String,
    #[serde(default)]
    root: bool,
    #[serde(default)]
    needs: Vec<String>,
    start: String,
    asks: Vec<Vec<Option<String>>>,
}

/// What came of one mock-up.
struct Asked {
    answers: Vec<Value>,
    rows: Vec<Value>,
    results: Vec<Value>,
}

/// A question of the form in a verb of `ask`.
fn question(text: &str) -> String {
    if let Some(seconds) = text.strip_prefix("a question that takes ").and_then(|rest| rest.strip_suffix(" s")) {
        return format!("exec /bin/sleep {seconds}");
    }
    match text {
        "mount tmpfs" => "mount ${outside}/d",
        "raw packet socket" => "packet",
        "new user namespace" => "userns",
        other => other,
    }
    .to_owned()
}

/// Where nothing of the host's hides it from other users.
fn folder() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::Builder::new().prefix("mock-ups-").tempdir_in("/var/tmp").unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn ask(exe: &Path, launcher: &Path, asks: &[Vec<Option<String>>]) -> Result<Asked, String> {
    let folder = folder();
    let mut asking = Command::new(exe);
    asking.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", folder.path());
    asking.current_dir(folder.path()).args(["ask", "--json"]);
    asking.args(asks.iter().filter_map(|ask| ask.first()?.as_deref()).map(question));
    if nix::unistd::geteuid().is_root() {
        asking.arg("--as-root");
    }
    asking.arg("--").arg(launcher).args(["${workspace}", "${outside}", "${probe}"]);
    let asked = asking.stdin(Stdio::null()).output().unwrap();
    let report: Value =
        serde_json::from_slice(&asked.stdout).map_err(|_| String::from_utf8_lossy(&asked.stderr).into_owned())?;
    let bundle = Path::new(report["bundle"].as_str().unwrap());
    let bundle = folder.path().join(bundle);
    let read = |name: &str| std::fs::read_to_string(bundle.join(name)).unwrap();
    let rows = read("rows/scenario.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let results: Value = serde_json::from_str(&read("runtime_results.json")).unwrap();
    let results = results.as_object().unwrap().values().find_map(|profile| profile.get("probes")?.as_array().cloned());
    Ok(Asked {
        answers: report["answers"].as_array().unwrap().clone(),
        rows,
        results: results.ok_or("the bundle has no results")?,
    })
}

/// Something that differs from what is right.
struct Fault {
    told: String,
    /// Whether it is a wrong answer, and not one that is missing.
    certain: bool,
}

/// Everything that differs from what is right.
fn compare(mock_up: &MockUp, asked: &Asked) -> Vec<Fault> {
    let mut faults = Vec::new();
    let undecided = |n: usize| asked.answers[n]["undecided"].as_str();
    // Where both ways of starting are right, nothing that was not started is a fault.
    let silent = (0..asked.answers.len()).all(|n| undecided(n) == Some("launcher_not_started"));
    let start = start_fault(&mock_up.start, asked, silent);
    faults.extend(start.map(|told| Fault { told, certain: false }));
    if silent && mock_up.start.contains("or not_started") {
        return faults;
    }
    for (n, ask) in mock_up.asks.iter().enumerate() {
        let field = |place: usize| ask.get(place).and_then(Option::as_deref);
        let (answer, result) = (&asked.answers[n], &asked.results[n]["launcher"]);
        let decision = answer["answer"].as_str().unwrap_or("undecided");
        let mut wrong = |what: String| {
            let told = serde_json::to_string(&asked.rows[n]["launcher"]).unwrap();
            let told = format!("`{}`: {what}\n  {}\n  {told}", field(0).unwrap(), answer["cause"]);
            faults.push(Fault { told, certain: decision != "undecided" });
        };
        // What the kernel refuses this user anywhere says nothing of a launcher.
        let only_root = field(0).is_some_and(|asks| ["packet", "raw"].contains(&asks.trim_start_matches("deny ")));
        if only_root && !nix::unistd::geteuid().is_root() && undecided(n) == Some("baseline_denied") {
            continue;
        }
        if !field(1).unwrap().split(" or ").any(|right| right == decision) {
            wrong(format!("{decision} {:?} {:?}, not {}", undecided(n), answer["mechanism"], field(1).unwrap()));
            continue;
        }
        if let Some(mechanism) = field(2).filter(|_| decision == "deny")
            && answer["mechanism"] != mechanism
        {
            wrong(format!("denied {}, not {mechanism}", answer["mechanism"]));
        }
        let outside = asked.rows[n]["root"].as_str().map(|root| format!("{root}/outside")).unwrap_or_default();
        for remark in field(3).unwrap_or_default().split(", ") {
            let is_kind = remark.starts_with("launcher_") || remark == "noise";
            let (seen, right) = match remark.split_once(' ') {
                Some(("object", right)) => (result["object"].as_str(), right.to_owned()),
                Some(("alias", right)) => (result["name"].as_str(), right.replace("${outside}", &outside)),
                Some(("via", right)) => (result["via"].as_str(), right.to_owned()),
                _ if is_kind && decision == "undecided" => (undecided(n), remark.to_owned()),
                _ => continue,
            };
            if seen != Some(&right) {
                wrong(format!("{remark}, but {seen:?}"));
            }
        }
    }
    faults
}

/// How the worker was reached, against how it should be.
fn start_fault(right: &str, asked: &Asked, silent: bool) -> Option<String> {
    let start = &asked.rows[0]["launcher"]["start"];
    let attempts: Vec<&str> = start["attempts"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mode = if silent { "not_started" } else { start["mode"].as_str().unwrap_or("many") };
    let mut words = right.split(", ").flat_map(|part| part.trim_start_matches("or ").split(" or "));
    let fits = words.any(|word| match word {
        "in process" => start["in_process"] == true,
        word => word == mode || (word.starts_with("not_started") && mode == "not_started"),
    });
    let missing = || {
        let told = format!("{start}");
        if silent {
            let both = !right.contains("both attempts") || ["path:", "copy:"].iter().all(|way| told.contains(way));
            return (attempts.is_empty() || !both).then(|| "it does not say what was tried".to_owned());
        }
        // Where nobody says what the workspace is called inside, a descriptor is a name that needs no path.
        let copied = right.contains("copied") && start["executable"] == "path";
        let again = right.contains("started again") && start["number"].as_u64() < Some(2);
        (copied || again).then(|| format!("started otherwise: {told}"))
    };
    if fits { missing() } else { Some(format!("reached by {mode}, not {right}: {start}")) }
}

/// The program of a mock-up: the script itself, or what its source is compiled to.
fn program(folder: &Path, name: &str, made: &Path) -> Option<PathBuf> {
    let source = folder.join(name);
    let Some(stem) = name.strip_suffix(".c") else { return Some(source) };
    let program = made.join(stem);
    let compiled = Command::new("cc").args(["-static", "-o"]).arg(&program).arg(&source).status();
    compiled.is_ok_and(|status| status.success()).then_some(program)
}

fn lacks(need: &str) -> bool {
    match need {
        // A static executable is started by nobody else.
        "loader" => !std::fs::read_to_string("/proc/self/maps").unwrap().contains("/ld-"),
        "ip" => Command::new("ip").arg("-V").output().is_err(),
        program => !has(program),
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "whoever names a folder wants to see what each came to")]
fn every_mock_up_gives_what_is_right_for_it() {
    let given = std::env::var_os("SANDPROOF_MOCKUPS").map(PathBuf::from);
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/launchers/mock_ups");
    let folder = given.as_deref().unwrap_or(&own);
    let exe = std::env::var_os("SANDPROOF").map_or_else(executable, PathBuf::from);
    let expected: Expected =
        serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).expect("the form of the folder");
    assert_eq!(expected.schema, "launcher-mockups");
    if !has("bwrap") {
        skip!("bubblewrap is not installed");
    }
    let missing: Vec<&String> =
        expected.mockups.iter().flat_map(|mock_up| &mock_up.needs).filter(|need| lacks(need)).collect();
    let made = self::folder();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let faults_of = |mock_up: &MockUp| -> Vec<Fault> {
        let silent = |told| vec![Fault { told, certain: true }];
        let Some(program) = program(folder, &mock_up.name, made.path()) else {
            return silent("it could not be compiled".to_owned());
        };
        ask(&exe, &program, &mock_up.asks)
            .map_or_else(|said| silent(format!("no answer: {said}")), |asked| compare(mock_up, &asked))
    };
    // They wait more than they work.
    let work = || {
        let mut told = Vec::new();
        while let Some(mock_up) = expected.mockups.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
            let only_root = mock_up.root && !nix::unistd::geteuid().is_root();
            if only_root || mock_up.needs.iter().any(|need| missing.contains(&need)) {
                eprintln!("{}: not started here: root or one of {:?} is needed", mock_up.name, mock_up.needs);
                continue;
            }
            told.push((mock_up, faults_of(mock_up)));
        }
        told
    };
    let asked: Vec<(&MockUp, Vec<Fault>)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let mut told = Vec::new();
    for (mock_up, mut faults) in asked {
        // Some have to do with time. On a busy machine their questions may stay open, and are asked once more, alone; what was
        // answered wrongly was.
        for _ in 0..3 {
            if faults.is_empty() || faults.iter().any(|fault| fault.certain) {
                break;
            }
            eprintln!("{}: once more", mock_up.name);
            faults = faults_of(mock_up);
        }
        let word = if faults.is_empty() { "as it should be" } else { "NOT as it should be" };
        eprintln!("{}: {word}", mock_up.name);
        told.extend(faults.into_iter().map(|fault| format!("{}: {}", mock_up.name, fault.told)));
    }
    assert!(told.is_empty(), "{}", told.join("\n"));
    if !missing.is_empty() {
        skip!("{missing:?} are missing here");
    }
}
