//! How far ahead a worker hands jobs over, and when it looks for answers.
//!
//! A zygote must never wait for the harness, and the harness should not be woken by each answer: a wake-up costs both of
//! them, and on two busy processors it interrupts a probe. So a zygote gets a few milliseconds' worth of jobs, and the
//! harness looks away until about half of them must be done.

use std::time::Duration;

/// How much work a zygote is to have ahead, in microseconds.
const AHEAD_US: u64 = 4_000;
/// The most jobs that it has at a time.
const MOST: usize = 32;
/// The fewest: one that runs and one that waits.
const FEWEST: usize = 2;
/// With fewer jobs ahead than this, each answer is waited for.
const WORTH_A_REST: usize = 8;
/// Of what is left in a lane, no worker takes more than its share divided by this, so that all end at about the same time.
const PART: usize = 4;

/// What a worker knows of its probes' durations.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    usual_us: u64,
}

impl Default for Pace {
    /// Probes of unknown duration could be long.
    fn default() -> Self {
        Self { usual_us: AHEAD_US }
    }
}

impl Pace {
    /// Takes a duration in. A longer one counts at once, a shorter one by and by.
    pub fn seen(&mut self, duration_us: u64) {
        self.usual_us = match duration_us > self.usual_us {
            true => duration_us,
            false => (self.usual_us * 7 + duration_us) / 8,
        };
    }

    /// How many jobs the zygote should have, if `left` are to be given out to `workers` workers.
    pub fn depth(&self, left: usize, workers: usize) -> usize {
        let lasting = AHEAD_US / self.usual_us.max(1);
        (lasting as usize).min(left / (workers.max(1) * PART)).clamp(FEWEST, MOST)
    }

    /// How long nobody need look for an answer, if the zygote has `ahead` jobs. `None`: the next one should be waited for.
    pub fn rest(&self, ahead: usize) -> Option<Duration> {
        (ahead >= WORTH_A_REST).then(|| Duration::from_micros((self.usual_us.min(AHEAD_US) * ahead as u64).min(AHEAD_US) / 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(durations: impl IntoIterator<Item = u64>) -> Pace {
        let mut pace = Pace::default();
        durations.into_iter().for_each(|duration| pace.seen(duration));
        pace
    }

    #[test]
    fn short_probes_are_handed_over_many_at_a_time_and_long_ones_are_not() {
        assert_eq!(Pace::default().depth(10_000, 1), FEWEST);
        assert_eq!(after([100; 50]).depth(10_000, 1), MOST);
        assert_eq!(after([400; 50]).depth(10_000, 2), 9);
        assert_eq!(after([0; 500]).depth(10_000, 1), MOST);
        let met_a_long_one = after([100; 50].into_iter().chain([2_000_000]));
        assert_eq!(met_a_long_one.depth(10_000, 1), FEWEST);
        assert_eq!(met_a_long_one.rest(FEWEST), None);
    }

    #[test]
    fn the_end_of_a_lane_is_shared() {
        let pace = after([100; 50]);
        assert_eq!(pace.depth(256, 2), MOST);
        assert_eq!(pace.depth(64, 2), 8);
        assert_eq!(pace.depth(64, 16), FEWEST);
        assert_eq!(pace.depth(0, 0), FEWEST);
    }

    #[test]
    fn a_rest_leaves_half_of_the_work() {
        let pace = after([100; 500]);
        assert_eq!(pace.rest(32), Some(Duration::from_micros(1_600)));
        assert_eq!(pace.rest(WORTH_A_REST - 1), None);
        let long = after([100; 50].into_iter().chain([u64::MAX]));
        assert_eq!(long.rest(32), Some(Duration::from_micros(AHEAD_US / 2)));
    }
}
