//! The parent: its children, what it is asked, and the one place where it waits,
//! [`Supervisor::next`].

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::path::PathBuf;
use std::sync::Arc;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::channel::{self, ChildEnd, Order, ParentEnd};
pub(super) use super::children::Exit;
use super::children::{Children, Said};
use super::control::{Command, Control, Heard, Reply, Wait};
use super::generations::{Generation, Generations, held};
use super::hooks::{Point, reach};
use super::listeners::Listener;
use super::load::Watch;
use super::pid_file::PidFile;
use super::restart::{Asked, Kind, Restart};
use super::rows::Patience;
use super::service::Service;
use super::trial::Trial;
use crate::conn::NEVER;
use crate::log::LogFiles;
use crate::log_line;
use crate::status::{Facts, Report};
use crate::sys::image::Image;
use crate::sys::{clock, process};

mod attempt;
mod ending;
mod pass;
mod reopen;
mod replies;

/// How long a child may take to leave when told to stop at once.
const STOP_WAIT_NS: u64 = 5_000_000_000;

/// How long a new generation may take until its first child is ready.
const READY_WAIT_NS: u64 = 10_000_000_000;

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
    /// Stop within StopTimeout.
    Stop,
    /// Stop when everything is finished.
    GracefulStop,
    /// The next image is to take over.
    Restart(Kind),
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
    pub(super) channel: ChildEnd,
    pub(super) parent: Pid,
}

/// Called when the first child of this generation is ready.
pub(super) type OnReady = Box<dyn FnOnce() + Send>;

/// How the server was called; the same in every image.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) image: Image,
    pub(super) server_root: PathBuf,
    pub(super) config: PathBuf,
}

/// What a generation begins with.
pub(super) struct Beginning {
    pub(super) generation: Generation,
    pub(super) load: Watch,
    pub(super) listeners: Arc<Vec<Listener>>,
    pub(super) logs: Arc<LogFiles>,
    pub(super) patience: Patience,
    /// `None`: as before.
    pub(super) pid_file: Option<PidFile>,
    pub(super) control: Option<Control>,
    pub(super) on_ready: OnReady,
}

/// `data` of descriptors that are not a child's or a client's; those have their number.
const SIGNALS: u64 = u64::MAX;
const CONTROL: u64 = u64::MAX - 1;

pub(super) struct Supervisor {
    origin: Origin,
    /// Number of this generation.
    number: u32,
    generations: Generations,
    children: Children,
    /// This generation's children by their slots.
    slots: Vec<Option<u64>>,
    /// Numbers of children and clients.
    last_id: u64,
    epoll: Epoll,
    signals: SignalFd,
    happened: VecDeque<Happening>,
    load: Watch,
    restart: Restart,
    /// What this generation's readiness does to older ones.
    kind: Kind,
    trial: Option<Trial>,
    /// When this generation is given up (monotonic ns).
    ready_by_ns: u64,
    /// Why the server is degraded.
    reason: String,
    listeners: Arc<Vec<Listener>>,
    /// Of an older generation; kept until this one is ready.
    spare: Vec<Listener>,
    /// Those that an older generation listened on.
    inherited: Vec<RawFd>,
    /// Those that were closed, this generation having been given up.
    closed: Vec<RawFd>,
    logs: Arc<LogFiles>,
    patience: Patience,
    pid_file: Option<PidFile>,
    control: Option<Control>,
    /// Of an older generation whose files lay elsewhere; likewise.
    former: (Option<PidFile>, Option<Control>),
    service: Service,
    /// What the status page is told.
    facts: Facts,
    /// Taken when a child is ready.
    on_ready: Option<OnReady>,
    reopening: Option<reopen::Reopening>,
}

impl Supervisor {
    /// A parent without children.
    ///
    /// # Errors
    /// Out of descriptors.
    pub(super) fn new(origin: Origin, signals: SignalFd) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&signals, EpollEvent::new(EpollFlags::EPOLLIN, SIGNALS))?;
        Ok(Self {
            origin,
            number: 1,
            generations: Generations::default(),
            children: Children::default(),
            slots: Vec::new(),
            last_id: 0,
            epoll,
            signals,
            happened: VecDeque::new(),
            load: Watch::default(),
            restart: Restart::starting(None),
            kind: Kind::Graceful,
            trial: None,
            ready_by_ns: NEVER,
            reason: String::new(),
            listeners: Arc::default(),
            spare: Vec::new(),
            inherited: Vec::new(),
            closed: Vec::new(),
            logs: Arc::default(),
            patience: Patience::default(),
            pid_file: None,
            control: None,
            former: (None, None),
            service: Service::from_environment(),
            facts: Facts { started_s: clock::unix_s(), ..Facts::default() },
            on_ready: None,
            reopening: None,
        })
    }

    /// Begins a generation.
    ///
    /// # Errors
    /// Out of watches.
    pub(super) fn begin(&mut self, beginning: Beginning) -> io::Result<()> {
        let Beginning { generation, load, listeners, logs, patience, pid_file, control, on_ready } =
            beginning;
        self.slots = vec![None; generation.slots as usize];
        self.generations.add(self.number, generation);
        self.load = load;
        (self.listeners, self.logs, self.patience) = (listeners, logs, patience);
        if let Some(pid_file) = pid_file {
            self.former.0 = self.pid_file.replace(pid_file);
        }
        if let Some(mut control) = control {
            if let Some(former) = &mut self.control {
                control.take_clients(former);
            }
            self.watch(control.listener().as_fd(), CONTROL)?;
            self.former.1 = self.control.replace(control);
            if let Some(former) = &self.former.1 {
                // Nobody is answered there until this generation is ready, or given up.
                self.epoll.delete(former.listener())?;
            }
        }
        self.on_ready = Some(on_ready);
        self.facts.generation = self.number;
        self.facts.generation_started_s = clock::unix_s();
        self.generations.tell(&self.facts);
        if self.number > 1 {
            self.ready_by_ns = clock::now_ns().saturating_add(READY_WAIT_NS);
        }
        Ok(())
    }

    /// Number of this generation.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// Whether any child of this generation has been ready.
    pub(super) fn proven(&self) -> bool {
        !self.restart.is_starting()
    }

    /// The restart that the next image is to make.
    pub(super) fn leaving(&self) -> Option<Kind> {
        self.restart.leaving()
    }

    /// Whether this generation failed and an older one goes on.
    pub(super) fn is_caretaker(&self) -> bool {
        self.restart.is_caretaker()
    }

    /// Whether the server ends.
    pub(super) fn is_stopping(&self) -> bool {
        self.restart.is_stopping()
    }

    /// What became of children meanwhile: who begins anew asks for how they are.
    pub(super) fn forget_happenings(&mut self) {
        let is_ours = |happening: &Happening| match happening {
            Happening::Stop | Happening::GracefulStop | Happening::Restart(_) => true,
            Happening::Nothing
            | Happening::Started { .. }
            | Happening::Ready { .. }
            | Happening::Exited { .. }
            | Happening::Load { .. } => false,
        };
        self.happened.retain(is_ours);
    }

    fn watch(&self, fd: BorrowedFd<'_>, data: u64) -> io::Result<()> {
        Ok(self.epoll.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, data))?)
    }

    fn new_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Makes a child. In the child itself the answer is its [`Birth`]; everything of the parent's is
    /// gone there.
    pub(super) fn spawn(&mut self, slot: u32) -> Result<Result<Pid, Birth>, SpawnError> {
        let place = self.slots.get(slot as usize).ok_or(SpawnError::NoSuchSlot)?;
        if place.is_some() {
            return Err(SpawnError::Taken);
        }
        let (ours, theirs) = channel::pair().map_err(SpawnError::System)?;
        let id = self.new_id();
        self.watch(ours.as_fd(), id).map_err(SpawnError::System)?;
        let _ = self.generations.clear(self.number, slot);
        let parent = Pid::this();
        match process::fork().map_err(SpawnError::System)? {
            None => {
                // Other children's channels: this child must not keep them open.
                self.children.forget();
                drop(ours);
                Ok(Err(Birth { slot, channel: theirs, parent }))
            }
            Some(pid) => {
                self.children.add(id, pid, self.number, slot, ours);
                if let Some(place) = self.slots.get_mut(slot as usize) {
                    *place = Some(id);
                }
                self.happened.push_back(Happening::Started { slot, pid });
                self.facts.children_started += 1;
                self.generations.tell(&self.facts);
                Ok(Ok(pid))
            }
        }
    }

    /// Number of slots.
    pub(super) fn slots(&self) -> u32 {
        u32::try_from(self.slots.len()).unwrap_or(u32::MAX)
    }

    /// The watch for busy and idle children.
    pub(super) fn watch_load(&mut self) -> &mut Watch {
        &mut self.load
    }

    /// Tells the MPM, once.
    pub(super) fn tell(&mut self, happening: Happening) {
        if self.happened.back() != Some(&happening) {
            self.happened.push_back(happening);
        }
    }

    fn id_in(&self, slot: u32) -> Option<u64> {
        self.slots.get(slot as usize).copied().flatten()
    }

    /// What is known of the child in a slot.
    pub(super) fn state(&self, slot: u32) -> Option<State> {
        let child = self.children.get(self.id_in(slot)?)?;
        let report = self.generations.report(self.number, slot);
        let draining = child.draining || child.stopped_accepting;
        Some(State { pid: child.pid, ready: child.ready, draining, report })
    }

    /// Asks the child in a slot to finish what it holds. `false`: nobody there.
    pub(super) fn drain(&mut self, slot: u32, deadline_ns: u64) -> bool {
        self.order(slot, Order::Drain(deadline_ns), deadline_ns)
    }

    /// Tells the child in a slot to leave at once. `false`: nobody there.
    pub(super) fn stop(&mut self, slot: u32) -> bool {
        self.order(slot, Order::Stop, clock::now_ns().saturating_add(STOP_WAIT_NS))
    }

    fn order(&mut self, slot: u32, order: Order, deadline_ns: u64) -> bool {
        let child = self.id_in(slot).and_then(|id| self.children.get_mut(id));
        child.map(|child| child.order(order, deadline_ns)).is_some()
    }

    /// Waits for the next happening, at most until `deadline_ns`.
    pub(super) fn next(&mut self, deadline_ns: u64) -> io::Result<Happening> {
        loop {
            if let Some(happening) = self.happened.pop_front() {
                return Ok(happening);
            }
            let now = clock::now_ns();
            let until = self.on_time(now).min(deadline_ns);
            if !self.happened.is_empty() {
                continue;
            }
            if now >= deadline_ns {
                return Ok(Happening::Nothing);
            }
            let mut events = [EpollEvent::empty(); 32];
            let seen = match self.epoll.wait(&mut events, timeout(until, now)) {
                Ok(seen) => seen,
                Err(nix::Error::EINTR) => 0,
                Err(error) => return Err(error.into()),
            };
            for event in events.iter().take(seen) {
                match event.data() {
                    SIGNALS => self.read_signals()?,
                    CONTROL => self.accept_client(),
                    id if self.children.get(id).is_some() => self.listen_to(id),
                    id => self.hear_client(id),
                }
            }
        }
    }

    /// Does what is due; when it next has to.
    fn on_time(&mut self, now_ns: u64) -> u64 {
        let generations = &self.generations;
        self.children.kill_overdue(now_ns, |child| {
            generations.view(child.generation, child.slot).iter().flat_map(held).collect()
        });
        if let Some(trial) = self.trial.take_if(|trial| trial.until_ns <= now_ns) {
            // Not waited for any longer: it may be in a wait that even SIGKILL does not end.
            let reason = trial.give_up();
            self.refuse(&reason);
        }
        if self.ready_by_ns <= now_ns {
            let wait = READY_WAIT_NS / 1_000_000_000;
            self.fail(&format!("no child of generation {} was ready within {wait} s", self.number));
            // Brings the MPM's `run` back.
            self.happened.push_back(Happening::Stop);
        }
        self.go_on_reopening(now_ns);
        if self.load.again_ns <= now_ns {
            self.end_silence(now_ns);
        }
        [
            self.children.next_kill_ns(),
            self.load.again_ns,
            self.ready_by_ns,
            self.trial.as_ref().map_or(NEVER, |trial| trial.until_ns),
            self.reopening.as_ref().map_or(NEVER, |reopening| reopening.next_ns),
            self.service.keep_alive(now_ns).unwrap_or(NEVER),
        ]
        .into_iter()
        .fold(NEVER, u64::min)
    }

    fn listen_to(&mut self, id: u64) {
        let Some(child) = self.children.get_mut(id) else { return };
        let (slot, pid, is_ours) = (child.slot, child.pid, child.generation == self.number);
        match child.listen() {
            Said::Ready => {
                if is_ours && self.restart.is_starting() {
                    self.ready();
                }
                if is_ours {
                    self.happened.push_back(Happening::Ready { slot, pid });
                    self.heard_bell();
                }
            }
            Said::Load | Said::Stopping if self.restart.waits_for_exits() => {
                self.happened.push_back(Happening::Nothing);
            }
            Said::Load if is_ours => self.heard_bell(),
            Said::Stopping if is_ours => self.tell(Happening::Load { slot, pid }),
            Said::Reopened => self.reopened(),
            Said::Closed => {
                if let Some(channel) = child.channel.take() {
                    let _ = self.epoll.delete(channel.as_fd());
                }
            }
            Said::Load | Said::Stopping | Said::Nothing => {}
        }
    }

    fn read_signals(&mut self) -> io::Result<()> {
        while let Some(info) = self.signals.read_signal()? {
            match i32::try_from(info.ssi_signo).ok().and_then(|n| Signal::try_from(n).ok()) {
                Some(Signal::SIGCHLD) => self.reap(),
                Some(signal @ (Signal::SIGTERM | Signal::SIGINT)) => {
                    log_line!(NOTICE, "AH00491", "caught {}, shutting down", signal.as_str());
                    self.end(Happening::Stop);
                }
                Some(Signal::SIGWINCH) => {
                    log_line!(NOTICE, "AH00492", "caught SIGWINCH, shutting down gracefully");
                    self.end(Happening::GracefulStop);
                }
                Some(Signal::SIGUSR1) => {
                    log_line!(NOTICE, "AH00493", "SIGUSR1 received.  Doing graceful restart");
                    self.ask(Kind::Graceful);
                }
                Some(Signal::SIGHUP) => {
                    log_line!(NOTICE, "AH00494", "SIGHUP received.  Attempting to restart");
                    self.ask(Kind::Restart);
                }
                Some(Signal::SIGUSR2) => self.reopen(),
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    /// Collects every process that has ended, also those that are not ours: as process 1 the parent
    /// is given everybody's.
    fn reap(&mut self) {
        loop {
            let exit = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, Exit::Code(code)),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, Exit::Signal(signal as i32)),
                Ok(WaitStatus::StillAlive) | Err(nix::Error::ECHILD) => return,
                Err(nix::Error::EINTR) | Ok(_) => continue,
                Err(_) => return,
            };
            self.ended(exit.0, exit.1);
        }
    }

    /// Generations without children are of no use any more.
    fn forget_generations(&mut self) {
        let (number, children) = (self.number, &self.children);
        self.generations
            .retain(|n| n == number || children.iter().any(|(_, child)| child.generation == n));
    }

    fn ended(&mut self, pid: Pid, exit: Exit) {
        if let Some(trial) = self.trial.take_if(|trial| trial.is(pid)) {
            return self.trial_ended(trial, exit);
        }
        let Some((_, child)) = self.children.bury(pid) else { return };
        let (generation, slot) = (child.generation, child.slot);
        let is_ours = generation == self.number;
        let ends_us = is_ours && (self.proven() || !self.has_old_children());
        log_exit(pid, exit, child.draining, ends_us);
        self.facts.finished.add(&self.generations.clear(generation, slot));
        *match exit {
            Exit::Code(0) => &mut self.facts.exits_ordered,
            Exit::Signal(_) if child.draining => &mut self.facts.exits_ordered,
            Exit::Code(_) => &mut self.facts.exits_error,
            Exit::Signal(_) => &mut self.facts.exits_signal,
        } += 1;
        self.generations.tell(&self.facts);
        if child.reopening {
            self.reopened();
        }
        if is_ours {
            if let Some(place) = self.slots.get_mut(slot as usize) {
                *place = None;
            }
            self.happened.push_back(Happening::Exited { slot, pid, exit });
            self.heard_bell();
            return;
        }
        self.forget_generations();
        if self.restart.waits_for_exits() {
            // Whoever waits for the last one looks again.
            self.happened.push_back(Happening::Nothing);
        }
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

fn log_exit(pid: Pid, exit: Exit, asked: bool, ends_us: bool) {
    match exit {
        Exit::Code(mpm_abi::CHILD_FATAL) if ends_us => {
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
