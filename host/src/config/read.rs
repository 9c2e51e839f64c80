//! Stage 1: reads the files and acts upon the language.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::defines::Defines;
use super::error::{NO_FILE, Problem, UNDEFINED_VARIABLE};
use super::host::ModuleHost;
use super::include;
use super::language::{self, Act};
use super::lexer::{self, End, Rest, Statement, Word};
use super::line::{LINE_LEN_MAX, Line, Lines};
use super::sections::{self, OpenSections};
use super::source::{Place, Source};
use super::tree::{Node, Tree};

/// Most sections in one another.
const NESTING_MAX: usize = 512;
/// What `-C` and `-c` texts go by in messages.
const OPTION_TEXTS: &str = "-C/-c directives";

/// What there is to read.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// The main file.
    pub file: PathBuf,
    /// ServerRoot until the file sets one; absolute.
    pub server_root: PathBuf,
    /// `-D` options: `NAME` or `NAME=VALUE`.
    pub defines: Vec<String>,
    /// `-C` options: lines read before the main file.
    pub before: Vec<String>,
    /// `-c` options: lines read after the main file.
    pub after: Vec<String>,
}

/// Reads a configuration as written. Problems are in the tree; reading never stops at one.
pub fn read(input: &Input, host: &mut dyn ModuleHost) -> Tree {
    let mut reader = Reader {
        host,
        tree: Tree { server_root: input.server_root.clone(), ..Tree::default() },
        defines: Defines::default(),
        sections: OpenSections::default(),
        active: Vec::new(),
        unloaded: Vec::new(),
        order: 0,
    };
    for option in &input.defines {
        reader.defines.set_option(option);
    }
    reader.texts(&input.before);
    reader.file(&input.file, canonical(&input.file), None);
    reader.texts(&input.after);
    let mut tree = reader.tree;
    tree.defines = reader.defines.pairs();
    let mut seen = HashSet::new();
    tree.files.retain(|file| seen.insert(file.clone()));
    tree
}

/// The state of a reading. What directives do to it is in [`act`](super::act).
pub(super) struct Reader<'h> {
    pub(super) host: &'h mut dyn ModuleHost,
    pub(super) tree: Tree,
    pub(super) defines: Defines,
    pub(super) sections: OpenSections,
    /// The files being read, each included by the one before.
    pub(super) active: Vec<Active>,
    /// Modules that an `<IfModule>` found not to be loaded, and where.
    pub(super) unloaded: Vec<Word>,
    /// Counts logical lines over all files.
    order: u32,
}

/// A file being read.
pub(super) struct Active {
    /// The file without links, to be compared.
    pub(super) canonical: PathBuf,
    /// The directive that included it.
    pub(super) included_at: Option<Place>,
    /// Sections that were open before it.
    outer: usize,
}

impl Reader<'_> {
    pub(super) fn error(&mut self, place: &Place, sentence: impl Into<String>) {
        self.tree.problems.push(Problem::error(place, sentence));
    }

    fn texts(&mut self, texts: &[String]) {
        if !texts.is_empty() {
            // Each is a line of its own, even one that ends like a line to be continued.
            let lines = texts.iter().map(|text| format!("{text} \n"));
            let source = Source::new(OPTION_TEXTS, lines.collect::<String>());
            self.source(Arc::new(source), PathBuf::from(OPTION_TEXTS), None);
        }
    }

    /// Reads the main file, or the one named by the directive at `included_at`.
    /// `canonical` is its path without links.
    pub(super) fn file(&mut self, path: &Path, canonical: PathBuf, included_at: Option<&Place>) {
        let (source, wrong_byte) = match Source::open(path) {
            Ok((source, wrong_byte)) => (Arc::new(source), wrong_byte),
            Err(error) => {
                let reason = include::reason(&error);
                let file = path.display();
                let sentence = format!("Could not open configuration file {file}: {reason}");
                self.tree.problems.push(match included_at {
                    Some(place) => Problem::error(place, sentence),
                    None => self.unreadable_main(path, sentence),
                });
                return;
            }
        };
        self.tree.files.push(path.to_owned());
        if let Some(at) = wrong_byte {
            let (line, start) = source.line_at(at);
            let at = at - start;
            let span = at..at + char::REPLACEMENT_CHARACTER.len_utf8();
            let place = Place::new(Arc::clone(&source), line, span, self.order + 1);
            self.error(&place, "this is not UTF-8");
        }
        self.source(source, canonical, included_at.cloned());
    }

    fn unreadable_main(&self, path: &Path, sentence: String) -> Problem {
        let source = Source::new(path, "");
        let place = Place::new(Arc::new(source), 0, 0..0, self.order);
        Problem { code: NO_FILE, ..Problem::error(&place, sentence) }
    }

    fn source(&mut self, source: Arc<Source>, canonical: PathBuf, included_at: Option<Place>) {
        let outer = self.sections.depth();
        self.active.push(Active { canonical, included_at, outer });
        let mut lines = Lines::new(source);
        loop {
            self.order = self.order.saturating_add(1);
            match lines.next_line(self.order) {
                Some(Ok(line)) => self.line(line),
                Some(Err(place)) => self.too_long(&place),
                None => break,
            }
        }
        self.active.pop();
        self.tree.problems.extend(self.sections.end_of_file(outer));
    }

    fn too_long(&mut self, place: &Place) {
        self.error(place, format!("Line too long: more than {LINE_LEN_MAX} bytes"));
    }

    fn line(&mut self, line: Line) {
        if lexer::is_comment(&line) {
            return;
        }
        let is_skipping = self.sections.is_skipping();
        let line = if is_skipping {
            line
        } else {
            match self.expand(line) {
                Ok(line) => line,
                Err(place) => return self.too_long(&place),
            }
        };
        match lexer::statement(line) {
            Statement::Close { name, end } => self.close(&name, &end),
            Statement::Open { name, .. } if is_skipping => self.sections.open_skipped(name),
            Statement::Open { name, rest, end } => self.open(name, rest, &end),
            Statement::Directive { name, rest } if !is_skipping => self.directive(name, rest),
            Statement::Directive { .. } | Statement::Blank => {}
        }
    }

    fn expand(&mut self, line: Line) -> Result<Line, Place> {
        let problems = &mut self.tree.problems;
        line.expand(
            |name| self.defines.value(name),
            |name, place| {
                // `${map:key}` is for rewriting, at each request.
                if !name.contains(':') {
                    let sentence = format!("Config variable ${{{name}}} is not defined");
                    problems.push(Problem::warning(&place, UNDEFINED_VARIABLE, sentence));
                }
            },
        )
    }

    fn close(&mut self, name: &Word, end: &End) {
        let outer = self.active.last().map_or(0, |file| file.outer);
        let problems = &mut self.tree.problems;
        problems.extend(self.sections.close(name, outer).err());
        // Within what is skipped only the names have to fit.
        if !self.sections.is_skipping() {
            problems.extend(sections::check_end(name, "</", end));
        }
    }

    fn open(&mut self, mut name: Word, rest: Rest, end: &End) {
        let known = language::find(&format!("<{}", name.text));
        if let Some((_, row)) = known {
            name.text = row.name.trim_start_matches('<').to_owned();
        }
        self.tree.problems.extend(sections::check_end(&name, "<", end));
        if self.sections.depth() >= NESTING_MAX {
            let sentence = format!("sections are nested deeper than {NESTING_MAX}");
            self.error(&name.place, sentence);
            return self.sections.open_skipped(name);
        }
        let parent = self.sections.node();
        match known {
            Some((act @ (Act::IfModule | Act::IfDefine), _)) => {
                if self.holds(act, &name, &rest) {
                    self.sections.open(name, parent);
                } else {
                    self.sections.open_skipped(name);
                }
            }
            _ => {
                self.sections.open(name.clone(), Some(self.tree.nodes.len()));
                self.tree.nodes.push(Node { name, rest, is_section: true, parent });
            }
        }
    }

    fn directive(&mut self, name: Word, rest: Rest) {
        if let Some((act, row)) = language::find(&name.text) {
            return self.act(act, row, &name, &rest);
        }
        self.tree.nodes.push(Node { name, rest, is_section: false, parent: self.sections.node() });
    }
}

/// The path without links; one that is not there stays as it is.
pub(super) fn canonical(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests;
