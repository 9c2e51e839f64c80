//! The generations that still have children: whose configuration, MPM, scoreboard and logs those
//! have.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::control::Held;
use super::handover::GenerationEntry;
use crate::status::{Board, ChildView, Facts, LAYOUT, Report, Tally};
use crate::sys::image::Adoption;

/// What the parent knows of a generation.
#[derive(Debug)]
pub(super) struct Generation {
    /// Name of its MPM.
    pub(super) mpm: String,
    pub(super) slots: u32,
    pub(super) threads: u32,
    pub(super) board: Arc<Board>,
    /// Leads the next image to the scoreboard; not open in children.
    pub(super) board_fd: OwnedFd,
    /// The logs its children write, by their numbers.
    pub(super) logs: Vec<PathBuf>,
    /// Whether the first of them is the error log.
    pub(super) has_error_log: bool,
}

/// The requests whose clients hold a thread of a child.
pub(super) fn held(view: &ChildView) -> Vec<Held> {
    let busy = view.workers.iter().filter(|worker| worker.is_busy());
    let held = busy.filter(|worker| !worker.request.request.is_empty()).map(|worker| Held {
        client: worker.request.client.map_or_else(|| "-".to_owned(), |client| client.to_string()),
        request: worker.request.request.clone(),
        age_s: worker.age_s,
    });
    held.collect()
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
        let (board, fd) = if entry.layout == LAYOUT {
            (Board::adopt(fd.as_fd(), entry.slots, entry.threads)?, fd)
        } else {
            // Of another build: what those children report is not understood, and not missed for long.
            Board::new(entry.slots, entry.threads)?
        };
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
            layout: LAYOUT,
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

    /// What a child says it does.
    pub(super) fn view(&self, number: u32, slot: u32) -> Option<ChildView> {
        self.all.get(&number)?.board.view(number, slot)
    }

    /// Empties the records of a child; what it had served.
    pub(super) fn clear(&self, number: u32, slot: u32) -> Tally {
        self.all.get(&number).map(|generation| generation.board.clear(slot)).unwrap_or_default()
    }

    /// Tells every child what the parent knows.
    pub(super) fn tell(&self, facts: &Facts) {
        self.all.values().for_each(|generation| generation.board.tell(facts));
    }

    /// The scoreboards, by the generations' numbers.
    pub(super) fn boards(&self) -> impl Iterator<Item = (u32, Arc<Board>)> {
        self.all.iter().map(|(number, generation)| (*number, Arc::clone(&generation.board)))
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
