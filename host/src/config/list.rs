//! The list of all directives (`-L`).

use super::language;
use super::row::{Contexts, ModuleRow, Row};

/// All directives there are, in httpd's form: those of the language, the server's, the modules'.
pub fn list<'a>(
    rows: &[&'static [Row]],
    module_rows: impl IntoIterator<Item = &'a ModuleRow>,
) -> String {
    let mut out = String::new();
    for row in language::rows().chain(rows.iter().copied().flatten()) {
        push(&mut out, row.name, row.module, row.help, row.contexts, row.default);
    }
    for row in module_rows.into_iter().filter(|row| !row.hidden) {
        let contexts = Contexts::SERVER;
        push(&mut out, &row.name, &row.module, &row.help, contexts, &row.default);
    }
    out
}

fn push(out: &mut String, name: &str, module: &str, help: &str, contexts: Contexts, default: &str) {
    let allowed = if contexts.contains(Contexts::ANYWHERE) {
        "anywhere"
    } else if contexts.contains(Contexts::SERVER) {
        "only outside <Directory> or <Location> sections"
    } else {
        "only inside <Directory> or <Location> sections"
    };
    *out += &format!("{name} ({module})\n");
    if !help.is_empty() {
        *out += &format!("\t{help}\n");
    }
    *out += &format!("\tAllowed in *.conf {allowed}\n");
    if !default.is_empty() {
        *out += &format!("\tDefault: {default}\n");
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ROWS, mpm_rows};
    use super::*;

    #[test]
    fn httpd_form() {
        let text = list(&[ROWS], &mpm_rows());
        for entry in [
            "LoadModule (mod_so.c)\n\
             \ta module name and the name of a shared object file to load it from\n\
             \tAllowed in *.conf only outside <Directory> or <Location> sections\n",
            "KeepAlive (core.c)\n\
             \tWhether persistent connections should be On or Off\n\
             \tAllowed in *.conf only outside <Directory> or <Location> sections\n\
             \tDefault: On\n",
            "Require (mod_authz_core.c)\n\
             \tspecifies authorization directives which one must pass\n\
             \tAllowed in *.conf only inside <Directory> or <Location> sections\n",
            "Name (core.c)\n\tAllowed in *.conf anywhere\n",
            "ThreadsPerChild (event.c)\n\
             \tNumber of threads each child creates\n\
             \tAllowed in *.conf only outside <Directory> or <Location> sections\n\
             \tDefault: 25\n",
        ] {
            assert!(text.contains(entry), "{entry}\nnot in\n{text}");
        }
    }

    #[test]
    fn the_language_is_listed() {
        let text = list(&[], []);
        for name in [
            "<Directory",
            "<Location",
            "<IfModule",
            "<IfDefine",
            "Define",
            "UnDefine",
            "ServerRoot",
            "Include",
            "IncludeOptional",
            "LoadModule",
        ] {
            assert!(text.contains(&format!("{name} (")), "{name}");
        }
    }

    #[test]
    fn hidden_ones_are_not() {
        assert!(!list(&[], &mpm_rows()).contains("EventTestHook"));
    }
}
