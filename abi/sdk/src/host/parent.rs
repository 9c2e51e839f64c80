//! The parent process inside `run`.

use std::marker::PhantomData;
use std::time::Duration;

use mpm_abi::{
    CHILD_ACCEPTING, CHILD_DRAINING, CHILD_EXISTS, CHILD_READY, ChildInfo, EVENT_CHILD_EXITED,
    EVENT_CHILD_READY, EVENT_CHILD_STARTED, EVENT_GRACEFUL_RESTART, EVENT_GRACEFUL_STOP,
    EVENT_LOAD, EVENT_RESTART, EVENT_STOP, EXIT_CODE, EXIT_SIGNAL, Event, NEVER, OK,
};

use super::{Host, call, empty_event};
use crate::error::Error;

/// The parent process inside `run`. It has one thread and stays on it.
#[derive(Debug)]
pub struct Parent {
    host: Host,
    _one_thread: PhantomData<*mut ()>,
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this code (`CHILD_…`).
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// Nothing is known.
    Lost,
}

/// What the parent is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParentEvent {
    /// The time given has passed.
    Nothing,
    /// A child exists.
    Started {
        /// Its slot.
        slot: u32,
    },
    /// A child can serve.
    Ready {
        /// Its slot.
        slot: u32,
    },
    /// A child is gone and its slot free.
    Exited {
        /// Its slot.
        slot: u32,
        /// How it ended.
        exit: Exit,
    },
    /// The idle threads of all children together crossed a mark of the plan, or a child will accept no
    /// more.
    Load {
        /// Its slot.
        slot: u32,
    },
    /// Stop at once.
    Stop,
    /// Stop when the requests in progress are finished.
    GracefulStop,
    /// Restart, stopping the old children.
    Restart,
    /// Restart, draining the old children.
    GracefulRestart,
}

/// What the parent knows of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChildState {
    /// A process is there.
    pub exists: bool,
    /// It said that it can serve.
    pub ready: bool,
    /// It was told to drain or stop.
    pub draining: bool,
    /// It accepts connections.
    pub accepting: bool,
    /// Process id, 0 = none.
    pub pid: i64,
    /// Threads waiting for work.
    pub idle: u32,
    /// Threads at work.
    pub busy: u32,
    /// Open connections.
    pub connections: u32,
}

impl Parent {
    pub(crate) fn new(host: Host) -> Self {
        Self { host, _one_thread: PhantomData }
    }

    /// The host.
    pub fn host(&self) -> Host {
        self.host
    }

    /// Makes a child for `slot` and returns its process id.
    ///
    /// # Errors
    /// `E_INVAL`: no such slot. `E_STATE`: the slot is taken. `E_SYS`: the system refused.
    pub fn spawn_child(&mut self, slot: u32) -> Result<i64, Error> {
        let mut pid = 0;
        let status = call!(&self.host, spawn_child, slot, 0, &raw mut pid);
        self.host.status("spawn_child", status).map(|()| pid)
    }

    /// Asks the child in `slot` to finish what it holds and leave; force after `deadline_ns`.
    ///
    /// # Errors
    /// `E_INVAL`: no such slot. `E_STATE`: no child there.
    pub fn drain(&mut self, slot: u32, deadline_ns: u64) -> Result<(), Error> {
        let status = call!(&self.host, child_drain, slot, deadline_ns);
        self.host.status("child_drain", status)
    }

    /// When force is used on a child that is drained now: GracefulRestartTimeout, as for every child
    /// that finishes what it holds.
    pub fn drain_deadline(&self, now_ns: u64) -> u64 {
        let timeout = self.host.config_int(mpm_abi::CONFIG_GRACEFUL_RESTART_TIMEOUT);
        match timeout.and_then(|timeout| u64::try_from(timeout).ok()) {
            None | Some(0) => NEVER,
            Some(timeout) => now_ns.saturating_add(timeout),
        }
    }

    /// Tells the child in `slot` to leave at once.
    ///
    /// # Errors
    /// `E_INVAL`: no such slot. `E_STATE`: no child there.
    pub fn stop(&mut self, slot: u32) -> Result<(), Error> {
        let status = call!(&self.host, child_stop, slot);
        self.host.status("child_stop", status)
    }

    /// Describes a slot; `None` if there is no such slot.
    pub fn child(&self, slot: u32) -> Option<ChildState> {
        let mut info = ChildInfo {
            struct_size: size_of::<ChildInfo>() as u32,
            flags: 0,
            pid: 0,
            generation: 0,
            idle: 0,
            busy: 0,
            connections: 0,
        };
        let status = call!(&self.host, child_get, slot, &raw mut info)?;
        (status == OK).then_some(ChildState {
            exists: info.flags & CHILD_EXISTS != 0,
            ready: info.flags & CHILD_READY != 0,
            draining: info.flags & CHILD_DRAINING != 0,
            accepting: info.flags & CHILD_ACCEPTING != 0,
            pid: info.pid,
            idle: info.idle,
            busy: info.busy,
            connections: info.connections,
        })
    }

    /// Waits for the next event, at most `timeout` (`None` = until there is one).
    ///
    /// # Errors
    /// `E_SYS`: waiting is impossible.
    pub fn reap(&mut self, timeout: Option<Duration>) -> Result<ParentEvent, Error> {
        let timeout_ns = timeout.map_or(NEVER, |t| u64::try_from(t.as_nanos()).unwrap_or(NEVER));
        let mut event = empty_event();
        let status = call!(&self.host, reap, timeout_ns, &raw mut event);
        self.host.status("reap", status)?;
        let slot = event.slot;
        Ok(match event.kind {
            EVENT_CHILD_STARTED => ParentEvent::Started { slot },
            EVENT_CHILD_READY => ParentEvent::Ready { slot },
            EVENT_CHILD_EXITED => ParentEvent::Exited { slot, exit: exit(&event) },
            EVENT_LOAD => ParentEvent::Load { slot },
            EVENT_STOP => ParentEvent::Stop,
            EVENT_GRACEFUL_STOP => ParentEvent::GracefulStop,
            EVENT_RESTART => ParentEvent::Restart,
            EVENT_GRACEFUL_RESTART => ParentEvent::GracefulRestart,
            _ => ParentEvent::Nothing,
        })
    }
}

fn exit(event: &Event) -> Exit {
    match event.reason {
        EXIT_CODE => Exit::Code(event.status),
        EXIT_SIGNAL => Exit::Signal(event.status),
        _ => Exit::Lost,
    }
}
