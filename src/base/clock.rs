//! The two clocks: wall time for *when*, monotonic time for *how long*.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Seconds since 1970-01-01T00:00:00Z, with microseconds as the fraction.
#[expect(clippy::disallowed_methods, reason = "the one clock")]
pub fn unix_seconds() -> f64 {
    let micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_micros());
    micros as f64 / 1e6
}

/// The day that a time since 1970 lies in, `YYYY-MM-DD`, in UTC; empty for what is no time of this era.
pub fn day_of(unix_s: f64) -> String {
    let when = chrono::DateTime::from_timestamp(unix_s as i64, 0);
    when.map(|when| when.format("%Y-%m-%d").to_string()).unwrap_or_default()
}

/// Today, as [`day_of`] writes it.
pub fn today() -> String {
    day_of(unix_seconds())
}

/// Measures a duration.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts measuring.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Whole microseconds since the start.
    pub fn elapsed_us(self) -> u64 {
        u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}
