//! Rows and documents: the implementation reads an object a line, and prints an object a line.

use std::fs::File;
use std::path::Path;

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::calling::{ConformanceError, ConformanceRequest, Differs, VectorAnswer, call, ended};
use super::vectors::{self, ControlVectors, DigestVectors, IdentityVectors, ModelVectors, RowVectors, SeatbeltVectors};
use crate::base::digest::Digest;
use crate::base::fsx;

/// A question, and members that its answer has to have.
struct AskedLine {
    name: String,
    question: String,
    wanted: Map<String, Value>,
}

/// Puts the implementation to shapes of rows.
pub(super) fn rows(
    request: &ConformanceRequest<'_>,
    command: &[String],
) -> Result<Vec<VectorAnswer>, ConformanceError> {
    let RowVectors { rows } = vectors::read(request.vectors, "rows.json")?;
    let asked = rows.into_iter().map(|one| AskedLine {
        name: one.name,
        question: object(&[("row", one.row.get()), ("baseline", one.baseline.get()), ("mode", &text(&one.mode))]),
        wanted: one.outcome,
    });
    ask(request, command, asked.collect())
}

/// Puts the implementation to documents.
pub(super) fn values(
    request: &ConformanceRequest<'_>,
    command: &[String],
) -> Result<Vec<VectorAnswer>, ConformanceError> {
    let folder = request.vectors;
    let digests: DigestVectors = vectors::read(folder, "digests.json")?;
    let mut asked = Vec::new();
    for (path, digest) in &digests.plans {
        let (plan, _) = document(folder, path)?;
        let wanted = members([("plan_digest", json!(digest))]);
        asked.push(AskedLine { name: format!("plan {path}"), question: object(&[("plan", &plan)]), wanted });
    }
    for (path, about) in &digests.policies {
        let (policy, sha256) = document(folder, path)?;
        if sha256 != about.sha256 {
            return Err(vectors::unusable(
                folder,
                format!("`{path}` is not the document that `digests.json` is about"),
            ));
        }
        let question = object(&[("policy", &policy), ("mode", &text(&about.mode))]);
        let wanted = members([("value_sha256", json!(about.value_sha256))]);
        asked.push(AskedLine { name: format!("policy {path}"), question, wanted });
    }
    let controls: ControlVectors = vectors::read(folder, "controls.json")?;
    for (number, one) in controls.controls.into_iter().enumerate() {
        let question = object(&[("policy", one.policy.get()), ("mode", &text("landlock"))]);
        let wanted = members([("must_deny", one.must_deny), ("must_allow", one.must_allow)]);
        asked.push(AskedLine { name: format!("controls {number}"), question, wanted });
    }
    let models: ModelVectors = vectors::read(folder, "models.json")?;
    for (number, one) in models.models.into_iter().enumerate() {
        let fixtures: Vec<&str> = models.fixtures.iter().take(one.fixtures).map(|fixture| fixture.get()).collect();
        let question = object(&[
            ("policy", one.policy.get()),
            ("mode", &text("landlock")),
            ("action", one.action.get()),
            ("fixtures", &format!("[{}]", fixtures.join(","))),
        ]);
        asked.push(AskedLine { name: format!("model {number}"), question, wanted: one.answer });
    }
    let seatbelt: SeatbeltVectors = vectors::read(folder, "seatbelt.json")?;
    for (number, one) in seatbelt.seatbelt.into_iter().enumerate() {
        let question = object(&[
            ("mode", &text("sbpl")),
            ("text", &text(&one.text)),
            ("parameters", one.parameters.get()),
            ("rules", one.rules.get()),
        ]);
        let wanted = members([("value_sha256", one.value_sha256)]);
        asked.push(AskedLine { name: format!("seatbelt {number}"), question, wanted });
    }
    let identities: IdentityVectors = vectors::read(folder, "identities.json")?;
    for one in identities.identities {
        let declared: Map<String, Value> = serde_json::from_str(one.declaration.get())
            .map_err(|error| vectors::unusable(folder, format!("`identities.json`: {error}")))?;
        let said = |name: &str| declared.get(name).cloned().unwrap_or_default();
        let wanted = members([("digests", said("digests")), ("identity", said("identity"))]);
        let question = object(&[("declaration", one.declaration.get())]);
        asked.push(AskedLine { name: format!("identity {}", one.name), question, wanted });
    }
    ask(request, command, asked)
}

/// A document of the checkout that the vectors lie in, on one line, and the digest of its bytes.
fn document(folder: &Path, path: &str) -> Result<(String, Digest), ConformanceError> {
    let root = folder.join("../..");
    let bytes = vectors::bytes(&root, path).map_err(|error| match error {
        ConformanceError::Vectors { reason, .. } => vectors::unusable(
            folder,
            format!("{reason}; the documents that `digests.json` names lie in the checkout that has `tests/vectors`"),
        ),
        other => other,
    })?;
    let value: Box<RawValue> =
        serde_json::from_slice(&bytes).map_err(|error| vectors::unusable(folder, format!("`{path}`: {error}")))?;
    // No text of JSON has a line break in it, so those that are there separate.
    Ok((value.get().replace(['\n', '\r'], " "), Digest::of(&bytes)))
}

fn text(value: &str) -> String {
    Value::from(value).to_string()
}

/// An object of members that are JSON already, on one line.
fn object(members: &[(&str, &str)]) -> String {
    let members: Vec<String> =
        members.iter().map(|(name, value)| format!("{}:{}", text(name), value.replace(['\n', '\r'], " "))).collect();
    format!("{{{}}}", members.join(","))
}

fn members<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn ask(
    request: &ConformanceRequest<'_>,
    command: &[String],
    asked: Vec<AskedLine>,
) -> Result<Vec<VectorAnswer>, ConformanceError> {
    let file = request.scratch.join("questions.jsonl");
    let lines: String = asked.iter().map(|one| format!("{}\n", one.question)).collect();
    let opened = fsx::write_scratch(&file, lines.as_bytes()).and_then(|()| File::open(&file));
    let input = opened.map_err(|error| ConformanceError::Vector {
        vector: "questions".to_owned(),
        reason: format!("`{}`: {error}", file.display()),
    })?;
    let output = call(request, command, Vec::new(), Path::new("."), Some(&input))?;
    let mut answers = output.stdout.lines();
    let judged = asked.into_iter().map(|one| {
        let answer = answers.next().and_then(|line| serde_json::from_str::<Map<String, Value>>(line).ok());
        let differs = match answer {
            None => Some(Differs { expected: shown(&one.wanted), found: format!("no answer ({})", ended(&output)) }),
            Some(found) => differing(one.wanted, &found),
        };
        VectorAnswer { name: one.name, differs }
    });
    Ok(judged.collect())
}

/// The members that an answer has otherwise, or has not.
fn differing(wanted: Map<String, Value>, found: &Map<String, Value>) -> Option<Differs> {
    let other: Map<String, Value> = wanted.into_iter().filter(|(name, value)| found.get(name) != Some(value)).collect();
    if other.is_empty() {
        return None;
    }
    let theirs = other.keys().map(|name| (name.clone(), found.get(name).cloned().unwrap_or(Value::from("(absent)"))));
    Some(Differs { found: shown(&theirs.collect()), expected: shown(&other) })
}

fn shown(members: &Map<String, Value>) -> String {
    members.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_is_absent_or_other_differs_and_one_more_does_not() {
        let wanted = members([("actual", json!("deny")), ("errno", Value::Null)]);
        let found = |value: Value| value.as_object().unwrap().clone();
        assert!(differing(wanted.clone(), &found(json!({"actual": "deny", "errno": null, "more": 1}))).is_none());
        let differs = differing(wanted.clone(), &found(json!({"actual": "allow"}))).unwrap();
        assert_eq!(differs.expected, "actual \"deny\", errno null");
        assert_eq!(differs.found, "actual \"allow\", errno \"(absent)\"");
    }

    #[test]
    fn a_question_stands_on_one_line_with_its_numbers_as_they_are() {
        assert_eq!(object(&[("a\"", "{\n \"n\": 1.0e2}"), ("b", "null")]), r#"{"a\"":{  "n": 1.0e2},"b":null}"#);
    }
}
