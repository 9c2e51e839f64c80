//! Many clients at once, in one thread: how much was answered, and what went wrong.
//!
//! The clients never retry. A request that is not answered has failed, and the next one goes over a
//! new connection. Only an answer with `Connection: close` lets a client change its connection
//! without harm. Status and every byte of the body are compared.

mod run;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use run::Run;

/// What clients do.
#[derive(Clone, Debug)]
pub struct Load {
    /// Where the server is.
    pub address: SocketAddr,
    /// What they ask for.
    pub target: String,
    /// What they must get.
    pub body: Vec<u8>,
    /// How many they are.
    pub clients: usize,
    /// Requests in total, shared out evenly; `None` = until [`Running::stop`].
    pub requests: Option<u64>,
    /// Whether they ask for more on the same connection.
    pub keep_alive: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests answered rightly.
    pub answered: u64,
    /// Connections made.
    pub connections: u64,
    /// Connections refused.
    pub refused: u64,
    /// Requests on which the connection ended, or nothing came for [`WAIT_MAX`](crate::WAIT_MAX).
    pub failed: u64,
    /// Answers with another status or body.
    pub wrong: u64,
    /// The first thing that went wrong.
    pub problem: Option<String>,
}

impl Load {
    /// 64 clients that keep their connections and ask until they are stopped.
    pub fn new(address: SocketAddr, target: &str, body: &[u8]) -> Self {
        let (target, body) = (target.to_owned(), body.to_vec());
        Self { address, target, body, clients: 64, requests: None, keep_alive: true }
    }

    /// So many requests, then it ends by itself.
    #[must_use]
    pub fn requests(mut self, requests: u64) -> Self {
        self.requests = Some(requests);
        self
    }

    /// So many clients.
    #[must_use]
    pub fn clients(mut self, clients: usize) -> Self {
        self.clients = clients;
        self
    }

    /// A connection for each request.
    #[must_use]
    pub fn one_request_per_connection(mut self) -> Self {
        self.keep_alive = false;
        self
    }

    /// Does it, to its end.
    pub fn run(self) -> Tally {
        assert!(self.requests.is_some(), "without an end");
        self.start().join()
    }

    /// Begins, beside the test.
    pub fn start(self) -> Running {
        let (answered, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let run = Run::new(self, Arc::clone(&answered), Arc::clone(&stop));
        let thread = std::thread::spawn(move || run.finish().expect("epoll"));
        Running { thread, answered, stop }
    }
}

/// Clients at work.
#[derive(Debug)]
pub struct Running {
    thread: JoinHandle<Tally>,
    answered: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Running {
    /// Requests answered so far.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Lets every client finish what it has asked for, and ends.
    pub fn stop(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        self.join()
    }

    /// Waits until all requests are done.
    ///
    /// # Panics
    /// The load itself failed.
    pub fn join(self) -> Tally {
        self.thread.join().expect("the clients")
    }
}

impl Tally {
    /// Every request was answered, and rightly.
    ///
    /// # Panics
    /// One was not.
    #[track_caller]
    pub fn assert_clean(&self) {
        let bad = self.refused + self.failed + self.wrong;
        assert!(bad == 0 && self.answered > 0, "{self:?}");
    }
}
