//! Adjusting numbers of the configuration as httpd's MPMs do: clamped, with a warning that says what
//! was done.

use std::fmt::Display;

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
            "{code}: {name} of {value} exceeds {directive} value of {max} {unit}, decreasing to \
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
