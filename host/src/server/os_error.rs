//! An error of the system in httpd's form.

use std::fmt;
use std::io;

/// `(98)Address already in use`.
pub(super) struct Numbered<'a>(pub(super) &'a io::Error);

impl fmt::Display for Numbered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        if let Some(number) = self.0.raw_os_error() {
            write!(f, "({number})")?;
        }
        f.write_str(text.split(" (os error").next().unwrap_or(&text))
    }
}
