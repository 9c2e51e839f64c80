//! Plain data that crosses the boundary.

use core::ffi::c_char;

#[cfg(feature = "layout-check")]
use abi_stable::StableAbi;

/// A file descriptor or socket handle (`intptr_t`, wide enough for a Windows `SOCKET`).
pub type Fd = isize;

/// No deadline: later than any point in time.
pub const NEVER: u64 = u64::MAX;

/// Status: success.
pub const OK: i32 = 0;
/// Status: an argument is wrong.
pub const E_INVAL: i32 = -1;
/// Status: out of memory.
pub const E_NOMEM: i32 = -2;
/// Status: unknown key or code.
pub const E_UNSUPPORTED: i32 = -3;
/// Status: nothing there now, try again when told.
pub const E_AGAIN: i32 = -4;
/// Status: the operating system refused; its number is in the error buffer.
pub const E_SYS: i32 = -5;
/// Status: versions do not match.
pub const E_VERSION: i32 = -6;
/// Status: the configuration is wrong; the text says how.
pub const E_CONFIG: i32 = -7;
/// Status: called in the wrong phase or on the wrong thread.
pub const E_STATE: i32 = -8;
/// Status: the callee panicked; its object must not be used again.
pub const E_PANIC: i32 = -9;
/// Status: cancelled by a stop.
pub const E_CANCELLED: i32 = -10;
/// Status: the server cannot go on.
pub const E_FATAL: i32 = -11;

macro_rules! opaque {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[repr(C)]
        #[derive(Debug)]
        #[cfg_attr(feature = "layout-check", derive(StableAbi))]
        pub struct $name {
            _private: [u8; 0],
        }
    };
}

opaque! {
    /// One instance of an MPM. Owned by the plug-in; the host only passes the pointer back.
    Inst
}
opaque! {
    /// The host as one MPM instance sees it. Owned by the host, lives as long as the process.
    Host
}
opaque! {
    /// A connection. Owned by the host, used by one thread at a time.
    Conn
}
opaque! {
    /// A background state machine. Owned by the host.
    Task
}

/// Bytes of somebody else's memory, not NUL-terminated. Text is UTF-8.
///
/// Valid during the call it is passed to unless the function says otherwise.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "layout-check", derive(StableAbi))]
pub struct Str {
    /// First byte; may be NULL when `len` is 0.
    pub ptr: *const c_char,
    /// Length in bytes.
    pub len: usize,
}

/// Length in bytes of [`Err::text`].
pub const ERR_TEXT_LEN: usize = 480;

/// Error buffer, given by the caller and filled by the callee.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "layout-check", derive(StableAbi))]
pub struct Err {
    /// Size of this struct as the caller knows it.
    pub struct_size: u32,
    /// Status (`E_…`).
    pub code: i32,
    /// Number of the operating system's error, 0 if none.
    pub os_code: i32,
    /// Bytes used in `text`.
    pub text_len: u32,
    /// What went wrong, for the administrator; UTF-8, not NUL-terminated.
    pub text: [c_char; ERR_TEXT_LEN],
}

/// Poll status: wait for interest, auxiliary descriptors, deadline or wake.
pub const PENDING: u32 = 0;
/// Poll status: still runnable, budget used up. Poll again soon; no event will come.
pub const YIELD: u32 = 1;
/// Poll status: the next step may block. Poll again with [`EV_MAY_BLOCK`] on a thread that may.
pub const NEEDS_BLOCKING: u32 = 2;
/// Poll status: finished. Destroy the connection.
pub const DONE: u32 = 3;
/// Poll status: the descriptor was given away. Stop watching it, then destroy the connection.
pub const DETACHED: u32 = 4;

/// Interest in reading.
pub const READ: u32 = 1 << 0;
/// Interest in writing.
pub const WRITE: u32 = 1 << 1;

/// Event: the descriptor can be read.
pub const EV_READABLE: u32 = 1 << 0;
/// Event: the descriptor can be written.
pub const EV_WRITABLE: u32 = 1 << 1;
/// Event: the peer closed its side or the connection failed (EPOLLRDHUP, EPOLLHUP, EPOLLERR).
pub const EV_HANGUP: u32 = 1 << 2;
/// Event: the deadline has passed.
pub const EV_TIMED_OUT: u32 = 1 << 3;
/// Event: `wake` was called for this connection.
pub const EV_WOKEN: u32 = 1 << 4;
/// Event: an auxiliary descriptor is ready.
pub const EV_AUX_READY: u32 = 1 << 5;
/// Event: finish after the request in progress; no keep-alive. Stays in force once delivered.
pub const EV_STOPPING: u32 = 1 << 6;
/// Event: this thread may block.
pub const EV_MAY_BLOCK: u32 = 1 << 7;

/// Phase: handshake of the transport (TLS).
pub const PHASE_HANDSHAKE: u32 = 0;
/// Phase: between requests, or before the first; it holds nothing but its descriptor, and may be closed
/// when those run out.
pub const PHASE_IDLE_KEEPALIVE: u32 = 1;
/// Phase: reading a request.
pub const PHASE_READING: u32 = 2;
/// Phase: computing the response.
pub const PHASE_PROCESSING: u32 = 3;
/// Phase: sending the response.
pub const PHASE_WRITING: u32 = 4;
/// Phase: lingering close; the response is out and the peer's rest is being read away.
pub const PHASE_LINGER: u32 = 5;
/// Phase: waits for `wake` only.
pub const PHASE_SUSPENDED: u32 = 6;

/// A descriptor beside the connection's own that a connection waits for.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "layout-check", derive(StableAbi))]
pub struct AuxFd {
    /// Owned by the host.
    pub fd: Fd,
    /// [`READ`] and [`WRITE`] bits.
    pub interest: u32,
    /// Zero.
    pub reserved: u32,
}

/// What a poll of a connection or task answers. Allocated by the caller.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "layout-check", derive(StableAbi))]
pub struct PollOut {
    /// Size of this struct as the caller knows it.
    pub struct_size: u32,
    /// [`PENDING`], [`YIELD`], [`NEEDS_BLOCKING`], [`DONE`] or [`DETACHED`].
    pub status: u32,
    /// [`READ`] and [`WRITE`] bits for the connection's own descriptor. Replaces the last answer.
    pub interest: u32,
    /// `PHASE_…`, for accounting and for choosing what to close under pressure.
    pub phase: u32,
    /// Poll at or after this time with [`EV_TIMED_OUT`]; [`NEVER`] = no deadline.
    pub deadline_ns: u64,
    /// Host-owned array, valid until the next call on this connection.
    pub aux: *const AuxFd,
    /// Elements in `aux`.
    pub naux: u32,
    /// Hint how much work the next poll wants, 0 = default.
    pub want_budget: u32,
}

/// Event kind: none; the time given to `reap` has passed.
pub const EVENT_NONE: u32 = 0;
/// Event kind (parent): a child exists; follows every `spawn_child`.
pub const EVENT_CHILD_STARTED: u32 = 1;
/// Event kind (parent): a child called `child_ready`.
pub const EVENT_CHILD_READY: u32 = 2;
/// Event kind (parent): a child is gone and was reaped; `status` and `reason` say how.
pub const EVENT_CHILD_EXITED: u32 = 3;
/// Event kind (parent): the idle threads of all children that accept connections, taken together,
/// crossed a mark of the plan, or their number changed while it was beyond one; or a child will accept
/// no more. `slot` is one of those whose numbers changed. Changes of a tenth of a second come together.
pub const EVENT_LOAD: u32 = 4;
/// Event kind (parent and child): stop now. A child returns from `child_main`.
pub const EVENT_STOP: u32 = 5;
/// Event kind (parent): stop when the requests in progress are finished.
pub const EVENT_GRACEFUL_STOP: u32 = 6;
/// Event kind (parent): restart, stopping the old children.
pub const EVENT_RESTART: u32 = 7;
/// Event kind (parent): restart, draining the old children.
pub const EVENT_GRACEFUL_RESTART: u32 = 8;
/// Event kind (child): stop accepting, finish what is held, return from `child_main`.
pub const EVENT_CHILD_DRAIN: u32 = 9;

/// Exit reason: the child exited; `status` is its exit code.
pub const EXIT_CODE: u32 = 0;
/// Exit reason: a signal ended the child; `status` is the signal's number.
pub const EXIT_SIGNAL: u32 = 1;
/// Exit reason: the child was lost; nothing is known.
pub const EXIT_LOST: u32 = 2;

/// Exit code of a child: normal. The host tells `run` of every end and replaces no child by itself;
/// to an MPM without `run` it gives another one.
pub const CHILD_OK: i32 = 0;
/// Exit code of a child: set-up failed. The host uses it too. It is logged, as all codes but 0 are; an
/// MPM without `run` gets another child after a second, unless none was ever ready: then the server
/// gives up.
pub const CHILD_INIT: i32 = 2;
/// Exit code of a child: short of resources; slow down starting others, which is the MPM's to do.
/// The host uses it for a panic, and otherwise like `CHILD_INIT`.
pub const CHILD_SICK: i32 = 7;
/// Exit code of a child: fatal; the server must stop. The host says so in the log and leaves it to
/// `run` to return `WHY_FAILED`; without `run` it ends the server.
pub const CHILD_FATAL: i32 = 15;

/// Something the parent (`reap`) or a child (`control_next`) is told. Allocated by the caller.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "layout-check", derive(StableAbi))]
pub struct Event {
    /// Size of this struct as the caller knows it.
    pub struct_size: u32,
    /// `EVENT_…`; ignore unknown kinds.
    pub kind: u32,
    /// Slot of the child, for child events.
    pub slot: u32,
    /// Generation of the child, for child events.
    pub generation: u32,
    /// Process id of the child, for child events.
    pub pid: i64,
    /// Exit code or signal, for [`EVENT_CHILD_EXITED`].
    pub status: i32,
    /// `EXIT_…`, for [`EVENT_CHILD_EXITED`].
    pub reason: u32,
    /// When the host will use force, for stops and drains; [`NEVER`] = not.
    pub deadline_ns: u64,
}

/// Child flag: the slot holds a process.
pub const CHILD_EXISTS: u32 = 1 << 0;
/// Child flag: `child_ready` was called.
pub const CHILD_READY: u32 = 1 << 1;
/// Child flag: was told to drain or stop.
pub const CHILD_DRAINING: u32 = 1 << 2;
/// Child flag: accepts connections (also a flag of `child_report`).
pub const CHILD_ACCEPTING: u32 = 1 << 3;

/// What the parent knows of a child. A copy: the child's numbers are clamped to what can be true.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "layout-check", derive(StableAbi))]
pub struct ChildInfo {
    /// Size of this struct as the caller knows it.
    pub struct_size: u32,
    /// `CHILD_EXISTS`, `CHILD_READY`, `CHILD_DRAINING`, `CHILD_ACCEPTING`.
    pub flags: u32,
    /// Process id, 0 = none.
    pub pid: i64,
    /// Generation the child belongs to.
    pub generation: u32,
    /// Threads waiting for work.
    pub idle: u32,
    /// Threads at work.
    pub busy: u32,
    /// Open connections.
    pub connections: u32,
}

/// What an MPM needs, filled in by `prepare`. The host sizes its tables from it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "layout-check", derive(StableAbi))]
pub struct Plan {
    /// Size of this struct as the caller knows it.
    pub struct_size: u32,
    /// Most processes of this generation at a time, those that were told to drain included; slots are
    /// numbered from 0, anew in each generation. Children of older generations do not count.
    pub max_children: u32,
    /// Threads of a process that serve connections.
    pub threads_per_child: u32,
    /// The parent hears [`EVENT_LOAD`] when fewer threads than this wait for work in all children
    /// that accept connections, taken together.
    pub idle_low: u32,
    /// The parent hears [`EVENT_LOAD`] when more threads than this do.
    pub idle_high: u32,
}

/// Configuration value: text.
pub const VALUE_TEXT: u32 = 0;
/// Configuration value: integer, or nanoseconds for a time.
pub const VALUE_INT: u32 = 1;

/// Configuration key: ServerRoot, an absolute path (text).
pub const CONFIG_SERVER_ROOT: u32 = 1;
/// Configuration key: PidFile, an absolute path, empty = none (text).
pub const CONFIG_PID_FILE: u32 = 2;
/// Configuration key: Timeout in nanoseconds.
pub const CONFIG_TIMEOUT: u32 = 3;
/// Configuration key: KeepAliveTimeout in nanoseconds.
pub const CONFIG_KEEP_ALIVE_TIMEOUT: u32 = 4;
/// Configuration key: 1 if the server runs as one process (`-X`).
pub const CONFIG_ONE_PROCESS: u32 = 5;

/// Configuration key: GracefulRestartTimeout in nanoseconds, 0 = for ever: how long a child may take to
/// finish what it holds.
pub const CONFIG_GRACEFUL_RESTART_TIMEOUT: u32 = 6;
/// Configuration key: GracefulShutdownTimeout in nanoseconds, 0 = for ever.
pub const CONFIG_GRACEFUL_SHUTDOWN_TIMEOUT: u32 = 7;
/// Configuration key: MaxConnectionsPerChild, 0 = no limit. The host counts: see `requests_left`.
pub const CONFIG_MAX_CONNECTIONS_PER_CHILD: u32 = 8;
/// Configuration key: ThreadStackSize in bytes, 0 = the system's. The host uses it for threads that are
/// started with a stack of 0.
pub const CONFIG_THREAD_STACK_SIZE: u32 = 9;
/// Configuration key: ListenBacklog.
pub const CONFIG_LISTEN_BACKLOG: u32 = 10;

/// A value of the server's configuration. Allocated by the caller.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "layout-check", derive(StableAbi))]
pub struct ConfigValue {
    /// Size of this struct as the caller knows it.
    pub struct_size: u32,
    /// `VALUE_…`.
    pub kind: u32,
    /// The number, for [`VALUE_INT`].
    pub value: i64,
    /// The text, for [`VALUE_TEXT`]; host-owned, lives as long as the process.
    pub text: Str,
}

/// Room for any socket address.
pub const ADDR_LEN: usize = 128;

/// A listening socket. Allocated by the caller.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "layout-check", derive(StableAbi))]
pub struct Listener {
    /// Size of this struct as the caller knows it.
    pub struct_size: u32,
    /// Listener bucket the socket belongs to; 0 = shared by all children.
    pub bucket: u32,
    /// Bound, listening, non-blocking. Owned by the host: watch it, never close it.
    pub fd: Fd,
    /// Bytes used in `addr`.
    pub addr_len: u32,
    /// Bytes used in `protocol`.
    pub protocol_len: u32,
    /// Protocol hint (`http`, `https`).
    pub protocol: [c_char; 16],
    /// Address as the platform's `struct sockaddr` holds it.
    pub addr: [u8; ADDR_LEN],
}

/// Accept flag: the new descriptor blocks, for `drive_blocking`. Without it, it is non-blocking.
pub const ACCEPT_BLOCKING: u32 = 1 << 0;

/// A connection just accepted. Allocated by the caller.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "layout-check", derive(StableAbi))]
pub struct Accepted {
    /// Size of this struct as the caller knows it.
    pub struct_size: u32,
    /// Bytes used in `addr`.
    pub addr_len: u32,
    /// The new descriptor, owned by the caller until `conn_create` takes it.
    pub fd: Fd,
    /// When it was accepted.
    pub accepted_ns: u64,
    /// With `E_AGAIN`: leave this listener alone until then (descriptors or memory ran out);
    /// 0 = simply wait for the listener.
    pub retry_ns: u64,
    /// Peer address as the platform's `struct sockaddr` holds it.
    pub addr: [u8; ADDR_LEN],
}

/// What `conn_create` is told about a new connection.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "layout-check", derive(StableAbi))]
pub struct ConnInfo {
    /// Size of this struct as the caller knows it.
    pub struct_size: u32,
    /// Index of the listener it came from.
    pub listener: u32,
    /// The connection's descriptor. Taken on success, left with the caller on error.
    pub fd: Fd,
    /// What the host passes to `wake`. Slot and generation, so that a late wake finds nothing.
    pub token: u64,
    /// When it was accepted.
    pub accepted_ns: u64,
    /// Peer address as the platform's `struct sockaddr` holds it.
    pub peer: *const u8,
    /// Local address likewise; NULL = the host asks the descriptor when it needs to know.
    pub local: *const u8,
    /// Bytes in `peer`.
    pub peer_len: u32,
    /// Bytes in `local`.
    pub local_len: u32,
    /// Slot of the child.
    pub slot: u32,
    /// Number of the thread within the child, from 0.
    pub thread: u32,
}

/// Body of a thread made by `thread_spawn`.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "layout-check", derive(StableAbi))]
pub struct ThreadFn(pub Option<unsafe extern "C" fn(arg: *mut core::ffi::c_void)>);

/// A job for `offload`; called exactly once unless it was refused.
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "layout-check", derive(StableAbi))]
pub struct JobFn(pub Option<unsafe extern "C" fn(arg: *mut core::ffi::c_void)>);

/// Receives one line of status text; the marked exception to "no call back on the same stack".
#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "layout-check", derive(StableAbi))]
pub struct SinkFn(
    pub Option<unsafe extern "C" fn(line: *const c_char, len: usize, ctx: *mut core::ffi::c_void)>,
);
