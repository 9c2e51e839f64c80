//! The `log` crate's macros and panics of this plug-in, sent to the server's error log.
//!
//! A plug-in has its own copy of the `log` crate, so the host's logger is not seen here.

use std::sync::Once;

use log::{Level, LevelFilter, Metadata, Record};
use mpm_abi::host::{LOG_CRIT, LOG_DEBUG, LOG_ERROR, LOG_INFO, LOG_TRACE1, LOG_WARN};

use crate::host::Host;

struct Bridge(Host);

impl log::Log for Bridge {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.0.log_enabled(level(metadata.level()))
    }

    fn log(&self, record: &Record<'_>) {
        let level = level(record.level());
        if self.0.log_enabled(level) {
            self.0.log(level, &record.args().to_string());
        }
    }

    fn flush(&self) {}
}

fn level(level: Level) -> u32 {
    match level {
        Level::Error => LOG_ERROR,
        Level::Warn => LOG_WARN,
        Level::Info => LOG_INFO,
        Level::Debug => LOG_DEBUG,
        Level::Trace => LOG_TRACE1,
    }
}

/// Installs the bridge and a panic hook, once per process.
pub(crate) fn install(host: Host) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if log::set_boxed_logger(Box::new(Bridge(host))).is_ok() {
            log::set_max_level(LevelFilter::Trace);
        }
        std::panic::set_hook(Box::new(move |panic| {
            host.log(LOG_CRIT, &format!("panic in the MPM: {panic}"));
        }));
    });
}
