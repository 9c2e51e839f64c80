//! `-k`: what a running server is asked for, from another process.
//!
//! The configuration is only read as far as needed to find the server: a broken file must not keep
//! anybody from stopping it, and what is wrong with it the server itself says when it is to restart.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::kill;
use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::Pid;

use super::control::{Command, Reply, Request};
use super::loaded::{PID_FILE, control_beside};
use super::pid_file::{Holder, holder, is_open_in};
use super::socket_path;
use super::startup::{Failed, Invocation, say};
use crate::config::{self, Loaded, ModuleHost, Place};
use crate::modules::builtin::Builtin;

/// What `-k` asks for, besides `start`, which is what happens without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Stop; requests in progress have StopTimeout to finish.
    Stop,
    /// Stop when everything that is held is finished.
    GracefulStop,
    /// Begin a new generation; the old one finishes what it holds. Starts a server that does not run.
    Graceful,
    /// Begin a new generation; the old one is stopped. Likewise.
    Restart,
    /// Open the logs anew.
    Reopen,
}

impl Signal {
    fn command(self) -> Command {
        match self {
            Self::Stop => Command::Stop,
            Self::GracefulStop => Command::GracefulStop,
            Self::Graceful => Command::Graceful,
            Self::Restart => Command::Restart,
            Self::Reopen => Command::Reopen,
        }
    }

    /// The same, for a server that cannot be talked to.
    fn number(self) -> nix::sys::signal::Signal {
        use nix::sys::signal::Signal as S;
        match self {
            Self::Stop => S::SIGTERM,
            Self::GracefulStop => S::SIGWINCH,
            Self::Graceful => S::SIGUSR1,
            Self::Restart => S::SIGHUP,
            Self::Reopen => S::SIGUSR2,
        }
    }

    /// Whether it also starts a server that does not run.
    pub(super) fn begins_a_generation(self) -> bool {
        matches!(self, Self::Graceful | Self::Restart)
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// End with this status.
    Exit(i32),
    /// No server runs: start one.
    Start,
}

/// Longest that a server may take for a restart: two trials and two generations to come up, if one
/// was under way already.
const REPLY_WAIT: Duration = Duration::from_secs(90);

/// Asks the running server.
///
/// # Errors
/// A sentence for the administrator.
pub(super) fn run(invocation: &Invocation, signal: Signal) -> Result<Outcome, Failed> {
    let Places { pid_file, control } = find(invocation)?;
    let pid = match server(&pid_file)? {
        Ok(pid) => pid,
        Err(text) => return Ok(not_running(signal, text.as_deref())),
    };
    // Opened before the server can be gone: what lies there afterwards may be the next one's.
    let lock = File::open(&pid_file).ok();
    match talk(&control, pid, signal.command(), REPLY_WAIT) {
        Ok(reply) if reply.ok => {
            done(signal, &reply, lock);
            Ok(Outcome::Exit(0))
        }
        Ok(reply) => Err(match signal {
            Signal::Graceful | Signal::Restart => {
                format!("gearbox: restart refused, {}:\n{}", reply.goes_on(), reply.text)
            }
            _ => format!("gearbox: {}", reply.text),
        }
        .into()),
        Err(Silence::Absent(reason)) => {
            if !is_open_in(&pid_file, pid.as_raw()).unwrap_or(false) {
                let path = pid_file.display();
                return Err(format!(
                    "AH00058: gearbox: Error retrieving pid file {path}: it is locked, but not by \
                     process {pid}, which is named there; nothing was sent to that"
                )
                .into());
            }
            if signal != Signal::Stop && !takes_signals(pid) {
                return Err(format!(
                    "gearbox: the server (pid {pid}) runs with -X: it can only be stopped"
                )
                .into());
            }
            kill(pid, signal.number()).map_err(|error| {
                format!("AH00057: gearbox: sending {} to server: {error}", signal.number())
            })?;
            let path = control.display();
            say(&format!(
                "gearbox: control socket {path}: {reason}; sent {} to process {pid}, the error log tells \
                 what comes of it",
                signal.number()
            ));
            Ok(Outcome::Exit(0))
        }
        Err(Silence::Wrong(text)) => Err(text.into()),
    }
}

/// Process id of the server that holds a PID file; of none, what the file says.
pub(super) fn server(pid_file: &Path) -> Result<Result<Pid, Option<String>>, Failed> {
    let path = pid_file.display();
    match holder(pid_file) {
        Ok(Holder::Server(pid)) => Ok(Ok(Pid::from_raw(pid))),
        Ok(Holder::Nobody(text)) => Ok(Err(text)),
        Ok(Holder::Unknown) => Err(format!(
            "AH00058: gearbox: Error retrieving pid file {path}: a server runs, but its process id \
             is not there"
        )
        .into()),
        Err(error) => Err(format!(
            "AH00058: gearbox: Error retrieving pid file {path}: {error}\n\
             AH00059: gearbox: Remove it before continuing if it is corrupted."
        )
        .into()),
    }
}

/// httpd's sentence for a server that is not there, and what its PID file says.
pub(super) fn absent(text: Option<&str>) -> String {
    match text {
        None => "gearbox (no pid file) not running".to_owned(),
        Some(pid) => format!("gearbox (pid {pid}?) not running"),
    }
}

fn not_running(signal: Signal, text: Option<&str>) -> Outcome {
    if signal.begins_a_generation() {
        say("gearbox not running, trying to start");
        return Outcome::Start;
    }
    say(&absent(text));
    // As httpd; reopening, which httpd does not have, has failed.
    Outcome::Exit(i32::from(signal == Signal::Reopen))
}

/// The server has done it, or does.
fn done(signal: Signal, reply: &Reply, lock: Option<File>) {
    if signal == Signal::Stop {
        // A lock that cannot be had yet is the server's; it is given up with the process.
        if let Some(file) = lock {
            let _ = Flock::lock(file, FlockArg::LockShared);
        }
    }
    if signal.begins_a_generation() && io::stderr().is_terminal() {
        say(&format!("gearbox: generation {} serves ({})", reply.generation, reply.mpm));
    }
}

/// Whether a server waits for signals, as a parent does: it blocks them, to read them. The one process
/// of `-X` does not. What cannot be looked at counts as one that does.
fn takes_signals(pid: Pid) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
    let blocked = blocked.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    blocked.is_none_or(|mask| mask & 1 << (nix::sys::signal::Signal::SIGUSR1 as u32 - 1) != 0)
}

/// Why there is no answer.
pub(super) enum Silence {
    /// Nobody listens.
    Absent(io::Error),
    /// One line for the administrator.
    Wrong(String),
}

/// Asks a server, and waits so long for its answer.
pub(super) fn talk(
    path: &Path,
    server: Pid,
    command: Command,
    wait: Duration,
) -> Result<Reply, Silence> {
    let shown = path.display();
    let mut stream = socket_path::connect(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Silence::Absent(error),
        io::ErrorKind::PermissionDenied => Silence::Wrong(format!(
            "GB0336: gearbox: control socket {shown}: only root and who started the server may ask it"
        )),
        _ => Silence::Wrong(format!("GB0336: gearbox: control socket {shown}: {error}")),
    })?;
    let peer = getsockopt(&stream, sockopt::PeerCredentials).map(|peer| peer.pid());
    if peer.ok() != Some(server.as_raw()) {
        return Err(Silence::Wrong(format!(
            "GB0336: gearbox: control socket {shown} is not that of the server (pid {server}); nothing \
             was asked of it"
        )));
    }
    let mut exchange = || -> io::Result<Reply> {
        stream.set_read_timeout(Some(wait))?;
        let mut line = serde_json::to_vec(&Request { command })?;
        line.push(b'\n');
        stream.write_all(&line)?;
        let mut answer = String::new();
        BufReader::new(&stream).read_line(&mut answer)?;
        if answer.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the server ended without an answer",
            ));
        }
        Ok(serde_json::from_str(&answer)?)
    };
    exchange().map_err(|error| {
        Silence::Wrong(format!(
            "GB0337: gearbox: no answer from the server (pid {server}): {error}"
        ))
    })
}

/// Where a server leaves its traces.
pub(super) struct Places {
    pub(super) pid_file: PathBuf,
    pub(super) control: PathBuf,
}

/// Where the server that a command line is about leaves them.
pub(super) fn find(invocation: &Invocation) -> Result<Places, Failed> {
    let tree = config::read(&invocation.input(), &mut Unloaded::default());
    if tree.files().is_empty() {
        for problem in tree.problems() {
            say(&problem.render(invocation.color));
        }
        return Err(Failed::printed());
    }
    let root = tree.server_root();
    let path_of = |name| Some(root.join(&tree.last(name)?.first()?.text));
    let pid_file = path_of("PidFile").unwrap_or_else(|| root.join(PID_FILE));
    let control = path_of("ControlSocket").unwrap_or_else(|| control_beside(&pid_file));
    Ok(Places { pid_file, control })
}

/// Loads nothing: `LoadModule` is only remembered, for `<IfModule>`.
#[derive(Default)]
struct Unloaded {
    symbols: Vec<String>,
}

impl ModuleHost for Unloaded {
    fn load(&mut self, symbol: &str, _: &str, _: &Path, _: &Place) -> Result<Loaded, String> {
        self.symbols.push(symbol.to_owned());
        Ok(Loaded::Plugin(Vec::new()))
    }

    fn is_loaded(&self, name: &str) -> bool {
        let is_source = |symbol: &String| {
            let stem = symbol.strip_prefix("mpm_").and_then(|s| s.strip_suffix("_module"));
            stem.is_some_and(|stem| name.strip_suffix(".c") == Some(stem))
        };
        Builtin::find(name).is_some()
            || self.symbols.iter().any(|symbol| symbol == name || is_source(symbol))
    }
}
