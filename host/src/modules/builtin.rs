//! Modules of Apache httpd whose function is part of gearbox.
//!
//! A `LoadModule` line of one of them is accepted without loading anything, `<IfModule>` finds it
//! under either name, and `-l` lists it.

/// A module of httpd that gearbox needs no file for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Builtin {
    /// Name in a `LoadModule` line.
    pub symbol: &'static str,
    /// Name of the source file in httpd, the older name for `<IfModule>` and the one `-l` shows.
    pub source: &'static str,
}

/// All of them, in httpd's order: those compiled into httpd itself first.
///
/// A module is listed once its directives are there as far as gearbox has its function, not before:
/// `<IfModule alias_module>` must not let an `Alias` through that would then be unknown.
pub const BUILTINS: &[Builtin] = &[
    Builtin::new("core_module", "core.c"),
    Builtin::new("so_module", "mod_so.c"),
    Builtin::new("http_module", "http_core.c"),
    Builtin::new("unixd_module", "mod_unixd.c"),
    Builtin::new("authz_core_module", "mod_authz_core.c"),
    Builtin::new("log_config_module", "mod_log_config.c"),
    Builtin::new("mime_module", "mod_mime.c"),
    Builtin::new("status_module", "mod_status.c"),
    Builtin::new("dir_module", "mod_dir.c"),
];

impl Builtin {
    const fn new(symbol: &'static str, source: &'static str) -> Self {
        Self { symbol, source }
    }

    /// The built-in module of this name, symbol or source file.
    pub fn find(name: &str) -> Option<&'static Self> {
        BUILTINS.iter().find(|builtin| builtin.symbol == name || builtin.source == name)
    }

    /// What to say about a `LoadModule` line that names it.
    pub fn note(&self) -> String {
        format!("{} is built in; no file is loaded for it", self.symbol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn found_under_either_name() {
        let dir = Builtin::find("dir_module").unwrap();
        assert_eq!(Builtin::find("mod_dir.c"), Some(dir));
        assert_eq!(dir.note(), "dir_module is built in; no file is loaded for it");
        assert_eq!(Builtin::find("rewrite_module"), None);
        assert_eq!(Builtin::find("mpm_event_module"), None);
    }

    #[test]
    fn names_are_unique_and_well_formed() {
        for (n, builtin) in BUILTINS.iter().enumerate() {
            assert!(builtin.symbol.ends_with("_module"), "{builtin:?}");
            assert!(builtin.source.ends_with(".c"), "{builtin:?}");
            let others = &BUILTINS[n + 1..];
            assert!(others.iter().all(|other| other.symbol != builtin.symbol));
            assert!(others.iter().all(|other| other.source != builtin.source));
        }
    }
}
