//! What is said about names that nothing knows.

use super::error::Problem;
use super::language;
use super::lexer::Word;
use super::suggest;

/// Sections of httpd that are refused with a sentence of their own. Ignoring one could open what
/// it closes.
const UNSUPPORTED_SECTIONS: [&str; 11] = [
    "VirtualHost",
    "Files",
    "FilesMatch",
    "DirectoryMatch",
    "LocationMatch",
    "Limit",
    "LimitExcept",
    "If",
    "Proxy",
    "IfVersion",
    "IfFile",
];

/// A section that is neither `<Directory>` nor `<Location>`.
pub(super) fn section(name: &Word) -> Problem {
    let written = &name.text;
    let unsupported = UNSUPPORTED_SECTIONS.iter().find(|known| known.eq_ignore_ascii_case(written));
    if let Some(known) = unsupported {
        let sentence = format!("<{known}> sections are not supported yet");
        return Problem::error(&name.place, sentence);
    }
    let problem = Problem::error(&name.place, invalid_command(&format!("<{written}")));
    let known = language::rows().filter_map(|row| row.name.strip_prefix('<'));
    match suggest::nearest(written, known) {
        Some(near) => problem.with_hint(format!("did you mean '<{near}>'?")),
        None => problem,
    }
}

/// A directive that is in no table.
pub(super) fn directive<'a>(name: &Word, known: impl Iterator<Item = &'a str>) -> Problem {
    let problem = Problem::error(&name.place, invalid_command(&name.text));
    let mpms = suggest::mpms_with(&name.text);
    if !mpms.is_empty() {
        let mpms = mpms.join(", ");
        return problem.with_hint(format!("defined by {mpms}, not by what is loaded"));
    }
    let mut known: Vec<&str> = known.chain(suggest::mpm_directives()).collect();
    // One of several equally near names must be the same one each time.
    known.sort_unstable();
    match suggest::nearest(&name.text, known) {
        Some(near) => problem.with_hint(format!("did you mean '{near}'?")),
        None => problem,
    }
}

fn invalid_command(name: &str) -> String {
    format!(
        "Invalid command '{name}', perhaps misspelled or defined by a module not included in the \
         server configuration"
    )
}

#[cfg(test)]
mod tests;
