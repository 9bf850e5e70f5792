//! The matrix in Markdown.

use std::io::{self, Write};

use super::super::markdown::{code, plain};
use super::table::Matrix;
use super::words;
use crate::record::launcher_matrix::MatrixCell;

/// How many questions are shown. More would not fit a pull request; the number of the rest is said.
const SHOWN: usize = 300;
/// How many answers are told in full.
const TOLD: usize = 100;

fn short(answer: &MatrixCell) -> String {
    let word = match words::is_open(answer) {
        true => "undecided",
        false => words::word(answer),
    };
    match (words::is_wrong(answer), words::is_against_claim(answer)) {
        (false, false) => word.to_owned(),
        (true, false) => format!("**{word}**"),
        (false, true) => format!("{word} †"),
        (true, true) => format!("**{word}** †"),
    }
}

pub(super) fn write(matrix: &Matrix, out: &mut dyn Write) -> io::Result<()> {
    let labels: Vec<String> = matrix.columns.iter().map(|column| code(&column.label)).collect();
    writeln!(out, "| question | {} |", labels.join(" | "))?;
    writeln!(out, "|---|{}", "---|".repeat(labels.len()))?;
    let (mut shown, mut told) = (0, 0);
    let mut more = Vec::new();
    matrix.for_each(&mut |asked, cells| {
        for (n, answer) in cells {
            let wanted = words::is_wrong(answer) || words::is_against_claim(answer) || words::is_open(answer);
            if wanted && told < TOLD {
                let sentence = plain(&words::sentence(answer));
                writeln!(more, "- {}, {}: {sentence}", labels[*n], code(&asked.probe_id))?;
            }
            told += usize::from(wanted);
        }
        shown += 1;
        if shown > SHOWN {
            return Ok(());
        }
        let mut row = vec![String::new(); labels.len()];
        for (n, answer) in cells {
            row[*n] = short(answer);
        }
        let target = if asked.target.is_empty() { String::new() } else { format!(" on {}", code(&asked.target)) };
        let question = format!("{}: {}{target}", code(&asked.probe_id), code(&asked.operation));
        writeln!(out, "| {question} | {} |", row.join(" | "))
    })?;
    if shown > SHOWN {
        writeln!(out, "\n… and {} more questions", shown - SHOWN)?;
    }
    writeln!(out, "\n**Bold**: not as expected. †: not as documented. Empty: not asked.\n")?;
    out.write_all(&more)?;
    if told > TOLD {
        writeln!(out, "- … and {} more", told - TOLD)?;
    }
    if told > 0 {
        writeln!(out)?;
    }
    for (label, column) in labels.iter().zip(&matrix.columns) {
        let counts = column.counts;
        writeln!(
            out,
            "- {label}: {} of {} as expected, {} not, {} undecided; {}",
            counts.as_expected + counts.asked,
            counts.questions,
            counts.mismatched,
            counts.undecided,
            plain(&words::described(column).join("; "))
        )?;
    }
    Ok(())
}
