//! The service manager: systemd's notification protocol (`sd_notify(3)`) and the sockets it passes
//! (`sd_listen_fds(3)`). Without one, nothing happens here.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use sd_notify::NotifyState;

use super::listeners::Listener;
use crate::log_line;
use crate::sys::image::Adoption;

/// What the service manager is told, and how often it wants to hear that the parent lives.
#[derive(Debug)]
pub(super) struct Service {
    /// Half of WatchdogSec; `None` = no watchdog.
    watchdog: Option<Duration>,
    /// When the next sign of life is due (monotonic ns).
    next_ns: u64,
    /// It was told that the server stops: nothing else is true any more.
    stopping: bool,
}

impl Service {
    /// What the environment says, for this process.
    pub(super) fn from_environment() -> Self {
        Self {
            watchdog: sd_notify::watchdog_enabled().map(|time| time / 2),
            next_ns: 0,
            stopping: false,
        }
    }

    /// A generation serves. The parent is named, since it may have detached itself.
    pub(super) fn ready(&self, status: &str) {
        if self.stopping {
            return;
        }
        let pid = NotifyState::MainPid(std::process::id());
        tell(&[NotifyState::Ready, pid, NotifyState::Status(&one_line(status))]);
    }

    /// A restart begins.
    pub(super) fn reloading(&self, status: &str) {
        let mut states = vec![NotifyState::Reloading, NotifyState::Status(status)];
        // systemd wants both in one message.
        states.extend(NotifyState::monotonic_usec_now());
        tell(&states);
    }

    /// The server stops.
    pub(super) fn stopping(&mut self, status: &str) {
        self.stopping = true;
        tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
    }

    /// Gives a sign of life when one is due; when the next one is.
    pub(super) fn keep_alive(&mut self, now_ns: u64) -> Option<u64> {
        let every = u64::try_from(self.watchdog?.as_nanos()).ok()?;
        if now_ns >= self.next_ns {
            tell(&[NotifyState::Watchdog]);
            self.next_ns = now_ns.saturating_add(every);
        }
        Some(self.next_ns)
    }
}

/// A status is one line: another would be an assignment of its own.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Sends one message, without waiting for a manager that does not read.
fn tell(states: &[NotifyState<'_>]) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let message: String = states.iter().map(|state| format!("{state}\n")).collect();
    let send = || -> io::Result<()> {
        let address = match path.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            _ => SocketAddr::from_pathname(&path)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.send_to_addr(message.as_bytes(), &address)?;
        Ok(())
    };
    if let Err(error) = send() {
        log_line!(DEBUG, "GB0332", "the service manager cannot be told: {error}");
    }
}

/// The listening sockets the service manager passed to this process.
///
/// # Errors
/// One line: one of them is of no use.
pub(super) fn listeners(adoption: &mut Adoption) -> Result<Vec<Listener>, String> {
    let wrong =
        |error: io::Error| format!("GB0322: gearbox: sockets of the service manager: {error}");
    let mut listeners = Vec::new();
    for number in sd_notify::listen_fds().map_err(wrong)? {
        let fd = adoption.take(number).map_err(wrong)?;
        listeners.push(Listener::adopt(fd, None).map_err(|_| {
            format!("GB0322: gearbox: the service manager's descriptor {number} is not a listening TCP socket")
        })?);
    }
    Ok(listeners)
}
