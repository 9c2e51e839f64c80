//! The memory of a loaded object, read without trusting any pointer into it.

use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr;

use super::refusal::PointerFault;

/// A type of which every sequence of bytes is a value.
///
/// # Safety
///
/// Implement it for integers, and for `repr(C)` structs of integers, raw pointers and `Option`s of
/// function pointers alone.
pub(super) unsafe trait Plain: Copy {}

// SAFETY: an integer.
unsafe impl Plain for usize {}
// SAFETY: integers.
unsafe impl<const N: usize> Plain for [u8; N] {}
// SAFETY: integers and `Ptr`, a raw pointer.
unsafe impl Plain for mpm_abi::Descriptor {}
// SAFETY: integers and raw pointers.
unsafe impl Plain for mpm_abi::Directive {}
// SAFETY: integers and `Option`s of function pointers; all zero is `None`.
unsafe impl Plain for mpm_abi::Ops {}

/// One segment of an object: addresses and what they may be used for.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) addresses: Range<usize>,
    pub(super) readable: bool,
    pub(super) executable: bool,
}

/// The segments of one loaded object.
///
/// Invariant *mapped*: the addresses of each readable segment can be read as long as the process
/// lives, and nothing writes to them while they are read.
#[derive(Debug)]
pub(super) struct Mapped {
    segments: Vec<Segment>,
}

impl Mapped {
    /// # Safety
    ///
    /// The segments satisfy the invariant *mapped*.
    pub(super) unsafe fn new(segments: Vec<Segment>) -> Self {
        Self { segments }
    }

    /// Copies a value out of the object. `address` must be aligned for it.
    pub(super) fn read<T: Plain>(&self, address: usize) -> Result<T, PointerFault> {
        self.read_start(address, size_of::<T>())
    }

    /// Copies the first `len` bytes of a value out of the object; the rest is zero.
    pub(super) fn read_start<T: Plain>(
        &self,
        address: usize,
        len: usize,
    ) -> Result<T, PointerFault> {
        let len = len.min(size_of::<T>());
        self.check_extent(address, len, align_of::<T>())?;
        let source = ptr::with_exposed_provenance::<u8>(address);
        let mut value = MaybeUninit::<T>::zeroed();
        // SAFETY: `check_extent` found the source in a readable segment (*mapped*); the target is a
        // local of at least `len` bytes, so it is valid and no part of the object.
        unsafe { ptr::copy_nonoverlapping(source, value.as_mut_ptr().cast::<u8>(), len) };
        // SAFETY: all bytes are set, to zero or to a copy, and any bytes are a `Plain` value.
        Ok(unsafe { value.assume_init() })
    }

    /// Copies a NUL-terminated text of at most `max` bytes out of the object.
    pub(super) fn read_text(&self, address: usize, max: usize) -> Result<String, PointerFault> {
        let mut bytes = Vec::new();
        loop {
            let at = address.checked_add(bytes.len()).ok_or(PointerFault::Outside(address))?;
            match self.read::<[u8; 1]>(at) {
                Ok([0]) => break,
                Ok(_) if bytes.len() == max => return Err(PointerFault::Endless(max)),
                Ok(byte) => bytes.extend(byte),
                Err(PointerFault::Outside(_)) => return Err(PointerFault::Outside(address)),
                Err(fault) => return Err(fault),
            }
        }
        let text = String::from_utf8(bytes).map_err(|_| PointerFault::NotUtf8)?;
        if text.chars().any(char::is_control) {
            return Err(PointerFault::Control);
        }
        Ok(text)
    }

    /// Checks that `len` bytes at `address` lie in one readable segment, aligned to `align`.
    pub(super) fn check_extent(
        &self,
        address: usize,
        len: usize,
        align: usize,
    ) -> Result<(), PointerFault> {
        if address == 0 {
            return Err(PointerFault::Null);
        }
        if !address.is_multiple_of(align) {
            return Err(PointerFault::Misaligned(address));
        }
        let end = address.checked_add(len).ok_or(PointerFault::Outside(address))?;
        let holds = |segment: &Segment| {
            segment.readable && address >= segment.addresses.start && end <= segment.addresses.end
        };
        if self.segments.iter().any(holds) { Ok(()) } else { Err(PointerFault::Outside(address)) }
    }

    /// True if code of the object stands at `address`.
    pub(super) fn is_code(&self, address: usize) -> bool {
        let holds = |segment: &Segment| segment.executable && segment.addresses.contains(&address);
        self.segments.iter().any(holds)
    }

    /// Words of the test program as if they were an object, those in `code` its code.
    #[cfg(test)]
    pub(super) fn of_words(words: &'static [u64], code: Range<usize>) -> Self {
        let bytes = words.as_ptr_range();
        let addresses = bytes.start.expose_provenance()..bytes.end.addr();
        let code = Segment {
            addresses: addresses.start + code.start..addresses.start + code.end,
            readable: false,
            executable: true,
        };
        let data = Segment { addresses, readable: true, executable: false };
        // SAFETY: the words live as long as the process and are never written (*mapped*).
        unsafe { Self::new(vec![data, code]) }
    }
}
