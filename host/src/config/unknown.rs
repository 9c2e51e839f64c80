//! What is said about names that nothing knows.

use super::error::Problem;
use super::httpd;
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

/// What the stock configurations of httpd use such a section for.
const HT_HINT: &str = "names that begin with .ht are never served; a section that says so can go";

/// A section that is neither `<Directory>` nor `<Location>`.
pub(super) fn section(name: &Word) -> Problem {
    let written = &name.text;
    let unsupported = UNSUPPORTED_SECTIONS.iter().find(|known| known.eq_ignore_ascii_case(written));
    if let Some(known) = unsupported {
        let sentence = format!("<{known}> sections are not supported yet");
        let problem = Problem::error(&name.place, sentence);
        return match *known {
            "Files" | "FilesMatch" => problem.with_hint(HT_HINT),
            _ => problem,
        };
    }
    let problem = Problem::error(&name.place, invalid_command(&format!("<{written}")));
    let known = language::rows().filter_map(|row| row.name.strip_prefix('<'));
    match suggest::nearest(written, known) {
        Some(near) => problem.with_hint(format!("did you mean '<{near}>'?")),
        None => problem,
    }
}

/// A directive that is in no table. `loaded` are the modules that are, `missing` those whose
/// `LoadModule` failed.
pub(super) fn directive<'a>(
    name: &Word,
    known: impl Iterator<Item = &'a str>,
    loaded: &[&str],
    missing: &[String],
) -> Problem {
    let mpms = suggest::mpms_with(&name.text);
    let lacking: Vec<&str> = mpms.iter().copied().filter(|mpm| loaded.contains(mpm)).collect();
    if !lacking.is_empty() {
        let sentence = format!("{} is not supported yet by {}", name.text, lacking.join(", "));
        return Problem::error(&name.place, sentence);
    }
    let problem = Problem::error(&name.place, invalid_command(&name.text));
    if !mpms.is_empty() {
        let mpms = mpms.join(", ");
        return problem.with_hint(format!("defined by {mpms}, not by what is loaded"));
    }
    if httpd::has_directive(&name.text) {
        let sentence = format!("{} is not supported yet", name.text);
        return Problem::error(&name.place, sentence);
    }
    let mut known: Vec<&str> = known.chain(suggest::mpm_directives()).collect();
    // One of several equally near names must be the same one each time.
    known.sort_unstable();
    match suggest::nearest(&name.text, known) {
        Some(near) => problem.with_hint(format!("did you mean '{near}'?")),
        None => match missing {
            [] => problem,
            symbols => {
                let symbols = symbols.join(" or ");
                problem.with_hint(format!("perhaps one of {symbols}, which could not be loaded"))
            }
        },
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
