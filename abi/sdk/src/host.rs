//! The host, as what may be called in which phase: [`Host`] anywhere, [`Parent`] in `run`,
//! [`Child`] in a child, [`Connection`] on the thread that has it.

use std::ffi::{c_char, c_void};
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use mpm_abi::{
    ACCEPT_BLOCKING, ADDR_LEN, AuxFd, CHILD_ACCEPTING, CHILD_DRAINING, CHILD_EXISTS, CHILD_READY,
    ChildInfo, Conn, ConnInfo, E_AGAIN, E_UNSUPPORTED, EVENT_CHILD_DRAIN, EVENT_CHILD_EXITED,
    EVENT_CHILD_READY, EVENT_CHILD_STARTED, EVENT_GRACEFUL_RESTART, EVENT_GRACEFUL_STOP,
    EVENT_LOAD, EVENT_NONE, EVENT_RESTART, EVENT_STOP, EXIT_CODE, EXIT_SIGNAL, Event, Fd, HostApi,
    NEVER, OK, PHASE_HANDSHAKE, PollOut, Str, ThreadFn,
};

use crate::error::Error;

/// The host as one instance sees it. Any thread may use it.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    raw: *mut mpm_abi::Host,
    /// A full-size copy of the host's table: entries it does not have are `None`.
    api: &'static HostApi,
}

// SAFETY: the contract lets any thread pass the host pointer back; the table is constant.
unsafe impl Send for Host {}
// SAFETY: as above.
unsafe impl Sync for Host {}

/// Calls an entry of the host's table with the host first; `None` if the host lacks it.
macro_rules! call {
    ($host:expr, $entry:ident $(, $arg:expr)*) => {{
        let host = $host;
        host.api.$entry.map(|entry| {
            // SAFETY: the entry belongs to `host.raw`, which lives as long as the process; the
            // caller stands in the phase and on the thread its type stands for.
            unsafe { entry(host.raw $(, $arg)*) }
        })
    }};
}

impl Host {
    /// Takes what `create` was given.
    ///
    /// # Safety
    /// `raw` and `api` are the arguments of `create`; `api` begins with its size in bytes.
    pub(crate) unsafe fn new(raw: *mut mpm_abi::Host, api: *const HostApi) -> Self {
        // SAFETY: every host's table begins with its size.
        let size = unsafe { api.cast::<u32>().read() } as usize;
        let mut copy = Box::new(std::mem::MaybeUninit::<HostApi>::zeroed());
        let len = size.min(size_of::<HostApi>());
        // SAFETY: `len` bytes are readable in the host's table and writable in the copy.
        unsafe { std::ptr::copy_nonoverlapping(api.cast::<u8>(), copy.as_mut_ptr().cast(), len) };
        // SAFETY: all-zero bytes are a valid table (numbers and absent functions), and the host's
        // bytes are one.
        let copy = unsafe { copy.assume_init() };
        Self { raw, api: Box::leak(copy) }
    }

    /// Capabilities of the host (`CAP_…`).
    pub fn caps(&self) -> u64 {
        self.api.caps[0]
    }

    /// Writes a line to the error log at a level of the contract (`LOG_…`).
    pub fn log(&self, level: u32, text: &str) {
        let _ = call!(self, log, level, text.as_ptr().cast::<c_char>(), text.len());
    }

    /// Writes a line at level notice, which the `log` crate does not have.
    pub fn notice(&self, text: &str) {
        self.log(mpm_abi::host::LOG_NOTICE, text);
    }

    /// Whether a line at this level would be written.
    pub fn log_enabled(&self, level: u32) -> bool {
        call!(self, log_enabled, level) == Some(1)
    }

    /// Monotonic nanoseconds.
    pub fn now(&self) -> u64 {
        call!(self, now).unwrap_or(0)
    }

    fn status(&self, what: &str, status: Option<i32>) -> Result<(), Error> {
        match status.unwrap_or(E_UNSUPPORTED) {
            OK => Ok(()),
            status => Err(Error::from_status(what, status)),
        }
    }
}

/// The parent process inside `run`. It has one thread and stays on it.
#[derive(Debug)]
pub struct Parent {
    host: Host,
    _one_thread: PhantomData<*mut ()>,
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this code (`CHILD_…`).
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// Nothing is known.
    Lost,
}

/// What the parent is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParentEvent {
    /// The time given has passed.
    Nothing,
    /// A child exists.
    Started {
        /// Its slot.
        slot: u32,
    },
    /// A child can serve.
    Ready {
        /// Its slot.
        slot: u32,
    },
    /// A child is gone and its slot free.
    Exited {
        /// Its slot.
        slot: u32,
        /// How it ended.
        exit: Exit,
    },
    /// A child's idle count crossed a mark, or it began or ceased to accept.
    Load {
        /// Its slot.
        slot: u32,
    },
    /// Stop at once.
    Stop,
    /// Stop when the requests in progress are finished.
    GracefulStop,
    /// Restart, stopping the old children.
    Restart,
    /// Restart, draining the old children.
    GracefulRestart,
}

/// What the parent knows of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChildState {
    /// A process is there.
    pub exists: bool,
    /// It said that it can serve.
    pub ready: bool,
    /// It was told to drain or stop.
    pub draining: bool,
    /// It accepts connections.
    pub accepting: bool,
    /// Process id, 0 = none.
    pub pid: i64,
    /// Threads waiting for work.
    pub idle: u32,
    /// Threads at work.
    pub busy: u32,
    /// Open connections.
    pub connections: u32,
}

impl Parent {
    pub(crate) fn new(host: Host) -> Self {
        Self { host, _one_thread: PhantomData }
    }

    /// The host.
    pub fn host(&self) -> Host {
        self.host
    }

    /// Makes a child for `slot` and returns its process id.
    ///
    /// # Errors
    /// `E_INVAL`: no such slot. `E_STATE`: the slot is taken. `E_SYS`: the system refused.
    pub fn spawn_child(&mut self, slot: u32) -> Result<i64, Error> {
        let mut pid = 0;
        let status = call!(&self.host, spawn_child, slot, 0, &raw mut pid);
        self.host.status("spawn_child", status).map(|()| pid)
    }

    /// Asks the child in `slot` to finish what it holds and leave; force after `deadline_ns`.
    ///
    /// # Errors
    /// `E_INVAL`: no such slot. `E_STATE`: no child there.
    pub fn drain(&mut self, slot: u32, deadline_ns: u64) -> Result<(), Error> {
        let status = call!(&self.host, child_drain, slot, deadline_ns);
        self.host.status("child_drain", status)
    }

    /// Tells the child in `slot` to leave at once.
    ///
    /// # Errors
    /// `E_INVAL`: no such slot. `E_STATE`: no child there.
    pub fn stop(&mut self, slot: u32) -> Result<(), Error> {
        let status = call!(&self.host, child_stop, slot);
        self.host.status("child_stop", status)
    }

    /// Describes a slot; `None` if there is no such slot.
    pub fn child(&self, slot: u32) -> Option<ChildState> {
        let mut info = ChildInfo {
            struct_size: size_of::<ChildInfo>() as u32,
            flags: 0,
            pid: 0,
            generation: 0,
            idle: 0,
            busy: 0,
            connections: 0,
        };
        let status = call!(&self.host, child_get, slot, &raw mut info)?;
        (status == OK).then_some(ChildState {
            exists: info.flags & CHILD_EXISTS != 0,
            ready: info.flags & CHILD_READY != 0,
            draining: info.flags & CHILD_DRAINING != 0,
            accepting: info.flags & CHILD_ACCEPTING != 0,
            pid: info.pid,
            idle: info.idle,
            busy: info.busy,
            connections: info.connections,
        })
    }

    /// Waits for the next event, at most `timeout` (`None` = until there is one).
    ///
    /// # Errors
    /// `E_SYS`: waiting is impossible.
    pub fn reap(&mut self, timeout: Option<Duration>) -> Result<ParentEvent, Error> {
        let timeout_ns = timeout.map_or(NEVER, |t| u64::try_from(t.as_nanos()).unwrap_or(NEVER));
        let mut event = empty_event();
        let status = call!(&self.host, reap, timeout_ns, &raw mut event);
        self.host.status("reap", status)?;
        let slot = event.slot;
        Ok(match event.kind {
            EVENT_CHILD_STARTED => ParentEvent::Started { slot },
            EVENT_CHILD_READY => ParentEvent::Ready { slot },
            EVENT_CHILD_EXITED => ParentEvent::Exited { slot, exit: exit(&event) },
            EVENT_LOAD => ParentEvent::Load { slot },
            EVENT_STOP => ParentEvent::Stop,
            EVENT_GRACEFUL_STOP => ParentEvent::GracefulStop,
            EVENT_RESTART => ParentEvent::Restart,
            EVENT_GRACEFUL_RESTART => ParentEvent::GracefulRestart,
            _ => ParentEvent::Nothing,
        })
    }
}

fn exit(event: &Event) -> Exit {
    match event.reason {
        EXIT_CODE => Exit::Code(event.status),
        EXIT_SIGNAL => Exit::Signal(event.status),
        _ => Exit::Lost,
    }
}

fn empty_event() -> Event {
    Event {
        struct_size: size_of::<Event>() as u32,
        kind: EVENT_NONE,
        slot: 0,
        generation: 0,
        pid: 0,
        status: 0,
        reason: 0,
        deadline_ns: NEVER,
    }
}

/// A child process. Any of its threads may use it.
#[derive(Clone, Copy, Debug)]
pub struct Child {
    host: Host,
}

/// What a child is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildEvent {
    /// Return from `child_main` now.
    Stop,
    /// Stop accepting, finish what is held, return from `child_main`.
    Drain,
}

/// A listening socket of the host.
#[derive(Clone, Copy, Debug)]
pub struct Listener {
    /// Its index, for [`Child::accept`].
    pub index: u32,
    /// Its descriptor: watch it, never close it.
    pub fd: RawFd,
}

/// A connection just accepted, not yet the host's.
#[derive(Debug)]
pub struct Accepted {
    fd: OwnedFd,
    listener: u32,
    accepted_ns: u64,
    addr_len: u32,
    addr: [u8; ADDR_LEN],
}

impl Accepted {
    /// Its descriptor.
    pub fn fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// What [`Child::accept`] found.
#[derive(Debug)]
pub enum Readiness {
    /// A connection.
    Accepted(Accepted),
    /// Nothing; wait for the listener.
    Nothing,
    /// Descriptors or memory ran out: leave the listener alone until then (monotonic ns).
    PauseUntil(u64),
}

impl Child {
    pub(crate) fn new(host: Host) -> Self {
        Self { host }
    }

    /// The host.
    pub fn host(&self) -> Host {
        self.host
    }

    /// This child can serve.
    pub fn ready(&self) {
        let _ = call!(&self.host, child_ready);
    }

    /// This child will take no more connections.
    pub fn stopping(&self) {
        let _ = call!(&self.host, child_stopping);
    }

    /// Publishes this child's numbers; cheap enough for every change.
    pub fn report(&self, idle: u32, busy: u32, connections: u32, accepting: bool) {
        let flags = if accepting { CHILD_ACCEPTING } else { 0 };
        let _ = call!(&self.host, child_report, idle, busy, connections, flags);
    }

    /// Descriptor that is readable while [`Child::control_next`] has something. Open as long as the
    /// process lives.
    ///
    /// # Errors
    /// `E_STATE`: not in a child.
    pub fn control(&self) -> Result<BorrowedFd<'static>, Error> {
        let fd = call!(&self.host, control_fd).and_then(|fd| RawFd::try_from(fd).ok());
        match fd.filter(|fd| *fd >= 0) {
            // SAFETY: the host's, open as long as the process lives.
            Some(fd) => Ok(unsafe { BorrowedFd::borrow_raw(fd) }),
            None => Err(Error::from_status("control_fd", mpm_abi::E_STATE)),
        }
    }

    /// Takes the next event for this child.
    pub fn control_next(&self) -> Option<ChildEvent> {
        loop {
            let mut event = empty_event();
            if call!(&self.host, control_next, &raw mut event)? != OK {
                return None;
            }
            match event.kind {
                EVENT_STOP => return Some(ChildEvent::Stop),
                EVENT_CHILD_DRAIN => return Some(ChildEvent::Drain),
                _ => {}
            }
        }
    }

    /// The listening sockets.
    pub fn listeners(&self) -> Vec<Listener> {
        let count = call!(&self.host, listener_count).unwrap_or(0);
        (0..count).filter_map(|index| self.listener(index)).collect()
    }

    fn listener(&self, index: u32) -> Option<Listener> {
        let mut out = mpm_abi::Listener {
            struct_size: size_of::<mpm_abi::Listener>() as u32,
            bucket: 0,
            fd: -1,
            addr_len: 0,
            protocol_len: 0,
            protocol: [0; 16],
            addr: [0; ADDR_LEN],
        };
        let status = call!(&self.host, listener_get, index, &raw mut out)?;
        let fd = RawFd::try_from(out.fd).ok()?;
        (status == OK).then_some(Listener { index, fd })
    }

    /// Accepts one connection from a listener without waiting. `blocking`: the descriptor is for
    /// [`Connection::drive`].
    ///
    /// # Errors
    /// `E_SYS`: the listener is broken.
    pub fn accept(&self, listener: u32, blocking: bool) -> Result<Readiness, Error> {
        let mut out = mpm_abi::Accepted {
            struct_size: size_of::<mpm_abi::Accepted>() as u32,
            addr_len: 0,
            fd: -1,
            accepted_ns: 0,
            retry_ns: 0,
            addr: [0; ADDR_LEN],
        };
        let flags = if blocking { ACCEPT_BLOCKING } else { 0 };
        match call!(&self.host, accept, listener, flags, &raw mut out).unwrap_or(E_UNSUPPORTED) {
            OK => {}
            E_AGAIN if out.retry_ns != 0 => return Ok(Readiness::PauseUntil(out.retry_ns)),
            E_AGAIN => return Ok(Readiness::Nothing),
            status => return Err(Error::from_status("accept", status)),
        }
        let fd =
            RawFd::try_from(out.fd).map_err(|_| Error::from_status("accept", E_UNSUPPORTED))?;
        Ok(Readiness::Accepted(Accepted {
            // SAFETY: on success the descriptor is open and ours.
            fd: unsafe { OwnedFd::from_raw_fd(fd) },
            listener,
            accepted_ns: out.accepted_ns,
            addr_len: out.addr_len,
            addr: out.addr,
        }))
    }

    /// Makes a connection. `token` is what the host passes to `wake`; `thread` the number of the
    /// calling thread in this child.
    ///
    /// # Errors
    /// `E_NOMEM`, `E_SYS`; the descriptor is closed then.
    pub fn connection(
        &self,
        accepted: Accepted,
        token: u64,
        slot: u32,
        thread: u32,
    ) -> Result<Connection, Error> {
        let raw_fd = accepted.fd.as_raw_fd();
        let info = ConnInfo {
            struct_size: size_of::<ConnInfo>() as u32,
            listener: accepted.listener,
            fd: raw_fd as Fd,
            token,
            accepted_ns: accepted.accepted_ns,
            peer: accepted.addr.as_ptr(),
            local: std::ptr::null(),
            peer_len: accepted.addr_len,
            local_len: 0,
            slot,
            thread,
        };
        let mut conn = std::ptr::null_mut();
        let status = call!(&self.host, conn_create, &raw const info, &raw mut conn);
        self.host.status("conn_create", status)?;
        let _ = accepted.fd.into_raw_fd(); // the host's now
        Ok(Connection { host: self.host, conn, fd: raw_fd })
    }

    /// Starts a thread that the host has set up (guard page, signal stack and mask, name).
    /// `stack` in bytes, 0 = default.
    ///
    /// # Errors
    /// `E_SYS`: no thread can be made.
    pub fn spawn(
        &self,
        name: &str,
        stack: u64,
        body: impl FnOnce() + Send + 'static,
    ) -> Result<Thread, Error> {
        let body: Box<Body> = Box::new(Box::new(body));
        let arg = Box::into_raw(body);
        let mut handle = 0;
        let status = call!(
            &self.host,
            thread_spawn,
            name.as_ptr().cast::<c_char>(),
            name.len(),
            stack,
            ThreadFn(Some(run_body)),
            arg.cast::<c_void>(),
            &raw mut handle
        );
        if status != Some(OK) {
            // SAFETY: the host refused, so nobody else has the pointer just made by `into_raw`.
            drop(unsafe { Box::from_raw(arg) });
        }
        self.host.status("thread_spawn", status)?;
        Ok(Thread { host: self.host, handle })
    }
}

type Body = Box<dyn FnOnce() + Send>;

unsafe extern "C" fn run_body(arg: *mut c_void) {
    // SAFETY: `arg` was made by `Child::spawn` for this one call.
    let body = unsafe { Box::from_raw(arg.cast::<Body>()) };
    // The panic hook has logged it; the thread ends and its connection is closed by unwinding.
    let _ = catch_unwind(AssertUnwindSafe(*body));
}

/// A thread made by [`Child::spawn`].
#[derive(Debug)]
pub struct Thread {
    host: Host,
    handle: u64,
}

impl Thread {
    /// Waits for the thread to end.
    pub fn join(self) {
        let _ = call!(&self.host, thread_join, self.handle);
    }
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Interest, auxiliary descriptors, the deadline or a wake.
    Pending,
    /// Still runnable: poll again soon.
    Yield,
    /// The next step may block.
    NeedsBlocking,
    /// Finished: drop it.
    Done,
    /// The descriptor was given away: stop watching it, then drop the connection.
    Detached,
}

/// Answer of [`Connection::poll`].
#[derive(Clone, Copy, Debug)]
pub struct Poll<'a> {
    /// What to do with it.
    pub status: Status,
    /// `READ` and `WRITE` bits for its own descriptor.
    pub interest: u32,
    /// `PHASE_…`.
    pub phase: u32,
    /// When to poll with `EV_TIMED_OUT`, [`NEVER`](crate::abi::NEVER) = no deadline.
    pub deadline_ns: u64,
    /// Other descriptors it waits for; the host owns them.
    pub aux: &'a [AuxFd],
}

/// A connection of the host; dropping it closes it.
#[derive(Debug)]
pub struct Connection {
    host: Host,
    conn: *mut Conn,
    fd: RawFd,
}

// SAFETY: the contract lets a connection move between threads, one at a time.
unsafe impl Send for Connection {}

impl Connection {
    /// Its descriptor: watch it, never close it.
    pub fn fd(&self) -> RawFd {
        self.fd
    }

    /// Runs it as far as it goes without waiting. `events` is `EV_…` bits.
    pub fn poll(&mut self, events: u32, now_ns: u64) -> Poll<'_> {
        let mut out = PollOut {
            struct_size: size_of::<PollOut>() as u32,
            status: mpm_abi::DONE,
            interest: 0,
            phase: PHASE_HANDSHAKE,
            deadline_ns: NEVER,
            aux: std::ptr::null(),
            naux: 0,
            want_budget: 0,
        };
        let answer = call!(&self.host, conn_poll, self.conn, events, now_ns, &raw mut out);
        let aux = if out.naux == 0 || out.aux.is_null() {
            &[]
        } else {
            // SAFETY: the host gives `naux` elements, valid until the next call on this
            // connection, which needs `&mut self` and so ends the borrow.
            unsafe { std::slice::from_raw_parts(out.aux, out.naux as usize) }
        };
        let status = match out.status {
            _ if answer != Some(OK) => Status::Done,
            mpm_abi::PENDING => Status::Pending,
            mpm_abi::YIELD => Status::Yield,
            mpm_abi::NEEDS_BLOCKING => Status::NeedsBlocking,
            mpm_abi::DETACHED => Status::Detached,
            _ => Status::Done,
        };
        let PollOut { interest, phase, deadline_ns, .. } = out;
        Poll { status, interest, phase, deadline_ns, aux }
    }

    /// Polls it until it is done, waiting on this thread. `stop` becomes readable when the thread
    /// shall finish after the request in progress.
    ///
    /// # Errors
    /// `E_SYS`: waiting is impossible.
    pub fn drive(&mut self, stop: Option<BorrowedFd<'_>>) -> Result<(), Error> {
        let stop = stop.map_or(-1, |fd| fd.as_raw_fd() as Fd);
        let status = call!(&self.host, drive_blocking, self.conn, stop);
        self.host.status("drive_blocking", status)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let _ = call!(&self.host, conn_destroy, self.conn);
    }
}

/// Text of the contract as a `str`; bytes that are not UTF-8 become U+FFFD.
///
/// # Safety
/// `text` points to `len` readable bytes, or `len` is 0.
pub(crate) unsafe fn text(text: Str) -> String {
    if text.ptr.is_null() || text.len == 0 {
        return String::new();
    }
    // SAFETY: the caller's promise.
    let bytes = unsafe { std::slice::from_raw_parts(text.ptr.cast::<u8>(), text.len) };
    String::from_utf8_lossy(bytes).into_owned()
}
