//! Stage 2: looks directives up, checks them and stores their values.

use std::collections::HashMap;

use super::call::Call;
use super::error::{DEPRECATED, Problem, Problems};
use super::language;
use super::lexer::Word;
use super::model::{Config, ModuleCall, Section, SectionKind};
use super::row::{Args, Contexts, ModuleRow, Row};
use super::sections;
use super::settings::Settings;
use super::source::Place;
use super::suggest;
use super::tree::{Node, Tree};
use super::unknown;
use super::value::{self, Subject, Value};

/// Resolves a configuration with the server's rows and those of the modules it loads.
///
/// # Errors
///
/// Everything that reading and resolving found, if any of it is an error.
pub fn resolve(tree: &Tree, rows: &[&'static [Row]]) -> Result<Config, Problems> {
    let mut resolver = Resolver {
        tree,
        known: HashMap::new(),
        problems: tree.problems.clone(),
        server: Settings::default(),
        sections: Vec::new(),
        section_of: HashMap::new(),
        module_calls: Vec::new(),
    };
    resolver.learn(rows);
    for (index, node) in tree.nodes.iter().enumerate() {
        resolver.node(index, node);
    }
    let problems = Problems::new(resolver.problems);
    if problems.has_errors() {
        return Err(problems);
    }
    Ok(Config {
        server: resolver.server,
        sections: resolver.sections,
        module_calls: resolver.module_calls,
        warnings: problems.into_vec(),
        defines: tree.defines.clone(),
        files: tree.files.clone(),
        server_root: tree.server_root.clone(),
    })
}

struct Resolver<'a> {
    tree: &'a Tree,
    /// By name in lower case.
    known: HashMap<String, Known<'a>>,
    problems: Vec<Problem>,
    server: Settings,
    sections: Vec<Section>,
    /// For each section node its index in `sections`; `None` if its content is not looked at.
    section_of: HashMap<usize, Option<usize>>,
    module_calls: Vec<ModuleCall>,
}

#[derive(Clone, Copy)]
enum Known<'a> {
    Server(&'static Row),
    Module(&'a ModuleRow),
}

impl Known<'_> {
    fn module(&self) -> &str {
        match self {
            Known::Server(row) => row.module,
            Known::Module(row) => &row.module,
        }
    }
}

impl<'a> Resolver<'a> {
    fn error(&mut self, place: &Place, sentence: impl Into<String>) {
        self.problems.push(Problem::error(place, sentence));
    }

    fn learn(&mut self, rows: &[&'static [Row]]) {
        for row in language::rows().chain(rows.iter().copied().flatten()) {
            let name = row.name.to_ascii_lowercase();
            self.known.entry(name).or_insert(Known::Server(row));
        }
        for module in &self.tree.modules {
            for row in &module.rows {
                let name = row.name.to_ascii_lowercase();
                if let Some(other) = self.known.get(&name) {
                    let sentence = format!(
                        "{} defines {}, which is a directive of {}",
                        module.symbol,
                        row.name,
                        other.module()
                    );
                    self.problems.push(Problem::error(&module.place, sentence));
                } else {
                    self.known.insert(name, Known::Module(row));
                }
            }
        }
    }

    fn node(&mut self, index: usize, node: &'a Node) {
        let section = match node.parent {
            None => None,
            Some(parent) => match self.section_of.get(&parent).copied().flatten() {
                Some(section) => Some((section, parent)),
                None => {
                    if node.is_section {
                        self.section_of.insert(index, None);
                    }
                    return;
                }
            },
        };
        let outer = section.and_then(|(_, parent)| self.tree.nodes.get(parent));
        let outer = outer.map(|outer| outer.name.text.as_str());
        if node.is_section {
            let opened = self.section(node, outer);
            self.section_of.insert(index, opened);
        } else {
            self.directive(node, section.map(|(section, _)| section), outer);
        }
    }

    /// Opens a section; its index, if its content makes sense.
    fn section(&mut self, node: &Node, outer: Option<&str>) -> Option<usize> {
        let name = &node.name.text;
        let kind = if name.eq_ignore_ascii_case("Directory") {
            SectionKind::Directory
        } else if name.eq_ignore_ascii_case("Location") {
            SectionKind::Location
        } else {
            self.problems.push(unknown::section(&node.name));
            return None;
        };
        if let Some(outer) = outer {
            let sentence = format!("<{name} not allowed in <{outer}> context");
            self.error(&node.name.place, sentence);
            return None;
        }
        let argument = sections::argument(&node.name, &node.rest, &mut self.problems);
        // One without a path is opened too: what stands in it is to be checked all the same.
        let path = argument.map(|word| sections::path(kind, name, &word));
        let pattern = match path.transpose() {
            Ok(path) => path.unwrap_or_default(),
            Err(problem) => {
                self.problems.push(problem);
                String::new()
            }
        };
        self.sections.push(Section {
            kind,
            pattern,
            settings: Settings::default(),
            place: node.name.place.clone(),
        });
        Some(self.sections.len() - 1)
    }

    fn directive(&mut self, node: &Node, section: Option<usize>, outer: Option<&str>) {
        let name = node.name.text.to_ascii_lowercase();
        let Some(known) = self.known.get(&name).copied() else {
            let problem = self.unknown(&node.name);
            self.problems.extend(problem);
            return;
        };
        let (name, contexts) = match known {
            Known::Server(row) => (row.name, row.contexts),
            Known::Module(row) => (row.name.as_str(), Contexts::SERVER),
        };
        let sentence = match outer {
            Some(outer) if !contexts.contains(Contexts::SECTION) => {
                format!("{name} not allowed in <{outer}> context")
            }
            None if !contexts.contains(Contexts::SERVER) => format!("{name} not allowed here"),
            _ => {
                match known {
                    Known::Server(row) => self.server_directive(node, row, section),
                    Known::Module(row) => self.module_directive(node, row),
                }
                return;
            }
        };
        self.error(&node.name.place, sentence);
    }

    fn server_directive(&mut self, node: &Node, row: &Row, section: Option<usize>) {
        let Some((value, words)) = self.parse(node, row.name, row.help, &row.args) else {
            return;
        };
        let call = Call {
            name: row.name,
            value: &value,
            words: &words,
            server_root: &self.tree.server_root,
            place: &node.name.place,
            tree: self.tree,
        };
        let section = section.and_then(|index| self.sections.get_mut(index));
        let settings = section.map_or(&mut self.server, |section| &mut section.settings);
        if let Err(fault) = (row.set)(settings, &call) {
            self.problems.push(fault.problem(&node.name, &words));
        }
    }

    fn module_directive(&mut self, node: &Node, row: &ModuleRow) {
        let place = &node.name.place;
        if row.deprecated {
            let sentence = match &row.alias_of {
                Some(new) => format!("{} is deprecated, use {new} instead.", row.name),
                None => format!("{} is deprecated.", row.name),
            };
            self.problems.push(Problem::warning(place, DEPRECATED, sentence));
        }
        let Some((value, words)) = self.parse(node, &row.name, &row.help, &row.args) else {
            return;
        };
        if !row.repeatable {
            self.module_calls.retain(|call| (&call.module, call.id) != (&row.module, row.id));
        }
        self.module_calls.push(ModuleCall {
            module: row.module.clone(),
            id: row.id,
            name: row.name.clone(),
            value,
            words: words.into_iter().map(|word| word.text).collect(),
            place: place.clone(),
        });
    }

    fn parse<N, S>(
        &mut self,
        node: &Node,
        name: &str,
        help: &str,
        args: &Args<N>,
    ) -> Option<(Value, Vec<Word>)>
    where
        N: AsRef<[S]>,
        S: AsRef<str>,
    {
        let subject = Subject { name, help, server_root: &self.tree.server_root };
        value::evaluate(args, &subject, &node.name, &node.rest, &mut self.problems)
    }

    /// The problem of an unknown directive, unless it follows from that of a `LoadModule`.
    fn unknown(&self, name: &Word) -> Option<Problem> {
        let missing = &self.tree.missing;
        let mpms = suggest::mpms_with(&name.text);
        let is_known = |symbol: &String| mpms.contains(&symbol.as_str());
        // One that nobody knows may be a slip of any.
        let is_a_slip = |symbol: &String| {
            symbol.starts_with("mpm_") && !suggest::mpms().any(|known| known == symbol)
        };
        if !mpms.is_empty() && missing.iter().any(|symbol| is_known(symbol) || is_a_slip(symbol)) {
            return None;
        }
        let known = self.known.values().filter_map(|known| match known {
            Known::Server(row) => Some(row.name),
            Known::Module(row) => (!row.hidden).then_some(row.name.as_str()),
        });
        let loaded: Vec<&str> = self.tree.loaded().collect();
        Some(unknown::directive(name, known, &loaded, missing))
    }
}

#[cfg(test)]
mod tests;
