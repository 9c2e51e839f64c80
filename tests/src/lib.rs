//! What the tests are made of: a server in its own directory, clients that speak raw bytes, bounded
//! waiting. The tests themselves are in `all/`.

mod client;
mod mpm;
mod program;
mod server;
mod wait;

pub use client::{Client, Response, exchange};
pub use mpm::{Mpm, c_mpm, compile_module};
pub use program::{Output, gearbox, gearbox_binary, modules_dir, run};
pub use server::{Server, Setup};
pub use wait::{WAIT_MAX, until};
