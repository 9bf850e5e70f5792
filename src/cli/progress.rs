//! Progress on a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::record::outcome::Lane;
use crate::run::RunObserver;

/// A bar per lane on standard error; nothing at all where that is no terminal.
#[derive(Debug)]
pub struct ProgressBars {
    bar: Option<ProgressBar>,
}

impl ProgressBars {
    /// Draws only if told to.
    pub fn new(draw: bool) -> Self {
        Self { bar: draw.then(|| ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(10))) }
    }

    /// Takes the bar away.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl RunObserver for ProgressBars {
    fn lane(&mut self, lane: Lane, rows: usize) {
        if let Some(bar) = &self.bar {
            let style = ProgressStyle::with_template("{msg:>9} {bar:32} {pos}/{len} {eta}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_message(lane.as_str());
            bar.set_length(rows as u64);
            bar.set_position(0);
        }
    }

    fn row(&mut self) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }
}
