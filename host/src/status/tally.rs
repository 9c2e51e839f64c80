//! Sums over requests: how many, how large, how long.

use serde::{Deserialize, Serialize};

/// Upper bounds of the latency histogram's buckets (µs); one more bucket holds the rest.
pub(super) const BOUNDS_US: [u64; 11] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000, 1_000_000, 10_000_000];
/// Buckets of the histogram.
pub(super) const BUCKETS: usize = BOUNDS_US.len() + 1;
/// A tally's words: requests, bytes, duration, histogram.
pub(super) const WORDS: usize = 3 + BUCKETS;

/// More than any server will count; less than what loses digits in JSON or overflows when added.
const COUNT_MAX: u64 = 1 << 52;

/// Sums over requests that are done with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Requests.
    pub requests: u64,
    /// Bytes of their responses' bodies.
    pub bytes: u64,
    /// From a request's head to the end of its response, in all.
    pub duration_us: u64,
    /// Requests by duration; the buckets' bounds are `BOUNDS_US`.
    pub latency: [u64; BUCKETS],
}

impl Tally {
    pub(super) fn to_words(self) -> [u64; WORDS] {
        let mut words =
            [self.requests, self.bytes, self.duration_us].into_iter().chain(self.latency);
        std::array::from_fn(|_| words.next().unwrap_or(0))
    }

    /// Whatever stands there, no number is larger than can be worked with.
    pub(super) fn from_words(words: [u64; WORDS]) -> Self {
        let [requests, bytes, duration_us, latency @ ..] = words.map(|word| word.min(COUNT_MAX));
        Self { requests, bytes, duration_us, latency }
    }

    /// Adds another one.
    pub fn add(&mut self, other: &Self) {
        let (ours, theirs) = (self.to_words(), other.to_words());
        let mut sums = ours.into_iter().zip(theirs).map(|(a, b)| a.saturating_add(b));
        *self = Self::from_words(std::array::from_fn(|_| sums.next().unwrap_or(0)));
    }
}

/// The bucket of a duration.
pub(super) fn bucket(duration_us: u64) -> usize {
    BOUNDS_US.iter().position(|bound| duration_us <= *bound).unwrap_or(BOUNDS_US.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_and_never_overflows() {
        let mut sum = Tally::default();
        let one = Tally { requests: 1, bytes: 2, duration_us: 3, latency: [1; BUCKETS] };
        sum.add(&one);
        sum.add(&one);
        assert_eq!((sum.requests, sum.bytes, sum.duration_us, sum.latency[11]), (2, 4, 6, 2));
        let huge = Tally { requests: u64::MAX, ..one };
        sum.add(&huge);
        sum.add(&huge);
        assert_eq!(sum.requests, COUNT_MAX);
        assert_eq!(Tally::from_words(sum.to_words()), sum);
    }

    #[test]
    fn buckets() {
        for (us, wanted) in [(0, 0), (100, 0), (101, 1), (10_000_000, 10), (10_000_001, 11)] {
            assert_eq!(bucket(us), wanted, "{us}");
        }
    }
}
