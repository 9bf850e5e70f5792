//! Tampering with the index and the documents that the run itself wrote.

use std::fs;

use serde_json::{Value, json};

use super::{Ask, Case, INDEX, MANIFEST, ROWS, STATUS, Tampered};

const fn case(name: &'static str, tamper: fn(&Tampered), says: &'static str) -> Case {
    Case { name, tamper, ask: Ask::Validate, code: 4, says }
}

const fn strict(name: &'static str, tamper: fn(&Tampered), says: &'static str) -> Case {
    Case { name, tamper, ask: Ask::Strict, code: 4, says }
}

const fn emit(name: &'static str, tamper: fn(&Tampered), says: &'static str) -> Case {
    Case { name, tamper, ask: Ask::Emit, code: 4, says }
}

fn set_path(b: &Tampered, path: &str) {
    b.entry(MANIFEST, |entry| entry["path"] = path.into());
}

fn run_id(b: &Tampered) -> String {
    b.folder.file_name().unwrap().to_str().unwrap().to_owned()
}

pub const CASES: &[Case] = &[
    case(
        "no index",
        |b| fs::remove_file(b.at(INDEX)).unwrap(),
        "artifact_index.json: it is absent: this bundle was not committed",
    ),
    strict(
        "no index, asked strictly",
        |b| fs::remove_file(b.at(INDEX)).unwrap(),
        "artifact_index.json: it is absent: this bundle was not committed",
    ),
    emit(
        "no index, for a packet",
        |b| fs::remove_file(b.at(INDEX)).unwrap(),
        "artifact_index.json: it is absent: this bundle was not committed",
    ),
    case("an empty index", |b| fs::write(b.at(INDEX), "").unwrap(), "artifact_index.json: it cannot be parsed"),
    case(
        "an index cut off",
        |b| {
            let text = b.read(INDEX);
            fs::write(b.at(INDEX), &text[..text.len() / 2]).unwrap();
        },
        "artifact_index.json: it cannot be parsed: EOF",
    ),
    case(
        "two indexes in one",
        |b| {
            let text = b.read(INDEX);
            fs::write(b.at(INDEX), format!("{text}{text}")).unwrap();
        },
        "artifact_index.json: it cannot be parsed: trailing characters",
    ),
    case(
        "an index that is a list",
        |b| fs::write(b.at(INDEX), "[]").unwrap(),
        "artifact_index.json: it cannot be parsed",
    ),
    case(
        "an index of nothing",
        |b| b.index(|i| i["artifacts"] = json!([])),
        "run_manifest.json: every bundle has it, but the index does not list it",
    ),
    case(
        "a key twice in the index",
        |b| b.edit(INDEX, "\"status\": \"ok\"", "\"status\": \"failed\", \"status\": \"ok\""),
        "artifact_index.json: it cannot be parsed: the key `status` occurs twice",
    ),
    case(
        "deep nesting in the index",
        |b| b.edit(INDEX, "\"missing\": []", &format!("\"missing\": {}{}", "[".repeat(100_000), "]".repeat(100_000))),
        "artifact_index.json: it cannot be parsed: nested deeper than 64 levels",
    ),
    case(
        "a huge number in the index",
        |b| b.edit(INDEX, "\"file_size\": ", "\"file_size\": 1e999999"),
        "artifact_index.json: it cannot be parsed: number out of range",
    ),
    case(
        "a size past all sizes",
        |b| b.edit(INDEX, "\"file_size\": ", "\"file_size\": 99999999999999999999"),
        "artifact_index.json: it cannot be parsed",
    ),
    case(
        "NaN in the index",
        |b| b.edit(INDEX, "\"file_size\": ", "\"file_size\": NaN, \"x\": "),
        "artifact_index.json: it cannot be parsed: expected value",
    ),
    case(
        "a lone surrogate in the index",
        |b| b.edit(INDEX, "\"status\": \"ok\"", "\"status\": \"\\ud800\""),
        "artifact_index.json: it cannot be parsed",
    ),
    case(
        "a string of two megabytes in the index",
        |b| b.edit(INDEX, "\"status\": \"ok\"", &format!("\"status\": \"{}\"", "x".repeat(2 << 20))),
        "artifact_index.json: it cannot be parsed: a string is longer than",
    ),
    case(
        "bytes that are no text in the index",
        |b| {
            let mut bytes = fs::read(b.at(INDEX)).unwrap();
            let at = bytes.windows(3).position(|three| three == b"run").unwrap();
            bytes[at] = 0xff;
            fs::write(b.at(INDEX), bytes).unwrap();
        },
        "artifact_index.json: it cannot be parsed",
    ),
    case(
        "a negative size",
        |b| b.entry(MANIFEST, |e| e["file_size"] = json!(-1)),
        "artifact_index.json: it cannot be parsed",
    ),
    case(
        "an unknown key in the index",
        |b| b.index(|i| i["trusted"] = json!(true)),
        "artifact_index.json: it cannot be parsed: unknown field `trusted`",
    ),
    case(
        "an index without status",
        |b| b.index(|i| drop(i.as_object_mut().unwrap().remove("status"))),
        "artifact_index.json: it cannot be parsed: missing field `status`",
    ),
    case(
        "an index of another format",
        |b| b.index(|i| i["schema_version"] = "runtime-tools.artifact_index.v9".into()),
        "artifact_index.json: its format is `runtime-tools.artifact_index.v9`",
    ),
    case(
        "`..` in an indexed path",
        |b| set_path(b, &format!("{}/rows/../run_manifest.json", b.folder.display())),
        "the index lists it, but",
    ),
    case(
        "an absolute indexed path",
        |b| set_path(b, "/etc/passwd"),
        "/etc/passwd: the index lists it, but it does not start with the bundle's own folder",
    ),
    case(
        "an empty indexed path",
        |b| set_path(b, ""),
        ": the index lists it, but it does not start with the bundle's own folder",
    ),
    case(
        "an indexed path of another run",
        |b| set_path(b, "out/other/run_manifest.json"),
        "out/other/run_manifest.json: the index lists it, but",
    ),
    case(
        "a NUL in an indexed path",
        |b| {
            b.index(|i| {
                let root = i["bundle_root"].as_str().unwrap().to_owned();
                i["artifacts"][0]["path"] = format!("{root}/a\u{0}b").into();
            })
        },
        "a\\u{0}b: the index lists it, but",
    ),
    case("the index lists itself", |b| b.agree(INDEX), "artifact_index.json: the index lists itself"),
    case(
        "a file listed twice",
        |b| {
            b.index(|i| {
                let entry = i["artifacts"][1].clone();
                i["artifacts"].as_array_mut().unwrap().insert(1, entry);
            })
        },
        "run_manifest.json: the index lists it twice",
    ),
    case(
        "a twin in another case in the index",
        |b| {
            b.index(|i| {
                let mut entry = i["artifacts"][1].clone();
                let twin = entry["path"].as_str().unwrap().replace("run_manifest", "Run_manifest");
                entry["path"] = twin.into();
                i["artifacts"].as_array_mut().unwrap().insert(1, entry);
            })
        },
        "Run_manifest.json",
    ),
    case(
        "another order in the index",
        |b| b.index(|i| i["artifacts"].as_array_mut().unwrap().swap(0, 1)),
        "artifact_index.json: its artifacts are not in index order",
    ),
    case(
        "five thousand entries",
        |b| {
            b.index(|i| {
                let entry = i["artifacts"][1].clone();
                let root = i["bundle_root"].as_str().unwrap().to_owned();
                let many = (0..5_000).map(|n| {
                    let mut one = entry.clone();
                    one["path"] = format!("{root}/f{n}").into();
                    one
                });
                i["artifacts"].as_array_mut().unwrap().extend(many);
            })
        },
        "artifact_index.json: there are more than 4096 files",
    ),
    case(
        "another size in the index",
        |b| b.entry(MANIFEST, |e| e["file_size"] = json!(1)),
        "run_manifest.json: it has",
    ),
    case(
        "another digest in the index",
        |b| b.entry(ROWS, |e| e["sha256"] = "0".repeat(64).into()),
        "rows/scenario.jsonl: its content differs from the indexed digest",
    ),
    case(
        "a digest in capitals",
        |b| b.entry(MANIFEST, |e| e["sha256"] = e["sha256"].as_str().unwrap().to_uppercase().into()),
        "artifact_index.json: it cannot be parsed",
    ),
    case(
        "no digest",
        |b| b.entry(MANIFEST, |e| drop(e.as_object_mut().unwrap().remove("sha256"))),
        "artifact_index.json: it cannot be parsed: missing field `sha256`",
    ),
    case(
        "another schema version in the index",
        |b| b.entry(ROWS, |e| e["schema_version"] = "row.v9".into()),
        "rows/scenario.jsonl: it has the schema version",
    ),
    case("the index of another run", |b| b.index(|i| i["run_id"] = "other".into()), "run_manifest.json: its run_id is"),
    case(
        "a run id that is a path",
        |b| b.index(|i| i["run_id"] = "../x".into()),
        "artifact_index.json: it cannot be parsed",
    ),
    case(
        "the index of another world",
        |b| b.index(|i| i["world_id"] = "elsewhere".into()),
        "run_manifest.json: its world_id is",
    ),
    case(
        "a bundle root of another run",
        |b| {
            b.index(|i| {
                let root = i["bundle_root"].as_str().unwrap().to_owned();
                let text = serde_json::to_string(i).unwrap().replace(&root, "out/other");
                *i = serde_json::from_str(&text).unwrap();
            })
        },
        "artifact_index.json: its bundle_root's last part is `other`",
    ),
    case(
        "a status `partial`",
        |b| b.index(|i| i["status"] = "partial".into()),
        "artifact_index.json: its status is `partial`",
    ),
    case(
        "a file declared missing",
        |b| b.index(|i| i["missing"] = json!(["out/x/y.json"])),
        "out/x/y.json: the index says that it is missing",
    ),
    case(
        "the manifest of another run",
        |b| b.lie(MANIFEST, &run_id(b), "other"),
        "run_manifest.json: its run_id is `other`",
    ),
    case(
        "an unknown key in the manifest",
        |b| b.lie(MANIFEST, "{", "{\"clean\": true,"),
        "run_manifest.json: it cannot be parsed: unknown field `clean`",
    ),
    case(
        "a key twice in the manifest",
        |b| b.lie(MANIFEST, "{", "{\"dry_run\": true,"),
        "run_manifest.json: it cannot be parsed: the key `dry_run` occurs twice",
    ),
    case(
        "another deadline in the manifest",
        |b| b.lie(MANIFEST, "\"deadline_ms\": 1", "\"deadline_ms\": 2"),
        "the manifest says deadline_ms",
    ),
    case(
        "another plan digest in the manifest",
        |b| {
            let manifest: Value = serde_json::from_str(&b.read(MANIFEST)).unwrap();
            let digest = manifest["plan_digest"].as_str().unwrap().to_owned();
            b.lie(MANIFEST, &digest, &"0".repeat(64));
            b.lie(STATUS, &digest, &"0".repeat(64));
        },
        "the manifest says plan digest",
    ),
    case(
        "a world that fits after all",
        |b| b.lie(MANIFEST, "\"matches\": true", "\"matches\": false"),
        "the manifest's check of its world",
    ),
    case("the status of another run", |b| b.lie(STATUS, &run_id(b), "other"), "run_status.json: its run_id is `other`"),
    case(
        "the status of another channel",
        |b| b.lie(STATUS, "\"direct\"", "\"launchd_clean\""),
        "run_status.json: its channel is",
    ),
    case(
        "a run still in progress",
        |b| b.lie(STATUS, "\"complete\"", "\"in_progress\""),
        "run_status.json: the run is still in progress, or was killed",
    ),
    case("a run that failed", |b| b.lie(STATUS, "\"complete\"", "\"failed\""), "run_status.json: the run failed"),
    case(
        "a state that there is not",
        |b| b.lie(STATUS, "\"complete\"", "\"fine\""),
        "run_status.json: it cannot be parsed: unknown variant `fine`",
    ),
    case(
        "another preflight record",
        |b| b.lie("apply_preflight.json", "\"exit_code\": 0", "\"exit_code\": 1"),
        "apply_preflight.json: it differs from the record in the manifest",
    ),
];
