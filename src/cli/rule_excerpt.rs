//! The text of a rule.

use crate::policy::sbpl::rules::LineColumn;

/// A rule's text is shown up to this many characters.
const MAX_SHOWN: usize = 400;

/// The form that begins at `place`, on one line, shortened if long.
pub(super) fn form_at(text: &str, place: LineColumn) -> String {
    let Some(start) = offset(text, place) else { return String::new() };
    let rest = &text[start..];
    shortened(&rest[..form_length(rest)])
}

/// A text on one line, shortened if long.
pub(super) fn shortened(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn offset(text: &str, place: LineColumn) -> Option<usize> {
    let lines = text.split_inclusive('\n');
    let before: usize = lines.clone().take(place.line.checked_sub(1)? as usize).map(str::len).sum();
    let line = lines.clone().nth(place.line as usize - 1)?;
    let (column, _) = line.char_indices().nth(place.column.checked_sub(1)? as usize)?;
    Some(before + column)
}

/// How long the form is that the text begins with: to its closing parenthesis, over strings and comments.
fn form_length(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '(' => depth += 1,
            ')' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            ';' => while chars.next_if(|(_, c)| *c != '\n').is_some() {},
            // In `#"…"` a backslash is a backslash, unless it stands before the quote.
            '"' => {
                while let Some((_, c)) = chars.next() {
                    match c {
                        '\\' => drop(chars.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_ends_where_it_closes() {
        let text = "(version 1)\n; (é\n  (allow file-read* ; a )\n     (literal \"/a)\\\"b\")) (deny default)\n";
        let at = |line, column| form_at(text, LineColumn::at(line, column));
        assert_eq!(at(1, 1), "(version 1)");
        assert_eq!(at(3, 3), "(allow file-read* ; a ) (literal \"/a)\\\"b\"))");
        assert_eq!(at(4, 26), "(deny default)");
        assert_eq!(at(9, 1), "");
        assert_eq!(at(0, 0), "");
        assert_eq!(form_at("(a", LineColumn::at(1, 1)), "(a");
        assert!(form_at(&format!("({})", "x".repeat(1000)), LineColumn::at(1, 1)).ends_with('…'));
    }
}
