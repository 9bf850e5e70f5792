//! Short tables for people: aligned columns, two spaces between them, no lines.

/// Renders a table. Columns are as wide as their widest cell; the last one is not padded.
pub(super) fn render(head: &[&str], rows: &[Vec<String>]) -> String {
    let width_of = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..head.len()).map(width_of).collect();
    let mut text = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut rendered = String::new();
        for (column, cell) in cells.enumerate() {
            // Control characters in a document's texts must not steer the terminal.
            rendered.extend(cell.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }));
            let padding = widths.get(column).copied().unwrap_or_default().saturating_sub(cell.chars().count());
            rendered.push_str(&" ".repeat(padding + 2));
        }
        text.push_str(rendered.trim_end());
        text.push('\n');
    };
    line(&mut head.iter().copied());
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_ends_are_clean() {
        let rows = vec![vec!["a".into(), "first".into()], vec!["long-id".into(), "\u{1b}[31m".into()]];
        assert_eq!(render(&["ID", "NAME"], &rows), "ID       NAME\na        first\nlong-id  \u{fffd}[31m\n");
    }
}
