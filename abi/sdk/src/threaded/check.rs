//! The numbers adjusted to each other, each change with a warning: httpd's, in its order, and those
//! that it makes without a word.

use std::fmt;

use super::Threaded;
use crate::limits::{Bound, at_least_one, at_least_one_spare, at_most, bounded, room_above};

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
        at_least_one(first.plus(20), "StartServers", &mut self.start_servers.value);
        at_least_one_spare(first.plus(22), "MinSpareThreads", &mut self.min_spare_threads);
        let servers = i64::from(self.max_children());
        at_most("StartServers", &mut self.start_servers, servers);
        let (min, threads) = (self.min_spare_threads, self.threads_per_child);
        room_above(
            "MaxSpareThreads",
            &mut self.max_spare_threads,
            min.saturating_add(threads).saturating_add(1),
            format_args!("MinSpareThreads of {min}, ThreadsPerChild of {threads}, and one"),
        );
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
        let numbers = checked(|n| (n.server_limit, n.start_servers.value) = (0, -3));
        assert_eq!((numbers.server_limit, numbers.start_servers.value), (1, 1));
        assert_eq!(numbers.max_request_workers, 25, "one server of 25 threads");
        assert_eq!(checked(|n| n.server_limit = 1 << 40).server_limit, SERVER_LIMIT_MAX);
        assert_eq!(checked(|n| n.threads_per_child = 100).threads_per_child, 64);
        assert_eq!(checked(|n| n.threads_per_child = 0).threads_per_child, 1);
        assert_eq!(checked(|n| n.min_spare_threads = 0).min_spare_threads, 1);
        assert_eq!(checked(|n| n.max_spare_threads.value = 0).max_spare_threads.value, 101);
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
