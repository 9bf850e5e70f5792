//! How deep a value is nested.

use serde_json::Value;

/// The levels of objects and lists in a value.
pub(super) fn of(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(of).max().unwrap_or_default(),
        Value::Object(members) => 1 + members.values().map(of).max().unwrap_or_default(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}
