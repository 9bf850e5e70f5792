//! Untrusted text in every format, and what counts as what.

use super::render::ProfileHead;
use super::*;
use crate::record::controls::ControlStatus;
use crate::record::opinions::ModelOpinion;
use crate::record::outcome::Decision;
use crate::record::sources::InputSource;

fn row(more: serde_json::Value) -> ReportRow {
    let mut event =
        serde_json::json!({"scenario_id": "s", "profile_id": "p", "operation": "file-read*", "expected": "deny"});
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    ReportRow::new(serde_json::from_value(event).unwrap())
}

const POLICY: &str = "{\n  \"handled\": {\"fs\": []},\n  \"path_beneath\": [\n    {\"path\": \"/a\"}\n  ]\n}\n";
const REGISTRY: &str = "{\"probes\": {\n  \"probe\": {\n    \"expected\": \"deny\"\n  }\n}}\n";

/// Of a plan with one policy and one registry, in the folder `sub dir` of a repository.
fn documents() -> PlaceFinder<'static> {
    let document = |role: &str, path: &str, file: &str| -> InputSource {
        let sha256 = "0".repeat(64);
        let document = serde_json::json!({"role": role, "path": path, "file": file, "size": 1, "sha256": sha256});
        serde_json::from_value(document).unwrap()
    };
    let documents = vec![
        document("policy", "policies/a b.json", "inputs/policies/001-a.json"),
        document("probes", "registry/probes.json", "inputs/probes.json"),
    ];
    let read =
        |source: &InputSource| Some(if source.path.ends_with("probes.json") { REGISTRY } else { POLICY }.to_owned());
    PlaceFinder::new(documents, Box::new(read), places::SourceBase::Repository("sub dir".into()))
}

/// The report of rows that are all of one profile.
fn render(format: Format, rows: &[ReportRow]) -> String {
    let mut counts = ReportCounts::default();
    rows.iter().for_each(|row| counts.add(row));
    let head = ReportHead {
        run_id: "run".into(),
        world_id: "world".into(),
        plan_id: "plan <&>\u{1b}".into(),
        channel: "direct",
        index_sha256: "0".repeat(64),
        tool_version: "1".into(),
        folder: "out/run".into(),
        identity: None,
        host: "Linux".into(),
        made: "today".into(),
        total: counts,
        profiles: vec![ProfileHead {
            id: "p".into(),
            policy: "policies/a b.json".into(),
            policy_text: Some(POLICY.into()),
            notes: Some("says `this` <b>".into()),
            controls: Some((ControlStatus::Ok, ControlStatus::NotDerivable)),
            counts,
            duration_us: 2_500_000,
            started_at_unix_s: Some(86_400.5),
            residue: rows.iter().flat_map(|row| row.residue.clone()).collect(),
        }],
        reasons: vec![("not_clean_channel", "why")],
    };
    let mut render: Box<dyn Render> = match format {
        Format::Junit => Box::new(junit::Junit::default()),
        Format::Tap => Box::new(tap::Tap::default()),
        Format::Sarif => Box::new(sarif::Sarif::new(documents().base)),
        Format::Markdown => Box::new(markdown::Markdown::default()),
        Format::Html => Box::new(html::Html::default()),
    };
    let mut out = Vec::new();
    let mut writing = ReportInProgress {
        head: &head,
        places: documents(),
        render: render.as_mut(),
        out: &mut out,
        place: None,
        failed: None,
    };
    writing.step(|render, head, out| render.begin(head, out));
    rows.iter().for_each(|row| writing.row(row.clone()));
    writing.finish().unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn what_a_launcher_leaves_behind_is_a_finding_of_every_format() {
    let mut left = row(serde_json::json!({"expectation_id": "good", "actual": "deny", "match": true}));
    for format in ALL {
        assert!(!render(format, std::slice::from_ref(&left)).contains("launcher_residue"), "{format:?}");
    }
    left.residue = vec![".mcp.json".into()];
    for format in ALL {
        let text = render(format, std::slice::from_ref(&left));
        assert!(text.contains("launcher_residue") && text.contains(".mcp.json"), "{format:?}: {text}");
    }
}

const ALL: [Format; 5] = [Format::Junit, Format::Tap, Format::Sarif, Format::Markdown, Format::Html];

fn three() -> [ReportRow; 3] {
    [
        row(serde_json::json!({"expectation_id": "good", "actual": "deny", "match": true})),
        row(serde_json::json!({"expectation_id": "bad", "actual": "allow", "match": false})),
        row(
            serde_json::json!({"expectation_id": "open", "failure_stage": "apply", "failure_kind": "landlock_rule_target"}),
        ),
    ]
}

#[test]
fn an_undecided_row_is_an_error_and_no_row_is_left_out() {
    let junit = render(Format::Junit, &three());
    assert!(junit.contains(r#"tests="3" failures="1" errors="1" skipped="0""#), "{junit}");
    assert!(junit.contains(r#"<testcase classname="p" name="good" time="0.000"/>"#), "{junit}");
    assert!(
        junit.contains(
            r#"<failure type="unexpected_allow" message="expected deny, got allow">file-read* on \nexpected: deny\n"#
                .replace("\\n", "\n")
                .as_str()
        ),
        "{junit}"
    );
    assert!(junit.contains(r#"<error type="landlock_rule_target""#), "{junit}");

    let tap = render(Format::Tap, &three());
    assert!(tap.starts_with("TAP version 13\n1..3\n# run run, world world, channel direct, not promotable\n# p\nok 1 - good\nnot ok 2 - bad\n  ---\n"), "{tap}");
    assert!(tap.contains("not ok 3 - open\n  ---\n  severity: \"error\"\n"), "{tap}");

    let sarif: serde_json::Value = serde_json::from_str(&render(Format::Sarif, &three())).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let seen: Vec<(&str, &str, &str)> = results
        .iter()
        .map(|one| (one["ruleId"].as_str().unwrap(), one["level"].as_str().unwrap(), one["kind"].as_str().unwrap()))
        .collect();
    assert_eq!(seen, [("unexpected_allow", "error", "fail"), ("landlock_rule_target", "error", "fail")]);
    let location = &results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!(location, "sub%20dir/policies/a%20b.json");
    let rules = sarif["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), 2);
    assert_eq!(sarif["runs"][0]["properties"]["undecided"], 1);

    let markdown = render(Format::Markdown, &three());
    assert!(
        markdown.contains("1 not as expected, 1 undecided") && markdown.contains("| `p` | 3 | 1 | 1 | 1 |"),
        "{markdown}"
    );
    assert!(
        markdown.contains("- **undecided**: `landlock_rule_target`. To do: let the rule name something that exists")
            && markdown.contains("\n  - `open`: ")
            && !markdown.contains("good"),
        "{markdown}"
    );

    let html = render(Format::Html, &three());
    assert_eq!(html.matches("<tr><td>").count(), 3, "{html}");
    assert!(html.contains("<span class=\"v u\">? undecided</span>"), "{html}");
    assert!(html.contains("<b class=\"x\">1</b>not as expected"), "{html}");
    let order = ["id=\"mismatched\"", "id=\"undecided\"", "id=\"policies\"", "id=\"evidence\""];
    let places: Vec<Option<usize>> = order.iter().map(|id| html.find(id)).collect();
    assert!(places.is_sorted() && places.iter().all(Option::is_some), "{places:?}: {html}");
    assert!(!html.contains("<script") && !html.contains("src="), "{html}");
    assert!(html.matches("href=").count() == html.matches("href=\"#").count(), "nothing leads elsewhere: {html}");
}

#[test]
fn a_row_that_only_asks_is_skipped_if_it_was_answered_as_expected_and_an_error_otherwise() {
    let asked = |answer: &str| {
        row(serde_json::json!({"expectation_id": "asked", "failure_stage": "probe", "failure_kind": "oracle_only",
            "seatbelt_callouts": [{"decision": answer, "rc": 1}]}))
    };
    let good = || row(serde_json::json!({"expectation_id": "good", "actual": "deny", "match": true}));
    let rows = [good(), asked("deny")];
    let junit = render(Format::Junit, &rows);
    assert!(junit.contains(r#"tests="2" failures="0" errors="0" skipped="1""#), "{junit}");
    assert!(junit.contains(r#"<skipped message="expected deny, got undecided (oracle_only)"/>"#), "{junit}");
    let tap = render(Format::Tap, &rows);
    assert!(tap.ends_with("ok 2 - asked # SKIP only asked, and answered as expected\n"), "{tap}");
    let sarif: serde_json::Value = serde_json::from_str(&render(Format::Sarif, &rows)).unwrap();
    assert_eq!(sarif["runs"][0]["results"], serde_json::json!([]));
    let markdown = render(Format::Markdown, &rows);
    assert!(markdown.contains("all as expected, 1 only asked"), "{markdown}");
    assert!(render(Format::Html, &rows).contains("(only asked, and answered as expected)"));
    for answer in ["allow", "error"] {
        let rows = [good(), asked(answer)];
        assert!(render(Format::Junit, &rows).contains(r#"<error type="oracle_only""#), "{answer}");
        assert!(render(Format::Tap, &rows).contains("not ok 2 - asked"), "{answer}");
    }
}

#[test]
fn a_row_of_which_nothing_is_expected_is_no_pass_and_no_fault_and_an_error_if_it_is_open() {
    let good = || row(serde_json::json!({"expectation_id": "good", "actual": "deny", "match": true}));
    let any =
        |more| row(serde_json::json!({"expectation_id": "plain", "expected": "any", "actual": more, "match": null}));
    let rows = [good(), any(Some("allow"))];
    let junit = render(Format::Junit, &rows);
    assert!(junit.contains(r#"tests="2" failures="0" errors="0" skipped="1""#), "{junit}");
    assert!(junit.contains(r#"<skipped message="expected any, got allow"/>"#), "{junit}");
    let tap = render(Format::Tap, &rows);
    assert!(tap.ends_with("ok 2 - plain # SKIP nothing expected: allow\n"), "{tap}");
    let sarif: serde_json::Value = serde_json::from_str(&render(Format::Sarif, &rows)).unwrap();
    assert_eq!(sarif["runs"][0]["results"], serde_json::json!([]));
    assert_eq!(sarif["runs"][0]["properties"]["unasserted"], 1);
    let markdown = render(Format::Markdown, &rows);
    assert!(markdown.contains("1 as expected, 1 answered with nothing expected"), "{markdown}");
    assert!(render(Format::Html, &rows).contains("(nothing expected)"));
    let open = [good(), any(None)];
    assert!(render(Format::Junit, &open).contains(r#"errors="1""#));
    assert!(render(Format::Tap, &open).contains("not ok 2 - plain"));
}

#[test]
fn texts_of_strangers_stay_texts() {
    let hostile = "</td><script>\u{1b}[31m\u{0}\"'&# \\ |*_`\n...\nok 9";
    let rows =
        [row(serde_json::json!({"expectation_id": hostile, "target": hostile, "notes": hostile, "actual": "allow",
        "match": false}))];
    for format in ALL {
        let text = render(format, &rows);
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{format:?}: {text:?}");
    }
    for format in [Format::Junit, Format::Html, Format::Markdown] {
        let text = render(format, &rows);
        assert!(!text.contains("<script") && !text.contains("</td><script"), "{format:?}: {text}");
    }
    let tap = render(Format::Tap, &rows);
    assert!(!tap.lines().any(|line| line.starts_with("ok ")) && tap.contains("\\# \\\\"), "{tap}");
    assert_eq!(tap.lines().filter(|line| line.trim() == "...").count(), 1, "{tap}");
    let sarif: serde_json::Value = serde_json::from_str(&render(Format::Sarif, &rows)).unwrap();
    assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), 1);
}

#[test]
fn a_report_of_no_rows_is_whole() {
    for format in ALL {
        let text = render(format, &[]);
        assert!(text.ends_with('\n'), "{format:?}");
        if format == Format::Sarif {
            serde_json::from_str::<serde_json::Value>(&text).unwrap();
        }
    }
}

#[test]
fn a_long_list_is_cut_short_in_markdown_and_says_so() {
    let rows: Vec<ReportRow> =
        (0..150).map(|n| row(serde_json::json!({"expectation_id": format!("e{n}"), "match": false}))).collect();
    let text = render(Format::Markdown, &rows);
    assert!(text.contains("… and 50 more"), "{text}");
    assert_eq!(text.matches("**mismatch**").count(), 100);
}

#[test]
fn undecided_rows_of_one_cause_are_counted_even_where_they_are_not_listed() {
    let open = |n: usize, kind: &str| {
        row(serde_json::json!({"expectation_id": format!("e{n}"), "failure_stage": "apply", "failure_kind": kind,
            "notes": format!("`/dev/shm/sandproof-1/r{n:06}/x` cannot be opened")}))
    };
    let mut rows: Vec<ReportRow> = (0..1_429).map(|n| open(n, "landlock_rule_target")).collect();
    rows.push(open(1_429, "landlock_apply_failed"));
    let markdown = render(Format::Markdown, &rows);
    assert!(markdown.contains("- **undecided**, 1429 rows, one cause: `landlock_rule_target`"), "{markdown}");
    assert!(markdown.contains("\n  - … and 1329 more of them\n- … and 1 more\n"), "{markdown}");
    let html = render(Format::Html, &rows);
    assert!(html.contains("<b>1429 rows, one cause: </b>"), "{html}");
    assert!(html.contains("<li>… and 929 more of them</li>") && html.contains("… and 1 more row, which"), "{html}");
    let alone = render(Format::Markdown, &rows[..1]);
    assert!(alone.contains("- **undecided**: `landlock_rule_target`"), "{alone}");
}

#[test]
fn markdown_shows_ids_and_targets_as_code_and_no_backtick_of_a_sentence_is_left() {
    let shown = |more: serde_json::Value| render(Format::Markdown, &[row(more)]);
    let text = shown(serde_json::json!({"expectation_id": "a:b_c", "target": "https://example.org/@x*",
        "notes": "asked as `file_read` by @x", "match": false}));
    assert!(text.contains("`a:b_c`: `file-read*` on `https://example.org/@x*`\n  - expected: deny\n"), "{text}");
    assert!(text.contains(": asked as `file_read` by \\@x"), "{text}");
    // What code cannot hold is escaped: an end of the code, of a cell, or the beginning of a tag.
    for target in ["a`b", "a|b", "<b>", " a", ""] {
        let text = shown(serde_json::json!({"expectation_id": "e", "target": target, "match": false}));
        assert!(
            text.contains(&format!(
                "on {}\n",
                target.replace('`', "\\`").replace('|', "\\|").replace("<b>", "&lt;b\\>")
            )),
            "{text}"
        );
    }
    let text = shown(serde_json::json!({"expectation_id": "e", "notes": "one ` only *", "match": false}));
    assert!(text.contains("one \\` only \\*"), "{text}");
}

#[test]
fn sarif_shows_a_mismatch_at_the_rule_that_decides_and_an_undecided_row_at_its_expectation() {
    let with = |id: &str, matched: Option<bool>, rule: &str| {
        let mut one =
            row(serde_json::json!({"expectation_id": id, "match": matched, "actual": matched.map(|_| "allow")}));
        one.probe_id = Some("probe".into());
        one.opinions.model = Some(ModelOpinion {
            source: "landlock_model".into(),
            decision: Some(Decision::Allow),
            rule: Some(rule.into()),
            rule_place: None,
            reason: "granted".into(),
            assumes: Vec::new(),
        });
        one
    };
    let rows = [
        with("pointer", Some(false), "/path_beneath/0"),
        with("place", Some(false), "5:2"),
        with("imported", Some(false), "system.sb:5:2"),
        with("open", None, "/path_beneath/0"),
        with("good", Some(true), "/path_beneath/0"),
    ];
    let sarif: serde_json::Value = serde_json::from_str(&render(Format::Sarif, &rows)).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let seen: Vec<(&str, u64, u64)> = results
        .iter()
        .map(|one| {
            let at = &one["locations"][0]["physicalLocation"];
            assert_eq!(at["artifactLocation"]["uriBaseId"], "%SRCROOT%");
            let uri = at["artifactLocation"]["uri"].as_str().unwrap();
            (uri, at["region"]["startLine"].as_u64().unwrap(), at["region"]["startColumn"].as_u64().unwrap())
        })
        .collect();
    let (policy, registry) = ("sub%20dir/policies/a%20b.json", "sub%20dir/registry/probes.json");
    assert_eq!(seen, [(policy, 4, 5), (policy, 5, 2), (registry, 3, 17), (registry, 3, 17)]);
    assert_eq!(results[0]["relatedLocations"][0]["physicalLocation"]["region"]["startLine"], 3);
    assert!(results[2].get("relatedLocations").is_none());
    assert!(sarif["runs"][0]["originalUriBaseIds"]["%SRCROOT%"]["description"]["text"].is_string());
    // Two rows that one rule decides stay two, and the same row stays the same.
    let print = |one: &serde_json::Value| one["partialFingerprints"]["primaryLocationLineHash"].to_string();
    let prints: std::collections::BTreeSet<String> = results.iter().map(print).collect();
    assert_eq!(prints.len(), results.len());
    assert!(prints.iter().all(|print| print.len() == 20 && print.ends_with(":1\"")), "{prints:?}");
    let alone: serde_json::Value = serde_json::from_str(&render(Format::Sarif, &rows[1..2])).unwrap();
    assert_eq!(print(&alone["runs"][0]["results"][0]), print(&results[1]));
}

#[test]
fn every_rule_of_sarif_says_what_it_means_and_what_to_do() {
    let kinds = crate::record::outcome::FailureKind::ALL.iter().map(|kind| kind.as_str());
    let rows: Vec<ReportRow> = kinds
        .clone()
        .map(|kind| row(serde_json::json!({"expectation_id": kind, "failure_kind": kind, "failure_stage": "probe"})))
        .chain(["allow", "deny"].map(|actual| row(serde_json::json!({"actual": actual, "match": false}))))
        .chain([row(serde_json::json!({"failure_kind": "of_another_program"})), row(serde_json::json!({}))])
        .collect();
    let sarif: serde_json::Value = serde_json::from_str(&render(Format::Sarif, &rows)).unwrap();
    let rules = sarif["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), kinds.count() + 4);
    let mut meanings = std::collections::BTreeSet::new();
    for rule in rules {
        for text in ["shortDescription", "fullDescription", "help"] {
            let text = rule[text]["text"].as_str().unwrap();
            assert!(text.ends_with('.') && !text.contains("  "), "{rule}");
        }
        meanings.insert(rule["fullDescription"]["text"].as_str().unwrap());
        let name = rule["name"].as_str().unwrap();
        assert!(name.chars().all(char::is_alphanumeric) && name.starts_with(char::is_uppercase), "{rule}");
    }
    assert_eq!(meanings.len(), rules.len() - 1, "only kinds that are not known share one");
    let driver = &sarif["runs"][0]["tool"]["driver"];
    assert!(driver.get("informationUri").is_none(), "no page of that address is known to be ours");
}

#[test]
fn sarif_has_no_more_results_than_are_taken_and_says_how_many_it_leaves_out() {
    let read = |count: u64| -> serde_json::Value {
        let one = |n| row(serde_json::json!({"expectation_id": format!("e{n}"), "match": false}));
        let rows: Vec<ReportRow> = (0..count).map(one).collect();
        serde_json::from_str(&render(Format::Sarif, &rows)).unwrap()
    };
    let full = read(sarif::MOST_RESULTS);
    assert_eq!(full["runs"][0]["results"].as_array().unwrap().len() as u64, sarif::MOST_RESULTS);
    assert!(full["runs"][0]["invocations"][0].get("toolExecutionNotifications").is_none());
    let more = read(sarif::MOST_RESULTS + 7);
    let run = &more["runs"][0];
    assert_eq!(run["results"].as_array().unwrap().len() as u64, sarif::MOST_RESULTS);
    let said = (&run["properties"]["mismatched"], &run["properties"]["results_left_out"]);
    assert_eq!(said, (&25_007.into(), &7.into()));
    let note = &run["invocations"][0]["toolExecutionNotifications"][0];
    assert!(note["message"]["text"].as_str().unwrap().contains("7 are left out"), "{note}");
    // What a launcher leaves behind is a result as well, and takes the place of a row.
    let mut rows: Vec<ReportRow> = vec![row(serde_json::json!({"match": false})); sarif::MOST_RESULTS as usize];
    rows[0].residue = vec![".mcp.json".into()];
    let crowded: serde_json::Value = serde_json::from_str(&render(Format::Sarif, &rows)).unwrap();
    let run = &crowded["runs"][0];
    assert_eq!(run["results"].as_array().unwrap().len() as u64, sarif::MOST_RESULTS);
    assert_eq!(run["properties"]["results_left_out"], 1);
}

#[test]
fn junit_has_times_and_what_the_run_was() {
    let mut rows = three();
    rows[0].duration_us = 1_389;
    let text = render(Format::Junit, &rows);
    assert!(text.contains(r#"name="good" time="0.001"/>"#), "{text}");
    assert!(text.contains(r#" time="2.500" timestamp="1970-01-02T00:00:00">"#), "{text}");
    for (name, value) in [
        ("run_id", "run"),
        ("world_id", "world"),
        ("channel", "direct"),
        ("promotable", "false"),
        ("policy", "policies/a b.json"),
        ("plan_id", "plan &lt;&amp;&gt;\u{fffd}"),
    ] {
        assert!(text.contains(&format!(r#"<property name="{name}" value="{value}"/>"#)), "{name}: {text}");
    }
    assert_eq!(text.matches(" time=\"").count(), 3 + 2, "each case, the suite and all of them: {text}");
}
