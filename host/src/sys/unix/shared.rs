//! Memory shared with children: numbers, no pointers, one writer per word.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap};

/// Words that parent and children see alike. Lives as long as the process: children have it mapped
/// across fork and nobody unmaps it.
#[derive(Debug)]
pub struct SharedWords {
    start: NonNull<AtomicU64>,
    len: usize,
}

// SAFETY: only atomics inside, mapped for good.
unsafe impl Send for SharedWords {}
// SAFETY: as above.
unsafe impl Sync for SharedWords {}

impl SharedWords {
    /// `len` words, all zero, and the descriptor of the memory. It is sealed: no process can shrink
    /// it under another's feet.
    ///
    /// # Errors
    /// Out of memory or descriptors.
    pub fn new(len: usize) -> io::Result<(Self, OwnedFd)> {
        let bytes = bytes(len);
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let memory = memfd_create(c"gearbox-scoreboard", flags)?;
        nix::unistd::ftruncate(&memory, i64::try_from(bytes).unwrap_or(i64::MAX))?;
        fcntl(&memory, FcntlArg::F_ADD_SEALS(seals()))?;
        Ok((Self::map(memory.as_fd(), len)?, memory))
    }

    /// The words of memory that another image made.
    ///
    /// # Errors
    /// It is not sealed, or not that long.
    pub fn adopt(memory: BorrowedFd<'_>, len: usize) -> io::Result<Self> {
        let sealed = SealFlag::from_bits_truncate(fcntl(memory, FcntlArg::F_GET_SEALS)?);
        let size = nix::sys::stat::fstat(memory)?.st_size;
        if !sealed.contains(seals()) || u64::try_from(size).ok() != Some(bytes(len) as u64) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Self::map(memory, len)
    }

    fn map(memory: BorrowedFd<'_>, len: usize) -> io::Result<Self> {
        let size = NonZeroUsize::new(bytes(len)).ok_or(io::ErrorKind::InvalidInput)?;
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches nobody's memory.
        let start = unsafe { mmap(None, size, access, MapFlags::MAP_SHARED, memory, 0) }?;
        Ok(Self { start: start.cast(), len })
    }

    /// The words.
    pub fn words(&self) -> &'static [AtomicU64] {
        // SAFETY: `len` words are mapped, readable and writable, page-aligned, and never unmapped;
        // all bit patterns are valid, and other processes only write them atomically or at worst
        // tear nothing a reader relies on.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

fn bytes(len: usize) -> usize {
    len.max(1) * size_of::<AtomicU64>()
}

fn seals() -> SealFlag {
    SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL
}
