//! The parent's private table of children, of every generation.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, RawFd};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::channel::{Notice, Order, ParentEnd, Read};
use super::control::Held;
use super::handover::ChildEntry;
use crate::conn::NEVER;
use crate::log_line;
use crate::sys::image::Adoption;

/// A child.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) pid: Pid,
    pub(super) generation: u32,
    pub(super) slot: u32,
    /// `None` once the child has closed its end.
    pub(super) channel: Option<ParentEnd>,
    pub(super) ready: bool,
    /// It was told to leave, in one way or another.
    pub(super) draining: bool,
    /// When it is killed (monotonic ns).
    kill_ns: u64,
    /// It has been sent logs and has not said yet that it writes to them.
    pub(super) reopening: bool,
    /// It takes no more connections.
    pub(super) stopped_accepting: bool,
}

/// Requests named when a child is killed.
const HELD_SHOWN: usize = 3;

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    Code(i32),
    Signal(i32),
}

/// Children by a number that is never used again in this image.
#[derive(Debug, Default)]
pub(super) struct Children {
    all: BTreeMap<u64, Child>,
}

impl Children {
    /// Adds a child that was just made.
    pub(super) fn add(
        &mut self,
        id: u64,
        pid: Pid,
        generation: u32,
        slot: u32,
        channel: ParentEnd,
    ) {
        let child = Child {
            pid,
            generation,
            slot,
            channel: Some(channel),
            ready: false,
            draining: false,
            kill_ns: NEVER,
            reopening: false,
            stopped_accepting: false,
        };
        self.all.insert(id, child);
    }

    /// Adds a child that an earlier image made.
    ///
    /// # Errors
    /// Its channel was not handed over.
    pub(super) fn adopt(
        &mut self,
        id: u64,
        entry: &ChildEntry,
        adoption: &mut Adoption,
    ) -> io::Result<Option<BorrowedFd<'_>>> {
        let channel = match entry.channel {
            Some((orders, notices)) => {
                Some(ParentEnd::new(adoption.take(orders)?, adoption.take(notices)?))
            }
            None => None,
        };
        let child = Child {
            pid: Pid::from_raw(entry.pid),
            generation: entry.generation,
            slot: entry.slot,
            channel,
            ready: entry.ready,
            draining: entry.draining,
            kill_ns: entry.kill_ns.unwrap_or(NEVER),
            reopening: false,
            stopped_accepting: entry.stopped_accepting,
        };
        let child = self.all.entry(id).or_insert(child);
        Ok(child.channel.as_ref().map(AsFd::as_fd))
    }

    /// The entries for the next image, whose descriptors `give` notes.
    pub(super) fn entries<'a>(
        &'a self,
        give: &mut impl FnMut(BorrowedFd<'a>) -> RawFd,
    ) -> Vec<ChildEntry> {
        let mut entry = |child: &'a Child| ChildEntry {
            pid: child.pid.as_raw(),
            generation: child.generation,
            slot: child.slot,
            channel: child.channel.as_ref().map(|channel| {
                let (orders, notices) = channel.descriptors();
                (give(orders), give(notices))
            }),
            ready: child.ready,
            draining: child.draining,
            stopped_accepting: child.stopped_accepting,
            kill_ns: (child.kill_ns != NEVER).then_some(child.kill_ns),
        };
        self.all.values().map(&mut entry).collect()
    }

    pub(super) fn get(&self, id: u64) -> Option<&Child> {
        self.all.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut Child> {
        self.all.get_mut(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Child)> {
        self.all.iter().map(|(id, child)| (*id, child))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Child> {
        self.all.values_mut()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// A process has ended: takes its child out, if it was one.
    pub(super) fn bury(&mut self, pid: Pid) -> Option<(u64, Child)> {
        let id = self.all.iter().find(|(_, child)| child.pid == pid).map(|(id, _)| *id)?;
        self.all.remove(&id).map(|child| (id, child))
    }

    /// In a forked child: the others' channels are not its to keep open.
    pub(super) fn forget(&mut self) {
        self.all.clear();
    }

    /// When the next child is to be killed.
    pub(super) fn next_kill_ns(&self) -> u64 {
        self.all.values().map(|child| child.kill_ns).min().unwrap_or(NEVER)
    }

    /// Kills those whose time is over; `held` says what a child waited for.
    pub(super) fn kill_overdue(&mut self, now_ns: u64, held: impl Fn(&Child) -> Vec<Held>) {
        for child in self.all.values_mut().filter(|child| child.kill_ns <= now_ns) {
            let pid = child.pid;
            let held = held(child);
            let shown: Vec<String> = held.iter().take(HELD_SHOWN).map(Held::to_string).collect();
            let waited = match held.len().saturating_sub(HELD_SHOWN) {
                _ if shown.is_empty() => String::new(),
                0 => format!("; it waited for {}", shown.join(", ")),
                more => format!("; it waited for {} and {more} more", shown.join(", ")),
            };
            log_line!(
                WARN,
                "AH00046",
                "child process {pid} still did not exit, sending a SIGKILL{waited}"
            );
            child.kill();
        }
    }
}

/// What a child says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Nothing,
    Ready,
    Load,
    /// It takes no more connections.
    Stopping,
    Reopened,
    /// It has closed its end.
    Closed,
}

impl Child {
    /// Tells it to leave; it is killed at `deadline_ns`.
    pub(super) fn order(&mut self, order: Order, deadline_ns: u64) {
        self.draining = true;
        self.kill_ns = self.kill_ns.min(deadline_ns);
        if let Some(channel) = &self.channel {
            // A child that does not read its channel meets its deadline.
            let _ = channel.order(order);
        }
        let signal = match order {
            Order::Stop => Signal::SIGTERM,
            Order::Drain(_) => Signal::SIGUSR1,
            Order::Leave(_) => Signal::SIGUSR2,
        };
        // The channel reaches the child's main thread, the signal a thread that waits in `recv`.
        // The child has not been waited for, so the number is still its own.
        let _ = kill(self.pid, signal);
    }

    /// Has a thread that waits in `recv` look at the channel.
    pub(super) fn nudge(&self) {
        let _ = kill(self.pid, Signal::SIGURG);
    }

    /// Ends it now.
    pub(super) fn kill(&mut self) {
        let _ = kill(self.pid, Signal::SIGKILL);
        self.draining = true;
        self.kill_ns = NEVER;
    }

    /// Reads one message: a child that floods its channel does not keep the parent from the others.
    pub(super) fn listen(&mut self) -> Said {
        let Some(channel) = &self.channel else { return Said::Nothing };
        match channel.next_notice() {
            Read::Message(Notice::Ready) if !self.ready => {
                self.ready = true;
                Said::Ready
            }
            Read::Message(Notice::Load) => Said::Load,
            Read::Message(Notice::Stopping) => {
                self.stopped_accepting = true;
                Said::Stopping
            }
            Read::Message(Notice::Reopened) => {
                self.reopening = false;
                Said::Reopened
            }
            Read::Message(Notice::Ready) | Read::Nothing => Said::Nothing,
            Read::Closed => Said::Closed,
        }
    }

    pub(super) fn state(&self) -> &'static str {
        match (self.draining || self.stopped_accepting, self.ready) {
            (true, _) => "draining",
            (false, true) => "ready",
            (false, false) => "starting",
        }
    }
}
