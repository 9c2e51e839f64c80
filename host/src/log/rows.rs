//! Directives about logs.

use std::path::PathBuf;

use super::access::{COMBINED, COMMON, Format};
use super::error::LevelFilter;
use super::level::Level;
use crate::config::{self, Args, Call, Contexts, Fault, Part, Place, Row, Settings};

/// Log settings as written.
#[derive(Clone, Debug, Default)]
pub struct LogSettings {
    /// ErrorLog.
    pub error_log: Option<PathBuf>,
    /// LogLevel.
    pub level: Option<LevelFilter>,
    /// Modules in LogLevel that nothing is logged under, with their places.
    pub silent: Vec<(String, Place)>,
    /// CustomLog: file and format.
    pub custom_logs: Vec<(PathBuf, Format)>,
    /// LogFormat: nickname and format.
    formats: Vec<(String, Format)>,
}

impl Part for LogSettings {
    fn merge(&mut self, inner: &Self) {
        if inner.error_log.is_some() {
            self.error_log.clone_from(&inner.error_log);
        }
        if inner.level.is_some() {
            self.level.clone_from(&inner.level);
        }
        self.silent.extend(inner.silent.iter().cloned());
        self.custom_logs.extend(inner.custom_logs.iter().cloned());
        self.formats.extend(inner.formats.iter().cloned());
    }
}

/// Directives of the core and mod_log_config.
pub const ROWS: &[Row] = &[
    Row {
        name: "ErrorLog",
        module: "core.c",
        contexts: Contexts::SERVER,
        args: Args::Path,
        default: "standard error",
        help: "the file errors are logged to",
        set: error_log,
    },
    Row {
        name: "LogLevel",
        module: "core.c",
        contexts: Contexts::SERVER,
        args: Args::Words { min: 1, max: usize::MAX },
        default: "warn",
        help: "what is logged: a level, and module:level for single modules",
        set: log_level,
    },
    Row {
        name: "LogFormat",
        module: "mod_log_config.c",
        contexts: Contexts::SERVER,
        args: Args::Words { min: 2, max: 2 },
        default: "the nicknames common and combined",
        help: "a format string and its nickname",
        set: log_format,
    },
    Row {
        name: "CustomLog",
        module: "mod_log_config.c",
        contexts: Contexts::SERVER,
        args: Args::Words { min: 2, max: 2 },
        default: "",
        help: "a file requests are logged to, and the nickname of a format or a format string",
        set: custom_log,
    },
];

fn error_log(settings: &mut Settings, call: &Call<'_>) -> Result<(), Fault> {
    let written = call.words.first().map_or("", |word| word.text.as_str());
    refuse_pipe(written)?;
    if written == "syslog" || written.starts_with("syslog:") {
        return Err(Fault::new("ErrorLog to syslog is not supported yet").at(0));
    }
    settings.of_mut::<LogSettings>().error_log = Some(call.path()?.to_owned());
    Ok(())
}

fn refuse_pipe(path: &str) -> Result<(), Fault> {
    if path.starts_with('|') {
        return Err(Fault::new("piped logs are not supported yet").at(0));
    }
    Ok(())
}

/// The parts of the server that log, by the names they log under.
const PARTS: [&str; 8] = ["config", "conn", "handlers", "http", "log", "modules", "server", "sys"];

/// Modules of httpd that are built in, or another MPM than the one that is loaded.
const OF_HTTPD: [&str; 10] = [
    "authz_core",
    "core",
    "dir",
    "log_config",
    "mime",
    "mpm_event",
    "mpm_prefork",
    "mpm_worker",
    "so",
    "unixd",
];

/// Whether something is logged under this name.
fn is_logged(module: &str, call: &Call<'_>) -> Result<bool, String> {
    let loaded: Vec<&str> =
        call.modules().map(|symbol| symbol.strip_suffix("_module").unwrap_or(symbol)).collect();
    if PARTS.contains(&module) || loaded.contains(&module) {
        return Ok(true);
    }
    // Files made for httpd, and for all MPMs, name such.
    if OF_HTTPD.contains(&module) || config::is_httpd_module(module) {
        return Ok(false);
    }
    let known = [PARTS.as_slice(), &loaded].concat().join(", ");
    Err(format!("there is no module '{module}' that logs: there are {known}"))
}

fn log_level(settings: &mut Settings, call: &Call<'_>) -> Result<(), Fault> {
    let mut filter = settings.of::<LogSettings>().level.unwrap_or_default();
    let mut silent = Vec::new();
    for (index, word) in call.words.iter().enumerate() {
        let (module, level) = match word.text.split_once(':') {
            Some((module, level)) => (Some(module), level),
            None => (None, word.text.as_str()),
        };
        let level = Level::from_word(level).ok_or_else(|| {
            let words = Level::words().join("/");
            Fault::new(format!("unknown log level '{level}': use one of {words}")).at(index)
        })?;
        match module {
            Some(module) => {
                let module = module.strip_suffix("_module").unwrap_or(module).to_owned();
                let is_logged =
                    is_logged(&module, call).map_err(|text| Fault::new(text).at(index))?;
                if !is_logged {
                    silent.push((module.clone(), word.place.clone()));
                }
                filter.modules.retain(|(known, _)| *known != module);
                filter.modules.push((module, level));
            }
            None => filter.all = level,
        }
    }
    let log = settings.of_mut::<LogSettings>();
    log.level = Some(filter);
    log.silent.extend(silent);
    Ok(())
}

fn log_format(settings: &mut Settings, call: &Call<'_>) -> Result<(), Fault> {
    if let [format, nickname] = call.words {
        let format = Format::parse(&format.text).map_err(|text| Fault::new(text).at(0))?;
        let formats = &mut settings.of_mut::<LogSettings>().formats;
        formats.retain(|(known, _)| *known != nickname.text);
        formats.push((nickname.text.clone(), format));
    }
    Ok(())
}

fn custom_log(settings: &mut Settings, call: &Call<'_>) -> Result<(), Fault> {
    let [path, format] = call.words else { return Ok(()) };
    refuse_pipe(&path.text)?;
    let log = settings.of_mut::<LogSettings>();
    let named = log.formats.iter().find(|(nickname, _)| *nickname == format.text);
    let format = match (named, format.text.as_str()) {
        (Some((_, format)), _) => format.clone(),
        (None, "common") => parse(COMMON)?,
        (None, "combined") => parse(COMBINED)?,
        (None, text) if text.contains('%') => parse(text)?,
        (None, text) => {
            let sentence = format!("no LogFormat has the nickname '{text}'");
            return Err(Fault::new(sentence).at(1));
        }
    };
    log.custom_logs.push((call.path_of(&path.text), format));
    Ok(())
}

fn parse(format: &str) -> Result<Format, Fault> {
    Format::parse(format).map_err(|text| Fault::new(text).at(1))
}
