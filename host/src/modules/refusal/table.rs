//! A descriptor whose texts or function table are broken.

use std::fmt;

/// Something a plug-in points to and the host cannot use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointerFault {
    /// The pointer is NULL.
    Null,
    /// The address is no multiple of the type's alignment.
    Misaligned(usize),
    /// Not all of it lies in the plug-in's memory.
    Outside(usize),
    /// A text without an end in so many bytes.
    Endless(usize),
    /// A text that is not UTF-8.
    NotUtf8,
    /// A text with a control character, which would spoil the line it is shown in.
    Control,
}

impl fmt::Display for PointerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Null => f.write_str("is NULL"),
            Self::Misaligned(address) => write!(f, "is not aligned ({address:#x})"),
            Self::Outside(address) => write!(f, "points outside the module ({address:#x})"),
            Self::Endless(max) => write!(f, "does not end within {max} bytes"),
            Self::NotUtf8 => f.write_str("is not UTF-8"),
            Self::Control => f.write_str("holds a control character"),
        }
    }
}

/// The descriptor's texts or its function table are broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableFault {
    /// A text of the descriptor.
    Text(&'static str, PointerFault),
    /// abi_stable's record, exported beside the descriptor.
    Layout(PointerFault),
    /// abi_stable cannot make anything of its record.
    LayoutBroken,
    /// The name does not belong to the symbol.
    Name {
        /// Name found.
        found: String,
        /// Name the symbol asks for; `None` if the symbol does not end in `_module`.
        needed: Option<String>,
    },
    /// The function table itself.
    Ops(PointerFault),
    /// The table ends before its last mandatory entry.
    OpsShort {
        /// Its size.
        found: u32,
        /// The least it may be.
        needed: usize,
    },
    /// The size of the table cannot be right.
    OpsSize(u32),
    /// The table's `reserved` is not zero.
    OpsReserved(u32),
    /// An entry that must be there is not.
    OpMissing {
        /// Its name.
        entry: &'static str,
        /// Why it must be there.
        because: &'static str,
    },
    /// An entry leads to something that is not code of the plug-in.
    OpOutside {
        /// Its name.
        entry: &'static str,
        /// Where it leads.
        address: usize,
    },
}

impl fmt::Display for TableFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(field, fault) => write!(f, "its descriptor's {field} {fault}"),
            Self::Layout(fault) => write!(f, "its layout record (__layout) {fault}"),
            Self::LayoutBroken => {
                f.write_str("its layout record (__layout) contradicts itself; build it again")
            }
            Self::Name { found, needed: Some(needed) } => write!(
                f,
                "its descriptor's name is \"{found}\", for this symbol it must be \"{needed}\""
            ),
            Self::Name { needed: None, .. } => {
                f.write_str("the name of a module's symbol must end in _module")
            }
            Self::Ops(fault) => write!(f, "its descriptor's ops {fault}"),
            Self::OpsShort { found, needed } => write!(
                f,
                "its mpm_ops has struct_size {found}, the mandatory entries need {needed}"
            ),
            Self::OpsSize(found) => write!(
                f,
                "its mpm_ops has struct_size {found}, which is no multiple of 8 up to 65536"
            ),
            Self::OpsReserved(found) => {
                write!(f, "its mpm_ops has {found} in the member reserved, which must be 0")
            }
            Self::OpMissing { entry, because } => {
                write!(f, "its mpm_ops lacks {entry}, which {because}")
            }
            Self::OpOutside { entry, address } => {
                write!(f, "its mpm_ops has {entry} outside the module's code ({address:#x})")
            }
        }
    }
}
