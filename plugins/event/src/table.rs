//! The connections of a loop, found by tokens that tell a slot's occupants apart.

use mpm_sdk::Connection;
use mpm_sdk::abi::{NEVER, PHASE_IDLE_KEEPALIVE, PHASE_LINGER};

/// Where a connection is.
pub(crate) enum Place {
    /// With the loop, waiting.
    Here(Connection),
    /// With the loop, in the run queue.
    Queued(Connection),
    /// With a thread that may block.
    Away,
    /// The slot is free; the next free one.
    Free(Option<u32>),
}

/// A slot of the table.
pub(crate) struct Entry {
    pub(crate) place: Place,
    generation: u32,
    /// Events that came while it could not be polled: an edge must never be lost.
    pub(crate) events: u32,
    /// `READ` and `WRITE` bits it waits for.
    pub(crate) interest: u32,
    /// When it must be polled.
    pub(crate) deadline_ns: u64,
    /// When its entry in the timer wheel fires; [`NEVER`] = it has none.
    pub(crate) timer_ns: u64,
    /// It holds a request, a buffer or a thread.
    holds: bool,
    /// Since when it waits for a request; [`NEVER`] = it does not.
    idle_ns: u64,
}

/// All connections of a loop.
#[derive(Default)]
pub(crate) struct Table {
    entries: Vec<Entry>,
    free: Option<u32>,
    len: u32,
    /// Connections that hold something.
    busy: u32,
}

impl Table {
    /// Connections.
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// Connections that hold a request, a buffer or a thread.
    pub(crate) fn busy(&self) -> u32 {
        self.busy
    }

    /// A connection has said in which phase it is.
    pub(crate) fn set_phase(&mut self, token: u64, phase: u32, now_ns: u64) {
        let Some(entry) = self.get(token) else { return };
        let is_idle = phase == PHASE_IDLE_KEEPALIVE;
        let holds = !is_idle && phase != PHASE_LINGER;
        let before = std::mem::replace(&mut entry.holds, holds);
        entry.idle_ns = if is_idle { now_ns } else { NEVER };
        self.busy = self.busy + u32::from(holds) - u32::from(before);
    }

    /// So many of those that have waited for a request for the longest time.
    pub(crate) fn oldest_idle(&self, count: usize) -> Vec<u64> {
        let mut idle: Vec<(u64, u64)> = self
            .entries
            .iter()
            .enumerate()
            .filter(|(_, e)| matches!(e.place, Place::Here(_)) && e.idle_ns != NEVER)
            .map(|(index, entry)| (entry.idle_ns, token(index as u32, entry.generation)))
            .collect();
        let count = count.min(idle.len());
        if count > 0 {
            idle.select_nth_unstable(count - 1);
        }
        idle.into_iter().take(count).map(|(_, token)| token).collect()
    }

    /// The token the next connection gets.
    pub(crate) fn next_token(&self) -> u64 {
        match self.free {
            Some(index) => token(index, self.generation(index)),
            None => token(u32::try_from(self.entries.len()).unwrap_or(u32::MAX), 0),
        }
    }

    fn generation(&self, index: u32) -> u32 {
        self.entries.get(index as usize).map_or(0, |entry| entry.generation)
    }

    /// Adds a connection, under [`Table::next_token`].
    pub(crate) fn insert(&mut self, connection: Connection) {
        self.len += 1;
        let place = Place::Here(connection);
        let Some(index) = self.free else {
            let (events, interest) = (0, 0);
            let (deadline_ns, timer_ns) = (NEVER, NEVER);
            let generation = 0;
            let (holds, idle_ns) = (false, NEVER);
            self.entries.push(Entry {
                place,
                generation,
                events,
                interest,
                deadline_ns,
                timer_ns,
                holds,
                idle_ns,
            });
            return;
        };
        if let Some(entry) = self.entries.get_mut(index as usize) {
            if let Place::Free(next) = entry.place {
                self.free = next;
            }
            entry.place = place;
            entry.events = 0;
            entry.interest = 0;
            entry.deadline_ns = NEVER;
            entry.timer_ns = NEVER;
            entry.idle_ns = NEVER;
        }
    }

    /// The entry of a token, if its connection is still there.
    pub(crate) fn get(&mut self, token: u64) -> Option<&mut Entry> {
        let (index, generation) = (token as u32, (token >> 32) as u32);
        let entry = self.entries.get_mut(index as usize)?;
        let free = matches!(entry.place, Place::Free(_));
        (!free && entry.generation == generation).then_some(entry)
    }

    /// Takes a connection out. Its token is stale from now on.
    pub(crate) fn remove(&mut self, token: u64) {
        let free = self.free;
        let Some(entry) = self.get(token) else { return };
        entry.place = Place::Free(free);
        let held = std::mem::replace(&mut entry.holds, false);
        // 31 bits: the highest tokens are the loop's own.
        entry.generation = (entry.generation + 1) & (u32::MAX >> 1);
        self.free = Some(token as u32);
        self.len -= 1;
        self.busy -= u32::from(held);
    }

    /// Tokens of all connections.
    pub(crate) fn tokens(&self) -> Vec<u64> {
        let used = self
            .entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| !matches!(entry.place, Place::Free(_)));
        used.map(|(index, entry)| token(index as u32, entry.generation)).collect()
    }
}

fn token(index: u32, generation: u32) -> u64 {
    u64::from(generation) << 32 | u64::from(index)
}
