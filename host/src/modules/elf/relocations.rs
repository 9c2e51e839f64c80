//! Relocations: what the loader writes into the file's memory, and the functions it calls after that.

use std::ops::Range;

use object::elf;
use object::pod::slice_from_all_bytes;
use object::read::elf::{FileHeader, Rel as _, Rela as _, RelrIterator, Sym as _};

use super::{E, Header, SharedObject, Sym, word};
use crate::modules::refusal::ElfFault;

type Rel = <Header as FileHeader>::Rel;
type Rela = <Header as FileHeader>::Rela;
type Relr = <Header as FileHeader>::Relr;

const WORD: u64 = size_of::<usize>() as u64;

/// The kind for which nothing is done, on every machine.
const NONE: u32 = 0;

/// What kind of table DT_JMPREL is, by the tags of the others.
const RELA: u64 = elf::DT_RELA.0 as u64;
const REL: u64 = elf::DT_REL.0 as u64;

/// Numbers of a machine's relocations, all of the explicit kind.
struct Kinds {
    /// An address of the file itself, by which constructors are given.
    relative: u32,
    /// What a function of the file answers.
    chosen: u32,
    /// Bytes of another library, which programs have and libraries do not.
    copy: u32,
    /// The address of a symbol.
    symbol: [u32; 3],
}

/// `None` on machines whose numbers are not written down here; their loader is trusted.
const KINDS: Option<Kinds> = if cfg!(target_arch = "x86_64") {
    let symbol = [elf::R_X86_64_64.0, elf::R_X86_64_GLOB_DAT.0, elf::R_X86_64_JUMP_SLOT.0];
    Some(Kinds {
        relative: elf::R_X86_64_RELATIVE.0,
        chosen: elf::R_X86_64_IRELATIVE.0,
        copy: elf::R_X86_64_COPY.0,
        symbol,
    })
} else if cfg!(target_arch = "aarch64") {
    let symbol = [elf::R_AARCH64_ABS64.0, elf::R_AARCH64_GLOB_DAT.0, elf::R_AARCH64_JUMP_SLOT.0];
    Some(Kinds {
        relative: elf::R_AARCH64_RELATIVE.0,
        chosen: elf::R_AARCH64_IRELATIVE.0,
        copy: elf::R_AARCH64_COPY.0,
        symbol,
    })
} else {
    None
};

/// One of them. `addend` is `None` where it stands in the place that is written to.
struct Relocation {
    at: u64,
    kind: Option<u32>,
    symbol: usize,
    addend: Option<u64>,
}

impl Relocation {
    fn explicit(it: &Rela) -> Self {
        Self {
            at: word(it.r_offset(E)),
            kind: Some(it.r_type(E, false).0),
            symbol: it.r_sym(E, false) as usize,
            addend: Some(signed(it.r_addend(E)).cast_unsigned()),
        }
    }

    fn implicit(it: &Rel) -> Self {
        Self {
            at: word(it.r_offset(E)),
            kind: Some(it.r_type(E).0),
            symbol: it.r_sym(E) as usize,
            addend: None,
        }
    }
}

/// As [`word`], for a number that may be negative.
fn signed(word: impl Into<i64>) -> i64 {
    word.into()
}

impl SharedObject<'_> {
    /// Each writes to memory that can be written to, speaks of a symbol that is there, and leaves the
    /// address of code where a constructor or destructor is called.
    pub(super) fn check_relocations(&self, symbols: &[(&[u8], &Sym)]) -> Result<(), ElfFault> {
        let relocations = self.relocations().ok_or(ElfFault::Damaged("relocations"))?;
        let in_code = self.tag(elf::DT_TEXTREL).is_some()
            || self.tag(elf::DT_FLAGS).unwrap_or_default() & word(elf::DF_TEXTREL.0) != 0;
        let count = symbols.len().max(1); // the first one is none
        for relocation in relocations.iter().filter(|it| it.kind != Some(NONE)) {
            let written = in_code || self.is_writable(relocation.at, WORD);
            if !written || relocation.symbol >= count || !self.has_what_it_needs(relocation) {
                return Err(ElfFault::Damaged("relocations"));
            }
        }
        for (at, len, what) in [
            (elf::DT_INIT_ARRAY, elf::DT_INIT_ARRAYSZ, "constructors"),
            (elf::DT_FINI_ARRAY, elf::DT_FINI_ARRAYSZ, "destructors"),
        ] {
            let (start, len) = (self.tag(at).unwrap_or(0), self.tag(len).unwrap_or(0));
            let array = start..start.saturating_add(len);
            if len != 0 && !self.are_functions(&array, &relocations, symbols) {
                return Err(ElfFault::Damaged(what));
            }
        }
        Ok(())
    }

    fn has_what_it_needs(&self, relocation: &Relocation) -> bool {
        let (Some(kinds), Some(kind)) = (&KINDS, relocation.kind) else { return true };
        if kind == kinds.chosen {
            return self.points_to_code(relocation);
        }
        kind != kinds.copy && (relocation.symbol != 0 || !kinds.symbol.contains(&kind))
    }

    /// Is each word of the array given the address of code?
    fn are_functions(
        &self,
        array: &Range<u64>,
        relocations: &[Relocation],
        symbols: &[(&[u8], &Sym)],
    ) -> bool {
        let Some(kinds) = &KINDS else { return true };
        let len = array.end - array.start;
        // Also bounds what is reserved for it.
        let Some(words) = self.mapped(array.start, usize::try_from(len).unwrap_or(usize::MAX))
        else {
            return false;
        };
        let touches = |it: &&Relocation| {
            it.kind != Some(NONE) && it.at < array.end && it.at.saturating_add(WORD) > array.start
        };
        let mut set = vec![false; words.len() / size_of::<usize>()];
        for relocation in relocations.iter().filter(touches) {
            let is_function = match relocation.kind {
                Some(kind) if kind == kinds.relative => self.points_to_code(relocation),
                None => self.points_to_code(relocation),
                Some(kind) if kinds.symbol.contains(&kind) => {
                    let symbol = symbols.get(relocation.symbol).map(|(_, symbol)| symbol);
                    symbol.is_some_and(|symbol| {
                        let addend = relocation.addend.unwrap_or(0);
                        let address = word(symbol.st_value(E)).wrapping_add(addend);
                        symbol.is_undefined(E) || self.is_code(address)
                    })
                }
                Some(_) => false,
            };
            let offset = relocation.at.checked_sub(array.start);
            let index = offset.filter(|offset| offset.is_multiple_of(WORD)).map(|it| it / WORD);
            let place = index.and_then(|index| set.get_mut(usize::try_from(index).ok()?));
            match place {
                Some(place) if is_function => *place = true,
                _ => return false,
            }
        }
        len.is_multiple_of(WORD) && set.iter().all(|&set| set)
    }

    fn points_to_code(&self, relocation: &Relocation) -> bool {
        let in_place = || {
            let bytes = self.mapped(relocation.at, size_of::<usize>())?.first_chunk()?;
            Some(usize::from_ne_bytes(*bytes) as u64)
        };
        relocation.addend.or_else(in_place).is_some_and(|address| self.is_code(address))
    }

    /// All of them; `None` if a table is not as the loader needs it.
    fn relocations(&self) -> Option<Vec<Relocation>> {
        let mut all = Vec::new();
        let explicit: &[Rela] = self.table(elf::DT_RELA, elf::DT_RELASZ)?;
        let relative = usize::try_from(self.tag(elf::DT_RELACOUNT).unwrap_or(0)).ok()?;
        // The loader does these first, without a look at their kind.
        let kinds = explicit.get(..relative)?.iter().map(|it| it.r_type(E, false).0);
        if let Some(known) = &KINDS
            && !{ kinds }.all(|kind| kind == known.relative)
        {
            return None;
        }
        all.extend(explicit.iter().map(Relocation::explicit));
        let implicit: &[Rel] = self.table(elf::DT_REL, elf::DT_RELSZ)?;
        all.extend(implicit.iter().map(Relocation::implicit));
        if self.tag(elf::DT_JMPREL).is_some() {
            let (at, len) = (elf::DT_JMPREL, elf::DT_PLTRELSZ);
            match self.tag(elf::DT_PLTREL)? {
                RELA => all.extend(self.table(at, len)?.iter().map(Relocation::explicit)),
                REL if KINDS.is_none() => {
                    all.extend(self.table(at, len)?.iter().map(Relocation::implicit));
                }
                _ => return None,
            }
        }
        let packed: &[Relr] = self.table(elf::DT_RELR, elf::DT_RELRSZ)?;
        let packed = RelrIterator::<Header>::new(E, packed);
        all.extend(packed.map(|at| Relocation {
            at: word(at),
            kind: None,
            symbol: 0,
            addend: None,
        }));
        Some(all)
    }

    /// A table of the dynamic section; empty if there is none.
    fn table<T: object::pod::Pod>(
        &self,
        at: elf::DynamicTag,
        len: elf::DynamicTag,
    ) -> Option<&[T]> {
        let Some(at) = self.tag(at) else { return Some(&[]) };
        let len = usize::try_from(self.tag(len)?).ok()?;
        if len == 0 {
            return Some(&[]);
        }
        slice_from_all_bytes(self.mapped(at, len)?).ok()
    }
}
