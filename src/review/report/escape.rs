//! Texts as the formats take them.

use crate::base::json_out;
use crate::base::printable::{json_for_streams, printable};

/// A value as JSON that holds nothing but ASCII, in one line.
pub(super) fn ascii(value: &serde_json::Value) -> String {
    let mut text = Vec::new();
    // Memory takes all of it, and a value has no member that cannot be written.
    json_out::append_compact(&mut text, value).expect("a value can be written to memory");
    String::from_utf8(json_for_streams(text)).expect("JSON is text")
}

/// A text as the content of XML or HTML: characters that mean something there are escaped, and those that are not shown, which
/// are also those that may not stand in XML 1.0 at all, are replaced.
pub(in crate::review) fn markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable(&text.replace(['\n', '\t'], " ")).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
