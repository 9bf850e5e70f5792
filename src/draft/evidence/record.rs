//! A record that somebody else wrote, and the ways in which items are taken from it.

use serde_json::{Map, Value, json};

use crate::base::canon::is_normal;
use crate::base::number_text::NumberTexts;
use crate::draft::document::DeclarationDraft;
use crate::plan::subject::{is_decimal_within, moving_alias, shortest_decimal};

/// A value, and the texts of its numbers.
#[derive(Debug)]
pub(super) struct ForeignRecord {
    value: Value,
    numbers: NumberTexts,
}

impl ForeignRecord {
    /// That of a text that was parsed to `value`.
    pub(super) fn new(text: &[u8], value: Value) -> Self {
        let numbers = NumberTexts::of(text, &value);
        Self { value, numbers }
    }

    /// All of it.
    pub(super) fn value(&self) -> &Value {
        &self.value
    }

    /// What stands at a pointer, unless it is null.
    pub(super) fn get(&self, pointer: &str) -> Option<&Value> {
        self.value.pointer(pointer).filter(|value| !value.is_null())
    }

    /// A text that is not empty.
    pub(super) fn text(&self, pointer: &str) -> Option<&str> {
        self.get(pointer)?.as_str().filter(|text| !text.trim().is_empty())
    }

    /// A list that is not empty.
    pub(super) fn list(&self, pointer: &str) -> Option<&Vec<Value>> {
        self.get(pointer)?.as_array().filter(|items| !items.is_empty())
    }

    /// An object that is not empty, without the members that are null.
    pub(super) fn object(&self, pointer: &str) -> Option<Map<String, Value>> {
        let members = self.get(pointer)?.as_object()?;
        let stated: Map<String, Value> = members
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        (!stated.is_empty()).then_some(stated)
    }

    /// A number as a document writes decimals, if it lies between the two.
    pub(super) fn decimal(&self, pointer: &str, least: i64, most: i64) -> Option<String> {
        let number = self.get(pointer)?.as_number()?;
        let text = self.numbers.get(pointer).map_or_else(|| number.to_string(), str::to_owned);
        shortest_decimal(&text).filter(|text| is_decimal_within(text, least, most))
    }

    /// A whole number from `least`.
    pub(super) fn whole(&self, pointer: &str, least: i64) -> Option<i64> {
        self.get(pointer)?
            .as_i64()
            .filter(|number| *number >= least && number.unsigned_abs() <= crate::base::canon::MAX_INTEGER)
    }

    /// States the decimal at a pointer as an item, or why it is not known: that it is not there, or no such number.
    pub(super) fn state_decimal(
        &self,
        draft: &mut DeclarationDraft,
        item: &str,
        pointers: &[&str],
        most: i64,
        absent: &str,
    ) {
        match pointers.iter().find(|pointer| self.get(pointer).is_some()) {
            None => draft.unknown(item, absent),
            Some(pointer) => match self.decimal(pointer, 0, most) {
                Some(text) => draft.state(item, text),
                None => draft.unknown(item, format!("what stands at `{pointer}` is no number that this can be")),
            },
        }
    }

    /// The same of a whole number; `absent` is what there is to say where it is not stated.
    pub(super) fn state_whole(
        &self,
        draft: &mut DeclarationDraft,
        item: &str,
        pointers: &[&str],
        least: i64,
        absent: Value,
    ) {
        match pointers.iter().find(|pointer| self.get(pointer).is_some()) {
            None => draft.state(item, absent),
            Some(pointer) => match self.whole(pointer, least) {
                Some(number) => draft.state(item, number),
                None => draft.unknown(item, format!("what stands at `{pointer}` is no number that this can be")),
            },
        }
    }
}

/// A value that is meant as it stands.
pub(super) fn literal(value: impl Into<Value>) -> Value {
    json!({ "value": value.into() })
}

/// A text by its bytes.
pub(super) fn text(text: &str) -> Value {
    json!({ "text": text })
}

/// States a model by the name that a request or a tool calls it by. The name is its version only where it holds a day: whatever
/// else it is may mean another model tomorrow.
pub(super) fn state_model(draft: &mut DeclarationDraft, name: &str) {
    if !is_normal(name) {
        return draft.unknown("/artifact/model/name", "the name is not in Unicode normal form C");
    }
    draft.state("/artifact/model/name", name);
    match is_dated(name) && moving_alias(name).is_none() {
        true => draft.state("/artifact/model/version", name),
        false => draft.unknown("/artifact/model/version", "the name says no version: what it stands for may change"),
    }
}

/// Whether a name ends with a day: `-2024-08-06`, `-20241022`, `@20241022`.
fn is_dated(name: &str) -> bool {
    let digits: String = name
        .chars()
        .rev()
        .take_while(|c| c.is_ascii_digit() || *c == '-')
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .collect();
    let before = &name[..name.len() - digits.len()];
    let day: String = digits.chars().filter(char::is_ascii_digit).collect();
    let shape: Vec<usize> = digits.trim_start_matches('-').split('-').map(str::len).collect();
    let is_day = day.len() == 8 && (shape == [8] || shape == [4, 2, 2]);
    let is_apart = digits.starts_with('-') || before.ends_with(['@', ':', '/']);
    let number =
        |range: std::ops::Range<usize>| day.get(range).and_then(|text| text.parse::<u32>().ok()).unwrap_or_default();
    is_day
        && is_apart
        && !before.is_empty()
        && (1990..2200).contains(&number(0..4))
        && (1..=12).contains(&number(4..6))
        && (1..=31).contains(&number(6..8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_version_only_where_it_holds_a_day() {
        for name in ["gpt-4o-2024-08-06", "claude-3-5-sonnet-20241022", "x@20241022", "a/b-2024-08-06"] {
            assert!(is_dated(name), "{name}");
        }
        for name in [
            "gpt-4o",
            "claude-3-5-sonnet-latest",
            "model-20241322",
            "20241022",
            "-20241022",
            "x20241022",
            "x-2024-8-06",
            "llama-3.1-70b",
            "x-99999999",
        ] {
            assert!(!is_dated(name), "{name}");
        }
    }
}
