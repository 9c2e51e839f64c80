//! The generations that still have children: whose configuration, MPM, scoreboard and logs those
//! have.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::handover::GenerationEntry;
use super::scoreboard::{Report, Scoreboard};
use crate::sys::image::Adoption;

/// What the parent knows of a generation.
#[derive(Debug)]
pub(super) struct Generation {
    /// Name of its MPM.
    pub(super) mpm: String,
    pub(super) slots: u32,
    pub(super) threads: u32,
    pub(super) board: Arc<Scoreboard>,
    /// Leads the next image to the scoreboard; not open in children.
    pub(super) board_fd: OwnedFd,
    /// The logs its children write, by their numbers.
    pub(super) logs: Vec<PathBuf>,
    /// Whether the first of them is the error log.
    pub(super) has_error_log: bool,
}

/// By number.
#[derive(Debug, Default)]
pub(super) struct Generations {
    all: BTreeMap<u32, Generation>,
}

impl Generations {
    pub(super) fn add(&mut self, number: u32, generation: Generation) {
        self.all.insert(number, generation);
    }

    /// A generation that an earlier image began.
    ///
    /// # Errors
    /// Its scoreboard was not handed over.
    pub(super) fn adopt(
        &mut self,
        entry: &GenerationEntry,
        adoption: &mut Adoption,
    ) -> io::Result<()> {
        let fd = adoption.take(entry.board.unwrap_or(-1))?;
        let board = Scoreboard::adopt(fd.as_fd(), entry.slots, entry.threads)?;
        let generation = Generation {
            mpm: entry.mpm.clone(),
            slots: entry.slots,
            threads: entry.threads,
            board: Arc::new(board),
            board_fd: fd,
            logs: entry.logs.clone(),
            has_error_log: entry.has_error_log,
        };
        self.add(entry.number, generation);
        Ok(())
    }

    /// The entries for the next image, whose descriptors `give` notes.
    pub(super) fn entries<'a>(
        &'a self,
        give: &mut impl FnMut(BorrowedFd<'a>) -> RawFd,
    ) -> Vec<GenerationEntry> {
        let mut entry = |(number, generation): (&u32, &'a Generation)| GenerationEntry {
            number: *number,
            mpm: generation.mpm.clone(),
            slots: generation.slots,
            threads: generation.threads,
            board: Some(give(generation.board_fd.as_fd())),
            logs: generation.logs.clone(),
            has_error_log: generation.has_error_log,
        };
        self.all.iter().map(&mut entry).collect()
    }

    /// Name of a generation's MPM.
    pub(super) fn mpm(&self, number: u32) -> &str {
        self.all.get(&number).map_or("", |generation| generation.mpm.as_str())
    }

    /// What a child says of itself, clamped to what can be true.
    pub(super) fn report(&self, number: u32, slot: u32) -> Report {
        self.all.get(&number).map(|generation| generation.board.read(slot)).unwrap_or_default()
    }

    /// Empties a slot's record.
    pub(super) fn clear(&self, number: u32, slot: u32) {
        if let Some(generation) = self.all.get(&number) {
            generation.board.publish(slot, Report::default());
        }
    }

    /// A generation's logs, by their numbers.
    pub(super) fn logs(&self, number: u32) -> impl Iterator<Item = &Path> {
        self.all.get(&number).into_iter().flat_map(|generation| &generation.logs).map(AsRef::as_ref)
    }

    /// The numbers.
    pub(super) fn numbers(&self) -> Vec<u32> {
        self.all.keys().copied().collect()
    }

    /// Forgets generations that have no children any more.
    pub(super) fn retain(&mut self, has_children: impl Fn(u32) -> bool) {
        self.all.retain(|number, _| has_children(*number));
    }
}
