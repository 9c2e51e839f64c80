//! The clients of a [`Load`]: one thread, one epoll.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::{Load, Tally};
use crate::wait::WAIT_MAX;

pub(super) struct Run {
    load: Load,
    request: Vec<u8>,
    tally: Tally,
    answered: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    epoll: Epoll,
    clients: Vec<Client>,
    open: usize,
    /// Clients that were refused: they ask for something else in the next turn.
    refused: Vec<usize>,
}

struct Client {
    stream: Option<TcpStream>,
    /// Requests still to be sent.
    left: u64,
    buf: Vec<u8>,
    filled: usize,
}

/// What a client's answer came to.
enum Answer {
    Partial,
    Whole { closes: bool },
}

/// How long the loop sleeps before it looks whether it shall stop.
const TURN: Duration = Duration::from_millis(10);

impl Run {
    pub(super) fn new(load: Load, answered: Arc<AtomicU64>, stop: Arc<AtomicBool>) -> Self {
        let connection = if load.keep_alive { "" } else { "Connection: close\r\n" };
        let request =
            format!("GET {} HTTP/1.1\r\nHost: localhost\r\n{connection}\r\n", load.target);
        let room = load.body.len() + 4096;
        let share = |n: usize| match load.requests {
            Some(all) => {
                let (clients, n) = (load.clients as u64, n as u64);
                all / clients + u64::from(n < all % clients)
            }
            None => u64::MAX,
        };
        let client = |n| Client { stream: None, left: share(n), buf: vec![0; room], filled: 0 };
        Self {
            request: request.into_bytes(),
            tally: Tally::default(),
            answered,
            stop,
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).expect("epoll"),
            clients: (0..load.clients).map(client).collect(),
            open: 0,
            refused: Vec::new(),
            load,
        }
    }

    /// Runs to the end of all requests, or until stopped.
    pub(super) fn finish(mut self) -> io::Result<Tally> {
        for n in 0..self.clients.len() {
            self.ask(n);
        }
        let mut events = vec![EpollEvent::empty(); 256];
        let timeout = EpollTimeout::try_from(TURN).expect("short");
        let mut last = Instant::now();
        while self.open > 0 || !self.refused.is_empty() {
            let ready = self.epoll.wait(&mut events, timeout)?;
            if ready > 0 {
                last = Instant::now();
            } else if last.elapsed() > WAIT_MAX {
                self.give_up();
            }
            for event in &events[..ready] {
                self.take(event.data() as usize);
            }
            for n in std::mem::take(&mut self.refused) {
                self.ask(n);
            }
        }
        Ok(self.tally)
    }

    /// Sends the client's next request, on a new connection if it has none.
    fn ask(&mut self, n: usize) {
        while self.clients[n].left > 0 && !self.stop.load(Ordering::Relaxed) {
            self.clients[n].left -= 1;
            self.clients[n].filled = 0;
            if self.clients[n].stream.is_none() && !self.connect(n) {
                self.refused.push(n);
                return;
            }
            let stream = self.clients[n].stream.as_mut().expect("connected");
            match stream.write_all(&self.request) {
                Ok(()) => return,
                Err(error) => self.fail(n, &format!("request not sent: {error}")),
            }
        }
        self.close(n);
    }

    fn connect(&mut self, n: usize) -> bool {
        let connected = TcpStream::connect_timeout(&self.load.address, WAIT_MAX);
        let stream = match connected {
            Ok(stream) => stream,
            Err(error) => {
                self.tally.refused += 1;
                self.tally.problem.get_or_insert_with(|| format!("connection refused: {error}"));
                return false;
            }
        };
        stream.set_nonblocking(true).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        let event = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP, n as u64);
        self.epoll.add(stream.as_fd(), event).expect("epoll");
        self.tally.connections += 1;
        self.open += 1;
        self.clients[n].stream = Some(stream);
        true
    }

    fn close(&mut self, n: usize) {
        // Closing takes it out of the epoll.
        if self.clients[n].stream.take().is_some() {
            self.open -= 1;
        }
    }

    fn fail(&mut self, n: usize, problem: &str) {
        self.tally.failed += 1;
        self.tally.problem.get_or_insert_with(|| problem.to_owned());
        self.close(n);
    }

    fn give_up(&mut self) {
        for n in 0..self.clients.len() {
            if self.clients[n].stream.is_some() {
                self.fail(n, &format!("no answer within {WAIT_MAX:?}"));
            }
        }
    }

    /// Reads what has come for a client.
    fn take(&mut self, n: usize) {
        let client = &mut self.clients[n];
        let Some(stream) = &mut client.stream else { return };
        match stream.read(&mut client.buf[client.filled..]) {
            Ok(0) => {
                let problem =
                    format!("connection ended after {} bytes of an answer", client.filled);
                self.fail(n, &problem);
                self.ask(n);
            }
            Ok(len) => {
                client.filled += len;
                self.judge(n);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                self.fail(n, &format!("no answer: {error}"));
                self.ask(n);
            }
        }
    }

    fn judge(&mut self, n: usize) {
        let client = &self.clients[n];
        match judge(&client.buf[..client.filled], &self.load.body) {
            Ok(Answer::Partial) => return,
            Ok(Answer::Whole { closes }) => {
                self.tally.answered += 1;
                self.answered.store(self.tally.answered, Ordering::Relaxed);
                if closes || !self.load.keep_alive {
                    self.close(n);
                }
            }
            Err(problem) => {
                self.tally.wrong += 1;
                self.tally.problem.get_or_insert(problem);
                self.close(n);
            }
        }
        self.ask(n);
    }
}

/// Compares an answer, as far as it has come, with what is wanted.
fn judge(bytes: &[u8], body: &[u8]) -> Result<Answer, String> {
    let Some(len) = bytes.windows(4).position(|end| end == b"\r\n\r\n") else {
        return Ok(Answer::Partial);
    };
    let (head, rest) = bytes.split_at(len + 4);
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default();
    if status != "HTTP/1.1 200 OK" {
        return Err(format!("answered {status}"));
    }
    let (mut closes, mut len) = (false, None);
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        if name.eq_ignore_ascii_case("content-length") {
            len = value.parse().ok();
        } else if name.eq_ignore_ascii_case("connection") {
            closes = value.eq_ignore_ascii_case("close");
        }
    }
    if len != Some(body.len()) {
        return Err(format!("a body of {len:?} bytes, not {}", body.len()));
    }
    match rest.len() {
        n if n < body.len() => Ok(Answer::Partial),
        _ if rest != body => Err("another body".to_owned()),
        _ => Ok(Answer::Whole { closes }),
    }
}
