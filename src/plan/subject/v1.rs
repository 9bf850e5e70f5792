//! The first format of a declaration. What it gives is an identity that people hold already, so nothing here changes.
//!
//! Anything that is stated may be a value, or one of four references: `{"file": "relative/path"}` (digested here),
//! `{"digest": "sha256:…"}`, `{"absent": "why"}`, and `{"value": …}`, within which nothing is a reference. A file counts
//! by its content alone: moving it, or giving its digest instead, does not change the identity.

use serde_json::{Map, Value, json};

use super::super::diagnostic::{Diagnostic, DiagnosticKind, Diagnostics, pointer_part, shown};
use super::super::read::DocumentReader;
use super::super::schema::found;
use super::named_path::{NamedPath, plain};
use super::number::is_decimal;
use super::resolved::{AI_RUN, DEPLOYMENT, NamedInput, ResolvedSubject, SubjectFormat};
use crate::base::canon::{self, CanonProblem};
use crate::base::digest::Digest;
use crate::base::limits::{MAX_SUBJECT_BYTES, MAX_SUBJECT_FILE_BYTES, MAX_SUBJECT_FILES};
use crate::record::identity::{DeclarationPart, SYSTEM_DECLARATION_SCHEMA};
use crate::record::sources::InputRole;
use crate::record::subject_digest::NamedThing;

/// What has to be stated, by JSON pointer. The schema demands the same.
pub(super) const STATED: [&str; 23] = [
    "/schema_version",
    "/kind",
    "/artifact/model/name",
    "/artifact/model/version",
    "/artifact/model/weights",
    "/artifact/system_instructions",
    "/artifact/parameters/temperature",
    "/artifact/parameters/top_p",
    "/artifact/parameters/seed",
    "/artifact/parameters/max_output_tokens",
    "/artifact/tools",
    "/artifact/retrieval_context",
    "/artifact/conversation",
    "/artifact/memory_policy",
    "/runtime/infrastructure",
    "/runtime/scheduler",
    "/runtime/rollout",
    "/policy/approval_rules",
    "/policy/escalation",
    "/policy/veto_thresholds",
    "/history/cached_context",
    "/history/interventions",
    "/history/earlier_runs",
];
/// Which of them are numbers with a fraction, and so texts.
const DECIMALS: [&str; 2] = ["/artifact/parameters/temperature", "/artifact/parameters/top_p"];

/// What a document of this format declares. What is missing or wrong is noted.
pub(super) fn walk(
    reader: &mut DocumentReader<'_>,
    path: &str,
    value: &Value,
    notes: &mut Vec<Diagnostic>,
) -> ResolvedSubject {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut walk = SubjectWalk {
        reader,
        folder,
        notes: Diagnostics { list: notes, file: path, subject: "" },
        files: Vec::new(),
        bytes: 0,
    };
    walk.check_stated(value);
    let mut members = match value.clone() {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    let parts = DeclarationPart::ALL.map(|part| match members.remove(part.as_str()) {
        Some(Value::Object(members)) => walk.members(&format!("/{}", part.as_str()), members),
        _ => Map::new(),
    });
    ResolvedSubject { parts, files: walk.files, ..ResolvedSubject::empty(SubjectFormat::First) }
}

/// A declaration being read.
struct SubjectWalk<'r, 's, 'n> {
    reader: &'r mut DocumentReader<'s>,
    folder: &'r str,
    notes: Diagnostics<'n>,
    files: Vec<NamedInput>,
    /// How many bytes the files have together.
    bytes: u64,
}

/// What an object of one member can be.
enum ReferenceKind<'v> {
    File(&'v Value),
    Digest(&'v Value),
    Absent(&'v Value),
    Value(&'v Value),
}

fn reference(members: &Map<String, Value>) -> Option<ReferenceKind<'_>> {
    let mut all = members.iter();
    let (Some((name, value)), None) = (all.next(), all.next()) else { return None };
    Some(match name.as_str() {
        "file" => ReferenceKind::File(value),
        "digest" => ReferenceKind::Digest(value),
        "absent" => ReferenceKind::Absent(value),
        "value" => ReferenceKind::Value(value),
        _ => return None,
    })
}

impl SubjectWalk<'_, '_, '_> {
    /// Reports everything that has to be stated and is not.
    fn check_stated(&mut self, declaration: &Value) {
        for pointer in STATED {
            match declaration.pointer(pointer) {
                Some(Value::Null) | None => {
                    let remedy = match pointer {
                        "/schema_version" => format!("write `{SYSTEM_DECLARATION_SCHEMA}`"),
                        "/kind" => format!("write `{AI_RUN}` or `{DEPLOYMENT}`"),
                        _ => "state it, or write {\"absent\": \"why\"}".to_owned(),
                    };
                    self.notes.error(DiagnosticKind::MissingKey, pointer, "this is not stated", remedy);
                }
                Some(value) if DECIMALS.contains(&pointer) => self.check_decimal(pointer, value),
                Some(_) => {}
            }
        }
    }

    fn check_decimal(&mut self, pointer: &str, value: &Value) {
        let absent = value.as_object().and_then(reference).is_some_and(|one| matches!(one, ReferenceKind::Absent(_)));
        if !absent && !value.as_str().is_some_and(is_decimal) {
            self.notes.error(
                DiagnosticKind::BadValue,
                pointer,
                format!("found {}, where a decimal number as a text is needed", found(value)),
                "write it like \"0.7\" or \"1\": no exponent, no zeros that could be left out",
            );
        }
    }

    /// The members of a part or an object, with references followed.
    fn members(&mut self, at: &str, members: Map<String, Value>) -> Map<String, Value> {
        let follow = |(name, value): (String, Value)| {
            self.check_name(at, &name);
            let value = self.value(&format!("{at}/{}", pointer_part(&name)), value);
            (name, value)
        };
        members.into_iter().map(follow).collect()
    }

    /// A value, with references followed. What is wrong is noted, and the value left as it is.
    fn value(&mut self, at: &str, value: Value) -> Value {
        match value {
            Value::Object(members) => match reference(&members) {
                Some(ReferenceKind::File(path)) => self.file(at, path).unwrap_or(Value::Object(members)),
                Some(ReferenceKind::Digest(digest)) => {
                    self.check_digest(at, digest);
                    Value::Object(members)
                }
                Some(ReferenceKind::Absent(reason)) => {
                    if reason.as_str().is_none_or(|reason| reason.trim().is_empty()) {
                        self.notes.error(
                            DiagnosticKind::BadValue,
                            format!("{at}/absent"),
                            format!("found {}, where the reason is needed", found(reason)),
                            format!("say in a text why it is absent; {LITERALLY}"),
                        );
                    }
                    Value::Object(members)
                }
                Some(ReferenceKind::Value(literal)) => {
                    self.check_literal(&format!("{at}/value"), literal);
                    Value::Object(members)
                }
                None => Value::Object(self.members(at, members)),
            },
            Value::Array(items) => {
                let items = items.into_iter().enumerate();
                Value::Array(items.map(|(n, item)| self.value(&format!("{at}/{n}"), item)).collect())
            }
            leaf => {
                self.check_literal(at, &leaf);
                leaf
            }
        }
    }

    /// Reports everything in a value that has no canonical form.
    fn check_literal(&mut self, at: &str, value: &Value) {
        match value {
            Value::Object(members) => {
                for (name, one) in members {
                    self.check_name(at, name);
                    self.check_literal(&format!("{at}/{}", pointer_part(name)), one);
                }
            }
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(n, one)| self.check_literal(&format!("{at}/{n}"), one));
            }
            leaf => {
                if let Err(error) = canon::canonical(leaf)
                    && !self.notes.list.iter().any(|note| note.pointer == at)
                {
                    let (problem, remedy) = advice(error.problem);
                    self.notes.error(DiagnosticKind::BadValue, at, format!("found {}, {problem}", found(leaf)), remedy);
                }
            }
        }
    }

    /// Reports a member's name that has no canonical form.
    fn check_name(&mut self, at: &str, name: &str) {
        if let Err(error) = canon::canonical(&Value::String(name.to_owned())) {
            let (problem, remedy) = advice(error.problem);
            let at = format!("{at}/{}", pointer_part(name));
            self.notes.error(DiagnosticKind::BadValue, at, format!("this member has a name {problem}"), remedy);
        }
    }

    fn check_digest(&mut self, at: &str, digest: &Value) {
        let digits = digest.as_str().and_then(|text| text.strip_prefix("sha256:"));
        if digits.is_none_or(|digits| digits.parse::<Digest>().is_err()) {
            self.notes.error(
                DiagnosticKind::BadValue,
                format!("{at}/digest"),
                format!("found {}, which is not a digest", found(digest)),
                format!("write `sha256:` and 64 lower-case hexadecimal digits; {LITERALLY}"),
            );
        }
    }

    /// A file's digest in the file's place.
    fn file(&mut self, at: &str, path: &Value) -> Option<Value> {
        let at = format!("{at}/file");
        let Some(path) = path.as_str() else {
            self.notes.error(
                DiagnosticKind::BadPath,
                at,
                format!("found {}, where the path of a file is needed", found(path)),
                format!("name a file; {LITERALLY}"),
            );
            return None;
        };
        if let Err(reason) = plain(path) {
            self.notes.error(
                DiagnosticKind::BadPath,
                at,
                format!("`{}` {reason}", shown(path)),
                format!("name a file at or below the declaration's folder by its plain relative path; {LITERALLY}"),
            );
            return None;
        }
        if self.files.len() == MAX_SUBJECT_FILES {
            let message = format!("the declaration names more than {MAX_SUBJECT_FILES} files");
            self.notes.error(DiagnosticKind::TooMany, at, message, "give the digest of what is large or many");
            return None;
        }
        let left = MAX_SUBJECT_BYTES - self.bytes;
        let cap = MAX_SUBJECT_FILE_BYTES.min(left);
        match self.reader.bytes_beneath(InputRole::SubjectFile, self.folder, path, cap) {
            Ok(bytes) => {
                let digest = bytes.digest();
                let size = bytes.len() as u64;
                self.bytes += size;
                let named = NamedPath { root: None, relative: path.to_owned() };
                let host_path = self.reader.source().host_path(self.folder, &named);
                let (path, thing) = (path.to_owned(), NamedThing::File);
                self.files.push(NamedInput { pointer: at, path, thing, size, digest, host_path });
                Some(json!({"digest": format!("sha256:{digest}")}))
            }
            Err(error) => {
                self.notes.error(
                    DiagnosticKind::Unreadable,
                    at,
                    format!("the file `{}` cannot be read: {}", shown(path), error.source),
                    format!(
                        "correct the path, or state {{\"digest\": \"sha256:…\"}} or {{\"absent\": \"why\"}} instead; {LITERALLY}"
                    ),
                );
                None
            }
        }
    }
}

/// What to do where an object of one member was taken for a reference and is none, as in the description of a tool whose
/// only property is called `file`. What the object says must stay as it is.
const LITERALLY: &str = "if this object is meant as it stands, put the whole item into {\"value\": …}, within which nothing \
                         is a reference, or keep the item in a file of its own and name it {\"file\": \"…\"}";

/// What is wrong with a value that has no canonical form, and what to do. A value that is handed to somebody as it stands
/// (a tool, a message) would be another one if it were rewritten; the bytes of a file can be any.
fn advice(problem: CanonProblem) -> (&'static str, &'static str) {
    match problem {
        CanonProblem::Fraction | CanonProblem::TooLarge => (
            if problem == CanonProblem::Fraction {
                "which is not an integer"
            } else {
                "which is larger than every reader of JSON keeps exactly"
            },
            "if it is part of what is handed over as it stands (a tool, a message), keep that in a file of its own and name it \
             {\"file\": \"…\"}; a setting is written as a text, like \"0.7\"",
        ),
        CanonProblem::NotNfc | CanonProblem::NameNotNfc => (
            "which is not in Unicode normal form C",
            "keep it as it is in a file of its own and name that {\"file\": \"…\"}: a file counts by its bytes, and another \
             spelling is another text to who is given it",
        ),
    }
}
