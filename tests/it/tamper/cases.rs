//! Consistent lies: index, sizes and digests agree, and the story does not. And packets.

use std::fs;

use serde_json::{Value, json};

use super::{Ask, Case, ROWS, Tampered};

const fn case(name: &'static str, tamper: fn(&Tampered), says: &'static str) -> Case {
    Case { name, tamper, ask: Ask::Validate, code: 4, says }
}

const fn packet(name: &'static str, tamper: fn(&Tampered), says: &'static str) -> Case {
    Case { name, tamper, ask: Ask::Packet, code: 4, says }
}

fn edit_packet(b: &Tampered, edit: fn(&mut Value)) {
    let at = b.root.join("packet.json");
    let mut packet: Value = serde_json::from_slice(&fs::read(&at).unwrap()).unwrap();
    edit(&mut packet);
    fs::write(at, serde_json::to_vec_pretty(&packet).unwrap()).unwrap();
}

const BASELINE: &str = "rows/baseline.jsonl";
const CONTROL: &str = "rows/control.jsonl";
const ORACLE: &str = "rows/oracle.jsonl";

pub const CASES: &[Case] = &[
    case(
        "a better summary",
        |b| b.lie("summary.json", "\"matched\": 1", "\"matched\": 2"),
        "summary.json: it differs from what the bundle's own inputs and rows yield",
    ),
    case(
        "a better text",
        |b| b.lie("summary.md", "none", "0"),
        "summary.md: it differs from what the bundle's own inputs and rows yield",
    ),
    case(
        "an event turned round",
        |b| b.lie("runtime_events.normalized.json", "\"actual\": \"deny\"", "\"actual\": \"allow\""),
        "runtime_events.normalized.json: it differs from what",
    ),
    case(
        "a verdict turned round",
        |b| b.lie("verdicts.jsonl", "\"actual\":\"deny\"", "\"actual\":\"allow\""),
        "verdicts.jsonl: it differs from the verdicts that the bundle's own inputs and rows yield",
    ),
    case(
        "a verdict with a space",
        |b| b.lie("verdicts.jsonl", "{\"actual\":", "{ \"actual\":"),
        "verdicts.jsonl: it differs from the verdicts",
    ),
    case(
        "verdicts in a bundle of the first format",
        |b| b.lie("run_manifest.json", "\"bundle_format\": \"sandproof.bundle.v2\",", ""),
        "run_identity.json: `/policy/unconfirmed`",
    ),
    case(
        "a format that nobody knows",
        |b| b.lie("run_manifest.json", "sandproof.bundle.v2", "sandproof.bundle.v3"),
        "run_manifest.json: it cannot be parsed",
    ),
    case(
        "an event without layers",
        |b| b.lie("runtime_events.normalized.json", "\"policy_layers\"", "\"policy_layerz\""),
        "runtime_events.normalized.json: it differs from what",
    ),
    case(
        "a result that matches",
        |b| b.lie("runtime_results.json", "\"match\": true", "\"match\": false"),
        "runtime_results.json: it differs from what",
    ),
    case(
        "a baseline that denies",
        |b| b.lie("baseline_results.json", "\"status\": \"allow\"", "\"status\": \"deny\""),
        "baseline_results.json: it differs from what",
    ),
    case(
        "an expectation turned round",
        |b| b.lie("expected_matrix.json", "\"expected\": \"deny\"", "\"expected\": \"allow\""),
        "expected_matrix.json: it differs from what",
    ),
    case(
        "a mismatch invented",
        |b| b.lie("mismatch_summary.json", "\"counts\": {}", "\"counts\": {\"unexpected_deny\": 1}"),
        "mismatch_summary.json: it differs from what",
    ),
    case(
        "a mismatch packet invented",
        |b| b.forge("mismatch_packets.jsonl", b"{\"schema_version\": \"runtime-tools.mismatch_packet.v0.1\"}\n"),
        "mismatch_packets.jsonl: ",
    ),
    case(
        "another witness",
        |b| b.lie("path_witnesses.json", "\"alias_pair\": false", "\"alias_pair\": true"),
        "path_witnesses.json: it differs from what",
    ),
    case(
        "another fixture",
        |b| b.lie("fixtures.json", "\"lane\": \"baseline\"", "\"lane\": \"scenario\""),
        "fixtures.json: it differs from what",
    ),
    case(
        "a control that held",
        |b| b.lie("controls.json", "\"status\": \"ok\"", "\"status\": \"wrong\""),
        "controls.json: it differs from what",
    ),
    case(
        "an oracle that agrees",
        |b| b.lie("oracle_results.json", "\"decision\": \"allow\"", "\"decision\": \"deny\""),
        "oracle_results.json: it differs from what",
    ),
    case(
        "a refused call that went through",
        |b| {
            let line = b.read(ROWS).lines().position(|line| line.contains("\"ret\":-1,\"errno\":13")).unwrap();
            b.row(ROWS, line, |row| row.replacen("\"ret\":-1,\"errno\":13", "\"ret\":3,\"errno\":0", 1));
        },
        "rows/scenario.jsonl: it contradicts the rest of the bundle: line 2: it went through, and ends in `openat`",
    ),
    case(
        "a refused call with another error",
        |b| {
            let line = b.read(ROWS).lines().position(|line| line.contains("\"ret\":-1,\"errno\":13")).unwrap();
            b.row(ROWS, line, |row| row.replacen("\"ret\":-1,\"errno\":13", "\"ret\":-1,\"errno\":2", 1));
        },
        "runtime_results.json: it differs from what",
    ),
    case(
        "a baseline call that was refused",
        |b| b.row(BASELINE, 0, |row| row.replacen("\"errno\":0}", "\"errno\":13}", 1)),
        "baseline_results.json: it differs from what",
    ),
    case(
        "a control row that shows nothing",
        |b| b.row(CONTROL, 0, |row| row.replacen("\"ret\":-1,\"errno\":13", "\"ret\":-1,\"errno\":2", 1)),
        "controls.json: it differs from what",
    ),
    case(
        "an oracle row that the model does not answer",
        |b| b.row(ORACLE, 0, |row| row.replacen("\"decision\":\"allow\"", "\"decision\":\"deny\"", 1)),
        "`rows/oracle.jsonl`, line 1: the model answers something else",
    ),
    case(
        "a row out of order",
        |b| b.row(ROWS, 3, |row| row.replacen("\"seq\":3,", "\"seq\":4,", 1)),
        "`rows/scenario.jsonl`, line 4",
    ),
    case(
        "a row of another lane",
        |b| b.row(ROWS, 0, |row| row.replacen("\"lane\":\"scenario\"", "\"lane\":\"baseline\"", 1)),
        "`rows/scenario.jsonl`, line 1",
    ),
    case(
        "a row of another target",
        |b| b.row(ROWS, 0, |row| row.replacen("\"target\":\"", "\"target\":\"/x", 1)),
        "`rows/scenario.jsonl`, line 1",
    ),
    case(
        "a row too few",
        |b| {
            let text = b.read(ROWS);
            let end = text.trim_end().rfind('\n').unwrap();
            b.forge(ROWS, &text.as_bytes()[..=end]);
        },
        "`rows/scenario.jsonl`",
    ),
    case(
        "a row too many",
        |b| {
            let text = b.read(ROWS);
            let last = text.lines().last().unwrap();
            b.forge(ROWS, format!("{text}{last}\n").as_bytes());
        },
        "`rows/scenario.jsonl`",
    ),
    case("two rows on one line", |b| b.row(ROWS, 0, |row| format!("{row}{row}")), "`rows/scenario.jsonl`, line 1"),
    case("an empty line among the rows", |b| b.row(ROWS, 1, |row| format!("\n{row}")), "`rows/scenario.jsonl`, line 2"),
    case(
        "rows without a last line break",
        |b| {
            let text = b.read(ROWS);
            b.forge(ROWS, text.trim_end().as_bytes());
        },
        "`rows/scenario.jsonl`",
    ),
    case(
        "a key twice in a row",
        |b| b.row(ROWS, 0, |row| row.replacen('{', "{\"seq\":0,", 1)),
        "`rows/scenario.jsonl`, line 1",
    ),
    case(
        "an unknown key in a row",
        |b| b.row(ROWS, 0, |row| row.replacen('{', "{\"verdict\":\"allow\",", 1)),
        "`rows/scenario.jsonl`, line 1",
    ),
    case(
        "NaN in a row",
        |b| b.row(ROWS, 0, |row| row.replacen("\"seq\":0", "\"seq\":NaN", 1)),
        "`rows/scenario.jsonl`, line 1",
    ),
    case(
        "a lone surrogate in a row",
        |b| b.row(ROWS, 0, |row| row.replacen("\"root\":\"", "\"root\":\"\\ud800", 1)),
        "`rows/scenario.jsonl`, line 1",
    ),
    case(
        "a huge number in a row",
        |b| b.row(ROWS, 0, |row| row.replacen("\"duration_us\":", "\"duration_us\":1e999999", 1)),
        "`rows/scenario.jsonl`, line 1",
    ),
    case(
        "deep nesting in a row",
        |b| b.row(ROWS, 0, |row| row.replacen("\"seq\":0", &format!("\"seq\":{}", "[".repeat(100_000)), 1)),
        "`rows/scenario.jsonl`, line 1",
    ),
    case(
        "a row of two megabytes",
        |b| b.row(ROWS, 0, |row| row.replacen("\"root\":\"", &format!("\"root\":\"{}", "x".repeat(2 << 20)), 1)),
        "`rows/scenario.jsonl`, line 1",
    ),
    case(
        "both an ending and none",
        |b| {
            b.row(ROWS, 0, |row| {
                row.replacen('{', "{\"not_run\":{\"kind\":\"setup_failed\",\"reason\":\"x\",\"errno\":0},", 1)
            })
        },
        "`rows/scenario.jsonl`, line 1",
    ),
    case(
        "an edited plan",
        |b| {
            let sources: Value = serde_json::from_str(&b.read("inputs/sources.json")).unwrap();
            let file = sources["documents"][0]["file"].as_str().unwrap().to_owned();
            b.lie(&file, "quickstart", "quickstory");
        },
        "`inputs/sources.json` cannot be parsed: it lists",
    ),
    case(
        "sources that lead up",
        |b| b.lie("inputs/sources.json", "\"file\": \"inputs/", "\"file\": \"../inputs/"),
        "`inputs/sources.json` cannot be parsed",
    ),
    case(
        "a stray input",
        |b| {
            b.forge("inputs/stray.json", b"{}");
            b.index(|i| {
                let entries = i["artifacts"].as_array_mut().unwrap();
                let stray = entries.pop().unwrap();
                let at = entries
                    .iter()
                    .position(|e| {
                        e["path"].as_str().unwrap() > stray["path"].as_str().unwrap()
                            && e["path"].as_str().unwrap().contains("/inputs/")
                    })
                    .unwrap_or_else(|| {
                        entries.iter().position(|e| e["path"].as_str().unwrap().contains("/rows/")).unwrap()
                    });
                entries.insert(at, stray);
            });
        },
        "`inputs/stray.json` lies under inputs/ and is not an input document",
    ),
    case(
        "inputs taken out of both",
        |b| b.forget("inputs/sources.json"),
        "`inputs/sources.json` cannot be parsed: it is absent",
    ),
    case(
        "controls taken out of both",
        |b| b.forget("controls.json"),
        "controls.json: the bundle's own inputs and rows yield it, but it is absent",
    ),
    case(
        "an artifact of no kind in both",
        |b| b.forge("verdictz.json", b"{}"),
        "verdictz.json: no artifact of that name is known",
    ),
    packet(
        "the packet of another run",
        |b| drop(fs::copy(b.root.join("other-packet.json"), b.root.join("packet.json")).map(|_| edit_packet_root(b))),
        "packet.json",
    ),
    packet(
        "a packet with another index digest",
        |b| edit_packet(b, |p| p["index_sha256"] = "0".repeat(64).into()),
        "is not the packet of its bundle",
    ),
    packet(
        "a packet that says promotable",
        |b| {
            edit_packet(
                b,
                |p| p["promotability"] = json!({"promotable_decision_stage": true, "reasons": [], "gating_inputs": p["promotability"]["gating_inputs"]}),
            )
        },
        "is not the packet of its bundle",
    ),
    packet(
        "a packet cut off",
        |b| fs::write(b.root.join("packet.json"), "{\"schema_version\": ").unwrap(),
        "packet.json",
    ),
    packet(
        "a packet of another format",
        |b| edit_packet(b, |p| p["schema_version"] = "runtime-tools.promotion_packet.v9".into()),
        "packet.json",
    ),
    packet(
        "a packet whose bundle was edited",
        |b| b.edit("summary.md", "Status", "State!"),
        "summary.md: its content differs from the indexed digest",
    ),
];

/// Leads the other run's packet to this bundle.
fn edit_packet_root(b: &Tampered) {
    let at = b.root.join("packet.json");
    let text = fs::read_to_string(&at).unwrap();
    let packet: Value = serde_json::from_str(&text).unwrap();
    let manifest = packet["run_manifest"].as_str().unwrap();
    let theirs = manifest.strip_suffix("/run_manifest.json").unwrap();
    fs::write(&at, text.replace(theirs, b.folder.to_str().unwrap())).unwrap();
}
