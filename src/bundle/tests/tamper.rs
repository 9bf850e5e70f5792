//! Bundles that were tampered with, one way each, and the finding that each must give.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use serde_json::json;

use super::fixture::{RUN, build, copy_tree, edit_entry, edit_index, path, replay_digests, rewrite, verify};
use crate::base::digest::Digest;
use crate::base::limits::{MAX_BUNDLE_DOCUMENT_BYTES, MAX_INPUT_DOCUMENT_BYTES};
use crate::bundle::observed::HashedRows;
use crate::bundle::replay_inputs::ReplayInputs;
use crate::bundle::replay_sink::ReplaySink;
use crate::bundle::verify::verify_by;
use crate::bundle::{BundleFinding, Problem, open_unverified};
use crate::evidence::RowSource;
use crate::evidence::contradiction::Times;
use crate::record::layout;
use crate::record::outcome::Lane;

const MANIFEST: &str = layout::RUN_MANIFEST;
const STATUS: &str = layout::RUN_STATUS;
const INDEX: &str = layout::ARTIFACT_INDEX;
const ROWS: &str = "rows/scenario.jsonl";

/// What is done to the bundle's folder; then the path and the code of a finding that must be there.
type Case = (&'static str, fn(&Path), &'static str, &'static str);

fn flip(at: &Path, offset: u64) {
    let file = OpenOptions::new().read(true).write(true).open(at).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 1], offset).unwrap();
}

fn replace(at: &Path, make: impl FnOnce(&Path)) {
    fs::remove_file(at).unwrap();
    make(at);
}

fn edit_text(folder: &Path, name: &str, edit: impl FnOnce(String) -> String) {
    let at = folder.join(name);
    fs::write(&at, edit(fs::read_to_string(&at).unwrap())).unwrap();
}

const CASES: &[Case] = &[
    (
        "truncated",
        |b| OpenOptions::new().write(true).open(b.join(ROWS)).unwrap().set_len(100).unwrap(),
        ROWS,
        "size_mismatch",
    ),
    ("emptied", |b| fs::write(b.join("summary.md"), "").unwrap(), "summary.md", "size_mismatch"),
    (
        "extended",
        |b| OpenOptions::new().append(true).open(b.join(ROWS)).unwrap().write_all(b"{}\n").unwrap(),
        ROWS,
        "size_mismatch",
    ),
    ("removed", |b| fs::remove_file(b.join("oracle_results.json")).unwrap(), "oracle_results.json", "missing"),
    ("rows removed", |b| fs::remove_file(b.join(ROWS)).unwrap(), ROWS, "missing"),
    ("extra file", |b| fs::write(b.join("note.txt"), "x").unwrap(), "note.txt", "unlisted"),
    ("extra hidden file", |b| fs::write(b.join("rows/.hidden"), "x").unwrap(), "rows/.hidden", "unlisted"),
    ("a LATEST in the bundle", |b| fs::write(b.join("LATEST"), "../x\n").unwrap(), "LATEST", "unlisted"),
    ("a lock in the bundle", |b| fs::write(b.join(".runtime.lock"), "").unwrap(), ".runtime.lock", "unlisted"),
    (
        "leftover temporary",
        |b| fs::write(b.join(".summary.json.0123.tmp"), "x").unwrap(),
        ".summary.json.0123.tmp",
        "leftover_temporary",
    ),
    ("extra empty folder", |b| fs::create_dir(b.join("more")).unwrap(), "more", "empty_folder"),
    ("nested empty folder", |b| fs::create_dir_all(b.join("rows/a/b")).unwrap(), "rows/a/b", "empty_folder"),
    (
        "link to a copy of the file",
        |b| {
            let aside = b.parent().unwrap().join("aside");
            fs::rename(b.join(MANIFEST), &aside).unwrap();
            symlink(aside, b.join(MANIFEST)).unwrap();
        },
        MANIFEST,
        "not_a_file",
    ),
    (
        "link beside the files",
        |b| symlink("run_manifest.json", b.join("alias.json")).unwrap(),
        "alias.json",
        "not_a_file",
    ),
    ("dangling link", |b| symlink("nowhere", b.join("dangling")).unwrap(), "dangling", "not_a_file"),
    (
        "link instead of a folder",
        |b| {
            let aside = b.parent().unwrap().join("rows-aside");
            fs::rename(b.join("rows"), &aside).unwrap();
            symlink(aside, b.join("rows")).unwrap();
        },
        "rows",
        "not_a_file",
    ),
    (
        "link instead of the index",
        |b| {
            let aside = b.parent().unwrap().join("index-aside");
            fs::rename(b.join(INDEX), &aside).unwrap();
            symlink(aside, b.join(INDEX)).unwrap();
        },
        INDEX,
        "not_a_file",
    ),
    (
        "FIFO for a file",
        |b| replace(&b.join(ROWS), |at| nix::unistd::mkfifo(at, nix::sys::stat::Mode::S_IRWXU).unwrap()),
        ROWS,
        "not_a_file",
    ),
    (
        "FIFO for the index",
        |b| replace(&b.join(INDEX), |at| nix::unistd::mkfifo(at, nix::sys::stat::Mode::S_IRWXU).unwrap()),
        INDEX,
        "not_a_file",
    ),
    ("socket", |b| drop(UnixListener::bind(b.join("s")).unwrap()), "s", "not_a_file"),
    ("folder for a file", |b| replace(&b.join(MANIFEST), |at| fs::create_dir(at).unwrap()), MANIFEST, "missing"),
    (
        "hard link",
        |b| fs::hard_link(b.join(MANIFEST), b.parent().unwrap().join("second-name")).unwrap(),
        MANIFEST,
        "hard_linked",
    ),
    ("name in another case", |b| drop(fs::copy(b.join("summary.md"), b.join("Summary.md"))), "summary.md", "case_twin"),
    ("name that no file can have", |b| fs::write(b.join("a b"), "x").unwrap(), "a b", "bad_name"),
    ("name outside ASCII", |b| fs::write(b.join("re\u{301}sume.md"), "x").unwrap(), "re\u{301}sume.md", "bad_name"),
    ("index removed", |b| fs::remove_file(b.join(INDEX)).unwrap(), INDEX, "not_committed"),
    ("index emptied", |b| fs::write(b.join(INDEX), "").unwrap(), INDEX, "malformed"),
    ("index lists nothing", |b| edit_index(b, |i| i["artifacts"] = json!([])), MANIFEST, "not_listed"),
    (
        "duplicate key in the index",
        |b| edit_text(b, INDEX, |t| t.replacen("\"status\": \"ok\"", "\"status\": \"failed\", \"status\": \"ok\"", 1)),
        INDEX,
        "malformed",
    ),
    ("two documents in the index", |b| edit_text(b, INDEX, |t| format!("{t}{t}")), INDEX, "malformed"),
    (
        "deep nesting in the index",
        |b| {
            edit_text(b, INDEX, |t| {
                t.replacen(
                    "\"missing\": []",
                    &format!("\"missing\": {}{}", "[".repeat(100_000), "]".repeat(100_000)),
                    1,
                )
            })
        },
        INDEX,
        "malformed",
    ),
    (
        "huge number in the index",
        |b| edit_text(b, INDEX, |t| t.replacen("\"file_size\": ", "\"file_size\": 1e999999", 1)),
        INDEX,
        "malformed",
    ),
    ("negative size", |b| edit_entry(b, MANIFEST, |e| e["file_size"] = json!(-1)), INDEX, "malformed"),
    ("unknown key in the index", |b| edit_index(b, |i| i["trusted"] = json!(true)), INDEX, "malformed"),
    (
        "no status in the index",
        |b| edit_index(b, |i| drop(i.as_object_mut().unwrap().remove("status"))),
        INDEX,
        "malformed",
    ),
    (
        "another format of index",
        |b| edit_index(b, |i| i["schema_version"] = json!("runtime-tools.artifact_index.v9")),
        INDEX,
        "unknown_format",
    ),
    ("bytes that are no text in the index", |b| edit_text_bytes(&b.join(INDEX)), INDEX, "malformed"),
    (
        "`..` in an indexed path",
        |b| edit_entry(b, MANIFEST, |e| e["path"] = json!("out/run-1/rows/../run_manifest.json")),
        "out/run-1/rows/../run_manifest.json",
        "bad_indexed_path",
    ),
    (
        "absolute indexed path",
        |b| edit_entry(b, MANIFEST, |e| e["path"] = json!("/etc/passwd")),
        "/etc/passwd",
        "bad_indexed_path",
    ),
    ("empty indexed path", |b| edit_entry(b, MANIFEST, |e| e["path"] = json!("")), "", "bad_indexed_path"),
    (
        "indexed path of another run",
        |b| edit_entry(b, MANIFEST, |e| e["path"] = json!("out/run-2/run_manifest.json")),
        "out/run-2/run_manifest.json",
        "bad_indexed_path",
    ),
    (
        "the index lists itself",
        |b| {
            edit_index(b, |i| {
                let entry = json!({"path": "out/run-1/artifact_index.json", "file_size": 0, "sha256": Digest::of(b"").to_string(), "schema_version": null, "identity": i["identity"]});
                i["artifacts"].as_array_mut().unwrap().push(entry);
            })
        },
        INDEX,
        "index_lists_itself",
    ),
    (
        "listed twice",
        |b| {
            edit_index(b, |i| {
                let entry = i["artifacts"][1].clone();
                i["artifacts"].as_array_mut().unwrap().insert(1, entry);
            })
        },
        MANIFEST,
        "listed_twice",
    ),
    ("another order", |b| edit_index(b, |i| i["artifacts"].as_array_mut().unwrap().swap(0, 1)), INDEX, "out_of_order"),
    ("wrong size in the index", |b| edit_entry(b, MANIFEST, |e| e["file_size"] = json!(1)), MANIFEST, "size_mismatch"),
    (
        "wrong digest in the index",
        |b| edit_entry(b, ROWS, |e| e["sha256"] = json!(Digest::of(b"x").to_string())),
        ROWS,
        "digest_mismatch",
    ),
    (
        "upper-case digest",
        |b| edit_entry(b, MANIFEST, |e| e["sha256"] = json!(e["sha256"].as_str().unwrap().to_uppercase())),
        INDEX,
        "malformed",
    ),
    (
        "no digest",
        |b| edit_entry(b, MANIFEST, |e| drop(e.as_object_mut().unwrap().remove("sha256"))),
        INDEX,
        "malformed",
    ),
    (
        "wrong schema version in the index",
        |b| edit_entry(b, ROWS, |e| e["schema_version"] = json!("row.v9")),
        ROWS,
        "schema_mismatch",
    ),
    ("index of another run", |b| edit_index(b, |i| i["run_id"] = json!("run-2")), MANIFEST, "disagrees"),
    ("manifest of another run", |b| rewrite(b, MANIFEST, |t| t.replace("run-1", "run-2")), MANIFEST, "disagrees"),
    ("status of another run", |b| rewrite(b, STATUS, |t| t.replace("run-1", "run-2")), STATUS, "disagrees"),
    (
        "two names that differ in case",
        |b| {
            fs::copy(b.join(layout::SUMMARY_TEXT), b.join("SUMMARY.md")).unwrap();
            edit_index(b, |i| {
                let all = i["artifacts"].as_array_mut().unwrap();
                let mut twin = all.iter().find(|e| e["path"] == "out/run-1/summary.md").unwrap().clone();
                twin["path"] = json!("out/run-1/SUMMARY.md");
                all.push(twin);
            });
        },
        layout::SUMMARY_TEXT,
        "case_twin",
    ),
    (
        "status of another plan",
        |b| rewrite(b, STATUS, |t| t.replace("\"plan_id\": \"plan\"", "\"plan_id\": \"plot\"")),
        STATUS,
        "disagrees",
    ),
    (
        "status of another text of the plan",
        |b| rewrite(b, STATUS, |t| t.replace(&Digest::of(b"plan").to_string(), &Digest::of(b"plot").to_string())),
        STATUS,
        "disagrees",
    ),
    ("status of another world", |b| rewrite(b, STATUS, |t| t.replace("linux-test", "other")), STATUS, "disagrees"),
    (
        "status of another channel",
        |b| rewrite(b, STATUS, |t| t.replace("direct", "launchd_clean")),
        STATUS,
        "disagrees",
    ),
    ("run id that is none", |b| edit_index(b, |i| i["run_id"] = json!("../x")), INDEX, "malformed"),
    ("state in_progress", |b| rewrite(b, STATUS, |t| t.replace("complete", "in_progress")), STATUS, "run_state"),
    ("state failed", |b| rewrite(b, STATUS, |t| t.replace("complete", "failed")), STATUS, "run_state"),
    ("state unknown", |b| rewrite(b, STATUS, |t| t.replace("complete", "fine")), STATUS, "malformed"),
    (
        "unknown key in the manifest",
        |b| rewrite(b, MANIFEST, |t| t.replacen('{', "{\"clean\": true,", 1)),
        MANIFEST,
        "malformed",
    ),
    (
        "duplicate key in the manifest",
        |b| rewrite(b, MANIFEST, |t| t.replacen('{', "{\"dry_run\": true,", 1)),
        MANIFEST,
        "malformed",
    ),
    ("index status partial", |b| edit_index(b, |i| i["status"] = json!("partial")), INDEX, "index_status"),
    (
        "declared missing",
        |b| edit_index(b, |i| i["missing"] = json!(["out/run-1/x.json"])),
        "out/run-1/x.json",
        "declared_missing",
    ),
    (
        "summary and index edited alike",
        |b| rewrite(b, layout::SUMMARY, |t| t.replace("\"ok\"", "\"better\"")),
        layout::SUMMARY,
        "not_derived",
    ),
    (
        "rows and index edited alike",
        |b| rewrite(b, ROWS, |t| t.replace("\"seq\":7,", "\"seq\":8,")),
        layout::RUNTIME_RESULTS,
        "not_derived",
    ),
    (
        "inputs and index edited alike",
        |b| rewrite(b, layout::INPUT_SOURCES, |t| t.replace("sources.v1", "sources.v2")),
        layout::EXPECTED_MATRIX,
        "not_derived",
    ),
    (
        "derived artifact taken out of both",
        |b| {
            fs::remove_file(b.join(layout::CONTROLS)).unwrap();
            edit_index(b, |i| {
                i["artifacts"].as_array_mut().unwrap().retain(|e| e["path"] != "out/run-1/controls.json")
            });
        },
        layout::CONTROLS,
        "derived_missing",
    ),
    (
        "unknown artifact put into both",
        |b| {
            fs::write(b.join("verdictz.json"), "{}").unwrap();
            edit_index(b, |i| {
                let entry = json!({"path": "out/run-1/verdictz.json", "file_size": 2, "sha256": Digest::of(b"{}").to_string(), "schema_version": null, "identity": i["identity"]});
                i["artifacts"].as_array_mut().unwrap().push(entry);
            });
        },
        "verdictz.json",
        "unknown_artifact",
    ),
    (
        "a manifest of another folder",
        |b| rewrite(b, MANIFEST, |text| text.replace("\"output_root\": \"out/", "\"output_root\": \"elsewhere/")),
        MANIFEST,
        "disagrees",
    ),
    (
        "the stamp of one artifact taken away",
        |b| edit_entry(b, layout::CONTROLS, |entry| drop(entry.as_object_mut().unwrap().remove("identity"))),
        layout::CONTROLS,
        "other_identity",
    ),
    (
        "another run's identity on one artifact",
        |b| edit_entry(b, layout::SUMMARY, |entry| entry["identity"] = json!("0".repeat(64))),
        layout::SUMMARY,
        "other_identity",
    ),
    (
        "the declaration taken away and its stamps left",
        |b| {
            fs::remove_file(b.join(layout::RUN_IDENTITY)).unwrap();
            edit_index(b, |i| {
                i["artifacts"].as_array_mut().unwrap().retain(|e| e["path"] != "out/run-1/run_identity.json")
            });
        },
        layout::RUN_MANIFEST,
        "other_identity",
    ),
    (
        "inputs taken out of both",
        |b| {
            fs::remove_file(b.join(layout::INPUT_SOURCES)).unwrap();
            edit_index(b, |i| {
                i["artifacts"].as_array_mut().unwrap().retain(|e| e["path"] != "out/run-1/inputs/sources.json")
            });
        },
        ".",
        "not_derivable",
    ),
];

fn edit_text_bytes(at: &Path) {
    let mut bytes = fs::read(at).unwrap();
    let place = bytes.windows(5).position(|window| window == b"run-1").unwrap();
    bytes[place] = 0xff;
    fs::write(at, bytes).unwrap();
}

fn findings(folder: &Path) -> Vec<BundleFinding> {
    verify(folder).map_or_else(|refused| refused.findings, |_| Vec::new())
}

#[test]
fn each_way_of_tampering_is_found_and_named() {
    let whole = tempfile::tempdir().unwrap();
    let folder = build(whole.path(), RUN).folder;
    let place = folder.strip_prefix(whole.path()).unwrap();
    for (name, tamper, path, code) in CASES {
        let out = tempfile::tempdir().unwrap();
        let folder = copy_tree(whole.path(), out.path()).join(place);
        tamper(&folder);
        let found = findings(&folder);
        let hit = found.iter().any(|finding| finding.path == *path && finding.problem.code() == *code);
        assert!(hit, "{name}: no `{code}` of `{path}` in {found:#?}");
        // The debugging view copes with whatever it is.
        open_unverified(&folder).unwrap();
    }
}

#[test]
fn one_flipped_byte_in_any_file_is_found() {
    let out = tempfile::tempdir().unwrap();
    let committed = build(out.path(), RUN);
    let folder = &committed.folder;
    for entry in &committed.index.artifacts {
        let name = entry.path.strip_prefix("out/run-1/").unwrap();
        let at = folder.join(name);
        for offset in [0, entry.file_size / 2, entry.file_size - 1] {
            flip(&at, offset);
            let found = findings(folder);
            let hit = found.iter().any(|f| f.path == name && f.problem.code() == "digest_mismatch");
            assert!(hit, "{name} at {offset}: {found:?}");
            flip(&at, offset);
        }
    }
    verify(folder).unwrap();
}

#[test]
fn a_flipped_bit_anywhere_in_the_index_is_found_or_means_nothing() {
    let out = tempfile::tempdir().unwrap();
    let folder = build(out.path(), RUN).folder;
    let at = folder.join(INDEX);
    let original = fs::read(&at).unwrap();
    let verified = verify(&folder).unwrap();
    // A prime step meets every kind of place; each offset would take half a minute.
    for offset in (0..original.len()).step_by(13) {
        let mut bytes = original.clone();
        bytes[offset] ^= 1;
        fs::write(&at, &bytes).unwrap();
        if let Ok(bundle) = verify(&folder) {
            // White space became other white space: the same index, under another digest.
            assert_eq!(bundle.index(), verified.index(), "offset {offset}");
            assert_ne!(bundle.index_sha256(), verified.index_sha256());
        }
    }
}

#[test]
fn all_problems_are_reported_at_once_and_sorted() {
    let out = tempfile::tempdir().unwrap();
    let folder = build(out.path(), RUN).folder;
    flip(&folder.join(ROWS), 10);
    flip(&folder.join(layout::SUMMARY), 10);
    fs::write(folder.join("extra"), "x").unwrap();
    fs::remove_file(folder.join(layout::CONTROLS)).unwrap();
    let found = findings(&folder);
    let shown: Vec<(&str, &str)> = found.iter().map(|f| (f.path.as_str(), f.problem.code())).collect();
    assert_eq!(
        shown,
        [
            ("controls.json", "missing"),
            ("extra", "unlisted"),
            (ROWS, "digest_mismatch"),
            ("summary.json", "digest_mismatch"),
        ]
    );
}

#[test]
fn pointers_cannot_leave_the_output_root() {
    let out = tempfile::tempdir().unwrap();
    build(out.path(), RUN);
    let latest = out.path().join(layout::LATEST);
    for bad in ["../run-1\n", "/etc\n", "", "\n", "run-1/rows\n", "run-2\n", "LATEST\n", ".\n", "run-1\nrun-1\n"] {
        fs::write(&latest, bad).unwrap();
        let found = findings(out.path());
        assert!(found.iter().any(|f| f.path == "LATEST" && f.problem.code() == "bad_pointer"), "{bad:?}: {found:?}");
    }
    fs::remove_file(&latest).unwrap();
    fs::rename(out.path().join(RUN), out.path().join("real")).unwrap();
    symlink("real", out.path().join(RUN)).unwrap();
    fs::write(&latest, "run-1\n").unwrap();
    assert_eq!(findings(out.path())[0].problem.code(), "bad_pointer");
    assert_eq!(findings(&out.path().join("nowhere"))[0].problem.code(), "no_bundle");
    assert_eq!(findings(&latest)[0].problem.code(), "no_bundle");
    let empty = tempfile::tempdir().unwrap();
    assert!(findings(empty.path()).iter().any(|f| f.problem.code() == "not_committed"));
}

#[test]
fn of_a_folder_without_an_index_no_more_is_said_than_of_any_folder() {
    let out = tempfile::tempdir().unwrap();
    let folder = build(out.path(), RUN).folder;
    symlink("/nowhere", folder.join("strange")).unwrap();
    let said = |folder: &Path| findings(folder).into_iter().map(|f| (f.path, f.problem.code())).collect::<Vec<_>>();
    assert!(said(&folder).iter().any(|(path, _)| path == "strange"), "{:?}", said(&folder));
    fs::remove_file(folder.join(INDEX)).unwrap();
    assert_eq!(said(&folder), [(INDEX.to_owned(), "not_committed")]);
    edit_text(&folder, STATUS, |text| text.replace("\"complete\"", "\"in_progress\""));
    let found = said(&folder);
    assert!(found.len() > 1 && found.iter().all(|(path, _)| path == INDEX || path == STATUS), "{found:?}");
}

#[test]
fn what_is_derived_from_is_what_was_digested() {
    let out = tempfile::tempdir().unwrap();
    let folder = build(out.path(), RUN).folder;
    // The rows change after they were looked at, and before they are read.
    let swapping = |inputs: &ReplayInputs<'_>, rows: &HashedRows, sink: &mut ReplaySink| {
        flip(&folder.join(ROWS), 30);
        replay_digests(inputs, rows, sink)
    };
    let refused = verify_by(&folder, &swapping).unwrap_err();
    let shown: Vec<_> = refused.findings.iter().map(|f| (f.path.as_str(), f.problem.code())).collect();
    assert_eq!(shown, [(ROWS, "digest_mismatch")]);
}

#[test]
fn rows_that_no_replay_read_are_digested_all_the_same() {
    let out = tempfile::tempdir().unwrap();
    let folder = build(out.path(), RUN).folder;
    // A replay that looks at nothing and says that all is well: rows are opened, but not read to their end.
    let lazy = |_: &ReplayInputs<'_>, rows: &HashedRows, _: &mut ReplaySink| {
        drop(rows.open(Lane::Scenario));
        Ok(Times::default())
    };
    let found = verify_by(&folder, &lazy).unwrap_err().findings;
    assert!(found.iter().all(|f| f.problem.code() == "derived_extra") && found.len() == 14, "{found:?}");
    flip(&folder.join(ROWS), 10);
    let found = verify_by(&folder, &lazy).unwrap_err().findings;
    assert_eq!(found.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), [ROWS]);
    assert_eq!(path(ROWS).as_str(), ROWS);
}

fn codes(folder: &Path) -> Vec<(String, &'static str)> {
    findings(folder).iter().map(|found| (found.path.clone(), found.problem.code())).collect()
}

#[test]
fn a_document_that_is_kept_has_a_smaller_limit_than_a_file_that_is_not() {
    let whole = tempfile::tempdir().unwrap();
    let folder = build(whole.path(), RUN).folder;
    for (name, code) in [("summary.json", "too_large"), (ROWS, "size_mismatch")] {
        let file = OpenOptions::new().write(true).open(folder.join(name)).unwrap();
        file.set_len(MAX_BUNDLE_DOCUMENT_BYTES + 1).unwrap();
        let found = codes(&folder);
        assert!(found.contains(&(name.to_owned(), code)), "{found:?}");
    }
}

#[test]
fn the_copied_inputs_together_have_the_limit_of_one() {
    let whole = tempfile::tempdir().unwrap();
    let folder = build(whole.path(), RUN).folder;
    let name = "inputs/policies/p.json";
    OpenOptions::new().write(true).open(folder.join(name)).unwrap().set_len(MAX_INPUT_DOCUMENT_BYTES + 1).unwrap();
    edit_entry(&folder, name, |entry| entry["file_size"] = json!(MAX_INPUT_DOCUMENT_BYTES + 1));
    let found = findings(&folder);
    assert!(found.iter().any(|f| f.path == name && matches!(f.problem, Problem::InputsTooLarge)), "{found:?}");
}

#[test]
fn an_unverified_bundle_names_what_is_missing_and_what_is_not_as_indexed() {
    let whole = tempfile::tempdir().unwrap();
    let folder = build(whole.path(), RUN).folder;
    let looked = open_unverified(&folder).unwrap();
    assert_eq!((looked.missing, looked.digest_mismatches), (Vec::<String>::new(), Vec::new()));
    fs::remove_file(folder.join("controls.json")).unwrap();
    flip(&folder.join(ROWS), 10);
    edit_text(&folder, "summary.md", |text| text + "more");
    fs::write(folder.join("extra"), "").unwrap();
    let looked = open_unverified(&folder).unwrap();
    assert_eq!(looked.missing, ["controls.json"]);
    assert_eq!(looked.digest_mismatches, [ROWS, "summary.md"]);
}
