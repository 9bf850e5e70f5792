//! A document of the second format in which nothing is known yet.

use serde_json::{Map, Value, json};

use super::shape::{Member, MemberShape, PARTS};
use crate::record::identity::SYSTEM_DECLARATION_SCHEMA_V2;

/// A document of this kind in which every item that has to be stated is unknown, for this reason.
pub fn unknown_document(kind: &str, why: &str) -> Value {
    let mut whole = unknown(&PARTS, why);
    whole.insert("schema_version".to_owned(), SYSTEM_DECLARATION_SCHEMA_V2.into());
    whole.insert("kind".to_owned(), kind.into());
    Value::Object(whole)
}

fn unknown(members: &[Member], why: &str) -> Map<String, Value> {
    let stated = members.iter().filter(|member| !member.optional);
    stated
        .map(|member| {
            let value = match member.shape {
                MemberShape::Item(_) => json!({ "unknown": why }),
                MemberShape::Group(members) => Value::Object(unknown(members, why)),
            };
            (member.name.to_owned(), value)
        })
        .collect()
}
