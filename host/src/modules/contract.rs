//! The numbers of a descriptor: was it made for this host?
//!
//! They are read from the file before anything of it runs. Layout and meaning of these bytes are
//! frozen, so that any host can explain its refusal to any plug-in.

use std::mem::offset_of;

use mpm_abi::Descriptor;
use mpm_abi::layout::LAYOUT_ID;
use mpm_abi::version::{
    ABI_MAJOR, ABI_MINOR, ENDIAN_BIG, ENDIAN_LITTLE, HEADER_SIZE, INCOMPAT_DRAFT, INCOMPAT_KNOWN,
    MAGIC,
};

use super::refusal::ContractFault;

/// What a host has for plug-ins. A value, so that tests can play an older host.
#[derive(Clone, Copy, Debug)]
pub struct HostOffer {
    /// Major version of the contract.
    pub abi_major: u16,
    /// Minor version of the contract.
    pub abi_minor: u16,
    /// `CAP_…` bits.
    pub caps: u64,
}

impl HostOffer {
    /// The contract this host was compiled with, and these capabilities.
    pub const fn new(caps: u64) -> Self {
        Self { abi_major: ABI_MAJOR, abi_minor: ABI_MINOR, caps }
    }
}

/// Bytes of a descriptor.
pub(super) const DESCRIPTOR_LEN: usize = size_of::<Descriptor>();

/// Byte order of this machine, in the contract's numbers.
pub(super) const ENDIAN: u8 =
    if cfg!(target_endian = "little") { ENDIAN_LITTLE } else { ENDIAN_BIG };

/// True while the contract is a draft, which host and plug-in must share exactly.
const DRAFT: bool = INCOMPAT_KNOWN & INCOMPAT_DRAFT != 0;

macro_rules! numbers {
    ($($field:ident: $ty:ty),* $(,)?) => {
        /// The members of a descriptor that are no pointers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) struct Numbers {
            $($field: $ty),*
        }

        impl Numbers {
            /// The numbers in the bytes of a descriptor.
            pub(super) fn parse(bytes: &[u8; DESCRIPTOR_LEN]) -> Option<Self> {
                Some(Self {$(
                    $field: <$ty>::from_ne_bytes(*bytes.get(offset_of!(Descriptor, $field)..)?
                        .first_chunk()?),
                )*})
            }
        }

        impl From<&Descriptor> for Numbers {
            fn from(descriptor: &Descriptor) -> Self {
                Self { $($field: descriptor.$field),* }
            }
        }
    };
}

numbers! {
    magic: u64,
    header_size: u32,
    abi_major: u16,
    abi_minor: u16,
    min_host_minor: u16,
    ptr_bits: u8,
    endian: u8,
    reserved: u32,
    flags_compat: u64,
    flags_incompat: u64,
    required_caps: u64,
    optional_caps: u64,
    layout_id: u64,
    directive_count: u32,
    directive_stride: u32,
}

impl Numbers {
    /// Compares the numbers with the host's, those first that say how to read the others.
    pub(super) fn check(&self, offer: HostOffer) -> Result<(), ContractFault> {
        if self.magic == MAGIC.swap_bytes() {
            return Err(ContractFault::ByteOrder);
        }
        if self.magic != MAGIC {
            return Err(ContractFault::Magic(self.magic));
        }
        if self.header_size != HEADER_SIZE {
            return Err(ContractFault::HeaderSize(self.header_size));
        }
        if self.abi_major != offer.abi_major {
            return Err(ContractFault::Major {
                found: (self.abi_major, self.abi_minor),
                needed: offer.abi_major,
            });
        }
        if u32::from(self.ptr_bits) != usize::BITS {
            return Err(ContractFault::PointerWidth(self.ptr_bits));
        }
        if self.endian != ENDIAN {
            return Err(ContractFault::Endian(self.endian));
        }
        if self.reserved != 0 {
            return Err(ContractFault::Reserved(self.reserved));
        }
        let unknown = self.flags_incompat & !INCOMPAT_KNOWN;
        if unknown != 0 {
            return Err(ContractFault::UnknownFlag(unknown.trailing_zeros()));
        }
        if self.min_host_minor > offer.abi_minor {
            return Err(ContractFault::HostTooOld {
                needed: (self.abi_major, self.min_host_minor),
                found: (offer.abi_major, offer.abi_minor),
            });
        }
        if DRAFT {
            self.check_draft(offer)?;
        }
        let missing = self.required_caps & !offer.caps;
        if missing != 0 {
            return Err(ContractFault::Capabilities(missing));
        }
        Ok(())
    }

    fn check_draft(&self, offer: HostOffer) -> Result<(), ContractFault> {
        let host = (offer.abi_major, offer.abi_minor);
        if self.flags_incompat & INCOMPAT_DRAFT == 0 {
            return Err(ContractFault::NotDraft { host });
        }
        if self.abi_minor != offer.abi_minor {
            return Err(ContractFault::DraftMinor {
                found: (self.abi_major, self.abi_minor),
                host,
            });
        }
        if self.layout_id != LAYOUT_ID {
            return Err(ContractFault::DraftLayout { found: self.layout_id, host });
        }
        Ok(())
    }
}
