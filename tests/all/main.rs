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

mod basic;
mod cli;
mod config_errors;
mod drain;
mod herd;
mod idle;
mod kill;
mod lifecycle;
mod limits;
mod load;
mod pid1;
mod reopen;
mod reports;
mod restart;
mod service;
mod start;
mod stop;
mod syscalls;
