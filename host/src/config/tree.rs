//! The configuration as written.

use std::path::{Path, PathBuf};

use super::error::Problem;
use super::lexer::{Rest, Word};
use super::row::ModuleRow;
use super::source::Place;

/// Directives and sections as they stand in the files, included ones in their place.
///
/// What decides how the rest is read has been acted upon and is not in it any more: conditional
/// sections are replaced by their content or by nothing.
#[derive(Debug, Default)]
pub struct Tree {
    /// In reading order, so that a parent stands before its children.
    pub(super) nodes: Vec<Node>,
    pub(super) modules: Vec<LoadedModule>,
    /// Symbols whose `LoadModule` failed.
    pub(super) missing: Vec<String>,
    pub(super) problems: Vec<Problem>,
    pub(super) defines: Vec<(String, String)>,
    pub(super) files: Vec<PathBuf>,
    pub(super) server_root: PathBuf,
}

/// A directive, or the head of a section.
#[derive(Debug)]
pub struct Node {
    pub(super) name: Word,
    pub(super) rest: Rest,
    pub(super) is_section: bool,
    /// Index of the section it stands in.
    pub(super) parent: Option<usize>,
}

/// What a `LoadModule` brought.
#[derive(Debug)]
pub(super) struct LoadedModule {
    pub(super) symbol: String,
    pub(super) place: Place,
    pub(super) rows: Vec<ModuleRow>,
}

impl Tree {
    /// All directives and sections, in reading order.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter()
    }

    /// The directives that loaded modules add, in load order.
    pub fn module_rows(&self) -> impl Iterator<Item = &ModuleRow> {
        self.modules.iter().flat_map(|module| &module.rows)
    }

    /// Symbols of the modules that were loaded from files, in load order.
    pub fn loaded(&self) -> impl Iterator<Item = &str> {
        self.modules.iter().map(|module| module.symbol.as_str())
    }

    /// What was found wrong so far. [`resolve`](super::resolve()) passes it on with its own.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The files that were read.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The last `ServerRoot`, or what the reading began with.
    pub fn server_root(&self) -> &Path {
        &self.server_root
    }

    /// Words of the last `name` outside every section, or else of the last one anywhere, since a section
    /// that is not closed swallows the rest: enough to find the PID file of a running server in a
    /// configuration that is otherwise broken.
    pub fn last(&self, name: &str) -> Option<Vec<Word>> {
        let is_it = |node: &&Node| !node.is_section && node.name.text.eq_ignore_ascii_case(name);
        let found = || self.nodes.iter().rev().filter(is_it);
        found().find(|node| node.parent.is_none()).or(found().next()).map(Node::words)
    }
}

impl Node {
    /// Its name as written; a section's is without `<`.
    pub fn name(&self) -> &Word {
        &self.name
    }

    /// Its arguments, split and unquoted.
    pub fn words(&self) -> Vec<Word> {
        self.rest.words().words
    }

    /// Whether it opens a section.
    pub fn is_section(&self) -> bool {
        self.is_section
    }
}
