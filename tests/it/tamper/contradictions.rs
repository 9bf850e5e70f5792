//! Consistent bundles whose parts cannot all be true: sizes, digests and derived documents agree, and two facts do not.

use std::fs;

use serde_json::{Value, json};

use super::{MANIFEST, ROWS, STATUS, Sound, Tampered};
use crate::support::{expect_code, output, sandproof, stderr, stdout};

/// What is done to a copy of a bundle.
type Edit = fn(&Tampered);

const BASELINE: &str = "rows/baseline.jsonl";
const CONTROL: &str = "rows/control.jsonl";
const PREFLIGHT: &str = "apply_preflight.json";

impl Tampered {
    fn document(&self, name: &str, edit: impl FnOnce(&mut Value)) {
        let mut document: Value = serde_json::from_str(&self.read(name)).unwrap();
        edit(&mut document);
        self.forge(name, &serde_json::to_vec_pretty(&document).unwrap());
    }

    /// Changes every row of a lane for which `edit` says that it did; at least one has to be.
    fn rows(&self, lane: &str, mut edit: impl FnMut(&mut Value) -> bool) {
        let mut changed = false;
        let lines: Vec<String> = self
            .read(lane)
            .lines()
            .map(|line| {
                let mut row: Value = serde_json::from_str(line).unwrap();
                changed |= edit(&mut row);
                row.to_string()
            })
            .collect();
        assert!(changed, "no row of {lane} is as the case needs it");
        self.forge(lane, (lines.join("\n") + "\n").as_bytes());
    }

    /// Changes the first row of a lane.
    fn first(&self, lane: &str, edit: impl Fn(&mut Value)) {
        self.rows(lane, |row| {
            let first = row["seq"] == 0;
            if first {
                edit(row);
            }
            first
        });
    }

    /// The preflight record and the manifest's copy of it.
    fn preflight(&self, edit: impl Fn(&mut Value)) {
        self.document(PREFLIGHT, &edit);
        self.document(MANIFEST, |manifest| edit(&mut manifest["apply_preflight"]["record"]));
    }

    /// Derives everything from the rows as they are now, and puts it into the place of what was derived before.
    fn derive_again(&self) {
        let to = self.root.join("derived-again");
        let derived = output(sandproof().args(["derive", "--bundle"]).arg(&self.folder).arg("--out").arg(&to));
        assert!(derived.status.success(), "{}{}", stdout(&derived), stderr(&derived));
        for file in fs::read_dir(&to).unwrap() {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap();
            self.forge(&name, &fs::read(file.path()).unwrap());
        }
    }
}

/// Allowed reads of a file of the run's own.
fn is_read(row: &Value) -> bool {
    let inside = row["action"]["target"].as_str().unwrap().starts_with(row["root"].as_str().unwrap());
    let details = row["operation"]["details"].as_array();
    inside && details.is_some_and(|all| all.iter().any(|one| *one == json!(["bytes_read", 1])))
}

/// What is done; the file and the code of the finding that must be there.
type Case = (&'static str, fn(&Tampered), &'static str, &'static str);

const CASES: &[Case] = &[
    (
        "scenario rows of another run",
        |b| {
            b.rows(ROWS, |row| {
                let id = row["root"].as_str().unwrap().rsplit('/').nth(1).unwrap().to_owned();
                *row = serde_json::from_str(&row.to_string().replace(&id, "sandproof-another")).unwrap();
                true
            });
        },
        ROWS,
        "row_root",
    ),
    (
        "a baseline row of another run",
        |b| {
            b.first(BASELINE, |row| {
                let root = row["root"].as_str().unwrap().to_owned();
                *row = serde_json::from_str(&row.to_string().replace(&root, "/dev/shm/sandproof-x/r000000")).unwrap();
            });
        },
        BASELINE,
        "row_root",
    ),
    (
        "two rows with one folder",
        |b| {
            b.rows(ROWS, |row| {
                row["seq"] == 1 && {
                    *row = serde_json::from_str(&row.to_string().replace("/r000001", "/r000000")).unwrap();
                    true
                }
            })
        },
        ROWS,
        "row_root",
    ),
    (
        "a control in the folder of a probe",
        |b| {
            b.first(CONTROL, |row| {
                *row = serde_json::from_str(&row.to_string().replace("/c000000", "/r000000")).unwrap();
            })
        },
        CONTROL,
        "row_root",
    ),
    (
        "the first process of a system",
        |b| b.first(ROWS, |row| (row["pid"], row["prologue"]["pid"]) = (1.into(), 1.into())),
        ROWS,
        "row_process",
    ),
    ("another process that spoke", |b| b.first(ROWS, |row| row["prologue"]["pid"] = 77.into()), ROWS, "row_process"),
    (
        "a process without an id",
        |b| b.first(ROWS, |row| drop(row.as_object_mut().unwrap().remove("pid"))),
        ROWS,
        "row_process",
    ),
    (
        "a report of a process that was not started",
        |b| b.first(ROWS, |row| row["ending"] = json!({"how": "not_started", "errno": 11})),
        ROWS,
        "row_process",
    ),
    ("started before 1970", |b| b.first(ROWS, |row| row["started_at_unix_s"] = json!(-1.5)), ROWS, "row_process"),
    (
        "another caller in one lane",
        |b| b.first(ROWS, |row| row["prologue"]["uid"] = if row["prologue"]["uid"] == 0 { 1000 } else { 0 }.into()),
        ROWS,
        "row_caller",
    ),
    (
        "another kernel in one process",
        |b| b.first(ROWS, |row| row["prologue"]["apply"]["abi"] = 99.into()),
        ROWS,
        "row_abi",
    ),
    (
        "privileges left after restricting oneself",
        |b| b.first(ROWS, |row| row["prologue"]["self_check_after"]["no_new_privs"] = false.into()),
        ROWS,
        "row_privileges",
    ),
    (
        "a policy in the baseline",
        |b| {
            b.first(BASELINE, |row| {
                row["prologue"]["apply"] = json!({"api": "landlock_restrict_self", "rc": 0, "errno": 0});
            })
        },
        BASELINE,
        "row_policy",
    ),
    (
        "a look at oneself after a policy, in the baseline",
        |b| {
            b.first(BASELINE, |row| {
                row["prologue"]["self_check_after"] = json!({"confined": true, "errno": 13, "no_new_privs": true});
            })
        },
        BASELINE,
        "row_policy",
    ),
    (
        "one descriptor twice",
        |b| {
            b.first(ROWS, |row| {
                row["prologue"]["open_fds"].as_array_mut().unwrap().push(json!({"fd": 0, "what": "/dev/null"}));
            })
        },
        ROWS,
        "row_descriptors",
    ),
    (
        "a foreign file open",
        |b| {
            b.first(BASELINE, |row| {
                row["prologue"]["open_fds"].as_array_mut().unwrap().push(json!({"fd": 7, "what": "/etc/shadow"}));
            })
        },
        BASELINE,
        "row_descriptors",
    ),
    (
        "a standard stream that leads elsewhere",
        |b| b.first(ROWS, |row| row["prologue"]["open_fds"][0]["what"] = "/etc/shadow".into()),
        ROWS,
        "row_descriptors",
    ),
    (
        "another file opened than aimed at",
        |b| {
            b.rows(ROWS, |row| {
                is_read(row) && {
                    row["operation"]["opened"]["ino"] = 7.into();
                    true
                }
            })
        },
        ROWS,
        "row_opened",
    ),
    (
        "nothing read of a file with content",
        |b| {
            b.rows(ROWS, |row| {
                is_read(row) && {
                    row["operation"]["details"] = json!([["bytes_read", 0]]);
                    true
                }
            })
        },
        ROWS,
        "row_content",
    ),
    (
        "a read without its last call",
        |b| b.rows(ROWS, |row| is_read(row) && row["operation"]["calls"].as_array_mut().unwrap().pop().is_some()),
        ROWS,
        "row_calls",
    ),
    (
        "a repetition that was not asked for",
        |b| {
            b.first(ROWS, |row| {
                let again = ["ending", "pid", "prologue", "operation", "started_at_unix_s", "duration_us"];
                let members = again.map(|name| (name.to_owned(), row[name].clone()));
                row["repetitions"] = json!([members.into_iter().collect::<serde_json::Map<_, _>>()]);
            })
        },
        ROWS,
        "row_repetitions",
    ),
    (
        "a denial named by the kernel in a run that did not listen",
        |b| b.first(ROWS, |row| row["attribution"] = json!({"level": "kernel", "blockers": ["fs.read_file"]})),
        ROWS,
        "row_attribution",
    ),
    (
        "a manifest that says that each probe was performed twice",
        |b| b.document(MANIFEST, |m| m["repeat"] = 2.into()),
        "run_identity.json",
        "identity_differs",
    ),
    (
        "a staged copy of a direct run",
        |b| b.document(MANIFEST, |m| m["stage_used"] = true.into()),
        MANIFEST,
        "manifest_stage",
    ),
    (
        "the roots of a staged copy in a direct run",
        |b| b.document(MANIFEST, |m| m["stage_root"] = "/var/tmp/stage".into()),
        MANIFEST,
        "manifest_stage",
    ),
    (
        "fixtures in somebody's home",
        |b| b.document(MANIFEST, |m| m["fixture_base"] = "/home/x".into()),
        MANIFEST,
        "manifest_fixtures",
    ),
    ("complete, with an error", |b| b.document(STATUS, |s| s["error"] = "no".into()), STATUS, "status_complete"),
    (
        "complete, and failed at a stage",
        |b| b.document(STATUS, |s| s["failure_stage"] = "lane".into()),
        STATUS,
        "status_complete",
    ),
    (
        "a preflight that did not apply",
        |b| b.preflight(|p| (p["apply_report"]["rc"], p["apply_report"]["errno"]) = ((-1).into(), 1.into())),
        PREFLIGHT,
        "preflight_facts",
    ),
    ("a preflight that crashed", |b| b.preflight(|p| p["exit_code"] = 139.into()), PREFLIGHT, "preflight_facts"),
    (
        "a preflight that printed",
        |b| b.preflight(|p| p["stderr"] = "Segmentation fault".into()),
        PREFLIGHT,
        "preflight_facts",
    ),
    ("a preflight of another run", |b| b.preflight(|p| p["run_id"] = "another".into()), PREFLIGHT, "preflight_facts"),
    (
        "a preflight of another world",
        |b| b.preflight(|p| p["world_id"] = "another".into()),
        PREFLIGHT,
        "preflight_facts",
    ),
    (
        "a preflight of another policy",
        |b| b.preflight(|p| p["profile"] = "registries/x.json".into()),
        PREFLIGHT,
        "preflight_facts",
    ),
    (
        "a check of itself that says two things",
        |b| b.preflight(|p| p["sandbox_check_self"]["rc"] = 1.into()),
        PREFLIGHT,
        "preflight_facts",
    ),
];

#[test]
fn facts_that_cannot_all_be_true_are_refused_by_rule() {
    let sound = Sound::new();
    let dir = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for (n, (name, tamper, file, code)) in CASES.iter().enumerate() {
        let bundle = sound.copy(&dir.path().join(n.to_string()));
        tamper(&bundle);
        let asked = output(sandproof().args(["validate-bundle", "--json", "--bundle"]).arg(&bundle.folder));
        let answer: Value = serde_json::from_slice(&asked.stdout).unwrap();
        let found = |finding: &Value| finding["path"] == *file && finding["code"] == *code;
        if asked.status.code() != Some(4) || !answer["errors"].as_array().unwrap().iter().any(found) {
            wrong.push(format!("{name}: no `{code}` of {file} in {answer:#}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), CASES.len(), wrong.join("\n"));
}

/// The reasons against a bundle, which has to verify.
#[track_caller]
fn reasons(bundle: &Tampered) -> Vec<String> {
    let packet = bundle.root.join("packet-again.json");
    let emitted =
        output(sandproof().args(["emit-promotion", "--bundle"]).arg(&bundle.folder).arg("--out").arg(&packet));
    expect_code(&emitted, 0);
    let packet: Value = serde_json::from_slice(&fs::read(packet).unwrap()).unwrap();
    serde_json::from_value(packet["promotability"]["reasons"].clone()).unwrap()
}

#[test]
fn times_that_cannot_all_be_right_bar_promotion_and_no_verification() {
    let sound = Sound::new();
    let dir = tempfile::tempdir().unwrap();
    let cases: [(&str, Edit); 6] = [
        ("a status of 1970", |b| b.document(STATUS, |s| s["updated_at_unix"] = json!(0.0))),
        ("a run that has yet to begin", |b| b.document(MANIFEST, |m| m["started_at_unix_s"] = json!(4.2e9))),
        ("a row of 2100", |b| b.first(ROWS, |row| row["started_at_unix_s"] = json!(4.2e9))),
        ("a control of 1970", |b| b.first(CONTROL, |row| row["started_at_unix_s"] = json!(1.5))),
        ("a process that outlived its deadline", |b| b.first(ROWS, |row| row["duration_us"] = json!(1_000_000_000))),
        ("a baseline after its scenario", |b| {
            b.document(STATUS, |s| s["updated_at_unix"] = json!(s["updated_at_unix"].as_f64().unwrap() + 100.0));
            b.first(BASELINE, |row| {
                row["started_at_unix_s"] = json!(row["started_at_unix_s"].as_f64().unwrap() + 50.0);
            });
        }),
    ];
    for (n, (what, tamper)) in cases.iter().enumerate() {
        let bundle = sound.copy(&dir.path().join(n.to_string()));
        assert!(!reasons(&bundle).contains(&"times_disagree".to_owned()));
        tamper(&bundle);
        bundle.derive_again();
        assert!(reasons(&bundle).contains(&"times_disagree".to_owned()), "{what}: {:?}", reasons(&bundle));
    }
}

#[test]
fn what_honest_hosts_do_by_accident_is_no_contradiction() {
    let sound = Sound::new();
    let dir = tempfile::tempdir().unwrap();
    let cases: [(&str, Edit); 3] = [
        // Numbers come again, and within a namespace they are small.
        ("one process id for all", |b| {
            for lane in [BASELINE, CONTROL, ROWS] {
                b.rows(lane, |row| {
                    (row["pid"], row["prologue"]["pid"]) = (7.into(), 7.into());
                    true
                });
            }
        }),
        // A host whose clock was never set.
        ("all of it in 1970", |b| {
            let shift = |at: &mut Value| *at = json!(at.as_f64().unwrap() - 1.7e9);
            b.document(STATUS, |s| shift(&mut s["updated_at_unix"]));
            b.document(MANIFEST, |m| shift(&mut m["started_at_unix_s"]));
            for lane in [BASELINE, CONTROL, ROWS] {
                b.rows(lane, |row| {
                    shift(&mut row["started_at_unix_s"]);
                    true
                });
            }
        }),
        // A clock that a time service corrects while the run goes on.
        ("half a second back", |b| {
            b.document(STATUS, |s| s["updated_at_unix"] = json!(s["updated_at_unix"].as_f64().unwrap() - 0.5));
        }),
    ];
    for (n, (what, tamper)) in cases.iter().enumerate() {
        let bundle = sound.copy(&dir.path().join(n.to_string()));
        let before = reasons(&bundle);
        tamper(&bundle);
        bundle.derive_again();
        assert_eq!(reasons(&bundle), before, "{what}");
    }
}
