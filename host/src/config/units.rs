//! Numbers with units: read here, and written here for messages.

use std::fmt::{self, Display};
use std::time::Duration;

/// Digits and what follows them. A sign is no digit: `-1` is refused, not wrapped around.
fn digits(text: &str) -> Option<(u64, &str)> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = text.strip_suffix(unit)?.parse().ok()?;
    Some((number, unit))
}

pub(super) fn size(text: &str) -> Option<u64> {
    let (number, unit) = digits(text)?;
    let factor = match unit {
        "" => 1,
        "k" | "K" => 1 << 10,
        "m" | "M" => 1 << 20,
        "g" | "G" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(factor)
}

pub(super) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = digits(text)?;
    let seconds = match unit.to_ascii_lowercase().as_str() {
        "ms" => return Some(Duration::from_millis(number)),
        "" | "s" => 1,
        "min" => 60,
        "h" => 60 * 60,
        _ => return None,
    };
    number.checked_mul(seconds).map(Duration::from_secs)
}

pub(super) fn fraction(text: &str) -> Option<f64> {
    // Rust would also take `inf`, `nan` and `1e5`.
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_plain = unsigned.chars().all(|c| c.is_ascii_digit() || c == '.');
    text.parse().ok().filter(|_| is_plain)
}

/// Largest fraction a module can declare: `i64::MAX` thousandths.
pub(super) const FRACTION_MAX: f64 = 9_223_372_036_854_775.0;

/// A size, written as one would in a configuration.
#[derive(PartialEq, PartialOrd)]
pub(super) struct Bytes(pub(super) u64);

impl Bytes {
    pub(super) const ZERO: Self = Self(0);
    /// The largest a module can declare.
    pub(super) const MAX: Self = Self(i64::MAX.unsigned_abs());
}

impl Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K")];
        let unit = units.into_iter().find(|(unit, _)| self.0 != 0 && self.0.is_multiple_of(*unit));
        let (unit, name) = unit.unwrap_or((1, ""));
        write!(f, "{}{name}", self.0 / unit)
    }
}

/// A time, written as one would in a configuration.
#[derive(PartialEq, PartialOrd)]
pub(super) struct Time(pub(super) Duration);

impl Time {
    pub(super) const ZERO: Self = Self(Duration::ZERO);
    /// The longest a module can declare, in nanoseconds.
    pub(super) const MAX: Self = Self(Duration::from_nanos(i64::MAX.unsigned_abs()));
}

impl Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        let units = [(3_600_000, "h"), (60_000, "min"), (1000, "s")];
        let unit = units.into_iter().find(|(unit, _)| ms.is_multiple_of(*unit));
        let (unit, name) = unit.unwrap_or((1, "ms"));
        match ms {
            0 => write!(f, "0"),
            _ => write!(f, "{}{name}", ms / unit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_written_as_they_are_read() {
        let bytes = [0, 1, 1023, 1024, 1536, 2 << 20, 3 << 30, u64::MAX];
        for bytes in bytes {
            assert_eq!(size(&Bytes(bytes).to_string()), Some(bytes));
        }
        for ms in [0, 1, 999, 1000, 1500, 60_000, 61_000, 3_600_000, 5_400_000] {
            let time = Duration::from_millis(ms);
            assert_eq!(duration(&Time(time).to_string()), Some(time));
        }
        assert_eq!(Time(Duration::from_secs(5400)).to_string(), "90min");
        assert_eq!(Bytes(1536).to_string(), "1536");
    }
}
