//! The configuration, resolved.

use std::path::PathBuf;

use super::error::Problem;
use super::settings::Settings;
use super::source::Place;
use super::value::Value;

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Config {
    /// Settings outside every section.
    pub server: Settings,
    /// `<Directory>` and `<Location>` sections, in file order.
    pub sections: Vec<Section>,
    /// Directives for loaded modules, in file order.
    pub module_calls: Vec<ModuleCall>,
    /// Warnings and notes, in reading order.
    pub warnings: Vec<Problem>,
    /// What is defined at the end, in order of definition; empty for those without a value.
    pub defines: Vec<(String, String)>,
    /// The files read, in order.
    pub files: Vec<PathBuf>,
    /// ServerRoot at the end.
    pub server_root: PathBuf,
}

/// A `<Directory>` or `<Location>`.
#[derive(Clone, Debug)]
pub struct Section {
    /// Which.
    pub kind: SectionKind,
    /// Its argument, a path. That of a directory is absolute and plain: no `.`, `..`, `//` or
    /// trailing slash.
    pub pattern: String,
    /// What is set in it.
    pub settings: Settings,
    /// Where it begins.
    pub place: Place,
}

/// Kind of section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionKind {
    /// For files below a directory.
    Directory,
    /// For URL paths.
    Location,
}

/// A directive for a loaded module.
#[derive(Clone, Debug)]
pub struct ModuleCall {
    /// Source name of the module: `event.c`.
    pub module: String,
    /// The module's number for the directive.
    pub id: u32,
    /// The directive's name, as the module declares it.
    pub name: String,
    /// Its value, within the declared range.
    pub value: Value,
    /// Its arguments, unquoted.
    pub words: Vec<String>,
    /// Where its name stands.
    pub place: Place,
}
