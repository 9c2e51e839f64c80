//! The descriptor of an MPM and the directives in it.

use std::ffi::CStr;

use mpm_abi::directive::{ARG_FLOAT, ARG_INT, DIRECTIVE_ALIAS, DIRECTIVE_DEPRECATED};
use mpm_abi::module::Ptr;
use mpm_abi::{Descriptor, Directive, Ops};

/// Names and abilities of an MPM, for [`descriptor`].
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Name without `_module`.
    pub name: &'static CStr,
    /// Who made it.
    pub vendor: &'static CStr,
    /// Its version.
    pub version: &'static CStr,
    /// SPDX expression.
    pub license: &'static CStr,
    /// Id of the build, may be empty.
    pub build_id: &'static CStr,
    /// `FLAG_…`.
    pub flags: u64,
    /// `CAP_…` the host must have.
    pub requires: u64,
}

/// A descriptor for this version of the contract; [`declare_mpm!`](crate::declare_mpm) exports it.
pub const fn descriptor(
    about: About,
    ops: &'static Ops,
    directives: &'static [Directive],
) -> Descriptor {
    let mut descriptor = Descriptor::empty();
    descriptor.flags_compat = about.flags;
    descriptor.required_caps = about.requires;
    descriptor.name = Ptr::new(about.name.as_ptr());
    descriptor.vendor = Ptr::new(about.vendor.as_ptr());
    descriptor.version = Ptr::new(about.version.as_ptr());
    descriptor.license = Ptr::new(about.license.as_ptr());
    descriptor.build_id = Ptr::new(about.build_id.as_ptr());
    descriptor.ops = Ptr::new(ops);
    descriptor.directives = Ptr::new(directives.as_ptr());
    descriptor.directive_count = directives.len() as u32;
    descriptor
}

/// A directive with an integer argument. `default` is the text of its default for the reference.
///
/// No range is given to the host: the classic MPM directives clamp and warn instead of refusing.
pub const fn int(
    name: &'static CStr,
    help: &'static CStr,
    default: &'static CStr,
    id: u32,
) -> Directive {
    Directive {
        name: name.as_ptr(),
        help: help.as_ptr(),
        default_text: default.as_ptr(),
        alias_of: std::ptr::null(),
        enum_names: std::ptr::null(),
        min: i64::MIN,
        max: i64::MAX,
        enum_count: 0,
        kind: ARG_INT,
        min_args: 1,
        max_args: 1,
        flags: 0,
        id,
    }
}

/// A directive with a fraction as its argument; also without a range.
pub const fn float(
    name: &'static CStr,
    help: &'static CStr,
    default: &'static CStr,
    id: u32,
) -> Directive {
    let mut directive = int(name, help, default, id);
    directive.kind = ARG_FLOAT;
    directive
}

/// An old name of `directive`, accepted with a notice and delivered under the same id.
pub const fn old_name(directive: Directive, name: &'static CStr) -> Directive {
    Directive {
        alias_of: directive.name,
        name: name.as_ptr(),
        flags: directive.flags | DIRECTIVE_ALIAS | DIRECTIVE_DEPRECATED,
        ..directive
    }
}

/// Exports an MPM: the one symbol the host looks for (and, with the feature `layout-check`, the
/// layout record beside it). Invoke it in the `cdylib` crate itself.
#[macro_export]
macro_rules! declare_mpm {
    (
        symbol: $symbol:ident,
        layout_symbol: $layout_symbol:ident,
        name: $name:expr,
        vendor: $vendor:expr,
        mpm: $mpm:ty,
        flags: $flags:expr,
        requires: $requires:expr,
        directives: $directives:expr $(,)?
    ) => {
        #[doc(hidden)]
        #[allow(non_upper_case_globals, unsafe_code, reason = "an exported symbol of the contract")]
        mod mpm_export {
            use super::*;

            static OPS: $crate::abi::Ops = $crate::barrier::ops::<$mpm>();
            const MPM_DIRECTIVES: &[$crate::abi::Directive] = $directives;
            const ABOUT: $crate::declare::About = $crate::declare::About {
                name: $name,
                vendor: $vendor,
                version: $crate::declare::c_str(concat!(env!("CARGO_PKG_VERSION"), "\0")),
                license: $crate::declare::c_str(concat!(env!("CARGO_PKG_LICENSE"), "\0")),
                build_id: c"",
                flags: $flags,
                requires: $requires,
            };

            #[unsafe(no_mangle)]
            pub static $symbol: $crate::abi::Descriptor =
                $crate::declare::descriptor(ABOUT, &OPS, MPM_DIRECTIVES);

            $crate::export_layout!($layout_symbol);
        }
    };
}

/// Exports the layout record when the feature `layout-check` of this crate is on.
#[cfg(feature = "layout-check")]
#[doc(hidden)]
#[macro_export]
macro_rules! export_layout {
    ($symbol:ident) => {
        #[unsafe(no_mangle)]
        pub static $symbol: $crate::abi::layout_check::LayoutRecord =
            $crate::abi::layout_check::LayoutRecord::THIS;
    };
}

/// Exports nothing: the feature `layout-check` of this crate is off.
#[cfg(not(feature = "layout-check"))]
#[doc(hidden)]
#[macro_export]
macro_rules! export_layout {
    ($symbol:ident) => {};
}

/// A C string from a literal that ends in NUL; an inner NUL ends it early.
#[doc(hidden)]
pub const fn c_str(text: &'static str) -> &'static CStr {
    match CStr::from_bytes_until_nul(text.as_bytes()) {
        Ok(text) => text,
        Err(_) => c"",
    }
}
