//! The one symbol a plug-in exports.

use core::ffi::c_char;

use crate::directive::Directive;
use crate::mpm::Ops;
use crate::version::{ABI_MAJOR, ABI_MINOR, ENDIAN_BIG, ENDIAN_LITTLE, HEADER_SIZE, MAGIC};

#[cfg(feature = "layout-check")]
use abi_stable::StableAbi;

/// A pointer that takes eight bytes on every platform.
#[repr(C)]
#[cfg_attr(target_pointer_width = "32", repr(align(8)))]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "layout-check", derive(StableAbi))]
pub struct Ptr<T> {
    /// The pointer itself.
    pub ptr: *const T,
}

impl<T> Ptr<T> {
    /// Wraps a pointer.
    pub const fn new(ptr: *const T) -> Self {
        Self { ptr }
    }
}

/// What a plug-in is: 128 bytes, the same in every version of the contract.
///
/// Exported as `const` data under the name in the `LoadModule` line, for example
/// `mpm_event_module`. The host only reads it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "layout-check", derive(StableAbi))]
pub struct Descriptor {
    /// [`MAGIC`].
    pub magic: u64,
    /// [`HEADER_SIZE`].
    pub header_size: u32,
    /// Major version of the contract the plug-in was compiled for.
    pub abi_major: u16,
    /// Minor version of the contract the plug-in was compiled for.
    pub abi_minor: u16,
    /// Lowest minor version of a host it works with.
    pub min_host_minor: u16,
    /// Width of a pointer in bits.
    pub ptr_bits: u8,
    /// [`ENDIAN_LITTLE`] or [`ENDIAN_BIG`].
    pub endian: u8,
    /// Zero.
    pub reserved: u32,
    /// `FLAG_…`: may be ignored by a host that does not know them.
    pub flags_compat: u64,
    /// `INCOMPAT_…`: an unknown bit refuses the plug-in.
    pub flags_incompat: u64,
    /// `CAP_…` the host must have.
    pub required_caps: u64,
    /// `CAP_…` the plug-in uses when they are there.
    pub optional_caps: u64,
    /// NUL-terminated name without `_module` (`mpm_event`).
    pub name: Ptr<c_char>,
    /// NUL-terminated name of who made it.
    pub vendor: Ptr<c_char>,
    /// NUL-terminated version of the plug-in.
    pub version: Ptr<c_char>,
    /// NUL-terminated SPDX expression.
    pub license: Ptr<c_char>,
    /// NUL-terminated id of the build, may be empty; shown to the administrator.
    pub build_id: Ptr<c_char>,
    /// Fingerprint of the layouts it was compiled with ([`LAYOUT_ID`](crate::layout::LAYOUT_ID)).
    pub layout_id: u64,
    /// Function table.
    pub ops: Ptr<Ops>,
    /// First directive.
    pub directives: Ptr<Directive>,
    /// Number of directives.
    pub directive_count: u32,
    /// Bytes from one directive to the next, as compiled.
    pub directive_stride: u32,
}

impl Descriptor {
    /// A descriptor with this crate's version numbers and nothing else filled in.
    pub const fn empty() -> Self {
        Self {
            magic: MAGIC,
            header_size: HEADER_SIZE,
            abi_major: ABI_MAJOR,
            abi_minor: ABI_MINOR,
            min_host_minor: ABI_MINOR,
            ptr_bits: usize::BITS as u8,
            endian: if cfg!(target_endian = "little") { ENDIAN_LITTLE } else { ENDIAN_BIG },
            reserved: 0,
            flags_compat: 0,
            flags_incompat: crate::version::INCOMPAT_DRAFT,
            required_caps: 0,
            optional_caps: 0,
            name: Ptr::new(core::ptr::null()),
            vendor: Ptr::new(core::ptr::null()),
            version: Ptr::new(core::ptr::null()),
            license: Ptr::new(core::ptr::null()),
            build_id: Ptr::new(core::ptr::null()),
            layout_id: crate::layout::LAYOUT_ID,
            ops: Ptr::new(core::ptr::null()),
            directives: Ptr::new(core::ptr::null()),
            directive_count: 0,
            directive_stride: size_of::<Directive>() as u32,
        }
    }
}

const _: () = assert!(size_of::<Descriptor>() == HEADER_SIZE as usize);

#[expect(unsafe_code, reason = "raw pointers to constants, shared between threads")]
// SAFETY: a descriptor is constant data; its pointers lead to constant data of the same plug-in.
unsafe impl Sync for Descriptor {}
