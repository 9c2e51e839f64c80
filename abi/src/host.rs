//! What the host gives an MPM.

use core::ffi::{c_char, c_void};

use crate::scoreboard::Counters;
use crate::types::{
    Accepted, ChildInfo, ConfigValue, Conn, ConnInfo, Event, Fd, Host, Listener, PollOut, Task,
    ThreadFn,
};

#[cfg(feature = "layout-check")]
use abi_stable::StableAbi;

/// Log level: the server cannot be used.
pub const LOG_EMERG: u32 = 0;
/// Log level: action must be taken at once.
pub const LOG_ALERT: u32 = 1;
/// Log level: critical.
pub const LOG_CRIT: u32 = 2;
/// Log level: the administrator must act.
pub const LOG_ERROR: u32 = 3;
/// Log level: something was adapted.
pub const LOG_WARN: u32 = 4;
/// Log level: life cycle.
pub const LOG_NOTICE: u32 = 5;
/// Log level: per connection.
pub const LOG_INFO: u32 = 6;
/// Log level: for developers.
pub const LOG_DEBUG: u32 = 7;
/// Log level: the coarsest trace; `LOG_TRACE1 + 7` is the finest.
pub const LOG_TRACE1: u32 = 8;
/// Log level: the host broke the contract (shown as error).
pub const LOG_HOST_MISBEHAVES: u32 = 32;
/// Log level: the MPM broke the contract (shown as error).
pub const LOG_MPM_MISBEHAVES: u32 = 33;

/// Function table of the host. Grows at the end only; every function takes the `host` given to
/// `create` first. An entry is absent when it is NULL, its capability bit off or `struct_size` too
/// small: test with `MPM_HAS`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "layout-check", derive(StableAbi))]
pub struct HostApi {
    /// Size of this table as the host knows it.
    pub struct_size: u32,
    /// Major version of the contract.
    pub abi_major: u16,
    /// Minor version of the contract.
    pub abi_minor: u16,
    /// `CAP_…` bits.
    pub caps: [u64; 2],
    /// Writes a line to the error log; the host adds time, process and the MPM's name.
    ///
    /// Tags: `any`.
    pub log:
        Option<unsafe extern "C" fn(host: *mut Host, level: u32, msg: *const c_char, len: usize)>,
    /// 1 if a line of this level would be written, else 0. Tags: `any`.
    pub log_enabled: Option<unsafe extern "C" fn(host: *mut Host, level: u32) -> i32>,
    /// Emergency line: one `write`, nothing else. Tags: `AS`.
    pub log_raw: Option<unsafe extern "C" fn(host: *mut Host, msg: *const c_char, len: usize)>,
    /// Monotonic time in nanoseconds. Tags: `any AS`.
    pub now: Option<unsafe extern "C" fn(host: *mut Host) -> u64>,
    /// Host memory, for buffers documented as such; NULL = out of memory. Tags: `any`.
    pub alloc: Option<unsafe extern "C" fn(host: *mut Host, size: usize) -> *mut c_void>,
    /// Resizes host memory. Tags: `any`.
    pub realloc:
        Option<unsafe extern "C" fn(host: *mut Host, ptr: *mut c_void, size: usize) -> *mut c_void>,
    /// Frees host memory. Tags: `any`.
    pub free: Option<unsafe extern "C" fn(host: *mut Host, ptr: *mut c_void)>,
    /// Optional interface by id (`org.example.name/1`), NULL if there is none. Tags: `any`.
    pub get_extension:
        Option<unsafe extern "C" fn(host: *mut Host, id: *const c_char) -> *const c_void>,
    /// Reads a value of the server's configuration (`CONFIG_…`). Tags: `any`, from `config_check`
    /// on. Errors: `E_UNSUPPORTED` for a key it does not know.
    pub config_get:
        Option<unsafe extern "C" fn(host: *mut Host, key: u32, out: *mut ConfigValue) -> i32>,
    /// Number of listening sockets. Tags: `any`, from `prepare` on.
    pub listener_count: Option<unsafe extern "C" fn(host: *mut Host) -> u32>,
    /// Describes a listening socket. Tags: `any`, from `prepare` on. Errors: `E_INVAL` for an index
    /// out of range.
    pub listener_get:
        Option<unsafe extern "C" fn(host: *mut Host, index: u32, out: *mut Listener) -> i32>,
    /// Accepts one connection without waiting. Aborted connections are skipped. Tags: `R`, `B`.
    /// Errors: `E_AGAIN` = none there, or `retry_ns` says until when to leave the listener alone
    /// because descriptors or memory ran out (already logged, rate-limited); `E_INVAL`; `E_SYS`.
    pub accept: Option<
        unsafe extern "C" fn(host: *mut Host, listener: u32, flags: u32, out: *mut Accepted) -> i32,
    >,
    /// Takes the cross-process accept lock. Tags: `B`. NULL in this version.
    pub accept_lock: Option<unsafe extern "C" fn(host: *mut Host) -> i32>,
    /// Gives the accept lock back. Tags: `B`. NULL in this version.
    pub accept_unlock: Option<unsafe extern "C" fn(host: *mut Host) -> i32>,
    /// Makes a child process for `slot`: the only way to do so. In the child the host resets
    /// signals, opens the control channel, calls `after_fork_child`, drops privileges, calls
    /// `child_main` and ends the process. `flags` is 0.
    ///
    /// Slots are this generation's: the children of older ones, which drain, take none and are not
    /// seen. Nothing slows this down: it is for the MPM to wait before it replaces children that fail
    /// again and again.
    ///
    /// Tags: `P` in `run`. Errors: `E_INVAL` (slot out of range), `E_STATE` (slot taken, or threads
    /// exist), `E_SYS` (fork failed).
    pub spawn_child:
        Option<unsafe extern "C" fn(host: *mut Host, slot: u32, flags: u32, pid: *mut i64) -> i32>,
    /// Asks a child to finish what it holds and leave; after `deadline_ns` the host ends it.
    /// Tags: `P` in `run`. Errors: `E_INVAL`, `E_STATE` (no child there).
    pub child_drain:
        Option<unsafe extern "C" fn(host: *mut Host, slot: u32, deadline_ns: u64) -> i32>,
    /// Tells a child to leave at once. Tags: `P` in `run`. Errors: as `child_drain`.
    pub child_stop: Option<unsafe extern "C" fn(host: *mut Host, slot: u32) -> i32>,
    /// Describes the child in a slot. Tags: `P` in `run`. Errors: `E_INVAL`.
    pub child_get:
        Option<unsafe extern "C" fn(host: *mut Host, slot: u32, out: *mut ChildInfo) -> i32>,
    /// Publishes this child's numbers; cheap, call it at every change. `flags` is
    /// `CHILD_ACCEPTING` or 0. Tags: any thread of a child.
    pub child_report: Option<
        unsafe extern "C" fn(host: *mut Host, idle: u32, busy: u32, connections: u32, flags: u32),
    >,
    /// This child can serve. Tags: `C`.
    pub child_ready: Option<unsafe extern "C" fn(host: *mut Host)>,
    /// This child will take no more connections: stop watching the listeners first. The host closes
    /// them in this process (their numbers stay taken, by something else), and `accept` answers
    /// `E_AGAIN`. Tags: `C`.
    pub child_stopping: Option<unsafe extern "C" fn(host: *mut Host)>,
    /// Waits for the next event in the parent, at most `timeout_ns` ([`NEVER`](crate::NEVER) =
    /// until there is one). Tags: `P` in `run`. Errors: `E_SYS`.
    pub reap:
        Option<unsafe extern "C" fn(host: *mut Host, timeout_ns: u64, event: *mut Event) -> i32>,
    /// Descriptor that is readable while `control_next` has something. Owned by the host.
    /// Tags: `C`.
    pub control_fd: Option<unsafe extern "C" fn(host: *mut Host) -> Fd>,
    /// Takes the next event for this child (`EVENT_STOP`, `EVENT_CHILD_DRAIN`). Tags: `C`.
    /// Errors: `E_AGAIN` = nothing pending.
    pub control_next: Option<unsafe extern "C" fn(host: *mut Host, event: *mut Event) -> i32>,
    /// Sets the state of a thread in the scoreboard (`STATE_…`): `thread` from 0, one past
    /// `threads_per_child` is the main thread where that serves too. The host itself sets R, W, K, C
    /// and L while a connection is polled or driven, and afterwards `_`, or G in a child that drains.
    /// Tags: `any` in that process.
    pub slot_set: Option<unsafe extern "C" fn(host: *mut Host, slot: u32, thread: u32, state: u32)>,
    /// Publishes counters of a process in the scoreboard: the host counts connections itself. Tags:
    /// `any` in that process. NULL in this version.
    pub slot_counters:
        Option<unsafe extern "C" fn(host: *mut Host, slot: u32, counters: *const Counters)>,
    /// From here on what the calling thread does is kept in this place of the scoreboard, with the
    /// system's id of the thread. Without it a thread that makes a connection gets the place named in
    /// `ConnInfo`. Tags: the thread itself.
    pub slot_thread_id: Option<unsafe extern "C" fn(host: *mut Host, slot: u32, thread: u32)>,
    /// Starts a thread with guard page, alternate signal stack, name and signal mask. `stack` in
    /// bytes, 0 = ThreadStackSize. `handle` must be joined. Tags: `C`, `W`. Errors: `E_SYS`.
    pub thread_spawn: Option<
        unsafe extern "C" fn(
            host: *mut Host,
            name: *const c_char,
            name_len: usize,
            stack: u64,
            body: ThreadFn,
            arg: *mut c_void,
            handle: *mut u64,
        ) -> i32,
    >,
    /// Waits for a thread to end and frees its handle. Tags: `C`, `W`. Errors: `E_INVAL`,
    /// `E_PANIC` (the thread panicked in the host).
    pub thread_join: Option<unsafe extern "C" fn(host: *mut Host, handle: u64) -> i32>,
    /// Registers the calling thread, made by other means, with a name and the signal mask of
    /// workers. Tags: the thread itself, before any `W`, `R` or `B` call.
    pub thread_attach:
        Option<unsafe extern "C" fn(host: *mut Host, name: *const c_char, name_len: usize) -> i32>,
    /// Takes the registration back. Tags: the thread itself.
    pub thread_detach: Option<unsafe extern "C" fn(host: *mut Host)>,
    /// Makes a connection of an accepted descriptor. Tags: `R`, `B`. Errors: `E_INVAL`, `E_NOMEM`,
    /// `E_SYS`; then the descriptor stays with the caller.
    pub conn_create: Option<
        unsafe extern "C" fn(host: *mut Host, info: *const ConnInfo, conn: *mut *mut Conn) -> i32,
    >,
    /// Runs a connection as far as it goes without waiting and says what it waits for. One call at
    /// a time per connection, from any thread. `events` is `EV_…` bits; a poll for nothing is
    /// legal. An internal failure is logged and answers `DONE`.
    ///
    /// Tags: `R`, or `B` with `EV_MAY_BLOCK`. `!reent`.
    pub conn_poll: Option<
        unsafe extern "C" fn(
            host: *mut Host,
            conn: *mut Conn,
            events: u32,
            now_ns: u64,
            out: *mut PollOut,
        ) -> i32,
    >,
    /// The next poll shall see `EV_STOPPING`. Tags: `any`, while the connection exists.
    pub conn_notify_stop: Option<unsafe extern "C" fn(host: *mut Host, conn: *mut Conn)>,
    /// Closes and frees, in any state. Take the descriptor out of the poller before. Tags: `R`,
    /// `B`, `!reent`.
    pub conn_destroy: Option<unsafe extern "C" fn(host: *mut Host, conn: *mut Conn)>,
    /// Polls a connection until it is `DONE`, waiting on this thread. Destroy it afterwards.
    /// `stop_fd` is a descriptor that becomes readable when the thread shall finish after the
    /// request in progress, -1 = none; it is looked at between waits that do not block in `recv`.
    ///
    /// Tags: `B`. Errors: `E_SYS`.
    pub drive_blocking:
        Option<unsafe extern "C" fn(host: *mut Host, conn: *mut Conn, stop_fd: Fd) -> i32>,
    /// Polls a background state machine. Tags: `R`, `B`. NULL in this version.
    pub task_poll: Option<
        unsafe extern "C" fn(
            host: *mut Host,
            task: *mut Task,
            events: u32,
            now_ns: u64,
            out: *mut PollOut,
        ) -> i32,
    >,
    /// Frees a background state machine. Tags: `R`, `B`. NULL in this version.
    pub task_destroy: Option<unsafe extern "C" fn(host: *mut Host, task: *mut Task)>,
    /// Connections this child may still take (MaxConnectionsPerChild), [`NEVER`](crate::NEVER) = any
    /// number. The host counts what `accept` gives. At 0 the child shall do by itself what it does when
    /// told to drain; more than that are accepted all the same, so that none is lost. Tags: `C`, `W`.
    pub requests_left: Option<unsafe extern "C" fn(host: *mut Host) -> u64>,
    /// Reads bytes kept across generations. Tags: `P`. NULL in this version.
    pub retained_get: Option<
        unsafe extern "C" fn(
            host: *mut Host,
            key: *const c_char,
            buf: *mut u8,
            cap: usize,
            len: *mut usize,
        ) -> i32,
    >,
    /// Keeps bytes across generations. Tags: `P`. NULL in this version.
    pub retained_put: Option<
        unsafe extern "C" fn(
            host: *mut Host,
            key: *const c_char,
            buf: *const u8,
            len: usize,
        ) -> i32,
    >,
    /// Checks that the calling thread may make calls of a kind. Tags: `any`. NULL in this version.
    pub assert_thread: Option<unsafe extern "C" fn(host: *mut Host, kind: u32) -> i32>,
}
