//! What MPMs whose children have several threads (worker, event) share: their directives, and how
//! these are adjusted to each other.

mod check;

use std::os::fd::BorrowedFd;

use mpm_abi::Directive;
use mpm_abi::mpm::{
    QUERY_HARD_LIMIT_DAEMONS, QUERY_HARD_LIMIT_THREADS, QUERY_IS_ASYNC, QUERY_IS_FORKED,
    QUERY_IS_THREADED, QUERY_MAX_DAEMONS, QUERY_MAX_REQUEST_WORKERS, QUERY_MAX_SPARE_THREADS,
    QUERY_MAX_THREADS, QUERY_MIN_SPARE_THREADS, QUERY_START_SERVERS,
};

use crate::declare::{int, old_name};
use crate::error::Error;
use crate::host::{Child, ChildEvent};
use crate::limits::{Setting, count};
use crate::mpm::{DirectiveCall, Plan};
use crate::pool::Limits;
use crate::signal::wait_either;

const START_SERVERS: u32 = 1;
const SERVER_LIMIT: u32 = 2;
const THREAD_LIMIT: u32 = 3;
const THREADS_PER_CHILD: u32 = 4;
const MAX_REQUEST_WORKERS: u32 = 5;
const MIN_SPARE_THREADS: u32 = 6;
const MAX_SPARE_THREADS: u32 = 7;
/// The first number that is free for an MPM's own directives.
pub const FIRST_OWN_ID: u32 = 100;

const WORKERS: Directive =
    int(c"MaxRequestWorkers", c"most requests served at a time", c"400", MAX_REQUEST_WORKERS);

/// Their directives, for [`declare_mpm!`](crate::declare_mpm).
pub const DIRECTIVES: &[Directive] = &[
    int(c"StartServers", c"processes started at first", c"3", START_SERVERS),
    int(c"MinSpareThreads", c"fewest idle threads, in all processes", c"75", MIN_SPARE_THREADS),
    int(c"MaxSpareThreads", c"most idle threads, in all processes", c"250", MAX_SPARE_THREADS),
    int(c"ServerLimit", c"most processes that take connections", c"16", SERVER_LIMIT),
    int(c"ThreadLimit", c"most threads a process may have", c"64", THREAD_LIMIT),
    int(c"ThreadsPerChild", c"threads a process has", c"25", THREADS_PER_CHILD),
    WORKERS,
    old_name(WORKERS, c"MaxClients"),
];

/// [`DIRECTIVES`] and one of the MPM's own.
pub const fn directives_and(own: Directive) -> [Directive; DIRECTIVES.len() + 1] {
    let mut all = [own; DIRECTIVES.len() + 1];
    let mut n = 0;
    while n < DIRECTIVES.len() {
        all[n] = DIRECTIVES[n];
        n += 1;
    }
    all
}

/// Processes and threads of an MPM whose children have several threads (worker, event), with
/// httpd's defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threaded {
    /// StartServers.
    pub start_servers: Setting,
    /// ServerLimit.
    pub server_limit: i64,
    /// ThreadLimit.
    pub thread_limit: i64,
    /// ThreadsPerChild.
    pub threads_per_child: i64,
    /// MaxRequestWorkers.
    pub max_request_workers: i64,
    /// MinSpareThreads.
    pub min_spare_threads: i64,
    /// MaxSpareThreads.
    pub max_spare_threads: Setting,
}

impl Default for Threaded {
    fn default() -> Self {
        Self {
            start_servers: Setting::default_of(3),
            server_limit: 16,
            thread_limit: 64,
            threads_per_child: 25,
            max_request_workers: 400,
            min_spare_threads: 75,
            max_spare_threads: Setting::default_of(250),
        }
    }
}

impl Threaded {
    /// Takes one of [`DIRECTIVES`].
    ///
    /// # Errors
    /// It is another one.
    pub fn directive(&mut self, call: &DirectiveCall<'_>) -> Result<(), Error> {
        let place = match call.id {
            START_SERVERS => self.start_servers.written(),
            SERVER_LIMIT => &mut self.server_limit,
            THREAD_LIMIT => &mut self.thread_limit,
            THREADS_PER_CHILD => &mut self.threads_per_child,
            MAX_REQUEST_WORKERS => &mut self.max_request_workers,
            MIN_SPARE_THREADS => &mut self.min_spare_threads,
            MAX_SPARE_THREADS => self.max_spare_threads.written(),
            _ => return Err(Error::config("not a directive of this MPM")),
        };
        *place = call.value;
        Ok(())
    }

    /// What the host is told.
    pub fn plan(&self) -> Plan {
        self.limits().plan()
    }

    /// What the pool of children is told.
    pub fn limits(&self) -> Limits {
        Limits {
            start: count(self.start_servers.value),
            max: self.max_children(),
            threads: self.threads(),
            min_spare: count(self.min_spare_threads),
            max_spare: count(self.max_spare_threads.value),
        }
    }

    /// Answers `QUERY_…` codes.
    pub fn query(&self, code: u32, is_async: bool) -> Option<i64> {
        Some(match code {
            QUERY_IS_THREADED => 1,
            QUERY_IS_FORKED => 2,
            QUERY_IS_ASYNC => i64::from(is_async),
            QUERY_HARD_LIMIT_DAEMONS => self.server_limit,
            QUERY_HARD_LIMIT_THREADS => self.thread_limit,
            QUERY_MAX_THREADS => self.threads_per_child,
            QUERY_MIN_SPARE_THREADS => self.min_spare_threads,
            QUERY_MAX_SPARE_THREADS => self.max_spare_threads.value,
            QUERY_MAX_DAEMONS => i64::from(self.max_children()),
            QUERY_MAX_REQUEST_WORKERS => self.max_request_workers,
            QUERY_START_SERVERS => self.start_servers.value,
            _ => return None,
        })
    }

    fn max_children(&self) -> u32 {
        count(self.max_request_workers / self.threads_per_child.max(1)).max(1)
    }

    /// Threads of a process that serve.
    pub fn threads(&self) -> u32 {
        count(self.threads_per_child)
    }
}

/// While draining: waits until `done` is readable (`true`) or the child is told to stop (`false`).
///
/// # Errors
/// `E_SYS`: waiting is impossible.
pub fn wait_for_either(done: BorrowedFd<'_>, child: Child) -> Result<bool, Error> {
    let control = child.control()?;
    loop {
        if wait_either(done, control)? {
            return Ok(true);
        }
        if child.control_next() == Some(ChildEvent::Stop) {
            return Ok(false);
        }
    }
}
