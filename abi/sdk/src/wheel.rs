//! A lazy timer wheel: many deadlines, few of which are ever reached.
//!
//! The deadline itself is a field of whatever is timed. The wheel holds one entry for it, which
//! moves only when it fires early: pushing a deadline back (every request does) costs nothing.

/// Nanoseconds per tick (about 8.4 ms): how late a deadline may be seen. It is never seen early.
pub const TICK_NS: u64 = 1 << TICK_BITS;

const TICK_BITS: u32 = 23;
/// Bits of a tick that choose the slot within a level.
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
/// Enough levels for every tick there is: no deadline is too late.
const LEVELS: usize = (u64::BITS - TICK_BITS).div_ceil(SLOT_BITS) as usize;

/// Keys with the time at which they fire.
///
/// Invariant *ahead*: an entry lies on the level of the highest digit (base 64) in which its tick
/// differs from the wheel's, in the slot of that digit; on level 0 if they are equal. So a lower
/// level is always due before a higher one, and within a level the lowest slot is due first.
#[derive(Debug)]
pub struct Wheel {
    /// Everything before this tick has fired.
    tick: u64,
    levels: [Level; LEVELS],
    len: usize,
}

#[derive(Debug)]
struct Level {
    /// Bit per slot that is not empty.
    occupied: u64,
    slots: [Vec<Entry>; SLOTS],
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: u64,
    /// First tick at which it may fire.
    tick: u64,
}

impl Wheel {
    /// An empty wheel that starts at `now_ns`.
    pub fn new(now_ns: u64) -> Self {
        let level = |_| Level { occupied: 0, slots: std::array::from_fn(|_| Vec::new()) };
        Self { tick: now_ns >> TICK_BITS, levels: std::array::from_fn(level), len: 0 }
    }

    /// Entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds an entry that fires at or after `at_ns`.
    pub fn insert(&mut self, key: u64, at_ns: u64) {
        // Rounded up: an entry must not fire before its time.
        let tick = at_ns.div_ceil(TICK_NS).max(self.tick);
        self.place(Entry { key, tick });
        self.len += 1;
    }

    fn place(&mut self, entry: Entry) {
        let differs = (entry.tick ^ self.tick).checked_ilog2().unwrap_or(0);
        let level = (differs / SLOT_BITS) as usize;
        let slot = slot_of(entry.tick, level);
        self.levels[level].occupied |= 1 << slot;
        self.levels[level].slots[slot].push(entry);
    }

    /// When [`Wheel::expire`] has work next; `None` = never.
    pub fn next_ns(&self) -> Option<u64> {
        self.next_due().map(|(_, tick)| tick.saturating_mul(TICK_NS))
    }

    /// The first slot that fires (level 0) or moves down (others), with its level.
    fn next_due(&self) -> Option<(usize, u64)> {
        let level = (0..LEVELS).find(|&n| self.levels[n].occupied != 0)?;
        let slot = u64::from(self.levels[level].occupied.trailing_zeros());
        let shift = SLOT_BITS * level as u32;
        let above = self.tick >> shift >> SLOT_BITS << SLOT_BITS;
        Some((level, (above | slot) << shift))
    }

    /// Takes out everything due at `now_ns`. `fire` gets each key and says when it wants to fire
    /// again, if at all: the lazy part.
    pub fn expire(&mut self, now_ns: u64, mut fire: impl FnMut(u64) -> Option<u64>) {
        let target = now_ns >> TICK_BITS;
        while let Some((level, tick)) = self.next_due() {
            if tick > target {
                break;
            }
            self.tick = tick;
            let slot = slot_of(tick, level);
            self.levels[level].occupied &= !(1 << slot);
            for entry in std::mem::take(&mut self.levels[level].slots[slot]) {
                if level > 0 {
                    self.place(entry);
                    continue;
                }
                self.len -= 1;
                if let Some(again_ns) = fire(entry.key) {
                    // A later tick than the one being emptied, or this would not end.
                    self.insert(entry.key, again_ns.max((tick + 1).saturating_mul(TICK_NS)));
                }
            }
        }
        self.tick = self.tick.max(target);
    }
}

const fn slot_of(tick: u64, level: usize) -> usize {
    (tick >> (SLOT_BITS * level as u32)) as usize & (SLOTS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const SECOND: u64 = 1_000_000_000;

    fn fired(wheel: &mut Wheel, now: u64) -> Vec<u64> {
        let mut keys = Vec::new();
        wheel.expire(now, |key| {
            keys.push(key);
            None
        });
        keys
    }

    #[test]
    fn fires_at_its_time_not_before() {
        let start = 17 * SECOND + 123;
        let mut wheel = Wheel::new(start);
        wheel.insert(1, start + 5 * SECOND);
        assert!(fired(&mut wheel, start + 5 * SECOND - 1).is_empty());
        assert_eq!(fired(&mut wheel, start + 5 * SECOND + TICK_NS), [1]);
        assert!(wheel.is_empty());
        assert_eq!(wheel.next_ns(), None);
    }

    #[test]
    fn a_time_in_the_past_fires_at_once() {
        let mut wheel = Wheel::new(SECOND);
        wheel.insert(7, 3);
        assert_eq!(fired(&mut wheel, SECOND), [7]);
    }

    #[test]
    fn never_is_a_time_like_any_other() {
        let mut wheel = Wheel::new(0);
        wheel.insert(1, u64::MAX);
        assert!(fired(&mut wheel, u64::MAX - TICK_NS).is_empty());
        assert_eq!(wheel.len(), 1);
    }

    #[test]
    fn an_entry_that_fires_early_moves() {
        let mut wheel = Wheel::new(0);
        wheel.insert(1, SECOND);
        let mut calls = 0;
        wheel.expire(2 * SECOND, |_| {
            calls += 1;
            Some(10 * SECOND)
        });
        assert_eq!((calls, wheel.len()), (1, 1));
        assert!(fired(&mut wheel, 9 * SECOND).is_empty());
        assert_eq!(fired(&mut wheel, 10 * SECOND + TICK_NS), [1]);
    }

    #[test]
    fn an_entry_that_wants_the_past_moves_one_tick() {
        let mut wheel = Wheel::new(0);
        wheel.insert(1, 0);
        let mut calls = 0;
        wheel.expire(10 * TICK_NS, |_| {
            calls += 1;
            Some(0)
        });
        assert_eq!(calls, 11, "one per tick passed, then it stops");
    }

    /// A long random history against a sorted map: every entry fires within one tick after its
    /// time, never before, and the next time told is never later than the first entry's.
    #[test]
    fn agrees_with_a_sorted_map() {
        let mut random = 0x9E37_79B9_7F4A_7C15_u64;
        let mut next = || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random
        };
        for start in [0, 12_345, (1 << 47) - 5 * SECOND, 1 << 62] {
            let mut now = start;
            let mut wheel = Wheel::new(now);
            let mut model = BTreeMap::new();
            for key in 0..20_000_u64 {
                let bits = next() % 44;
                let at = now + next() % (1 << bits);
                wheel.insert(key, at);
                model.insert((at, key), ());
                if let Some(told) = wheel.next_ns() {
                    let (&(first, _), ()) = model.first_key_value().unwrap();
                    assert!(told <= first + TICK_NS);
                }
                let bits = next() % 38;
                now += next() % (1 << bits);
                for key in fired(&mut wheel, now) {
                    let at = *model.keys().find(|(_, k)| *k == key).map(|(at, _)| at).unwrap();
                    assert!(at <= now, "early");
                    model.remove(&(at, key));
                }
                if let Some((&(at, _), ())) = model.first_key_value() {
                    assert!(at + TICK_NS > now, "late by more than a tick");
                }
            }
            assert_eq!(wheel.len(), model.len());
        }
    }
}
