//! What reading a configuration asks of the server.

use std::path::Path;

use super::row::ModuleRow;
use super::source::Place;

/// What `LoadModule` and `<IfModule>` ask of the server while a file is read.
pub trait ModuleHost {
    /// `LoadModule symbol file`: loads a module and returns what it adds.
    ///
    /// # Errors
    ///
    /// The reason in one line; it is shown at the directive's place as it is.
    fn load(
        &mut self,
        symbol: &str,
        file: &str,
        server_root: &Path,
        place: &Place,
    ) -> Result<Loaded, String>;

    /// Whether `<IfModule name>` holds: a module identifier (`mpm_event_module`) or source name
    /// (`event.c`, `mod_dir.c`).
    fn is_loaded(&self, name: &str) -> bool;
}

/// What became of a `LoadModule`.
#[derive(Debug)]
pub enum Loaded {
    /// It is loaded, and these are its directives.
    Plugin(Vec<ModuleRow>),
    /// What it does is part of the server.
    BuiltIn,
    /// It was loaded before.
    Already,
}
