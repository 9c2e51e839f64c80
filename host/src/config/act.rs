//! Stage 1: what the directives of the language do.

use std::path::{Path, PathBuf};

use super::error::{ALREADY_LOADED, ASKED_TOO_EARLY, BUILT_IN, Problem};
use super::host::Loaded;
use super::include;
use super::language::Act;
use super::lexer::{Rest, Word};
use super::read::{self, Reader};
use super::row::{Contexts, Row};
use super::sections;
use super::source::Place;
use super::tree::LoadedModule;
use super::value::{self, Subject, Value};

/// Most files including one another. httpd allows 128; nobody means more than a few.
const INCLUDE_DEPTH_MAX: usize = 16;

impl Reader<'_> {
    /// Whether a conditional section's content counts. One without a condition has none.
    pub(super) fn holds(&mut self, act: Act, name: &Word, rest: &Rest) -> bool {
        let (rest, is_negated) = rest.strip_not();
        let Some(word) = sections::argument(name, &rest, &mut self.tree.problems) else {
            return false;
        };
        let is_true = match act {
            Act::IfModule => self.host.is_loaded(&word.text),
            _ => self.defines.contains(&word.text),
        };
        if act == Act::IfModule && !is_true {
            self.unloaded.push(word);
        }
        is_true != is_negated
    }

    /// Acts upon a directive, or says what is wrong with it.
    pub(super) fn act(&mut self, act: Act, row: &Row, name: &Word, rest: &Rest) {
        let section = self.sections.node().and_then(|at| self.tree.nodes.get(at));
        if let Some(section) = section
            && !row.contexts.contains(Contexts::SECTION)
        {
            let section = &section.name.text;
            let sentence = format!("{} not allowed in <{section}> context", row.name);
            self.error(&name.place, sentence);
            // A section that is not closed swallows the rest: where a server is can still be found.
            if act != Act::ServerRoot {
                return;
            }
        }
        let subject =
            Subject { name: row.name, help: row.help, server_root: &self.tree.server_root };
        let problems = &mut self.tree.problems;
        let Some((value, words)) = value::evaluate(&row.args, &subject, name, rest, problems)
        else {
            return;
        };
        match (act, value, words.as_slice()) {
            (Act::Define, _, [variable, value @ ..]) => self.define(variable, value.first()),
            (Act::UnDefine, _, [variable]) => self.undefine(variable),
            (Act::ServerRoot, Value::Path(path), [word]) => self.set_server_root(path, word),
            (Act::Include, Value::Path(path), [word]) => self.include(&path, word, false),
            (Act::IncludeOptional, Value::Path(path), [word]) => self.include(&path, word, true),
            (Act::LoadModule, _, [symbol, file]) => self.load(name, symbol, file),
            _ => {}
        }
    }

    fn define(&mut self, variable: &Word, value: Option<&Word>) {
        if self.is_variable(variable) {
            let value = value.map(|word| word.text.as_str());
            // As in httpd, an empty value is none.
            let value = value.filter(|text| !text.is_empty());
            self.defines.set(&variable.text, value);
        }
    }

    fn undefine(&mut self, variable: &Word) {
        if self.is_variable(variable) {
            self.defines.unset(&variable.text);
        }
    }

    fn is_variable(&mut self, word: &Word) -> bool {
        // A colon is what tells `${map:key}` from a variable.
        let is_variable = !word.text.contains(':');
        if !is_variable {
            self.error(&word.place, "Variable name must not contain ':'");
        }
        is_variable
    }

    fn set_server_root(&mut self, path: PathBuf, word: &Word) {
        if path.is_dir() {
            self.tree.server_root = path;
        } else {
            self.error(&word.place, "ServerRoot must be a valid directory");
        }
    }

    fn include(&mut self, path: &Path, word: &Word, is_optional: bool) {
        let place = &word.place;
        if self.active.len() > INCLUDE_DEPTH_MAX {
            let sentence = format!(
                "Exceeded maximum include depth of {INCLUDE_DEPTH_MAX}, \
                 There appears to be a recursion."
            );
            let problem = Problem::error(place, sentence).with_hint(self.chain(place, path));
            return self.tree.problems.push(problem);
        }
        let files = match include::files(path, is_optional) {
            Ok(files) => files,
            Err(refusal) => {
                let mut problem = Problem::error(place, refusal.sentence);
                problem.hint = refusal.hint.map(str::to_owned);
                return self.tree.problems.push(problem);
            }
        };
        for file in files {
            let canonical = read::canonical(&file);
            if self.active.iter().any(|above| above.canonical == canonical) {
                let sentence = format!("{} includes itself", file.display());
                let problem = Problem::error(place, sentence).with_hint(self.chain(place, &file));
                self.tree.problems.push(problem);
            } else {
                self.file(&file, canonical, Some(place));
            }
        }
    }

    /// Who includes whom, down to `path`, named at `place`.
    fn chain(&self, place: &Place, path: &Path) -> String {
        let above = self.active.iter();
        let above = above.filter_map(|file| file.included_at.as_ref());
        let mut chain = String::new();
        for place in above.chain([place]) {
            chain += &format!("{}:{} -> ", place.file().display(), place.line());
        }
        chain + &path.display().to_string()
    }

    fn load(&mut self, name: &Word, symbol: &Word, file: &Word) {
        let server_root = &self.tree.server_root;
        let loaded = self.host.load(&symbol.text, &file.text, server_root, &name.place);
        let symbol = &symbol.text;
        match loaded {
            Ok(Loaded::Plugin(rows)) => {
                self.tree.modules.push(LoadedModule {
                    symbol: symbol.clone(),
                    place: name.place.clone(),
                    rows,
                });
                self.warn_of_early_questions(&name.place);
            }
            Ok(Loaded::BuiltIn) => {
                let sentence = format!("module {symbol} is built in, no need to load it");
                let problem = Problem::note(&name.place, BUILT_IN, sentence);
                self.tree.problems.push(problem);
            }
            Ok(Loaded::Already) => {
                let sentence = format!("module {symbol} is already loaded, skipping");
                let problem = Problem::warning(&name.place, ALREADY_LOADED, sentence);
                self.tree.problems.push(problem);
            }
            Err(reason) => {
                self.tree.missing.push(symbol.clone());
                self.error(&name.place, reason);
            }
        }
    }

    /// httpd decides `<IfModule>` where it stands and says nothing if the module comes later.
    fn warn_of_early_questions(&mut self, loaded_at: &Place) {
        let host = &*self.host;
        let early = self.unloaded.extract_if(.., |word| host.is_loaded(&word.text));
        let problems = early.map(|word| {
            let name = &word.text;
            let sentence = format!(
                "<IfModule {name}> counts {name} as not loaded, because its LoadModule comes \
                 later, on {loaded_at}"
            );
            Problem::warning(&word.place, ASKED_TOO_EARLY, sentence)
                .with_hint("move the LoadModule line up")
        });
        self.tree.problems.extend(problems);
    }
}

#[cfg(test)]
mod tests;
