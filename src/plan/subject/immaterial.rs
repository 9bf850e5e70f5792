//! The items of which a declaration says that a difference there is immaterial.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::diagnostic::{DiagnosticKind, Diagnostics, shown};
use super::super::schema::found;
use crate::base::canon::is_normal;
use crate::record::identity::{DeclarationPart, IMMATERIAL_MEMBER};

/// Most items that can be listed.
const MOST: usize = 1000;

/// Puts what the document lists into the policy part, in the order of the pointers.
pub(super) fn seal(list: Option<&Value>, parts: &mut [Map<String, Value>; 4], notes: &mut Diagnostics<'_>) {
    let Some(list) = list else { return };
    let Some(items) = list.as_array() else {
        let message = format!("found {}, where a list of items is needed", found(list));
        return notes.error(DiagnosticKind::WrongType, "/immaterial", message, EXAMPLE);
    };
    if items.len() > MOST {
        let message = format!("more than {MOST} items are listed");
        return notes.error(DiagnosticKind::TooMany, "/immaterial", message, "name what they stand in");
    }
    let mut listed: BTreeMap<String, String> = BTreeMap::new();
    for (n, item) in items.iter().enumerate() {
        let at = format!("/immaterial/{n}");
        let text = |name: &str| item.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
        let (Some(pointer), Some(reason), Some(2)) = (text("pointer"), text("reason"), item.as_object().map(Map::len))
        else {
            let message = format!("found {}, where an item and the reason are needed", found(item));
            notes.error(DiagnosticKind::BadValue, at, message, EXAMPLE);
            continue;
        };
        if let Err(problem) = named(pointer, parts) {
            let message = format!("`{}` {problem}", shown(pointer));
            notes.error(DiagnosticKind::BadValue, format!("{at}/pointer"), message, REMEDY);
        } else if !is_normal(reason) {
            let message = "the reason is not in Unicode normal form C";
            notes.error(DiagnosticKind::BadValue, format!("{at}/reason"), message, "normalise it");
        } else if listed.insert(pointer.to_owned(), reason.to_owned()).is_some() {
            let message = format!("`{}` is listed twice", shown(pointer));
            notes.error(DiagnosticKind::Duplicate, format!("{at}/pointer"), message, "list it once");
        }
    }
    if !listed.is_empty() {
        let listed: Vec<Value> =
            listed.into_iter().map(|(pointer, reason)| json!({"pointer": pointer, "reason": reason})).collect();
        parts[2].insert(IMMATERIAL_MEMBER.to_owned(), listed.into());
    }
}

const EXAMPLE: &str =
    "write {\"pointer\": \"/runtime/libraries/x\", \"reason\": \"why a difference there changes nothing\"}";
const REMEDY: &str = "name an item or something in it, as `identity declare --from DOC --json` prints it without this list; a whole part is none";

/// Whether a pointer leads to an item, or to something in one.
fn named(pointer: &str, parts: &[Map<String, Value>; 4]) -> Result<(), &'static str> {
    let (part, rest) =
        pointer.strip_prefix('/').and_then(|rest| rest.split_once('/')).ok_or("is no JSON pointer to an item")?;
    let place = DeclarationPart::ALL.iter().position(|one| one.as_str() == part).ok_or("begins at no part")?;
    let whole = Value::Object(parts[place].clone());
    whole.pointer(&format!("/{rest}")).map(drop).ok_or("leads to nothing that is declared")
}
