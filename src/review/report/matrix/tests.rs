//! What a matrix looks like in each form, and which column and question an answer is filed under.

use super::super::row::ReportCounts;
use super::store::CellWriter;
use super::*;
use crate::base::digest::Digest;
use crate::record::enforcer::PolicyMode;
use crate::record::launcher::{Mechanism, NameKind, StartMode};
use crate::record::launcher_matrix::{
    ClaimCounts, MatrixCell, MatrixClaim, MatrixColumn, MatrixCounts, MatrixQuestion,
};
use crate::record::outcome::Decision;

fn column(label: &str, version: Option<&str>) -> MatrixColumn {
    MatrixColumn {
        label: label.to_owned(),
        bundle: 1,
        run_id: format!("run-of-{label}"),
        identity: None,
        index_sha256: Digest::of(b"index"),
        plan_id: "plan".into(),
        world_id: "world".into(),
        mode: PolicyMode::Launcher,
        policy: format!("launchers/{label}.json"),
        policy_sha256: Some(Digest::of(label.as_bytes())),
        launcher_id: Some(label.to_owned()),
        version: version.map(str::to_owned),
        programs: Vec::new(),
        profiles: vec!["p".into()],
        starts: vec![StartMode::Live],
        residue: Vec::new(),
        counts: MatrixCounts { questions: 2, as_expected: 1, mismatched: 0, undecided: 1, asked: 0, unasserted: 0 },
        claims: ClaimCounts::default(),
    }
}

fn question(probe_id: &str, target: &str) -> MatrixQuestion {
    MatrixQuestion {
        probe_id: probe_id.into(),
        operation: "file-read-data".into(),
        target: target.into(),
        driver: "file_read".into(),
    }
}

fn cell(expected: Decision, actual: Option<Decision>) -> MatrixCell {
    MatrixCell {
        profile_id: "p".into(),
        expectation_id: "e".into(),
        expected: Some(expected.into()),
        actual,
        matched: actual.map(|actual| actual == expected),
        undecided: actual.is_none().then(|| "launcher_not_started".into()),
        notes: None,
        errno: None,
        mechanism: None,
        via: None,
        covered_by: None,
        object: None,
        by_name: None,
        name: None,
        start: Some(StartMode::Live),
        claim: None,
    }
}

fn claim(is: Decision, borne_out: Option<bool>) -> Option<MatrixClaim> {
    Some(MatrixClaim { is, source: "https://example.org/README".into(), borne_out })
}

/// Of two launchers and a dead one, with texts that steer terminals and mark up pages.
fn sample() -> Matrix {
    let mut columns = vec![column("box", Some("box 1.0")), column("none", None), column("<dead>\u{1b}[31m|", None)];
    columns[1].residue = vec![".left".into()];
    columns[0].claims = ClaimCounts { borne_out: 1, contradicted: 1, open: 0 };
    columns[2].starts.clear();
    let mut stored = CellWriter::new().unwrap();
    let rows = [
        (
            question("read_secret", "${outside}/secret"),
            vec![
                (
                    0,
                    MatrixCell {
                        mechanism: Some(Mechanism::Hidden),
                        covered_by: Some("tmpfs on /x (0:41 /)".into()),
                        errno: Some("ENOENT".into()),
                        claim: claim(Decision::Deny, Some(true)),
                        ..cell(Decision::Deny, Some(Decision::Deny))
                    },
                ),
                (1, cell(Decision::Deny, Some(Decision::Allow))),
                (2, MatrixCell { start: None, ..cell(Decision::Deny, None) }),
            ],
        ),
        (
            question("read_again|<b>\u{202e}", "${outside}/a very long path that no terminal has room for/secret"),
            vec![(
                0,
                MatrixCell {
                    name: Some(NameKind::Mount),
                    by_name: Some(Mechanism::Hidden),
                    claim: claim(Decision::Deny, Some(false)),
                    ..cell(Decision::Allow, Some(Decision::Allow))
                },
            )],
        ),
    ];
    let (mut questions, mut cells, mut longest) = (Vec::new(), Vec::new(), 0);
    for (number, (question, answers)) in (0..).zip(rows) {
        longest = longest.max(words::question(&question).chars().count());
        questions.push(stored.put(&question).unwrap());
        cells.extend(answers.iter().map(|(column, cell)| (number, *column, stored.put(cell).unwrap())));
    }
    let counts = ReportCounts { rows: 4, matched: 2, mismatched: 1, undecided: 1, ..ReportCounts::default() };
    Matrix { columns, questions, cells, stored: stored.finish().unwrap(), counts, longest }
}

fn written(form: MatrixForm) -> String {
    let mut out = Vec::new();
    write(&sample(), form, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn people_see_mechanisms_claims_and_what_is_open() {
    let text = written(MatrixForm::Text(None));
    let has = |text: &str, lines: &[&str]| {
        for line in lines {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    };
    has(
        &text,
        &[
            "read_secret  file-read-data ${outside}/secret ",
            "  hidden       allow !      ?\n",
            "  allow *      -            -\n",
            "none, read_secret  file-read-data ${outside}/secret: expected deny, allow\n",
            "under another name (mount); hidden under the one that is spelled",
            "not as documented: deny (https://example.org/README)",
            "undecided (launcher_not_started)",
            "\nas documented ",
            "box: box 1.0; launcher launchers/box.json; reached live; run run-of-box\n",
            "left in the workspace: .left",
            "never reached",
        ],
    );
    has(
        &written(MatrixForm::Markdown),
        &[
            "| `read_secret`: `file-read-data` on `${outside}/secret` | hidden | **allow** | undecided |\n",
            "| allow † |  |  |\n",
            "- `none`, `read_secret`: expected deny, allow\n",
        ],
    );
    has(
        &written(MatrixForm::Html),
        &[
            "<td class=\"mismatched\"><b class=\"allow\">allow</b> <span>(expected deny)</span></td>",
            "<td class=\"undecided\"><b class=\"open\">undecided</b>",
            "<td class=\"matched against\"><b class=\"allow\">allow</b>",
            "<small>ENOENT, covered by tmpfs on /x (0:41 /)</small>",
            "<td>–</td>",
        ],
    );
}

#[test]
fn programs_get_every_answer_under_its_columns_label() {
    let document: serde_json::Value = serde_json::from_str(&written(MatrixForm::Json)).unwrap();
    assert_eq!(document["schema_version"], "sandproof.matrix.v1");
    let answers = &document["questions"][0]["answers"];
    assert_eq!(answers["box"]["mechanism"], "hidden");
    assert_eq!(answers["none"]["match"], false);
    assert_eq!(answers.as_object().unwrap().len(), 3);
    assert_eq!(document["questions"][1]["answers"].as_object().unwrap().len(), 1, "what was not asked is absent");
}

#[test]
fn a_table_is_as_wide_as_its_terminal_and_shows_every_column_there() {
    for width in [40, 60, 80, 200] {
        let text = written(MatrixForm::Text(Some(width)));
        let table: Vec<&str> = text.lines().take_while(|line| !line.starts_with("! not")).collect();
        for line in &table {
            // Questions and one column stand in it, however narrow it is.
            assert!(line.chars().count() <= width.max(54), "{width}: {line}");
        }
        let heads: String = table.iter().filter(|line| line.starts_with("QUESTION")).copied().collect();
        for label in ["box", "none", "<dead>"] {
            assert_eq!(heads.matches(label).count(), 1, "{width}: {text}");
        }
    }
    assert!(written(MatrixForm::Text(Some(40))).matches("QUESTION").count() > 1, "columns without room follow below");
}

#[test]
fn texts_of_strangers_steer_nothing() {
    for form in [MatrixForm::Text(None), MatrixForm::Markdown, MatrixForm::Html] {
        let text = written(form);
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
    }
    let html = written(MatrixForm::Html);
    assert!(!html.contains("<dead>") && !html.contains("<b>read") && !html.contains("|<b>"), "{html}");
    assert!(!html.contains("<script") && !html.contains("src=") && !html.contains("href="), "{html}");
    let markdown = written(MatrixForm::Markdown);
    let rows = markdown.lines().filter(|line| line.starts_with("| ")).map(|line| line.replace("\\|", ""));
    for row in rows {
        assert_eq!(row.matches('|').count(), 5, "{row}");
    }
}
