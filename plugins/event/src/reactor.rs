//! The loop: accept, wait for readiness and time, poll.
//!
//! Connections are registered once, edge-triggered for both directions: the host reads and writes
//! until it would block (`CAP_DRAINS_TO_EAGAIN`), so no edge is missed and no request costs a call to
//! `epoll_ctl`. Listeners are level-triggered with `EPOLLEXCLUSIVE`, which mio does not offer, so
//! they are added to mio's own epoll by hand.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use mpm_sdk::abi::scoreboard::{STATE_GRACEFUL, STATE_READY};
use mpm_sdk::abi::{
    EV_HANGUP, EV_READABLE, EV_STOPPING, EV_TIMED_OUT, EV_WOKEN, EV_WRITABLE, NEVER, WRITE,
};
use mpm_sdk::wheel::Wheel;
use mpm_sdk::{
    Accepted, Child, ChildEvent, Connection, Error, Listener, Readiness, Status, descriptor_limit,
    unwatch, watch_exclusive,
};

use crate::capacity::Capacity;
use crate::offload::{Job, Offload, Returned};
use crate::remote::{Inbox, Remote};
use crate::table::{Place, Table};

/// Events taken from the kernel at a time.
const EVENTS: usize = 512;
/// Connections accepted from a listener per turn, so that those there already are not kept waiting.
const ACCEPTS: usize = 64;

/// Time between two reports that idle connections are closed.
const SHED_TOLD_EVERY_NS: u64 = 60_000_000_000;

/// Tokens of the loop's own descriptors; connections have 63 bits.
const CONTROL: Token = Token(usize::MAX);
const INBOX: Token = Token(usize::MAX - 1);
/// The first listener; the others count down from it.
const LISTENER: usize = usize::MAX - 2;

/// Whether the loop goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Serve,
    Drain,
    Stop,
}

pub(crate) struct Reactor {
    child: Child,
    slot: u32,
    /// The loop's own number: one past those of the threads that may block.
    thread: u32,
    poll: Poll,
    listeners: Vec<Listener>,
    /// Listeners are not watched before this time: descriptors ran out.
    paused_until: Option<u64>,
    capacity: Capacity,
    /// Listeners are not watched: it takes no more connections.
    is_full: bool,
    /// When closing idle connections was last told.
    shed_told_ns: Option<u64>,
    remote: Arc<Remote>,
    inbox: Inbox,
    offload: Offload,
    table: Table,
    /// Tokens of connections that can go on without an event.
    runnable: VecDeque<u64>,
    wheel: Wheel,
    now_ns: u64,
    order: Order,
    /// It has had its share of connections (MaxConnectionsPerChild).
    is_spent: bool,
}

impl Reactor {
    /// A loop with its threads, watching the listeners.
    pub(crate) fn new(child: Child, slot: u32, threads: u32, factor: f64) -> Result<Self, Error> {
        let poll = Poll::new().map_err(|e| failed("epoll", &e))?;
        let control = child.control()?;
        poll.registry()
            .register(&mut SourceFd(&control.as_raw_fd()), CONTROL, Interest::READABLE)
            .map_err(|e| failed("control channel", &e))?;
        let remote = Remote::new(poll.registry(), INBOX).map_err(|e| failed("eventfd", &e))?;
        let remote = Arc::new(remote);
        let offload = Offload::new(child, (slot, threads), &remote)?;
        child.thread_is(slot, threads);
        child.thread_state(slot, threads, STATE_READY);
        let now_ns = child.host().now();
        let reactor = Self {
            child,
            slot,
            thread: threads,
            listeners: child.listeners(),
            paused_until: None,
            capacity: Capacity::new(threads, factor, descriptor_limit()),
            is_full: false,
            shed_told_ns: None,
            remote,
            inbox: Inbox::default(),
            offload,
            table: Table::default(),
            runnable: VecDeque::new(),
            wheel: Wheel::new(now_ns),
            now_ns,
            order: Order::Serve,
            is_spent: false,
            poll,
        };
        reactor.watch_listeners()?;
        reactor.report();
        Ok(reactor)
    }

    pub(crate) fn remote(&self) -> Arc<Remote> {
        Arc::clone(&self.remote)
    }

    /// Serves until told to stop, or until everything is finished after being told to drain.
    pub(crate) fn run(&mut self) -> Result<(), Error> {
        let mut events = Events::with_capacity(EVENTS);
        while self.order != Order::Stop && !(self.order == Order::Drain && self.table.len() == 0) {
            match self.poll.poll(&mut events, self.timeout()) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    return Err(failed("epoll", &error));
                }
                _ => {}
            }
            self.now_ns = self.child.host().now();
            for event in &events {
                self.on_event(event)?;
            }
            if self.is_spent && self.order == Order::Serve {
                self.drain()?;
            }
            self.on_inbox();
            self.on_time()?;
            self.run_queue();
            self.regulate()?;
        }
        Ok(())
    }

    /// Until the next deadline; not at all while something can run.
    fn timeout(&self) -> Option<Duration> {
        if !self.runnable.is_empty() {
            return Some(Duration::ZERO);
        }
        let next = self.wheel.next_ns().into_iter().chain(self.paused_until).min()?;
        // mio rounds up to whole milliseconds.
        Some(Duration::from_nanos(next.saturating_sub(self.child.host().now())))
    }

    fn on_event(&mut self, event: &mio::event::Event) -> Result<(), Error> {
        match event.token() {
            CONTROL => self.on_control(),
            INBOX => Ok(()), // looked into after every wait
            Token(token) if token > LISTENER - self.listeners.len() => {
                match self.listeners.get(LISTENER - token).copied() {
                    Some(listener) => self.accept(listener),
                    None => Ok(()),
                }
            }
            Token(token) => {
                let mut bits = 0;
                for (set, bit) in [
                    (event.is_readable(), EV_READABLE),
                    (event.is_writable(), EV_WRITABLE),
                    (event.is_read_closed() || event.is_write_closed(), EV_HANGUP),
                    (event.is_error(), EV_HANGUP),
                ] {
                    bits |= if set { bit } else { 0 };
                }
                self.deliver(token as u64, bits);
                Ok(())
            }
        }
    }

    fn on_control(&mut self) -> Result<(), Error> {
        // Edge-triggered: until there is nothing.
        while let Some(event) = self.child.control_next() {
            match event {
                ChildEvent::Stop => {
                    self.order = Order::Stop;
                    return Ok(());
                }
                ChildEvent::Drain => self.drain()?,
            }
        }
        Ok(())
    }

    /// The first order ends accepting. Every one is told to the connections: a further one may mean
    /// that they shall wait for less.
    fn drain(&mut self) -> Result<(), Error> {
        if self.order == Order::Serve {
            self.stop_accepting()?;
        }
        for token in self.table.tokens() {
            self.deliver(token, EV_STOPPING);
        }
        Ok(())
    }

    fn stop_accepting(&mut self) -> Result<(), Error> {
        self.unwatch_listeners();
        // A connection that came last may have woken this child alone: nobody else would see it
        // before the next one comes.
        for listener in self.listeners.clone() {
            self.accept(listener)?;
        }
        self.order = Order::Drain;
        self.child.thread_state(self.slot, self.thread, STATE_GRACEFUL);
        self.paused_until = None;
        self.child.stopping();
        self.report();
        Ok(())
    }

    /// Takes more connections or does not, as there is room for them.
    fn regulate(&mut self) -> Result<(), Error> {
        if self.order != Order::Serve {
            return Ok(());
        }
        let (_, idle_threads) = self.offload.load();
        if self.capacity.must_shed(self.table.len()) {
            self.shed();
        }
        let (busy, all) = (self.table.busy(), self.table.len());
        let is_full = self.capacity.is_full(self.is_full, busy, all, idle_threads);
        if is_full == self.is_full {
            return Ok(());
        }
        self.is_full = is_full;
        if self.paused_until.is_none() {
            // What woke this child alone has been accepted: other children see the rest.
            if is_full { self.unwatch_listeners() } else { self.watch_listeners()? }
        }
        self.report();
        Ok(())
    }

    /// Descriptors run out: those that have waited for a request for the longest time go.
    fn shed(&mut self) {
        let count = (self.table.len() / 64).max(1);
        let oldest = self.table.oldest_idle(count as usize);
        if self.shed_told_ns.is_none_or(|told| self.now_ns >= told + SHED_TOLD_EVERY_NS) {
            self.shed_told_ns = Some(self.now_ns);
            log::warn!(
                "GB0508: {} connections are as many as descriptors allow; the {} that were idle \
                 longest are closed",
                self.table.len(),
                oldest.len()
            );
        }
        for token in oldest {
            self.close(token);
        }
    }

    fn watch_listeners(&self) -> Result<(), Error> {
        for (n, listener) in self.listeners.iter().enumerate() {
            watch_exclusive(&self.poll, listener.fd, (LISTENER - n) as u64)?;
        }
        Ok(())
    }

    fn unwatch_listeners(&self) {
        for listener in &self.listeners {
            unwatch(&self.poll, listener.fd);
        }
    }

    fn accept(&mut self, listener: Listener) -> Result<(), Error> {
        // Those that are taken count only once they have sent something: no more than there is room for
        // before there is a look at them.
        let (_, idle_threads) = self.offload.load();
        let room = self.capacity.room(self.table.busy(), idle_threads) as usize;
        for _ in 0..ACCEPTS.min(room.max(1)) {
            // An event of this batch may have begun a drain or a pause.
            if self.order != Order::Serve || self.paused_until.is_some() {
                return Ok(());
            }
            match self.child.accept(listener.index, false)? {
                Readiness::Accepted(accepted) => {
                    self.take_in(accepted);
                    if self.child.requests_left() == 0 {
                        self.is_spent = true;
                        return Ok(());
                    }
                }
                Readiness::Nothing => return Ok(()),
                Readiness::PauseUntil(until) => {
                    self.unwatch_listeners();
                    self.paused_until = Some(until);
                }
            }
        }
        Ok(())
    }

    fn take_in(&mut self, accepted: Accepted) {
        let token = self.table.next_token();
        let fd = accepted.fd();
        let taken =
            self.child.connection(accepted, token, self.slot, self.thread).and_then(|connection| {
                self.register(fd, token)?;
                Ok(connection)
            });
        match taken {
            Ok(connection) => {
                self.table.insert(connection);
                self.report();
                // Nothing has happened yet; the answer is its first deadline.
                self.poll_connection(token);
            }
            Err(error) => log::warn!("connection dropped: {error}"),
        }
    }

    fn register(&self, fd: RawFd, token: u64) -> Result<(), Error> {
        self.poll
            .registry()
            .register(
                &mut SourceFd(&fd),
                Token(token as usize),
                Interest::READABLE | Interest::WRITABLE,
            )
            .map_err(|e| failed("epoll_ctl", &e))
    }

    fn report(&self) {
        let (busy, idle) = self.offload.load();
        let accepting = self.order == Order::Serve && self.paused_until.is_none() && !self.is_full;
        self.child.report(idle, busy, self.table.len(), accepting);
    }

    /// Passes events on, now or when the connection is here again.
    fn deliver(&mut self, token: u64, bits: u32) {
        let Some(entry) = self.table.get(token) else { return };
        let is_here = matches!(entry.place, Place::Here(_));
        // Room to write concerns only who waits for it: the host tries first. What one that is away
        // waits for is not known yet.
        if is_here && bits == EV_WRITABLE && entry.interest & WRITE == 0 {
            return;
        }
        entry.events |= bits;
        if is_here {
            self.poll_connection(token);
        }
    }

    /// Polls a connection that is here.
    fn poll_connection(&mut self, token: u64) {
        let now_ns = self.now_ns;
        let Some(entry) = self.table.get(token) else { return };
        let events = std::mem::take(&mut entry.events);
        let Place::Here(connection) = &mut entry.place else { return };
        let poll = connection.poll(events, now_ns);
        let (status, phase, has_aux) = (poll.status, poll.phase, !poll.aux.is_empty());
        (entry.interest, entry.deadline_ns) = (poll.interest, poll.deadline_ns);
        self.table.set_phase(token, phase, now_ns);
        self.go_on(token, status, has_aux);
    }

    /// Does what a poll asked for. The connection is here.
    fn go_on(&mut self, token: u64, status: Status, has_aux: bool) {
        match status {
            Status::Pending if has_aux => {
                // No handler of this host's asks for that yet.
                log::error!("a connection waits for other descriptors, which event cannot yet");
                self.close(token);
            }
            Status::Pending => self.arm_timer(token),
            Status::Yield => {
                if let Some(entry) = self.table.get(token) {
                    entry.place = match std::mem::replace(&mut entry.place, Place::Away) {
                        Place::Here(connection) => Place::Queued(connection),
                        other => other,
                    };
                    self.runnable.push_back(token);
                }
            }
            Status::NeedsBlocking => {
                let Some(entry) = self.table.get(token) else { return };
                let events = std::mem::take(&mut entry.events);
                if let Place::Here(connection) = std::mem::replace(&mut entry.place, Place::Away) {
                    self.offload.submit(Job { token, connection, events });
                    self.report();
                }
            }
            Status::Done | Status::Detached => self.close(token),
        }
    }

    /// Drops a connection that is here.
    fn close(&mut self, token: u64) {
        let Some(entry) = self.table.get(token) else { return };
        if let Place::Here(connection) = std::mem::replace(&mut entry.place, Place::Away) {
            self.deregister(&connection);
            drop(connection);
        }
        self.table.remove(token);
        self.report();
    }

    fn deregister(&self, connection: &Connection) {
        // Failure means that it is not watched: what is wanted.
        let _ = self.poll.registry().deregister(&mut SourceFd(&connection.fd()));
    }

    /// Makes sure that the wheel fires no later than the deadline. An entry that fires earlier moves.
    fn arm_timer(&mut self, token: u64) {
        let Some(entry) = self.table.get(token) else { return };
        if entry.deadline_ns < entry.timer_ns {
            entry.timer_ns = entry.deadline_ns;
            self.wheel.insert(token, entry.deadline_ns);
        }
    }

    fn on_inbox(&mut self) {
        let mut inbox = std::mem::take(&mut self.inbox);
        self.remote.take(&mut inbox);
        if !inbox.is_empty() {
            for returned in inbox.returned.drain(..) {
                self.come_back(returned);
            }
            for token in inbox.woken.drain(..) {
                self.deliver(token, EV_WOKEN);
            }
        }
        self.inbox = inbox;
    }

    /// A connection is back from a thread that may block.
    fn come_back(&mut self, returned: Returned) {
        let Returned { token, connection, status, phase, interest, deadline_ns, has_aux } =
            returned;
        self.report();
        let Some(entry) = self.table.get(token) else { return };
        entry.place = Place::Here(connection);
        (entry.interest, entry.deadline_ns) = (interest, deadline_ns);
        let missed = entry.events != 0;
        self.table.set_phase(token, phase, self.now_ns);
        match status {
            // What happened meanwhile may be what it waits for.
            Status::Pending if missed => self.poll_connection(token),
            status => self.go_on(token, status, has_aux),
        }
    }

    fn on_time(&mut self) -> Result<(), Error> {
        if self.paused_until.is_some_and(|until| until <= self.now_ns) {
            self.paused_until = None;
            if !self.is_full {
                self.watch_listeners()?;
            }
            self.report();
        }
        let (table, now_ns) = (&mut self.table, self.now_ns);
        let mut due = Vec::new();
        self.wheel.expire(now_ns, |token| {
            let entry = table.get(token)?;
            // A deadline that was brought forward has left an entry behind: the newer one counts.
            if entry.timer_ns > now_ns {
                return None;
            }
            entry.timer_ns = NEVER;
            if entry.deadline_ns <= now_ns {
                due.push(token);
                return None;
            }
            if entry.deadline_ns == NEVER {
                return None;
            }
            entry.timer_ns = entry.deadline_ns;
            Some(entry.deadline_ns)
        });
        for token in due {
            self.deliver(token, EV_TIMED_OUT);
        }
        Ok(())
    }

    /// Gives everything that can run one turn.
    fn run_queue(&mut self) {
        for _ in 0..self.runnable.len() {
            let Some(token) = self.runnable.pop_front() else { return };
            let Some(entry) = self.table.get(token) else { continue };
            entry.place = match std::mem::replace(&mut entry.place, Place::Away) {
                Place::Queued(connection) => Place::Here(connection),
                other => other,
            };
            self.poll_connection(token);
        }
    }
}

fn failed(what: &str, error: &io::Error) -> Error {
    Error::new(mpm_sdk::abi::E_SYS, format!("{what}: {error}"))
}
