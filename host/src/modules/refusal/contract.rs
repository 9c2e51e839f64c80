//! A descriptor that was made for another host.

use std::fmt;

use mpm_abi::layout::LAYOUT_ID;
use mpm_abi::version::{
    CAP_ACCEPT, CAP_ACCEPT_LOCK, CAP_ASSERT_THREAD, CAP_CHILDREN, CAP_DRAINS_TO_EAGAIN,
    CAP_DRIVE_BLOCKING, CAP_REQUESTS_LEFT, CAP_RETAINED, CAP_SCOREBOARD, CAP_TASKS, CAP_THREADS,
    HEADER_SIZE, MAGIC,
};

use crate::modules::contract::ENDIAN;

const CAP_NAMES: &[(u64, &str)] = &[
    (CAP_DRAINS_TO_EAGAIN, "CAP_DRAINS_TO_EAGAIN"),
    (CAP_ACCEPT, "CAP_ACCEPT"),
    (CAP_DRIVE_BLOCKING, "CAP_DRIVE_BLOCKING"),
    (CAP_CHILDREN, "CAP_CHILDREN"),
    (CAP_THREADS, "CAP_THREADS"),
    (CAP_ACCEPT_LOCK, "CAP_ACCEPT_LOCK"),
    (CAP_SCOREBOARD, "CAP_SCOREBOARD"),
    (CAP_TASKS, "CAP_TASKS"),
    (CAP_RETAINED, "CAP_RETAINED"),
    (CAP_REQUESTS_LEFT, "CAP_REQUESTS_LEFT"),
    (CAP_ASSERT_THREAD, "CAP_ASSERT_THREAD"),
];

/// The descriptor was made for another host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContractFault {
    /// The first eight bytes are something else.
    Magic(u64),
    /// The first eight bytes are the magic in the other byte order.
    ByteOrder,
    /// `header_size` is not the frozen one.
    HeaderSize(u32),
    /// Another major version of the contract.
    Major {
        /// Of the plug-in.
        found: (u16, u16),
        /// Of the host.
        needed: u16,
    },
    /// `ptr_bits` is not the host's.
    PointerWidth(u8),
    /// `endian` is not the host's.
    Endian(u8),
    /// `reserved` is not zero.
    Reserved(u32),
    /// An incompatible flag the host does not know, by its bit.
    UnknownFlag(u32),
    /// The plug-in needs a newer host.
    HostTooOld {
        /// Lowest version it works with.
        needed: (u16, u16),
        /// The host's.
        found: (u16, u16),
    },
    /// The contract is a draft and the plug-in does not say that it knows.
    NotDraft {
        /// The host's version.
        host: (u16, u16),
    },
    /// The contract is a draft and the plug-in was compiled with another minor version.
    DraftMinor {
        /// Of the plug-in.
        found: (u16, u16),
        /// Of the host.
        host: (u16, u16),
    },
    /// The contract is a draft and the plug-in was compiled with other layouts.
    DraftLayout {
        /// The plug-in's fingerprint.
        found: u64,
        /// The host's version.
        host: (u16, u16),
    },
    /// Capabilities the plug-in requires and the host lacks.
    Capabilities(u64),
}

/// What to do about a draft that differs.
const REBUILD: &str = "rebuild it with this host's mpm_abi.h or mpm-abi";

impl fmt::Display for ContractFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Magic(found) => write!(
                f,
                "the symbol is no descriptor of an MPM: it begins with {found:#018x}, not with the \
                 magic {MAGIC:#018x}"
            ),
            Self::ByteOrder => f.write_str("its descriptor is in the byte order of other machines"),
            Self::HeaderSize(found) => member(f, "header_size", found, HEADER_SIZE),
            Self::Major { found: (major, minor), needed } => {
                write!(f, "it was compiled for ABI {major}.{minor}, this host needs {needed}.x")
            }
            Self::PointerWidth(found) => member(f, "ptr_bits", found.into(), usize::BITS),
            Self::Endian(found) => member(f, "endian", found.into(), ENDIAN.into()),
            Self::Reserved(found) => member(f, "reserved", found, 0),
            Self::UnknownFlag(bit) => write!(
                f,
                "it sets bit {bit} of flags_incompat, which this host does not know and must not \
                 ignore; a newer gearbox may"
            ),
            Self::HostTooOld { needed, found } => write!(
                f,
                "it needs host ABI {}.{}, this host has {}.{}; use a newer gearbox or an older \
                 build of the module",
                needed.0, needed.1, found.0, found.1
            ),
            Self::NotDraft { host: (major, minor) } => write!(
                f,
                "ABI {major}.{minor} is still a draft, and it does not set the flag INCOMPAT_DRAFT; \
                 {REBUILD}"
            ),
            Self::DraftMinor { found, host } => write!(
                f,
                "it was compiled against the draft of ABI {}.{}, this host has the draft of {}.{}; \
                 {REBUILD}",
                found.0, found.1, host.0, host.1
            ),
            Self::DraftLayout { found, host: (major, minor) } => write!(
                f,
                "it was compiled against another draft of ABI {major}.{minor} (layout {found:#018x}, \
                 this host has {LAYOUT_ID:#018x}); {REBUILD}"
            ),
            Self::Capabilities(missing) => {
                write!(f, "it requires {}, which this host does not have", cap_names(missing))
            }
        }
    }
}

fn member(f: &mut fmt::Formatter<'_>, name: &str, found: u32, needed: u32) -> fmt::Result {
    write!(f, "its descriptor has {name} {found}, this host needs {needed}")
}

/// Names of capabilities, for a line.
fn cap_names(caps: u64) -> String {
    let mut names: Vec<String> = CAP_NAMES
        .iter()
        .filter(|(bit, _)| caps & bit != 0)
        .map(|(_, name)| (*name).to_owned())
        .collect();
    let known = CAP_NAMES.iter().fold(0, |all, (bit, _)| all | bit);
    let unknown = caps & !known;
    names.extend(
        (0..u64::BITS).filter(|n| unknown & (1 << n) != 0).map(|n| format!("capability bit {n}")),
    );
    names.join(" and ")
}
