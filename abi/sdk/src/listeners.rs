//! Waiting for listeners so that a connection wakes one thread of one process.
//!
//! `EPOLLEXCLUSIVE` on the listening socket does it, as long as the thread sleeps in that very
//! epoll: nested in another one it wakes every process (the kernel counts a wake-up as taken only
//! if somebody sleeps in `epoll_wait` on the descriptor that carries the flag).

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use crate::error::Error;
use crate::host::{Child, Listener, Readiness};

/// Watches `listener` in `epoll` (level-triggered, readable, one waiter woken) under `data`.
///
/// # Errors
/// `E_SYS`: out of memory or watches.
pub fn watch_exclusive(epoll: &impl AsRawFd, listener: RawFd, data: u64) -> Result<(), Error> {
    watch(epoll, listener, (libc::EPOLLIN | libc::EPOLLEXCLUSIVE) as u32, data)
}

fn watch(epoll: &impl AsRawFd, fd: RawFd, events: u32, data: u64) -> Result<(), Error> {
    let mut event = libc::epoll_event { events, u64: data };
    // SAFETY: `event` is valid during the call.
    let added =
        unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &raw mut event) };
    if added < 0 { Err(Error::last_os("epoll_ctl")) } else { Ok(()) }
}

/// Stops watching `fd`.
pub fn unwatch(epoll: &impl AsRawFd, fd: RawFd) {
    // SAFETY: no event is read for a removal. Failure means that it is not there: what is wanted.
    unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_DEL, fd, std::ptr::null_mut()) };
}

/// How many connections wait for `accept` at a listener; 0 where the system does not say.
pub(crate) fn backlog(listener: RawFd) -> u32 {
    let mut info = std::mem::MaybeUninit::<libc::tcp_info>::zeroed();
    let mut len = size_of::<libc::tcp_info>() as libc::socklen_t;
    let level = libc::IPPROTO_TCP;
    // SAFETY: `len` bytes of `info` are writable; a descriptor that is no listener answers an error.
    let got = unsafe {
        libc::getsockopt(listener, level, libc::TCP_INFO, info.as_mut_ptr().cast(), &raw mut len)
    };
    if got < 0 {
        return 0;
    }
    // SAFETY: zero, then written to by the kernel; all bit patterns are valid.
    let info = unsafe { info.assume_init() };
    // For a listener the kernel puts the length of its queue here (tcp_get_info).
    info.tcpi_unacked
}

/// How many descriptors this process may have; `u32::MAX` where the system does not say.
pub fn descriptor_limit() -> u32 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the struct is writable.
    let got = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    if got < 0 { u32::MAX } else { u32::try_from(limit.rlim_cur).unwrap_or(u32::MAX) }
}

/// What a thread waited for.
#[derive(Debug)]
pub enum Ready {
    /// Take this listener's connection with [`ListenerWait::accept`].
    Listener(Listener),
    /// The stop descriptor is readable. This listener may be, too: it is for
    /// [`ListenerWait::finish`].
    Stop(Option<Listener>),
}

/// One thread's wait for all listeners and a stop descriptor.
#[derive(Debug)]
pub struct ListenerWait {
    child: Child,
    epoll: OwnedFd,
    listeners: Vec<Listener>,
    /// Listeners are not watched before this time (monotonic ns): descriptors ran out.
    paused_until: Option<u64>,
}

/// `data` of the stop descriptor; listeners have their index.
const STOP: u64 = u64::MAX;

impl ListenerWait {
    /// Watches all listeners and `stop`.
    ///
    /// # Errors
    /// `E_SYS`: out of descriptors.
    pub fn new(child: Child, stop: BorrowedFd<'_>) -> Result<Self, Error> {
        // SAFETY: takes no pointers.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(Error::last_os("epoll_create1"));
        }
        // SAFETY: just made, and nobody else has it.
        let epoll = unsafe { OwnedFd::from_raw_fd(fd) };
        let wait = Self { child, epoll, listeners: child.listeners(), paused_until: None };
        watch(&wait.epoll, stop.as_raw_fd(), libc::EPOLLIN as u32, STOP)?;
        wait.watch_listeners()?;
        Ok(wait)
    }

    fn watch_listeners(&self) -> Result<(), Error> {
        self.listeners
            .iter()
            .try_for_each(|l| watch_exclusive(&self.epoll, l.fd, u64::from(l.index)))
    }

    /// Waits for a listener or the stop descriptor; the stop wins.
    ///
    /// # Errors
    /// `E_SYS`: waiting is impossible.
    pub fn wait(&mut self) -> Result<Ready, Error> {
        loop {
            let timeout = self.timeout_ms()?;
            let mut events = [libc::epoll_event { events: 0, u64: 0 }; 2];
            let len = events.len() as i32;
            // SAFETY: room for `len` events.
            let n = unsafe {
                libc::epoll_wait(self.epoll.as_raw_fd(), events.as_mut_ptr(), len, timeout)
            };
            if n < 0 {
                let error = std::io::Error::last_os_error();
                if error.kind() == std::io::ErrorKind::Interrupted {
                    continue;
                }
                return Err(Error::last_os("epoll_wait"));
            }
            let ready = || events.iter().take(n as usize).map(|event| event.u64);
            let first = ready().find(|data| *data != STOP);
            let found = self.listeners.iter().find(|l| Some(u64::from(l.index)) == first).copied();
            if ready().any(|data| data == STOP) {
                return Ok(Ready::Stop(found));
            }
            if let Some(listener) = found {
                return Ok(Ready::Listener(listener));
            }
        }
    }

    /// Waits no more. A connection that came last may have woken this thread alone, so it is taken:
    /// nobody else would see it before the next one comes. `ready` is what [`Ready::Stop`] told.
    ///
    /// There is one such connection at most, on the listener whose event came first: the kernel takes
    /// a sleeper off its queue as it wakes it (Linux 5.7), so what comes after that wakes somebody
    /// else, or is seen by whoever looks next. That is as well, for a thread serves one connection at
    /// a time: a second would wait until the first has ended.
    pub fn finish(self, ready: Option<Listener>) -> Option<crate::Accepted> {
        let Self { child, epoll, listeners, .. } = self;
        // From here on connections wake others.
        drop(epoll);
        // Another's connection will do where somebody was faster. Where descriptors ran out or a
        // listener is broken nothing can be taken.
        ready.into_iter().chain(listeners).find_map(|listener| {
            match child.accept(listener.index, true) {
                Ok(Readiness::Accepted(accepted)) => Some(accepted),
                Ok(Readiness::Nothing | Readiness::PauseUntil(_)) | Err(_) => None,
            }
        })
    }

    /// How long to wait; ends a pause that is over.
    fn timeout_ms(&mut self) -> Result<i32, Error> {
        let Some(until) = self.paused_until else {
            return Ok(-1);
        };
        let left = Duration::from_nanos(until.saturating_sub(self.child.host().now()));
        if left.is_zero() {
            self.paused_until = None;
            self.watch_listeners()?;
            return Ok(-1);
        }
        Ok(i32::try_from(left.as_millis() + 1).unwrap_or(i32::MAX))
    }

    /// Accepts from a listener that was ready. `None`: somebody else was faster, or the listeners
    /// pause because descriptors ran out; wait again.
    ///
    /// # Errors
    /// `E_SYS`: the listener is broken.
    pub fn accept(&mut self, listener: Listener) -> Result<Option<crate::Accepted>, Error> {
        match self.child.accept(listener.index, true)? {
            Readiness::Accepted(accepted) => Ok(Some(accepted)),
            Readiness::Nothing => Ok(None),
            Readiness::PauseUntil(until) => {
                for listener in &self.listeners {
                    unwatch(&self.epoll, listener.fd);
                }
                self.paused_until = Some(until);
                Ok(None)
            }
        }
    }
}
