//! What hyper's side of a connection (transport, service, bodies, waker) and ours both see.
//!
//! A connection is polled by one thread at a time, and the MPM orders one poll before the next, so
//! the flags need no ordering of their own; they are atomics because hyper's side must be `Send`.
//! The exception is `woken`, which any thread may set.

use std::cell::Cell;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Wake;

use http::{Version, request};
use mpm_abi::scoreboard::STATE_BUSY_WRITE;

use super::Env;
use crate::http::Client;
use crate::status::Line;
use crate::status::worker::{self, Worker};
use crate::sys::clock;
use crate::sys::socket::{self, Lent, Mode};

/// A flag without ordering.
#[derive(Debug, Default)]
pub(super) struct Flag(AtomicBool);

impl Flag {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, value: bool) {
        self.0.store(value, Ordering::Relaxed);
    }
}

/// Bytes written in one poll before others get their turn, or what interrupts a thread is looked at. A
/// thread that only may block has no others.
const WRITE_BUDGET: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) env: Arc<Env>,
    /// Of the `Conn`, which drops hyper's side, the only user, before it closes.
    fd: Lent,
    pub(super) mode: Mode,
    token: u64,
    peer: Option<SocketAddr>,
    local: Option<SocketAddr>,

    /// Reading may give something: no read came back short since the last event.
    pub(super) readable: Flag,
    /// The peer's FIN or an error was announced: read until the end, a short read proves nothing.
    pub(super) hangup: Flag,
    /// The end of the stream was read.
    pub(super) eof: Flag,
    /// hyper wants to read and there was nothing.
    pub(super) read_blocked: Flag,
    /// hyper wants to write and there was no room.
    pub(super) write_blocked: Flag,
    /// A blocking send has its time limit.
    pub(super) send_timeout_set: Flag,
    /// Bytes left of [`WRITE_BUDGET`].
    pub(super) budget: AtomicUsize,

    /// Bytes read before hyper asked for them: by `drive`, or by an earlier hyper.
    ahead: Mutex<Vec<u8>>,
    has_ahead: Flag,

    /// The time of the current poll.
    now_ns: AtomicU64,
    /// When a read or write last got on.
    progress_ns: AtomicU64,
    /// Requests begun whose response body is not done with.
    in_flight: AtomicU32,
    /// Requests on the connection, this one included.
    requests: AtomicU32,
    /// Requests since hyper was made.
    calls: AtomicU32,
    /// Whether bytes came since the last response ended.
    unanswered: Flag,
    /// Finish after the request in progress.
    stopping: Flag,

    /// Poll again: set by the waker.
    woken: AtomicBool,
    /// Somebody waits for this connection alone, on this descriptor once it exists.
    driven: bool,
    driver: OnceLock<Option<OwnedFd>>,
}

thread_local! {
    /// The connection being polled on this thread's stack.
    static POLLING: Cell<*const Shared> = const { Cell::new(std::ptr::null()) };
}

/// What a connection's shared part begins with.
pub(super) struct Start<'a> {
    pub(super) env: &'a Arc<Env>,
    pub(super) fd: BorrowedFd<'a>,
    pub(super) mode: Mode,
    pub(super) token: u64,
    pub(super) client: Client,
    pub(super) driven: bool,
    pub(super) leftover: &'a [u8],
    pub(super) now_ns: u64,
}

impl Shared {
    pub(super) fn new(start: &Start<'_>) -> Self {
        Self {
            env: Arc::clone(start.env),
            fd: Lent::new(start.fd),
            mode: start.mode,
            token: start.token,
            peer: start.client.peer,
            local: start.client.local,
            readable: Flag::default(),
            hangup: Flag::default(),
            eof: Flag::default(),
            read_blocked: Flag::default(),
            write_blocked: Flag::default(),
            send_timeout_set: Flag::default(),
            budget: AtomicUsize::new(0),
            ahead: Mutex::new(start.leftover.to_vec()),
            has_ahead: Flag(AtomicBool::new(!start.leftover.is_empty())),
            now_ns: AtomicU64::new(start.now_ns),
            progress_ns: AtomicU64::new(start.now_ns),
            in_flight: AtomicU32::new(0),
            requests: AtomicU32::new(start.client.keep_alives),
            calls: AtomicU32::new(0),
            unanswered: Flag(AtomicBool::new(!start.leftover.is_empty())),
            stopping: Flag::default(),
            woken: AtomicBool::new(false),
            driven: start.driven,
            driver: OnceLock::new(),
        }
    }

    /// Begins a poll.
    pub(super) fn begin(&self, events: super::Events, now_ns: u64, stopping: bool) {
        self.now_ns.store(now_ns, Ordering::Relaxed);
        if events.has(mpm_abi::EV_READABLE) {
            self.readable.set(true);
        }
        if events.has(mpm_abi::EV_HANGUP) {
            self.readable.set(true);
            self.hangup.set(true);
        }
        let blocks = events.has(mpm_abi::EV_MAY_BLOCK);
        let is_free = blocks && !self.driven;
        self.budget.store(if is_free { usize::MAX } else { WRITE_BUDGET }, Ordering::Relaxed);
        self.read_blocked.set(false);
        self.write_blocked.set(false);
        self.stopping.set(stopping);
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.fd()
    }

    pub(super) fn client(&self) -> Client {
        let keep_alives = self.requests.load(Ordering::Relaxed).saturating_sub(1);
        Client { peer: self.peer, local: self.local, keep_alives }
    }

    pub(super) fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    pub(super) fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }

    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn progress_ns(&self) -> u64 {
        self.progress_ns.load(Ordering::Relaxed)
    }

    /// Whether part of a request's head has come.
    pub(super) fn unanswered(&self) -> bool {
        self.unanswered.get()
    }

    pub(super) fn note_read(&self) {
        self.unanswered.set(true);
        self.note_progress();
    }

    pub(super) fn note_progress(&self) {
        self.progress_ns.store(self.now_ns.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// A request begins.
    pub(super) fn begin_request(self: &Arc<Self>, head: &request::Parts) -> InFlight {
        add(&self.in_flight, 1);
        add(&self.requests, 1);
        add(&self.calls, 1);
        self.note_progress();
        InFlight::new(Arc::clone(self), head)
    }

    /// Whether the response to the current request must be the last one.
    pub(super) fn closes(&self) -> bool {
        let settings = &self.env.settings;
        let max = settings.max_keep_alive_requests;
        // More, not as many: httpd counts what follows the first request.
        !settings.keep_alive || self.stopping.get() || (max != 0 && self.requests() > max)
    }

    /// Gives hyper bytes that were read before it asked.
    pub(super) fn feed(&self, bytes: &[u8]) {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        self.has_ahead.set(true);
    }

    /// Moves bytes read ahead into `take`, which says how many it took; `None` if there are none.
    pub(super) fn take_ahead(&self, take: impl FnOnce(&[u8]) -> usize) -> Option<usize> {
        if !self.has_ahead.get() {
            return None;
        }
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = take(&ahead).min(ahead.len());
        ahead.drain(..taken);
        self.has_ahead.set(!ahead.is_empty());
        Some(taken)
    }

    /// Takes bytes from the budget; 0 = none left.
    pub(super) fn spend(&self, bytes: usize) {
        let left = self.budget.load(Ordering::Relaxed).saturating_sub(bytes);
        self.budget.store(left, Ordering::Relaxed);
    }

    /// Whether everything hyper wanted to write in this poll was written.
    pub(super) fn is_flushed(&self) -> bool {
        !self.write_blocked.get() && self.budget.load(Ordering::Relaxed) != 0
    }

    /// Whether the waker was called since the last time.
    pub(super) fn take_woken(&self) -> bool {
        self.woken.load(Ordering::SeqCst) && self.woken.swap(false, Ordering::SeqCst)
    }

    /// Marks this connection as the one being polled on this thread.
    pub(super) fn enter(self: &Arc<Self>) -> Polling {
        Polling { outer: POLLING.replace(Arc::as_ptr(self)) }
    }

    /// The descriptor that becomes readable when the waker is called; for `drive`. `None`: out of
    /// descriptors.
    pub(super) fn driver(&self) -> Option<BorrowedFd<'_>> {
        self.driver.get_or_init(|| socket::event_fd().ok()).as_ref().map(AsFd::as_fd)
    }
}

/// Not a locked instruction: one thread at a time.
fn add(counter: &AtomicU32, n: u32) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
}

/// A poll on this thread's stack; ends when dropped.
pub(super) struct Polling {
    outer: *const Shared,
}

impl Drop for Polling {
    fn drop(&mut self) {
        POLLING.set(self.outer);
    }
}

/// A request whose response body is not done with; ends when dropped.
#[derive(Debug)]
pub(super) struct InFlight {
    shared: Arc<Shared>,
    began_ns: u64,
    bytes: u64,
    /// The thread that shows it, and which of its requests it is.
    shown: Option<Worker>,
    number: u64,
    /// What other threads show; only where it lasts longer than one poll.
    line: Option<Box<Line>>,
}

impl InFlight {
    fn new(shared: Arc<Shared>, head: &request::Parts) -> Self {
        let began_ns = shared.now_ns.load(Ordering::Relaxed);
        let (shown, mut number) = (worker::current(), 0);
        if let Some(worker) = worker::extended() {
            let target = head.uri.path_and_query().map_or("", |target| target.as_str());
            let minor = u8::from(head.version != Version::HTTP_10);
            let host = shared.env.site.name();
            let line = Line::new(shared.peer, host, head.method.as_str(), target, minor);
            number = worker.begin(&line, began_ns, shared.requests());
        } else if let Some(worker) = shown {
            worker.set_state(STATE_BUSY_WRITE);
        }
        Self { shared, began_ns, bytes: 0, shown, number, line: None }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// It does not end with this poll: another thread may go on with it.
    pub(super) fn stays(&mut self) {
        if self.line.is_none() && worker::extended().is_some() {
            let ours = self.shown.filter(|shown| worker::current() == Some(*shown));
            self.line = ours.and_then(|worker| worker.line(self.number)).map(Box::new);
        }
    }

    /// The calling thread is at work on it.
    pub(super) fn show(&mut self) {
        let worker = worker::current();
        if let (Some(line), Some(worker)) = (&self.line, worker::extended()) {
            // On a thread with many connections another one may have been shown since.
            if self.shown != Some(worker) || worker.line(self.number).is_none() {
                self.number = worker.begin(line, self.began_ns, self.shared.requests());
                self.shown = Some(worker);
                return;
            }
        }
        if let Some(worker) = worker {
            worker.set_state(STATE_BUSY_WRITE);
        }
    }

    /// So many bytes of its response's body go out.
    pub(super) fn sends(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let left = self.shared.in_flight().saturating_sub(1);
        self.shared.in_flight.store(left, Ordering::Relaxed);
        // What comes from now on belongs to the next request.
        self.shared.unanswered.set(false);
        if let Some(worker) = worker::extended() {
            worker.end(self.bytes, clock::now_ns().saturating_sub(self.began_ns));
        }
    }
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let was = self.woken.swap(true, Ordering::SeqCst);
        // Within the connection's own poll the flag is enough: the poll ends with YIELD.
        if was || POLLING.get() == Arc::as_ptr(self) {
            return;
        }
        if !self.driven {
            (self.env.wake)(self.token);
        } else if let Some(Some(driver)) = self.driver.get() {
            socket::signal(driver.as_fd());
        }
    }
}
