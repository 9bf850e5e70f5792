//! Short tables for people: aligned columns, two spaces between them, no lines. And long lines in columns of their own making.

use std::iter;

use textwrap::core::Word;
use textwrap::{Options, WordSeparator, WordSplitter};

use crate::base::printable::{Lines, printable};

/// What stands between two columns.
const GAP: &str = "  ";
/// No column is made narrower than this, unless it already is: words would stand below one another, one a line.
const NARROWEST: usize = 16;

/// Renders a table that is at most `width` columns wide, if its content can be wrapped so far: the widest columns become
/// narrower first, and their cells go on in the next line. `None`: as wide as its content; columns are as wide as their widest
/// cell. Numbers stand to the right.
///
/// Names in the first column are what people copy from a table. That column becomes narrower last, and a name that does not fit
/// into it stands on a line of its own, in one piece.
pub(super) fn fitted(head: &[&str], rows: &[Vec<String>], width: Option<usize>) -> Lines {
    let cells = |column: usize| rows.iter().filter_map(move |row| row.get(column));
    let is_number = |column: usize| {
        cells(column).next().is_some()
            && cells(column).all(|cell| !cell.is_empty() && cell.bytes().all(|b| b.is_ascii_digit()))
    };
    let mut widths: Vec<usize> = (0..head.len())
        .map(|column| {
            cells(column)
                .map(|cell| cell.chars().count())
                .chain([head[column].chars().count()])
                .max()
                .unwrap_or_default()
        })
        .collect();
    let named = cells(0).all(|cell| !cell.contains(' '));
    if let Some(width) = width {
        narrow(&mut widths, head, width, named);
    }
    let whole = width.filter(|_| named);
    let columns: Vec<(usize, bool)> =
        widths.into_iter().enumerate().map(|(column, width)| (width, is_number(column))).collect();
    let mut lines = Lines::default();
    line(&mut lines, &columns, &mut head.iter().copied());
    for row in rows {
        let mut cells = row.iter().map(String::as_str);
        let own_line = |name: &str| {
            let length = name.chars().count();
            whole.is_some_and(|width| length <= width) && columns.first().is_some_and(|(width, _)| length > *width)
        };
        match row.first().filter(|name| own_line(name)) {
            Some(name) => {
                lines.line(name);
                line(&mut lines, &columns, &mut iter::once("").chain(cells.by_ref().skip(1)));
            }
            None => line(&mut lines, &columns, &mut cells),
        }
    }
    lines
}

/// Makes columns narrower until all of them fit: the widest first, none below its head or [`NARROWEST`]. `named`: the first one
/// only after all others.
fn narrow(widths: &mut [usize], head: &[&str], width: usize, named: bool) {
    let gaps = GAP.len() * widths.len().saturating_sub(1);
    let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(width);
    let least: Vec<usize> =
        widths.iter().zip(head).map(|(width, head)| (*width).min(NARROWEST.max(head.chars().count()))).collect();
    while excess > 0 {
        let can = |(_, (width, floor)): &(usize, (&mut usize, &usize))| **width > **floor;
        let widest = widths.iter_mut().zip(&least).enumerate().filter(can);
        let Some((_, (widest, floor))) = widest.max_by_key(|(column, (width, _))| (*column > 0 || !named, **width))
        else {
            return;
        };
        let step = excess.min(*widest - floor).min(8);
        *widest -= step;
        excess -= step;
    }
}

/// Writes one row, in as many lines as its highest cell has.
fn line(lines: &mut Lines, columns: &[(usize, bool)], cells: &mut dyn Iterator<Item = &str>) {
    let wrapped: Vec<Vec<String>> = cells.zip(columns).map(|(cell, (width, _))| wrap(cell, *width)).collect();
    let height = wrapped.iter().map(Vec::len).max().unwrap_or(1).max(1);
    for n in 0..height {
        let mut rendered = String::new();
        for (cell, (width, is_number)) in wrapped.iter().zip(columns) {
            let text = cell.get(n).map_or("", String::as_str);
            let padding = " ".repeat(width.saturating_sub(text.chars().count()));
            if *is_number {
                rendered.push_str(&padding);
            }
            rendered.push_str(text);
            if !is_number {
                rendered.push_str(&padding);
            }
            rendered.push_str(GAP);
        }
        lines.line(rendered.trim_end());
    }
}

/// A cell's lines. A word is broken only if it is wider than its column.
fn wrap(cell: &str, width: usize) -> Vec<String> {
    let cell = printable(cell);
    if cell.chars().count() <= width {
        return vec![cell.into_owned()];
    }
    let options = Options::new(width).word_separator(WordSeparator::Custom(parts));
    textwrap::wrap(&cell, options).into_iter().map(|line| line.into_owned()).collect()
}

/// The words of a cell, and the parts of ids and paths, which may be broken where a part ends.
fn parts(line: &str) -> Box<dyn Iterator<Item = Word<'_>> + '_> {
    let mut words = Vec::new();
    let mut begin = 0;
    let mut characters = line.char_indices().peekable();
    while let Some((_, c)) = characters.next() {
        let Some((next_at, next)) = characters.peek().copied() else { break };
        if matches!(c, ' ' | '/' | ':' | '_') && next != ' ' {
            words.push(Word::from(&line[begin..next_at]));
            begin = next_at;
        }
    }
    words.push(Word::from(&line[begin..]));
    Box::new(words.into_iter())
}

/// A line that is too long for a terminal, in several: broken between words, and the later ones stand below the column that the
/// line ends in.
pub(super) fn hanging(line: &str, width: usize) -> Vec<String> {
    broken(line, width, last_column(line, width / 2))
}

/// The same, with the later ones further in than the first: for messages, where each line begins something new.
pub(super) fn indented(line: &str, width: usize) -> Vec<String> {
    let begin = line.len() - line.trim_start().len();
    broken(line, width, begin + 4)
}

fn broken(line: &str, width: usize, indent: usize) -> Vec<String> {
    let indent = " ".repeat(indent);
    let options = Options::new(width)
        .subsequent_indent(&indent)
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation);
    // What stands before the first word is no space between words.
    let begin = line.len() - line.trim_start().len();
    let wrapped = textwrap::wrap(&line[begin..], options.initial_indent(&line[..begin]));
    wrapped.into_iter().map(|line| line.into_owned()).collect()
}

/// Where the last column begins, not further right than `most`: behind two spaces or more.
fn last_column(line: &str, most: usize) -> usize {
    let mut column = 0;
    let mut spaces = 2;
    for (n, c) in line.chars().enumerate() {
        if c == ' ' {
            spaces += 1;
            continue;
        }
        if spaces >= 2 && n > 0 && n <= most {
            column = n;
        }
        spaces = 0;
    }
    column
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn columns_are_aligned_and_ends_are_clean() {
        let rows = vec![vec!["a".into(), "first".into()], vec!["long-id".into(), "\u{1b}[31m".into()]];
        assert_eq!(
            fitted(&["ID", "NAME"], &rows, None).as_str(),
            "ID       NAME\na        first\nlong-id  \u{fffd}[31m\n"
        );
    }

    #[test]
    fn numbers_stand_to_the_right() {
        let rows = vec![vec!["a".into(), "5".into(), "x".into()], vec!["longer".into(), "1234".into(), "y".into()]];
        assert_eq!(
            fitted(&["ID", "N", "T"], &rows, None).as_str(),
            "ID         N  T\na          5  x\nlonger  1234  y\n"
        );
    }

    #[test]
    fn what_is_too_wide_goes_on_below_and_keeps_its_words() {
        let rows = vec![
            vec!["file_read".into(), "opens a file for reading and reads a byte".into()],
            vec!["x".into(), "y".into()],
        ];
        let expected = "DRIVER     WHAT\nfile_read  opens a file for\n           reading and reads a\n           byte\nx          y\n";
        assert_eq!(fitted(&["DRIVER", "WHAT"], &rows, Some(32)).as_str(), expected);
        assert_eq!(fitted(&["DRIVER", "WHAT"], &rows, Some(500)), fitted(&["DRIVER", "WHAT"], &rows, None));
    }

    #[test]
    fn a_path_is_broken_where_its_parts_end() {
        let rows = [vec!["x".into(), "plans/linux-network/plan.json".into()]];
        let expected = "N  FILE\nx  plans/linux-\n   network/\n   plan.json\n";
        assert_eq!(fitted(&["N", "FILE"], &rows, Some(19)).as_str(), expected);
    }

    #[test]
    fn a_name_in_the_first_column_is_never_broken_where_a_line_has_room_for_it() {
        let rows = vec![
            vec!["quickstart:read_only:list_inside".into(), "allow".into(), "${root}/project/notes.txt".into()],
            vec!["short".into(), "deny".into(), "x".into()],
        ];
        let head = ["PROBE", "EXPECTED", "TARGET"];
        // The others become narrower first,
        let expected = "PROBE                             EXPECTED  TARGET\n\
                        quickstart:read_only:list_inside  allow     ${root}/project/\n\
                        \u{20}                                           notes.txt\n\
                        short                             deny      x\n";
        assert_eq!(fitted(&head, &rows, Some(60)).as_str(), expected);
        // and then the name has a line of its own.
        let expected = "PROBE             EXPECTED  TARGET\n\
                        quickstart:read_only:list_inside\n\
                        \u{20}                 allow     ${root}/project/\n\
                        \u{20}                           notes.txt\n\
                        short             deny      x\n";
        assert_eq!(fitted(&head, &rows, Some(44)).as_str(), expected);
        assert!(!fitted(&head, &rows, Some(24)).as_str().contains("quickstart:read_only:list_inside"));
    }

    #[test]
    fn a_long_line_goes_on_below_its_last_column() {
        let line = "    so        the policy is wrong, which allows it by `/path_beneath/0`";
        assert_eq!(
            hanging(line, 40),
            [
                "    so        the policy is wrong, which",
                "              allows it by",
                "              `/path_beneath/0`"
            ]
        );
        assert_eq!(hanging("18 probes, 15 as expected", 20), ["18 probes, 15 as", "expected"]);
        let long = "  x  a/path/that/is/longer/than/the/line and more";
        assert_eq!(hanging(long, 20), ["  x", "     a/path/that/is/longer/than/the/line", "     and more"]);
        let mut lines = Lines::default();
        lines.line("short");
        lines.line("    so        a longer ::error one");
        assert_eq!(lines.within(28, hanging).as_str(), "short\n    so        a longer\n              \\::error one\n");
    }

    #[test]
    fn a_message_goes_on_further_in_with_its_colour_and_what_is_pointed_at_stays_one_line() {
        let mut lines = Lines::default();
        lines.marked("\u{1b}[31merror\u{1b}[0m", "[unknown_field] plan.json: the field `lane` is not known");
        lines.kept("  3 | { \"lane\": { \"baseline\": true, \"scenario\": true } }");
        lines.kept("    |   ^^^^^^");
        lines.marked("  \u{1b}[32mhint:\u{1b}[0m ", "`lanes` is meant, which is what plans have");
        let mut all = Lines::default();
        all.line("first");
        all.append(&lines);
        assert_eq!(
            all.within(36, indented).as_str(),
            "first\n\u{1b}[31merror\u{1b}[0m[unknown_field] plan.json: the\n    field `lane` is not known\n\
             \u{20} 3 | { \"lane\": { \"baseline\": true, \"scenario\": true } }\n    |   ^^^^^^\n\
             \u{20} \u{1b}[32mhint:\u{1b}[0m `lanes` is meant, which is\n      what plans have\n"
        );
        assert_eq!(all.within(200, indented), all);
    }

    proptest! {
        /// Whatever stands in the cells: no line is wider than the terminal, where the least widths allow it, and nothing is lost.
        #[test]
        fn a_table_fits_and_holds_everything(rows in prop::collection::vec(prop::collection::vec("[a-z/ ]{0,60}", 3), 0..8), width in 60_usize..200) {
            let table = fitted(&["A", "B", "C"], &rows, Some(width));
            for line in table.as_str().lines() {
                prop_assert!(line.chars().count() <= width, "{line}");
            }
            let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).count();
            let all: usize = rows.iter().flatten().map(|cell| letters(cell)).sum();
            prop_assert_eq!(letters(table.as_str()), all + 3);
        }
    }
}
