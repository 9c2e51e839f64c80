//! The threads that may block: a connection comes here for the one step that needs it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use mpm_sdk::abi::EV_MAY_BLOCK;
use mpm_sdk::abi::scoreboard::STATE_READY;
use mpm_sdk::{Child, Connection, Error, Status};

use crate::remote::Remote;

/// A connection whose next step may block.
pub(crate) struct Job {
    /// What the loop calls it.
    pub(crate) token: u64,
    /// The connection.
    pub(crate) connection: Connection,
    /// Events it has not seen yet.
    pub(crate) events: u32,
}

/// A connection on its way back.
pub(crate) struct Returned {
    /// What the loop calls it.
    pub(crate) token: u64,
    /// The connection.
    pub(crate) connection: Connection,
    /// What its poll answered.
    pub(crate) status: Status,
    /// See [`mpm_sdk::Poll`].
    pub(crate) phase: u32,
    /// See [`mpm_sdk::Poll`].
    pub(crate) interest: u32,
    /// See [`mpm_sdk::Poll`].
    pub(crate) deadline_ns: u64,
    /// It waits for descriptors besides its own.
    pub(crate) has_aux: bool,
}

struct Queue {
    jobs: Mutex<VecDeque<Job>>,
    not_empty: Condvar,
    busy: AtomicU32,
}

/// The threads. They live as long as the process.
pub(crate) struct Offload {
    queue: Arc<Queue>,
    threads: u32,
}

impl Offload {
    /// Starts the threads.
    pub(crate) fn new(
        child: Child,
        (slot, threads): (u32, u32),
        remote: &Arc<Remote>,
    ) -> Result<Self, Error> {
        let queue = Arc::new(Queue {
            jobs: Mutex::default(),
            not_empty: Condvar::new(),
            busy: AtomicU32::new(0),
        });
        for n in 0..threads {
            let (queue, remote) = (Arc::clone(&queue), Arc::clone(remote));
            child.spawn(&format!("event-{n}"), 0, move || {
                child.thread_is(slot, n);
                child.thread_state(slot, n, STATE_READY);
                work(child, &queue, &remote);
            })?;
        }
        Ok(Self { queue, threads })
    }

    /// Hands a connection over. It comes back through the loop's [`Remote`].
    pub(crate) fn submit(&self, job: Job) {
        self.queue.busy.fetch_add(1, Ordering::Relaxed);
        self.queue.jobs.lock().unwrap_or_else(PoisonError::into_inner).push_back(job);
        self.queue.not_empty.notify_one();
    }

    /// Threads with something to do, and without.
    pub(crate) fn load(&self) -> (u32, u32) {
        let busy = self.queue.busy.load(Ordering::Relaxed).min(self.threads);
        (busy, self.threads - busy)
    }
}

fn work(child: Child, queue: &Queue, remote: &Remote) {
    loop {
        let mut jobs = queue.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let Job { token, mut connection, mut events } = loop {
            if let Some(job) = jobs.pop_front() {
                break job;
            }
            jobs = queue.not_empty.wait(jobs).unwrap_or_else(PoisonError::into_inner);
        };
        drop(jobs);
        let (status, phase, interest, deadline_ns, has_aux) = loop {
            let poll = connection.poll(events | EV_MAY_BLOCK, child.host().now());
            if poll.status != Status::NeedsBlocking {
                let has_aux = !poll.aux.is_empty();
                break (poll.status, poll.phase, poll.interest, poll.deadline_ns, has_aux);
            }
            events = 0;
        };
        queue.busy.fetch_sub(1, Ordering::Relaxed);
        let returned =
            Returned { token, connection, status, phase, interest, deadline_ns, has_aux };
        remote.give_back(returned);
    }
}
