//! A descriptor whose directives are broken.

use std::fmt;

use super::PointerFault;
use crate::modules::directives::{COUNT_MAX, ENUM_MAX, STRIDE_MAX, STRIDE_MIN};

/// The descriptor's directives are broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DirectiveFault {
    /// Too many of them.
    Count(u32),
    /// `directive_stride` cannot be right.
    Stride(usize),
    /// The table itself.
    Array(PointerFault),
    /// One of them.
    Row {
        /// Its name, or its place if it has none.
        which: String,
        /// What is wrong with it.
        fault: RowFault,
    },
}

/// One directive is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowFault {
    /// The element of the table.
    Row(PointerFault),
    /// One of its texts.
    Text(&'static str, PointerFault),
    /// A name that cannot be one of a directive.
    Name(String),
    /// Another directive of the plug-in has the same name.
    Duplicate,
    /// A kind of argument the host does not know.
    Kind(u32),
    /// Flags the host does not know.
    Flags(u32),
    /// Something set in the element after what the host knows, by its offset.
    Tail(usize),
    /// The smallest value is above the largest.
    Range(i64, i64),
    /// The fewest words are more than the most.
    Args(u32, u32),
    /// No words to choose from, or too many.
    EnumCount(u32),
    /// A word to choose from that is empty, has blanks, or is there twice.
    EnumName(String),
    /// `alias_of` without the flag, or the flag without `alias_of`.
    AliasFlag,
    /// Another name of something that is no directive of the plug-in.
    AliasOf(String),
}

impl fmt::Display for DirectiveFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => {
                write!(f, "its descriptor has {count} directives, the most is {COUNT_MAX}")
            }
            Self::Stride(stride) => write!(
                f,
                "its descriptor has directive_stride {stride}, which is no multiple of 8 from \
                 {STRIDE_MIN} to {STRIDE_MAX}"
            ),
            Self::Array(fault) => write!(f, "its descriptor's directives {fault}"),
            Self::Row { which, fault } => write!(f, "its directive {which} {fault}"),
        }
    }
}

impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row(fault) => fault.fmt(f),
            Self::Text(field, fault) => write!(f, "has {field} that {fault}"),
            Self::Name(name) => write!(
                f,
                "is called \"{name}\"; a name has up to 64 letters, digits and _, a letter first"
            ),
            Self::Duplicate => f.write_str("is declared twice"),
            Self::Kind(kind) => write!(f, "has kind {kind}, which this host does not know"),
            Self::Flags(flags) => write!(f, "has flags {flags:#x}, which this host does not know"),
            Self::Tail(offset) => {
                write!(f, "has something set at offset {offset}, which this host does not know")
            }
            Self::Range(min, max) => write!(f, "has min {min} above max {max}"),
            Self::Args(min, max) => write!(f, "has min_args {min} above max_args {max}"),
            Self::EnumCount(count) => {
                write!(f, "has enum_count {count}, which is not from 1 to {ENUM_MAX}")
            }
            Self::EnumName(name) => {
                write!(f, "has \"{name}\" among enum_names, which is no word or there twice")
            }
            Self::AliasFlag => {
                f.write_str("must have both alias_of and the flag DIRECTIVE_ALIAS, or neither")
            }
            Self::AliasOf(target) => {
                write!(f, "is another name of {target}, which is no directive of the module")
            }
        }
    }
}
