//! Changing a JSON text in one place. Everything else stays as it is written: the order of members, and the digits of numbers.

use serde_json::Value;

use crate::base::json_span;

/// The text with what `pointer` names changed: to `value`, or without one taken away. A member that is not there is added; `-`
/// is the place behind the items of a list.
///
/// # Errors
/// In words, what the text has not got.
pub(super) fn changed(text: &str, pointer: &str, value: Option<&Value>) -> Result<String, String> {
    let written = value.map(Value::to_string);
    if pointer.is_empty() {
        return written.ok_or_else(|| "a document as a whole cannot be taken away".to_owned());
    }
    let nothing = || format!("there is nothing at `{pointer}`");
    let replaced = |start: usize, end: usize, by: &str| format!("{}{by}{}", &text[..start], &text[end..]);
    let (above, last) = pointer.rsplit_once('/').ok_or_else(nothing)?;
    match (json_span::find(text, pointer), written) {
        (Some(found), Some(written)) => Ok(replaced(found.start, found.end, &written)),
        (Some(found), None) => {
            let (start, end) = with_comma(text, found.key.unwrap_or(found.start), found.end);
            Ok(replaced(start, end, ""))
        }
        (None, None) => Err(nothing()),
        (None, Some(written)) => {
            let parent = json_span::find(text, above).ok_or_else(nothing)?;
            let inside = text[parent.start + 1..parent.end - 1].trim_end();
            let comma = if inside.is_empty() { "" } else { "," };
            let item = match (text.as_bytes()[parent.start], last) {
                (b'[', "-") => written,
                (b'{', _) => {
                    let name = last.replace("~1", "/").replace("~0", "~");
                    format!("{}:{written}", Value::from(name))
                }
                _ => return Err(nothing()),
            };
            let at = parent.start + 1 + inside.len();
            Ok(replaced(at, at, &format!("{comma}{item}")))
        }
    }
}

/// From where to where a member or item is taken away, with a comma beside it if there is one.
fn with_comma(text: &str, start: usize, end: usize) -> (usize, usize) {
    let behind = &text[end..];
    if let Some(rest) = behind.trim_start().strip_prefix(',') {
        return (start, text.len() - rest.trim_start().len());
    }
    let before = text[..start].trim_end();
    (before.strip_suffix(',').unwrap_or(before).len(), end)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TEXT: &str = r#"{"b": [1.50, {"x": 1}], "a~/": "t", "n": 17.123456789012345678}"#;

    #[test]
    fn one_place_changes_and_nothing_else() {
        let one = |pointer, value: Option<Value>| changed(TEXT, pointer, value.as_ref()).unwrap();
        assert_eq!(one("/a~0~1", Some(json!(null))), TEXT.replace(r#""t""#, "null"));
        assert_eq!(one("/b/1/x", Some(json!({"y": 2}))), TEXT.replace(r#""x": 1"#, r#""x": {"y":2}"#));
        assert_eq!(one("/b/-", Some(json!(2))), TEXT.replace("1}]", "1},2]"));
        assert_eq!(one("/new", Some(json!(2))), TEXT.replace("5678}", "5678,\"new\":2}"));
        assert_eq!(one("/b/0", None), TEXT.replace("1.50, ", ""));
        assert_eq!(one("/b/1", None), TEXT.replace(", {\"x\": 1}", ""));
        assert_eq!(one("/b/1/x", None), TEXT.replace("\"x\": 1", ""));
        assert_eq!(one("/n", None), TEXT.replace(", \"n\": 17.123456789012345678", ""));
        assert_eq!(one("", Some(json!([]))), "[]");
        assert_eq!(changed("[ ]", "/-", Some(&json!(1))).unwrap(), "[1 ]");
    }

    #[test]
    fn what_is_not_there_is_neither_changed_nor_taken_away() {
        for (pointer, value) in
            [("/c/d", Some(json!(1))), ("/b/7", Some(json!(1))), ("/c", None), ("", None), ("/n/x", Some(json!(1)))]
        {
            assert!(changed(TEXT, pointer, value.as_ref()).is_err(), "{pointer}");
        }
        assert!(changed("{", "/a", Some(&json!(1))).is_err());
    }
}
