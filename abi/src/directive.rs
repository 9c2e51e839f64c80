//! Directives an MPM declares; the host parses them.

use core::ffi::c_char;

use crate::types::Str;

#[cfg(feature = "layout-check")]
use abi_stable::StableAbi;

/// Argument kind: `On` or `Off`.
pub const ARG_FLAG: u32 = 0;
/// Argument kind: a decimal integer within `min..=max`.
pub const ARG_INT: u32 = 1;
/// Argument kind: bytes, with an optional suffix K, M or G (powers of 1024).
pub const ARG_SIZE: u32 = 2;
/// Argument kind: a time; a bare number is seconds, suffixes ms, s, min, h. Delivered in
/// nanoseconds, `min` and `max` likewise.
pub const ARG_DURATION: u32 = 3;
/// Argument kind: a decimal fraction; `min` and `max` are in thousandths.
pub const ARG_FLOAT: u32 = 4;
/// Argument kind: one word.
pub const ARG_STRING: u32 = 5;
/// Argument kind: one of `enum_names`, in any case; its index is the value.
pub const ARG_ENUM: u32 = 6;
/// Argument kind: `min_args..=max_args` words.
pub const ARG_ARGV: u32 = 7;
/// Argument kind: the rest of the line, unparsed, as one word.
pub const ARG_RAW: u32 = 8;

/// Directive flag: may stand more than once; otherwise the last one wins.
pub const DIRECTIVE_REPEATABLE: u32 = 1 << 0;
/// Directive flag: old; the host says so when it is used.
pub const DIRECTIVE_DEPRECATED: u32 = 1 << 1;
/// Directive flag: not listed by `-L`.
pub const DIRECTIVE_HIDDEN: u32 = 1 << 2;
/// Directive flag: another name of `alias_of`; delivered under the `id` given here.
pub const DIRECTIVE_ALIAS: u32 = 1 << 3;

/// One directive. An array of these, `stride` bytes apart, hangs off the descriptor.
///
/// Names are case-insensitive and must not clash with a directive of the server. The context is
/// always the server's own, outside every section.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "layout-check", derive(StableAbi))]
pub struct Directive {
    /// NUL-terminated name.
    pub name: *const c_char,
    /// NUL-terminated one-line help.
    pub help: *const c_char,
    /// NUL-terminated text of the default for the reference, NULL = none.
    pub default_text: *const c_char,
    /// NUL-terminated name of the directive this is another name of; see [`DIRECTIVE_ALIAS`].
    pub alias_of: *const c_char,
    /// NUL-terminated names, for [`ARG_ENUM`].
    pub enum_names: *const *const c_char,
    /// Smallest value allowed, in the unit of the kind.
    pub min: i64,
    /// Largest value allowed, in the unit of the kind.
    pub max: i64,
    /// Elements in `enum_names`.
    pub enum_count: u32,
    /// `ARG_…`.
    pub kind: u32,
    /// Fewest words, for [`ARG_ARGV`].
    pub min_args: u32,
    /// Most words, for [`ARG_ARGV`].
    pub max_args: u32,
    /// `DIRECTIVE_…` bits.
    pub flags: u32,
    /// The MPM's own number, delivered with the value.
    pub id: u32,
}

#[expect(unsafe_code, reason = "raw pointers to constants, shared between threads")]
// SAFETY: a directive is constant data; its pointers lead to constant data of the same plug-in.
unsafe impl Sync for Directive {}

/// One configured directive, parsed and range-checked by the host.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "layout-check", derive(StableAbi))]
pub struct DirectiveCall {
    /// Size of this struct as the host knows it.
    pub struct_size: u32,
    /// [`Directive::id`].
    pub id: u32,
    /// Value of FLAG (0 or 1), INT, SIZE, DURATION (nanoseconds) and ENUM (index).
    pub value: i64,
    /// Value of FLOAT.
    pub fraction: f64,
    /// The words as written.
    pub argv: *const Str,
    /// Elements in `argv`.
    pub argc: u32,
    /// Line in `file`, from 1.
    pub line: u32,
    /// File the directive stands in.
    pub file: Str,
}
