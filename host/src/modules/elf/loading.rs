//! What the system's loader follows without looking: a wrong number in one of these places does not
//! end in its error message but in SIGSEGV, in an endless loop or in `exit`.
//!
//! Whatever a file may run is still its author's word; this is for files that were damaged, or made
//! by a broken tool.

use object::elf;
use object::pod::{bytes_of_slice, from_bytes, slice_from_bytes};
use object::read::elf::{Dyn as _, FileHeader, HashTable, ProgramHeader as _, Sym as _};
use object::{NativeEndian, U32};

use super::{E, Header, SharedObject, Sym, word};
use crate::modules::refusal::ElfFault;

/// Members of the dynamic section that are texts, by their place among the names.
const TEXTS: &[elf::DynamicTag] = &[
    elf::DT_NEEDED,
    elf::DT_SONAME,
    elf::DT_RPATH,
    elf::DT_RUNPATH,
    elf::DT_AUXILIARY,
    elf::DT_FILTER,
];

/// Entries of which the loader takes it for granted that they are there if the first one is; without
/// it, the others mean that the first one was lost.
const GROUPS: &[&[elf::DynamicTag]] = &[
    &[elf::DT_SYMTAB, elf::DT_SYMENT],
    &[elf::DT_STRTAB, elf::DT_STRSZ],
    &[elf::DT_REL, elf::DT_RELSZ, elf::DT_RELENT],
    &[elf::DT_RELA, elf::DT_RELASZ, elf::DT_RELAENT],
    &[elf::DT_RELR, elf::DT_RELRSZ, elf::DT_RELRENT],
    &[elf::DT_JMPREL, elf::DT_PLTRELSZ, elf::DT_PLTREL],
    &[elf::DT_VERNEED, elf::DT_VERNEEDNUM],
    &[elf::DT_VERDEF, elf::DT_VERDEFNUM],
    &[elf::DT_INIT_ARRAY, elf::DT_INIT_ARRAYSZ],
    &[elf::DT_FINI_ARRAY, elf::DT_FINI_ARRAYSZ],
];

/// Sizes of elements, for which there is one number only.
const SIZES: &[(elf::DynamicTag, usize)] = &[
    (elf::DT_SYMENT, size_of::<Sym>()),
    (elf::DT_RELENT, size_of::<<Header as FileHeader>::Rel>()),
    (elf::DT_RELAENT, size_of::<<Header as FileHeader>::Rela>()),
    (elf::DT_RELRENT, size_of::<<Header as FileHeader>::Relr>()),
];

/// Functions, called by their address.
const FUNCTIONS: &[(elf::DynamicTag, &str)] =
    &[(elf::DT_INIT, "constructors"), (elf::DT_FINI, "destructors")];

/// Segments that must lie in those that are mapped.
const PARTS: &[(elf::ProgramType, &str)] = &[
    (elf::PT_DYNAMIC, "dynamic section"),
    (elf::PT_GNU_RELRO, "segments"),
    (elf::PT_GNU_PROPERTY, "notes"),
    (elf::PT_NOTE, "notes"),
];

impl SharedObject<'_> {
    /// Checks all that the loader goes by to load this file. `symbols` are [`Self::symbols`].
    pub(in crate::modules) fn check_loading(
        &self,
        symbols: &[(&[u8], &Sym)],
    ) -> Result<(), ElfFault> {
        let damaged = |what| move || ElfFault::Damaged(what);
        self.check_parts()?;
        self.check_dynamic().ok_or_else(damaged("dynamic section"))?;
        self.check_hashes(symbols.len()).ok_or_else(damaged("symbol hashes"))?;
        self.check_versions(symbols).ok_or_else(damaged("symbol versions"))?;
        for &(tag, what) in FUNCTIONS {
            if self.tag(tag).is_some_and(|address| !self.is_code(address)) {
                return Err(ElfFault::Damaged(what));
            }
        }
        // The first symbol is none.
        if !symbols.iter().skip(1).all(|(_, symbol)| self.is_usable(symbol)) {
            return Err(ElfFault::Damaged("symbol table"));
        }
        self.check_relocations(symbols)
    }

    /// Can the loader look it up, or leads it somewhere if it is not to be looked up?
    fn is_usable(&self, symbol: &Sym) -> bool {
        let kinds = [
            elf::STT_NOTYPE,
            elf::STT_OBJECT,
            elf::STT_FUNC,
            elf::STT_SECTION,
            elf::STT_COMMON,
            elf::STT_TLS,
            elf::STT_GNU_IFUNC,
        ];
        let binds = [elf::STB_GLOBAL, elf::STB_WEAK, elf::STB_GNU_UNIQUE];
        if symbol.is_undefined(E) {
            // It would be the beginning of this file.
            let elsewhere = symbol.st_visibility() == elf::STV_DEFAULT;
            return elsewhere
                && kinds.contains(&symbol.st_type())
                && binds.contains(&symbol.st_bind());
        }
        // The loader calls the function of such a symbol for its address.
        let is_chosen = symbol.st_type() == elf::STT_GNU_IFUNC;
        kinds.contains(&symbol.st_type()) && (!is_chosen || self.is_code(word(symbol.st_value(E))))
    }

    fn check_parts(&self) -> Result<(), ElfFault> {
        for segment in self.segments {
            let (at, len) = (word(segment.p_vaddr(E)), word(segment.p_memsz(E)));
            let part = PARTS.iter().find(|(kind, _)| *kind == segment.p_type(E));
            if let Some(&(kind, what)) = part {
                self.check_mapped(at, len, what)?;
                // The loader writes into it unless its own header says that it may not.
                let written = kind == elf::PT_DYNAMIC && is(segment, elf::PF_W);
                if written && !self.is_writable(at, len) {
                    return Err(ElfFault::Damaged(what));
                }
            }
            if segment.p_type(E) == elf::PT_PHDR && !self.has_headers_at(at) {
                return Err(ElfFault::Damaged("program headers"));
            }
            let align = word(segment.p_align(E));
            if segment.p_type(E) == elf::PT_TLS && align != 0 && !align.is_power_of_two() {
                return Err(ElfFault::Damaged("thread-locals"));
            }
        }
        Ok(())
    }

    /// Is the table of segments, which the loader hands on to others, in memory where it says?
    fn has_headers_at(&self, address: u64) -> bool {
        let headers = bytes_of_slice(self.segments);
        self.mapped(address, headers.len()) == Some(headers)
    }

    fn check_dynamic(&self) -> Option<()> {
        let names = self.names()?;
        let mut texts = self.dynamic.iter().filter(|entry| TEXTS.contains(&entry.tag(E)));
        // The parts of a group that are there, and not empty.
        let is = |tag: &elf::DynamicTag| self.tag(*tag).is_some_and(|value| value != 0);
        let torn = |group: &&[elf::DynamicTag]| group.iter().any(is) && !group.iter().all(is);
        let other = |&(tag, size)| self.tag(tag).is_some_and(|found| found != size as u64);
        if GROUPS.iter().any(torn) || SIZES.iter().any(other) {
            return None;
        }
        let is_text = |at| names.get(u32::try_from(at).ok()?).ok();
        texts.all(|entry| is_text(entry.val(E)).is_some()).then_some(())
    }

    /// Every chain of hashes stays among the symbols and ends.
    fn check_hashes(&self, count: usize) -> Option<()> {
        if let Some(at) = self.tag(elf::DT_GNU_HASH) {
            let table = self.mapped_from(at)?;
            let (header, rest) = from_bytes::<elf::GnuHashHeader<NativeEndian>>(table).ok()?;
            let filters = usize::try_from(header.bloom_count.get(E)).ok()?;
            let rest = rest.get(filters.checked_mul(size_of::<usize>())?..)?;
            let buckets = usize::try_from(header.bucket_count.get(E)).ok()?;
            let (buckets, _) = slice_from_bytes::<U32<NativeEndian>>(rest, buckets).ok()?;
            // The highest leads to the last chain, by which the symbols were counted.
            let base = header.symbol_base.get(E);
            let inside = buckets.iter().all(|it| it.get(E) == 0 || it.get(E) >= base);
            // Of the number of filters a mask is made.
            return (filters.is_power_of_two() && inside).then_some(());
        }
        let table = self.mapped_from(self.tag(elf::DT_HASH)?)?;
        HashTable::<Header>::parse(E, table).ok()?;
        let (numbers, _) = slice_from_bytes::<U32<NativeEndian>>(table, table.len() / 4).ok()?;
        let number = |at: usize| numbers.get(at).map(|it| it.get(E) as usize);
        let buckets = number(0)?;
        // A symbol is in one chain, once.
        let mut seen = vec![false; count];
        for bucket in 0..buckets {
            let mut symbol = number(2 + bucket)?;
            while symbol != 0 {
                let seen = seen.get_mut(symbol)?;
                if std::mem::replace(seen, true) {
                    return None;
                }
                symbol = number(2 + buckets + symbol)?;
            }
        }
        Some(())
    }

    /// Does code from the file stand at this address?
    pub(super) fn is_code(&self, address: u64) -> bool {
        let mut code = self.loads().filter(|segment| is(segment, elf::PF_X));
        code.any(|segment| {
            let offset = address.checked_sub(word(segment.p_vaddr(E)));
            offset.is_some_and(|offset| offset < word(segment.p_filesz(E)))
        })
    }

    /// Can all of this be written to?
    pub(super) fn is_writable(&self, address: u64, len: u64) -> bool {
        let Some(end) = address.checked_add(len) else { return false };
        let mut data = self.loads().filter(|segment| is(segment, elf::PF_W));
        data.any(|segment| {
            let start = word(segment.p_vaddr(E));
            address >= start && end <= start.saturating_add(word(segment.p_memsz(E)))
        })
    }
}

fn is(segment: &super::ProgramHeader, flag: elf::ProgramFlags) -> bool {
    segment.p_flags(E).0 & flag.0 != 0
}
