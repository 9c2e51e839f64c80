//! What kind of file it is: for this machine, for another, or no program at all.

use object::elf;
use object::read::elf::FileHeader as _;

use super::elf::{E, Header};
use super::refusal::ElfFault;

/// The class of this machine's files.
pub(super) const CLASS: elf::FileClass =
    if cfg!(target_pointer_width = "64") { elf::ELFCLASS64 } else { elf::ELFCLASS32 };

/// The byte order of this machine's files.
pub(super) const ENCODING: elf::DataEncoding =
    if cfg!(target_endian = "little") { elf::ELFDATA2LSB } else { elf::ELFDATA2MSB };

/// The machine the host was compiled for; `None` = left to the system's loader.
pub(super) const MACHINE: Option<elf::Machine> = if cfg!(target_arch = "x86_64") {
    Some(elf::EM_X86_64)
} else if cfg!(target_arch = "aarch64") {
    Some(elf::EM_AARCH64)
} else if cfg!(any(target_arch = "riscv64", target_arch = "riscv32")) {
    Some(elf::EM_RISCV)
} else if cfg!(target_arch = "powerpc64") {
    Some(elf::EM_PPC64)
} else if cfg!(target_arch = "s390x") {
    Some(elf::EM_S390)
} else if cfg!(target_arch = "loongarch64") {
    Some(elf::EM_LOONGARCH)
} else if cfg!(target_arch = "x86") {
    Some(elf::EM_386)
} else if cfg!(target_arch = "arm") {
    Some(elf::EM_ARM)
} else {
    None
};

/// Turns away what is no ELF file, or one that the types of [`Header`] cannot read.
pub(super) fn check_ident(bytes: &[u8]) -> Result<(), ElfFault> {
    if !bytes.starts_with(&elf::ELFMAG) {
        return Err(ElfFault::Foreign(describe(bytes)));
    }
    let class = bytes.get(4).map(|&class| elf::FileClass(class));
    if class.is_some_and(|class| class != CLASS && class.0 <= elf::ELFCLASS64.0) {
        return Err(ElfFault::Class);
    }
    let encoding = bytes.get(5).map(|&encoding| elf::DataEncoding(encoding));
    if encoding.is_some_and(|it| it != ENCODING && it.0 <= elf::ELFDATA2MSB.0) {
        return Err(ElfFault::ByteOrder);
    }
    if bytes.len() < size_of::<Header>() {
        return Err(ElfFault::truncated(bytes, size_of::<Header>() as u64));
    }
    Ok(())
}

/// Turns away what is for another machine, and ELF files of another type.
pub(super) fn check_machine(header: &Header) -> Result<(), ElfFault> {
    let machine = header.e_machine(E);
    if let Some(needed) = MACHINE
        && machine != needed
    {
        return Err(ElfFault::Machine(machine.0));
    }
    match header.e_type(E) {
        elf::ET_DYN => Ok(()),
        elf::ET_EXEC => Err(ElfFault::Unshared("an executable")),
        elf::ET_REL => Err(ElfFault::Unshared("an object file that was not linked yet")),
        elf::ET_CORE => Err(ElfFault::Foreign("a core dump".to_owned())),
        _ => Err(ElfFault::Damaged("file header")),
    }
}

/// Bytes looked at to tell text from other things, and shown of a file nobody knows.
const TEXT_SAMPLE: usize = 512;
const TEXT_SHOWN: usize = 30;
const BYTES_SHOWN: usize = 4;

/// What a file that is not ELF seems to be.
fn describe(bytes: &[u8]) -> String {
    const MACH_O: [[u8; 4]; 5] = [
        [0xFE, 0xED, 0xFA, 0xCE],
        [0xCE, 0xFA, 0xED, 0xFE],
        [0xFE, 0xED, 0xFA, 0xCF],
        [0xCF, 0xFA, 0xED, 0xFE],
        [0xCA, 0xFE, 0xBA, 0xBE],
    ];
    if bytes.starts_with(b"!<arch>\n") || bytes.starts_with(b"!<thin>\n") {
        return "a static library (ar archive)".to_owned();
    }
    if MACH_O.iter().any(|magic| bytes.starts_with(magic)) {
        return "a program of macOS (Mach-O)".to_owned();
    }
    if bytes.starts_with(b"MZ") {
        return "a program of Windows (PE)".to_owned();
    }
    let sample = bytes.get(..TEXT_SAMPLE).unwrap_or(bytes);
    if let Some(text) = as_text(sample) {
        let first = text.lines().next().unwrap_or_default().trim_end();
        let shown: String = first.chars().take(TEXT_SHOWN).collect();
        let kind = if text.starts_with("#!") { "a script" } else { "text" };
        return format!("{kind} (\"{shown}\")");
    }
    let shown: Vec<String> = bytes.iter().take(BYTES_SHOWN).map(|b| format!("{b:02x}")).collect();
    format!("something unknown (bytes {})", shown.join(" "))
}

/// The sample as text, if it is some; a character may be cut at its end.
fn as_text(sample: &[u8]) -> Option<&str> {
    let text = match str::from_utf8(sample) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            str::from_utf8(sample.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    let texty = |c: char| !c.is_control() || c.is_ascii_whitespace();
    text.chars().all(texty).then_some(text)
}
