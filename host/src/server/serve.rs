//! From a checked configuration to a server that runs: bind, lock, open, prepare, detach, run; and
//! what comes after `run`: an end, the next image, or taking care of an older generation.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mpm_abi::mpm::QUERY_IS_ASYNC;
use nix::sys::signalfd::SignalFd;

use super::account;
use super::callbacks;
use super::child::Parts;
use super::context::Context;
use super::control::Control;
use super::detach::{self, Launcher, Side};
use super::generations::Generation;
use super::listeners::{self, Binding, Listener};
use super::load::{Bell, Marks, Watch};
use super::loaded::Loaded;
use super::os_error::Numbered;
use super::pid_file::{self, Holder, PidFile, PidFileError};
use super::report;
use super::restart::Kind;
use super::service;
use super::startup::{Failed, Invocation, say};
use super::supervisor::{Beginning, Exit, Happening, OnReady, Origin, Supervisor};
use crate::conn::{Env, NEVER};
use crate::http::{Site, SiteParts};
use crate::log::{self, AccessLog, ErrorLog, LogFiles};
use crate::log_line;
use crate::modules::mpm::{Mpm, Why};
use crate::status::{About, Board, Facts, Source};
use crate::sys::image::{Adoption, Image};
use crate::sys::{clock, signals};

/// Scoreboards of older generations, by their numbers.
type OlderBoards = Vec<(u32, Arc<Board>)>;

/// Everything a generation needs that can be had before anything is changed.
struct Prepared {
    error_log: ErrorLog,
    site: Site,
    plan: mpm_abi::Plan,
    board: (Board, std::os::fd::OwnedFd),
    bell: Bell,
}

impl Loaded {
    /// Starts a server; its exit status.
    pub(super) fn serve(mut self, invocation: &Invocation) -> Result<i32, Failed> {
        let mut given = service::listeners(&mut Adoption::default())?;
        account::check(&self.accounts, &self.server)?;
        // Before its addresses are in the way.
        if let Ok(Holder::Server(pid)) = pid_file::holder(&self.pid_path()) {
            return Ok(already_running(&pid.to_string()));
        }
        let bound = Arc::new(self.bind(&mut given, Binding::Listen)?);
        let mut pid_file = match PidFile::lock(&self.pid_path()) {
            Ok(pid_file) => pid_file,
            Err(PidFileError::Running(pid)) => return Ok(already_running(&pid)),
            Err(PidFileError::Io(error)) => return Err(self.pid_file_failed(&error)),
        };
        if !invocation.one_process {
            // While there is somebody to tell.
            Control::look(&self.control_path())?;
        }
        let prepared = self.prepare(bound)?;
        let origin = Origin {
            image: Image::of_this_process()
                .map_err(|error| format!("gearbox: its own binary cannot be found: {error}"))?,
            server_root: invocation.server_root.clone(),
            config: invocation.config.clone(),
        };

        let stays = invocation.foreground || invocation.one_process;
        let launcher = if stays {
            Launcher::none()
        } else {
            // The file is that process's which goes on.
            pid_file.disown();
            let detached = detach::detach(prepared.error_log.fd());
            match detached.map_err(|error| format!("gearbox: cannot detach: {error}"))? {
                Side::Server(launcher) => launcher,
                Side::Launching(code) => return Ok(code),
            }
        };
        // Before anybody can know whom to send one.
        let signals = match invocation.one_process {
            true => None,
            false => Some(take_over_signals()?),
        };
        pid_file.own();
        pid_file.write().map_err(|error| self.pid_file_failed(&error))?;
        let Some(signals) = signals else {
            let (generation, logs) = self.settle(prepared, stays, (1, Vec::new()));
            drop(logs);
            let now = clock::unix_s();
            let facts = Facts {
                started_s: now,
                generation_started_s: now,
                generation: 1,
                ..Facts::default()
            };
            generation.board.tell(&facts);
            let code = self.run_alone();
            // Before it is left to `drop`, which may have no right to remove it any more.
            pid_file.give_up();
            return Ok(code);
        };
        let control = Control::bind(&self.control_path())?;
        let (generation, logs) = self.settle(prepared, stays, (1, Vec::new()));
        for listener in &given {
            let address = listener.address();
            log_line!(
                WARN,
                "GB0333",
                "the service manager passed {address}, which no Listen names"
            );
        }
        drop(given);
        let mut supervisor =
            Supervisor::new(origin, signals).map_err(|error| format!("gearbox: {error}"))?;
        self.begin(&mut supervisor, generation, logs, launcher, (Some(pid_file), Some(control)))?;
        Ok(self.run_parent(supervisor))
    }

    /// Tries everything a start does, and changes nothing.
    pub(super) fn rehearse(
        mut self,
        mut given: Vec<Listener>,
        pid_path: Option<PathBuf>,
        control_path: Option<PathBuf>,
    ) -> Result<(), Failed> {
        account::check(&self.accounts, &self.server)?;
        let bound = self.bind(&mut given, Binding::Try)?;
        let ours = self.pid_path();
        if !leads_to(pid_path.as_deref(), &ours) {
            let holder = pid_file::look(&ours).map_err(|error| self.pid_file_failed(&error))?;
            if let Holder::Server(_) | Holder::Unknown = holder {
                let path = ours.display();
                return Err(format!("gearbox: another server holds the PID file {path}").into());
            }
        }
        let ours = self.control_path();
        if !leads_to(control_path.as_deref(), &ours) {
            Control::look(&ours)?;
        }
        self.prepare(Arc::new(bound)).map(drop)
    }

    /// Begins a generation for an earlier image, with what that has handed over.
    pub(super) fn take_over(
        &mut self,
        invocation: &Invocation,
        supervisor: &mut Supervisor,
    ) -> Result<(), Failed> {
        account::check(&self.accounts, &self.server)?;
        let bound = Arc::new(self.bind(supervisor.spare(), Binding::Listen)?);
        supervisor.hold(&bound);
        let path = self.pid_path();
        let pid_file = if leads_to(supervisor.pid_path(), &path) {
            None
        } else {
            let mut pid_file = PidFile::lock(&path).map_err(|error| match error {
                PidFileError::Running(pid) => {
                    format!("gearbox: another server (pid {pid}) holds {}", path.display()).into()
                }
                PidFileError::Io(error) => self.pid_file_failed(&error),
            })?;
            pid_file.write().map_err(|error| self.pid_file_failed(&error))?;
            Some(pid_file)
        };
        let path = self.control_path();
        let control = match leads_to(supervisor.control_path(), &path) {
            true => None,
            false => Some(Control::bind(&path)?),
        };
        let prepared = self.prepare(bound)?;
        if !invocation.foreground {
            // Where it leads since the server was detached.
            nix::unistd::dup2_stderr(prepared.error_log.fd())
                .map_err(|error| format!("gearbox: standard error: {error}"))?;
        }
        let older = (supervisor.number(), supervisor.older_boards());
        let (generation, logs) = self.settle(prepared, invocation.foreground, older);
        self.begin(supervisor, generation, logs, Launcher::none(), (pid_file, control))
    }

    fn bind(&self, given: &mut Vec<Listener>, binding: Binding) -> Result<Vec<Listener>, Failed> {
        if self.server.listen.is_empty() {
            return Err(self.no_listen().into());
        }
        listeners::bind(&self.server.listen, given, binding, self.common.sockets).map_err(
            |errors| {
                errors.iter().for_each(|error| say(&error.to_string()));
                self.no_sockets().into()
            },
        )
    }

    /// Opens the logs, makes the site, has the MPM prepare itself.
    fn prepare(&mut self, bound: Arc<Vec<Listener>>) -> Result<Prepared, Failed> {
        let error_log = self.open_error_log()?;
        let site = self.make_site()?;
        let _ = self.context.listeners.set(bound);
        let plan = {
            let mpm = Arc::get_mut(&mut self.mpm).ok_or("gearbox: the MPM is in use")?;
            mpm.prepare().map_err(|error| self.mpm_failed(&error))?
        };
        let board = Board::new(plan.max_children, plan.threads_per_child)
            .map_err(|error| format!("AH00004: gearbox: scoreboard: {error}"))?;
        let bell = Bell::new().map_err(|error| format!("AH00004: gearbox: scoreboard: {error}"))?;
        Ok(Prepared { error_log, site, plan, board, bell })
    }

    /// From here on the configuration's error log is in use, and children can be made.
    fn settle(
        &self,
        prepared: Prepared,
        has_own_stderr: bool,
        (number, older): (u32, OlderBoards),
    ) -> (Generation, Arc<LogFiles>) {
        let Prepared { error_log, mut site, plan, board: (board, board_fd), bell } = prepared;
        log::install(error_log, self.logs.level.clone().unwrap_or_default());
        raise_descriptor_limit();
        self.log_start();
        let mut logs = LogFiles::default();
        if let Some(path) = &self.logs.error_log {
            let stderr = std::io::stderr();
            log::with_main_descriptor(|main| {
                let both = [main, std::os::fd::AsFd::as_fd(&stderr)];
                let count = if has_own_stderr { 1 } else { 2 };
                logs.add(path.clone(), both.get(..count).unwrap_or_default());
            });
        }
        for ((path, _), log) in self.logs.custom_logs.iter().zip(site.access_logs()) {
            logs.add(path.clone(), &[log.fd()]);
        }
        let (board, logs) = (Arc::new(board), Arc::new(logs));
        let parts = Parts {
            account: self.accounts.account.clone(),
            board: Arc::clone(&board),
            extended: self.status.extended(),
            bell,
            logs: Arc::clone(&logs),
            plan,
            max_mem_free: self.common.max_mem_free,
            core_dump_directory: self.common.core_dump_directory.clone(),
        };
        let _ = self.context.parts.set(parts);
        site.set_status(Source::new(Arc::clone(&board), older, self.about(number)));
        self.arm(Arc::new(site));
        let generation = Generation {
            mpm: self.mpm.plugin().name.clone(),
            slots: plan.max_children,
            threads: plan.threads_per_child,
            board,
            board_fd,
            logs: logs.paths().map(Path::to_owned).collect(),
            has_error_log: self.logs.error_log.is_some(),
        };
        (generation, logs)
    }

    fn about(&self, generation: u32) -> About {
        let name = &self.mpm.plugin().name;
        About {
            version: report::VERSION.to_owned(),
            built: report::built(),
            mpm: name.strip_prefix("mpm_").unwrap_or(name).to_owned(),
            is_async: self.mpm.query(QUERY_IS_ASYNC) == Some(1),
            extended: self.status.extended(),
            generation,
            parent: nix::unistd::getpid().as_raw(),
        }
    }

    fn begin(
        &self,
        supervisor: &mut Supervisor,
        generation: Generation,
        logs: Arc<LogFiles>,
        launcher: Launcher,
        (pid_file, control): (Option<PidFile>, Option<Control>),
    ) -> Result<(), Failed> {
        self.context.set_generation(supervisor.number());
        let load = self.context.parts.get().map(|parts| {
            let marks = Marks { low: parts.plan.idle_low, high: parts.plan.idle_high };
            Watch::new(parts.bell.clone(), marks)
        });
        let begun = supervisor.begin(Beginning {
            generation,
            load: load.unwrap_or_default(),
            listeners: self.context.listeners.get().map(Arc::clone).unwrap_or_default(),
            logs,
            patience: self.server.patience(),
            pid_file,
            control,
            on_ready: ready_hook(&self.mpm, launcher),
        });
        begun.map_err(|error| format!("gearbox: {error}").into())
    }

    fn log_start(&self) {
        let plugin = self.mpm.plugin();
        log_line!(INFO, "AH01575", "loaded module {} from {plugin}", plugin.symbol);
        for warning in &plugin.warnings {
            log_line!(WARN, "GB0311", "{warning}");
        }
        for listener in self.context.listeners.get().into_iter().flat_map(|all| all.iter()) {
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
        Ok(Site::new(SiteParts {
            server_name: self.server_name(),
            log_name: self.bare_name(),
            document_root: self.site.document_root.clone(),
            outside: self.config.server.clone(),
            sections: self.config.sections.clone(),
            types: self.types()?,
            access_logs,
        }))
    }

    /// Gives the context what children need: connections, and the body that runs the MPM.
    fn arm(&self, site: Arc<Site>) {
        let (waker, context) = (Arc::clone(&self.mpm), self.context);
        let env = Env {
            site,
            settings: self.connections,
            wake: Box::new(move |token| waker.wake(token)),
            attend: Box::new(move || {
                if let Some(child) = context.child.get() {
                    child.attend(context.listeners.get().map_or(&[], |all| all.as_slice()));
                }
            }),
        };
        let _ = self.context.env.set(Arc::new(env));
        let mpm = Arc::clone(&self.mpm);
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

    /// Runs the parent; the server's exit status.
    pub(super) fn run_parent(&self, supervisor: Supervisor) -> i32 {
        let command_line: Vec<String> = std::env::args().collect();
        log_line!(NOTICE, "AH00094", "Command line: '{}'", command_line.join(" "));
        self.context.set_supervisor(supervisor);
        loop {
            let why =
                if self.mpm.has_run() { self.mpm.run() } else { keep_one_child(self.context) };
            let Some(mut supervisor) = self.context.take_supervisor() else { return 1 };
            if supervisor.is_caretaker() {
                return take_care(supervisor);
            }
            let ended = match why {
                Why::Restart | Why::GracefulRestart => {
                    if let Some(kind) = supervisor.leaving() {
                        hand_on(&mut supervisor, kind);
                        self.context.set_supervisor(supervisor);
                        continue;
                    }
                    if !supervisor.is_stopping() {
                        log_line!(ALERT, "GB0334", "the MPM restarts without having been asked to");
                        return failed(supervisor);
                    }
                    supervisor.stop_all()
                }
                Why::GracefulStop => supervisor.drain_all(),
                Why::Stop => supervisor.stop_all(),
                Why::Failed if !supervisor.proven() && supervisor.has_old_children() => {
                    supervisor.fail("the MPM could not bring up any child");
                    return take_care(supervisor);
                }
                Why::Failed => return failed(supervisor),
            };
            return finish(ended);
        }
    }
}

/// Replaces this process's image. Comes back only if that fails; then everything is as before.
fn hand_on(supervisor: &mut Supervisor, kind: Kind) {
    let error = supervisor.exec(kind);
    supervisor.refuse(&format!("the new image cannot be started: {error}"));
    supervisor.forget_happenings();
}

/// The server's exit status, once its children are gone.
fn finish(ended: std::io::Result<()>) -> i32 {
    match ended {
        Ok(()) => 0,
        Err(error) => {
            log_line!(ERROR, "GB0315", "waiting for children failed: {error}");
            1
        }
    }
}

/// Whether both paths lead to the same file, perhaps through links.
fn leads_to(held: Option<&Path>, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity =
        |path: &Path| std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    held == Some(path) || held.and_then(identity).is_some_and(|held| identity(path) == Some(held))
}

/// httpd's answer, and its exit status: what is wanted is the case.
fn already_running(pid: &str) -> i32 {
    say(&format!("gearbox (pid {pid}) already running"));
    0
}

/// The MPM cannot go on: the server ends.
fn failed(mut supervisor: Supervisor) -> i32 {
    finish(supervisor.stop_all());
    log_line!(ALERT, "AH02818", "MPM run failed, exiting");
    1
}

/// This image could not begin its generation: it takes care of the older one until it is relieved.
pub(super) fn take_care(mut supervisor: Supervisor) -> i32 {
    if !supervisor.take_care() {
        return failed(supervisor);
    }
    let ended = loop {
        match supervisor.next(NEVER) {
            Ok(Happening::Restart(kind)) => hand_on(&mut supervisor, kind),
            Ok(Happening::Stop) => break supervisor.stop_all(),
            Ok(Happening::GracefulStop) => break supervisor.drain_all(),
            Ok(_) if !supervisor.has_old_children() => {
                log_line!(ALERT, "GB0335", "no child is left that serves");
                return failed(supervisor);
            }
            Ok(_) => {}
            Err(error) => break Err(error),
        }
    };
    finish(ended)
}

pub(super) fn take_over_signals() -> Result<SignalFd, Failed> {
    signals::take_over().map_err(|error| format!("gearbox: signals: {error}").into())
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
    // After an image that could not be started the child is there already.
    let there = context.with_supervisor(|supervisor| supervisor.state(0)).flatten();
    let mut alive = there.is_some();
    let mut ready = there.is_some_and(|state| state.ready);
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
            Some(Ok((Happening::GracefulStop, _))) => return Why::GracefulStop,
            Some(Ok((Happening::Restart(Kind::Restart), _))) => return Why::Restart,
            Some(Ok((Happening::Restart(Kind::Graceful), _))) => return Why::GracefulRestart,
            Some(Ok((Happening::Ready { .. }, _))) => ready = true,
            Some(Ok((Happening::Exited { .. }, false))) => {
                log_line!(ALERT, "GB0317", "the child ended before it was ready; giving up");
                return Why::Failed;
            }
            Some(Ok((Happening::Exited { exit: Exit::Code(mpm_abi::CHILD_FATAL), .. }, true))) => {
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
