//! `Options` and `AllowOverride`.

use crate::config::{Args, Call, Contexts, Fault, Part, Row, Settings};

/// Options of a section.
#[derive(Clone, Debug, Default)]
pub struct OptionsSettings {
    /// Symbolic links may be followed. Not set anywhere: yes, as in httpd.
    pub follow_symlinks: Option<bool>,
}

impl Part for OptionsSettings {
    fn merge(&mut self, inner: &Self) {
        self.follow_symlinks = inner.follow_symlinks.or(self.follow_symlinks);
    }
}

/// Directives of the core about a directory's options.
pub const ROWS: &[Row] = &[
    Row {
        name: "Options",
        module: "core.c",
        contexts: Contexts::ANYWHERE,
        args: Args::Words { min: 1, max: usize::MAX },
        default: "FollowSymLinks",
        help: "what may be done in a directory: None or [+|-]FollowSymLinks",
        set: options,
    },
    Row {
        name: "AllowOverride",
        module: "core.c",
        contexts: Contexts::SECTION,
        args: Args::Words { min: 1, max: usize::MAX },
        default: "None",
        help: "what .htaccess files may change: None",
        set: allow_override,
    },
];

fn options(settings: &mut Settings, call: &Call<'_>) -> Result<(), Fault> {
    let signed = |word: &str| word.starts_with(['+', '-']);
    let relative = call.words.iter().filter(|word| signed(&word.text)).count();
    if relative != 0 && relative != call.words.len() {
        return Err(Fault::new("Either all Options must start with + or -, or no Option may."));
    }
    let options = settings.of_mut::<OptionsSettings>();
    if relative == 0 {
        options.follow_symlinks = Some(false);
    }
    for (index, word) in call.words.iter().enumerate() {
        let (on, name) = match word.text.strip_prefix('-') {
            Some(name) => (false, name),
            None => (true, word.text.strip_prefix('+').unwrap_or(&word.text)),
        };
        match name.to_ascii_lowercase().as_str() {
            "followsymlinks" => options.follow_symlinks = Some(on),
            "none" if relative == 0 => options.follow_symlinks = Some(false),
            // Turning off what is not there is what the administrator wants.
            "indexes"
            | "includes"
            | "includesnoexec"
            | "execcgi"
            | "multiviews"
            | "symlinksifownermatch"
            | "all"
                if !on => {}
            "indexes"
            | "includes"
            | "includesnoexec"
            | "execcgi"
            | "multiviews"
            | "symlinksifownermatch"
            | "all" => {
                let sentence = format!("Option {name} is not supported yet");
                return Err(Fault::new(sentence).at(index));
            }
            _ => return Err(Fault::new(format!("Illegal option {name}")).at(index)),
        }
    }
    Ok(())
}

fn allow_override(_: &mut Settings, call: &Call<'_>) -> Result<(), Fault> {
    match call.words.iter().position(|word| !word.text.eq_ignore_ascii_case("none")) {
        None => Ok(()),
        // A .htaccess file may restrict access, so ignoring it is no choice.
        Some(index) => {
            Err(Fault::new(".htaccess files are not supported yet: only 'AllowOverride None' is")
                .at(index))
        }
    }
}
