//! What a declaration states to be absent, and why.

use serde_json::Value;

use crate::base::canon::pointer_part;
use crate::record::identity::{Declaration, DeclarationPart, SYSTEM_DECLARATION_SCHEMA_V2};

/// Every item of a declaration that is stated to be absent: its JSON pointer and the reason given.
///
/// In the second format of declarations of other systems this word does not exist; see [`crate::record::open_item`].
pub fn absences(declaration: &Declaration) -> Vec<(String, String)> {
    let mut found = Vec::new();
    if declaration.schema_version == SYSTEM_DECLARATION_SCHEMA_V2 {
        return found;
    }
    for part in DeclarationPart::ALL {
        for (name, value) in declaration.part(part) {
            find(&format!("/{}/{}", part.as_str(), pointer_part(name)), value, &mut found);
        }
    }
    found
}

fn find(at: &str, value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => match members.get("absent").and_then(Value::as_str) {
            Some(reason) if members.keys().all(|name| ["absent", "detail"].contains(&name.as_str())) => {
                found.push((at.to_owned(), reason.to_owned()));
            }
            // Within `value` nothing is a reference.
            _ if members.len() == 1 && members.contains_key("value") => {}
            _ => members.iter().for_each(|(name, one)| find(&format!("{at}/{}", pointer_part(name)), one, found)),
        },
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, one)| find(&format!("{at}/{n}"), one, found));
        }
        _ => {}
    }
}
