//! Listening sockets: what `Listen` asks for, bound, and accepted from.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::os_error::Numbered;
use crate::log_line;
use crate::sys::clock;
use crate::sys::socket::{self, Mode};

/// Connections the kernel keeps for us (httpd's ListenBacklog; 511 because 512 would be 0 for a
/// kernel that counts in eight bits).
const BACKLOG: i32 = 511;

/// How long the kernel keeps a connection on which nothing comes (httpd's).
const DEFER_SECONDS: i32 = 30;

/// How long a listener is left alone when descriptors or memory have run out.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// Time between two reports that they have.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// The protocol every listener speaks so far.
pub(super) const PROTOCOL: &str = "http";

/// What one `Listen` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// `None`: every address, of IPv4 and of IPv6.
    pub(super) address: Option<IpAddr>,
    pub(super) port: u16,
}

impl Wanted {
    /// Reads `[address:]port`. The error is httpd's sentence.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let port = |text: &str| text.parse().map_err(|_| "Invalid address or port");
        if text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty() {
            return Ok(Self { address: None, port: port(text)? });
        }
        let (address, number) = match text.rsplit_once(':') {
            Some((address, number)) if !address.contains(':') || address.ends_with(']') => {
                (address, number)
            }
            _ => return Err("Port must be specified"),
        };
        let port = port(number)?;
        let address = match address.strip_prefix('[').and_then(|a| a.strip_suffix(']')) {
            Some(v6) => v6.parse().map(IpAddr::V6),
            None if address == "*" => return Ok(Self { address: None, port }),
            None => address.parse().map(IpAddr::V4),
        };
        let address = address.map_err(|_| "Invalid address or port")?;
        Ok(Self { address: Some(address), port })
    }

    /// The addresses to bind, given everything that is wanted.
    fn addresses(self, all: &[Self]) -> Vec<(SocketAddr, Need)> {
        let v4 = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let v6 = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        let Some(address) = self.address else {
            let mut both = vec![(SocketAddr::new(v4, self.port), Need::Must)];
            // `Listen 80` beside `Listen [::]:80`: the latter has the IPv6 half.
            if !all.contains(&Self { address: Some(v6), port: self.port }) {
                both.push((SocketAddr::new(v6, self.port), Need::IfPossible));
            }
            return both;
        };
        vec![(SocketAddr::new(address, self.port), Need::Must)]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    Must,
    /// A system without IPv6 serves IPv4 alone.
    IfPossible,
}

/// A socket that could not be bound.
#[derive(Debug)]
pub(super) struct BindError {
    address: SocketAddr,
    error: io::Error,
}

impl std::fmt::Display for BindError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let reason = Numbered(&self.error);
        write!(f, "{reason}: AH00072: make_sock: could not bind to address {}", self.address)
    }
}

/// A bound, listening, non-blocking socket.
#[derive(Debug)]
pub(super) struct Listener {
    fd: OwnedFd,
    /// What was asked for: port 0 was the kernel's choice.
    wanted: SocketAddr,
    address: SocketAddr,
    /// When running out of descriptors was last reported (monotonic ns).
    reported_ns: AtomicU64,
}

/// How sockets are set up, besides their addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tuning {
    /// ListenBacklog.
    pub(super) backlog: i32,
    /// SendBufferSize; `None` = as the kernel sees fit.
    pub(super) send_buffer: Option<usize>,
    /// ReceiveBufferSize; likewise.
    pub(super) receive_buffer: Option<usize>,
    /// AcceptFilter: a connection is there when its first bytes are.
    pub(super) waits_for_data: bool,
}

impl Default for Tuning {
    fn default() -> Self {
        let (send_buffer, receive_buffer) = (None, None);
        Self { backlog: BACKLOG, send_buffer, receive_buffer, waits_for_data: false }
    }
}

impl Tuning {
    /// Sets a listening socket up, also one that an earlier image made. Connections inherit it.
    fn apply(self, listener: &Listener) -> io::Result<()> {
        let socket = socket2::SockRef::from(&listener.fd);
        if self.send_buffer.is_none() || self.receive_buffer.is_none() {
            // An earlier configuration may have had them. Older kernels keep what they have.
            let _ = socket::unlock_buffers(listener.fd());
        }
        if let Some(bytes) = self.send_buffer {
            socket.set_send_buffer_size(bytes)?;
        }
        if let Some(bytes) = self.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        let wait = if self.waits_for_data { DEFER_SECONDS } else { 0 };
        socket::defer_accept(listener.fd(), wait)?;
        // Once more for one that listens: the new backlog counts.
        socket.listen(self.backlog)
    }
}

/// What accepting gave.
#[derive(Debug)]
pub(super) enum Incoming {
    /// A connection, and how many bytes of the peer's address were written.
    Connection(OwnedFd, usize),
    /// None there.
    Nothing,
    /// Descriptors or memory ran out: leave the listener alone until then.
    Exhausted { retry_ns: u64 },
    /// The socket is of no use any more.
    Broken,
}

/// Whether new sockets listen at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binding {
    /// They do.
    Listen,
    /// They are bound only, to see whether that can be done.
    Try,
}

/// Has a socket for everything that is wanted: one of `given` where it fits, else a new one. What
/// does not fit is left in `given`. All errors are told together.
pub(super) fn bind(
    wanted: &[Wanted],
    given: &mut Vec<Listener>,
    binding: Binding,
    tuning: Tuning,
) -> Result<Vec<Listener>, Vec<BindError>> {
    let mut listeners: Vec<Listener> = Vec::new();
    let mut errors = Vec::new();
    for one in wanted {
        let mut port = one.port;
        for (mut address, need) in one.addresses(wanted) {
            // Port 0: both halves get the number the kernel chose for the first.
            address.set_port(port);
            let is_fit = |listener: &Listener| listener.fits(address);
            let found = given.iter().position(is_fit).map(|at| given.remove(at));
            let tuned = found.map_or_else(|| Listener::bind(address), Ok).and_then(|listener| {
                // What is only tried must not change what is in use.
                if binding == Binding::Listen {
                    tuning.apply(&listener)?;
                }
                Ok(listener)
            });
            match tuned {
                Ok(listener) => {
                    port = listener.address.port();
                    listeners.push(listener);
                }
                Err(error) if need == Need::IfPossible && lacks_ipv6(&error) => {}
                Err(error) => errors.push(BindError { address, error }),
            }
        }
    }
    if errors.is_empty() {
        return Ok(listeners);
    }
    // They were there before this attempt, and the next one may want them.
    given.extend(listeners);
    Err(errors)
}

fn lacks_ipv6(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL))
}

impl Listener {
    fn bind(wanted: SocketAddr) -> io::Result<Self> {
        let address = wanted;
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            // Each family has its own socket, so that both may be listed.
            socket.set_only_v6(true)?;
        }
        socket.set_reuse_address(true)?;
        // Inherited by every connection: a response is written at once and must leave at once.
        socket.set_tcp_nodelay(true)?;
        socket.bind(&address.into())?;
        Self::of(socket, wanted)
    }

    /// A listening socket that somebody else made: an earlier image, or the service manager.
    ///
    /// # Errors
    /// It is not a listening TCP socket.
    pub(super) fn adopt(fd: OwnedFd, wanted: Option<SocketAddr>) -> io::Result<Self> {
        let socket = Socket::from(fd);
        if socket.r#type()? != Type::STREAM {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        if !socket.is_listener()? {
            // Whoever has it can shut it down for all: a child that was broken into, too.
            socket.listen(BACKLOG)?;
        }
        let address = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::InvalidInput)?;
        socket.set_tcp_nodelay(true)?;
        Self::of(socket, wanted.unwrap_or(address))
    }

    fn of(socket: Socket, wanted: SocketAddr) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?.as_socket().unwrap_or(wanted);
        Ok(Self { fd: socket.into(), wanted, address, reported_ns: AtomicU64::new(0) })
    }

    /// Whether it is what `wanted` asks for: the same words in the configuration, or the same
    /// address.
    fn fits(&self, wanted: SocketAddr) -> bool {
        self.wanted == wanted || self.address == wanted
    }

    /// What was asked for.
    pub(super) fn wanted(&self) -> SocketAddr {
        self.wanted
    }

    /// The number of its descriptor.
    pub(super) fn number(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Its descriptor.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Its address, with the port the kernel chose if it was asked to.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Writes its address as a `struct sockaddr`; the bytes used.
    pub(super) fn write_sockaddr(&self, out: &mut [u8]) -> u32 {
        let address = SockAddr::from(self.address);
        socket::sockaddr_bytes(&address, out)
    }

    /// Accepts one connection without waiting; writes the peer's `struct sockaddr`.
    pub(super) fn accept(&self, mode: Mode, peer: &mut [u8]) -> Incoming {
        loop {
            let error = match socket::accept(self.fd(), mode, peer) {
                Ok((fd, len)) => return Incoming::Connection(fd, len),
                Err(error) => error,
            };
            match error.raw_os_error() {
                // ENOTSOCK: the child has just ceased to accept (`ChildSide::stop_accepting`).
                Some(libc::EAGAIN | libc::ENOTSOCK) => return Incoming::Nothing,
                // The connection went away before it was accepted (accept(2), "Error handling"):
                // the next one may be there.
                Some(
                    libc::EINTR
                    | libc::ECONNABORTED
                    | libc::ECONNRESET
                    | libc::EPROTO
                    | libc::ETIMEDOUT
                    | libc::EHOSTUNREACH
                    | libc::ENETUNREACH
                    | libc::ENETDOWN
                    | libc::EHOSTDOWN
                    | libc::ENONET
                    | libc::ENOPROTOOPT
                    | libc::EOPNOTSUPP
                    | libc::EPERM,
                ) => {}
                Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS) => {
                    return self.exhausted(&error);
                }
                _ => {
                    log_line!(
                        ERROR,
                        "AH02179",
                        "accept on {} failed, the child leaves: {error}",
                        self.address
                    );
                    return Incoming::Broken;
                }
            }
        }
    }

    fn exhausted(&self, error: &io::Error) -> Incoming {
        let now = clock::now_ns();
        let last = self.reported_ns.load(Ordering::Relaxed);
        if last == 0 || now.saturating_sub(last) > REPORT_EVERY.as_nanos() as u64 {
            self.reported_ns.store(now, Ordering::Relaxed);
            log_line!(
                ERROR,
                "GB0309",
                "cannot accept on {}: {error}; connections wait in the backlog",
                self.address
            );
        }
        Incoming::Exhausted { retry_ns: now + EXHAUSTED_PAUSE.as_nanos() as u64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(wanted: &[Wanted]) -> Result<Vec<Listener>, Vec<BindError>> {
        bind(wanted, &mut Vec::new(), Binding::Listen, Tuning::default())
    }

    #[test]
    fn given_sockets_are_used_and_others_left() {
        let port_0 = Wanted::parse("127.0.0.1:0").unwrap();
        let mut given = bound(&[port_0, port_0]).unwrap();
        let addresses: Vec<SocketAddr> = given.iter().map(Listener::address).collect();
        let again = bind(&[port_0], &mut given, Binding::Listen, Tuning::default()).unwrap();
        assert_eq!(again[0].address(), addresses[0]);
        assert_eq!(given.len(), 1);
        // By its real number, too.
        let by_number = Wanted { address: Some(addresses[1].ip()), port: addresses[1].port() };
        let again = bind(&[by_number], &mut given, Binding::Listen, Tuning::default()).unwrap();
        assert_eq!((again[0].address(), given.len()), (addresses[1], 0));
    }

    #[test]
    fn after_an_error_nothing_given_is_lost() {
        let port_0 = Wanted::parse("127.0.0.1:0").unwrap();
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let in_use = Wanted { address: Some(address.ip()), port: address.port() };
        let mut given = bound(&[port_0]).unwrap();
        bind(&[port_0, in_use], &mut given, Binding::Try, Tuning::default()).unwrap_err();
        assert_eq!(given.len(), 1);
    }

    #[test]
    fn forms_of_an_address() {
        let v4 = |a, port| Ok(Wanted { address: Some(IpAddr::V4(a)), port });
        assert_eq!(Wanted::parse("80"), Ok(Wanted { address: None, port: 80 }));
        assert_eq!(Wanted::parse("*:80"), Ok(Wanted { address: None, port: 80 }));
        assert_eq!(Wanted::parse("127.0.0.1:0"), v4(Ipv4Addr::LOCALHOST, 0));
        let v6 = Wanted { address: Some(IpAddr::V6(Ipv6Addr::LOCALHOST)), port: 8080 };
        assert_eq!(Wanted::parse("[::1]:8080"), Ok(v6));
    }

    #[test]
    fn what_is_not_an_address() {
        for (text, sentence) in [
            ("", "Port must be specified"),
            ("127.0.0.1", "Port must be specified"),
            ("::1", "Port must be specified"),
            ("localhost", "Port must be specified"),
            ("65536", "Invalid address or port"),
            ("127.0.0.1:", "Invalid address or port"),
            ("127.0.0.1:http", "Invalid address or port"),
            ("1.2.3.4.5:80", "Invalid address or port"),
            ("localhost:80", "Invalid address or port"),
            ("[::1:80", "Port must be specified"),
            ("[x]:80", "Invalid address or port"),
            ("80:80:80", "Port must be specified"),
            ("-1", "Port must be specified"),
        ] {
            assert_eq!(Wanted::parse(text), Err(sentence), "{text}");
        }
    }

    #[test]
    fn a_bare_port_is_both_families_unless_one_is_listed() {
        let bare = Wanted { address: None, port: 80 };
        let v6 = Wanted { address: Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)), port: 80 };
        assert_eq!(bare.addresses(&[bare]).len(), 2);
        assert_eq!(bare.addresses(&[bare, v6]).len(), 1);
    }

    #[test]
    fn the_kernel_chooses_one_port_for_both_families() {
        let listeners = bound(&[Wanted { address: None, port: 0 }]).unwrap();
        let ports: Vec<u16> = listeners.iter().map(|l| l.address().port()).collect();
        assert!(ports[0] != 0 && ports.iter().all(|port| *port == ports[0]), "{ports:?}");
    }

    #[test]
    fn a_port_in_use_is_named() {
        let first = bound(&[Wanted::parse("127.0.0.1:0").unwrap()]).unwrap();
        let port = first[0].address().port();
        let again = Wanted { address: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)), port };
        let errors = bound(&[again]).unwrap_err();
        let wanted = format!(
            "(98)Address already in use: AH00072: make_sock: could not bind to address 127.0.0.1:{port}"
        );
        assert_eq!(errors[0].to_string(), wanted);
    }

    #[test]
    fn nothing_to_accept() {
        let listeners = bound(&[Wanted::parse("127.0.0.1:0").unwrap()]).unwrap();
        let mut peer = [0; 128];
        let incoming = listeners[0].accept(Mode::NonBlocking, &mut peer);
        assert!(matches!(incoming, Incoming::Nothing));
        let client = std::net::TcpStream::connect(listeners[0].address()).unwrap();
        let Incoming::Connection(fd, len) = listeners[0].accept(Mode::NonBlocking, &mut peer)
        else {
            panic!("no connection")
        };
        let seen = socket::addr_from_bytes(&peer[..len]).unwrap();
        assert_eq!(seen, client.local_addr().unwrap());
        assert_eq!(socket::mode(fd.as_fd()).unwrap(), Mode::NonBlocking);
    }
}
