//! The matrix for a terminal: as many columns side by side as there is room for, then what does not stand in a word.

use std::io::{self, Write};

use super::table::Matrix;
use super::words;
use crate::base::printable::{Lines, printable};
use crate::record::launcher_matrix::{MatrixCell, MatrixColumn};

/// The narrowest that questions are printed.
const LEAST_QUESTION: usize = 28;
/// The widest label over a column; longer ones are cut.
const MOST_LABEL: usize = 24;
/// The narrowest column: the longest word, with its marks.
const LEAST_COLUMN: usize = 11;
/// How many answers are told in full.
const MOST_TOLD: usize = 200;

/// The answer as it stands in a column: a word, `!` if it is not as expected, `*` if it is not as documented.
fn short(cell: &MatrixCell) -> String {
    let marks = [(words::is_wrong(cell), "!"), (words::is_against_claim(cell), "*")];
    let marks: String = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
    let space = if marks.is_empty() { "" } else { " " };
    format!("{}{space}{marks}", words::word(cell))
}

/// A text that takes no more than `most` characters.
fn cut(text: &str, most: usize) -> String {
    let text = printable(text);
    if text.chars().count() <= most {
        return text.into_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// The columns that stand side by side, in blocks, and how wide the questions are.
fn blocks(widths: &[usize], width: Option<usize>, longest: usize) -> (usize, Vec<std::ops::Range<usize>>) {
    let least = longest.clamp("QUESTION".len(), LEAST_QUESTION);
    let Some(width) = width else {
        return (longest.max("QUESTION".len()), std::iter::once(0..widths.len()).collect());
    };
    let mut blocks = Vec::new();
    let (mut from, mut used, mut widest) = (0, least, 0);
    for (n, column) in widths.iter().enumerate() {
        if n > from && used + 2 + column > width {
            widest = widest.max(used - least);
            blocks.push(from..n);
            (from, used) = (n, least);
        }
        used += 2 + column;
    }
    widest = widest.max(used - least);
    blocks.push(from..widths.len());
    // What is left over goes to the questions.
    let question = width.saturating_sub(widest).max(least).min(longest.max(least));
    (question, blocks)
}

pub(super) fn write(matrix: &Matrix, width: Option<usize>, out: &mut dyn Write) -> io::Result<()> {
    let labels: Vec<String> = matrix.columns.iter().map(|column| cut(&column.label, MOST_LABEL)).collect();
    let widths: Vec<usize> = labels.iter().map(|label| label.chars().count().max(LEAST_COLUMN)).collect();
    let (question_width, blocks) = blocks(&widths, width, matrix.longest);
    for block in blocks {
        let line = |first: &str, cells: &[String]| {
            let mut text = format!("{:question_width$}", cut(first, question_width));
            for (cell, n) in cells.iter().zip(block.clone()) {
                text.push_str(&format!("  {cell:width$}", width = widths[n]));
            }
            format!("{}\n", text.trim_end())
        };
        out.write_all(line("QUESTION", &labels[block.clone()]).as_bytes())?;
        matrix.for_each(&mut |asked, cells| {
            let mut row = vec!["-".to_owned(); block.len()];
            for (n, answer) in cells.iter().filter(|(n, _)| block.contains(n)) {
                row[n - block.start] = short(answer);
            }
            // A question that none of these was asked says nothing here.
            if row.iter().all(|text| text == "-") {
                return Ok(());
            }
            out.write_all(line(&words::question(asked), &row).as_bytes())
        })?;
        for (name, count) in COUNTS {
            let numbers: Vec<String> = matrix.columns[block.clone()].iter().map(count).collect();
            if numbers.iter().any(|number| !number.is_empty()) {
                out.write_all(line(name, &numbers).as_bytes())?;
            }
        }
        out.write_all(b"\n")?;
    }
    out.write_all(b"! not as expected   * not as documented   ? undecided   - not asked\n")?;
    tell(matrix, out)?;
    about(matrix, out)
}

/// One line below the answers: its name, and what it says of a column.
type CountLine = (&'static str, fn(&MatrixColumn) -> String);

const COUNTS: [CountLine; 3] = [
    ("as expected", |column| {
        let counts = column.counts;
        format!("{}/{}", counts.as_expected + counts.asked, counts.questions - counts.unasserted)
    }),
    ("undecided", |column| match column.counts.undecided {
        0 => String::new(),
        count => count.to_string(),
    }),
    ("as documented", |column| {
        let claims = column.claims;
        match claims.borne_out + claims.contradicted + claims.open {
            0 => String::new(),
            all => format!("{}/{all}", claims.borne_out),
        }
    }),
];

/// Every answer that is not as expected, not as documented, or undecided.
fn tell(matrix: &Matrix, out: &mut dyn Write) -> io::Result<()> {
    let (mut told, mut left) = (0_usize, 0_usize);
    matrix.for_each(&mut |asked, cells| {
        let wanted = |cell: &MatrixCell| words::is_wrong(cell) || words::is_against_claim(cell) || words::is_open(cell);
        let mut lines = Lines::default();
        for (n, answer) in cells.iter().filter(|(_, answer)| wanted(answer)) {
            if told == MOST_TOLD {
                left += 1;
                continue;
            }
            if told == 0 {
                lines.blank();
            }
            told += 1;
            let sentence = words::sentence(answer);
            lines.line(format!("{}, {}: {sentence}", matrix.columns[*n].label, words::question(asked)));
        }
        out.write_all(lines.as_str().as_bytes())
    })?;
    if left > 0 {
        writeln!(out, "… and {left} more")?;
    }
    Ok(())
}

/// What the columns are.
fn about(matrix: &Matrix, out: &mut dyn Write) -> io::Result<()> {
    let mut lines = Lines::default();
    lines.blank();
    for column in &matrix.columns {
        lines.line(format!("{}: {}", column.label, words::described(column).join("; ")));
    }
    out.write_all(lines.as_str().as_bytes())
}
