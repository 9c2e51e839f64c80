//! httpd's log levels.

use std::fmt;

/// Severity, the worst first. `LogLevel warn` lets everything up to [`Level::WARN`] through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(u8);

const NAMES: [&str; 16] = [
    "emerg", "alert", "crit", "error", "warn", "notice", "info", "debug", "trace1", "trace2",
    "trace3", "trace4", "trace5", "trace6", "trace7", "trace8",
];

impl Level {
    /// The server cannot be used.
    pub const EMERG: Self = Self(0);
    /// Action must be taken at once.
    pub const ALERT: Self = Self(1);
    /// Critical.
    pub const CRIT: Self = Self(2);
    /// The administrator must act.
    pub const ERROR: Self = Self(3);
    /// Something was adapted.
    pub const WARN: Self = Self(4);
    /// Life cycle.
    pub const NOTICE: Self = Self(5);
    /// Per connection.
    pub const INFO: Self = Self(6);
    /// For developers.
    pub const DEBUG: Self = Self(7);
    /// The coarsest trace.
    pub const TRACE1: Self = Self(8);
    /// The finest trace.
    pub const TRACE8: Self = Self(15);

    /// The level of a number of the ABI (0 = emerg … 15 = trace8); beyond that the finest.
    pub fn from_number(n: u32) -> Self {
        Self(u8::try_from(n).unwrap_or(u8::MAX).min(Self::TRACE8.0))
    }

    /// The level of a word of `LogLevel`, in any case.
    pub fn from_word(word: &str) -> Option<Self> {
        let n = NAMES.iter().position(|name| name.eq_ignore_ascii_case(word))?;
        u8::try_from(n).ok().map(Self)
    }

    /// The number of the ABI.
    pub fn number(self) -> u32 {
        u32::from(self.0)
    }

    /// All words of `LogLevel`.
    pub fn words() -> &'static [&'static str] {
        &NAMES
    }

    /// The nearest level of the `log` crate, which has five.
    pub(super) fn facade(self) -> ::log::Level {
        match self {
            Self(0..=3) => ::log::Level::Error,
            Self::WARN => ::log::Level::Warn,
            Self::NOTICE | Self::INFO => ::log::Level::Info,
            Self::DEBUG => ::log::Level::Debug,
            Self(_) => ::log::Level::Trace,
        }
    }

    /// The level of a record of a crate that only knows the `log` crate.
    pub(super) fn from_facade(level: ::log::Level) -> Self {
        match level {
            ::log::Level::Error => Self::ERROR,
            ::log::Level::Warn => Self::WARN,
            ::log::Level::Info => Self::INFO,
            ::log::Level::Debug => Self::DEBUG,
            ::log::Level::Trace => Self::TRACE1,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAMES.get(usize::from(self.0)).copied().unwrap_or("trace8"))
    }
}
