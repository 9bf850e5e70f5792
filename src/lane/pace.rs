//! How far ahead a worker hands jobs over.
//!
//! A zygote must never wait for the harness, and neither should they meet for every single job: what is handed over, taken
//! in and answered many at a time costs both of them less. So a zygote gets a few milliseconds' worth of jobs. Answers
//! are taken as they come. (To look away until several are there was tried. It leaves a processor idle, and that makes the
//! other one's forks dearer, at least on a virtual machine.)

/// How much work a zygote is to have ahead, in microseconds.
const AHEAD_US: u64 = 4_000;
/// The most jobs that it has at a time.
const MOST: usize = 32;
/// The fewest: one that runs and one that waits.
const FEWEST: usize = 2;
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
            false => self.usual_us - (self.usual_us - duration_us).div_ceil(8),
        };
    }

    /// How many jobs the zygote should have, if `left` are to be given out to `workers` workers.
    pub fn depth(&self, left: usize, workers: usize) -> usize {
        let lasting = AHEAD_US / self.usual_us.max(1);
        (lasting as usize).min(left / (workers.max(1) * PART)).clamp(FEWEST, MOST)
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
        assert_eq!(after([400; 100]).depth(10_000, 2), 10);
        assert_eq!(after([0; 500]).depth(10_000, 1), MOST);
        assert_eq!(after([100; 50].into_iter().chain([2_000_000])).depth(10_000, 1), FEWEST);
        assert_eq!(after([u64::MAX, u64::MAX, 0]).depth(10_000, 1), FEWEST);
    }

    #[test]
    fn the_end_of_a_lane_is_shared() {
        let pace = after([100; 50]);
        assert_eq!(pace.depth(256, 2), MOST);
        assert_eq!(pace.depth(64, 2), 8);
        assert_eq!(pace.depth(64, 16), FEWEST);
        assert_eq!(pace.depth(0, 0), FEWEST);
    }
}
