//! Ratios, medians, verdicts and the table.

use std::fmt::Write as _;

/// Which ratios are good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Small ones.
    Lower,
    /// Large ones.
    Higher,
}

/// One measured thing and its floor, round by round.
#[derive(Debug)]
pub struct Item {
    /// Its name.
    pub name: &'static str,
    /// The unit of both columns.
    pub unit: &'static str,
    /// Which ratios are good.
    pub better: Better,
    /// The ratio that is aimed at.
    pub target: f64,
    /// The ratio beyond which the item fails.
    pub fail_at: f64,
    /// (measured, floor) of each round.
    pub rounds: Vec<(f64, f64)>,
}

/// How an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It meets its target.
    Met,
    /// It misses its target and is within its limit.
    Missed,
    /// It is beyond its limit.
    Fail,
}

impl Item {
    /// The median of the per-round ratios.
    pub fn ratio(&self) -> f64 {
        median(self.ratios())
    }

    fn ratios(&self) -> Vec<f64> {
        self.rounds.iter().map(|(measured, floor)| measured / floor).collect()
    }

    /// How it stands.
    pub fn verdict(&self) -> Verdict {
        let ratio = self.ratio();
        // A ratio that is no number is beyond every limit.
        let within = |limit: f64| match self.better {
            Better::Lower => ratio <= limit,
            Better::Higher => ratio >= limit,
        };
        if within(self.target) {
            Verdict::Met
        } else if within(self.fail_at) {
            Verdict::Missed
        } else {
            Verdict::Fail
        }
    }
}

/// The middle value, or the mean of the two in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

/// The table that people read. `judged`: whether enough was measured for verdicts.
pub fn table(items: &[Item], judged: bool) -> String {
    let mut rows =
        vec![["name", "measured", "floor", "unit", "ratio", "range", "target", "fail at", "verdict"].map(String::from)];
    for item in items {
        let (aim, limit) = match item.better {
            Better::Lower => ("<=", ">"),
            Better::Higher => (">=", "<"),
        };
        let ratios = item.ratios();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        rows.push([
            item.name.to_owned(),
            number(median(item.rounds.iter().map(|round| round.0).collect())),
            number(median(item.rounds.iter().map(|round| round.1).collect())),
            item.unit.to_owned(),
            number(item.ratio()),
            format!("{}..{}", number(least), number(most)),
            format!("{aim} {}", number(item.target)),
            format!("{limit} {}", number(item.fail_at)),
            match item.verdict() {
                _ if !judged => "not judged",
                Verdict::Met => "met",
                Verdict::Missed => "missed",
                Verdict::Fail => "FAIL",
            }
            .to_owned(),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..9).map(width).collect();
    let mut out = String::new();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _ = writeln!(out, "{}", cells.join(" | ").trim_end());
    }
    out
}

/// Three significant digits, more or less.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
