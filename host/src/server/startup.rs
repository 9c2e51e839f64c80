//! From the command line to an answer: what was asked for is printed, or the server serves.
//!
//! Until children exist everything that is wrong goes to standard error and ends with 1.

use std::io::Write;
use std::path::PathBuf;

use super::command::{self, Outcome, Signal};
use super::handover::{self, FileEntry, Purpose, Received};
use super::hooks::{Point, reach};
use super::listeners::Listener;
use super::loaded::Loaded;
use super::report;
use super::serve;
use super::show::{self, Show};
use super::supervisor::Supervisor;
use crate::config::Input;
use crate::log::{self, ErrorLog};
use crate::sys::image::Image;

/// What the server was called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Serve.
    Serve,
    /// `-k`: ask something of a server that runs.
    Ask(Signal),
    /// `status`: show how a server that runs is.
    Status(Show),
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

impl Invocation {
    /// What there is to read.
    pub(super) fn input(&self) -> Input {
        Input {
            file: self.config.clone(),
            server_root: self.server_root.clone(),
            defines: self.defines.clone(),
            before: self.before.clone(),
            after: self.after.clone(),
        }
    }
}

/// A start that failed: what to print, if it was not printed yet.
pub(super) struct Failed(Option<String>);

impl Failed {
    pub(super) fn printed() -> Self {
        Self(None)
    }

    /// Prints it.
    pub(super) fn say(&self) {
        if let Self(Some(text)) = self {
            say(text);
        }
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
        Err(failed) => {
            failed.say();
            1
        }
    }
}

/// To standard error, where start-up lines go.
pub(super) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", text.trim_end());
}

pub(super) fn print(text: &str) -> Result<i32, Failed> {
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
        Action::Serve => return start(invocation),
        // A server that `-k graceful` started has that in the arguments of its later images too.
        Action::Ask(signal) if signal.begins_a_generation() && handover::is_given() => {
            return start(invocation);
        }
        Action::Ask(signal) => {
            return match command::run(invocation, signal)? {
                Outcome::Exit(status) => Ok(status),
                Outcome::Start => start(invocation),
            };
        }
        Action::Status(what) => return show::run(invocation, what),
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
        _ => {
            loaded.warn(invocation);
            say("Syntax OK");
            Ok(0)
        }
    }
}

/// Starts a server, or goes on for an earlier image of this process, or tries whether a next one
/// could.
fn start(invocation: &Invocation) -> Result<i32, Failed> {
    let received = handover::receive()?;
    let stderr = ErrorLog::stderr().map_err(|error| format!("gearbox: standard error: {error}"))?;
    log::install(stderr, log::LevelFilter::default());
    let Some(received) = received else {
        let loaded = Loaded::read(invocation)?;
        loaded.warn(invocation);
        return loaded.serve(invocation);
    };
    let given = &received.given;
    let invocation = Invocation {
        server_root: given.server_root.clone(),
        config: given.config.clone(),
        ..invocation.clone()
    };
    match given.purpose {
        Purpose::Trial => rehearse(&invocation, received),
        Purpose::Successor => succeed(&invocation, received),
    }
}

fn rehearse(invocation: &Invocation, received: Received) -> Result<i32, Failed> {
    reach(Point::Trial);
    let Received { given, mut adoption } = received;
    let adopted = given
        .listeners
        .iter()
        .map(|entry| Listener::adopt(adoption.take(entry.fd)?, Some(entry.wanted)));
    let listeners = adopted.collect::<std::io::Result<_>>();
    let listeners =
        listeners.map_err(|error| format!("GB0320: gearbox: hand-over to the trial: {error}"))?;
    let loaded = Loaded::read(invocation)?;
    loaded.warn(invocation);
    let path = |file: Option<FileEntry>| file.map(|file| file.path);
    loaded.rehearse(listeners, path(given.pid_file), path(given.control))?;
    Ok(0)
}

fn succeed(invocation: &Invocation, received: Received) -> Result<i32, Failed> {
    reach(Point::Image);
    let signals = serve::take_over_signals()?;
    let Received { given, mut adoption } = received;
    if let Some(Ok(error_log)) = given.error_log.map(|fd| adoption.take(fd)) {
        log::install(ErrorLog::adopt(error_log), log::LevelFilter::default());
    }
    let arguments = std::env::args_os().collect();
    let image = Image { program: given.program.clone(), arguments };
    let mut supervisor = Supervisor::inherit(given, adoption, signals, image)
        .map_err(|error| format!("GB0320: gearbox: hand-over to this process: {error}"))?;
    reach(Point::Inherited);
    let begun = Loaded::read(invocation).and_then(|mut loaded| {
        loaded.take_over(invocation, &mut supervisor)?;
        reach(Point::Begin);
        Ok(loaded)
    });
    let text = match begun {
        Ok(loaded) => return Ok(loaded.run_parent(supervisor)),
        Err(Failed(text)) => text,
    };
    // What was printed is in standard error.
    supervisor
        .fail(text.as_deref().unwrap_or("the configuration cannot be used; see standard error"));
    Ok(serve::take_care(supervisor))
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
