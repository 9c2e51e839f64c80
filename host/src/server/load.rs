//! How the parent hears in time that its children are busy or idle, without looking when nothing
//! happens and without being woken at every request.
//!
//! A child whose number of idle threads changes rings the [`Bell`]. The first ring after a silence
//! is a message and wakes the parent, which adds up what all children report. Then the bell is
//! silent for a tenth of a second: who rings meanwhile leaves a mark, which the parent finds when it
//! looks for it. It looks again and again until nobody has rung; then the next ring is a message.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::supervisor::{Happening, Supervisor};
use crate::conn::NEVER;
use crate::sys::clock;
use crate::sys::shared::SharedWords;

/// Between two looks at the children's numbers.
const SILENCE_NS: u64 = 100_000_000;

/// A ring is a message. (New memory is zero.)
const AWAKE: u64 = 0;
/// A ring only leaves a mark.
const SILENT: u64 = 1;
/// Somebody has rung.
const RUNG: u64 = 2;

/// Shared by the parent and this generation's children.
#[derive(Clone, Debug)]
pub(super) struct Bell(Arc<SharedWords>);

impl Bell {
    pub(super) fn new() -> io::Result<Self> {
        // The mapping goes to children across the fork; nobody else needs to find it.
        let (memory, _) = SharedWords::new(1)?;
        Ok(Self(Arc::new(memory)))
    }

    fn word(&self) -> Option<&AtomicU64> {
        self.0.words().first()
    }

    /// Child, after it has published its numbers: whether the parent must be sent a message.
    pub(super) fn ring(&self) -> bool {
        // A swap each time, though it may change nothing: it orders what was published before it.
        self.word().is_some_and(|word| word.swap(RUNG, Ordering::AcqRel) == AWAKE)
    }

    /// Parent: rings only leave marks from now on.
    fn silence(&self) {
        if let Some(word) = self.word() {
            word.swap(SILENT, Ordering::AcqRel);
        }
    }

    /// Parent: rings are messages from now on, unless somebody has rung.
    fn awaken(&self) -> bool {
        self.word().is_none_or(|word| {
            word.compare_exchange(SILENT, AWAKE, Ordering::AcqRel, Ordering::Acquire).is_ok()
        })
    }
}

/// What the MPM is told of: idle threads of all accepting children together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    /// Fewer than this.
    pub(super) low: u32,
    /// More than this.
    pub(super) high: u32,
}

/// The parent's side.
#[derive(Debug)]
pub(super) struct Watch {
    bell: Option<Bell>,
    marks: Marks,
    /// How the total last stood to the marks.
    stand: std::cmp::Ordering,
    /// When to look next; the bell is silent until then.
    pub(super) again_ns: u64,
}

impl Default for Watch {
    /// Of a parent without children.
    fn default() -> Self {
        let marks = Marks { low: 0, high: u32::MAX };
        Self { bell: None, marks, stand: std::cmp::Ordering::Equal, again_ns: NEVER }
    }
}

impl Watch {
    pub(super) fn new(bell: Bell, marks: Marks) -> Self {
        Self { bell: Some(bell), marks, ..Self::default() }
    }

    fn begin_silence(&mut self, now_ns: u64) {
        if let Some(bell) = &self.bell {
            bell.silence();
            self.again_ns = now_ns.saturating_add(SILENCE_NS);
        }
    }

    /// Whether the MPM must hear of this total.
    fn judge(&mut self, idle: u32) -> bool {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let stand = match idle {
            idle if idle < self.marks.low => Less,
            idle if idle > self.marks.high => Greater,
            _ => Equal,
        };
        let before = std::mem::replace(&mut self.stand, stand);
        stand != Equal || before != Equal
    }
}

impl Supervisor {
    /// The bell has rung, or children came or went: whoever rings next may have died in between, and
    /// then nobody else would.
    pub(super) fn heard_bell(&mut self) {
        if self.watch_load().again_ns == NEVER {
            self.watch_load().begin_silence(clock::now_ns());
            self.look_at_load();
        }
    }

    /// The silence is over.
    pub(super) fn end_silence(&mut self, now_ns: u64) {
        let watch = self.watch_load();
        watch.again_ns = NEVER;
        if watch.bell.as_ref().is_some_and(|bell| !bell.awaken()) {
            watch.begin_silence(now_ns);
            self.look_at_load();
        }
    }

    fn look_at_load(&mut self) {
        let children = (0..self.slots()).filter_map(|slot| Some((slot, self.state(slot)?)));
        let (mut idle, mut one) = (0_u32, None);
        for (slot, state) in children {
            if state.ready && !state.draining && state.report.accepting {
                idle = idle.saturating_add(state.report.idle);
            }
            one = Some(Happening::Load { slot, pid: state.pid });
        }
        if self.watch_load().judge(idle)
            && let Some(load) = one
        {
            self.tell(load);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_a_silence_and_no_ring_is_lost() {
        let bell = Bell::new().unwrap();
        let child = bell.clone();
        assert!(child.ring(), "the first is a message");
        assert!(!child.ring());
        bell.silence();
        assert!(!child.ring(), "only a mark");
        assert!(!bell.awaken(), "which is found");
        bell.silence();
        assert!(bell.awaken());
        assert!(child.ring());
    }

    #[test]
    fn totals_within_the_marks_are_told_once() {
        let mut watch = Watch { marks: Marks { low: 5, high: 10 }, ..Watch::default() };
        assert!(!watch.judge(5));
        assert!(watch.judge(4), "fell below");
        assert!(watch.judge(3), "is below and moves");
        assert!(watch.judge(7), "is well again");
        assert!(!watch.judge(10));
        assert!(watch.judge(11));
        assert!(watch.judge(10));
        assert!(!watch.judge(9));
    }
}
