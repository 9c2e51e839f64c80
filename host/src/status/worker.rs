//! A thread's record: what it does, what it did.
//!
//! Which record is the calling thread's is known to the thread itself ([`bind`]); a thread that has none
//! leaves no trace. Only its thread writes a record, with plain stores.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use mpm_abi::scoreboard as state;

use super::line::{self, Line, Shown};
use super::tally::{self, Tally};
use super::words;

/// Words of a record: six cache lines.
pub(super) const WORDS: usize = 48;

const SEQUENCE: usize = 0;
const STATE: usize = 1;
const TID: usize = 2;
/// Requests on the connection.
const CONN_REQUESTS: usize = 3;
/// When the last request began (monotonic ns).
const BEGAN: usize = 4;
/// How long the last one took (µs).
const LAST: usize = 5;
/// Bytes on the connection.
const CONN_BYTES: usize = 6;
/// Requests of earlier children's threads in this place; the parent's.
const EARLIER: usize = 8;
/// Connections that went into each phase less those that left it, by this thread's hand.
const PHASES: usize = 10;
const TALLY: usize = PHASES + PHASES_LEN;
const LINE: usize = TALLY + tally::WORDS;

/// Phases of connections that are counted.
pub const PHASES_LEN: usize = 5;

const _: () = assert!(LINE + line::WORDS <= WORDS);

/// A thread's record.
#[derive(Clone, Copy, Debug)]
pub struct Worker {
    words: &'static [AtomicU64; WORDS],
}

/// What a record says, within what can be true.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    pub(super) state: u32,
    pub(super) tid: u32,
    pub(super) tally: Tally,
    pub(super) slot_requests: u64,
    pub(super) conn_requests: u64,
    pub(super) conn_bytes: u64,
    pub(super) began_ns: u64,
    pub(super) last_us: u64,
    pub(super) phases: [i64; PHASES_LEN],
    pub(super) line: Shown,
}

impl Worker {
    pub(super) fn new(words: &'static [AtomicU64; WORDS]) -> Self {
        Self { words }
    }

    fn set(self, at: usize, value: u64) {
        if let Some(word) = self.words.get(at) {
            word.store(value, Ordering::Relaxed);
        }
    }

    fn get(self, at: usize) -> u64 {
        self.words.get(at).map_or(0, |word| word.load(Ordering::Relaxed))
    }

    fn add(self, at: usize, n: u64) {
        if let Some(word) = self.words.get(at) {
            words::add(word, n);
        }
    }

    /// `STATE_…` of the ABI; another number is no state.
    pub fn set_state(self, state: u32) {
        if state <= state::STATE_IDLE_KILL {
            self.set(STATE, u64::from(state));
        }
    }

    /// The thread's id, as the system has it.
    pub fn set_tid(self, tid: u32) {
        self.set(TID, u64::from(tid));
    }

    /// It waits for work, if it has not said anything else.
    pub(super) fn ready(self) {
        let (starting, ready) = (u64::from(state::STATE_STARTING), u64::from(state::STATE_READY));
        if let Some(word) = self.words.get(STATE) {
            let _ = word.compare_exchange(starting, ready, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// A request begins, the `nth` of its connection, or comes here from another thread. The answer
    /// is for [`Worker::line`].
    pub fn begin(self, line: &Line, now_ns: u64, nth: u32) -> u64 {
        self.set(CONN_REQUESTS, u64::from(nth));
        if nth == 1 {
            self.set(CONN_BYTES, 0);
        }
        self.set(BEGAN, now_ns);
        words::write(&self.words[SEQUENCE], self.place(), line.words().iter().copied());
        self.set_state(state::STATE_BUSY_WRITE);
        self.get(SEQUENCE)
    }

    fn place(self) -> &'static [AtomicU64] {
        self.words.get(LINE..LINE + line::WORDS).unwrap_or_default()
    }

    /// The request that [`Worker::begin`] gave this number, if no other has begun here since.
    pub fn line(self, number: u64) -> Option<Line> {
        let words = words::read(&self.words[SEQUENCE], self.place())?;
        (self.get(SEQUENCE) == number).then(|| Line::from_words(words))
    }

    /// A request that began at that time is done with.
    pub fn end(self, bytes: u64, took_ns: u64) {
        let took_us = took_ns / 1_000;
        self.set(LAST, took_us);
        self.add(CONN_BYTES, bytes);
        self.add(TALLY, 1);
        self.add(TALLY + 1, bytes);
        self.add(TALLY + 2, took_us);
        self.add(TALLY + 3 + tally::bucket(took_us), 1);
    }

    /// A connection goes from one phase into another; `None` is before the first, or after the last.
    pub fn count(self, from: Option<usize>, to: Option<usize>) {
        for (phase, n) in [(from, u64::MAX), (to, 1)] {
            if let Some(phase) = phase.filter(|phase| *phase < PHASES_LEN) {
                self.add(PHASES + phase, n);
            }
        }
    }

    fn tally(self) -> Tally {
        Tally::from_words(std::array::from_fn(|n| self.get(TALLY + n)))
    }

    /// Reads all of it.
    pub(super) fn read(self) -> Reading {
        let small = |at| u32::try_from(self.get(at)).unwrap_or(0);
        let tally = self.tally();
        let bounded = |at| Tally { requests: self.get(at), ..Tally::default() };
        let bounded = |at| Tally::from_words(bounded(at).to_words()).requests;
        let mut slot = Tally { requests: bounded(EARLIER), ..Tally::default() };
        slot.add(&tally);
        let line = words::read(&self.words[SEQUENCE], self.place()).map(Line::from_words);
        Reading {
            state: Some(small(STATE)).filter(|s| *s <= state::STATE_IDLE_KILL).unwrap_or(0),
            tid: small(TID),
            tally,
            slot_requests: slot.requests,
            conn_requests: bounded(CONN_REQUESTS),
            conn_bytes: bounded(CONN_BYTES),
            began_ns: self.get(BEGAN),
            last_us: bounded(LAST),
            phases: std::array::from_fn(|n| self.get(PHASES + n) as i64),
            line: line.map(|line| line.shown()).unwrap_or_default(),
        }
    }

    /// Parent: the child is gone; what the thread had served.
    pub(super) fn retire(self) -> Tally {
        let (tally, reading) = (self.tally(), self.read());
        self.words.iter().for_each(|word| word.store(0, Ordering::Relaxed));
        self.set(EARLIER, reading.slot_requests);
        tally
    }
}

thread_local! {
    /// The calling thread's record, and whether more than its state is kept.
    static OURS: Cell<Option<(Worker, bool)>> = const { Cell::new(None) };
}

/// From here on the record is the calling thread's. `extended`: see ExtendedStatus.
pub fn bind(worker: Worker, extended: bool) {
    OURS.set(Some((worker, extended)));
}

/// Whether the calling thread has a record.
pub fn is_bound() -> bool {
    OURS.get().is_some()
}

/// The calling thread's record.
pub fn current() -> Option<Worker> {
    OURS.get().map(|(worker, _)| worker)
}

/// The calling thread's record, if requests are counted.
pub fn extended() -> Option<Worker> {
    OURS.get().filter(|(_, extended)| *extended).map(|(worker, _)| worker)
}

impl PartialEq for Worker {
    /// Whether they are the same record.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.words, other.words)
    }
}
