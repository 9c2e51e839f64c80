//! The scoreboard of a generation: a block the parent writes, a record per child, a record per thread.
//!
//! ```text
//! facts (32 words) | slots × child (16) | slots × (threads + 1) × worker (48)
//! ```
//!
//! A child has one record more than threads that may block: its main thread's, where an MPM has that
//! serve too. Each record has one writer; the parent clears those of a child that is gone.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use super::facts::{self, Facts};
use super::tally::Tally;
use super::words;
use super::worker::{self, Worker};
use crate::sys::shared::SharedWords;

/// Number of this layout: an image that has another one begins with an empty scoreboard.
pub const LAYOUT: u32 = 2;

/// What a child says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Threads waiting for work.
    pub idle: u32,
    /// Threads at work.
    pub busy: u32,
    /// Open connections.
    pub connections: u32,
    /// Accepts connections.
    pub accepting: bool,
}

/// Words of the parent's block.
const FACTS: usize = 32;
/// Words of a child's record: idle, busy, connections, accepting, process id, draining. Two cache
/// lines keep children from slowing each other down.
const CHILD: usize = 16;
const PID: usize = 4;
const DRAINING: usize = 5;

const _: () = assert!(facts::WORDS < FACTS);

/// The records of all children of a generation.
#[derive(Debug)]
pub struct Board {
    memory: SharedWords,
    slots: u32,
    threads: u32,
}

/// Words of a board; an error if no memory is that large.
fn len(slots: u32, threads: u32) -> io::Result<usize> {
    let child = (threads as usize + 1).checked_mul(worker::WORDS).map(|words| words + CHILD);
    let all = child.and_then(|words| words.checked_mul(slots as usize));
    all.and_then(|words| words.checked_add(FACTS)).ok_or(io::ErrorKind::OutOfMemory.into())
}

impl Board {
    /// Room for `slots` children of `threads` threads, and the descriptor that leads the next image
    /// to it.
    ///
    /// # Errors
    /// Out of memory or descriptors.
    pub fn new(slots: u32, threads: u32) -> io::Result<(Self, OwnedFd)> {
        let (memory, fd) = SharedWords::new(len(slots, threads)?)?;
        Ok((Self { memory, slots, threads }, fd))
    }

    /// The scoreboard of an earlier image's children.
    ///
    /// # Errors
    /// It is not sealed, or not of that size.
    pub fn adopt(fd: BorrowedFd<'_>, slots: u32, threads: u32) -> io::Result<Self> {
        Ok(Self { memory: SharedWords::adopt(fd, len(slots, threads)?)?, slots, threads })
    }

    /// Number of slots.
    pub fn slots(&self) -> u32 {
        self.slots
    }

    /// Threads of a child that may block.
    pub fn threads(&self) -> u32 {
        self.threads
    }

    fn child(&self, slot: u32) -> &'static [AtomicU64] {
        if slot >= self.slots {
            return &[];
        }
        let start = FACTS + slot as usize * CHILD;
        self.memory.words().get(start..start + CHILD).unwrap_or_default()
    }

    /// The record of a thread; one past the last is the child's main thread.
    pub fn worker(&self, slot: u32, thread: u32) -> Option<Worker> {
        if slot >= self.slots || thread > self.threads {
            return None;
        }
        let number = slot as usize * (self.threads as usize + 1) + thread as usize;
        let start = FACTS + self.slots as usize * CHILD + number * worker::WORDS;
        self.memory.words().get(start..)?.first_chunk().map(Worker::new)
    }

    /// All records of a child's threads.
    pub fn workers(&self, slot: u32) -> impl Iterator<Item = Worker> {
        (0..=self.threads).filter_map(move |thread| self.worker(slot, thread))
    }

    /// Child: it is there.
    pub fn arrive(&self, slot: u32, pid: u32) {
        if let Some(word) = self.child(slot).get(PID) {
            word.store(u64::from(pid), Ordering::Relaxed);
        }
        for worker in self.workers(slot).take(self.threads as usize) {
            worker.set_state(mpm_abi::scoreboard::STATE_STARTING);
        }
    }

    /// Child: it can serve. Threads that have not said what they do wait for work.
    pub fn ready(&self, slot: u32) {
        self.workers(slot).for_each(|worker| worker.ready());
    }

    /// Child: it takes no more connections and finishes what it holds.
    pub fn drain(&self, slot: u32) {
        if let Some(word) = self.child(slot).get(DRAINING) {
            word.store(1, Ordering::Relaxed);
        }
    }

    /// Child: writes its numbers.
    pub fn publish(&self, slot: u32, report: Report) {
        let values = [report.idle, report.busy, report.connections, u32::from(report.accepting)];
        for (word, value) in self.child(slot).iter().zip(values) {
            word.store(u64::from(value), Ordering::Relaxed);
        }
    }

    /// Reads a child's numbers, clamped to what can be true.
    pub fn read(&self, slot: u32) -> Report {
        let mut words = self.child(slot).iter();
        let mut next = |max: u32| {
            let word = words.next().map_or(0, |word| word.load(Ordering::Relaxed));
            u32::try_from(word).unwrap_or(max).min(max)
        };
        Report {
            idle: next(self.threads),
            busy: next(self.threads),
            connections: next(CONNECTIONS_MAX),
            accepting: next(2) == 1,
        }
    }

    /// Process id of the child in a slot, as it says; 0 = none.
    pub(super) fn pid(&self, slot: u32) -> u32 {
        let word = self.child(slot).get(PID).map_or(0, |word| word.load(Ordering::Relaxed));
        u32::try_from(word).ok().filter(|pid| i32::try_from(*pid).is_ok()).unwrap_or(0)
    }

    /// Whether the child in a slot finishes, as it says.
    pub(super) fn is_draining(&self, slot: u32) -> bool {
        self.child(slot).get(DRAINING).is_some_and(|word| word.load(Ordering::Relaxed) == 1)
    }

    /// Parent: empties the records of a child that is gone; what it had served.
    pub fn clear(&self, slot: u32) -> Tally {
        let mut sum = Tally::default();
        self.workers(slot).for_each(|worker| sum.add(&worker.retire()));
        self.child(slot).iter().for_each(|word| word.store(0, Ordering::Relaxed));
        sum
    }

    /// Parent: tells what it knows.
    pub fn tell(&self, facts: &Facts) {
        if let Some([sequence, words @ ..]) = self.memory.words().get(..FACTS) {
            words::write(sequence, words, facts.to_words());
        }
    }

    /// What the parent has told.
    pub fn facts(&self) -> Facts {
        let block = self.memory.words().get(..FACTS);
        let Some([sequence, words @ ..]) = block else { return Facts::default() };
        words::read(sequence, words).map(Facts::from_words).unwrap_or_default()
    }
}

/// More connections than any process can have descriptors for (Linux's `fs.nr_open` at its largest).
pub(super) const CONNECTIONS_MAX: u32 = 1 << 30;

#[cfg(test)]
mod tests;
