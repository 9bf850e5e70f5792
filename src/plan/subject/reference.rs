//! References: objects of one member that stand for something else.

use serde_json::{Map, Value};

/// The names that make an object of one member something else than an object.
pub(super) const RESERVED: [&str; 12] =
    ["absent", "digest", "file", "folder", "in", "json", "none", "number", "per_run", "text", "unknown", "value"];

/// What an object of one member stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Reference<'v> {
    /// The bytes of a file.
    File(&'v str),
    /// Everything in a folder.
    Folder(&'v str),
    /// The members of a JSON file.
    Json(&'v str),
    /// The bytes of this text.
    Text(&'v str),
    /// Something inside another item.
    In(&'v str),
    /// The digest of bytes that are not at hand.
    Digest(&'v str),
    /// There is no such thing, for this reason.
    None(&'v str),
    /// Nobody here knows, for this reason.
    Unknown(&'v str),
    /// Each run of this deployment states its own.
    PerRun(&'v str),
    /// A word of the first format, which meant both of the above.
    Absent,
    /// A value in which nothing is a reference.
    Literal(&'v Value),
    /// A name of a reference with something else than a text.
    Malformed(&'v str, &'v Value),
}

/// What an object stands for; `None` if it is what it is. An object or a list under such a name is no reference: that is how a
/// tool describes a parameter that is called `file`.
pub(super) fn of(members: &Map<String, Value>) -> Option<Reference<'_>> {
    let mut all = members.iter();
    let (Some((name, value)), None) = (all.next(), all.next()) else { return None };
    if name == "value" {
        return Some(Reference::Literal(value));
    }
    if !RESERVED.contains(&name.as_str()) || name == "number" {
        return None;
    }
    let text = match value {
        Value::String(text) => text.as_str(),
        Value::Object(_) | Value::Array(_) => return None,
        Value::Null | Value::Bool(_) | Value::Number(_) => return Some(Reference::Malformed(name, value)),
    };
    Some(match name.as_str() {
        "file" => Reference::File(text),
        "folder" => Reference::Folder(text),
        "json" => Reference::Json(text),
        "text" => Reference::Text(text),
        "in" => Reference::In(text),
        "digest" => Reference::Digest(text),
        "none" => Reference::None(text),
        "unknown" => Reference::Unknown(text),
        "per_run" => Reference::PerRun(text),
        _ => Reference::Absent,
    })
}
