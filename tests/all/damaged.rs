//! A damaged file of an MPM never crashes the server: what the loader reads of it is spoilt at random,
//! the same way in every run.
//!
//! What the file means is not touched: its code, its data, and what is put into that. A file that says
//! something else there is another program, and may do what programs do.

use std::ops::Range;
use std::process::Command;

use gearbox_tests::{Conf, Mpm, run};

/// Cases for each of our MPMs.
const CASES: usize = 100;

/// The sections that the loader goes by.
const SECTIONS: [&str; 6] =
    [".dynsym", ".dynstr", ".gnu.hash", ".gnu.version", ".gnu.version_r", ".note.gnu.build-id"];

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

    /// A number as it comes out wrong: nothing, one off, one bit, or anything.
    fn number(&mut self) -> u64 {
        match self.below(4) {
            0 => 0,
            1 => u64::MAX - self.next() % 9,
            2 => 1 << (self.next() % 64),
            _ => self.next(),
        }
    }
}

/// Where in the file is what the loader goes by: the file's header, these sections, their table.
fn regions(mpm: Mpm, len: usize) -> Vec<Range<usize>> {
    let sections = run(Command::new("readelf").arg("-SW").arg(mpm.file())).stdout;
    // `  [ 1] .dynsym DYNSYM ADDRESS OFFSET SIZE …`
    let section = |name: &&str| {
        let mut lines = sections.lines().filter_map(|line| line.split_once(&format!("] {name} ")));
        let words: Vec<&str> = lines.next()?.1.split_whitespace().collect();
        let number = |word: &str| usize::from_str_radix(word, 16).expect("a number");
        Some(number(words[2])..number(words[2]) + number(words[3]))
    };
    let mut regions: Vec<Range<usize>> = SECTIONS.iter().filter_map(section).collect();
    assert!(regions.len() > 4, "readelf shows the sections: {sections}");
    regions.extend([0..64, len - 64 * 20..len]);
    regions
}

fn no_damage_crashes_the_server(mpm: Mpm, seed: u64) {
    let whole = std::fs::read(mpm.file()).expect("it is built");
    let regions = regions(mpm, whole.len());
    let name = mpm.name();
    let file = format!("modules/mod_mpm_{name}.so");
    let conf = Conf::text(&format!("ServerName localhost\nLoadModule mpm_{name}_module {file}\n"));
    let mut random = Random(seed);
    let mut refused = 0;
    for case in 0..CASES {
        let mut bytes = whole.clone();
        let region = &regions[random.below(regions.len())];
        let at = region.start + random.below(region.len());
        let value = random.number().to_ne_bytes();
        let len = 1 << random.below(4);
        for (byte, new) in bytes[at..].iter_mut().zip(&value[..len]) {
            *byte = *new;
        }
        if case % 10 == 0 {
            bytes.truncate(random.below(whole.len()));
        }
        conf.put_bytes(&file, &bytes);
        let (status, stderr) = conf.check();
        let what = format!("case {case}: {len} bytes at {at:#x} are {value:x?}");
        match status {
            0 => assert!(stderr.ends_with("Syntax OK\n"), "{what}: {stderr}"),
            1 => {
                let place = "AH00526: Syntax error on line 2 of @ROOT@/gearbox.conf:\ncannot load ";
                assert!(stderr.starts_with(place), "{what}: {stderr}");
                assert!(!stderr.contains("panicked"), "{what}: {stderr}");
                refused += 1;
            }
            _ => panic!("{what}: ended with {status}: {stderr}"),
        }
    }
    assert!((CASES / 4..CASES).contains(&refused), "{refused} of {CASES} refused");
}

#[test]
fn event() {
    no_damage_crashes_the_server(Mpm::Event, 1);
}

#[test]
fn worker() {
    no_damage_crashes_the_server(Mpm::Worker, 2);
}

#[test]
fn prefork() {
    no_damage_crashes_the_server(Mpm::Prefork, 3);
}

#[test]
fn c99() {
    no_damage_crashes_the_server(Mpm::C99, 4);
}
