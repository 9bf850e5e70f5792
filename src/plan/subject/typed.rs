//! Values of items that have a type, and what references come to.

use serde_json::{Map, Value, json};

use super::super::diagnostic::{DiagnosticKind, pointer_part, shown};
use super::super::read::NamedContent;
use super::super::schema::found;
use super::literal;
use super::named_path::NamedPath;
use super::number::{is_amount, is_decimal_within, moving_alias};
use super::reference::{self, Reference};
use super::resolved::NamedInput;
use super::shape::ItemType;
use super::walk::{ItemWalk, LITERALLY};
use crate::base::canon::is_normal;
use crate::base::digest::Digest;
use crate::base::json;
use crate::base::limits::{MAX_SUBJECT_BYTES, MAX_SUBJECT_FILE_BYTES, MAX_SUBJECT_FILES};
use crate::base::number_text::NumberTexts;
use crate::base::shared_bytes::SharedBytes;
use crate::record::identity::{Declaration, SYSTEM_DECLARATION_SCHEMAS};
use crate::record::open_word::OpenWord;
use crate::record::sealing;
use crate::record::subject_digest::NamedThing;

impl ItemType {
    /// Whether it can be the bytes of a file, or everything in a folder.
    pub(super) fn takes_content(self) -> bool {
        matches!(self, Self::Free | Self::Weights | Self::List)
    }

    /// Whether it can be a text, or the members of a JSON file.
    pub(super) fn takes_values(self) -> bool {
        matches!(self, Self::Free | Self::List)
    }

    /// Whether it is the identity of another declaration.
    pub(super) fn is_identity(self) -> bool {
        matches!(self, Self::Identity | Self::Identities)
    }

    /// Whether it can lie within another item.
    pub(super) fn may_be_within(self) -> bool {
        !self.is_identity() && !matches!(self, Self::Command | Self::Sandbox)
    }

    /// What to write.
    pub(super) fn wanted(self) -> &'static str {
        match self {
            Self::Name => "write a short text, or {\"none\": \"why\"}, {\"unknown\": \"why\"}",
            Self::Version => {
                "write the exact version as a text, never an alias that moves, or {\"none\": \"why\"}, {\"unknown\": \"why\"}"
            }
            Self::Free => "state it by a value or a reference, or {\"none\": \"why\"}, {\"unknown\": \"why\"}",
            Self::Weights => {
                "name them by {\"file\": \"…\"} or {\"folder\": \"…\"}, or give {\"digest\": \"sha256:…\"}, or {\"none\": \"why\"}, \
                 {\"unknown\": \"why\"}; words do not tell weights apart"
            }
            Self::List => "write a list, or name a file that holds it, or {\"none\": \"why\"}, {\"unknown\": \"why\"}",
            Self::Whole(range) if range.least == 1 => {
                "write a whole number from 1, or {\"none\": \"why\"}, {\"unknown\": \"why\"}"
            }
            Self::Whole(range) if range.least == 0 => {
                "write a whole number from 0, or {\"none\": \"why\"}, {\"unknown\": \"why\"}"
            }
            Self::Whole(_) => "write a whole number within ±(2^53 − 1), or {\"none\": \"why\"}, {\"unknown\": \"why\"}",
            Self::Decimal(_, 1) => {
                "write a decimal number from 0 to 1 as a text, like \"0.7\" or \"1\": no exponent, no zeros that could be left out; \
                 or {\"none\": \"why\"}, {\"unknown\": \"why\"}"
            }
            Self::Decimal(..) => {
                "write a decimal number from 0 to 100 as a text, like \"0.7\" or \"1\": no exponent, no zeros that could be left out; \
                 or {\"none\": \"why\"}, {\"unknown\": \"why\"}"
            }
            Self::Amount(_) => {
                "write a whole number from 0, or a text if it has a fraction, like \"2.5\", or {\"none\": \"why\"}, {\"unknown\": \"why\"}"
            }
            Self::Identity => {
                "write the 64 hexadecimal digits of an identity, or {\"file\": \"…\"} of a sealed declaration, or {\"none\": \"why\"}, \
                 {\"unknown\": \"why\"}"
            }
            Self::Identities => {
                "write a list of identities, each of 64 hexadecimal digits or {\"file\": \"…\"} of a sealed declaration, or \
                 {\"none\": \"why\"}, {\"unknown\": \"why\"}"
            }
            Self::Variables => {
                "write an object of variables, each with its value as a text, {\"digest\": \"sha256:…\"} of it, or \
                 {\"none\": \"why\"} if it is not set"
            }
            Self::Command => "write the words of the command line as a list of texts",
            Self::Sandbox => "write {\"profile\": \"ID\"}, the profile of a registry that confines it",
        }
    }
}

impl ItemWalk<'_, '_, '_> {
    /// A value that is no reference, as it is sealed.
    pub(super) fn plain(&mut self, at: &str, item: ItemType, value: &Value) -> Option<Value> {
        let is_empty = match value {
            Value::Array(items) => items.is_empty(),
            Value::Object(members) => members.is_empty(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        };
        match (item, value) {
            (ItemType::Name | ItemType::Version, Value::String(text)) if !text.trim().is_empty() && is_normal(text) => {
                match moving_alias(text).filter(|_| item == ItemType::Version) {
                    Some(alias) => {
                        let message = format!(
                            "`{}` is no version: what `{}` means changes from day to day",
                            shown(text),
                            shown(alias)
                        );
                        self.wrong(at, message, item.wanted())
                    }
                    None => Some(value.clone()),
                }
            }
            // There is one way to say that there is nothing.
            (ItemType::Free | ItemType::List | ItemType::Identities | ItemType::Variables, _) if is_empty => {
                Some(OpenWord::None.sealed())
            }
            (ItemType::Free, Value::String(text)) if !text.is_empty() => Some(self.text(text)),
            (ItemType::Free, Value::Object(_) | Value::Array(_) | Value::Number(_) | Value::Bool(_)) => {
                self.free(at, value)
            }
            (ItemType::List, Value::Array(_)) => self.free(at, value),
            (ItemType::Whole(range), Value::Number(number)) if range.contains(number) => Some(value.clone()),
            (ItemType::Decimal(least, most), Value::String(text)) if is_decimal_within(text, least, most) => {
                Some(value.clone())
            }
            (ItemType::Amount(most), amount) if is_amount(amount, most) => Some(value.clone()),
            (ItemType::Identity, Value::String(text)) if text.parse::<Digest>().is_ok() => Some(value.clone()),
            (ItemType::Identities, Value::Array(items)) => {
                let items = items.iter().enumerate();
                Some(Value::Array(items.filter_map(|(n, one)| self.identity(&format!("{at}/{n}"), one)).collect()))
            }
            (ItemType::Variables, Value::Object(members)) => self.variables(at, members),
            (ItemType::Command, Value::Array(words)) if !is_empty && words.iter().all(Value::is_string) => {
                self.literal(at, value)
            }
            (ItemType::Sandbox, Value::Object(members)) if members.len() == 1 => match members.get("profile") {
                Some(Value::String(id)) if !id.is_empty() && is_normal(id) => Some(value.clone()),
                _ => self.wrong(at, "this names no profile", item.wanted()),
            },
            _ => self.wrong(at, format!("found {}, which this item cannot be", found(value)), item.wanted()),
        }
    }

    fn identity(&mut self, at: &str, value: &Value) -> Option<Value> {
        match value.as_object().and_then(reference::of) {
            Some(Reference::File(path)) => self.sealed_file(&format!("{at}/file"), path),
            _ => self.plain(at, ItemType::Identity, value),
        }
    }

    fn variables(&mut self, at: &str, members: &Map<String, Value>) -> Option<Value> {
        let mut sealed = Map::new();
        for (name, value) in members {
            let at = format!("{at}/{}", pointer_part(name));
            if name.is_empty() || name.contains(['=', '\0']) {
                self.wrong(&at, "no variable can have this name", "write the name as the environment has it");
            }
            self.check_name("", name);
            let value = match value {
                Value::String(text) => Some(literal::text(text.clone())),
                _ => match value.as_object().and_then(reference::of) {
                    Some(Reference::Digest(digest)) => self.digest(&format!("{at}/digest"), digest),
                    Some(open @ (Reference::None(_) | Reference::Unknown(_) | Reference::PerRun(_))) => {
                        self.refer(&at, ItemType::Variables, &open)
                    }
                    _ => self.wrong(
                        &at,
                        format!("found {}, which no variable can be", found(value)),
                        ItemType::Variables.wanted(),
                    ),
                },
            };
            sealed.extend(value.map(|value| (name.clone(), value)));
        }
        Some(literal::object(sealed))
    }

    /// A text by the digest of its bytes.
    pub(super) fn text(&mut self, text: &str) -> Value {
        let digest = Digest::of(text.as_bytes());
        self.texts.insert(digest, text.to_owned());
        literal::digest(&digest)
    }

    pub(super) fn digest(&mut self, at: &str, text: &str) -> Option<Value> {
        match sha256(text) {
            Some(digest) => Some(literal::digest(&digest)),
            None => {
                let message = format!("found \"{}\", which is not a digest", shown(text));
                self.wrong(at, message, format!("write `sha256:` and 64 lower-case hexadecimal digits; {LITERALLY}"))
            }
        }
    }

    pub(super) fn file(&mut self, at: &str, path: &str) -> Option<Value> {
        let left = MAX_SUBJECT_BYTES - self.bytes.min(MAX_SUBJECT_BYTES);
        let (input, _) = self.named(at, NamedThing::File, path, MAX_SUBJECT_FILE_BYTES.min(left))?;
        Some(literal::digest(&input.digest))
    }

    pub(super) fn folder(&mut self, at: &str, path: &str) -> Option<Value> {
        let digest = match sha256(path) {
            Some(digest) => digest,
            None => self.named(at, NamedThing::Folder, path, 0)?.0.digest,
        };
        Some(json!({"folder": format!("sha256:{digest}")}))
    }

    /// The members of a JSON file, and the digest of its bytes: whoever reads it may see more than its members.
    pub(super) fn json(&mut self, at: &str, path: &str) -> Option<Value> {
        let (input, bytes) = self.bytes_of(at, path)?;
        let value = match json::parse(&bytes) {
            Ok(value) => value,
            Err(error) => {
                let message = format!("the file `{}` is not acceptable JSON: {error}", shown(path));
                return self.wrong(
                    at,
                    message,
                    "correct it, or name it by {\"file\": …}, so that it counts by its bytes",
                );
            }
        };
        let numbers = NumberTexts::of(&bytes, &value);
        let mut wrong = None;
        let members = literal::seal("", value, &numbers, &mut |within, name| {
            wrong.get_or_insert_with(|| format!("{within}/{}", pointer_part(name)));
        });
        if let Some(place) = wrong {
            let message =
                format!("in the file `{}`, `{}` is no name in Unicode normal form C", shown(path), shown(&place));
            return self.wrong(at, message, "name it by {\"file\": …}, so that it counts by its bytes");
        }
        Some(json!({"json": {"digest": format!("sha256:{}", input.digest), "members": members}}))
    }

    /// The identity of a sealed declaration in a file, which has to be what it says.
    pub(super) fn sealed_file(&mut self, at: &str, path: &str) -> Option<Value> {
        let (_, bytes) = self.bytes_of(at, path)?;
        let sealed = json::parse(&bytes)
            .map_err(|error| error.to_string())
            .and_then(|value| json::from_value::<Declaration>(value).map_err(|error| error.to_string()));
        let problem = match sealed {
            Ok(sealed) if !SYSTEM_DECLARATION_SCHEMAS.contains(&sealed.schema_version.as_str()) => {
                format!("it is a declaration in the format `{}`", shown(&sealed.schema_version))
            }
            Ok(sealed) => match sealing::check(&sealed).first() {
                None => return Some(Value::String(sealed.identity.to_string())),
                Some(flaw) => format!("`{}`: {flaw}", flaw.pointer()),
            },
            Err(problem) => problem,
        };
        let message = format!("the file `{}` is no sealed declaration that holds: {}", shown(path), shown(&problem));
        self.wrong(at, message, ItemType::Identity.wanted())
    }

    fn bytes_of(&mut self, at: &str, path: &str) -> Option<(NamedInput, SharedBytes)> {
        let left = MAX_SUBJECT_BYTES - self.bytes.min(MAX_SUBJECT_BYTES);
        match self.named(at, NamedThing::File, path, MAX_SUBJECT_FILE_BYTES.min(left))? {
            (input, Some(bytes)) => Some((input, bytes)),
            (_, None) => {
                let message = format!("the file `{}` is too large to be read whole", shown(path));
                self.notes.error(
                    DiagnosticKind::TooMany,
                    at,
                    message,
                    "name it by {\"file\": …}, so that it counts by its bytes",
                );
                None
            }
        }
    }

    /// What a path leads to, with the bytes of a file that is not large.
    fn named(
        &mut self,
        at: &str,
        thing: NamedThing,
        path: &str,
        cap_bytes: u64,
    ) -> Option<(NamedInput, Option<SharedBytes>)> {
        let named = match NamedPath::parse(path) {
            Ok(named) => named,
            Err(reason) => {
                let message = format!("`{}` {reason}", shown(path));
                let remedy = format!(
                    "name it by a plain path from the declaration's folder, or by `NAME:path` and `--root NAME=DIR`; {LITERALLY}"
                );
                self.notes.error(DiagnosticKind::BadPath, at, message, remedy);
                return None;
            }
        };
        if self.files.len() == MAX_SUBJECT_FILES {
            let message = format!("the declaration names more than {MAX_SUBJECT_FILES} files and folders");
            self.notes.error(DiagnosticKind::TooMany, at, message, "name the folder that they lie in");
            return None;
        }
        match self.reader.named(thing, self.folder, &named, cap_bytes) {
            Ok(content) => {
                let (size, digest, bytes) = match content {
                    NamedContent::Bytes(bytes) => {
                        self.bytes += bytes.len() as u64;
                        (bytes.len() as u64, bytes.digest(), Some(bytes))
                    }
                    NamedContent::Digest(found) => (found.size, found.sha256, None),
                };
                let host_path = self.reader.source().host_path(self.folder, &named);
                let input =
                    NamedInput { pointer: at.to_owned(), path: path.to_owned(), thing, size, digest, host_path };
                self.files.push(input.clone());
                Some((input, bytes))
            }
            Err(error) => {
                let message = format!("the {} `{}` cannot be read: {}", thing.as_str(), shown(path), error.source);
                let instead = match thing {
                    NamedThing::File => "{\"digest\": \"sha256:…\"}",
                    NamedThing::Folder => "{\"folder\": \"sha256:…\"}",
                };
                let remedy = format!(
                    "correct the path, or state {instead}, {{\"none\": \"why\"}} or {{\"unknown\": \"why\"}} instead; {LITERALLY}"
                );
                self.notes.error(DiagnosticKind::Unreadable, at, message, remedy);
                None
            }
        }
    }
}

/// A digest that is written as `sha256:` and its digits.
fn sha256(text: &str) -> Option<Digest> {
    text.strip_prefix("sha256:")?.parse().ok()
}
