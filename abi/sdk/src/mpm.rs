//! What an author of an MPM implements.

use crate::abi::mpm as raw;
use crate::error::Error;
use crate::host::{Child, Host, Parent};

/// A multi-processing module.
///
/// Life cycle: [`create`](Mpm::create), [`directive`](Mpm::directive) for each configured one,
/// [`config_check`](Mpm::config_check), [`prepare`](Mpm::prepare), [`run`](Mpm::run) in the parent
/// and, in each child, [`after_fork_child`](Mpm::after_fork_child) and
/// [`child_main`](Mpm::child_main). Everything before `run` is on one thread; `child_main` may start
/// threads; [`wake`](Mpm::wake) and [`query`](Mpm::query) come from any thread.
pub trait Mpm: Sized + Send + Sync + 'static {
    /// Makes an instance with the defaults. No side effects: it also runs for `-t`.
    ///
    /// # Errors
    /// Ends the start of the server.
    fn create(host: Host) -> Result<Self, Error>;

    /// Takes one configured directive, parsed and range-checked, in file order.
    ///
    /// # Errors
    /// Shown to the administrator with file and line.
    fn directive(&mut self, call: &DirectiveCall<'_>) -> Result<(), Error>;

    /// Checks values against each other; what is adjusted is logged as a warning.
    ///
    /// # Errors
    /// Ends the start of the server.
    fn config_check(&mut self) -> Result<(), Error>;

    /// Says how many processes and threads there will be. The listeners are bound.
    ///
    /// # Errors
    /// Ends the start of the server.
    fn prepare(&mut self) -> Result<Plan, Error>;

    /// Body of the parent: starts and replaces children until told to stop.
    ///
    /// # Errors
    /// Stops the server with a non-zero status.
    fn run(&self, parent: &mut Parent) -> Result<Why, Error>;

    /// First thing in a child: reset what a fork must not share.
    fn after_fork_child(&self) {}

    /// Body of a child; returns its exit code (`CHILD_…`).
    fn child_main(&self, child: Child, slot: u32) -> i32;

    /// The connection with this token must be polled. Any thread, any time; a stale token does
    /// nothing; must not poll on the caller's stack.
    fn wake(&self, token: u64);

    /// Answers a property (`QUERY_…`); `None` for a code it does not know.
    fn query(&self, code: u32) -> Option<i64>;
}

/// One configured directive.
#[derive(Clone, Copy, Debug)]
pub struct DirectiveCall<'a> {
    /// The number the MPM gave the directive.
    pub id: u32,
    /// Value of a flag, integer, size, duration (nanoseconds) or the index of an enum.
    pub value: i64,
    /// Value of a fraction.
    pub fraction: f64,
    /// The file it stands in.
    pub file: &'a str,
    /// The line, from 1.
    pub line: u32,
}

/// Processes and threads an MPM is going to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Most processes at a time; slots are numbered from 0.
    pub max_children: u32,
    /// Threads of a process that serve connections.
    pub threads_per_child: u32,
    /// The parent hears when fewer threads than this are idle in all accepting children together.
    pub idle_low: u32,
    /// The parent hears when more threads than this are.
    pub idle_high: u32,
}

/// Why [`Mpm::run`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Told to stop at once.
    Stop,
    /// Told to stop when the requests in progress are finished.
    GracefulStop,
    /// Told to restart, stopping the old children.
    Restart,
    /// Told to restart, draining the old children.
    GracefulRestart,
    /// Cannot go on; already logged.
    Failed,
}

impl Why {
    /// The contract's number.
    pub fn code(self) -> u32 {
        match self {
            Self::Stop => raw::WHY_STOP,
            Self::GracefulStop => raw::WHY_GRACEFUL_STOP,
            Self::Restart => raw::WHY_RESTART,
            Self::GracefulRestart => raw::WHY_GRACEFUL_RESTART,
            Self::Failed => raw::WHY_FAILED,
        }
    }
}
