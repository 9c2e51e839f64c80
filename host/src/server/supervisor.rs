//! The parent's table of children, and the one place where it waits: [`Supervisor::next`].

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::signal::{Signal, kill};
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::channel::{self, Channel, Notice, Order, Read};
use super::pid_file::PidFile;
use super::scoreboard::{Report, Scoreboard};
use crate::conn::NEVER;
use crate::log_line;
use crate::sys::{clock, process};

/// How long a child may take to leave when told to stop at once.
const STOP_WAIT_NS: u64 = 5_000_000_000;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    /// Nothing in the time given.
    Nothing,
    /// A child exists.
    Started { slot: u32, pid: Pid },
    /// A child can serve.
    Ready { slot: u32, pid: Pid },
    /// A child is gone.
    Exited { slot: u32, pid: Pid, exit: Exit },
    /// A child's numbers crossed a mark.
    Load { slot: u32, pid: Pid },
    /// SIGTERM or SIGINT.
    Stop,
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    Code(i32),
    Signal(i32),
}

#[derive(Debug)]
struct Child {
    pid: Pid,
    /// `None` once the child has closed its end.
    channel: Option<Channel>,
    ready: bool,
    draining: bool,
    /// When it is killed (monotonic ns).
    kill_ns: u64,
}

/// What the parent knows of a slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    pub(super) pid: Pid,
    pub(super) ready: bool,
    pub(super) draining: bool,
    pub(super) report: Report,
}

/// Why a child was not made.
#[derive(Debug)]
pub(super) enum SpawnError {
    NoSuchSlot,
    Taken,
    System(io::Error),
}

/// What the new child gets.
#[derive(Debug)]
pub(super) struct Birth {
    pub(super) slot: u32,
    pub(super) channel: Channel,
    pub(super) parent: Pid,
}

/// `data` of the signal descriptor; children have their slot.
const SIGNALS: u64 = u64::MAX;

/// Called when the first child is ready.
pub(super) type OnReady = Box<dyn FnOnce() + Send>;

pub(super) struct Supervisor {
    children: Vec<Option<Child>>,
    epoll: Epoll,
    signals: SignalFd,
    happened: VecDeque<Happening>,
    board: Arc<Scoreboard>,
    pid_file: Option<PidFile>,
    /// Taken when a child is ready.
    on_ready: Option<OnReady>,
}

impl Supervisor {
    pub(super) fn new(
        slots: u32,
        signals: SignalFd,
        board: Arc<Scoreboard>,
        pid_file: Option<PidFile>,
        on_ready: OnReady,
    ) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&signals, EpollEvent::new(EpollFlags::EPOLLIN, SIGNALS))?;
        Ok(Self {
            children: (0..slots).map(|_| None).collect(),
            epoll,
            signals,
            happened: VecDeque::new(),
            board,
            pid_file,
            on_ready: Some(on_ready),
        })
    }

    /// Whether any child has been ready.
    pub(super) fn proven(&self) -> bool {
        self.on_ready.is_none()
    }

    /// Makes a child. In the child itself the answer is its [`Birth`]; everything of the parent's is
    /// gone there.
    pub(super) fn spawn(&mut self, slot: u32) -> Result<Result<Pid, Birth>, SpawnError> {
        let place = self.children.get(slot as usize).ok_or(SpawnError::NoSuchSlot)?;
        if place.is_some() {
            return Err(SpawnError::Taken);
        }
        let (ours, theirs) = channel::pair().map_err(SpawnError::System)?;
        let watch = EpollEvent::new(EpollFlags::EPOLLIN, u64::from(slot));
        self.epoll.add(&ours, watch).map_err(|error| SpawnError::System(error.into()))?;
        self.board.publish(slot, Report::default());
        let parent = Pid::this();
        match process::fork().map_err(SpawnError::System)? {
            None => {
                // Other children's channels, and the lock that says the parent lives: this child
                // must not keep them open.
                self.children.clear();
                drop(ours);
                if let Some(pid_file) = self.pid_file.take() {
                    pid_file.leave_to_parent();
                }
                Ok(Err(Birth { slot, channel: theirs, parent }))
            }
            Some(pid) => {
                let child = Child {
                    pid,
                    channel: Some(ours),
                    ready: false,
                    draining: false,
                    kill_ns: NEVER,
                };
                if let Some(place) = self.children.get_mut(slot as usize) {
                    *place = Some(child);
                }
                self.happened.push_back(Happening::Started { slot, pid });
                Ok(Ok(pid))
            }
        }
    }

    fn child(&mut self, slot: u32) -> Option<&mut Child> {
        self.children.get_mut(slot as usize)?.as_mut()
    }

    /// Number of slots.
    pub(super) fn slots(&self) -> u32 {
        u32::try_from(self.children.len()).unwrap_or(u32::MAX)
    }

    /// What is known of the child in a slot.
    pub(super) fn state(&self, slot: u32) -> Option<State> {
        let child = self.children.get(slot as usize)?.as_ref()?;
        let Child { pid, ready, draining, .. } = *child;
        Some(State { pid, ready, draining, report: self.board.read(slot) })
    }

    /// Asks the child in a slot to finish what it holds. `false`: nobody there.
    pub(super) fn drain(&mut self, slot: u32, deadline_ns: u64) -> bool {
        self.order(slot, Order::Drain(deadline_ns), Signal::SIGUSR1, deadline_ns)
    }

    /// Tells the child in a slot to leave at once. `false`: nobody there.
    pub(super) fn stop(&mut self, slot: u32) -> bool {
        let deadline = clock::now_ns() + STOP_WAIT_NS;
        self.order(slot, Order::Stop, Signal::SIGTERM, deadline)
    }

    fn order(&mut self, slot: u32, order: Order, signal: Signal, deadline_ns: u64) -> bool {
        let Some(child) = self.child(slot) else { return false };
        child.draining = true;
        child.kill_ns = child.kill_ns.min(deadline_ns);
        if let Some(channel) = &child.channel {
            // A child that does not read its channel meets its deadline.
            let _ = channel.order(order);
        }
        // The channel reaches the child's main thread, the signal a thread that waits in `recv`.
        // The child has not been waited for, so the number is still its own.
        let _ = kill(child.pid, signal);
        true
    }

    /// Waits for the next happening, at most until `deadline_ns`.
    pub(super) fn next(&mut self, deadline_ns: u64) -> io::Result<Happening> {
        loop {
            if let Some(happening) = self.happened.pop_front() {
                return Ok(happening);
            }
            let now = clock::now_ns();
            self.kill_overdue(now);
            if now >= deadline_ns {
                return Ok(Happening::Nothing);
            }
            let kills = self.children.iter().flatten().map(|child| child.kill_ns);
            let until = kills.fold(deadline_ns, u64::min);
            let mut events = [EpollEvent::empty(); 32];
            let seen = match self.epoll.wait(&mut events, timeout(until, now)) {
                Ok(seen) => seen,
                Err(nix::Error::EINTR) => 0,
                Err(error) => return Err(error.into()),
            };
            for event in events.iter().take(seen) {
                match u32::try_from(event.data()) {
                    Ok(slot) => self.read_channel(slot),
                    Err(_) => self.read_signals()?,
                }
            }
        }
    }

    fn kill_overdue(&mut self, now_ns: u64) {
        for child in self.children.iter_mut().flatten().filter(|child| child.kill_ns <= now_ns) {
            log_line!(
                WARN,
                "AH00046",
                "child process {} still did not exit, sending a SIGKILL",
                child.pid
            );
            let _ = kill(child.pid, Signal::SIGKILL);
            child.kill_ns = NEVER;
        }
    }

    fn read_channel(&mut self, slot: u32) {
        // One message a turn: a child that floods its channel does not keep the parent from the
        // others.
        let child = self.children.get_mut(slot as usize).and_then(Option::as_mut);
        let Some(child) = child else { return };
        let Some(channel) = &child.channel else { return };
        let pid = child.pid;
        match channel.next_notice() {
            Read::Message(Notice::Ready) if !child.ready => {
                child.ready = true;
                if let Some(on_ready) = self.on_ready.take() {
                    on_ready();
                }
                self.happened.push_back(Happening::Ready { slot, pid });
            }
            Read::Message(Notice::Load | Notice::Stopping) => {
                let load = Happening::Load { slot, pid };
                if self.happened.back() != Some(&load) {
                    self.happened.push_back(load);
                }
            }
            Read::Message(Notice::Ready) | Read::Nothing => {}
            Read::Closed => {
                let _ = self.epoll.delete(channel.as_fd());
                child.channel = None;
            }
        }
    }

    fn read_signals(&mut self) -> io::Result<()> {
        while let Some(info) = self.signals.read_signal()? {
            match i32::try_from(info.ssi_signo).ok().and_then(|n| Signal::try_from(n).ok()) {
                Some(Signal::SIGCHLD) => self.reap(),
                Some(signal @ (Signal::SIGTERM | Signal::SIGINT)) => {
                    log_line!(NOTICE, "AH00491", "caught {}, shutting down", signal.as_str());
                    self.happened.push_back(Happening::Stop);
                }
                Some(signal) => log_line!(
                    WARN,
                    "GB0301",
                    "caught {}: restarting is not supported yet, nothing done",
                    signal.as_str()
                ),
                None => {}
            }
        }
        Ok(())
    }

    /// Collects every child that has ended.
    fn reap(&mut self) {
        loop {
            let exit = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, Exit::Code(code)),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, Exit::Signal(signal as i32)),
                Ok(WaitStatus::StillAlive) | Err(nix::Error::ECHILD) => return,
                Err(nix::Error::EINTR) | Ok(_) => continue,
                Err(_) => return,
            };
            self.buried(exit.0, exit.1);
        }
    }

    fn buried(&mut self, pid: Pid, exit: Exit) {
        let found = self.children.iter().position(|c| c.as_ref().is_some_and(|c| c.pid == pid));
        let Some(slot) = found else { return };
        let asked = self.children.get_mut(slot).and_then(Option::take).is_some_and(|c| c.draining);
        log_exit(pid, exit, asked);
        let slot = u32::try_from(slot).unwrap_or(u32::MAX);
        self.board.publish(slot, Report::default());
        self.happened.push_back(Happening::Exited { slot, pid, exit });
    }

    fn alive(&self) -> bool {
        self.children.iter().any(Option::is_some)
    }

    /// Tells every child to leave at once and waits until all have; kills those that do not.
    pub(super) fn stop_all(&mut self) -> io::Result<()> {
        for slot in 0..self.slots() {
            self.stop(slot);
        }
        while self.alive() {
            self.next(NEVER)?;
        }
        Ok(())
    }

    /// Lets every child finish what it holds; a further stop signal ends that.
    pub(super) fn drain_all(&mut self) -> io::Result<()> {
        for slot in 0..self.slots() {
            self.drain(slot, NEVER);
        }
        while self.alive() {
            if self.next(NEVER)? == Happening::Stop {
                return self.stop_all();
            }
        }
        Ok(())
    }
}

fn timeout(until_ns: u64, now_ns: u64) -> EpollTimeout {
    if until_ns == NEVER {
        return EpollTimeout::NONE;
    }
    // Rounded up: a wait that ran out has reached its time.
    let millis = until_ns.saturating_sub(now_ns).div_ceil(1_000_000);
    // At most weeks: a look around in between does no harm.
    let millis = i32::try_from(millis).ok().and_then(|ms| EpollTimeout::try_from(ms).ok());
    millis.unwrap_or(EpollTimeout::MAX)
}

fn log_exit(pid: Pid, exit: Exit, asked: bool) {
    match exit {
        Exit::Code(mpm_abi::CHILD_FATAL) => {
            log_line!(
                ALERT,
                "AH00050",
                "Child {pid} returned a Fatal error... gearbox is exiting!"
            );
        }
        Exit::Code(0) => log_line!(DEBUG, "GB0302", "child {pid} left"),
        Exit::Code(code) => log_line!(WARN, "GB0303", "child {pid} exited with code {code}"),
        Exit::Signal(_) if asked => log_line!(DEBUG, "GB0302", "child {pid} left"),
        Exit::Signal(number) => {
            let name = Signal::try_from(number).map_or("unknown", Signal::as_str);
            log_line!(NOTICE, "AH00052", "child pid {pid} exit signal {name} ({number})");
        }
    }
}
