//! What only the parent knows, and tells its children for the status page.

use serde::{Deserialize, Serialize};

use super::tally::{self, Tally};

/// What has happened since the server was first started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// When the server was first started (s since 1970).
    pub started_s: u64,
    /// When this generation began (s since 1970).
    pub generation_started_s: u64,
    /// Number of the generation.
    pub generation: u32,
    /// Generations that began gracefully.
    pub restarts_graceful: u64,
    /// Generations whose predecessor was stopped.
    pub restarts_hard: u64,
    /// Restarts refused.
    pub restarts_refused: u64,
    /// Generations that did not come up.
    pub restarts_failed: u64,
    /// Children made.
    pub children_started: u64,
    /// Children that left in order.
    pub exits_ordered: u64,
    /// Children that left with an exit code of their own.
    pub exits_error: u64,
    /// Children ended by a signal they were not sent by the parent.
    pub exits_signal: u64,
    /// Requests of children that have left.
    pub finished: Tally,
}

/// Words that are not the tally's.
const OWN: usize = 11;
/// Words of the facts.
pub(super) const WORDS: usize = OWN + tally::WORDS;

impl Facts {
    pub(super) fn to_words(self) -> [u64; WORDS] {
        let own: [u64; OWN] = [
            self.started_s,
            self.generation_started_s,
            u64::from(self.generation),
            self.restarts_graceful,
            self.restarts_hard,
            self.restarts_refused,
            self.restarts_failed,
            self.children_started,
            self.exits_ordered,
            self.exits_error,
            self.exits_signal,
        ];
        let mut words = own.into_iter().chain(self.finished.to_words());
        std::array::from_fn(|_| words.next().unwrap_or(0))
    }

    pub(super) fn from_words(words: [u64; WORDS]) -> Self {
        let mut words = words.into_iter();
        let mut next = || words.next().unwrap_or(0);
        Self {
            started_s: next(),
            generation_started_s: next(),
            generation: u32::try_from(next()).unwrap_or(u32::MAX),
            restarts_graceful: next(),
            restarts_hard: next(),
            restarts_refused: next(),
            restarts_failed: next(),
            children_started: next(),
            exits_ordered: next(),
            exits_error: next(),
            exits_signal: next(),
            finished: Tally::from_words(std::array::from_fn(|_| next())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn come_back_as_written() {
        let mut n = 0;
        let facts = Facts::from_words(std::array::from_fn(|_| {
            n += 1;
            n
        }));
        assert_eq!((facts.started_s, facts.exits_signal, facts.finished.requests), (1, 11, 12));
        assert_eq!(Facts::from_words(facts.to_words()), facts);
    }
}
