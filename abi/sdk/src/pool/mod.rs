//! Keeping a pool of children: what to do is decided from counts and time alone ([`Policy`]), doing
//! it is a loop around `reap` ([`run`]).
//!
//! httpd's rules, with measured need: below the least number of idle threads children are started,
//! one, two, four up to 32 at a time, but no more than are short; above the most, those that hold the
//! fewest connections finish what they hold and leave. Nobody looks while nothing happens: the host
//! tells when a total crosses a mark, and the pool asks to be woken only for something it has begun.

mod limit;
mod policy;
#[cfg(test)]
mod simulation;

use std::time::Duration;

use mpm_abi::{CHILD_FATAL, NEVER};

use crate::error::Error;
use crate::host::{Exit, Parent, ParentEvent};
use crate::listeners::backlog;
use crate::mpm::{Plan, Why};

pub use limit::Say;
pub use policy::{Action, Policy, Seen, Working};

/// How many children to keep, and how busy they may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Children to begin with (StartServers).
    pub start: u32,
    /// Most children that take connections at a time. Those that finish what they hold come on top.
    pub max: u32,
    /// Threads of a child that serve.
    pub threads: u32,
    /// Fewest idle threads of all children together, with others started below (MinSpareThreads).
    pub min_spare: u32,
    /// Most idle threads, with children stopped above (MaxSpareThreads); at least `min_spare` and
    /// one child more.
    pub max_spare: u32,
}

/// Fewest slots for children that finish what they hold.
const RESERVE_MIN: u32 = 16;

impl Limits {
    /// So many children, neither more nor fewer, each with one thread.
    pub fn fixed(children: u32) -> Self {
        Self { start: children, max: children, threads: 1, min_spare: 0, max_spare: u32::MAX }
    }

    /// Slots for all children: as many may finish what they hold as there may be others, so that
    /// those never keep new ones from being started.
    pub fn slots(&self) -> u32 {
        self.max.saturating_add(self.max.max(RESERVE_MIN))
    }

    /// What the host is told.
    pub fn plan(&self) -> Plan {
        Plan {
            max_children: self.slots(),
            threads_per_child: self.threads,
            idle_low: self.min_spare,
            idle_high: self.max_spare,
        }
    }
}

/// What an MPM calls its numbers in the log, and the permanent numbers of its messages.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// `MinSpareThreads`.
    pub min_spare: &'static str,
    /// `Min/MaxSpareThreads`, and what else to look at when children are started fast.
    pub to_increase: &'static str,
    /// Number of the message that all threads of all children are busy: httpd's `AH00484`.
    pub reached: &'static str,
    /// That not enough are idle: `AH10159`.
    pub near: &'static str,
    /// That many children are started at a time: `AH00486`.
    pub busy: &'static str,
    /// That children which finish what they hold take all slots: `AH03490`.
    pub full: &'static str,
}

/// For an MPM with no numbers of its own.
pub const WORDS: Words = Words {
    min_spare: "the least number of idle threads",
    to_increase: "the number of children",
    reached: "GB0502",
    near: "GB0503",
    busy: "GB0504",
    full: "GB0505",
};

/// Keeps a pool of children until told to stop: the `run` of an MPM that needs nothing else.
///
/// # Errors
/// `E_SYS`: the parent cannot wait any more.
pub fn run(parent: &mut Parent, limits: Limits, words: &Words) -> Result<Why, Error> {
    let mut pool = Policy::new(limits);
    for slot in 0..limits.slots() {
        if let Some(child) = parent.child(slot).filter(|child| child.exists) {
            pool.found(slot, child.ready, child.draining);
        }
    }
    loop {
        let now = parent.host().now();
        let timeout = match next(&mut pool, parent, now) {
            Action::Spawn(slot) => {
                match parent.spawn_child(slot) {
                    Ok(_) => pool.started(slot),
                    Err(error) => {
                        log::error!("cannot start a child: {error}");
                        pool.failed(now);
                    }
                }
                continue;
            }
            Action::Drain(slot) => {
                // Failure means that it has just left: what is wanted.
                let _ = parent.drain(slot, parent.drain_deadline(now));
                pool.draining(slot);
                continue;
            }
            Action::Tell(say) => {
                say.log(&limits, words);
                continue;
            }
            Action::Hopeless => {
                let attempts = policy::HOPELESS_AFTER;
                log::error!("no child came up in {attempts} attempts; giving up");
                return Ok(Why::Failed);
            }
            Action::Wait(until) => {
                (until != NEVER).then(|| Duration::from_nanos(until.saturating_sub(now)))
            }
        };
        match parent.reap(timeout)? {
            ParentEvent::Ready { slot } => pool.ready(slot),
            ParentEvent::Exited { exit: Exit::Code(CHILD_FATAL), .. } => return Ok(Why::Failed),
            ParentEvent::Exited { slot, exit } => pool.exited(slot, exit, parent.host().now()),
            ParentEvent::Stop => return Ok(Why::Stop),
            ParentEvent::GracefulStop => return Ok(Why::GracefulStop),
            ParentEvent::Restart => return Ok(Why::Restart),
            ParentEvent::GracefulRestart => return Ok(Why::GracefulRestart),
            ParentEvent::Nothing | ParentEvent::Started { .. } | ParentEvent::Load { .. } => {}
        }
    }
}

fn next(pool: &mut Policy, parent: &mut Parent, now: u64) -> Action {
    if let Some(action) = pool.owes(now) {
        return action;
    }
    let mut seen = Seen::default();
    for slot in pool.working() {
        let Some(child) = parent.child(slot) else { continue };
        if child.draining {
            // By itself: it has had its share of connections. Now it has a deadline, too.
            return Action::Drain(slot);
        }
        let accepting = child.accepting;
        seen.working.push(Working {
            slot,
            idle: if accepting { child.idle } else { 0 },
            connections: child.connections,
            accepting,
        });
    }
    if pool.wants_backlog(&seen) {
        let listeners = parent.host().listeners();
        let waiting = listeners.iter().map(|listener| backlog(listener.fd));
        seen.backlog = waiting.fold(0, u32::saturating_add);
    }
    pool.next(now, &seen)
}
