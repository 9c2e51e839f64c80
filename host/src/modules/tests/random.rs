//! No bytes make the loader crash: random changes of a good file, and random tables in memory.

use std::fs;
use std::mem::offset_of;
use std::ops::Range;

use mpm_abi::module::Ptr;
use mpm_abi::{Descriptor, Directive, Ops};

use super::super::elf::SharedObject;
use super::super::inspect::inspect;
use super::super::mapped::Mapped;
use super::super::{directives, validate};
use super::{Modules, SYMBOL, load, offer};

/// Numbers that are the same in every run (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// A number as programs get them wrong: small, huge, one off, or anything.
    fn number(&mut self) -> u64 {
        match self.below(6) {
            0 => 0,
            1 => self.next() % 9,
            2 => u64::MAX - self.next() % 9,
            3 => 1 << (self.next() % 64),
            4 => self.next() % 0x1_0000,
            _ => self.next(),
        }
    }

    /// Overwrites one to eight bytes at a random place in `range`.
    fn spoil(&mut self, bytes: &mut [u8], range: Range<usize>) {
        let at = range.start + self.below(range.len());
        let value = self.number().to_ne_bytes();
        let len = 1 << self.below(4);
        for (byte, new) in bytes[at..].iter_mut().zip(&value[..len]) {
            *byte = *new;
        }
    }
}

/// Where the bytes at an address are in the file.
fn in_file(bytes: &[u8], name: &str) -> Range<usize> {
    use object::read::elf::Sym as _;

    let object = SharedObject::parse(bytes).unwrap();
    let symbols = object.symbols().unwrap();
    let (_, symbol) = symbols.iter().find(|(it, _)| *it == name.as_bytes()).unwrap();
    let len = symbol.st_size(object::NativeEndian) as usize;
    let data = object.mapped(symbol.st_value(object::NativeEndian), len).unwrap();
    let start = data.as_ptr().addr() - bytes.as_ptr().addr();
    start..start + len
}

/// Headers, tables of symbols, the descriptor, anything: refused or not, but never a crash.
#[test]
fn inspecting_spoilt_files() {
    let modules = Modules::new();
    let good = fs::read(modules.good(&["-Wl,--hash-style=both"])).unwrap();
    let descriptor = in_file(&good, SYMBOL);
    let sections = usize::try_from(u64::from_ne_bytes(good[0x28..0x30].try_into().unwrap()));
    let regions = [0..64, 64..64 + 12 * 56, 0..0x1000, descriptor, sections.unwrap()..good.len()];
    let mut random = Random(1);
    let mut refused = 0;
    for case in 0..8000 {
        let mut bytes = good.clone();
        for _ in 0..=random.below(3) {
            let region = &regions[random.below(regions.len())];
            random.spoil(&mut bytes, region.clone());
        }
        if case % 8 == 0 {
            bytes.truncate(random.below(good.len()));
        }
        if let Err(reason) = inspect(&bytes, SYMBOL, offer()) {
            assert!(!reason.to_string().contains('\n'));
            refused += 1;
        }
    }
    assert!(refused > 2000, "only {refused} were spoilt");
}

/// Bytes of a plug-in's tables that the system's loader does not write to.
fn unrelocated(good: &[u8]) -> Vec<usize> {
    let mut places = Vec::new();
    let descriptor = in_file(good, SYMBOL).start;
    places.extend([
        descriptor + offset_of!(Descriptor, flags_compat),
        descriptor + offset_of!(Descriptor, optional_caps),
        descriptor + offset_of!(Descriptor, directive_count),
        descriptor + offset_of!(Descriptor, directive_stride),
    ]);
    let ops = in_file(good, "good_ops").start;
    places.extend([
        ops + offset_of!(Ops, struct_size),
        ops + offset_of!(Ops, reserved),
        ops + offset_of!(Ops, task_spawn),
        ops + offset_of!(Ops, offload),
        ops + offset_of!(Ops, status),
    ]);
    let numbers = [
        offset_of!(Directive, min),
        offset_of!(Directive, max),
        offset_of!(Directive, enum_count),
        offset_of!(Directive, kind),
        offset_of!(Directive, min_args),
        offset_of!(Directive, max_args),
        offset_of!(Directive, flags),
    ];
    for row in in_file(good, "good_directives").step_by(size_of::<Directive>()) {
        places.extend(numbers.map(|number| row + number));
    }
    // The first row has neither an alias nor words: pointers that are NULL.
    let first = in_file(good, "good_directives").start;
    places.push(first + offset_of!(Directive, alias_of));
    places.push(first + offset_of!(Directive, enum_names));
    places
}

/// What gets past the inspection is loaded and looked through in memory.
#[test]
fn loading_spoilt_tables() {
    let modules = Modules::new();
    let good = fs::read(modules.good(&[])).unwrap();
    let places = unrelocated(&good);
    let mut random = Random(2);
    let mut refused = 0;
    for case in 0..400 {
        let mut bytes = good.clone();
        for _ in 0..=random.below(3) {
            let at = places[random.below(places.len())];
            let len = 1 << random.below(3);
            let value = random.number().to_ne_bytes();
            bytes[at..at + len].copy_from_slice(&value[..len]);
        }
        let result = load(&modules.write(&format!("mod_mpm_{case}.so"), &bytes));
        refused += usize::from(result.is_err());
    }
    assert!((50..400).contains(&refused), "{refused} of 400 refused");
}

const WORDS: usize = 512;

/// A pointer as programs get them wrong: into the object, near its ends, or anywhere. A quarter of
/// them are right: the object begins with a text.
fn pointer(random: &mut Random, object: &Range<usize>) -> u64 {
    let pointer = match random.below(16) {
        0 => return random.number(),
        1 => object.end.wrapping_sub(random.below(200)).wrapping_add(8),
        2 => object.start + random.below(object.len()),
        3..12 => object.start + random.below(object.len()) / 8 * 8,
        _ => object.start,
    };
    pointer as u64
}

fn ptr<T>(address: u64) -> Ptr<T> {
    Ptr::new(std::ptr::without_provenance(address as usize))
}

/// Tables of random numbers whose pointers mostly lead somewhere into the object.
#[test]
fn validating_random_tables() {
    let mut random = Random(3);
    let mut good = [0; 3];
    for _ in 0..4000 {
        let mut words = vec![0; WORDS].into_boxed_slice();
        let start = words.as_ptr().expose_provenance();
        let object = start..start + WORDS * 8;
        for word in &mut words {
            *word = match random.below(4) {
                0 => random.number(),
                1 => u64::from_ne_bytes(*b"Name1\0ab"),
                _ => pointer(&mut random, &object),
            };
        }
        words[0] = u64::from_ne_bytes(*b"mpm_good");
        words[1] = 0;
        let ops = 2 + random.below(WORDS - 20);
        words[ops] = [96, 104, 120, random.number()][random.below(4)];
        for entry in &mut words[ops + 1..ops + 15] {
            *entry = pointer(&mut random, &object);
        }
        let code = 0..[0, 64, WORDS * 8, WORDS * 8][random.below(4)];
        let mapped = Mapped::of_words(Box::leak(words), code);
        let descriptor = Descriptor {
            flags_compat: random.number(),
            name: ptr(pointer(&mut random, &object)),
            vendor: ptr(pointer(&mut random, &object)),
            version: ptr(pointer(&mut random, &object)),
            license: ptr(pointer(&mut random, &object)),
            build_id: ptr(pointer(&mut random, &object)),
            ops: ptr((start + ops * 8) as u64),
            directives: ptr(pointer(&mut random, &object)),
            directive_count: [0, 1, 2, random.number() as u32][random.below(4)],
            directive_stride: [80, 80, 88, random.number() as u32][random.below(4)],
            ..Descriptor::empty()
        };
        good[0] += usize::from(validate::metadata(&mapped, &descriptor, SYMBOL).is_ok());
        good[1] += usize::from(validate::ops(&mapped, &descriptor).is_ok());
        good[2] += usize::from(directives::read(&mapped, &descriptor).is_ok());
    }
    assert!(good.iter().all(|good| *good > 0), "never anything right: {good:?}");
}
