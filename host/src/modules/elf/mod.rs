//! The file as a shared object of this machine, read without trusting any number in it.
//!
//! Checks what would otherwise crash the system's loader rather than make it report an error: a
//! segment or table that reaches past the end of the file ends in SIGBUS or SIGSEGV.

mod loading;
mod relocations;
mod versions;

use object::elf;
use object::read::elf::{
    Dyn as _, FileHeader, GnuHashTable, HashTable, ProgramHeader as _, Sym as _,
};
use object::{NativeEndian, StringTable};

use super::ident;
use super::refusal::ElfFault;

#[cfg(target_pointer_width = "64")]
pub(super) type Header = elf::FileHeader64<NativeEndian>;
#[cfg(target_pointer_width = "32")]
pub(super) type Header = elf::FileHeader32<NativeEndian>;
type ProgramHeader = <Header as FileHeader>::ProgramHeader;
type Dyn = <Header as FileHeader>::Dyn;
pub(super) type Sym = <Header as FileHeader>::Sym;

/// Byte order of every file that gets past [`ident::check_ident`].
pub(super) const E: NativeEndian = NativeEndian;

/// Tables of the dynamic section that the loader reads: where they are and how long.
const TABLES: &[(elf::DynamicTag, Option<elf::DynamicTag>, &str)] = &[
    (elf::DT_STRTAB, Some(elf::DT_STRSZ), "names of symbols"),
    (elf::DT_SYMTAB, None, "symbols"),
    (elf::DT_HASH, None, "symbol hashes"),
    (elf::DT_GNU_HASH, None, "symbol hashes"),
    (elf::DT_RELA, Some(elf::DT_RELASZ), "relocations"),
    (elf::DT_REL, Some(elf::DT_RELSZ), "relocations"),
    (elf::DT_RELR, Some(elf::DT_RELRSZ), "relocations"),
    (elf::DT_JMPREL, Some(elf::DT_PLTRELSZ), "relocations"),
    (elf::DT_VERSYM, None, "symbol versions"),
    (elf::DT_VERNEED, None, "symbol versions"),
    (elf::DT_VERDEF, None, "symbol versions"),
    (elf::DT_INIT_ARRAY, Some(elf::DT_INIT_ARRAYSZ), "constructors"),
    (elf::DT_FINI_ARRAY, Some(elf::DT_FINI_ARRAYSZ), "destructors"),
    (elf::DT_INIT, None, "constructors"),
    (elf::DT_FINI, None, "destructors"),
];

/// A shared object for this machine, whose segments and tables lie within the file.
#[derive(Debug)]
pub(super) struct SharedObject<'data> {
    bytes: &'data [u8],
    header: &'data Header,
    segments: &'data [ProgramHeader],
    dynamic: &'data [Dyn],
}

impl<'data> SharedObject<'data> {
    pub(super) fn parse(bytes: &'data [u8]) -> Result<Self, ElfFault> {
        ident::check_ident(bytes)?;
        let header = Header::parse(bytes).map_err(|_| ElfFault::Damaged("file header"))?;
        ident::check_machine(header)?;
        check_complete(header, bytes)?;
        let segments =
            header.program_headers(E, bytes).map_err(|_| ElfFault::Damaged("program headers"))?;
        let mut object = Self { bytes, header, segments, dynamic: &[] };
        object.check_segments()?;
        let dynamic = object.find_dynamic();
        object.dynamic = dynamic.ok_or(ElfFault::Damaged("dynamic section"))?;
        if object.tag(elf::DT_DEBUG).is_some() || object.is_pie() {
            return Err(ElfFault::Unshared("an executable"));
        }
        object.check_tables()?;
        Ok(object)
    }

    /// The bytes of the file that are mapped at this address and after, to the segment's end.
    fn mapped_from(&self, address: u64) -> Option<&'data [u8]> {
        self.loads().find_map(|segment| {
            let offset = address.checked_sub(word(segment.p_vaddr(E)))?;
            let data = segment.data(E, self.bytes).ok()?;
            data.get(usize::try_from(offset).ok()?..).filter(|rest| !rest.is_empty())
        })
    }

    /// The bytes of the file that are mapped at this address; `None` if not all come from the file.
    pub(super) fn mapped(&self, address: u64, len: usize) -> Option<&'data [u8]> {
        self.mapped_from(address)?.get(..len)
    }

    /// The symbols the loader sees, with their names, defined or not.
    pub(super) fn symbols(&self) -> Result<Vec<(&'data [u8], &'data Sym)>, ElfFault> {
        self.find_symbols().ok_or(ElfFault::Damaged("symbol table"))
    }

    /// The name the library gives itself.
    pub(super) fn soname(&self) -> Option<&'data [u8]> {
        let at = u32::try_from(self.tag(elf::DT_SONAME)?).ok()?;
        self.names()?.get(at).ok()
    }

    /// Does the table for debuggers, which the loader does not read, define this data?
    pub(super) fn defines_hidden(&self, name: &[u8]) -> bool {
        let Ok(sections) = self.header.sections(E, self.bytes) else {
            return false;
        };
        let Ok(table) = sections.symbols(E, self.bytes, elf::SHT_SYMTAB) else {
            return false;
        };
        let mut objects = table.iter().filter(|it| it.st_type() == elf::STT_OBJECT);
        objects.any(|it| !it.is_undefined(E) && it.name(E, table.strings()) == Ok(name))
    }

    fn loads(&self) -> impl Iterator<Item = &'data ProgramHeader> {
        self.segments.iter().filter(|segment| segment.p_type(E) == elf::PT_LOAD)
    }

    /// What the dynamic section says, if it does.
    pub(super) fn tag(&self, tag: elf::DynamicTag) -> Option<u64> {
        // The loader goes by the last.
        let entry = self.dynamic.iter().rfind(|entry| entry.tag(E) == tag)?;
        Some(entry.val(E))
    }

    fn is_pie(&self) -> bool {
        let flags = self.tag(elf::DT_FLAGS_1).unwrap_or_default();
        flags & word(elf::DF_1_PIE.0) != 0
    }

    fn names(&self) -> Option<StringTable<'data>> {
        let len = usize::try_from(self.tag(elf::DT_STRSZ)?).ok()?;
        let names = self.mapped(self.tag(elf::DT_STRTAB)?, len)?;
        Some(StringTable::new(names, 0, names.len() as u64))
    }

    fn symbol_count(&self) -> Option<usize> {
        let count = if let Some(at) = self.tag(elf::DT_GNU_HASH) {
            let hashes = GnuHashTable::<Header>::parse(E, self.mapped_from(at)?).ok()?;
            // An object that exports nothing has an empty table; what it imports comes before.
            hashes.symbol_table_length(E).unwrap_or(hashes.symbol_base())
        } else {
            let at = self.tag(elf::DT_HASH)?;
            HashTable::<Header>::parse(E, self.mapped_from(at)?).ok()?.symbol_table_length()
        };
        usize::try_from(count).ok()
    }

    /// Each segment lies within the file and behind the one before it.
    fn check_segments(&self) -> Result<(), ElfFault> {
        let mut end = 0;
        for segment in self.loads() {
            let (offset, in_file) = segment.file_range(E);
            let needed = offset.saturating_add(in_file);
            if needed > self.bytes.len() as u64 {
                return Err(ElfFault::truncated(self.bytes, needed));
            }
            let (start, in_memory) = (word(segment.p_vaddr(E)), word(segment.p_memsz(E)));
            if in_file > in_memory || start < end {
                return Err(ElfFault::Damaged("segments"));
            }
            end = start.checked_add(in_memory).ok_or(ElfFault::Damaged("segments"))?;
        }
        if end == 0 {
            return Err(ElfFault::Damaged("segments"));
        }
        let tls = self.segments.iter().filter(|segment| segment.p_type(E) == elf::PT_TLS);
        for segment in tls {
            self.check_mapped(
                word(segment.p_vaddr(E)),
                word(segment.p_filesz(E)),
                "thread-locals",
            )?;
        }
        Ok(())
    }

    /// The dynamic section by its address, as the loader finds it; its place in the file is only
    /// said to be the same.
    fn find_dynamic(&self) -> Option<&'data [Dyn]> {
        let mut headers = self.segments.iter();
        let header = headers.find(|header| header.p_type(E) == elf::PT_DYNAMIC)?;
        let len = usize::try_from(word(header.p_filesz(E))).ok()?;
        let bytes = self.mapped(word(header.p_vaddr(E)), len)?;
        let entries = object::pod::slice_from_all_bytes::<Dyn>(bytes).ok()?;
        let end = entries.iter().position(|entry| entry.tag(E) == elf::DT_NULL)?;
        entries.get(..end)
    }

    fn find_symbols(&self) -> Option<Vec<(&'data [u8], &'data Sym)>> {
        let names = self.names()?;
        let table = self.mapped_from(self.tag(elf::DT_SYMTAB)?)?;
        let (symbols, _) =
            object::pod::slice_from_bytes::<Sym>(table, self.symbol_count()?).ok()?;
        let named = symbols.iter().map(|symbol| Some((symbol.name(E, names).ok()?, symbol)));
        named.collect()
    }

    fn check_tables(&self) -> Result<(), ElfFault> {
        for &(at, len, what) in TABLES {
            if let Some(at) = self.tag(at) {
                let len = len.map_or(Some(1), |len| self.tag(len));
                self.check_mapped(at, len.ok_or(ElfFault::Damaged(what))?, what)?;
            }
        }
        Ok(())
    }

    fn check_mapped(&self, at: u64, len: u64, what: &'static str) -> Result<(), ElfFault> {
        let end = at.checked_add(len).ok_or(ElfFault::Damaged(what))?;
        let inside = self.loads().any(|segment| {
            let start = word(segment.p_vaddr(E));
            at >= start && end <= start.saturating_add(word(segment.p_memsz(E)))
        });
        if len == 0 || inside { Ok(()) } else { Err(ElfFault::Damaged(what)) }
    }
}

/// A number of the file, which has 32 or 64 bits by its class.
pub(super) fn word(word: impl Into<u64>) -> u64 {
    word.into()
}

/// Both tables of headers end within the file. The sections' one commonly is its last part, so this
/// finds a copy that broke off even where nothing of it would be missed when loading.
fn check_complete(header: &Header, bytes: &[u8]) -> Result<(), ElfFault> {
    let tables = [
        (word(header.e_phoff(E)), header.e_phentsize(E), header.e_phnum(E)),
        (word(header.e_shoff(E)), header.e_shentsize(E), header.e_shnum(E)),
    ];
    for (offset, size, count) in tables {
        let needed = offset.saturating_add(u64::from(size) * u64::from(count));
        if needed > bytes.len() as u64 {
            return Err(ElfFault::truncated(bytes, needed));
        }
    }
    Ok(())
}
