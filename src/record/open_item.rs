//! Items of another system's declaration that have no value: there is none, nobody knows, or each run states its own.
//!
//! In a sealed declaration such an item is an object of one member, as `{"unknown": true}`; why it is so is not part of it, since two
//! people who leave the same item open for reasons in other words declare the same. Within `{"value": …}`, whose one member
//! is a name, that member is no such word.

use serde_json::{Map, Value};

use super::identity::{Declaration, DeclarationPart, SYSTEM_DECLARATION_SCHEMA_V2};
use super::open_word::{Completeness, OpenWord};
use crate::base::canon::pointer_part;

/// An item without a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpenItem {
    /// JSON pointer into the declaration.
    pub pointer: String,
    /// How it has none.
    pub word: OpenWord,
}

/// Whether a sealed declaration says everything; `None` where its format does not tell `none` from `unknown`.
pub fn completeness_of(declaration: &Declaration) -> Option<Completeness> {
    let told = declaration.schema_version == SYSTEM_DECLARATION_SCHEMA_V2;
    told.then(|| completeness_of_parts(DeclarationPart::ALL.map(|part| declaration.part(part))))
}

fn completeness_of_parts(parts: [&Map<String, Value>; 4]) -> Completeness {
    let is_open = |item: &OpenItem| item.word == OpenWord::Unknown;
    if open_items_of(parts).iter().any(is_open) { Completeness::Partial } else { Completeness::Complete }
}

/// The items without a value, in the order of parts and pointers. Empty for declarations of other formats than the second of
/// other systems.
pub fn open_items(declaration: &Declaration) -> Vec<OpenItem> {
    if declaration.schema_version != SYSTEM_DECLARATION_SCHEMA_V2 {
        return Vec::new();
    }
    open_items_of(DeclarationPart::ALL.map(|part| declaration.part(part)))
}

fn open_items_of(parts: [&Map<String, Value>; 4]) -> Vec<OpenItem> {
    let mut found = Vec::new();
    for (part, members) in DeclarationPart::ALL.into_iter().zip(parts) {
        for (name, value) in members {
            find(&format!("/{}/{}", part.as_str(), pointer_part(name)), value, &mut found);
        }
    }
    found
}

fn find(at: &str, value: &Value, found: &mut Vec<OpenItem>) {
    if let Some(word) = OpenWord::of(value) {
        found.push(OpenItem { pointer: at.to_owned(), word });
        return;
    }
    match value {
        Value::Object(members) => match literal(members) {
            Some((name, inner)) => find(&format!("{at}/value/{}", pointer_part(name)), inner, found),
            None => members.iter().for_each(|(name, one)| find(&format!("{at}/{}", pointer_part(name)), one, found)),
        },
        Value::Array(items) => items.iter().enumerate().for_each(|(n, one)| find(&format!("{at}/{n}"), one, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The one member of an object that is marked as what it is.
fn literal(members: &Map<String, Value>) -> Option<(&String, &Value)> {
    let inner = members.get("value").filter(|_| members.len() == 1)?.as_object()?;
    inner.iter().next().filter(|_| inner.len() == 1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_meant_as_a_word_is_one() {
        let part = |value: Value| -> Map<String, Value> { serde_json::from_value(value).unwrap() };
        let empty = Map::new();
        let artifact = part(json!({
            "a": {"none": true},
            "b": {"x": [{"unknown": true}], "y": {"value": {"unknown": true}}, "z": {"value": {"file": {"none": true}}}},
            "c": {"unknown": "words"},
            "d": {"none": true, "unknown": true},
        }));
        let found: Vec<_> = open_items_of([&artifact, &empty, &empty, &empty])
            .into_iter()
            .map(|item| (item.pointer, item.word))
            .collect();
        let expected = [
            ("/artifact/a", OpenWord::None),
            ("/artifact/b/x/0", OpenWord::Unknown),
            ("/artifact/b/z/value/file", OpenWord::None),
        ];
        assert_eq!(found, expected.map(|(at, word)| (at.to_owned(), word)));
        assert_eq!(completeness_of_parts([&artifact, &empty, &empty, &empty]), Completeness::Partial);
        assert_eq!(completeness_of_parts([&empty; 4]), Completeness::Complete);
    }
}
