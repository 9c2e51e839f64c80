//! Sockets: reading, writing, waiting, accepting.
//!
//! A descriptor is either non-blocking (an event loop waits for it) or blocking (a thread of its own
//! waits for it). [`Mode`] says which; nothing here waits except where it says so.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use hyper::rt::ReadBufCursor;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, Shutdown, SockaddrLike, SockaddrStorage,
    recvmsg, sendmsg, setsockopt, sockopt,
};

/// How a descriptor is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `O_NONBLOCK` is set; plain `read` and `writev` do not wait.
    NonBlocking,
    /// `O_NONBLOCK` is not set; each call says `MSG_DONTWAIT` when it must not wait.
    Blocking,
}

/// Mode of a descriptor somebody else made.
///
/// # Errors
/// What `fcntl` answers, for example that the descriptor is not open.
pub fn mode(fd: BorrowedFd<'_>) -> io::Result<Mode> {
    let flags = nix::fcntl::fcntl(fd, nix::fcntl::FcntlArg::F_GETFL)?;
    let nonblocking = flags & libc::O_NONBLOCK != 0;
    Ok(if nonblocking { Mode::NonBlocking } else { Mode::Blocking })
}

/// Reads without waiting; 0 = end of stream.
///
/// # Errors
/// `WouldBlock`: nothing there.
pub fn read(fd: BorrowedFd<'_>, mode: Mode, buf: &mut ReadBufCursor<'_>) -> io::Result<usize> {
    loop {
        // SAFETY: nothing is de-initialised; the kernel only writes.
        let room = unsafe { buf.as_mut() };
        let (ptr, len) = (room.as_mut_ptr().cast(), room.len());
        let n = match mode {
            // SAFETY: `ptr` has room for `len` bytes.
            Mode::NonBlocking => unsafe { libc::read(fd.as_raw_fd(), ptr, len) },
            // SAFETY: as above.
            Mode::Blocking => unsafe { libc::recv(fd.as_raw_fd(), ptr, len, libc::MSG_DONTWAIT) },
        };
        if let Ok(n) = usize::try_from(n) {
            // SAFETY: the kernel has initialised the first `n` bytes.
            unsafe { buf.advance(n) };
            return Ok(n);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Reads and throws away without waiting; 0 = end of stream.
///
/// # Errors
/// `WouldBlock`: nothing there.
pub fn discard(fd: BorrowedFd<'_>) -> io::Result<usize> {
    let mut scratch = [0_u8; 16 * 1024];
    let flags = MsgFlags::MSG_DONTWAIT;
    Ok(nix::sys::socket::recv(fd.as_raw_fd(), &mut scratch, flags)?)
}

/// Has the kernel keep new connections for so many seconds at most until their first bytes have come;
/// 0 = not at all.
///
/// # Errors
/// What `setsockopt` answers.
pub fn defer_accept(listener: BorrowedFd<'_>, seconds: i32) -> io::Result<()> {
    set_int(listener, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, seconds)
}

/// Lets the kernel choose the sizes of a socket's buffers again.
///
/// # Errors
/// What `setsockopt` answers: a kernel before 5.14 cannot.
pub fn unlock_buffers(fd: BorrowedFd<'_>) -> io::Result<()> {
    /// Of Linux (asm-generic/socket.h).
    const SO_BUF_LOCK: i32 = 72;
    set_int(fd, libc::SOL_SOCKET, SO_BUF_LOCK, 0)
}

fn set_int(fd: BorrowedFd<'_>, level: i32, name: i32, value: i32) -> io::Result<()> {
    let len = size_of::<i32>() as libc::socklen_t;
    // SAFETY: `len` bytes are readable.
    let set =
        unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const value).cast(), len) };
    if set < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Reads into `buf`, waiting as long as [`set_read_timeout`] allows; 0 = end of stream.
///
/// # Errors
/// `WouldBlock`: the time has passed. `Interrupted`: a signal came.
pub fn recv_waiting(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    Ok(nix::sys::socket::recv(fd.as_raw_fd(), buf, MsgFlags::empty())?)
}

/// Writes without waiting. `more`: further bytes follow at once, so hold back a short packet.
///
/// # Errors
/// `WouldBlock`: no room.
pub fn write(
    fd: BorrowedFd<'_>,
    mode: Mode,
    slices: &[IoSlice<'_>],
    more: bool,
) -> io::Result<usize> {
    loop {
        let result = if mode == Mode::NonBlocking && !more {
            nix::sys::uio::writev(fd, slices)
        } else {
            let mut flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
            flags.set(MsgFlags::from_bits_retain(libc::MSG_MORE), more);
            sendmsg::<()>(fd.as_raw_fd(), slices, &[], flags, None)
        };
        match result {
            Err(nix::Error::EINTR) => {}
            result => return Ok(result?),
        }
    }
}

/// Sends a stretch of a file. Waits only in blocking mode, as long as [`set_write_timeout`] allows.
///
/// # Errors
/// `WouldBlock`: no room. `UnexpectedEof`: the file is shorter than that.
pub fn send_file(
    fd: BorrowedFd<'_>,
    file: BorrowedFd<'_>,
    offset: u64,
    len: usize,
) -> io::Result<usize> {
    let mut position = i64::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
    loop {
        match nix::sys::sendfile::sendfile(fd, file, Some(&mut position), len) {
            Ok(0) if len > 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(nix::Error::EINTR) => {}
            result => return Ok(result?),
        }
    }
}

/// How long [`recv_waiting`] waits.
///
/// # Errors
/// What `setsockopt` answers.
pub fn set_read_timeout(fd: BorrowedFd<'_>, timeout: Duration) -> io::Result<()> {
    Ok(setsockopt(&fd, sockopt::ReceiveTimeout, &time_val(timeout))?)
}

/// How long [`send_file`] waits in blocking mode.
///
/// # Errors
/// What `setsockopt` answers.
pub fn set_write_timeout(fd: BorrowedFd<'_>, timeout: Duration) -> io::Result<()> {
    Ok(setsockopt(&fd, sockopt::SendTimeout, &time_val(timeout))?)
}

/// Never zero, which would mean "for ever".
fn time_val(timeout: Duration) -> nix::sys::time::TimeVal {
    let micros = i64::try_from(timeout.as_micros()).unwrap_or(i64::MAX).max(1);
    nix::sys::time::TimeVal::new(micros / 1_000_000, micros % 1_000_000)
}

/// Sends FIN after what is in the send queue.
///
/// # Errors
/// `NotConnected`: the peer has reset the connection.
pub fn shutdown_write(fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(nix::sys::socket::shutdown(fd.as_raw_fd(), Shutdown::Write)?)
}

/// The local address of a connection.
///
/// # Errors
/// What `getsockname` answers; `Unsupported` for an address that is not IP.
pub fn local_addr(fd: BorrowedFd<'_>) -> io::Result<SocketAddr> {
    let address: SockaddrStorage = nix::sys::socket::getsockname(fd.as_raw_fd())?;
    ip_addr(&address).ok_or_else(|| io::ErrorKind::Unsupported.into())
}

/// The bytes of a `struct sockaddr` as an address; `None` if it is not a whole IP address.
pub fn addr_from_bytes(bytes: &[u8]) -> Option<SocketAddr> {
    let mut storage = std::mem::MaybeUninit::<libc::sockaddr_storage>::zeroed();
    let len = bytes.len();
    if len > size_of::<libc::sockaddr_storage>() {
        return None;
    }
    // SAFETY: `len` bytes fit into the storage.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), storage.as_mut_ptr().cast(), len) };
    let len = libc::socklen_t::try_from(len).ok()?;
    // SAFETY: initialised (zeroed, then copied into); nix checks `len` against the family.
    let address = unsafe { SockaddrStorage::from_raw(storage.as_ptr().cast(), Some(len)) }?;
    ip_addr(&address)
}

/// Writes an address as a `struct sockaddr`; the bytes used, cut to the room there is.
pub fn sockaddr_bytes(address: &socket2::SockAddr, out: &mut [u8]) -> u32 {
    let len = (address.len() as usize).min(out.len());
    let from = address.as_ptr().cast::<u8>();
    // SAFETY: the address has `len` bytes or more, `out` has `len`.
    unsafe { std::ptr::copy_nonoverlapping(from, out.as_mut_ptr(), len) };
    u32::try_from(len).unwrap_or(0)
}

fn ip_addr(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::V4((*v4).into()));
    }
    address.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into()))
}

/// Accepts one connection and writes the peer's `struct sockaddr` to `addr`; returns how many bytes
/// of it are used. Does not wait if the listener does not.
///
/// # Errors
/// What `accept4` answers.
pub fn accept(
    listener: BorrowedFd<'_>,
    mode: Mode,
    addr: &mut [u8],
) -> io::Result<(OwnedFd, usize)> {
    let flags = match mode {
        Mode::NonBlocking => libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK,
        Mode::Blocking => libc::SOCK_CLOEXEC,
    };
    let room = addr.len();
    let mut len = libc::socklen_t::try_from(room).unwrap_or(libc::socklen_t::MAX);
    let ptr = addr.as_mut_ptr().cast();
    // SAFETY: `addr` has room for `len` bytes and `len` is updated by the kernel.
    let fd = unsafe { libc::accept4(listener.as_raw_fd(), ptr, &raw mut len, flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just made, and nobody else has it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    // The kernel tells the full length even when it had to cut.
    Ok((fd, (len as usize).min(room)))
}

/// What [`wait`] saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Woken {
    /// The descriptor can be read.
    pub readable: bool,
    /// The descriptor can be written.
    pub writable: bool,
    /// The peer closed or the connection failed.
    pub hangup: bool,
    /// One of the other descriptors is readable.
    pub other: bool,
}

/// Waits for a connection's descriptor, and for others to become readable. Returns with nothing set
/// when the time has passed or a signal came.
///
/// # Errors
/// What `poll` answers.
pub fn wait(
    fd: BorrowedFd<'_>,
    read: bool,
    write: bool,
    others: &[BorrowedFd<'_>],
    timeout: Option<Duration>,
) -> io::Result<Woken> {
    let watch =
        |fd: BorrowedFd<'_>, events| libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
    let read = if read { libc::POLLIN } else { 0 };
    let write = if write { libc::POLLOUT } else { 0 };
    let mut fds = vec![watch(fd, libc::POLLRDHUP | read | write)];
    fds.extend(others.iter().map(|fd| watch(*fd, libc::POLLIN)));
    // Rounded up, so that a wait that ran out has really reached its time.
    let timeout_ms = timeout.map_or(-1, |t| {
        i32::try_from((t + Duration::from_micros(999)).as_millis()).unwrap_or(i32::MAX)
    });
    let len = fds.len() as libc::nfds_t;
    // SAFETY: `len` elements, as said.
    if unsafe { libc::poll(fds.as_mut_ptr(), len, timeout_ms) } < 0 {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::Interrupted {
            Ok(Woken::default())
        } else {
            Err(error)
        };
    }
    let own = fds.first().map_or(0, |fd| fd.revents);
    let broken = libc::POLLHUP | libc::POLLERR | libc::POLLRDHUP | libc::POLLNVAL;
    Ok(Woken {
        readable: own & libc::POLLIN != 0,
        writable: own & libc::POLLOUT != 0,
        hangup: own & broken != 0,
        other: fds.iter().skip(1).any(|fd| fd.revents != 0),
    })
}

/// Sends one whole message, with a descriptor, without waiting.
///
/// # Errors
/// `WouldBlock`: the other side has plenty to read.
pub fn send_with_fd(
    fd: BorrowedFd<'_>,
    message: &[u8],
    carried: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let raw = carried.map(|fd| [fd.as_raw_fd()]);
    let rights = raw.as_ref().map(|fds| ControlMessage::ScmRights(fds));
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    let parts = [IoSlice::new(message)];
    sendmsg::<()>(fd.as_raw_fd(), &parts, rights.as_slice(), flags, None)?;
    Ok(())
}

/// Receives one message, and the descriptor that came with it, without waiting; 0 bytes = the other
/// side is gone.
///
/// # Errors
/// `WouldBlock`: nothing there.
pub fn recv_with_fd(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut room = nix::cmsg_space!([RawFd; 1]);
    let mut parts = [io::IoSliceMut::new(buf)];
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let received = recvmsg::<()>(fd.as_raw_fd(), &mut parts, Some(&mut room), flags)?;
    let mut carried = None;
    for rights in received.cmsgs()? {
        if let ControlMessageOwned::ScmRights(fds) = rights {
            for fd in fds {
                // SAFETY: the kernel has just made it for this process; nobody else owns it.
                carried = Some(unsafe { OwnedFd::from_raw_fd(fd) });
            }
        }
    }
    Ok((received.bytes, carried))
}

/// A descriptor that [`signal`] makes readable.
///
/// # Errors
/// Out of descriptors.
pub fn event_fd() -> io::Result<OwnedFd> {
    use nix::sys::eventfd::{EfdFlags, EventFd};
    Ok(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?.into())
}

/// Makes an [`event_fd`] readable. Async-signal-safe.
pub fn signal(event_fd: BorrowedFd<'_>) {
    // A full counter is readable too.
    let _ = nix::unistd::write(event_fd, &1_u64.to_ne_bytes());
}

/// Makes an [`event_fd`] unreadable.
pub fn reset_signal(event_fd: BorrowedFd<'_>) {
    let _ = nix::unistd::read(event_fd, &mut [0; 8]);
}

/// Whether a descriptor can be read right now.
pub fn is_readable(fd: BorrowedFd<'_>) -> bool {
    wait(fd, true, false, &[], Some(Duration::ZERO))
        .is_ok_and(|woken| woken.readable || woken.hangup)
}

/// The number of a descriptor that somebody else owns.
///
/// Invariant *outlived*: the owner keeps the descriptor open until the last use. A number that is not
/// open makes calls fail with EBADF; a number that was opened anew would reach a stranger.
#[derive(Debug)]
pub struct Lent(RawFd);

impl Lent {
    /// Notes the number.
    pub fn new(fd: BorrowedFd<'_>) -> Self {
        Self(fd.as_raw_fd())
    }

    /// The descriptor.
    pub fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: *outlived*; it came from a BorrowedFd, so it is not -1.
        unsafe { BorrowedFd::borrow_raw(self.0) }
    }
}
