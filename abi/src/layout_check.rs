//! abi_stable's view of the contract, compared by host and Rust plug-ins at load.
//!
//! A plug-in built with the feature `layout-check` exports, beside its descriptor, a
//! [`LayoutRecord`] under the descriptor's name followed by `__layout`. C plug-ins do not.

use abi_stable::StableAbi;
use abi_stable::library::AbiHeader;
use abi_stable::type_layout::TypeLayout;

use crate::module::Descriptor;

/// What follows the descriptor's symbol in the name of the layout symbol.
pub const LAYOUT_SUFFIX: &str = "__layout";

/// The layout symbol: which abi_stable made it, and the layout of [`Descriptor`] with everything it
/// leads to.
#[repr(C)]
#[derive(Debug)]
pub struct LayoutRecord {
    /// Look at nothing else unless this header is valid for the reader's abi_stable.
    pub header: AbiHeader,
    /// Layout of [`Descriptor`].
    pub layout: &'static TypeLayout,
}

impl LayoutRecord {
    /// This crate's record.
    pub const THIS: Self =
        Self { header: AbiHeader::VALUE, layout: <Descriptor as StableAbi>::LAYOUT };
}
