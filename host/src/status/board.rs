//! The scoreboard: what children report of themselves, in shared memory.
//!
//! For reporting only. The parent decides nothing by it that could hurt: it clamps every number to
//! what can be true, and process ids live in its private table (httpd trusted shared memory:
//! CVE-2019-0211).

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::sys::shared::SharedWords;

/// What a child says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// Threads waiting for work.
    pub(super) idle: u32,
    /// Threads at work.
    pub(super) busy: u32,
    /// Open connections.
    pub(super) connections: u32,
    /// Accepts connections.
    pub(super) accepting: bool,
}

/// Words of a child's record: idle, busy, connections, accepting. Half a cache line each would do;
/// a whole one keeps children from slowing each other down.
const RECORD: usize = 16;

/// One record per slot; its child is the only writer.
#[derive(Debug)]
pub(super) struct Scoreboard {
    memory: SharedWords,
    threads: u32,
}

impl Scoreboard {
    /// Room for `slots` children of `threads` threads, and the descriptor that leads the next image
    /// to it.
    pub(super) fn new(slots: u32, threads: u32) -> io::Result<(Self, OwnedFd)> {
        let (memory, fd) = SharedWords::new(slots as usize * RECORD)?;
        Ok((Self { memory, threads }, fd))
    }

    /// The scoreboard of an earlier image's children.
    pub(super) fn adopt(fd: BorrowedFd<'_>, slots: u32, threads: u32) -> io::Result<Self> {
        Ok(Self { memory: SharedWords::adopt(fd, slots as usize * RECORD)?, threads })
    }

    fn record(&self, slot: u32) -> Option<&[AtomicU32]> {
        let start = slot as usize * RECORD;
        self.memory.words().get(start..start + RECORD)
    }

    /// Child: writes its record.
    pub(super) fn publish(&self, slot: u32, report: Report) {
        let values = [report.idle, report.busy, report.connections, u32::from(report.accepting)];
        for (word, value) in self.record(slot).into_iter().flatten().zip(values) {
            word.store(value, Ordering::Relaxed);
        }
    }

    /// Parent: reads a child's record, clamped.
    pub(super) fn read(&self, slot: u32) -> Report {
        let mut words = self.record(slot).into_iter().flatten();
        let mut next = || words.next().map_or(0, |word| word.load(Ordering::Relaxed));
        Report {
            idle: next().min(self.threads),
            busy: next().min(self.threads),
            connections: next().min(CONNECTIONS_MAX),
            accepting: next() == 1,
        }
    }
}

/// More connections than any process can have descriptors for (Linux's `fs.nr_open` at its largest).
const CONNECTIONS_MAX: u32 = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn each_child_has_its_record() {
        let (board, fd) = Scoreboard::new(2, 25).unwrap();
        let report = Report { idle: 24, busy: 1, connections: 9, accepting: true };
        board.publish(1, report);
        assert_eq!(board.read(0), Report::default());
        assert_eq!(board.read(1), report);
        board.publish(7, report);
        assert_eq!(board.read(7), Report::default());
        let again = Scoreboard::adopt(fd.as_fd(), 2, 25).unwrap();
        assert_eq!(again.read(1), report);
        assert!(Scoreboard::adopt(fd.as_fd(), 3, 25).is_err(), "another size");
    }

    #[test]
    fn numbers_are_clamped() {
        let (board, _) = Scoreboard::new(1, 25).unwrap();
        board.publish(
            0,
            Report { idle: 99, busy: u32::MAX, connections: u32::MAX, accepting: true },
        );
        let wanted = Report { idle: 25, busy: 25, connections: CONNECTIONS_MAX, accepting: true };
        assert_eq!(board.read(0), wanted);
    }
}
