//! The directives of the configuration language itself.
//!
//! They are acted upon while the files are read, because what comes after depends on them. They are
//! rows like all others, so that arguments are checked and `-L` lists them the same way.

use super::call::{Call, Fault};
use super::row::{Args, Contexts, Row};
use super::settings::Settings;

/// What a directive of the language does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Define,
    UnDefine,
    ServerRoot,
    Include,
    IncludeOptional,
    LoadModule,
    IfModule,
    IfDefine,
    /// A section that [`resolve`](super::resolve()) opens; here for `-L` only.
    Section,
}

/// All of them.
pub(super) const LANGUAGE: &[(Act, Row)] = &[
    (
        Act::Section,
        section(
            "<Directory",
            Contexts::SERVER,
            "Container for directives affecting resources located in the specified directories",
        ),
    ),
    (
        Act::Section,
        section(
            "<Location",
            Contexts::SERVER,
            "Container for directives affecting resources accessed through the specified URL paths",
        ),
    ),
    (
        Act::IfModule,
        section(
            "<IfModule",
            Contexts::ANYWHERE,
            "Container for directives based on existence of specified modules",
        ),
    ),
    (
        Act::IfDefine,
        section(
            "<IfDefine",
            Contexts::ANYWHERE,
            "Container for directives based on existence of command line defines",
        ),
    ),
    (
        Act::Define,
        row(
            "Define",
            Contexts::SERVER,
            Args::Words { min: 1, max: 2 },
            "Define a variable, optionally to a value.  Same as passing -D to the command line.",
        ),
    ),
    (
        Act::UnDefine,
        row(
            "UnDefine",
            Contexts::SERVER,
            Args::Word,
            "Undefine the existence of a variable. Undo a Define.",
        ),
    ),
    (
        Act::ServerRoot,
        row(
            "ServerRoot",
            Contexts::SERVER,
            Args::Path,
            "Common directory of server-related files (logs, confs, etc.)",
        ),
    ),
    (
        Act::Include,
        row(
            "Include",
            Contexts::ANYWHERE,
            Args::Path,
            "Name(s) of the config file(s) to be included; fails if the wildcard does not match \
             at least one file",
        ),
    ),
    (
        Act::IncludeOptional,
        row(
            "IncludeOptional",
            Contexts::ANYWHERE,
            Args::Path,
            "Name or pattern of the config file(s) to be included; ignored if the file does not \
             exist or the pattern does not match any files",
        ),
    ),
    (
        Act::LoadModule,
        Row {
            module: "mod_so.c",
            ..row(
                "LoadModule",
                Contexts::SERVER,
                Args::Words { min: 2, max: 2 },
                "a module name and the name of a shared object file to load it from",
            )
        },
    ),
];

/// The row of a name, in any case. A section's name begins with `<`.
pub(super) fn find(name: &str) -> Option<(Act, &'static Row)> {
    let (act, row) = LANGUAGE.iter().find(|(_, row)| row.name.eq_ignore_ascii_case(name))?;
    Some((*act, row))
}

/// The rows alone.
pub(super) fn rows() -> impl Iterator<Item = &'static Row> {
    LANGUAGE.iter().map(|(_, row)| row)
}

const fn row(name: &'static str, contexts: Contexts, args: Args, help: &'static str) -> Row {
    Row { name, module: "core.c", contexts, args, default: "", help, set: nothing_to_set }
}

const fn section(name: &'static str, contexts: Contexts, help: &'static str) -> Row {
    row(name, contexts, Args::Raw, help)
}

/// The setter of rows that never come to [`resolve`](super::resolve()).
fn nothing_to_set(_: &mut Settings, _: &Call<'_>) -> Result<(), Fault> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_any_case() {
        assert_eq!(find("loadmodule").map(|(act, _)| act), Some(Act::LoadModule));
        assert_eq!(find("<IFMODULE").map(|(act, _)| act), Some(Act::IfModule));
        assert_eq!(find("undefine").map(|(act, _)| act), Some(Act::UnDefine));
    }

    #[test]
    fn other_names() {
        for name in ["", "Listen", "IfModule", "<Define", "LoadModules"] {
            assert!(find(name).is_none(), "{name}");
        }
    }
}
