//! What a declaration of another system says of itself is immaterial.

use serde::Deserialize;
use serde_json::Value;

use crate::base::json;
use crate::record::identity::{Declaration, IMMATERIAL_MEMBER, SYSTEM_DECLARATION_SCHEMA_V2};

/// An item in which a difference is immaterial, as the declaration says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImmaterialItem {
    /// JSON pointer of the item, or of something in it.
    pub pointer: String,
    /// Why a difference there changes nothing that matters.
    pub reason: String,
}

impl ImmaterialItem {
    /// Whether something at a pointer is part of it.
    pub fn covers(&self, pointer: &str) -> bool {
        pointer.strip_prefix(&self.pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// What a declaration lists. A list that is none, as only a forged declaration has it, lists nothing.
pub fn immaterial_items(declaration: &Declaration) -> Vec<ImmaterialItem> {
    if declaration.schema_version != SYSTEM_DECLARATION_SCHEMA_V2 {
        return Vec::new();
    }
    let listed = declaration.policy.get(IMMATERIAL_MEMBER).and_then(Value::as_array).into_iter().flatten();
    listed.filter_map(|item| json::from_value(item.clone()).ok()).collect()
}
