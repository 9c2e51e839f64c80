//! Adjusting numbers of the configuration as httpd's MPMs do: clamped, with a warning that says what
//! was done.

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

/// Lowers `value` of the directive `name` to a bound.
pub fn bounded(name: &str, value: &mut i64, bound: Bound<'_>) {
    let Bound { max, directive, unit } = bound;
    if *value <= max {
        return;
    }
    if directive.is_empty() {
        log::warn!(
            "{name} of {value} exceeds compile-time limit of {max} {unit}, decreasing to {max}."
        );
    } else {
        log::warn!(
            "{name} of {value} exceeds {directive} value of {max} {unit}, decreasing to {max}. To \
             increase, please see the {directive} directive."
        );
    }
    *value = max;
}

/// Raises `value` of the directive `name` to 1.
pub fn at_least_one(name: &str, value: &mut i64) {
    if *value < 1 {
        log::warn!("{name} of {value} not allowed, increasing to 1.");
        *value = 1;
    }
}
