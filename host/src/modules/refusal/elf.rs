//! A file that is no shared object for this machine.

use std::fmt;

use object::elf;

use crate::modules::ident::{CLASS, ENCODING, MACHINE};

/// The file is no shared object for this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ElfFault {
    /// Not ELF at all, or no program; says what.
    Foreign(String),
    /// For 32-bit machines on a 64-bit one, or the other way round.
    Class,
    /// For machines with the other byte order.
    ByteOrder,
    /// For another machine, by ELF's number.
    Machine(u16),
    /// Made by a compiler or linker, but not for loading; says what.
    Unshared(&'static str),
    /// The end is missing.
    Truncated {
        /// Bytes it has.
        len: u64,
        /// Bytes its headers speak of.
        needed: u64,
    },
    /// Its headers contradict each other or the file; says which part.
    Damaged(&'static str),
}

impl ElfFault {
    pub(in crate::modules) fn truncated(bytes: &[u8], needed: u64) -> Self {
        Self::Truncated { len: bytes.len() as u64, needed }
    }
}

impl fmt::Display for ElfFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign(what) => write!(f, "it is {what}, not a shared object"),
            Self::Class => {
                let (found, needed) = if CLASS == elf::ELFCLASS64 { (32, 64) } else { (64, 32) };
                write!(f, "it is for {found}-bit machines, this host needs {needed}-bit")
            }
            Self::ByteOrder => {
                let (little, big) = ("little-endian", "big-endian");
                let (found, needed) =
                    if ENCODING == elf::ELFDATA2LSB { (big, little) } else { (little, big) };
                write!(f, "it is for {found} machines, this host needs {needed}")
            }
            Self::Machine(found) => {
                let needed = MACHINE.map_or_else(String::new, machine_name);
                let found = machine_name(elf::Machine(*found));
                write!(f, "it is for {found}, this host needs {needed}")
            }
            Self::Unshared(what) => {
                write!(f, "it is {what}, not a shared object; link it with -shared")
            }
            Self::Truncated { len, needed } => write!(
                f,
                "the file is truncated: it has {len} bytes, its headers speak of {needed}; install \
                 it again"
            ),
            Self::Damaged(what) => write!(f, "the file is damaged: bad {what}; install it again"),
        }
    }
}

fn machine_name(machine: elf::Machine) -> String {
    match machine {
        elf::EM_X86_64 => "x86-64".to_owned(),
        elf::EM_AARCH64 => "AArch64".to_owned(),
        elf::EM_RISCV => "RISC-V".to_owned(),
        elf::EM_PPC64 => "PowerPC 64".to_owned(),
        elf::EM_S390 => "IBM Z".to_owned(),
        elf::EM_LOONGARCH => "LoongArch".to_owned(),
        elf::EM_386 => "x86 (32 bit)".to_owned(),
        elf::EM_ARM => "ARM (32 bit)".to_owned(),
        elf::Machine(number) => format!("ELF machine {number}"),
    }
}
