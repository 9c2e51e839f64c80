//! Stretches of files as byte slices whose bytes are never read.
//!
//! hyper carries a body as byte slices. For `sendfile` the slice only has to say *which* bytes are
//! meant, so a stretch of a file gets addresses in a reserved range; the transport recognises such
//! an address, finds file and offset again and calls `sendfile`. The range is mapped read-only and
//! never written: whoever read it by mistake would see zeros, not crash, and a truncated file cannot
//! raise SIGBUS because no file is mapped.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};

/// Longest stretch of a file in one slice, in bytes.
pub const WINDOW_LEN: usize = 1 << 20;
/// Stretches in use at a time in a process. When all are, files are read instead.
const WINDOWS: usize = 1024;

struct Range {
    base: usize,
    table: Mutex<Table>,
}

struct Table {
    free: Vec<usize>,
    used: Vec<Option<Stretch>>,
}

#[derive(Clone)]
struct Stretch {
    file: Arc<OwnedFd>,
    offset: u64,
}

/// Reserved when a file is first sent; `None` inside if the address space cannot be had.
static RANGE: OnceLock<Option<Range>> = OnceLock::new();

/// The range, if a window was ever made in this process.
fn range_in_use() -> Option<&'static Range> {
    RANGE.get()?.as_ref()
}

fn reserve() -> Option<Range> {
    let len = std::num::NonZeroUsize::new(WINDOWS * WINDOW_LEN)?;
    let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE;
    // SAFETY: a new private mapping at an address of the kernel's choice touches nobody's memory.
    let base = unsafe { mmap_anonymous(None, len, ProtFlags::PROT_READ, flags) }.ok()?;
    let table = Table { free: (0..WINDOWS).rev().collect(), used: vec![None; WINDOWS] };
    Some(Range { base: base.as_ptr() as usize, table: Mutex::new(table) })
}

impl Range {
    fn table(&self) -> std::sync::MutexGuard<'_, Table> {
        // A table is consistent between any two statements, so poison does not matter.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stretch of a file, at most [`WINDOW_LEN`] bytes, as a slice.
pub struct FileWindow {
    index: usize,
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the memory is read-only and lives as long as the process.
unsafe impl Send for FileWindow {}
// SAFETY: as above.
unsafe impl Sync for FileWindow {}

impl FileWindow {
    /// Gives `len` bytes of `file` from `offset` on an address; `None` if all are in use.
    pub fn new(file: Arc<OwnedFd>, offset: u64, len: usize) -> Option<Self> {
        let range = RANGE.get_or_init(reserve).as_ref()?;
        let mut table = range.table();
        let index = table.free.pop()?;
        *table.used.get_mut(index)? = Some(Stretch { file, offset });
        let start = NonNull::new((range.base + index * WINDOW_LEN) as *mut u8)?;
        Some(Self { index, start, len: len.min(WINDOW_LEN) })
    }
}

impl AsRef<[u8]> for FileWindow {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: `len` bytes from `start` lie in the mapping (*index* < WINDOWS, *len* ≤
        // WINDOW_LEN), which is readable, never written and never unmapped.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl Drop for FileWindow {
    fn drop(&mut self) {
        if let Some(range) = range_in_use() {
            let mut table = range.table();
            if let Some(stretch) = table.used.get_mut(self.index) {
                *stretch = None;
            }
            table.free.push(self.index);
        }
    }
}

impl fmt::Debug for FileWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileWindow").field("index", &self.index).field("len", &self.len).finish()
    }
}

/// What a slice stands for.
#[derive(Debug)]
pub struct FileRange {
    file: Arc<OwnedFd>,
    /// First byte in the file.
    pub offset: u64,
}

impl FileRange {
    /// The file.
    pub fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Whether a slice is (part of) a [`FileWindow`].
pub fn is_window(slice: &[u8]) -> bool {
    let Some(range) = range_in_use() else {
        return false;
    };
    (slice.as_ptr() as usize).wrapping_sub(range.base) < WINDOWS * WINDOW_LEN
}

/// File and offset a slice stands for; `None` for ordinary memory.
pub fn resolve(slice: &[u8]) -> Option<FileRange> {
    let range = range_in_use()?;
    let position = (slice.as_ptr() as usize).checked_sub(range.base)?;
    let stretch = range.table().used.get(position / WINDOW_LEN)?.clone()?;
    let offset = stretch.offset + (position % WINDOW_LEN) as u64;
    Some(FileRange { file: stretch.file, offset })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Arc<OwnedFd> {
        Arc::new(std::fs::File::open("/proc/self/exe").unwrap().into())
    }

    #[test]
    fn a_part_of_a_window_resolves_to_its_offset() {
        let window = FileWindow::new(file(), 1000, 500).unwrap();
        let slice = window.as_ref();
        assert_eq!(slice.len(), 500);
        assert!(is_window(slice));
        assert_eq!(resolve(&slice[123..]).unwrap().offset, 1123);
        assert!(slice.iter().all(|b| *b == 0), "reading by mistake gives zeros");
    }

    #[test]
    fn ordinary_memory_does_not_resolve() {
        let window = FileWindow::new(file(), 0, 1);
        assert!(!is_window(b"static"));
        assert!(!is_window(&[]));
        assert!(resolve(&[0; 10]).is_none());
        drop(window);
    }

    #[test]
    fn windows_run_out_and_come_back() {
        let all: Vec<_> = std::iter::from_fn(|| FileWindow::new(file(), 0, 1)).collect();
        assert!(all.len() > WINDOWS / 2, "other tests may hold a few");
        let last = all.last().unwrap().as_ref().as_ptr() as usize;
        drop(all);
        assert!(FileWindow::new(file(), 0, 1).is_some());
        // A window that is gone resolves to nothing; the address itself stays readable.
        assert_ne!(last, 0);
    }
}
