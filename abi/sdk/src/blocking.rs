//! Serving with a thread per connection: the loop that prefork and worker share.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::Error;
use crate::host::Child;
use crate::listeners::{ListenerWait, Ready};

/// How many threads of a child serve, and how many of them are busy.
#[derive(Debug)]
pub struct Gauge {
    child: Child,
    threads: u32,
    busy: AtomicU32,
}

impl Gauge {
    /// A gauge for a child that serves with `threads` threads.
    pub fn new(child: Child, threads: u32) -> Self {
        let gauge = Self { child, threads, busy: AtomicU32::new(0) };
        gauge.publish(0, true);
        gauge
    }

    /// The child accepts no more.
    pub fn stop_accepting(&self) {
        self.publish(self.busy.load(Ordering::Relaxed), false);
        self.child.stopping();
    }

    fn publish(&self, busy: u32, accepting: bool) {
        self.child.report(self.threads.saturating_sub(busy), busy, busy, accepting);
    }

    fn enter(&self) {
        self.publish(self.busy.fetch_add(1, Ordering::Relaxed) + 1, true);
    }

    fn leave(&self) {
        self.publish(self.busy.fetch_sub(1, Ordering::Relaxed) - 1, true);
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

/// Accepts and serves one connection after the other, until `stop` is readable.
///
/// # Errors
/// `E_SYS`: the thread cannot wait or accept any more; the child should leave.
pub fn serve(child: Child, place: Place, stop: BorrowedFd<'_>, gauge: &Gauge) -> Result<(), Error> {
    let mut wait = ListenerWait::new(child, stop)?;
    loop {
        let listener = match wait.wait()? {
            Ready::Stop => return Ok(()),
            Ready::Listener(listener) => listener,
        };
        let Some(accepted) = wait.accept(listener)? else {
            continue;
        };
        gauge.enter();
        // The token is never used: `drive` serves wakes itself.
        let served = child
            .connection(accepted, 0, place.slot, place.thread)
            .and_then(|mut connection| connection.drive(Some(stop)));
        gauge.leave();
        if let Err(error) = served {
            log::warn!("connection dropped: {error}");
        }
    }
}
