//! Forged bundles: the implementation has to find what the vector says.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Deserialize;

use super::calling::{ConformanceError, ConformanceRequest, Differs, VectorAnswer, call, ended, word};
use super::forge::forge;
use super::vectors::{self, FORGERIES, Forgeries, Forgery};
use crate::process::tool::ToolOutput;

/// The code of a document of a wrong shape. `malformed` is the same for whoever reads by schemas (SPEC.md, section 3.1).
const SHAPE: &str = "schema_not_satisfied";

/// What an implementation says of a bundle.
#[derive(Debug, Deserialize)]
struct BundleAnswer {
    ok: bool,
    errors: Vec<FoundCode>,
}

#[derive(Debug, Deserialize)]
struct FoundCode {
    code: String,
}

/// Puts the implementation to every forged bundle.
pub(super) fn ask(request: &ConformanceRequest<'_>, command: &[String]) -> Result<Vec<VectorAnswer>, ConformanceError> {
    let Forgeries { forgeries } = vectors::read(request.vectors, FORGERIES)?;
    let mut folders = Vec::new();
    for (number, vector) in forgeries.iter().enumerate() {
        let folder: PathBuf = request.scratch.join(format!("forgery-{number}")).join("run");
        forge(&request.vectors.join(&vector.base), &folder, vector)
            .map_err(|reason| ConformanceError::Vector { vector: vector.name.clone(), reason })?;
        folders.push(word(&folder));
    }
    let here = std::path::Path::new(".");
    let judged = |vector: &Forgery, differs| VectorAnswer { name: vector.name.clone(), differs };
    if request.many {
        let output = call(request, command, folders, here, None)?;
        let mut lines = output.stdout.lines();
        let answers = forgeries.iter().map(|vector| {
            let differs = match lines.next() {
                Some(line) => compare(vector, line, None, request.reference, &output),
                None => Some(without_answer(vector, request.reference, &output)),
            };
            judged(vector, differs)
        });
        return Ok(answers.collect());
    }
    let one = |(vector, folder): (&Forgery, String)| {
        let output = call(request, command, vec![folder], here, None)?;
        Ok(judged(vector, compare(vector, &output.stdout, Some(output.exit_status()), request.reference, &output)))
    };
    forgeries.iter().zip(folders).map(one).collect()
}

/// The codes that an implementation has to find.
fn wanted(vector: &Forgery, reference: bool) -> BTreeSet<&str> {
    let only_program = vector.reference && !reference;
    vector.codes.iter().map(String::as_str).filter(|_| !only_program).collect()
}

fn shown(codes: &BTreeSet<&str>) -> String {
    if codes.is_empty() {
        return "accepted".to_owned();
    }
    format!("refused with {}", codes.iter().copied().collect::<Vec<_>>().join(", "))
}

fn without_answer(vector: &Forgery, reference: bool, output: &ToolOutput) -> Differs {
    Differs { expected: shown(&wanted(vector, reference)), found: format!("no answer ({})", ended(output)) }
}

/// In what an answer differs from the vector. `exit`: how the command ended, if it was called for this bundle alone.
fn compare(
    vector: &Forgery,
    answer: &str,
    exit: Option<Option<i32>>,
    reference: bool,
    output: &ToolOutput,
) -> Option<Differs> {
    let wanted = wanted(vector, reference);
    let Ok(answer) = serde_json::from_str::<BundleAnswer>(answer) else {
        return Some(without_answer(vector, reference, output));
    };
    let found: BTreeSet<&str> = answer.errors.iter().map(|one| one.code.as_str()).collect();
    let right_exit = exit.is_none_or(|code| code == Some(if wanted.is_empty() { 0 } else { 4 }));
    if agree(&found, &wanted) && answer.ok == wanted.is_empty() && right_exit {
        return None;
    }
    let mut told =
        if answer.ok == found.is_empty() { shown(&found) } else { format!("`ok` is {}, {}", answer.ok, shown(&found)) };
    if exit.is_some() {
        told = format!("{told} ({})", ended(output));
    }
    Some(Differs { expected: shown(&wanted), found: told })
}

/// Whether two sets of codes agree: of documents of a wrong shape that alone counts, and beside something else it does not.
fn agree(found: &BTreeSet<&str>, wanted: &BTreeSet<&str>) -> bool {
    let one = |codes: &BTreeSet<&str>| -> BTreeSet<String> {
        codes.iter().map(|code| if *code == "malformed" { SHAPE } else { code }.to_owned()).collect()
    };
    let (mut found, wanted) = (one(found), one(wanted));
    if wanted.contains(SHAPE) {
        return found.contains(SHAPE);
    }
    if found.len() > 1 {
        found.remove(SHAPE);
    }
    found == wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agrees(found: &[&str], wanted: &[&str]) -> bool {
        agree(&found.iter().copied().collect(), &wanted.iter().copied().collect())
    }

    #[test]
    fn a_wrong_shape_is_one_code_and_may_stand_beside_what_it_causes() {
        assert!(agrees(&["missing"], &["missing"]) && agrees(&[], &[]));
        assert!(agrees(&["malformed"], &["schema_not_satisfied"]));
        assert!(agrees(&["schema_not_satisfied", "other_identity"], &["malformed"]));
        assert!(agrees(&["schema_not_satisfied", "missing"], &["missing"]));
        for (found, wanted) in [
            (&["missing"][..], &["unlisted"][..]),
            (&[], &["missing"]),
            (&["missing"], &[]),
            (&["malformed"], &["missing"]),
            (&["malformed"], &[]),
            (&["missing", "unlisted"], &["missing"]),
        ] {
            assert!(!agrees(found, wanted), "{found:?} {wanted:?}");
        }
    }

    fn forgery(codes: &[&str], reference: bool) -> Forgery {
        serde_json::from_value(serde_json::json!({"name": "v", "edits": [], "codes": codes, "reference": reference}))
            .unwrap()
    }

    fn output(code: i32) -> ToolOutput {
        ToolOutput {
            argv: Vec::new(),
            code: Some(code),
            signal: None,
            stdout: String::new(),
            stderr: "it said why".into(),
        }
    }

    #[test]
    fn answer_codes_and_exit_have_to_be_right_together() {
        let refused = r#"{"ok": false, "errors": [{"code": "missing", "path": "x"}], "more": 1}"#;
        let fine = r#"{"ok": true, "errors": []}"#;
        let differs = |vector: &Forgery, answer: &str, exit: i32, reference| {
            compare(vector, answer, Some(Some(exit)), reference, &output(exit)).map(|one| (one.expected, one.found))
        };
        let vector = forgery(&["missing"], false);
        assert_eq!(differs(&vector, refused, 4, false), None);
        assert!(differs(&vector, refused, 0, false).is_some());
        assert!(differs(&vector, r#"{"ok": true, "errors": [{"code": "missing"}]}"#, 4, false).is_some());
        let (expected, found) = differs(&vector, fine, 0, false).unwrap();
        assert_eq!(
            (expected.as_str(), found.as_str()),
            ("refused with missing", "accepted (exit code 0: it said why)")
        );
        let (_, found) = differs(&vector, "panic!", 101, false).unwrap();
        assert_eq!(found, "no answer (exit code 101: it said why)");
        // What only the program can see, every other verifier accepts.
        let vector = forgery(&["missing"], true);
        assert_eq!(differs(&vector, fine, 0, false), None);
        assert_eq!(differs(&vector, refused, 4, true), None);
        assert!(differs(&vector, fine, 0, true).is_some());
    }
}
