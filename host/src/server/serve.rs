//! From a checked configuration to a server that runs: bind, lock, open, prepare, detach, run.

use std::path::PathBuf;
use std::sync::Arc;

use super::account;
use super::callbacks;
use super::child::Parts;
use super::context::Context;
use super::detach::{self, Launcher, Side};
use super::listeners::{self, Listener};
use super::loaded::Loaded;
use super::os_error::Numbered;
use super::pid_file::{PidFile, PidFileError};
use super::report;
use super::scoreboard::Scoreboard;
use super::startup::{Failed, Invocation, say};
use super::supervisor::{Happening, OnReady, Supervisor};
use crate::conn::{Env, NEVER};
use crate::handlers::types::MimeTypes;
use crate::http::{Site, SiteParts};
use crate::log::{self, AccessLog, ErrorLog};
use crate::log_line;
use crate::modules::mpm::{Mpm, Why};
use crate::sys::{clock, signals};

impl Loaded {
    pub(super) fn serve(mut self, invocation: &Invocation) -> Result<i32, Failed> {
        account::check(&self.accounts, &self.server)?;
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
            let detached = detach::detach(error_log.fd());
            match detached.map_err(|error| format!("gearbox: cannot detach: {error}"))? {
                Side::Server(launcher) => launcher,
                Side::Launching(code) => {
                    // The file is the server's, which goes on.
                    pid_file.leave_to_parent();
                    return Ok(code);
                }
            }
        };
        pid_file.write().map_err(|error| self.pid_file_failed(&error))?;
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
        let on_ready = ready_hook(&self.mpm, launcher);
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
                "{}: AH00091: gearbox: could not open error log file {path}.\n\
                 AH00015: Unable to open logs",
                Numbered(&error),
            )
            .into()
        })
    }

    fn make_site(&self) -> Result<Site, Failed> {
        let open = |(path, format): &(PathBuf, log::Format)| {
            AccessLog::open(path, format.clone()).map_err(|error| {
                let path = path.display();
                format!(
                    "{}: AH00649: could not open transfer log file {path}.\n\
                     AH00015: Unable to open logs",
                    Numbered(&error),
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

/// What happens when the first child is ready.
fn ready_hook(mpm: &Mpm, launcher: Launcher) -> OnReady {
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
        launcher.ready();
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
