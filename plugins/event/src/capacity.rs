//! How many connections a child takes.
//!
//! Those that hold a request, a buffer or a thread are bounded by threads: httpd's formula, counted on
//! the truth. Those that wait for a request hold nothing but a descriptor, and are bounded by these.

/// Descriptors that are not for connections: listeners, logs, documents that are being sent.
const RESERVE: u32 = 128;

/// The bounds of a child.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capacity {
    threads: u32,
    factor: f64,
    descriptors: u32,
}

impl Capacity {
    /// `threads` is ThreadsPerChild, `factor` AsyncRequestWorkerFactor.
    pub(crate) fn new(threads: u32, factor: f64, descriptor_limit: u32) -> Self {
        // A child that may have few has half of them for connections.
        let reserve = RESERVE.saturating_add(threads).min(descriptor_limit / 2);
        Self { threads, factor, descriptors: (descriptor_limit - reserve).max(1) }
    }

    /// Most connections that hold something, while so many threads are idle.
    fn busy_max(self, idle_threads: u32) -> u32 {
        let more = f64::from(idle_threads) * self.factor;
        self.threads.saturating_add(more as u32)
    }

    /// How many more connections that hold something it takes.
    pub(crate) fn room(self, busy: u32, idle_threads: u32) -> u32 {
        self.busy_max(idle_threads).saturating_sub(busy)
    }

    /// Whether the child takes no more: `busy` connections hold something, of `all`.
    pub(crate) fn is_full(self, was_full: bool, busy: u32, all: u32, idle_threads: u32) -> bool {
        let max = self.busy_max(idle_threads);
        // Once full it waits until there is room for more than one, or it would change at each.
        let room = if was_full { (max / 8).max(1) } else { 0 };
        busy.saturating_add(room) >= max.max(room + 1) || self.must_shed(all)
    }

    /// Whether connections must go before others can come.
    pub(crate) fn must_shed(self, all: u32) -> bool {
        all >= self.descriptors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn httpds_formula_with_fractions() {
        let of = |factor, idle| Capacity::new(25, factor, 1 << 20).busy_max(idle);
        assert_eq!((of(2.0, 25), of(2.0, 0), of(1.5, 25), of(2.9, 10)), (75, 25, 62, 54));
    }

    #[test]
    fn full_with_hysteresis() {
        let capacity = Capacity::new(25, 2.0, 1 << 20);
        assert!(!capacity.is_full(false, 74, 74, 25));
        assert!(capacity.is_full(false, 75, 75, 25));
        assert!(capacity.is_full(true, 66, 66, 25), "not yet");
        assert!(!capacity.is_full(true, 65, 65, 25));
        assert!(capacity.is_full(false, 25, 25, 0), "no thread is idle");
    }

    #[test]
    fn the_smallest_child_is_not_full_for_ever() {
        let capacity = Capacity::new(1, 1.0, 1 << 20);
        assert!(capacity.is_full(false, 2, 2, 1));
        assert!(!capacity.is_full(true, 0, 0, 1));
        assert!(!capacity.is_full(true, 0, 0, 0));
    }

    #[test]
    fn idle_connections_are_bounded_by_descriptors() {
        let capacity = Capacity::new(25, 2.0, 1024);
        assert!(!capacity.is_full(false, 0, 800, 25));
        assert!(capacity.must_shed(1024 - 153));
        assert!(Capacity::new(25, 2.0, 64).must_shed(32));
    }
}
