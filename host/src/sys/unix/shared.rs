//! Memory shared with children: numbers, no pointers, one writer per word.

use std::io;
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU32;

use nix::fcntl::{FcntlArg, SealFlag};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap};

/// Words that parent and children see alike. Lives as long as the process: children have it mapped
/// across fork and nobody unmaps it.
#[derive(Debug)]
pub struct SharedWords {
    start: NonNull<AtomicU32>,
    len: usize,
}

// SAFETY: only atomics inside, mapped for good.
unsafe impl Send for SharedWords {}
// SAFETY: as above.
unsafe impl Sync for SharedWords {}

impl SharedWords {
    /// `len` words, all zero. The memory is sealed: no process can shrink it under another's feet.
    ///
    /// # Errors
    /// Out of memory or descriptors.
    pub fn new(len: usize) -> io::Result<Self> {
        let bytes = len.max(1) * size_of::<AtomicU32>();
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let memory = memfd_create(c"gearbox-scoreboard", flags)?;
        nix::unistd::ftruncate(&memory, i64::try_from(bytes).unwrap_or(i64::MAX))?;
        let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
        nix::fcntl::fcntl(&memory, FcntlArg::F_ADD_SEALS(seals))?;
        let size = NonZeroUsize::new(bytes).ok_or(io::ErrorKind::InvalidInput)?;
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches nobody's memory.
        let start = unsafe { mmap(None, size, access, MapFlags::MAP_SHARED, &memory, 0) }?;
        Ok(Self { start: start.cast(), len })
    }

    /// The words.
    pub fn words(&self) -> &[AtomicU32] {
        // SAFETY: `len` words are mapped, readable and writable, page-aligned, and never unmapped;
        // all bit patterns are valid, and other processes only write them atomically or at worst
        // tear nothing a reader relies on.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}
