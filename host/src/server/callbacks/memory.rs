//! Reading and writing what the MPM points to, as far as it says it reaches.

use std::ffi::c_char;

use mpm_abi::{E_INVAL, OK};

/// The size an out-struct of the MPM's begins with; `None` if there is none that could be written.
///
/// # Safety
/// `out` is NULL or begins with its size in bytes.
pub(super) unsafe fn room<T>(out: *const T) -> Option<usize> {
    if out.is_null() || !out.is_aligned() {
        return None;
    }
    // SAFETY: not null; every struct that crosses begins with its size.
    let size = unsafe { out.cast::<u32>().read() } as usize;
    (size >= size_of::<u32>()).then_some(size)
}

/// Writes `value`, of which only `struct_size` bytes have room in the caller's `out`.
///
/// # Safety
/// `out` is NULL or begins with its size in bytes, all of which are writable.
pub(super) unsafe fn answer<T: Copy>(out: *mut T, value: T) -> i32 {
    // SAFETY: the caller's promise.
    let Some(size) = (unsafe { room(out) }) else { return E_INVAL };
    let len = size.min(size_of::<T>());
    let (header, value) = (size_of::<u32>(), std::ptr::from_ref(&value).cast::<u8>());
    let from = value.wrapping_add(header);
    let to = out.cast::<u8>().wrapping_add(header);
    // SAFETY: both sides have `len` bytes; the size itself stays the caller's.
    unsafe { std::ptr::copy_nonoverlapping(from, to, len - header) };
    OK
}

/// Copies an in-struct of the MPM's: what it is too short for is zero, what it has beyond must be.
///
/// # Safety
/// `from` is NULL or begins with its size in bytes, all of which are readable; all-zero bytes are a
/// valid `T`.
pub(super) unsafe fn copied<T: Copy>(from: *const T) -> Option<T> {
    /// Longer than any struct that crosses will ever be.
    const LEN_MAX: usize = 4096;
    // SAFETY: the caller's promise.
    let size = unsafe { room(from) }.filter(|size| *size <= LEN_MAX)?;
    // SAFETY: `size` bytes are readable.
    let bytes = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), size) };
    if bytes.iter().skip(size_of::<T>()).any(|byte| *byte != 0) {
        return None;
    }
    let mut copy = std::mem::MaybeUninit::<T>::zeroed();
    let len = size.min(size_of::<T>());
    // SAFETY: both sides have `len` bytes.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), copy.as_mut_ptr().cast::<u8>(), len) };
    // SAFETY: zero, then copied into; the caller promises that this is a valid `T`.
    Some(unsafe { copy.assume_init() })
}

/// The bytes of a pointer and a length, as text.
///
/// # Safety
/// `len` bytes are readable at `text`, or `len` is 0.
pub(super) unsafe fn text<'a>(text: *const c_char, len: usize) -> std::borrow::Cow<'a, str> {
    if text.is_null() || len == 0 {
        return "".into();
    }
    // SAFETY: the caller's promise.
    String::from_utf8_lossy(unsafe { std::slice::from_raw_parts(text.cast(), len) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use mpm_abi::PollOut;

    #[test]
    fn an_answer_keeps_to_the_callers_size() {
        let value = PollOut {
            struct_size: 0,
            status: 7,
            interest: 7,
            phase: 7,
            deadline_ns: 7,
            aux: std::ptr::null(),
            naux: 7,
            want_budget: 7,
        };
        for size in [4, 8, 12, 16, 24, size_of::<PollOut>()] {
            let mut out = PollOut {
                struct_size: size as u32,
                status: 1,
                interest: 1,
                phase: 1,
                deadline_ns: 1,
                aux: std::ptr::null(),
                naux: 1,
                want_budget: 1,
            };
            // SAFETY: an out-struct with its size.
            assert_eq!(unsafe { answer(&raw mut out, value) }, OK);
            assert_eq!(out.struct_size, size as u32);
            assert_eq!(out.status, if size >= 8 { 7 } else { 1 });
            assert_eq!(out.deadline_ns, if size >= 24 { 7 } else { 1 });
            assert_eq!(out.naux, if size > 32 { 7 } else { 1 });
        }
        // SAFETY: NULL is refused.
        assert_eq!(unsafe { answer(std::ptr::null_mut(), value) }, E_INVAL);
    }

    #[test]
    fn a_copy_has_a_zero_tail_and_wants_one() {
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq)]
        struct Short {
            struct_size: u32,
            value: u32,
        }
        #[repr(C)]
        struct Long {
            struct_size: u32,
            value: u32,
            newer: u64,
        }
        let copy = |size, newer| {
            let long = Long { struct_size: size, value: 7, newer };
            // SAFETY: an in-struct with its size.
            unsafe { copied((&raw const long).cast::<Short>()) }
        };
        let short = |struct_size, value| Some(Short { struct_size, value });
        assert_eq!(copy(4, 1), short(4, 0));
        assert_eq!(copy(8, 1), short(8, 7));
        assert_eq!(copy(16, 0), short(16, 7));
        assert_eq!(copy(16, 1), None, "a tail this host does not know");
        assert_eq!(copy(3, 0), None);
        assert_eq!(copy(1 << 20, 0), None);
    }
}
