//! The second format of a declaration: every item is held to its type, and every reference is followed.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::diagnostic::{Diagnostic, DiagnosticKind, Diagnostics, pointer_part, shown};
use super::super::read::DocumentReader;
use super::super::schema::found;
use super::reference::{self, Reference};
use super::resolved::{AI_RUN, DEPLOYMENT, NamedInput, OpenReason, ResolvedSubject, SubjectFormat};
use super::shape::{ItemType, Member, MemberShape, PARTS};
use super::{depth, immaterial, literal};
use crate::base::canon::is_normal;
use crate::base::digest::Digest;
use crate::base::limits::MAX_JSON_DEPTH;
use crate::base::number_text::NumberTexts;
use crate::record::identity::SYSTEM_DECLARATION_SCHEMA_V2;
use crate::record::open_item::OpenItem;
use crate::record::open_word::OpenWord;

/// What stands around a part in a sealed declaration, and around that in a document that holds one.
const LEVELS_AROUND: usize = 4;

/// What a document of this format declares. What is missing or wrong is noted.
pub(super) fn walk(
    reader: &mut DocumentReader<'_>,
    path: &str,
    bytes: &[u8],
    value: &Value,
    notes: &mut Vec<Diagnostic>,
) -> ResolvedSubject {
    let mut notes = Diagnostics { list: notes, file: path, subject: "" };
    let nothing = ResolvedSubject::empty(SubjectFormat::Second);
    let Some(whole) = value.as_object() else {
        let message = format!("found {}, where an object is needed", found(value));
        notes.error(DiagnosticKind::WrongType, "", message, "see `sandproof schema system_declaration_v2`");
        return nothing;
    };
    if !is_of_this_format(whole, &mut notes) {
        return nothing;
    }
    let kind = whole.get("kind").and_then(Value::as_str).unwrap_or_default();
    if ![AI_RUN, DEPLOYMENT].contains(&kind) {
        let message = match whole.get("kind") {
            Some(kind) => format!("found {}, which is no kind of system", found(kind)),
            None => "this is not stated".to_owned(),
        };
        notes.error(DiagnosticKind::BadValue, "/kind", message, format!("write `{AI_RUN}` or `{DEPLOYMENT}`"));
    }
    let known = ["schema_version", "kind", "immaterial"].into_iter().chain(PARTS.iter().map(|part| part.name));
    for name in whole.keys().filter(|name| !known.clone().any(|known| known == name.as_str())) {
        unknown_key(&mut notes, "", name, known.clone());
    }
    let mut walk = ItemWalk {
        reader,
        folder: path.rsplit_once('/').map_or("", |(folder, _)| folder),
        notes,
        numbers: NumberTexts::of(bytes, value),
        is_deployment: kind == DEPLOYMENT,
        files: Vec::new(),
        open: Vec::new(),
        texts: BTreeMap::new(),
        within: Vec::new(),
        bytes: 0,
    };
    let mut parts = PARTS.map(|part| {
        let MemberShape::Group(members) = part.shape else { return Map::new() };
        walk.part(part.name, members, whole.get(part.name))
    });
    walk.check_within(&parts);
    for (part, members) in PARTS.iter().zip(&parts) {
        if members.values().map(depth::of).max().unwrap_or_default() + LEVELS_AROUND > MAX_JSON_DEPTH {
            let message = format!("what is declared is nested too deeply for a document of {MAX_JSON_DEPTH} levels");
            let remedy = "name the deep file by {\"file\": …}, so that it counts by its bytes";
            walk.notes.error(DiagnosticKind::BadValue, format!("/{}", part.name), message, remedy);
        }
    }
    immaterial::seal(whole.get("immaterial"), &mut parts, &mut walk.notes);
    ResolvedSubject { parts, files: walk.files, open: walk.open, texts: walk.texts, ..nothing }
}

fn is_of_this_format(whole: &Map<String, Value>, notes: &mut Diagnostics<'_>) -> bool {
    let remedy = format!("write `{SYSTEM_DECLARATION_SCHEMA_V2}`, if the document has that format");
    let at = "/schema_version";
    match whole.get("schema_version") {
        Some(Value::String(format)) if format == SYSTEM_DECLARATION_SCHEMA_V2 => true,
        Some(other) => {
            let message =
                format!("found {}, where the format `{SYSTEM_DECLARATION_SCHEMA_V2}` is needed", found(other));
            notes.error(DiagnosticKind::Format, at, message, remedy);
            false
        }
        None => {
            notes.error(DiagnosticKind::MissingKey, at, "this is not stated", remedy);
            false
        }
    }
}

pub(super) fn unknown_key<'k>(
    notes: &mut Diagnostics<'_>,
    at: &str,
    name: &str,
    known: impl Iterator<Item = &'k str> + Clone,
) {
    let list: Vec<&str> = known.clone().collect();
    let otherwise = format!("remove it, or put it into `other` where there is one; known are {}", list.join(", "));
    let remedy = notes.hint(name, known, &otherwise);
    let message = format!("the key `{}` is unknown here", shown(name));
    notes.error(DiagnosticKind::UnknownKey, format!("{at}/{}", pointer_part(name)), message, remedy);
}

/// A declaration being read.
pub(super) struct ItemWalk<'r, 's, 'n> {
    pub(super) reader: &'r mut DocumentReader<'s>,
    /// The declaration's own folder.
    pub(super) folder: &'r str,
    pub(super) notes: Diagnostics<'n>,
    /// The texts of the document's numbers that have no canonical form.
    pub(super) numbers: NumberTexts,
    is_deployment: bool,
    pub(super) files: Vec<NamedInput>,
    open: Vec<OpenReason>,
    pub(super) texts: BTreeMap<Digest, String>,
    /// Items that are said to be within another: where they stand, and where that does.
    pub(super) within: Vec<(String, String)>,
    /// How many bytes were read of files that are carried.
    pub(super) bytes: u64,
}

impl ItemWalk<'_, '_, '_> {
    fn part(&mut self, name: &str, members: &'static [Member], value: Option<&Value>) -> Map<String, Value> {
        let at = format!("/{name}");
        match value {
            Some(Value::Object(given)) => self.members(&at, members, given),
            Some(Value::Null) | None => {
                self.missing(&at, members);
                Map::new()
            }
            Some(other) => {
                let message = format!("found {}, where an object is needed", found(other));
                self.notes.error(DiagnosticKind::WrongType, at, message, "state its items by name");
                Map::new()
            }
        }
    }

    fn members(&mut self, at: &str, members: &'static [Member], given: &Map<String, Value>) -> Map<String, Value> {
        for name in given.keys().filter(|name| !members.iter().any(|member| member.name == name.as_str())) {
            unknown_key(&mut self.notes, at, name, members.iter().map(|member| member.name));
        }
        let mut sealed = Map::new();
        for member in members {
            let at = format!("{at}/{}", member.name);
            let value = match (given.get(member.name), member.shape) {
                (None, _) if member.optional => continue,
                (None | Some(Value::Null), MemberShape::Item(_)) => {
                    self.not_stated(&at);
                    continue;
                }
                (None | Some(Value::Null), MemberShape::Group(members)) => {
                    self.missing(&at, members);
                    continue;
                }
                (Some(value), MemberShape::Item(item)) => self.item(&at, item, value),
                (Some(value), MemberShape::Group(members)) => Some(Value::Object(self.group(&at, members, value))),
            };
            sealed.extend(value.map(|value| (member.name.to_owned(), value)));
        }
        sealed
    }

    fn group(&mut self, at: &str, members: &'static [Member], value: &Value) -> Map<String, Value> {
        let Value::Object(given) = value else {
            let message = format!("found {}, where an object is needed", found(value));
            let names: Vec<&str> = members.iter().map(|member| member.name).collect();
            let remedy = format!(
                "state {}, or write {{\"none\": \"why\"}} or {{\"unknown\": \"why\"}} for all of them",
                names.join(", ")
            );
            self.notes.error(DiagnosticKind::WrongType, at, message, remedy);
            return Map::new();
        };
        // What is said of all is said of each, so that there are no two ways to say it.
        let whole = match reference::of(given) {
            Some(Reference::None(reason)) => Some((OpenWord::None, reason)),
            Some(Reference::Unknown(reason)) => Some((OpenWord::Unknown, reason)),
            Some(Reference::PerRun(reason)) => Some((OpenWord::PerRun, reason)),
            _ => None,
        };
        let Some((word, reason)) = whole else { return self.members(at, members, given) };
        let mut sealed = Map::new();
        for member in members.iter().filter(|member| !member.optional) {
            let at = format!("{at}/{}", member.name);
            let value = self.open(&at, word, reason);
            sealed.extend(value.map(|value| (member.name.to_owned(), value)));
        }
        sealed
    }

    /// Reports everything below that is not stated.
    fn missing(&mut self, at: &str, members: &'static [Member]) {
        for member in members.iter().filter(|member| !member.optional) {
            let at = format!("{at}/{}", member.name);
            match member.shape {
                MemberShape::Item(_) => self.not_stated(&at),
                MemberShape::Group(members) => self.missing(&at, members),
            }
        }
    }

    fn not_stated(&mut self, at: &str) {
        let remedy =
            "state it, or write {\"none\": \"why\"} if there is none, {\"unknown\": \"why\"} if nobody here knows";
        self.notes.error(DiagnosticKind::MissingKey, at, "this is not stated", remedy);
    }

    /// One item as it is sealed.
    fn item(&mut self, at: &str, item: ItemType, value: &Value) -> Option<Value> {
        let Value::Object(members) = value else { return self.plain(at, item, value) };
        match reference::of(members) {
            None => self.plain(at, item, value),
            Some(Reference::Literal(inner)) => {
                // What cannot be taken for a reference is itself, with or without the word around it.
                let at = format!("{at}/value");
                let is_structure = matches!(inner, Value::Object(members) if !members.is_empty())
                    || matches!(inner, Value::Array(items) if !items.is_empty());
                if item.takes_values() && is_structure {
                    self.literal(&at, inner)
                } else {
                    self.plain(&at, item, inner)
                }
            }
            Some(reference) => self.refer(at, item, &reference),
        }
    }

    /// A reference as it is sealed, if such an item can be one.
    pub(super) fn refer(&mut self, at: &str, item: ItemType, reference: &Reference<'_>) -> Option<Value> {
        match reference {
            Reference::None(reason) => self.open(at, OpenWord::None, reason),
            Reference::Unknown(reason) => self.open(at, OpenWord::Unknown, reason),
            Reference::PerRun(reason) => self.open(at, OpenWord::PerRun, reason),
            Reference::Absent => {
                let message = "`absent` means two things, that there is none and that nobody knows";
                let remedy = format!("write {{\"none\": \"why\"}} or {{\"unknown\": \"why\"}}; {LITERALLY}");
                self.wrong(at, message, remedy)
            }
            Reference::Malformed(name, value) => {
                let message = format!("found {}, where `{name}` needs a text", found(value));
                self.wrong(&format!("{at}/{name}"), message, format!("write a text; {LITERALLY}"))
            }
            Reference::Literal(value) => self.literal(&format!("{at}/value"), value),
            Reference::In(pointer) if item.may_be_within() => {
                self.within.push((at.to_owned(), (*pointer).to_owned()));
                Some(serde_json::json!({ "in": pointer }))
            }
            Reference::File(path) if item.is_identity() => self.sealed_file(&format!("{at}/file"), path),
            Reference::File(path) if item.takes_content() => self.file(&format!("{at}/file"), path),
            Reference::Folder(path) if item.takes_content() => self.folder(&format!("{at}/folder"), path),
            Reference::Digest(digest) if item.takes_content() => self.digest(&format!("{at}/digest"), digest),
            Reference::Json(path) if item.takes_values() => self.json(&format!("{at}/json"), path),
            Reference::Text(text) if item.takes_values() => Some(self.text(text)),
            Reference::In(_)
            | Reference::File(_)
            | Reference::Folder(_)
            | Reference::Digest(_)
            | Reference::Json(_)
            | Reference::Text(_) => {
                self.wrong(at, "this item cannot be given by a reference of this kind", item.wanted())
            }
        }
    }

    /// An item without a value.
    fn open(&mut self, at: &str, word: OpenWord, reason: &str) -> Option<Value> {
        let within = format!("{at}/{}", word.as_str());
        if reason.trim().is_empty() {
            return self.wrong(&within, "the reason is empty", format!("say in a text why; {LITERALLY}"));
        }
        if word == OpenWord::PerRun && !self.is_deployment {
            let message = "only a deployment can leave something to each run";
            return self.wrong(&within, message, "state what this run has, or {\"unknown\": \"why\"}");
        }
        let item = OpenItem { pointer: at.to_owned(), word };
        self.open.push(OpenReason { item, reason: reason.to_owned() });
        Some(word.sealed())
    }

    /// A value within a structure: references are followed in it too.
    pub(super) fn free(&mut self, at: &str, value: &Value) -> Option<Value> {
        match value {
            Value::Object(members) => match reference::of(members) {
                Some(reference) => self.refer(at, ItemType::Free, &reference),
                None => {
                    let mut sealed = Map::new();
                    for (name, one) in members {
                        self.check_name(at, name);
                        let one = self.free(&format!("{at}/{}", pointer_part(name)), one);
                        sealed.extend(one.map(|one| (name.clone(), one)));
                    }
                    Some(literal::object(sealed))
                }
            },
            Value::Array(items) => {
                let items = items.iter().enumerate();
                Some(Value::Array(items.filter_map(|(n, item)| self.free(&format!("{at}/{n}"), item)).collect()))
            }
            leaf => self.literal(at, leaf),
        }
    }

    /// A value in which nothing is a reference.
    pub(super) fn literal(&mut self, at: &str, value: &Value) -> Option<Value> {
        let mut wrong = Vec::new();
        let sealed = literal::seal(at, value.clone(), &self.numbers, &mut |at, name| {
            wrong.push((at.to_owned(), name.to_owned()))
        });
        wrong.iter().for_each(|(at, name)| self.check_name(at, name));
        Some(sealed)
    }

    /// Reports a member's name that has no canonical form.
    pub(super) fn check_name(&mut self, at: &str, name: &str) {
        if !is_normal(name) {
            let at = format!("{at}/{}", pointer_part(name));
            let message = "this member has a name which is not in Unicode normal form C";
            let remedy =
                "keep it as it is in a file of its own and name that {\"file\": \"…\"}: a file counts by its bytes";
            self.notes.error(DiagnosticKind::BadValue, at, message, remedy);
        }
    }

    /// Notes what is wrong.
    pub(super) fn wrong(&mut self, at: &str, message: impl Into<String>, remedy: impl Into<String>) -> Option<Value> {
        self.notes.error(DiagnosticKind::BadValue, at, message, remedy);
        None
    }

    /// Reports items that are said to be within something that is not declared, or is itself somewhere else.
    fn check_within(&mut self, parts: &[Map<String, Value>; 4]) {
        let whole: Map<String, Value> = PARTS
            .iter()
            .zip(parts)
            .map(|(part, members)| (part.name.to_owned(), Value::Object(members.clone())))
            .collect();
        let whole = Value::Object(whole);
        for (at, target) in std::mem::take(&mut self.within) {
            let problem = match whole.pointer(&target) {
                Some(_) if target.matches('/').count() < 2 => "is no item",
                _ if at == target || at.starts_with(&format!("{target}/")) => "is where this stands itself",
                Some(value) if OpenWord::of(value) == Some(OpenWord::None) => "is stated to be none",
                Some(value) if value.get("in").is_some_and(Value::is_string) => {
                    "is itself within something else; name that"
                }
                Some(_) => continue,
                None => "leads to nothing that is declared",
            };
            let message = format!("`{}` {problem}", shown(&target));
            let remedy =
                format!("name the item that this lies in, like {{\"in\": \"/artifact/model/weights\"}}; {LITERALLY}");
            self.wrong(&format!("{at}/in"), message, remedy);
        }
    }
}

/// What to do where an object of one member was taken for a reference and is none.
pub(super) const LITERALLY: &str = "if this object is meant as it stands, write {\"value\": …} around it";
