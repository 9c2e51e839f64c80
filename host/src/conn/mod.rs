//! One connection: a state machine that an MPM polls.
//!
//! ```text
//!            bytes arrive                    idle, nothing buffered
//!   Asleep ───────────────▶ Awake (hyper) ───────────────▶ Asleep
//!     │                        │
//!     │ deadline, FIN          │ hyper is done: response sent with Connection: close,
//!     ▼                        ▼ request refused, peer's FIN answered
//!   Done ◀───────────────── Linger (FIN sent, the peer's rest is read away)
//!          FIN or deadline
//! ```
//!
//! *Asleep* (hibernating) a connection is a descriptor and [`Conn`], at most 128 bytes; hyper's state
//! is made anew when bytes arrive. A connection that a thread waits for (prefork, worker) stays
//! awake: it costs a thread anyway.
//!
//! Knows no site: requests go down to [`http::Site`](crate::http::Site).

mod awake;
mod drive;
pub mod rows;
mod shared;
mod transport;

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use mpm_abi::scoreboard::{
    STATE_BUSY_KEEPALIVE, STATE_BUSY_READ, STATE_BUSY_WRITE, STATE_CLOSING, STATE_GRACEFUL,
    STATE_READY,
};

use crate::http::{Client, Site};
use crate::status::worker;
use crate::sys::signals;
use crate::sys::socket::{self, Mode};
use awake::{Awake, Progress};

/// No deadline.
pub const NEVER: u64 = mpm_abi::NEVER;

/// What the connections of a process have in common.
pub struct Env {
    /// What answers requests.
    pub site: Arc<Site>,
    /// Waiting times and limits.
    pub settings: Settings,
    /// Asks the MPM to poll the connection with this token.
    pub wake: Box<dyn Fn(u64) + Send + Sync>,
    /// Does what the parent wants of the host, not of the MPM; called by a thread that drives a
    /// connection, when it was interrupted.
    pub attend: Box<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for Env {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Env").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Waiting times and limits of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Timeout: the head of a request must be complete, and any read or write of a request must get
    /// on, within this time.
    pub timeout: Duration,
    /// KeepAlive.
    pub keep_alive: bool,
    /// KeepAliveTimeout: wait for the next request.
    pub keep_alive_timeout: Duration,
    /// MaxKeepAliveRequests: requests after the first on a connection, 0 = no limit.
    pub max_keep_alive_requests: u32,
}

impl Default for Settings {
    /// httpd's defaults.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            keep_alive: true,
            keep_alive_timeout: Duration::from_secs(5),
            max_keep_alive_requests: 100,
        }
    }
}

/// How long a connection that has just been made is waited for when the others that wait for a request
/// are closed: its client may have been told to come here a moment before.
const FRESH_GRACE: Duration = Duration::from_secs(1);

/// Longest lingering close (httpd's MAX_SECS_TO_LINGER).
const LINGER_MAX: Duration = Duration::from_secs(30);
/// Longest silence of the peer during a lingering close (httpd's SECONDS_TO_LINGER).
const LINGER_SILENCE: Duration = Duration::from_secs(2);
/// Reads of a lingering close per poll, so that a peer that sends and sends holds up nobody.
const LINGER_READS: usize = 16;

/// Events a poll is told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// `EV_…` bits of the ABI.
    pub bits: u32,
}

impl Events {
    fn has(self, bit: u32) -> bool {
        self.bits & bit != 0
    }
}

/// What a poll answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Wait, poll again, or destroy.
    pub status: Status,
    /// Wait until the descriptor can be read.
    pub read: bool,
    /// Wait until the descriptor can be written.
    pub write: bool,
    /// For accounting.
    pub phase: Phase,
    /// When to poll with TIMED_OUT ([`NEVER`] = no deadline).
    pub deadline_ns: u64,
}

/// What a poll wants of the MPM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Wait for what the outcome says.
    Pending,
    /// Poll again soon.
    Yield,
    /// Poll again on a thread that may block.
    NeedsBlocking,
    /// Destroy it.
    Done,
}

/// What a connection is doing; in the order of [`worker::PHASES_LEN`] numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Between requests.
    Idle,
    /// Reading a request.
    Reading,
    /// Computing a response.
    Processing,
    /// Sending a response.
    Writing,
    /// Lingering close.
    Linger,
}

impl Phase {
    /// Its place in the scoreboard's numbers.
    fn index(self) -> usize {
        self as usize
    }

    /// What a thread does that waits for a connection in this phase.
    fn state(self) -> u32 {
        match self {
            Self::Idle => STATE_BUSY_KEEPALIVE,
            Self::Reading => STATE_BUSY_READ,
            Self::Processing | Self::Writing => STATE_BUSY_WRITE,
            Self::Linger => STATE_CLOSING,
        }
    }
}

impl Outcome {
    fn wait_to_read(phase: Phase, deadline_ns: u64) -> Self {
        Self { status: Status::Pending, read: true, write: false, phase, deadline_ns }
    }

    fn now(status: Status, phase: Phase) -> Self {
        Self { status, read: false, write: false, phase, deadline_ns: NEVER }
    }

    const DONE: Self = Self {
        status: Status::Done,
        read: false,
        write: false,
        phase: Phase::Linger,
        deadline_ns: NEVER,
    };
}

/// A connection.
#[derive(Debug)]
pub struct Conn {
    env: Arc<Env>,
    state: State,
    /// See [`State`]: since when it sleeps, or when the lingering close ends.
    since_ns: u64,
    /// What the MPM calls it.
    token: u64,
    peer: Option<SocketAddr>,
    /// The server's address, where a log wants it.
    local: Option<Box<SocketAddr>>,
    fd: OwnedFd,
    /// Requests answered.
    requests: u32,
    mode: Mode,
    /// A thread waits for this connection alone; see `drive`.
    driven: bool,
    /// Finish after the request in progress.
    stopping: AtomicBool,
    /// The phase it is counted in.
    counted: Option<Phase>,
}

#[derive(Debug)]
enum State {
    /// Waits for the first byte of a request. `since_ns`: since when.
    Asleep,
    /// hyper is at work.
    Awake(Box<Awake>),
    /// `since_ns`: when the lingering close began. The peer may be silent until then.
    Linger {
        silent_until_ns: u64,
    },
    Done,
}

/// DESIGN section 4: an idle connection is a descriptor and this.
const _: () = assert!(size_of::<Conn>() <= 128);

/// Everything in `conn`, `http` and `handlers` may move between threads.
const _: () = {
    const fn sendable<T: Send>() {}
    sendable::<Conn>();
};

/// What is known of a new connection.
#[derive(Clone, Copy, Debug)]
pub struct New {
    /// What the MPM calls it.
    pub token: u64,
    /// When it was accepted.
    pub accepted_ns: u64,
    /// The client's address.
    pub peer: Option<SocketAddr>,
}

impl Conn {
    /// A connection on `fd`.
    ///
    /// # Errors
    /// The descriptor is not a socket that can be used; it is given back.
    pub fn new(env: Arc<Env>, fd: OwnedFd, new: New) -> Result<Self, (io::Error, OwnedFd)> {
        let mode = match socket::mode(fd.as_fd()) {
            Ok(mode) => mode,
            Err(error) => return Err((error, fd)),
        };
        let local = env.site.needs_local_address().then(|| socket::local_addr(fd.as_fd()).ok());
        Ok(Self {
            env,
            state: State::Asleep,
            since_ns: new.accepted_ns,
            token: new.token,
            peer: new.peer,
            local: local.flatten().map(Box::new),
            fd,
            requests: 0,
            mode,
            driven: false,
            stopping: AtomicBool::new(false),
            counted: None,
        })
    }

    /// The next poll shall behave as if it were told STOPPING. Any thread.
    pub fn notify_stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    fn client(&self) -> Client {
        Client {
            peer: self.peer,
            local: self.local.as_deref().copied(),
            keep_alives: self.requests,
        }
    }

    /// Runs the connection as far as it goes without waiting (with MAY_BLOCK: without waiting for
    /// the peer).
    pub fn poll(&mut self, events: Events, now_ns: u64) -> Outcome {
        let outcome = self.advance(events, now_ns);
        let is_done = outcome.status == Status::Done;
        self.count((!is_done).then_some(outcome.phase));
        if let Some(worker) = worker::current() {
            // Driven, it holds its thread while it waits.
            let holds = self.driven && outcome.status == Status::Pending;
            worker.set_state(match () {
                () if holds => outcome.phase.state(),
                () if signals::is_draining() => STATE_GRACEFUL,
                () => STATE_READY,
            });
        }
        outcome
    }

    /// Counts it in a phase, where the calling thread keeps such numbers.
    fn count(&mut self, phase: Option<Phase>) {
        if self.counted == phase {
            return;
        }
        if let Some(worker) = worker::current() {
            worker.count(self.counted.map(Phase::index), phase.map(Phase::index));
            self.counted = phase;
        }
    }

    fn advance(&mut self, events: Events, now_ns: u64) -> Outcome {
        if events.has(mpm_abi::EV_STOPPING) || signals::is_draining() {
            self.notify_stop();
        }
        let outcome = self.step(events, now_ns);
        if !(signals::is_leaving() && self.awaits_first_byte(&outcome)) {
            return outcome;
        }
        let grace_ns = after(self.since_ns, FRESH_GRACE);
        if self.is_fresh() && now_ns < grace_ns {
            return Outcome { deadline_ns: outcome.deadline_ns.min(grace_ns), ..outcome };
        }
        // The next request may be there before the event that tells of it.
        if socket::is_readable(self.fd()) {
            let events = Events { bits: events.bits | mpm_abi::EV_READABLE };
            let outcome = self.step(events, now_ns);
            if !self.awaits_first_byte(&outcome) {
                return outcome;
            }
        }
        self.done()
    }

    fn step(&mut self, events: Events, now_ns: u64) -> Outcome {
        match &mut self.state {
            State::Asleep => self.poll_asleep(events, now_ns),
            State::Awake(_) => self.poll_awake(events, now_ns),
            State::Linger { silent_until_ns } => {
                let silent_until_ns = *silent_until_ns;
                self.poll_linger(now_ns, silent_until_ns)
            }
            State::Done => Outcome::DONE,
        }
    }

    /// Whether nothing of a first request has come.
    fn is_fresh(&self) -> bool {
        self.requests == 0 && matches!(self.state, State::Asleep)
    }

    /// Whether a request is waited for of which nothing has come.
    fn awaits_first_byte(&self, outcome: &Outcome) -> bool {
        let is_idle = matches!(self.state, State::Asleep) || outcome.phase == Phase::Idle;
        is_idle && outcome.status == Status::Pending
    }

    fn poll_asleep(&mut self, events: Events, now_ns: u64) -> Outcome {
        if events.bits & (mpm_abi::EV_READABLE | mpm_abi::EV_HANGUP) != 0 {
            let awake = Awake::new(self, &[], now_ns);
            self.state = State::Awake(Box::new(awake));
            return self.poll_awake(events, now_ns);
        }
        let deadline = self.asleep_deadline();
        if now_ns >= deadline {
            return self.done();
        }
        Outcome::wait_to_read(self.asleep_phase(), deadline)
    }

    /// Whether it holds nothing but its descriptor: between requests, or before the first.
    pub fn is_asleep(&self) -> bool {
        matches!(self.state, State::Asleep)
    }

    fn asleep_phase(&self) -> Phase {
        if self.requests == 0 { Phase::Reading } else { Phase::Idle }
    }

    fn asleep_deadline(&self) -> u64 {
        let settings = &self.env.settings;
        let wait = match self.asleep_phase() {
            Phase::Idle => settings.keep_alive_timeout,
            _ => settings.timeout,
        };
        after(self.since_ns, wait)
    }

    fn poll_awake(&mut self, events: Events, now_ns: u64) -> Outcome {
        let stopping = self.stopping.load(Ordering::Relaxed);
        let State::Awake(awake) = &mut self.state else { return Outcome::DONE };
        let progress = awake.poll(events, now_ns, stopping);
        self.requests = awake.requests();
        match progress {
            Progress::Again(status) => Outcome::now(status, Phase::Processing),
            Progress::Idle => self.fall_asleep(now_ns),
            Progress::Waiting { read, write, phase, deadline_ns } => {
                if now_ns >= deadline_ns {
                    return self.time_out(phase, now_ns);
                }
                Outcome { status: Status::Pending, read, write, phase, deadline_ns }
            }
            Progress::Finished { peer_done } => {
                if peer_done {
                    return self.done();
                }
                self.begin_linger(now_ns)
            }
            Progress::Broken => self.done(),
        }
    }

    /// Between requests: hyper's state is given up, if really nothing is buffered in it.
    fn fall_asleep(&mut self, now_ns: u64) -> Outcome {
        let State::Awake(awake) = std::mem::replace(&mut self.state, State::Asleep) else {
            return Outcome::DONE;
        };
        let answered = awake.answered();
        let leftover = awake.into_leftover();
        if !leftover.is_empty() {
            // The next request has begun: a fresh hyper reads it, starting with what is there.
            let awake = Awake::new(self, &leftover, now_ns);
            self.state = State::Awake(Box::new(awake));
            return Outcome::now(Status::Yield, Phase::Reading);
        }
        // A wake-up for nothing does not give the client more time.
        if answered {
            self.since_ns = now_ns;
        }
        Outcome::wait_to_read(self.asleep_phase(), self.asleep_deadline())
    }

    /// The peer kept the server waiting for too long.
    fn time_out(&mut self, phase: Phase, now_ns: u64) -> Outcome {
        let State::Awake(awake) = &mut self.state else { return self.done() };
        if phase == Phase::Reading && awake.head_incomplete() {
            // RFC 9110, section 15.5.9. hyper has written nothing: the request is not complete.
            let status = http::StatusCode::REQUEST_TIMEOUT;
            send_refusal(self.fd.as_fd(), self.mode, status);
            self.env.site.log_unreadable(self.client(), status);
            return self.begin_linger(now_ns);
        }
        self.done()
    }

    fn begin_linger(&mut self, now_ns: u64) -> Outcome {
        if socket::shutdown_write(self.fd()).is_err() {
            return self.done();
        }
        self.since_ns = now_ns;
        self.poll_linger(now_ns, after(now_ns, LINGER_SILENCE))
    }

    /// The response is out; closing now would make the kernel answer further bytes of the peer with
    /// RST, which can destroy the response before the peer has read it.
    fn poll_linger(&mut self, now_ns: u64, mut silent_until_ns: u64) -> Outcome {
        for _ in 0..LINGER_READS {
            match socket::discard(self.fd()) {
                Ok(0) => return self.done(),
                Ok(_) => silent_until_ns = after(now_ns, LINGER_SILENCE),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let deadline = silent_until_ns.min(after(self.since_ns, LINGER_MAX));
                    if now_ns >= deadline {
                        return self.done();
                    }
                    self.state = State::Linger { silent_until_ns };
                    return Outcome::wait_to_read(Phase::Linger, deadline);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return self.done(),
            }
        }
        if now_ns >= after(self.since_ns, LINGER_MAX) {
            return self.done();
        }
        self.state = State::Linger { silent_until_ns };
        Outcome::now(Status::Yield, Phase::Linger)
    }

    fn done(&mut self) -> Outcome {
        self.state = State::Done;
        Outcome::DONE
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        self.count(None);
    }
}

/// A refusal as hyper makes them, where hyper has nothing to say.
fn send_refusal(fd: BorrowedFd<'_>, mode: Mode, status: http::StatusCode) {
    let date = httpdate::fmt_http_date(SystemTime::now());
    let text = format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\nDate: {date}\r\n\r\n"
    );
    // The connection ends in any case.
    let _ = socket::write(fd, mode, &[io::IoSlice::new(text.as_bytes())], false);
}

fn after(start_ns: u64, wait: Duration) -> u64 {
    start_ns.saturating_add(u64::try_from(wait.as_nanos()).unwrap_or(NEVER))
}
