//! Files that are no shared objects for this machine.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::super::elf::SharedObject;
use super::{Modules, refusal};

#[test]
fn not_elf() {
    let cases: &[(&[u8], &str)] = &[
        (b"LoadModule\r\nx", "text (\"LoadModule\")"),
        (b"#!/bin/sh\nexit 0\n", "a script (\"#!/bin/sh\")"),
        ("\u{e4}\u{f6}".as_bytes(), "text (\"\u{e4}\u{f6}\")"),
        (b"!<arch>\nx.o/", "a static library (ar archive)"),
        (b"MZ\x90\x00", "a program of Windows (PE)"),
        (b"\xCF\xFA\xED\xFE\x07", "a program of macOS (Mach-O)"),
        (b"\x00\x01\x02\x03\x04", "something unknown (bytes 00 01 02 03)"),
        (b"\x7fEL", "something unknown (bytes 7f 45 4c)"),
    ];
    let modules = Modules::new();
    for (bytes, what) in cases {
        let expected = format!("it is {what}, not a shared object");
        assert_eq!(refusal(&modules.write("mod_mpm_good.so", bytes)), expected);
    }
    let long = "x".repeat(511) + "\u{e4}\u{e4}";
    let line = refusal(&modules.write("mod_mpm_good.so", long.as_bytes()));
    assert!(line.starts_with("it is text (\"xxx"), "{line}");
}

/// Changes bytes of a good file.
fn patched(patches: &[(usize, u8)]) -> String {
    let modules = Modules::new();
    let mut bytes = fs::read(modules.good(&[])).unwrap();
    for &(at, byte) in patches {
        bytes[at] = byte;
    }
    refusal(&modules.write("mod_mpm_good.so", &bytes))
}

#[cfg(all(target_arch = "x86_64", target_endian = "little"))]
#[test]
fn other_machines() {
    assert_eq!(patched(&[(4, 1)]), "it is for 32-bit machines, this host needs 64-bit");
    assert_eq!(patched(&[(5, 2)]), "it is for big-endian machines, this host needs little-endian");
    assert_eq!(patched(&[(18, 183)]), "it is for AArch64, this host needs x86-64");
    assert_eq!(patched(&[(18, 99)]), "it is for ELF machine 99, this host needs x86-64");
}

#[test]
fn other_types_of_elf() {
    assert_eq!(patched(&[(16, 4)]), "it is a core dump, not a shared object");
    assert_eq!(patched(&[(16, 9)]), "the file is damaged: bad file header; install it again");
    let modules = Modules::new();
    let path = modules.path("program");
    for (options, what) in [
        (&["-no-pie"][..], "an executable"),
        (&["-pie", "-fPIE"], "an executable"),
        (&["-c"], "an object file that was not linked yet"),
    ] {
        let source = modules.write("main.c", b"int main(void) { return 0; }");
        let status = Command::new("cc").args(options).arg(source).arg("-o").arg(&path).status();
        assert!(status.unwrap().success());
        let expected = format!("it is {what}, not a shared object; link it with -shared");
        assert_eq!(refusal(&path), expected);
    }
}

#[test]
fn truncated_anywhere() {
    let modules = Modules::new();
    let bytes = fs::read(modules.good(&[])).unwrap();
    let whole = bytes.len();
    for len in [6, 40, 63, 64, 500, whole / 2, whole - 1] {
        let line = refusal(&modules.write("mod_mpm_cut.so", &bytes[..len]));
        let start = format!("the file is truncated: it has {len} bytes, its headers speak of ");
        let needed = line.strip_prefix(&start).expect(&line);
        let needed = needed.strip_suffix("; install it again").expect(&line);
        assert!(needed.parse::<usize>().unwrap() > len, "{line}");
    }
}

/// Without its section table, only the segments tell that the end is missing.
#[test]
fn truncated_without_a_section_table() {
    let modules = Modules::new();
    let mut bytes = fs::read(modules.good(&[])).unwrap();
    bytes[0x28..0x30].fill(0);
    bytes[0x3A..0x40].fill(0);
    bytes.truncate(0x2E00);
    let line = refusal(&modules.write("mod_mpm_cut.so", &bytes));
    assert!(line.starts_with("the file is truncated: it has 11776 bytes"), "{line}");
}

#[cfg(target_pointer_width = "64")]
#[test]
fn damaged_headers() {
    let damaged = |what| format!("the file is damaged: bad {what}; install it again");
    assert_eq!(patched(&[(6, 7)]), damaged("file header"));
    assert_eq!(patched(&[(0x36, 55)]), damaged("program headers"));
    assert_eq!(patched(&[(0x38, 0)]), damaged("segments"));
    // The first program header is the first segment: more in the file than in memory.
    assert_eq!(patched(&[(0x40 + 0x29, 0)]), damaged("segments"));
}

/// What linkers make is not damaged: every library this test uses, and those of the system beside
/// them.
#[test]
fn libraries_of_the_system() {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let mapped = maps.lines().filter_map(|line| line.split_whitespace().nth(5));
    let libc = mapped.map(Path::new).find(|path| path.ends_with("libc.so.6")).unwrap();
    let mut seen = 0;
    for entry in fs::read_dir(libc.parent().unwrap()).unwrap().flatten().take(LIBRARIES_MAX) {
        let bytes = fs::read(entry.path()).unwrap_or_default();
        let Ok(object) = SharedObject::parse(&bytes) else { continue };
        let symbols = object.symbols().unwrap();
        let checked = object.check_loading(&symbols);
        assert!(checked.is_ok(), "{}: {}", entry.path().display(), checked.unwrap_err());
        seen += 1;
    }
    assert!(seen > 3, "only {seen} libraries in {}", libc.display());
}

const LIBRARIES_MAX: usize = 2000;
