//! A child process: its orders, its reports, its listeners.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use mpm_abi::{
    ACCEPT_BLOCKING, ADDR_LEN, CHILD_ACCEPTING, E_AGAIN, E_UNSUPPORTED, EVENT_CHILD_DRAIN,
    EVENT_STOP, OK,
};

use super::{Host, call, empty_event};
use crate::error::Error;

/// A child process. Any of its threads may use it.
#[derive(Clone, Copy, Debug)]
pub struct Child {
    pub(super) host: Host,
}

/// What a child is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildEvent {
    /// Return from `child_main` now.
    Stop,
    /// Stop accepting, finish what is held, return from `child_main`.
    Drain,
}

/// A listening socket of the host.
#[derive(Clone, Copy, Debug)]
pub struct Listener {
    /// Its index, for [`Child::accept`].
    pub index: u32,
    /// Its descriptor: watch it, never close it.
    pub fd: RawFd,
}

/// A connection just accepted, not yet the host's.
#[derive(Debug)]
pub struct Accepted {
    pub(super) fd: OwnedFd,
    pub(super) listener: u32,
    pub(super) accepted_ns: u64,
    pub(super) addr_len: u32,
    pub(super) addr: [u8; ADDR_LEN],
}

impl Accepted {
    /// Its descriptor.
    pub fn fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// What [`Child::accept`] found.
#[derive(Debug)]
pub enum Readiness {
    /// A connection.
    Accepted(Accepted),
    /// Nothing; wait for the listener.
    Nothing,
    /// Descriptors or memory ran out: leave the listener alone until then (monotonic ns).
    PauseUntil(u64),
}

impl Child {
    pub(crate) fn new(host: Host) -> Self {
        Self { host }
    }

    /// The host.
    pub fn host(&self) -> Host {
        self.host
    }

    /// This child can serve.
    pub fn ready(&self) {
        let _ = call!(&self.host, child_ready);
    }

    /// This child will take no more connections: stop watching the listeners first. The host closes
    /// them in this process; [`Child::accept`] finds nothing from now on.
    pub fn stopping(&self) {
        let _ = call!(&self.host, child_stopping);
    }

    /// Publishes this child's numbers; cheap enough for every change.
    pub fn report(&self, idle: u32, busy: u32, connections: u32, accepting: bool) {
        let flags = if accepting { CHILD_ACCEPTING } else { 0 };
        let _ = call!(&self.host, child_report, idle, busy, connections, flags);
    }

    /// What the calling thread does is kept as that of `thread` from now on; one past ThreadsPerChild
    /// is the main thread, where it serves too.
    pub fn thread_is(&self, slot: u32, thread: u32) {
        let _ = call!(&self.host, slot_thread_id, slot, thread);
    }

    /// Says what a thread does: a state of [`scoreboard`](crate::abi::scoreboard). What happens to
    /// connections the host sees itself.
    pub fn thread_state(&self, slot: u32, thread: u32, state: u32) {
        let _ = call!(&self.host, slot_set, slot, thread, state);
    }

    /// Descriptor that is readable while [`Child::control_next`] has something. Open as long as the
    /// process lives.
    ///
    /// # Errors
    /// `E_STATE`: not in a child.
    pub fn control(&self) -> Result<BorrowedFd<'static>, Error> {
        let fd = call!(&self.host, control_fd).and_then(|fd| RawFd::try_from(fd).ok());
        match fd.filter(|fd| *fd >= 0) {
            // SAFETY: the host's, open as long as the process lives.
            Some(fd) => Ok(unsafe { BorrowedFd::borrow_raw(fd) }),
            None => Err(Error::from_status("control_fd", mpm_abi::E_STATE)),
        }
    }

    /// Takes the next event for this child.
    pub fn control_next(&self) -> Option<ChildEvent> {
        loop {
            let mut event = empty_event();
            if call!(&self.host, control_next, &raw mut event)? != OK {
                return None;
            }
            match event.kind {
                EVENT_STOP => return Some(ChildEvent::Stop),
                EVENT_CHILD_DRAIN => return Some(ChildEvent::Drain),
                _ => {}
            }
        }
    }

    /// The listening sockets.
    pub fn listeners(&self) -> Vec<Listener> {
        self.host.listeners()
    }

    /// How many connections this child may still take (MaxConnectionsPerChild); at 0 it shall finish
    /// what it holds and leave. A host that does not count never says 0.
    pub fn requests_left(&self) -> u64 {
        call!(&self.host, requests_left).unwrap_or(mpm_abi::NEVER)
    }

    /// Accepts one connection from a listener without waiting. `blocking`: the descriptor is for
    /// [`Connection::drive`].
    ///
    /// # Errors
    /// `E_SYS`: the listener is broken.
    pub fn accept(&self, listener: u32, blocking: bool) -> Result<Readiness, Error> {
        let mut out = mpm_abi::Accepted {
            struct_size: size_of::<mpm_abi::Accepted>() as u32,
            addr_len: 0,
            fd: -1,
            accepted_ns: 0,
            retry_ns: 0,
            addr: [0; ADDR_LEN],
        };
        let flags = if blocking { ACCEPT_BLOCKING } else { 0 };
        match call!(&self.host, accept, listener, flags, &raw mut out).unwrap_or(E_UNSUPPORTED) {
            OK => {}
            E_AGAIN if out.retry_ns != 0 => return Ok(Readiness::PauseUntil(out.retry_ns)),
            E_AGAIN => return Ok(Readiness::Nothing),
            status => return Err(Error::from_status("accept", status)),
        }
        let fd =
            RawFd::try_from(out.fd).map_err(|_| Error::from_status("accept", E_UNSUPPORTED))?;
        Ok(Readiness::Accepted(Accepted {
            // SAFETY: on success the descriptor is open and ours.
            fd: unsafe { OwnedFd::from_raw_fd(fd) },
            listener,
            accepted_ns: out.accepted_ns,
            addr_len: out.addr_len,
            addr: out.addr,
        }))
    }
}
