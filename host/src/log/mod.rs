//! The error log and the access logs.
//!
//! The `log` crate's facade feeds the main error log; `env_logger` filters and formats. A line is
//! written by one `write` to a descriptor opened for appending, so that lines of several processes
//! do not mix.

mod access;
mod error;
mod files;
mod level;
mod rows;

pub use access::{AccessLog, COMBINED, COMMON, Entry, Format};
pub use error::{
    ErrorLog, LevelFilter, emit, emit_about, enabled, install, main_descriptor, raw,
    with_main_descriptor,
};
pub use files::{LogFiles, open};
pub use level::Level;
pub use rows::{LogSettings, ROWS};

/// Writes to the error log: level, permanent number (see `conf/MESSAGES.md`), text.
///
/// The module shown is the part of the host the line stands in. A line about what a client did says
/// so before the text: `client ADDRESS,`, an `Option`.
#[macro_export]
macro_rules! log_line {
    ($level:ident, $code:literal, client $client:expr, $($text:tt)+) => {{
        let level = $crate::log::Level::$level;
        if $crate::log::enabled(level, module_path!()) {
            let (client, module) = ($client, module_path!());
            $crate::log::emit_about(client, level, module, $code, ::std::format_args!($($text)+));
        }
    }};
    ($level:ident, $code:literal, $($text:tt)+) => {{
        let level = $crate::log::Level::$level;
        if $crate::log::enabled(level, module_path!()) {
            $crate::log::emit(level, module_path!(), $code, ::std::format_args!($($text)+));
        }
    }};
}
