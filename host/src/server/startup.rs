//! From the command line to a server that runs, in named steps: read, load, check, bind, prepare,
//! run. Until children exist everything that is wrong goes to standard error and ends with 1.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::account::{self, Accounts};
use super::callbacks;
use super::child::Parts;
use super::context::{Context, Values};
use super::detach::{self, Launcher, Side};
use super::listeners::{self, Listener};
use super::loader::{self, Loader};
use super::pid_file::{PidFile, PidFileError};
use super::report;
use super::rows::ServerSettings;
use super::scoreboard::Scoreboard;
use super::supervisor::{Happening, OnReady, Supervisor};
use crate::config::{self, Config, Input, Problem, Row, Severity, Value};
use crate::conn::{self, Env, NEVER};
use crate::handlers::types::MimeTypes;
use crate::http::rows::SiteSettings;
use crate::http::{Site, SiteParts};
use crate::log::{self, AccessLog, ErrorLog, LogSettings};
use crate::log_line;
use crate::modules::Plugin;
use crate::modules::mpm::{Directive, HostSide, Mpm, Why};
use crate::sys::{clock, files, process, signals};

/// What the server was called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Serve.
    Serve,
    /// `-t`: check the configuration.
    Test,
    /// `-v`.
    Version,
    /// `-V`.
    VersionLong,
    /// `-l`.
    CompiledIn,
    /// `-L`.
    Directives,
    /// `-M`.
    Modules,
    /// `-S`.
    Settings,
}

/// A command line, resolved.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// What to do.
    pub action: Action,
    /// ServerRoot to begin with.
    pub server_root: PathBuf,
    /// Configuration file.
    pub config: PathBuf,
    /// `-D`.
    pub defines: Vec<String>,
    /// `-C`.
    pub before: Vec<String>,
    /// `-c`.
    pub after: Vec<String>,
    /// `-T`: do not check that DocumentRoot exists.
    pub skip_document_root: bool,
    /// `-X`: one process, in the foreground.
    pub one_process: bool,
    /// Do not detach.
    pub foreground: bool,
    /// Colour on standard error.
    pub color: bool,
}

/// Where the PID file lies when `PidFile` does not say.
pub(super) const PID_FILE: &str = "logs/gearbox.pid";

/// Every directive of the host.
const ROWS: &[&[Row]] = &[
    super::rows::ROWS,
    conn::rows::ROWS,
    crate::http::rows::ROWS,
    crate::http::options::ROWS,
    crate::http::access::ROWS,
    log::ROWS,
];

/// A start that failed: what to print, if it was not printed yet.
struct Failed(Option<String>);

impl Failed {
    fn printed() -> Self {
        Self(None)
    }
}

impl<T: Into<String>> From<T> for Failed {
    fn from(text: T) -> Self {
        Self(Some(text.into()))
    }
}

/// Does what the command line asks for; the exit status.
pub fn run(invocation: &Invocation) -> i32 {
    match dispatch(invocation) {
        Ok(code) => code,
        Err(Failed(text)) => {
            if let Some(text) = text {
                say(&text);
            }
            1
        }
    }
}

/// To standard error, where start-up lines go.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", text.trim_end());
}

fn print(text: &str) -> Result<i32, Failed> {
    // A reader that has gone (`| head`) is no failure.
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(format!("gearbox: cannot write: {error}").into())
        }
        _ => Ok(0),
    }
}

fn dispatch(invocation: &Invocation) -> Result<i32, Failed> {
    match invocation.action {
        Action::Version => return print(&report::version()),
        Action::CompiledIn => return print(&report::compiled_in()),
        Action::VersionLong => return version_long(invocation),
        _ => {}
    }
    let stderr = ErrorLog::stderr().map_err(|error| format!("gearbox: standard error: {error}"))?;
    log::install(stderr, log::LevelFilter::default());
    let loaded = Loaded::read(invocation)?;
    match invocation.action {
        Action::Directives => print(&loaded.directives),
        Action::Modules => print(&report::modules(&loaded.mpm)),
        Action::Settings => loaded.print_settings(),
        Action::Test => {
            loaded.warn(invocation);
            say("Syntax OK");
            Ok(0)
        }
        _ => {
            loaded.warn(invocation);
            loaded.serve(invocation)
        }
    }
}

/// `-V` prints what it can even when the configuration is broken.
fn version_long(invocation: &Invocation) -> Result<i32, Failed> {
    print(&report::version_long_head())?;
    let loaded = ErrorLog::stderr()
        .map_err(|error| Failed::from(format!("gearbox: standard error: {error}")))
        .and_then(|stderr| {
            log::install(stderr, log::LevelFilter::default());
            Loaded::read(invocation)
        });
    print(&report::version_long_mpm(loaded.as_ref().ok().map(|loaded| &*loaded.mpm)))?;
    print(&report::version_long_tail(&invocation.server_root, &invocation.config))?;
    loaded.map(|_| 0)
}

/// A configuration that was read, and the MPM it loads.
struct Loaded {
    config: Config,
    mpm: Arc<Mpm>,
    context: &'static Context,
    /// `-L`.
    directives: String,
    accounts: Accounts,
    server: ServerSettings,
    site: SiteSettings,
    logs: LogSettings,
    connections: conn::Settings,
}

impl Loaded {
    fn read(invocation: &Invocation) -> Result<Self, Failed> {
        let mut loader = Loader::new(callbacks::CAPS);
        let input = Input {
            file: invocation.config.clone(),
            server_root: invocation.server_root.clone(),
            defines: invocation.defines.clone(),
            before: invocation.before.clone(),
            after: invocation.after.clone(),
        };
        let tree = config::read(&input, &mut loader);
        let plugin = the_one_mpm(loader, tree.server_root());
        let (config, plugin) = match (config::resolve(&tree, ROWS), plugin) {
            (Ok(config), Ok(Some(plugin))) => (config, plugin),
            (resolved, plugin) => {
                for problem in resolved.err().iter().flat_map(config::Problems::iter) {
                    say(&problem.render(invocation.color));
                }
                return Err(plugin.err().map_or_else(Failed::printed, Failed::from));
            }
        };
        // Notes are for those who ask.
        let shown = |problem: &&Problem| {
            problem.severity != Severity::Note || invocation.action == Action::Test
        };
        for warning in config.warnings.iter().filter(shown) {
            say(&warning.render(invocation.color));
        }
        let directives = config::list(ROWS, tree.module_rows());
        let server: ServerSettings = config.server.of();
        let accounts = account::resolve(&server)?;
        let connections = conn::Settings::resolve(&config.server);
        let context: &'static Context = Box::leak(Box::default());
        let values = Values {
            server_root: config.server_root.clone(),
            pid_file: Some(pid_path(&server, &config.server_root)),
            timeout: connections.timeout,
            keep_alive_timeout: connections.keep_alive_timeout,
            one_process: invocation.one_process,
        };
        let mpm = configure_mpm(plugin, &config, context, values, invocation.color)?;
        Ok(Self {
            site: config.server.of(),
            logs: config.server.of(),
            config,
            mpm: Arc::new(mpm),
            context,
            directives,
            accounts,
            server,
            connections,
        })
    }

    fn pid_path(&self) -> PathBuf {
        pid_path(&self.server, &self.config.server_root)
    }

    /// ServerName, with its port if that is said; else the machine's name.
    fn server_name(&self) -> String {
        match &self.site.server_name {
            Some((name, None)) => name.clone(),
            Some((name, Some(port))) => format!("{name}:{port}"),
            None => nix::unistd::gethostname()
                .ok()
                .and_then(|name| name.into_string().ok())
                .unwrap_or_else(|| "localhost".to_owned()),
        }
    }

    fn print_settings(&self) -> Result<i32, Failed> {
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
        }))
    }

    /// What is odd but no reason not to start.
    fn warn(&self, invocation: &Invocation) {
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

    fn serve(mut self, invocation: &Invocation) -> Result<i32, Failed> {
        account::check(&self.accounts, &self.server)?;
        if !files::openat2_works() {
            return Err("GB0312: gearbox: this system has no openat2, which serving files safely \
                        needs: Linux 5.6 or later, and no sandbox that forbids it"
                .into());
        }
        let bound = self.bind()?;
        let mut pid_file = match PidFile::lock(&self.pid_path()) {
            Ok(pid_file) => pid_file,
            Err(PidFileError::Running(pid)) => {
                say(&format!("gearbox (pid {pid}) already running"));
                return Ok(0);
            }
            Err(PidFileError::Io(error)) => return Err(self.pid_file_failed(&error)),
        };
        let error_log = self.open_error_log()?;
        let site = Arc::new(self.make_site()?);
        let _ = self.context.listeners.set(bound);
        let plan = {
            let mpm = Arc::get_mut(&mut self.mpm).ok_or("gearbox: the MPM is in use")?;
            mpm.prepare().map_err(|error| self.mpm_failed(&error))?
        };
        let board = Scoreboard::new(plan.max_children, plan.threads_per_child)
            .map_err(|error| format!("AH00004: gearbox: scoreboard: {error}"))?;
        let board = Arc::new(board);

        let stays = invocation.foreground || invocation.one_process;
        let launcher = if stays {
            Launcher::none()
        } else {
            match detach::detach().map_err(|error| format!("gearbox: cannot detach: {error}"))? {
                Side::Server(launcher) => launcher,
                Side::Launching(code) => {
                    // The file is the server's, which goes on.
                    pid_file.leave_to_parent();
                    return Ok(code);
                }
            }
        };
        pid_file.write().map_err(|error| self.pid_file_failed(&error))?;
        let stderr_log = error_log.fd().try_clone_to_owned();
        log::install(error_log, self.logs.level.clone().unwrap_or_default());
        raise_descriptor_limit();
        self.log_start();

        let parts =
            Parts { account: self.accounts.account.clone(), board: Arc::clone(&board), plan };
        let _ = self.context.parts.set(parts);
        self.arm(site);
        if invocation.one_process {
            return Ok(self.run_alone());
        }
        let on_ready = ready_hook(&self.mpm, launcher, stderr_log.ok());
        let signals = signals::take_over().map_err(|error| format!("gearbox: signals: {error}"))?;
        let supervisor =
            Supervisor::new(plan.max_children, signals, board, Some(pid_file), on_ready)
                .map_err(|error| format!("gearbox: {error}"))?;
        self.context.set_supervisor(supervisor);
        Ok(self.run_parent())
    }

    fn bind(&self) -> Result<Vec<Listener>, Failed> {
        let none = "no listening sockets available, shutting down\nAH00015: Unable to open logs";
        let code = match self.mpm.plugin().name.as_str() {
            "mpm_worker" => "AH03290",
            "mpm_prefork" => "AH03279",
            _ => "AH03272",
        };
        if self.server.listen.is_empty() {
            return Err(format!("{code}: {none} (there is no Listen directive)").into());
        }
        listeners::bind(&self.server.listen).map_err(|errors| {
            errors.iter().for_each(|error| say(&error.to_string()));
            format!("{code}: {none}").into()
        })
    }

    fn log_start(&self) {
        let plugin = self.mpm.plugin();
        log_line!(INFO, "AH01575", "loaded module {} from {plugin}", plugin.symbol);
        for warning in &plugin.warnings {
            log_line!(WARN, "GB0311", "{warning}");
        }
        for listener in self.context.listeners.get().into_iter().flatten() {
            log_line!(NOTICE, "GB0313", "listening on {}", listener.address());
        }
    }

    fn pid_file_failed(&self, error: &std::io::Error) -> Failed {
        let path = self.pid_path();
        format!("AH00099: gearbox: could not create {}: {error}", path.display()).into()
    }

    fn mpm_failed(&self, error: &dyn std::fmt::Display) -> Failed {
        format!("GB0314: gearbox: {} cannot be used: {error}", self.mpm.plugin().symbol).into()
    }

    fn open_error_log(&self) -> Result<ErrorLog, Failed> {
        let Some(path) = &self.logs.error_log else {
            return ErrorLog::stderr().map_err(|e| format!("gearbox: standard error: {e}").into());
        };
        ErrorLog::open(path).map_err(|error| {
            let path = path.display();
            format!(
                "({}){}: AH00091: gearbox: could not open error log file {path}.\n\
                 AH00015: Unable to open logs",
                error.raw_os_error().unwrap_or(0),
                os_text(&error),
            )
            .into()
        })
    }

    fn make_site(&self) -> Result<Site, Failed> {
        let open = |(path, format): &(PathBuf, log::Format)| {
            AccessLog::open(path, format.clone()).map_err(|error| {
                let path = path.display();
                format!(
                    "({}){}: AH00649: could not open transfer log file {path}.\n\
                     AH00015: Unable to open logs",
                    error.raw_os_error().unwrap_or(0),
                    os_text(&error),
                )
            })
        };
        let access_logs = self.logs.custom_logs.iter().map(open).collect::<Result<_, _>>()?;
        let types = match &self.site.types_config {
            None => MimeTypes::default(),
            Some(path) => MimeTypes::parse(&std::fs::read_to_string(path).map_err(|error| {
                let path = path.display();
                format!("AH01597: could not open mime types config file {path}: {error}")
            })?),
        };
        Ok(Site::new(SiteParts {
            server_name: self.server_name(),
            document_root: self.site.document_root.clone(),
            outside: self.config.server.clone(),
            sections: self.config.sections.clone(),
            types,
            access_logs,
        }))
    }

    /// Gives the context what children need: connections, and the body that runs the MPM.
    fn arm(&self, site: Arc<Site>) {
        let waker = Arc::clone(&self.mpm);
        let env = Env {
            site,
            settings: self.connections,
            wake: Box::new(move |token| waker.wake(token)),
        };
        let _ = self.context.env.set(Arc::new(env));
        let (context, mpm) = (self.context, Arc::clone(&self.mpm));
        let _ = context.body.set(Box::new(move |birth| {
            let Some(parts) = context.parts.get() else { return mpm_abi::CHILD_INIT };
            let slot = birth.slot;
            match parts.set_up(birth, || mpm.after_fork_child()) {
                Ok(side) => {
                    let _ = context.child.set(side);
                    mpm.child_main(slot)
                }
                Err(code) => code,
            }
        }));
    }

    /// `-X`: this process is child 0.
    fn run_alone(&self) -> i32 {
        let Some(parts) = self.context.parts.get() else { return 1 };
        match parts.set_up_alone() {
            Ok(side) => {
                let _ = self.context.child.set(side);
                self.mpm.child_main(0)
            }
            Err(code) => code,
        }
    }

    fn run_parent(&self) -> i32 {
        let command_line: Vec<String> = std::env::args().collect();
        log_line!(NOTICE, "AH00094", "Command line: '{}'", command_line.join(" "));
        let why = if self.mpm.has_run() { self.mpm.run() } else { keep_one_child(self.context) };
        let Some(mut supervisor) = self.context.take_supervisor() else { return 1 };
        let ended = match why {
            Why::GracefulStop => supervisor.drain_all(),
            Why::Stop | Why::Failed => supervisor.stop_all(),
        };
        if let Err(error) = ended {
            log_line!(ERROR, "GB0315", "waiting for children failed: {error}");
        }
        if why == Why::Failed {
            log_line!(ALERT, "AH02818", "MPM run failed, exiting");
            return 1;
        }
        0
    }
}

fn os_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

fn pid_path(server: &ServerSettings, server_root: &Path) -> PathBuf {
    server.pid_file.clone().unwrap_or_else(|| server_root.join(PID_FILE))
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

/// What happens when the first child is ready.
fn ready_hook(mpm: &Mpm, mut launcher: Launcher, log: Option<std::os::fd::OwnedFd>) -> OnReady {
    let name = mpm.plugin().name.clone();
    Box::new(move || {
        let version = report::VERSION;
        // One line of the code for each MPM of httpd, so that searching for a number finds it.
        match name.as_str() {
            "mpm_worker" => {
                log_line!(NOTICE, "AH00292", "{version} configured -- resuming normal operations")
            }
            "mpm_prefork" => {
                log_line!(NOTICE, "AH00163", "{version} configured -- resuming normal operations")
            }
            _ => log_line!(NOTICE, "AH00489", "{version} configured -- resuming normal operations"),
        }
        if let Some(log) = log {
            launcher.ready(log);
        }
    })
}

/// Descriptors bound the number of connections: as many as the system lets us have.
fn raise_descriptor_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
        log_line!(INFO, "GB0316", "limit of open files raised from {soft} to {hard}");
    }
}

/// How long to wait before a child that did not come up is replaced (ns).
const REPLACE_PAUSE_NS: u64 = 1_000_000_000;

/// The parent's loop for an MPM without `run`: one child, replaced when it ends.
fn keep_one_child(context: &'static Context) -> Why {
    let mut pause_until = 0;
    let mut alive = false;
    let mut ready = false;
    loop {
        let now = clock::now_ns();
        if !alive && now >= pause_until {
            match callbacks::spawn(context, 0) {
                Ok(_) => (alive, ready) = (true, false),
                Err(_) => pause_until = now + REPLACE_PAUSE_NS,
            }
        }
        let deadline = if alive { NEVER } else { pause_until };
        let next = context.with_supervisor(|supervisor| {
            supervisor.next(deadline).map(|happening| (happening, supervisor.proven()))
        });
        match next {
            Some(Ok((Happening::Stop, _))) => return Why::Stop,
            Some(Ok((Happening::Ready { .. }, _))) => ready = true,
            Some(Ok((Happening::Exited { .. }, false))) => {
                log_line!(ALERT, "GB0317", "the child ended before it was ready; giving up");
                return Why::Failed;
            }
            Some(Ok((Happening::Exited { .. }, true))) => {
                alive = false;
                pause_until = if ready { 0 } else { clock::now_ns() + REPLACE_PAUSE_NS };
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Why::Failed,
        }
    }
}
