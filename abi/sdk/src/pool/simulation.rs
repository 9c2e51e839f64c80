//! The policy against a simulated server: random limits, loads and deaths, a clock of its own.

use std::collections::BTreeMap;

use mpm_abi::NEVER;
use proptest::prelude::*;

use super::Limits;
use super::policy::{Action, Policy, Seen, Working};
use crate::host::Exit;

const MS: u64 = 1_000_000;
const TICK: u64 = 10 * MS;
const SECOND: u64 = 1_000 * MS;

/// A child; when it becomes ready, and when it leaves.
struct Child {
    ready_ns: u64,
    is_ready: bool,
    leaves_ns: u64,
}

/// A server whose load is so many requests at a time.
struct World {
    limits: Limits,
    policy: Policy,
    children: BTreeMap<u32, Child>,
    now: u64,
    load: u32,
    /// How long a child takes to come up.
    start_ns: u64,
    /// How long one takes to finish what it holds.
    drain_ns: u64,
    /// When the policy wants to be asked again.
    timer: u64,
    /// What the host last told of.
    told: (u64, u32),
    started: u32,
    stopped: u32,
}

impl World {
    fn new(limits: Limits, start_ns: u64, drain_ns: u64) -> Self {
        let mut world = Self {
            limits,
            policy: Policy::new(limits),
            children: BTreeMap::new(),
            now: 0,
            load: 0,
            start_ns,
            drain_ns,
            timer: NEVER,
            told: (0, 0),
            started: 0,
            stopped: 0,
        };
        world.decide();
        world
    }

    fn working(&self) -> impl Iterator<Item = (&u32, &Child)> {
        self.children.iter().filter(|(_, child)| child.is_ready && child.leaves_ns == NEVER)
    }

    fn active(&self) -> u32 {
        self.children.values().filter(|child| child.leaves_ns == NEVER).count() as u32
    }

    /// What the children report: the load spread evenly, the rest in the kernel.
    fn seen(&self) -> Seen {
        let slots: Vec<u32> = self.working().map(|(slot, _)| *slot).collect();
        let count = slots.len() as u32;
        let threads = self.limits.threads;
        let busy = self.load.min(count * threads);
        let working = slots.iter().zip(0..).map(|(&slot, n)| {
            let mine = busy / count + u32::from(n < busy % count);
            Working { slot, idle: threads - mine, connections: mine, accepting: true }
        });
        Seen { working: working.collect(), backlog: self.load - busy }
    }

    fn idle(&self) -> u32 {
        self.seen().working.iter().map(|child| child.idle).sum()
    }

    fn decide(&mut self) {
        loop {
            let action = match self.policy.owes(self.now) {
                Some(action) => action,
                None => {
                    let seen = self.seen();
                    self.policy.next(self.now, &seen)
                }
            };
            match action {
                Action::Spawn(slot) => {
                    let ready_ns = self.now + self.start_ns;
                    let child = Child { ready_ns, is_ready: false, leaves_ns: NEVER };
                    assert!(self.children.insert(slot, child).is_none(), "slot {slot} is taken");
                    self.policy.started(slot);
                    self.started += 1;
                }
                Action::Drain(slot) => {
                    let child = self.children.get_mut(&slot).expect("there");
                    assert!(child.is_ready && child.leaves_ns == NEVER);
                    child.leaves_ns = self.now + self.drain_ns;
                    self.policy.draining(slot);
                    self.stopped += 1;
                }
                Action::Tell(_) => {}
                Action::Wait(until) => {
                    assert!(until > self.now, "the policy turns in circles");
                    self.timer = until;
                    break;
                }
                Action::Hopeless => panic!("nothing has failed"),
            }
            assert!(self.active() <= self.limits.max);
            assert!(self.children.len() as u32 <= self.limits.slots());
        }
    }

    fn kill(&mut self, nth: usize) {
        let slots: Vec<u32> = self.working().map(|(slot, _)| *slot).collect();
        if let Some(slot) = slots.get(nth % slots.len().max(1)) {
            let before = self.active();
            self.children.remove(slot);
            self.policy.exited(*slot, Exit::Signal(9), self.now);
            self.decide();
            assert!(self.active() >= before, "replaced at once");
        }
    }

    /// Lets time pass, with what the host would tell.
    fn run(&mut self, ns: u64) {
        let end = self.now + ns;
        while self.now < end {
            self.now += TICK;
            let mut is_event = self.now >= self.timer;
            for (slot, child) in &mut self.children {
                if !child.is_ready && child.ready_ns <= self.now {
                    child.is_ready = true;
                    self.policy.ready(*slot);
                    is_event = true;
                }
            }
            let gone: Vec<u32> = self
                .children
                .iter()
                .filter(|(_, child)| child.leaves_ns <= self.now)
                .map(|(slot, _)| *slot)
                .collect();
            for slot in gone {
                self.children.remove(&slot);
                self.policy.exited(slot, Exit::Code(0), self.now);
                is_event = true;
            }
            // The host: changes of a tenth of a second together, if a total is beyond a mark.
            let (told_ns, told) = self.told;
            let idle = self.idle();
            let is_beyond = |idle| idle < self.limits.min_spare || idle > self.limits.max_spare;
            if idle != told && self.now >= told_ns + 100 * MS {
                self.told = (self.now, idle);
                is_event |= is_beyond(idle) || is_beyond(told);
            }
            if is_event {
                self.decide();
            }
        }
    }

    /// Everything that can be served is, and as many are idle as there shall be.
    fn is_settled(&self) -> bool {
        let Limits { max, min_spare, max_spare, .. } = self.limits;
        let idle = self.idle();
        let low = idle < min_spare && self.active() < max;
        !low && idle <= max_spare
    }
}

fn limits() -> impl Strategy<Value = Limits> {
    (1_u32..40, 1_u32..=64, 1_u32..30, 1_u32..200, 0_u32..200).prop_map(
        |(start, max, threads, min_spare, more)| Limits {
            start,
            max,
            threads,
            min_spare: min_spare.min(max * threads),
            max_spare: min_spare + threads + 1 + more,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the load does: never more children than allowed, and once it is constant the pool comes
    /// to rest where it shall, starts and stops nobody any more, and does not ask to be woken.
    #[test]
    fn comes_to_rest(
        limits in limits(),
        start_ms in 1_u64..300,
        drain_ms in 1_u64..3000,
        loads in prop::collection::vec((0_u32..1500, 1_u64..8000, any::<Option<u8>>()), 1..8),
    ) {
        let mut world = World::new(limits, start_ms * MS, drain_ms * MS);
        for (load, ms, kill) in loads {
            world.load = load;
            world.run(ms * MS);
            if let Some(nth) = kill {
                world.kill(nth.into());
            }
        }
        world.run(60 * SECOND);
        prop_assert!(world.is_settled(), "idle {} of {:?}", world.idle(), limits);
        let before = (world.started, world.stopped);
        world.run(20 * SECOND);
        prop_assert_eq!(before, (world.started, world.stopped));
        // At the limit a line is written now and then.
        prop_assert!(world.timer == NEVER || world.active() == limits.max);
    }

    /// From nothing to any load: all of it is served within three seconds, or all children are there.
    #[test]
    fn grows_to_need_within_three_seconds(limits in limits(), load in 1_u32..250, start_ms in 1_u64..100) {
        let mut world = World::new(limits, start_ms * MS, SECOND);
        world.run(SECOND);
        world.load = load;
        world.run(3 * SECOND);
        let served = world.seen().backlog == 0 && world.idle() >= limits.min_spare;
        prop_assert!(served || world.active() == limits.max, "{} children", world.active());
    }

    /// A load that moves within the marks starts and stops nobody.
    #[test]
    fn small_waves_move_nothing(seed in any::<u64>()) {
        let limits = Limits { start: 8, max: 32, threads: 25, min_spare: 75, max_spare: 250 };
        let mut world = World::new(limits, 50 * MS, SECOND);
        world.load = 60;
        world.run(10 * SECOND);
        let before = (world.started, world.stopped);
        let mut random = seed;
        for _ in 0..200 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            world.load = 20 + (random >> 33) as u32 % 90;
            world.run(100 * MS);
        }
        prop_assert_eq!(before, (world.started, world.stopped));
    }
}
