//! mpm_event: an event loop per process for all its connections, threads only for what blocks.
//!
//! The parent starts `StartServers` children and keeps between `MinSpareThreads` and `MaxSpareThreads`
//! threads idle. The main thread of each runs one loop
//! ([`reactor`]) that accepts, waits for readiness and time, and polls connections; a connection
//! whose next step may block goes to one of `ThreadsPerChild` threads ([`offload`]) for that step.

mod capacity;
mod offload;
mod reactor;
mod remote;
mod table;

use std::sync::{Arc, OnceLock};

use mpm_sdk::abi::mpm::QUERY_ASYNC_FACTOR;
use mpm_sdk::abi::version::{
    CAP_ACCEPT, CAP_CHILDREN, CAP_DRAINS_TO_EAGAIN, CAP_THREADS, FLAG_FORKS, FLAG_GRACEFUL,
    FLAG_POSIX, FLAG_REACTOR, FLAG_THREADS,
};
use mpm_sdk::abi::{CHILD_OK, CHILD_SICK};
use mpm_sdk::declare::float;
use mpm_sdk::pool::{self, Words};
use mpm_sdk::threaded::{DIRECTIVES, FIRST_OWN_ID, Threaded, directives_and};
use mpm_sdk::{Child, DirectiveCall, Error, Host, Mpm, Parent, Plan, Why};

use reactor::Reactor;
use remote::Remote;

/// Most threads ThreadLimit may ask for (httpd's compile-time limit).
const THREAD_LIMIT_MAX: i64 = 100_000;
/// Where httpd begins to number its sentences about numbers that do not fit (`AH00497`).
const FIRST_CODE: u32 = 497;

const ASYNC_FACTOR: u32 = FIRST_OWN_ID;

/// What worker has, and how many connections come on a thread.
const WITH_OWN: [mpm_sdk::abi::Directive; DIRECTIVES.len() + 1] = directives_and(float(
    c"AsyncRequestWorkerFactor",
    c"connections in a request that may come on an idle thread",
    c"2",
    ASYNC_FACTOR,
));

const WORDS: Words = Words {
    min_spare: "MinSpareThreads",
    to_increase: "StartServers, ThreadsPerChild or Min/MaxSpareThreads",
    reached: "AH00484",
    near: "AH10159",
    busy: "AH00486",
    full: "AH03490",
};

/// The MPM, with its directives as configured and then adjusted.
struct Event {
    numbers: Threaded,
    /// AsyncRequestWorkerFactor.
    async_factor: f64,
    /// In a child: how other threads reach its loop.
    remote: OnceLock<Arc<Remote>>,
}

impl Mpm for Event {
    fn create(_: Host) -> Result<Self, Error> {
        Ok(Self { numbers: Threaded::default(), async_factor: 2.0, remote: OnceLock::new() })
    }

    fn directive(&mut self, call: &DirectiveCall<'_>) -> Result<(), Error> {
        if call.id != ASYNC_FACTOR {
            return self.numbers.directive(call);
        }
        if call.fraction <= 0.0 {
            return Err(Error::config(
                "AsyncRequestWorkerFactor argument must be a positive number",
            ));
        }
        self.async_factor = call.fraction;
        Ok(())
    }

    fn config_check(&mut self) -> Result<(), Error> {
        self.numbers.check(THREAD_LIMIT_MAX, FIRST_CODE);
        if self.async_factor < 1.0 {
            log::warn!(
                "GB0509: AsyncRequestWorkerFactor of {} not allowed, increasing to 1.",
                self.async_factor
            );
            self.async_factor = 1.0;
        }
        Ok(())
    }

    fn prepare(&mut self) -> Result<Plan, Error> {
        Ok(self.numbers.plan())
    }

    fn run(&self, parent: &mut Parent) -> Result<Why, Error> {
        pool::run(parent, self.numbers.limits(), &WORDS)
    }

    fn child_main(&self, child: Child, slot: u32) -> i32 {
        let served = Reactor::new(child, slot, self.numbers.threads(), self.async_factor).and_then(
            |mut reactor| {
                let _ = self.remote.set(reactor.remote());
                child.ready();
                reactor.run()
            },
        );
        match served {
            Ok(()) => CHILD_OK,
            Err(error) => {
                log::error!("child in slot {slot} leaves: {error}");
                CHILD_SICK
            }
        }
    }

    fn wake(&self, token: u64) {
        if let Some(remote) = self.remote.get() {
            remote.wake(token);
        }
    }

    fn query(&self, code: u32) -> Option<i64> {
        match code {
            QUERY_ASYNC_FACTOR => Some((self.async_factor * 1000.0) as i64),
            code => self.numbers.query(code, true),
        }
    }
}

mpm_sdk::declare_mpm! {
    symbol: mpm_event_module,
    layout_symbol: mpm_event_module__layout,
    name: c"mpm_event",
    vendor: c"gearbox",
    mpm: Event,
    flags: FLAG_FORKS | FLAG_THREADS | FLAG_REACTOR | FLAG_GRACEFUL | FLAG_POSIX,
    requires: CAP_ACCEPT | CAP_CHILDREN | CAP_DRAINS_TO_EAGAIN | CAP_THREADS,
    directives: &WITH_OWN,
}
