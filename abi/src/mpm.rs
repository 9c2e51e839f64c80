//! What an MPM gives the host.

use core::ffi::{c_char, c_void};

use crate::directive::DirectiveCall;
use crate::host::HostApi;
use crate::types::{Err, Host, Inst, JobFn, Plan, SinkFn, Task};

#[cfg(feature = "layout-check")]
use abi_stable::StableAbi;

/// `run` returns: stopped at once.
pub const WHY_STOP: u32 = 0;
/// `run` returns: stopped after finishing what was held.
pub const WHY_GRACEFUL_STOP: u32 = 1;
/// `run` returns: restart, old children stopped.
pub const WHY_RESTART: u32 = 2;
/// `run` returns: restart, old children draining.
pub const WHY_GRACEFUL_RESTART: u32 = 3;
/// `run` returns: cannot go on; the server ends with a non-zero status.
pub const WHY_FAILED: u32 = 4;

/// Query code: highest slot used, plus 1 (1 to 19 are httpd's `AP_MPMQ_…`).
pub const QUERY_MAX_DAEMON_USED: u32 = 1;
/// Query code: threaded? 0 no, 1 a fixed number of threads, 2 a variable number.
pub const QUERY_IS_THREADED: u32 = 2;
/// Query code: forked? Same scale, of processes.
pub const QUERY_IS_FORKED: u32 = 3;
/// Query code: most processes possible (ServerLimit).
pub const QUERY_HARD_LIMIT_DAEMONS: u32 = 4;
/// Query code: most threads per process possible (ThreadLimit).
pub const QUERY_HARD_LIMIT_THREADS: u32 = 5;
/// Query code: threads per process configured.
pub const QUERY_MAX_THREADS: u32 = 6;
/// Query code: fewest idle processes (MinSpareServers).
pub const QUERY_MIN_SPARE_DAEMONS: u32 = 7;
/// Query code: fewest idle threads (MinSpareThreads).
pub const QUERY_MIN_SPARE_THREADS: u32 = 8;
/// Query code: most idle processes (MaxSpareServers).
pub const QUERY_MAX_SPARE_DAEMONS: u32 = 9;
/// Query code: most idle threads (MaxSpareThreads).
pub const QUERY_MAX_SPARE_THREADS: u32 = 10;
/// Query code: processes configured.
pub const QUERY_MAX_DAEMONS: u32 = 12;
/// Query code: 1 if connections do not hold a thread while they wait.
pub const QUERY_IS_ASYNC: u32 = 14;
/// Query code: most requests served at a time (MaxRequestWorkers).
pub const QUERY_MAX_REQUEST_WORKERS: u32 = 1000;
/// Query code: processes started at first (StartServers).
pub const QUERY_START_SERVERS: u32 = 1001;
/// Query code: AsyncRequestWorkerFactor, in thousandths.
pub const QUERY_ASYNC_FACTOR: u32 = 1002;

/// Function table of an MPM. Grows at the end only.
///
/// *Mandatory* entries are never NULL; *mandatory with FORKS* ones must be given when
/// [`FLAG_FORKS`](crate::version::FLAG_FORKS) is set; the others may be NULL.
///
/// Life cycle: `create`, `directive`…, `config_check`, `prepare`, `run` (in each child:
/// `after_fork_child`, `child_main`), `destroy`. An MPM without `run` is served by one child.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "layout-check", derive(StableAbi))]
pub struct Ops {
    /// Size of this table as the plug-in knows it.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// Makes an instance and stores it in `inst`. `prev` is NULL in 1.0. Keeps `host` and `api`,
    /// which live as long as the process; has no side effects and keeps no threads or descriptors
    /// (it also runs for `-t`).
    ///
    /// Mandatory. Tags: `P pre-fork`. Errors: `E_VERSION`, `E_UNSUPPORTED`, `E_NOMEM` end the start.
    pub create: Option<
        unsafe extern "C" fn(
            host: *mut Host,
            api: *const HostApi,
            prev: *mut Inst,
            inst: *mut *mut Inst,
            err: *mut Err,
        ) -> i32,
    >,
    /// Frees the instance. No connection of it is left.
    ///
    /// Mandatory. Tags: `P` or `C`.
    pub destroy: Option<unsafe extern "C" fn(inst: *mut Inst)>,
    /// Takes one configured directive, in file order.
    ///
    /// Optional without directives. Tags: `P pre-fork`. Errors: `E_CONFIG` with a text; the host
    /// adds file and line.
    pub directive: Option<
        unsafe extern "C" fn(inst: *mut Inst, call: *const DirectiveCall, err: *mut Err) -> i32,
    >,
    /// Checks values against each other; adjusts with a warning through `log`. After it the
    /// configuration does not change.
    ///
    /// Mandatory. Tags: `P pre-fork`. Errors: `E_CONFIG`.
    pub config_check: Option<unsafe extern "C" fn(inst: *mut Inst, err: *mut Err) -> i32>,
    /// Fills in the plan. The listeners are bound.
    ///
    /// Mandatory. Tags: `P pre-fork`. Errors: any, ends the start.
    pub prepare:
        Option<unsafe extern "C" fn(inst: *mut Inst, plan: *mut Plan, err: *mut Err) -> i32>,
    /// Body of the parent: starts children, reaps them, returns on a stop or restart with `why` set
    /// to `WHY_…`. The host stops what is left afterwards. Starts no threads. After a restart that
    /// could not be made it is called again, with the children that are there (`child_get`). Nobody
    /// else replaces a child, or waits before a child is replaced.
    ///
    /// Optional; without it the host forks one child and calls `child_main(0)`. Tags: `P`.
    /// Errors: any = `WHY_FAILED`.
    pub run: Option<unsafe extern "C" fn(inst: *mut Inst, why: *mut u32) -> i32>,
    /// Body of a child; returns its exit code (`CHILD_…`). The host ends the process.
    ///
    /// Mandatory. Tags: `C`, fresh process; threads may be started from here on.
    pub child_main: Option<unsafe extern "C" fn(inst: *mut Inst, slot: u32) -> i32>,
    /// Says that the connection with this token must be polled. Never polls on the caller's stack,
    /// never blocks for long, coalesces. A stale token does nothing. Not called for the connection
    /// that is being polled on the same stack.
    ///
    /// Mandatory. Tags: `any`.
    pub wake: Option<unsafe extern "C" fn(inst: *mut Inst, token: u64)>,
    /// Adopts a background state machine. Optional. Tags: `C`, `any` after start.
    pub task_spawn: Option<
        unsafe extern "C" fn(inst: *mut Inst, task: *mut Task, flags: u32, token: *mut u64) -> i32,
    >,
    /// Runs a blocking job on a pool thread. Optional. Tags: `any`. Errors: `E_AGAIN` = pool full,
    /// the job is not called.
    pub offload: Option<unsafe extern "C" fn(inst: *mut Inst, job: JobFn, arg: *mut c_void) -> i32>,
    /// Answers a property (`QUERY_…`) in `value`. The same answer in parent and children after
    /// `prepare`. In this version the host asks for `QUERY_IS_THREADED` and `QUERY_IS_FORKED`, for
    /// `-V`; these are asked after `config_check`, without `prepare`.
    ///
    /// Mandatory. Tags: `any`. Errors: `E_UNSUPPORTED` for a code it does not know.
    pub query: Option<unsafe extern "C" fn(inst: *mut Inst, code: u32, value: *mut i64) -> i32>,
    /// Gives its status, a line per call of `sink`. Optional. Tags: `any`.
    pub status:
        Option<unsafe extern "C" fn(inst: *mut Inst, sink: SinkFn, ctx: *mut c_void) -> i32>,
    /// Resets what a fork must not share: pollers, locks, random numbers. Optional. Tags: `C`, first
    /// thing in the child.
    pub after_fork_child: Option<unsafe extern "C" fn(inst: *mut Inst)>,
    /// Optional interface by id (`org.example.name/1`), NULL if there is none; valid until
    /// `destroy`. Optional. Tags: `any`.
    pub get_extension:
        Option<unsafe extern "C" fn(inst: *mut Inst, id: *const c_char) -> *const c_void>,
}

impl Ops {
    /// A table with every entry absent.
    pub const fn empty() -> Self {
        Self {
            struct_size: size_of::<Self>() as u32,
            reserved: 0,
            create: None,
            destroy: None,
            directive: None,
            config_check: None,
            prepare: None,
            run: None,
            child_main: None,
            wake: None,
            task_spawn: None,
            offload: None,
            query: None,
            status: None,
            after_fork_child: None,
            get_extension: None,
        }
    }
}
