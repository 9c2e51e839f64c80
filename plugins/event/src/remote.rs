//! How other threads reach the loop: wakes of connections, and connections that come back from a
//! thread that was allowed to block.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use mio::{Registry, Token, Waker};

use crate::offload::Returned;

/// What is waiting for the loop.
#[derive(Default)]
pub(crate) struct Inbox {
    /// Tokens of connections to poll.
    pub(crate) woken: Vec<u64>,
    /// Connections that are back.
    pub(crate) returned: Vec<Returned>,
}

impl Inbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.woken.is_empty() && self.returned.is_empty()
    }
}

/// The loop as other threads see it.
pub(crate) struct Remote {
    inbox: Mutex<Inbox>,
    /// The loop will look into the inbox before it waits again; one signal is enough.
    signalled: AtomicBool,
    waker: Waker,
}

impl Remote {
    pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        Ok(Self {
            inbox: Mutex::default(),
            signalled: AtomicBool::new(false),
            waker: Waker::new(registry, token)?,
        })
    }

    /// Asks the loop to poll a connection. A token that is stale by then finds nothing.
    pub(crate) fn wake(&self, token: u64) {
        self.inbox().woken.push(token);
        self.signal();
    }

    /// Gives a connection back to the loop.
    pub(crate) fn give_back(&self, returned: Returned) {
        self.inbox().returned.push(returned);
        self.signal();
    }

    /// Takes everything that is waiting; `empty` takes its place, so that its memory is used again.
    pub(crate) fn take(&self, empty: &mut Inbox) {
        // Before the inbox is emptied: what comes later signals again.
        self.signalled.store(false, Ordering::SeqCst);
        std::mem::swap(&mut *self.inbox(), empty);
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signal(&self) {
        if self.signalled.swap(true, Ordering::SeqCst) {
            return;
        }
        if let Err(error) = self.waker.wake() {
            log::error!("the event loop cannot be woken: {error}");
        }
    }
}
