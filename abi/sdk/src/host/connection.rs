//! A connection on the thread that has it.

use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, RawFd};

use mpm_abi::{AuxFd, Conn, ConnInfo, Fd, NEVER, OK, PHASE_HANDSHAKE, PollOut};

use super::{Accepted, Child, Host, call};
use crate::error::Error;

impl Child {
    /// Makes a connection. `token` is what the host passes to `wake`; `thread` the number of the
    /// calling thread in this child.
    ///
    /// # Errors
    /// `E_NOMEM`, `E_SYS`; the descriptor is closed then.
    pub fn connection(
        &self,
        accepted: Accepted,
        token: u64,
        slot: u32,
        thread: u32,
    ) -> Result<Connection, Error> {
        let raw_fd = accepted.fd.as_raw_fd();
        let info = ConnInfo {
            struct_size: size_of::<ConnInfo>() as u32,
            listener: accepted.listener,
            fd: raw_fd as Fd,
            token,
            accepted_ns: accepted.accepted_ns,
            peer: accepted.addr.as_ptr(),
            local: std::ptr::null(),
            peer_len: accepted.addr_len,
            local_len: 0,
            slot,
            thread,
        };
        let mut conn = std::ptr::null_mut();
        let status = call!(&self.host, conn_create, &raw const info, &raw mut conn);
        self.host.status("conn_create", status)?;
        let _ = accepted.fd.into_raw_fd(); // the host's now
        Ok(Connection { host: self.host, conn, fd: raw_fd })
    }
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Interest, auxiliary descriptors, the deadline or a wake.
    Pending,
    /// Still runnable: poll again soon.
    Yield,
    /// The next step may block.
    NeedsBlocking,
    /// Finished: drop it.
    Done,
    /// The descriptor was given away: stop watching it, then drop the connection.
    Detached,
}

/// Answer of [`Connection::poll`].
#[derive(Clone, Copy, Debug)]
pub struct Poll<'a> {
    /// What to do with it.
    pub status: Status,
    /// `READ` and `WRITE` bits for its own descriptor.
    pub interest: u32,
    /// `PHASE_…`.
    pub phase: u32,
    /// When to poll with `EV_TIMED_OUT`, [`NEVER`](crate::abi::NEVER) = no deadline.
    pub deadline_ns: u64,
    /// Other descriptors it waits for; the host owns them.
    pub aux: &'a [AuxFd],
}

/// A connection of the host; dropping it closes it.
#[derive(Debug)]
pub struct Connection {
    host: Host,
    conn: *mut Conn,
    fd: RawFd,
}

// SAFETY: the contract lets a connection move between threads, one at a time.
unsafe impl Send for Connection {}

impl Connection {
    /// Its descriptor: watch it, never close it.
    pub fn fd(&self) -> RawFd {
        self.fd
    }

    /// Runs it as far as it goes without waiting. `events` is `EV_…` bits.
    pub fn poll(&mut self, events: u32, now_ns: u64) -> Poll<'_> {
        let mut out = PollOut {
            struct_size: size_of::<PollOut>() as u32,
            status: mpm_abi::DONE,
            interest: 0,
            phase: PHASE_HANDSHAKE,
            deadline_ns: NEVER,
            aux: std::ptr::null(),
            naux: 0,
            want_budget: 0,
        };
        let answer = call!(&self.host, conn_poll, self.conn, events, now_ns, &raw mut out);
        let aux = if out.naux == 0 || out.aux.is_null() {
            &[]
        } else {
            // SAFETY: the host gives `naux` elements, valid until the next call on this
            // connection, which needs `&mut self` and so ends the borrow.
            unsafe { std::slice::from_raw_parts(out.aux, out.naux as usize) }
        };
        let status = match out.status {
            _ if answer != Some(OK) => Status::Done,
            mpm_abi::PENDING => Status::Pending,
            mpm_abi::YIELD => Status::Yield,
            mpm_abi::NEEDS_BLOCKING => Status::NeedsBlocking,
            mpm_abi::DETACHED => Status::Detached,
            _ => Status::Done,
        };
        let PollOut { interest, phase, deadline_ns, .. } = out;
        Poll { status, interest, phase, deadline_ns, aux }
    }

    /// Polls it until it is done, waiting on this thread. `stop` becomes readable when the thread
    /// shall finish after the request in progress.
    ///
    /// # Errors
    /// `E_SYS`: waiting is impossible.
    pub fn drive(&mut self, stop: Option<BorrowedFd<'_>>) -> Result<(), Error> {
        let stop = stop.map_or(-1, |fd| fd.as_raw_fd() as Fd);
        let status = call!(&self.host, drive_blocking, self.conn, stop);
        self.host.status("drive_blocking", status)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let _ = call!(&self.host, conn_destroy, self.conn);
    }
}
