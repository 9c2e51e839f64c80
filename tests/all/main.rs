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
mod broken_listener;
mod caretaker;
mod cli;
mod conditional;
mod config_errors;
mod control_socket;
mod damaged;
mod deadlines;
mod drain;
mod edges;
mod files;
mod fixtures;
mod fresh;
mod handover;
mod herd;
mod house;
mod idle;
mod k;
mod kill;
mod kills;
mod layers;
mod leave;
mod lifecycle;
mod limits;
mod load;
mod logs;
mod malformed;
mod oracle;
mod outside;
mod pid1;
mod refusals;
mod regulation;
mod reopen;
mod reports;
mod restart;
mod restart_refused;
mod scoreboard;
mod server_status;
mod service;
mod shipped;
mod signals;
mod smuggling;
mod start;
mod status;
mod stop;
mod symbols;
mod syscalls;
mod transfers;
