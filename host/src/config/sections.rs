//! Sections that are open while files are read, and the arguments of their heads.

use std::path::{Component, Path, PathBuf};

use super::error::{AFTER_SECTION, Problem, UNCLOSED_QUOTE};
use super::glob;
use super::lexer::{End, Rest, Word};
use super::model::SectionKind;
use super::source::Place;
use super::suggest;

/// The open sections, outermost first; conditional ones too.
#[derive(Debug, Default)]
pub(super) struct OpenSections {
    open: Vec<Open>,
}

#[derive(Debug)]
struct Open {
    name: Word,
    is_skipped: bool,
    node: Option<usize>,
}

impl OpenSections {
    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    /// Whether what stands here is to be ignored.
    pub(super) fn is_skipping(&self) -> bool {
        self.open.last().is_some_and(|open| open.is_skipped)
    }

    /// The innermost section of the tree.
    pub(super) fn node(&self) -> Option<usize> {
        self.open.last().and_then(|open| open.node)
    }

    /// Opens one whose content goes into the section `node`.
    pub(super) fn open(&mut self, name: Word, node: Option<usize>) {
        self.open.push(Open { name, is_skipped: false, node });
    }

    /// Opens one whose content is ignored. It must be closed all the same.
    pub(super) fn open_skipped(&mut self, name: Word) {
        self.open.push(Open { name, is_skipped: true, node: None });
    }

    /// Closes the innermost section. `outer` of them were opened by other files, and stay.
    ///
    /// # Errors
    ///
    /// Another one is open, or none. If `name` is open further out, everything within it is closed
    /// too, and a misspelled name closes what it was meant for: one mistake is reported once.
    pub(super) fn close(&mut self, name: &Word, outer: usize) -> Result<(), Problem> {
        let written = &name.text;
        let inner = match self.open.last() {
            Some(open) if self.open.len() > outer => open.name.text.clone(),
            _ => {
                let sentence = format!("</{written}> without matching <{written}> section");
                return Err(Problem::error(&name.place, sentence));
            }
        };
        let is_named = |open: &Open| open.name.text.eq_ignore_ascii_case(written);
        let matching = self.open.iter().rposition(is_named);
        let near = suggest::nearest(written, [inner.as_str()]);
        if let Some(at) = matching.filter(|&at| at >= outer) {
            self.open.truncate(at);
        } else if near.is_some() {
            self.open.pop();
        }
        if inner.eq_ignore_ascii_case(written) {
            return Ok(());
        }
        let sentence = format!("Expected </{inner}> but saw </{written}>");
        let mut problem = Problem::error(&name.place, sentence);
        problem.hint = near.map(|near| format!("did you mean '</{near}>'?"));
        Err(problem)
    }

    /// Closes what a file has left open, beyond the `outer` sections of other files.
    pub(super) fn end_of_file(&mut self, outer: usize) -> Vec<Problem> {
        let left = self.open.drain(outer.min(self.open.len())..);
        left.map(|open| {
            let sentence = format!("<{}> was not closed.", open.name.text);
            Problem::error(&open.name.place, sentence)
        })
        .collect()
    }
}

/// What is wrong with the end of a section's head or of its closing line.
pub(super) fn check_end(name: &Word, prefix: &str, end: &End) -> Option<Problem> {
    match end {
        End::Whole => None,
        End::Trailing(place) => Some(
            Problem::warning(place, AFTER_SECTION, "text behind '>' is ignored")
                .with_hint("a comment needs a line of its own"),
        ),
        End::Missing => Some(Problem::error(
            &name.place,
            format!("{prefix}{}> directive missing closing '>'", name.text),
        )),
    }
}

/// The one argument of a section's head.
pub(super) fn argument(name: &Word, rest: &Rest, problems: &mut Vec<Problem>) -> Option<Word> {
    let split = rest.words();
    problems.extend(split.unclosed.as_ref().map(unclosed_quote));
    let mut words = split.words.into_iter();
    let Some(first) = words.next().filter(|word| !word.text.is_empty()) else {
        problems.push(Problem::error(
            &name.place,
            format!("<{}> directive requires additional arguments", name.text),
        ));
        return None;
    };
    // `~ "regex"` is one argument in two words; whoever asked knows whether it can be one.
    if let Some(second) = words.next().filter(|_| first.text != "~") {
        problems.push(Problem::error(
            &second.place,
            format!("Multiple <{}> arguments not (yet) supported.", name.text),
        ));
    }
    Some(first)
}

/// httpd takes such a word up to the end of the line and says nothing.
pub(super) fn unclosed_quote(place: &Place) -> Problem {
    let sentence = "quote is not closed; the word runs to the end of the line";
    Problem::warning(place, UNCLOSED_QUOTE, sentence)
}

/// The path a section is for.
///
/// # Errors
///
/// Patterns, which only later versions understand, and paths that nothing could match.
pub(super) fn path(kind: SectionKind, name: &str, word: &Word) -> Result<String, Problem> {
    let path = word.text.as_str();
    let not_yet = |what: &str| {
        let sentence = format!("{what} in <{name}> are not supported yet");
        Err(Problem::error(&word.place, sentence))
    };
    if path == "~" {
        return not_yet("regular expressions");
    }
    if glob::is_pattern(path) {
        return not_yet("wildcards");
    }
    let invalid = |hint: &str| {
        let sentence = format!("<{name} \"{path}\"> path is invalid.");
        Err(Problem::error(&word.place, sentence).with_hint(hint))
    };
    match kind {
        SectionKind::Directory if Path::new(path).is_absolute() => {
            Ok(plain_path(Path::new(path)).to_string_lossy().into_owned())
        }
        SectionKind::Directory => invalid("an absolute path is needed"),
        SectionKind::Location if path.starts_with('/') => Ok(path.to_owned()),
        SectionKind::Location => invalid("a path that begins with '/' is needed"),
    }
}

/// A path without `.`, `..`, doubled and trailing slashes. Links are left alone, as in httpd.
pub fn plain_path(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            component => plain.push(component),
        }
    }
    plain
}

#[cfg(test)]
mod tests;
