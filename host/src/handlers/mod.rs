//! What answers a request: a settings struct, the handler, its directive rows last. No handler
//! knows a connection or another handler.

pub mod conditional;
pub mod content;
pub mod files;
pub mod range;
pub mod server_status;
pub mod types;

pub use content::{Content, ContentError};

/// The handler would have to wait (for a disk) and was not allowed to: ask again on a thread that
/// may block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WouldBlock;
