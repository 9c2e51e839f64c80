//! Driving a connection on a thread of its own: the loop of prefork and worker.
//!
//! Most of its life such a connection waits for the first byte of a request. That wait is one `recv`
//! with a time limit, made here and not inside hyper: it gives readiness and data in one system call,
//! and a child that leaves ends it from outside. Everything else, the rest of a head that has begun
//! included, waits in `poll(2)`, which also sees wakes and the stop descriptor, and is never ended.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::awake::Awake;
use super::{Conn, Events, FRESH_GRACE, NEVER, Outcome, State, Status};
use crate::sys::signals::{self, Interruptible, Wait};
use crate::sys::socket::Mode;
use crate::sys::{clock, socket};

/// Bytes read at a time while waiting for a request.
const READ_LEN: usize = 8 * 1024;

/// A time limit of the socket is only set anew when it is off by more than this.
const LIMIT_STEP: Duration = Duration::from_millis(10);

impl Conn {
    /// Polls until the connection is done, waiting on this thread. `stop`: readable when the thread
    /// shall finish after the request in progress.
    ///
    /// # Errors
    /// Waiting is impossible.
    pub fn drive(&mut self, mut stop: Option<BorrowedFd<'_>>) -> io::Result<()> {
        self.driven = true;
        let mut limit = None;
        // Zeroed once, not for every request.
        let mut buf = [0; READ_LEN];
        let mut seen = 0;
        loop {
            if signals::take_interrupted() {
                (self.env.attend)();
            }
            let events = Events { bits: seen | mpm_abi::EV_MAY_BLOCK };
            let outcome = self.poll(events, clock::now_ns());
            seen = match outcome.status {
                Status::Done => return Ok(()),
                _ if signals::is_stopping() => return Ok(()),
                Status::Yield | Status::NeedsBlocking => 0,
                Status::Pending
                    if self.mode == Mode::Blocking && self.awaits_first_byte(&outcome) =>
                {
                    self.wait_in_recv(&outcome, &mut limit, &mut buf)?
                }
                Status::Pending => self.wait_in_poll(&outcome, &mut stop)?,
            };
        }
    }

    /// Waits for the first bytes of a request and takes them at once.
    fn wait_in_recv(
        &mut self,
        wait: &Outcome,
        limit: &mut Option<Duration>,
        buf: &mut [u8; READ_LEN],
    ) -> io::Result<u32> {
        let mut left = left(wait.deadline_ns);
        if left.is_zero() {
            return Ok(mpm_abi::EV_TIMED_OUT);
        }
        let is_fresh = self.is_fresh();
        let kind = if is_fresh { Wait::FirstRequest } else { Wait::NextRequest };
        if is_fresh {
            // Not ended by an order to leave, so it is to be looked at now and then.
            left = left.min(FRESH_GRACE);
        }
        self.limit_recv(left, limit)?;
        let interruptible = Interruptible::new(self.fd(), kind);
        // From here on a stop ends the wait; one that came before is seen here.
        if signals::is_stopping() || (signals::is_leaving() && !is_fresh) {
            return Ok(mpm_abi::EV_READABLE);
        }
        let result = socket::recv_waiting(self.fd(), buf);
        drop(interruptible);
        match result {
            Ok(0) => Ok(mpm_abi::EV_HANGUP),
            Ok(n) => {
                self.feed(buf.get(..n).unwrap_or_default());
                // A full buffer: there may be more.
                Ok(if n == buf.len() { mpm_abi::EV_READABLE } else { 0 })
            }
            Err(error) => match error.kind() {
                // Whether its time is over the next poll finds out.
                io::ErrorKind::WouldBlock if is_fresh => Ok(0),
                io::ErrorKind::WouldBlock => Ok(mpm_abi::EV_TIMED_OUT),
                io::ErrorKind::Interrupted => Ok(0),
                // The error is the socket's: reading again tells hyper.
                _ => Ok(mpm_abi::EV_HANGUP),
            },
        }
    }

    /// Sets the time limit of `recv`, which stays the same from request to request.
    fn limit_recv(&self, left: Duration, limit: &mut Option<Duration>) -> io::Result<()> {
        let steps = left.as_nanos().div_ceil(LIMIT_STEP.as_nanos());
        let wanted = LIMIT_STEP.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX));
        if *limit != Some(wanted) {
            socket::set_read_timeout(self.fd(), wanted)?;
            *limit = Some(wanted);
        }
        Ok(())
    }

    fn feed(&mut self, bytes: &[u8]) {
        if let State::Awake(awake) = &self.state {
            awake.shared().feed(bytes);
            return;
        }
        let awake = Awake::new(self, bytes, clock::now_ns());
        self.state = State::Awake(Box::new(awake));
    }

    fn wait_in_poll(
        &mut self,
        wait: &Outcome,
        stop: &mut Option<BorrowedFd<'_>>,
    ) -> io::Result<u32> {
        let left = (wait.deadline_ns != NEVER).then(|| left(wait.deadline_ns));
        if left == Some(Duration::ZERO) {
            return Ok(mpm_abi::EV_TIMED_OUT);
        }
        let shared = match &self.state {
            State::Awake(awake) => Some(awake.shared()),
            State::Asleep | State::Linger { .. } | State::Done => None,
        };
        let driver = shared.and_then(|shared| shared.driver());
        // The waker may have been called before its descriptor existed.
        if shared.is_some_and(|shared| shared.take_woken()) {
            return Ok(mpm_abi::EV_WOKEN);
        }
        let others: Vec<BorrowedFd<'_>> = driver.into_iter().chain(*stop).collect();
        let woken = socket::wait(self.fd.as_fd(), wait.read, wait.write, &others, left)?;
        let mut seen = 0;
        for (flag, bit) in [
            (woken.readable, mpm_abi::EV_READABLE),
            (woken.writable, mpm_abi::EV_WRITABLE),
            (woken.hangup, mpm_abi::EV_HANGUP),
        ] {
            seen |= if flag { bit } else { 0 };
        }
        if woken.other {
            if let Some(driver) = driver {
                socket::reset_signal(driver);
            }
            if stop.is_some_and(|stop| self.is_raised(stop)) {
                // It stays readable: once is enough.
                *stop = None;
                self.notify_stop();
            }
            seen |= mpm_abi::EV_WOKEN;
        }
        if seen == 0 && wait.deadline_ns <= clock::now_ns() {
            return Ok(mpm_abi::EV_TIMED_OUT);
        }
        Ok(seen)
    }

    /// Whether a stop descriptor is readable for what is the MPM's to read. It may be the control
    /// channel.
    fn is_raised(&self, stop: BorrowedFd<'_>) -> bool {
        if !socket::is_readable(stop) {
            return false;
        }
        (self.env.attend)();
        socket::is_readable(stop)
    }
}

fn left(deadline_ns: u64) -> Duration {
    Duration::from_nanos(deadline_ns.saturating_sub(clock::now_ns()))
}
