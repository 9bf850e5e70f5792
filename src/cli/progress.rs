//! Progress on a terminal.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::record::outcome::Lane;
use crate::run::RunObserver;

/// How long a run takes before its progress is shown: a bar that comes and goes at once only flickers.
const PATIENCE: Duration = Duration::from_millis(200);

/// One bar for the whole run on standard error; nothing at all where that is no terminal, or where a run is short.
#[derive(Debug)]
pub struct ProgressBars {
    /// What is counted; `None`: nobody looks.
    count: Option<RowCount>,
}

/// How far a run is.
#[derive(Debug)]
struct RowCount {
    began: Instant,
    lane: Lane,
    total: u64,
    done: u64,
    /// There as soon as the run has taken a while.
    bar: Option<ProgressBar>,
}

impl ProgressBars {
    /// Draws only if told to.
    pub fn new(draw: bool) -> Self {
        let count = || RowCount { began: Instant::now(), lane: Lane::Baseline, total: 0, done: 0, bar: None };
        Self { count: draw.then(count) }
    }

    /// Takes the bar away.
    pub fn finish(&mut self) {
        if let Some(bar) = self.count.take().and_then(|count| count.bar) {
            bar.finish_and_clear();
        }
    }
}

impl RowCount {
    fn draw(&mut self) {
        if self.bar.is_none() {
            if self.began.elapsed() < PATIENCE {
                return;
            }
            let bar = ProgressBar::with_draw_target(Some(self.total), ProgressDrawTarget::stderr_with_hz(10))
                .with_elapsed(self.began.elapsed());
            let style = ProgressStyle::with_template("{msg:>9} {bar:32} {pos}/{len}{prefix}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            self.bar = Some(bar);
        }
        if let Some(bar) = &self.bar {
            bar.set_message(self.lane.as_str());
            bar.set_prefix(left(self.began.elapsed(), self.done, self.total).unwrap_or_default());
            bar.set_length(self.total.max(self.done));
            bar.set_position(self.done);
        }
    }
}

/// How long the rest will take at the pace so far, in words. `None` while there is no pace to speak of, or next to nothing is left.
fn left(elapsed: Duration, done: u64, total: u64) -> Option<String> {
    if elapsed < Duration::from_secs(1) || done == 0 {
        return None;
    }
    let seconds = (elapsed.as_secs_f64() / done as f64 * total.saturating_sub(done) as f64).ceil() as u64;
    match seconds {
        0 | 1 => None,
        2..120 => Some(format!("  about {seconds} s left")),
        _ => Some(format!("  about {} min left", seconds.div_ceil(60))),
    }
}

impl RunObserver for ProgressBars {
    fn begin(&mut self, rows: usize) {
        if let Some(count) = &mut self.count {
            count.total = rows as u64;
        }
    }

    fn lane(&mut self, lane: Lane, _rows: usize) {
        if let Some(count) = &mut self.count {
            count.lane = lane;
            count.draw();
        }
    }

    fn row(&mut self) {
        if let Some(count) = &mut self.count {
            count.done += 1;
            count.draw();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_said_once_there_is_a_pace() {
        let left = |millis, done, total| left(Duration::from_millis(millis), done, total);
        assert_eq!(left(900, 10, 1000), None, "too early");
        assert_eq!(left(5000, 0, 1000), None, "no pace");
        assert_eq!(left(2000, 100, 1000).as_deref(), Some("  about 18 s left"));
        assert_eq!(left(2000, 100, 100_000).as_deref(), Some("  about 34 min left"));
        assert_eq!(left(2000, 1000, 1000), None);
        assert_eq!(left(2000, 1001, 1000), None, "more than was planned");
    }

    #[test]
    fn a_short_run_shows_nothing_and_a_long_one_one_total() {
        let mut progress = ProgressBars::new(true);
        progress.begin(30);
        progress.lane(Lane::Baseline, 10);
        progress.row();
        assert!(progress.count.as_ref().unwrap().bar.is_none(), "it has only begun");
        let count = progress.count.as_mut().unwrap();
        count.began = Instant::now().checked_sub(PATIENCE).unwrap();
        progress.lane(Lane::Scenario, 20);
        progress.row();
        let bar = progress.count.as_ref().unwrap().bar.as_ref().unwrap();
        assert_eq!((bar.position(), bar.length()), (2, Some(30)), "no lane begins at nothing again");
        progress.finish();
        progress.row();
        assert!(ProgressBars::new(false).count.is_none());
    }
}
