//! Files in which the system's loader would lose its way: one number is wrong, and it is found before
//! the loader sees the file.

#![cfg(all(target_arch = "x86_64", target_endian = "little"))]

use std::fs;

use object::elf::{self, DynamicTag};

use super::super::elf::SharedObject;
use super::{Modules, refusal};

/// So that there are versions of symbols. Nothing of it runs here.
const CALLS_LIBC: &str = "-DMARK=\"/dev/null\"";

/// A good file, to be spoilt in one place.
struct Spoilt {
    bytes: Vec<u8>,
}

impl Spoilt {
    fn new(options: &[&str]) -> Self {
        let modules = Modules::new();
        Self { bytes: fs::read(modules.good(options)).unwrap() }
    }

    fn tag(&self, tag: DynamicTag) -> u64 {
        SharedObject::parse(&self.bytes).unwrap().tag(tag).unwrap()
    }

    /// Where in the file the table is that a tag leads to.
    fn table(&self, tag: DynamicTag) -> usize {
        self.in_file(self.tag(tag))
    }

    fn in_file(&self, address: u64) -> usize {
        let object = SharedObject::parse(&self.bytes).unwrap();
        let there = object.mapped(address, 1).unwrap();
        there.as_ptr().addr() - self.bytes.as_ptr().addr()
    }

    /// Where the entry of a tag is in the dynamic section.
    fn entry(&self, tag: DynamicTag) -> usize {
        let entry: Vec<u8> =
            [tag.0.to_ne_bytes(), self.tag(tag).cast_signed().to_ne_bytes()].concat();
        self.bytes.windows(16).position(|bytes| bytes == entry).unwrap()
    }

    fn number(&self, at: usize, len: usize) -> u64 {
        let bytes = self.bytes[at..at + len].iter().rev();
        bytes.fold(0, |number, &byte| number << 8 | u64::from(byte))
    }

    fn set<const N: usize>(mut self, at: usize, bytes: [u8; N]) -> Self {
        self.bytes[at..at + N].copy_from_slice(&bytes);
        self
    }

    /// The part said to be damaged.
    fn damaged(self) -> String {
        let modules = Modules::new();
        let line = refusal(&modules.write("mod_mpm_good.so", &self.bytes));
        let part = line.strip_prefix("the file is damaged: bad ").expect(&line);
        part.strip_suffix("; install it again").expect(&line).to_owned()
    }

    fn value(self, tag: DynamicTag, value: u64) -> Self {
        let at = self.entry(tag) + 8;
        self.set(at, value.to_ne_bytes())
    }

    /// Makes an entry of the dynamic section one that says nothing.
    fn without(self, tag: DynamicTag) -> Self {
        let at = self.entry(tag);
        self.set(at, 0x6000_0000_u64.to_ne_bytes())
    }
}

#[test]
fn dynamic_section() {
    let good = || Spoilt::new(&[CALLS_LIBC, "-Wl,-soname,good.so"]);
    for tag in [elf::DT_NEEDED, elf::DT_SONAME] {
        assert_eq!(good().value(tag, 1 << 20).damaged(), "dynamic section");
    }
    for tag in [elf::DT_SYMENT, elf::DT_RELAENT] {
        assert_eq!(good().value(tag, 25).damaged(), "dynamic section");
        assert_eq!(good().without(tag).damaged(), "dynamic section");
    }
    assert_eq!(good().without(elf::DT_RELA).damaged(), "dynamic section");
    assert_eq!(good().without(elf::DT_VERNEED).damaged(), "dynamic section");
    assert_eq!(good().without(elf::DT_RELASZ).damaged(), "relocations");
    assert_eq!(good().without(elf::DT_FINI_ARRAYSZ).damaged(), "destructors");
}

#[test]
fn functions_that_are_no_code() {
    let good = || Spoilt::new(&[]);
    assert_eq!(good().value(elf::DT_INIT, 8).damaged(), "constructors");
    assert_eq!(good().value(elf::DT_FINI, 8).damaged(), "destructors");
    for (tag, what) in [(elf::DT_INIT_ARRAY, "constructors"), (elf::DT_FINI_ARRAY, "destructors")] {
        let file = good();
        let address = file.tag(tag);
        let (start, end) = (file.table(elf::DT_RELA), file.tag(elf::DT_RELASZ) as usize);
        let mut places = (start..start + end).step_by(24);
        let relocation = places.find(|&at| file.number(at, 8) == address).unwrap();
        assert_eq!(file.set(relocation + 16, 8_u64.to_ne_bytes()).damaged(), what);
        // Not given an address at all.
        let file = good();
        assert_eq!(file.set(relocation, (address + 8).to_ne_bytes()).damaged(), what);
    }
}

#[test]
fn relocations() {
    let good = || Spoilt::new(&[]);
    let first = good().table(elf::DT_RELA);
    let beyond = (good().tag(elf::DT_RELASZ) / 24) + 1;
    assert_eq!(good().set(first, 8_u64.to_ne_bytes()).damaged(), "relocations");
    assert_eq!(good().set(first, u64::MAX.to_ne_bytes()).damaged(), "relocations");
    assert_eq!(good().value(elf::DT_RELACOUNT, beyond).damaged(), "relocations");
    // One that is not relative among those that are said to be.
    assert_eq!(good().set(first + 8, [6]).damaged(), "relocations");
    let last = first + good().tag(elf::DT_RELASZ) as usize - 24;
    assert_eq!(good().set(last + 12, 0xFFFF_u32.to_ne_bytes()).damaged(), "relocations");
    assert_eq!(good().set(last + 12, 0_u32.to_ne_bytes()).damaged(), "relocations");
    for kind in [elf::R_X86_64_COPY, elf::R_X86_64_IRELATIVE] {
        assert_eq!(good().set(last + 8, kind.0.to_ne_bytes()).damaged(), "relocations");
    }
}

#[test]
fn symbols() {
    let good = || Spoilt::new(&[]);
    let table = good().table(elf::DT_SYMTAB);
    let symbol = |wanted: fn(u64) -> bool| {
        let file = good();
        let mut places = (1..).map(|n| table + n * 24);
        places.find(|&at| wanted(file.number(at + 6, 2))).unwrap()
    };
    let (undefined, defined) = (symbol(|section| section == 0), symbol(|section| section != 0));
    const HIDDEN: u8 = 2;
    assert_eq!(good().set(undefined + 5, [HIDDEN]).damaged(), "symbol table");
    let local = |kind: u8| kind & 0x0F;
    let kind = good().bytes[undefined + 4];
    assert_eq!(good().set(undefined + 4, [local(kind)]).damaged(), "symbol table");
    const GLOBAL_IFUNC: u8 = 0x1A;
    assert_eq!(good().set(defined + 4, [GLOBAL_IFUNC]).damaged(), "symbol table");
}

#[test]
fn hashes() {
    let good = || Spoilt::new(&["-Wl,--hash-style=gnu"]);
    let table = good().table(elf::DT_GNU_HASH);
    // Not the highest, by which the symbols are counted.
    let count = good().number(table, 4) as usize;
    let first = table + 16 + 8 * good().number(table + 8, 4) as usize;
    let buckets = (0..count).map(|n| first + 4 * n);
    let lowest = buckets.min_by_key(|&at| good().number(at, 4)).unwrap();
    assert_eq!(good().set(lowest, 1_u32.to_ne_bytes()).damaged(), "symbol hashes");

    let good = || Spoilt::new(&["-Wl,--hash-style=sysv"]);
    let table = good().table(elf::DT_HASH);
    let buckets = good().number(table, 4) as usize;
    // A symbol that follows itself, and one that is not there.
    let bucket = (0..buckets).map(|n| table + 8 + 4 * n);
    let symbol = { bucket }.map(|at| good().number(at, 4)).find(|&it| it != 0).unwrap();
    let next = table + 8 + 4 * buckets + 4 * symbol as usize;
    for number in [symbol as u32, 0xFFFF] {
        assert_eq!(good().set(next, number.to_ne_bytes()).damaged(), "symbol hashes");
    }
}

#[test]
fn versions() {
    let good = || Spoilt::new(&[CALLS_LIBC]);
    let (needed, of_symbols) = (good().table(elf::DT_VERNEED), good().table(elf::DT_VERSYM));
    let versions = "symbol versions";
    assert_eq!(good().set(of_symbols + 2, 0x77_u16.to_ne_bytes()).damaged(), versions);
    assert_eq!(good().without(elf::DT_VERSYM).damaged(), versions);
    // The library, the way to its first version, and that version's name and successor.
    let first = needed + good().number(needed + 8, 4) as usize;
    for (at, number) in [(needed + 4, 1), (needed + 8, 1 << 24), (first + 8, 1 << 24)] {
        assert_eq!(good().set(at, u32::to_ne_bytes(number)).damaged(), versions);
    }
    assert_eq!(good().set(first + 12, (1_u32 << 24).to_ne_bytes()).damaged(), versions);
}

#[test]
fn segments() {
    let good = || Spoilt::new(&[]);
    let header = |kind: u64| {
        let file = good();
        (0..16).map(|n| 64 + 56 * n).find(|&at| file.number(at, 4) == kind).unwrap()
    };
    let (note, dynamic, relro) = (header(4), header(2), header(0x6474_E552));
    assert_eq!(good().set(note + 16, (1_u64 << 40).to_ne_bytes()).damaged(), "notes");
    assert_eq!(good().set(relro + 16, (1_u64 << 40).to_ne_bytes()).damaged(), "segments");
    const PHDR: u32 = 6;
    assert_eq!(good().set(note, PHDR.to_ne_bytes()).damaged(), "program headers");
    assert_eq!(good().number(dynamic + 4, 4), 6, "readable and writable");
    const LOAD: u64 = 1;
    let file = good();
    let mut loads = (0..16).map(|n| 64 + 56 * n).filter(|&at| file.number(at, 4) == LOAD);
    let data = loads.find(|&at| file.number(at + 4, 4) == 6).unwrap();
    assert_eq!(good().set(data + 4, [4]).damaged(), "dynamic section");
}
