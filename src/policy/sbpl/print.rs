//! A syntax tree to text that reads back as the same tree.

use std::fmt::Write as _;

use super::syntax::{Datum, Node, Radix, SbplText};
use crate::base::printable::{excerpt, is_hidden};

/// A text that reads back as `program`: one form a line, without comments.
pub fn print(program: &SbplText) -> String {
    let mut out = String::new();
    for form in &program.forms {
        write_node(&mut out, form, usize::MAX);
        out.push('\n');
    }
    out
}

/// A string literal that reads back as exactly `text`, whatever stands in it. Only a NUL character cannot be read back:
/// the system takes a profile as a C string.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// A node in one line, cut off with `…` if long.
pub(super) fn brief(node: &Node) -> String {
    const MOST: usize = 120;
    let mut out = String::new();
    write_node(&mut out, node, 4 * MOST);
    let blank: String = out.chars().map(|c| if is_hidden(c) { ' ' } else { c }).collect();
    excerpt(&blank, MOST)
}

/// Writes a node; past `enough` bytes the rest may be left out.
fn write_node(out: &mut String, node: &Node, enough: usize) {
    if out.len() > enough {
        return;
    }
    match &node.datum {
        Datum::List(items) => {
            out.push('(');
            for (n, item) in items.iter().enumerate() {
                if out.len() > enough {
                    break;
                }
                if n > 0 {
                    out.push(' ');
                }
                write_node(out, item, enough);
            }
            out.push(')');
        }
        Datum::Symbol(name) | Datum::Decimal(name) => out.push_str(name),
        Datum::Text(text) if text.len() > enough => out.push_str(&quote(&text[..text.floor_char_boundary(enough)])),
        Datum::Text(text) => out.push_str(&quote(text)),
        Datum::Raw(text) if text.as_str().len() > enough => {
            let text = text.as_str();
            out.push_str(&quote(&text[..text.floor_char_boundary(enough)]));
        }
        Datum::Raw(text) => {
            let _ = write!(out, "#\"{}\"", text.as_str());
        }
        Datum::Number { value, radix } => {
            let (sign, size) = (if *value < 0 { "-" } else { "" }, value.unsigned_abs());
            let _ = match radix {
                Radix::Binary => write!(out, "#b{sign}{size:b}"),
                Radix::Octal => write!(out, "#o{sign}{size:o}"),
                Radix::Decimal => write!(out, "{sign}{size}"),
                Radix::Hexadecimal => write!(out, "#x{sign}{size:x}"),
            };
        }
        Datum::Bool(truth) => out.push_str(if *truth { "#t" } else { "#f" }),
        Datum::Marked(mark, inner) => {
            out.push_str(mark.as_str());
            // `,` before a node that begins with `@` would read as `,@`.
            if inner.symbol().is_some_and(|name| name.starts_with('@')) {
                out.push(' ');
            }
            write_node(out, inner, enough);
        }
    }
}
