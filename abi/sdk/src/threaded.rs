//! What MPMs whose children have several threads (worker, event) share: their directives, and how
//! these are adjusted to each other.

use std::fmt;
use std::os::fd::BorrowedFd;

use mpm_abi::Directive;
use mpm_abi::mpm::{
    QUERY_HARD_LIMIT_DAEMONS, QUERY_HARD_LIMIT_THREADS, QUERY_IS_ASYNC, QUERY_IS_FORKED,
    QUERY_IS_THREADED, QUERY_MAX_DAEMONS, QUERY_MAX_REQUEST_WORKERS, QUERY_MAX_THREADS,
    QUERY_START_SERVERS,
};

use crate::declare::{int, old_name};
use crate::error::Error;
use crate::host::{Child, ChildEvent};
use crate::limits::{Bound, at_least_one, bounded};
use crate::mpm::{DirectiveCall, Plan};
use crate::pool::Limits;
use crate::signal::wait_either;

const START_SERVERS: u32 = 1;
const SERVER_LIMIT: u32 = 2;
const THREAD_LIMIT: u32 = 3;
const THREADS_PER_CHILD: u32 = 4;
const MAX_REQUEST_WORKERS: u32 = 5;

const WORKERS: Directive =
    int(c"MaxRequestWorkers", c"most requests served at a time", c"400", MAX_REQUEST_WORKERS);

/// Their directives, for [`declare_mpm!`](crate::declare_mpm).
pub const DIRECTIVES: &[Directive] = &[
    int(c"StartServers", c"processes started at first", c"3", START_SERVERS),
    int(c"ServerLimit", c"most processes there may be", c"16", SERVER_LIMIT),
    int(c"ThreadLimit", c"most threads a process may have", c"64", THREAD_LIMIT),
    int(c"ThreadsPerChild", c"threads a process has", c"25", THREADS_PER_CHILD),
    WORKERS,
    old_name(WORKERS, c"MaxClients"),
];

/// Processes and threads of an MPM whose children have several threads (worker, event), with
/// httpd's defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threaded {
    /// StartServers.
    pub start_servers: i64,
    /// ServerLimit.
    pub server_limit: i64,
    /// ThreadLimit.
    pub thread_limit: i64,
    /// ThreadsPerChild.
    pub threads_per_child: i64,
    /// MaxRequestWorkers.
    pub max_request_workers: i64,
}

impl Default for Threaded {
    fn default() -> Self {
        Self {
            start_servers: 3,
            server_limit: 16,
            thread_limit: 64,
            threads_per_child: 25,
            max_request_workers: 400,
        }
    }
}

/// Most processes ServerLimit may ask for (httpd's compile-time limit).
const SERVER_LIMIT_MAX: i64 = 20_000;

/// Number of a message of httpd. Its event and worker have these messages in the same order, each
/// from a first number of its own.
#[derive(Clone, Copy)]
struct Code(u32);

impl Code {
    fn plus(self, n: u32) -> Self {
        Self(self.0 + n)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AH{:05}", self.0)
    }
}

impl Threaded {
    /// Adjusts the numbers to each other, in httpd's order. `thread_limit_max` is the MPM's own, and
    /// so is `first_code`: what it says about ServerLimit has the number `AH00497` in httpd's event.
    pub fn check(&mut self, thread_limit_max: i64, first_code: u32) {
        let first = Code(first_code);
        let servers = Bound::compiled(SERVER_LIMIT_MAX, "servers");
        bounded(first, "ServerLimit", &mut self.server_limit, servers);
        at_least_one(first.plus(2), "ServerLimit", &mut self.server_limit);
        let threads = Bound::compiled(thread_limit_max, "threads");
        bounded(first.plus(5), "ThreadLimit", &mut self.thread_limit, threads);
        at_least_one(first.plus(7), "ThreadLimit", &mut self.thread_limit);
        let threads = Bound::directive(self.thread_limit, "ThreadLimit", "threads");
        bounded(first.plus(10), "ThreadsPerChild", &mut self.threads_per_child, threads);
        at_least_one(first.plus(12), "ThreadsPerChild", &mut self.threads_per_child);
        self.check_workers(first);
        at_least_one(first.plus(20), "StartServers", &mut self.start_servers);
    }

    /// MaxRequestWorkers: whole processes, no more than ServerLimit.
    fn check_workers(&mut self, first: Code) {
        let (threads, servers) = (self.threads_per_child, self.server_limit);
        let workers = &mut self.max_request_workers;
        if *workers < threads {
            log::warn!(
                "{}: MaxRequestWorkers of {workers} is less than ThreadsPerChild of {threads}, \
                 increasing to {threads}. MaxRequestWorkers must be at least as large as the number \
                 of threads in a single server.",
                first.plus(14)
            );
            *workers = threads;
        }
        if *workers % threads != 0 {
            let whole = *workers / threads * threads;
            log::warn!(
                "{}: MaxRequestWorkers of {workers} is not an integer multiple of ThreadsPerChild of \
                 {threads}, decreasing to nearest multiple {whole}, for a maximum of {} servers.",
                first.plus(16),
                whole / threads
            );
            *workers = whole;
        }
        if *workers / threads > servers {
            let all = servers * threads;
            log::warn!(
                "{}: MaxRequestWorkers of {workers} would require {} servers and would exceed \
                 ServerLimit of {servers}, decreasing to {all}. To increase, please see the \
                 ServerLimit directive.",
                first.plus(18),
                *workers / threads
            );
            *workers = all;
        }
    }

    /// Takes one of [`DIRECTIVES`].
    ///
    /// # Errors
    /// It is another one.
    pub fn directive(&mut self, call: &DirectiveCall<'_>) -> Result<(), Error> {
        let place = match call.id {
            START_SERVERS => &mut self.start_servers,
            SERVER_LIMIT => &mut self.server_limit,
            THREAD_LIMIT => &mut self.thread_limit,
            THREADS_PER_CHILD => &mut self.threads_per_child,
            MAX_REQUEST_WORKERS => &mut self.max_request_workers,
            _ => return Err(Error::config("not a directive of this MPM")),
        };
        *place = call.value;
        Ok(())
    }

    /// What the host is told.
    pub fn plan(&self) -> Plan {
        let threads_per_child = self.threads();
        let max_children = self.max_children();
        Plan { max_children, threads_per_child, idle_low: 1, idle_high: threads_per_child }
    }

    /// What the pool of children is told.
    pub fn limits(&self) -> Limits {
        Limits { start: self.start(), max: self.max_children() }
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
            QUERY_MAX_DAEMONS => i64::from(self.max_children()),
            QUERY_MAX_REQUEST_WORKERS => self.max_request_workers,
            QUERY_START_SERVERS => self.start_servers,
            _ => return None,
        })
    }

    fn max_children(&self) -> u32 {
        u32::try_from(self.max_request_workers / self.threads_per_child).unwrap_or(1).max(1)
    }

    /// Threads of a process that serve.
    pub fn threads(&self) -> u32 {
        u32::try_from(self.threads_per_child).unwrap_or(1)
    }

    fn start(&self) -> u32 {
        u32::try_from(self.start_servers).unwrap_or(1)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(change: impl FnOnce(&mut Threaded)) -> Threaded {
        let mut numbers = Threaded::default();
        change(&mut numbers);
        numbers.check(100_000, 497);
        numbers
    }

    #[test]
    fn defaults_fit_each_other() {
        assert_eq!(checked(|_| {}), Threaded::default());
        assert_eq!(Threaded::default().max_children(), 16);
    }

    #[test]
    fn adjusted_in_order() {
        let numbers = checked(|n| (n.server_limit, n.start_servers) = (0, -3));
        assert_eq!((numbers.server_limit, numbers.start_servers), (1, 1));
        assert_eq!(numbers.max_request_workers, 25, "one server of 25 threads");
        assert_eq!(checked(|n| n.server_limit = 1 << 40).server_limit, SERVER_LIMIT_MAX);
        assert_eq!(checked(|n| n.threads_per_child = 100).threads_per_child, 64);
        assert_eq!(checked(|n| n.threads_per_child = 0).threads_per_child, 1);
        assert_eq!(checked(|n| n.max_request_workers = 3).max_request_workers, 25);
        assert_eq!(checked(|n| n.max_request_workers = 60).max_request_workers, 50);
        assert_eq!(checked(|n| n.max_request_workers = 500).max_request_workers, 400);
    }

    /// The trap of httpd-mpm.md section 1.2: after clamping, the totals agree.
    #[test]
    fn totals_agree_after_clamping() {
        for servers in -1..20 {
            for threads in -1..70 {
                for workers in (-10..900).step_by(7) {
                    let numbers = checked(|n| {
                        n.server_limit = servers;
                        n.threads_per_child = threads;
                        n.max_request_workers = workers;
                    });
                    let total = i64::from(numbers.max_children()) * numbers.threads_per_child;
                    assert_eq!(total, numbers.max_request_workers);
                    assert!(i64::from(numbers.max_children()) <= numbers.server_limit);
                }
            }
        }
    }
}
