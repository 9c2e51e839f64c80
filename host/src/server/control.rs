//! The control socket: one JSON object a line in, one a line out. `-k` speaks it.
//!
//! Nothing here waits. Only root and the account the server was started by may connect.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::sys::socket::{getsockopt, sockopt};
use serde::{Deserialize, Serialize};

use super::socket_path;

/// Longest request (bytes).
const REQUEST_MAX: usize = 4096;
/// Most connections at a time; of more, the oldest is closed that has not asked for anything.
const CLIENTS_MAX: usize = 64;

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Command {
    /// Stop within StopTimeout.
    Stop,
    /// Stop when everything that is held is finished.
    GracefulStop,
    /// Begin a new generation; the old one finishes what it holds.
    Graceful,
    /// Begin a new generation; the old one is stopped.
    Restart,
    /// Open the logs anew.
    Reopen,
    /// Tell how things are.
    Status,
}

/// `{"command":"graceful"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) command: Command,
}

/// The answer to a request, when it has been done or refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Reply {
    pub(super) ok: bool,
    /// For the administrator; may be empty.
    pub(super) text: String,
    /// Process id of the parent.
    pub(super) pid: i32,
    /// Number of the generation that serves.
    pub(super) generation: u32,
    /// Name of its MPM.
    pub(super) mpm: String,
    /// Its children are not replaced: the generation after it failed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) degraded: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<Status>,
}

/// How things are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    /// `starting`, `serving`, `restarting`, `degraded`, `stopping`.
    pub(super) state: String,
    /// Why the state is `degraded`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) reason: String,
    pub(super) listeners: Vec<String>,
    pub(super) children: Vec<ChildStatus>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ChildStatus {
    pub(super) pid: i32,
    pub(super) generation: u32,
    pub(super) mpm: String,
    pub(super) slot: u32,
    /// `starting`, `ready`, `draining`.
    pub(super) state: String,
    pub(super) idle: u32,
    pub(super) busy: u32,
    pub(super) connections: u32,
    /// Requests it has answered.
    pub(super) requests: u64,
    /// What one that drains waits for, as far as it holds a thread each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) waits_for: Vec<Held>,
}

/// A request that keeps a child from leaving.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Held {
    pub(super) client: String,
    pub(super) request: String,
    /// Since it began (s).
    pub(super) age_s: u64,
}

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { client, request, age_s } = self;
        write!(f, "{client}: {request} ({age_s} s)")
    }
}

/// What a client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Its request.
    Request,
    /// The outcome of the restart under way.
    Outcome,
    /// The outcome of the restart after that.
    QueuedOutcome,
    /// Children that open logs.
    Reopened,
    /// The addresses to be free.
    Freed,
    /// Its answer to be sent.
    Sending,
}

#[derive(Debug)]
struct Client {
    stream: UnixStream,
    input: Vec<u8>,
    output: Vec<u8>,
    wait: Wait,
}

/// The listening control socket, and who is connected. The file goes with it.
#[derive(Debug)]
pub(super) struct Control {
    path: PathBuf,
    listener: UnixListener,
    clients: BTreeMap<u64, Client>,
    /// The process that removes the file, and which file that is.
    owner: u32,
    file: Option<Identity>,
}

/// Device and number of a file: a path may lead to somebody else's by now.
pub(super) type Identity = (u64, u64);

/// What a client did.
#[derive(Debug)]
pub(super) enum Heard {
    /// Nothing yet.
    Nothing,
    /// It asks for this.
    Asks(Command),
    /// It has gone.
    Gone,
}

impl Reply {
    /// How things are after a restart that did not come about.
    pub(super) fn goes_on(&self) -> String {
        let generation = self.generation;
        match self.degraded {
            false => format!("generation {generation} goes on"),
            true => format!(
                "degraded: the children of generation {generation} go on and are not replaced until a \
                 restart succeeds"
            ),
        }
    }
}

impl Control {
    /// Whether it can be bound: see [`bind`](Self::bind).
    ///
    /// # Errors
    /// One line that names the path.
    pub(super) fn look(path: &Path) -> Result<(), String> {
        socket_path::look(path).map_err(|reason| refused(path, &reason))
    }

    /// Binds the socket, mode 0600. What lies there already must be a socket that nobody listens on.
    ///
    /// # Errors
    /// One line that names the path.
    pub(super) fn bind(path: &Path) -> Result<Self, String> {
        let listener = socket_path::bind(path).map_err(|reason| refused(path, &reason))?;
        let file = identity(path);
        Ok(Self::adopt(path.to_owned(), listener, file))
    }

    /// A socket that is bound already.
    pub(super) fn adopt(path: PathBuf, listener: UnixListener, file: Option<Identity>) -> Self {
        Self { path, listener, clients: BTreeMap::new(), owner: std::process::id(), file }
    }

    /// Which file the socket is.
    pub(super) fn file(&self) -> Option<Identity> {
        self.file
    }

    /// Takes over those who are connected to another one.
    pub(super) fn take_clients(&mut self, other: &mut Self) {
        self.clients.append(&mut other.clients);
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn listener(&self) -> &UnixListener {
        &self.listener
    }

    /// Accepts one connection; `None` if there is none.
    pub(super) fn accept(&mut self, id: u64) -> Option<BorrowedFd<'_>> {
        let (stream, _) = self.listener.accept().ok()?;
        stream.set_nonblocking(true).ok()?;
        let peer = getsockopt(&stream, sockopt::PeerCredentials).ok()?;
        if peer.uid() != 0 && peer.uid() != nix::unistd::geteuid().as_raw() {
            return None;
        }
        if self.clients.len() >= CLIENTS_MAX {
            let mut quiet = self.clients.iter().filter(|(_, c)| c.wait == Wait::Request);
            let oldest = quiet.next().or(self.clients.first_key_value()).map(|(id, _)| *id);
            oldest.and_then(|id| self.clients.remove(&id));
        }
        Some(self.join(id, stream, Wait::Request))
    }

    fn join(&mut self, id: u64, stream: UnixStream, wait: Wait) -> BorrowedFd<'_> {
        let client = Client { stream, input: Vec::new(), output: Vec::new(), wait };
        self.clients.entry(id).or_insert(client).stream.as_fd()
    }

    /// A connection that an earlier image accepted.
    pub(super) fn rejoin(&mut self, id: u64, fd: OwnedFd, wait: Wait) -> BorrowedFd<'_> {
        self.join(id, UnixStream::from(fd), wait)
    }

    /// Reads from (and writes to) a client that can be.
    pub(super) fn hear(&mut self, id: u64) -> Heard {
        let Some(client) = self.clients.get_mut(&id) else { return Heard::Gone };
        match client.hear() {
            Ok(heard) => {
                if client.wait == Wait::Sending && client.output.is_empty() {
                    // One request a connection.
                    self.clients.remove(&id);
                    return Heard::Gone;
                }
                heard
            }
            Err(_) => {
                self.clients.remove(&id);
                Heard::Gone
            }
        }
    }

    /// Makes a client wait.
    pub(super) fn wait(&mut self, id: u64, wait: Wait) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.wait = wait;
        }
    }

    /// Answers a client. What cannot be sent at once is when it can be written to.
    pub(super) fn reply(&mut self, id: u64, reply: &Reply) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        client.output = serde_json::to_vec(reply).unwrap_or_default();
        client.output.push(b'\n');
        client.wait = Wait::Sending;
        if client.send().is_err() || client.output.is_empty() {
            self.clients.remove(&id);
        }
    }

    /// Answers all that wait for the same.
    pub(super) fn reply_all(&mut self, wait: Wait, reply: &Reply) {
        for id in self.waiting(wait) {
            self.reply(id, reply);
        }
    }

    /// Those who wait for the next outcome now wait for the one under way.
    pub(super) fn advance_queue(&mut self) {
        for client in self.clients.values_mut().filter(|c| c.wait == Wait::QueuedOutcome) {
            client.wait = Wait::Outcome;
        }
    }

    fn waiting(&self, wait: Wait) -> Vec<u64> {
        self.clients.iter().filter(|(_, c)| c.wait == wait).map(|(id, _)| *id).collect()
    }

    /// Connections that wait for an outcome or have not asked for anything yet, for the next image.
    pub(super) fn awaiting(&self) -> impl Iterator<Item = (BorrowedFd<'_>, Wait)> {
        let awaits = |client: &&Client| match client.wait {
            Wait::Outcome | Wait::QueuedOutcome => true,
            Wait::Request => client.input.is_empty(),
            Wait::Reopened | Wait::Freed | Wait::Sending => false,
        };
        self.clients.values().filter(awaits).map(|client| (client.stream.as_fd(), client.wait))
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // A forked child closes its copy; the file is the parent's.
        if std::process::id() == self.owner && self.file == identity(&self.path) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn refused(path: &Path, reason: &str) -> String {
    format!("GB0321: gearbox: control socket {}: {reason}", path.display())
}

fn identity(path: &Path) -> Option<Identity> {
    std::fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

impl Client {
    fn hear(&mut self) -> io::Result<Heard> {
        self.send()?;
        let mut buf = [0; 512];
        let mut has_ended = false;
        while !has_ended {
            match self.stream.read(&mut buf) {
                Ok(0) => has_ended = true,
                // Also what follows a request: nobody may send without an end.
                Ok(n) => self.input.extend_from_slice(buf.get(..n).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if self.input.len() > REQUEST_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        if self.wait != Wait::Request {
            // One that has ended may only have said everything: whether it is gone shows when it is
            // answered.
            return Ok(Heard::Nothing);
        }
        let line = self.input.split(|byte| *byte == b'\n').next().unwrap_or_default();
        if line.len() == self.input.len() {
            return match has_ended {
                true => Err(io::ErrorKind::UnexpectedEof.into()),
                false => Ok(Heard::Nothing),
            };
        }
        match serde_json::from_slice::<Request>(line) {
            Ok(request) => Ok(Heard::Asks(request.command)),
            Err(error) => {
                let text = format!("not a request: {error}");
                self.output = serde_json::to_vec(&Reply { text, ..Reply::default() })?;
                self.output.push(b'\n');
                self.wait = Wait::Sending;
                self.send()?;
                Ok(Heard::Nothing)
            }
        }
    }

    fn send(&mut self) -> io::Result<()> {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(sent) => drop(self.output.drain(..sent)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl AsRawFd for Control {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.listener.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};

    fn pair() -> (tempfile::TempDir, Control) {
        let dir = tempfile::tempdir().unwrap();
        let control = Control::bind(&dir.path().join("control")).unwrap();
        (dir, control)
    }

    #[test]
    fn a_request_and_its_answer() {
        let (_dir, mut control) = pair();
        let mut client = UnixStream::connect(control.path()).unwrap();
        assert!(control.accept(5).is_some());
        assert!(matches!(control.hear(5), Heard::Nothing));
        client.write_all(b"{\"command\":\"grace").unwrap();
        assert!(matches!(control.hear(5), Heard::Nothing));
        client.write_all(b"ful-stop\"}\n").unwrap();
        assert!(matches!(control.hear(5), Heard::Asks(Command::GracefulStop)));
        let reply = Reply { ok: true, generation: 3, ..Reply::default() };
        control.reply(5, &reply);
        let mut line = String::new();
        BufReader::new(client).read_line(&mut line).unwrap();
        assert_eq!(serde_json::from_str::<Reply>(&line).unwrap(), reply);
        assert!(control.clients.is_empty());
    }

    #[test]
    fn nonsense_is_answered_and_floods_are_cut() {
        let (_dir, mut control) = pair();
        let mut client = UnixStream::connect(control.path()).unwrap();
        control.accept(1);
        client.write_all(b"{\"command\":\"dance\"}\n").unwrap();
        assert!(matches!(control.hear(1), Heard::Gone));
        let mut line = String::new();
        BufReader::new(client).read_line(&mut line).unwrap();
        assert!(line.contains("not a request: unknown variant `dance`"), "{line}");
        let mut client = UnixStream::connect(control.path()).unwrap();
        control.accept(2);
        client.write_all(&[b'x'; REQUEST_MAX + 1]).unwrap();
        assert!(matches!(control.hear(2), Heard::Gone));
    }

    #[test]
    fn connections_are_bounded() {
        let (_dir, mut control) = pair();
        let clients: Vec<_> = (0..CLIENTS_MAX as u64 + 3)
            .map(|id| {
                let client = UnixStream::connect(control.path()).unwrap();
                control.accept(id);
                client
            })
            .collect();
        assert_eq!(control.clients.len(), CLIENTS_MAX);
        assert_eq!(*control.clients.first_key_value().unwrap().0, 3);
        drop(clients);
    }
}
