//! Monotonic and local time.

use nix::time::{ClockId, clock_gettime};

/// Monotonic nanoseconds. Async-signal-safe.
pub fn now_ns() -> u64 {
    // CLOCK_MONOTONIC exists on every system gearbox runs on, and never goes below zero.
    clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map_or(0, |t| t.tv_sec() as u64 * 1_000_000_000 + t.tv_nsec() as u64)
}

/// Seconds since 1970.
pub fn unix_s() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}

/// A point in time as clocks on the wall show it here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// Year, for example 2026.
    pub year: i32,
    /// Month, 0 = January.
    pub month: usize,
    /// Day of the month, from 1.
    pub day: i32,
    /// Day of the week, 0 = Sunday.
    pub weekday: usize,
    /// Hour.
    pub hour: i32,
    /// Minute.
    pub minute: i32,
    /// Second.
    pub second: i32,
    /// Seconds east of Greenwich.
    pub offset_s: i64,
}

/// Local time of `unix_s` seconds since 1970.
pub fn local_time(unix_s: i64) -> LocalTime {
    let mut tm = std::mem::MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are valid; on failure the zeroed fields stay.
    unsafe { libc::localtime_r(&raw const unix_s, tm.as_mut_ptr()) };
    // SAFETY: zeroed before; every bit pattern is a valid tm.
    let tm = unsafe { tm.assume_init() };
    LocalTime {
        year: tm.tm_year + 1900,
        month: usize::try_from(tm.tm_mon).unwrap_or(0),
        day: tm.tm_mday,
        weekday: usize::try_from(tm.tm_wday).unwrap_or(0),
        hour: tm.tm_hour,
        minute: tm.tm_min,
        second: tm.tm_sec,
        offset_s: tm.tm_gmtoff,
    }
}

/// Abbreviated months, as logs write them.
pub const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Abbreviated days of the week, Sunday first.
pub const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
