//! The life of the server: start, listeners, children, signals, and what the MPM calls.

mod account;
#[expect(unsafe_code, reason = "the functions the MPM calls: raw pointers in, safe calls out")]
mod callbacks;
mod channel;
mod child;
mod children;
mod command;
mod context;
mod control;
mod detach;
mod generations;
mod handover;
mod hooks;
mod listeners;
mod load;
mod loaded;
mod loader;
mod mpm_rows;
mod os_error;
mod pid_file;
mod report;
mod restart;
mod rows;
mod serve;
mod service;
mod show;
mod socket_path;
mod startup;
mod supervisor;
mod trial;

pub use command::Signal;
pub use show::Show;
pub use startup::{Action, Invocation, run};
