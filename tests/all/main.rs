//! One binary with every test; each behaviour runs once per MPM.

/// Runs functions that take an [`Mpm`](gearbox_tests::Mpm) under every MPM: `NAME::event`, …
macro_rules! every_mpm {
    ($($name:ident),* $(,)?) => {
        $(mod $name {
            use gearbox_tests::Mpm;
            #[test]
            fn event() {
                super::$name(Mpm::Event);
            }
            #[test]
            fn worker() {
                super::$name(Mpm::Worker);
            }
            #[test]
            fn prefork() {
                super::$name(Mpm::Prefork);
            }
            #[test]
            fn c99() {
                super::$name(Mpm::C99);
            }
        })*
    };
}

/// The same for the MPMs that keep a pool of children.
macro_rules! pooled_mpm {
    ($($name:ident),* $(,)?) => {
        $(mod $name {
            use gearbox_tests::Mpm;
            #[test]
            fn event() {
                super::$name(Mpm::Event);
            }
            #[test]
            fn worker() {
                super::$name(Mpm::Worker);
            }
            #[test]
            fn prefork() {
                super::$name(Mpm::Prefork);
            }
        })*
    };
}

mod access;
mod basic;
mod cli;
mod conditional;
mod config_errors;
mod damaged;
mod deadlines;
mod files;
mod fixtures;
mod fresh;
mod herd;
mod house;
mod idle;
mod kill;
mod kills;
mod layers;
mod lifecycle;
mod limits;
mod load;
mod logs;
mod malformed;
mod oracle;
mod outside;
mod refusals;
mod regulation;
mod reports;
mod restart;
mod signals;
mod smuggling;
mod start;
mod symbols;
mod syscalls;
mod transfers;
