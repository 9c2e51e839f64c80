//! Why an MPM or the host refused.

use std::fmt;

use mpm_abi::{E_AGAIN, E_CONFIG, E_FATAL, E_INVAL, E_STATE, E_SYS, E_UNSUPPORTED};

/// A status of the contract with a text for the administrator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    status: i32,
    text: String,
}

impl Error {
    /// An error with any status (`E_…`).
    pub fn new(status: i32, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }

    /// The configuration is wrong.
    pub fn config(text: impl Into<String>) -> Self {
        Self::new(E_CONFIG, text)
    }

    /// The server cannot go on.
    pub fn fatal(text: impl Into<String>) -> Self {
        Self::new(E_FATAL, text)
    }

    /// The operating system refused; takes its last error.
    pub fn last_os(what: &str) -> Self {
        Self::new(E_SYS, format!("{what}: {}", std::io::Error::last_os_error()))
    }

    /// The status a host function returned, named.
    pub(crate) fn from_status(what: &str, status: i32) -> Self {
        let reason = match status {
            E_INVAL => "invalid argument",
            E_UNSUPPORTED => "not supported by this host",
            E_AGAIN => "nothing there",
            E_SYS => "refused by the operating system",
            E_STATE => "not possible in this state",
            _ => "failed",
        };
        Self::new(status, format!("{what}: {reason} (status {status})"))
    }

    /// The status (`E_…`).
    pub fn status(&self) -> i32 {
        self.status
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}
