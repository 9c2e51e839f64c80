//! A stop signal that any number of threads can wait for.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::error::Error;

/// Once raised, its descriptor stays readable: every thread that waits for it wakes.
#[derive(Debug)]
pub struct StopSignal {
    eventfd: OwnedFd,
}

impl StopSignal {
    /// A signal that is not raised.
    ///
    /// # Errors
    /// `E_SYS`: out of descriptors.
    pub fn new() -> Result<Self, Error> {
        // SAFETY: takes no pointers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(Error::last_os("eventfd"));
        }
        // SAFETY: just made, and nobody else has it.
        let eventfd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { eventfd })
    }

    /// Raises it, for good.
    pub fn raise(&self) {
        let one = 1_u64;
        // SAFETY: eight readable bytes, as eventfd wants.
        // A full counter (EAGAIN) is readable too, so the result does not matter.
        unsafe { libc::write(self.eventfd.as_raw_fd(), (&raw const one).cast(), 8) };
    }
}

impl AsFd for StopSignal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.eventfd.as_fd()
    }
}

/// Whether `fd` is readable now.
///
/// # Errors
/// `E_SYS`: it cannot be looked at.
pub fn is_readable(fd: BorrowedFd<'_>) -> Result<bool, Error> {
    let mut fds = [watch(fd)];
    wait_any(&mut fds, 0)?;
    Ok(fds[0].revents != 0)
}

/// Waits until one of the two is readable; `true` if the first is.
///
/// # Errors
/// `E_SYS`: waiting is impossible.
pub fn wait_either(first: BorrowedFd<'_>, second: BorrowedFd<'_>) -> Result<bool, Error> {
    let mut fds = [watch(first), watch(second)];
    wait_any(&mut fds, -1)?;
    Ok(fds[0].revents != 0)
}

fn watch(fd: BorrowedFd<'_>) -> libc::pollfd {
    libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 }
}

fn wait_any(fds: &mut [libc::pollfd], timeout_ms: libc::c_int) -> Result<(), Error> {
    let len = fds.len() as libc::nfds_t;
    loop {
        // SAFETY: `len` elements, as said.
        if unsafe { libc::poll(fds.as_mut_ptr(), len, timeout_ms) } >= 0 {
            return Ok(());
        }
        if std::io::Error::last_os_error().kind() != std::io::ErrorKind::Interrupted {
            return Err(Error::last_os("poll"));
        }
    }
}
