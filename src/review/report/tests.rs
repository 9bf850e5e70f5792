//! Texts of strangers in every format, and what counts as what.

use super::*;

fn row(more: serde_json::Value) -> Row {
    let mut event =
        serde_json::json!({"scenario_id": "s", "profile_id": "p", "operation": "file-read*", "expected": "deny"});
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Row::new(serde_json::from_value(event).unwrap())
}

/// The report of rows that are all of one profile.
fn render(format: Format, rows: &[Row]) -> String {
    let mut counts = Counts::default();
    rows.iter().for_each(|row| counts.add(row.verdict));
    let head = Head {
        run_id: "run".into(),
        world_id: "world".into(),
        plan_id: "plan <&>\u{1b}".into(),
        channel: "direct",
        index_sha256: "0".repeat(64),
        tool_version: "1".into(),
        total: counts,
        profiles: vec![ProfileHead { id: "p".into(), policy: "policies/a b.json".into(), counts }],
        reasons: vec![("not_clean_channel", "why")],
    };
    let mut render: Box<dyn Render> = match format {
        Format::Junit => Box::new(junit::Junit),
        Format::Tap => Box::new(tap::Tap::default()),
        Format::Sarif => Box::new(sarif::Sarif::default()),
        Format::Markdown => Box::new(markdown::Markdown::default()),
        Format::Html => Box::new(html::Html),
    };
    let mut out = Vec::new();
    let mut writing = Writing { head: &head, render: render.as_mut(), out: &mut out, place: None, failed: None };
    writing.step(|render, head, out| render.begin(head, out));
    rows.iter().for_each(|row| writing.row(row));
    writing.finish().unwrap();
    String::from_utf8(out).unwrap()
}

const ALL: [Format; 5] = [Format::Junit, Format::Tap, Format::Sarif, Format::Markdown, Format::Html];

fn three() -> [Row; 3] {
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
    assert!(junit.contains(r#"<testcase classname="p" name="good"/>"#), "{junit}");
    assert!(junit.contains(r#"<failure type="unexpected_allow" message="expected deny, got allow">"#), "{junit}");
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
    assert_eq!(location, "policies/a%20b.json");
    let rules = sarif["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), 2);
    assert_eq!(sarif["runs"][0]["properties"]["undecided"], 1);

    let markdown = render(Format::Markdown, &three());
    assert!(
        markdown.contains("1 not as expected, 1 undecided") && markdown.contains("| `p` | 3 | 1 | 1 | 1 |"),
        "{markdown}"
    );
    assert!(markdown.contains("**undecided** `open`") && !markdown.contains("good"), "{markdown}");

    let html = render(Format::Html, &three());
    assert_eq!(html.matches("<tr class=").count(), 3, "{html}");
    assert!(html.contains("<tr class=\"undecided\"><td>open</td>"), "{html}");
    assert!(!html.contains("<script") && !html.contains("src=") && !html.contains("href="), "{html}");
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
    let rows: Vec<Row> =
        (0..150).map(|n| row(serde_json::json!({"expectation_id": format!("e{n}"), "match": false}))).collect();
    let text = render(Format::Markdown, &rows);
    assert!(text.contains("… and 50 more"), "{text}");
    assert_eq!(text.matches("**mismatch**").count(), 100);
}

#[test]
fn markdown_shows_ids_and_targets_as_code_and_no_backtick_of_a_sentence_is_left() {
    let shown = |more: serde_json::Value| render(Format::Markdown, &[row(more)]);
    let text = shown(serde_json::json!({"expectation_id": "a:b_c", "target": "https://example.org/@x*",
        "notes": "asked as `file_read` by @x", "match": false}));
    assert!(text.contains("`a:b_c`: `file-read*` on `https://example.org/@x*`: expected deny"), "{text}");
    assert!(text.contains(": asked as `file_read` by \\@x"), "{text}");
    // What code cannot hold is escaped: an end of the code, of a cell, or the beginning of a tag.
    for target in ["a`b", "a|b", "<b>", " a", ""] {
        let text = shown(serde_json::json!({"expectation_id": "e", "target": target, "match": false}));
        assert!(
            text.contains(&format!(
                "on {}: ",
                target.replace('`', "\\`").replace('|', "\\|").replace("<b>", "&lt;b\\>")
            )),
            "{text}"
        );
    }
    let text = shown(serde_json::json!({"expectation_id": "e", "notes": "one ` only *", "match": false}));
    assert!(text.contains("one \\` only \\*"), "{text}");
}
