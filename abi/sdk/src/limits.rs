//! Adjusting numbers of the configuration as httpd's MPMs do: clamped, with a warning that says what
//! was done.

use std::fmt::Display;

/// A number that is a default until somebody writes another one: changing a default to fit what was
/// written is not worth a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The number.
    pub value: i64,
    is_written: bool,
}

impl Setting {
    /// Nobody has written it.
    pub const fn default_of(value: i64) -> Self {
        Self { value, is_written: false }
    }

    /// Somebody writes it.
    pub fn written(&mut self) -> &mut i64 {
        self.is_written = true;
        &mut self.value
    }
}

/// A number that was checked, as a count.
pub fn count(n: i64) -> u32 {
    u32::try_from(n.max(0)).unwrap_or(u32::MAX)
}

/// A largest value and why it is the largest.
#[derive(Clone, Copy, Debug)]
pub struct Bound<'a> {
    max: i64,
    /// `ServerLimit`, or empty for a limit that is compiled in.
    directive: &'a str,
    /// What is counted: `servers`, `threads`.
    unit: &'a str,
}

impl<'a> Bound<'a> {
    /// A limit that is compiled in.
    pub fn compiled(max: i64, unit: &'a str) -> Self {
        Self { max, directive: "", unit }
    }

    /// A limit that another directive sets.
    pub fn directive(max: i64, directive: &'a str, unit: &'a str) -> Self {
        Self { max, directive, unit }
    }
}

/// Lowers `value` of the directive `name` to a bound. `code` is the warning's permanent number:
/// httpd's `AH00175`, or one of the MPM's own.
pub fn bounded(code: impl Display, name: &str, value: &mut i64, bound: Bound<'_>) {
    let Bound { max, directive, unit } = bound;
    if *value <= max {
        return;
    }
    if directive.is_empty() {
        log::warn!(
            "{code}: {name} of {value} exceeds compile-time limit of {max} {unit}, decreasing to \
             {max}."
        );
    } else {
        log::warn!(
            "{code}: {name} of {value} exceeds {directive} of {max} {unit}, decreasing to \
             {max}. To increase, please see the {directive} directive."
        );
    }
    *value = max;
}

/// Raises `value` of the directive `name` to 1. `code` is as for [`bounded`].
pub fn at_least_one(code: impl Display, name: &str, value: &mut i64) {
    if *value < 1 {
        log::warn!("{code}: {name} of {value} not allowed, increasing to 1.");
        *value = 1;
    }
}

/// Raises `value` of `MinSpareThreads` or `MinSpareServers` to 1. `code` is as for [`bounded`].
pub fn at_least_one_spare(code: impl Display, name: &str, value: &mut i64) {
    if *value < 1 {
        log::warn!(
            "{code}: {name} of {value} not allowed, increasing to 1 to avoid almost certain server \
             failure. Please read the documentation."
        );
        *value = 1;
    }
}

/// Lowers `setting` of the directive `name` to the number of processes that MaxRequestWorkers allows.
pub fn at_most(name: &str, setting: &mut Setting, processes: i64) {
    let Setting { value, is_written } = *setting;
    if value > processes {
        if is_written {
            log::warn!(
                "GB0506: {name} of {value} exceeds the {processes} servers that MaxRequestWorkers \
                 allows, decreasing to {processes}."
            );
        }
        setting.value = processes;
    }
}

/// Raises `setting` of the directive `name` to `floor`, which is the sum of `parts`: with less room
/// between the fewest and the most, one process would be started and stopped in turns.
pub fn room_above(name: &str, setting: &mut Setting, floor: i64, parts: impl Display) {
    let Setting { value, is_written } = *setting;
    if value < floor {
        if is_written {
            log::warn!(
                "GB0507: {name} of {value} is less than the sum of {parts}, increasing to {floor}."
            );
        }
        setting.value = floor;
    }
}
