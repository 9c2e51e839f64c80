//! Keeping a pool of children: what to do is a pure function of counts and time, doing it a loop
//! around `reap`.

use std::time::Duration;

use mpm_abi::{CHILD_FATAL, CHILD_SICK};

use crate::error::Error;
use crate::host::{Exit, Parent, ParentEvent};
use crate::mpm::Why;

/// How many children to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Children kept alive (StartServers).
    pub start: u32,
    /// Most children at a time; also the number of slots.
    pub max: u32,
}

/// First pause after a child failed to come up; doubles with each further one.
const HOLD_OFF_MIN: Duration = Duration::from_millis(100);
/// Longest pause.
const HOLD_OFF_MAX: Duration = Duration::from_secs(10);
/// Failed children in a row, none ever having become ready, after which the server gives up.
const HOPELESS_AFTER: u32 = 5;

/// The state of a pool. Time comes in as an argument (monotonic ns).
#[derive(Debug)]
pub struct Pool {
    limits: Limits,
    slots: Vec<Slot>,
    /// Children in a row that left before they were ready, or sick.
    failures: u32,
    /// Whether any child of this generation has ever been ready.
    proven: bool,
    /// No child is started before this time.
    hold_off_until_ns: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Free,
    Starting,
    Ready,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start a child in this slot.
    Spawn(u32),
    /// Nothing until an event, or until this time.
    Wait(Option<u64>),
    /// Give up: no child comes up.
    Hopeless,
}

impl Pool {
    /// An empty pool.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            slots: vec![Slot::Free; limits.max as usize],
            failures: 0,
            proven: false,
            hold_off_until_ns: 0,
        }
    }

    /// A child that is there already: the host calls `run` again after a restart that could not be
    /// made.
    pub fn found(&mut self, slot: u32, is_ready: bool) {
        if is_ready {
            self.ready(slot);
        } else {
            self.started(slot);
        }
    }

    /// What to do at `now_ns`.
    pub fn next(&self, now_ns: u64) -> Action {
        if !self.proven && self.failures >= HOPELESS_AFTER {
            return Action::Hopeless;
        }
        let alive = self.slots.iter().filter(|slot| **slot != Slot::Free).count();
        if alive >= self.limits.start.min(self.limits.max) as usize {
            return Action::Wait(None);
        }
        if now_ns < self.hold_off_until_ns {
            return Action::Wait(Some(self.hold_off_until_ns));
        }
        match self.slots.iter().position(|slot| *slot == Slot::Free) {
            Some(slot) => Action::Spawn(slot as u32),
            None => Action::Wait(None),
        }
    }

    /// A child was started in `slot`.
    pub fn started(&mut self, slot: u32) {
        self.set(slot, Slot::Starting);
    }

    /// The child in `slot` can serve.
    pub fn ready(&mut self, slot: u32) {
        self.set(slot, Slot::Ready);
        self.proven = true;
        self.failures = 0;
    }

    /// The child in `slot` is gone.
    pub fn exited(&mut self, slot: u32, exit: Exit, now_ns: u64) {
        let was = self.slots.get(slot as usize).copied().unwrap_or(Slot::Free);
        self.set(slot, Slot::Free);
        if was != Slot::Ready || exit == Exit::Code(CHILD_SICK) {
            self.failed(now_ns);
        }
    }

    /// A child could not be made or did not come up: pause, longer each time.
    pub fn failed(&mut self, now_ns: u64) {
        let doubled = HOLD_OFF_MIN.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        self.hold_off_until_ns = now_ns + doubled.min(HOLD_OFF_MAX).as_nanos() as u64;
    }

    fn set(&mut self, slot: u32, state: Slot) {
        if let Some(place) = self.slots.get_mut(slot as usize) {
            *place = state;
        }
    }
}

/// Keeps a pool of children until told to stop: the `run` of an MPM that needs nothing else.
///
/// # Errors
/// `E_SYS`: the parent cannot wait any more.
pub fn run(parent: &mut Parent, limits: Limits) -> Result<Why, Error> {
    let mut pool = Pool::new(limits);
    for slot in 0..limits.max {
        if let Some(child) = parent.child(slot).filter(|child| child.exists) {
            pool.found(slot, child.ready);
        }
    }
    loop {
        let now = parent.host().now();
        let timeout = match pool.next(now) {
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
            Action::Hopeless => {
                log::error!("no child came up in {HOPELESS_AFTER} attempts; giving up");
                return Ok(Why::Failed);
            }
            Action::Wait(until) => until.map(|t| Duration::from_nanos(t.saturating_sub(now))),
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

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn fill(pool: &mut Pool, now: u64) -> Vec<u32> {
        let mut slots = Vec::new();
        while let Action::Spawn(slot) = pool.next(now) {
            pool.started(slot);
            slots.push(slot);
        }
        slots
    }

    #[test]
    fn starts_as_many_as_wanted_and_no_more() {
        let mut pool = Pool::new(Limits { start: 3, max: 16 });
        assert_eq!(fill(&mut pool, 0), [0, 1, 2]);
        assert_eq!(pool.next(0), Action::Wait(None));
        let mut small = Pool::new(Limits { start: 5, max: 2 });
        assert_eq!(fill(&mut small, 0), [0, 1]);
    }

    #[test]
    fn replaces_a_killed_child_at_once() {
        let mut pool = Pool::new(Limits { start: 2, max: 4 });
        fill(&mut pool, 0);
        pool.ready(0);
        pool.ready(1);
        pool.exited(0, Exit::Signal(9), 5 * MS);
        assert_eq!(pool.next(5 * MS), Action::Spawn(0));
    }

    #[test]
    fn counts_children_that_are_there() {
        let mut pool = Pool::new(Limits { start: 3, max: 4 });
        pool.found(1, true);
        pool.found(2, false);
        assert_eq!(fill(&mut pool, 0), [0]);
        assert_eq!(pool.next(0), Action::Wait(None));
    }

    #[test]
    fn pauses_longer_and_longer_when_children_do_not_come_up() {
        let mut pool = Pool::new(Limits { start: 1, max: 1 });
        fill(&mut pool, 0);
        pool.ready(0);
        let mut now = 0;
        let mut last = 0;
        for n in 0..12 {
            pool.exited(0, if n == 0 { Exit::Code(CHILD_SICK) } else { Exit::Code(2) }, now);
            let Action::Wait(Some(until)) = pool.next(now) else { panic!("no pause") };
            assert!(until - now >= last, "pauses grow");
            last = until - now;
            now = until;
            assert_eq!(pool.next(now), Action::Spawn(0));
            pool.started(0);
        }
        assert_eq!(last, HOLD_OFF_MAX.as_nanos() as u64);
        pool.ready(0);
        pool.exited(0, Exit::Signal(11), now);
        assert_eq!(pool.next(now), Action::Spawn(0), "a ready child ends the pauses");
    }

    #[test]
    fn gives_up_when_no_child_ever_came_up() {
        let mut pool = Pool::new(Limits { start: 3, max: 3 });
        let mut now = 0;
        let mut spawned = 0;
        loop {
            match pool.next(now) {
                Action::Spawn(slot) => {
                    spawned += 1;
                    pool.started(slot);
                    pool.exited(slot, Exit::Code(2), now);
                }
                Action::Wait(Some(until)) => now = until,
                Action::Wait(None) => panic!("waits for ever"),
                Action::Hopeless => break,
            }
        }
        assert_eq!(spawned, HOPELESS_AFTER);
    }
}
