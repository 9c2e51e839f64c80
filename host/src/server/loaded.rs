//! A configuration that was read, with the MPM it loads: everything that can be checked without
//! touching the system.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::account::{self, Accounts};
use super::callbacks;
use super::context::{Context, Values};
use super::loader::{self, Loader};
use super::mpm_rows::MpmSettings;
use super::report;
use super::rows::ServerSettings;
use super::startup::{Action, Failed, Invocation, print, say};
use crate::config::{self, Config, Problem, Row, Severity, Value};
use crate::conn;
use crate::handlers::types::MimeTypes;
use crate::http::rows::SiteSettings;
use crate::log::LogSettings;
use crate::modules::Plugin;
use crate::modules::mpm::{Directive, HostSide, Mpm};
use crate::status::rows::StatusSettings;
use crate::sys::process;

/// Where the PID file lies when `PidFile` does not say.
pub(super) const PID_FILE: &str = "logs/gearbox.pid";

/// Every directive of the host.
const ROWS: &[&[Row]] = &[
    super::rows::ROWS,
    super::mpm_rows::ROWS,
    conn::rows::ROWS,
    crate::http::rows::ROWS,
    crate::http::options::ROWS,
    crate::http::access::ROWS,
    crate::log::ROWS,
    crate::http::handler::ROWS,
    crate::status::rows::ROWS,
];

/// A configuration that was read, and the MPM it loads.
pub(super) struct Loaded {
    pub(super) config: Config,
    pub(super) mpm: Arc<Mpm>,
    pub(super) context: &'static Context,
    /// `-L`.
    pub(super) directives: String,
    pub(super) accounts: Accounts,
    pub(super) server: ServerSettings,
    pub(super) common: MpmSettings,
    pub(super) site: SiteSettings,
    pub(super) logs: LogSettings,
    pub(super) connections: conn::Settings,
    pub(super) status: StatusSettings,
}

impl Loaded {
    pub(super) fn read(invocation: &Invocation) -> Result<Self, Failed> {
        let mut loader = Loader::new(callbacks::CAPS);
        let tree = config::read(&invocation.input(), &mut loader);
        let directives = config::list(ROWS, tree.module_rows());
        let plugin = if tree.files().is_empty() {
            // Without a file there is nothing in which an MPM could be missing.
            Ok(None)
        } else {
            the_one_mpm(loader, tree.server_root())
        };
        let (mut config, plugin) = match (config::resolve(&tree, ROWS), plugin) {
            (Ok(config), Ok(Some(plugin))) => (config, plugin),
            (resolved, plugin) => {
                for problem in resolved.err().iter().flat_map(config::Problems::iter) {
                    say(&problem.render(invocation.color));
                }
                // What there is helps to mend it.
                if invocation.action == Action::Directives {
                    print(&directives)?;
                }
                return Err(plugin.err().map_or_else(Failed::printed, Failed::from));
            }
        };
        let logs: LogSettings = config.server.of();
        let silent = logs.silent.iter().map(|(module, place)| Problem::silent(place, module));
        config.warnings.extend(silent);
        // Notes are for those who ask.
        let shown = |problem: &&Problem| {
            problem.severity != Severity::Note || invocation.action == Action::Test
        };
        for warning in config.warnings.iter().filter(shown) {
            say(&warning.render(invocation.color));
        }
        let server: ServerSettings = config.server.of();
        let common: MpmSettings = config.server.of();
        let accounts = account::resolve(&server)?;
        let connections = conn::Settings::resolve(&config.server);
        let context: &'static Context = Box::leak(Box::default());
        let values = Values {
            server_root: config.server_root.clone(),
            pid_file: Some(pid_path(&server, &config.server_root)),
            timeout: connections.timeout,
            keep_alive_timeout: connections.keep_alive_timeout,
            one_process: invocation.one_process,
            patience: server.patience(),
            connections_per_child: common.connections_per_child(),
            thread_stack_size: common.thread_stack_size.unwrap_or(0),
            listen_backlog: common.sockets.backlog,
        };
        let mpm = configure_mpm(plugin, &config, context, values, invocation.color)?;
        let loaded = Self {
            site: config.server.of(),
            logs,
            status: config.server.of(),
            config,
            mpm: Arc::new(mpm),
            context,
            directives,
            accounts,
            server,
            common,
            connections,
        };
        if invocation.action == Action::Test {
            loaded.look_ahead()?;
        }
        Ok(loaded)
    }

    /// Tells what a start would fail at, as far as that can be known without doing it.
    fn look_ahead(&self) -> Result<(), Failed> {
        let found = [
            account::check(&self.accounts, &self.server).err(),
            self.server.listen.is_empty().then(|| self.no_listen()),
            self.types().err(),
        ];
        let found: Vec<String> = found.into_iter().flatten().collect();
        found.iter().for_each(|text| say(text));
        if found.is_empty() { Ok(()) } else { Err(Failed::printed()) }
    }

    /// That there is nothing to listen on.
    pub(super) fn no_listen(&self) -> String {
        format!("{} (there is no Listen directive)", self.no_sockets())
    }

    /// httpd's sentence for when there is nothing that could be listened on.
    pub(super) fn no_sockets(&self) -> String {
        let code = match self.mpm.plugin().name.as_str() {
            "mpm_worker" => "AH03290",
            "mpm_prefork" => "AH03279",
            _ => "AH03272",
        };
        format!(
            "{code}: no listening sockets available, shutting down\nAH00015: Unable to open logs"
        )
    }

    /// The types of TypesConfig, or the shipped ones.
    pub(super) fn types(&self) -> Result<MimeTypes, String> {
        let Some(path) = &self.site.types_config else { return Ok(MimeTypes::default()) };
        let text = std::fs::read_to_string(path).map_err(|error| {
            let path = path.display();
            format!("AH01597: could not open mime types config file {path}: {error}")
        })?;
        Ok(MimeTypes::parse(&text))
    }

    pub(super) fn pid_path(&self) -> PathBuf {
        pid_path(&self.server, &self.config.server_root)
    }

    /// Where the control socket lies.
    pub(super) fn control_path(&self) -> PathBuf {
        let configured = self.server.control_socket.clone();
        configured.unwrap_or_else(|| control_beside(&self.pid_path()))
    }

    /// ServerName, without a port.
    pub(super) fn bare_name(&self) -> String {
        self.site.server_name.clone().map_or_else(|| self.server_name(), |(name, _)| name)
    }

    /// ServerName, with its port if that is said; else the machine's name.
    pub(super) fn server_name(&self) -> String {
        match &self.site.server_name {
            Some((name, None)) => name.clone(),
            Some((name, Some(port))) => format!("{name}:{port}"),
            None => nix::unistd::gethostname()
                .ok()
                .and_then(|name| name.into_string().ok())
                .unwrap_or_else(|| "localhost".to_owned()),
        }
    }

    pub(super) fn print_settings(&self) -> Result<i32, Failed> {
        print(&report::settings(&report::Settings {
            listen: &self.server.listen,
            server_name: &self.server_name(),
            server_root: &self.config.server_root,
            document_root: self.site.document_root.as_deref(),
            error_log: self.logs.error_log.as_deref(),
            pid_file: &self.pid_path(),
            defines: &self.config.defines,
            accounts: &self.accounts,
            is_root: process::is_root(),
            mpm: &self.mpm,
        }))
    }

    /// What is odd but no reason not to start.
    pub(super) fn warn(&self, invocation: &Invocation) {
        if self.common.has_old_name {
            say("AH00545: MaxRequestsPerChild is deprecated, use MaxConnectionsPerChild instead.");
        }
        if self.site.server_name.is_none() {
            say(&format!(
                "AH00558: gearbox: Could not reliably determine the server's fully qualified domain \
                 name, using {}. Set the 'ServerName' directive globally to suppress this message",
                self.server_name()
            ));
        }
        if let Some(root) = &self.site.document_root
            && !invocation.skip_document_root
            && !root.is_dir()
        {
            say(&format!("AH00112: Warning: DocumentRoot [{}] does not exist", root.display()));
        }
    }
}

fn pid_path(server: &ServerSettings, server_root: &Path) -> PathBuf {
    server.pid_file.clone().unwrap_or_else(|| server_root.join(PID_FILE))
}

/// The control socket's default place.
pub(super) fn control_beside(pid_file: &Path) -> PathBuf {
    pid_file.with_extension("sock")
}

/// Exactly one MPM; `None` if its `LoadModule` failed, which says more. The error is httpd's sentence
/// and what to do.
fn the_one_mpm(mut loader: Loader, server_root: &Path) -> Result<Option<Plugin>, String> {
    match loader.mpms.as_slice() {
        [_] => Ok(loader.mpms.pop().map(|(plugin, _)| plugin)),
        [] if loader.failed => Ok(None),
        [] => {
            let mut text = "AH00534: gearbox: Configuration error: No MPM loaded.".to_owned();
            let available = loader::available(server_root);
            if available.is_empty() {
                text += "\nThere is no mod_mpm_*.so in a modules directory either; scripts/build makes them.";
            } else {
                text += "\nAdd one of these lines to the configuration:";
            }
            for arguments in available {
                text += &format!("\n    LoadModule {arguments}");
            }
            Err(text)
        }
        several => {
            let mut text =
                "AH00534: gearbox: Configuration error: More than one MPM loaded.".to_owned();
            for (plugin, place) in several {
                let (symbol, file) = (&plugin.symbol, place.file().display());
                text += &format!("\n    {symbol} on line {} of {file}", place.line());
            }
            Err(text)
        }
    }
}

/// Makes the MPM's instance and gives it its directives.
fn configure_mpm(
    plugin: Plugin,
    config: &Config,
    context: &'static Context,
    values: Values,
    color: bool,
) -> Result<Mpm, Failed> {
    let _ = context.mpm_name.set(plugin.name.clone());
    let symbol = plugin.symbol.clone();
    let failed = |error: &dyn std::fmt::Display| -> Failed {
        format!("GB0314: gearbox: {symbol} cannot be used: {error}").into()
    };
    let side = HostSide { host: callbacks::handle(context), api: &raw const callbacks::API };
    let mut mpm = Mpm::create(plugin, side).map_err(|error| failed(&error))?;
    let mut refused = false;
    for call in &config.module_calls {
        let (value, fraction) = numbers(&call.value);
        let file = call.place.file().display().to_string();
        let directive = Directive {
            id: call.id,
            value,
            fraction,
            words: &call.words,
            file: &file,
            line: call.place.line(),
        };
        if let Err(error) = mpm.directive(&directive) {
            say(&Problem::error(&call.place, error.to_string()).render(color));
            refused = true;
        }
    }
    if refused {
        return Err(Failed::printed());
    }
    let _ = context.values.set(values);
    mpm.config_check().map_err(|error| failed(&error))?;
    Ok(mpm)
}

/// A value as the contract passes it on.
fn numbers(value: &Value) -> (i64, f64) {
    let clamp = |n: u128| i64::try_from(n).unwrap_or(i64::MAX);
    match value {
        Value::Flag(on) => (i64::from(*on), 0.0),
        Value::Int(n) => (*n, 0.0),
        Value::Size(bytes) => (clamp(u128::from(*bytes)), 0.0),
        Value::Duration(time) => (clamp(time.as_nanos()), 0.0),
        Value::Float(fraction) => (0, *fraction),
        Value::Enum(index) => (clamp(*index as u128), 0.0),
        Value::Word(_) | Value::Words(_) | Value::Path(_) | Value::Raw(_) => (0, 0.0),
    }
}
