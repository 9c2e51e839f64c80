//! Directives about status.

use crate::config::{Args, Contexts, Part, Row};

/// Settings about status, as written.
#[derive(Clone, Debug, Default)]
pub struct StatusSettings {
    extended: Option<bool>,
}

impl StatusSettings {
    /// ExtendedStatus: what requests are about and how many there were is kept.
    pub fn extended(&self) -> bool {
        self.extended.unwrap_or(true)
    }
}

impl Part for StatusSettings {
    fn merge(&mut self, inner: &Self) {
        self.extended = inner.extended.or(self.extended);
    }
}

/// Directives of the core.
pub const ROWS: &[Row] = &[Row {
    name: "ExtendedStatus",
    module: "core.c",
    contexts: Contexts::SERVER,
    args: Args::Flag,
    default: "On",
    help: "whether requests are counted and shown by server-status and gearbox status",
    set: |settings, call| {
        settings.of_mut::<StatusSettings>().extended = Some(call.flag()?);
        Ok(())
    },
}];
