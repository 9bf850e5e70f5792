//! Short tables for people: aligned columns, two spaces between them, no lines.

use crate::base::printable::Lines;

/// Renders a table. Columns are as wide as their widest cell; numbers stand to the right.
pub(super) fn render(head: &[&str], rows: &[Vec<String>]) -> Lines {
    let width_of = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or_default()
    };
    let is_number = |column: usize| {
        let cells = || rows.iter().filter_map(move |row| row.get(column));
        cells().next().is_some() && cells().all(|cell| !cell.is_empty() && cell.bytes().all(|b| b.is_ascii_digit()))
    };
    let columns: Vec<(usize, bool)> = (0..head.len()).map(|column| (width_of(column), is_number(column))).collect();
    let mut lines = Lines::default();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut rendered = String::new();
        for (column, cell) in cells.enumerate() {
            let (width, is_number) = columns.get(column).copied().unwrap_or_default();
            let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
            if is_number {
                rendered.push_str(&padding);
            }
            rendered.push_str(cell);
            if !is_number {
                rendered.push_str(&padding);
            }
            rendered.push_str("  ");
        }
        lines.line(rendered.trim_end());
    };
    line(&mut head.iter().copied());
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_ends_are_clean() {
        let rows = vec![vec!["a".into(), "first".into()], vec!["long-id".into(), "\u{1b}[31m".into()]];
        assert_eq!(render(&["ID", "NAME"], &rows).as_str(), "ID       NAME\na        first\nlong-id  \u{fffd}[31m\n");
    }

    #[test]
    fn numbers_stand_to_the_right() {
        let rows = vec![vec!["a".into(), "5".into(), "x".into()], vec!["longer".into(), "1234".into(), "y".into()]];
        assert_eq!(render(&["ID", "N", "T"], &rows).as_str(), "ID         N  T\na          5  x\nlonger  1234  y\n");
    }
}
