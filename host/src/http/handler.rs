//! `SetHandler`: what answers instead of a file.

use crate::config::{Args, Contexts, Fault, Part, Row};

/// What answers for a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Handler {
    /// A file.
    #[default]
    File,
    /// How the server is.
    ServerStatus,
}

/// The handler of a section.
#[derive(Clone, Debug, Default)]
pub struct HandlerSettings {
    /// SetHandler.
    pub handler: Option<Handler>,
}

impl Part for HandlerSettings {
    fn merge(&mut self, inner: &Self) {
        self.handler = inner.handler.or(self.handler);
    }
}

/// Directives of the core about handlers.
pub const ROWS: &[Row] = &[Row {
    name: "SetHandler",
    module: "core.c",
    contexts: Contexts::ANYWHERE,
    args: Args::Word,
    default: "None",
    help: "what answers instead of a file: server-status or None",
    set: |settings, call| {
        let handler = match call.text()?.to_ascii_lowercase().as_str() {
            "none" => Handler::File,
            "server-status" => Handler::ServerStatus,
            _ => {
                let sentence = "only the handlers server-status and None are supported yet";
                return Err(Fault::new(sentence).at(0));
            }
        };
        settings.of_mut::<HandlerSettings>().handler = Some(handler);
        Ok(())
    },
}];
