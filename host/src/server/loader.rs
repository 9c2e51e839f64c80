//! `LoadModule`, while the configuration is read.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::{self, Args, Loaded, ModuleHost, ModuleRow, Place};
use crate::modules::builtin::Builtin;
use crate::modules::{self, ArgKind, HostOffer, Plugin, PluginDirective, Refusal};

/// Where modules lie when neither ServerRoot nor the binary's directory has them.
const SYSTEM_DIR: &str = "/usr/lib/gearbox";

/// The MPMs that were loaded, with the place of each `LoadModule`.
#[derive(Debug)]
pub(super) struct Loader {
    offer: HostOffer,
    pub(super) mpms: Vec<(Plugin, Place)>,
    /// A `LoadModule` failed, so that "no MPM" would be a second error for the same thing.
    pub(super) failed: bool,
}

impl Loader {
    pub(super) fn new(caps: u64) -> Self {
        Self { offer: HostOffer::new(caps), mpms: Vec::new(), failed: false }
    }

    fn has_directive(&self, name: &str) -> bool {
        let mut all = self.mpms.iter().flat_map(|(plugin, _)| &plugin.directives);
        all.any(|directive| directive.name.eq_ignore_ascii_case(name))
    }
}

impl ModuleHost for Loader {
    fn load(
        &mut self,
        symbol: &str,
        file: &str,
        server_root: &Path,
        place: &Place,
    ) -> Result<Loaded, String> {
        if Builtin::find(symbol).is_some() {
            return Ok(Loaded::BuiltIn);
        }
        if self.mpms.iter().any(|(plugin, _)| plugin.symbol == symbol) {
            return Ok(Loaded::Already);
        }
        if config::is_httpd_module(symbol) {
            return Err(format!("{symbol} is httpd's module and not supported yet"));
        }
        let plugin = find(symbol, file, server_root)
            .and_then(|path| modules::load(symbol, &path, self.offer))
            .map_err(|refusal| {
                self.failed = true;
                refusal.to_string()
            })?;
        // A second MPM is told once, not again for each directive that the first one has too.
        let is_new = |directive: &&PluginDirective| !self.has_directive(&directive.name);
        let new = plugin.directives.iter().filter(is_new);
        let rows = new.map(|directive| row(&plugin, directive)).collect();
        self.mpms.push((plugin, place.clone()));
        Ok(Loaded::Plugin(rows))
    }

    fn is_loaded(&self, name: &str) -> bool {
        let is_named = |plugin: &Plugin| plugin.symbol == name || source(plugin) == name;
        Builtin::find(name).is_some() || self.mpms.iter().any(|(plugin, _)| is_named(plugin))
    }
}

/// The source file httpd has an MPM in: `event.c`.
fn source(plugin: &Plugin) -> String {
    format!("{}.c", plugin.name.strip_prefix("mpm_").unwrap_or(&plugin.name))
}

/// A relative module path is looked up in ServerRoot, beside the binary, and in `/usr/lib/gearbox`.
fn find(symbol: &str, file: &str, server_root: &Path) -> Result<PathBuf, Refusal> {
    if Path::new(file).is_absolute() {
        return Ok(file.into());
    }
    let roots = [server_root.to_owned()].into_iter().chain(module_roots());
    let mut paths: Vec<PathBuf> = roots.map(|root| root.join(file)).collect();
    paths.dedup();
    match paths.iter().position(|path| path.exists()) {
        Some(found) => Ok(paths.swap_remove(found)),
        None => Err(modules::nowhere(symbol, file, &paths)),
    }
}

/// Directories, besides ServerRoot, that relative module paths are looked up in.
fn module_roots() -> Vec<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned));
    beside.into_iter().chain([PathBuf::from(SYSTEM_DIR)]).collect()
}

/// The MPMs there are to load, as arguments of `LoadModule`.
pub(super) fn available(server_root: &Path) -> Vec<String> {
    let roots = [server_root.to_owned()].into_iter().chain(module_roots());
    let dirs = roots.map(|root| root.join("modules"));
    let Some(files) = dirs.into_iter().find_map(|dir| {
        let names = std::fs::read_dir(dir).ok()?.flatten().filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let mpm = name.strip_prefix("mod_")?.strip_suffix(".so")?;
            mpm.starts_with("mpm_").then(|| format!("{mpm}_module modules/{name}"))
        });
        let mut names: Vec<String> = names.collect();
        names.sort();
        (!names.is_empty()).then_some(names)
    }) else {
        return Vec::new();
    };
    files
}

fn row(plugin: &Plugin, directive: &PluginDirective) -> ModuleRow {
    let unsigned = |n: i64| u64::try_from(n).unwrap_or(0);
    let args = match &directive.arg {
        ArgKind::Flag => Args::Flag,
        ArgKind::Int(range) => Args::Int { min: *range.start(), max: *range.end() },
        ArgKind::Size(range) => {
            Args::Size { min: unsigned(*range.start()), max: unsigned(*range.end()) }
        }
        ArgKind::Duration(range) => Args::Duration {
            min: Duration::from_nanos(unsigned(*range.start())),
            max: Duration::from_nanos(unsigned(*range.end())),
        },
        ArgKind::Float(range) => {
            Args::Float { min: *range.start() as f64 / 1000.0, max: *range.end() as f64 / 1000.0 }
        }
        ArgKind::String => Args::Word,
        ArgKind::Enum(names) => Args::Enum(names.clone()),
        ArgKind::Argv(range) => {
            let count = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
            Args::Words { min: count(*range.start()), max: count(*range.end()) }
        }
        ArgKind::Raw => Args::Raw,
    };
    ModuleRow {
        name: directive.name.clone(),
        module: source(plugin),
        help: directive.help.clone(),
        default: directive.default_text.clone().unwrap_or_default(),
        args,
        id: directive.id,
        alias_of: directive.alias_of.clone(),
        repeatable: directive.repeatable,
        deprecated: directive.deprecated,
        hidden: directive.hidden,
    }
}
