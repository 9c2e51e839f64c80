//! The life of the server: start, listeners, children, signals, and what the MPM calls.

mod account;
#[expect(unsafe_code, reason = "the functions the MPM calls: raw pointers in, safe calls out")]
mod callbacks;
mod channel;
mod child;
mod context;
mod detach;
mod listeners;
mod loaded;
mod loader;
mod os_error;
mod pid_file;
mod report;
mod rows;
mod scoreboard;
mod serve;
mod startup;
mod supervisor;

pub use startup::{Action, Invocation, run};
