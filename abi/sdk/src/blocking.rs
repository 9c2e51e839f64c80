//! Serving with a thread per connection: the loop that prefork and worker share.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};
use std::sync::{Condvar, Mutex, PoisonError};

use mpm_abi::scoreboard::{STATE_GRACEFUL, STATE_READY};

use crate::error::Error;
use crate::host::Child;
use crate::listeners::{ListenerWait, Ready};
use crate::signal::{StopSignal, is_readable};

/// How many threads of a child serve, how many of them are busy, and how many wait for connections.
#[derive(Debug)]
pub struct Gauge {
    child: Child,
    threads: u32,
    busy: AtomicU32,
    stopped: AtomicBool,
    waiting: Mutex<u32>,
    nobody_waits: Condvar,
}

impl Gauge {
    /// A gauge for a child that serves with `threads` threads.
    pub fn new(child: Child, threads: u32) -> Self {
        let gauge = Self {
            child,
            threads,
            busy: AtomicU32::new(0),
            stopped: AtomicBool::new(false),
            waiting: Mutex::new(0),
            nobody_waits: Condvar::new(),
        };
        gauge.publish(0);
        gauge
    }

    /// The child accepts no more. The threads have been told to stop: those that wait for connections
    /// may have been woken by one, and take it before this returns.
    pub fn stop_accepting(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while *waiting > 0 {
            waiting = self.nobody_waits.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        drop(waiting);
        self.stopped.store(true, Ordering::Relaxed);
        self.publish(self.busy.load(Ordering::Relaxed));
        self.child.stopping();
    }

    /// Publishes until what was published last is the truth: another thread may have been faster with
    /// a newer number.
    fn publish(&self, mut busy: u32) {
        loop {
            let accepting = !self.stopped.load(Ordering::Relaxed);
            self.child.report(self.threads.saturating_sub(busy), busy, busy, accepting);
            // Published before it is looked at again.
            fence(Ordering::SeqCst);
            let now = self.busy.load(Ordering::Relaxed);
            if now == busy {
                return;
            }
            busy = now;
        }
    }

    fn enter(&self) {
        self.publish(self.busy.fetch_add(1, Ordering::SeqCst) + 1);
    }

    fn leave(&self) {
        self.publish(self.busy.fetch_sub(1, Ordering::SeqCst) - 1);
    }

    /// While the answer lives, the calling thread waits for connections.
    fn wait(&self) -> Waiting<'_> {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Waiting(self)
    }
}

struct Waiting<'a>(&'a Gauge);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting -= 1;
        if *waiting == 0 {
            self.0.nobody_waits.notify_all();
        }
    }
}

/// Where a serving thread stands.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Slot of the child.
    pub slot: u32,
    /// Number of the thread in the child.
    pub thread: u32,
}

/// What ends a thread's serving.
#[derive(Clone, Copy, Debug)]
pub enum Until<'a> {
    /// An order to the child: the thread is the only one and hears orders itself.
    Told,
    /// This signal is raised. The thread raises it itself when the child has had its share of
    /// connections.
    Raised(&'a StopSignal),
}

impl Until<'_> {
    fn is_told(self) -> bool {
        matches!(self, Self::Told)
    }
}

/// Accepts and serves one connection after the other, until told otherwise or until the child has had
/// its share of connections (MaxConnectionsPerChild): then it shall finish what it holds and leave.
///
/// # Errors
/// `E_SYS`: the thread cannot wait or accept any more; the child should leave.
pub fn serve(child: Child, place: Place, until: Until<'_>, gauge: &Gauge) -> Result<(), Error> {
    let stop = match until {
        Until::Told => child.control()?,
        Until::Raised(stop) => stop.as_fd(),
    };
    let serve_one = |accepted| {
        gauge.enter();
        // The token is never used: `drive` serves wakes itself.
        let served = child
            .connection(accepted, 0, place.slot, place.thread)
            .and_then(|mut connection| connection.drive(Some(stop)));
        gauge.leave();
        if let Err(error) = served {
            log::warn!("connection dropped: {error}");
        }
    };
    let mut wait = match ListenerWait::new(child, stop) {
        // A thread that starts while the child drains finds the listeners closed.
        Err(_) if is_readable(stop)? => return Ok(()),
        wait => wait?,
    };
    let is = |state| child.thread_state(place.slot, place.thread, state);
    child.thread_is(place.slot, place.thread);
    is(STATE_READY);
    loop {
        let waiting = gauge.wait();
        match wait.wait()? {
            Ready::Listener(listener) => {
                let accepted = wait.accept(listener)?;
                drop(waiting);
                let is_last = accepted.is_some() && child.requests_left() == 0;
                if let (true, Until::Raised(stop)) = (is_last, until) {
                    // Before it is served, which may take long: the other threads accept no more.
                    stop.raise();
                }
                accepted.map(serve_one);
                if is_last && until.is_told() {
                    return Ok(());
                }
            }
            // What came over the control channel was for the host.
            Ready::Stop(_) if until.is_told() && child.control_next().is_none() => {}
            Ready::Stop(ready) => {
                let last = wait.finish(ready);
                drop(waiting);
                last.map(serve_one);
                is(STATE_GRACEFUL);
                return Ok(());
            }
        }
    }
}
