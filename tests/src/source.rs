//! The source, read as text: what tests of the layout go by.

use std::fs;
use std::path::{Path, PathBuf};

use crate::mpm::repository;

/// A file of the repository.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its path from the repository's root, with `/`.
    pub path: String,
    /// All of it.
    pub text: String,
}

impl Source {
    /// A file by its path from the repository's root.
    ///
    /// # Panics
    /// There is none.
    pub fn read(path: &str) -> Self {
        let text = fs::read_to_string(repository().join(path));
        let text = text.unwrap_or_else(|error| panic!("{path}: {error}"));
        Self { path: path.to_owned(), text }
    }

    /// The files below these folders whose names end like this, in order.
    ///
    /// # Panics
    /// There are none.
    pub fn below(folders: &[&str], ending: &str) -> Vec<Self> {
        let mut paths = Vec::new();
        for folder in folders {
            let count = paths.len();
            collect(&repository().join(folder), &mut paths);
            assert!(paths.len() > count, "{folder} has files");
        }
        paths.sort();
        let inside = paths.iter().filter_map(|path| path.strip_prefix(repository()).ok()?.to_str());
        inside.filter(|path| path.ends_with(ending)).map(Self::read).collect()
    }

    /// Is it nothing but tests, or what only tests use?
    pub fn is_test(&self) -> bool {
        let mut parts = self.path.split('/').rev();
        let name = parts.next().unwrap_or_default();
        name.ends_with("tests.rs") || name == "testing.rs" || parts.any(|part| part == "tests")
    }

    /// The text up to the tests at its end.
    pub fn without_tests(&self) -> &str {
        let tests = self.text.find("#[cfg(test)]\nmod tests {");
        &self.text[..tests.unwrap_or(self.text.len())]
    }
}

/// A text without its lines of comment; what is left keeps its lines.
pub fn without_comments(text: &str) -> String {
    let keep =
        |line: &str| if line.trim_start().starts_with("//") { "\n" } else { line }.to_owned();
    text.split_inclusive('\n').map(keep).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
    {
        let path = entry.expect("a folder is read").path();
        if path.is_dir() {
            collect(&path, paths);
        } else {
            paths.push(path);
        }
    }
}
