//! Problems of a configuration.

use std::fmt;

use super::source::Place;

/// Code of every error that has a place in a file.
pub(super) const SYNTAX: &str = "AH00526";
/// Code: an undefined variable.
pub(super) const UNDEFINED_VARIABLE: &str = "AH00111";
/// Code: a module is loaded twice.
pub(super) const ALREADY_LOADED: &str = "AH01574";
/// Code: the configuration file cannot be read.
pub(super) const NO_FILE: &str = "GB0101";
/// Code: a module is asked for before it is loaded.
pub(super) const ASKED_TOO_EARLY: &str = "GB0102";
/// Code: a module's function is built in.
pub(super) const BUILT_IN: &str = "GB0103";
/// Code: a quote is opened and not closed.
pub(super) const UNCLOSED_QUOTE: &str = "GB0104";
/// Code: something stands behind a section's `>`.
pub(super) const AFTER_SECTION: &str = "GB0105";
/// Code: an old directive is used.
pub(super) const DEPRECATED: &str = "GB0106";

/// Code: nothing is logged under the name of a module.
pub(super) const SILENT: &str = "GB0107";

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing to do: worth knowing when the file is looked at.
    Note,
    /// The server adapts, but perhaps not as it was meant.
    Warning,
    /// The configuration cannot be used.
    Error,
}

/// One thing wrong, or odd, in a configuration.
#[derive(Clone, Debug)]
pub struct Problem {
    /// What it is about.
    pub place: Place,
    /// Permanent code: httpd's number (`AH…`) or our own (`GB…`).
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// One sentence; httpd's where it has one.
    pub sentence: String,
    /// A few words on how to mend it.
    pub hint: Option<String>,
}

impl Problem {
    /// An error, with httpd's code for syntax errors.
    pub fn error(place: &Place, sentence: impl Into<String>) -> Self {
        Self::new(Severity::Error, SYNTAX, place, sentence)
    }

    /// A warning.
    pub fn warning(place: &Place, code: &'static str, sentence: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, place, sentence)
    }

    /// A note.
    pub fn note(place: &Place, code: &'static str, sentence: impl Into<String>) -> Self {
        Self::new(Severity::Note, code, place, sentence)
    }

    /// A note that nothing is logged under the name of a module, which stands at `place`.
    pub fn silent(place: &Place, module: &str) -> Self {
        Self::note(place, SILENT, format!("nothing is logged here under the name {module}"))
    }

    fn new(
        severity: Severity,
        code: &'static str,
        place: &Place,
        sentence: impl Into<String>,
    ) -> Self {
        Self { place: place.clone(), code, severity, sentence: sentence.into(), hint: None }
    }

    /// The same problem with a hint.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// What reading and resolving a configuration found, in reading order.
#[derive(Clone, Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Sorts by where things stand. Those of one place keep the order in which they were found.
    pub(super) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.place.reading_order());
        Self(problems)
    }

    /// Whether one of them makes the configuration unusable.
    pub fn has_errors(&self) -> bool {
        let mut severities = self.0.iter().map(|problem| problem.severity);
        severities.any(|severity| severity == Severity::Error)
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    /// All of them, as they are.
    pub fn into_vec(self) -> Vec<Problem> {
        self.0
    }

    /// The lines to print for all of them.
    pub fn render(&self, color: bool) -> String {
        self.iter().map(|problem| problem.render(color)).collect()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render(false).trim_end())
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests;
