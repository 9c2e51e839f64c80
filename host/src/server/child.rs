//! A child: what it is made of, what it reports, what it is told.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use mpm_abi::{CHILD_FATAL, CHILD_INIT, Plan};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

use super::channel::{self, ChildEnd, Notice, Order, ParentEnd, Read};
use super::listeners::Listener;
use super::load::Bell;
use super::supervisor::Birth;
use crate::log::LogFiles;
use crate::log_line;
use crate::status::worker;
use crate::status::{Board, Report};
use crate::sys::process::Account;
use crate::sys::{files, process, signals, socket};

/// What the host keeps in a child.
#[derive(Debug)]
pub(super) struct ChildSide {
    slot: u32,
    channel: ChildEnd,
    /// Orders that were read by a thread that is not the MPM's to hear them; those in the channel are
    /// later ones. Held while messages are read.
    orders: Mutex<VecDeque<Told>>,
    /// Readable while there are such orders.
    ordered: OwnedFd,
    /// Readable while one of the two is.
    control: Epoll,
    /// The parent's end, where one process plays both parts (`-X`).
    _parent: Option<ParentEnd>,
    board: Arc<Board>,
    /// Requests are counted.
    extended: bool,
    logs: Arc<LogFiles>,
    plan: Plan,
    /// It takes no more connections, and its listeners are closed.
    stopped_accepting: AtomicBool,
    /// What the parent decides by, as last published: idle threads, and whether it accepts.
    stand: AtomicU64,
    bell: Bell,
    /// Connections accepted.
    taken: AtomicU64,
}

/// What a child is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Nothing new.
    Nothing,
    /// Leave at once.
    Stop,
    /// Finish what is held; force is used at this time.
    Drain(u64),
}

impl ChildSide {
    /// Descriptor that is readable while [`ChildSide::told`] has something.
    pub(super) fn control(&self) -> BorrowedFd<'_> {
        self.control.0.as_fd()
    }

    /// The next thing the MPM is told. What is the host's own is done on the way.
    pub(super) fn told(&self) -> Told {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if signals::is_stopping() {
                return Told::Stop;
            }
            if let Some(told) = orders.pop_front() {
                if orders.is_empty() {
                    socket::reset_signal(self.ordered.as_fd());
                }
                return told;
            }
            match self.channel.next_told() {
                Read::Nothing => return Told::Nothing,
                // The parent is gone, or SIGTERM shut the channel.
                Read::Closed => return Told::Stop,
                Read::Message(message) => {
                    if let Some(told) = self.attend_to(message) {
                        return told;
                    }
                }
            }
        }
    }

    /// Does what the parent wants of the host, and keeps what it wants of the MPM. Called by a thread
    /// that drives a connection.
    pub(super) fn attend(&self, listeners: &[Listener]) {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        while let Read::Message(message) = self.channel.next_told() {
            if let Some(told) = self.attend_to(message) {
                orders.push_back(told);
                socket::signal(self.ordered.as_fd());
            }
        }
        drop(orders);
        let is_only_thread = self.plan.threads_per_child == 1;
        if signals::is_draining() && is_only_thread && !self.has_stopped_accepting() {
            // The MPM cannot say so before this connection ends.
            self.stop_accepting(listeners);
        }
    }

    fn attend_to(&self, message: channel::Told) -> Option<Told> {
        match message {
            channel::Told::Order(Order::Stop) => return Some(Told::Stop),
            channel::Told::Order(Order::Drain(deadline)) => {
                self.board.drain(self.slot);
                signals::set_draining();
                return Some(Told::Drain(deadline));
            }
            channel::Told::Order(Order::Leave(deadline)) => {
                self.board.drain(self.slot);
                signals::leave();
                return Some(Told::Drain(deadline));
            }
            channel::Told::Reopen(log, file) => {
                if let Err(error) = self.logs.replace(log, file.as_fd()) {
                    log_line!(ERROR, "GB0331", "the old log is kept: {error}");
                }
            }
            channel::Told::Reopened => self.notify(Notice::Reopened),
        }
        None
    }

    /// The MPM takes no more connections: the listening sockets are closed in this child, so that an
    /// address that a new generation does without is free at once, and not only when this child has
    /// finished what it holds. Their numbers stay taken.
    pub(super) fn stop_accepting(&self, listeners: &[Listener]) {
        // Before they lead elsewhere: whoever accepts looks at it first.
        self.stopped_accepting.store(true, Ordering::SeqCst);
        // Nobody may have ordered it: a child that has had its share of connections stops by itself.
        signals::set_draining();
        let Ok(null) = File::open("/dev/null") else { return };
        for listener in listeners {
            // One that stays open is closed with the process.
            let _ = files::replace(listener.number(), null.as_fd());
        }
        self.notify(Notice::Stopping);
    }

    /// Whether [`ChildSide::stop_accepting`] was called.
    pub(super) fn has_stopped_accepting(&self) -> bool {
        self.stopped_accepting.load(Ordering::SeqCst)
    }

    /// It can serve.
    pub(super) fn ready(&self) {
        self.board.ready(self.slot);
        self.notify(Notice::Ready);
    }

    /// What the calling thread does is kept in this record from now on.
    pub(super) fn bind(&self, slot: u32, thread: u32) {
        if slot == self.slot
            && let Some(worker) = self.board.worker(slot, thread)
        {
            worker.set_tid(process::thread_id());
            worker::bind(worker, self.extended);
        }
    }

    /// The same for a thread that the MPM says nothing of.
    pub(super) fn bind_unbound(&self, thread: u32) {
        if !worker::is_bound() {
            self.bind(self.slot, thread);
        }
    }

    /// What a thread says it does.
    pub(super) fn set_state(&self, slot: u32, thread: u32, state: u32) {
        if slot == self.slot
            && let Some(worker) = self.board.worker(slot, thread)
        {
            worker.set_state(state);
        }
    }

    /// A connection was accepted.
    pub(super) fn count_connection(&self) {
        self.taken.fetch_add(1, Ordering::Relaxed);
    }

    /// How many were.
    pub(super) fn connections_taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    pub(super) fn notify(&self, notice: Notice) {
        self.channel.notify(notice);
    }

    /// Publishes numbers; the parent is woken only when that may matter to it.
    pub(super) fn report(&self, report: Report) {
        self.board.publish(self.slot, report);
        let stand = u64::from(report.idle) << 1 | u64::from(report.accepting);
        if self.stand.swap(stand, Ordering::Relaxed) != stand && self.bell.ring() {
            self.notify(Notice::Load);
        }
    }
}

/// What a child is made from.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    /// Whom it runs as.
    pub(super) account: Account,
    /// What it reports to.
    pub(super) board: Arc<Board>,
    /// ExtendedStatus.
    pub(super) extended: bool,
    /// What it rings when its numbers change.
    pub(super) bell: Bell,
    /// What it writes to.
    pub(super) logs: Arc<LogFiles>,
    /// What the MPM planned.
    pub(super) plan: Plan,
    /// See `MaxMemFree`.
    pub(super) max_mem_free: Option<u64>,
    /// See `CoreDumpDirectory`.
    pub(super) core_dump_directory: Option<PathBuf>,
}

impl Parts {
    fn side(
        &self,
        slot: u32,
        channel: ChildEnd,
        parent: Option<ParentEnd>,
    ) -> io::Result<ChildSide> {
        let ordered = socket::event_fd()?;
        let control = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        for fd in [channel.as_fd(), ordered.as_fd()] {
            control.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
        }
        self.board.arrive(slot, std::process::id());
        Ok(ChildSide {
            slot,
            channel,
            orders: Mutex::default(),
            ordered,
            control,
            _parent: parent,
            board: Arc::clone(&self.board),
            extended: self.extended,
            logs: Arc::clone(&self.logs),
            plan: self.plan,
            stopped_accepting: AtomicBool::new(false),
            stand: AtomicU64::new(u64::MAX),
            bell: self.bell.clone(),
            taken: AtomicU64::new(0),
        })
    }

    /// Turns a freshly forked process into a child. The error is its exit code.
    pub(super) fn set_up(&self, birth: Birth, after_fork: impl FnOnce()) -> Result<ChildSide, i32> {
        let Birth { slot, channel, parent } = birth;
        signals::prepare_child(channel.as_fd())
            .map_err(|error| failed("signals", &error, CHILD_INIT))?;
        after_fork();
        self.drop_privileges()?;
        self.settle_in()?;
        process::die_with_parent(parent)
            .map_err(|error| failed("watching the parent", &error, CHILD_INIT))?;
        self.side(slot, channel, None)
            .map_err(|error| failed("control channel", &error, CHILD_INIT))
    }

    /// Turns this process into child 0 (`-X`). The error is its exit code.
    pub(super) fn set_up_alone(&self) -> Result<ChildSide, i32> {
        let (parent, channel) =
            channel::pair().map_err(|error| failed("control channel", &error, CHILD_INIT))?;
        signals::prepare_alone(channel.as_fd())
            .map_err(|error| failed("signals", &error, CHILD_INIT))?;
        self.drop_privileges()?;
        self.settle_in()?;
        self.side(0, channel, Some(parent))
            .map_err(|error| failed("control channel", &error, CHILD_INIT))
    }

    /// What the configuration says of the process itself, as far as it is not the MPM's.
    fn settle_in(&self) -> Result<(), i32> {
        if let Some(bytes) = self.max_mem_free {
            process::keep_free_memory(bytes);
        }
        match &self.core_dump_directory {
            Some(directory) => process::leave_cores_in(directory)
                .map_err(|error| failed("CoreDumpDirectory", &error, CHILD_INIT)),
            None => Ok(()),
        }
    }

    /// Fatal if it fails: with the wrong account nothing may be served, and no other child would
    /// fare better.
    fn drop_privileges(&self) -> Result<(), i32> {
        process::drop_privileges(&self.account)
            .map_err(|error| failed("giving up root's privileges", &error, CHILD_FATAL))
    }
}

fn failed(what: &str, error: &io::Error, code: i32) -> i32 {
    log_line!(ALERT, "GB0304", "child cannot be set up: {what}: {error}");
    code
}
