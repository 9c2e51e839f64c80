//! What to do with a pool of children: a function of counts and time. Time comes in as an argument
//! (monotonic ns), so tests bring their own.

use mpm_abi::CHILD_SICK;

use super::Limits;
use super::limit::{Level, LimitWatch, Say};
use crate::host::Exit;

const MS: u64 = 1_000_000;

/// First pause after a child failed to come up; doubles with each further one.
const HOLD_OFF_MIN_NS: u64 = 100 * MS;
/// Longest pause.
pub(super) const HOLD_OFF_MAX_NS: u64 = 10_000 * MS;
/// Failed children in a row, none ever having become ready, after which the server gives up.
pub(super) const HOPELESS_AFTER: u32 = 5;

/// Most children started or stopped in one step.
const STEP_MAX: u32 = 32;
/// So many at a time are worth a line.
const BUSY_FROM: u32 = 8;
/// Between two steps of growth.
pub(super) const GROW_NS: u64 = 100 * MS;
/// How long too few threads are idle before a child is started. None idle is acted upon at once.
pub(super) const LOW_NS: u64 = 100 * MS;
/// How long too many are before one is stopped.
pub(super) const HIGH_NS: u64 = 2_000 * MS;
/// Between two steps of shrinking.
pub(super) const SHRINK_NS: u64 = 1_000 * MS;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Free,
    Starting,
    Working,
    Draining,
}

/// A child that serves, as it reports itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Working {
    /// Its slot.
    pub slot: u32,
    /// Threads that wait for work; 0 if it does not accept.
    pub idle: u32,
    /// Connections it holds.
    pub connections: u32,
    /// It accepts connections.
    pub accepting: bool,
}

/// What there is to decide by, besides what the pool knows itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The children of [`Policy::working`].
    pub working: Vec<Working>,
    /// Connections that wait in the kernel.
    pub backlog: u32,
}

impl Seen {
    fn idle(&self) -> u32 {
        self.working.iter().map(|child| child.idle).fold(0, u32::saturating_add)
    }
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start a child in this slot.
    Spawn(u32),
    /// Let the child in this slot finish what it holds and leave.
    Drain(u32),
    /// Write a line.
    Tell(Say),
    /// Nothing until an event, or until this time; [`NEVER`](mpm_abi::NEVER) = until an event.
    Wait(u64),
    /// Give up: no child comes up.
    Hopeless,
}

/// The state of a pool.
#[derive(Debug)]
pub struct Policy {
    limits: Limits,
    slots: Vec<Slot>,
    /// Children to be started: to begin with, in place of lost ones, and by the last step of growth.
    owed: u32,
    /// Children still to be stopped by the last step of shrinking.
    surplus: u32,
    /// Children in a row that left before they were ready, or sick.
    failures: u32,
    /// Whether any child of this generation has ever been ready.
    proven: bool,
    /// No child is started before this time.
    hold_off_until_ns: u64,
    grow: Pace,
    shrink: Pace,
    limit: LimitWatch,
}

/// Steps of one, two, four … with a pause after each, once their reason has lasted.
#[derive(Debug)]
struct Pace {
    /// How long the reason must last.
    patience_ns: u64,
    pause_ns: u64,
    since_ns: Option<u64>,
    next_ns: u64,
    step: u32,
}

impl Pace {
    fn new(patience_ns: u64, pause_ns: u64) -> Self {
        Self { patience_ns, pause_ns, since_ns: None, next_ns: 0, step: 1 }
    }

    /// The reason is gone.
    fn rest(&mut self) {
        self.since_ns = None;
        self.step = 1;
    }

    /// There is a reason: how many at most now, or when.
    fn step(&mut self, now_ns: u64, is_urgent: bool) -> Result<u32, u64> {
        let since = *self.since_ns.get_or_insert(now_ns);
        let patience = if is_urgent { 0 } else { self.patience_ns };
        let at = since.saturating_add(patience).max(self.next_ns);
        if now_ns < at { Err(at) } else { Ok(self.step) }
    }

    fn stepped(&mut self, now_ns: u64) {
        self.next_ns = now_ns.saturating_add(self.pause_ns);
        self.step = (self.step * 2).min(STEP_MAX);
    }
}

impl Policy {
    /// An empty pool.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            slots: vec![Slot::Free; limits.slots() as usize],
            owed: limits.start,
            surplus: 0,
            failures: 0,
            proven: false,
            hold_off_until_ns: 0,
            grow: Pace::new(LOW_NS, GROW_NS),
            shrink: Pace::new(HIGH_NS, SHRINK_NS),
            limit: LimitWatch::default(),
        }
    }

    /// A child that is there already: the host calls `run` again after a restart that could not be
    /// made.
    pub fn found(&mut self, slot: u32, is_ready: bool, is_draining: bool) {
        match (is_draining, is_ready) {
            (true, _) => self.set(slot, Slot::Draining),
            (false, true) => {
                self.started(slot);
                self.ready(slot);
            }
            (false, false) => self.started(slot),
        }
    }

    /// A child was started in `slot`.
    pub fn started(&mut self, slot: u32) {
        self.set(slot, Slot::Starting);
        self.owed = self.owed.saturating_sub(1);
    }

    /// The child in `slot` can serve.
    pub fn ready(&mut self, slot: u32) {
        if self.at(slot) == Slot::Starting {
            self.set(slot, Slot::Working);
        }
        self.proven = true;
        self.failures = 0;
    }

    /// The child in `slot` finishes what it holds.
    pub fn draining(&mut self, slot: u32) {
        self.set(slot, Slot::Draining);
        self.surplus = self.surplus.saturating_sub(1);
    }

    /// The child in `slot` is gone.
    pub fn exited(&mut self, slot: u32, exit: Exit, now_ns: u64) {
        let was = self.at(slot);
        self.set(slot, Slot::Free);
        match (was, exit) {
            (Slot::Working, Exit::Code(CHILD_SICK)) | (Slot::Starting, _) => {
                self.owed += 1;
                self.failed(now_ns);
            }
            // No measure says that it is missed.
            (Slot::Draining | Slot::Working, _) if self.limits.min_spare == 0 => self.owed += 1,
            (Slot::Draining | Slot::Free, _) => {}
            // It left by itself, for a reason of its own. Whether it is missed is measured.
            (Slot::Working, Exit::Code(0)) => {}
            (Slot::Working, _) => self.owed += 1,
        }
    }

    /// A child could not be made or did not come up: pause, longer each time.
    pub fn failed(&mut self, now_ns: u64) {
        let doubled = HOLD_OFF_MIN_NS.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        self.hold_off_until_ns = now_ns + doubled.min(HOLD_OFF_MAX_NS);
        self.grow.rest();
    }

    fn at(&self, slot: u32) -> Slot {
        self.slots.get(slot as usize).copied().unwrap_or(Slot::Free)
    }

    fn set(&mut self, slot: u32, state: Slot) {
        if let Some(place) = self.slots.get_mut(slot as usize) {
            *place = state;
        }
    }

    fn count(&self, state: Slot) -> u32 {
        self.slots.iter().filter(|slot| **slot == state).count() as u32
    }

    /// Children that take connections, or soon will.
    fn active(&self) -> u32 {
        self.count(Slot::Working) + self.count(Slot::Starting)
    }

    /// Slots of children that serve.
    pub fn working(&self) -> Vec<u32> {
        let working = self.slots.iter().enumerate().filter(|(_, slot)| **slot == Slot::Working);
        working.map(|(n, _)| n as u32).collect()
    }

    /// What must be done whatever the children report.
    pub fn owes(&mut self, now_ns: u64) -> Option<Action> {
        if !self.proven && self.failures >= HOPELESS_AFTER {
            return Some(Action::Hopeless);
        }
        if self.owed == 0 || now_ns < self.hold_off_until_ns {
            return None;
        }
        self.owed = self.owed.min(self.limits.max.saturating_sub(self.active()));
        let free = self.slots.iter().position(|slot| *slot == Slot::Free)?;
        (self.owed > 0).then_some(Action::Spawn(free as u32))
    }

    /// Whether it matters how many connections wait in the kernel.
    pub fn wants_backlog(&self, seen: &Seen) -> bool {
        self.limits.min_spare > 0 && seen.idle() < self.limits.min_spare
    }

    /// What to do at `now_ns`, given what the children report.
    pub fn next(&mut self, now_ns: u64, seen: &Seen) -> Action {
        if let Some(action) = self.owes(now_ns) {
            return action;
        }
        let Limits { max, threads, min_spare, max_spare, .. } = self.limits;
        let idle = seen.idle();
        let starting = self.count(Slot::Starting);
        // Threads that will be there as soon as their child is ready are not asked for again.
        let soon = idle.saturating_add(starting.saturating_mul(threads));
        let wanted = min_spare.saturating_add(seen.backlog);
        let missing = wanted.saturating_sub(soon);
        let room = max.saturating_sub(self.active());
        let free = self.count(Slot::Free);

        let level = self.level(missing, room, free, idle == 0 && starting == 0);
        let mut until = match self.limit.look(now_ns, level) {
            Ok(say) => return Action::Tell(say),
            Err(until) => until,
        };
        if now_ns < self.hold_off_until_ns {
            return Action::Wait(if self.owed > 0 || missing > 0 {
                until.min(self.hold_off_until_ns)
            } else {
                until
            });
        }
        if missing == 0 || room == 0 || free == 0 {
            self.grow.rest();
        } else {
            match self.grow.step(now_ns, idle == 0) {
                Ok(most) => {
                    let count = most.min(missing.div_ceil(threads)).min(room).min(free);
                    return self.begin_growth(now_ns, count, idle);
                }
                Err(at) => until = until.min(at),
            }
        }
        self.shrink(now_ns, seen, idle, max_spare, starting).unwrap_or_else(|at| match at {
            Some(at) => Action::Wait(until.min(at)),
            None => Action::Wait(until),
        })
    }

    /// How things stand with the limits, if so many threads are missing and there is room for so many
    /// children.
    fn level(&self, missing: u32, room: u32, free: u32, is_none_idle: bool) -> Level {
        let Limits { max, threads, min_spare, .. } = self.limits;
        match missing {
            0 => Level::Well,
            _ if room > 0 && free == 0 => Level::Full { draining: self.count(Slot::Draining) },
            _ if room > 0 => Level::Well,
            _ if is_none_idle => Level::Reached,
            // Where that can never be otherwise, it is no news.
            _ if min_spare < max.saturating_mul(threads) => Level::Near,
            _ => Level::Well,
        }
    }

    /// The first of so many children.
    fn begin_growth(&mut self, now_ns: u64, count: u32, idle: u32) -> Action {
        self.grow.stepped(now_ns);
        self.owed = count;
        if count >= BUSY_FROM {
            return Action::Tell(Say::Busy {
                spawning: count,
                idle,
                active: self.active(),
                draining: self.count(Slot::Draining),
            });
        }
        // There is room, so there is always one.
        self.owes(now_ns).unwrap_or(Action::Wait(self.grow.next_ns))
    }

    /// Stops what is too much; or when to look again.
    fn shrink(
        &mut self,
        now_ns: u64,
        seen: &Seen,
        idle: u32,
        max_spare: u32,
        starting: u32,
    ) -> Result<Action, Option<u64>> {
        // Those that finish what they hold must leave room for as many as may be needed.
        let draining = self.count(Slot::Draining);
        let room = self.limits.slots() - self.limits.max;
        if idle <= max_spare || starting > 0 || draining >= room {
            self.surplus = 0;
            self.shrink.rest();
            return Err(None);
        }
        if self.surplus == 0 {
            let most = self.shrink.step(now_ns, false).map_err(Some)?;
            self.surplus = most;
            self.shrink.stepped(now_ns);
        }
        let accepting = seen.working.iter().filter(|child| child.accepting);
        let least = accepting
            .min_by_key(|child| (child.connections, u32::MAX - child.idle, u32::MAX - child.slot));
        let min_spare = self.limits.min_spare;
        match least.filter(|child| idle.saturating_sub(child.idle) >= min_spare) {
            Some(child) => Ok(Action::Drain(child.slot)),
            None => {
                self.surplus = 0;
                self.shrink.rest();
                Err(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mpm_abi::NEVER;

    fn pool(start: u32, max: u32) -> Policy {
        let fixed = Limits::fixed(max);
        Policy::new(Limits { start, ..fixed })
    }

    fn fill(pool: &mut Policy, now: u64) -> Vec<u32> {
        let mut slots = Vec::new();
        while let Some(Action::Spawn(slot)) = pool.owes(now) {
            pool.started(slot);
            slots.push(slot);
        }
        slots
    }

    #[test]
    fn starts_as_many_as_wanted_and_no_more() {
        let mut wide = pool(3, 16);
        assert_eq!(fill(&mut wide, 0), [0, 1, 2]);
        assert_eq!(wide.next(0, &Seen::default()), Action::Wait(NEVER));
        assert_eq!(fill(&mut pool(5, 2), 0), [0, 1]);
    }

    #[test]
    fn replaces_a_killed_child_at_once() {
        let mut pool = pool(2, 4);
        fill(&mut pool, 0);
        pool.ready(0);
        pool.ready(1);
        pool.exited(0, Exit::Signal(9), 5 * MS);
        assert_eq!(pool.owes(5 * MS), Some(Action::Spawn(0)));
    }

    #[test]
    fn counts_children_that_are_there() {
        let mut pool = pool(3, 4);
        pool.found(1, true, false);
        pool.found(2, false, false);
        pool.found(0, true, true);
        assert_eq!(fill(&mut pool, 0), [3]);
        assert_eq!(pool.next(0, &Seen::default()), Action::Wait(NEVER));
    }

    #[test]
    fn pauses_longer_and_longer_when_children_do_not_come_up() {
        let mut pool = pool(1, 1);
        fill(&mut pool, 0);
        pool.ready(0);
        let mut now = 0;
        let mut last = 0;
        for n in 0..12 {
            pool.exited(0, if n == 0 { Exit::Code(CHILD_SICK) } else { Exit::Code(2) }, now);
            let Action::Wait(until) = pool.next(now, &Seen::default()) else { panic!("no pause") };
            assert!(until - now >= last, "pauses grow");
            last = until - now;
            now = until;
            assert_eq!(pool.owes(now), Some(Action::Spawn(0)));
            pool.started(0);
        }
        assert_eq!(last, HOLD_OFF_MAX_NS);
        pool.ready(0);
        pool.exited(0, Exit::Signal(11), now);
        assert_eq!(pool.owes(now), Some(Action::Spawn(0)), "a ready child ends the pauses");
    }

    #[test]
    fn gives_up_when_no_child_ever_came_up() {
        let mut pool = pool(3, 3);
        let mut now = 0;
        let mut spawned = 0;
        loop {
            match pool.next(now, &Seen::default()) {
                Action::Spawn(slot) => {
                    spawned += 1;
                    pool.started(slot);
                    pool.exited(slot, Exit::Code(2), now);
                }
                Action::Wait(until) if until != NEVER => now = until,
                Action::Hopeless => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(spawned, HOPELESS_AFTER);
    }

    #[test]
    fn the_child_with_the_fewest_connections_is_stopped() {
        let limits = Limits { start: 3, max: 8, threads: 10, min_spare: 5, max_spare: 16 };
        let mut pool = Policy::new(limits);
        fill(&mut pool, 0);
        (0..3).for_each(|slot| pool.ready(slot));
        let child = |slot, idle, connections| Working { slot, idle, connections, accepting: true };
        let seen =
            Seen { working: vec![child(0, 9, 3), child(1, 9, 1), child(2, 9, 2)], backlog: 0 };
        assert_eq!(pool.next(0, &seen), Action::Wait(HIGH_NS), "not at once");
        assert_eq!(pool.next(HIGH_NS, &seen), Action::Drain(1));
    }
}
