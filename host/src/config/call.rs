//! What a directive's setter is given, and what it may answer.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::Problem;
use super::lexer::Word;
use super::source::Place;
use super::tree::Tree;
use super::value::Value;

/// One use of a directive, as its setter sees it.
///
/// The typed getters fail only if row and setter disagree about the kind of argument.
#[derive(Debug)]
pub struct Call<'a> {
    /// The directive's name, as its row has it.
    pub name: &'a str,
    /// The value, within the row's range.
    pub value: &'a Value,
    /// The arguments as words; a raw one is a single word.
    pub words: &'a [Word],
    /// What relative paths start from.
    pub server_root: &'a Path,
    /// Where the directive's name stands.
    pub place: &'a Place,
    /// The configuration as written.
    pub(super) tree: &'a Tree,
}

impl Call<'_> {
    fn mismatch(&self) -> Fault {
        Fault::new(format!("{} is improperly configured internally (server bug)", self.name))
    }

    /// A [`Value::Flag`].
    pub fn flag(&self) -> Result<bool, Fault> {
        match *self.value {
            Value::Flag(on) => Ok(on),
            _ => Err(self.mismatch()),
        }
    }

    /// A [`Value::Int`], in a type that holds the row's range.
    pub fn int<T: TryFrom<i64>>(&self) -> Result<T, Fault> {
        match *self.value {
            Value::Int(number) => T::try_from(number).map_err(|_| self.mismatch()),
            _ => Err(self.mismatch()),
        }
    }

    /// A [`Value::Size`] in bytes, in a type that holds the row's range.
    pub fn size<T: TryFrom<u64>>(&self) -> Result<T, Fault> {
        match *self.value {
            Value::Size(bytes) => T::try_from(bytes).map_err(|_| self.mismatch()),
            _ => Err(self.mismatch()),
        }
    }

    /// A [`Value::Duration`].
    pub fn duration(&self) -> Result<Duration, Fault> {
        match *self.value {
            Value::Duration(time) => Ok(time),
            _ => Err(self.mismatch()),
        }
    }

    /// A [`Value::Float`].
    pub fn float(&self) -> Result<f64, Fault> {
        match *self.value {
            Value::Float(number) => Ok(number),
            _ => Err(self.mismatch()),
        }
    }

    /// A [`Value::Word`] or [`Value::Raw`].
    pub fn text(&self) -> Result<&str, Fault> {
        match self.value {
            Value::Word(text) | Value::Raw(text) => Ok(text),
            _ => Err(self.mismatch()),
        }
    }

    /// A [`Value::Path`].
    pub fn path(&self) -> Result<&Path, Fault> {
        match self.value {
            Value::Path(path) => Ok(path),
            _ => Err(self.mismatch()),
        }
    }

    /// A [`Value::Enum`]: the index of the name.
    pub fn choice(&self) -> Result<usize, Fault> {
        match *self.value {
            Value::Enum(index) => Ok(index),
            _ => Err(self.mismatch()),
        }
    }

    /// Symbols of the modules that `LoadModule` lines load from files, or ought to.
    pub fn modules(&self) -> impl Iterator<Item = &str> {
        self.tree.loaded().chain(self.tree.missing.iter().map(String::as_str))
    }

    /// A word as a path, taken from ServerRoot if it is relative.
    pub fn path_of(&self, word: &str) -> PathBuf {
        self.server_root.join(word)
    }
}

/// What is wrong with a directive's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The sentence to print.
    pub message: String,
    /// Index of the word that is wrong; `None` for the directive as a whole.
    pub word: Option<usize>,
}

impl Fault {
    /// A fault of the directive as a whole.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), word: None }
    }

    /// The same fault, with the word to point at.
    #[must_use]
    pub fn at(self, word: usize) -> Self {
        Self { word: Some(word), ..self }
    }

    /// The fault as a problem of the directive written as `name`, shown at its word.
    pub(super) fn problem(self, name: &Word, words: &[Word]) -> Problem {
        let word = self.word.and_then(|index| words.get(index));
        Problem::error(&word.unwrap_or(name).place, self.message)
    }
}

impl From<String> for Fault {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

impl From<&str> for Fault {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}
