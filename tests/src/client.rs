//! A client that sends bytes and reads answers, nothing hidden.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;

use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, SockaddrIn, SockaddrIn6};

use crate::wait::{WAIT_MAX, until};

/// A connection to a server.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
}

/// See [`Client::slow`] (bytes).
const SLOW_BUFFER: usize = 64 * 1024;

/// An answer, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// `HTTP/1.1 200 OK`.
    pub status_line: String,
    /// The number in it.
    pub status: u16,
    /// Fields in order, as sent.
    pub fields: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// A field's value, by its name in any case; several are joined by `, `.
    pub fn field(&self, name: &str) -> Option<String> {
        let named = self.fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        let values: Vec<&str> = named.map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Client {
    /// Connects. Every later wait is bounded.
    ///
    /// # Panics
    /// Nobody listens.
    pub fn connect(address: SocketAddr) -> Self {
        Self::of(TcpStream::connect(address).expect("the server listens"))
    }

    /// Connects with a receive buffer of about this many bytes, so that a server soon finds no more
    /// room.
    ///
    /// # Panics
    /// Nobody listens.
    pub fn connect_narrow(address: SocketAddr, receive_buffer: usize) -> Self {
        let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let flags = SockFlag::SOCK_CLOEXEC;
        let fd = socket::socket(family, SockType::Stream, flags, None).expect("a socket");
        // Before connecting: the window is agreed then.
        socket::setsockopt(&fd, socket::sockopt::RcvBuf, &receive_buffer).expect("a socket");
        let connected = match address {
            SocketAddr::V4(address) => socket::connect(fd.as_raw_fd(), &SockaddrIn::from(address)),
            SocketAddr::V6(address) => socket::connect(fd.as_raw_fd(), &SockaddrIn6::from(address)),
        };
        connected.expect("the server listens");
        Self::of(fd.into())
    }

    fn of(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(WAIT_MAX)).expect("a socket");
        stream.set_write_timeout(Some(WAIT_MAX)).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        Self { stream: BufReader::new(stream) }
    }

    /// A client whose system takes in little of what it does not read: the server soon waits for it.
    pub fn slow(address: SocketAddr) -> Self {
        Self::connect_narrow(address, SLOW_BUFFER)
    }

    /// Asks for a document, and reads the head of the answer; the connection ends after it.
    pub fn begin_download(&mut self, target: &str) {
        let request =
            format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        self.send(request).expect("the server reads");
        let head = self.read("HEAD").expect("the server answers");
        assert_eq!(head.status, 200, "{head:?}");
    }

    /// The socket.
    pub fn stream(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// The server has closed.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes.as_ref())
    }

    /// Sends a FIN; answers can still be read.
    pub fn finish(&mut self) {
        self.stream.get_ref().shutdown(Shutdown::Write).expect("connected");
    }

    /// Reads one answer to a request with `method`.
    ///
    /// # Errors
    /// The connection ends before it does.
    pub fn read(&mut self, method: &str) -> io::Result<Response> {
        let mut response = self.read_head()?;
        let status = response.status;
        let bodiless = method == "HEAD" || status / 100 == 1 || status == 204 || status == 304;
        if bodiless {
            return Ok(response);
        }
        match response.field("content-length") {
            Some(len) => {
                let len = len.parse().map_err(|_| io::ErrorKind::InvalidData)?;
                response.body = vec![0; len];
                self.stream.read_exact(&mut response.body)?;
            }
            None => {
                self.stream.read_to_end(&mut response.body)?;
            }
        }
        Ok(response)
    }

    /// Reads the head of an answer; its body is left to be read from [`Self::body`].
    ///
    /// # Errors
    /// The connection ends before it does.
    pub fn read_head(&mut self) -> io::Result<Response> {
        let status_line = self.read_line()?;
        let status = status_line.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.ok_or(io::ErrorKind::InvalidData)?;
        let mut fields = Vec::new();
        loop {
            let line = self.read_line()?;
            if line.is_empty() {
                return Ok(Response { status_line, status, fields, body: Vec::new() });
            }
            let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
            fields.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    /// What comes in, byte for byte.
    pub fn body(&mut self) -> &mut impl Read {
        &mut self.stream
    }

    fn read_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        line.strip_suffix("\r\n")
            .map(str::to_owned)
            .ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Sends a request and reads its answer.
    ///
    /// # Panics
    /// There is none.
    pub fn request(&mut self, method: &str, target: &str, fields: &str) -> Response {
        let request = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
        self.send(request).expect("the server reads");
        self.read(method).expect("the server answers")
    }

    /// GET, with nothing special.
    pub fn get(&mut self, target: &str) -> Response {
        self.request("GET", target, "")
    }

    /// Waits until the server has taken everything sent so far out of its socket, as the system's
    /// table of connections shows it.
    pub fn wait_until_read(&self) {
        let stream = self.stream.get_ref();
        let (ours, its) = (stream.local_addr(), stream.peer_addr());
        let (ours, its) = (ours.expect("connected"), its.expect("connected"));
        let table = if its.is_ipv4() { "/proc/net/tcp" } else { "/proc/net/tcp6" };
        // `N: LOCAL:PORT REMOTE:PORT STATE TX:RX`, in hexadecimal; its end of the connection.
        let ends = [format!(":{:04X}", its.port()), format!(":{:04X}", ours.port())];
        until("the server reads", || {
            let table = std::fs::read_to_string(table).expect("/proc is there");
            let mut lines = table.lines().map(|line| line.split_whitespace().skip(1));
            let queues = lines.find_map(|mut words| {
                let is_its = words.next()?.ends_with(&ends[0]) && words.next()?.ends_with(&ends[1]);
                if is_its { words.nth(1) } else { None }
            });
            // Closed already: it has read what it wanted.
            queues.is_none_or(|queues| queues.ends_with(":00000000")).then_some(())
        });
    }

    /// Reads so many bytes.
    ///
    /// # Errors
    /// The connection ends before.
    pub fn read_exact(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.stream.read_exact(bytes)
    }

    /// Everything until the server closes. An RST counts as a close.
    ///
    /// # Panics
    /// The server says nothing and does not close.
    pub fn read_to_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Err(error) = self.stream.read_to_end(&mut bytes) {
            assert_ne!(error.kind(), io::ErrorKind::WouldBlock, "the connection stays open");
        }
        bytes
    }

    /// Whether the server has closed (or closes within the time any wait may take).
    pub fn is_closed(&mut self) -> bool {
        match self.stream.fill_buf() {
            Ok(bytes) => bytes.is_empty(),
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }
}

/// Sends bytes on a new connection, then FIN; everything that comes back.
pub fn exchange(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut client = Client::connect(address);
    // The server may refuse and close before everything is sent.
    let _ = client.send(bytes);
    let _ = client.stream().shutdown(Shutdown::Write);
    client.read_to_end()
}
