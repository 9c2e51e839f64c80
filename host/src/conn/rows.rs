//! Directives about connections.

use std::time::Duration;

use super::Settings;
use crate::config::{self, Args, Contexts, Part, Row};

/// Connection settings as written.
#[derive(Clone, Debug, Default)]
pub struct ConnSettings {
    timeout: Option<Duration>,
    keep_alive: Option<bool>,
    keep_alive_timeout: Option<Duration>,
    max_keep_alive_requests: Option<u32>,
}

impl Part for ConnSettings {
    fn merge(&mut self, inner: &Self) {
        self.timeout = inner.timeout.or(self.timeout);
        self.keep_alive = inner.keep_alive.or(self.keep_alive);
        self.keep_alive_timeout = inner.keep_alive_timeout.or(self.keep_alive_timeout);
        self.max_keep_alive_requests =
            inner.max_keep_alive_requests.or(self.max_keep_alive_requests);
    }
}

impl Settings {
    /// What the configuration says, with defaults for the rest.
    pub fn resolve(settings: &config::Settings) -> Self {
        let (written, default) = (settings.of::<ConnSettings>(), Self::default());
        Self {
            timeout: written.timeout.unwrap_or(default.timeout),
            keep_alive: written.keep_alive.unwrap_or(default.keep_alive),
            keep_alive_timeout: written.keep_alive_timeout.unwrap_or(default.keep_alive_timeout),
            max_keep_alive_requests: written
                .max_keep_alive_requests
                .unwrap_or(default.max_keep_alive_requests),
        }
    }
}

/// Shortest time that can be waited for, and longest (a year).
const TIMES: Args =
    Args::Duration { min: Duration::from_millis(1), max: Duration::from_secs(365 * 86_400) };

/// Directives of the core about connections.
pub const ROWS: &[Row] = &[
    Row {
        name: "Timeout",
        module: "core.c",
        contexts: Contexts::SERVER,
        args: TIMES,
        default: "60",
        help: "how long a request may stand still: its head, a read, a write",
        set: |settings, call| {
            settings.of_mut::<ConnSettings>().timeout = Some(call.duration()?);
            Ok(())
        },
    },
    Row {
        name: "KeepAlive",
        module: "http_core.c",
        contexts: Contexts::SERVER,
        args: Args::Flag,
        default: "On",
        help: "whether a connection may carry more than one request",
        set: |settings, call| {
            settings.of_mut::<ConnSettings>().keep_alive = Some(call.flag()?);
            Ok(())
        },
    },
    Row {
        name: "KeepAliveTimeout",
        module: "http_core.c",
        contexts: Contexts::SERVER,
        args: TIMES,
        default: "5",
        help: "how long a connection waits for its next request",
        set: |settings, call| {
            settings.of_mut::<ConnSettings>().keep_alive_timeout = Some(call.duration()?);
            Ok(())
        },
    },
    Row {
        name: "MaxKeepAliveRequests",
        module: "http_core.c",
        contexts: Contexts::SERVER,
        args: Args::Int { min: 0, max: u32::MAX as i64 },
        default: "100",
        help: "how many requests may follow the first on a connection, 0 = no limit",
        set: |settings, call| {
            settings.of_mut::<ConnSettings>().max_keep_alive_requests = Some(call.int()?);
            Ok(())
        },
    },
];
