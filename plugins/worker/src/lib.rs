//! mpm_worker: a thread per connection, in several processes.
//!
//! The parent starts `StartServers` children and keeps between `MinSpareThreads` and `MaxSpareThreads`
//! threads idle. Each child has `ThreadsPerChild` threads; each of these accepts a connection itself,
//! serves it to its end, and accepts the next: what cannot be served stays in the kernel's queue, where
//! another process may take it.

use std::os::fd::AsFd;
use std::sync::Arc;

use mpm_sdk::abi::version::{
    CAP_ACCEPT, CAP_CHILDREN, CAP_DRIVE_BLOCKING, CAP_THREADS, FLAG_BLOCKING_ONLY, FLAG_FORKS,
    FLAG_GRACEFUL, FLAG_POSIX, FLAG_THREADS,
};
use mpm_sdk::abi::{CHILD_OK, CHILD_SICK, E_SYS};
use mpm_sdk::blocking::{self, Gauge, Place, Until};
use mpm_sdk::pool::{self, Words};
use mpm_sdk::signal::{StopSignal, wait_either};
use mpm_sdk::threaded::{DIRECTIVES, Threaded, wait_for_either};
use mpm_sdk::{Child, ChildEvent, DirectiveCall, Error, Host, Mpm, Parent, Plan, Thread, Why};

/// Most threads ThreadLimit may ask for (httpd's compile-time limit).
const THREAD_LIMIT_MAX: i64 = 20_000;
/// Where httpd begins to number its sentences about numbers that do not fit (`AH00300`).
const FIRST_CODE: u32 = 300;

const WORDS: Words = Words {
    min_spare: "MinSpareThreads",
    to_increase: "StartServers, ThreadsPerChild or Min/MaxSpareThreads",
    reached: "AH00286",
    near: "AH00287",
    busy: "AH00289",
    full: "AH00288",
};

/// The MPM, with its directives as configured and then adjusted.
struct Worker {
    numbers: Threaded,
}

impl Mpm for Worker {
    fn create(_: Host) -> Result<Self, Error> {
        Ok(Self { numbers: Threaded::default() })
    }

    fn directive(&mut self, call: &DirectiveCall<'_>) -> Result<(), Error> {
        self.numbers.directive(call)
    }

    fn config_check(&mut self) -> Result<(), Error> {
        self.numbers.check(THREAD_LIMIT_MAX, FIRST_CODE);
        Ok(())
    }

    fn prepare(&mut self) -> Result<Plan, Error> {
        Ok(self.numbers.plan())
    }

    fn run(&self, parent: &mut Parent) -> Result<Why, Error> {
        pool::run(parent, self.numbers.limits(), &WORDS)
    }

    fn child_main(&self, child: Child, slot: u32) -> i32 {
        match serve(child, slot, self.numbers.threads()) {
            Ok(()) => CHILD_OK,
            Err(error) => {
                log::error!("child in slot {slot} leaves: {error}");
                CHILD_SICK
            }
        }
    }

    /// Nothing: while a connection is driven, the host itself wakes it.
    fn wake(&self, _: u64) {}

    fn query(&self, code: u32) -> Option<i64> {
        self.numbers.query(code, false)
    }
}

/// Held by each thread. Threads end when they are told to: if one ends before, however, it tells the
/// others, and the child leaves. With fewer threads than planned it would serve less and less.
struct Together(Arc<StopSignal>);

impl Drop for Together {
    fn drop(&mut self) {
        self.0.raise();
    }
}

/// Body of a child: starts the threads, then waits for orders.
fn serve(child: Child, slot: u32, threads: u32) -> Result<(), Error> {
    let control = child.control()?;
    let stop = Arc::new(StopSignal::new()?);
    let gauge = Arc::new(Gauge::new(child, threads));
    let mut pool = Vec::new();
    for thread in 0..threads {
        let place = Place { slot, thread };
        let (stop, gauge) = (Arc::clone(&stop), Arc::clone(&gauge));
        pool.push(child.spawn(&format!("worker-{thread}"), 0, move || {
            let together = Together(stop);
            let until = Until::Raised(&together.0);
            if let Err(error) = blocking::serve(child, place, until, &gauge) {
                log::error!("thread {thread} of slot {slot} ends: {error}");
            }
        })?);
    }
    child.ready();
    let is_sick = loop {
        if wait_either(stop.as_fd(), control)? {
            // Or the child has had its share of connections.
            break child.requests_left() > 0;
        }
        match child.control_next() {
            None => {}
            // The host ends the process, and with it what the threads hold.
            Some(ChildEvent::Stop) => return Ok(()),
            Some(ChildEvent::Drain) => break false,
        }
    };
    stop.raise();
    gauge.stop_accepting();
    drain(child, pool)?;
    if is_sick { Err(Error::new(E_SYS, "a thread ended")) } else { Ok(()) }
}

/// Lets the threads finish what they hold; an order to stop ends that.
fn drain(child: Child, pool: Vec<Thread>) -> Result<(), Error> {
    let done = Arc::new(StopSignal::new()?);
    let all = Arc::clone(&done);
    // Joining waits, and so does listening for orders: one of the two needs a thread.
    let joiner = child.spawn("worker-join", 0, move || {
        pool.into_iter().for_each(Thread::join);
        all.raise();
    })?;
    if wait_for_either(done.as_fd(), child)? {
        joiner.join();
    }
    Ok(())
}

mpm_sdk::declare_mpm! {
    symbol: mpm_worker_module,
    layout_symbol: mpm_worker_module__layout,
    name: c"mpm_worker",
    vendor: c"gearbox",
    mpm: Worker,
    flags: FLAG_FORKS | FLAG_THREADS | FLAG_BLOCKING_ONLY | FLAG_GRACEFUL | FLAG_POSIX,
    requires: CAP_ACCEPT | CAP_DRIVE_BLOCKING | CAP_CHILDREN | CAP_THREADS,
    directives: DIRECTIVES,
}
