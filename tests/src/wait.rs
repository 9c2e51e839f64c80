//! Waiting for a condition, never for a time.

use std::time::{Duration, Instant};

/// How long any condition may take to come true on a slow machine.
pub const WAIT_MAX: Duration = Duration::from_secs(20);

/// Waits until `condition` gives a value.
///
/// # Panics
/// It does not within [`WAIT_MAX`]; `what` says what was waited for.
#[track_caller]
pub fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + WAIT_MAX;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < end, "waited {WAIT_MAX:?} in vain: {what}");
        std::thread::yield_now();
        std::thread::park_timeout(Duration::from_millis(2));
    }
}
