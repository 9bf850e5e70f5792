//! The hidden subcommand by which `scripts/make-vectors` writes shapes of rows: the decision rule by itself.

use std::io::{self, BufRead};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::exit::{Exit, Failure, OrFail};
use super::ui::Ui;
use crate::base::{json, json_out};
use crate::evidence::judge;
use crate::record::row::ProbeRow;

/// A question, as the rows of the test vectors are (SPEC.md, section 10).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JudgedPair {
    row: ProbeRow,
    baseline: Option<ProbeRow>,
    #[serde(rename = "mode")]
    _mode: IgnoredAny,
}

/// Reads a question a line, and prints the outcome a line.
pub(super) fn run(ui: &mut Ui) -> Result<Exit, Failure> {
    for (number, line) in io::stdin().lock().lines().enumerate() {
        let line = line.or_fail(Exit::Fault)?;
        let pair: JudgedPair = json::typed(line.as_bytes())
            .map_err(|error| Failure::new(Exit::InputRefused, format!("line {}: {error}", number + 1)))?;
        let mut answer = Vec::new();
        json_out::append_compact(&mut answer, &judge::outcome(&pair.row, pair.baseline.as_ref()))
            .or_fail(Exit::Fault)?;
        answer.push(b'\n');
        ui.bytes(&answer);
    }
    Ok(Exit::Done)
}
